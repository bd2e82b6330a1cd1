//! What the fuzz targets do with their input: everything that can be done with such bytes. Whatever they are, it ends,
//! without panic and within the memory that they could back.
//!
//! Many inputs are of several parts, each but the last with its length before it in two bytes; see [`part`].

mod commitlog;
mod language;

pub use commitlog::commitlog;
pub use language::{cql, cql_type, literals, marshal, schema, values};

use cqlite_core::ErrorKind;
use cqlite_core::bytes::Cursor;
use cqlite_core::io::{Mapped, Source};
use cqlite_core::model::*;
use cqlite_core::partitioner::{PartitionPosition, Partitioner, murmur3_128};
use cqlite_core::query::{Plan, PlanOptions};
use cqlite_core::read::TableReader;
use cqlite_core::schema::parse_schema;
use cqlite_core::schema::{ClusteringColumn, TableSchema};
use cqlite_core::sstable::big::{IndexInfo, Place, PrimaryIndex, PromotedIndex, Summary};
use cqlite_core::sstable::bti::{Partitions, RowIndex, Target};
use cqlite_core::sstable::component::compression_info::CompressionInfo;
use cqlite_core::sstable::component::filter::BloomFilter;
use cqlite_core::sstable::component::statistics::Statistics;
use cqlite_core::sstable::data::{
    Buffer, DataFile, Decoded, Layout, Scratch, decode_partition_start, decode_unfiltered,
    peek_unfiltered,
};
use cqlite_core::sstable::descriptor::{Component, Descriptor, SSTableId, TableName};
use cqlite_core::sstable::index::Clusterings;
use cqlite_core::sstable::verify::{Finding, VerifyOptions, verify};
use cqlite_core::sstable::{OpenOptions, SSTable, Version, transaction};
use cqlite_core::types::{CqlType, counter};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Every version that is read.
pub const VERSIONS: [(&str, &str); 9] = [
    ("ma", "big"),
    ("mb", "big"),
    ("mc", "big"),
    ("md", "big"),
    ("me", "big"),
    ("na", "big"),
    ("nb", "big"),
    ("oa", "big"),
    ("da", "bti"),
];

/// The first byte is a version's index.
fn version(input: &[u8]) -> Option<(Version, &[u8])> {
    let (&first, rest) = input.split_first()?;
    let (letters, format) = VERSIONS[first as usize % VERSIONS.len()];
    Some((Version::parse(letters, format).ok()?, rest))
}

/// A part of the input, whose length lies before it in two bytes (big-endian), and what follows it.
fn part(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = input.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*len) as usize)
}

fn mapped(bytes: &[u8]) -> Mapped {
    Mapped::from_vec(Path::new("fuzzed"), bytes.to_vec())
}

fn text(input: &[u8]) -> &str {
    std::str::from_utf8(input).unwrap_or_default()
}

/// Version, Statistics.db.
pub fn statistics(input: &[u8]) {
    let Some((version, bytes)) = version(input) else {
        return;
    };
    if let Ok(statistics) = Statistics::parse(&mapped(bytes), version)
        && let Ok(types) = statistics.header.types()
    {
        let _ = TableSchema::from_headers("ks", "t", &[types], None);
    }
}

/// Version, length of Data.db, CompressionInfo.db.
pub fn compression_info(input: &[u8]) {
    let Some((version, bytes)) = version(input) else {
        return;
    };
    let Some((len, bytes)) = part(bytes) else {
        return;
    };
    let file_length = len.iter().fold(0, |n: u64, b| n << 8 | u64::from(*b));
    if let Ok(info) = CompressionInfo::parse(mapped(bytes), version) {
        for i in 0..info.chunk_count() {
            if let Ok((start, end)) = info.chunk_range(i, file_length) {
                assert!(start < end && end <= file_length);
            }
        }
    }
}

/// Version, a byte whose bits say whether checksums are checked and whether chunks are compressed, CompressionInfo.db or
/// CRC.db, Data.db.
pub fn chunks(input: &[u8]) {
    let Some((version, rest)) = version(input) else {
        return;
    };
    let Some((&flags, rest)) = rest.split_first() else {
        return;
    };
    let Some((info, data)) = part(rest) else {
        return;
    };
    let source = Source::new(
        Path::new("fuzzed"),
        data.len() as u64,
        Box::new(data.to_vec()),
    );
    let file = if flags & 1 != 0 {
        CompressionInfo::parse(mapped(info), version).map(|i| DataFile::compressed(source, i))
    } else {
        DataFile::plain(source, (!info.is_empty()).then(|| mapped(info)))
    };
    let Ok(file) = file else {
        return;
    };
    let file = file.verify_checksums(flags & 2 != 0);
    let mut scratch = Scratch::default();
    for i in 0..file.chunk_count().min(64) {
        let mut out = Buffer::default();
        if file.read_chunks(i, 3, &mut out, &mut scratch).is_ok() {
            assert!(!out.bytes().is_empty());
        }
    }
}

/// A path.
pub fn names(input: &[u8]) {
    let path = Path::new(text(input));
    if let Ok((descriptor, component)) = Descriptor::parse(path) {
        let again = Descriptor::parse(&descriptor.path(&component));
        assert_eq!(again.ok(), Some((descriptor, component)));
    }
    let _ = TableName::of_directory(path);
    let _ = Component::parse(text(input));
    let _ = SSTableId::parse(text(input));
    let _ = transaction::is_log(text(input));
}

/// Version, serialization header, partitions.
pub fn rows(input: &[u8]) {
    let Some((version, rest)) = version(input) else {
        return;
    };
    let Some((header, data)) = part(rest) else {
        return;
    };
    // A Statistics.db of `ma` has no checksums.
    let mut statistics = vec![0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 12];
    statistics.extend_from_slice(header);
    let Ok(oldest) = Version::parse("ma", "big") else {
        return;
    };
    let Ok(statistics) = Statistics::parse(&mapped(&statistics), oldest) else {
        return;
    };
    let Ok(types) = statistics.header.types() else {
        return;
    };
    let stream = Arc::new(StreamHeader {
        key_type: types.key,
        clustering: types
            .clustering
            .into_iter()
            .map(|(ty, descending)| ClusteringColumn {
                name: "c".into(),
                ty,
                descending,
            })
            .collect(),
        statics: types.statics,
        regulars: types.regulars,
    });
    let Ok(layout) = Layout::of_header(&statistics.header, version, stream.clone()) else {
        return;
    };
    let comparator = ClusteringComparator::new(&stream.clustering);
    let (mut row, mut marker, mut spans) = (RowBuf::default(), MarkerBuf::default(), Vec::new());
    let mut out = Vec::new();
    let mut rest = data;
    while let Ok((start, len)) = decode_partition_start(rest, &layout, &mut row) {
        show(&stream.key_type, start.key, &mut out);
        show_row(RowRef::new(rest, &row), &stream.statics, &mut out);
        rest = &rest[len..];
        loop {
            let peeked = peek_unfiltered(rest, &layout, &mut spans);
            let Ok((decoded, len)) = decode_unfiltered(rest, &layout, &mut row, &mut marker) else {
                return;
            };
            let peeked = peeked.expect("what can be decoded can be passed over");
            assert_eq!((peeked.decoded, peeked.len), (decoded, len as u64));
            let unfiltered = match decoded {
                Decoded::End => {
                    rest = &rest[len..];
                    break;
                }
                Decoded::Row => Unfiltered::Row(RowRef::new(rest, &row)),
                Decoded::Marker => Unfiltered::Marker(MarkerRef::new(rest, &marker)),
            };
            let (values, kind) = (unfiltered.clustering(), unfiltered.kind());
            assert!(comparator.compare(values, kind, values, kind).is_eq());
            if let Unfiltered::Row(row) = unfiltered {
                show_row(row, &stream.regulars, &mut out);
            }
            rest = &rest[len..];
        }
    }
}

fn show_row(row: RowRef<'_>, columns: &[cqlite_core::schema::Column], out: &mut Vec<u8>) {
    for cell in row.cells() {
        show(&columns[cell.column].ty, cell.value, out);
        show(&CqlType::Blob, cell.path.unwrap_or_default(), out);
    }
}

fn show(ty: &CqlType, value: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let _ = ty.write_json(value, out);
    let _ = ty.write_text(value, out);
    let _ = ty.write_cql_literal(value, out);
    ty.write_comparable(Some(value), false, out);
}

fn clusterings() -> Clusterings {
    let column = |ty, descending| ClusteringColumn {
        name: "c".into(),
        ty,
        descending,
    };
    Clusterings::new(&[column(CqlType::Text, false), column(CqlType::Int, true)])
}

fn bound(input: &[u8], kind: BoundKind) -> Bound {
    Bound {
        kind,
        values: input.chunks(5).take(2).map(|v| Some(v.to_vec())).collect(),
    }
}

/// Whether deletion times are those of `oa`, a bound, Summary.db, Index.db.
pub fn index(input: &[u8]) {
    let Some((&new, rest)) = input.split_first() else {
        return;
    };
    let Some((key, rest)) = part(rest) else {
        return;
    };
    let Some((summary, file)) = part(rest) else {
        return;
    };
    let index = PrimaryIndex::new(file, Summary::open(summary).ok());
    let partitioner = Partitioner::Murmur3;
    let decorated = partitioner.decorate(key);
    let _ = index.lookup_behind(&partitioner, &decorated, &mut Place::default());
    let _ = index.lower_bound(&partitioner, &PartitionPosition::Key(decorated));
    let _ = (index.first(), index.last());
    // One behind the other; whether they are in order is the file's affair.
    let mut place = Place::default();
    for entry in index.entries().take(16) {
        let Ok(entry) = entry else {
            break;
        };
        let _ = index.lookup_behind(&partitioner, &partitioner.decorate(entry.key), &mut place);
    }
    let clusterings = clusterings();
    let mut info = IndexInfo::default();
    for entry in index.entries() {
        let Ok(entry) = entry else {
            break;
        };
        let Ok(Some(promoted)) = PromotedIndex::open(&entry, new & 1 != 0) else {
            continue;
        };
        for i in 0..=promoted.block_count() {
            if promoted
                .decode(i, clusterings.fixed_lengths(), &mut info)
                .is_err()
            {
                break;
            }
        }
        let (start, end) = (
            bound(key, BoundKind::InclStart),
            bound(key, BoundKind::InclEnd),
        );
        for (start, end) in [(&Bound::BOTTOM, &Bound::TOP), (&start, &end)] {
            if let Ok(mut blocks) = promoted.blocks(&clusterings, start, end) {
                let _ = blocks.span();
                while let Ok(Some(_)) = blocks.next_back() {}
            }
        }
    }
}

/// A key, Summary.db.
pub fn summary(input: &[u8]) {
    let Some((key, file)) = part(input) else {
        return;
    };
    let Ok(summary) = Summary::open(file) else {
        return;
    };
    for partitioner in [
        Partitioner::Murmur3,
        Partitioner::Random,
        Partitioner::ByteOrdered,
    ] {
        let position = PartitionPosition::Key(partitioner.decorate(key));
        if let Ok(Some(i)) = summary.floor(&partitioner, &position) {
            assert!(i < summary.len());
        }
    }
    for i in 0..summary.len() {
        let _ = summary.entry(i);
    }
}

/// A byte that says whether words are big-endian, a key, Filter.db.
pub fn filter(input: &[u8]) {
    let Some((&old, rest)) = input.split_first() else {
        return;
    };
    let Some((key, file)) = part(rest) else {
        return;
    };
    if let Ok(filter) = BloomFilter::open(file, old & 1 != 0) {
        let _ = filter.might_contain(murmur3_128(key));
        let _ = filter.might_contain((u64::MAX, 1 << 63));
    }
}

/// A key, Partitions.db.
pub fn partitions(input: &[u8]) {
    let Some((key, file)) = part(input) else {
        return;
    };
    let Ok(partitions) = Partitions::open(file) else {
        return;
    };
    let mut count = 0;
    for target in partitions.iter() {
        count += 1;
        assert!(count <= file.len());
        let _: Option<Target> = target.ok();
    }
    for partitioner in [
        Partitioner::Murmur3,
        Partitioner::Random,
        Partitioner::ByteOrdered,
    ] {
        let decorated = partitioner.decorate(key);
        let _ = partitions.lookup(&partitioner, &decorated);
        let _ = partitions.lower_bound(&partitioner, &PartitionPosition::Key(decorated));
    }
}

/// Position of an entry in two bytes, a bound, Rows.db.
pub fn row_index(input: &[u8]) {
    let Some((position, rest)) = input.split_first_chunk() else {
        return;
    };
    let Some((key, file)) = part(rest) else {
        return;
    };
    let Ok(index) = RowIndex::open(file, u16::from_be_bytes(*position).into()) else {
        return;
    };
    let mut count = 0;
    for block in index.iter() {
        count += 1;
        assert!(count <= file.len());
        let _ = block;
    }
    for (start, end) in [
        (&[][..], &[0xff; 9][..]),
        (key, key),
        (&key[key.len() / 2..], key),
    ] {
        if let Ok(mut blocks) = index.blocks(start.iter().copied(), end.iter().copied()) {
            let _ = blocks.span();
            let mut count = 0;
            while let Ok(Some(_)) = blocks.next_back() {
                count += 1;
                assert!(count <= file.len());
            }
        }
    }
}

/// Golden tables that are queried.
pub const QUERIED: [&str; 6] = [
    "oa/literals",
    "oa/all_types_clustering",
    "oa/collections",
    "oa/statics",
    "da/wide_tombstones",
    "nb/counters",
];

/// The tables that are queried, opened once.
fn queried() -> &'static [TableReader] {
    static TABLES: OnceLock<Vec<TableReader>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden");
        let open = |table: &str| {
            let directory = golden.join(table);
            let text = std::fs::read_to_string(directory.join("schema.cql")).unwrap();
            let schema = parse_schema(&text, None).unwrap();
            let name = table.split('/').nth(1).unwrap();
            let mut sstables = Vec::new();
            for entry in std::fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.to_str().is_some_and(|p| p.ends_with("-Data.db")) {
                    sstables.push(SSTable::open(&path, &OpenOptions::default()).unwrap());
                }
            }
            let schema = schema.table("golden", name).unwrap().clone();
            TableReader::open(schema, sstables).unwrap()
        };
        QUERIED.into_iter().map(open).collect()
    })
}

/// Which table, and a SELECT of it.
pub fn query(input: &[u8]) {
    let Some((&table, statement)) = input.split_first() else {
        return;
    };
    let Ok(select) = cqlite_core::cql::parse_select(text(statement)) else {
        return;
    };
    let reader = &queried()[table as usize % QUERIED.len()];
    let options = PlanOptions {
        indexes: &[],
        now: 1_700_000_000,
    };
    let plan = match Plan::new(&select, reader.schema(), reader.partitioner(), &options) {
        Ok(plan) => plan,
        Err(e) => {
            assert!(e.kind() != ErrorKind::Internal, "{e}");
            return;
        }
    };
    let mut rows = plan.execute(reader);
    let mut out = Vec::new();
    for _ in 0..2000 {
        match rows.advance() {
            Ok(true) => {
                out.clear();
                let row = rows.row();
                let _ = row.write_json(&mut out);
                for (i, column) in row.columns().iter().enumerate() {
                    if let Some(value) = row.value(i) {
                        show(&column.ty, value, &mut out);
                    }
                }
            }
            Ok(false) => break,
            Err(e) => {
                assert!(e.kind() != ErrorKind::Internal, "{e}");
                break;
            }
        }
    }
}

/// A byte that says which component of an SSTable, and that component: Digest.crc32, TOC.txt and all others, beside good
/// ones, are verified.
pub fn verified(input: &[u8]) {
    let Some((&which, bytes)) = input.split_first() else {
        return;
    };
    static GOOD: OnceLock<(Descriptor, Vec<(PathBuf, Vec<u8>)>)> = OnceLock::new();
    let (descriptor, files) = GOOD.get_or_init(|| {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden/oa/wide_two");
        let directory =
            std::env::temp_dir().join(format!("cqlite-fuzz-verify-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut files = Vec::new();
        for entry in std::fs::read_dir(golden).unwrap() {
            let path = entry.unwrap().path();
            if Descriptor::parse(&path).is_ok_and(|(d, _)| d.id == SSTableId::Sequence(1)) {
                let bytes = std::fs::read(&path).unwrap();
                let path = directory.join(path.file_name().unwrap());
                std::fs::write(&path, &bytes).unwrap();
                files.push((path, bytes));
            }
        }
        files.sort();
        let (descriptor, _) = Descriptor::parse(&files[0].0).unwrap();
        (descriptor, files)
    });
    let (path, good) = &files[which as usize % files.len()];
    std::fs::write(path, bytes).unwrap();
    let mut told = 0;
    let report = verify(
        descriptor,
        &VerifyOptions::default(),
        &mut |finding| {
            if let Finding::Fault(e) = finding {
                assert!(
                    e.kind() != ErrorKind::Internal && e.location().file.is_some(),
                    "{e}"
                );
                told += 1;
            }
        },
        &mut |_, _| ControlFlow::Continue(()),
    );
    assert_eq!(report.faults, told);
    std::fs::write(path, good).unwrap();
}

/// Two counter contexts.
pub fn counters(input: &[u8]) {
    let Some((a, b)) = part(input) else {
        return;
    };
    let mut out = Vec::new();
    let _ = (counter::total(a), counter::total(b));
    if counter::merge(a, b, &mut out).is_ok() {
        assert!(counter::total(&out).is_ok());
    }
    out.clear();
    let _ = counter::clear_local(a, &mut out);
    let _ = Cursor::new(&out).i16();
}

/// A transaction log.
pub fn transaction(input: &[u8]) {
    let directory = std::env::temp_dir().join(format!("cqlite-fuzz-{}", std::process::id()));
    let log = directory.join("oa_txn_compaction_0.log");
    if std::fs::create_dir_all(&directory).is_ok() && std::fs::write(&log, input).is_ok() {
        let _ = transaction::dead_files(&log, &["oa-1-big-Data.db".to_owned()].into());
    }
}
