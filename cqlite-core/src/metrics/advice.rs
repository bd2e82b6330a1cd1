//! What the measures say should be changed.
//!
//! Each rule has a threshold, and a count below which it says nothing: few lookups tell nothing.

use super::{CacheSnapshot, Snapshot, TableCount, TableSnapshot};
use serde_json::{Value, json};

/// SSTables that a read of one partition may read from on average before there are too many.
const SSTABLES_PER_READ_MAX: f64 = 4.0;

/// Of what reads meet, the share of tombstones from which on a table is heavy with them.
const TOMBSTONE_SHARE_MAX: f64 = 0.5;

/// Share of lookups that a cache should answer.
const HIT_RATE_MIN: f64 = 0.8;

/// A filter is too small if it lets through more than so many times what it is to let through.
const FALSE_POSITIVES_MAX: f64 = 2.0;

/// Reads, or lookups, below which nothing is said of them.
const LOOKUPS_MIN: u64 = 1000;

/// Sampled rows and tombstones below which nothing is said of them.
const SAMPLED_MIN: u64 = 100;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Reads of a table merge too many SSTables.
    TooManySSTables,
    /// Reads of a table meet mostly tombstones.
    TombstoneHeavy,
    /// A full cache is asked mostly for what it does not have.
    LowHitRate,
    /// Filters of a table let too many absent keys through.
    UndersizedFilter,
}

impl Finding {
    /// Its name in what is printed.
    pub fn name(self) -> &'static str {
        match self {
            Finding::TooManySSTables => "too_many_sstables",
            Finding::TombstoneHeavy => "tombstone_heavy",
            Finding::LowHitRate => "low_hit_rate",
            Finding::UndersizedFilter => "undersized_filter",
        }
    }
}

/// A recommendation, and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// What is wrong.
    pub finding: Finding,
    /// Where: `keyspace.table`, or the name of a cache.
    pub subject: String,
    /// What was measured.
    pub measured: f64,
    /// What it was measured against.
    pub threshold: f64,
    /// How many reads, lookups or rows it was measured of.
    pub samples: u64,
    /// What to do.
    pub advice: &'static str,
}

impl Advice {
    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "finding": self.finding.name(),
            "subject": self.subject,
            "measured": self.measured,
            "threshold": self.threshold,
            "samples": self.samples,
            "advice": self.advice,
        })
    }
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} ({:.3}, threshold {:.3}, of {}): {}",
            self.subject,
            self.finding.name(),
            self.measured,
            self.threshold,
            self.samples,
            self.advice
        )
    }
}

impl Snapshot {
    /// What should be changed.
    pub fn advice(&self) -> Vec<Advice> {
        let mut all: Vec<Advice> = self.tables.iter().flat_map(of_table).collect();
        let caches = [
            ("chunk cache", self.chunk_cache),
            ("key cache", self.key_cache),
        ];
        for (name, cache) in caches {
            all.extend(cache.and_then(|cache| of_cache(name, &cache)));
        }
        all
    }
}

fn of_table(table: &TableSnapshot) -> impl Iterator<Item = Advice> {
    let subject = || format!("{}.{}", table.keyspace, table.name);
    let sstables = table.sstables_per_read().map(|measured| Advice {
        finding: Finding::TooManySSTables,
        subject: subject(),
        measured,
        threshold: SSTABLES_PER_READ_MAX,
        samples: table.partition_reads(),
        advice: "compact the table, or let compaction merge more: fewer SSTables to a level or tier",
    });
    let tombstones = table.tombstone_share().map(|measured| Advice {
        finding: Finding::TombstoneHeavy,
        subject: subject(),
        measured,
        threshold: TOMBSTONE_SHARE_MAX,
        samples: table.get(TableCount::SampledRows) + table.get(TableCount::SampledTombstones),
        advice: "compact the table once gc_grace_seconds are over, lower them, or delete whole partitions in place of rows",
    });
    let filter = table.false_positive_rate().map(|measured| Advice {
        finding: Finding::UndersizedFilter,
        subject: subject(),
        measured,
        threshold: table.filter_chance * FALSE_POSITIVES_MAX,
        samples: table.get(TableCount::FalsePositives) + table.get(TableCount::SkippedByFilter),
        advice: "rewrite the SSTables: their filters were made for fewer keys, or another bloom_filter_fp_chance",
    });
    let all = [
        sstables.map(|a| (a, LOOKUPS_MIN)),
        tombstones.map(|a| (a, SAMPLED_MIN)),
        filter.map(|a| (a, LOOKUPS_MIN)),
    ];
    let all = all.into_iter().flatten();
    all.filter(|(advice, least)| advice.samples >= *least && advice.measured > advice.threshold)
        .map(|(advice, _)| advice)
}

fn of_cache(name: &str, cache: &CacheSnapshot) -> Option<Advice> {
    let samples = cache.hits + cache.misses;
    // A cache that has room would not have more if it were larger.
    let is_full = cache.bytes >= cache.capacity / 10 * 9;
    let measured = cache.hit_rate()?;
    (is_full && samples >= LOOKUPS_MIN && measured < HIT_RATE_MIN).then(|| Advice {
        finding: Finding::LowHitRate,
        subject: name.to_owned(),
        measured,
        threshold: HIT_RATE_MIN,
        samples,
        advice: "give it more memory, or read fewer different partitions at a time",
    })
}
