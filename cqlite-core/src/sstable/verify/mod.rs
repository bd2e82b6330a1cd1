//! Verifies an SSTable: all its components, each for itself and against the others.
//!
//! Authority: `o.a.c.io.sstable.format.{SortedTableVerifier,big.BigTableVerifier,bti.BtiTableVerifier}`, and beyond them
//! the writers, for whatever these make sure of.
//!
//! ```text
//! components -> chunks -> partitions, rows -+- index, summary, filter
//!                                           +- totals -> statistics
//! ```
//! Data.db and the index are read side by side, once, from start to end; nothing is kept of a partition but the last key.

pub(crate) mod blocks;
pub(crate) mod chunks;
mod filter;
pub(crate) mod findings;
pub(crate) mod index;
pub(crate) mod parts;
pub(crate) mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod totals;
mod walk;

pub use findings::Finding;

use super::big::Summary;
use super::bti::Partitions;
use super::component::statistics::Statistics;
use super::data::Layout;
use super::descriptor::Descriptor;
use super::index::RowIndexRef;
use super::version::{Format, Version};
use crate::model::StreamHeader;
use crate::partitioner::PartitionPosition;
use crate::schema::Column;
use crate::types::CqlType;
use crate::{Error, Result};
use chunks::{DataStream, check_digest};
use filter::FilterCheck;
use findings::Findings;
use index::IndexWalk;
use parts::{Parts, Types};
use rows::RowChecks;
use std::ops::ControlFlow;
use std::sync::Arc;
use totals::{Covered, Totals};
use walk::{DataWalk, Inputs, Reading};

/// What is verified.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Only the structure of the components: Data.db is not read.
    pub quick: bool,
}

/// What was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Count of faults that were told.
    pub faults: u64,
    /// Partitions that were read from Data.db; in a quick check those that the index names.
    pub partitions: u64,
    /// Rows that were read, static ones included.
    pub rows: u64,
    /// Length in bytes of Data.db.
    pub bytes: u64,
    /// Partitions that the index names, and that could not be read.
    pub unread_partitions: u64,
}

/// Verifies the SSTable of a name. Faults, and what else there is to say, go to `tell` as they are found; after a fault
/// it goes on with what does not depend on it. `progress` is given now and then how far in the uncompressed Data.db it is,
/// and how long that is, and may end it.
///
/// Checked are: the components against TOC.txt; checksums of Statistics.db, of chunks, of the whole Data.db; that all
/// partitions and rows decode, in order, with values of their types; range tombstones that open and close; TTLs and
/// deletion times; the index, in both directions, its blocks, the summary, the filter; and that the statistics hold.
pub fn verify(
    descriptor: &Descriptor,
    options: &VerifyOptions,
    tell: &mut dyn FnMut(Finding),
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Report {
    let mut findings = Findings::new(descriptor, tell);
    let mut report = Report::default();
    if let Some(parts) = parts::open(descriptor, &mut findings) {
        report.bytes = parts.source.as_ref().map_or(0, |source| source.len());
        let verifier = Verifier {
            version: descriptor.version,
            parts: &parts,
        };
        verifier.run(options, &mut report, &mut findings, progress);
    }
    report.faults = findings.faults();
    report
}

struct Verifier<'a> {
    version: Version,
    parts: &'a Parts,
}

impl<'a> Verifier<'a> {
    fn run(
        &self,
        options: &VerifyOptions,
        report: &mut Report,
        findings: &mut Findings<'_>,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) {
        let parts = self.parts;
        let data_length = parts.data.as_ref().map(|data| data.len());
        let summary = self.summary(findings);
        let (index, footer) = match self.index(summary, data_length, findings) {
            Some((index, footer)) => (Some(index), footer),
            None => (None, None),
        };
        let mut ends = None;
        let readable = parts
            .data
            .as_ref()
            .zip(parts.statistics.as_ref())
            .zip(parts.types.as_ref());
        match readable {
            _ if options.quick => {
                if let Some(index) = index {
                    ends = self.index_alone(index, report, findings);
                }
            }
            Some(((data, statistics), types)) => {
                let stream = DataStream::new(data, parts.digest);
                match readings(statistics, self.version, types) {
                    Ok(readings) => {
                        let walk = self.data_walk(stream, statistics, types, readings, index);
                        let mut progress = |position| progress(position, data.len());
                        let outcome = walk.run(findings, &mut progress);
                        report.partitions = outcome.totals.partitions;
                        report.rows = outcome.totals.rows;
                        report.unread_partitions = outcome.unread;
                        if outcome.is_complete {
                            if let Some(stats) = &statistics.stats {
                                let (totals, last) = (&outcome.totals, &outcome.last_key);
                                totals.compare(stats, self.version, last, findings);
                            }
                            let first = outcome.totals.first_key;
                            ends = first.map(|first| (first, outcome.last_key));
                        }
                        if outcome.totals.partitions == 0 && data.is_empty() {
                            let what = "it is empty: an SSTable has one partition at least";
                            findings.fault("Data.db", Error::corrupt(what));
                        }
                    }
                    Err(e) => {
                        findings.fault("Statistics.db HEADER", e);
                        self.unread(stream, index, report, findings);
                    }
                }
            }
            None => match (&parts.data, &parts.source) {
                (Some(data), _) => {
                    self.unread(DataStream::new(data, parts.digest), index, report, findings);
                }
                (None, source) => {
                    if let (Some(source), Some(digest)) = (source, parts.digest) {
                        check_digest(source, digest, findings);
                    }
                    if let Some(index) = index {
                        self.index_alone(index, report, findings);
                    }
                }
            },
        }
        let Some((first, last)) = ends else { return };
        let mut check = |component: &'static str, of: Option<(&[u8], &[u8])>| {
            let Some(of) = of else { return };
            for (said, is, end) in [(of.0, &first, "first"), (of.1, &last, "last")] {
                if said != is.as_slice() {
                    let what = format!("its {end} key is not that of the data");
                    findings.fault(component, Error::corrupt(what).in_partition(said));
                }
            }
        };
        check("Summary.db", summary.map(|s| (s.first_key(), s.last_key())));
        check("Partitions.db", footer);
    }

    /// Chunks and index, where the rows cannot be read.
    fn unread(
        &self,
        mut stream: DataStream<'_>,
        index: Option<IndexWalk<'a>>,
        report: &mut Report,
        findings: &mut Findings<'_>,
    ) {
        let what = "its rows are not read: Statistics.db does not tell how";
        findings.note("Data.db", Error::corrupt(what));
        stream.finish(findings);
        if let Some(index) = index {
            self.index_alone(index, report, findings);
        }
    }

    fn summary(&self, findings: &mut Findings<'_>) -> Option<Summary<'a>> {
        let file = self.parts.summary.as_ref()?;
        Summary::open(file)
            .map_err(|e| findings.fault("Summary.db", e))
            .ok()
    }

    /// A pass over the index, with the first and last key that Partitions.db ends with.
    #[allow(clippy::type_complexity)]
    fn index(
        &self,
        summary: Option<Summary<'a>>,
        data_length: Option<u64>,
        findings: &mut Findings<'_>,
    ) -> Option<(IndexWalk<'a>, Option<(&'a [u8], &'a [u8])>)> {
        let file = self.parts.index.as_ref()?;
        match self.version.format() {
            Format::Big => {
                let uint = self.version.has_uint_deletion_time();
                Some((IndexWalk::big(file, uint, summary, data_length), None))
            }
            Format::Bti => {
                let partitions = Partitions::open(file)
                    .map_err(|e| findings.fault("Partitions.db", e))
                    .ok()?;
                let rows: &[u8] = self.parts.rows.as_ref().map_or(&[], |rows| rows);
                let keys = (partitions.first_key(), partitions.last_key());
                Some((IndexWalk::bti(partitions, rows, data_length), Some(keys)))
            }
        }
    }

    fn data_walk(
        &self,
        stream: DataStream<'a>,
        statistics: &'a Statistics,
        types: &'a Types,
        readings: (Reading, Option<Reading>),
        index: Option<IndexWalk<'a>>,
    ) -> DataWalk<'a> {
        let stats = statistics.stats.as_ref();
        let columns = types.stream.clustering.as_slice();
        let inputs = Inputs {
            data_length: self.parts.data.as_ref().map_or(0, |data| data.len()),
            partitioner: &types.partitioner,
            clusterings: &types.clusterings,
            columns,
        };
        let covered = stats.and_then(|stats| Covered::of(stats, self.version, columns.len()));
        let filter = FilterCheck::new(self.parts.filter.as_ref());
        let mut totals = Totals::new(stats);
        let mut all_columns = types.stream.statics.iter().chain(&types.stream.regulars);
        totals.loses_deletions = all_columns
            .any(|c| c.ty.is_multi_cell() && !c.name.starts_with(|first: char| first.is_ascii()));
        DataWalk::new(inputs, stream, readings, index, filter, covered, totals)
    }

    /// What can be said of the index without Data.db. Returns the first and last key, if it holds them.
    fn index_alone(
        &self,
        mut index: IndexWalk<'a>,
        report: &mut Report,
        findings: &mut Findings<'_>,
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        let types = self.parts.types.as_ref();
        let mut filter = FilterCheck::new(self.parts.filter.as_ref());
        let (mut first, mut previous): (Option<&[u8]>, Option<&[u8]>) = (None, None);
        index.advance(findings);
        while let Some(entry) = index.current().copied() {
            if let (Some(key), Some(types)) = (entry.key, types) {
                let decorated = types.partitioner.decorate(key);
                let position = PartitionPosition::Key(decorated);
                let ascends =
                    previous.is_none_or(|p| types.partitioner.compare(p, &position).is_lt());
                if !ascends {
                    index.fault("its key does not follow the one before it", None, findings);
                }
                filter.add(&decorated, findings);
            }
            if let (Some(row_index), Some(types)) = (entry.row_index, types)
                && let Err(e) = blocks_alone(row_index, types)
            {
                let e = e.at(entry.at).in_partition(entry.key.unwrap_or_default());
                findings.fault(index.row_component(), e);
            }
            first = first.or(entry.key);
            previous = entry.key;
            index.advance(findings);
        }
        filter.flush(findings);
        report.partitions = index.count();
        let ends = match (self.version.format(), index.is_broken()) {
            // Only Index.db holds all keys.
            (Format::Big, false) => Some((first?.to_vec(), previous?.to_vec())),
            _ => None,
        }?;
        let stats = self.parts.statistics.as_ref()?.stats.as_ref()?;
        if let Some((first, last)) = &stats.key_range
            && (first, last) != (&ends.0, &ends.1)
        {
            let what = "its first or last key is not that of the index";
            findings.fault("Statistics.db STATS", Error::corrupt(what));
        }
        Some(ends)
    }
}

/// Blocks that decode and ascend.
fn blocks_alone(index: RowIndexRef<'_>, types: &Types) -> Result<()> {
    let mut end = 0;
    let mut follows = |start: u64, block_end: u64| {
        let ascends = start >= end && block_end > start;
        end = block_end;
        match ascends {
            true => Ok(()),
            false => Err(Error::corrupt(format!(
                "the row block at {start} does not follow the one before it"
            ))),
        }
    };
    match index {
        RowIndexRef::Big(index) => {
            let mut info = super::big::IndexInfo::default();
            for i in 0..index.block_count() {
                index.decode(i, types.clusterings.fixed_lengths(), &mut info)?;
                follows(info.offset, info.end())?;
            }
        }
        RowIndexRef::Bti(index) => {
            for block in index.iter() {
                let block = block?;
                follows(block.start, block.end)?;
            }
        }
    }
    Ok(())
}

/// How the rows can be read: as the header says and, if it may have left out that user types are frozen, so.
fn readings(
    statistics: &Statistics,
    version: Version,
    types: &Types,
) -> Result<(Reading, Option<Reading>)> {
    let reading = |stream: Arc<StreamHeader>| -> Result<Reading> {
        Ok(Reading {
            checks: RowChecks::new(&stream, version),
            layout: Layout::of_header(&statistics.header, version, stream)?,
        })
    };
    let first = reading(types.stream.clone())?;
    if !version.has_bare_user_types() {
        return Ok((first, None));
    }
    let mut frozen = StreamHeader::clone(&types.stream);
    let mut is_other = false;
    let mut freeze = |columns: &mut Vec<Column>| {
        for column in columns {
            if let CqlType::Udt { frozen: false, .. } = column.ty {
                column.ty = column.ty.freeze();
                is_other = true;
            }
        }
    };
    freeze(&mut frozen.statics);
    freeze(&mut frozen.regulars);
    let other = is_other.then(|| reading(Arc::new(frozen))).transpose()?;
    Ok((first, other))
}
