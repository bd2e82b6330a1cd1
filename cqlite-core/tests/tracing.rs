//! What a database does is traced. In a program of its own, for whether anybody listens is asked once a place, on any thread.

use cqlite_core::database::{Database, DatabaseOptions, Outcome};
use std::sync::{Arc, Mutex};

const NOW: i64 = 1_700_000_000;

/// Notes the names of spans that begin, and warnings.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<&'static str>>>);

impl tracing::Subscriber for Noted {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        self.0.lock().unwrap().push(span.metadata().name());
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        if *event.metadata().level() == tracing::Level::WARN {
            self.0.lock().unwrap().push("warning");
        }
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn what_is_done_is_traced() {
    let noted = Noted::default();
    tracing::subscriber::set_global_default(noted.clone()).unwrap();
    let take = || std::mem::take(&mut *noted.0.lock().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let open = |memtable_bytes| {
        let mut options = DatabaseOptions::new(NOW).unwrap();
        options.memtable_bytes = memtable_bytes;
        Database::open(directory.path(), options).unwrap()
    };
    let run = |database: &Database, statement: &str| {
        let mut session = database.session();
        let done = session.execute(statement, NOW * 1_000_000).unwrap();
        if let Outcome::Selected(selected) = done {
            assert!(selected.rows().advance().unwrap());
        }
    };
    let database = open(64 << 20);
    assert!(take().contains(&"replay"));
    run(
        &database,
        "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    run(&database, "CREATE TABLE ks.t (p int PRIMARY KEY, v text)");
    take();
    run(&database, "INSERT INTO ks.t (p, v) VALUES (1, 'a')");
    database.flush().unwrap();
    assert_eq!(take(), ["write", "flush"]);
    run(&database, "SELECT v FROM ks.t WHERE p = 1");
    run(&database, "SELECT v FROM ks.t");
    assert_eq!(take(), ["read", "scan"]);
    let table = database.table(Some("ks"), "t").unwrap();
    database.compact(&table, NOW).unwrap();
    assert!(take().contains(&"compaction"));
    drop(table);
    database.close().unwrap();

    // More than all memory between two looks at it.
    let database = open(1 << 16);
    take();
    for p in 0..300 {
        let value = "v".repeat(5000);
        run(
            &database,
            &format!("INSERT INTO ks.t (p, v) VALUES ({p}, '{value}')"),
        );
    }
    assert!(take().contains(&"warning"));
}
