//! The partitions of a part of the token ring, in order, each with its records in order.
//!
//! Authority: `o.a.c.db.partitions.AtomicBTreePartition`: what is written where something is is reconciled with it at once.

use super::blocks::{Blocks, Place};
use crate::merge::{ClusteringOf, MergeRules, OwnedRow, RowMerger};
use crate::model::{Bound, BoundKind, DeletionTime, RowBuf, RowRef, Slice, Span};
use crate::partitioner::{DecoratedKey, Token, TokenRange};
use crate::sstable::builder::record::{self, Kind, LENGTH_BYTES, Record};
use crate::sstable::builder::sort::{PrefixOf, compare_in_partition};
use crate::sstable::component::statistics::EncodingStats;
use crate::{Error, Result};
use std::cmp::Ordering;
use std::sync::Arc;

/// Records that a reader takes at once, about. Few in tests, for there they are to be taken in many batches.
const BATCH: usize = if cfg!(test) { 3 } else { 256 };

/// A record, and the number of the change that made it. Of several rows of one place, kept for those who read the state
/// before a change, each has what those before it have.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    change: u64,
    bytes: Arc<[u8]>,
}

impl Stored {
    #[inline]
    fn new(change: u64, bytes: &[u8]) -> Self {
        Stored {
            change,
            bytes: bytes.into(),
        }
    }

    #[inline]
    pub fn record(&self) -> Result<Record<'_>> {
        Ok(Record::new(&self.bytes)?)
    }

    /// The partition's key.
    #[inline]
    fn key(&self) -> &[u8] {
        Record::new(&self.bytes).map_or(&[], |record| record.key())
    }

    /// Bytes of memory of a record: the allocator gives multiples of 16, and keeps 8 of them; the counts of references are
    /// there too.
    #[inline]
    fn footprint(&self) -> usize {
        (size_of::<[usize; 2]>() + self.bytes.len() + 8).next_multiple_of(16)
    }
}

/// What a partition has.
#[derive(Debug)]
enum Content {
    /// One record, as most partitions of tables without clustering.
    One(Stored),
    Many(Box<Partition>),
}

#[derive(Debug)]
struct Partition {
    /// At least one, in the order of their places.
    records: Blocks<Stored>,
    /// The range tombstones among them.
    ranges: Vec<Stored>,
}

impl Content {
    #[inline]
    fn key(&self) -> &[u8] {
        match self {
            Content::One(record) => record.key(),
            Content::Many(partition) => partition.records.iter().next().map_or(&[], Stored::key),
        }
    }
}

/// What a memtable's shards go by.
#[derive(Debug)]
pub(super) struct Rules {
    pub merge: Arc<MergeRules>,
    prefix: PrefixOf,
}

impl Rules {
    pub fn new(merge: Arc<MergeRules>) -> Self {
        Rules {
            prefix: PrefixOf::new(&merge),
            merge,
        }
    }

    /// Orders the partitions of tokens, as far as a number can.
    #[inline]
    pub fn rank(token: Token<'_>) -> u64 {
        match token {
            Token::Long(token) => token as u64 ^ 1 << 63,
            _ => 0,
        }
    }

    /// Orders two records of one partition.
    #[inline]
    fn compare(&self, a: Record<'_>, b: Record<'_>, spans: &mut Spans) -> Result<Ordering> {
        let columns = self.merge.header().clustering.len();
        compare_in_partition(&self.merge, columns, (a, b), (&mut spans.0, &mut spans.1))
    }

    /// Orders two keys of one rank.
    #[inline]
    fn compare_keys(&self, token: Token<'_>, a: &[u8], b: &[u8]) -> Ordering {
        match token {
            Token::Long(_) => a.cmp(b),
            _ => self.merge.partitioner().compare_keys(a, b),
        }
    }
}

/// What readers ask of a shard.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    Range(&'a TokenRange),
    Partition(DecoratedKey<'a>),
}

/// How far a reader came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// There may be more here.
    Some,
    /// All that is here.
    All,
    /// All that was asked for.
    End,
}

#[derive(Debug)]
pub(super) struct Shard {
    partitions: Blocks<Content>,
    count: u64,
    stats: EncodingStats,
    /// Some place has several rows.
    has_versions: bool,
    scratch: Scratch,
}

/// Memory for the clustering values of two records.
type Spans = (Vec<Span>, Vec<Span>);

/// Memory that is used again.
#[derive(Debug, Default)]
struct Scratch {
    spans: Spans,
    rows: [RowBuf; 2],
    merger: RowMerger,
    merged: OwnedRow,
    bytes: Vec<u8>,
}

impl Default for Shard {
    fn default() -> Self {
        Shard {
            partitions: Blocks::new(),
            count: 0,
            stats: EncodingStats::NONE,
            has_versions: false,
            scratch: Scratch::default(),
        }
    }
}

/// A change of one partition.
pub(super) struct Change<'a> {
    /// Its number, behind those of all changes that the shard has seen.
    pub number: u64,
    pub key: &'a DecoratedKey<'a>,
    /// What it replaces is kept for those who read the state before it.
    pub keeps_old: bool,
}

impl Shard {
    /// Whether a partition is there.
    pub fn has(&self, rules: &Rules, key: &DecoratedKey<'_>) -> bool {
        let mut from = self.partitions.iter_from(self.place_of(rules, key));
        from.next().is_some_and(|content| content.key() == key.key)
    }

    /// Count of partitions.
    pub fn partitions(&self) -> u64 {
        self.count
    }

    /// Bytes of memory of partitions and records.
    #[cfg(test)]
    pub fn footprint(&self) -> usize {
        let contents = self.partitions.iter().map(|content| match content {
            Content::One(record) => record.footprint(),
            Content::Many(partition) => {
                let records = partition.records.iter().map(Stored::footprint);
                partition.footprint() + records.sum::<usize>()
            }
        });
        contents.sum::<usize>() + self.partitions.footprint()
    }

    /// The bases of all that was written.
    pub fn stats(&self) -> EncodingStats {
        self.stats
    }

    pub fn add_stats(&mut self, stats: EncodingStats) {
        self.stats = self.stats.merge(stats);
    }

    /// Takes a record of the partition that the change is of. Returns by how many bytes the shard has grown, which may be less
    /// than nothing.
    #[inline]
    pub fn insert(&mut self, rules: &Rules, change: &Change<'_>, bytes: &[u8]) -> Result<isize> {
        let DecoratedKey { key, token, .. } = *change.key;
        let rank = Rules::rank(token);
        let compare = |content: &Content| rules.compare_keys(token, content.key(), key);
        let place = self.partitions.upper_bound(rank, compare);
        // Of another rank it is not even looked at: it lies anywhere in memory.
        let found = self.partitions.before(place);
        let same = found.filter(|(of, content)| *of == rank && content.key() == key);
        let Some((_, content)) = same else {
            let record = Stored::new(change.number, bytes);
            self.count += 1;
            let grown = record.footprint();
            let grown = grown + self.partitions.insert(place, rank, Content::One(record));
            return Ok(grown as isize);
        };
        let mut grown = 0;
        if let Content::One(one) = content {
            let record = Record::new(bytes)?;
            if !change.keeps_old
                && record.kind() != Kind::Range
                && rules
                    .compare(one.record()?, record, &mut self.scratch.spans)?
                    .is_eq()
            {
                return one.reconcile(rules, change.number, bytes, &mut self.scratch);
            }
            let partition = Partition::of(rules, one.clone())?;
            grown = partition.footprint() as isize;
            *content = Content::Many(partition.into());
        }
        let Content::Many(partition) = content else {
            return Ok(grown);
        };
        let (changed, several) = partition.change(rules, change, bytes, &mut self.scratch)?;
        self.has_versions |= several;
        Ok(grown + changed)
    }

    /// Appends to `out` records of the state after the change number `change`, in order: those behind `after`, which was the
    /// last one taken, until they are many. Never stops between two of the same place.
    pub fn take(
        &self,
        rules: &Rules,
        wanted: Wanted<'_>,
        mut after: Option<&Stored>,
        change: u64,
        out: &mut Vec<Stored>,
    ) -> Result<Taken> {
        let mut spans = Spans::default();
        let partitioner = rules.merge.partitioner();
        let place = match (after, wanted) {
            (Some(after), _) => self.place_of(rules, &partitioner.decorate(after.key())),
            (None, Wanted::Partition(key)) => self.place_of(rules, &key),
            (None, Wanted::Range(range)) => match range.start() {
                Some(start) => {
                    let rank = Rules::rank(start.token());
                    let compare = |c: &Content| partitioner.compare(c.key(), &start);
                    self.partitions.lower_bound(rank, compare)
                }
                None => self.partitions.start(),
            },
        };
        for content in self.partitions.iter_from(place) {
            let is_behind = match wanted {
                Wanted::Partition(key) => content.key() != key.key,
                Wanted::Range(&TokenRange::ALL) => false,
                Wanted::Range(range) => range.locate(partitioner, content.key()).is_gt(),
            };
            if is_behind {
                return Ok(Taken::End);
            }
            let first = out.len();
            let after = after.take().filter(|last| last.key() == content.key());
            match (content, after) {
                (Content::One(record), None) if record.change <= change => out.push(record.clone()),
                (Content::One(_), _) => {}
                (Content::Many(partition), after) => {
                    let records = &partition.records;
                    let start = match after {
                        Some(after) => partition.behind(rules, after.record()?, &mut spans)?,
                        None => records.start(),
                    };
                    for stored in records.iter_from(start) {
                        if out.len() >= BATCH
                            && out.len() > first
                            && !self.is_same_place(
                                rules,
                                &out[out.len() - 1],
                                stored,
                                &mut spans,
                            )?
                        {
                            return Ok(Taken::Some);
                        }
                        if stored.change <= change {
                            self.push(rules, stored, first, &mut spans, out)?;
                        }
                    }
                }
            }
            if out.len() >= BATCH {
                return Ok(Taken::Some);
            }
        }
        Ok(Taken::All)
    }

    /// Where a partition is, or would be.
    fn place_of(&self, rules: &Rules, key: &DecoratedKey<'_>) -> Place {
        let compare = |content: &Content| rules.compare_keys(key.token, content.key(), key.key);
        self.partitions.lower_bound(Rules::rank(key.token), compare)
    }

    /// Appends a record of the partition whose records begin at `first`. The last one of a place has all that those before it
    /// have, but for range tombstones, which are each for itself.
    #[inline]
    fn push(
        &self,
        rules: &Rules,
        stored: &Stored,
        first: usize,
        spans: &mut Spans,
        out: &mut Vec<Stored>,
    ) -> Result<()> {
        if self.has_versions
            && out.len() > first
            && stored.record()?.kind() != Kind::Range
            && self.is_same_place(rules, &out[out.len() - 1], stored, spans)?
        {
            out.pop();
        }
        out.push(stored.clone());
        Ok(())
    }

    fn is_same_place(
        &self,
        rules: &Rules,
        a: &Stored,
        b: &Stored,
        spans: &mut Spans,
    ) -> Result<bool> {
        Ok(rules.compare(a.record()?, b.record()?, spans)?.is_eq())
    }

    /// Takes the last of some slices of a partition, which ascend, until records of the state after the change number `change`
    /// that begin there are many. The last one that is taken may be a part of one, the rest of which stays.
    pub fn last_slices(
        &self,
        rules: &Rules,
        key: &DecoratedKey<'_>,
        slices: &mut Vec<Slice>,
        change: u64,
    ) -> Result<Vec<Slice>> {
        let place = self.place_of(rules, key);
        let found = self.partitions.iter_from(place).next();
        let found = found.filter(|content| content.key() == key.key);
        let Some(Content::Many(partition)) = found else {
            return Ok(std::mem::take(slices));
        };
        let mut taken = Vec::new();
        let mut count = 0;
        while count < BATCH
            && let Some(mut slice) = slices.pop()
        {
            if let Some(start) = partition.start_of_last(rules, &slice, change, &mut count)? {
                let rest = Slice {
                    start: std::mem::replace(&mut slice.start, start),
                    end: slice.start.end_before(),
                };
                slices.push(rest);
            }
            taken.push(slice);
        }
        taken.reverse();
        Ok(taken)
    }

    /// Appends to `out` what slices of a partition have after the change number `change`, in order, with the range tombstones
    /// cut to the slices.
    pub fn take_slices(
        &self,
        rules: &Rules,
        key: &DecoratedKey<'_>,
        slices: &[Slice],
        change: u64,
        out: &mut Vec<Stored>,
    ) -> Result<()> {
        let place = self.place_of(rules, key);
        let found = self.partitions.iter_from(place).next();
        let Some(content) = found.filter(|content| content.key() == key.key) else {
            return Ok(());
        };
        let mut spans = Spans::default();
        let single;
        let partition = match content {
            Content::Many(partition) => &**partition,
            Content::One(record) => {
                single = Partition::of(rules, record.clone())?;
                &single
            }
        };
        let mut bytes = Vec::new();
        for stored in partition.records.iter() {
            if stored.record()?.kind() >= Kind::Row {
                break;
            }
            if stored.change <= change {
                self.push(rules, stored, 0, &mut spans, out)?;
            }
        }
        let comparator = rules.merge.comparator();
        let columns = rules.merge.header().clustering.len();
        for slice in slices {
            let mut ranges = partition
                .ranges_in(rules, slice, change)?
                .into_iter()
                .peekable();
            let mut push_range = |(range, time): (Slice, DeletionTime), out: &mut Vec<Stored>| {
                bytes.clear();
                record::range(&mut bytes, key.key, &range, time)?;
                out.push(Stored::new(0, &bytes[LENGTH_BYTES..]));
                Ok::<(), Error>(())
            };
            let start = partition.from(rules, key.key, slice, &mut spans)?;
            for stored in partition.records.iter_from(start) {
                let record = stored.record()?;
                if record.kind() != Kind::Row || stored.change > change {
                    continue;
                }
                record.start(columns, &mut spans.0)?;
                let values = record.values(&spans.0);
                let compare = |bound: &Bound| {
                    comparator.compare_to_bound(values, BoundKind::Clustering, bound)
                };
                if compare(&slice.end).is_gt() {
                    break;
                }
                while let Some(range) = ranges.next_if(|(range, _)| compare(&range.start).is_gt()) {
                    push_range(range, out)?;
                }
                self.push(rules, stored, 0, &mut spans, out)?;
            }
            for range in ranges {
                push_range(range, out)?;
            }
        }
        Ok(())
    }
}

impl Partition {
    /// A partition of one record.
    fn of(rules: &Rules, record: Stored) -> Result<Self> {
        let ranges = match record.record()?.kind() {
            Kind::Range => vec![record.clone()],
            _ => Vec::new(),
        };
        let rank = rules.prefix.of(&record.record()?);
        let mut records = Blocks::new();
        records.insert(records.start(), rank, record);
        Ok(Partition { records, ranges })
    }

    /// Bytes of memory besides its records.
    fn footprint(&self) -> usize {
        (size_of::<Self>() + 8).next_multiple_of(16)
            + self.records.footprint()
            + self.ranges.capacity() * size_of::<Stored>()
    }

    /// The place behind all records that sort before or as one.
    fn behind(&self, rules: &Rules, record: Record<'_>, spans: &mut Spans) -> Result<Place> {
        self.find(rules, record, Ordering::Equal, spans)
    }

    /// The place of the first record behind a slice's start.
    fn from(&self, rules: &Rules, key: &[u8], slice: &Slice, spans: &mut Spans) -> Result<Place> {
        let mut bytes = Vec::new();
        record::range(&mut bytes, key, slice, DeletionTime::LIVE)?;
        let record = Record::new(&bytes[LENGTH_BYTES..])?;
        self.find(rules, record, Ordering::Less, spans)
    }

    /// The place behind all records that compare to one as `most`, or less.
    fn find(
        &self,
        rules: &Rules,
        record: Record<'_>,
        most: Ordering,
        spans: &mut Spans,
    ) -> Result<Place> {
        let mut failed = None;
        let compare = |stored: &Stored| {
            let order = stored
                .record()
                .and_then(|stored| rules.compare(stored, record, spans));
            order.unwrap_or_else(|e| {
                failed.get_or_insert(e);
                Ordering::Equal
            })
        };
        let rank = rules.prefix.of(&record);
        let place = match most {
            Ordering::Less => self.records.lower_bound(rank, compare),
            _ => self.records.upper_bound(rank, compare),
        };
        match failed {
            Some(e) => Err(e),
            None => Ok(place),
        }
    }

    /// Where the last records of the state after the change number `change` begin that a slice has, so many that `count`, to
    /// which they are added, becomes what readers take at once; `None` if there are no others.
    fn start_of_last(
        &self,
        rules: &Rules,
        slice: &Slice,
        change: u64,
        count: &mut usize,
    ) -> Result<Option<Bound>> {
        let mut spans = Spans::default();
        let comparator = rules.merge.comparator();
        let columns = rules.merge.header().clustering.len();
        let end = match slice.end.values.is_empty() {
            true => self.records.end(),
            false => {
                let end = Slice {
                    start: slice.end.clone(),
                    end: slice.end.clone(),
                };
                self.from(rules, &[], &end, &mut spans)?
            }
        };
        let mut last: Option<Record<'_>> = None;
        for stored in self.records.iter_before(end) {
            let record = stored.record()?;
            if record.kind() < Kind::Row {
                break;
            }
            let kind = record.start(columns, &mut spans.0)?;
            let values = record.values(&spans.0);
            if comparator
                .compare_to_bound(values, kind, &slice.start)
                .is_lt()
            {
                break;
            }
            if stored.change > change {
                continue;
            }
            if let Some(last) = last
                && *count >= BATCH
                && rules.compare(last, record, &mut spans)?.is_ne()
            {
                let kind = match last.start(columns, &mut spans.0)? {
                    BoundKind::ExclStart => BoundKind::ExclStart,
                    _ => BoundKind::InclStart,
                };
                let values = last.values(&spans.0);
                let values = values.iter().map(|value| value.map(<[u8]>::to_vec));
                let values = values.collect();
                return Ok(Some(Bound { kind, values }));
            }
            *count += 1;
            last = Some(record);
        }
        Ok(None)
    }

    /// The range tombstones that meet a slice, of the state after the change number `change`, cut to it, by their starts.
    fn ranges_in(
        &self,
        rules: &Rules,
        slice: &Slice,
        change: u64,
    ) -> Result<Vec<(Slice, DeletionTime)>> {
        let comparator = rules.merge.comparator();
        let mut cut = Vec::new();
        for stored in self.ranges.iter().filter(|stored| stored.change <= change) {
            let (mut range, time) = stored.record()?.range()?;
            if comparator
                .compare_bounds(&range.start, &slice.start)
                .is_lt()
            {
                range.start = slice.start.clone();
            }
            if comparator.compare_bounds(&range.end, &slice.end).is_gt() {
                range.end = slice.end.clone();
            }
            if comparator.compare_bounds(&range.start, &range.end).is_lt() {
                cut.push((range, time));
            }
        }
        cut.sort_by(|(a, _), (b, _)| comparator.compare_bounds(&a.start, &b.start));
        Ok(cut)
    }

    /// Takes a record. Returns by how many bytes the partition has grown, and whether a place has several rows now.
    #[inline]
    fn change(
        &mut self,
        rules: &Rules,
        change: &Change<'_>,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(isize, bool)> {
        let record = Record::new(bytes)?;
        let rank = rules.prefix.of(&record);
        let place = self.behind(rules, record, &mut scratch.spans)?;
        let is_range = record.kind() == Kind::Range;
        let mut grown = 0;
        let mut new = Stored::new(change.number, bytes);
        let mut several = false;
        if is_range {
            let before = self.ranges.capacity();
            self.ranges.push(new.clone());
            grown += (self.ranges.capacity() - before) * size_of::<Stored>();
        } else if let Some((of, old)) = self.records.before(place)
            && *of == rank
            && rules
                .compare(old.record()?, record, &mut scratch.spans)?
                .is_eq()
        {
            if !change.keeps_old {
                let grown = old.reconcile(rules, change.number, bytes, scratch)?;
                return Ok((grown, false));
            }
            let mut both = old.clone();
            both.reconcile(rules, change.number, bytes, scratch)?;
            new = both;
            several = true;
        }
        grown += new.footprint();
        grown += self.records.insert(place, rank, new);
        Ok((grown as isize, several))
    }
}

impl Stored {
    /// Becomes what it and another record of its place are together. Returns by how many bytes it has grown.
    fn reconcile(
        &mut self,
        rules: &Rules,
        change: u64,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> Result<isize> {
        let before = self.footprint() as isize;
        let (old, new) = (self.record()?, Record::new(bytes)?);
        let out = &mut scratch.bytes;
        out.clear();
        let kind = new.kind();
        if kind == Kind::Partition {
            let deletion = old.partition_deletion()?.max(new.partition_deletion()?);
            record::partition(out, new.key(), deletion)?;
        } else {
            let columns = rules.merge.header().clustering.len();
            let [old_row, new_row] = &mut scratch.rows;
            old.row(columns, old_row)?;
            new.row(columns, new_row)?;
            let versions = [
                RowRef::new(old.bytes(), old_row),
                RowRef::new(new.bytes(), new_row),
            ];
            let columns = match kind {
                Kind::Static => rules.merge.statics(),
                _ => rules.merge.regulars(),
            };
            let live = DeletionTime::LIVE;
            let (merger, merged) = (&mut scratch.merger, &mut scratch.merged);
            merger.merge(&versions, ClusteringOf::Last, live, columns, merged)?;
            record::row(out, new.key(), merged.get())?;
        }
        *self = Stored::new(change, &out[LENGTH_BYTES..]);
        Ok(self.footprint() as isize - before)
    }
}
