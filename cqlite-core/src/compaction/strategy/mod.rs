//! Which SSTables of a table are to be merged next, and into what.
//!
//! Authority: `o.a.c.db.compaction.{AbstractCompactionStrategy,CompactionStrategyManager}`.
//!
//! A strategy reads no file and knows no clock: it looks at [`Candidate`]s, what there is to know of each SSTable, and
//! gives a [`Choice`].

mod leveled;
mod options;
mod overlap_sets;
mod shards;
mod size_tiered;
#[cfg(test)]
mod tests;
mod time_window;
mod tombstones;
mod unified;

pub use leveled::LeveledOptions;
pub(crate) use leveled::max_bytes_of_level;
pub use options::{CompactionParams, StrategyOptions, TombstoneOptions};
pub use overlap_sets::Inclusion;
pub use shards::Shards;
pub(crate) use shards::tokens_share;
pub use size_tiered::SizeTieredOptions;
pub use time_window::{TimeWindowOptions, TimestampResolution, WindowUnit};
pub use unified::UnifiedOptions;

use self::leveled::Leveled;
use self::time_window::TimeWindow;
use self::unified::Unified;
use super::Split;
use crate::sstable::SSTableId;

/// Where a key is in the order of partitions. Tokens that are no numbers are numbered in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPosition {
    /// Its token.
    pub token: i64,
    /// The raw key.
    pub key: Vec<u8>,
}

/// What a strategy knows of an SSTable.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What tells it from others.
    pub id: SSTableId,
    /// Length of Data.db in bytes.
    pub data_bytes: u64,
    /// Length of all components in bytes.
    pub disk_bytes: u64,
    /// Level of leveled compaction.
    pub level: i32,
    /// Smallest write timestamp.
    pub min_timestamp: i64,
    /// Largest write timestamp.
    pub max_timestamp: i64,
    /// Seconds since 1970 when the last of its data dies.
    pub max_local_deletion_time: i64,
    /// Its first key.
    pub first: KeyPosition,
    /// Its last key.
    pub last: KeyPosition,
    /// Share of the ring that it covers as its writer said; NaN if that said nothing.
    pub token_space_coverage: f64,
    /// When its data was written, in milliseconds since 1970.
    pub created_millis: i64,
    /// Estimated share of its cells that are tombstones which nobody needs any more.
    pub droppable_ratio: f64,
    /// Whether it is being compacted, or cannot be.
    pub is_busy: bool,
}

impl Candidate {
    /// Whether one key may be in both.
    pub fn overlaps(&self, other: &Candidate) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether tokens of both may be the same.
    fn overlaps_tokens(&self, first: i64, last: i64) -> bool {
        self.first.token <= last && first <= self.last.token
    }
}

/// Of a live SSTable, by its place, and ranges of tokens.
pub type ShareOutside<'a> = dyn Fn(usize, &[(i64, i64)]) -> Option<f64> + 'a;

/// What strategies look at.
pub struct Situation<'a> {
    /// All live SSTables of the table.
    pub live: &'a [Candidate],
    /// Which of them the strategy is in charge of.
    pub members: &'a [usize],
    /// Whether these are repaired.
    pub is_repaired: bool,
    /// Seconds since 1970.
    pub now: i64,
    /// Seconds since 1970: tombstones made before it may be purged.
    pub gc_before: i64,
    /// Smallest write timestamp of what is in memory, if anything is.
    pub min_timestamp_in_memory: Option<i64>,
    /// Average length of flushed Data.db, in bytes; NaN before the first.
    pub flush_bytes: f64,
    /// Whether tokens are numbers spread evenly over 64 bits.
    pub has_numeric_tokens: bool,
    /// Estimated share of an SSTable's keys whose tokens are in none of the ranges, both ends included; `None` if that
    /// cannot be told.
    pub share_outside: &'a ShareOutside<'a>,
}

impl<'a> Situation<'a> {
    /// Those of its own that are not busy.
    fn free(&self) -> Vec<usize> {
        let members = self.members.iter().copied();
        members.filter(|i| !self.live[*i].is_busy).collect()
    }

    fn total_bytes(&self, sstables: &[usize]) -> u64 {
        sstables.iter().map(|i| self.live[*i].data_bytes).sum()
    }
}

/// SSTables that are to become others.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Which, by their place in [`Situation::live`].
    pub inputs: Vec<usize>,
    /// How outputs are split.
    pub split: Split,
    /// Level of the outputs.
    pub level: i32,
    /// SSTables whose data has all died go, whatever older data lives beside them.
    pub ignores_overlaps: bool,
}

impl Choice {
    /// Into one SSTable of level 0.
    fn into_one(inputs: Vec<usize>) -> Self {
        Choice {
            inputs,
            split: Split::Never,
            level: 0,
            ignores_overlaps: false,
        }
    }
}

/// A strategy at work, over SSTables that may be merged with each other.
#[derive(Debug)]
pub struct Strategy {
    params: CompactionParams,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    SizeTiered(SizeTieredOptions),
    Leveled(Box<Leveled>),
    TimeWindow(TimeWindow),
    Unified(Unified),
}

impl Strategy {
    /// One that begins now: `members` of `live` are what there is.
    pub fn new(params: &CompactionParams, live: &[Candidate], members: &[usize], now: i64) -> Self {
        let kind = match &params.strategy {
            StrategyOptions::SizeTiered(options) => Kind::SizeTiered(*options),
            StrategyOptions::Leveled(options) => {
                Kind::Leveled(Box::new(Leveled::new(*options, live, members)))
            }
            StrategyOptions::TimeWindow(options) => Kind::TimeWindow(TimeWindow::new(*options)),
            StrategyOptions::Unified(options) => Kind::Unified(Unified::new(options.clone(), now)),
        };
        Strategy {
            params: params.clone(),
            kind,
        }
    }

    /// What is to be compacted next; `None` if nothing is worth it.
    pub fn next(&mut self, situation: &Situation<'_>) -> Option<Choice> {
        let params = &self.params;
        match &mut self.kind {
            Kind::SizeTiered(options) => size_tiered::next(options, params, situation),
            Kind::Leveled(leveled) => leveled.next(params, situation),
            Kind::TimeWindow(windows) => windows.next(params, situation),
            Kind::Unified(unified) => unified.next(params, situation),
        }
    }

    /// What is to be done that all is compacted.
    pub fn major(&mut self, situation: &Situation<'_>) -> Vec<Choice> {
        let all = situation.free();
        if all.is_empty() {
            return Vec::new();
        }
        match &mut self.kind {
            Kind::SizeTiered(_) => vec![Choice::into_one(all)],
            Kind::Leveled(leveled) => vec![leveled.major(all)],
            Kind::TimeWindow(windows) => windows.major(situation),
            Kind::Unified(unified) => unified.major(situation),
        }
    }

    /// What becomes of SSTables that someone wants to be merged.
    pub fn user_defined(&mut self, situation: &Situation<'_>, inputs: Vec<usize>) -> Choice {
        match &mut self.kind {
            Kind::SizeTiered(_) => Choice::into_one(inputs),
            Kind::Leveled(leveled) => leveled.user_defined(situation, inputs),
            Kind::TimeWindow(windows) => windows.choice(inputs),
            Kind::Unified(unified) => unified.choice(situation, inputs),
        }
    }

    /// Takes note that SSTables were replaced.
    pub fn replaced(&mut self, removed: &[Candidate], added: &[Candidate]) {
        if let Kind::Leveled(leveled) = &mut self.kind {
            leveled.replaced(removed, added);
        }
    }
}
