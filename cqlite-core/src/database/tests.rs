//! What was written is there: at once, after the database is opened again, and after a crash at any moment.

mod conditional;
mod counters;
mod intervals;
mod metamorphic;
mod prepared;

use super::killed::killed_in;
use super::*;
use crate::ErrorKind;
use crate::query::json_lines;
use std::fs;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};

const NOW: i64 = 1_700_000_000;

fn options() -> DatabaseOptions {
    DatabaseOptions {
        log: LogOptions {
            segment_bytes: 1 << 16,
            total_bytes: 1 << 20,
            sync: commitlog::SyncMode::None,
        },
        // Nothing is compacted but what a test asks for.
        compactors: 0,
        ..DatabaseOptions::new(NOW).unwrap()
    }
}

fn open(directory: &Path) -> Database {
    Database::open(directory, options()).unwrap()
}

fn micros(second: i64) -> i64 {
    (NOW + second) * 1_000_000
}

fn run(session: &mut Session<'_>, statements: &[&str]) {
    for statement in statements {
        session.execute(statement, micros(0)).expect(statement);
    }
}

fn rows(session: &mut Session<'_>, statement: &str) -> Vec<String> {
    let Outcome::Selected(selected) = session.execute(statement, micros(1)).expect(statement)
    else {
        panic!("{statement} gives no rows");
    };
    json_lines(selected.rows())
}

/// What a process that is killed now leaves.
fn crash(directory: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => {
                    fs::create_dir(&to).unwrap();
                    copy(&entry.path(), &to);
                }
                // Files may go while the directory is read.
                false => _ = fs::copy(entry.path(), &to),
            }
        }
    }
    let copied = tempfile::tempdir().unwrap();
    copy(directory, copied.path());
    copied
}

const SCHEMA: [&str; 5] = [
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "USE ks",
    "CREATE TYPE point (x int, y int)",
    "CREATE TABLE t (p int, c int, s text static, v text, at frozen<point>, m map<text, int>, PRIMARY KEY (p, c)) \
     WITH gc_grace_seconds = 0",
    "CREATE TABLE other (k text PRIMARY KEY, v int) WITH comment = 'it''s other'",
];

#[test]
fn a_schema_is_read_while_its_sstables_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    run(&mut database.session(), &SCHEMA);
    let has_ended = AtomicBool::new(false);
    let load = || {
        while !has_ended.load(Ordering::Relaxed) {
            let schema = Schema::load(&directory.path().join("system_schema"), NOW + 1).unwrap();
            assert!(schema.table("ks", "t").is_some());
        }
    };
    std::thread::scope(|scope| {
        let loading: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        let mut session = database.session();
        for i in 0..80 {
            run(
                &mut session,
                &[&format!("ALTER TABLE ks.t WITH comment = '{i}'")],
            );
        }
        has_ended.store(true, Ordering::Relaxed);
        loading.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_batch_of_several_tables_is_there_as_a_whole_or_not_at_all() {
    if let Some(directory) = killed_in() {
        write_batches(&directory);
    }
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &SCHEMA);
    let counts = |database: &Database| {
        let mut session = database.session();
        ["ks.t", "ks.other"].map(|table| {
            let count = rows(&mut session, &format!("SELECT count(*) AS n FROM {table}"));
            let digits = count[0].chars().filter(char::is_ascii_digit);
            digits.collect::<String>().parse::<u64>().unwrap()
        })
    };
    let bad = "BEGIN BATCH INSERT INTO t (p, c) VALUES (9, 9); INSERT INTO other (k, v) VALUES ('k', 'text'); APPLY BATCH";
    assert!(session.execute(bad, micros(0)).is_err());
    assert_eq!(counts(&database), [0, 0]);

    drop(session);
    drop(database);

    for round in 0..5 {
        let name = "database::tests::a_batch_of_several_tables_is_there_as_a_whole_or_not_at_all";
        let mut child = killed::start(name, directory.path());
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().ends_with(BEGUN)));
        std::thread::sleep(std::time::Duration::from_millis(40 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let [t, other] = counts(&open(directory.path()));
        assert_eq!(t, other);
    }
    let [t, _] = counts(&open(directory.path()));
    assert!(t > 0);
}

/// What is printed when the first batch is written.
const BEGUN: &str = "begun";

fn write_batches(directory: &Path) -> ! {
    let database = open(directory);
    let mut session = database.session();
    session.execute("USE ks", micros(0)).unwrap();
    let process = std::process::id();
    let mut i = 0;
    loop {
        // One table under two names.
        let batch = format!(
            "BEGIN BATCH INSERT INTO t (p, c) VALUES ({i}, {process}); \
             INSERT INTO other (k, v) VALUES ('{process} {i}', 0); \
             UPDATE ks.t SET v = 'v' WHERE p = {i} AND c = {process}; APPLY BATCH"
        );
        session.execute(&batch, micros(0)).unwrap();
        if i == 0 {
            println!("{BEGUN}");
        }
        i += 1;
    }
}

#[test]
fn statements_survive() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &SCHEMA);
    run(
        &mut session,
        &[
            "INSERT INTO t (p, c, v, at, m) VALUES (1, 1, 'a', {x: 1, y: 2}, {'k': 1})",
            "INSERT INTO t JSON '{\"p\": 1, \"c\": 2, \"v\": \"b\"}'",
            "UPDATE t SET m['l'] = 2, s = 'static' WHERE p = 1 AND c = 1",
            "INSERT INTO t (p, c, v) VALUES (1, 3, 'c')",
            "DELETE FROM t WHERE p = 1 AND c > 2",
            "BEGIN BATCH INSERT INTO t (p, c, v) VALUES (2, 1, 'd'); INSERT INTO other (k, v) VALUES ('x', 1); \
             DELETE v FROM t WHERE p = 2 AND c = 1; APPLY BATCH",
            "INSERT INTO ks.other (k, v) VALUES ('gone', 1) USING TTL 1",
        ],
    );
    let queries = [
        "SELECT * FROM ks.t",
        "SELECT k, v FROM ks.other",
        "SELECT count(*) FROM ks.t",
    ];
    let answers = |database: &Database| {
        let mut session = database.session();
        queries.map(|query| rows(&mut session, query))
    };
    let expected = answers(&database);
    assert_eq!(
        expected[0],
        [
            r#"{"p": 1, "c": 1, "s": "static", "at": {"x": 1, "y": 2}, "m": {"k": 1, "l": 2}, "v": "a"}"#,
            r#"{"p": 1, "c": 2, "s": "static", "at": null, "m": null, "v": "b"}"#,
            r#"{"p": 2, "c": 1, "s": null, "at": null, "m": null, "v": null}"#,
        ]
    );
    assert_eq!(expected[1], [r#"{"k": "x", "v": 1}"#]);

    // As it is now, and as it was left in the middle of a flush.
    let crashed = crash(directory.path());
    assert_eq!(answers(&open(crashed.path())), expected);
    database.flush().unwrap();
    assert_eq!(answers(&database), expected);
    let crashed = crash(directory.path());
    assert_eq!(answers(&open(crashed.path())), expected);
    let schema = database.schema();
    drop(session);
    database.close().unwrap();
    let database = open(directory.path());
    assert_eq!(answers(&database), expected);
    let again = database.schema();
    assert_eq!(again.types, schema.types);
    assert_eq!(again.keyspaces, schema.keyspaces);
    for table in &schema.tables {
        let read = again.table(&table.keyspace, &table.name).unwrap();
        assert_eq!((read.id, &read.regulars), (table.id, &table.regulars));
    }
    // Another time writes go on behind those that were there.
    let mut session = database.session();
    run(&mut session, &["UPDATE ks.other SET v = 2 WHERE k = 'x'"]);
    assert_eq!(rows(&mut session, queries[1]), [r#"{"k": "x", "v": 2}"#]);
}

#[test]
fn schemas_change() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &SCHEMA);
    let insert = "INSERT INTO t (p, c, v, at) VALUES (1, 1, 'a', {x: 1, y: 2})";
    run(
        &mut session,
        &[
            insert,
            "ALTER TABLE t ADD (n bigint, w text)",
            "UPDATE t SET n = 5, w = 'w' WHERE p = 1 AND c = 1",
            "ALTER TABLE t DROP v",
            "ALTER TYPE point ADD z int",
            "ALTER TABLE t RENAME c TO d",
            "ALTER TABLE t WITH comment = 'altered'",
            "ALTER KEYSPACE ks WITH durable_writes = false",
            "CREATE TABLE IF NOT EXISTS t (wrong int PRIMARY KEY)",
            "CREATE TABLE again (k int PRIMARY KEY, v int)",
            "INSERT INTO again (k, v) VALUES (1, 1)",
            "DROP TABLE again",
            "CREATE TABLE again (k int PRIMARY KEY, v int)",
            "DROP TABLE IF EXISTS never",
            "CREATE TABLE columns (k int PRIMARY KEY, v text, w int)",
            "INSERT INTO columns (k, v, w) VALUES (1, 'old', 1)",
            "ALTER TABLE columns DROP v",
            "ALTER TABLE columns ADD v text",
            "INSERT INTO columns (k, v) VALUES (2, 'new')",
            "INSERT INTO other (k, v) VALUES ('truncated', 1)",
            "TRUNCATE other",
            "INSERT INTO other (k, v) VALUES ('after', 1)",
        ],
    );
    let expected = [
        vec![
            r#"{"p": 1, "d": 1, "s": null, "at": {"x": 1, "y": 2, "z": null}, "m": null, "n": 5, "w": "w"}"#,
        ],
        vec![],
        vec![r#"{"k": "after", "v": 1}"#],
        vec![
            r#"{"k": 1, "v": null, "w": 1}"#,
            r#"{"k": 2, "v": "new", "w": null}"#,
        ],
    ];
    let answers = |database: &Database| {
        let mut session = database.session();
        [
            "SELECT * FROM t",
            "SELECT * FROM again",
            "SELECT * FROM other",
            "SELECT * FROM columns",
        ]
        .map(|query| {
            run(&mut session, &["USE ks"]);
            rows(&mut session, query)
        })
    };
    assert_eq!(answers(&database), expected);
    let crashed = crash(directory.path());
    assert_eq!(answers(&open(crashed.path())), expected);
    let tables = |directory: &Path| fs::read_dir(directory.join("ks")).unwrap().count();
    assert_eq!(tables(directory.path()), 4);

    for (statement, kind, says) in [
        (insert, ErrorKind::NotFound, "no column `c`"),
        (
            "CREATE TABLE t (k int PRIMARY KEY)",
            ErrorKind::InvalidInput,
            "ks.t exists",
        ),
        (
            "CREATE TABLE u (k nothing PRIMARY KEY)",
            ErrorKind::InvalidInput,
            "nothing",
        ),
        (
            "CREATE TABLE no.u (k int PRIMARY KEY)",
            ErrorKind::NotFound,
            "no keyspace no",
        ),
        (
            "ALTER TABLE t DROP p",
            ErrorKind::InvalidInput,
            "primary key",
        ),
        (
            "ALTER TABLE t ADD n int",
            ErrorKind::InvalidInput,
            "has a column `n`",
        ),
        (
            "ALTER TABLE nothing ADD n int",
            ErrorKind::InvalidInput,
            "no table ks.nothing",
        ),
        (
            "DROP TYPE point",
            ErrorKind::InvalidInput,
            "ks.t has values of the type",
        ),
        (
            "DROP TABLE nothing",
            ErrorKind::InvalidInput,
            "no table ks.nothing",
        ),
        (
            "CREATE KEYSPACE ks",
            ErrorKind::InvalidInput,
            "ks exists (IF NOT EXISTS",
        ),
        (
            "CREATE TABLE u (k int PRIMARY KEY) WITH compresion = {}",
            ErrorKind::InvalidInput,
            "Unknown property 'compresion'",
        ),
        (
            "ALTER TABLE t WITH gc_grace = 1",
            ErrorKind::InvalidInput,
            "Unknown property 'gc_grace'",
        ),
        (
            "ALTER TABLE t WITH gc_grace_seconds = -1",
            ErrorKind::InvalidInput,
            "gc_grace_seconds must be from 0",
        ),
        (
            "ALTER TABLE t WITH default_time_to_live = 630720001",
            ErrorKind::InvalidInput,
            "default_time_to_live must be from 0 to 630720000",
        ),
        (
            "ALTER TABLE t WITH bloom_filter_fp_chance = 0",
            ErrorKind::InvalidInput,
            "bloom_filter_fp_chance must be larger than",
        ),
        (
            "ALTER TABLE t WITH compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 3}",
            ErrorKind::InvalidInput,
            "no power of two",
        ),
        (
            "ALTER TABLE t WITH compression = {'class': 'ZstdCompressor', 'compression_level': 23}",
            ErrorKind::InvalidInput,
            "`23` is no compression level of Zstd",
        ),
        (
            "ALTER TABLE t WITH min_index_interval = 0",
            ErrorKind::InvalidInput,
            "min_index_interval",
        ),
        (
            "ALTER TABLE t WITH max_index_interval = 5",
            ErrorKind::InvalidInput,
            "max_index_interval must be greater than or equal to min_index_interval (128) (got 5)",
        ),
        (
            "ALTER TABLE t WITH caching = {'keys': 'some'}",
            ErrorKind::InvalidInput,
            "caching = {'keys': 'some'}",
        ),
        (
            "ALTER TABLE t WITH read_repair = 'async'",
            ErrorKind::InvalidInput,
            "read_repair is 'BLOCKING' or 'NONE'",
        ),
        (
            "CREATE KEYSPACE other WITH replication = {'class': 'Simple'}",
            ErrorKind::InvalidInput,
            "Unable to find replication strategy class 'org.apache.cassandra.locator.Simple'",
        ),
        (
            "ALTER TABLE t RENAME nothing TO x",
            ErrorKind::InvalidInput,
            "`nothing` is no column of the primary key",
        ),
        (
            "ALTER TABLE t ALTER n TYPE text",
            ErrorKind::InvalidInput,
            "the type of a column cannot be changed",
        ),
        (
            "CREATE TABLE u (k int PRIMARY KEY, c counter, v int)",
            ErrorKind::InvalidInput,
            "Cannot mix counter",
        ),
        (
            "CREATE TABLE u (k int PRIMARY KEY, c counter) WITH default_time_to_live = 1",
            ErrorKind::InvalidInput,
            "default_time_to_live on a table with counters",
        ),
        (
            "INSRT INTO t",
            ErrorKind::InvalidInput,
            "expected `CREATE`, `ALTER`, `DROP`, `TRUNCATE`, `SELECT`",
        ),
        (
            "CREATE KEYSPACE system",
            ErrorKind::InvalidInput,
            "Cassandra's own",
        ),
        ("CREATE INDEX ON t (w)", ErrorKind::Unsupported, "indexes"),
        ("USE nothing", ErrorKind::NotFound, "nothing"),
        ("SELECT * FROM nothing", ErrorKind::NotFound, "nothing"),
        ("CREATE TABLE u (", ErrorKind::InvalidInput, "1:17"),
        ("GRANT x", ErrorKind::Unsupported, "GRANT"),
    ] {
        let Err(e) = session.execute(statement, micros(0)) else {
            panic!("{statement} is executed");
        };
        assert_eq!(e.kind(), kind, "{statement}: {e}");
        assert!(e.to_string().contains(says), "{statement}: {e}");
    }
    assert_eq!(answers(&database), expected);

    run(&mut session, &["DROP KEYSPACE ks"]);
    assert!(session.execute("SELECT * FROM ks.t", micros(0)).is_err());
    drop(session);
    drop(database);
    let database = open(directory.path());
    assert!(database.schema().keyspaces.is_empty());
    assert_eq!(tables(directory.path()), 0);
}

#[test]
fn what_a_crash_leaves_of_dropped_tables_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join(OWN_DIRECTORY);
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &SCHEMA);
    run(
        &mut session,
        &[
            "INSERT INTO t (p, c) VALUES (1, 1)",
            "INSERT INTO other (k, v) VALUES ('k', 1)",
        ],
    );
    database.flush().unwrap();
    let path_of = |name| {
        let table = database.table(Some("ks"), name).unwrap();
        table.directory().to_owned()
    };
    let (table, other) = (path_of("t"), path_of("other"));
    let before = crash(directory.path());
    run(&mut session, &["DROP TABLE t"]);
    assert!(!table.exists() && !own.join("dropped").exists());
    drop(session);
    database.close().unwrap();

    let put_back = || {
        let from = before
            .path()
            .join(table.strip_prefix(directory.path()).unwrap());
        fs::create_dir_all(table.join("snapshots")).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), table.join(file.file_name())).unwrap();
        }
    };
    let files = || fs::read_dir(&table).map_or(0, |files| files.count());
    // What nobody says to be dropped stays.
    put_back();
    open(directory.path()).close().unwrap();
    assert!(files() > 5);

    // What is dropped goes, and what the schema has stays.
    let dropped = Dropped::new(directory.path(), &own);
    dropped.note([&*table, &other]).unwrap();
    let database = open(directory.path());
    let count = rows(&mut database.session(), "SELECT v FROM ks.other");
    assert_eq!(count, [r#"{"v": 1}"#]);
    assert!(!table.exists() && !own.join("dropped").exists());
    database.close().unwrap();

    // But for snapshots.
    put_back();
    fs::write(table.join("snapshots").join("mine"), "x").unwrap();
    dropped.note([&*table]).unwrap();
    open(directory.path()).close().unwrap();
    assert_eq!(files(), 1);
    assert!(table.join("snapshots").join("mine").exists());
}

/// Who still has a table that was altered changes neither its successor nor what the log is needed for.
#[test]
fn altered_tables_are_retired() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &SCHEMA);
    run(
        &mut session,
        &["INSERT INTO t (p, c, v) VALUES (1, 1, 'a')"],
    );
    let old = database.table(None, "t").unwrap();
    let view = old.view();
    let mut writer = database.writer(&old).unwrap();
    run(
        &mut session,
        &[
            "ALTER TABLE t ADD n int",
            "INSERT INTO t (p, c, n) VALUES (1, 2, 5)",
        ],
    );
    database.inner.flush_table(&old).unwrap();
    for e in [
        old.flush_switched().err(),
        old.compact(NOW, None, &mut |_| Ok(())).err(),
        old.clear().err(),
        {
            use crate::sstable::builder::ChangeSink;
            let deletion = crate::model::DeletionTime {
                marked_for_delete_at: i64::MAX,
                local_deletion_time: NOW,
            };
            writer
                .update()
                .delete_partition(&[0, 0, 0, 1], deletion)
                .unwrap();
            writer.write().err()
        },
    ] {
        let e = e.unwrap();
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
        assert!(e.to_string().contains("altered or dropped"), "{e}");
    }
    drop((view, old));
    let expected = rows(&mut session, "SELECT c, n FROM t");
    assert_eq!(expected, [r#"{"c": 1, "n": null}"#, r#"{"c": 2, "n": 5}"#]);
    let crashed = crash(directory.path());
    let database = open(crashed.path());
    assert_eq!(
        rows(&mut database.session(), "SELECT c, n FROM ks.t"),
        expected
    );
}

#[test]
fn what_was_purged_is_not_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &SCHEMA);
    // One table keeps the first segment, the other one is flushed and compacted to nothing.
    run(
        &mut session,
        &["INSERT INTO other (k, v) VALUES ('kept', 1)"],
    );
    run(
        &mut session,
        &["INSERT INTO t (p, c, v) VALUES (1, 1, 'deleted')"],
    );
    let filler = "x".repeat(20_000);
    for c in 2..8 {
        let statement = format!("INSERT INTO t (p, c, v) VALUES (2, {c}, '{filler}')");
        run(&mut session, &[&statement]);
    }
    run(
        &mut session,
        &["DELETE FROM t WHERE p = 1", "DELETE FROM t WHERE p = 2"],
    );
    let table = database.table(Some("ks"), "t").unwrap();
    database.inner.flush_table(&table).unwrap();
    database.compact(&table, NOW + 10).unwrap();
    assert_eq!(table.view().reader().sstables().len(), 0);
    let crashed = crash(directory.path());
    let database = open(crashed.path());
    let mut session = database.session();
    assert!(rows(&mut session, "SELECT * FROM ks.t").is_empty());
    assert_eq!(rows(&mut session, "SELECT * FROM ks.other").len(), 1);
}

/// Writers at once, flushes for want of memory and of room in the log, and a crash.
#[test]
fn many_writers() {
    const WRITES: usize = 300;
    let directory = tempfile::tempdir().unwrap();
    let options = DatabaseOptions {
        memtable_bytes: 1 << 20,
        ..options()
    };
    let database = Database::open(directory.path(), options).unwrap();
    run(&mut database.session(), &SCHEMA);
    let filler = "x".repeat(2_000);
    std::thread::scope(|scope| {
        for p in 0..3 {
            let (database, filler) = (&database, &filler);
            scope.spawn(move || {
                let mut session = database.session();
                for c in 0..WRITES {
                    let statement =
                        format!("INSERT INTO ks.t (p, c, v) VALUES ({p}, {c}, '{filler}')");
                    let Outcome::Written(position) =
                        session.execute(&statement, micros(0)).unwrap()
                    else {
                        panic!("nothing is written");
                    };
                    database.wait(position).unwrap();
                }
            });
        }
    });
    assert!(database.inner.log.bytes() <= 1 << 20);
    let table = database.table(None, "t").unwrap();
    assert!(table.view().reader().sstables().len() > 0);
    // While nobody flushes, or the copy would be of several moments.
    let mut database = database;
    database.end();
    let crashed = crash(directory.path());
    let database = open(crashed.path());
    let mut session = database.session();
    for p in 0..3 {
        let found = rows(&mut session, &format!("SELECT c FROM ks.t WHERE p = {p}"));
        assert_eq!(found.len(), WRITES);
    }
}

#[test]
fn there_is_one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let e = Database::open(directory.path(), options()).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::InvalidInput);
    assert!(e.to_string().contains("open elsewhere"), "{e}");
    drop(database);
    let missing = directory.path().join("missing");
    let options = DatabaseOptions {
        create: false,
        ..options()
    };
    let e = Database::open(&missing, options).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::NotFound);
    assert!(!missing.exists());
    open(directory.path());
}
