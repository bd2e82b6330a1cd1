//! One row as it is now, for statements whose effect depends on it.
//!
//! Authority: `o.a.c.cql3.statements.CQL3CasRequest.readCommand`, `o.a.c.db.partitions.FilteredPartition`,
//! `o.a.c.cql3.UpdateParameters.getPrefetchedRow`.

use super::live::{cells_of, is_shown};
use crate::Result;
use crate::merge::OwnedRow;
use crate::model::{
    Bound, BoundKind, Cell, DeletionTime, PartitionSource, RowRef, Slice, Unfiltered,
};
use crate::read::TableReader;

/// Which row of a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sought<'a> {
    /// That of a clustering.
    Row(&'a [Vec<u8>]),
    /// The first one that a query shows: only whether there is one is of interest beside the static row.
    First,
}

/// A row, and the static one of its partition.
#[derive(Debug)]
pub(crate) struct CurrentRow {
    statics: Option<OwnedRow>,
    row: Option<OwnedRow>,
    now: i64,
    newest: i64,
}

impl CurrentRow {
    /// The row of a partition with a raw key, as it is at `now` (seconds since 1970).
    ///
    /// # Errors
    /// Those of the SSTables.
    pub fn read(reader: &TableReader, key: &[u8], sought: Sought<'_>, now: i64) -> Result<Self> {
        let mut current = CurrentRow {
            statics: None,
            row: None,
            now,
            newest: i64::MIN,
        };
        let slices = match sought {
            Sought::Row(values) => {
                let bound = |kind| Bound {
                    values: values.iter().cloned().map(Some).collect(),
                    kind,
                };
                vec![Slice {
                    start: bound(BoundKind::InclStart),
                    end: bound(BoundKind::InclEnd),
                }]
            }
            Sought::First => Vec::new(),
        };
        let strict = reader.schema().strict_liveness;
        let mut source = reader.read(key, &slices, false)?;
        while source.next_partition()? {
            let head = source.partition();
            let (statics, deletion) = (head.static_row.map(OwnedRow::of), head.deletion);
            current.saw_deletion(deletion);
            if let Some(row) = &statics {
                current.saw(row.get());
            }
            current.statics = statics;
            while source.next_unfiltered()? {
                match source.unfiltered() {
                    Unfiltered::Row(row) => {
                        current.saw(row);
                        if is_shown(row, now, strict, |_| true) {
                            current.row = Some(OwnedRow::of(row));
                            break;
                        }
                    }
                    Unfiltered::Marker(marker) => {
                        current.saw_deletion(marker.open());
                        current.saw_deletion(marker.close());
                    }
                }
            }
        }
        Ok(current)
    }

    fn saw_deletion(&mut self, deletion: DeletionTime) {
        if !deletion.is_live() {
            self.newest = self.newest.max(deletion.marked_for_delete_at);
        }
    }

    fn saw(&mut self, row: RowRef<'_>) {
        let complex = row.complex_deletions().iter().map(|d| d.time);
        for deletion in complex.chain([row.deletion().time]) {
            self.saw_deletion(deletion);
        }
        let cells = row.cells().map(|cell| cell.timestamp);
        let newest = cells.max().unwrap_or(i64::MIN);
        self.newest = self.newest.max(newest).max(row.liveness().timestamp);
    }

    /// The newest timestamp of what was read, deletions too; the smallest number if there was nothing.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// The row, if a query shows it.
    pub fn row(&self) -> Option<RowRef<'_>> {
        self.row.as_ref().map(OwnedRow::get)
    }

    /// The static row, if something in it is alive.
    pub fn statics(&self) -> Option<RowRef<'_>> {
        let row = self.statics.as_ref().map(OwnedRow::get)?;
        row.cells()
            .any(|cell| cell.is_live(self.now))
            .then_some(row)
    }

    /// The live cells of a column.
    pub fn cells(&self, is_static: bool, column: usize) -> impl Iterator<Item = Cell<'_>> {
        let row = match is_static {
            true => self.statics(),
            false => self.row(),
        };
        let cells = row.into_iter().flat_map(move |row| cells_of(row, column));
        cells.filter(|cell| cell.is_live(self.now))
    }
}
