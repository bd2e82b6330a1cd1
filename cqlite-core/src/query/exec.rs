//! Runs a plan on the stream of a table.
//!
//! Authority: `o.a.c.cql3.statements.SelectStatement.processPartition`, `o.a.c.cql3.selection.ResultSetBuilder`,
//! `o.a.c.db.filter.DataLimits`, `o.a.c.db.aggregation.GroupMaker`.

use super::filter::Filter;
use super::input::{Input, ValueRange};
use super::live::is_shown;
use super::plan::{Grouping, Plan, ResultColumn};
use super::prepare::AggregateCall;
use super::restrictions::Partitions;
use super::selection::{Row as SelectionRow, Selected};
use super::slices::Value;
use crate::bytes::Cursor;
use crate::model::{
    BoundKind, Cell, ClusteringComparator, ClusteringRef, PartitionHead, PartitionSource, RowRef,
    Slice, Unfiltered,
};
use crate::read::{Partitions as TablePartitions, Queried, TableReader};
use crate::types::write_json_name;
use crate::{Error, Result};
use std::cmp::Ordering;

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
    /// For each output the input column that it is, if all are.
    plain: Option<Vec<usize>>,
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
        Rows {
            plan: self,
            inputs: Inputs::new(self, reader),
            plain: self.plain_outputs(),
            groups: Groups::default(),
            output: Output::default(),
            returned: 0,
            sorted: None,
            is_done: self.limit == 0,
        }
    }
}

impl Rows<'_> {
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
        let found = match self.plan.sort.is_empty() {
            true => self.next_unsorted()?,
            false => self.next_sorted()?,
        };
        self.returned += u64::from(found);
        // Nothing more is read once the limit is reached.
        self.is_done = !found || self.returned >= self.plan.limit;
        Ok(found)
    }

    /// The row it stands on. Has no meaning unless [`Rows::advance`] just returned true.
    pub fn row(&self) -> ResultRow<'_> {
        let columns = self.plan.columns();
        match (&self.plain, self.plan.sort.is_empty()) {
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
        if self.plan.grouping.is_some() {
            return self.next_group();
        }
        if !self.inputs.next()? {
            return Ok(false);
        }
        if self.plain.is_none() {
            self.output
                .compute(&self.plan.outputs, &self.inputs.input, &[])?;
        }
        Ok(true)
    }

    // Groups

    fn next_group(&mut self) -> Result<bool> {
        loop {
            if !self.groups.is_pending && !self.inputs.next()? {
                let is_everything = matches!(self.plan.grouping, Some(Grouping::Everything));
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
                if self.groups.in_partition > self.plan.groups_per_partition {
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
        }) = &self.plan.grouping
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
        let types = &self.plan.schema.clustering;
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
            self.groups.first.set_all_null(self.plan.fetched.len());
            self.groups.was_any = true;
        }
        self.groups.is_open = false;
        self.output
            .compute(&self.plan.outputs, &self.groups.first, &results)
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
            let keys = plan.sort.iter().zip(a.keys.iter().zip(&b.keys));
            let mut orders = keys.map(|((key, descending), (x, y))| {
                // Nulls, of partitions without rows, are first in the order of the table, whatever that is.
                let (order, backwards) = match (x, y) {
                    (Some(x), Some(y)) => (key.ty.compare(x, y), *descending),
                    (x, y) => (x.is_some().cmp(&y.is_some()), plan.reversed),
                };
                if backwards { order.reverse() } else { order }
            });
            orders
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        };
        let limit = usize::try_from(plan.limit).unwrap_or(usize::MAX);
        let mut rows: Vec<SortedRow> = Vec::new();
        let mut bytes = 0;
        while self.next_unsorted()? {
            let from = match plan.grouping.is_some() {
                true => &self.groups.first,
                false => &self.inputs.input,
            };
            let row = SelectionRow {
                input: from,
                aggregates: &[],
            };
            let mut keys = Vec::with_capacity(plan.sort.len());
            for (key, _) in &plan.sort {
                keys.push(key.value(&row)?.map(|value| value.into_owned()));
            }
            if self.plain.is_some() {
                self.output
                    .compute(&plan.outputs, &self.inputs.input, &[])?;
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

/// The rows that a plan asks for, before they are grouped.
struct Inputs<'a> {
    plan: &'a Plan,
    reader: &'a TableReader,
    comparator: ClusteringComparator,
    /// The columns that are asked for, as the reader knows them.
    queried: Queried,
    /// The source gives rows by their names.
    is_by_name: bool,
    /// Scans give whole partitions: slices that are not everything have to be cut out of them.
    cuts: bool,
    source: Option<TablePartitions<'a>>,
    /// The next of the plan's keys.
    next_key: usize,
    /// Inside a partition of which more rows may come.
    is_inside: bool,
    /// The first of the slices that rows to come may lie in.
    slice: usize,
    partition_number: u64,
    rows_in_partition: u64,
    has_live_statics: bool,
    has_row: bool,
    input: Input,
    aggregates: Vec<AggregateCall>,
}

impl<'a> Inputs<'a> {
    fn new(plan: &'a Plan, reader: &'a TableReader) -> Self {
        let is_scan = matches!(plan.partitions, Partitions::Range(_));
        Inputs {
            plan,
            reader,
            comparator: ClusteringComparator::new(&plan.schema.clustering),
            cuts: is_scan && plan.slices != [Slice::ALL],
            queried: reader.queried(plan.queried.as_deref(), plan.by_name),
            is_by_name: false,
            source: None,
            next_key: 0,
            is_inside: false,
            slice: 0,
            partition_number: 0,
            rows_in_partition: 0,
            has_live_statics: false,
            has_row: false,
            input: Input::default(),
            aggregates: plan.aggregates.clone(),
        }
    }

    /// Clustering of the row that the input is; `None` if it is a partition's static content alone.
    fn clustering(&self) -> Option<ClusteringRef<'_>> {
        let source = self.source.as_ref().filter(|_| self.has_row)?;
        Some(source.unfiltered().clustering())
    }

    fn skip_partition(&mut self) {
        self.is_inside = false;
    }

    /// Adds the input to the aggregates.
    fn accumulate(&mut self) -> Result<()> {
        let row = SelectionRow {
            input: &self.input,
            aggregates: &[],
        };
        for aggregate in &mut self.aggregates {
            let value = match &aggregate.argument {
                Some(argument) => argument.value(&row)?,
                None => None,
            };
            aggregate.state.add(value.as_deref())?;
        }
        Ok(())
    }

    /// The results of the aggregates, which start anew.
    fn take_aggregates(&mut self) -> Result<Vec<Option<Value>>> {
        let mut results = Vec::with_capacity(self.aggregates.len());
        for aggregate in &mut self.aggregates {
            results.push(aggregate.state.result()?);
            aggregate.state.reset();
        }
        Ok(results)
    }

    /// Opens the next source. `false` if there is none.
    fn open_source(&mut self) -> Result<bool> {
        let plan = self.plan;
        // Contradictory restrictions leave no slice.
        if plan.slices.is_empty() {
            return Ok(false);
        }
        self.source = match &plan.partitions {
            Partitions::Keys(keys) => match keys.get(self.next_key) {
                Some(key) => {
                    let is_everything = plan.slices == [Slice::ALL];
                    let slices = if is_everything { &[] } else { &plan.slices[..] };
                    self.is_by_name = self.reader.is_read_by_name(slices, &self.queried);
                    Some(
                        self.reader
                            .read_queried(key, slices, plan.reversed, &self.queried)?,
                    )
                }
                None => None,
            },
            Partitions::Range(range) => match self.next_key {
                0 => Some(self.reader.scan_queried(range, &self.queried)?),
                _ => None,
            },
        };
        self.next_key += 1;
        Ok(self.source.is_some())
    }

    /// Advances to the next row, of which the columns are then in `input`.
    fn next(&mut self) -> Result<bool> {
        loop {
            if self.is_inside {
                if self.next_row()? {
                    return Ok(true);
                }
                self.is_inside = false;
                if self.rows_in_partition == 0
                    && self.has_live_statics
                    && self.plan.returns_statics_alone
                {
                    self.rows_in_partition = 1;
                    self.has_row = false;
                    self.input
                        .set_row(&self.plan.fetched, None, self.plan.now)?;
                    return Ok(true);
                }
            }
            let advanced = match &mut self.source {
                Some(source) => source.next_partition()?,
                None => false,
            };
            if advanced {
                self.start_partition()?;
            } else if !self.open_source()? {
                return Ok(false);
            }
        }
    }

    fn start_partition(&mut self) -> Result<()> {
        let Some(source) = &self.source else {
            return Ok(());
        };
        let (plan, head) = (self.plan, source.partition());
        let key = |index: usize| component(&head, plan.schema.partition_key.len(), index);
        if !fits(&plan.filter, &key, &head, plan.now) {
            return Ok(());
        }
        let statics = head.static_row;
        self.has_live_statics =
            statics.is_some_and(|row| row.cells().any(|cell| cell.is_live(plan.now)));
        self.input
            .start_partition(&plan.fetched, key, statics, plan.now)?;
        self.partition_number += 1;
        self.rows_in_partition = 0;
        self.slice = 0;
        self.is_inside = true;
        Ok(())
    }

    /// Advances to the next row of the partition.
    fn next_row(&mut self) -> Result<bool> {
        let plan = self.plan;
        // CQL sees only the static row of a static compact table.
        if self.rows_in_partition >= plan.rows_per_partition || plan.schema.is_static_compact() {
            return Ok(false);
        }
        let Some(source) = &mut self.source else {
            return Ok(false);
        };
        while source.next_unfiltered()? {
            let Unfiltered::Row(row) = source.unfiltered() else {
                continue;
            };
            if self.cuts {
                match locate(&self.comparator, &plan.slices, &mut self.slice, row) {
                    Ordering::Less => continue,
                    Ordering::Equal => {}
                    Ordering::Greater => return Ok(false),
                }
            }
            // Rows read by name are filtered once more when they are merged (`BTreeRow.filter`).
            let unqueried = plan.queried.as_deref().filter(|_| self.is_by_name);
            let counts = |cell: &Cell<'_>| {
                unqueried.is_none_or(|queried| {
                    queried[cell.column] || cell.timestamp >= row.liveness().timestamp
                })
            };
            if is_shown(row, plan.now, plan.schema.strict_liveness, counts)
                && plan.filter.fits_row(row, plan.now)
            {
                self.input.set_row(&plan.fetched, Some(row), plan.now)?;
                self.rows_in_partition += 1;
                self.has_row = true;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where a row lies: `Less` before the next slice, `Equal` in it, `Greater` behind the last one.
fn locate(
    comparator: &ClusteringComparator,
    slices: &[Slice],
    next: &mut usize,
    row: RowRef<'_>,
) -> Ordering {
    while let Some(slice) = slices.get(*next) {
        let at =
            |bound| comparator.compare_to_bound(row.clustering(), BoundKind::Clustering, bound);
        if at(&slice.start).is_lt() {
            return Ordering::Less;
        }
        if at(&slice.end).is_lt() {
            return Ordering::Equal;
        }
        *next += 1;
    }
    Ordering::Greater
}

fn fits<'k>(
    filter: &Filter,
    key: &impl Fn(usize) -> &'k [u8],
    head: &PartitionHead<'_>,
    now: i64,
) -> bool {
    filter.is_empty() || filter.fits_partition(key, head.static_row, now)
}

/// The `index`th component of a partition's key, of which there are `count`; what is cut off is empty.
fn component<'k>(head: &PartitionHead<'k>, count: usize, index: usize) -> &'k [u8] {
    if count == 1 {
        return head.key;
    }
    let mut c = Cursor::new(head.key);
    for _ in 0..index {
        if c.short_bytes().is_err() || c.u8().is_err() {
            return &[];
        }
    }
    c.short_bytes().unwrap_or_default()
}
