//! What was written to a table and is in no SSTable yet: partitions in the order of their tokens, rows in that of their
//! clusterings.
//!
//! Authority: `o.a.c.db.memtable.{ShardedSkipListMemtable,AbstractShardedMemtable}`: each of some equal parts of the token
//! ring has its own lock, so that writers of one part wait neither for those of others nor for readers longer than these
//! take some hundred references to records; readers wait for no other ones.
//!
//! What is written where something is is reconciled with it. While someone reads the state of a moment, what was there
//! then is kept beside it.

mod blocks;
mod shard;
mod source;
#[cfg(test)]
mod tests;
mod update;

pub use source::MemtableSource;
pub use update::Update;

use self::shard::{Change, Rules, Shard};
use crate::Result;
use crate::merge::MergeRules;
use crate::metrics::{Metrics, Wait};
use crate::model::StreamHeader;
use crate::partitioner::{DecoratedKey, Partitioner, Token};
use crate::sstable::builder::record::Record;
use crate::sstable::component::statistics::{CommitLogPosition, EncodingStats};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Binary logarithm of the count of shards.
const SHARD_BITS: u32 = 4;

/// Rows and deletions in memory. Many threads may write and read at once.
#[derive(Debug)]
pub struct Memtable {
    rules: Rules,
    shards: Box<[RwLock<Shard>]>,
    /// Number of the last change.
    changes: AtomicU64,
    /// Those who read the state of a moment.
    readers: AtomicUsize,
    bytes: AtomicI64,
    log_start: OnceLock<CommitLogPosition>,
    metrics: Option<Arc<Metrics>>,
}

impl Memtable {
    /// An empty one for a table's columns and partitioner.
    pub fn new(rules: Arc<MergeRules>) -> Self {
        Memtable {
            rules: Rules::new(rules),
            shards: (0..1 << SHARD_BITS).map(|_| RwLock::default()).collect(),
            changes: AtomicU64::new(0),
            readers: AtomicUsize::new(0),
            bytes: AtomicI64::new(0),
            log_start: OnceLock::new(),
            metrics: None,
        }
    }

    /// Measures what is waited for.
    pub fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Says behind which position of the commit log all is that is written here. It is told once.
    pub fn begin_log(&self, position: CommitLogPosition) {
        // What is said later does not count.
        let _ = self.log_start.set(position);
    }

    /// What [`begin_log`](Self::begin_log) said, if anybody did.
    pub fn log_start(&self) -> Option<CommitLogPosition> {
        self.log_start.get().copied()
    }

    /// The columns that cells name.
    pub fn header(&self) -> &Arc<StreamHeader> {
        self.rules.merge.header()
    }

    /// What rows are reconciled by.
    pub fn rules(&self) -> &Arc<MergeRules> {
        &self.rules.merge
    }

    /// The partitioner that keys are ordered by.
    pub fn partitioner(&self) -> &Partitioner {
        self.rules.merge.partitioner()
    }

    /// Takes what an update changes. What it changes in one partition is seen as a whole, or not at all.
    ///
    /// # Errors
    /// `Internal` for an update of other columns.
    pub fn apply(&self, update: &Update) -> Result<()> {
        let stats = update.stats();
        update.each_partition(|records| self.apply_to_partition(records, stats))
    }

    #[inline]
    fn apply_to_partition(&self, records: &[Record<'_>], stats: EncodingStats) -> Result<()> {
        let key = self.rules.merge.partitioner().decorate(records[0].key());
        let mut shard = self.exclusive(self.shard_of(key.token));
        let change = Change {
            number: self.changes.fetch_add(1, Ordering::SeqCst) + 1,
            keeps_old: self.readers.load(Ordering::SeqCst) > 0,
            key: &key,
        };
        shard.add_stats(stats);
        let mut grown = 0;
        for record in records {
            grown += shard.insert(&self.rules, &change, record.bytes())?;
        }
        drop(shard);
        self.bytes.fetch_add(grown as i64, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes of memory that the rows take, with all that orders them.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed).max(0) as usize
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.changes.load(Ordering::SeqCst) == 0
    }

    /// Whether something of the partition of a key was written.
    pub fn has(&self, key: &DecoratedKey<'_>) -> bool {
        self.shared(self.shard_of(key.token)).has(&self.rules, key)
    }

    /// Count of partitions.
    pub fn partitions(&self) -> u64 {
        (0..self.shards.len())
            .map(|i| self.shared(i).partitions())
            .sum()
    }

    /// The bases of all timestamps, times of deletion and TTLs.
    pub fn stats(&self) -> EncodingStats {
        let shards = 0..self.shards.len();
        let stats = shards.map(|i| self.shared(i).stats());
        stats.fold(EncodingStats::NONE, EncodingStats::merge)
    }

    /// Shards are parts of the ring, in its order. Partitioners whose tokens are no numbers have one.
    #[inline]
    fn shard_of(&self, token: Token<'_>) -> usize {
        match token {
            Token::Long(_) => (Rules::rank(token) >> (64 - SHARD_BITS)) as usize,
            _ => 0,
        }
    }

    #[inline]
    fn shared(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        let shard = &self.shards[shard];
        match &self.metrics {
            Some(metrics) => metrics.locked(Wait::Memtable, shard.try_read(), || shard.read()),
            None => shard.read().unwrap_or_else(PoisonError::into_inner),
        }
    }

    #[inline]
    fn exclusive(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        // A panic elsewhere leaves a shard with a change less, and in order.
        let shard = &self.shards[shard];
        match &self.metrics {
            Some(metrics) => metrics.locked(Wait::Memtable, shard.try_write(), || shard.write()),
            None => shard.write().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
