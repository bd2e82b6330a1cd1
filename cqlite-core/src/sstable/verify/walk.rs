//! All of Data.db, partition by partition, beside what the index names. After a fault it goes on at the next partition
//! that the index names.
//!
//! Authority: `o.a.c.io.sstable.format.SortedTableVerifier`, and for what a row must be `o.a.c.db.rows.UnfilteredSerializer`.

use super::blocks::{BlockWalk, Place, Prefix};
use super::chunks::{DataStream, More};
use super::filter::FilterCheck;
use super::findings::Findings;
use super::index::{Entry, IndexWalk};
use super::rows::RowChecks;
use super::totals::{Covered, Totals};
use crate::bytes::DecodeError;
use crate::model::{BoundKind, DeletionTime, MarkerBuf, MarkerRef, RowBuf, RowRef, Span};
use crate::partitioner::{DecoratedKey, OwnedKey, Partitioner};
use crate::schema::ClusteringColumn;
use crate::sstable::data::{
    Decoded, Layout, decode_partition_start, decode_unfiltered, peek_unfiltered,
};
use crate::sstable::index::Clusterings;
use crate::{Error, Result};
use std::ops::ControlFlow;

const DATA: &str = "Data.db";
const HEADER: &str = "Statistics.db HEADER";

/// How the rows are read, and what they must hold.
#[derive(Debug)]
pub(super) struct Reading {
    pub layout: Layout,
    pub checks: RowChecks,
}

/// What the pass reads and compares.
pub(super) struct Inputs<'a> {
    pub data_length: u64,
    pub partitioner: &'a Partitioner,
    pub clusterings: &'a Clusterings,
    pub columns: &'a [ClusteringColumn],
}

/// Why a partition is given up.
enum Stop {
    /// What stands at this position makes no sense, which was told.
    Fault,
    /// Bytes up to a position cannot be had, which was told.
    BadUntil(u64),
}

/// The pass.
pub(super) struct DataWalk<'a> {
    inputs: Inputs<'a>,
    stream: DataStream<'a>,
    reading: Reading,
    /// Another way to read the rows, to be tried if the first fails.
    other_reading: Option<Reading>,
    index: Option<IndexWalk<'a>>,
    filter: FilterCheck<'a>,
    covered: Option<Covered>,
    totals: Totals,
    row: RowBuf,
    marker: MarkerBuf,
    spans: Vec<Span>,
    previous: Prefix,
    last_key: OwnedKey,
}

/// What a pass read.
pub(super) struct Outcome {
    pub totals: Totals,
    /// Raw key of the last partition.
    pub last_key: Vec<u8>,
    /// Whether every partition was read to its end.
    pub is_complete: bool,
    /// Partitions that the index names and that could not be read.
    pub unread: u64,
}

impl<'a> DataWalk<'a> {
    pub fn new(
        inputs: Inputs<'a>,
        stream: DataStream<'a>,
        readings: (Reading, Option<Reading>),
        index: Option<IndexWalk<'a>>,
        filter: FilterCheck<'a>,
        covered: Option<Covered>,
        totals: Totals,
    ) -> Self {
        DataWalk {
            inputs,
            stream,
            reading: readings.0,
            other_reading: readings.1,
            index,
            filter,
            covered,
            totals,
            row: RowBuf::default(),
            marker: MarkerBuf::default(),
            spans: Vec::new(),
            previous: Prefix::default(),
            last_key: OwnedKey::default(),
        }
    }

    /// Reads everything. `progress` is given the position now and then, and may end it.
    pub fn run(
        mut self,
        findings: &mut Findings<'_>,
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Outcome {
        let mut head = Vec::new();
        let (mut position, mut told) = (0, 0);
        let (mut is_complete, mut unread, mut is_garbled) = (true, 0, false);
        if let Some(index) = &mut self.index {
            index.advance(findings);
        }
        while position < self.inputs.data_length {
            let stop = match self.partition(position, &mut head, findings) {
                Ok(next) => {
                    position = next;
                    if position - told >= PROGRESS_BYTES {
                        told = position;
                        if progress(position).is_break() {
                            return self.outcome(false, unread);
                        }
                    }
                    continue;
                }
                Err(stop) => stop,
            };
            is_complete = false;
            is_garbled |= matches!(stop, Stop::Fault);
            unread += 1;
            let Some(next) = self.resume(position, stop, &mut unread, findings) else {
                break;
            };
            position = next;
        }
        if let Some(index) = &mut self.index
            && is_complete
        {
            while index.current().is_some() {
                index.fault("no partition of Data.db is its", None, findings);
                index.advance(findings);
            }
        }
        self.filter.flush(findings);
        self.stream.finish(findings);
        if is_garbled && self.stream.matched_digest() == Some(true) {
            let what = "Data.db matches its digest, and yet not all of it can be decoded: \
                        this may not be the header that it was written by";
            findings.note(HEADER, Error::corrupt(what));
        }
        self.outcome(is_complete, unread)
    }

    fn outcome(self, is_complete: bool, unread: u64) -> Outcome {
        Outcome {
            totals: self.totals,
            last_key: self.last_key.bytes().to_vec(),
            is_complete,
            unread,
        }
    }

    /// Finds the next partition of the index behind what was given up.
    fn resume(
        &mut self,
        position: u64,
        stop: Stop,
        unread: &mut u64,
        findings: &mut Findings<'_>,
    ) -> Option<u64> {
        let mut from = match stop {
            Stop::Fault => position + 1,
            Stop::BadUntil(end) => end,
        };
        let what = loop {
            let Some(index) = &mut self.index else {
                break "what follows is not read: there is no index that could tell where the next partition starts";
            };
            let Some(entry) = index.current() else {
                if index.is_broken() {
                    break "what follows is not read: the index does not tell where the next partition starts";
                }
                return None;
            };
            match entry.data_position {
                Some(next) if next >= from => match self.stream.seek(next, findings) {
                    More::Yes => return Some(next),
                    More::End => {}
                    More::BadUntil(end) => {
                        *unread += 1;
                        from = end;
                    }
                },
                Some(next) if next > position => *unread += 1,
                _ => {}
            }
            index.advance(findings);
        };
        findings.note(DATA, Error::corrupt(what).at(from));
        None
    }

    /// Reads the partition at `position`, and returns where the next one starts.
    fn partition(
        &mut self,
        position: u64,
        head: &mut Vec<u8>,
        findings: &mut Findings<'_>,
    ) -> Result<u64, Stop> {
        let (key_length, deletion, body) = loop {
            let bytes = self.stream.bytes(position);
            match decode_partition_start(bytes, &self.reading.layout, &mut self.row) {
                Ok((start, len)) => {
                    head.clear();
                    head.extend_from_slice(&bytes[..len]);
                    break (start.key.len(), start.deletion, len as u64);
                }
                Err(e) => self.fetch_head(e, position, findings)?,
            }
        };
        let key = &head[2..2 + key_length];
        let decorated = self.inputs.partitioner.decorate(key);
        self.check_key(&decorated, position, findings);
        if !deletion.is_live() {
            self.totals.has_partition_deletions = true;
            self.totals.add_deletion(&deletion);
            if let Err(e) = self.reading.checks.deletion(&deletion) {
                tell(e, position, key, findings);
            }
        }
        if self.row.is_empty() {
            self.totals.empty_static_rows += u64::from(self.reading.layout.has_statics());
        } else {
            let row = RowRef::new(head, &self.row);
            if let Err(e) = self.reading.checks.row(row, &mut self.totals) {
                tell(e, position, key, findings);
            }
        }
        if self.row.previous_size != 0 {
            let what = DecodeError::Invalid("a static row that is said to follow something");
            tell(what, position, key, findings);
        }
        let blocks = match self.match_index(&decorated, position, findings) {
            Some(Entry {
                row_index: Some(index),
                at,
                ..
            }) => {
                let place = Place { key, entry: at };
                let mut blocks =
                    BlockWalk::new(index, self.inputs.clusterings, self.inputs.columns);
                blocks.begin(body, deletion, place, findings);
                Some((blocks, place))
            }
            _ => None,
        };
        let end = self.unfiltereds(position, body, key, blocks, findings)?;
        self.totals.end_partition(end - position);
        Ok(end)
    }

    /// Reads rows and markers up to the end of the partition, and returns that.
    #[inline]
    fn unfiltereds(
        &mut self,
        start: u64,
        body: u64,
        key: &[u8],
        mut blocks: Option<(BlockWalk<'a>, Place<'_>)>,
        findings: &mut Findings<'_>,
    ) -> Result<u64, Stop> {
        let order = self.inputs.clusterings.comparator();
        let mut at = start + body;
        let mut previous_at = start;
        let mut open = DeletionTime::LIVE;
        let mut is_first = true;
        let mut first_is_covered = true;
        loop {
            let (decoded, len) = loop {
                let bytes = self.stream.bytes(at);
                let (row, marker) = (&mut self.row, &mut self.marker);
                match decode_unfiltered(bytes, &self.reading.layout, row, marker) {
                    Ok(decoded) => break decoded,
                    Err(e) => self.fetch(e, at, key, findings)?,
                }
            };
            if decoded == Decoded::End {
                break;
            }
            let bytes = &self.stream.bytes(at)[..len];
            let (prefix, previous_size) = match decoded {
                Decoded::Marker => {
                    let marker = MarkerRef::new(bytes, &self.marker);
                    ((marker.values(), marker.kind()), self.marker.previous_size)
                }
                _ => {
                    let row = RowRef::new(bytes, &self.row);
                    let kind = BoundKind::Clustering;
                    ((row.clustering(), kind), self.row.previous_size)
                }
            };
            let mut result = self.reading.checks.clustering(prefix.0);
            let previous = (!is_first).then(|| self.previous.get());
            if let Some(previous) = previous
                && order
                    .compare(previous.0, previous.1, prefix.0, prefix.1)
                    .is_ge()
            {
                tell(DecodeError::Invalid(OUT_OF_ORDER), at, key, findings);
            }
            if u64::from(previous_size) != (at - previous_at).min(u32::MAX.into()) {
                tell(DecodeError::Invalid(WRONG_PREVIOUS_SIZE), at, key, findings);
            }
            if let Some((blocks, place)) = &mut blocks
                && blocks.is_due(at - start)
            {
                blocks.enter(at - start, prefix, previous, open, *place, findings);
            }
            match decoded {
                Decoded::Marker => {
                    let marker = MarkerRef::new(bytes, &self.marker);
                    let checked = self.reading.checks.marker(marker, open, &mut self.totals);
                    open = checked.0;
                    result = result.and(checked.1);
                }
                // Cassandra counts it: in memory it had a collection of no elements, or a deletion that was lost.
                _ if self.row.is_empty() => self.totals.rows += 1,
                _ => {
                    let row = RowRef::new(bytes, &self.row);
                    result = result.and(self.reading.checks.row(row, &mut self.totals));
                }
            }
            if let Err(e) = result {
                tell(e, at, key, findings);
            }
            if is_first {
                is_first = false;
                if let Some(covered) = &self.covered {
                    first_is_covered = covered.holds_first(order, prefix);
                }
            }
            self.previous.set(prefix);
            previous_at = at;
            at += len as u64;
        }
        if !open.is_live() {
            tell(DecodeError::Invalid(LEFT_OPEN), at, key, findings);
        }
        let last = (!is_first).then(|| self.previous.get());
        if let (Some(covered), Some(last)) = (&mut self.covered, last) {
            covered.check(first_is_covered, order, last, key, findings);
        }
        if let Some((blocks, place)) = &mut blocks {
            blocks.finish(at - start, last, *place, findings);
        }
        Ok(at + 1)
    }

    /// Order, type and filter of a partition's key.
    #[inline]
    fn check_key(&mut self, key: &DecoratedKey<'_>, position: u64, findings: &mut Findings<'_>) {
        let partitioner = self.inputs.partitioner;
        if self.totals.first_key.is_none() {
            self.totals.first_key = Some(key.key.to_vec());
        } else {
            let order = partitioner.compare_decorated(&self.last_key.get(), key);
            if order.is_ge() {
                let what =
                    "a partition that does not follow the one before it in the order of tokens";
                tell(DecodeError::Invalid(what), position, key.key, findings);
            }
        }
        self.last_key.set(key);
        if let Err(e) = self.reading.checks.key(key.key) {
            tell(e, position, key.key, findings);
        }
        self.filter.add(key, findings);
    }

    /// The index's entry of the partition; tells those that are passed, and what is wrong with it.
    #[inline]
    fn match_index(
        &mut self,
        key: &DecoratedKey<'_>,
        position: u64,
        findings: &mut Findings<'_>,
    ) -> Option<Entry<'a>> {
        let partitioner = self.inputs.partitioner;
        let index = self.index.as_mut()?;
        loop {
            let Some(entry) = index.current().copied() else {
                if !index.is_broken() {
                    let component = index.component();
                    tell_unnamed(component, position, key.key, findings);
                }
                return None;
            };
            let order = index.compare(key, partitioner);
            if order.is_eq() || entry.data_position == Some(position) {
                if entry.data_position.is_none_or(|p| p != position)
                    || order.is_ne()
                    || entry.key.is_some_and(|k| k != key.key)
                    || entry.hash_byte.is_some_and(|b| b != key.hash.1 as u8)
                {
                    tell_entry(index, &entry, order.is_eq(), key, position, findings);
                }
                index.advance(findings);
                return Some(entry);
            }
            if order.is_gt() {
                tell_unnamed(index.component(), position, key.key, findings);
                return None;
            }
            index.fault("no partition of Data.db is its", None, findings);
            index.advance(findings);
        }
    }

    /// More bytes for the head of a partition, or the end of it.
    #[inline(never)]
    fn fetch_head(
        &mut self,
        e: DecodeError,
        position: u64,
        findings: &mut Findings<'_>,
    ) -> Result<(), Stop> {
        if e == DecodeError::Eof {
            match self.stream.more(position, findings) {
                More::Yes => return Ok(()),
                More::BadUntil(end) => return Err(Stop::BadUntil(end)),
                More::End => {}
            }
        } else if let Some(other) = self.other_reading.take() {
            let bytes = self.stream.bytes(position);
            if decode_partition_start(bytes, &other.layout, &mut self.row).is_ok() {
                self.reading = other;
                return Ok(());
            }
            self.other_reading = Some(other);
        }
        findings.fault(DATA, Error::from(e).at(position));
        Err(Stop::Fault)
    }

    /// More bytes for a row or marker, or the end of it.
    #[inline(never)]
    fn fetch(
        &mut self,
        e: DecodeError,
        at: u64,
        key: &[u8],
        findings: &mut Findings<'_>,
    ) -> Result<(), Stop> {
        let bytes = self.stream.bytes(at);
        if e == DecodeError::Eof {
            // One that reaches beyond the end of the file need not be read to its end.
            let peeked = peek_unfiltered(bytes, &self.reading.layout, &mut self.spans);
            let rest = self.inputs.data_length - at;
            if peeked.is_ok_and(|peeked| peeked.len > rest) {
                let what = DecodeError::Invalid("a row's size reaches beyond the end of the file");
                tell(what, at, key, findings);
                return Err(Stop::Fault);
            }
            match self.stream.more(at, findings) {
                More::Yes => return Ok(()),
                More::BadUntil(end) => return Err(Stop::BadUntil(end)),
                More::End => {}
            }
        } else if let Some(other) = self.other_reading.take() {
            let (row, marker) = (&mut self.row, &mut self.marker);
            if decode_unfiltered(bytes, &other.layout, row, marker).is_ok() {
                self.reading = other;
                return Ok(());
            }
            self.other_reading = Some(other);
        }
        tell(e, at, key, findings);
        Err(Stop::Fault)
    }
}

/// How often progress is told.
const PROGRESS_BYTES: u64 = 16 << 20;

const OUT_OF_ORDER: &str = "it does not follow what precedes it in clustering order";
const WRONG_PREVIOUS_SIZE: &str = "it says that what precedes it is of another size";
const LEFT_OPEN: &str = "the partition ends with an open range tombstone";

#[cold]
fn tell(e: impl Into<Error>, at: u64, key: &[u8], findings: &mut Findings<'_>) {
    findings.fault(DATA, e.into().at(at).in_partition(key));
}

#[cold]
fn tell_unnamed(component: &'static str, position: u64, key: &[u8], findings: &mut Findings<'_>) {
    let what = format!("it does not name the partition at {position} of Data.db");
    findings.fault(component, Error::corrupt(what).in_partition(key));
}

#[cold]
fn tell_entry(
    index: &IndexWalk<'_>,
    entry: &Entry<'_>,
    same_key: bool,
    key: &DecoratedKey<'_>,
    position: u64,
    findings: &mut Findings<'_>,
) {
    let what = match entry.data_position {
        // Why it could not be read was told.
        None => return,
        Some(at) if at != position => {
            format!("it says that the partition is at {at} of Data.db, and it is at {position}")
        }
        _ if !same_key || entry.key.is_some_and(|k| k != key.key) => {
            format!("its key is not that of the partition at {position} of Data.db")
        }
        _ => "its hash byte is not the key's: no lookup finds it".to_owned(),
    };
    index.fault(what, Some(key.key), findings);
}
