//! Puts records in order in a fixed memory: sorts what fits, spills sorted runs, merges them.
//!
//! Authority for the behaviour: `o.a.c.io.sstable.SSTableSimpleUnsortedWriter`, which writes an SSTable of its own whenever
//! its memory is full; here all becomes one.

use super::record::{self, Kind, LENGTH_BYTES, Record};
use super::run::{Run, RunReader, RunWriter};
use super::source::{RecordSource, Records};
use crate::merge::{Merge, MergeRules};
use crate::model::{
    Bound, BoundKind, ClusteringRef, DeletionTime, PartitionSource, RowRef, Slice, Span, Unfiltered,
};
use crate::partitioner::{Partitioner, Token};
use crate::types::CqlType;
use crate::{Error, Result};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs of about one length that are merged into a longer one when there are so many.
const FAN_IN: usize = 32;

/// Least memory of records, in bytes.
const MEMORY_MIN: usize = 4 * 1024;

/// Bytes of rows that are held until the end of the range is known that they lie in.
const HELD_BYTES: usize = 256 * 1024;

/// Most memory of records: their offsets are kept in 32 bits.
const MEMORY_MAX: usize = u32::MAX as usize / 2;

/// A record in memory: what orders it as far as numbers can, and where it is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Token of the key, if it is a number.
    token: i64,
    /// Orders the records of a partition that compare unequal here.
    prefix: u64,
    offset: u32,
}

/// Records in memory.
struct Buffer {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Buffer {
    fn record(&self, entry: &Entry) -> Result<Record<'_>> {
        record_at(&self.bytes, entry.offset as usize)
    }

    /// Bytes in use, sorting included, which takes a half of the entries once more.
    fn used(&self) -> usize {
        self.bytes.len() + self.entries.len() * (size_of::<Entry>() * 3 / 2)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}

pub(crate) fn record_at(bytes: &[u8], offset: usize) -> Result<Record<'_>> {
    let rest = bytes.get(offset..).unwrap_or_default();
    let split = rest.split_first_chunk::<LENGTH_BYTES>();
    let record = split.and_then(|(length, rest)| rest.get(..u32::from_be_bytes(*length) as usize));
    Ok(Record::new(record.unwrap_or_default())?)
}

/// Sorts records.
pub(crate) struct Sorter {
    rules: Arc<MergeRules>,
    /// How numbers are made of the first clustering values.
    prefix: PrefixOf,
    directory: PathBuf,
    memory: usize,
    buffer: Buffer,
    /// Runs, and how often what is in them was merged: the longest first.
    runs: Vec<(u32, Run)>,
    spans: [Vec<Span>; 2],
}

impl Sorter {
    /// Sorts in `memory` bytes, and in temporary files in `directory`.
    pub fn new(rules: Arc<MergeRules>, directory: &Path, memory: usize) -> Self {
        Sorter {
            prefix: PrefixOf::new(&rules),
            rules,
            directory: directory.to_owned(),
            memory: memory.clamp(MEMORY_MIN, MEMORY_MAX),
            buffer: Buffer {
                bytes: Vec::new(),
                entries: Vec::new(),
            },
            runs: Vec::new(),
            spans: Default::default(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.buffer.entries.is_empty() && self.runs.is_empty()
    }

    /// Whether there is more than memory held.
    pub fn has_spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Bytes of the records in memory.
    pub fn buffered(&self) -> usize {
        self.buffer.bytes.len()
    }

    pub fn add_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()> {
        let offset = self.buffer.bytes.len();
        record::partition(&mut self.buffer.bytes, key, deletion)?;
        self.enter(key, offset)
    }

    #[inline]
    pub fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()> {
        let columns = self.rules.header().clustering.len();
        if !row.is_static() && row.clustering().len() != columns {
            return Err(Error::invalid("a row without all of its clustering values"));
        }
        let offset = self.buffer.bytes.len();
        record::row(&mut self.buffer.bytes, key, row)?;
        self.enter(key, offset)
    }

    pub fn add_range(&mut self, key: &[u8], slice: &Slice, deletion: DeletionTime) -> Result<()> {
        let offset = self.buffer.bytes.len();
        record::range(&mut self.buffer.bytes, key, slice, deletion)?;
        self.enter(key, offset)
    }

    /// Takes the record at `offset` up.
    #[inline]
    fn enter(&mut self, key: &[u8], offset: usize) -> Result<()> {
        let token = match self.rules.partitioner().token(key) {
            Token::Long(token) => token,
            _ => 0,
        };
        let record = record_at(&self.buffer.bytes, offset)?;
        let entry = Entry {
            token,
            prefix: self.prefix.of(&record),
            offset: offset as u32,
        };
        self.buffer.entries.push(entry);
        match self.buffer.used() >= self.memory {
            true => self.spill(),
            false => Ok(()),
        }
    }

    /// Sorts the records in memory.
    fn sort(&mut self) -> Result<()> {
        let Sorter {
            rules,
            buffer,
            spans: [a_spans, b_spans],
            ..
        } = self;
        let Buffer { bytes, entries, .. } = buffer;
        let columns = rules.header().clustering.len();
        let mut failed = None;
        // Where tokens are equal, keys are too, unless someone looked for keys of which they are not.
        let mut compare = |a: &Entry, b: &Entry, keys: bool| {
            let order = a.token.cmp(&b.token);
            if order.is_ne() {
                return order;
            }
            if !keys && a.prefix != b.prefix {
                return a.prefix.cmp(&b.prefix);
            }
            let order = (|| {
                let (a, b) = (
                    record_at(bytes, a.offset as usize)?,
                    record_at(bytes, b.offset as usize)?,
                );
                let order = rules.partitioner().compare_keys(a.key(), b.key());
                if order.is_ne() {
                    return Ok(order);
                }
                compare_in_partition(rules, columns, (a, b), (a_spans, b_spans))
            })();
            order.unwrap_or_else(|e: Error| {
                failed.get_or_insert(e);
                Ordering::Equal
            })
        };
        let by_token = matches!(rules.partitioner(), Partitioner::Murmur3);
        // Stable, for it takes parts that are in order already as they are.
        entries.sort_by(|a, b| compare(a, b, !by_token));
        let mut collides = false;
        if by_token {
            for pair in entries.windows(2) {
                if pair[0].token == pair[1].token {
                    let key = |e: &Entry| record_at(bytes, e.offset as usize).map(|r| r.key());
                    collides |= key(&pair[0])? != key(&pair[1])?;
                }
            }
        }
        if collides {
            entries.sort_by(|a, b| compare(a, b, true));
        }
        match failed {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// Writes the records in memory as a sorted run.
    fn spill(&mut self) -> Result<()> {
        self.sort()?;
        let mut run = RunWriter::create(&self.directory)?;
        let mut partitions = 0;
        let mut last: Option<&Entry> = None;
        for entry in &self.buffer.entries {
            let record = self.buffer.record(entry)?;
            run.push(record.bytes())?;
            let is_new = match last {
                Some(last) => {
                    last.token != entry.token || self.buffer.record(last)?.key() != record.key()
                }
                None => true,
            };
            partitions += u64::from(is_new);
            last = Some(entry);
        }
        self.runs.push((0, run.finish(partitions)?));
        self.buffer.clear();
        while let Some((level, _)) = self.runs.last()
            && let Some(first) = self.runs.len().checked_sub(FAN_IN)
            && self.runs[first].0 == *level
        {
            self.merge_runs(first)?;
        }
        Ok(())
    }

    /// Makes one run of those from `first` on.
    fn merge_runs(&mut self, first: usize) -> Result<()> {
        let runs = self.runs.split_off(first);
        let level = runs.first().map_or(0, |(level, _)| *level) + 1;
        let mut run = RunWriter::create(&self.directory)?;
        let mut merge = Merge::new(&self.rules, readers(&runs, &self.rules)?, false);
        let mut partitions = 0;
        while merge.next_partition()? {
            write_partition(&mut merge, &mut run)?;
            partitions += 1;
        }
        self.runs.push((level, run.finish(partitions)?));
        Ok(())
    }

    /// About how many partitions there are: never less than there are.
    pub fn partitions(&mut self) -> Result<u64> {
        self.sort()?;
        let mut count = self.runs.iter().map(|(_, run)| run.partitions()).sum();
        let mut last: Option<&Entry> = None;
        for entry in &self.buffer.entries {
            let is_new = match last {
                Some(last) if last.token == entry.token => {
                    self.buffer.record(last)?.key() != self.buffer.record(entry)?.key()
                }
                _ => true,
            };
            count += u64::from(is_new);
            last = Some(entry);
        }
        Ok(count)
    }

    /// The records in memory as a stream.
    #[cfg(test)]
    pub fn memory_source(&mut self) -> Result<impl PartitionSource> {
        self.sort()?;
        let records = Sorted::new(&self.buffer, self.buffer.entries.len());
        Ok(RecordSource::new(records, self.rules.clone()))
    }

    /// Gives all records as a stream to `take`, and is empty then.
    pub fn drain(
        &mut self,
        take: impl FnOnce(&mut dyn PartitionSource) -> Result<()>,
    ) -> Result<()> {
        if self.runs.is_empty() {
            self.sort()?;
            let records = Sorted::new(&self.buffer, self.buffer.entries.len());
            take(&mut RecordSource::new(records, self.rules.clone()))?;
            self.buffer.clear();
            return Ok(());
        }
        if !self.buffer.entries.is_empty() {
            self.spill()?;
        }
        // What sorted is not needed any more; a merge needs memory of its own.
        self.buffer.bytes = Vec::new();
        self.buffer.entries = Vec::new();
        while self.runs.len() > 2 * FAN_IN {
            self.merge_runs(self.runs.len() - FAN_IN)?;
        }
        let runs = std::mem::take(&mut self.runs);
        take(&mut Merge::new(
            &self.rules,
            readers(&runs, &self.rules)?,
            false,
        ))
    }
}

fn readers<'r>(
    runs: &'r [(u32, Run)],
    rules: &Arc<MergeRules>,
) -> Result<Vec<RecordSource<RunReader<'r>>>> {
    let reader = |(_, run): &'r (u32, Run)| Ok(RecordSource::new(run.reader()?, rules.clone()));
    runs.iter().map(reader).collect()
}

/// Writes the partition that `source` stands on as records.
fn write_partition(source: &mut impl PartitionSource, run: &mut RunWriter) -> Result<()> {
    let head = source.partition();
    let key = head.key.to_vec();
    let mut bytes = Vec::new();
    if !head.deletion.is_live() {
        record::partition(&mut bytes, &key, head.deletion)?;
    }
    if let Some(row) = head.static_row {
        record::row(&mut bytes, &key, row)?;
    }
    push_all(&mut bytes, run)?;
    // What comes while a range is open stands behind the range's record, which tells its end.
    let mut open: Option<(Bound, DeletionTime)> = None;
    while source.next_unfiltered()? {
        match source.unfiltered() {
            Unfiltered::Row(row) => {
                if bytes.len() >= HELD_BYTES
                    && let Some((start, time)) = &mut open
                {
                    // Too much was held: a range may be cut, for two that meet are one again when they are read.
                    let at = |kind| bound(kind, row.clustering());
                    let start = std::mem::replace(start, at(BoundKind::InclStart));
                    let slice = Slice {
                        start,
                        end: at(BoundKind::ExclEnd),
                    };
                    push_range(run, &key, &slice, *time)?;
                    push_all(&mut bytes, run)?;
                }
                record::row(&mut bytes, &key, row)?;
            }
            Unfiltered::Marker(marker) => {
                let (end, start) = match marker.kind() {
                    BoundKind::ExclEndInclStart => (BoundKind::ExclEnd, BoundKind::InclStart),
                    BoundKind::InclEndExclStart => (BoundKind::InclEnd, BoundKind::ExclStart),
                    kind => (kind, kind),
                };
                if let Some((from, time)) = open.take() {
                    let slice = Slice {
                        start: from,
                        end: bound(end, marker.values()),
                    };
                    push_range(run, &key, &slice, time)?;
                }
                if marker.kind().is_start() {
                    push_all(&mut bytes, run)?;
                    open = Some((bound(start, marker.values()), marker.open()));
                }
            }
        }
        if open.is_none() {
            push_all(&mut bytes, run)?;
        }
    }
    Ok(())
}

fn bound(kind: BoundKind, values: ClusteringRef<'_>) -> Bound {
    let values = values.iter().map(|v| v.map(<[u8]>::to_vec)).collect();
    Bound { kind, values }
}

fn push_range(run: &mut RunWriter, key: &[u8], slice: &Slice, time: DeletionTime) -> Result<()> {
    let mut bytes = Vec::new();
    record::range(&mut bytes, key, slice, time)?;
    push_all(&mut bytes, run)
}

/// Moves the records of `bytes` to the run.
fn push_all(bytes: &mut Vec<u8>, run: &mut RunWriter) -> Result<()> {
    let mut at = 0;
    while at < bytes.len() {
        let record = record_at(bytes, at)?;
        run.push(record.bytes())?;
        at += LENGTH_BYTES + record.bytes().len();
    }
    bytes.clear();
    Ok(())
}

/// Orders two records of one partition.
pub(crate) fn compare_in_partition(
    rules: &MergeRules,
    columns: usize,
    (a, b): (Record<'_>, Record<'_>),
    (a_spans, b_spans): (&mut Vec<Span>, &mut Vec<Span>),
) -> Result<Ordering> {
    let rank = |r: &Record<'_>| match r.kind() {
        Kind::Partition => 0,
        Kind::Static => 1,
        Kind::Row | Kind::Range => 2,
    };
    let order = rank(&a).cmp(&rank(&b));
    if order.is_ne() || rank(&a) < 2 {
        return Ok(order);
    }
    let a_kind = a.start(columns, a_spans)?;
    let b_kind = b.start(columns, b_spans)?;
    Ok(rules
        .comparator()
        .compare(a.values(a_spans), a_kind, b.values(b_spans), b_kind))
}

/// Makes numbers that order the records of a partition, as far as they differ, by their first clustering value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PrefixOf {
    /// All numbers are the same.
    None,
    Int {
        descending: bool,
    },
    Long {
        descending: bool,
    },
    Bytes {
        descending: bool,
    },
}

impl PrefixOf {
    pub fn new(rules: &MergeRules) -> Self {
        let Some(first) = rules.header().clustering.first() else {
            return PrefixOf::None;
        };
        let descending = first.descending;
        match &first.ty {
            CqlType::Int => PrefixOf::Int { descending },
            CqlType::BigInt | CqlType::Timestamp => PrefixOf::Long { descending },
            ty if ty.is_byte_ordered() => PrefixOf::Bytes { descending },
            _ => PrefixOf::None,
        }
    }

    #[inline]
    pub fn of(self, record: &Record<'_>) -> u64 {
        if matches!(self, PrefixOf::None) || record.kind() < Kind::Row {
            return 0;
        }
        // No value at all, or null, comes first whatever the direction.
        let Some(value) = record.first_value() else {
            return 0;
        };
        let (prefix, descending) = match self {
            PrefixOf::None => return 0,
            PrefixOf::Int { descending } => match value.try_into() {
                Ok(v) => (u64::from(u32::from_be_bytes(v) ^ 1 << 31) << 32, descending),
                Err(_) => (0, descending),
            },
            PrefixOf::Long { descending } => match value.try_into() {
                Ok(v) => (u64::from_be_bytes(v) ^ 1 << 63, descending),
                Err(_) => (0, descending),
            },
            PrefixOf::Bytes { descending } => {
                let mut first = [0; 8];
                let n = value.len().min(8);
                first[..n].copy_from_slice(&value[..n]);
                (u64::from_be_bytes(first), descending)
            }
        };
        match descending {
            true => !prefix,
            false => prefix,
        }
    }
}

/// The sorted records of a buffer.
struct Sorted<'b> {
    buffer: &'b Buffer,
    count: usize,
    /// Number of the record behind the present one.
    next: usize,
}

impl<'b> Sorted<'b> {
    fn new(buffer: &'b Buffer, count: usize) -> Self {
        Sorted {
            buffer,
            count,
            next: 0,
        }
    }
}

impl Records for Sorted<'_> {
    #[inline]
    fn advance(&mut self) -> Result<bool> {
        let more = self.next < self.count;
        self.next += usize::from(more);
        Ok(more)
    }

    #[inline]
    fn current(&self) -> Result<Record<'_>> {
        self.buffer.record(&self.buffer.entries[self.next - 1])
    }

    #[inline]
    fn has_following(&mut self) -> Result<bool> {
        Ok(self.next < self.count)
    }

    #[inline]
    fn following(&self) -> Result<Record<'_>> {
        self.buffer.record(&self.buffer.entries[self.next])
    }
}
