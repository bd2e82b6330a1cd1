//! That the bloom filter holds every key.

use super::findings::Findings;
use crate::Error;
use crate::io::Mapped;
use crate::partitioner::DecoratedKey;
use crate::sstable::component::filter::BloomFilter;

/// Keys that are asked for at once: a filter is larger than the caches, and its reads should wait together.
const BATCH_KEYS: usize = 64;
const BATCH_BYTES: usize = 64 * 1024;

/// Keys on their way to the filter.
#[derive(Debug)]
pub(super) struct FilterCheck<'a> {
    filter: Option<&'a BloomFilter<Mapped>>,
    /// Hash of each key, and where in `bytes` the key ends.
    keys: Vec<((u64, u64), usize)>,
    bytes: Vec<u8>,
}

impl<'a> FilterCheck<'a> {
    /// Without a filter nothing is checked.
    pub fn new(filter: Option<&'a BloomFilter<Mapped>>) -> Self {
        FilterCheck {
            filter,
            keys: Vec::with_capacity(BATCH_KEYS),
            bytes: Vec::new(),
        }
    }

    /// Checks a key, later.
    #[inline]
    pub fn add(&mut self, key: &DecoratedKey<'_>, findings: &mut Findings<'_>) {
        if self.filter.is_none() {
            return;
        }
        self.bytes.extend_from_slice(key.key);
        self.keys.push((key.hash, self.bytes.len()));
        if self.keys.len() == BATCH_KEYS || self.bytes.len() > BATCH_BYTES {
            self.flush(findings);
        }
    }

    /// Checks what was not yet checked.
    #[inline(never)]
    pub fn flush(&mut self, findings: &mut Findings<'_>) {
        let Some(filter) = self.filter else { return };
        let mut start = 0;
        for (hash, end) in self.keys.drain(..) {
            if !filter.might_contain(hash) {
                let e = Error::corrupt("it does not hold a key that is there: no read finds it")
                    .advise("delete it: Cassandra builds a new one")
                    .in_partition(&self.bytes[start..end]);
                findings.fault("Filter.db", e);
            }
            start = end;
        }
        self.bytes.clear();
    }
}
