//! Runs a plan on the stream of a table.
//!
//! Authority: `o.a.c.cql3.statements.SelectStatement.processPartition`, `o.a.c.cql3.selection.ResultSetBuilder`,
//! `o.a.c.db.filter.DataLimits`, `o.a.c.db.aggregation.GroupMaker`.

mod inputs;

use super::input::{Input, ValueRange};
use super::plan::{Grouping, Plan, ResultColumn};
use super::selection::{Row as SelectionRow, Selected};
use super::slices::Value;
use crate::read::{Queried, TableReader};
use crate::types::write_json_name;
use crate::{Error, Result};
use inputs::Inputs;
pub(super) use inputs::component;
use std::cmp::Ordering;
use std::sync::Arc;

/// Most bytes of rows that are held to be sorted.
const SORTED_BYTES_MAX: usize = 256 << 20;

/// A row of a result, lent until the next one.
#[derive(Debug, Clone, Copy)]
pub struct ResultRow<'a> {
    columns: &'a [ResultColumn],
    bytes: &'a [u8],
    values: &'a [ValueRange],
    /// Which of the values are shown; all of them in their order if there is none.
    shown: Option<&'a [usize]>,
}

impl<'a> ResultRow<'a> {
    /// A row of one value a column.
    pub(super) fn new(
        columns: &'a [ResultColumn],
        bytes: &'a [u8],
        values: &'a [ValueRange],
    ) -> Self {
        ResultRow {
            columns,
            bytes,
            values,
            shown: None,
        }
    }

    /// Its columns.
    pub fn columns(&self) -> &'a [ResultColumn] {
        self.columns
    }

    /// The value of the `i`th column as raw bytes, `None` if it is null.
    pub fn value(&self, i: usize) -> Option<&'a [u8]> {
        let at = self.shown.map_or(i, |shown| shown[i]);
        self.values[at].clone().map(|range| &self.bytes[range])
    }

    /// Appends the row as the JSON object that `SELECT JSON` shows.
    ///
    /// # Errors
    /// `Corrupt` if a value is none of its type; the output is then incomplete.
    pub fn write_json(&self, out: &mut Vec<u8>) -> Result<()> {
        out.push(b'{');
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(b", ");
            }
            write_json_name(&column.name, out);
            out.extend_from_slice(b": ");
            match self.value(i) {
                Some(value) => column.ty.write_json(value, out)?,
                None => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
        Ok(())
    }
}

/// The rows of a result, one after the other. Memory is bounded by the largest row, but for a sorted result, of which
/// up to 256 MiB are held.
pub struct Rows<'a> {
    plan: &'a Plan,
    inputs: Inputs<'a>,
    groups: Groups,
    output: Output,
    returned: u64,
    sorted: Option<std::vec::IntoIter<SortedRow>>,
    is_done: bool,
}

/// Values that were computed.
#[derive(Debug, Default)]
struct Output {
    bytes: Vec<u8>,
    values: Vec<ValueRange>,
}

#[derive(Debug)]
struct SortedRow {
    keys: Vec<Option<Value>>,
    output: Output,
}

/// The group that rows are being added to.
#[derive(Debug, Default)]
struct Groups {
    /// Its first row.
    first: Input,
    is_open: bool,
    /// The input is the first row of the next group.
    is_pending: bool,
    /// Some group was there already.
    was_any: bool,
    partition: u64,
    clustering: Option<Vec<Option<Value>>>,
    /// Groups of the present partition.
    in_partition: u64,
}

impl Plan {
    /// Runs the plan on a table, which must be the one that it was made for.
    pub fn execute<'a>(&'a self, reader: &'a TableReader) -> Rows<'a> {
        self.execute_queried(reader, self.queried(reader))
    }

    /// [`execute`](Self::execute) with what [`queried`](Self::queried) gives of the reader.
    pub(crate) fn execute_queried<'a>(
        &'a self,
        reader: &'a TableReader,
        queried: Arc<Queried>,
    ) -> Rows<'a> {
        Rows {
            plan: self,
            inputs: Inputs::new(self, reader, queried),
            groups: Groups::default(),
            output: Output::default(),
            returned: 0,
            sorted: None,
            is_done: self.shape.limit == 0,
        }
    }
}

impl Rows<'_> {
    /// The number among the plan's sorted keys of the partition that the row is of.
    pub(crate) fn key_number(&self) -> usize {
        self.inputs.key_number()
    }

    /// Asks `watch` now and then while rows are looked for; its error ends that.
    pub fn watched(mut self, watch: fn() -> Result<()>) -> Self {
        self.inputs.watch = Some(watch);
        self
    }

    /// The columns of the result.
    pub fn columns(&self) -> &[ResultColumn] {
        self.plan.columns()
    }

    /// Advances to the next row. `false` at the end.
    ///
    /// # Errors
    /// Those of the files; `InvalidInput` when a function cannot be applied to a value, or too much has to be sorted.
    pub fn advance(&mut self) -> Result<bool> {
        if self.is_done {
            return Ok(false);
        }
        let found = match self.plan.shape.sort.is_empty() {
            true => self.next_unsorted()?,
            false => self.next_sorted()?,
        };
        self.returned += u64::from(found);
        // Nothing more is read once the limit is reached.
        self.is_done = !found || self.returned >= self.plan.shape.limit;
        Ok(found)
    }

    /// The row it stands on. Has no meaning unless [`Rows::advance`] just returned true.
    pub fn row(&self) -> ResultRow<'_> {
        let columns = self.plan.columns();
        match (&self.plan.shape.plain, self.plan.shape.sort.is_empty()) {
            (Some(shown), true) => {
                let (bytes, values) = self.inputs.input.parts();
                ResultRow {
                    columns,
                    bytes,
                    values,
                    shown: Some(shown),
                }
            }
            _ => ResultRow {
                columns,
                bytes: &self.output.bytes,
                values: &self.output.values,
                shown: None,
            },
        }
    }

    fn next_unsorted(&mut self) -> Result<bool> {
        if self.plan.shape.grouping.is_some() {
            return self.next_group();
        }
        if !self.inputs.next()? {
            return Ok(false);
        }
        if self.plan.shape.plain.is_none() {
            self.output
                .compute(&self.plan.shape.outputs, &self.inputs.input, &[])?;
        }
        Ok(true)
    }

    // Groups

    fn next_group(&mut self) -> Result<bool> {
        loop {
            if !self.groups.is_pending && !self.inputs.next()? {
                let is_everything = matches!(self.plan.shape.grouping, Some(Grouping::Everything));
                let found = self.groups.is_open || is_everything && !self.groups.was_any;
                if found {
                    self.finish_group()?;
                }
                return Ok(found);
            }
            let starts = self.groups.is_pending || self.starts_group()?;
            if starts && self.groups.is_open {
                self.finish_group()?;
                self.groups.is_pending = true;
                return Ok(true);
            }
            self.groups.is_pending = false;
            if starts {
                if self.groups.in_partition > self.plan.shape.groups_per_partition {
                    self.inputs.skip_partition();
                    continue;
                }
                self.groups.is_open = true;
                self.groups.was_any = true;
                self.groups.first.copy_from(&self.inputs.input);
            }
            self.inputs.accumulate()?;
        }
    }

    /// Whether the input does not belong to the group before it.
    fn starts_group(&mut self) -> Result<bool> {
        let Some(Grouping::Prefix {
            clustering,
            function,
        }) = &self.plan.shape.grouping
        else {
            return Ok(!self.groups.was_any);
        };
        let values = match self.inputs.clustering() {
            None => None,
            Some(row) => {
                let prefix = (0..*clustering).map(|i| match i < row.len() {
                    true => row.get(i).map(<[u8]>::to_vec),
                    false => None,
                });
                let mut values: Vec<Option<Value>> = prefix.collect();
                if let (Some(call), Some(last)) = (function, values.last_mut()) {
                    let mut input = Input::default();
                    input.set_single(last.as_deref());
                    let row = SelectionRow {
                        input: &input,
                        aggregates: &[],
                    };
                    *last = call.value(&row)?.map(|value| value.into_owned());
                }
                Some(values)
            }
        };
        let groups = &mut self.groups;
        let same_partition = groups.was_any && groups.partition == self.inputs.partition_number;
        let types = &self.plan.shape.schema.clustering;
        let same = |a: &[Option<Value>], b: &[Option<Value>]| {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.all(|(i, pair)| match pair {
                (Some(x), Some(y)) if function.is_none() || i + 1 < *clustering => {
                    types[i].ty.compare(x, y).is_eq()
                }
                (x, y) => x == y,
            })
        };
        let is_same = same_partition
            && matches!((&groups.clustering, &values), (Some(a), Some(b)) if same(a, b));
        groups.in_partition = match (same_partition, is_same) {
            (false, _) => 1,
            (true, false) => groups.in_partition + 1,
            (true, true) => groups.in_partition,
        };
        groups.partition = self.inputs.partition_number;
        groups.clustering = values;
        Ok(!is_same)
    }

    fn finish_group(&mut self) -> Result<()> {
        let results = self.inputs.take_aggregates()?;
        if !self.groups.was_any {
            // A row of nothing but nulls, for the columns beside the aggregates.
            self.groups
                .first
                .set_all_null(self.plan.shape.fetched.len());
            self.groups.was_any = true;
        }
        self.groups.is_open = false;
        self.output
            .compute(&self.plan.shape.outputs, &self.groups.first, &results)
    }

    // Sorting

    fn next_sorted(&mut self) -> Result<bool> {
        let mut rows = match self.sorted.take() {
            Some(rows) => rows,
            None => self.sort()?.into_iter(),
        };
        let next = rows.next();
        self.sorted = Some(rows);
        match next {
            Some(row) => {
                self.output = row.output;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn sort(&mut self) -> Result<Vec<SortedRow>> {
        let plan = self.plan;
        let compare = |a: &SortedRow, b: &SortedRow| {
            let keys = plan.shape.sort.iter().zip(a.keys.iter().zip(&b.keys));
            let mut orders = keys.map(|((key, descending), (x, y))| {
                // Nulls, of partitions without rows, are first in the order of the table, whatever that is.
                let (order, backwards) = match (x, y) {
                    (Some(x), Some(y)) => (key.ty.compare(x, y), *descending),
                    (x, y) => (x.is_some().cmp(&y.is_some()), plan.shape.reversed),
                };
                if backwards { order.reverse() } else { order }
            });
            orders
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        };
        let limit = usize::try_from(plan.shape.limit).unwrap_or(usize::MAX);
        let mut rows: Vec<SortedRow> = Vec::new();
        let mut bytes = 0;
        while self.next_unsorted()? {
            let from = match plan.shape.grouping.is_some() {
                true => &self.groups.first,
                false => &self.inputs.input,
            };
            let row = SelectionRow {
                input: from,
                aggregates: &[],
            };
            let mut keys = Vec::with_capacity(plan.shape.sort.len());
            for (key, _) in &plan.shape.sort {
                keys.push(key.value(&row)?.map(|value| value.into_owned()));
            }
            if plan.shape.plain.is_some() {
                self.output
                    .compute(&plan.shape.outputs, &self.inputs.input, &[])?;
            }
            let row = SortedRow {
                keys,
                output: std::mem::take(&mut self.output),
            };
            bytes += row.bytes();
            rows.push(row);
            // Beyond the limit rows are needed no longer.
            if rows.len() >= limit.saturating_mul(2).max(1024) {
                rows.sort_by(compare);
                rows.truncate(limit);
                bytes = rows.iter().map(SortedRow::bytes).sum();
            }
            if bytes > SORTED_BYTES_MAX {
                return Err(Error::invalid(
                    "ORDER BY over several partitions has more rows to sort than fit in memory",
                )
                .advise("add a LIMIT, or ask for one partition at a time"));
            }
        }
        rows.sort_by(compare);
        Ok(rows)
    }
}

impl SortedRow {
    fn bytes(&self) -> usize {
        let keys = self.keys.iter().flatten().map(|key| key.len() + 24);
        size_of::<SortedRow>()
            + keys.sum::<usize>()
            + self.output.bytes.len()
            + self.output.values.len() * size_of::<ValueRange>()
    }
}

impl Output {
    fn compute(
        &mut self,
        outputs: &[Selected],
        input: &Input,
        aggregates: &[Option<Value>],
    ) -> Result<()> {
        self.bytes.clear();
        self.values.clear();
        let row = SelectionRow { input, aggregates };
        for output in outputs {
            let value = output.value(&row)?;
            self.values.push(value.map(|value| {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(&value);
                start..self.bytes.len()
            }));
        }
        Ok(())
    }
}
