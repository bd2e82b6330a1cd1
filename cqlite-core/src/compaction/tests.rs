//! Rewriting and compacting golden tables.

use super::*;
use crate::model::{NO_DELETION_TIME, Unfiltered};
use crate::schema::{DroppedColumn, find_schema};
use crate::sstable::directory::resolve;
use crate::sstable::{Component, OpenOptions, Version};
use std::path::{Path, PathBuf};

fn golden(table: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../test-data/golden")
        .join(table)
}

fn open(directory: &Path) -> Vec<Arc<SSTable>> {
    let tables = resolve(directory).unwrap();
    let descriptors = tables[0].readable().unwrap().iter();
    descriptors
        .map(|d| SSTable::open_descriptor(d.clone(), &OpenOptions::default()).unwrap())
        .collect()
}

fn schema(directory: &Path, sstables: &[Arc<SSTable>]) -> TableSchema {
    let table = &resolve(directory).unwrap()[0];
    find_schema(table, sstables, None, (None, ""), 0)
        .unwrap()
        .table
}

fn destination(directory: &Path, version: &str, format: &str) -> Destination<'static> {
    Destination {
        directory: Box::leak(directory.to_owned().into_boxed_path()),
        version: Version::parse(version, format).unwrap(),
        compression: CompressionChange::Keep,
        chunk_length: None,
        split: Split::Never,
        operation: "compaction",
        one_thread: false,
    }
}

/// All that is said of a table, as text.
fn contents(directory: &Path, schema: &TableSchema) -> String {
    let reader = TableReader::open(schema.clone(), open(directory)).unwrap();
    let mut scan = reader.scan(&TokenRange::ALL).unwrap();
    let mut text = String::new();
    while scan.next_partition().unwrap() {
        let head = scan.partition();
        let (before, is_dead) = (text.len(), !head.deletion.is_live());
        text += &format!("{:?} {:?}\n", head.key, head.deletion);
        let key_end = text.len();
        if let Some(row) = head.static_row {
            text += &format!("static {:?}\n", row.cells().collect::<Vec<_>>());
        }
        while scan.next_unfiltered().unwrap() {
            match scan.unfiltered() {
                // Nothing is left of rows that had dropped columns only.
                crate::model::Unfiltered::Row(row) if row.is_empty() => {}
                crate::model::Unfiltered::Row(row) => {
                    let values: Vec<_> = row.clustering().iter().collect();
                    text += &format!(
                        "{values:?} {:?} {:?} {:?} {:?}\n",
                        row.liveness(),
                        row.deletion(),
                        row.complex_deletions(),
                        row.cells().collect::<Vec<_>>()
                    );
                }
                crate::model::Unfiltered::Marker(m) => {
                    let values: Vec<_> = m.values().iter().collect();
                    text += &format!("{values:?} {:?} {:?} {:?}\n", m.kind(), m.close(), m.open());
                }
            }
        }
        // Nothing is left of partitions that had dropped columns only.
        if text.len() == key_end && !is_dead {
            text.truncate(before);
        }
    }
    text
}

fn compact(compaction: &Compaction, to: &Destination<'_>) -> Compacted {
    let mut transaction = Transaction::begin(to.directory, to.version, to.operation).unwrap();
    let compacted = compaction
        .run(&mut transaction, to, &mut |_| Ok(()))
        .unwrap();
    transaction.commit().unwrap();
    compacted
}

/// Writes an SSTable anew, and commits that.
fn rewritten(sstable: &Arc<SSTable>, to: &Destination<'_>) -> Vec<Written> {
    let mut transaction = Transaction::begin(to.directory, to.version, to.operation).unwrap();
    let written = rewrite(sstable, None, &mut transaction, to, &mut |_| Ok(())).unwrap();
    transaction.commit().unwrap();
    written
}

/// The inputs of a table and its schema, of which nothing is purged.
fn unpurged(schema: TableSchema, inputs: Vec<Arc<SSTable>>) -> Compaction {
    Compaction {
        schema,
        inputs,
        others: Vec::new(),
        memtables: Vec::new(),
        now: i64::MIN,
        gc_before: Some(i64::MIN),
        level: 0,
        ignores_overlaps: false,
        host: None,
    }
}

#[test]
fn a_merge_without_purging_says_what_its_inputs_say() {
    for table in [
        "oa/merge_random_rows",
        "oa/merge_random_collections",
        "oa/merge_ranges",
        "oa/merge_counters",
        "oa/merge_statics",
        "oa/merge_dropped",
        "oa/merge_added",
        "da/merge_random_flat",
        "nb/merge_wide",
        "na/mixed",
        "ma/collections",
    ] {
        let from = golden(table);
        let inputs = open(&from);
        let schema = schema(&from, &inputs);
        for (version, format) in [("oa", "big"), ("da", "bti"), ("nb", "big")] {
            let dir = tempfile::tempdir().unwrap();
            let compacted = compact(
                &unpurged(schema.clone(), inputs.clone()),
                &destination(dir.path(), version, format),
            );
            assert_eq!(
                (compacted.written.len(), compacted.expired),
                (1, 0),
                "{table}"
            );
            assert_eq!(
                contents(dir.path(), &schema),
                contents(&from, &schema),
                "{table}"
            );
        }
    }
}

#[test]
fn tombstones_stay_while_they_may_hide_something_elsewhere() {
    let from = golden("oa/merge_deletions");
    let inputs = open(&from);
    let schema = schema(&from, &inputs);
    let deletions_left = |inputs: &[Arc<SSTable>], others: &[Arc<SSTable>]| {
        let dir = tempfile::tempdir().unwrap();
        let compacted = compact(
            &Compaction {
                schema: schema.clone(),
                inputs: inputs.to_vec(),
                others: others.to_vec(),
                memtables: Vec::new(),
                now: i64::MAX - 1,
                gc_before: Some(i64::MAX - 1),
                level: 0,
                ignores_overlaps: false,
                host: None,
            },
            &destination(dir.path(), "oa", "big"),
        );
        let left = open_written(&compacted.written);
        let dying = |s: &Arc<SSTable>| {
            let stats = s.statistics().stats.as_ref().unwrap();
            stats.min_local_deletion_time != crate::model::NO_DELETION_TIME
        };
        left.iter().any(dying)
    };
    assert!(!deletions_left(&inputs, &[]));
    assert!(deletions_left(&inputs[1..], &inputs[..1]));
}

#[test]
fn what_was_written_after_a_drop_is_there_when_the_column_is_added_again() {
    let from = golden("oa/merge_random_rows");
    let inputs = open(&from);
    let whole = schema(&from, &inputs);
    let cells_of = |directory: &Path, column: usize| {
        let reader = TableReader::open(whole.clone(), open(directory)).unwrap();
        let mut scan = reader.scan(&TokenRange::ALL).unwrap();
        let mut found = Vec::new();
        while scan.next_partition().unwrap() {
            while scan.next_unfiltered().unwrap() {
                if let crate::model::Unfiltered::Row(row) = scan.unfiltered() {
                    let cells = row.buf().cells.iter();
                    let cells = cells.filter(|cell| cell.column as usize == column);
                    found.extend(cells.map(|cell| cell.timestamp));
                }
            }
        }
        found
    };
    let before = cells_of(&from, 0);
    let mut sorted = before.clone();
    sorted.sort_unstable();
    let dropped_at_micros = sorted[sorted.len() / 2];
    let mut schema = whole.clone();
    let column = schema.regulars.remove(0);
    schema.dropped.push(DroppedColumn {
        column,
        is_static: false,
        dropped_at_micros,
    });
    let dir = tempfile::tempdir().unwrap();
    compact(
        &unpurged(schema, inputs),
        &destination(dir.path(), "oa", "big"),
    );
    let after: Vec<_> = before.iter().filter(|t| **t > dropped_at_micros).collect();
    assert!(!after.is_empty() && after.len() < before.len());
    assert_eq!(cells_of(dir.path(), 0).iter().collect::<Vec<_>>(), after);
}

#[test]
fn only_what_overlaps_keeps_expired_sstables_from_being_left_out() {
    let inputs = open(&golden("oa/many_partitions"));
    let dir = tempfile::tempdir().unwrap();
    let to = Destination {
        split: Split::BySize(1000),
        compression: CompressionChange::Without,
        ..destination(dir.path(), "oa", "big")
    };
    let parts = open_written(&rewritten(&inputs[0], &to));
    assert!(parts.len() > 2);
    let overlaps = Overlaps::new(&parts[1..]).unwrap();
    assert!(overlaps.meeting(&parts[..1]).unwrap().is_empty());
    assert_eq!(overlaps.meeting(&parts[..2]).unwrap().len(), 1);
    assert_eq!(overlaps.meeting(&inputs).unwrap().len(), parts.len() - 1);
}

fn open_written(written: &[Written]) -> Vec<Arc<SSTable>> {
    let written = written.iter();
    written
        .map(|w| SSTable::open_descriptor(w.descriptor.clone(), &OpenOptions::default()).unwrap())
        .collect()
}

#[test]
fn outputs_are_split_by_size_and_keep_every_partition() {
    let from = golden("oa/some_partitions");
    let inputs = open(&from);
    let schema = schema(&from, &inputs);
    let dir = tempfile::tempdir().unwrap();
    let to = Destination {
        split: Split::BySize(1000),
        compression: CompressionChange::Without,
        ..destination(dir.path(), "da", "bti")
    };
    let written = rewritten(&inputs[0], &to);
    let partitions: u64 = written.iter().map(|w| w.partitions).sum();
    assert!(written.len() <= partitions as usize);
    assert_eq!(contents(dir.path(), &schema), contents(&from, &schema));
    for one in &written {
        assert!(one.descriptor.path(&Component::Crc).exists());
    }
}

#[test]
fn whoever_watches_can_end_it_and_nothing_is_left() {
    let from = golden("oa/many_partitions");
    let inputs = open(&from);
    let dir = tempfile::tempdir().unwrap();
    let to = destination(dir.path(), "oa", "big");
    let mut transaction = Transaction::begin(to.directory, to.version, to.operation).unwrap();
    let mut watch = |_| Err(Error::invalid("enough"));
    let e = rewrite(&inputs[0], None, &mut transaction, &to, &mut watch).unwrap_err();
    assert_eq!(e.message(), "enough");
    drop(transaction);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_expires_after_2038_is_capped_in_old_versions() {
    let inputs = open(&golden("da/ttl_20_years"));
    let dir = tempfile::tempdir().unwrap();
    let to = destination(dir.path(), "nb", "big");
    let parts = open_written(&rewritten(&inputs[0], &to));
    let mut scan = parts[0].scan().unwrap();
    let mut expiring = 0;
    while scan.next_partition().unwrap() {
        while scan.next_unfiltered().unwrap() {
            if let Unfiltered::Row(row) = scan.unfiltered() {
                let at = row.liveness().local_expiration_time;
                // Without a TTL; else at the cap, for all of them expire after 2038.
                let capped = at == i64::from(i32::MAX) - 1;
                assert!(capped || at == NO_DELETION_TIME, "{at}");
                expiring += u32::from(capped);
            }
        }
    }
    assert!(expiring > 1);
}
