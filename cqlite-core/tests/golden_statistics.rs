//! Statistics.db and Filter.db of the golden SSTables, encoded again from what they hold, and made anew from the rows.

use cqlite_core::io::Mapped;
use cqlite_core::model::{PartitionSource, Unfiltered};
use cqlite_core::partitioner::murmur3_128;
use cqlite_core::sstable::component::filter::{FilterBuilder, FilterSize};
use cqlite_core::sstable::component::statistics::{
    ClusteringRange, EncodingStats, EncodingStatsCollector, Statistics, Stats,
};
use cqlite_core::sstable::writer::inputs::{approximate_key_count, estimated_keys, merged_header};
use cqlite_core::sstable::writer::stats::{Provenance, StatsCollector};
use cqlite_core::sstable::{Component, Descriptor, Format, OpenOptions, SSTable, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn files(end: &str) -> Vec<PathBuf> {
    fn walk(dir: &Path, end: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            // Transactions that were cut off leave halves of SSTables behind.
            if path.is_dir() && !path.to_str().is_some_and(|p| p.contains("/transaction_")) {
                walk(&path, end, found);
            } else if path.to_str().is_some_and(|p| p.ends_with(end)) {
                found.push(path);
            }
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden");
    let mut found = Vec::new();
    for version in ["nb", "oa", "da"] {
        walk(&golden.join(version), end, &mut found);
    }
    found.sort();
    found
}

fn parse(bytes: &[u8], version: Version) -> Statistics {
    let file = Mapped::from_vec(Path::new("Statistics.db"), bytes.to_vec());
    Statistics::parse(&file, version).unwrap()
}

fn name(path: &Path) -> String {
    let path = path.display().to_string();
    path.split_once("/golden/").unwrap().1.to_owned()
}

#[test]
fn encoded_again_they_are_the_same_bytes() {
    let mut others = Vec::new();
    let paths = files("-Statistics.db");
    assert!(paths.len() > 850);
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let version = Descriptor::parse(&path).unwrap().0.version;
        let statistics = parse(&bytes, version);
        let encoded = statistics.encode(version).unwrap();
        let again = parse(&encoded, version);
        assert_eq!(
            format!("{again:?}"),
            format!("{statistics:?}"),
            "{}",
            name(&path)
        );
        if encoded != bytes {
            others.push(name(&path));
        }
    }
    // Keys of these indexes have no clustering values: Cassandra reserves room for nulls and does not write them, so that
    // zeros follow, and nothing in the file says how many.
    let nulls = [
        "nb/indexed/.indexed_by_p/nb-1-big-Statistics.db",
        "nb/indexed/.indexed_by_s/nb-1-big-Statistics.db",
    ];
    assert_eq!(others, nulls);
}

/// The checksums of the components of an `oa` or `da` file made right.
fn correct(bytes: &mut [u8]) {
    let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let starts: Vec<_> = (0..4).map(|i| word(bytes, 12 + 8 * i) as usize).collect();
    let ends = starts[1..].iter().copied().chain([bytes.len()]);
    for (start, end) in starts.iter().zip(ends) {
        let crc = crc32fast::hash(&bytes[*start..end - 4]);
        bytes[end - 4..end].copy_from_slice(&crc.to_be_bytes());
    }
}

#[test]
fn whatever_is_read_is_encoded() {
    let paths = files("-Statistics.db");
    let (mut same, mut random) = (0, 1u64);
    for path in paths.iter().step_by(7) {
        let good = std::fs::read(path).unwrap();
        let version = Descriptor::parse(path).unwrap().0.version;
        for _ in 0..40 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                // Behind the table of contents; the larger half of the file are two histograms.
                let at = match random >> 62 {
                    0 => 44 + (random >> 33) as usize % (bytes.len() - 44),
                    _ => bytes.len() - 1 - (random >> 33) as usize % (bytes.len() / 8),
                };
                bytes[at] = (random >> 24) as u8;
            }
            correct(&mut bytes);
            let file = Mapped::from_vec(path, bytes);
            let Ok(statistics) = Statistics::parse(&file, version) else {
                continue;
            };
            let again = parse(&statistics.encode(version).unwrap(), version);
            assert_eq!(
                format!("{again:?}"),
                format!("{statistics:?}"),
                "{}",
                name(path)
            );
            same += 1;
        }
    }
    assert!(same > 1000, "{same}");
}

/// What the rows of an SSTable give.
struct Collected {
    statistics: Statistics,
    keys: Vec<(u64, u64)>,
    bases: EncodingStats,
}

fn collect(sstable: &Arc<SSTable>) -> Collected {
    let stored = sstable.statistics();
    let stats = stored.stats.as_ref().unwrap();
    let provenance = Provenance {
        compression_ratio: (stats.compression_ratio != -1.0).then_some(stats.compression_ratio),
        commit_log_intervals: stats.commit_log_intervals.clone(),
        originating_host_id: stats.originating_host_id,
        level: stats.level,
        repaired_at: stats.repaired_at,
        pending_repair: stats.pending_repair,
        is_transient: stats.is_transient,
        token_space_coverage: stats.token_space_coverage.unwrap_or(f64::NAN),
    };
    let mut collector = StatsCollector::new(sstable.stream());
    let mut bases = EncodingStatsCollector::default();
    let mut keys = Vec::new();
    let mut scan = sstable.scan().unwrap();
    let mut size: Option<u64> = None;
    let mut start = 0;
    while scan.next_partition().unwrap() {
        let partition = scan.partition();
        if size.is_some() {
            collector.end_partition(partition.position - start);
        }
        start = partition.position;
        size = Some(0);
        keys.push(murmur3_128(partition.key));
        collector.partition(partition.key, partition.deletion);
        bases.deletion(partition.deletion);
        if let Some(row) = partition.static_row {
            collector.row(row);
            bases.row(row);
        }
        while scan.next_unfiltered().unwrap() {
            match scan.unfiltered() {
                Unfiltered::Row(row) => {
                    collector.row(row);
                    bases.row(row);
                }
                Unfiltered::Marker(marker) => {
                    collector.marker(marker);
                    bases.deletion(marker.close());
                    bases.deletion(marker.open());
                }
            }
        }
    }
    collector.end_partition(sstable.data().len() - start);
    let version = sstable.descriptor().version;
    let statistics = collector.finish(
        version,
        stored.validation.clone().unwrap(),
        stored.header.clone(),
        provenance,
    );
    Collected {
        statistics,
        keys,
        bases: bases.stats(),
    }
}

#[test]
fn made_anew_from_the_rows_they_are_the_same_bytes() {
    let (mut filters, mut exact_bases) = (0, 0);
    for path in files("-Data.db") {
        let name = name(&path);
        let sstable = SSTable::open(&path, &OpenOptions::default()).unwrap();
        let descriptor = sstable.descriptor();
        let read = |component| std::fs::read(descriptor.path(&component));
        let collected = collect(&sstable);

        let encoded = collected.statistics.encode(descriptor.version).unwrap();
        let stored = read(Component::Statistics).unwrap();
        if encoded != stored {
            let said = parse(&stored, descriptor.version);
            assert_eq!(
                format!("{:?}", collected.statistics),
                format!("{said:?}"),
                "{name}"
            );
            panic!("{name}: the same statistics have other bytes");
        }

        // Bases are those of the statements or of what was compacted: they may be less than what came of it.
        let (said, rows) = (
            sstable.statistics().header.encoding_stats(),
            collected.bases,
        );
        let none = EncodingStats::NONE;
        assert!(said.min_timestamp <= rows.min_timestamp, "{name}");
        assert!(
            said.min_local_deletion_time <= rows.min_local_deletion_time,
            "{name}"
        );
        assert!(
            said.min_ttl <= rows.min_ttl || rows.min_ttl == none.min_ttl,
            "{name}"
        );
        exact_bases += usize::from(said == rows);

        let Ok(stored) = read(Component::Filter) else {
            continue;
        };
        let validation = sstable.statistics().validation.as_ref().unwrap();
        let keys = collected.keys.len() as u64;
        let size = FilterSize::of(keys, validation.bloom_filter_fp_chance);
        let mut filter = FilterBuilder::in_memory(size.unwrap().unwrap());
        collected.keys.iter().for_each(|key| filter.add(*key));
        assert!(filter.bytes() == stored, "{name}");
        filters += 1;
    }
    assert!(
        filters > 850 && exact_bases > 780,
        "{filters} {exact_bases}"
    );
}

/// The SSTables of each directory.
fn tables() -> Vec<Vec<Arc<SSTable>>> {
    let mut tables: BTreeMap<PathBuf, Vec<Arc<SSTable>>> = BTreeMap::new();
    for path in files("-Data.db") {
        let sstable = SSTable::open(&path, &OpenOptions::default()).unwrap();
        let directory = path.parent().unwrap().to_owned();
        tables.entry(directory).or_default().push(sstable);
    }
    tables.into_values().collect()
}

#[test]
fn merges_are_estimated_by_their_inputs() {
    let mut merges = 0;
    for inputs in tables() {
        merges += usize::from(inputs.len() > 1);
        let name = inputs[0].descriptor().directory.display().to_string();
        let mut keys = BTreeSet::new();
        for input in &inputs {
            let mut scan = input.scan().unwrap();
            let mut partitions = 0;
            while scan.next_partition().unwrap() {
                keys.insert(scan.partition().key.to_vec());
                partitions += 1;
            }
            let by_index = estimated_keys(input).unwrap();
            let interval = match input.descriptor().format() {
                Format::Big => 2 * 128,
                Format::Bti => 0,
            };
            assert!(
                (partitions..=partitions + interval).contains(&by_index),
                "{name}"
            );
        }
        // The sparse form knows some thousands of keys to a few.
        let about = approximate_key_count(&inputs).unwrap();
        assert!(
            about.abs_diff(keys.len() as u64) <= keys.len() as u64 / 50,
            "{name}"
        );
    }
    assert!(merges > 100, "{merges}");
}

#[test]
fn headers_of_merges_suit_their_inputs() {
    for inputs in tables() {
        let name = inputs[0].descriptor().directory.display().to_string();
        let header = merged_header(&inputs).unwrap();
        let stats = || {
            inputs
                .iter()
                .map(|i| i.statistics().stats.as_ref().unwrap())
        };
        let least = stats().map(|s| s.min_timestamp).min().unwrap();
        assert_eq!(header.min_timestamp, least, "{name}");
        assert_eq!(
            header.min_ttl,
            stats().map(|s| i64::from(s.min_ttl)).min().unwrap()
        );
        for input in &inputs {
            let own = &input.statistics().header;
            for (all, own) in [
                (&header.statics, &own.statics),
                (&header.regulars, &own.regulars),
            ] {
                // Each header's columns are there, in the same order.
                let mut all = all.iter().map(|(name, _)| name);
                assert!(
                    own.iter().all(|(column, _)| all.any(|name| name == column)),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn repairs_are_not_mixed() {
    let (mut refused, mut intervals) = (0, 0);
    for inputs in tables() {
        let stats = || {
            inputs
                .iter()
                .map(|i| i.statistics().stats.as_ref().unwrap())
        };
        let pending: BTreeSet<_> = stats().map(|s| s.pending_repair).collect();
        let host = stats().next().unwrap().originating_host_id;
        let Ok(merged) = Provenance::of_inputs(&inputs, host) else {
            assert!(pending.len() > 1);
            refused += 1;
            continue;
        };
        assert_eq!(pending.len(), 1);
        assert_eq!(
            Some(merged.repaired_at),
            stats().map(|s| s.repaired_at).min()
        );
        // Flushes follow each other in the commit log without a gap or an overlap.
        let ends = stats().map(|s| s.commit_log_upper).max();
        assert_eq!(merged.commit_log_intervals.last().map(|i| i.1), ends);
        intervals += merged.commit_log_intervals.len();
        assert_eq!(
            Provenance::of_inputs(&inputs, None)
                .unwrap()
                .commit_log_intervals,
            []
        );
    }
    assert!(refused >= 3 && intervals > 300, "{refused} {intervals}");
}

/// CRC32 of Statistics.db after `MetadataSerializer.mutateLevel` to 3 and `mutateRepairMetadata`.
#[test]
fn replaced_they_are_what_cassandra_makes_of_them() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden");
    for (file, expected) in [
        ("oa/histograms/oa-1-big-Statistics.db", 0xfb9d648c),
        ("oa/leveled/oa-2-big-Statistics.db", 0xe33710f7),
        ("da/expiring/da-1-bti-Statistics.db", 0x7793d4b8),
        ("nb/histograms/nb-1-big-Statistics.db", 0x6d860fa7),
        ("nb/range_tombstones/nb-1-big-Statistics.db", 0xab56950e),
        ("na/statistics/na-2-big-Statistics.db", 0x563f2e41),
        ("me/wide_reversed/me-1-big-Statistics.db", 0x3a413c5c),
        ("md/types_regular/md-1-big-Statistics.db", 0xc7bd3577),
        ("mc/states/mc-2-big-Statistics.db", 0x613d5105),
        ("mb/wide/mb-1-big-Statistics.db", 0xe033cc26),
        ("ma/types_clustering/ma-1-big-Statistics.db", 0x077dbf2f),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let from = golden.join(file);
        let path = directory.path().join(from.file_name().unwrap());
        let left_behind = path.with_extension("db.tmp");
        std::fs::copy(&from, &path).unwrap();
        std::fs::write(&left_behind, b"half of a file").unwrap();
        let descriptor = Descriptor::parse(&path).unwrap().0;
        let change = |stats: &mut Stats| {
            stats.level = 3;
            stats.repaired_at = 1_234_567_890_123;
            stats.pending_repair = None;
            stats.is_transient = false;
        };
        Statistics::mutate(&descriptor, change).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(crc32fast::hash(&bytes), expected, "{file}");
        assert!(!left_behind.exists());
        // What cannot be stored leaves the file as it was.
        let change = |stats: &mut Stats| {
            stats.min_local_deletion_time = -1;
            stats.clustering = ClusteringRange::Lists {
                min: vec![vec![0; 65_536]],
                max: Vec::new(),
            };
        };
        assert!(Statistics::mutate(&descriptor, change).is_err(), "{file}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}
