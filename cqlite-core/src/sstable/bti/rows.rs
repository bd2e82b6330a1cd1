//! Rows.db: for each partition of two blocks or more, a trie of separators between its blocks, and an entry.
//!
//! ```text
//! trie nodes | sbytes key | uvint data position | svint root - position after the key | uvint block count | deletion
//! payload: sized int: offset in the partition [deletion that is open there]
//! ```
//!
//! A separator is greater than everything in the block before it and not greater than anything in its own block. One
//! more payload than there are blocks lies behind the last row: where the partition ends.
//!
//! Authority: `o.a.c.io.sstable.format.bti.{TrieIndexEntry,RowIndexReader,RowIndexReverseIterator}`.

use super::node::Node;
use super::partitions::read_sized;
use super::walk::{Path, Trail, Trie};
use crate::bytes::{Cursor, DecodeError};
use crate::model::DeletionTime;
use crate::sstable::data::deletion::read_deletion_time;
use crate::sstable::index::Block;
use crate::{Error, Result};

const COMPONENT: &str = "Rows.db";

/// Payload bit: the deletion of an open range tombstone follows the offset.
const HAS_OPEN_DELETION: u8 = 8;

/// BTI has had unsigned local deletion times from the start.
const HAS_UINT_DELETION_TIME: bool = true;

/// A partition's entry in Rows.db.
#[derive(Debug, Clone, Copy)]
pub struct RowIndex<'a> {
    trie: Trie<'a>,
    key: &'a [u8],
    data_position: u64,
    block_count: u32,
    partition_deletion: DeletionTime,
}

impl<'a> RowIndex<'a> {
    /// The entry at `position` of Rows.db, which Partitions.db gave.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn open(file: &'a [u8], position: u64) -> Result<Self> {
        Self::read(file, position).map_err(|e| Error::from(e).in_component(COMPONENT).at(position))
    }

    fn read(file: &'a [u8], position: u64) -> Result<Self, DecodeError> {
        let start = usize::try_from(position).map_err(|_| DecodeError::Eof)?;
        let mut cursor = Cursor::at(file, start);
        let key = cursor.short_bytes()?;
        let base = cursor.position() as u64;
        let data_position = cursor.uvint()?;
        let root = base
            .checked_add_signed(cursor.svint()?)
            .filter(|root| *root < position)
            .ok_or(DecodeError::Invalid("a row index that follows its entry"))?;
        // Every block has a node before the entry.
        let block_count = u32::try_from(cursor.uvint32()?)
            .ok()
            .filter(|count| u64::from(*count) <= position)
            .ok_or(DecodeError::Invalid("a count of blocks that no file holds"))?;
        Ok(RowIndex {
            trie: Trie::new(file, root, COMPONENT),
            key,
            data_position,
            block_count,
            partition_deletion: read_deletion_time(&mut cursor, HAS_UINT_DELETION_TIME)?,
        })
    }

    /// Raw partition key.
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// Offset of the partition in Data.db.
    pub fn data_position(&self) -> u64 {
        self.data_position
    }

    /// Count of blocks.
    pub fn block_count(&self) -> u32 {
        self.block_count
    }

    /// Deletion of the whole partition.
    pub fn partition_deletion(&self) -> DeletionTime {
        self.partition_deletion
    }

    /// The blocks that may hold something between two bounds in their byte-comparable form. Where the end precedes the
    /// start there is none.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn blocks(
        &self,
        start: impl Iterator<Item = u8>,
        end: impl Iterator<Item = u8>,
    ) -> Result<RowBlocks<'a>> {
        let mut path = self.trie.path();
        let (first, first_deletion) = self.floor(&mut path, start)?;
        let (last, last_deletion) = self.floor(&mut path, end)?;
        let end = match path.clone().next_payload()? {
            Some(node) => self.payload(node)?.0,
            // It stands on the end of the partition.
            None => last,
        };
        if end < last {
            return Err(self.out_of_order(end));
        }
        let back = (first <= last).then_some(Block {
            start: last,
            end,
            open_deletion: last_deletion,
        });
        Ok(RowBlocks {
            index: *self,
            span: Block {
                start: first,
                end: end.max(first),
                open_deletion: first_deletion,
            },
            back,
            path,
        })
    }

    /// Every block, in order.
    pub fn iter(&self) -> RowBlocksIter<'a> {
        RowBlocksIter {
            index: *self,
            path: self.trie.path(),
            next: None,
            left: self.block_count,
        }
    }

    fn floor(
        &self,
        path: &mut Path<'a>,
        bound: impl Iterator<Item = u8>,
    ) -> Result<(u64, DeletionTime)> {
        match path.floor(bound)? {
            Some(node) => self.payload(node),
            None => Err(Error::corrupt("a row index without a first block")
                .in_component(COMPONENT)
                .in_partition(self.key)),
        }
    }

    /// A way through the trie's separators, of which [`payload`](Self::payload) reads what it meets.
    pub fn path<T: Trail>(&self) -> Path<'a, T> {
        self.trie.path()
    }

    /// Where, from the partition's start, what a separator leads to lies, and the deletion that is open there.
    pub fn payload(&self, node: Node<'_>) -> Result<(u64, DeletionTime)> {
        read_payload(node).map_err(|e| self.trie.error(e, node.position()))
    }

    #[cold]
    fn out_of_order(&self, offset: u64) -> Error {
        Error::corrupt(format!("the row block at {offset} is out of order"))
            .in_component(COMPONENT)
            .in_partition(self.key)
    }
}

fn read_payload(node: Node<'_>) -> Result<(u64, DeletionTime), DecodeError> {
    let mut cursor = Cursor::new(node.payload());
    let bits = node.payload_bits();
    let offset = read_sized(&mut cursor, bits & !HAS_OPEN_DELETION)?;
    let offset = u64::try_from(offset)
        .map_err(|_| DecodeError::Invalid("a row block before its partition"))?;
    let open_deletion = match bits & HAS_OPEN_DELETION {
        0 => DeletionTime::LIVE,
        _ => read_deletion_time(&mut cursor, HAS_UINT_DELETION_TIME)?,
    };
    Ok((offset, open_deletion))
}

/// The blocks of a slice, read at once or backwards.
#[derive(Debug, Clone)]
pub struct RowBlocks<'a> {
    index: RowIndex<'a>,
    span: Block,
    back: Option<Block>,
    path: Path<'a>,
}

impl RowBlocks<'_> {
    /// All of them as one.
    pub fn span(&self) -> Block {
        self.span
    }

    /// The last block that was not yet returned.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn next_back(&mut self) -> Result<Option<Block>> {
        let Some(block) = self.back.take() else {
            return Ok(None);
        };
        if block.start > self.span.start {
            let (start, open_deletion) = match self.path.previous_payload()? {
                Some(node) => self.index.payload(node)?,
                None => return Err(self.index.out_of_order(block.start)),
            };
            if !(self.span.start..block.start).contains(&start) {
                return Err(self.index.out_of_order(start));
            }
            self.back = Some(Block {
                start,
                end: block.start,
                open_deletion,
            });
        }
        Ok(Some(block))
    }
}

/// Every block of a partition, in order.
#[derive(Debug, Clone)]
pub struct RowBlocksIter<'a> {
    index: RowIndex<'a>,
    path: Path<'a>,
    next: Option<(u64, DeletionTime)>,
    left: u32,
}

impl RowBlocksIter<'_> {
    fn step(&mut self) -> Result<Option<(u64, DeletionTime)>> {
        let node = self.path.next_payload()?;
        node.map(|node| self.index.payload(node)).transpose()
    }

    fn advance(&mut self) -> Result<Option<Block>> {
        let (start, open_deletion) = match self.next.take() {
            Some(next) => next,
            None => match self.step()? {
                Some(first) => first,
                None => return Ok(None),
            },
        };
        self.next = self.step()?;
        match self.next {
            Some((end, _)) if end < start => Err(self.index.out_of_order(end)),
            Some((end, _)) if self.left > 0 => {
                self.left -= 1;
                Ok(Some(Block {
                    start,
                    end,
                    open_deletion,
                }))
            }
            // The end of the partition was the last payload.
            None if self.left == 0 => Ok(None),
            _ => Err(Error::corrupt(format!(
                "the trie does not hold {} row blocks, as its entry says",
                self.index.block_count
            ))
            .in_component(COMPONENT)
            .in_partition(self.index.key)),
        }
    }
}

impl Iterator for RowBlocksIter<'_> {
    type Item = Result<Block>;

    /// The next block. After an error nothing follows.
    fn next(&mut self) -> Option<Result<Block>> {
        let next = self.advance();
        if !matches!(next, Ok(Some(_))) {
            self.left = 0;
            self.next = None;
            self.path.finish();
        }
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trie of one node whose children are shared could give its payloads for ever.
    #[test]
    fn counts_of_blocks_are_bounded_by_the_file() {
        // A node; then key, position of the data, the root's distance, count of blocks, a live deletion.
        let file = |count| [0x01, 0, 0, 0, 5, count, 0x80];
        assert_eq!(RowIndex::open(&file(1), 1).unwrap().block_count(), 1);
        assert!(RowIndex::open(&file(2), 1).is_err());
        assert!(RowIndex::open(&file(100), 1).is_err());
    }
}
