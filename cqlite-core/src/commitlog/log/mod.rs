//! The log that is written: segments are appended to through a map, so that what was appended survives the end of the
//! process, and synced so that it survives that of the machine.
//!
//! Authority: `o.a.c.db.commitlog.{CommitLog,AbstractCommitLogSegmentManager,AbstractCommitLogService}`.
//!
//! A thread of the log's own keeps a segment of zeros ready, and syncs where that is periodic. A sync closes the present
//! section and opens another one, which reaches to the segment's end, so that records are read also if no sync follows.

mod group;
mod segment;
#[cfg(test)]
mod tests;

use self::group::Group;
use self::segment::{Full, Segment};
use super::{
    Descriptor, LogVersion, MUTATION_BYTES_MIN, Position, RECORD_OVERHEAD, TableId, segments,
};
use crate::bytes::Cursor;
use crate::io::MappedMut;
use crate::metrics::{Count, Metrics, Operation, Wait};
use crate::{Error, ErrorKind, Result};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The smallest segment, in bytes.
const SEGMENT_BYTES_MIN: u32 = 4096;

/// How long an append waits for room before flushes are asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// When what was appended is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncMode {
    /// When [`CommitLog::wait`] returns. One sync serves all that wait for it.
    #[default]
    Group,
    /// The same, but a sync waits for others to come for so long.
    Batch(Duration),
    /// So long after it was appended; nobody waits.
    Periodic(Duration),
    /// When the operating system likes. The end of the process loses nothing, the end of the machine may.
    None,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Bytes of a segment.
    pub segment_bytes: u32,
    /// Bytes of all segments, beyond which appending waits until segments are flushed.
    pub total_bytes: u64,
    /// When what was appended is on the disk.
    pub sync: SyncMode,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions {
            segment_bytes: 32 << 20,
            total_bytes: 1 << 30,
            sync: SyncMode::Group,
        }
    }
}

/// What asks for tables to be flushed: their ids, and the position up to which.
pub type OnPressure = Box<dyn Fn(&[TableId], Position) + Send + Sync>;

/// A commit log. Its methods may be called from many threads at once.
pub struct CommitLog {
    shared: Arc<Shared>,
    service: Option<JoinHandle<()>>,
}

struct Shared {
    directory: PathBuf,
    options: LogOptions,
    writing: Mutex<Writing>,
    /// There may be another segment to write to.
    changed: Condvar,
    /// There is work for the log's own thread.
    wake: Condvar,
    group: Group,
    on_pressure: OnceLock<OnPressure>,
    metrics: OnceLock<Arc<Metrics>>,
}

struct Writing {
    active: Segment,
    /// Segments that are full and hold something that is not flushed, by ascending ids.
    full: VecDeque<Full>,
    /// The next segment.
    spare: Option<Segment>,
    /// Why there is none.
    spare_error: Option<Error>,
    next_id: i64,
    /// Segments that were there when the log was opened.
    older: Vec<PathBuf>,
    /// Maps to be undone.
    retired: Vec<MappedMut>,
    /// Id of the oldest segment when flushes were asked for last.
    asked_at: Option<i64>,
    is_stopping: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mutation with its checksums.
struct Sealed<'a> {
    mutation: &'a [u8],
    table: TableId,
    size_crc: u32,
    crc: u32,
}

impl<'a> Sealed<'a> {
    /// # Errors
    /// `InvalidInput` for what is no mutation of one table, or is too long.
    #[inline]
    fn new(mutation: &'a [u8], options: &LogOptions) -> Result<Self> {
        let most = u64::from(options.segment_bytes / 2);
        if mutation.len() as u64 + RECORD_OVERHEAD > most {
            return Err(too_long("a mutation", mutation.len() as u64, most));
        }
        let mut c = Cursor::new(mutation);
        let (Ok(1), Ok(table)) = (c.uvint(), c.uuid()) else {
            return Err(Error::invalid("the bytes are no mutation of one table"));
        };
        if mutation.len() < MUTATION_BYTES_MIN as usize {
            return Err(Error::invalid("the bytes are too few for a mutation"));
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&(mutation.len() as u32).to_be_bytes());
        let size_crc = crc.clone().finalize();
        crc.update(mutation);
        Ok(Sealed {
            mutation,
            table,
            size_crc,
            crc: crc.finalize(),
        })
    }

    fn len(&self) -> u64 {
        self.mutation.len() as u64 + RECORD_OVERHEAD
    }
}

#[cold]
fn too_long(what: &str, len: u64, most: u64) -> Error {
    Error::invalid(format!(
        "{what} of {len} bytes is over half a segment of the commit log, which is {most}"
    ))
    .advise("write less at once, or open the log with larger segments")
}

impl CommitLog {
    /// Opens a log in a directory, which must exist, and begins a segment. Segments that are there already are to be replayed,
    /// and then given up with [`discard_older`](Self::discard_older). Only one process may do so at a time.
    ///
    /// # Errors
    /// `InvalidInput` for options that make no sense; `NotFound` and `Io`.
    pub fn open(directory: &Path, options: LogOptions) -> Result<CommitLog> {
        check(&options)?;
        segment::remove_unfinished(directory)?;
        let older = segments(directory)?;
        let last = older.last().and_then(|path| path.file_name()?.to_str());
        let last = last
            .and_then(Descriptor::parse_name)
            .map_or(0, |(_, id)| id);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |d| d.as_millis() as i64);
        let id = now.max(last.saturating_add(1));
        let mut active = Segment::create(directory, id, &options)?;
        active.begin();
        let up_to = active.position();
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            options,
            writing: Mutex::new(Writing {
                active,
                full: VecDeque::new(),
                spare: None,
                spare_error: None,
                next_id: id + 1,
                older,
                retired: Vec::new(),
                asked_at: None,
                is_stopping: false,
            }),
            changed: Condvar::new(),
            wake: Condvar::new(),
            group: Group::new(up_to, options.sync == SyncMode::Group),
            on_pressure: OnceLock::new(),
            metrics: OnceLock::new(),
        });
        let served = shared.clone();
        let service = std::thread::Builder::new()
            .name("commitlog".to_owned())
            .spawn(move || served.serve())
            .map_err(|e| Error::new(ErrorKind::Io, format!("no thread for the log: {e}")))?;
        Ok(CommitLog {
            shared,
            service: Some(service),
        })
    }

    /// Sets what asks for flushes, once. It is called on the log's own thread when space runs short, and must not wait for the
    /// log; [`mark_flushed`](Self::mark_flushed) is the answer.
    pub fn on_pressure(&self, ask: OnPressure) {
        // Whoever comes second is not heard.
        let _ = self.shared.on_pressure.set(ask);
        self.shared.wake.notify_one();
    }

    /// Sets what measures it, once.
    pub fn measure(&self, metrics: Arc<Metrics>) {
        // Whoever comes second is not told.
        let _ = self.shared.metrics.set(metrics);
    }

    /// Appends a mutation of one table. When this returns it survives the end of the process; [`wait`](Self::wait) tells
    /// when it survives that of the machine. Waits where the log is full. Returns where the record ends.
    ///
    /// # Errors
    /// `InvalidInput` for bytes that are no mutation of one table, for one over half a segment, and where the log is full and
    /// nothing asks for flushes; `Io` where no segment can be made, which may be tried again, and once a sync has failed.
    pub fn append(&self, mutation: &[u8]) -> Result<Position> {
        let sealed = Sealed::new(mutation, &self.shared.options)?;
        self.shared
            .append(std::slice::from_ref(&sealed), sealed.len())
    }

    /// Appends mutations, each of one table, behind each other: if the process ends meanwhile, all or none are there.
    /// Together they take up to half a segment. Returns where the last record ends.
    ///
    /// # Errors
    /// As of [`append`](Self::append).
    pub fn append_all(&self, mutations: &[&[u8]]) -> Result<Position> {
        let options = &self.shared.options;
        let sealed = mutations
            .iter()
            .map(|mutation| Sealed::new(mutation, options));
        let sealed = sealed.collect::<Result<Vec<_>>>()?;
        let len = sealed.iter().map(Sealed::len).sum();
        let most = u64::from(options.segment_bytes / 2);
        if len > most {
            return Err(too_long("a batch", len, most));
        }
        self.shared.append(&sealed, len)
    }

    /// Returns when all up to `position` is as durable as the mode promises: with [`SyncMode::Group`] and [`SyncMode::Batch`]
    /// when it is on the disk, else at once.
    ///
    /// # Errors
    /// `Io` if a sync failed, now or before: what was appended since the last good one may be lost.
    pub fn wait(&self, position: Position) -> Result<()> {
        match self.shared.options.sync {
            SyncMode::Group => self.shared.sync_up_to(position, Duration::ZERO),
            SyncMode::Batch(window) => self.shared.sync_up_to(position, window),
            SyncMode::Periodic(_) | SyncMode::None => self.shared.group.check(),
        }
    }

    /// Returns when all that was appended is on the disk, whatever the mode.
    ///
    /// # Errors
    /// As of [`wait`](Self::wait).
    pub fn sync(&self) -> Result<()> {
        self.shared.sync_up_to(self.position(), Duration::ZERO)
    }

    /// Where the log ends.
    pub fn position(&self) -> Position {
        lock(&self.shared.writing).active.position()
    }

    /// Says that all changes of a table up to and including `up_to` are in SSTables. Segments in which nothing else is left are
    /// deleted.
    ///
    /// # Errors
    /// `Io` where a segment cannot be deleted.
    pub fn mark_flushed(&self, table: TableId, up_to: Position) -> Result<()> {
        let mut writing = lock(&self.shared.writing);
        writing.active.clean(table, up_to);
        let mut done = Vec::new();
        writing.full.retain_mut(|full| {
            full.dirty.clean(full.id, table, up_to);
            let is_dirty = !full.dirty.is_empty();
            if !is_dirty {
                done.push(full.path.clone());
            }
            is_dirty
        });
        if done.is_empty() {
            return Ok(());
        }
        writing.spare_error = None;
        drop(writing);
        let deleted = done.iter().try_for_each(|path| delete(path));
        self.shared.changed.notify_all();
        self.shared.wake.notify_one();
        deleted
    }

    /// Deletes the segments that were there when the log was opened: all of them is in SSTables.
    ///
    /// # Errors
    /// `Io` where a segment cannot be deleted.
    pub fn discard_older(&self) -> Result<()> {
        let older = std::mem::take(&mut lock(&self.shared.writing).older);
        let deleted = older.iter().try_for_each(|path| delete(path));
        self.shared.changed.notify_all();
        self.shared.wake.notify_one();
        deleted
    }

    /// Bytes that the segments take, older ones included.
    pub fn bytes(&self) -> u64 {
        self.shared.used(&lock(&self.shared.writing))
    }
}

fn check(options: &LogOptions) -> Result<()> {
    let LogOptions {
        segment_bytes,
        total_bytes,
        ..
    } = *options;
    if !(SEGMENT_BYTES_MIN..=i32::MAX as u32).contains(&segment_bytes) {
        return Err(Error::invalid(format!(
            "a segment of {segment_bytes} bytes; it has {SEGMENT_BYTES_MIN} to {}",
            i32::MAX
        )));
    }
    if total_bytes < 2 * u64::from(segment_bytes) {
        return Err(Error::invalid(format!(
            "a log of {total_bytes} bytes at most does not hold two segments of {segment_bytes}"
        )));
    }
    Ok(())
}

fn delete(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, e)),
        _ => Ok(()),
    }
}

impl Drop for CommitLog {
    fn drop(&mut self) {
        if self.shared.options.sync != SyncMode::None {
            // Whoever needs to know has waited.
            let _ = self.sync();
        }
        lock(&self.shared.writing).is_stopping = true;
        self.shared.wake.notify_all();
        // What asks for flushes may hold whoever holds this, and be the last to do so.
        let service = self.service.take();
        let is_own = |s: &JoinHandle<()>| s.thread().id() == std::thread::current().id();
        if let Some(service) = service.filter(|s| !is_own(s)) {
            let _ = service.join();
        }
        if let Some(spare) = lock(&self.shared.writing).spare.take() {
            let _ = delete(spare.path());
        }
    }
}

impl std::fmt::Debug for CommitLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommitLog in {}", self.shared.directory.display())
    }
}

impl Shared {
    fn append(&self, records: &[Sealed<'_>], len: u64) -> Result<Position> {
        let metrics = self.metrics.get();
        let began = metrics.and_then(|metrics| metrics.begin(Operation::LogAppend));
        let mut writing = match metrics {
            Some(metrics) => metrics.lock(Wait::Log, &self.writing),
            None => lock(&self.writing),
        };
        while !writing.active.has_room(len) {
            writing = self.next_segment(writing)?;
        }
        let position = writing.active.append(records);
        drop(writing);
        if let Some(metrics) = metrics {
            metrics.count(Count::LogBytes, len);
            metrics.end(Operation::LogAppend, began);
        }
        Ok(position)
    }

    /// Goes on in the next segment, once there is one.
    #[cold]
    fn next_segment<'a>(
        &'a self,
        mut writing: MutexGuard<'a, Writing>,
    ) -> Result<MutexGuard<'a, Writing>> {
        self.group.check()?;
        if let Some(e) = writing.spare_error.take() {
            self.wake.notify_one();
            return Err(e);
        }
        let Some(mut next) = writing.spare.take() else {
            // Nobody would ever make room.
            let is_hopeless = self.on_pressure.get().is_none() || writing.full.is_empty();
            if !self.has_space(&writing) && is_hopeless {
                let most = self.options.total_bytes;
                return Err(
                    Error::invalid(format!("the commit log has reached its {most} bytes"))
                        .advise("flush tables, or open the log with more"),
                );
            }
            self.wake.notify_one();
            let waited = self.changed.wait_timeout(writing, ASK_AGAIN);
            let (mut writing, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            if waited.timed_out() {
                writing.asked_at = None;
            }
            return Ok(writing);
        };
        next.begin();
        let last = std::mem::replace(&mut writing.active, next);
        let (full, map) = last.finish();
        match full.dirty.is_empty() {
            true => delete(&full.path)?,
            false => writing.full.push_back(full),
        }
        writing.retired.push(map);
        self.wake.notify_one();
        Ok(writing)
    }

    fn used(&self, writing: &Writing) -> u64 {
        let segments = 1 + writing.full.len() + writing.older.len();
        let segments = segments + usize::from(writing.spare.is_some());
        segments as u64 * u64::from(self.options.segment_bytes)
    }

    fn has_space(&self, writing: &Writing) -> bool {
        self.used(writing) + u64::from(self.options.segment_bytes) <= self.options.total_bytes
    }

    /// Returns when the disk has everything up to `position`; a sync begins so much later.
    fn sync_up_to(&self, position: Position, window: Duration) -> Result<()> {
        if let Some(outcome) = self.group.settled(position) {
            return outcome;
        }
        let began = Instant::now();
        let done = self.group.wait(position, || {
            if !window.is_zero() {
                std::thread::sleep(window);
            }
            let metrics = self.metrics.get();
            let began = metrics.and_then(|metrics| metrics.begin(Operation::LogSync));
            let up_to = self.sync_segments()?;
            if let Some(metrics) = metrics {
                metrics.end(Operation::LogSync, began);
            }
            Ok(up_to)
        });
        if let Some(metrics) = self.metrics.get() {
            metrics.waited(Wait::Sync, began.elapsed());
        }
        done
    }

    /// Syncs all segments; returns up to where.
    fn sync_segments(&self) -> Result<Position> {
        let mut writing = lock(&self.writing);
        let unsynced = writing.full.iter().filter(|full| !full.is_synced);
        let full: Vec<_> = unsynced.map(|f| (f.id, f.file.clone())).collect();
        let active = writing.active.close_section();
        let up_to = writing.active.position();
        let path = writing.active.path().to_owned();
        drop(writing);
        let files = full.iter().map(|(_, file)| file).chain(&active);
        for file in files {
            file.sync_data().map_err(|e| {
                Error::io(&path, e).advise("what was written last may be lost: open the log again")
            })?;
        }
        if !full.is_empty() {
            let mut writing = lock(&self.writing);
            for segment in &mut writing.full {
                segment.is_synced |= full.iter().any(|(id, _)| *id == segment.id);
            }
        }
        Ok(up_to)
    }

    /// The log's own thread.
    fn serve(&self) {
        let period = match self.options.sync {
            SyncMode::Periodic(period) => Some(period),
            _ => None,
        };
        let mut last_sync = Instant::now();
        let mut writing = lock(&self.writing);
        while !writing.is_stopping {
            let retired = std::mem::take(&mut writing.retired);
            if !retired.is_empty() {
                drop(writing);
                drop(retired);
                writing = lock(&self.writing);
                continue;
            }
            if writing.spare.is_none() && writing.spare_error.is_none() && self.has_space(&writing)
            {
                let id = writing.next_id;
                writing.next_id += 1;
                drop(writing);
                let made = Segment::create(&self.directory, id, &self.options);
                writing = lock(&self.writing);
                match made {
                    Ok(segment) => writing.spare = Some(segment),
                    Err(e) => writing.spare_error = Some(e),
                }
                self.changed.notify_all();
                continue;
            }
            if let Some((tables, up_to)) = self.pressed(&mut writing) {
                drop(writing);
                if let Some(ask) = self.on_pressure.get() {
                    ask(&tables, up_to);
                }
                writing = lock(&self.writing);
                continue;
            }
            let left = period.map(|period| period.saturating_sub(last_sync.elapsed()));
            match left {
                Some(Duration::ZERO) => {
                    let position = writing.active.position();
                    drop(writing);
                    last_sync = Instant::now();
                    // The next one who appends a segment, or waits, is told.
                    let _ = self.sync_up_to(position, Duration::ZERO);
                    writing = lock(&self.writing);
                }
                Some(left) => {
                    let waited = self.wake.wait_timeout(writing, left);
                    writing = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => {
                    let waited = self.wake.wait(writing);
                    writing = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// The tables that are to be flushed for the oldest segment to go, and up to where, if three quarters of the space are
    /// used and this was not said yet.
    fn pressed(&self, writing: &mut Writing) -> Option<(Vec<TableId>, Position)> {
        self.on_pressure.get()?;
        let oldest = writing.full.front()?;
        let is_short =
            self.used(writing).saturating_mul(4) >= self.options.total_bytes.saturating_mul(3);
        if !is_short || writing.asked_at == Some(oldest.id) {
            return None;
        }
        let asked = (oldest.dirty.tables(), oldest.end());
        writing.asked_at = Some(oldest.id);
        Some(asked)
    }
}

/// The descriptor of the segments that are written.
fn descriptor(id: i64) -> Descriptor {
    Descriptor {
        version: LogVersion::V8,
        id,
        compression: None,
    }
}
