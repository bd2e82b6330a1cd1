//! The live set of one table: what is in memory, and the SSTables of its directory.
//!
//! Authority: `o.a.c.db.lifecycle.{Tracker,View}`, `o.a.c.db.ColumnFamilyStore.Flush`.
//!
//! Whoever reads holds a [`View`], which never changes: memtables and SSTables that together have every write once. A flush
//! and a compaction make a new view of the old one; files that are not live any more are deleted when the last view that
//! has them is let go.

mod compacting;

pub use compacting::{CompactionStats, InBackground, Progress};

use self::compacting::{Compacting, Known, on_disk};
use crate::compaction::{CompressionChange, Destination};
use crate::memtable::{Memtable, Update};
use crate::metrics::{Count, Metrics, Operation, TableMetrics, TableSnapshot};
use crate::partitioner::TokenRange;
use crate::read::TableReader;
use crate::schema::TableSchema;
use crate::sstable::component::statistics::{CommitLogPosition, SerializationHeader};
use crate::sstable::transaction::{Replaced, remove_leftovers};
use crate::sstable::{
    Descriptor, OpenOptions, Provenance, SSTable, Transaction, Version, WriteOptions, Written,
    directory,
};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

/// How the SSTables of a table are written and read.
#[derive(Debug, Clone)]
pub struct StorageOptions {
    /// Version of new SSTables.
    pub version: Version,
    /// How SSTables are opened.
    pub open: OpenOptions,
    /// What measures the database.
    pub metrics: Arc<Metrics>,
    /// Id of who writes SSTables, by which they name the commit log that they have parts of. A database has its own.
    pub host: Option<[u8; 16]>,
}

/// A table that is written to and read from by many threads at once. Nobody else may write to its directory.
#[derive(Debug)]
pub struct Table {
    schema: Arc<TableSchema>,
    directory: PathBuf,
    storage: StorageOptions,
    /// Where writes go: held shared by those who write, alone by who puts another one in its place.
    current: RwLock<Arc<Memtable>>,
    view: RwLock<Arc<View>>,
    /// Held by who makes a view of another one.
    updating: Mutex<()>,
    flushing: Mutex<()>,
    compacting: Compacting,
    /// Another table has its directory now, or nobody. Changes while all else is locked.
    is_retired: AtomicBool,
    metrics: Arc<TableMetrics>,
}

/// What a table is at one moment.
#[derive(Debug)]
pub struct View {
    /// The newest first, which is the one that is written to.
    memtables: Vec<Arc<Memtable>>,
    live: Vec<Arc<Live>>,
    reader: TableReader,
}

/// An SSTable of a view.
#[derive(Debug)]
struct Live {
    sstable: Arc<SSTable>,
    /// Once it is replaced: its files go when the last one who reads it lets go.
    replaced: OnceLock<Arc<Replaced>>,
    /// What there is to know of it before it is compacted.
    known: OnceLock<Known>,
}

impl View {
    fn new(
        schema: &Arc<TableSchema>,
        memtables: Vec<Arc<Memtable>>,
        live: Vec<Arc<Live>>,
        metrics: &Arc<TableMetrics>,
    ) -> Result<Self> {
        let sstables = live.iter().map(|live| live.sstable.clone()).collect();
        let reader = TableReader::open(schema.clone(), sstables)?;
        let reader = reader.with_metrics(metrics.clone());
        Ok(View {
            reader: reader.with_memtables(memtables.clone())?,
            memtables,
            live,
        })
    }

    /// Reads all that is there.
    pub fn reader(&self) -> &TableReader {
        &self.reader
    }

    /// Bytes of memory of rows that are in no SSTable.
    pub fn memory(&self) -> usize {
        self.memtables.iter().map(|memtable| memtable.bytes()).sum()
    }
}

impl Live {
    fn open(descriptor: &Descriptor, options: &OpenOptions) -> Result<Arc<Self>> {
        Ok(Arc::new(Live {
            sstable: SSTable::open_descriptor(descriptor.clone(), options)?,
            replaced: OnceLock::new(),
            known: OnceLock::new(),
        }))
    }
}

impl Table {
    /// Opens the table in a directory, which must exist. What transactions left there unfinished is deleted first.
    ///
    /// # Errors
    /// Those of the SSTables; `InvalidInput` when the schema is not theirs; `Corrupt` for a transaction log that does not tell
    /// what is live; `Io`.
    pub fn open(
        directory: &Path,
        schema: Arc<TableSchema>,
        storage: StorageOptions,
    ) -> Result<Self> {
        remove_leftovers(directory)?;
        let listed = directory::list(directory)?;
        let live = listed.readable()?.iter();
        let live = live.map(|descriptor| Live::open(descriptor, &storage.open));
        let live = live.collect::<Result<_>>()?;
        let metrics = Arc::new(TableMetrics::new(storage.metrics.clone()));
        Self::of(directory, schema, storage, live, metrics, Arc::default())
    }

    fn of(
        directory: &Path,
        schema: Arc<TableSchema>,
        storage: StorageOptions,
        live: Vec<Arc<Live>>,
        metrics: Arc<TableMetrics>,
        stats: Arc<Mutex<CompactionStats>>,
    ) -> Result<Self> {
        let view = View::new(&schema, Vec::new(), live, &metrics)?;
        let memtable = Memtable::new(view.reader.rules().clone());
        let memtable = Arc::new(memtable.with_metrics(storage.metrics.clone()));
        let view = View::new(&schema, vec![memtable.clone()], view.live, &metrics)?;
        Ok(Table {
            compacting: Compacting::new(&schema, stats),
            schema,
            directory: directory.to_owned(),
            storage,
            current: RwLock::new(memtable),
            view: RwLock::new(Arc::new(view)),
            updating: Mutex::new(()),
            flushing: Mutex::new(()),
            is_retired: AtomicBool::new(false),
            metrics,
        })
    }

    /// The table after its schema was changed. This one is [retired](Self::retire) then. All that was written must have been
    /// flushed.
    ///
    /// # Errors
    /// `InvalidInput` when the SSTables do not fit the schema, or something was not flushed.
    pub fn with_schema(&self, schema: Arc<TableSchema>) -> Result<Table> {
        self.retire_for(|view| {
            if view.memtables.iter().any(|memtable| !memtable.is_empty()) {
                return Err(Error::invalid(
                    "the schema of a table changes while it has rows in memory",
                )
                .advise("flush it before"));
            }
            let (storage, live) = (self.storage.clone(), view.live.clone());
            let (metrics, stats) = (self.metrics.clone(), self.compacting.stats.clone());
            let table = Self::of(&self.directory, schema, storage, live, metrics, stats)?;
            let log_start = view.memtables.first().and_then(|m| m.log_start());
            log_start.inspect(|at| table.begin_log(*at));
            Ok(table)
        })
    }

    /// Says behind which position of a commit log all is that is written from now on. It is told once, before anything is.
    pub fn begin_log(&self, position: CommitLogPosition) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.begin_log(position);
    }

    /// Waits for flushes to end, ends compactions, and lets nothing change the table or its directory from then on. What was
    /// read, or is in memory, can still be read.
    pub fn retire(&self) {
        // It cannot fail.
        let _ = self.retire_for(|_| Ok(()));
    }

    /// Whether it is [retired](Self::retire).
    pub fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::SeqCst)
    }

    fn retire_for<T>(&self, then: impl FnOnce(&View) -> Result<T>) -> Result<T> {
        let _alone = self.compacting.alone(true);
        let _flushing = lock(&self.flushing);
        let _current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let done = then(&self.view())?;
        self.is_retired.store(true, Ordering::SeqCst);
        Ok(done)
    }

    /// # Errors
    /// `InvalidInput` if it is retired.
    fn check_present(&self) -> Result<()> {
        match self.is_retired() {
            false => Ok(()),
            true => Err(Error::invalid(format!(
                "{} was altered or dropped meanwhile",
                self.schema.full_name()
            ))
            .advise("look the table up again")),
        }
    }

    /// Its schema.
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What it is now.
    pub fn view(&self) -> Arc<View> {
        self.view
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// An update of its columns, of nothing yet.
    pub fn update(&self) -> Update {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Update::new(current.rules().clone())
    }

    /// Takes an update. `record` is called first, and nothing is changed if it fails; what it did is behind the mark of every
    /// [`switch`](Self::switch) that is over by then, and before that of those that are not.
    ///
    /// # Errors
    /// Those of `record`; `InvalidInput` if it is retired.
    #[inline]
    pub fn apply<R>(&self, update: &Update, record: impl FnOnce() -> Result<R>) -> Result<R> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        self.check_present()?;
        let recorded = record()?;
        current.apply(update)?;
        Ok(recorded)
    }

    /// Bytes of memory of what was written since the last [`switch`](Self::switch).
    pub fn written_bytes(&self) -> usize {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.bytes()
    }

    /// Bytes of memory of the rows that a flush would write.
    pub fn memory(&self) -> usize {
        self.view().memory()
    }

    /// What was measured of it, and how large it is.
    pub fn snapshot(&self) -> TableSnapshot {
        let view = self.view();
        let data = view.live.iter().map(|live| live.sstable.data().source());
        let chance =
            WriteOptions::of_table(&self.schema).map(|options| options.bloom_filter_fp_chance);
        TableSnapshot {
            keyspace: self.schema.keyspace.clone(),
            name: self.schema.name.clone(),
            live_sstables: view.live.len() as u64,
            live_bytes: data.map(|source| source.len()).sum(),
            memtable_bytes: view.memory() as u64,
            filter_chance: chance.unwrap_or_default(),
            counts: self.metrics.counts(),
        }
    }

    /// Lets writes go to another memtable; what was written before is flushed by [`flush_switched`](Self::flush_switched).
    /// `mark` is called when no write is half done, for the end of the log; it is not if the table is retired.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn switch(
        &self,
        mark: impl FnOnce() -> CommitLogPosition,
    ) -> Result<Option<CommitLogPosition>> {
        self.switch_at(|| Some(mark()))
    }

    fn switch_at(
        &self,
        mark: impl FnOnce() -> Option<CommitLogPosition>,
    ) -> Result<Option<CommitLogPosition>> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if self.is_retired() {
            return Ok(None);
        }
        let mark = mark();
        if !current.is_empty() {
            let memtable = Memtable::new(current.rules().clone());
            let memtable = Arc::new(memtable.with_metrics(self.storage.metrics.clone()));
            // Without a mark it takes over what the one before it was to say.
            let log_start = mark.or_else(|| current.log_start());
            log_start.inspect(|at| memtable.begin_log(*at));
            self.change_view(|view| {
                let mut memtables = vec![memtable.clone()];
                memtables.extend_from_slice(&view.memtables);
                (memtables, view.live.clone())
            })?;
            *current = memtable;
        }
        Ok(mark)
    }

    /// Writes the memtables that are not written to any more as SSTables, the oldest first. Reads and writes go on meanwhile.
    ///
    /// # Errors
    /// Those of [`SSTableWriter`](crate::sstable::SSTableWriter); `InvalidInput` if the table is retired. What was not written
    /// stays in memory, for another flush.
    pub fn flush_switched(&self) -> Result<Vec<Written>> {
        let _flushing = lock(&self.flushing);
        self.check_present()?;
        let mut all = Vec::new();
        loop {
            let view = self.view();
            let [.., next, oldest] = &*view.memtables else {
                return Ok(all);
            };
            let written = self.write(oldest, next.log_start())?;
            let new = self.open_written(&written)?;
            self.change_view(|view| {
                let memtables = view.memtables.iter();
                let memtables = memtables.filter(|memtable| !Arc::ptr_eq(memtable, oldest));
                let mut live = view.live.clone();
                live.extend_from_slice(&new);
                (memtables.cloned().collect(), live)
            })?;
            let oldest = oldest.clone();
            drop(view);
            be_last(&[oldest]);
            if !written.is_empty() {
                self.compacting.add_flush(on_disk(&written));
            }
            all.extend(written);
        }
    }

    /// Writes all that is in memory as SSTables.
    ///
    /// # Errors
    /// As of [`flush_switched`](Self::flush_switched).
    pub fn flush(&self) -> Result<Vec<Written>> {
        self.switch_at(|| None)?;
        self.flush_switched()
    }

    /// Writes a memtable, which ends in the log at `log_end`.
    fn write(
        &self,
        memtable: &Memtable,
        log_end: Option<CommitLogPosition>,
    ) -> Result<Vec<Written>> {
        let span = tracing::info_span!("flush", table = %self.schema.full_name(), bytes = memtable.bytes());
        let _span = span.enter();
        let metrics = &self.storage.metrics;
        let began = metrics.begin(Operation::Flush);
        let written = self.write_unmeasured(memtable, log_end)?;
        metrics.count(Count::FlushedBytes, on_disk(&written));
        metrics.end(Operation::Flush, began);
        Ok(written)
    }

    fn write_unmeasured(
        &self,
        memtable: &Memtable,
        log_end: Option<CommitLogPosition>,
    ) -> Result<Vec<Written>> {
        let interval = memtable.log_start().zip(log_end);
        let interval = interval.filter(|(start, end)| start < end);
        let options = WriteOptions {
            provenance: Provenance {
                commit_log_intervals: interval.into_iter().collect(),
                originating_host_id: self.storage.host,
                ..Provenance::default()
            },
            partitioner: memtable.partitioner().clone(),
            estimated_keys: memtable.partitions().max(1),
            one_thread: true,
            ..WriteOptions::of_table(&self.schema)?
        };
        let destination = Destination {
            directory: &self.directory,
            version: self.storage.version,
            compression: CompressionChange::Keep,
            chunk_length: None,
            split: self.compacting.split_of_flushes(),
            operation: "flush",
            one_thread: true,
        };
        let mut source = memtable.scan(&TokenRange::ALL);
        let header = SerializationHeader::of_stream(memtable.header(), memtable.stats());
        let mut transaction = Transaction::begin(
            destination.directory,
            destination.version,
            destination.operation,
        )?;
        let watch = &mut |_| Ok(());
        let written =
            destination.write(&mut source, header, options, &[], &mut transaction, watch)?;
        transaction.commit()?;
        Ok(written)
    }

    /// Deletes all SSTables. What is in memory stays.
    ///
    /// # Errors
    /// `Io`; the SSTables stay as they were.
    pub fn clear(&self) -> Result<()> {
        let _alone = self.compacting.alone(true);
        self.check_present()?;
        let version = self.storage.version;
        let transaction = Transaction::begin(&self.directory, version, "truncate")?;
        let live = self.view().live.clone();
        self.replace(transaction, &live, &[]).map(drop)
    }

    fn open_written(&self, written: &[Written]) -> Result<Vec<Arc<Live>>> {
        let open = |written: &Written| Live::open(&written.descriptor, &self.storage.open);
        written.iter().map(open).collect()
    }

    /// Puts SSTables in the place of others, in the transaction that wrote them.
    fn replace(
        &self,
        mut transaction: Transaction,
        old: &[Arc<Live>],
        written: &[Written],
    ) -> Result<Vec<Arc<Live>>> {
        for live in old {
            transaction.remove(live.sstable.descriptor())?;
        }
        let replaced = Arc::new(transaction.commit()?);
        for live in old {
            // Only who compacts replaces them, and nobody else compacts the same.
            let _ = live.replaced.set(replaced.clone());
        }
        let new = self.open_written(written)?;
        self.change_view(|view| {
            let is_left = |live: &&Arc<Live>| !old.iter().any(|old| Arc::ptr_eq(old, live));
            let live = view.live.iter().filter(is_left).chain(&new);
            (view.memtables.clone(), live.cloned().collect())
        })?;
        be_last(old);
        Ok(new)
    }

    /// Puts another view in the place of the present one.
    fn change_view(
        &self,
        change: impl FnOnce(&View) -> (Vec<Arc<Memtable>>, Vec<Arc<Live>>),
    ) -> Result<()> {
        let _updating = lock(&self.updating);
        let (memtables, live) = change(&self.view());
        let view = Arc::new(View::new(&self.schema, memtables, live, &self.metrics)?);
        let mut present = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *present, view);
        drop(present);
        // The last one may have files to delete: not while others wait for the view.
        drop(old);
        Ok(())
    }
}

/// Waits for those who read what is in no view any more, if they are done soon: the last one frees a memtable, or deletes
/// files, which takes a thousand times as long as a read.
fn be_last<T>(past: &[Arc<T>]) {
    // Of all together: a scan may hold many SSTables for hours.
    const TRIES: u32 = 20;
    let mut tries = 0..TRIES;
    for past in past {
        while Arc::strong_count(past) > 1 && tries.next().is_some() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
