//! Scrubs an SSTable: writes everything of it that can be read as new SSTables, in order, and tells what is lost.
//!
//! Authority: `o.a.c.io.sstable.format.{SortedTableScrubber,big.BigTableScrubber,bti.BtiTableScrubber}`. These keep
//! what precedes the first damage in a partition; here a damaged chunk or row costs no more than what it covers.
//!
//! ```text
//! Data.db, index -> salvage -+-> SSTableWriter              what is in order
//!                            `-> sort -> SSTableWriter      what is not, as an SSTable of its own
//! ```
//! The input is never changed. Without an index all is read up to the first damage that hides where a partition starts,
//! and from the next partition on that can be told from its shape.

mod bytes;
mod event;
mod guide;
mod ranges;
mod salvage;
mod search;
mod ttl;

pub use event::{Loss, LossKind, Lost, Reordered, ScrubEvent};

use crate::compaction::Destination;
use crate::merge::MergeRules;
use crate::model::{NO_DELETION_TIME, PartitionSource, StreamHeader};
use crate::schema::{Column, TableSchema};
use crate::sstable::big::Summary;
use crate::sstable::bti::Partitions;
use crate::sstable::builder::{MEMORY_BYTES, Sorter};
use crate::sstable::component::cardinality;
use crate::sstable::component::statistics::{SerializationHeader, Statistics};
use crate::sstable::data::flags::END_OF_PARTITION;
use crate::sstable::data::{DataFile, Layout};
use crate::sstable::verify::Finding;
use crate::sstable::verify::chunks::check_digest;
use crate::sstable::verify::findings::Findings;
use crate::sstable::verify::index::IndexWalk;
use crate::sstable::verify::parts::{self, Parts, Types};
use crate::sstable::verify::rows::RowChecks;
use crate::sstable::{
    Component, Descriptor, Format, Provenance, SSTableWriter, Transaction, Version, WriteOptions,
    Written,
};
use crate::types::CqlType;
use crate::{Error, Result};
use guide::Guide;
use salvage::{Inputs, Salvage};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Faults of a component that are told one by one.
const FAULTS_MAX: u64 = 100;

/// Least bytes of a partition: key, deletion, end.
const PARTITION_BYTES_MIN: u64 = 5;

/// How an SSTable is scrubbed. The defaults are those of `sstablescrub`.
#[derive(Debug, Clone)]
pub struct ScrubOptions {
    /// Rows with values that are none of their type, or with impossible times, are lost. Else they are kept.
    pub validate: bool,
    /// Go on after damage in tables of counters, too.
    pub skip_corrupted: bool,
    /// Keep rows whose time of expiration overflowed before Cassandra 5: they expire in 2038.
    pub reinsert_overflowed_ttl: bool,
}

impl Default for ScrubOptions {
    fn default() -> Self {
        ScrubOptions {
            validate: true,
            skip_corrupted: false,
            reinsert_overflowed_ttl: false,
        }
    }
}

/// What a scrub made.
#[derive(Debug, Clone, PartialEq)]
pub struct Scrubbed {
    /// The new SSTables: one, and another one if something was out of order; none if nothing was left.
    pub written: Vec<Written>,
    /// Partitions of which something was saved.
    pub partitions: u64,
    /// Rows that were saved, static ones included.
    pub rows: u64,
    /// Rows that there were, if Statistics.db tells.
    pub rows_expected: Option<u64>,
    /// What was lost.
    pub lost: Lost,
    /// Partitions, rows and range tombstones that were out of order, and rows whose cells were.
    pub reordered: u64,
    /// Faults of the files, all that were found.
    pub faults: u64,
}

impl Scrubbed {
    /// Rows that were lost, if Statistics.db tells how many there were. It may count static rows of no content.
    pub fn rows_lost(&self) -> Option<u64> {
        match self.lost.count {
            0 => Some(0),
            _ => Some(self.rows_expected?.saturating_sub(self.rows)),
        }
    }

    /// Whether the SSTable was as it must be, as far as a scrub looks.
    pub fn is_good(&self) -> bool {
        self.lost.count == 0 && self.reordered == 0 && self.faults == 0
    }
}

/// Writes what can be read of an SSTable. `schema` is needed only where the header leaves open how the data is read. `tell`
/// is given what is found, 100 faults of a file at most; `watch` now and then how far in the uncompressed Data.db it is, and
/// an error of its ends the work.
///
/// # Errors
/// `NotFound` and `Corrupt` if nothing can be read: without Data.db, the header in Statistics.db or, if Data.db is
/// compressed, CompressionInfo.db; `Corrupt` for damage in a table of counters unless
/// [`skip_corrupted`](ScrubOptions::skip_corrupted) is set; `InvalidInput` without a schema that is needed; `Io`. Then
/// `transaction` is not to be committed.
pub fn scrub(
    descriptor: &Descriptor,
    schema: Option<&TableSchema>,
    options: &ScrubOptions,
    transaction: &mut Transaction,
    destination: &Destination<'_>,
    tell: &mut dyn FnMut(ScrubEvent),
    watch: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Scrubbed> {
    let tell = RefCell::new(tell);
    let (mut faults, mut of_component) = (0, BTreeMap::new());
    let mut first_fault = None;
    let mut tell_finding = |finding| match finding {
        Finding::Note(e) => (tell.borrow_mut())(ScrubEvent::Note(e)),
        Finding::Fault(e) => {
            faults += 1;
            let told: &mut u64 = of_component.entry(e.location().component).or_default();
            *told += 1;
            first_fault.get_or_insert_with(|| e.clone());
            if *told <= FAULTS_MAX {
                (tell.borrow_mut())(ScrubEvent::Fault(e));
            }
        }
    };
    let mut tell_event = |event| (tell.borrow_mut())(event);
    let mut findings = Findings::new(descriptor, &mut tell_finding);
    let parts = parts::open(descriptor, &mut findings);
    let parts = parts.as_ref();
    let readable = parts.and_then(|parts| {
        let (statistics, types) = (parts.statistics.as_ref()?, parts.types.as_ref()?);
        Some((parts, parts.data.as_ref()?, statistics, types))
    });
    let Some((parts, data, statistics, types)) = readable else {
        return Err(unreadable(descriptor, parts, first_fault));
    };
    let is_digest_right = matches_digest(parts, data, &mut findings);
    let unchecked = unchecked(data, is_digest_right)?;
    let stream = stream(descriptor.version, types, schema)?;
    (tell.borrow_mut())(ScrubEvent::Columns(stream.clone()));
    let guide =
        index(parts, descriptor.version, &mut findings).map(|walk| Guide::new(walk, &mut findings));
    let stats = statistics.stats.as_ref();
    let inputs = Inputs {
        data,
        unchecked: unchecked.as_ref().map(|(data, from)| (data, *from)),
        timestamps: stats.map(|stats| (stats.min_timestamp, stats.max_timestamp)),
        partitioner: &types.partitioner,
        clusterings: &types.clusterings,
        layout: Layout::of_header(&statistics.header, descriptor.version, stream.clone())?,
        checks: RowChecks::new(&stream, descriptor.version),
        stream: stream.clone(),
        filter: parts.filter.as_ref(),
        key_range: stats.and_then(|stats| stats.key_range.as_ref()),
        may_have_deletions: stats.is_none_or(|stats| {
            stats.has_partition_deletions != Some(false)
                && stats.min_local_deletion_time != NO_DELETION_TIME
        }),
        version: destination.version,
        options,
    };
    let mut outputs = Outputs {
        header: SerializationHeader::of_stream(
            &stream,
            SerializationHeader::of_inputs((&statistics.header, stats), [])?.encoding_stats(),
        ),
        stream: stream.clone(),
        options: write_options(parts, data, statistics, types, destination),
        destination,
        transaction,
    };
    let rules = MergeRules::new(stream, types.partitioner.clone());
    let mut aside = Sorter::new(Arc::new(rules), destination.directory, MEMORY_BYTES);
    let mut salvage = Salvage::new(inputs, guide, findings, &mut tell_event, watch, &mut aside);
    let mut writer = None;
    while salvage.next_partition()? {
        outputs.append(&mut writer, &mut salvage)?;
    }
    let mut scrubbed = Scrubbed {
        written: Vec::new(),
        partitions: salvage.saved_partitions,
        rows: salvage.saved_rows,
        rows_expected: stats.and_then(|stats| u64::try_from(stats.total_rows).ok()),
        lost: salvage.lost,
        reordered: salvage.reordered,
        faults: 0,
    };
    salvage.finish(is_digest_right);
    drop(salvage);
    scrubbed.faults = faults;
    let is_whole = scrubbed.lost.count == 0;
    scrubbed.written.extend(outputs.finish(writer, is_whole)?);
    if !aside.is_empty() {
        outputs.options.estimated_keys = aside.partitions()?.max(1);
        outputs.options.provenance.level = 0;
        let mut writer = None;
        aside.drain(|source| {
            while source.next_partition()? {
                outputs.append(&mut writer, source)?;
            }
            Ok(())
        })?;
        scrubbed.written.extend(outputs.finish(writer, is_whole)?);
    }
    Ok(scrubbed)
}

/// What the new SSTables are made of and where they go.
struct Outputs<'a, 'd> {
    header: SerializationHeader,
    stream: Arc<StreamHeader>,
    options: WriteOptions,
    destination: &'a Destination<'d>,
    transaction: &'a mut Transaction,
}

impl Outputs<'_, '_> {
    /// Writes the partition that `source` stands on, to a new SSTable if there is none yet.
    fn append<S: PartitionSource + ?Sized>(
        &mut self,
        writer: &mut Option<SSTableWriter>,
        source: &mut S,
    ) -> Result<()> {
        let writer = match writer {
            Some(writer) => writer,
            none => none.insert(SSTableWriter::create_in(
                self.transaction,
                Descriptor::next(self.destination.directory, self.destination.version)?,
                &self.header,
                &self.stream,
                self.options.clone(),
            )?),
        };
        writer.append(source).map(drop)
    }

    fn finish(&self, writer: Option<SSTableWriter>, is_whole: bool) -> Result<Option<Written>> {
        let Some(mut writer) = writer else {
            return Ok(None);
        };
        if !is_whole {
            writer.set_unrepaired();
        }
        writer.finish()
    }
}

/// Why nothing can be read.
fn unreadable(descriptor: &Descriptor, parts: Option<&Parts>, fault: Option<Error>) -> Error {
    let missing = |component, what: &str, advice: &str| {
        let e = Error::corrupt(what).advise(advice);
        e.in_file(&descriptor.path(&component))
    };
    let other = || Error::not_found("there is no such SSTable");
    match parts {
        Some(parts) if parts.source.is_none() => fault.unwrap_or_else(other),
        Some(parts) if parts.types.is_none() => missing(
            Component::Statistics,
            "nothing can be saved: the serialization header cannot be read",
            "restore it: only it tells the columns that rows have, and what their times count from; a schema does not",
        ),
        Some(_) => missing(
            Component::CompressionInfo,
            "nothing can be saved: Data.db is compressed, and where its chunks are is not known",
            "restore it from a replica or a backup",
        ),
        None => fault.unwrap_or_else(other),
    }
}

/// Compares Data.db with its digest. Returns whether plain bytes are those that it was made of; the checksums of compressed
/// ones tell more.
fn matches_digest(parts: &Parts, data: &DataFile, findings: &mut Findings<'_>) -> bool {
    let (Some(digest), Some(source)) = (parts.digest, parts.source.as_ref()) else {
        return false;
    };
    let before = findings.faults();
    check_digest(source, digest, findings);
    findings.faults() == before && data.compression().is_none()
}

/// Where the checksums of plain bytes are not to be trusted: from this chunk on. Everywhere, if the digest is right; and at
/// the end of a file that does not end as one does, for the last checksum is that of what it was before it was cut.
fn unchecked(data: &DataFile, is_digest_right: bool) -> Result<Option<(DataFile, u64)>> {
    if data.compression().is_some() || !data.has_checksums() || data.is_empty() {
        return Ok(None);
    }
    let mut last = [0];
    data.source().read_exact_at(data.len() - 1, &mut last)?;
    let from = match (is_digest_right, last) {
        (true, _) => 0,
        (false, [END_OF_PARTITION]) => return Ok(None),
        (false, _) => data.len().div_ceil(data.chunk_length().into()) - 1,
    };
    data.plain_unchecked().map(|data| Some((data, from)))
}

/// The columns, with user types as frozen as the schema says, where the header does not.
fn stream(
    version: Version,
    types: &Types,
    schema: Option<&TableSchema>,
) -> Result<Arc<StreamHeader>> {
    let is_open = |column: &Column| matches!(column.ty, CqlType::Udt { frozen: false, .. });
    let mut all = types.stream.statics.iter().chain(&types.stream.regulars);
    if !version.has_bare_user_types() || !all.any(is_open) {
        return Ok(types.stream.clone());
    }
    let schema = schema.ok_or_else(|| {
        Error::invalid("the header does not tell whether its user types are frozen")
            .advise("give the table's schema")
    })?;
    let mut stream = StreamHeader::clone(&types.stream);
    let columns = stream.statics.iter_mut().chain(&mut stream.regulars);
    for column in columns.filter(|column| is_open(column)) {
        let mut known = schema.statics.iter().chain(&schema.regulars);
        let known = known.find(|known| known.name == column.name);
        if known.is_some_and(|known| !known.ty.is_multi_cell()) {
            column.ty = column.ty.freeze();
        }
    }
    Ok(Arc::new(stream))
}

fn index<'a>(
    parts: &'a Parts,
    version: Version,
    findings: &mut Findings<'_>,
) -> Option<IndexWalk<'a>> {
    let file = parts.index.as_ref()?;
    match version.format() {
        Format::Big => {
            let uint = version.has_uint_deletion_time();
            Some(IndexWalk::big(file, uint, None, None))
        }
        Format::Bti => {
            let partitions = Partitions::open(file)
                .map_err(|e| findings.fault("Partitions.db", e))
                .ok()?;
            let rows: &[u8] = parts.rows.as_ref().map_or(&[], |rows| rows);
            Some(IndexWalk::bti(partitions, rows, None))
        }
    }
}

/// As the input was written, and with its state of repair.
fn write_options(
    parts: &Parts,
    data: &DataFile,
    statistics: &Statistics,
    types: &Types,
    destination: &Destination<'_>,
) -> WriteOptions {
    let summary = parts.summary.as_ref();
    let summary = summary.and_then(|file| Summary::open(file).ok());
    let interval = summary.map(|summary| summary.min_index_interval());
    let interval = interval.filter(|interval| (1..=i32::MAX as u32).contains(interval));
    let validation = statistics.validation.as_ref();
    // A share that makes no sense is the default's.
    let validation = validation.filter(|v| (0.0..=1.0).contains(&v.bloom_filter_fp_chance));
    let mut options =
        destination.options_like(data.compression(), validation, &types.partitioner, interval);
    options.operation = destination.operation;
    if let Some(compression) = &mut options.compression
        && compression.max_compressed_length > compression.chunk_length
    {
        // Of a CompressionInfo.db that is damaged only there.
        compression.max_compressed_length = i32::MAX as u32;
    }
    let estimator = statistics.cardinality.as_deref();
    let keys = estimator.and_then(|bytes| cardinality::estimate(bytes).ok());
    // No more than there is room for.
    let most = data.len() / PARTITION_BYTES_MIN + 1;
    options.estimated_keys = keys
        .unwrap_or(0)
        .max(options.min_index_interval.into())
        .min(most.max(1));
    if let Some(stats) = &statistics.stats {
        let host = stats.originating_host_id;
        options.provenance = Provenance {
            commit_log_intervals: match host {
                Some(_) => stats.commit_log_intervals.clone(),
                None => Vec::new(),
            },
            originating_host_id: host,
            level: stats.level,
            repaired_at: stats.repaired_at,
            pending_repair: stats.pending_repair,
            is_transient: stats.is_transient,
            ..Provenance::default()
        };
    }
    options
}
