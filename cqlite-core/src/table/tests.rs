//! Whatever is flushed and compacted meanwhile, a table reads as what was written to it.

use super::testing::{NOW, select, write_at};
use super::*;
use crate::model::PartitionSource;
use crate::sstable::Component;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn open(directory: &Path) -> Table {
    let schema = "CREATE TABLE ks.t (p int, c int, s text static, v text, m map<text, int>, PRIMARY KEY (p, c))
        WITH gc_grace_seconds = 0";
    testing::open(directory, schema, ("oa", "big"))
}

fn files(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn reads_are_the_same_from_memory_and_from_sstables() {
    let directory = tempfile::tempdir().unwrap();
    let table = open(directory.path());
    let queries = [
        "SELECT * FROM t",
        "SELECT * FROM t WHERE p = 1 AND c > 1 ORDER BY c DESC",
        "SELECT c, v FROM t WHERE p = 1 AND c IN (0, 2)",
        "SELECT v FROM t WHERE p = 2",
        "SELECT p, WRITETIME(v) FROM t WHERE token(p) > token(1)",
        "SELECT DISTINCT p, s FROM t",
        "SELECT count(*) FROM t",
    ];
    let statements = [
        "INSERT INTO t (p, c, v) VALUES (1, 0, 'a')",
        "INSERT INTO t (p, c, v, m) VALUES (1, 1, 'b', {'x': 1, 'y': 2})",
        "INSERT INTO t (p, c, v) VALUES (1, 2, 'c') USING TTL 1000",
        "INSERT INTO t (p, c, v) VALUES (2, 5, 'd')",
        "INSERT INTO t (p, s) VALUES (3, 'only')",
        "UPDATE t SET m['y'] = 3, m['z'] = 4 WHERE p = 1 AND c = 1",
        "UPDATE t SET s = 'static' WHERE p = 1",
        "DELETE v FROM t WHERE p = 2 AND c = 5",
        "DELETE FROM t WHERE p = 1 AND c >= 2 AND c < 9",
        "INSERT INTO t (p, c, v) VALUES (1, 3, 'after')",
        "INSERT INTO t (p, c, v) VALUES (4, 0, 'gone')",
        "DELETE FROM t WHERE p = 4",
    ];
    let answers = |table: &Table| -> Vec<Vec<String>> {
        let view = table.view();
        queries.iter().map(|query| select(&view, query)).collect()
    };
    for (i, statement) in statements.iter().enumerate() {
        write_at(&table, 1 + i as i64, statement);
    }
    let expected = answers(&table);
    assert_eq!(expected[0].len(), 5);
    assert_eq!(
        expected[1],
        [r#"{"p": 1, "c": 3, "s": "static", "m": null, "v": "after"}"#]
    );
    assert_eq!(expected[2], [r#"{"c": 0, "v": "a"}"#]);
    assert!(files(directory.path()).is_empty());
    table.flush().unwrap();
    assert_eq!(answers(&table), expected);
    assert_eq!(table.view().memory(), 0);

    // The same in as many SSTables as statements, some of it in memory, opened anew, and in one.
    let directory = tempfile::tempdir().unwrap();
    let table = open(directory.path());
    for (i, statement) in statements.iter().enumerate() {
        write_at(&table, 1 + i as i64, statement);
        if i != 7 {
            table.flush().unwrap();
        }
    }
    assert_eq!(table.view().reader().sstables().len(), statements.len() - 1);
    assert_eq!(answers(&table), expected);
    drop(table);
    let table = open(directory.path());
    assert_eq!(answers(&table), expected);
    let pinned = table.view();
    let compacted = table.compact(NOW, None, &mut |_| Ok(())).unwrap();
    assert_eq!(compacted.written.len(), 1);
    assert_eq!(table.view().reader().sstables().len(), 1);
    assert_eq!(answers(&table), expected);
    // The old files stay for as long as someone reads them.
    let both = files(directory.path()).len();
    assert_eq!(select(&pinned, queries[0]), expected[0]);
    drop(pinned);
    let left = files(directory.path());
    assert!(left.len() < both);
    assert!(
        left.iter().all(|name| name.starts_with("oa-12-big-")),
        "{left:?}"
    );
    drop(table);
    assert_eq!(answers(&open(directory.path())), expected);
}

#[test]
fn tombstones_that_hide_what_is_in_memory_are_not_purged() {
    let directory = tempfile::tempdir().unwrap();
    let table = open(directory.path());
    write_at(&table, 10, "DELETE FROM t WHERE p = 1");
    write_at(&table, 10, "DELETE FROM t WHERE p = 2");
    table.flush().unwrap();
    write_at(&table, 5, "INSERT INTO t (p, c, v) VALUES (1, 1, 'older')");
    let compacted = table.compact(NOW + 10, None, &mut |_| Ok(())).unwrap();
    assert_eq!(compacted.written[0].partitions, 1);
    assert!(select(&table.view(), "SELECT * FROM t").is_empty());
    table.flush().unwrap();
    table.compact(NOW + 10, None, &mut |_| Ok(())).unwrap();
    assert_eq!(table.view().reader().sstables().len(), 0);
    assert!(files(directory.path()).is_empty());
}

#[test]
fn what_a_crash_leaves_is_cleaned_up() {
    let directory = tempfile::tempdir().unwrap();
    let table = open(directory.path());
    for p in 0..3 {
        write_at(
            &table,
            1,
            &format!("INSERT INTO t (p, c, v) VALUES ({p}, 1, 'x')"),
        );
        table.flush().unwrap();
    }
    let expected = select(&table.view(), "SELECT * FROM t");
    // The process ends while someone reads what was replaced.
    let pinned = table.view();
    table.compact(NOW, None, &mut |_| Ok(())).unwrap();
    drop(table);
    std::mem::forget(pinned);
    assert!(
        files(directory.path())
            .iter()
            .any(|name| name.ends_with(".log"))
    );
    let table = open(directory.path());
    assert_eq!(table.view().reader().sstables().len(), 1);
    assert_eq!(select(&table.view(), "SELECT * FROM t"), expected);
    assert!(
        files(directory.path())
            .iter()
            .all(|name| name.starts_with("oa-4-big-"))
    );

    // A compaction that fails has changed nothing.
    write_at(&table, 1, "INSERT INTO t (p, c, v) VALUES (9, 1, 'y')");
    table.flush().unwrap();
    let before = files(directory.path());
    let failing = &mut |_| Err(Error::invalid("enough"));
    let mut count = 0;
    let mut watch = |rows| {
        count += 1;
        if count > 1 { failing(rows) } else { Ok(()) }
    };
    // Few rows are not watched: they are written all the same.
    let compacted = table.compact(NOW, None, &mut watch);
    if compacted.is_err() {
        assert_eq!(files(directory.path()), before);
    }
    assert_eq!(select(&table.view(), "SELECT * FROM t").len(), 4);
}

/// Writers, a reader of slices, a flusher and a compactor at once: no write is lost, and none is seen twice.
#[test]
fn reads_and_writes_go_on_during_flushes_and_compactions() {
    const WRITES: u64 = 400;
    let directory = tempfile::tempdir().unwrap();
    let table = open(directory.path());
    let (written, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..WRITES {
                let (p, c) = (i % 5, i / 5);
                let statement = format!("INSERT INTO t (p, c, v) VALUES ({p}, {c}, '{i}')");
                write_at(&table, i as i64, &statement);
                written.store(i + 1, Ordering::SeqCst);
            }
            done.store(true, Ordering::SeqCst);
        });
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                table.flush().unwrap();
                if table.view().reader().sstables().len() > 3 {
                    table.compact(NOW, None, &mut |_| Ok(())).unwrap();
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let before = written.load(Ordering::SeqCst);
                let view = table.view();
                let rows = select(&view, "SELECT p, c FROM t").len() as u64;
                assert!(rows >= before && rows <= written.load(Ordering::SeqCst) + 1);
                let mut seen = BTreeMap::new();
                for p in 0..5i32 {
                    let key = p.to_be_bytes();
                    let mut source = view.reader().read(&key, &[], false).unwrap();
                    while source.next_partition().unwrap() {
                        while source.next_unfiltered().unwrap() {
                            *seen.entry(p).or_insert(0) += 1;
                        }
                    }
                }
                assert!(seen.values().sum::<u64>() >= before);
            }
        });
    });
    let rows = select(&table.view(), "SELECT p, c, v FROM t");
    assert_eq!(rows.len() as u64, WRITES);
    table.flush().unwrap();
    drop(table);
    assert_eq!(
        select(&open(directory.path()).view(), "SELECT p, c, v FROM t"),
        rows
    );
}

/// A reader, once it holds the present view: it lets go of it a millisecond after there is another one, while `change` is done.
fn read_meanwhile(table: &Table, change: impl FnOnce()) {
    let (holds, held) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let view = table.view();
            holds.send(()).unwrap();
            while Arc::ptr_eq(&view, &table.view()) {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(1));
        });
        held.recv().unwrap();
        change();
    });
}

#[test]
fn short_reads_neither_free_memtables_nor_delete_files() {
    let directory = tempfile::tempdir().unwrap();
    let table = open(directory.path());
    // Threads may stand still for long: in some round the reader is in time.
    let freed = (0..100).any(|i| {
        write_at(&table, i, "INSERT INTO t (p, c, v) VALUES (1, 0, 'a')");
        table.switch_at(|| None).unwrap();
        let memtable = Arc::downgrade(table.view().memtables.last().unwrap());
        let mut is_freed = false;
        read_meanwhile(&table, || {
            table.flush_switched().unwrap();
            is_freed = memtable.strong_count() == 0;
        });
        is_freed
    });
    assert!(freed);
    let deleted = (0..100).any(|i| {
        write_at(
            &table,
            100 + i,
            "INSERT INTO t (p, c, v) VALUES (2, 0, 'b')",
        );
        table.flush().unwrap();
        let before = table.view().live[0].sstable.descriptor().clone();
        let mut are_deleted = false;
        read_meanwhile(&table, || {
            table.compact(NOW, None, &mut |_| Ok(())).unwrap();
            are_deleted = !before.path(&Component::Data).exists();
        });
        are_deleted
    });
    assert!(deleted);
}

#[test]
fn flushes_of_unified_compaction_are_split_into_shards() {
    for (options, count) in [("", 1), (", 'min_sstable_size': '0B'", 4)] {
        let directory = tempfile::tempdir().unwrap();
        let schema = format!(
            "CREATE TABLE ks.t (p int PRIMARY KEY, v text)
            WITH compaction = {{'class': 'UnifiedCompactionStrategy'{options}}}"
        );
        let table = testing::open(directory.path(), &schema, ("oa", "big"));
        assert_eq!(table.flush().unwrap(), []);
        for p in 0..200 {
            write_at(
                &table,
                p,
                &format!("INSERT INTO t (p, v) VALUES ({p}, 'x')"),
            );
        }
        let expected = select(&table.view(), "SELECT * FROM t");
        let written = table.flush().unwrap();
        assert_eq!(written.len(), count);
        assert_eq!(written.iter().map(|w| w.partitions).sum::<u64>(), 200);
        let stats = table.compaction_stats();
        assert_eq!(
            (stats.flushes, stats.flush_average),
            (1, on_disk(&written) as f64)
        );
        for live in &table.view().live {
            let stats = live.sstable.statistics().stats.as_ref().unwrap();
            let share = stats.token_space_coverage.unwrap();
            let shard = 1.0 / count as f64;
            assert!(share > 0.8 * shard && share <= shard, "{share}");
        }
        assert_eq!(select(&table.view(), "SELECT * FROM t"), expected);
        let is_log = |name: &String| name.ends_with(".log");
        assert!(!files(directory.path()).iter().any(is_log));
        // The directory is read as it is, too.
        drop(table);
        let table = testing::open(directory.path(), &schema, ("oa", "big"));
        assert_eq!(select(&table.view(), "SELECT * FROM t"), expected);
    }
}
