//! The rows that a plan asks for, before they are grouped.
//!
//! Authority: `o.a.c.cql3.statements.SelectStatement.processPartition`, `o.a.c.db.filter.DataLimits`.

use crate::Result;
use crate::bytes::Cursor;
use crate::model::{
    BoundKind, Cell, ClusteringComparator, ClusteringRef, PartitionHead, PartitionSource, RowRef,
    Slice, Unfiltered,
};
use crate::query::filter::Filter;
use crate::query::input::Input;
use crate::query::live::is_shown;
use crate::query::plan::Plan;
use crate::query::prepare::AggregateCall;
use crate::query::restrictions::Partitions;
use crate::query::selection::Row as SelectionRow;
use crate::query::slices::Value;
use crate::read::{Partitions as TablePartitions, Queried, TableReader};
use crate::sstable::data::Asked;
use std::cmp::Ordering;
use std::sync::Arc;

/// The rows that a plan asks for, before they are grouped.
pub(super) struct Inputs<'a> {
    plan: &'a Plan,
    reader: &'a TableReader,
    /// The columns that are asked for, as the reader knows them.
    queried: Arc<Queried>,
    /// The source gives rows by their names.
    is_by_name: bool,
    /// Scans give whole partitions: slices that are not everything have to be cut out of them.
    cuts: bool,
    source: Option<TablePartitions<'a>>,
    /// The next of the plan's keys, or of its sources.
    next_key: usize,
    /// Of sorted keys, the number of the present partition's.
    key_number: usize,
    /// Inside a partition of which more rows may come.
    is_inside: bool,
    /// The first of the slices that rows to come may lie in.
    slice: usize,
    pub(super) partition_number: u64,
    rows_in_partition: u64,
    has_live_statics: bool,
    has_row: bool,
    pub(super) input: Input,
    aggregates: Vec<AggregateCall>,
    /// Is asked every [`WATCHED_ROWS`].
    pub(super) watch: Option<fn() -> Result<()>>,
    looked_at: u32,
}

/// Rows and partitions between two looks at what may end a query.
const WATCHED_ROWS: u32 = 256;

impl<'a> Inputs<'a> {
    pub(super) fn new(plan: &'a Plan, reader: &'a TableReader, queried: Arc<Queried>) -> Self {
        let is_scan = matches!(plan.partitions, Partitions::Range(_));
        Inputs {
            plan,
            reader,
            cuts: is_scan && plan.slices != [Slice::ALL],
            queried,
            is_by_name: false,
            source: None,
            next_key: 0,
            key_number: 0,
            is_inside: false,
            slice: 0,
            partition_number: 0,
            rows_in_partition: 0,
            has_live_statics: false,
            has_row: false,
            input: Input::default(),
            aggregates: plan.shape.aggregates.clone(),
            watch: None,
            looked_at: 0,
        }
    }

    /// Clustering of the row that the input is; `None` if it is a partition's static content alone.
    pub(super) fn clustering(&self) -> Option<ClusteringRef<'_>> {
        let source = self.source.as_ref().filter(|_| self.has_row)?;
        Some(source.unfiltered().clustering())
    }

    /// The number among the plan's sorted keys of the present partition's.
    pub(super) fn key_number(&self) -> usize {
        self.key_number
    }

    pub(super) fn skip_partition(&mut self) {
        self.is_inside = false;
    }

    /// Adds the input to the aggregates.
    pub(super) fn accumulate(&mut self) -> Result<()> {
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
    pub(super) fn take_aggregates(&mut self) -> Result<Vec<Option<Value>>> {
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
                    Some(self.reader.read_queried(
                        key,
                        slices,
                        plan.shape.reversed,
                        &self.queried,
                    )?)
                }
                None => None,
            },
            Partitions::Sorted(keys) => match self.next_key {
                0 => {
                    self.is_by_name = self.reader.is_read_by_name(&[Slice::ALL], &self.queried);
                    let queried = self.queried.clone();
                    Some(self.reader.look_up(keys, plan.shape.reversed, queried))
                }
                _ => None,
            },
            Partitions::Range(range) => match self.next_key {
                0 => Some(
                    self.reader
                        .scan_queried(range, &plan.slices, &self.queried)?,
                ),
                _ => None,
            },
        };
        self.next_key += 1;
        Ok(self.source.is_some())
    }

    /// Advances to the next row, of which the columns are then in `input`.
    pub(super) fn next(&mut self) -> Result<bool> {
        loop {
            look(self.watch, &mut self.looked_at)?;
            if self.is_inside {
                if self.next_row()? {
                    return Ok(true);
                }
                self.is_inside = false;
                if self.rows_in_partition == 0
                    && self.has_live_statics
                    && self.plan.shape.returns_statics_alone
                {
                    self.rows_in_partition = 1;
                    self.has_row = false;
                    self.input
                        .set_row(&self.plan.shape.fetched, None, self.plan.now)?;
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
        if let Partitions::Sorted(keys) = &plan.partitions {
            while keys.get(self.key_number).is_some_and(|key| key != head.key) {
                self.key_number += 1;
            }
        }
        let key = |index: usize| component(head.key, plan.shape.schema.partition_key.len(), index);
        if !fits(&plan.shape.filter, &key, &head, plan.now) {
            return Ok(());
        }
        let statics = head.static_row;
        self.has_live_statics =
            statics.is_some_and(|row| row.cells().any(|cell| cell.is_live(plan.now)));
        self.input
            .start_partition(&plan.shape.fetched, key, statics, plan.now)?;
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
        if self.rows_in_partition >= plan.shape.rows_per_partition
            || plan.shape.schema.is_static_compact()
        {
            return Ok(false);
        }
        let (watch, looked_at) = (self.watch, &mut self.looked_at);
        let Some(source) = &mut self.source else {
            return Ok(false);
        };
        while source.next_unfiltered()? {
            // Rows that are filtered out take time, too.
            look(watch, looked_at)?;
            let Unfiltered::Row(row) = source.unfiltered() else {
                continue;
            };
            if self.cuts {
                match locate(
                    self.reader.rules().comparator(),
                    &plan.slices,
                    &mut self.slice,
                    row,
                ) {
                    Ordering::Less => continue,
                    Ordering::Equal => {}
                    Ordering::Greater => return Ok(false),
                }
            }
            // Rows read by name are filtered once more when they are merged (`BTreeRow.filter`).
            let unqueried = plan.shape.queried.as_deref().filter(|_| self.is_by_name);
            let counts = |cell: &Cell<'_>| {
                unqueried.is_none_or(|queried| {
                    queried[cell.column] != Asked::Nothing
                        || cell.timestamp >= row.liveness().timestamp
                })
            };
            if is_shown(row, plan.now, plan.shape.schema.strict_liveness, counts)
                && plan.shape.filter.fits_row(row, plan.now)
            {
                self.input
                    .set_row(&plan.shape.fetched, Some(row), plan.now)?;
                self.rows_in_partition += 1;
                self.has_row = true;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Asks what may end the query, if it is time.
#[inline]
fn look(watch: Option<fn() -> Result<()>>, looked_at: &mut u32) -> Result<()> {
    *looked_at = looked_at.wrapping_add(1);
    match watch {
        Some(watch) if looked_at.is_multiple_of(WATCHED_ROWS) => watch(),
        _ => Ok(()),
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
pub(in crate::query) fn component(key: &[u8], count: usize, index: usize) -> &[u8] {
    if count == 1 {
        return key;
    }
    let mut c = Cursor::new(key);
    for _ in 0..index {
        if c.short_bytes().is_err() || c.u8().is_err() {
            return &[];
        }
    }
    c.short_bytes().unwrap_or_default()
}
