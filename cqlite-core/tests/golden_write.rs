//! Every golden SSTable of a version that is written, read and written again with the same metadata, has the same bytes
//! as Cassandra's.

use cqlite_core::sstable::component::compression_info::CompressionInfo;
use cqlite_core::sstable::component::filter::FilterSize;
use cqlite_core::sstable::component::statistics::SerializationHeader;
use cqlite_core::sstable::data::{Buffer, DataFile, Scratch};
use cqlite_core::sstable::verify::{VerifyOptions, verify};
use cqlite_core::sstable::{
    Component, CompressionOptions, Descriptor, OpenOptions, Provenance, SSTable, SSTableWriter,
    Version, WriteOptions,
};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden")
}

fn data_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // Transactions that were cut off leave halves of SSTables behind.
        if path.is_dir() && !path.to_str().is_some_and(|p| p.contains("/transaction_")) {
            data_files(&path, found);
        } else if path.to_str().is_some_and(|p| p.ends_with("-Data.db")) {
            found.push(path);
        }
    }
}

/// What an SSTable was written with, as far as it tells.
fn options_of(sstable: &SSTable) -> WriteOptions {
    let compression = sstable.data().compression().map(compression_of);
    let statistics = sstable.statistics();
    let stats = statistics.stats.as_ref().unwrap();
    let summary = std::fs::read(sstable.descriptor().path(&Component::Summary));
    WriteOptions {
        partitioner: sstable.partitioner().clone(),
        compression,
        bloom_filter_fp_chance: statistics
            .validation
            .as_ref()
            .unwrap()
            .bloom_filter_fp_chance,
        min_index_interval: summary.map_or(128, |s| u32::from_be_bytes(s[..4].try_into().unwrap())),
        estimated_keys: estimated_keys(sstable),
        provenance: Provenance {
            compression_ratio: None,
            commit_log_intervals: stats.commit_log_intervals.clone(),
            originating_host_id: stats.originating_host_id,
            level: stats.level,
            repaired_at: stats.repaired_at,
            pending_repair: stats.pending_repair,
            is_transient: stats.is_transient,
            token_space_coverage: stats.token_space_coverage.unwrap_or(f64::NAN),
        },
        ..WriteOptions::default()
    }
}

/// A count of keys that gives a filter of the size that there is.
fn estimated_keys(sstable: &SSTable) -> u64 {
    let Some(filter) = sstable.filter().unwrap() else {
        return 0;
    };
    let chance = sstable.statistics().validation.as_ref().unwrap();
    let chance = chance.bloom_filter_fp_chance;
    let bits = |keys| FilterSize::of(keys, chance).unwrap().unwrap().word_count as u64 * 64;
    (0..1_000_000)
        .find(|&keys| bits(keys) >= filter.bit_count())
        .unwrap()
}

fn compression_of(info: &CompressionInfo) -> CompressionOptions {
    CompressionOptions {
        compressor: info.compressor(),
        options: info.options().to_vec(),
        chunk_length: info.chunk_length(),
        max_compressed_length: info.max_compressed_length(),
    }
}

/// Sizes of index blocks that the generator of the golden tables asked for. None of them is stored.
const BLOCK_BYTES: [Option<u32>; 3] = [None, Some(0), Some(1024)];

fn write_again(sstable: &Arc<SSTable>, directory: &Path, block_bytes: Option<u32>) -> Descriptor {
    let descriptor = Descriptor {
        directory: directory.to_owned(),
        ..sstable.descriptor().clone()
    };
    let mut writer = SSTableWriter::create(
        descriptor.clone(),
        &sstable.statistics().header,
        sstable.stream(),
        WriteOptions {
            column_index_size: block_bytes,
            ..options_of(sstable)
        },
    )
    .unwrap();
    writer.append_all(&mut sstable.scan().unwrap()).unwrap();
    let written = writer.finish().unwrap().unwrap();
    assert_eq!(written.descriptor, descriptor);
    descriptor
}

fn uncompressed(data: &DataFile) -> Vec<u8> {
    let mut out = Buffer::default();
    data.read_chunks(0, data.chunk_count(), &mut out, &mut Scratch::default())
        .unwrap();
    out.bytes().to_vec()
}

/// Where two files differ first.
fn first_difference(a: &[u8], b: &[u8]) -> Option<String> {
    if a == b {
        return None;
    }
    let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let around = |x: &[u8]| format!("{:02x?}", &x[at.saturating_sub(8)..x.len().min(at + 24)]);
    Some(format!(
        "at {at} of {} and {} bytes: {} {}",
        a.len(),
        b.len(),
        around(a),
        around(b)
    ))
}

/// The fields of Statistics.db that differ. How well the data is compressed does not count.
fn statistics_differ(a: &SSTable, b: &SSTable) -> Option<String> {
    let text = |sstable: &SSTable| {
        let mut statistics = sstable.statistics().clone();
        if let Some(stats) = &mut statistics.stats
            && stats.compression_ratio != -1.0
        {
            stats.compression_ratio = 1.0;
        }
        format!("{statistics:#?}")
    };
    let (a, b) = (text(a), text(b));
    let lines = a.lines().zip(b.lines()).filter(|(a, b)| a != b);
    let lines: Vec<_> = lines
        .take(6)
        .map(|(a, b)| format!("{} {}", a.trim(), b.trim()))
        .collect();
    (a != b).then(|| lines.join(" | "))
}

#[test]
fn written_again_as_they_were() {
    let mut files = Vec::new();
    for version in ["nb", "oa", "da"] {
        data_files(&golden().join(version), &mut files);
    }
    files.sort();
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in files {
        let sstable = SSTable::open(&path, &OpenOptions::default()).unwrap();
        if !sstable.descriptor().version.is_writable() {
            continue;
        }
        let bytes = |d: &Descriptor, c: &Component| std::fs::read(d.path(c)).unwrap_or_default();
        let index = |d: &Descriptor| (bytes(d, &Component::Index), bytes(d, &Component::Rows));
        let mut written = Vec::new();
        for block_bytes in BLOCK_BYTES {
            let dir = tempfile::tempdir().unwrap();
            let again = write_again(&sstable, dir.path(), block_bytes);
            let same = index(&again) == index(sstable.descriptor());
            written.push((dir, again));
            if same {
                written.drain(..written.len() - 1);
                break;
            }
        }
        let again = &written[0].1;
        let reopened = SSTable::open_descriptor(again.clone(), &OpenOptions::default());
        let mut differ = |what: &str, difference: Option<String>| {
            if let Some(difference) = difference {
                wrong.push(format!("{} {what}: {difference}", path.display()));
            }
        };
        match reopened {
            Ok(reopened) => {
                differ("Statistics.db", statistics_differ(&sstable, &reopened));
                let (a, b) = (uncompressed(sstable.data()), uncompressed(reopened.data()));
                // It holds a deletion whose local time Cassandra, too, reads as another one.
                if !path.to_str().is_some_and(|p| p.contains("/ttl_20_years/")) {
                    differ("data", first_difference(&a, &b));
                }
            }
            Err(e) => differ("open", Some(e.to_string())),
        }
        for component in [
            Component::Index,
            Component::Summary,
            Component::Partitions,
            Component::Rows,
            Component::Crc,
            Component::Filter,
            Component::Toc,
        ] {
            let mut a = bytes(sstable.descriptor(), &component);
            let b = bytes(again, &component);
            // Storage-attached indexes are made of the SSTable, by somebody else.
            if component == Component::Toc {
                let text = String::from_utf8(a).unwrap();
                let lines = text
                    .split_inclusive('\n')
                    .filter(|l| !l.starts_with("SAI+"));
                a = lines.collect::<String>().into_bytes();
            }
            // Behind the data of compactions Cassandra leaves a chunk of no bytes, whose checksum is 0.
            if component == Component::Crc && a.len() == b.len() + 4 {
                a.truncate(b.len());
            }
            differ(component.name(), first_difference(&a, &b));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "of {count}:\n{}", wrong.join("\n"));
    assert!(count > 200);
}

/// Any readable version becomes any that is written, one after the other.
#[test]
fn written_in_other_versions() {
    let mut files = Vec::new();
    data_files(&golden(), &mut files);
    files.sort();
    let versions = [("nb", "big"), ("oa", "big"), ("da", "bti")];
    let (mut wrong, mut count, mut unstorable) = (Vec::new(), 0, 0);
    for (i, path) in files.iter().enumerate() {
        let name = path.to_str().unwrap();
        // Only its schema knows that the user type is frozen.
        if name.contains("/frozen_udt/") || name.contains("/bad/") {
            continue;
        }
        let sstable = SSTable::open(path, &OpenOptions::default()).unwrap();
        let header = &sstable.statistics().header;
        let made = SerializationHeader::of_stream(sstable.stream(), header.encoding_stats());
        let (version, format) = versions[i % 3];
        if sstable.descriptor().version.is_writable() && made != *header {
            wrong.push(format!("{name} header: {made:?} {header:?}"));
        }
        let dir = tempfile::tempdir().unwrap();
        let version = Version::parse(version, format).unwrap();
        let descriptor = Descriptor::next(dir.path(), version).unwrap();
        let options = WriteOptions {
            column_index_size: Some(1024),
            partitioner: sstable.partitioner().clone(),
            estimated_keys: 100,
            ..WriteOptions::default()
        };
        let mut writer =
            SSTableWriter::create(descriptor.clone(), &made, sstable.stream(), options).unwrap();
        let mut scan = sstable.scan().unwrap();
        if let Err(e) = writer.append_all(&mut scan) {
            // Deletions before 1970 and after 2106 have no place since `oa`.
            match e
                .to_string()
                .contains("cannot be stored since version `oa`")
            {
                true => unstorable += 1,
                false => wrong.push(format!("{name} to {version}: {e}")),
            }
            continue;
        }
        writer.finish().unwrap().unwrap();
        let mut faults = Vec::new();
        verify(
            &descriptor,
            &VerifyOptions::default(),
            &mut |finding| faults.push(format!("{finding:?}")),
            &mut |_, _| ControlFlow::Continue(()),
        );
        if !faults.is_empty() {
            wrong.push(format!("{name} to {version}: {}", faults.join(" | ")));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "of {count}:\n{}", wrong.join("\n"));
    assert!(count > 800 && unstorable < 10, "{count} {unstorable}");
}
