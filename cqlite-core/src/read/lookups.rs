//! Many partitions of a table by their keys, in the order in which they are stored.
//!
//! Most keys are in one SSTable alone. Each SSTable keeps one reader for these, with its window of Data.db and its place in
//! the index, so that keys that lie together share what was decompressed and found. Any other key is read as if it were
//! asked for alone.

use super::member::{Asked, Member};
use super::partition;
use super::source::Partitions;
use super::{Queried, TableReader, WHOLE};
use crate::Result;
use crate::memtable::Memtable;
use crate::metrics::ReadStats;
use crate::model::{PartitionHead, PartitionSource, StreamHeader, Unfiltered};
use crate::partitioner::DecoratedKey;
use crate::sstable::big::Place;
use crate::sstable::data::{Fetch, Layout, Window};
use crate::sstable::index::PartitionIndex;
use crate::sstable::{Lookup, SliceReader};
use std::ops::Range;
use std::sync::Arc;

/// Raw keys of partitions in the order in which they are stored, each once.
#[derive(Debug)]
pub(crate) struct KeyList {
    bytes: Vec<u8>,
    keys: Vec<Range<usize>>,
}

impl KeyList {
    /// Keys that lie in `bytes`, each behind the one before in the order of their partitioner.
    pub fn new(bytes: Vec<u8>, keys: Vec<Range<usize>>) -> Self {
        KeyList { bytes, keys }
    }

    /// The `i`th one.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&[u8]> {
        self.bytes.get(self.keys.get(i)?.clone())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }
}

/// The partitions of some keys.
pub struct Lookups<'a> {
    reader: &'a TableReader,
    keys: &'a KeyList,
    reversed: bool,
    queried: Arc<Queried>,
    /// Number of the key that is looked up next.
    next: usize,
    /// Those that have anything.
    memtables: Vec<&'a Arc<Memtable>>,
    /// One for each SSTable.
    cursors: Vec<Cursor<'a>>,
    present: Present<'a>,
}

/// Where the present partition comes from.
enum Present<'a> {
    Nothing,
    /// The SSTable of this number alone.
    Alone(usize),
    Merged(Box<Partitions<'a>>),
}

/// An SSTable that is asked for one key after the other.
struct Cursor<'a> {
    member: &'a Member,
    layout: Arc<Layout>,
    index: Option<PartitionIndex<'a>>,
    place: Place,
    /// Made when it is needed first.
    reader: Option<SliceReader<'a>>,
}

impl<'a> Lookups<'a> {
    pub(super) fn new(
        reader: &'a TableReader,
        keys: &'a KeyList,
        reversed: bool,
        queried: Arc<Queried>,
    ) -> Self {
        let span =
            tracing::debug_span!("look up", table = %reader.schema.full_name(), keys = keys.len());
        let _span = span.enter();
        let members = reader.sstables.iter().enumerate();
        let cursor = |(i, member)| Cursor {
            member,
            layout: queried.layout(i, member),
            index: None,
            place: Place::default(),
            reader: None,
        };
        let memtables = reader.memtables.iter();
        Lookups {
            cursors: members.map(cursor).collect(),
            memtables: memtables.filter(|m| !m.is_empty()).collect(),
            reader,
            keys,
            reversed,
            queried,
            next: 0,
            present: Present::Nothing,
        }
    }

    /// Stands on the partition of a key, if there is one.
    fn open(&mut self, raw: &'a [u8]) -> Result<bool> {
        let reader = self.reader;
        let key = reader.partitioner().decorate(raw);
        let mut stats = ReadStats::default();
        let (mut last, mut count) = (0, 0);
        for (i, member) in reader.sstables.iter().enumerate() {
            if member.might_contain(&key, &mut stats)? {
                (last, count) = (i, count + 1);
            }
        }
        if count > 1 || self.memtables.iter().any(|memtable| memtable.has(&key)) {
            let mut merged = partition::read(reader, raw, WHOLE, self.reversed, &self.queried)?;
            let is_there = merged.next_partition()?;
            self.present = Present::Merged(Box::new(merged));
            return Ok(is_there);
        }
        let is_there = match self.cursors.get_mut(last) {
            Some(cursor) if count == 1 => cursor.open(&key, self.reversed, &mut stats)?,
            _ => false,
        };
        if let Some(metrics) = &reader.metrics {
            metrics.note_lookup(&stats);
        }
        self.present = Present::Alone(last);
        Ok(is_there)
    }
}

impl<'a> Cursor<'a> {
    /// Stands on the partition of a key that is behind those before, if the SSTable has it.
    fn open(
        &mut self,
        key: &DecoratedKey<'a>,
        reversed: bool,
        stats: &mut ReadStats,
    ) -> Result<bool> {
        let sstable = &self.member.sstable;
        if self.index.is_none() {
            self.index = sstable.partition_index()?;
        }
        let lookup = match &self.index {
            Some(index) => index
                .lookup_behind(sstable.partitioner(), key, &mut self.place)
                .map_err(|e| sstable.in_index(e))?
                .map_or(Lookup::Absent, Lookup::At),
            None => Lookup::NoIndex,
        };
        let asked = Asked {
            key,
            slices: WHOLE,
            reversed,
        };
        let is_there = match self.member.request(&asked, WHOLE, lookup)? {
            None => false,
            Some(request) => match &mut self.reader {
                Some(reader) => {
                    reader.restart(request);
                    reader.next_partition()?
                }
                None => {
                    let window = Window::new(sstable.data().clone(), Fetch::Point);
                    let (layout, clusterings) = (self.layout.clone(), sstable.clusterings());
                    let reader = SliceReader::new(window, layout, clusterings, request);
                    self.reader.insert(reader).next_partition()?
                }
            },
        };
        match is_there {
            true => stats.sstables += 1,
            false => stats.false_positives += u32::from(sstable.filter()?.is_some()),
        }
        Ok(is_there)
    }
}

macro_rules! present {
    ($self:ident, $source:ident => $call:expr) => {
        match &$self.present {
            Present::Merged($source) => Some($call),
            Present::Alone(i) => $self.cursors[*i].reader.as_ref().map(|$source| $call),
            Present::Nothing => None,
        }
    };
}

impl PartitionSource for Lookups<'_> {
    fn header(&self) -> &StreamHeader {
        self.reader.header()
    }

    fn next_partition(&mut self) -> Result<bool> {
        while let Some(key) = self.keys.get(self.next) {
            self.next += 1;
            if self.open(key)? {
                return Ok(true);
            }
        }
        self.present = Present::Nothing;
        Ok(false)
    }

    fn partition(&self) -> PartitionHead<'_> {
        present!(self, source => source.partition()).expect("it stands on a partition")
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        match &mut self.present {
            Present::Merged(source) => source.next_unfiltered(),
            Present::Alone(i) => match &mut self.cursors[*i].reader {
                Some(reader) => reader.next_unfiltered(),
                None => Ok(false),
            },
            Present::Nothing => Ok(false),
        }
    }

    fn unfiltered(&self) -> Unfiltered<'_> {
        present!(self, source => source.unfiltered()).expect("it stands on a row or marker")
    }
}
