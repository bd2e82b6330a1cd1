//! The rows of `kv` through a database: its log, its memtables, its SSTables.

use crate::data::{KV_SCHEMA, KvRow, kv_key, query};
use crate::work::Touched;
use cqlite_core::commitlog::{LogOptions, SyncMode};
use cqlite_core::database::{Database, DatabaseOptions, Writer};
use cqlite_core::mutation::{Insert, TimeUuids, Value, WriteTime};
use cqlite_core::table::Table;
use cqlite_core::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Instant;

/// Seconds since 1970 at which everything is done.
const NOW: i64 = 1_700_000_000;

/// What a database is opened with.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// When what is written is on the disk.
    pub sync: SyncMode,
    /// Bytes of the caches: an eighth for keys, the rest for decompressed chunks.
    pub cache_bytes: u64,
    /// Bytes of a chunk, in KiB.
    pub chunk_kib: u32,
    /// Threads that compact what nobody asks them to.
    pub compactors: usize,
}

/// A database with the table `kv`.
pub struct Engine {
    /// The database.
    pub database: Database,
    /// Its table.
    pub table: Arc<Table>,
    /// Writes that were begun: each is a microsecond later than the one before it.
    begun: AtomicI64,
}

impl Engine {
    /// Makes the database in an empty directory.
    ///
    /// # Errors
    /// Those of opening a database.
    pub fn create(directory: &Path, settings: &Settings) -> Result<Self> {
        let mut options = DatabaseOptions::new(NOW)?;
        options.log = LogOptions {
            sync: settings.sync,
            ..LogOptions::default()
        };
        options.compactors = settings.compactors;
        options.key_cache_bytes = settings.cache_bytes / 8;
        options.chunk_cache_bytes = settings.cache_bytes - options.key_cache_bytes;
        let database = Database::open(directory, options)?;
        let mut session = database.session();
        let keyspace = "CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}";
        session.execute(keyspace, NOW * 1_000_000)?;
        let chunk = |kib| format!("'chunk_length_in_kb': {kib}");
        let table = KV_SCHEMA.replace(&chunk(16), &chunk(settings.chunk_kib));
        session.execute(table.trim_end_matches(';'), NOW * 1_000_000)?;
        drop(session);
        Ok(Engine {
            table: database.table(Some("bench"), "kv")?,
            database,
            begun: AtomicI64::new(0),
        })
    }

    /// What one thread writes with.
    ///
    /// # Errors
    /// Those of [`Database::writer`].
    pub fn writes(&self) -> Result<Writes<'_>> {
        let schema = self.table.schema().clone();
        Ok(Writes {
            engine: self,
            insert: Insert::new(schema, &["k", "n", "v"], TimeUuids::new(0, 0))?,
            writer: self.database.writer(&self.table)?,
        })
    }

    /// Writes the first so many rows, and waits for none of them.
    ///
    /// # Errors
    /// Those of writing.
    pub fn fill(&self, rows: u64) -> Result<()> {
        let (mut row, mut writes) = (KvRow::default(), self.writes()?);
        for i in 0..rows {
            row.set(0, i);
            writes.write(i, &row.v, row.n, false)?;
        }
        Ok(())
    }

    /// Reads one key, which must be there.
    ///
    /// # Errors
    /// Those of reading; `NotFound`.
    pub fn read(&self, key: &[u8]) -> Result<()> {
        let mut touched = Touched::default();
        touched.all(&mut self.table.view().reader().read(key, &[], false)?)?;
        std::hint::black_box(touched.sum);
        match touched.rows {
            1 => Ok(()),
            _ => Err(Error::not_found("a row is missing")),
        }
    }

    /// Reads all keys by so many threads, and gives the nanoseconds that each read took if they are asked for.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn read_all(&self, keys: &[[u8; 16]], threads: usize, timed: bool) -> Result<Vec<u64>> {
        let part = |keys: &[[u8; 16]]| -> Result<Vec<u64>> {
            let mut nanos = Vec::new();
            for key in keys {
                let start = timed.then(Instant::now);
                self.read(key)?;
                nanos.extend(start.map(|start| start.elapsed().as_nanos() as u64));
            }
            Ok(nanos)
        };
        if threads == 1 {
            return part(keys);
        }
        std::thread::scope(|scope| {
            let parts = keys.chunks(keys.len().div_ceil(threads));
            let parts: Vec<_> = parts.map(|keys| scope.spawn(move || part(keys))).collect();
            let mut all = Vec::new();
            for part in parts {
                all.extend(part.join().map_err(|_| panicked())??);
            }
            Ok(all)
        })
    }

    /// Writes rows from `first` on as so many threads in turn, each waiting for its own; gives the nanoseconds that each took.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_synced(&self, first: u64, rows: u64, threads: u64) -> Result<Vec<u64>> {
        let one = |thread: u64| -> Result<Vec<u64>> {
            let (mut row, mut nanos) = (KvRow::default(), Vec::new());
            let mut writes = self.writes()?;
            for i in (first + thread..first + rows).step_by(threads as usize) {
                row.set(0, i);
                let start = Instant::now();
                writes.write(i, &row.v, row.n, true)?;
                nanos.push(start.elapsed().as_nanos() as u64);
            }
            Ok(nanos)
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|t| scope.spawn(move || one(t))).collect();
            let mut all = Vec::new();
            for thread in threads {
                all.extend(thread.join().map_err(|_| panicked())??);
            }
            Ok(all)
        })
    }

    /// Writes rows over those that are there, flushes and compacts them again and again until it is told to end, while `work`
    /// is done.
    ///
    /// # Errors
    /// Those of either.
    pub fn beside<T>(&self, rows: u64, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let busy = scope.spawn(|| -> Result<()> {
                let (mut row, mut writes) = (KvRow::default(), self.writes()?);
                let mut next = 0;
                while !ended.load(Ordering::Relaxed) {
                    // Not so many that others begin to flush them: this one thread does all.
                    for _ in 0..rows.div_ceil(20) {
                        row.set(0, next % rows);
                        writes.write(next % rows, &row.v, row.n, false)?;
                        next += 1;
                    }
                    self.database.flush()?;
                    self.database.compact(&self.table, NOW)?;
                }
                Ok(())
            });
            let done = work();
            ended.store(true, Ordering::Relaxed);
            busy.join().map_err(|_| panicked())??;
            done
        })
    }
}

/// Keys that reads ask for: `count` of the first `of` rows out of `rows`, spread over all.
pub fn keys(rows: u64, of: u64, count: u64) -> Vec<[u8; 16]> {
    let key = |i| kv_key(b"user", query(i, of) * (rows / of));
    (0..count).map(key).collect()
}

fn panicked() -> Error {
    Error::invalid("a thread has panicked")
}

/// Writes rows.
pub struct Writes<'e> {
    engine: &'e Engine,
    insert: Insert,
    writer: Writer,
}

impl Writes<'_> {
    /// Writes a row, and waits until it is safe if that is asked for.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&mut self, i: u64, v: &[u8], n: i64, wait: bool) -> Result<()> {
        let when = WriteTime {
            timestamp: NOW * 1_000_000 + self.engine.begun.fetch_add(1, Ordering::Relaxed),
            ttl: 0,
            now: NOW,
        };
        let (key, n) = (kv_key(b"user", i), n.to_be_bytes());
        let values = [Value::Bytes(&key), Value::Bytes(&n), Value::Bytes(v)];
        self.insert.add(&values, &when, self.writer.update())?;
        match self.writer.write()? {
            Some(position) if wait => self.engine.database.wait(position),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            sync: SyncMode::Group,
            cache_bytes: 1 << 20,
            chunk_kib: 4,
            compactors: 1,
        };
        let engine = Engine::create(directory.path(), &settings).unwrap();
        assert_eq!(engine.write_synced(0, 100, 3).unwrap().len(), 100);
        let keys = keys(100, 10, 50);
        let read = |timed| engine.read_all(&keys, 2, timed).unwrap().len();
        assert_eq!(read(true), 50);
        assert_eq!(engine.beside(100, || Ok(read(false))).unwrap(), 0);
        let e = engine.read(&kv_key(b"user", 100)).unwrap_err();
        assert_eq!(e.to_string(), "a row is missing");
    }
}
