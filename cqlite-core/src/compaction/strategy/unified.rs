//! Levels of density, each compacted as its scaling parameter says, with outputs split into shards.
//!
//! Authority: `o.a.c.db.compaction.UnifiedCompactionStrategy`, `o.a.c.db.compaction.unified.{Controller,UnifiedCompactionTask}`.
//! Of several parts of a level that are as much worth it Cassandra takes any, and this the first.

use super::overlap_sets::{Inclusion, buckets, last_within_limit, overlap_sets};
use super::shards::{Shards, combined_density, density};
use super::time_window::purgeable_expired;
use super::{Candidate, Choice, CompactionParams, Situation};
use crate::compaction::Split;

/// Binary logarithm of the most that a shard of the base count is split into.
const MAX_SHARD_SHIFT: u32 = 20;

/// Options of the strategy.
#[derive(Debug, Clone, PartialEq)]
pub struct UnifiedOptions {
    /// `scaling_parameters`, for each level; the last one is for all that follow.
    pub scaling_parameters: Vec<i32>,
    /// `min_sstable_size` in bytes; 0 for none.
    pub min_sstable_size: u64,
    /// `flush_size_override` in bytes; 0 for what flushes are seen to write.
    pub flush_size_override: u64,
    /// `max_sstables_to_compact`.
    pub max_sstables_to_compact: Option<usize>,
    /// `expired_sstable_check_frequency_seconds`.
    pub expired_check_seconds: i64,
    /// `unsafe_aggressive_sstable_expiration`.
    pub ignores_overlaps: bool,
    /// `base_shard_count`.
    pub base_shard_count: u32,
    /// `target_sstable_size` in bytes.
    pub target_sstable_size: u64,
    /// `sstable_growth`, 0 to 1.
    pub sstable_growth: f64,
    /// `overlap_inclusion_method`.
    pub inclusion: Inclusion,
}

impl Default for UnifiedOptions {
    fn default() -> Self {
        UnifiedOptions {
            scaling_parameters: vec![2],
            min_sstable_size: 100 << 20,
            flush_size_override: 0,
            max_sstables_to_compact: None,
            expired_check_seconds: 600,
            ignores_overlaps: false,
            base_shard_count: 4,
            target_sstable_size: 1 << 30,
            sstable_growth: 0.333,
            inclusion: Inclusion::Transitive,
        }
    }
}

impl UnifiedOptions {
    fn scaling_parameter(&self, level: usize) -> i32 {
        let all = &self.scaling_parameters;
        all.get(level).or(all.last()).copied().unwrap_or(2)
    }

    /// How much larger than the one before a level is.
    pub fn fanout(&self, level: usize) -> usize {
        2 + self.scaling_parameter(level).unsigned_abs() as usize
    }

    /// How many overlapping SSTables of a level are worth being merged.
    pub fn threshold(&self, level: usize) -> usize {
        2 + self.scaling_parameter(level).max(0) as usize
    }

    /// How many shards outputs of so many bytes, if they covered the ring, are split into.
    pub fn shard_count(&self, density: f64) -> u32 {
        let base = self.base_shard_count;
        if self.min_sstable_size > 0 {
            let count = density / self.min_sstable_size as f64;
            if !matches!(count.partial_cmp(&f64::from(base)), Some(order) if order.is_ge()) {
                // A power of two that divides the base count, so that ends of shards stay such.
                let divisor = base & base.wrapping_neg();
                return highest_bit(count as i32 | 1).min(divisor);
            }
        }
        let target = self.target_sstable_size as f64;
        if self.sstable_growth == 1.0 {
            return base;
        }
        if self.sstable_growth == 0.0 {
            let count = density / (target * 0.5f64.sqrt() * f64::from(base));
            // What is not known, as of no flush, counts as nothing.
            let count = (count as i32).min(1 << MAX_SHARD_SHIFT);
            return base.saturating_mul(highest_bit(count | 1));
        }
        let count = density / (target * f64::from(base));
        let power = count.ln() * (1.0 / 2f64.ln()) * (1.0 - self.sstable_growth) + 0.5;
        match power {
            _ if power >= f64::from(MAX_SHARD_SHIFT) => base.saturating_mul(1 << MAX_SHARD_SHIFT),
            _ if power >= 0.0 => base.saturating_mul(1 << (power as u32)),
            _ => base,
        }
    }

    /// Density from which on an SSTable is of the level behind the one that begins with `min`.
    pub fn max_density(&self, level: usize, min: f64) -> f64 {
        (min * self.fanout(level) as f64).floor()
    }

    /// Density that level 0 would begin with if there were one before it.
    pub fn base_density(&self, flush_bytes: u64) -> f64 {
        let share = 1.0 - 0.9 / self.fanout(0) as f64;
        flush_bytes.max(1 << 20) as f64 * share
    }
}

fn highest_bit(number: i32) -> u32 {
    let number = number as u32;
    1 << (31 - number.leading_zeros().min(31))
}

/// The strategy at work.
#[derive(Debug)]
pub(super) struct Unified {
    options: UnifiedOptions,
    /// Seconds since 1970.
    last_expired_check: i64,
    /// What a flush is taken to write, in bytes.
    flush_bytes: u64,
}

/// A level: which densities, and which SSTables.
struct Level {
    index: usize,
    sstables: Vec<usize>,
}

impl Unified {
    pub fn new(options: UnifiedOptions, now: i64) -> Self {
        Unified {
            flush_bytes: options.flush_size_override,
            last_expired_check: now,
            options,
        }
    }

    /// Follows what flushes are seen to write, in whole MiB, once that is off by half.
    fn see_flushes(&mut self, flush_bytes: f64) {
        let is_off = |own: u64| (1.0 - own as f64 / flush_bytes).abs() > 0.5;
        if self.options.flush_size_override == 0
            && (self.flush_bytes == 0 || is_off(self.flush_bytes))
        {
            self.flush_bytes = ((flush_bytes / f64::from(1 << 20)).ceil() as u64) << 20;
        }
    }

    fn levels(&self, situation: &Situation<'_>, mut sstables: Vec<usize>) -> Vec<Level> {
        let density = |i: &usize| density(&situation.live[*i], situation.has_numeric_tokens);
        sstables.sort_by(|a, b| density(a).total_cmp(&density(b)));
        let base = self.options.base_density(self.flush_bytes);
        let mut max = self.options.max_density(0, base);
        let mut levels: Vec<Level> = Vec::new();
        let mut index = 0;
        for i in sstables {
            while density(&i) >= max && index < 64 {
                index += 1;
                max = self.options.max_density(index, max);
            }
            match levels.last_mut() {
                Some(level) if level.index == index => level.sstables.push(i),
                _ => levels.push(Level {
                    index,
                    sstables: vec![i],
                }),
            }
        }
        levels
    }

    pub fn next(&mut self, params: &CompactionParams, situation: &Situation<'_>) -> Option<Choice> {
        self.see_flushes(situation.flush_bytes);
        let mut free = situation.free();
        let mut expired = Vec::new();
        let since = situation.now.saturating_sub(self.last_expired_check);
        if since > self.options.expired_check_seconds {
            self.last_expired_check = situation.now;
            expired = purgeable_expired(params, situation, &free, self.options.ignores_overlaps);
            free.retain(|i| !expired.contains(i));
        }
        // The level where most overlaps, the first of several; also if it is not ripe.
        let mut most = None;
        let mut inputs = Vec::new();
        for level in self.levels(situation, free) {
            let (overlap, pick) = self.pick(situation.live, &level);
            if most.is_none_or(|most| overlap > most) {
                most = Some(overlap);
                inputs = pick;
            }
        }
        inputs.extend(expired);
        (!inputs.is_empty()).then(|| self.choice(situation, inputs))
    }

    /// How many SSTables of a level overlap at most, and which of it are to be compacted.
    fn pick(&self, live: &[Candidate], level: &Level) -> (usize, Vec<usize>) {
        let sets = overlap_sets(live, &level.sstables);
        let most = sets.iter().map(Vec::len).max().unwrap_or(0);
        let threshold = self.options.threshold(level.index);
        if most < threshold {
            return (most, Vec::new());
        }
        let buckets = buckets(threshold, self.options.inclusion, &sets);
        let overlap = |sets: &[Vec<usize>]| sets.iter().map(Vec::len).max() == Some(most);
        let bucket = buckets
            .into_iter()
            .map(|range| &sets[range])
            .find(|sets| overlap(sets));
        let Some(bucket) = bucket else {
            return (most, Vec::new());
        };
        let mut all: Vec<usize> = bucket.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        // The newest first: the oldest are taken, from the end.
        all.sort_by_key(|i| std::cmp::Reverse((live[*i].max_timestamp, &live[*i].id)));
        (most, self.pick_of_bucket(level.index, all, bucket, most))
    }

    fn pick_of_bucket(
        &self,
        level: usize,
        all: Vec<usize>,
        sets: &[Vec<usize>],
        overlap: usize,
    ) -> Vec<usize> {
        let fanout = self.options.fanout(level);
        let limit = self.options.max_sstables_to_compact.unwrap_or(usize::MAX);
        let limit = limit.max(fanout);
        if overlap <= fanout {
            return all;
        }
        if overlap <= fanout.saturating_mul(self.options.fanout(level + 1)) || limit == fanout {
            return match overlap <= limit {
                true => all,
                false => last_within_limit(&all, sets, limit),
            };
        }
        // Far behind: as if it had kept pace.
        let limit = limit.min(overlap);
        let (mut index, mut size, mut step) = (level, fanout, fanout);
        while step <= limit {
            size = step;
            index += 1;
            step = step.saturating_mul(self.options.fanout(index));
        }
        if self.options.scaling_parameter(level) < 0 {
            size *= limit / size;
        }
        last_within_limit(&all, sets, size)
    }

    /// Of these SSTables, split into as many shards as their density asks for.
    pub fn choice(&self, situation: &Situation<'_>, inputs: Vec<usize>) -> Choice {
        let candidates = inputs.iter().map(|i| &situation.live[*i]);
        let density = combined_density(candidates, situation.has_numeric_tokens);
        let count = match situation.has_numeric_tokens {
            true => self.options.shard_count(density),
            false => 1,
        };
        Choice {
            inputs,
            split: Split::ByShard(Shards::new(count)),
            level: 0,
            ignores_overlaps: self.options.ignores_overlaps,
        }
    }

    /// Those that overlap, also through others, become one in each shard.
    pub fn major(&self, situation: &Situation<'_>) -> Vec<Choice> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for set in overlap_sets(situation.live, &situation.free()) {
            match groups.last_mut() {
                Some(group) if set.iter().any(|i| group.contains(i)) => {
                    group.extend(set);
                    group.sort_unstable();
                    group.dedup();
                }
                _ => groups.push(set),
            }
        }
        let groups = groups.into_iter();
        groups
            .map(|inputs| self.choice(situation, inputs))
            .collect()
    }
}
