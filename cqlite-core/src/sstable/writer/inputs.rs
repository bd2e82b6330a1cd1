//! What the result of a merge takes over from the SSTables that are merged.
//!
//! Authority: `o.a.c.db.compaction.CompactionTask`, `o.a.c.db.compaction.writers.CompactionAwareWriter`,
//! `o.a.c.io.sstable.format.SSTableReader.getApproximateKeyCount`.
//!
//! How many keys a filter is sized for: a flush takes the count of the memtable's partitions; a compaction that makes one
//! SSTable takes [`approximate_key_count`]; one that splits by size divides that by the count of SSTables that it
//! expects; an upgrade and a scrub take `min_index_interval` at least.

use super::stats::Provenance;
use crate::sstable::component::cardinality::Cardinality;
use crate::sstable::component::statistics::{CommitLogPosition, SerializationHeader, Stats};
use crate::sstable::index::PartitionIndex;
use crate::sstable::reader::SSTable;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The header of the result: the columns of all, with the newest types, and bases from their statistics.
///
/// # Errors
/// `InvalidInput` for no SSTable at all, `Corrupt` for types that cannot be parsed.
pub fn merged_header(inputs: &[Arc<SSTable>]) -> Result<SerializationHeader> {
    let mut inputs: Vec<_> = inputs.iter().collect();
    inputs.sort_by(|a, b| b.descriptor().id.cmp(&a.descriptor().id));
    let mut headers = inputs.iter().map(|input| {
        let statistics = input.statistics();
        (&statistics.header, statistics.stats.as_ref())
    });
    let newest = headers
        .next()
        .ok_or_else(|| Error::invalid("nothing to merge"))?;
    SerializationHeader::of_inputs(newest, headers)
}

/// About how many different keys there are in all of them: from their estimators if all have one, else the sum of what
/// their indexes tell.
///
/// # Errors
/// `Corrupt` for an index that is needed and cannot be read.
pub fn approximate_key_count(inputs: &[Arc<SSTable>]) -> Result<u64> {
    let estimator = |input: &Arc<SSTable>| {
        let bytes = input.statistics().cardinality.as_deref()?;
        Cardinality::parse(bytes).ok()
    };
    let merged = inputs
        .iter()
        .try_fold(Cardinality::new(), |mut all, input| {
            all.merge(&estimator(input)?);
            Some(all)
        });
    match merged {
        Some(mut all) => Ok(all.estimate()),
        None => inputs.iter().try_fold(0, |sum: u64, input| {
            Ok(sum.saturating_add(estimated_keys(input)?))
        }),
    }
}

/// About how many keys an SSTable has, by its index: exact for BTI, within an interval of the summary for BIG. An SSTable
/// without them counts none.
///
/// # Errors
/// `Corrupt` for an index that cannot be read.
pub fn estimated_keys(sstable: &SSTable) -> Result<u64> {
    Ok(match sstable.partition_index()? {
        Some(PartitionIndex::Big { primary, .. }) => primary.summary().map_or(0, |summary| {
            (u64::from(summary.full_count()) + 1) * u64::from(summary.min_index_interval())
        }),
        Some(PartitionIndex::Bti { partitions, .. }) => partitions.key_count(),
        None => 0,
    })
}

impl Provenance {
    /// That of the merge of these SSTables by `host`: as long repaired as the least of them, and with the commit log
    /// intervals of those that the host itself wrote.
    ///
    /// # Errors
    /// `InvalidInput` if only some of them take part in a repair, or in another one, or are transient.
    pub fn of_inputs(inputs: &[Arc<SSTable>], host: Option<[u8; 16]>) -> Result<Self> {
        let all = || inputs.iter().map(|input| input.statistics().stats.as_ref());
        let pending = |stats: &Option<_>| stats.and_then(|s: &Stats| s.pending_repair);
        let is_transient = |stats: &Option<_>| stats.is_some_and(|s: &Stats| s.is_transient);
        let Some(first) = all().next() else {
            return Ok(Provenance::default());
        };
        if all().any(|stats| pending(&stats) != pending(&first)) {
            return Err(Error::invalid(
                "SSTables that take part in a repair cannot be merged with others",
            )
            .advise("merge those of each repair alone"));
        }
        if all().any(|stats| is_transient(&stats) != is_transient(&first)) {
            return Err(Error::invalid(
                "transient SSTables cannot be merged with others",
            ));
        }
        Ok(Provenance {
            commit_log_intervals: commit_log_intervals(inputs, host),
            originating_host_id: host,
            repaired_at: all()
                .map(|stats| stats.map_or(0, |s| s.repaired_at))
                .min()
                .unwrap_or(0),
            pending_repair: pending(&first),
            is_transient: is_transient(&first),
            ..Provenance::default()
        })
    }
}

/// What those of the SSTables that `host` wrote have of its commit log.
pub(crate) fn commit_log_intervals(
    inputs: &[Arc<SSTable>],
    host: Option<[u8; 16]>,
) -> Vec<(CommitLogPosition, CommitLogPosition)> {
    let mut intervals = Intervals::default();
    let all = inputs.iter().map(|input| input.statistics().stats.as_ref());
    for stats in all.flatten() {
        if host.is_some() && stats.originating_host_id == host {
            for &(start, end) in &stats.commit_log_intervals {
                intervals.add(start, end);
            }
        }
    }
    intervals.0.into_iter().collect()
}

/// Closed intervals apart from each other, by their starts (`o.a.c.db.commitlog.IntervalSet`).
#[derive(Debug, Default)]
struct Intervals(BTreeMap<CommitLogPosition, CommitLogPosition>);

impl Intervals {
    /// Adds one, joined with those that it meets.
    fn add(&mut self, mut start: CommitLogPosition, mut end: CommitLogPosition) {
        if let Some((_, last)) = self.0.range(..=end).next_back() {
            end = end.max(*last);
        }
        if let Some((before, last)) = self.0.range(..start).next_back()
            && *last >= start
        {
            start = *before;
        }
        self.0.retain(|from, _| *from < start || *from >= end);
        self.0.insert(start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_meet_become_one() {
        let at = |position| CommitLogPosition {
            segment: 1,
            position,
        };
        let mut set = Intervals::default();
        for (start, end, expected) in [
            (10, 20, &[(10, 20)][..]),
            (30, 40, &[(10, 20), (30, 40)]),
            (20, 25, &[(10, 25), (30, 40)]),
            (26, 27, &[(10, 25), (26, 27), (30, 40)]),
            (35, 36, &[(10, 25), (26, 27), (30, 40)]),
            (5, 29, &[(5, 29), (30, 40)]),
            (0, 100, &[(0, 100)]),
        ] {
            set.add(at(start), at(end));
            let seen: Vec<_> = set
                .0
                .iter()
                .map(|(s, e)| (s.position, e.position))
                .collect();
            assert_eq!(seen, expected);
        }
    }
}
