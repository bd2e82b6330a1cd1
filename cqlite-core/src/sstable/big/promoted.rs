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
use crate::Result;
use crate::bytes::{Cursor, DecodeError};
use crate::model::{Bound, BoundKind, ClusteringRef, DeletionTime, Span};
use crate::sstable::data::clustering::read_prefix;
use crate::sstable::data::deletion::read_deletion_time;
use crate::sstable::index::{Block, Clusterings};

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

    /// The blocks that may hold something between two bounds. Where the end precedes the start there is none.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn blocks(
        &self,
        clusterings: &'a Clusterings,
        start: &Bound,
        end: &Bound,
    ) -> Result<PromotedBlocks<'a>> {
        let order = clusterings.comparator();
        let fixed_lengths = clusterings.fixed_lengths();
        let mut info = IndexInfo::default();
        let first = self.partition_point(0, fixed_lengths, &mut info, |info| {
            let (last, kind) = info.last();
            order.compare_to_bound(last, kind, start).is_ge()
        })?;
        let past = self.partition_point(first, fixed_lengths, &mut info, |info| {
            let (first, kind) = info.first();
            order.compare_to_bound(first, kind, end).is_gt()
        })?;
        let mut span = match first < self.block_count() {
            true => self.block(first, fixed_lengths, &mut info)?,
            // After all of them: nothing, at the partition's end.
            false => {
                self.decode(self.block_count() - 1, fixed_lengths, &mut info)?;
                Block {
                    start: info.end(),
                    end: info.end(),
                    open_deletion: DeletionTime::LIVE,
                }
            }
        };
        span.end = span.start;
        if past > first {
            self.decode(past - 1, fixed_lengths, &mut info)?;
            span.end = info.end();
        }
        Ok(PromotedBlocks {
            index: *self,
            fixed_lengths,
            info,
            span,
            first,
            past,
        })
    }

    fn block(
        &self,
        i: usize,
        fixed_lengths: &[Option<u32>],
        info: &mut IndexInfo<'a>,
    ) -> Result<Block> {
        // What is open where a block starts is written where the one before it ends.
        let open_deletion = match i.checked_sub(1) {
            Some(before) => {
                self.decode(before, fixed_lengths, info)?;
                info.end_open_deletion
            }
            None => DeletionTime::LIVE,
        };
        self.decode(i, fixed_lengths, info)?;
        Ok(Block {
            start: info.offset,
            end: info.end(),
            open_deletion,
        })
    }

    /// The first block from `low` on whose `is_past` holds, as it must for all that follow; their count if none.
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

impl Default for IndexInfo<'_> {
    fn default() -> Self {
        IndexInfo {
            bytes: &[],
            spans: Vec::new(),
            first_len: 0,
            first_kind: BoundKind::InclStart,
            last_kind: BoundKind::InclEnd,
            offset: 0,
            width: 0,
            end_open_deletion: DeletionTime::LIVE,
        }
    }
}

impl<'a> IndexInfo<'a> {
    fn read(
        &mut self,
        index: &PromotedIndex<'a>,
        i: usize,
        fixed_lengths: &[Option<u32>],
    ) -> Result<(), DecodeError> {
        let offset = index.offsets.get(i).ok_or(DecodeError::Eof)?;
        let mut cursor = Cursor::at(index.infos, u32::from_be_bytes(*offset) as usize);
        self.bytes = index.infos;
        self.spans.clear();
        self.first_kind = read_prefix(&mut cursor, fixed_lengths, &mut self.spans)?;
        self.first_len = self.spans.len();
        self.last_kind = read_prefix(&mut cursor, fixed_lengths, &mut self.spans)?;
        self.offset = cursor.uvint()?;
        self.width = cursor
            .svint()?
            .checked_add(WIDTH_BASE)
            .and_then(|width| u64::try_from(width).ok())
            .ok_or(DecodeError::Invalid("a row block of a negative width"))?;
        self.end_open_deletion = match cursor.bool()? {
            true => read_deletion_time(&mut cursor, index.has_uint_deletion_time)?,
            false => DeletionTime::LIVE,
        };
        Ok(())
    }

    /// Offset of what follows the block.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.width)
    }

    /// The clustering or bound of the first row or marker.
    pub fn first(&self) -> (ClusteringRef<'_>, BoundKind) {
        let spans = &self.spans[..self.first_len];
        (ClusteringRef::new(self.bytes, spans), self.first_kind)
    }

    /// The clustering or bound of the last row or marker.
    pub fn last(&self) -> (ClusteringRef<'_>, BoundKind) {
        let spans = &self.spans[self.first_len..];
        (ClusteringRef::new(self.bytes, spans), self.last_kind)
    }
}

/// The blocks of a slice, read at once or backwards.
#[derive(Debug, Clone)]
pub struct PromotedBlocks<'a> {
    index: PromotedIndex<'a>,
    fixed_lengths: &'a [Option<u32>],
    info: IndexInfo<'a>,
    span: Block,
    first: usize,
    past: usize,
}

impl PromotedBlocks<'_> {
    /// All of them as one.
    pub fn span(&self) -> Block {
        self.span
    }

    /// The last block that was not yet returned.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn next_back(&mut self) -> Result<Option<Block>> {
        if self.past <= self.first {
            return Ok(None);
        }
        self.past -= 1;
        self.index
            .block(self.past, self.fixed_lengths, &mut self.info)
            .map(Some)
    }
}
