//! Rows that are inserted, deleted and looked up many at once, beside the same one by one, by the ways in which the log is
//! synced. The ratio of two times of a group is what doing it at once is worth.
//!
//! `kv` rows through prepared statements of one session. What was written is waited for, each row or all at once. Lookups ask
//! for random keys of a table that is one SSTable in chunks of 16 KiB, with a cache of 8 MiB: how many of the table's rows are
//! asked for at once tells how many of them share a chunk.

use cqlite_benches::data::{KvRow, kv_key};
use cqlite_benches::engine::{Engine, Settings, keys};
use cqlite_core::commitlog::SyncMode;
use cqlite_core::database::{Outcome, Prepared, Session};
use cqlite_core::mutation::Value;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

/// Rows of one time.
const ROWS: u64 = 1000;

/// Rows of the table that lookups read, whose cache holds a sixteenth of it. Some hundred of them share a chunk.
const TABLE_ROWS: u64 = 1_000_000;

/// How many of them are looked up at once: so few that hardly two share a chunk, and so many that ten or more do.
const DENSITIES: [(&str, u64); 3] = [
    ("of one row in 1000", ROWS),
    ("of one row in 10", TABLE_ROWS / 10),
    ("of as many rows as there are", TABLE_ROWS),
];

const NOW_MICROS: i64 = 1_700_000_000_000_000;

const SYNCS: [(&str, SyncMode); 3] = [
    ("group", SyncMode::Group),
    ("periodic", SyncMode::Periodic(Duration::from_secs(10))),
    ("none", SyncMode::None),
];

fn engine(sync: SyncMode, cache_bytes: u64) -> (tempfile::TempDir, Engine) {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = Settings {
        sync,
        cache_bytes,
        chunk_kib: 16,
        compactors: 1,
    };
    let engine = Engine::create(directory.path(), &settings).expect("a database");
    (directory, engine)
}

/// Key, number and text of rows.
type Row = ([u8; 16], [u8; 8], Vec<u8>);

fn rows(first: u64, count: u64) -> Vec<Row> {
    let mut row = KvRow::default();
    let make = |i| {
        row.set(0, i);
        (kv_key(b"user", i), row.n.to_be_bytes(), row.v.clone())
    };
    (first..first + count).map(make).collect()
}

/// The values of the first columns.
fn values(rows: &[Row], columns: usize) -> Vec<Vec<Value<'_>>> {
    let values = rows.iter().map(|(k, n, v)| {
        let all = [Value::Bytes(k), Value::Bytes(n), Value::Bytes(v)];
        all[..columns].to_vec()
    });
    values.collect()
}

/// Each set of values alone, and waited for.
fn one_by_one(
    session: &mut Session<'_>,
    engine: &Engine,
    prepared: &Prepared,
    all: &[Vec<Value<'_>>],
) {
    for values in all {
        let outcome = session.execute_prepared(prepared, values, NOW_MICROS);
        let position = outcome.expect("it is written").position();
        engine
            .database
            .wait(position.expect("something is written"))
            .expect("it is safe");
    }
}

/// All of them at once.
fn at_once(
    session: &mut Session<'_>,
    engine: &Engine,
    prepared: &Prepared,
    all: &[Vec<Value<'_>>],
) {
    let rows = all.iter().map(Vec::as_slice);
    let position = session.execute_many(prepared, rows, NOW_MICROS);
    let position = position.expect("they are written");
    engine
        .database
        .wait(position.expect("something is written"))
        .expect("they are safe");
}

fn writes(c: &mut Criterion) {
    let rows = rows(0, ROWS);
    for (name, sync) in SYNCS {
        let (_directory, engine) = engine(sync, 32 << 20);
        let mut session = engine.database.session();
        let insert = "INSERT INTO bench.kv (k, n, v) VALUES (?, ?, ?)";
        let delete = "DELETE FROM bench.kv WHERE k = ?";
        for (what, text, columns) in [("insert", insert, 3), ("delete", delete, 1)] {
            let prepared = session.prepare(text).expect("it fits");
            let all = values(&rows, columns);
            let mut group = c.benchmark_group(format!("{what} {name}"));
            group.throughput(Throughput::Elements(ROWS));
            group.bench_function(BenchmarkId::from_parameter("one by one"), |b| {
                b.iter(|| one_by_one(&mut session, &engine, &prepared, &all));
            });
            group.bench_function(BenchmarkId::from_parameter("at once"), |b| {
                b.iter(|| at_once(&mut session, &engine, &prepared, &all));
            });
            group.finish();
        }
    }
}

fn lookups(c: &mut Criterion) {
    let (_directory, engine) = engine(SyncMode::None, 8 << 20);
    engine.fill(TABLE_ROWS).expect("it is written");
    engine.database.flush().expect("it is written");
    let now = NOW_MICROS / 1_000_000;
    engine
        .database
        .compact(&engine.table, now)
        .expect("it is compacted");
    let mut session = engine.database.session();
    let text = "SELECT n, v FROM bench.kv WHERE k = ?";
    let prepared = session.prepare(text).expect("it fits");
    for (name, count) in DENSITIES {
        let keys = keys(TABLE_ROWS, TABLE_ROWS, count);
        let asked: Vec<[Value<'_>; 1]> = keys.iter().map(|key| [Value::Bytes(key)]).collect();
        let mut group = c.benchmark_group(format!("lookup {name}"));
        group.throughput(Throughput::Elements(count));
        if count == ROWS {
            group.bench_function("one by one, parsed", |b| {
                b.iter(|| parsed_one_by_one(&mut session, &keys));
            });
        }
        group.bench_function("one by one, prepared", |b| {
            b.iter(|| {
                for key in &asked {
                    let outcome = session.execute_prepared(&prepared, key, NOW_MICROS);
                    assert_eq!(count_of(black_box(outcome.expect("it is read"))), 1);
                }
            });
        });
        group.bench_function("at once", |b| {
            b.iter(|| {
                let keys = asked.iter().map(|key| &key[..]);
                let found = session.select_many(&prepared, keys, NOW_MICROS);
                let found = black_box(found.expect("they are read"));
                assert!(found.iter().all(|result| result.len() == 1));
            });
        });
        group.bench_function("at once, rows lent", |b| {
            b.iter(|| {
                let keys = asked.iter().map(|key| &key[..]);
                let mut rows = 0;
                let done = session.select_each(&prepared, keys, NOW_MICROS, |_, row| {
                    rows += black_box(row.value(1)).map_or(0, |_| 1);
                    Ok(())
                });
                done.expect("they are read");
                assert_eq!(rows, count);
            });
        });
        group.finish();
    }
}

fn parsed_one_by_one(session: &mut Session<'_>, keys: &[[u8; 16]]) {
    for key in keys {
        let key = String::from_utf8_lossy(key);
        let text = format!("SELECT n, v FROM bench.kv WHERE k = '{key}'");
        let outcome = session.execute(&text, NOW_MICROS).expect("it is read");
        assert_eq!(count_of(black_box(outcome)), 1);
    }
}

fn count_of(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Selected(selected) => selected.collect().expect("it is read").len(),
        _ => 0,
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = writes, lookups
}
criterion_main!(benches);
