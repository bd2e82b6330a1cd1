//! What is to be flushed by the thread beside.
//!
//! Authority: `o.a.c.utils.memory.MemtableCleanerThread`.

use super::lock;
use super::queue::Queue;
use crate::table::Table;
use crate::{Error, Result};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The tables that wait to be flushed.
#[derive(Debug, Default)]
pub(super) struct Flusher {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: Queue,
    /// Flushes that are over.
    done: u64,
    has_ended: bool,
}

impl Flusher {
    /// Flushes what is asked for, until [`end`](Self::end).
    pub fn run(&self, flush: impl Fn(&Arc<Table>) -> Result<()>) {
        // Whoever waits is told, however this ends.
        struct End<'f>(&'f Flusher);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.end();
            }
        }
        let _end = End(self);
        loop {
            let mut waiting = lock(&self.waiting);
            let table = loop {
                if waiting.has_ended {
                    return;
                }
                match waiting.queue.tables.front() {
                    Some(table) => break table.clone(),
                    None => {
                        let wait = self.changed.wait(waiting);
                        waiting = wait.unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            drop(waiting);
            let flushed = flush(&table);
            let mut waiting = lock(&self.waiting);
            // It stood there while it was flushed, that nobody should ask for it once more.
            waiting.queue.tables.pop_front();
            waiting.done += 1;
            if let Err(e) = flushed {
                waiting.queue.failed = Some(e);
            }
            self.changed.notify_all();
        }
    }

    /// Asks for a table to be flushed, unless it is about to be.
    pub fn request(&self, table: &Arc<Table>) {
        if lock(&self.waiting).queue.add(table) {
            self.changed.notify_all();
        }
    }

    /// Tables that wait to be flushed, or are being flushed.
    pub fn pending(&self) -> usize {
        lock(&self.waiting).queue.tables.len()
    }

    /// Says what went wrong since it was asked last.
    ///
    /// # Errors
    /// Those of flushes.
    pub fn check(&self) -> Result<()> {
        lock(&self.waiting).queue.check()
    }

    /// Waits for the end of a flush.
    ///
    /// # Errors
    /// Its error; `InvalidInput` if nobody flushes any more.
    pub fn wait(&self) -> Result<()> {
        let mut waiting = lock(&self.waiting);
        let before = waiting.done;
        while waiting.done == before && !waiting.queue.tables.is_empty() && !waiting.has_ended {
            let wait = self.changed.wait(waiting);
            waiting = wait.unwrap_or_else(PoisonError::into_inner);
        }
        waiting.queue.check()?;
        match waiting.has_ended {
            true => Err(Error::invalid("the database is closed")),
            false => Ok(()),
        }
    }

    /// Lets [`run`](Self::run) return.
    pub fn end(&self) {
        lock(&self.waiting).has_ended = true;
        self.changed.notify_all();
    }
}
