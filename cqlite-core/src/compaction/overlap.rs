//! What tombstones may hide in SSTables that take no part in a compaction.
//!
//! Authority: `o.a.c.db.compaction.CompactionController.getPurgeEvaluator`.

use super::min_timestamp_in_memory;
use crate::Result;
use crate::memtable::Memtable;
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
    keys: Option<Keys>,
    min_timestamp: i64,
}

/// First and last key.
pub(crate) type Keys = (Vec<u8>, Vec<u8>);

/// Its first and last raw key; `None` if that is not known.
pub(crate) fn first_and_last_key(sstable: &Arc<SSTable>) -> Result<Option<Keys>> {
    Ok(match sstable.partition_index()? {
        Some(index) => index
            .first_and_last_key()
            .map_err(|e| sstable.in_index(e))?
            .map(|(first, last)| (first.to_vec(), last.to_vec())),
        None => None,
    })
}

impl Overlaps {
    /// Of these SSTables.
    ///
    /// # Errors
    /// `Corrupt` for an index that cannot be read.
    pub fn new(others: &[Arc<SSTable>]) -> Result<Self> {
        let other = |sstable: &Arc<SSTable>| {
            let stats = sstable.statistics().stats.as_ref();
            Ok(Other {
                keys: first_and_last_key(sstable)?,
                // Without statistics nothing is known to be young.
                min_timestamp: stats.map_or(i64::MIN, |stats| stats.min_timestamp),
                sstable: sstable.clone(),
            })
        };
        Ok(Overlaps(others.iter().map(other).collect::<Result<_>>()?))
    }

    /// Those whose range of keys meets that of one of `sstables`, or is not known.
    ///
    /// # Errors
    /// `Corrupt` for an index that cannot be read.
    pub fn meeting(&self, sstables: &[Arc<SSTable>]) -> Result<Vec<Arc<SSTable>>> {
        let ranges = sstables.iter().map(first_and_last_key);
        let ranges: Vec<Option<Keys>> = ranges.collect::<Result<_>>()?;
        let meets = |other: &&Other| {
            let partitioner = other.sstable.partitioner();
            let is_ordered = |a: &[u8], b: &[u8]| partitioner.compare_keys(a, b).is_le();
            ranges.iter().any(|range| match (range, &other.keys) {
                (Some((first, last)), Some((from, to))) => {
                    is_ordered(first, to) && is_ordered(from, last)
                }
                _ => true,
            })
        };
        let meeting = self.0.iter().filter(meets);
        Ok(meeting.map(|other| other.sstable.clone()).collect())
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

    /// [`purgeable`](Self::purgeable), and hide nothing in memtables either.
    ///
    /// # Errors
    /// As of [`purgeable`](Self::purgeable).
    pub fn purgeable_with(
        &self,
        memtables: &[Arc<Memtable>],
        partitioner: &Partitioner,
        key: &[u8],
    ) -> Result<Purgeable> {
        let decorated = partitioner.decorate(key);
        let memtables = memtables.iter().filter(|m| m.has(&decorated));
        let in_memory = min_timestamp_in_memory(memtables);
        let elsewhere = self.purgeable(partitioner, key)?;
        Ok(match (in_memory, elsewhere) {
            (None, elsewhere) => elsewhere,
            (Some(_), Purgeable::Nothing) => Purgeable::Nothing,
            (Some(oldest), Purgeable::All) => Purgeable::Before(oldest),
            (Some(oldest), Purgeable::Before(other)) => Purgeable::Before(oldest.min(other)),
        })
    }
}
