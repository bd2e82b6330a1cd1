//! What Cassandra estimates from the histograms of Statistics.db.
//!
//! Authority: `o.a.c.utils.EstimatedHistogram`, `o.a.c.utils.streamhist.TombstoneHistogram`,
//! `o.a.c.io.sstable.metadata.StatsMetadata`.
//!
//! Numbers from a file may be of any size: sums wrap around, as they do in Cassandra.

use super::statistics::{CommitLogPosition, EstimatedHistogram, Stats};
use crate::sstable::version::Version;

/// Latest deletion time since `oa`.
const DELETION_TIME_MAX: i64 = u32::MAX as i64 - 2;
/// Latest deletion time before `oa`.
const DELETION_TIME_MAX_LEGACY: i64 = i32::MAX as i64 - 1;

impl EstimatedHistogram {
    /// An empty one of `buckets` buckets, each about a fifth wider than the one before, and the last one of all.
    pub fn new(buckets: usize) -> Self {
        let mut offsets = Vec::with_capacity(buckets);
        let mut last = 1i64;
        for _ in 0..buckets {
            offsets.push(last);
            last = ((last as f64 * 1.2).round() as i64).max(last.saturating_add(1));
        }
        EstimatedHistogram {
            counts: vec![0; offsets.len() + 1],
            offsets,
        }
    }

    /// The bucket that `value` is counted in.
    pub fn bucket(&self, value: i64) -> usize {
        self.offsets.partition_point(|offset| *offset < value)
    }

    /// Counts `value` `times` times.
    pub fn add(&mut self, value: i64, times: i64) {
        let bucket = self.bucket(value);
        self.counts[bucket] = self.counts[bucket].wrapping_add(times);
    }

    /// Upper bounds and counts, without the last bucket, whose values have no bound: Cassandra clears it when it reads
    /// one.
    pub fn bounded(&self) -> impl Iterator<Item = (i64, i64)> {
        self.offsets
            .iter()
            .copied()
            .zip(self.counts.iter().copied())
    }

    /// How many values were counted.
    pub fn count(&self) -> i64 {
        self.bounded()
            .fold(0, |sum, (_, count)| sum.wrapping_add(count))
    }

    /// Mean of the values, rounded up; 0 without any.
    pub fn mean(&self) -> i64 {
        let sum = self.bounded().fold(0i64, |sum, (offset, count)| {
            sum.wrapping_add(offset.wrapping_mul(count))
        });
        (sum as f64 / self.count() as f64).ceil() as i64
    }

    /// The smallest value that may have been counted; 0 without any.
    pub fn min(&self) -> i64 {
        match self.counts.iter().position(|count| *count > 0) {
            None | Some(0) => 0,
            Some(i) => self.offsets[i - 1].wrapping_add(1),
        }
    }

    /// The largest value that may have been counted; 0 without any, `i64::MAX` if it has no bound.
    pub fn max(&self) -> i64 {
        match self.counts.iter().rposition(|count| *count > 0) {
            None => 0,
            Some(i) => self.offsets.get(i).copied().unwrap_or(i64::MAX),
        }
    }

    /// The value below or at which the share `percentile` (0 to 1) of all values lies; 0 without any, `i64::MAX` if
    /// some value has no bound.
    pub fn percentile(&self, percentile: f64) -> i64 {
        if self.counts.last().is_some_and(|count| *count > 0) {
            return i64::MAX;
        }
        let wanted = (self.count() as f64 * percentile).ceil() as i64;
        let mut passed = 0i64;
        let mut reached = self.bounded().filter(|(_, count)| {
            passed = passed.wrapping_add(*count);
            wanted != 0 && passed >= wanted
        });
        reached.next().map_or(0, |(offset, _)| offset)
    }
}

impl Stats {
    /// When tombstones become droppable, in seconds since 1970, and how many: ascending, times that are none replaced
    /// by the latest one.
    pub fn tombstone_histogram(&self, has_uint_deletion_time: bool) -> Vec<(i64, i64)> {
        let latest = match has_uint_deletion_time {
            true => DELETION_TIME_MAX,
            false => DELETION_TIME_MAX_LEGACY,
        };
        let mut bins: Vec<(i64, i64)> = Vec::with_capacity(self.tombstone_drop_times.len());
        let mut points: Vec<(i64, i64)> = self
            .tombstone_drop_times
            .iter()
            .map(|&(point, count)| match point as i64 {
                valid @ 0.. if valid <= latest => (valid, count),
                _ => (latest, count),
            })
            .collect();
        points.sort_by_key(|(point, _)| *point);
        for (point, count) in points {
            let count = count.min(i32::MAX.into());
            match bins.last_mut() {
                Some(last) if last.0 == point => {
                    last.1 = last.1.wrapping_add(count).min(i32::MAX.into());
                }
                _ => bins.push((point, count)),
            }
        }
        bins
    }

    /// Intervals of the commit log whose data is here: start and end of each.
    pub fn replay_intervals(
        &self,
        version: Version,
    ) -> Vec<(CommitLogPosition, CommitLogPosition)> {
        if version.has_commit_log_intervals() {
            return self.commit_log_intervals.clone();
        }
        let none = CommitLogPosition {
            segment: -1,
            position: 0,
        };
        vec![(self.commit_log_lower.unwrap_or(none), self.commit_log_upper)]
    }

    /// The estimated share of cells that are tombstones droppable before `gc_before`, in seconds since 1970. It is an
    /// estimate: over 1 at times.
    pub fn droppable_tombstone_ratio(&self, has_uint_deletion_time: bool, gc_before: i64) -> f64 {
        let cells = &self.cells_per_partition;
        let cells = cells.mean().wrapping_mul(cells.count());
        if cells <= 0 {
            return 0.0;
        }
        let bins = self.tombstone_histogram(has_uint_deletion_time);
        tombstones_before(&bins, gc_before) / cells as f64
    }
}

/// Tombstones droppable at or before `time`: those of the bin that it lies in by a trapezoid.
fn tombstones_before(bins: &[(i64, i64)], time: i64) -> f64 {
    let mut sum = 0.0;
    let mut last = None;
    for &(point, count) in bins {
        if point > time {
            let Some((last_point, last_count)) = last else {
                return 0.0;
            };
            let weight = (time - last_point) as f64 / (point - last_point) as f64;
            // In 32 bits.
            let step = f64::from((count as i32).wrapping_sub(last_count as i32));
            let last_count = last_count as f64;
            let here = last_count + step * weight;
            sum -= last_count;
            sum += (last_count + here) * weight / 2.0;
            return sum + last_count / 2.0;
        }
        sum += count as f64;
        last = Some((point, count));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_grow_by_a_fifth() {
        let mut histogram = EstimatedHistogram::new(165);
        assert_eq!(histogram.offsets[..10], [1, 2, 3, 4, 5, 6, 7, 8, 10, 12]);
        assert_eq!(
            (histogram.min(), histogram.max(), histogram.mean()),
            (0, 0, 0)
        );
        // A drop time of 1700000040 falls into a bucket as wide as years.
        histogram.add(1_700_000_040, 22);
        assert_eq!(histogram.min(), 1_663_415_873);
        assert_eq!(histogram.max(), 1_996_099_046);
        assert_eq!(histogram.percentile(0.5), 1_996_099_046);
        assert_eq!(histogram.count(), 22);
        histogram.add(i64::MAX, 1);
        assert_eq!(
            (histogram.max(), histogram.percentile(0.5)),
            (i64::MAX, i64::MAX)
        );
    }

    #[test]
    fn percentiles_are_bounds_of_buckets() {
        let mut histogram = EstimatedHistogram::new(165);
        for (size, count) in [(20, 2), (35, 1), (149, 2), (179, 1)] {
            histogram.add(size, count);
        }
        let at = |p| histogram.percentile(p);
        assert_eq!([at(0.5), at(0.75), at(0.95)], [35, 149, 179]);
        assert_eq!((histogram.min(), histogram.max()), (18, 179));
    }

    #[test]
    fn tombstones_between_two_bins() {
        let bins = [(100, 4), (200, 8)];
        assert_eq!(tombstones_before(&bins, 99), 0.0);
        assert_eq!(tombstones_before(&bins, 100), 2.0);
        assert_eq!(tombstones_before(&bins, 150), 4.5);
        assert_eq!(tombstones_before(&bins, 200), 12.0);
    }
}
