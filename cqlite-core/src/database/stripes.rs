//! Locks of partitions, for writes that depend on what is read.
//!
//! Authority: `o.a.c.db.CounterMutation.grabCounterLocks`, `o.a.c.service.paxos.PaxosState`.

use crate::commitlog::TableId;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many locks there are: partitions share them.
const STRIPES: usize = 1024;

/// The locks.
#[derive(Debug)]
pub(super) struct Stripes(Box<[Mutex<()>]>);

impl Default for Stripes {
    fn default() -> Self {
        Stripes((0..STRIPES).map(|_| Mutex::new(())).collect())
    }
}

impl Stripes {
    /// Locks partitions, by their tables and raw keys, in an order that is the same for all who do.
    pub fn lock<'k>(
        &self,
        partitions: impl Iterator<Item = (TableId, &'k [u8])>,
    ) -> Vec<MutexGuard<'_, ()>> {
        let stripe = |(table, key): (TableId, &[u8])| {
            let mut hasher = DefaultHasher::new();
            (table, key).hash(&mut hasher);
            (hasher.finish() % STRIPES as u64) as usize
        };
        let mut stripes: Vec<usize> = partitions.map(stripe).collect();
        stripes.sort_unstable();
        stripes.dedup();
        let locks = stripes.into_iter().map(|i| &self.0[i]);
        // What a panic elsewhere left half done was not written.
        locks
            .map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner))
            .collect()
    }
}
