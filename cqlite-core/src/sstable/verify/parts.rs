//! The components, each opened for itself: one that is bad is told, and the others are checked without it.
//!
//! Authority: `o.a.c.io.sstable.format.{SSTableReaderLoadingBuilder,TOCComponent}`,
//! `o.a.c.io.compress.CompressionMetadata`, `o.a.c.io.sstable.metadata.StatsMetadata`.

use super::chunks::parse_digest;
use super::findings::Findings;
use crate::Error;
use crate::io::{Mapped, Source};
use crate::model::StreamHeader;
use crate::partitioner::Partitioner;
use crate::sstable::component::cardinality;
use crate::sstable::component::compression_info::CompressionInfo;
use crate::sstable::component::filter::BloomFilter;
use crate::sstable::component::statistics::{ClusteringRange, Statistics, Stats};
use crate::sstable::data::DataFile;
use crate::sstable::descriptor::{Component, Descriptor};
use crate::sstable::index::Clusterings;
use crate::sstable::reader::{discover, missing_components, stream_of};
use crate::sstable::version::Format;
use std::collections::BTreeSet;
use std::sync::Arc;

const STATISTICS: &str = "Statistics.db";
const STATS: &str = "Statistics.db STATS";
const COMPRESSION_INFO: &str = "CompressionInfo.db";

/// What could be opened.
pub(crate) struct Parts {
    pub statistics: Option<Statistics>,
    pub types: Option<Types>,
    /// Data.db as a file.
    pub source: Option<Source>,
    pub data: Option<DataFile>,
    pub digest: Option<u32>,
    /// Index.db or Partitions.db.
    pub index: Option<Mapped>,
    pub summary: Option<Mapped>,
    pub rows: Option<Mapped>,
    pub filter: Option<BloomFilter<Mapped>>,
}

/// What the serialization header says.
pub(crate) struct Types {
    pub stream: Arc<StreamHeader>,
    pub partitioner: Partitioner,
    pub clusterings: Clusterings,
}

/// Opens all components. `None` if there are none.
pub(crate) fn open(descriptor: &Descriptor, findings: &mut Findings<'_>) -> Option<Parts> {
    let (components, listed) = match discover(descriptor) {
        Ok(discovered) => discovered,
        Err(e) => {
            findings.fault("Data.db", e);
            return None;
        }
    };
    let listed = listed.unwrap_or_else(|e| {
        findings.fault("TOC.txt", e);
        BTreeSet::new()
    });
    check_listed(descriptor, &components, &listed, findings);
    let toc = descriptor.path(&Component::Toc);
    if std::fs::metadata(toc).is_ok_and(|toc| toc.len() == 0) {
        let e = Error::corrupt("it lists nothing");
        findings.fault("TOC.txt", e.advise("delete it: Cassandra writes a new one"));
    }
    let mut opener = Opener {
        descriptor,
        components: &components,
        findings,
    };
    let statistics = opener.statistics();
    let types = opener.types(statistics.as_ref());
    if let Some(statistics) = &statistics {
        opener.check_statistics(statistics);
    }
    let source = opener.source();
    let ratio = statistics
        .as_ref()
        .and_then(|s| Some(s.stats.as_ref()?.compression_ratio));
    let is_compressed = listed.contains(&Component::CompressionInfo)
        || components.contains(&Component::CompressionInfo)
        || ratio.is_some_and(|r| r > 0.0);
    let data = opener.data(is_compressed);
    let digest = opener.mapped(&Component::Digest, "Digest.crc32");
    let digest = digest.and_then(|file| {
        parse_digest(&file)
            .map_err(|e| opener.findings.fault("Digest.crc32", e))
            .ok()
    });
    let (index, summary, rows) = match descriptor.format() {
        Format::Big => (
            opener.mapped(&Component::Index, "Index.db"),
            opener.mapped(&Component::Summary, "Summary.db"),
            None,
        ),
        Format::Bti => (
            opener.mapped(&Component::Partitions, "Partitions.db"),
            None,
            opener.mapped(&Component::Rows, "Rows.db"),
        ),
    };
    Some(Parts {
        filter: opener.filter(),
        statistics,
        types,
        source,
        data,
        digest,
        index,
        summary,
        rows,
    })
}

/// TOC.txt against the files, and the files against those that there must be.
fn check_listed(
    descriptor: &Descriptor,
    found: &BTreeSet<Component>,
    listed: &BTreeSet<Component>,
    findings: &mut Findings<'_>,
) {
    let required = [
        Component::Data,
        Component::Statistics,
        match descriptor.format() {
            Format::Big => Component::Index,
            Format::Bti => Component::Partitions,
        },
    ];
    for component in &required {
        let name = file_name(component);
        if !found.contains(component) {
            let e = Error::not_found("the file is missing")
                .advise("restore it: Cassandra cannot open the SSTable without it");
            findings.fault(name, e);
        } else if !listed.is_empty() && !listed.contains(component) {
            findings.fault(
                "TOC.txt",
                Error::corrupt(format!("it does not list {component}")),
            );
        }
    }
    for component in missing_components(descriptor, found, listed) {
        if !required.contains(&component) && component != Component::CompressionInfo {
            let e = Error::not_found("the file is missing");
            match component {
                Component::Custom(name) => findings.note(
                    "TOC.txt",
                    Error::not_found(format!("it lists {name}, which is missing")),
                ),
                component => findings.note(file_name(&component), e),
            }
        }
    }
    for component in found.difference(listed) {
        // A filter or summary that Cassandra built anew, and files of indexes, need not be listed.
        let told = [Component::CompressionInfo, Component::Crc, Component::Rows];
        if !listed.is_empty() && told.contains(component) {
            findings.fault(
                "TOC.txt",
                Error::corrupt(format!("it does not list {component}")),
            );
        }
    }
}

/// What a component that is not listed, or not there, is told under.
fn file_name(component: &Component) -> &'static str {
    component.known_name().unwrap_or("TOC.txt")
}

struct Opener<'o, 'f> {
    descriptor: &'o Descriptor,
    components: &'o BTreeSet<Component>,
    findings: &'o mut Findings<'f>,
}

impl Opener<'_, '_> {
    /// The file of a component that exists and can be read.
    fn mapped(&mut self, component: &Component, name: &'static str) -> Option<Mapped> {
        if !self.components.contains(component) {
            return None;
        }
        Mapped::open(&self.descriptor.path(component))
            .map_err(|e| self.findings.fault(name, e))
            .ok()
    }

    fn source(&mut self) -> Option<Source> {
        if !self.components.contains(&Component::Data) {
            return None;
        }
        Source::open(&self.descriptor.path(&Component::Data))
            .map_err(|e| self.findings.fault("Data.db", e))
            .ok()
    }

    fn statistics(&mut self) -> Option<Statistics> {
        let file = self.mapped(&Component::Statistics, STATISTICS)?;
        let (statistics, errors) = Statistics::salvage(&file, self.descriptor.version);
        for e in errors {
            self.findings.fault(STATISTICS, e);
        }
        statistics
    }

    fn types(&mut self, statistics: Option<&Statistics>) -> Option<Types> {
        let statistics = statistics?;
        let stream = stream_of(&statistics.header)
            .map_err(|e| self.findings.fault("Statistics.db HEADER", e))
            .ok()?;
        let partitioner = match &statistics.validation {
            None => Partitioner::Murmur3,
            Some(validation) => {
                Partitioner::from_class_name(&validation.partitioner, &stream.key_type)
                    .map_err(|e| self.findings.fault("Statistics.db VALIDATION", e))
                    .ok()?
            }
        };
        Some(Types {
            clusterings: Clusterings::new(&stream.clustering),
            stream: Arc::new(stream),
            partitioner,
        })
    }

    /// What Statistics.db must be whatever the data is.
    fn check_statistics(&mut self, statistics: &Statistics) {
        if let Some(validation) = &statistics.validation {
            let chance = validation.bloom_filter_fp_chance;
            if !(chance > 0.0 && chance <= 1.0) {
                let what = format!("a bloom filter's share of false positives of {chance}");
                self.findings
                    .fault("Statistics.db VALIDATION", Error::corrupt(what));
            }
        }
        if let Some(estimator) = &statistics.cardinality
            && let Err(e) = cardinality::estimate(estimator)
        {
            self.findings.fault("Statistics.db COMPACTION", e);
        }
        if let Some(stats) = &statistics.stats {
            for what in impossible(stats, &statistics.header.clustering_types) {
                self.findings.fault(STATS, Error::corrupt(what));
            }
        }
    }

    /// Data.db and how it is cut into chunks; `None` if that cannot be told.
    fn data(&mut self, is_compressed: bool) -> Option<DataFile> {
        if !is_compressed {
            let source = self.source()?;
            let crc = self.mapped(&Component::Crc, "CRC.db");
            if crc.is_none() && !self.components.contains(&Component::Crc) {
                let e = Error::not_found(
                    "the file is missing: only a digest can tell that Data.db is good",
                );
                self.findings.note("CRC.db", e);
            }
            return match DataFile::plain(source, crc) {
                Ok(data) => Some(data),
                Err(e) => {
                    self.findings.fault("CRC.db", e);
                    DataFile::plain(self.source()?, None).ok()
                }
            };
        }
        if !self.components.contains(&Component::CompressionInfo) {
            let e = Error::not_found("the file is missing")
                .advise("restore it: the data is compressed and cannot be read without it");
            self.findings.fault(COMPRESSION_INFO, e);
            return None;
        }
        let file = self.mapped(&Component::CompressionInfo, COMPRESSION_INFO)?;
        let info = CompressionInfo::parse(file, self.descriptor.version)
            .map_err(|e| self.findings.fault(COMPRESSION_INFO, e))
            .ok()?;
        let source = self.source()?;
        self.check_chunks(&info, source.len());
        Some(DataFile::compressed(source, info))
    }

    fn check_chunks(&mut self, info: &CompressionInfo, file_length: u64) {
        match info.chunk_range(0, file_length) {
            Ok((0, _)) | Err(_) => {}
            Ok((start, _)) => {
                let what = format!("the first chunk is said to lie at {start}, not at 0");
                self.findings.fault(COMPRESSION_INFO, Error::corrupt(what));
            }
        }
        for i in 0..info.chunk_count() {
            if let Err(e) = info.chunk_range(i, file_length) {
                self.findings.fault(COMPRESSION_INFO, e);
            }
        }
    }

    fn filter(&mut self) -> Option<BloomFilter<Mapped>> {
        let file = self.mapped(&Component::Filter, "Filter.db")?;
        let old_format = self.descriptor.version.has_old_bloom_filter();
        BloomFilter::open(file, old_format)
            .map_err(|e| {
                let e = e.advise("delete it: Cassandra builds a new one");
                self.findings.fault("Filter.db", e);
            })
            .ok()
    }
}

/// What the statistics say that no data can be like.
fn impossible(stats: &Stats, clustering_types: &[String]) -> Vec<String> {
    let mut told = Vec::new();
    let mut wrong = |is_wrong: bool, what: &str| {
        if is_wrong {
            told.push(what.to_owned());
        }
    };
    for histogram in [&stats.partition_size, &stats.cells_per_partition] {
        wrong(
            !histogram.offsets.is_sorted_by(|a, b| a < b),
            "a histogram whose buckets do not ascend",
        );
        wrong(
            histogram.counts.iter().any(|n| *n < 0),
            "a histogram with a negative count",
        );
    }
    let times = &stats.tombstone_drop_times;
    wrong(
        !times.is_sorted_by(|a, b| a.0 < b.0),
        "a histogram of times at which data dies that do not ascend",
    );
    wrong(stats.level < 0, "a negative level");
    wrong(stats.repaired_at < 0, "a negative time of repair");
    wrong(
        stats.pending_repair.is_some() && stats.repaired_at > 0,
        "it is said to be repaired and its repair to be pending",
    );
    wrong(
        stats.total_rows < 0 || stats.total_columns_set < 0,
        "a negative count",
    );
    wrong(
        stats
            .commit_log_intervals
            .iter()
            .any(|(low, high)| low > high),
        "an interval of the commit log that ends before it starts",
    );
    if let ClusteringRange::Slice { types, start, end } = &stats.clustering {
        wrong(
            types.as_slice() != clustering_types,
            "the types of its covered clusterings are not those of the header",
        );
        wrong(
            !start.kind.is_start() || !end.kind.is_end(),
            "the covered clusterings start with an end or end with a start",
        );
    }
    told
}
