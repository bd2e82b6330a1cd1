//! A memtable as the one stream.
//!
//! Authority: `o.a.c.db.memtable.Memtable.{partitionIterator,rowIterator}`.

use super::Memtable;
use super::shard::{Stored, Taken, Wanted};
use crate::merge::OwnedRow;
use crate::model::{
    BoundKind, MarkerBuf, MarkerRef, PartitionHead, PartitionSource, Slice, StreamHeader,
    Unfiltered,
};
use crate::partitioner::{DecoratedKey, TokenRange};
use crate::sstable::builder::record::Record;
use crate::sstable::builder::source::{RecordSource, Records};
use crate::{Error, ErrorKind, Result};
use std::sync::atomic::Ordering;

/// Partitions of a memtable as they were at one moment, whatever is written meanwhile.
pub struct MemtableSource<'m> {
    source: RecordSource<Cursor<'m>>,
    /// The rest of the partition, if it is given from its end: the source has a part of it then.
    backwards: Option<Backwards<'m>>,
    current: Option<Kept>,
}

/// A partition that is given from its end, some hundred records at a time.
struct Backwards<'m> {
    memtable: &'m Memtable,
    key: DecoratedKey<'m>,
    shard: usize,
    /// What is wanted and was not taken yet.
    slices: Vec<Slice>,
    /// What is seen, if not all is taken at once.
    moment: Option<Moment<'m>>,
    /// What was taken and not given yet, in storage order.
    kept: Vec<Kept>,
}

enum Kept {
    Row(OwnedRow),
    Marker(Vec<u8>, MarkerBuf),
}

impl Memtable {
    /// The partitions of a token range.
    pub fn scan<'m>(&'m self, range: &'m TokenRange) -> MemtableSource<'m> {
        let shard = range
            .start()
            .map_or(0, |start| self.shard_of(start.token()));
        let moment = Some(self.moment());
        self.source(Cursor::new(self, Some(Wanted::Range(range)), moment, shard))
    }

    /// Slices of the partition of a key, if it is there. The slices ascend in storage order and lie apart from each other.
    /// `reversed` gives rows from the end.
    ///
    /// # Errors
    /// `InvalidInput` for bounds that no partition can have.
    pub fn read<'m>(
        &'m self,
        key: DecoratedKey<'m>,
        slices: &[Slice],
        reversed: bool,
    ) -> Result<Option<MemtableSource<'m>>> {
        let shard = self.shard_of(key.token);
        if reversed {
            return self.read_backwards(key, shard, slices.to_vec());
        }
        let mut cursor = Cursor::new(self, None, None, shard);
        if *slices == [Slice::ALL] {
            cursor.wanted = Some(Wanted::Partition(key));
            cursor.fill()?;
        } else {
            let batch = &mut cursor.batch;
            self.shared(shard)
                .take_slices(&self.rules, &key, slices, u64::MAX, batch)?;
        }
        Ok((!cursor.batch.is_empty()).then(|| self.source(cursor)))
    }

    fn read_backwards<'m>(
        &'m self,
        key: DecoratedKey<'m>,
        shard: usize,
        slices: Vec<Slice>,
    ) -> Result<Option<MemtableSource<'m>>> {
        let mut backwards = Backwards {
            memtable: self,
            key,
            shard,
            slices,
            moment: None,
            kept: Vec::new(),
        };
        let Some(cursor) = backwards.take()? else {
            return Ok(None);
        };
        Ok(Some(MemtableSource {
            backwards: Some(backwards),
            ..self.source(cursor)
        }))
    }

    fn source<'m>(&'m self, cursor: Cursor<'m>) -> MemtableSource<'m> {
        MemtableSource {
            source: RecordSource::new(cursor, self.rules.merge.clone()),
            backwards: None,
            current: None,
        }
    }

    /// The present state, which is kept for as long as someone reads it.
    fn moment(&self) -> Moment<'_> {
        self.readers.fetch_add(1, Ordering::SeqCst);
        // Changes get their numbers in their shards' locks: with all of these none is half done.
        let locks: Vec<_> = (0..self.shards.len()).map(|i| self.shared(i)).collect();
        let change = self.changes.load(Ordering::SeqCst);
        drop(locks);
        Moment {
            memtable: self,
            change,
        }
    }
}

/// The state after a change.
struct Moment<'m> {
    memtable: &'m Memtable,
    change: u64,
}

impl<'m> Moment<'m> {
    /// The present state of the partitions of a shard, which is locked.
    fn of_locked(memtable: &'m Memtable) -> Self {
        memtable.readers.fetch_add(1, Ordering::SeqCst);
        Moment {
            memtable,
            change: memtable.changes.load(Ordering::SeqCst),
        }
    }
}

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        self.memtable.readers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Goes through records a batch at a time; shards are locked while one is taken.
struct Cursor<'m> {
    memtable: &'m Memtable,
    /// `None` once all was taken.
    wanted: Option<Wanted<'m>>,
    /// What is seen; of one partition what the first batch has, if it has all.
    moment: Option<Moment<'m>>,
    shard: usize,
    batch: Vec<Stored>,
    /// Number in the batch of the record behind the present one.
    next: usize,
    /// The last record of the batch before.
    last: Option<Stored>,
    /// That is the present one.
    is_at_last: bool,
}

impl<'m> Cursor<'m> {
    fn new(
        memtable: &'m Memtable,
        wanted: Option<Wanted<'m>>,
        moment: Option<Moment<'m>>,
        shard: usize,
    ) -> Self {
        Cursor {
            memtable,
            wanted,
            moment,
            shard,
            batch: Vec::new(),
            next: 0,
            last: None,
            is_at_last: false,
        }
    }

    fn at(&self, number: usize) -> Result<Record<'_>> {
        match self.batch.get(number) {
            Some(stored) => stored.record(),
            None => Err(Error::new(ErrorKind::Internal, "there is no such record")),
        }
    }

    /// Takes the next batch, which is empty at the end.
    fn fill(&mut self) -> Result<()> {
        if let Some(last) = self.batch.pop() {
            self.last = Some(last);
        }
        self.batch.clear();
        self.next = 0;
        let memtable = self.memtable;
        while self.batch.is_empty()
            && let Some(wanted) = self.wanted
        {
            let change = self.moment.as_ref().map_or(u64::MAX, |m| m.change);
            // The last record of another shard sorts before all of this one.
            let after = self.last.as_ref();
            let shard = memtable.shared(self.shard);
            let taken = shard.take(&memtable.rules, wanted, after, change, &mut self.batch)?;
            match (taken, wanted) {
                (Taken::Some, _) => {
                    // While the shard is locked, no change of the partition can begin.
                    self.moment
                        .get_or_insert_with(|| Moment::of_locked(memtable));
                }
                (Taken::All, Wanted::Range(_)) if self.shard + 1 < memtable.shards.len() => {
                    self.shard += 1;
                }
                (Taken::All | Taken::End, _) => self.wanted = None,
            }
        }
        Ok(())
    }
}

impl Records for Cursor<'_> {
    fn advance(&mut self) -> Result<bool> {
        if self.next == self.batch.len() {
            self.fill()?;
        }
        self.is_at_last = false;
        let more = self.next < self.batch.len();
        self.next += usize::from(more);
        Ok(more)
    }

    fn current(&self) -> Result<Record<'_>> {
        match &self.last {
            Some(last) if self.is_at_last => last.record(),
            _ => self.at(self.next.wrapping_sub(1)),
        }
    }

    fn has_following(&mut self) -> Result<bool> {
        if self.next == self.batch.len() && !self.is_at_last {
            self.fill()?;
            self.is_at_last = true;
        }
        Ok(self.next < self.batch.len())
    }

    fn following(&self) -> Result<Record<'_>> {
        self.at(self.next)
    }
}

impl Kept {
    fn of(unfiltered: Unfiltered<'_>) -> Self {
        match unfiltered {
            Unfiltered::Row(row) => Kept::Row(OwnedRow::of(row)),
            Unfiltered::Marker(marker) => {
                Kept::Marker(marker.bytes().to_vec(), marker.buf().clone())
            }
        }
    }
}

impl<'m> Backwards<'m> {
    /// Takes the last records of what is left, and the partition's own; `None` if there are none.
    fn take(&mut self) -> Result<Option<Cursor<'m>>> {
        let memtable = self.memtable;
        let rules = &memtable.rules;
        let mut cursor = Cursor::new(memtable, None, None, self.shard);
        loop {
            let change = self.moment.as_ref().map_or(u64::MAX, |m| m.change);
            let shard = memtable.shared(self.shard);
            let slices = shard.last_slices(rules, &self.key, &mut self.slices, change)?;
            shard.take_slices(rules, &self.key, &slices, change, &mut cursor.batch)?;
            if !self.slices.is_empty() {
                // While the shard is locked, no change of the partition can begin.
                self.moment
                    .get_or_insert_with(|| Moment::of_locked(memtable));
            }
            drop(shard);
            if !cursor.batch.is_empty() {
                return Ok(Some(cursor));
            }
            if self.slices.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Keeps what a source has of the partition it stands in.
    fn keep(&mut self, source: &mut RecordSource<Cursor<'m>>) -> Result<()> {
        while source.next_unfiltered()? {
            self.kept.push(Kept::of(source.unfiltered()));
        }
        Ok(())
    }

    /// What is before all that was given. Other records are taken through `source`.
    fn next(&mut self, source: &mut RecordSource<Cursor<'m>>) -> Result<Option<Kept>> {
        // Where one part begins, ranges may go on in the one before it.
        while self.kept.len() < 2 && !self.slices.is_empty() {
            let first = self.kept.pop();
            if let Some(cursor) = self.take()? {
                *source = RecordSource::new(cursor, self.memtable.rules.merge.clone());
                if source.next_partition()? {
                    self.keep(source)?;
                }
            }
            if let Some(first) = first {
                self.put_back(first);
            }
        }
        Ok(self.kept.pop())
    }

    /// Puts the first of a part behind what the part before it has. The end of a range there and its going on become one.
    fn put_back(&mut self, mut first: Kept) {
        let comparator = self.memtable.rules.merge.comparator();
        if let Kept::Marker(bytes, start) = &mut first
            && let Some(Kept::Marker(end_bytes, end)) = self.kept.last()
        {
            let start_values = MarkerRef::new(bytes, start).values();
            let end_values = MarkerRef::new(end_bytes, end).values();
            let order = comparator.compare(start_values, start.kind, end_values, end.kind);
            if order.is_eq() {
                let close = end.close;
                self.kept.pop();
                if close == start.open {
                    return;
                }
                start.close = close;
                start.kind = match start.kind.weight().is_lt() {
                    true => BoundKind::ExclEndInclStart,
                    false => BoundKind::InclEndExclStart,
                };
            }
        }
        self.kept.push(first);
    }
}

#[cfg(test)]
impl MemtableSource<'_> {
    /// Rows and markers that wait to be given, of a partition that is given from its end.
    pub fn held(&self) -> usize {
        self.backwards.as_ref().map_or(0, |b| b.kept.len())
    }
}

impl PartitionSource for MemtableSource<'_> {
    fn header(&self) -> &StreamHeader {
        self.source.header()
    }

    fn next_partition(&mut self) -> Result<bool> {
        self.current = None;
        let found = self.source.next_partition()?;
        if let Some(backwards) = &mut self.backwards {
            match found {
                true => backwards.keep(&mut self.source)?,
                // There is one, of which something may be left.
                false => {
                    backwards.slices.clear();
                    backwards.kept.clear();
                }
            }
        }
        Ok(found)
    }

    fn partition(&self) -> PartitionHead<'_> {
        self.source.partition()
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        match &mut self.backwards {
            None => self.source.next_unfiltered(),
            Some(backwards) => {
                self.current = backwards.next(&mut self.source)?;
                Ok(self.current.is_some())
            }
        }
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        match &self.current {
            None => self.source.unfiltered(),
            Some(Kept::Row(row)) => Unfiltered::Row(row.get()),
            Some(Kept::Marker(bytes, marker)) => Unfiltered::Marker(MarkerRef::new(bytes, marker)),
        }
    }
}
