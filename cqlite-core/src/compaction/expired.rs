//! SSTables of which all has expired, and those that keep them from being dropped.
//!
//! Authority: `o.a.c.db.compaction.CompactionController.getFullyExpiredSSTables`, `o.a.c.tools.SSTableExpiredBlockers`.

use crate::sstable::SSTable;
use crate::sstable::component::statistics::Stats;
use std::sync::Arc;

fn stats(sstable: &Arc<SSTable>) -> Option<&Stats> {
    sstable.statistics().stats.as_ref()
}

/// Whether all that an SSTable holds was deleted or expired before `gc_before` (seconds since 1970).
pub(super) fn has_expired(sstable: &Arc<SSTable>, gc_before: i64) -> bool {
    stats(sstable).is_some_and(|s| s.max_local_deletion_time < gc_before)
}

/// Which of the SSTables that are compacted may be left out whole: all that each holds was deleted or expired before
/// `gc_before` (seconds since 1970), and is older than all that lives in the others, in `others` outside the compaction whose
/// keys meet theirs, and in memory, whose smallest write timestamp `in_memory` is.
pub fn fully_expired(
    compacting: &[Arc<SSTable>],
    others: &[Arc<SSTable>],
    in_memory: Option<i64>,
    gc_before: i64,
) -> Vec<bool> {
    let living = compacting.iter().chain(others);
    let living = living.filter(|s| !has_expired(s, gc_before));
    let oldest = living
        .map(|s| stats(s).map_or(i64::MIN, |s| s.min_timestamp))
        .chain(in_memory)
        .min()
        .unwrap_or(i64::MAX);
    compacting
        .iter()
        .map(|s| has_expired(s, gc_before) && stats(s).is_some_and(|s| s.max_timestamp < oldest))
        .collect()
}

/// For each SSTable that keeps expired ones from being dropped: its number, and theirs. One blocks another if it lives
/// beyond `gc_before` (seconds since 1970) and has something that is not newer than all of the other.
pub fn blockers(sstables: &[Arc<SSTable>], gc_before: i64) -> Vec<(usize, Vec<usize>)> {
    let known: Vec<(usize, &Stats)> = sstables
        .iter()
        .enumerate()
        .filter_map(|(i, sstable)| Some((i, stats(sstable)?)))
        .collect();
    let blocked_by = |blocker: &Stats| -> Vec<usize> {
        known
            .iter()
            .filter(|(_, s)| {
                s.max_local_deletion_time < gc_before
                    && blocker.max_local_deletion_time > gc_before
                    && blocker.min_timestamp <= s.max_timestamp
            })
            .map(|(i, _)| *i)
            .collect()
    };
    known
        .iter()
        .map(|(i, s)| (*i, blocked_by(s)))
        .filter(|(_, blocked)| !blocked.is_empty())
        .collect()
}
