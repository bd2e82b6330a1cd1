//! What a database measures of itself, and its warning that memory becomes scarce.
//!
//! Authority: `o.a.c.metrics`, `o.a.c.utils.memory.MemtablePool`.

use super::{Database, DatabaseOptions, Inner};
use crate::metrics::{CacheSnapshot, Count, MemorySnapshot, Snapshot};
use crate::sstable::{ChunkCache, KeyCache};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Percents of the memory for rows that are in no SSTable from which on it is scarce, and below which it is not any more. Flushes
/// begin at half of it: who comes as far writes faster than is flushed.
const SCARCE_PERCENT: usize = 80;
const ENOUGH_PERCENT: usize = 60;

/// Memory for rows that are in no SSTable is scarce: writes are about to wait for flushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPressure {
    /// Bytes that such rows take.
    pub bytes: usize,
    /// Bytes that they may take.
    pub limit: usize,
    /// Tables that wait to be flushed, or are being flushed.
    pub flushes_pending: usize,
}

/// Whom to tell.
type OnPressure = Arc<dyn Fn(&MemoryPressure) + Send + Sync>;

/// Whether memory is scarce.
#[derive(Default)]
pub(super) struct Pressure {
    is_on: AtomicBool,
    told: RwLock<Option<OnPressure>>,
}

impl DatabaseOptions {
    /// Makes what all tables of one database share.
    pub(super) fn share(&mut self) {
        self.storage.metrics = Arc::default();
        let open = &mut self.storage.open;
        if open.cache.is_none() && self.chunk_cache_bytes > 0 {
            open.cache = Some(Arc::new(ChunkCache::new(self.chunk_cache_bytes)));
        }
        if open.keys.is_none() && self.key_cache_bytes > 0 {
            open.keys = Some(Arc::new(KeyCache::new(self.key_cache_bytes)));
        }
    }
}

impl Database {
    /// What was measured since it was opened, and how large everything is.
    pub fn metrics(&self) -> Snapshot {
        let inner = &*self.inner;
        let state = inner.state();
        let tables: Vec<_> = state
            .tables
            .values()
            .map(|table| table.snapshot())
            .collect();
        let open = &inner.options.storage.open;
        let chunk_cache = open.cache.as_ref().map(|cache| cache.snapshot());
        let key_cache = open.keys.as_ref().map(|keys| keys.snapshot());
        let bytes = |cache: &Option<CacheSnapshot>| cache.map_or(0, |cache| cache.bytes);
        let mut memory = MemorySnapshot {
            memtables: tables.iter().map(|table| table.memtable_bytes).sum(),
            memtables_limit: inner.options.memtable_bytes as u64,
            chunk_cache: bytes(&chunk_cache),
            key_cache: bytes(&key_cache),
            ..MemorySnapshot::default()
        };
        for table in state.tables.values() {
            for sstable in table.view().reader().sstables() {
                let (filter, index) = sstable.mapped_bytes();
                memory.filters_mapped += filter;
                memory.indexes_mapped += index;
            }
        }
        Snapshot {
            chunk_cache,
            key_cache,
            log_bytes: inner.log.bytes(),
            log_limit_bytes: inner.options.log.total_bytes,
            flushes_pending: inner.flusher.pending() as u64,
            compactions_pending: inner.compactor.pending() as u64,
            memory,
            is_under_pressure: inner.pressure.is_on.load(Ordering::Relaxed),
            ..inner.options.storage.metrics.snapshot(tables)
        }
    }

    /// Sets whom to tell when memory for rows that are in no SSTable becomes scarce, in place of who was told before. It is told once
    /// each time, on the thread of a writer, which it should not keep long.
    pub fn on_memory_pressure(&self, tell: impl Fn(&MemoryPressure) + Send + Sync + 'static) {
        let told = &self.inner.pressure.told;
        *told.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(tell));
    }
}

impl Inner {
    /// Notes how many bytes rows take that are in no SSTable.
    pub(super) fn note_memory(&self, bytes: usize) {
        let limit = self.options.memtable_bytes;
        let is_beyond = |percent: usize| bytes as u128 * 100 >= limit as u128 * percent as u128;
        let is_on = &self.pressure.is_on;
        if !is_beyond(ENOUGH_PERCENT) {
            is_on.store(false, Ordering::Relaxed);
        } else if is_beyond(SCARCE_PERCENT) && !is_on.swap(true, Ordering::Relaxed) {
            let pressure = MemoryPressure {
                bytes,
                limit,
                flushes_pending: self.flusher.pending(),
            };
            let pending = pressure.flushes_pending;
            tracing::warn!(
                bytes,
                limit,
                pending,
                "memory for rows is scarce: writes may have to wait"
            );
            let metrics = &self.options.storage.metrics;
            metrics.count(Count::PressureWarnings, 1);
            let told = self.pressure.told.read();
            let told = told.unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(tell) = told {
                tell(&pressure);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Outcome;
    use crate::metrics::{Operation, TableCount, Wait};
    use std::path::Path;
    use std::sync::Mutex;

    const NOW: i64 = 1_700_000_000;

    fn open(directory: &Path, change: impl FnOnce(&mut DatabaseOptions)) -> Database {
        let mut options = DatabaseOptions::new(NOW).unwrap();
        // Who looks for something to compact holds what is there for a moment.
        options.compactors = 0;
        change(&mut options);
        Database::open(directory, options).unwrap()
    }

    fn run(database: &Database, statements: &[&str]) -> Vec<String> {
        let mut session = database.session();
        let mut rows = Vec::new();
        for statement in statements {
            match session.execute(statement, NOW * 1_000_000).unwrap() {
                Outcome::Written(position) => database.wait(position).unwrap(),
                Outcome::Selected(selected) => {
                    rows.extend(crate::query::json_lines(selected.rows()))
                }
                _ => {}
            }
        }
        rows
    }

    const SCHEMA: [&str; 3] = [
        "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "USE ks",
        "CREATE TABLE t (p int PRIMARY KEY, v text)",
    ];

    #[test]
    fn scarce_memory_is_told_of_once_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let database = open(directory.path(), |options| options.memtable_bytes = 1000);
        let told = Arc::new(Mutex::new(Vec::new()));
        let (inner, teller) = (&database.inner, told.clone());
        database.on_memory_pressure(move |pressure| teller.lock().unwrap().push(*pressure));
        let so_far = || {
            told.lock()
                .unwrap()
                .iter()
                .map(|p| p.bytes)
                .collect::<Vec<_>>()
        };
        for (bytes, expected) in [
            (799, &[][..]),
            (800, &[800]),
            (950, &[800]),
            (600, &[800]),
            (900, &[800]),
            (599, &[800]),
            (799, &[800]),
            (801, &[800, 801]),
        ] {
            inner.note_memory(bytes);
            assert_eq!(so_far(), expected, "at {bytes}");
        }
        assert_eq!(told.lock().unwrap()[0].limit, 1000);
        let snapshot = database.metrics();
        assert_eq!(snapshot.pressure_warnings, 2);
        assert!(snapshot.is_under_pressure);
        inner.note_memory(0);
        assert!(!database.metrics().is_under_pressure);
    }

    #[test]
    fn writes_that_outrun_flushes_are_warned_of_and_wait() {
        let directory = tempfile::tempdir().unwrap();
        let database = open(directory.path(), |options| options.memtable_bytes = 1 << 16);
        run(&database, &SCHEMA);
        let value = "v".repeat(5000);
        let mut session = database.session();
        // More than all memory between two looks at it.
        for p in 0..300 {
            let text = format!("INSERT INTO ks.t (p, v) VALUES ({p}, '{value}')");
            session.execute(&text, NOW * 1_000_000).unwrap();
        }
        let snapshot = database.metrics();
        assert!(snapshot.pressure_warnings > 0);
        assert!(snapshot.waits[Wait::Room as usize].time.recorded > 0);
        assert!(snapshot.operation(Operation::Flush).unwrap().count > 0);
        assert_eq!(snapshot.operation(Operation::Write).unwrap().count, 300);
        assert!(snapshot.written_bytes > 1_500_000 && snapshot.log_written_bytes > 1_500_000);
    }

    #[test]
    fn caches_are_asked_by_point_reads_alone_and_forget_what_is_compacted() {
        let directory = tempfile::tempdir().unwrap();
        let database = open(directory.path(), |_| {});
        run(&database, &SCHEMA);
        run(
            &database,
            &[
                "INSERT INTO ks.t (p, v) VALUES (1, 'a')",
                "INSERT INTO ks.t (p, v) VALUES (2, 'b')",
            ],
        );
        database.flush().unwrap();
        run(&database, &["INSERT INTO ks.t (p, v) VALUES (1, 'c')"]);
        database.flush().unwrap();
        let caches = || {
            let snapshot = database.metrics();
            let caches = [snapshot.chunk_cache.unwrap(), snapshot.key_cache.unwrap()];
            caches.map(|cache| (cache.hits, cache.misses, cache.entries))
        };
        assert_eq!(run(&database, &["SELECT * FROM ks.t"]).len(), 2);
        assert_eq!(caches(), [(0, 0, 0); 2]);
        for _ in 0..3 {
            let rows = run(&database, &["SELECT v FROM ks.t WHERE p = 2"]);
            assert_eq!(rows, [r#"{"v": "b"}"#]);
        }
        assert_eq!(caches()[1], (2, 1, 1));
        assert!(caches()[0].0 >= 2 && caches()[0].2 > 0);
        let table = database.table(Some("ks"), "t").unwrap();
        database.compact(&table, NOW).unwrap();
        assert_eq!(caches()[1].2, 0);
        assert_eq!(caches()[0].2, 0);
        let rows = run(&database, &["SELECT v FROM ks.t WHERE p = 1"]);
        assert_eq!(rows, [r#"{"v": "c"}"#]);
        let snapshot = database.metrics();
        assert_eq!(snapshot.memory.key_cache, snapshot.key_cache.unwrap().bytes);
        assert!(snapshot.memory.key_cache > 0 && snapshot.memory.chunk_cache > 0);
        assert!(snapshot.memory.filters_mapped > 0 && snapshot.memory.indexes_mapped > 0);
        assert!(snapshot.log_bytes > 0 && snapshot.log_bytes <= snapshot.log_limit_bytes);
        let table = &snapshot.tables[0];
        assert_eq!((table.live_sstables, table.get(TableCount::Reads)), (1, 4));
        assert!(snapshot.operation(Operation::LogSync).unwrap().count > 0);
    }

    #[test]
    fn a_database_may_have_no_caches() {
        let directory = tempfile::tempdir().unwrap();
        let database = open(directory.path(), |options| {
            (options.chunk_cache_bytes, options.key_cache_bytes) = (0, 0);
        });
        run(&database, &SCHEMA);
        run(&database, &["INSERT INTO ks.t (p, v) VALUES (1, 'a')"]);
        database.flush().unwrap();
        assert_eq!(run(&database, &["SELECT v FROM ks.t WHERE p = 1"]).len(), 1);
        let snapshot = database.metrics();
        assert_eq!((snapshot.chunk_cache, snapshot.key_cache), (None, None));
    }
}
