//! What a merge of a table reads from, and the merge as those see it who read a table.

use super::gathered::Gathered;
use super::lookups::Lookups;
use super::member::RangeScan;
use super::memory::MemtableRead;
use crate::Result;
use crate::merge::Merge;
use crate::metrics::TimedRead;
use crate::model::{
    DeletionTime, PartitionHead, PartitionSource, RowRef, StreamHeader, Unfiltered,
};
use crate::sstable::SliceReader;

/// What one SSTable or memtable gives to a merge.
pub struct TableSource<'a> {
    kind: Kind<'a>,
    /// It stands on its first partition, to which nobody has advanced it yet.
    is_ahead: bool,
}

pub(super) enum Kind<'a> {
    /// Partitions of a memtable.
    Memory(Box<MemtableRead<'a>>),
    /// Partitions of a token range.
    Range(Box<RangeScan<'a>>),
    /// Slices of one partition.
    Slices(Box<SliceReader<'a>>),
    /// What was read of one partition before.
    Gathered(Box<Gathered<'a>>),
    /// Partitions by their keys.
    Lookups(Box<Lookups<'a>>),
}

macro_rules! each_kind {
    ($self:ident, $source:ident => $call:expr) => {
        match $self {
            Kind::Memory($source) => $call,
            Kind::Range($source) => $call,
            Kind::Slices($source) => $call,
            Kind::Gathered($source) => $call,
            Kind::Lookups($source) => $call,
        }
    };
}

impl PartitionSource for Kind<'_> {
    fn header(&self) -> &StreamHeader {
        each_kind!(self, source => source.header())
    }

    fn next_partition(&mut self) -> Result<bool> {
        each_kind!(self, source => source.next_partition())
    }

    #[inline]
    fn partition(&self) -> PartitionHead<'_> {
        each_kind!(self, source => source.partition())
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        each_kind!(self, source => source.next_unfiltered())
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        each_kind!(self, source => source.unfiltered())
    }
}

impl<'a> TableSource<'a> {
    pub(super) fn new(kind: Kind<'a>) -> Self {
        TableSource {
            kind,
            is_ahead: false,
        }
    }

    /// One that stands on its first partition; `None` if it has none.
    pub(super) fn opened(mut kind: Kind<'a>) -> Result<Option<Self>> {
        let is_ahead = kind.next_partition()?;
        Ok(is_ahead.then_some(TableSource { kind, is_ahead }))
    }

    /// Deletion of the partition that an [opened](Self::opened) one stands on.
    pub(super) fn deletion(&self) -> DeletionTime {
        self.kind.partition().deletion
    }
}

impl PartitionSource for TableSource<'_> {
    fn header(&self) -> &StreamHeader {
        self.kind.header()
    }

    #[inline]
    fn next_partition(&mut self) -> Result<bool> {
        match std::mem::take(&mut self.is_ahead) {
            true => Ok(true),
            false => self.kind.next_partition(),
        }
    }

    #[inline]
    fn partition(&self) -> PartitionHead<'_> {
        self.kind.partition()
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        self.kind.next_unfiltered()
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        self.kind.unfiltered()
    }
}

/// Partitions of a table, merged over its SSTables and memtables.
pub struct Partitions<'a> {
    merge: Merge<'a, TableSource<'a>>,
    /// If this read is measured.
    timed: Option<Box<TimedRead>>,
}

impl<'a> Partitions<'a> {
    pub(super) fn new(merge: Merge<'a, TableSource<'a>>, timed: Option<TimedRead>) -> Self {
        Partitions {
            merge,
            timed: timed.map(Box::new),
        }
    }
}

impl PartitionSource for Partitions<'_> {
    fn header(&self) -> &StreamHeader {
        self.merge.header()
    }

    #[inline]
    fn next_partition(&mut self) -> Result<bool> {
        let is_there = self.merge.next_partition()?;
        if let (Some(timed), true) = (&mut self.timed, is_there) {
            let is_deleted = !self.merge.partition().deletion.is_live();
            timed.saw(false, u64::from(is_deleted));
        }
        Ok(is_there)
    }

    #[inline]
    fn key_hash(&self) -> Option<(u64, u64)> {
        self.merge.key_hash()
    }

    #[inline]
    fn partition(&self) -> PartitionHead<'_> {
        self.merge.partition()
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        let is_there = self.merge.next_unfiltered()?;
        if let (Some(timed), true) = (&mut self.timed, is_there) {
            match self.merge.unfiltered() {
                Unfiltered::Row(row) => timed.saw(true, tombstones(row)),
                Unfiltered::Marker(_) => timed.saw(false, 1),
            }
        }
        Ok(is_there)
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        self.merge.unfiltered()
    }
}

/// Deletions in a row, as `ReadCommand.withMetricsRecording` counts them: a row's deletion once, and each cell that is one.
fn tombstones(row: RowRef<'_>) -> u64 {
    let cells = row.buf().cells.iter();
    let deleted =
        cells.filter(|c| c.ttl == 0 && c.local_deletion_time != crate::model::NO_DELETION_TIME);
    u64::from(!row.deletion().time.is_live()) + deleted.count() as u64
}
