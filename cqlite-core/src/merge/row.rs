//! Merges the versions of one row.
//!
//! Authority: `o.a.c.db.rows.Row.Merger`, `o.a.c.db.rows.Cells`.

use super::reconcile::{
    CounterResolution, compare_cells, liveness_supersedes, resolve_counters, unless_shadowed,
};
use crate::model::{
    Cell, CellSpan, ComplexDeletion, DeletionTime, LivenessInfo, RowBuf, RowDeletion, RowRef, Span,
};
use crate::schema::Column;
use crate::types::{CqlType, counter};
use crate::{Error, Result};
use std::cmp::Ordering;

/// A row that owns the bytes behind its spans. Meant to be reused.
#[derive(Debug, Default)]
pub struct OwnedRow {
    bytes: Vec<u8>,
    row: RowBuf,
}

impl OwnedRow {
    /// A copy of a row.
    pub fn of(row: RowRef<'_>) -> Self {
        OwnedRow {
            bytes: row.bytes().to_vec(),
            row: row.buf().clone(),
        }
    }

    /// Makes it a row of nothing, keeping its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.row.clear();
    }

    /// The row.
    pub fn get(&self) -> RowRef<'_> {
        RowRef::new(&self.bytes, &self.row)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.row.is_empty()
    }

    /// Gives the `i`th cell another value.
    ///
    /// # Errors
    /// `Unsupported` for a row that is too long then.
    pub(crate) fn set_value(&mut self, i: usize, value: &[u8]) -> Result<()> {
        let value = self.push_bytes(value)?;
        if let Some(cell) = self.row.cells.get_mut(i) {
            cell.value = value;
        }
        Ok(())
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> Result<Span> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        match u32::try_from(self.bytes.len()) {
            Ok(end) => Ok(Span {
                start: start as u32,
                len: end - start as u32,
            }),
            Err(_) => Err(Error::unsupported("a merged row is over 4 GiB")),
        }
    }

    fn push_cell(&mut self, cell: &Cell<'_>) -> Result<()> {
        let path = match cell.path {
            Some(path) => self.push_bytes(path)?,
            None => Span::NULL,
        };
        let value = self.push_bytes(cell.value)?;
        self.row.cells.push(CellSpan {
            column: cell.column as u32,
            ttl: cell.ttl,
            timestamp: cell.timestamp,
            local_deletion_time: cell.local_deletion_time,
            path,
            value,
        });
        Ok(())
    }
}

/// How cells of a column are told apart and brought together.
#[derive(Debug)]
pub(crate) struct ColumnRules {
    path: Option<PathOrder>,
    counter: bool,
}

#[derive(Debug)]
enum PathOrder {
    /// List cells: timeuuids.
    Time,
    /// Sets and maps: by the element's or key's type.
    Typed(CqlType),
    /// User types: the field's index.
    Field,
}

impl ColumnRules {
    pub fn of(columns: &[Column]) -> Vec<ColumnRules> {
        columns
            .iter()
            .map(|c| ColumnRules {
                path: match &c.ty {
                    CqlType::List { frozen: false, .. } => Some(PathOrder::Time),
                    CqlType::Set {
                        element,
                        frozen: false,
                    } => Some(PathOrder::Typed((**element).clone())),
                    CqlType::Map {
                        key, frozen: false, ..
                    } => Some(PathOrder::Typed((**key).clone())),
                    CqlType::Udt { frozen: false, .. } => Some(PathOrder::Field),
                    _ => None,
                },
                counter: c.ty == CqlType::Counter,
            })
            .collect()
    }

    /// Whether of two cells the one that was written later is left.
    pub fn is_plain(&self) -> bool {
        self.path.is_none() && !self.counter
    }

    fn compare_paths(&self, a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
        let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
        match &self.path {
            None => Ordering::Equal,
            Some(PathOrder::Time) => CqlType::TimeUuid.compare(a, b),
            Some(PathOrder::Typed(ty)) => ty.compare(a, b),
            Some(PathOrder::Field) => CqlType::SmallInt.compare(a, b),
        }
    }
}

/// Which version's clustering values a merged row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClusteringOf {
    /// The first one's.
    First,
    /// The last one's.
    Last,
}

/// Merges versions of one row under an active deletion. Keeps its buffers from row to row.
#[derive(Debug, Default)]
pub(crate) struct RowMerger {
    next_cells: Vec<usize>,
    next_deletions: Vec<usize>,
    context: Vec<u8>,
    merged_context: Vec<u8>,
}

impl RowMerger {
    /// Merges `versions` into `out`; `false` if nothing is left of them. Clusterings that compare equal may differ in
    /// their bytes: those of `clustering` are taken.
    pub fn merge(
        &mut self,
        versions: &[RowRef<'_>],
        clustering: ClusteringOf,
        mut active: DeletionTime,
        rules: &[ColumnRules],
        out: &mut OwnedRow,
    ) -> Result<bool> {
        out.clear();
        let Some(first) = versions.first() else {
            return Ok(false);
        };
        out.row.is_static = first.is_static();
        let named = match clustering {
            ClusteringOf::First => first,
            ClusteringOf::Last => versions.last().unwrap_or(first),
        };
        for value in named.clustering().iter() {
            let span = match value {
                Some(value) => out.push_bytes(value)?,
                None => Span::NULL,
            };
            out.row.clustering.push(span);
        }
        let mut liveness = LivenessInfo::EMPTY;
        let mut deletion = RowDeletion::LIVE;
        for row in versions {
            if liveness_supersedes(&row.liveness(), &liveness) {
                liveness = row.liveness();
            }
            if row.deletion().time.supersedes(&deletion.time) {
                deletion = row.deletion();
            }
        }
        deletion = unless_shadowed(deletion, &liveness);
        if deletion.time.supersedes(&active) {
            active = deletion.time;
            out.row.deletion = deletion;
        }
        if !active.deletes(liveness.timestamp) {
            out.row.liveness = liveness;
        }
        self.merge_columns(versions, active, rules, out)?;
        Ok(!out.is_empty())
    }

    fn merge_columns(
        &mut self,
        versions: &[RowRef<'_>],
        active: DeletionTime,
        rules: &[ColumnRules],
        out: &mut OwnedRow,
    ) -> Result<()> {
        self.next_cells.clear();
        self.next_cells.resize(versions.len(), 0);
        self.next_deletions.clear();
        self.next_deletions.resize(versions.len(), 0);
        loop {
            let next_column = versions.iter().enumerate().filter_map(|(i, row)| {
                let cell = row.buf().cells.get(self.next_cells[i]).map(|c| c.column);
                let deletions = row.complex_deletions();
                let deletion = deletions.get(self.next_deletions[i]).map(|d| d.column);
                match (cell, deletion) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                }
            });
            let Some(column) = next_column.min() else {
                return Ok(());
            };
            let mut complex = DeletionTime::LIVE;
            for (row, next) in versions.iter().zip(&mut self.next_deletions) {
                if let Some(d) = row.complex_deletions().get(*next)
                    && d.column == column
                {
                    complex = complex.max(d.time);
                    *next += 1;
                }
            }
            let mut effective = active;
            if complex.supersedes(&active) {
                effective = complex;
                out.row.complex_deletions.push(ComplexDeletion {
                    column,
                    time: complex,
                });
            }
            let rules = &rules[column as usize];
            while self.merge_next_cell(versions, column, effective, rules, out)? {}
        }
    }

    /// Merges the cells of the smallest path that is left in `column`; `false` if none is left.
    fn merge_next_cell(
        &mut self,
        versions: &[RowRef<'_>],
        column: u32,
        active: DeletionTime,
        rules: &ColumnRules,
        out: &mut OwnedRow,
    ) -> Result<bool> {
        fn head<'a>(row: RowRef<'a>, next: usize, column: u32) -> Option<Cell<'a>> {
            let span = row.buf().cells.get(next)?;
            (span.column == column).then(|| row.cell(next))
        }
        let smallest = versions
            .iter()
            .zip(&self.next_cells)
            .filter_map(|(row, &next)| head(*row, next, column))
            .min_by(|a, b| rules.compare_paths(a.path, b.path));
        let Some(smallest) = smallest else {
            return Ok(false);
        };
        let mut winner: Option<Cell<'_>> = None;
        // A counter that was merged: its bytes are in `context`.
        let mut merged_timestamp = None;
        for (row, next) in versions.iter().zip(&mut self.next_cells) {
            let Some(cell) = head(*row, *next, column) else {
                continue;
            };
            if rules.compare_paths(cell.path, smallest.path).is_ne() {
                continue;
            }
            *next += 1;
            if active.deletes(cell.timestamp) {
                continue;
            }
            let Some(best) = winner else {
                winner = Some(cell);
                continue;
            };
            if !rules.counter {
                if compare_cells(&best, &cell).is_lt() {
                    winner = Some(cell);
                }
                continue;
            }
            let left = Cell {
                timestamp: merged_timestamp.unwrap_or(best.timestamp),
                value: match merged_timestamp {
                    Some(_) => &self.context,
                    None => best.value,
                },
                ..best
            };
            match resolve_counters(&left, &cell) {
                CounterResolution::Left => {}
                CounterResolution::Right => {
                    winner = Some(cell);
                    merged_timestamp = None;
                }
                CounterResolution::Merge => {
                    self.merged_context.clear();
                    counter::merge(left.value, cell.value, &mut self.merged_context)?;
                    merged_timestamp = Some(left.timestamp.max(cell.timestamp));
                    std::mem::swap(&mut self.context, &mut self.merged_context);
                }
            }
        }
        match (winner, merged_timestamp) {
            (Some(cell), Some(timestamp)) => out.push_cell(&Cell {
                timestamp,
                value: &self.context,
                ..cell
            })?,
            (Some(cell), None) => out.push_cell(&cell)?,
            (None, _) => {}
        }
        Ok(true)
    }
}
