//! Where partitions lie in Index.db, kept for later point reads.
//!
//! Authority: `o.a.c.cache.KeyCacheKey`, `o.a.c.service.CacheService`. Tries need none, as in Cassandra: a lookup there is
//! about as fast as one here.

use super::super::data::{ENTRY_BYTES, without_ghosts};
use crate::metrics::{CacheCounters, CacheSnapshot, heap_bytes};
use quick_cache::Equivalent;

/// One key that was evicted is remembered for so many bytes of a cache.
const GHOST_BYTES: u64 = 1024;

/// Positions of entries of Index.db by their keys, within a budget of bytes, which counts what the allocator and the tables take
/// besides. The entry itself is read where it is mapped.
pub struct KeyCache {
    positions: quick_cache::sync::Cache<Key, u64, Weigh>,
    counters: CacheCounters,
    capacity: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    sstable: u64,
    key: Box<[u8]>,
}

/// A key that is looked for: it has the hash of a [`Key`].
#[derive(Hash)]
struct Wanted<'a> {
    sstable: u64,
    key: &'a [u8],
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.sstable == key.sstable && *self.key == *key.key
    }
}

#[derive(Clone)]
struct Weigh;

impl quick_cache::Weighter<Key, u64> for Weigh {
    fn weight(&self, key: &Key, _: &u64) -> u64 {
        heap_bytes(key.key.len()) as u64 + ENTRY_BYTES
    }
}

impl KeyCache {
    /// A cache of at most `capacity_bytes`.
    pub fn new(capacity_bytes: u64) -> Self {
        let items = (capacity_bytes / GHOST_BYTES * 2).max(16);
        let weight = without_ghosts(capacity_bytes, items);
        KeyCache {
            positions: quick_cache::sync::Cache::with_weighter(items as usize, weight, Weigh),
            counters: CacheCounters::default(),
            capacity: capacity_bytes,
        }
    }

    /// Offset in Index.db of the entry of `key`.
    #[inline]
    pub(crate) fn get(&self, sstable: u64, key: &[u8]) -> Option<u64> {
        let found = self.positions.get(&Wanted { sstable, key });
        self.counters.count(found.is_some());
        found
    }

    /// Keeps the offset in Index.db of the entry of `key`.
    pub(crate) fn insert(&self, sstable: u64, key: &[u8], position: u64) {
        let key = Key {
            sstable,
            key: key.into(),
        };
        self.positions.insert(key, position);
    }

    /// Forgets the keys of an SSTable that nobody reads any more.
    pub(crate) fn forget(&self, sstable: u64) {
        self.positions.retain(|key, _| key.sstable != sstable);
    }

    /// How full it is, and how often it had what was asked for.
    pub fn snapshot(&self) -> CacheSnapshot {
        let (entries, bytes) = (self.positions.len() as u64, self.positions.weight());
        self.counters.snapshot(self.capacity, bytes, entries)
    }
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyCache of {} keys", self.positions.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_each_sstable_are_its_own() {
        let cache = KeyCache::new(1 << 20);
        cache.insert(1, b"a", 10);
        cache.insert(2, b"a", 20);
        cache.insert(2, b"", 30);
        assert_eq!(cache.get(1, b"a"), Some(10));
        assert_eq!(cache.get(2, b"a"), Some(20));
        assert_eq!(cache.get(2, b""), Some(30));
        assert_eq!(cache.get(1, b""), None);
        let snapshot = cache.snapshot();
        assert_eq!(
            (snapshot.hits, snapshot.misses, snapshot.entries),
            (3, 1, 3)
        );
        cache.forget(2);
        assert_eq!(cache.snapshot().entries, 1);
        assert_eq!(cache.get(1, b"a"), Some(10));
    }

    #[test]
    fn the_budget_holds_for_keys_of_every_length() {
        for length in [8usize, 36, 1000] {
            let capacity = 1 << 20;
            let cache = KeyCache::new(capacity);
            for i in 0..40_000u64 {
                let mut key = vec![0; length];
                key[..8].copy_from_slice(&i.to_be_bytes());
                cache.insert(i % 5, &key, i);
            }
            let used = cache.positions.memory_used();
            let keys = cache.snapshot().entries * (length as u64 + 8);
            let footprint = (used.entries + used.map) as u64 + keys;
            assert!(footprint <= capacity, "{length}: {footprint}");
            assert!(cache.snapshot().bytes > capacity / 2, "{length}");
        }
    }
}
