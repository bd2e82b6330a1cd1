//! Whether an SSTable is worth being rewritten alone, for the tombstones that it would lose.
//!
//! Authority: `o.a.c.db.compaction.AbstractCompactionStrategy.worthDroppingTombstones`,
//! `o.a.c.db.compaction.CompactionController.getFullyExpiredSSTables`.

use super::{Candidate, Situation, TombstoneOptions};

/// Whether it is; `sstable` is a place in the live ones.
pub(super) fn worth_dropping(
    options: &TombstoneOptions,
    situation: &Situation<'_>,
    sstable: usize,
) -> bool {
    let candidate = &situation.live[sstable];
    // What was estimated may not come true: not over and over.
    let ripe = candidate
        .created_millis
        .saturating_add(options.interval.saturating_mul(1000));
    let threshold = f64::from(options.threshold);
    if !options.is_enabled
        || situation.now.saturating_mul(1000) < ripe
        || candidate.droppable_ratio <= threshold
    {
        return false;
    }
    let others = situation.live.iter().enumerate();
    let others = others.filter(|(i, other)| *i != sstable && other.overlaps(candidate));
    let overlapping: Vec<&Candidate> = others.map(|(_, other)| other).collect();
    if options.is_unchecked || overlapping.is_empty() {
        return true;
    }
    if !expired(situation, &[sstable], false).is_empty() {
        return true;
    }
    let ranges: Vec<(i64, i64)> = overlapping
        .iter()
        .map(|other| (other.first.token, other.last.token))
        .collect();
    let share = (situation.share_outside)(sstable, &ranges);
    share.is_some_and(|share| share * candidate.droppable_ratio > threshold)
}

/// Those of `compacting` whose data has all died, and hides nothing older that lives in the rest, in what overlaps them, or in
/// memory. With `ignores_overlaps` whatever they hide.
pub(super) fn expired(
    situation: &Situation<'_>,
    compacting: &[usize],
    ignores_overlaps: bool,
) -> Vec<usize> {
    let live = situation.live;
    let has_died = |i: usize| live[i].max_local_deletion_time < situation.gc_before;
    let mut dead: Vec<usize> = compacting
        .iter()
        .copied()
        .filter(|i| has_died(*i))
        .collect();
    if ignores_overlaps || dead.is_empty() {
        return dead;
    }
    let is_met = |i: usize| {
        let mut compacting = compacting.iter();
        compacting.any(|own| *own == i || live[*own].overlaps(&live[i]))
    };
    let living = (0..live.len()).filter(|i| !has_died(*i) && is_met(*i));
    let oldest = living.map(|i| live[i].min_timestamp);
    let oldest = oldest.chain(situation.min_timestamp_in_memory).min();
    dead.retain(|i| oldest.is_none_or(|oldest| live[*i].max_timestamp < oldest));
    dead
}
