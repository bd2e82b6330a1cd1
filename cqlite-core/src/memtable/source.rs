//! A memtable as the one stream.
//!
//! Authority: `o.a.c.db.memtable.Memtable.{partitionIterator,rowIterator}`.

use super::Memtable;
use super::shard::{Stored, Taken, Wanted};
use crate::merge::OwnedRow;
use crate::model::{
    MarkerBuf, MarkerRef, PartitionHead, PartitionSource, Slice, StreamHeader, Unfiltered,
};
use crate::partitioner::{DecoratedKey, TokenRange};
use crate::sstable::builder::record::Record;
use crate::sstable::builder::source::{RecordSource, Records};
use crate::{Error, ErrorKind, Result};
use std::sync::atomic::Ordering;

/// Partitions of a memtable as they were at one moment, whatever is written meanwhile.
pub struct MemtableSource<'m> {
    source: RecordSource<Cursor<'m>>,
    /// What is left of the partition, if it is given from its end.
    backwards: Option<Vec<Kept>>,
    current: Option<Kept>,
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
        self.source(Wanted::Range(range), shard, moment, false)
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
        let wanted = Wanted::Partition(key);
        let shard = self.shard_of(key.token);
        let mut source = self.source(wanted, shard, None, reversed);
        let cursor = source.source.records_mut();
        if *slices == [Slice::ALL] {
            cursor.fill()?;
        } else {
            cursor.wanted = None;
            self.lock(shard)
                .take_slices(&self.rules, &key, slices, &mut cursor.batch)?;
        }
        Ok((!cursor.batch.is_empty()).then_some(source))
    }

    fn source<'m>(
        &'m self,
        wanted: Wanted<'m>,
        shard: usize,
        moment: Option<Moment<'m>>,
        reversed: bool,
    ) -> MemtableSource<'m> {
        let cursor = Cursor {
            memtable: self,
            wanted: Some(wanted),
            moment,
            shard,
            batch: Vec::new(),
            next: 0,
            last: None,
            is_at_last: false,
        };
        MemtableSource {
            source: RecordSource::new(cursor, self.rules.merge.clone()),
            backwards: reversed.then(Vec::new),
            current: None,
        }
    }

    /// The present state, which is kept for as long as someone reads it.
    fn moment(&self) -> Moment<'_> {
        self.readers.fetch_add(1, Ordering::SeqCst);
        // Changes get their numbers in their shards' locks: with all of these none is half done.
        let locks: Vec<_> = (0..self.shards.len()).map(|i| self.lock(i)).collect();
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

impl Cursor<'_> {
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
            let shard = memtable.lock(self.shard);
            let taken = shard.take(&memtable.rules, wanted, after, change, &mut self.batch)?;
            match (taken, wanted) {
                (Taken::Some, _) => {
                    // While the shard is locked, no change of the partition can begin.
                    self.moment.get_or_insert_with(|| {
                        memtable.readers.fetch_add(1, Ordering::SeqCst);
                        Moment {
                            memtable,
                            change: memtable.changes.load(Ordering::SeqCst),
                        }
                    });
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

impl PartitionSource for MemtableSource<'_> {
    fn header(&self) -> &StreamHeader {
        self.source.header()
    }

    fn next_partition(&mut self) -> Result<bool> {
        self.current = None;
        let found = self.source.next_partition()?;
        if let (Some(kept), true) = (&mut self.backwards, found) {
            kept.clear();
            while self.source.next_unfiltered()? {
                kept.push(Kept::of(self.source.unfiltered()));
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
            Some(kept) => {
                self.current = kept.pop();
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
