//! Compactions by threads beside: which tables wait for them, and how fast they may read.
//!
//! Authority: `o.a.c.db.compaction.CompactionManager`.

use super::lock;
use super::queue::Queue;
use crate::table::{InBackground, Table};
use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest sleep between two looks whether somebody waits for a compaction to end.
const NAP: Duration = Duration::from_millis(10);

/// The tables that wait for their strategies to be asked.
#[derive(Debug)]
pub(super) struct Compactor {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    has_ended: AtomicBool,
    throttle: Throttle,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: Queue,
    /// Tables that are being compacted.
    running: usize,
}

impl Compactor {
    /// One whose compactions together read so many bytes a second; 0 for as many as they can.
    pub fn new(bytes_per_second: u64) -> Self {
        Compactor {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            has_ended: AtomicBool::new(false),
            throttle: Throttle {
                bytes_per_second,
                free_at: Mutex::new(None),
            },
        }
    }

    /// Compacts what tables need, until [`end`](Self::end). `now` gives seconds since 1970.
    pub fn run(&self, now: impl Fn() -> i64) {
        while let Some(table) = self.take() {
            // Whoever waits is told, however this ends.
            let _done = Done(self);
            let compacted = self.compact(&table, now());
            let mut waiting = lock(&self.waiting);
            match compacted {
                Ok(InBackground::Nothing) => {}
                // There may be more to do; what was interrupted is asked for again by who did so.
                Ok(InBackground::Done(_)) => _ = waiting.queue.add(&table),
                Ok(InBackground::Interrupted) if table.is_retired() => {}
                Ok(InBackground::Interrupted) => _ = waiting.queue.add(&table),
                Err(_) if self.has_ended() || table.is_retired() => {}
                Err(e) => waiting.queue.failed = Some(e),
            }
        }
    }

    /// The next table, once there is one; `None` at the end.
    fn take(&self) -> Option<Arc<Table>> {
        let mut waiting = lock(&self.waiting);
        loop {
            if self.has_ended() {
                return None;
            }
            if let Some(table) = waiting.queue.tables.pop_front() {
                waiting.running += 1;
                return Some(table);
            }
            let wait = self.changed.wait(waiting);
            waiting = wait.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn compact(&self, table: &Arc<Table>, now: i64) -> Result<InBackground> {
        let mut seen = 0;
        // Another thread may find more to do at the same time.
        let begin = || self.request(table);
        table.compact_in_background(now, begin, &mut |progress| {
            let bytes = progress.bytes_read.saturating_sub(seen);
            seen = progress.bytes_read;
            let is_wanted = || !self.has_ended() && !table.is_waited_for();
            self.throttle.wait(bytes, is_wanted);
            match self.has_ended() {
                true => Err(Error::invalid("the database is closed")),
                false => Ok(()),
            }
        })
    }

    /// Asks for a table's strategy to be asked.
    pub fn request(&self, table: &Arc<Table>) {
        lock(&self.waiting).queue.add(table);
        self.changed.notify_all();
    }

    /// Tables that wait for their strategies to be asked, or are being compacted.
    pub fn pending(&self) -> usize {
        let waiting = lock(&self.waiting);
        waiting.queue.tables.len() + waiting.running
    }

    /// Says what went wrong since it was asked last.
    ///
    /// # Errors
    /// Those of compactions.
    pub fn check(&self) -> Result<()> {
        lock(&self.waiting).queue.check()
    }

    /// Waits until no table needs to be compacted.
    ///
    /// # Errors
    /// Those of compactions.
    pub fn wait(&self) -> Result<()> {
        let mut waiting = lock(&self.waiting);
        let is_busy = |waiting: &Waiting| !waiting.queue.tables.is_empty() || waiting.running > 0;
        while is_busy(&waiting) && !self.has_ended() && waiting.queue.failed.is_none() {
            let wait = self.changed.wait(waiting);
            waiting = wait.unwrap_or_else(PoisonError::into_inner);
        }
        waiting.queue.check()
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Ends what is being compacted, and lets [`run`](Self::run) return.
    pub fn end(&self) {
        // Within the lock, or who is about to wait would not see it.
        let waiting = lock(&self.waiting);
        self.has_ended.store(true, Ordering::SeqCst);
        drop(waiting);
        self.changed.notify_all();
    }
}

/// Ends the work on a table.
struct Done<'c>(&'c Compactor);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        lock(&self.0.waiting).running -= 1;
        self.0.changed.notify_all();
    }
}

/// Keeps all compactions together from reading faster than they may.
#[derive(Debug)]
struct Throttle {
    bytes_per_second: u64,
    /// When what was read so far is paid for.
    free_at: Mutex<Option<Instant>>,
}

impl Throttle {
    /// Waits until more may be read after so many bytes, or nobody wants that.
    fn wait(&self, bytes: u64, is_wanted: impl Fn() -> bool) {
        if self.bytes_per_second == 0 {
            return;
        }
        let cost = bytes as f64 / self.bytes_per_second as f64;
        let cost = Duration::try_from_secs_f64(cost).unwrap_or(Duration::MAX);
        let mut free_at = lock(&self.free_at);
        let now = Instant::now();
        let start = free_at.map_or(now, |at| at.max(now));
        *free_at = start.checked_add(cost).or(*free_at);
        drop(free_at);
        while is_wanted() {
            let left = start.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(NAP));
        }
    }
}

#[cfg(test)]
mod tests;
