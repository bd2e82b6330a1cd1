//! Histograms that many threads record into at once.
//!
//! Authority: `o.a.c.metrics.DecayingEstimatedHistogramReservoir`, whose buckets grow by a fifth. These grow by a 32nd, as
//! those of HdrHistogram with two digits do. That crate's recorders hand their counts over through a lock, and a histogram
//! there is no array of atomics: this one needs neither.

use std::sync::atomic::{AtomicU64, Ordering};

/// Binary logarithm of the count of buckets for each power of two.
const BITS: u32 = 5;

const PER_POWER: usize = 1 << BITS;

/// Values from here on are counted in the last bucket: as nanoseconds, 18 minutes.
const LIMIT_BITS: u32 = 40;

const BUCKETS: usize = (LIMIT_BITS - BITS + 1) as usize * PER_POWER;

/// Counts of values by their size, exact to a 32nd.
#[derive(Debug)]
pub struct Histogram {
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    max: AtomicU64,
}

/// The bucket of a value.
#[inline]
fn bucket_of(value: u64) -> usize {
    let value = value.min((1 << LIMIT_BITS) - 1);
    if value < PER_POWER as u64 {
        return value as usize;
    }
    let shift = (63 - value.leading_zeros()) - BITS;
    (shift as usize + 1) * PER_POWER + ((value >> shift) as usize - PER_POWER)
}

/// The largest value of a bucket.
fn last_of(bucket: usize) -> u64 {
    let (power, part) = (bucket / PER_POWER, (bucket % PER_POWER) as u64);
    match power.checked_sub(1) {
        None => part,
        Some(shift) => ((PER_POWER as u64 + part + 1) << shift) - 1,
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts a value.
    #[inline]
    pub fn record(&self, value: u64) {
        self.counts[bucket_of(value)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
        if value > self.max.load(Ordering::Relaxed) {
            self.max.fetch_max(value, Ordering::Relaxed);
        }
    }

    /// What was recorded so far.
    pub fn summary(&self) -> Summary {
        let counts = self.counts.iter().map(|c| c.load(Ordering::Relaxed));
        let counts: Vec<u64> = counts.collect();
        let recorded: u64 = counts.iter().sum();
        let max = self.max.load(Ordering::Relaxed);
        let percentile = |thousandths: u64| {
            let rank = (recorded * thousandths).div_ceil(1000).max(1);
            let mut seen = 0;
            let reached = counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            reached.map_or(0, |bucket| last_of(bucket).min(max))
        };
        Summary {
            recorded,
            sum: self.sum.load(Ordering::Relaxed),
            p50: percentile(500),
            p95: percentile(950),
            p99: percentile(990),
            p999: percentile(999),
            max,
        }
    }
}

/// What a histogram says. Percentiles are at most a 32nd above the value that was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Count of values that were recorded.
    pub recorded: u64,
    /// Their sum.
    pub sum: u64,
    /// Half of them are not above it.
    pub p50: u64,
    /// 95 % of them are not above it.
    pub p95: u64,
    /// 99 % of them are not above it.
    pub p99: u64,
    /// 99.9 % of them are not above it.
    pub p999: u64,
    /// The largest.
    pub max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_one_another() {
        for bucket in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(last_of(bucket)), bucket);
            assert_eq!(bucket_of(last_of(bucket) + 1), bucket + 1);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(last_of(BUCKETS - 1), (1 << LIMIT_BITS) - 1);
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(Histogram::default().summary(), Summary::default());
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_values(
            mut values in prop::collection::vec((0..40u32, any::<u64>()).prop_map(|(bits, v)| v >> (63 - bits)), 1..2000),
        ) {
            let histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            values.sort_unstable();
            let summary = histogram.summary();
            prop_assert_eq!(summary.recorded, values.len() as u64);
            prop_assert_eq!(summary.sum, values.iter().sum::<u64>());
            prop_assert_eq!(summary.max, values[values.len() - 1]);
            let of = [(summary.p50, 500), (summary.p95, 950), (summary.p99, 990), (summary.p999, 999)];
            for (percentile, thousandths) in of {
                let exact = values[(values.len() * thousandths).div_ceil(1000) - 1];
                prop_assert!(percentile >= exact && percentile <= exact + exact / 32, "{} for {}", percentile, exact);
            }
        }
    }
}
