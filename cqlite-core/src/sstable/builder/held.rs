//! A partition whose rows came in order, each once: it needs neither sorting nor merging, and is never encoded as records.

use super::PARTITION_HELD_BYTES;
use crate::merge::MergeRules;
use crate::model::{
    BoundKind, CellSpan, ClusteringRef, DeletionTime, LivenessInfo, PartitionHead, PartitionSource,
    RowBuf, RowRef, Span, StreamHeader, Unfiltered,
};
use crate::partitioner::{DecoratedKey, OwnedKey};
use std::sync::Arc;

/// The rows of one partition, and them as a stream of it.
pub(super) struct Held {
    rules: Arc<MergeRules>,
    key: OwnedKey,
    /// All values.
    bytes: Vec<u8>,
    static_row: Option<RowBuf>,
    rows: Vec<HeldRow>,
    /// Clustering values and cells of all rows.
    clustering: Vec<Span>,
    cells: Vec<CellSpan>,
    /// Count of rows that were shown, and the last one of them.
    shown: usize,
    row: RowBuf,
}

/// A row, but for its clustering values.
struct HeldRow {
    liveness: LivenessInfo,
    /// Number of the first cell behind its own.
    cells_end: usize,
}

impl Held {
    pub fn new(rules: Arc<MergeRules>) -> Self {
        Held {
            rules,
            key: OwnedKey::default(),
            bytes: Vec::new(),
            static_row: None,
            rows: Vec::new(),
            clustering: Vec::new(),
            cells: Vec::new(),
            shown: 0,
            row: RowBuf::default(),
        }
    }

    /// Lets go of what it holds, and holds nothing of the partition of `key`.
    #[inline]
    pub fn begin(&mut self, key: &DecoratedKey<'_>) {
        self.clear();
        self.key.set(key);
    }

    /// Lets go of what it holds.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.static_row = None;
        self.rows.clear();
        self.clustering.clear();
        self.cells.clear();
        self.shown = 0;
    }

    /// The present partition's key.
    pub fn key(&self) -> DecoratedKey<'_> {
        self.key.get()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.static_row.is_none()
    }

    /// Bytes in use.
    fn used(&self) -> usize {
        self.bytes.len()
            + self.rows.len() * size_of::<HeldRow>()
            + self.clustering.len() * size_of::<Span>()
            + self.cells.len() * size_of::<CellSpan>()
    }

    /// Takes a row that sorts behind those before it, and deletes nothing. `false` for any other, and where there are too
    /// many.
    #[inline]
    pub fn take(&mut self, row: RowRef<'_>) -> bool {
        let buf = row.buf();
        let lengths = buf.cells.iter().map(|cell| cell.value.len + cell.path.len);
        let size: u64 = lengths.map(u64::from).sum();
        if self.used() as u64 + size >= PARTITION_HELD_BYTES as u64
            || !buf.deletion.time.is_live()
            || !buf.complex_deletions.is_empty()
        {
            return false;
        }
        if buf.is_static {
            return self.take_static(row);
        }
        let values = row.clustering();
        if values.len() != self.rules.header().clustering.len() {
            return false;
        }
        if !self.rows.is_empty() {
            let last = &self.clustering[self.clustering.len() - values.len()..];
            let order = self.rules.comparator().compare(
                ClusteringRef::new(&self.bytes, last),
                BoundKind::Clustering,
                values,
                BoundKind::Clustering,
            );
            if order.is_ge() {
                return false;
            }
        }
        for value in values.iter() {
            let span = Span::append(&mut self.bytes, value);
            self.clustering.push(span);
        }
        copy_cells(row, &mut self.bytes, &mut self.cells);
        self.rows.push(HeldRow {
            liveness: buf.liveness,
            cells_end: self.cells.len(),
        });
        true
    }

    fn take_static(&mut self, row: RowRef<'_>) -> bool {
        if self.static_row.is_some() {
            return false;
        }
        let mut own = std::mem::take(&mut self.row);
        own.clear();
        own.is_static = true;
        own.liveness = row.liveness();
        copy_cells(row, &mut self.bytes, &mut own.cells);
        self.static_row = Some(own);
        true
    }
}

#[inline(always)]
fn copy_cells(row: RowRef<'_>, bytes: &mut Vec<u8>, cells: &mut Vec<CellSpan>) {
    for (span, cell) in row.buf().cells.iter().zip(row.cells()) {
        cells.push(CellSpan {
            path: Span::append(bytes, cell.path),
            value: Span::append(bytes, Some(cell.value)),
            ..*span
        });
    }
}

impl PartitionSource for Held {
    fn header(&self) -> &StreamHeader {
        self.rules.header()
    }

    /// There is one partition, and it stands on it.
    fn next_partition(&mut self) -> crate::Result<bool> {
        Ok(false)
    }

    #[inline]
    fn key_hash(&self) -> Option<(u64, u64)> {
        Some(self.key.get().hash)
    }

    #[inline]
    fn partition(&self) -> PartitionHead<'_> {
        PartitionHead {
            key: self.key.bytes(),
            deletion: DeletionTime::LIVE,
            static_row: self
                .static_row
                .as_ref()
                .map(|row| RowRef::new(&self.bytes, row)),
            position: 0,
            body_position: 0,
        }
    }

    #[inline]
    fn next_unfiltered(&mut self) -> crate::Result<bool> {
        let Some(held) = self.rows.get(self.shown) else {
            return Ok(false);
        };
        let columns = self.rules.header().clustering.len();
        let first_cell = match self.shown.checked_sub(1) {
            Some(before) => self.rows[before].cells_end,
            None => 0,
        };
        let row = &mut self.row;
        row.clear();
        row.liveness = held.liveness;
        let clustering = &self.clustering[self.shown * columns..][..columns];
        row.clustering.extend_from_slice(clustering);
        row.cells
            .extend_from_slice(&self.cells[first_cell..held.cells_end]);
        self.shown += 1;
        Ok(true)
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        Unfiltered::Row(RowRef::new(&self.bytes, &self.row))
    }
}
