//! What is not read changes no answer.

use crate::metrics::{Metrics, Operation, TableCount};
use crate::query::{Plan, PlanOptions};
use crate::read::KeyList;
use crate::schema::parse_schema;
use crate::sstable::{OpenOptions, Version};
use crate::table::testing::{self, NOW, open, write_at};
use crate::table::{StorageOptions, Table};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

const TABLE: &str =
    "CREATE TABLE ks.t (p int, c int, v text, w int, PRIMARY KEY (p, c)) WITH gc_grace_seconds = 0";

const WITH_STATICS: &str = "CREATE TABLE ks.t (p int, c int, s int static, v text, w int, m map<int, int>, PRIMARY KEY (p, c))
    WITH CLUSTERING ORDER BY (c DESC) AND gc_grace_seconds = 0";

fn select(table: &Table, statement: &str) -> Vec<String> {
    testing::select(&table.view(), statement)
}

/// A table of as many SSTables as there are lists of statements, with the timestamps of the statements.
fn table_of(directory: &Path, schema: &str, sstables: &[&[(i64, &str)]]) -> Table {
    let table = open(directory, schema, ("oa", "big"));
    for statements in sstables {
        for (timestamp, statement) in *statements {
            write_at(&table, *timestamp, statement);
        }
        table.flush().unwrap();
    }
    table
}

/// The answer, and what was counted by a query, but for zeros and for what is sampled.
fn counted(table: &Table, query: &str) -> (Vec<String>, Vec<(TableCount, u64)>) {
    let before = table.snapshot();
    let rows = select(table, query);
    let after = table.snapshot();
    let counts = TableCount::ALL.map(|what| (what, after.get(what) - before.get(what)));
    let is_sampled = |what| {
        use TableCount::*;
        matches!(what, SampledReads | SampledRows | SampledTombstones)
    };
    let counts = counts.into_iter();
    let counts = counts.filter(|(what, n)| *n > 0 && !is_sampled(*what));
    (rows, counts.collect())
}

/// The answers about several partitions that are looked up together, each behind the number of its key. `statement` is about
/// any one of them.
fn looked_up(table: &Table, statement: &str, keys: &[i32]) -> Vec<(i32, String)> {
    let view = table.view();
    let reader = view.reader();
    let partitioner = reader.partitioner();
    let mut keys: Vec<[u8; 4]> = keys.iter().map(|key| key.to_be_bytes()).collect();
    keys.sort_by(|a, b| partitioner.compare_keys(a, b));
    let ranges = (0..keys.len()).map(|i| 4 * i..4 * i + 4).collect();
    let list = KeyList::new(keys.concat(), ranges);
    let select = crate::cql::parse_select(statement).unwrap();
    let options = PlanOptions {
        indexes: &[],
        now: NOW,
    };
    let plan = Plan::new(&select, reader.schema(), partitioner, &options).unwrap();
    let plan = plan.with_keys(list).unwrap();
    let mut rows = plan.execute(reader);
    let mut found = Vec::new();
    while rows.advance().unwrap() {
        let mut line = Vec::new();
        rows.row().write_json(&mut line).unwrap();
        let key = i32::from_be_bytes(keys[rows.key_number()]);
        found.push((key, String::from_utf8(line).unwrap()));
    }
    found
}

/// The same of each partition alone, by a statement with `?` for its key.
fn one_by_one(table: &Table, statement: &str, keys: &[i32]) -> Vec<(i32, String)> {
    let mut keys = keys.to_vec();
    let view = table.view();
    let partitioner = view.reader().partitioner();
    keys.sort_by(|a, b| partitioner.compare_keys(&a.to_be_bytes(), &b.to_be_bytes()));
    let of = |key: i32| {
        let rows = select(table, &statement.replace('?', &key.to_string()));
        rows.into_iter().map(move |row| (key, row))
    };
    keys.into_iter().flat_map(of).collect()
}

#[test]
fn partitions_that_are_looked_up_together_are_as_one_by_one() {
    for version in [("nb", "big"), ("oa", "big"), ("da", "bti")] {
        let directory = tempfile::tempdir().unwrap();
        let table = open(directory.path(), WITH_STATICS, version);
        let insert = |p: i32, c: i32, timestamp: i64| {
            // Some partitions have a row index, and rows that end in another chunk than they begin in.
            let v = "v".repeat((p * 7 + c) as usize % 900);
            let into = format!("INSERT INTO t (p, c, s, v, w) VALUES ({p}, {c}, {p}, '{v}', {c})");
            write_at(&table, timestamp, &into);
        };
        // Intervals of the summary end in between.
        for p in 0..400 {
            let rows = if p % 100 == 0 { 150 } else { p % 4 };
            (0..rows).for_each(|c| insert(p, c, 1));
        }
        table.flush().unwrap();
        let keys: Vec<i32> = (-20..420).collect();
        let few: Vec<i32> = (0..420).step_by(13).collect();
        let check = |when: &str| {
            for statement in [
                "SELECT * FROM t WHERE p = ?",
                "SELECT c, w FROM t WHERE p = ? ORDER BY c ASC PER PARTITION LIMIT 2",
                "SELECT DISTINCT p, s FROM t WHERE p = ?",
            ] {
                for keys in [&keys, &few]
                    .into_iter()
                    .skip(usize::from(when != "one SSTable"))
                {
                    let found = looked_up(&table, &statement.replace('?', "0"), keys);
                    assert!(found.len() > keys.len() / 2);
                    let expected = one_by_one(&table, statement, keys);
                    assert_eq!(found, expected, "{version:?}, {when}: {statement}");
                }
            }
        };
        check("one SSTable");
        let before = table.snapshot();
        looked_up(&table, "SELECT * FROM t WHERE p = 0", &keys);
        let after = table.snapshot();
        let reads = |what| after.get(what) - before.get(what);
        assert_eq!(reads(TableCount::Reads), keys.len() as u64);
        assert_eq!(reads(TableCount::SSTables), 400 - 400 / 4 + 400 / 100);
        for p in (0..420).step_by(9) {
            insert(p, 1, 2);
        }
        check("a memtable");
        table.flush().unwrap();
        check("two SSTables");
        (0..400).step_by(5).for_each(|p| {
            write_at(&table, 3, &format!("DELETE FROM t WHERE p = {p}"));
        });
        table.flush().unwrap();
        check("three SSTables");
        std::fs::read_dir(directory.path())
            .unwrap()
            .for_each(|file| {
                let path = file.unwrap().path();
                let name = path.to_string_lossy();
                if name.ends_with("-Summary.db") || name.ends_with("-Filter.db") {
                    std::fs::remove_file(&path).unwrap();
                }
            });
        drop(table);
        let table = open(directory.path(), WITH_STATICS, version);
        let statement = "SELECT * FROM t WHERE p = ?";
        let found = looked_up(&table, &statement.replace('?', "0"), &few);
        assert_eq!(found, one_by_one(&table, statement, &few), "{version:?}");
    }
}

#[test]
fn sstables_of_other_keys_are_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let table = table_of(
        directory.path(),
        TABLE,
        &[
            &[(1, "INSERT INTO t (p, c, v) VALUES (1, 1, 'a')")],
            &[(2, "INSERT INTO t (p, c, v) VALUES (2, 1, 'b')")],
        ],
    );
    let (rows, counts) = counted(&table, "SELECT v FROM t WHERE p = 1");
    assert_eq!(rows, [r#"{"v": "a"}"#]);
    use TableCount::*;
    assert_eq!(counts, [(Reads, 1), (SSTables, 1), (SkippedByKeys, 1)]);
    // Both tokens are negative, that of 1 comes first.
    let (rows, counts) = counted(&table, "SELECT v FROM t WHERE token(p) >= token(2)");
    assert_eq!(rows, [r#"{"v": "b"}"#]);
    assert_eq!(counts, [(Scans, 1), (SkippedByKeys, 1)]);
    let (rows, counts) = counted(&table, "SELECT v FROM t WHERE token(p) > 0");
    assert!(rows.is_empty());
    assert_eq!(counts, [(Scans, 1), (SkippedByKeys, 2)]);
}

#[test]
fn sstables_whose_filters_know_better_are_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let table = open(directory.path(), TABLE, ("oa", "big"));
    for p in (0..400).step_by(2) {
        write_at(
            &table,
            1,
            &format!("INSERT INTO t (p, c, v) VALUES ({p}, 1, 'a')"),
        );
    }
    table.flush().unwrap();
    for p in 0..400 {
        let rows = select(&table, &format!("SELECT v FROM t WHERE p = {p}"));
        assert_eq!(rows.len(), 1 - p % 2);
    }
    let counts = table.snapshot();
    let [keys, filter, wrong, read] = [
        TableCount::SkippedByKeys,
        TableCount::SkippedByFilter,
        TableCount::FalsePositives,
        TableCount::SSTables,
    ]
    .map(|what| counts.get(what));
    assert_eq!(read, 200);
    assert_eq!(keys + filter + wrong, 200);
    assert!(filter > 180 && wrong < 15, "{filter} {wrong}");
}

#[test]
fn sstables_of_other_clusterings_are_not_read() {
    use TableCount::*;
    let directory = tempfile::tempdir().unwrap();
    let table = table_of(
        directory.path(),
        TABLE,
        &[
            &[
                (1, "INSERT INTO t (p, c, v) VALUES (1, 1, 'a')"),
                (1, "INSERT INTO t (p, c, v) VALUES (1, 5, 'b')"),
            ],
            &[(2, "INSERT INTO t (p, c, v) VALUES (1, 7, 'c')")],
        ],
    );
    let skipped = [(Slices, 1), (SSTables, 1), (SkippedByClustering, 1)];
    for (query, expected, counts) in [
        ("c > 5", "c", &skipped[..]),
        ("c < 6", "a b", &skipped),
        ("c > 7", "", &[(Slices, 1), (SkippedByClustering, 2)]),
        ("c >= 5", "b c", &[(Slices, 1), (SSTables, 2)]),
        (
            "c IN (0, 6, 8)",
            "",
            &[(Reads, 1), (SkippedByClustering, 2)],
        ),
    ] {
        let (rows, found) = counted(&table, &format!("SELECT v FROM t WHERE p = 1 AND {query}"));
        let expected = expected.split_whitespace();
        let expected: Vec<_> = expected.map(|v| format!(r#"{{"v": "{v}"}}"#)).collect();
        assert_eq!(rows, expected, "{query}");
        assert_eq!(found, counts, "{query}");
        // A scan does without them, too.
        let scan = format!("SELECT v FROM t WHERE {query} ALLOW FILTERING");
        let (rows, found) = counted(&table, &scan);
        assert_eq!(rows, expected, "{scan}");
        let by_clustering = |(what, _): &&(TableCount, u64)| *what == SkippedByClustering;
        let skipped = found.iter().find(by_clustering);
        assert_eq!(skipped, counts.iter().find(by_clustering), "{scan}");
    }

    // Static rows and deletions of partitions are read wherever the rows lie.
    let directory = tempfile::tempdir().unwrap();
    let table = table_of(
        directory.path(),
        WITH_STATICS,
        &[
            &[(9, "INSERT INTO t (p, c, v) VALUES (1, 7, 'c')")],
            &[(2, "INSERT INTO t (p, c, s, v) VALUES (1, 1, 6, 'a')")],
            &[
                (5, "DELETE FROM t WHERE p = 1"),
                (6, "INSERT INTO t (p, c, v) VALUES (2, 2, 'd')"),
            ],
        ],
    );
    for (columns, query, expected) in [
        ("s, v", "p = 1 AND c > 5", &[r#"{"s": null, "v": "c"}"#][..]),
        (
            "s, v",
            "c > 5 ALLOW FILTERING",
            &[r#"{"s": null, "v": "c"}"#],
        ),
        ("v", "p = 1 AND c < 5", &[]),
        ("v", "c < 2 ALLOW FILTERING", &[]),
    ] {
        let (rows, _) = counted(&table, &format!("SELECT {columns} FROM t WHERE {query}"));
        assert_eq!(rows, expected, "{query}");
    }
}

#[test]
fn sstables_older_than_the_partitions_deletion_are_not_read() {
    use TableCount::*;
    let sstables: [&[(i64, &str)]; 4] = [
        &[(1, "INSERT INTO t (p, c, v) VALUES (1, 1, 'a')")],
        &[(3, "INSERT INTO t (p, c, v) VALUES (1, 2, 'b')")],
        &[(3, "DELETE FROM t WHERE p = 1")],
        &[(4, "INSERT INTO t (p, c, v) VALUES (1, 3, 'c')")],
    ];
    let directory = tempfile::tempdir().unwrap();
    let table = table_of(directory.path(), TABLE, &sstables);
    let (rows, counts) = counted(&table, "SELECT v FROM t WHERE p = 1");
    assert_eq!(rows, [r#"{"v": "c"}"#]);
    // The one that is as old as the deletion is read, as in Cassandra.
    assert_eq!(counts, [(Reads, 1), (SSTables, 3), (SkippedByDeletion, 1)]);
    let (rows, counts) = counted(&table, "SELECT v FROM t WHERE p = 1 AND c = 1");
    assert!(rows.is_empty());
    assert!(counts.contains(&(SkippedByDeletion, 1)), "{counts:?}");

    // The deletion may be in memory.
    let directory = tempfile::tempdir().unwrap();
    let table = table_of(directory.path(), TABLE, &sstables[..2]);
    write_at(&table, 10, "DELETE FROM t WHERE p = 1");
    for query in [
        "SELECT v FROM t WHERE p = 1",
        "SELECT v FROM t WHERE p = 1 AND c = 2",
    ] {
        let (rows, counts) = counted(&table, query);
        assert!(rows.is_empty());
        assert_eq!(counts, [(Reads, 1), (SkippedByDeletion, 2)]);
    }
}

#[test]
fn rows_by_name_are_read_until_older_data_decides_nothing() {
    use TableCount::*;
    let directory = tempfile::tempdir().unwrap();
    let table = table_of(
        directory.path(),
        TABLE,
        &[
            &[
                (1, "INSERT INTO t (p, c, v, w) VALUES (1, 1, 'a', 1)"),
                (1, "INSERT INTO t (p, c, v, w) VALUES (1, 2, 'a', 2)"),
                (1, "INSERT INTO t (p, c, v, w) VALUES (1, 3, 'a', 3)"),
                (1, "INSERT INTO t (p, c, v, w) VALUES (1, 4, 'a', 4)"),
            ],
            &[
                (2, "INSERT INTO t (p, c, v, w) VALUES (1, 1, 'b', 11)"),
                (2, "INSERT INTO t (p, c, v) VALUES (1, 2, 'b')"),
                (2, "UPDATE t SET v = 'b', w = 13 WHERE p = 1 AND c = 3"),
                (2, "DELETE FROM t WHERE p = 1 AND c > 3 AND c < 9"),
            ],
        ],
    );
    let one = [(Reads, 1), (SSTables, 1), (SkippedByNewer, 1)];
    let two = [(Reads, 1), (SSTables, 2)];
    for (query, expected, counts) in [
        // All that is asked for is newer, the row's liveness as well.
        (
            "SELECT v, w FROM t WHERE p = 1 AND c = 1",
            r#"{"v": "b", "w": 11}"#,
            &one[..],
        ),
        (
            "SELECT v FROM t WHERE p = 1 AND c = 2",
            r#"{"v": "b"}"#,
            &one,
        ),
        // A cell is older, or the row has no liveness of its own there.
        (
            "SELECT v, w FROM t WHERE p = 1 AND c = 2",
            r#"{"v": "b", "w": 2}"#,
            &two,
        ),
        (
            "SELECT v, w FROM t WHERE p = 1 AND c = 3",
            r#"{"v": "b", "w": 13}"#,
            &two,
        ),
        // A range tombstone decides.
        ("SELECT v FROM t WHERE p = 1 AND c = 4", "", &one),
        // Those that are decided are not asked for any more.
        (
            "SELECT v, w FROM t WHERE p = 1 AND c IN (1, 2)",
            "{\"v\": \"b\", \"w\": 11}\n{\"v\": \"b\", \"w\": 2}",
            &two,
        ),
        (
            "SELECT v FROM t WHERE p = 1 AND c IN (1, 2, 4)",
            "{\"v\": \"b\"}\n{\"v\": \"b\"}",
            &one,
        ),
    ] {
        let (rows, found) = counted(&table, query);
        assert_eq!(rows.join("\n"), expected, "{query}");
        assert_eq!(found, counts, "{query}");
        let (mut rows, found) = counted(&table, &format!("{query} ORDER BY c DESC"));
        rows.reverse();
        assert_eq!(rows.join("\n"), expected, "{query}, from the end");
        assert_eq!(found, counts, "{query}, from the end");
    }
    // What is in memory decides, too.
    write_at(
        &table,
        3,
        "INSERT INTO t (p, c, v, w) VALUES (1, 2, 'c', 22)",
    );
    let (rows, found) = counted(&table, "SELECT v, w FROM t WHERE p = 1 AND c = 2");
    assert_eq!(rows, [r#"{"v": "c", "w": 22}"#]);
    assert_eq!(found, [(Reads, 1), (SkippedByNewer, 2)]);
    // Unless it is older than what an SSTable has.
    write_at(
        &table,
        0,
        "INSERT INTO t (p, c, v, w) VALUES (1, 3, 'old', 0)",
    );
    let (rows, _) = counted(&table, "SELECT v, w FROM t WHERE p = 1 AND c = 3");
    assert_eq!(rows, [r#"{"v": "b", "w": 13}"#]);
}

#[test]
fn static_columns_keep_older_sstables_from_being_left_out_if_they_are_asked_for() {
    use TableCount::*;
    let directory = tempfile::tempdir().unwrap();
    let table = table_of(
        directory.path(),
        WITH_STATICS,
        &[
            &[(1, "INSERT INTO t (p, c, s, v) VALUES (1, 1, 1, 'a')")],
            &[(2, "INSERT INTO t (p, c, v) VALUES (1, 1, 'b')")],
        ],
    );
    let one = [(Reads, 1), (SSTables, 1), (SkippedByNewer, 1)];
    let two = [(Reads, 1), (SSTables, 2)];
    let query = |columns| {
        counted(
            &table,
            &format!("SELECT {columns} FROM t WHERE p = 1 AND c = 1"),
        )
    };
    assert_eq!(query("v"), (vec![r#"{"v": "b"}"#.to_owned()], one.to_vec()));
    let both = r#"{"s": 1, "v": "b"}"#;
    assert_eq!(query("s, v"), (vec![both.to_owned()], two.to_vec()));
    write_at(&table, 3, "UPDATE t SET s = 2 WHERE p = 1");
    table.flush().unwrap();
    let three = [(Reads, 1), (SSTables, 2), (SkippedByNewer, 1)];
    let both = r#"{"s": 2, "v": "b"}"#;
    assert_eq!(query("s, v"), (vec![both.to_owned()], three.to_vec()));
}

#[test]
fn reads_are_counted_and_timed() {
    let directory = tempfile::tempdir().unwrap();
    let schema = parse_schema(TABLE, None).unwrap().tables.remove(0);
    let metrics = Arc::new(Metrics::default());
    let storage = StorageOptions {
        version: Version::parse("oa", "big").unwrap(),
        open: OpenOptions::default(),
        metrics: metrics.clone(),
        host: None,
    };
    let table = Table::open(directory.path(), Arc::new(schema), storage).unwrap();
    write_at(&table, 1, "INSERT INTO t (p, c, v) VALUES (1, 1, 'a')");
    write_at(&table, 2, "DELETE v FROM t WHERE p = 1 AND c = 1");
    write_at(&table, 2, "DELETE FROM t WHERE p = 1 AND c > 4");
    table.flush().unwrap();
    for _ in 0..129 {
        select(&table, "SELECT v FROM t WHERE p = 1");
        select(&table, "SELECT v FROM t WHERE p = 1 AND c > 0");
    }
    select(&table, "SELECT v FROM t");
    table.compact(NOW, None, &mut |_| Ok(())).unwrap();
    let snapshot = metrics.snapshot(vec![table.snapshot()]);
    let measured = |operation| {
        let measured = snapshot.operation(operation).unwrap();
        (measured.count, measured.latency.recorded)
    };
    assert_eq!(measured(Operation::Read), (129, 3));
    assert_eq!(measured(Operation::Slice), (129, 3));
    assert_eq!(measured(Operation::Flush), (1, 1));
    assert_eq!(measured(Operation::Compaction), (1, 1));
    assert!(measured(Operation::Scan).0 >= 1);
    assert_eq!(snapshot.sstables_per_read.recorded, 6);
    assert_eq!(
        (
            snapshot.sstables_per_read.p50,
            snapshot.sstables_per_read.max
        ),
        (1, 1)
    );
    // The cell, and the two bounds of the range.
    assert_eq!(
        (
            snapshot.tombstones_per_read.p50,
            snapshot.tombstones_per_read.max
        ),
        (3, 3)
    );
    assert!(snapshot.flushed_bytes > 0);
    assert_eq!(snapshot.compaction_read_bytes, snapshot.flushed_bytes);
    assert!(snapshot.compaction_written_bytes > 0);
}

/// A statement, by numbers: what, partition, row, value.
fn statement(what: u8, p: u8, c: u8, value: u8) -> String {
    match what {
        0..=3 => format!("INSERT INTO t (p, c, v, w) VALUES ({p}, {c}, '{value}', {value})"),
        4 => format!("INSERT INTO t (p, c, v) VALUES ({p}, {c}, '{value}')"),
        5 => format!("UPDATE t SET w = {value} WHERE p = {p} AND c = {c}"),
        6 => format!("DELETE v FROM t WHERE p = {p} AND c = {c}"),
        7 => format!("DELETE FROM t WHERE p = {p} AND c = {c}"),
        8 => format!(
            "DELETE FROM t WHERE p = {p} AND c >= {c} AND c < {}",
            c + value % 4
        ),
        9 => format!("DELETE FROM t WHERE p = {p}"),
        10 => format!("UPDATE t SET s = {value} WHERE p = {p}"),
        11 => format!(
            "UPDATE t SET m[{}] = {value} WHERE p = {p} AND c = {c}",
            value % 3
        ),
        _ => format!("DELETE s FROM t WHERE p = {p}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn answers_are_those_of_everything_merged(
        writes in prop::collection::vec((0..13u8, 0..3u8, 0..8u8, 0..20u8, 0..30i64, prop::bool::weighted(0.15)), 1..60),
        version in prop::sample::select(&[("nb", "big"), ("oa", "big"), ("da", "bti")][..]),
        with_statics: bool,
    ) {
        let schema = if with_statics { WITH_STATICS } else { TABLE };
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // One is flushed again and again; of the other, which is all in memory, everything is merged.
        let (table, whole) = (open(a.path(), schema, version), open(b.path(), schema, version));
        for (what, p, c, value, timestamp, is_flushed) in writes {
            let what = if with_statics { what } else { what % 10 };
            let statement = statement(what, p, c, value);
            write_at(&table, timestamp, &statement);
            write_at(&whole, timestamp, &statement);
            if is_flushed {
                table.flush().unwrap();
            }
        }
        let columns = if with_statics { "c, s, v, w, m" } else { "c, v, w" };
        for p in 0..3 {
            let mut queries = vec![
                format!("SELECT {columns} FROM t WHERE p = {p}"),
                format!("SELECT {columns}, WRITETIME(v) FROM t WHERE p = {p} AND c > 2 AND c <= 5"),
                format!("SELECT {columns} FROM t WHERE p = {p} AND c < 3 ORDER BY c DESC"),
                format!("SELECT {columns} FROM t WHERE p = {p} AND c IN (1, 3, 4, 7)"),
                format!("SELECT v FROM t WHERE p = {p} AND c IN (0, 2, 5) ORDER BY c DESC"),
                format!("SELECT c FROM t WHERE p = {p} AND c IN (0, 1, 2, 3)"),
                format!("SELECT DISTINCT p FROM t WHERE p = {p}"),
            ];
            for c in 0..8 {
                queries.push(format!("SELECT {columns} FROM t WHERE p = {p} AND c = {c}"));
                queries.push(format!("SELECT w, WRITETIME(w) FROM t WHERE p = {p} AND c = {c}"));
                queries.push(format!("SELECT v, w FROM t WHERE p = {p} AND c IN ({c}, 3, 6) ORDER BY c DESC"));
                queries.push(format!("SELECT {columns} FROM t WHERE p = {p} AND c IN ({c}, 3, 6) ORDER BY c ASC"));
            }
            for query in queries {
                prop_assert_eq!(select(&table, &query), select(&whole, &query), "{}", query);
            }
        }
        for query in [
            format!("SELECT {columns} FROM t WHERE p = ?"),
            format!("SELECT {columns} FROM t WHERE p = ? ORDER BY c DESC PER PARTITION LIMIT 2"),
        ] {
            let of_any = query.replace('?', "0");
            let keys = [0, 1, 2, 3];
            let found = looked_up(&table, &of_any, &keys);
            prop_assert_eq!(&found, &one_by_one(&table, &query, &keys), "{}", query);
            prop_assert_eq!(&found, &looked_up(&whole, &of_any, &keys), "{}", query);
        }
    }
}
