//! Memtables as queries see them.

use crate::Result;
use crate::memtable::MemtableSource;
use crate::model::{
    Cell, CellSpan, PartitionHead, PartitionSource, RowBuf, RowRef, StreamHeader, Unfiltered,
};
use crate::schema::Column;
use crate::sstable::data::Asked;
use crate::types::CqlType;
use std::sync::Arc;

/// Which cells of regular columns a query sees, however old they are; of others only those that are not older than their
/// row's liveness.
///
/// Authority: `o.a.c.db.rows.{BTreeRow,ComplexColumnData}.filter`.
#[derive(Debug)]
pub(super) struct Kept {
    /// Of each column all, or some elements by the type of their keys.
    columns: Vec<(Asked, Option<CqlType>)>,
}

impl Kept {
    pub(super) fn new(asked: &[Asked], columns: &[Column]) -> Self {
        let keep = |(asked, column): (&Asked, &Column)| match &column.ty {
            CqlType::Set { element: key, .. } | CqlType::Map { key, .. } => {
                (asked.clone(), Some(CqlType::clone(key)))
            }
            // Of anything else a part cannot be asked for.
            _ => (
                match asked {
                    Asked::Elements(_) => Asked::Everything,
                    asked => asked.clone(),
                },
                None,
            ),
        };
        Kept {
            columns: asked.iter().zip(columns).map(keep).collect(),
        }
    }

    /// The columns of which a query asks for anything, by their indexes.
    pub(super) fn asked(&self) -> impl Iterator<Item = usize> + '_ {
        let columns = self.columns.iter().enumerate();
        columns.filter_map(|(i, (asked, _))| (*asked != Asked::Nothing).then_some(i))
    }

    fn has(&self, cell: &Cell<'_>) -> bool {
        match self.columns.get(cell.column) {
            Some((Asked::Nothing, _)) => false,
            Some((Asked::Elements(ranges), Some(key))) => {
                let path = cell.path.unwrap_or_default();
                ranges.iter().any(|range| range.contains(key, path))
            }
            _ => true,
        }
    }
}

/// Partitions of a memtable as a query sees them.
pub struct MemtableRead<'a> {
    source: MemtableSource<'a>,
    kept: Option<Arc<Kept>>,
    row: RowBuf,
    /// The row is the present one, without some of its cells.
    is_cut: bool,
}

impl<'a> MemtableRead<'a> {
    pub(super) fn new(source: MemtableSource<'a>, kept: Option<Arc<Kept>>) -> Self {
        MemtableRead {
            source,
            kept,
            row: RowBuf::default(),
            is_cut: false,
        }
    }
}

impl PartitionSource for MemtableRead<'_> {
    fn header(&self) -> &StreamHeader {
        self.source.header()
    }

    fn next_partition(&mut self) -> Result<bool> {
        self.is_cut = false;
        self.source.next_partition()
    }

    fn partition(&self) -> PartitionHead<'_> {
        self.source.partition()
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        self.is_cut = false;
        if !self.source.next_unfiltered()? {
            return Ok(false);
        }
        if let (Some(kept), Unfiltered::Row(row)) = (&self.kept, self.source.unfiltered()) {
            let oldest = row.liveness().timestamp;
            let is_kept = |cell: &Cell<'_>| cell.timestamp >= oldest || kept.has(cell);
            if !row.cells().all(|cell| is_kept(&cell)) {
                self.row.clone_from(row.buf());
                let mut cells = row.cells();
                let is_kept = |_: &CellSpan| cells.next().is_some_and(|cell| is_kept(&cell));
                self.row.cells.retain(is_kept);
                self.is_cut = true;
            }
        }
        Ok(true)
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        match self.source.unfiltered() {
            Unfiltered::Row(row) if self.is_cut => {
                Unfiltered::Row(RowRef::new(row.bytes(), &self.row))
            }
            unfiltered => unfiltered,
        }
    }
}
