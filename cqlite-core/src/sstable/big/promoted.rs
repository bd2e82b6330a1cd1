//! The promoted index: the blocks of a wide partition, in its entry of Index.db.
//!
//! ```text
//! uvint header length | deletion of the partition | uvint n | n * IndexInfo | n * i32 offset of each, from the first
//! IndexInfo = prefix first | prefix last | uvint offset | svint width - 65536 | u8 has open marker [deletion]
//! ```
//!
//! Authority: `o.a.c.io.sstable.format.big.RowIndexEntry.ShallowIndexedEntry`, `o.a.c.io.sstable.IndexInfo`,
//! `...format.big.IndexState`.

use super::entry::{IndexEntry, error};
use crate::bytes::{Cursor, DecodeError};
use crate::model::{BoundKind, ClusteringRef, DeletionTime, Span};
use crate::sstable::data::clustering::read_prefix;
use crate::sstable::data::deletion::read_deletion_time;
use crate::sstable::index::Block;
use crate::{Error, Result};

/// Subtracted from every width on disk, whatever size of blocks was configured.
const WIDTH_BASE: i64 = 64 * 1024;

const OFFSET_BYTES: usize = 4;

/// A view of a promoted index. Blocks are decoded when they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct PromotedIndex<'a> {
    /// Offset of the entry in Index.db.
    position: u64,
    header_length: u64,
    partition_deletion: DeletionTime,
    infos: &'a [u8],
    offsets: &'a [[u8; OFFSET_BYTES]],
    has_uint_deletion_time: bool,
}

/// A block, decoded into memory that is used again.
#[derive(Debug, Clone)]
pub struct IndexInfo<'a> {
    bytes: &'a [u8],
    spans: Vec<Span>,
    first_len: usize,
    first_kind: BoundKind,
    last_kind: BoundKind,
    /// Offset of the block's first row or marker from the partition's start.
    pub offset: u64,
    /// Bytes of the block. The last block's may include the byte that ends the partition.
    pub width: u64,
    /// Deletion of the range tombstone that is open at the END of the block; live if none is.
    pub end_open_deletion: DeletionTime,
}

impl<'a> PromotedIndex<'a> {
    /// The promoted index of an entry; `None` if it has none.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn open(entry: &IndexEntry<'a>, has_uint_deletion_time: bool) -> Result<Option<Self>> {
        if entry.promoted.is_empty() {
            return Ok(None);
        }
        Self::read(entry, has_uint_deletion_time)
            .map(Some)
            .map_err(|e| error(e, entry.position).in_partition(entry.key))
    }

    fn read(entry: &IndexEntry<'a>, has_uint_deletion_time: bool) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(entry.promoted);
        let header_length = cursor.uvint()?;
        let partition_deletion = read_deletion_time(&mut cursor, has_uint_deletion_time)?;
        let count = cursor.uvint()?;
        let count = cursor.bounded(count, OFFSET_BYTES)?;
        if count == 0 {
            return Err(DecodeError::Invalid("a promoted index of no blocks"));
        }
        let rest = cursor.rest();
        let (infos, offsets) = rest.split_at(rest.len() - count * OFFSET_BYTES);
        let (offsets, _) = offsets.as_chunks();
        Ok(PromotedIndex {
            position: entry.position,
            header_length,
            partition_deletion,
            infos,
            offsets,
            has_uint_deletion_time,
        })
    }

    /// Bytes of the partition before its first row or marker: key, deletion and static row.
    pub fn header_length(&self) -> u64 {
        self.header_length
    }

    /// Deletion of the whole partition.
    pub fn partition_deletion(&self) -> DeletionTime {
        self.partition_deletion
    }

    /// Count of blocks, at least 1.
    pub fn block_count(&self) -> usize {
        self.offsets.len()
    }

    /// Decodes the `i`th block. `fixed_lengths` are those of the clustering columns' types.
    ///
    /// # Errors
    /// `Corrupt`, also if there is no such block.
    pub fn decode(
        &self,
        i: usize,
        fixed_lengths: &[Option<u32>],
        info: &mut IndexInfo<'a>,
    ) -> Result<()> {
        info.read(self, i, fixed_lengths)
            .map_err(|e| error(e, self.position))
    }

    /// The first block whose `is_past` holds, between `low` and the end: it must hold for all after it.
    fn partition_point(
        &self,
        low: usize,
        fixed_lengths: &[Option<u32>],
        info: &mut IndexInfo<'a>,
        is_past: impl Fn(&IndexInfo<'a>) -> bool,
    ) -> Result<usize> {
        let (mut low, mut high) = (low, self.block_count());
        while low < high {
            let middle = low + (high - low) / 2;
            self.decode(middle, fixed_lengths, info)?;
            if is_past(info) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }
}
