//! Reading a partition's slices from their ends: block by block, the last one first.
//!
//! Authority: `o.a.c.io.sstable.format.big.SSTableReversedIterator`, `o.a.c.io.sstable.format.bti.SSTableReversedIterator`.

use super::{Edge, Pending, SliceReader};
use crate::Result;
use crate::model::DeletionTime;
use crate::sstable::data::Decoded;
use crate::sstable::index::{Block, Blocks};

/// Bytes of a partition without row index that are read backwards at once.
const BLOCK_BYTES: u64 = 1 << 20;

/// Most blocks that are remembered of such a partition: of a longer one, blocks are longer.
const BLOCKS_MAX: usize = 4096;

/// The blocks of a slice, from the last one on.
pub(super) enum BlocksBefore<'a> {
    Indexed(Box<Blocks<'a>>),
    /// Of a long partition without row index, as they were found.
    Found(Vec<Block>),
}

impl BlocksBefore<'_> {
    fn next_back(&mut self) -> Result<Option<Block>> {
        match self {
            BlocksBefore::Indexed(blocks) => blocks.next_back(),
            BlocksBefore::Found(blocks) => Ok(blocks.pop()),
        }
    }

    /// Whether the slice starts in `block`.
    fn starts_in(&self, block: &Block) -> bool {
        match self {
            BlocksBefore::Indexed(blocks) => block.start <= blocks.span().start,
            BlocksBefore::Found(before) => before.is_empty(),
        }
    }
}

impl SliceReader<'_> {
    pub(super) fn next_backward(&mut self) -> Result<bool> {
        loop {
            if self.give_bound() {
                return Ok(true);
            }
            match self.pending.pop() {
                Some(Pending::At(position)) => {
                    self.position = position;
                    if self.give()? {
                        return Ok(true);
                    }
                }
                _ => {
                    if !self.load_block_before()? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Fills what is pending with the block before the present one; `false` when there is none in any slice.
    fn load_block_before(&mut self) -> Result<bool> {
        loop {
            if let Some(blocks) = &mut self.blocks {
                let next = match blocks.next_back() {
                    Ok(next) => next,
                    Err(e) => return Err(self.fail_index(e)),
                };
                if let Some(block) = next {
                    let first = blocks.starts_in(&block);
                    self.collect_block(block, first, false, u64::MAX)?;
                    return Ok(true);
                }
                self.blocks = None;
            }
            if self.slices_left == 0 {
                return Ok(false);
            }
            self.slices_left -= 1;
            self.slice = Some(self.slices_left);
            let mut blocks = match self.indexed()? {
                Some(blocks) => BlocksBefore::Indexed(Box::new(blocks)),
                None => {
                    let whole = Block {
                        start: self.body - self.request.position,
                        end: u64::MAX,
                        open_deletion: DeletionTime::LIVE,
                    };
                    if self.collect_block(whole, true, true, BLOCK_BYTES)? {
                        return Ok(true);
                    }
                    BlocksBefore::Found(self.find_blocks(whole)?)
                }
            };
            let last = blocks.next_back().map_err(|e| self.fail_index(e))?;
            let last = match (last, &blocks) {
                // Separators may ascend otherwise than the rows do: Cassandra reads on up to the end of the slice.
                (Some(block), BlocksBefore::Indexed(blocks))
                    if matches!(**blocks, Blocks::Bti(_)) =>
                {
                    Block {
                        end: u64::MAX,
                        ..block
                    }
                }
                (Some(block), _) => block,
                // Nothing lies in the slice, but a range tombstone may lie over it.
                (None, BlocksBefore::Indexed(blocks)) => Block {
                    end: blocks.span().start,
                    ..blocks.span()
                },
                (None, BlocksBefore::Found(_)) => continue,
            };
            let first = blocks.starts_in(&last);
            self.blocks = Some(blocks);
            self.collect_block(last, first, true, u64::MAX)?;
            return Ok(true);
        }
    }

    /// Parts what the slice holds of a partition without row index into blocks, so that reading it backwards takes no more
    /// memory than a few blocks, however long it is.
    fn find_blocks(&mut self, whole: Block) -> Result<Vec<Block>> {
        self.position = self.request.position.saturating_add(whole.start);
        self.open = whole.open_deletion;
        self.window.hold(u64::MAX);
        self.skip_to_start(u64::MAX)?;
        let mut blocks: Vec<Block> = Vec::new();
        let mut length = BLOCK_BYTES;
        loop {
            let (decoded, len, order) = self.peek(Edge::End)?;
            let at = self.position - self.request.position;
            if let Some(last) = blocks.last_mut() {
                last.end = at;
            }
            if decoded == Decoded::End || order.is_gt() {
                return Ok(blocks);
            }
            if blocks.last().is_none_or(|b| b.end - b.start >= length) {
                if blocks.len() == BLOCKS_MAX {
                    blocks = join_pairs(&blocks);
                    length *= 2;
                }
                blocks.push(Block {
                    start: at,
                    end: at,
                    open_deletion: self.open,
                });
            }
            self.follow(decoded)?;
            self.position += len;
        }
    }

    /// Notes what the block holds of the slice, in storage order: the last is given first. `first` and `last` say
    /// whether the slice's start and end lie in the block. `false`, and nothing is noted, if that is over `most` bytes.
    fn collect_block(&mut self, block: Block, first: bool, last: bool, most: u64) -> Result<bool> {
        let end = self.request.position.saturating_add(block.end);
        self.position = self.request.position.saturating_add(block.start);
        self.open = block.open_deletion;
        self.window.hold(u64::MAX);
        // In blocks behind the first one, too: their separators may ascend otherwise than the rows do.
        self.skip_to_start(end)?;
        self.window.hold(self.position);
        let limit = self.position.saturating_add(most);
        if first && !self.open.is_live() {
            self.pending.push(Pending::StartBound(self.open));
        }
        while self.position < end {
            let (decoded, len, order) = self.peek(Edge::End)?;
            if decoded == Decoded::End || order.is_gt() {
                break;
            }
            if self.position > limit {
                self.pending.clear();
                return Ok(false);
            }
            self.pending.push(Pending::At(self.position));
            self.follow(decoded)?;
            self.position += len;
        }
        if last && !self.open.is_live() {
            self.pending.push(Pending::EndBound(self.open));
        }
        Ok(true)
    }
}

/// Half as many blocks, each two of the others.
fn join_pairs(blocks: &[Block]) -> Vec<Block> {
    let join = |pair: &[Block]| Block {
        end: pair[pair.len() - 1].end,
        ..pair[0]
    };
    blocks.chunks(2).map(join).collect()
}
