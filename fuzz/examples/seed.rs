//! Writes seeds for every target out of the golden SSTables and commit logs: `seed <golden> <logs> <corpus>`. See `seed.sh`.

use cqlite_core::commitlog::{LogReader, ReplayPolicy, segments};
use cqlite_core::model::PartitionSource;
use cqlite_core::sstable::{Component, Descriptor, OpenOptions, SSTable};
use cqlite_core::types::CqlType;
use cqlite_fuzz::{QUERIED, VERSIONS};
use std::path::{Path, PathBuf};

/// Longer files make slow seeds.
const BYTES_MAX: usize = 12_000;

struct Corpus {
    directory: PathBuf,
    count: usize,
}

impl Corpus {
    fn add(&mut self, target: &str, parts: &[&[u8]]) {
        let bytes = parts.concat();
        if bytes.len() > BYTES_MAX {
            return;
        }
        let directory = self.directory.join(target);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(format!("seed-{}", self.count)), bytes).unwrap();
        self.count += 1;
    }
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    let mut sized = (bytes.len() as u16).to_be_bytes().to_vec();
    sized.extend_from_slice(bytes);
    sized
}

fn main() {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(golden), Some(logs), Some(directory)) = (args.next(), args.next(), args.next())
    else {
        panic!("usage: seed <golden> <logs> <corpus>");
    };
    let mut corpus = Corpus {
        directory,
        count: 0,
    };
    walk(&golden, &mut corpus);
    for log in std::fs::read_dir(logs).unwrap() {
        let log = log.unwrap().path();
        if log.is_dir() {
            commit_log(&log, &mut corpus);
        }
    }
}

/// Segments that are short, and the mutations of all.
fn commit_log(directory: &Path, corpus: &mut Corpus) {
    let segments = segments(directory).unwrap();
    for segment in &segments {
        corpus.add("commitlog", &[&[0x21], &std::fs::read(segment).unwrap()]);
    }
    let mut log = LogReader::open(segments, ReplayPolicy::Stop).unwrap();
    while log.advance().unwrap() {
        let (segment, record) = log.record().unwrap();
        let version = (segment.descriptor().version.number() - 6) as u8;
        // The ids of the golden tables begin with this.
        if record.mutation.get(1) == Some(&0x10) {
            corpus.add("commitlog", &[&[version << 1], record.mutation]);
        }
    }
}

fn walk(directory: &Path, corpus: &mut Corpus) {
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            walk(&path, corpus);
        } else if name.ends_with("-Data.db") {
            sstable(&path, corpus);
        } else if name == "schema.cql" {
            corpus.add("schema", &[&std::fs::read(&path).unwrap()]);
        } else if name == "answers.jsonl" {
            let table = QUERIED.iter().position(|table| directory.ends_with(table));
            let text = std::fs::read_to_string(&path).unwrap();
            answers(&text, table.map(|i| i as u8), corpus);
        } else if name.ends_with(".log") {
            corpus.add("transaction", &[&std::fs::read(&path).unwrap()]);
        }
    }
}

/// The statements: what stands behind `"cql": "`.
fn answers(text: &str, table: Option<u8>, corpus: &mut Corpus) {
    for line in text.lines().step_by(if table.is_some() { 1 } else { 7 }) {
        if let Some((_, rest)) = line.split_once("\"cql\": \"")
            && let Some((cql, _)) = rest.split_once("\", \"")
        {
            let cql = cql.replace("\\\"", "\"");
            corpus.add("cql", &[cql.as_bytes()]);
            if let Some(table) = table {
                corpus.add("query", &[&[table], cql.as_bytes()]);
            }
            for term in terms(&cql) {
                let class = format!("org.apache.cassandra.db.marshal.{}", class_of(term));
                corpus.add("literals", &[&sized(class.as_bytes()), term.as_bytes()]);
            }
        }
    }
}

/// What stands behind a comparison.
fn terms(cql: &str) -> impl Iterator<Item = &str> {
    let values = cql.split(" = ").skip(1);
    values
        .map(|rest| rest.split(" AND ").next().unwrap_or_default())
        .map(|rest| rest.split(" ALLOW ").next().unwrap_or_default())
}

/// A type that such a term may be of.
fn class_of(term: &str) -> &'static str {
    match term.bytes().next() {
        Some(b'{') => {
            "MapType(org.apache.cassandra.db.marshal.UTF8Type,org.apache.cassandra.db.marshal.Int32Type)"
        }
        Some(b'[') => "ListType(org.apache.cassandra.db.marshal.IntegerType)",
        Some(b'(') => {
            "TupleType(org.apache.cassandra.db.marshal.Int32Type,org.apache.cassandra.db.marshal.UTF8Type)"
        }
        Some(b'\'') => "TimestampType",
        Some(b'0') => "BytesType",
        Some(b'-' | b'1'..=b'9') => "DecimalType",
        _ => "UUIDType",
    }
}

fn sstable(path: &Path, corpus: &mut Corpus) {
    let Ok(sstable) = SSTable::open(path, &OpenOptions::default()) else {
        return;
    };
    let descriptor: &Descriptor = sstable.descriptor();
    let read =
        |component: Component| std::fs::read(descriptor.path(&component)).unwrap_or_default();
    let letters = descriptor.version.to_string();
    let version = VERSIONS.iter().position(|v| v.0 == letters).unwrap() as u8;
    corpus.add("names", &[path.to_str().unwrap().as_bytes()]);

    if path.ends_with("oa/wide_two/oa-1-big-Data.db") {
        let mut components: Vec<_> = std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| Descriptor::parse(path).is_ok_and(|(d, _)| d == *descriptor))
            .collect();
        components.sort();
        for (i, component) in components.iter().enumerate() {
            corpus.add(
                "verified",
                &[&[i as u8], &std::fs::read(component).unwrap()],
            );
        }
    }

    let statistics = read(Component::Statistics);
    corpus.add("statistics", &[&[version], &statistics]);
    let (data, info) = (read(Component::Data), read(Component::CompressionInfo));
    if !info.is_empty() {
        let len = (data.len() as u32).to_be_bytes();
        corpus.add("compression_info", &[&[version], &sized(&len), &info]);
        corpus.add("chunks", &[&[version, 1], &sized(&info), &data]);
    } else {
        corpus.add(
            "chunks",
            &[&[version, 2], &sized(&read(Component::Crc)), &data],
        );
    }

    // The header is the last component; its offset the last number of the table of contents.
    let count = statistics[3] as usize;
    let checked = descriptor.version.has_metadata_checksum();
    let at = if checked { 8 } else { 4 } + 8 * count - 4;
    let offset = u32::from_be_bytes(statistics[at..at + 4].try_into().unwrap()) as usize;
    let end = statistics.len() - if checked { 4 } else { 0 };
    let mut plain = cqlite_core::sstable::data::Buffer::default();
    let chunks = sstable.data().chunk_count();
    let _ = sstable
        .data()
        .read_chunks(0, chunks, &mut plain, &mut Default::default());
    let plain = plain.bytes();
    let header = sized(&statistics[offset..end]);
    corpus.add(
        "rows",
        &[&[version], &header, &plain[..plain.len().min(3000)]],
    );

    let mut scan = sstable.scan().unwrap();
    let mut key = Vec::new();
    while matches!(scan.next_partition(), Ok(true)) {
        key = scan.partition().key.to_vec();
    }
    key.truncate(100);
    let key = sized(&key);
    let new = [descriptor.version.has_uint_deletion_time() as u8];
    let old = [descriptor.version.has_old_bloom_filter() as u8];
    let (summary, index) = (read(Component::Summary), read(Component::Index));
    if !index.is_empty() {
        corpus.add("index", &[&new, &key, &sized(&summary), &index]);
        corpus.add("summary", &[&key, &summary]);
    }
    corpus.add("filter", &[&old, &key, &read(Component::Filter)]);
    let (partitions, rows) = (read(Component::Partitions), read(Component::Rows));
    if !partitions.is_empty() {
        corpus.add("partitions", &[&key, &partitions]);
        let index = sstable.partition_index().unwrap().unwrap();
        for located in index.iter().flatten().take(3) {
            // The entry starts with the key.
            if let (Some(_), Some(key)) = (located.row_index, located.key)
                && let Some(at) = rows.windows(key.len() + 2).position(|w| w == sized(key))
            {
                corpus.add(
                    "row_index",
                    &[&(at as u16).to_be_bytes(), &sized(&[0x40, 1]), &rows],
                );
            }
        }
    }

    let header = &sstable.statistics().header;
    let columns = header
        .statics
        .iter()
        .chain(&header.regulars)
        .map(|(_, ty)| ty);
    let types: Vec<&String> = [&header.key_type]
        .into_iter()
        .chain(&header.clustering_types)
        .chain(columns)
        .collect();
    for ty in &types {
        corpus.add("marshal", &[ty.as_bytes()]);
        if let Ok((ty, _)) = CqlType::parse_marshal(ty) {
            corpus.add("cql_type", &[ty.cql_name().as_bytes()]);
        }
    }
    let mut scan = sstable.scan().unwrap();
    let mut n = 0;
    while matches!(scan.next_partition(), Ok(true)) {
        while matches!(scan.next_unfiltered(), Ok(true)) && n < 30 {
            n += 1;
            if let cqlite_core::model::Unfiltered::Row(row) = scan.unfiltered() {
                for cell in row.cells() {
                    let (_, ty) = &header.regulars[cell.column];
                    let value = &cell.value[..cell.value.len().min(200)];
                    if ty.contains("CounterColumnType") {
                        corpus.add("counters", &[&sized(value), value]);
                    }
                    corpus.add("values", &[&sized(ty.as_bytes()), &sized(value), value]);
                }
            }
        }
    }
}
