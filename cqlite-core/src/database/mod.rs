//! An embedded database: tables that are directories of SSTables, and a commit log.
//!
//! Authority: `o.a.c.db.{Keyspace,ColumnFamilyStore}`, `o.a.c.cql3.QueryProcessor`.
//!
//! ```text
//! DIR/<keyspace>/<table>-<id>/    SSTables
//! DIR/system_schema/...           the schema, in Cassandra's own tables
//! DIR/.cqlite/                    the lock and the commit log
//! ```
//! A write is in the log before it is in memory. Memtables are flushed by a thread beside; what was flushed the log needs
//! no longer. What the log has and no SSTable is read back when the database is opened. Other threads compact the tables as their
//! strategies want it, after each flush and each compaction.
//!
//! ```no_run
//! use cqlite_core::database::{Database, DatabaseOptions, Outcome};
//! use cqlite_core::mutation::Value;
//!
//! # fn main() -> cqlite_core::Result<()> {
//! let (seconds, micros) = (1_700_000_000, 1_700_000_000_000_000);
//! let database = Database::open("shop".as_ref(), DatabaseOptions::new(seconds)?)?;
//! let mut session = database.session();
//! session.execute("CREATE KEYSPACE IF NOT EXISTS shop", micros)?;
//! session.execute("CREATE TABLE IF NOT EXISTS shop.t (p int PRIMARY KEY, v text)", micros)?;
//!
//! // Parsed once; values are bytes of their types.
//! let insert = session.prepare("INSERT INTO shop.t (p, v) VALUES (?, ?)")?;
//! let (one, two) = (1i32.to_be_bytes(), 2i32.to_be_bytes());
//! let written = session.execute_prepared(&insert, &[Value::Bytes(&one), Value::Bytes(b"one")], micros)?;
//! if let Some(position) = written.position() {
//!     database.wait(position)?; // It is on the disk from here on.
//! }
//!
//! // Many share records and one sync of the log.
//! let rows = [[Value::Bytes(&one), Value::Null], [Value::Bytes(&two), Value::Bytes(b"two")]];
//! let last = session.execute_many(&insert, rows.iter().map(|row| &row[..]), micros)?;
//! last.map_or(Ok(()), |position| database.wait(position))?;
//!
//! let select = session.prepare("SELECT v FROM shop.t WHERE p = ?")?;
//! let found = session.select_many(&select, [&[Value::Bytes(&two)][..]], micros)?;
//! assert_eq!(found[0].rows().next().and_then(|row| row.value(0)), Some(&b"two"[..]));
//!
//! let outcome = session.execute("UPDATE shop.t SET v = 'x' WHERE p = 2 IF v = 'two'", micros)?;
//! if let Outcome::Conditional(conditional) = outcome {
//!     let mut rows = conditional.result().rows();
//!     assert_eq!(rows.next().and_then(|row| row.value(0)), Some(&[1][..])); // `[applied]`
//! }
//! # Ok(())
//! # }
//! ```

mod changer;
mod checks;
mod compactor;
mod conditional;
mod definition;
mod dropped;
mod flushed;
mod flusher;
mod fresh;
mod host;
#[cfg(test)]
mod killed;
mod listed;
mod lock;
mod measure;
mod prepared;
mod queue;
mod session;
mod stripes;
#[cfg(test)]
mod tests;
mod unflushed;
mod writer;

pub use conditional::Conditional;
pub use measure::MemoryPressure;
pub use prepared::Prepared;
pub use session::{Outcome, Selected, Session};
pub use unflushed::unflushed;
pub use writer::Writer;

use self::compactor::Compactor;
use self::definition::SystemTables;
use self::dropped::Dropped;
use self::flushed::Flushed;
use self::flusher::Flusher;
use self::lock::DirectoryLock;
use self::measure::Pressure;
use self::stripes::Stripes;
use crate::commitlog::{
    self, CommitLog, LogOptions, MutationReader, Position, ReplayPolicy, TableId,
};
use crate::compaction::Compacted;
use crate::cql::ast::QualifiedName;
use crate::io::unwritable;
use crate::metrics::Wait;
use crate::schema::Schema;
use crate::schema::system::KeyspaceOptions;
use crate::sstable::{OpenOptions, SSTableId, Version};
use crate::table::{StorageOptions, Table};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Instant;

/// The directory of what is no table.
pub const OWN_DIRECTORY: &str = ".cqlite";

/// The directory of the commit log, in [`OWN_DIRECTORY`].
const LOG_DIRECTORY: &str = "commitlog";

/// Bytes of memory for rows unless told otherwise.
pub const MEMTABLE_BYTES: usize = 64 << 20;

/// Bytes of memory for decompressed chunks unless told otherwise.
pub const CHUNK_CACHE_BYTES: u64 = 28 << 20;

/// Bytes of memory for places of keys unless told otherwise.
pub const KEY_CACHE_BYTES: u64 = 4 << 20;

/// Bytes that compactions in the background read a second unless told otherwise, as Cassandra's `compaction_throughput`.
pub const COMPACTION_BYTES_PER_SECOND: u64 = 64 << 20;

/// Bytes that are written between two looks at the memory of all tables and the length of the log, at most.
const UNWATCHED_BYTES: u64 = 1 << 18;

/// What a write counts besides its bytes.
const WRITE_BYTES: u64 = 256;

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// Makes the directory if it is not there.
    pub create: bool,
    /// How SSTables are written and read.
    pub storage: StorageOptions,
    /// Bytes of memory for rows that are in no SSTable, those that are being flushed included. Writes wait when it is full.
    pub memtable_bytes: usize,
    /// Bytes of memory for decompressed chunks of all tables, for later point reads; none for 0. An
    /// [`OpenOptions::cache`] that is given is used in its place.
    pub chunk_cache_bytes: u64,
    /// Bytes of memory for the places of partitions of all tables, for later point reads; none for 0. [`OpenOptions::keys`] that are
    /// given are used in their place.
    pub key_cache_bytes: u64,
    /// The commit log.
    pub log: LogOptions,
    /// What becomes of damage in the commit log.
    pub replay: ReplayPolicy,
    /// Threads that compact tables as their strategies want it; 0 to compact only what is asked for.
    pub compactors: usize,
    /// Bytes that these read a second, all together; 0 for as many as they can.
    pub compaction_bytes_per_second: u64,
    /// The present time in seconds since 1970.
    pub now: i64,
}

impl DatabaseOptions {
    /// The defaults, at a time in seconds since 1970.
    ///
    /// # Errors
    /// None that can be met.
    pub fn new(now: i64) -> Result<Self> {
        Ok(DatabaseOptions {
            create: true,
            storage: StorageOptions {
                version: Version::parse("oa", "big")?,
                open: OpenOptions::default(),
                metrics: Arc::default(),
                host: None,
            },
            memtable_bytes: MEMTABLE_BYTES,
            chunk_cache_bytes: CHUNK_CACHE_BYTES,
            key_cache_bytes: KEY_CACHE_BYTES,
            log: LogOptions::default(),
            replay: ReplayPolicy::default(),
            compactors: 1,
            compaction_bytes_per_second: COMPACTION_BYTES_PER_SECOND,
            now,
        })
    }
}

/// A database that many threads may use at once. One process at a time has it open.
pub struct Database {
    inner: Arc<Inner>,
    /// Those who flush and compact.
    threads: Vec<JoinHandle<()>>,
}

/// What the flushing thread shares.
struct Inner {
    directory: PathBuf,
    options: DatabaseOptions,
    state: Arc<RwLock<Arc<State>>>,
    system: SystemTables,
    /// Held by who changes the schema.
    changing: Mutex<()>,
    log: CommitLog,
    flushed: Mutex<Flushed>,
    flusher: Arc<Flusher>,
    compactor: Compactor,
    /// The time in seconds since 1970, as whoever calls told it last.
    now: AtomicI64,
    /// Bytes that were written, for [`make_room`](Self::make_room).
    written: AtomicU64,
    last_timestamp: AtomicI64,
    pressure: Pressure,
    /// Held by who writes what depends on what is read.
    stripes: Stripes,
    /// By which counters are counted, and which SSTables name.
    host_id: [u8; 16],
    /// The last, so that nobody else has the directory while something of this is left.
    _lock: DirectoryLock,
}

/// Keyspace and name of a table.
type TableName = (String, String);

/// What is defined.
#[derive(Debug, Clone, Default)]
struct State {
    keyspaces: BTreeMap<String, KeyspaceOptions>,
    schema: Schema,
    tables: BTreeMap<TableName, Arc<Table>>,
}

impl State {
    fn by_id(&self, id: &[u8; 16]) -> Option<&Arc<Table>> {
        let mut tables = self.tables.values();
        tables.find(|table| table.schema().id.as_ref() == Some(id))
    }

    /// The table of a name, in `keyspace` unless the name says another one.
    fn table(&self, name: &QualifiedName, keyspace: Option<&str>) -> Result<&Arc<Table>> {
        let keyspace = name.keyspace.as_deref().or(keyspace);
        let found = self.schema.find(keyspace, &name.name)?;
        let key = (found.keyspace.clone(), found.name.clone());
        let table = self.tables.get(&key);
        table.ok_or_else(|| {
            Error::unsupported(format!("{} is no table of its own", found.full_name()))
                .advise("materialized views are read from their SSTables with `query`")
        })
    }
}

impl Database {
    /// Opens the database in a directory: replays its commit log, and writes what that had as SSTables.
    ///
    /// # Errors
    /// `NotFound` without the directory; `InvalidInput` if another process has it open; those of the SSTables, and of the log.
    pub fn open(directory: &Path, mut options: DatabaseOptions) -> Result<Self> {
        options.share();
        if options.create {
            std::fs::create_dir_all(directory).map_err(|e| not_made(directory, e))?;
        }
        let own = directory.join(OWN_DIRECTORY);
        match std::fs::create_dir(&own) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(not_made(&own, e));
            }
            _ => {}
        }
        let lock = DirectoryLock::take(&own)?;
        let host_id = host::host_id(&own)?;
        options.storage.host = Some(host_id);
        let system = SystemTables::open(directory, &options.storage)?;
        let (schema, keyspaces) = system.read(options.now)?;
        Dropped::new(directory, &own).finish(&schema)?;
        let mut state = State {
            keyspaces,
            ..State::default()
        };
        for table in &schema.tables {
            if let Some(opened) = definition::open_table(directory, table, &options.storage)? {
                let key = (table.keyspace.clone(), table.name.clone());
                state.tables.insert(key, Arc::new(opened));
            }
        }
        state.schema = schema;
        let log_directory = own.join(LOG_DIRECTORY);
        std::fs::create_dir_all(&log_directory).map_err(|e| Error::io(&log_directory, e))?;
        let mut flushed = Flushed::open(&own)?;
        replay(&log_directory, &state, &flushed, &options)?;
        for table in state.tables.values() {
            table.flush()?;
        }
        let log = CommitLog::open(&log_directory, options.log)?;
        log.measure(options.storage.metrics.clone());
        log.discard_older()?;
        for table in state.tables.values() {
            table.begin_log(log.position());
        }
        flushed.reset()?;
        let inner = Arc::new(Inner {
            directory: directory.to_owned(),
            compactor: Compactor::new(options.compaction_bytes_per_second),
            now: AtomicI64::new(options.now),
            options,
            state: Arc::new(RwLock::new(Arc::new(state))),
            system,
            changing: Mutex::new(()),
            log,
            flushed: Mutex::new(flushed),
            flusher: Arc::default(),
            written: AtomicU64::new(0),
            last_timestamp: AtomicI64::new(i64::MIN),
            pressure: Pressure::default(),
            stripes: Stripes::default(),
            host_id,
            _lock: lock,
        });
        // Not all of it, or the log's own thread might be who ends the log.
        let (state, flusher) = (inner.state.clone(), inner.flusher.clone());
        inner.log.on_pressure(Box::new(move |tables, _| {
            let state = state.read().unwrap_or_else(PoisonError::into_inner).clone();
            for table in tables.iter().filter_map(|id| state.by_id(id)) {
                flusher.request(table);
            }
        }));
        let mut database = Database {
            inner,
            threads: Vec::new(),
        };
        database.spawn("flush", |inner| {
            inner.flusher.run(|table| inner.flush_table(table));
        })?;
        for _ in 0..database.inner.options.compactors {
            database.spawn("compaction", |inner| {
                let now = || inner.now.load(Ordering::Relaxed);
                inner.compactor.run(now);
            })?;
        }
        let state = database.inner.state();
        let tables = state.tables.values();
        tables.for_each(|table| database.inner.request_compaction(table));
        Ok(database)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce(&Inner) + Send + 'static) -> Result<()> {
        let inner = self.inner.clone();
        let thread = std::thread::Builder::new().name(name.into());
        let thread = thread.spawn(move || work(&inner));
        let thread = thread.map_err(|e| Error::io(&self.inner.directory, e))?;
        self.threads.push(thread);
        Ok(())
    }

    /// Tells the time, in seconds since 1970: what compacts in the background purges by it. Statements tell it, too.
    pub fn set_now(&self, now: i64) {
        if self.inner.now.load(Ordering::Relaxed) < now {
            self.inner.now.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// The schema as it is now.
    pub fn schema(&self) -> Schema {
        self.inner.state().schema.clone()
    }

    /// The keyspaces, with what is said of them.
    pub fn keyspaces(&self) -> BTreeMap<String, KeyspaceOptions> {
        self.inner.state().keyspaces.clone()
    }

    /// The table of this name; without a keyspace, the only one of this name in any.
    ///
    /// # Errors
    /// `NotFound`, naming those that there are; `InvalidInput` if several keyspaces have such a table.
    pub fn table(&self, keyspace: Option<&str>, name: &str) -> Result<Arc<Table>> {
        let name = QualifiedName {
            keyspace: keyspace.map(str::to_owned),
            name: name.to_owned(),
        };
        self.inner.state().table(&name, None).cloned()
    }

    /// Waits until what was written up to a position is as safe as the log's mode says.
    ///
    /// # Errors
    /// `Io`: whether it is safe is not known then.
    pub fn wait(&self, position: Position) -> Result<()> {
        self.inner.log.wait(position)
    }

    /// Writes all that is in memory as SSTables.
    ///
    /// # Errors
    /// `Io`; what was not written stays in memory and in the log.
    pub fn flush(&self) -> Result<()> {
        let state = self.inner.state();
        for table in state.tables.values() {
            self.inner.flush_table(table)?;
        }
        Ok(())
    }

    /// Compacts all SSTables of a table as its strategy does, and purges what may go at `now` (seconds since 1970).
    ///
    /// # Errors
    /// Those of [`Table::compact`].
    pub fn compact(&self, table: &Arc<Table>, now: i64) -> Result<Compacted> {
        let compacted = table.compact(now, None, &mut |_| Ok(()));
        self.inner.request_compaction(table);
        compacted
    }

    /// Compacts SSTables of a table that are named, and purges what may go at `now` (seconds since 1970).
    ///
    /// # Errors
    /// Those of [`Table::compact_sstables`].
    pub fn compact_sstables(
        &self,
        table: &Arc<Table>,
        ids: &[SSTableId],
        now: i64,
    ) -> Result<Compacted> {
        let compacted = table.compact_sstables(ids, now, &mut |_| Ok(()));
        self.inner.request_compaction(table);
        compacted
    }

    /// Waits until no strategy wants anything to be compacted in the background any more.
    ///
    /// # Errors
    /// Those of compactions.
    pub fn wait_for_compactions(&self) -> Result<()> {
        self.inner.compactor.wait()
    }

    /// Flushes, and ends; compactions in the background are given up, and their inputs stay. Without it what is in memory is read back from the log when the database is opened again.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub fn close(mut self) -> Result<()> {
        self.inner.compactor.end();
        let flushed = self.flush();
        self.end();
        flushed
    }

    fn end(&mut self) {
        self.inner.flusher.end();
        self.inner.compactor.end();
        for thread in self.threads.drain(..) {
            // What went wrong there was said to a writer, or is still in the log.
            let _ = thread.join();
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.end();
    }
}

#[cold]
fn not_made(directory: &Path, e: std::io::Error) -> Error {
    let is_other = |path: &Path| path.exists() && !path.is_dir();
    match directory.ancestors().find(|path| is_other(path)) {
        Some(path) => Error::invalid("it is no directory")
            .in_file(path)
            .advise("a database is a directory: name another one"),
        None => unwritable(directory, e),
    }
}

/// Reads what the log has and no SSTable into memory.
fn replay(
    directory: &Path,
    state: &State,
    flushed: &Flushed,
    options: &DatabaseOptions,
) -> Result<()> {
    let span = tracing::info_span!("replay", log = %directory.display());
    let _span = span.enter();
    let schema = |id: &TableId| state.by_id(id).map(|table| table.schema().clone());
    let mut mutations = MutationReader::new(schema);
    let segments = commitlog::segments(directory)?;
    let mut bytes = 0;
    commitlog::replay(
        segments,
        options.replay,
        &mut mutations,
        |position, update| {
            let commitlog::Update::Known { table, source } = update else {
                return Ok(());
            };
            let id = table.id.unwrap_or_default();
            let Some(table) = state.by_id(&id).filter(|_| !flushed.covers(&id, position)) else {
                return Ok(());
            };
            let mut update = table.update();
            commitlog::apply(source, &mut update)?;
            table.apply(&update, || Ok(()))?;
            bytes += update.bytes();
            if bytes > options.memtable_bytes / 4 {
                for table in state.tables.values() {
                    table.flush()?;
                }
                bytes = 0;
            }
            Ok(())
        },
    )?;
    Ok(())
}

impl Inner {
    fn state(&self) -> Arc<State> {
        self.read_state().clone()
    }

    /// While this is held, no table is altered or dropped.
    fn read_state(&self) -> RwLockReadGuard<'_, Arc<State>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A timestamp in microseconds that is behind all that were given before.
    fn timestamp(&self, now_micros: i64) -> i64 {
        let next = |last: i64| Some(now_micros.max(last.saturating_add(1)));
        let last = self
            .last_timestamp
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        let last = last.unwrap_or_else(|last| last);
        now_micros.max(last.saturating_add(1))
    }

    /// Waits while memory or the log is full, before so many bytes are written. Nobody may wait for the log while a table is
    /// locked, for it is flushes that make room there: so there is some left when this returns.
    fn make_room(&self, bytes: usize) -> Result<()> {
        let unwatched = UNWATCHED_BYTES
            .min(self.options.log.total_bytes / 16)
            .max(1);
        let bytes = bytes as u64 + WRITE_BYTES;
        let before = self.written.fetch_add(bytes, Ordering::Relaxed);
        if before / unwatched == before.wrapping_add(bytes) / unwatched {
            return Ok(());
        }
        loop {
            let state = self.state();
            let sizes = state.tables.values().map(|table| (table.memory(), table));
            let sizes: Vec<_> = sizes.filter(|(bytes, _)| *bytes > 0).collect();
            let all: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
            self.note_memory(all);
            let is_log_full = self.log.bytes() > self.options.log.total_bytes / 2;
            if is_log_full {
                sizes
                    .iter()
                    .for_each(|(_, table)| self.flusher.request(table));
            } else if all > self.options.memtable_bytes / 2
                && let Some((_, largest)) = sizes.iter().max_by_key(|(bytes, _)| *bytes)
            {
                self.flusher.request(largest);
            }
            let is_full = all > self.options.memtable_bytes || is_log_full;
            if !is_full || sizes.is_empty() {
                self.flusher.check()?;
                return self.compactor.check();
            }
            let began = Instant::now();
            let waited = self.flusher.wait();
            let metrics = &self.options.storage.metrics;
            metrics.waited(Wait::Room, began.elapsed());
            waited?;
        }
    }

    fn flush_table(&self, table: &Arc<Table>) -> Result<()> {
        // One that was altered was flushed then: how far, its successor's writes do not tell.
        let Some(position) = table.switch(|| self.log.position())? else {
            return Ok(());
        };
        match table.flush_switched() {
            // Who altered or dropped it meanwhile flushed it, or needs it no longer.
            Err(_) if table.is_retired() => return Ok(()),
            flushed => flushed?,
        };
        if let Some(id) = table.schema().id {
            lock(&self.flushed).note(id, position)?;
            self.log.mark_flushed(id, position)?;
        }
        self.request_compaction(table);
        Ok(())
    }

    /// Has the strategy of a table asked whether there is something to compact, if anybody compacts at all.
    fn request_compaction(&self, table: &Arc<Table>) {
        if self.options.compactors > 0 {
            self.compactor.request(table);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
