//! The blocks of a wide partition as its index has them, beside the rows and markers of Data.db.
//!
//! Authority: `o.a.c.io.sstable.format.{big.BigFormatPartitionWriter,bti.BtiFormatPartitionWriter}`,
//! `o.a.c.io.sstable.format.bti.RowIndexWriter`.

use super::findings::Findings;
use crate::model::{BoundKind, ClusteringRef, DeletionTime, Span};
use crate::schema::ClusteringColumn;
use crate::sstable::big::{IndexInfo, PromotedIndex};
use crate::sstable::bti::{Path, RowIndex};
use crate::sstable::index::{Clusterings, RowIndexRef};
use crate::types::write_comparable_clustering;
use crate::{Error, Result};

/// The clustering of a row or the bound of a marker.
pub(crate) type PrefixRef<'p> = (ClusteringRef<'p>, BoundKind);

/// A clustering or bound in memory of its own, which is used again.
#[derive(Debug)]
pub(crate) struct Prefix {
    kind: BoundKind,
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl Default for Prefix {
    fn default() -> Self {
        Prefix {
            kind: BoundKind::Static,
            bytes: Vec::new(),
            spans: Vec::new(),
        }
    }
}

impl Prefix {
    /// Keeps a copy.
    #[inline]
    pub fn set(&mut self, (values, kind): PrefixRef<'_>) {
        self.kind = kind;
        self.bytes.clear();
        self.spans.clear();
        for value in values.iter() {
            self.spans.push(Span::append(&mut self.bytes, value));
        }
    }

    /// What it keeps.
    #[inline]
    pub fn get(&self) -> PrefixRef<'_> {
        (ClusteringRef::new(&self.bytes, &self.spans), self.kind)
    }
}

/// Where in Data.db a fault of a row index shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    /// Raw partition key.
    pub key: &'p [u8],
    /// Offset of the entry in the index's file.
    pub entry: u64,
}

/// A pass over the blocks of a partition.
pub(crate) struct BlockWalk<'a> {
    source: Source<'a>,
    clusterings: &'a Clusterings,
    columns: &'a [ClusteringColumn],
    /// Count of blocks that were entered.
    entered: u64,
    block_count: u64,
    /// Offset in the partition of the next block; `u64::MAX` if there is none.
    next_start: u64,
}

enum Source<'a> {
    Big {
        index: PromotedIndex<'a>,
        present: IndexInfo<'a>,
        next: IndexInfo<'a>,
    },
    Bti {
        index: RowIndex<'a>,
        path: Path<'a, Vec<u8>>,
        /// Count of separators up to the one that the path stands on.
        read: u64,
        open: DeletionTime,
        /// Byte-comparable forms: of the last row or marker of the block that was left, and of the next one's first.
        last: Vec<u8>,
        first: Vec<u8>,
    },
}

impl<'a> BlockWalk<'a> {
    /// A pass over the blocks of `index`, checked against the partition's head first.
    pub fn new(
        index: RowIndexRef<'a>,
        clusterings: &'a Clusterings,
        columns: &'a [ClusteringColumn],
    ) -> Self {
        let source = match index {
            RowIndexRef::Big(index) => Source::Big {
                index,
                present: IndexInfo::default(),
                next: IndexInfo::default(),
            },
            RowIndexRef::Bti(index) => Source::Bti {
                path: index.path(),
                index,
                read: 0,
                open: DeletionTime::LIVE,
                last: Vec::new(),
                first: Vec::new(),
            },
        };
        BlockWalk {
            source,
            clusterings,
            columns,
            entered: 0,
            block_count: index.block_count(),
            next_start: u64::MAX,
        }
    }

    /// Compares with the partition's head, of `header_length` bytes, and goes before the first block.
    pub fn begin(
        &mut self,
        header_length: u64,
        deletion: DeletionTime,
        place: Place<'_>,
        findings: &mut Findings<'_>,
    ) {
        let (indexed_deletion, indexed_length) = match &self.source {
            Source::Big { index, .. } => (index.partition_deletion(), index.header_length()),
            Source::Bti { index, .. } => (index.partition_deletion(), header_length),
        };
        if indexed_deletion != deletion {
            self.tell(
                "it has another partition deletion than Data.db",
                place,
                findings,
            );
        }
        if indexed_length != header_length {
            let what = format!(
                "it says that the first row follows after {indexed_length} bytes, not {header_length}"
            );
            self.tell(what, place, findings);
        }
        if self.block_count < 2 {
            let what = format!("{} row blocks: two are the fewest", self.block_count);
            self.tell(what, place, findings);
        }
        self.step(place, findings);
        if self.next_start != u64::MAX && self.next_start != header_length {
            let what = format!(
                "its first row block is said to start at {}, not {header_length}",
                self.next_start
            );
            self.tell(what, place, findings);
        }
    }

    /// Whether a block starts before `offset` or there that was not entered yet.
    #[inline(always)]
    pub fn is_due(&self, offset: u64) -> bool {
        offset >= self.next_start
    }

    /// Enters the block that starts at `offset` of the partition with `first`; before it come `previous`, and the
    /// deletion `open`.
    #[inline(never)]
    pub fn enter(
        &mut self,
        offset: u64,
        first: PrefixRef<'_>,
        previous: Option<PrefixRef<'_>>,
        open: DeletionTime,
        place: Place<'_>,
        findings: &mut Findings<'_>,
    ) {
        while self.is_due(offset) {
            let start = self.next_start;
            if start != offset && self.entered > 0 {
                let what = format!(
                    "row block {} is said to start at {start} of the partition, where no row starts",
                    self.entered
                );
                self.tell(what, place, findings);
            }
            let fits = start == offset;
            if let Some(previous) = previous.filter(|_| fits) {
                self.leave(start, previous, open, place, findings);
            }
            // From here on the next block of a promoted index is the present one.
            self.check_first(fits.then_some(first), open, place, findings);
            self.entered += 1;
            self.step(place, findings);
        }
    }

    /// Compares the last block with the end of the partition: `end` is the offset of the byte that ends it, `last` its
    /// last row or marker.
    pub fn finish(
        &mut self,
        end: u64,
        last: Option<PrefixRef<'_>>,
        place: Place<'_>,
        findings: &mut Findings<'_>,
    ) {
        let is_bti = matches!(self.source, Source::Bti { .. });
        if self.next_start != u64::MAX && !(is_bti && self.entered == self.block_count) {
            let what = format!(
                "row block {} is said to start at {}, behind the end of the partition",
                self.entered, self.next_start
            );
            return self.tell(what, place, findings);
        }
        if is_bti && self.next_start == u64::MAX {
            return;
        }
        if let Some(last) = last {
            self.leave(end, last, DeletionTime::LIVE, place, findings);
        }
        if !is_bti {
            return;
        }
        // Behind the last block the trie holds where the partition ends.
        if self.next_start != end {
            let what = format!("the partition ends at {end}, not at {}", self.next_start);
            self.tell(what, place, findings);
        }
        self.step(place, findings);
        if self.next_start != u64::MAX {
            let what = format!("the trie holds more than {} row blocks", self.block_count);
            self.tell(what, place, findings);
        }
    }

    /// Compares the end of the block that was entered last: what follows it starts at `end`.
    fn leave(
        &mut self,
        end: u64,
        last: PrefixRef<'_>,
        open: DeletionTime,
        place: Place<'_>,
        findings: &mut Findings<'_>,
    ) {
        let Some(block) = self.entered.checked_sub(1) else {
            return;
        };
        let is_last = block + 1 == self.block_count;
        match &mut self.source {
            Source::Big { present, .. } => {
                // The byte that ends the partition belongs to the last block unless that was full before.
                let ends = present.end() == end || is_last && present.end() == end + 1;
                let same_last = is_same(self.clusterings, present.last(), last);
                let same_open = present.end_open_deletion == open;
                let width = present.width;
                if !ends {
                    let what = format!("row block {block} is said to be {width} bytes long");
                    self.tell(what, place, findings);
                }
                if !same_last {
                    let what = format!("row block {block} is said to end with another row");
                    self.tell(what, place, findings);
                }
                if !same_open {
                    let what = format!(
                        "another range tombstone is said to be open at the end of row block {block}"
                    );
                    self.tell(what, place, findings);
                }
            }
            Source::Bti {
                path,
                last: greatest,
                ..
            } => {
                // The separator before what follows, which the path stands on. Forms that are equal, those of missing
                // and of empty values in tuples, have themselves between them.
                comparable(self.columns, last, greatest);
                let order = path.trail().cmp(greatest);
                if order.is_lt() || order.is_eq() && is_last {
                    let what = format!(
                        "the separator behind row block {block} does not follow its last row"
                    );
                    self.tell(what, place, findings);
                }
            }
        }
    }

    /// Compares the start of the block that comes next with the row or marker there, if one starts there.
    fn check_first(
        &mut self,
        first: Option<PrefixRef<'_>>,
        open: DeletionTime,
        place: Place<'_>,
        findings: &mut Findings<'_>,
    ) {
        let block = self.entered;
        let Some(first) = first else { return };
        let what = match &mut self.source {
            Source::Big { next, .. } => match is_same(self.clusterings, next.first(), first) {
                true => return,
                false => format!("row block {block} is said to start with another row"),
            },
            Source::Bti {
                path,
                open: indexed,
                last,
                first: least,
                ..
            } => {
                comparable(self.columns, first, least);
                // Forms that do not ascend as the rows do, those of empty values in tuples, have nothing between them.
                if path.trail() > least && least > last {
                    format!("the separator before row block {block} follows its first row")
                } else if block > 0 && path.trail() == last && least != last {
                    let before = block - 1;
                    format!("the separator behind row block {before} does not follow its last row")
                } else if *indexed != open {
                    format!(
                        "another range tombstone is said to be open at the start of row block {block}"
                    )
                } else {
                    return;
                }
            }
        };
        self.tell(what, place, findings);
    }

    /// Makes the next block the present one and reads the one behind it.
    fn step(&mut self, place: Place<'_>, findings: &mut Findings<'_>) {
        match self.read_next() {
            Ok(start) => self.next_start = start.unwrap_or(u64::MAX),
            Err(e) => {
                self.next_start = u64::MAX;
                let e = e.in_partition(place.key);
                findings.fault(self.component(), e);
            }
        }
    }

    fn read_next(&mut self) -> Result<Option<u64>> {
        match &mut self.source {
            Source::Big {
                index,
                present,
                next,
            } => {
                std::mem::swap(present, next);
                if self.entered >= self.block_count {
                    return Ok(None);
                }
                let i = self.entered as usize;
                index.decode(i, self.clusterings.fixed_lengths(), next)?;
                Ok(Some(next.offset))
            }
            Source::Bti {
                index,
                path,
                read,
                open,
                ..
            } => {
                let Some(node) = path.next_payload()? else {
                    // One of each block, and one of the end.
                    return match *read > self.block_count {
                        true => Ok(None),
                        false => Err(Error::corrupt(format!(
                            "the trie does not hold {} row blocks, as its entry says",
                            self.block_count
                        ))),
                    };
                };
                *read += 1;
                let (start, deletion) = index.payload(node)?;
                *open = deletion;
                Ok(Some(start))
            }
        }
    }

    fn component(&self) -> &'static str {
        match self.source {
            Source::Big { .. } => "Index.db",
            Source::Bti { .. } => "Rows.db",
        }
    }

    #[cold]
    fn tell(&self, what: impl Into<String>, place: Place<'_>, findings: &mut Findings<'_>) {
        let e = Error::corrupt(what).at(place.entry).in_partition(place.key);
        findings.fault(self.component(), e);
    }
}

fn is_same(clusterings: &Clusterings, a: PrefixRef<'_>, b: PrefixRef<'_>) -> bool {
    let order = clusterings.comparator();
    a.1 == b.1 && a.0.len() == b.0.len() && order.compare(a.0, a.1, b.0, b.1).is_eq()
}

fn comparable(columns: &[ClusteringColumn], prefix: PrefixRef<'_>, buffer: &mut Vec<u8>) {
    buffer.clear();
    write_comparable_clustering(columns, prefix.0.iter(), prefix.1, buffer);
}
