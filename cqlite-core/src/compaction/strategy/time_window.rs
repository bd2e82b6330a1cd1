//! SSTables whose newest data is of one window of time become one.
//!
//! Authority: `o.a.c.db.compaction.{TimeWindowCompactionStrategy,TimeWindowCompactionStrategyOptions}`.

use super::{Candidate, Choice, CompactionParams, Situation, SizeTieredOptions, tombstones};
use std::collections::BTreeMap;

/// `compaction_window_unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowUnit {
    /// `MINUTES`.
    Minutes,
    /// `HOURS`.
    Hours,
    /// `DAYS`.
    Days,
}

impl WindowUnit {
    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "MINUTES" => WindowUnit::Minutes,
            "HOURS" => WindowUnit::Hours,
            "DAYS" => WindowUnit::Days,
            _ => return None,
        })
    }

    fn seconds(self) -> i64 {
        match self {
            WindowUnit::Minutes => 60,
            WindowUnit::Hours => 3600,
            WindowUnit::Days => 86_400,
        }
    }
}

/// `timestamp_resolution`: what write timestamps count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampResolution {
    /// `SECONDS`.
    Seconds,
    /// `MILLISECONDS`.
    Milliseconds,
    /// `MICROSECONDS`.
    Microseconds,
    /// `NANOSECONDS`.
    Nanoseconds,
}

impl TimestampResolution {
    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "SECONDS" => TimestampResolution::Seconds,
            "MILLISECONDS" => TimestampResolution::Milliseconds,
            "MICROSECONDS" => TimestampResolution::Microseconds,
            "NANOSECONDS" => TimestampResolution::Nanoseconds,
            _ => return None,
        })
    }

    fn millis(self, timestamp: i64) -> i64 {
        match self {
            TimestampResolution::Seconds => timestamp.saturating_mul(1000),
            TimestampResolution::Milliseconds => timestamp,
            TimestampResolution::Microseconds => timestamp / 1000,
            TimestampResolution::Nanoseconds => timestamp / 1_000_000,
        }
    }
}

/// Options of the strategy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeWindowOptions {
    /// Unit of a window's length.
    pub unit: WindowUnit,
    /// Length of a window, in units.
    pub size: i64,
    /// What write timestamps count.
    pub resolution: TimestampResolution,
    /// Seconds between two looks for SSTables whose data has all died.
    pub expired_check_seconds: i64,
    /// `unsafe_aggressive_sstable_expiration`.
    pub ignores_overlaps: bool,
    /// How SSTables of the newest window are merged.
    pub size_tiered: SizeTieredOptions,
}

impl Default for TimeWindowOptions {
    fn default() -> Self {
        TimeWindowOptions {
            unit: WindowUnit::Days,
            size: 1,
            resolution: TimestampResolution::Microseconds,
            expired_check_seconds: 600,
            ignores_overlaps: false,
            size_tiered: SizeTieredOptions::default(),
        }
    }
}

impl TimeWindowOptions {
    /// The window that a time lies in, both ends included, all in milliseconds since 1970.
    pub fn window(&self, millis: i64) -> (i64, i64) {
        let (unit, seconds) = (self.unit.seconds(), millis / 1000);
        let length = unit.saturating_mul(self.size);
        let lower = seconds - seconds % length;
        let upper = lower.saturating_add(length - 1);
        (lower * 1000, upper.saturating_mul(1000))
    }

    /// SSTables by the start of their window.
    pub(super) fn windows(
        &self,
        live: &[Candidate],
        candidates: &[usize],
    ) -> BTreeMap<i64, Vec<usize>> {
        let mut windows: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for &i in candidates {
            let millis = self.resolution.millis(live[i].max_timestamp);
            windows.entry(self.window(millis).0).or_default().push(i);
        }
        windows
    }

    /// Of the newest window in which there is something to merge, what is to be merged. Windows that begin before `newest` are
    /// over: all of theirs are merged, the smallest first.
    pub(super) fn best_bucket(
        &self,
        params: &CompactionParams,
        live: &[Candidate],
        windows: &BTreeMap<i64, Vec<usize>>,
        newest: i64,
    ) -> Vec<usize> {
        for (start, window) in windows.iter().rev() {
            let best = if window.len() >= params.min_threshold && *start >= newest {
                self.size_tiered.best_bucket(params, live, window)
            } else if window.len() >= 2 && *start < newest {
                let mut window = window.clone();
                window.sort_by_key(|i| (live[*i].data_bytes, &live[*i].id));
                window.truncate(params.max_threshold);
                window
            } else {
                continue;
            };
            if !best.is_empty() {
                return best;
            }
        }
        Vec::new()
    }
}

/// The strategy at work.
#[derive(Debug)]
pub(super) struct TimeWindow {
    options: TimeWindowOptions,
    /// When dead SSTables were looked for last, in seconds since 1970.
    last_expired_check: Option<i64>,
    /// Start of the newest window that was ever seen, in milliseconds since 1970.
    newest: i64,
}

impl TimeWindow {
    pub fn new(options: TimeWindowOptions) -> Self {
        TimeWindow {
            options,
            last_expired_check: None,
            newest: 0,
        }
    }

    pub fn choice(&self, inputs: Vec<usize>) -> Choice {
        Choice {
            ignores_overlaps: self.options.ignores_overlaps,
            ..Choice::into_one(inputs)
        }
    }

    pub fn next(&mut self, params: &CompactionParams, situation: &Situation<'_>) -> Option<Choice> {
        let mut free = situation.free();
        let options = &self.options;
        let wait = options.expired_check_seconds;
        let is_due = |last: i64| situation.now.saturating_sub(last) > wait;
        let mut expired = Vec::new();
        if self.last_expired_check.is_none_or(is_due) {
            self.last_expired_check = Some(situation.now);
            expired = purgeable_expired(params, situation, &free, options.ignores_overlaps);
            free.retain(|i| !expired.contains(i));
        }
        let windows = options.windows(situation.live, &free);
        let newest = windows.last_key_value().map_or(0, |(start, _)| *start);
        self.newest = self.newest.max(newest);
        let mut inputs = options.best_bucket(params, situation.live, &windows, self.newest);
        if inputs.is_empty() {
            let worth = free
                .into_iter()
                .filter(|i| tombstones::worth_dropping(&params.tombstones, situation, *i));
            inputs.extend(worth.min_by_key(|i| situation.live[*i].data_bytes));
        }
        inputs.extend(expired);
        (!inputs.is_empty()).then(|| self.choice(inputs))
    }

    /// Each window becomes one SSTable.
    pub fn major(&self, situation: &Situation<'_>) -> Vec<Choice> {
        let windows = self.options.windows(situation.live, &situation.free());
        let windows = windows.into_values();
        windows.map(|inputs| self.choice(inputs)).collect()
    }
}

/// Of `free` those that have expired and may be purged as the table's options say.
pub(super) fn purgeable_expired(
    params: &CompactionParams,
    situation: &Situation<'_>,
    free: &[usize],
    ignores_overlaps: bool,
) -> Vec<usize> {
    match params.only_purge_repaired_tombstones && !situation.is_repaired {
        true => Vec::new(),
        false => tombstones::expired(situation, free, ignores_overlaps),
    }
}
