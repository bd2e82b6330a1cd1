//! What a database measures of itself.
//!
//! Authority: `o.a.c.metrics.{TableMetrics,CacheMetrics,CommitLogMetrics,BloomFilterMetrics}`.
//!
//! Updating takes no lock. What happens a million times a second is counted each time and timed once in 64 times, for looking at
//! the clock twice takes ten times as long as to count: percentiles are those of a sample, counts are exact.
//!
//! ```text
//! Table, Memtable, CommitLog, caches -> Metrics, TableMetrics -> Snapshot -> JSON, Prometheus, advice
//! ```

mod advice;
mod counter;
mod histogram;
mod prometheus;
mod snapshot;
mod table;

pub use advice::{Advice, Finding};
pub use counter::Counters;
pub use histogram::{Histogram, Summary};
pub use snapshot::{
    CacheSnapshot, MemorySnapshot, OperationSnapshot, Snapshot, TableSnapshot, WaitSnapshot,
};
pub use table::{ReadStats, TableCount, TableMetrics, TimedRead};

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError, TryLockError, TryLockResult};
use std::time::{Duration, Instant};

/// Of so many operations of a kind that is fast, one is timed.
const TIMED_ONE_IN: u64 = 64;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Operation {
    /// One partition, or rows of it by their names.
    Read,
    /// Ranges of rows of one partition.
    Slice,
    /// Partitions of a token range.
    Scan,
    /// A change: log and memory, without waiting for a sync.
    Write,
    /// Appending to the commit log.
    LogAppend,
    /// A sync of the commit log.
    LogSync,
    /// A memtable that becomes an SSTable.
    Flush,
    /// SSTables that become others.
    Compaction,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 8] = [
        Operation::Read,
        Operation::Slice,
        Operation::Scan,
        Operation::Write,
        Operation::LogAppend,
        Operation::LogSync,
        Operation::Flush,
        Operation::Compaction,
    ];

    /// Its name in what is printed.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Read => "read",
            Operation::Slice => "slice",
            Operation::Scan => "scan",
            Operation::Write => "write",
            Operation::LogAppend => "log_append",
            Operation::LogSync => "log_sync",
            Operation::Flush => "flush",
            Operation::Compaction => "compaction",
        }
    }

    /// Whether the `n`th of them is timed.
    #[inline]
    fn is_timed(self, n: u64) -> bool {
        match self {
            Operation::Read | Operation::Slice | Operation::Write | Operation::LogAppend => {
                n.is_multiple_of(TIMED_ONE_IN)
            }
            _ => true,
        }
    }
}

/// What somebody may have to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Wait {
    /// A part of a memtable that another one changes or reads.
    Memtable,
    /// The commit log, to which another one appends.
    Log,
    /// A sync of the commit log.
    Sync,
    /// Room for writes: a flush.
    Room,
}

impl Wait {
    /// All of them.
    pub const ALL: [Wait; 4] = [Wait::Memtable, Wait::Log, Wait::Sync, Wait::Room];

    /// Its name in what is printed.
    pub fn name(self) -> &'static str {
        match self {
            Wait::Memtable => "memtable",
            Wait::Log => "log",
            Wait::Sync => "sync",
            Wait::Room => "room",
        }
    }
}

/// What is counted of a whole database, besides its operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// Bytes of changes, as memtables are given them.
    WrittenBytes,
    /// Bytes of mutations that were appended to the commit log.
    LogBytes,
    /// Bytes of Data.db that flushes wrote.
    FlushedBytes,
    /// Bytes of Data.db that compactions read.
    CompactionReadBytes,
    /// Bytes of Data.db that compactions wrote.
    CompactionWrittenBytes,
    /// How often memory became scarce.
    PressureWarnings,
}

const COUNTS: usize = 6;

/// The registry of one database.
#[derive(Debug, Default)]
pub struct Metrics {
    latencies: [Histogram; Operation::ALL.len()],
    waits: [Histogram; Wait::ALL.len()],
    sstables_per_read: Histogram,
    tombstones_per_read: Histogram,
    operations: Counters<{ Operation::ALL.len() }>,
    counts: Counters<COUNTS>,
    /// Of tables that are no more.
    gone: Counters<{ TableCount::ALL.len() }>,
}

impl Metrics {
    /// Counts an operation that begins. The time is to be given to [`end`](Self::end).
    #[inline]
    pub fn begin(&self, operation: Operation) -> Option<Instant> {
        let before = self.operations.add(operation as usize, 1);
        operation.is_timed(before).then(Instant::now)
    }

    /// An operation has come to its good end.
    #[inline]
    pub fn end(&self, operation: Operation, began: Option<Instant>) {
        if let Some(began) = began {
            self.latencies[operation as usize].record(nanos(began.elapsed()));
        }
    }

    /// Adds to what is counted.
    #[inline]
    pub fn count(&self, what: Count, n: u64) {
        self.counts.add(what as usize, n);
    }

    /// Somebody waited.
    pub fn waited(&self, what: Wait, time: Duration) {
        self.waits[what as usize].record(nanos(time));
    }

    /// Locks, and notes how long that took if another one had the lock.
    #[inline]
    pub(crate) fn lock<'a, T>(&self, what: Wait, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        self.locked(what, mutex.try_lock(), || mutex.lock())
    }

    /// The guard of a lock that was tried, or `wait`'s, and notes how long that took.
    #[inline]
    pub(crate) fn locked<G>(
        &self,
        what: Wait,
        tried: TryLockResult<G>,
        wait: impl FnOnce() -> LockResult<G>,
    ) -> G {
        match tried {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(e)) => e.into_inner(),
            Err(TryLockError::WouldBlock) => self.locked_late(what, wait),
        }
    }

    #[cold]
    fn locked_late<G>(&self, what: Wait, wait: impl FnOnce() -> LockResult<G>) -> G {
        let began = Instant::now();
        let guard = wait().unwrap_or_else(PoisonError::into_inner);
        self.waited(what, began.elapsed());
        guard
    }

    /// What was counted so far.
    pub fn get(&self, what: Count) -> u64 {
        self.counts.get(what as usize)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a cache had, and what it had not.
#[derive(Debug, Default)]
pub struct CacheCounters(Counters<2>);

impl CacheCounters {
    /// Counts a lookup.
    #[inline]
    pub fn count(&self, is_hit: bool) {
        self.0.add(usize::from(is_hit), 1);
    }

    /// Together with how full the cache is.
    pub fn snapshot(&self, capacity: u64, bytes: u64, entries: u64) -> CacheSnapshot {
        CacheSnapshot {
            capacity,
            bytes,
            entries,
            hits: self.0.get(1),
            misses: self.0.get(0),
        }
    }
}

/// Bytes of memory that an allocation of `n` bytes takes: the allocator gives multiples of 16 and keeps 8 of them, and pages to
/// what is large.
pub(crate) fn heap_bytes(n: usize) -> usize {
    match n >= 128 << 10 {
        true => (n + 16).next_multiple_of(4096),
        false => (n + 8).next_multiple_of(16),
    }
}

#[cfg(test)]
mod tests;
