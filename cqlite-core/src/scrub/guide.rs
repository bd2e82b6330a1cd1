//! What the index tells of where partitions, and blocks of their rows, start.
//!
//! Authority: `o.a.c.io.sstable.format.{big.BigTableScrubber,bti.BtiTableScrubber}`.

use crate::model::DeletionTime;
use crate::partitioner::{DecoratedKey, Partitioner};
use crate::sstable::big::{IndexInfo, PromotedIndex};
use crate::sstable::bti::RowBlocksIter;
use crate::sstable::index::{Clusterings, RowIndexRef};
use crate::sstable::verify::findings::Findings;
use crate::sstable::verify::index::{Entry, IndexWalk};

/// The partitions that the index names, in order.
pub(super) struct Guide<'a> {
    walk: IndexWalk<'a>,
    /// The entry of the present partition.
    present: Option<Entry<'a>>,
    /// An entry was that of a partition that was read.
    is_proved: bool,
}

impl<'a> Guide<'a> {
    pub fn new(mut walk: IndexWalk<'a>, findings: &mut Findings<'_>) -> Self {
        walk.advance(findings);
        Guide {
            walk,
            present: None,
            is_proved: false,
        }
    }

    /// Name of the file.
    pub fn component(&self) -> &'static str {
        self.walk.component()
    }

    /// Goes to the entry of the partition at `position`. `false` if the index does not name it, or names one before it
    /// that was not seen.
    pub fn enter(&mut self, position: u64, findings: &mut Findings<'_>) -> bool {
        if self
            .present
            .is_some_and(|e| e.data_position == Some(position))
        {
            return true;
        }
        self.present = None;
        let mut passed = false;
        while let Some(entry) = self.walk.current().copied() {
            match entry.data_position {
                Some(at) if at > position => return false,
                Some(at) if at == position => {
                    self.present = Some(entry);
                    self.walk.advance(findings);
                    return !passed;
                }
                Some(_) => passed = true,
                None => {}
            }
            self.walk.advance(findings);
        }
        false
    }

    /// Goes to the next entry, which is returned if it tells a position from `from` on.
    pub fn enter_next(&mut self, from: u64, findings: &mut Findings<'_>) -> Option<Entry<'a>> {
        while let Some(entry) = self.walk.current().copied() {
            self.walk.advance(findings);
            if entry.data_position.is_some_and(|at| at >= from) {
                self.present = Some(entry);
                return Some(entry);
            }
        }
        self.present = None;
        None
    }

    /// The entry of the present partition, if there is one.
    pub fn present(&self) -> Option<&Entry<'a>> {
        self.present.as_ref()
    }

    /// Where the next partition starts; `length` if there is none, `None` if that is not known.
    pub fn next_position(&mut self, length: u64, findings: &mut Findings<'_>) -> Option<u64> {
        loop {
            match self.walk.current() {
                Some(entry) => match entry.data_position {
                    Some(at) => return Some(at),
                    None => self.walk.advance(findings),
                },
                None if self.walk.is_broken() => return None,
                None => return Some(length),
            }
        }
    }

    /// Raw key of the next partition, where the index holds it.
    pub fn next_key(&self) -> Option<&'a [u8]> {
        self.walk.current()?.key
    }

    /// Whether the next partition may have this key.
    pub fn next_fits(&self, key: &DecoratedKey<'_>, partitioner: &Partitioner) -> bool {
        let entry = self.walk.current();
        entry.is_some_and(|e| fits(e, key)) && self.walk.compare(key, partitioner).is_eq()
    }

    /// Whether the present partition may have this key. That of a trie's path is not compared.
    pub fn present_fits(&self, key: &DecoratedKey<'_>) -> bool {
        self.present.as_ref().is_some_and(|entry| fits(entry, key))
    }

    /// Whether an entry was found to be that of a partition of Data.db.
    pub fn is_proved(&self) -> bool {
        self.is_proved
    }

    /// It is.
    pub fn prove(&mut self) {
        self.is_proved = true;
    }

    /// The blocks of the present partition.
    pub fn blocks(&self) -> Option<Blocks<'a>> {
        let source = match self.present?.row_index? {
            RowIndexRef::Big(index) => BlockSource::Big {
                index,
                next: 0,
                open: DeletionTime::LIVE,
            },
            RowIndexRef::Bti(index) => BlockSource::Bti(index.iter()),
        };
        Some(Blocks {
            source,
            ahead: None,
        })
    }
}

fn fits(entry: &Entry<'_>, key: &DecoratedKey<'_>) -> bool {
    entry.key.is_none_or(|k| k == key.key) && entry.hash_byte.is_none_or(|b| b == key.hash.1 as u8)
}

/// The blocks of a partition, in order.
pub(super) struct Blocks<'a> {
    source: BlockSource<'a>,
    /// The block that was asked for last.
    ahead: Option<(u64, DeletionTime)>,
}

enum BlockSource<'a> {
    Big {
        index: PromotedIndex<'a>,
        next: usize,
        /// Deletion that is open where the next block starts.
        open: DeletionTime,
    },
    Bti(RowBlocksIter<'a>),
}

impl Blocks<'_> {
    /// The first block that starts at `from` of the partition or behind: where, and what is deleted there. Those before
    /// are passed for good. An index that cannot be read has no more.
    pub fn from(&mut self, from: u64, clusterings: &Clusterings) -> Option<(u64, DeletionTime)> {
        while self.ahead.is_none_or(|(start, _)| start < from) {
            self.ahead = Some(self.source.next(clusterings)?);
        }
        self.ahead
    }
}

impl BlockSource<'_> {
    fn next(&mut self, clusterings: &Clusterings) -> Option<(u64, DeletionTime)> {
        match self {
            BlockSource::Big { index, next, open } => {
                let mut info = IndexInfo::default();
                let fixed = clusterings.fixed_lengths();
                if index.decode(*next, fixed, &mut info).is_err() {
                    *next = usize::MAX;
                    return None;
                }
                *next += 1;
                let open_here = std::mem::replace(open, info.end_open_deletion);
                Some((info.offset, open_here))
            }
            BlockSource::Bti(blocks) => {
                let block = blocks.next()?.ok()?;
                Some((block.start, block.open_deletion))
            }
        }
    }
}
