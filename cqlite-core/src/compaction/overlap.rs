//! What tombstones may hide in SSTables that take no part in a compaction.
//!
//! Authority: `o.a.c.db.compaction.CompactionController.getPurgeEvaluator`.

use crate::Result;
use crate::merge::purge::Purgeable;
use crate::partitioner::Partitioner;
use crate::sstable::SSTable;
use std::sync::Arc;

/// SSTables that take no part in a compaction.
#[derive(Debug)]
pub struct Overlaps(Vec<Other>);

#[derive(Debug)]
struct Other {
    sstable: Arc<SSTable>,
    /// First and last key, if they are known.
    keys: Option<(Vec<u8>, Vec<u8>)>,
    min_timestamp: i64,
}

impl Overlaps {
    /// Of these SSTables.
    ///
    /// # Errors
    /// `Corrupt` for an index that cannot be read.
    pub fn new(others: &[Arc<SSTable>]) -> Result<Self> {
        let other = |sstable: &Arc<SSTable>| {
            let keys = match sstable.partition_index()? {
                Some(index) => index
                    .first_and_last_key()
                    .map_err(|e| sstable.in_index(e))?
                    .map(|(first, last)| (first.to_vec(), last.to_vec())),
                None => None,
            };
            let stats = sstable.statistics().stats.as_ref();
            Ok(Other {
                keys,
                // Without statistics nothing is known to be young.
                min_timestamp: stats.map_or(i64::MIN, |stats| stats.min_timestamp),
                sstable: sstable.clone(),
            })
        };
        Ok(Overlaps(others.iter().map(other).collect::<Result<_>>()?))
    }

    /// Which tombstones of the partition with this key hide nothing in them: those that are older than all that an SSTable
    /// has which may have the key, by its range of keys and its filter.
    ///
    /// # Errors
    /// `Corrupt` for a filter that cannot be read.
    pub fn purgeable(&self, partitioner: &Partitioner, key: &[u8]) -> Result<Purgeable> {
        let mut oldest = None;
        for other in &self.0 {
            let lies_inside = other.keys.as_ref().is_none_or(|(first, last)| {
                partitioner.compare_keys(first, key).is_le()
                    && partitioner.compare_keys(key, last).is_le()
            });
            if lies_inside && other.sstable.might_contain(&partitioner.decorate(key))? {
                oldest = Some(oldest.map_or(other.min_timestamp, |o| other.min_timestamp.min(o)));
            }
        }
        Ok(match oldest {
            None => Purgeable::All,
            Some(oldest) => Purgeable::Before(oldest),
        })
    }
}
