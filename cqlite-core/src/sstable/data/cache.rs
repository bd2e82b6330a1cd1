//! Decompressed chunks that are kept for later point reads.
//!
//! Authority: `o.a.c.cache.ChunkCache`.

use crate::metrics::{CacheCounters, CacheSnapshot, heap_bytes};
use std::sync::Arc;

/// Bytes that an entry takes in a cache's tables at most, which are twice as large as is needed after they have grown.
pub(crate) const ENTRY_BYTES: u64 = 112;

/// A cache's capacity of `capacity` bytes, without those that `items / 2` keys take which were evicted and are remembered.
pub(crate) fn without_ghosts(capacity: u64, items: u64) -> u64 {
    capacity.saturating_sub(items / 2 * ENTRY_BYTES)
}

/// A chunk that a cache is expected to hold, in bytes: many are shorter than Cassandra's 16 KiB.
const EXPECTED_BYTES: u64 = 8192;

/// Decompressed chunks shared by every reader that is given the cache, within a budget of bytes, which counts what the
/// allocator and the tables take besides.
///
/// Its policy (Clock-PRO, of `quick_cache`) keeps what is asked for again, so that reading much once does not sweep it; scans
/// and compactions pass it by.
pub struct ChunkCache {
    chunks: quick_cache::sync::Cache<(u64, u64), Arc<[u8]>, Weigh>,
    counters: CacheCounters,
    capacity: u64,
}

#[derive(Clone)]
struct Weigh;

impl quick_cache::Weighter<(u64, u64), Arc<[u8]>> for Weigh {
    fn weight(&self, _: &(u64, u64), chunk: &Arc<[u8]>) -> u64 {
        heap_bytes(size_of::<[usize; 2]>() + chunk.len()) as u64 + ENTRY_BYTES
    }
}

impl ChunkCache {
    /// A cache of at most `capacity_bytes`.
    pub fn new(capacity_bytes: u64) -> Self {
        let items = (capacity_bytes / EXPECTED_BYTES).max(16);
        let weight = without_ghosts(capacity_bytes, items);
        ChunkCache {
            chunks: quick_cache::sync::Cache::with_weighter(items as usize, weight, Weigh),
            counters: CacheCounters::default(),
            capacity: capacity_bytes,
        }
    }

    /// Chunk `i` of a file.
    #[inline]
    pub(super) fn get(&self, file: u64, i: u64) -> Option<Arc<[u8]>> {
        let found = self.chunks.get(&(file, i));
        self.counters.count(found.is_some());
        found
    }

    /// Keeps chunk `i` of a file.
    pub(super) fn insert(&self, file: u64, i: u64, chunk: Arc<[u8]>) {
        self.chunks.insert((file, i), chunk);
    }

    /// Forgets all `count` chunks of a file that nobody reads any more.
    pub(super) fn forget(&self, file: u64, count: u64) {
        if count <= self.chunks.len() as u64 {
            for i in 0..count {
                self.chunks.remove(&(file, i));
            }
        } else {
            self.chunks.retain(|(of, _), _| *of != file);
        }
    }

    /// How full it is, and how often it had what was asked for.
    pub fn snapshot(&self) -> CacheSnapshot {
        let (entries, bytes) = (self.chunks.len() as u64, self.chunks.weight());
        self.counters.snapshot(self.capacity, bytes, entries)
    }
}

impl std::fmt::Debug for ChunkCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChunkCache of {} chunks", self.chunks.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it takes in truth.
    fn footprint(cache: &ChunkCache) -> u64 {
        let used = cache.chunks.memory_used();
        let chunks = cache
            .chunks
            .iter()
            .map(|(_, chunk)| chunk.len() as u64 + 24);
        (used.entries + used.map) as u64 + chunks.sum::<u64>()
    }

    #[test]
    fn the_budget_holds_for_chunks_of_every_length() {
        for length in [16, 512, 4096, 16_384, 65_536, 262_144] {
            let capacity = 8 << 20;
            let cache = ChunkCache::new(capacity);
            for i in 0..(3 * capacity / length).min(200_000) {
                cache.insert(i % 7, i, vec![0; length as usize].into());
                if i % 1000 == 0 || length > 60_000 {
                    assert!(
                        footprint(&cache) <= capacity,
                        "{length}: {}",
                        footprint(&cache)
                    );
                }
            }
            let snapshot = cache.snapshot();
            assert!(snapshot.bytes <= capacity && footprint(&cache) <= capacity);
            assert!(snapshot.bytes > capacity * 3 / 4, "{length}: {snapshot:?}");
        }
    }

    #[test]
    fn what_is_asked_for_again_stays_while_much_is_read_once() {
        let cache = ChunkCache::new(4 << 20);
        let chunk: Arc<[u8]> = vec![0; 4096].into();
        let read = |file, i| match cache.get(file, i) {
            Some(_) => true,
            None => {
                cache.insert(file, i, chunk.clone());
                false
            }
        };
        // A quarter of what it holds, asked for thrice; then ten times what it holds, once each.
        for _ in 0..3 {
            (0..200).for_each(|i| {
                read(1, i);
            });
        }
        (0..10_000).for_each(|i| {
            read(2, i);
        });
        let kept = (0..200).filter(|i| read(1, *i)).count();
        assert!(kept > 150, "{kept} of 200");
        let snapshot = cache.snapshot();
        assert_eq!(snapshot.hits + snapshot.misses, 600 + 10_000 + 200);
    }

    #[test]
    fn a_file_is_forgotten_whole() {
        let cache = ChunkCache::new(4 << 20);
        for i in 0..300 {
            cache.insert(i % 3, i, vec![0; 1024].into());
        }
        // By its chunks, and by looking through all.
        cache.forget(0, 300);
        cache.forget(1, u64::MAX);
        let left = cache.chunks.iter().map(|((file, _), _)| file);
        assert_eq!(left.collect::<std::collections::BTreeSet<_>>(), [2].into());
        assert_eq!(cache.snapshot().entries, 100);
    }
}
