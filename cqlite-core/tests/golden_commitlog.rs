//! The golden segments, replayed into SSTables, give what Cassandra answered from the memtables of the same mutations.

use cqlite_core::ErrorKind;
use cqlite_core::commitlog::{
    LogReader, LogVersion, MutationReader, ReplayPolicy, TableId, Update, UpdateEncoder, apply,
    replay, segments, start_mutation,
};
use cqlite_core::cql::parse_select;
use cqlite_core::model::{PartitionSource, RowRef, StreamHeader, Unfiltered};
use cqlite_core::query::{Plan, PlanOptions};
use cqlite_core::read::TableReader;
use cqlite_core::schema::{TableSchema, parse_schema};
use cqlite_core::sstable::builder::{BuilderOptions, UnsortedBuilder};
use cqlite_core::sstable::writer::WriteOptions;
use cqlite_core::sstable::{OpenOptions, SSTable, Version};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn cases() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/commitlog");
    let entries = fs::read_dir(golden).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.is_dir());
    found.sort();
    found
}

fn tables(case: &Path) -> BTreeMap<TableId, Arc<TableSchema>> {
    let text = fs::read_to_string(case.join("schema.cql")).unwrap();
    let schema = parse_schema(&text, None).unwrap();
    let tables = schema.tables.into_iter();
    tables.map(|t| (t.id.unwrap(), Arc::new(t))).collect()
}

/// The table that the golden schema leaves out.
const UNKNOWN: TableId = [0x10, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 7];

#[test]
fn replayed_as_cassandra_answered() {
    let cases = cases();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let tables = tables(&case);
        let work = tempfile::tempdir().unwrap();
        let mut builders = BTreeMap::new();
        for (id, table) in &tables {
            let directory = work.path().join(&table.name);
            fs::create_dir(&directory).unwrap();
            let options = WriteOptions::of_table(table).unwrap();
            let options = BuilderOptions::new(Version::parse("oa", "big").unwrap(), options);
            let header = Arc::new(StreamHeader::of_table(table));
            let builder = UnsortedBuilder::create(&directory, header, options).unwrap();
            builders.insert(*id, builder);
        }
        let mut reader = MutationReader::new(|id| tables.get(id).cloned());
        let paths = segments(&case).unwrap();
        let several = case.file_name().unwrap().to_str().unwrap().ends_with("lz4");
        assert_eq!(paths.len() > 1, several);
        let mut last = None;
        let replayed = replay(
            paths,
            ReplayPolicy::Stop,
            &mut reader,
            |position, update| {
                assert!(last.replace(position).is_none_or(|last| last <= position));
                match update {
                    Update::Known { table, source } => {
                        apply(source, builders.get_mut(&table.id.unwrap()).unwrap())
                    }
                    Update::Unknown { .. } => unreachable!(),
                }
            },
        );
        let replayed = replayed.unwrap();
        assert!(replayed.passed_over.is_empty());
        assert_eq!(replayed.unknown.get(&UNKNOWN), Some(&1));
        assert_eq!(replayed.end, last);
        let mut readers = BTreeMap::new();
        for (id, builder) in builders {
            let written = builder.finish().unwrap();
            let open = |d| SSTable::open_descriptor(d, &OpenOptions::default()).unwrap();
            let sstables = written.into_iter().map(|w| open(w.descriptor)).collect();
            let table = &tables[&id];
            let reader = TableReader::open((**table).clone(), sstables).unwrap();
            readers.insert(table.full_name(), reader);
        }
        let now = fs::read_to_string(case.join("now")).unwrap();
        let now = now.trim().parse().unwrap();
        let answers = fs::read_to_string(case.join("answers.jsonl")).unwrap();
        for answer in answers.lines() {
            let answer: Value = serde_json::from_str(answer).unwrap();
            let select = parse_select(answer["cql"].as_str().unwrap()).unwrap();
            let reader = &readers[&format!("log.{}", select.from.name)];
            let options = PlanOptions { indexes: &[], now };
            let plan = Plan::new(&select, reader.schema(), reader.partitioner(), &options).unwrap();
            let mut rows = plan.execute(reader);
            let mut found = Vec::new();
            while rows.advance().unwrap() {
                let mut json = Vec::new();
                rows.row().write_json(&mut json).unwrap();
                found.push(Value::String(String::from_utf8(json).unwrap()));
            }
            let expected = answer["rows"].as_array().unwrap();
            assert_eq!(&found, expected, "{} {}", case.display(), answer["cql"]);
        }
    }
}

/// What is decoded is encoded again, and says the same; single rows in Cassandra's own bytes.
#[test]
fn encoded_again() {
    for case in cases() {
        // What these versions hold differs in times beyond 2038 only.
        let tables = tables(&case);
        let mut log = LogReader::open(segments(&case).unwrap(), ReplayPolicy::Stop).unwrap();
        let mut first = MutationReader::new(|id| tables.get(id).cloned());
        let mut again = MutationReader::new(|id| tables.get(id).cloned());
        let mut same = 0;
        let mut encoded = Vec::new();
        while log.advance().unwrap() {
            let (segment, record) = log.record().unwrap();
            let version = segment.descriptor().version;
            let mut texts = Vec::new();
            encoded.clear();
            let mut count = 0;
            let mut is_known = true;
            let mut rows = Vec::new();
            let read = first.each_update(version, record.mutation, |update| {
                let Update::Known { table, source } = update else {
                    is_known = false;
                    return Ok(());
                };
                count += 1;
                let mut encoder = UpdateEncoder::new(table).unwrap();
                assert!(source.next_partition()?);
                encoder.partition(&mut encoded, source)
            });
            read.unwrap();
            if !is_known {
                continue;
            }
            let mut mutation = Vec::new();
            start_mutation(&mut mutation, count);
            mutation.extend_from_slice(&encoded);
            let text = |reader: &mut MutationReader<'_>, version, bytes: &[u8]| {
                let mut text = String::new();
                let told = reader.each_update(version, bytes, |update| {
                    if let Update::Known { source, .. } = update {
                        tell(source, &mut text);
                    }
                    Ok(())
                });
                told.unwrap();
                text
            };
            texts.push(text(&mut first, version, record.mutation));
            texts.push(text(&mut again, LogVersion::V8, &mutation));
            assert_eq!(texts[0], texts[1]);
            // Those of one row, and nothing else, come out byte for byte.
            first
                .each_update(version, record.mutation, |update| {
                    let Update::Known { table, source } = update else {
                        return Ok(());
                    };
                    let mut encoder = UpdateEncoder::new(table)?;
                    source.next_partition()?;
                    let key = source.partition().key.to_vec();
                    if !source.partition().deletion.is_live() {
                        return Ok(());
                    }
                    if let Some(row) = source.partition().static_row {
                        encoder.row(&mut rows, &key, row)?;
                    }
                    while source.next_unfiltered()? {
                        if let Unfiltered::Row(row) = source.unfiltered() {
                            encoder.row(&mut rows, &key, row)?;
                        }
                    }
                    Ok(())
                })
                .unwrap();
            same += usize::from(record.mutation.get(1..) == Some(&rows));
        }
        assert!(same >= 25, "{}: {same}", case.display());
    }
}

/// Everything that a stream says.
fn tell(source: &mut impl PartitionSource, text: &mut String) {
    let row = |row: RowRef<'_>, text: &mut String| {
        let clustering: Vec<_> = row.clustering().iter().collect();
        let cells: Vec<_> = row.cells().collect();
        let deletions = row.complex_deletions();
        writeln!(
            text,
            "{clustering:?} {:?} {:?} {deletions:?} {cells:?}",
            row.liveness(),
            row.deletion()
        )
        .unwrap();
    };
    while source.next_partition().unwrap() {
        let head = source.partition();
        writeln!(text, "{:?} {:?}", head.key, head.deletion).unwrap();
        if let Some(static_row) = head.static_row {
            row(static_row, text);
        }
        while source.next_unfiltered().unwrap() {
            match source.unfiltered() {
                Unfiltered::Row(found) => row(found, text),
                Unfiltered::Marker(marker) => {
                    let values: Vec<_> = marker.values().iter().collect();
                    let deletions = (marker.close(), marker.open());
                    writeln!(text, "{:?} {values:?} {deletions:?}", marker.kind()).unwrap();
                }
            }
        }
    }
}

/// Damage is an error or passed over, never a panic, and never a mutation that was not there.
#[test]
fn damaged_segments() {
    for case in cases() {
        let tables = tables(&case);
        let path = segments(&case).unwrap().pop().unwrap();
        let bytes = fs::read(&path).unwrap();
        let work = tempfile::tempdir().unwrap();
        let damaged = work.path().join(path.file_name().unwrap());
        let count = |policy| {
            let mut reader = MutationReader::new(|id| tables.get(id).cloned());
            replay(vec![damaged.clone()], policy, &mut reader, |_, _| Ok(())).map(|r| r.mutations)
        };
        fs::write(&damaged, &bytes).unwrap();
        let all = count(ReplayPolicy::Stop).unwrap();
        let step = (bytes.len() / 60).max(1);
        for at in (0..bytes.len() - 8).step_by(step) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            fs::write(&damaged, &flipped).unwrap();
            for policy in [
                ReplayPolicy::Stop,
                ReplayPolicy::TolerateLast,
                ReplayPolicy::Ignore,
            ] {
                match count(policy) {
                    Ok(found) => assert!(found <= all, "{at}"),
                    Err(e) => {
                        let kinds = [ErrorKind::Corrupt, ErrorKind::Unsupported];
                        assert!(kinds.contains(&e.kind()), "{at} {e}");
                        assert!(e.location().file.is_some(), "{at} {e}");
                    }
                }
            }
            fs::write(&damaged, &bytes[..at]).unwrap();
            if let Ok(found) = count(ReplayPolicy::Stop) {
                assert!(found <= all, "{at}");
            }
        }
    }
}
