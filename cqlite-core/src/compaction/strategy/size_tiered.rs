//! SSTables of about one size become one.
//!
//! Authority: `o.a.c.db.compaction.SizeTieredCompactionStrategy`. How often SSTables are read is not counted here; Cassandra
//! prefers those that are read most, and else chooses the same.

use super::{Candidate, Choice, CompactionParams, Situation, tombstones};

/// `min_sstable_size`, `bucket_low` and `bucket_high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeTieredOptions {
    /// SSTables of fewer bytes are all alike.
    pub min_sstable_size: u64,
    /// Of an average size, that below which an SSTable is another one.
    pub bucket_low: f64,
    /// Of an average size, that above which an SSTable is another one.
    pub bucket_high: f64,
}

impl Default for SizeTieredOptions {
    fn default() -> Self {
        SizeTieredOptions {
            min_sstable_size: 50 << 20,
            bucket_low: 0.5,
            bucket_high: 1.5,
        }
    }
}

impl SizeTieredOptions {
    /// Those of one size together: places of `sizes`, in bytes.
    pub fn buckets(&self, sizes: &[(usize, u64)]) -> Vec<Vec<usize>> {
        struct Bucket {
            average: u64,
            members: Vec<usize>,
        }
        let mut sorted = sizes.to_vec();
        sorted.sort_by_key(|(_, size)| *size);
        let mut buckets: Vec<Bucket> = Vec::new();
        for (place, size) in sorted {
            let is_alike = |bucket: &&mut Bucket| {
                let (size_, average) = (size as f64, bucket.average as f64);
                (size_ > average * self.bucket_low && size_ < average * self.bucket_high)
                    || (size < self.min_sstable_size && bucket.average < self.min_sstable_size)
            };
            match buckets.iter_mut().find(is_alike) {
                Some(bucket) => {
                    let count = bucket.members.len() as u64;
                    bucket.average = (count * bucket.average + size) / (count + 1);
                    bucket.members.push(place);
                }
                None => buckets.push(Bucket {
                    average: size,
                    members: vec![place],
                }),
            }
        }
        buckets.into_iter().map(|bucket| bucket.members).collect()
    }

    /// The bucket of `candidates` that is most worth it, its smallest members first; empty if none has enough.
    pub(super) fn best_bucket(
        &self,
        params: &CompactionParams,
        live: &[Candidate],
        candidates: &[usize],
    ) -> Vec<usize> {
        let sizes = candidates.iter().map(|i| (*i, live[*i].data_bytes));
        let mut buckets = self.buckets(&sizes.collect::<Vec<_>>());
        for bucket in &mut buckets {
            bucket.truncate(params.max_threshold);
        }
        buckets.retain(|bucket| bucket.len() >= params.min_threshold);
        let average = |bucket: &Vec<usize>| {
            let bytes: u64 = bucket.iter().map(|i| live[*i].disk_bytes).sum();
            bytes / bucket.len() as u64
        };
        // The first one of several that are as large.
        buckets.reverse();
        buckets.into_iter().max_by_key(average).unwrap_or_default()
    }
}

pub(super) fn next(
    options: &SizeTieredOptions,
    params: &CompactionParams,
    situation: &Situation<'_>,
) -> Option<Choice> {
    let free = situation.free();
    let best = options.best_bucket(params, situation.live, &free);
    if !best.is_empty() {
        return Some(Choice::into_one(best));
    }
    let worth = free
        .into_iter()
        .filter(|i| tombstones::worth_dropping(&params.tombstones, situation, *i));
    let largest = worth.max_by_key(|i| situation.live[*i].data_bytes)?;
    Some(Choice::into_one(vec![largest]))
}
