//! Levels of SSTables of one size, each as often as large as the one before; those of a level do not overlap.
//!
//! Authority: `o.a.c.db.compaction.{LeveledCompactionStrategy,LeveledManifest,LeveledGenerations}`. An SSTable whose level says
//! that it overlaps no other one of it, and that does, counts as one of level 0, as Cassandra changes its level to.

use super::{
    Candidate, Choice, CompactionParams, KeyPosition, Situation, SizeTieredOptions, tombstones,
};
use crate::compaction::Split;
use crate::sstable::SSTableId;
use std::collections::{BTreeMap, BTreeSet};

/// How many levels there are, level 0 included.
pub(super) const LEVELS: usize = 9;

/// SSTables of level 0 above which they are merged by size, for the strategy cannot keep up.
const MAX_COMPACTING_L0: usize = 32;

/// Compactions after which a level without any takes part in one of others.
const NO_COMPACTION_LIMIT: u32 = 25;

/// Options of the strategy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeveledOptions {
    /// `sstable_size_in_mb`, in bytes.
    pub max_sstable_bytes: u64,
    /// `fanout_size`: how much larger than the one before a level is.
    pub fanout: u64,
    /// How SSTables of level 0 are merged where there are too many.
    pub size_tiered: SizeTieredOptions,
}

impl Default for LeveledOptions {
    fn default() -> Self {
        LeveledOptions {
            max_sstable_bytes: 160 << 20,
            fanout: 10,
            size_tiered: SizeTieredOptions::default(),
        }
    }
}

/// Bytes that a level may have.
pub(crate) fn max_bytes_of_level(level: usize, fanout: u64, max_sstable_bytes: u64) -> u64 {
    match level {
        0 => max_sstable_bytes.saturating_mul(4),
        _ => ((fanout as f64).powi(level as i32) * max_sstable_bytes as f64) as u64,
    }
}

/// What is remembered of an SSTable that may be gone.
#[derive(Debug, Clone)]
struct Place {
    first: KeyPosition,
    last: KeyPosition,
    id: SSTableId,
}

impl Place {
    fn of(candidate: &Candidate) -> Self {
        Place {
            first: candidate.first.clone(),
            last: candidate.last.clone(),
            id: candidate.id.clone(),
        }
    }
}

/// The strategy at work.
#[derive(Debug)]
pub(super) struct Leveled {
    options: LeveledOptions,
    /// For each level, where its last compaction ended: the next one goes on behind it.
    last_compacted: [Option<Place>; LEVELS],
    /// For each level, how many compactions there were since it took part in one.
    rounds: [u32; LEVELS],
}

/// Places of live SSTables by level; those of all levels but the first in the order of their keys.
struct Levels([Vec<usize>; LEVELS]);

impl Levels {
    fn of(live: &[Candidate], members: &[usize]) -> Self {
        let mut by_age = members.to_vec();
        by_age.sort_by(|a, b| live[*a].id.cmp(&live[*b].id));
        let mut levels: [Vec<usize>; LEVELS] = Default::default();
        let mut ordered: [BTreeMap<(&KeyPosition, &SSTableId), usize>; LEVELS] = Default::default();
        for i in by_age {
            let candidate = &live[i];
            let level = usize::try_from(candidate.level).unwrap_or(0);
            let key = (&candidate.first, &candidate.id);
            match ordered.get_mut(level) {
                Some(level) if candidate.level > 0 => {
                    let before = level.range(..=key).next_back();
                    let after = level.range(key..).next();
                    let meets = [before, after].into_iter().flatten();
                    if meets
                        .into_iter()
                        .any(|(_, other)| candidate.overlaps(&live[*other]))
                    {
                        levels[0].push(i);
                    } else {
                        level.insert(key, i);
                    }
                }
                _ => levels[0].push(i),
            }
        }
        for (level, ordered) in levels.iter_mut().zip(ordered) {
            level.extend(ordered.into_values());
        }
        Levels(levels)
    }

    fn level_of(&self, i: usize) -> usize {
        self.0
            .iter()
            .position(|level| level.contains(&i))
            .unwrap_or(0)
    }

    /// The level that a compaction of these makes.
    fn next_level(&self, situation: &Situation<'_>, inputs: &[usize], max_bytes: u64) -> usize {
        let levels = inputs.iter().map(|i| self.level_of(*i));
        let levels: BTreeSet<usize> = levels.collect();
        match (levels.first(), levels.last()) {
            (Some(0), Some(0)) if situation.total_bytes(inputs) < max_bytes => 0,
            (Some(least), Some(most)) if least == most => (most + 1).min(LEVELS - 1),
            (_, Some(most)) => *most,
            _ => 0,
        }
    }
}

/// Those of `others` whose tokens meet those from the first to the last of `sstables`.
fn overlapping(live: &[Candidate], sstables: &[usize], others: &[usize]) -> Vec<usize> {
    let first = sstables.iter().map(|i| live[*i].first.token).min();
    let last = sstables.iter().map(|i| live[*i].last.token).max();
    let (Some(first), Some(last)) = (first, last) else {
        return Vec::new();
    };
    let others = others.iter().copied();
    others
        .filter(|i| live[*i].overlaps_tokens(first, last))
        .collect()
}

impl Leveled {
    pub fn new(options: LeveledOptions, live: &[Candidate], members: &[usize]) -> Self {
        let levels = Levels::of(live, members);
        let mut last_compacted: [Option<Place>; LEVELS] = Default::default();
        for (slot, level) in last_compacted.iter_mut().zip(&levels.0[1..]) {
            let youngest = level.iter().max_by_key(|i| live[**i].created_millis);
            *slot = youngest.map(|i| Place::of(&live[*i]));
        }
        Leveled {
            options,
            last_compacted,
            rounds: [0; LEVELS],
        }
    }

    pub fn next(&mut self, params: &CompactionParams, situation: &Situation<'_>) -> Option<Choice> {
        let levels = Levels::of(situation.live, situation.members);
        if let Some(choice) = self.next_of_levels(params, situation, &levels) {
            return Some(choice);
        }
        let droppable = self.droppable(params, situation, &levels)?;
        Some(Choice {
            inputs: vec![droppable],
            split: Split::BySize(self.options.max_sstable_bytes),
            level: levels.level_of(droppable) as i32,
            ignores_overlaps: false,
        })
    }

    fn next_of_levels(
        &mut self,
        params: &CompactionParams,
        situation: &Situation<'_>,
        levels: &Levels,
    ) -> Option<Choice> {
        let max_bytes = self.options.max_sstable_bytes;
        let is_free = |i: &usize| !situation.live[*i].is_busy;
        let into = |inputs: Vec<usize>, level: usize| Choice {
            inputs,
            split: Split::BySize(max_bytes),
            level: level as i32,
            ignores_overlaps: false,
        };
        // Where level 0 is far behind, it is merged by size before anything else.
        let mut by_size = None;
        if levels.0[0].len() > MAX_COMPACTING_L0 {
            let free: Vec<usize> = levels.0[0].iter().copied().filter(is_free).collect();
            let options = &self.options.size_tiered;
            let best = options.best_bucket(params, situation.live, &free);
            by_size = (!best.is_empty()).then(|| Choice::into_one(best));
        }
        for level in (1..LEVELS - 1).rev() {
            let free: Vec<usize> = levels.0[level].iter().copied().filter(is_free).collect();
            let most = max_bytes_of_level(level, self.options.fanout, max_bytes);
            let score = situation.total_bytes(&free) as f64 / most as f64;
            if score <= 1.001 {
                continue;
            }
            if by_size.is_some() {
                return by_size;
            }
            let inputs = self.of_level(situation, levels, level);
            if !inputs.is_empty() {
                let next = levels.next_level(situation, &inputs, max_bytes);
                return Some(into(
                    self.with_starved(situation, levels, next, inputs),
                    next,
                ));
            }
        }
        let inputs = self.of_level_0(params, situation, levels);
        match inputs.is_empty() {
            true => by_size,
            false => {
                let next = levels.next_level(situation, &inputs, max_bytes);
                Some(into(inputs, next))
            }
        }
    }

    /// Of a level but the first: the next SSTable behind the last compaction, with those of the next level that it meets.
    fn of_level(&self, situation: &Situation<'_>, levels: &Levels, level: usize) -> Vec<usize> {
        let live = situation.live;
        let own = &levels.0[level];
        let start = self.last_compacted[level].as_ref().and_then(|place| {
            own.iter().position(|i| {
                let candidate = &live[*i];
                (&candidate.first, &candidate.id) >= (&place.first, &place.id)
                    && candidate.first > place.last
            })
        });
        let (before, behind) = own.split_at(start.unwrap_or(0));
        for i in behind.iter().chain(before) {
            let mut inputs = vec![*i];
            inputs.extend(overlapping(live, &[*i], &levels.0[level + 1]));
            if inputs.iter().all(|i| !live[*i].is_busy) {
                return inputs;
            }
        }
        Vec::new()
    }

    /// Of level 0: the oldest with those that they meet, and if there is enough of them, with those of level 1.
    fn of_level_0(
        &self,
        params: &CompactionParams,
        situation: &Situation<'_>,
        levels: &Levels,
    ) -> Vec<usize> {
        let live = situation.live;
        let all = &levels.0[0];
        let busy: Vec<usize> = all.iter().copied().filter(|i| live[*i].is_busy).collect();
        let meets_busy = |i: usize| !overlapping(live, &busy, &[i]).is_empty();
        let by_age = |sstables: &mut Vec<usize>| {
            sstables.sort_by_key(|i| (live[*i].max_timestamp, &live[*i].id));
        };
        let mut remaining = all.clone();
        by_age(&mut remaining);
        let mut inputs: Vec<usize> = Vec::new();
        for i in remaining.clone() {
            if inputs.contains(&i) {
                continue;
            }
            let mut met = overlapping(live, &[i], &remaining);
            if !met.contains(&i) {
                met.push(i);
            }
            if met.iter().any(|i| busy.contains(i)) {
                continue;
            }
            remaining.retain(|i| !met.contains(i));
            met.retain(|i| !inputs.contains(i) && !meets_busy(*i));
            inputs.extend(met);
            if inputs.len() > params.max_threshold {
                by_age(&mut inputs);
                inputs.truncate(params.max_threshold);
                break;
            }
        }
        if situation.total_bytes(&inputs) > self.options.max_sstable_bytes {
            let met = overlapping(live, &inputs, &levels.0[1]);
            let is_any_busy = met.iter().any(|i| live[*i].is_busy);
            if is_any_busy || !overlapping(live, &inputs, &busy).is_empty() {
                return Vec::new();
            }
            inputs.extend(met);
        }
        match inputs.len() {
            0 | 1 => Vec::new(),
            _ => inputs,
        }
    }

    /// Adds an SSTable of the highest level if that had no compaction for long: else what lies there would never meet the
    /// tombstones above it.
    fn with_starved(
        &mut self,
        situation: &Situation<'_>,
        levels: &Levels,
        target: usize,
        mut inputs: Vec<usize>,
    ) -> Vec<usize> {
        let live = situation.live;
        self.rounds[1..].iter_mut().for_each(|rounds| *rounds += 1);
        self.rounds[target] = 0;
        let Some(highest) = (1..LEVELS).rev().find(|level| !levels.0[*level].is_empty()) else {
            return inputs;
        };
        let first = inputs.iter().map(|i| &live[*i].first).min();
        let last = inputs.iter().map(|i| &live[*i].last).max();
        let (Some(first), Some(last)) = (first, last) else {
            return inputs;
        };
        // One of a single key would count as the whole ring.
        let is_within = |candidate: &Candidate| {
            candidate.first < candidate.last && *first <= candidate.first && candidate.last <= *last
        };
        if self.rounds[highest] > NO_COMPACTION_LIMIT && first != last {
            let mut starved = levels.0[highest].iter();
            let starved = starved.find(|i| !live[**i].is_busy && is_within(&live[**i]));
            if let Some(starved) = starved.filter(|i| !inputs.contains(i)) {
                inputs.push(*starved);
            }
        }
        inputs
    }

    /// The SSTable that is worth being rewritten for its tombstones, of the highest level that has one.
    fn droppable(
        &self,
        params: &CompactionParams,
        situation: &Situation<'_>,
        levels: &Levels,
    ) -> Option<usize> {
        let live = situation.live;
        levels.0.iter().rev().find_map(|level| {
            let mut sorted = level.clone();
            sorted.sort_by(|a, b| {
                live[*b]
                    .droppable_ratio
                    .total_cmp(&live[*a].droppable_ratio)
            });
            sorted.into_iter().find(|i| {
                !live[*i].is_busy && tombstones::worth_dropping(&params.tombstones, situation, *i)
            })
        })
    }

    /// All anew, from level 1 on.
    pub fn major(&self, inputs: Vec<usize>) -> Choice {
        Choice {
            inputs,
            split: Split::Levels {
                max_sstable_bytes: self.options.max_sstable_bytes,
                fanout: self.options.fanout,
            },
            level: 1,
            ignores_overlaps: false,
        }
    }

    pub fn user_defined(&self, situation: &Situation<'_>, inputs: Vec<usize>) -> Choice {
        let levels = Levels::of(situation.live, situation.members);
        match &*inputs {
            [one] if levels.level_of(*one) > 0 => Choice {
                level: levels.level_of(*one) as i32,
                split: Split::BySize(self.options.max_sstable_bytes),
                inputs,
                ignores_overlaps: false,
            },
            _ => Choice::into_one(inputs),
        }
    }

    pub fn replaced(&mut self, removed: &[Candidate], added: &[Candidate]) {
        let level = removed.iter().map(|candidate| candidate.level).min();
        let level = level.and_then(|level| usize::try_from(level).ok());
        let furthest = added.iter().max_by(|a, b| a.first.cmp(&b.first));
        if let (Some(level), Some(furthest)) = (level, furthest)
            && let Some(slot) = self.last_compacted.get_mut(level)
        {
            *slot = Some(Place::of(furthest));
        }
    }
}
