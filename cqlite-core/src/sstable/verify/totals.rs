//! What Data.db adds up to, and whether Statistics.db agrees.
//!
//! Authority: `o.a.c.io.sstable.metadata.{MetadataCollector,StatsMetadata}`, `o.a.c.db.rows.Rows.collectStats`.
//!
//! Bounds only have to hold: Cassandra skips SSTables by them. Counts have to be equal.

use super::blocks::PrefixRef;
use super::findings::Findings;
use crate::Error;
use crate::model::{
    Bound, BoundKind, ClusteringComparator, DeletionTime, LivenessInfo, NO_DELETION_TIME,
};
use crate::sstable::component::statistics::{ClusteringRange, EstimatedHistogram, Stats};
use crate::sstable::data::deletion::INVALID_DELETION_TIME;
use crate::sstable::version::Version;

const STATS: &str = "Statistics.db STATS";

/// What was read so far.
#[derive(Debug)]
pub(crate) struct Totals {
    pub partitions: u64,
    pub rows: u64,
    pub columns_set: u64,
    pub cells_in_partition: u64,
    pub min_timestamp: i64,
    pub max_timestamp: i64,
    pub min_local_deletion_time: i64,
    pub max_local_deletion_time: i64,
    pub min_ttl: i32,
    pub max_ttl: i32,
    /// Count of local deletion times that stand for something that dies.
    pub drop_times: u64,
    pub has_partition_deletions: bool,
    pub has_legacy_counter_shards: bool,
    pub has_invalid_times: bool,
    /// Static rows of no content. Cassandra writes one for every partition, and counts those that had an empty
    /// collection in memory.
    pub empty_static_rows: u64,
    /// Whether Cassandra counts deletions of whole collections that it does not write: `BTreeRow.hasComplexDeletion`
    /// passes over columns whose names start beyond ASCII.
    pub loses_deletions: bool,
    pub first_key: Option<Vec<u8>>,
    partition_sizes: Histogram,
    cell_counts: Histogram,
}

impl Totals {
    /// Nothing yet; histograms are those of `stats` with no counts.
    pub fn new(stats: Option<&Stats>) -> Self {
        Totals {
            partitions: 0,
            rows: 0,
            columns_set: 0,
            cells_in_partition: 0,
            min_timestamp: i64::MAX,
            max_timestamp: i64::MIN,
            min_local_deletion_time: i64::MAX,
            max_local_deletion_time: i64::MIN,
            min_ttl: i32::MAX,
            max_ttl: i32::MIN,
            drop_times: 0,
            has_partition_deletions: false,
            has_legacy_counter_shards: false,
            has_invalid_times: false,
            empty_static_rows: 0,
            loses_deletions: false,
            first_key: None,
            partition_sizes: Histogram::new(stats.map(|s| &s.partition_size)),
            cell_counts: Histogram::new(stats.map(|s| &s.cells_per_partition)),
        }
    }

    /// Something with a timestamp, a TTL (0 if none) and a time when it dies.
    #[inline(always)]
    pub fn add(&mut self, timestamp: i64, ttl: i32, local_deletion_time: i64) {
        self.add_ttl(ttl);
        self.add_times(timestamp, local_deletion_time);
    }

    #[inline(always)]
    fn add_ttl(&mut self, ttl: i32) {
        self.min_ttl = self.min_ttl.min(ttl);
        self.max_ttl = self.max_ttl.max(ttl);
    }

    #[inline(always)]
    fn add_times(&mut self, timestamp: i64, local_deletion_time: i64) {
        self.min_timestamp = self.min_timestamp.min(timestamp);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.min_local_deletion_time = self.min_local_deletion_time.min(local_deletion_time);
        self.max_local_deletion_time = self.max_local_deletion_time.max(local_deletion_time);
        if local_deletion_time != NO_DELETION_TIME {
            self.drop_times += 1;
            self.has_invalid_times |= local_deletion_time == INVALID_DELETION_TIME;
        }
    }

    /// Row liveness, which may be none.
    #[inline(always)]
    pub fn add_liveness(&mut self, liveness: &LivenessInfo) {
        if !liveness.is_empty() {
            self.add(
                liveness.timestamp,
                liveness.ttl,
                liveness.local_expiration_time,
            );
        }
    }

    /// A deletion, which may be none.
    #[inline(always)]
    pub fn add_deletion(&mut self, deletion: &DeletionTime) {
        if !deletion.is_live() {
            self.add_times(deletion.marked_for_delete_at, deletion.local_deletion_time);
        }
    }

    /// The end of a partition of `size` bytes.
    #[inline]
    pub fn end_partition(&mut self, size: u64) {
        self.partitions += 1;
        self.partition_sizes.add(size);
        self.cell_counts.add(self.cells_in_partition);
        self.cells_in_partition = 0;
    }

    /// Compares all of Data.db with the statistics.
    pub fn compare(
        &self,
        stats: &Stats,
        version: Version,
        last_key: &[u8],
        findings: &mut Findings<'_>,
    ) {
        let mut tell = |what: String| findings.fault(STATS, Error::corrupt(what));
        let mut bounds = |what: &str, (min, max): (i64, i64), (low, high): (i64, i64)| {
            if low < min {
                tell(format!(
                    "the smallest {what} is said to be {min}, and is {low}"
                ));
            }
            if high > max {
                tell(format!(
                    "the largest {what} is said to be {max}, and is {high}"
                ));
            }
        };
        if self.min_timestamp <= self.max_timestamp {
            bounds(
                "timestamp",
                (stats.min_timestamp, stats.max_timestamp),
                (self.min_timestamp, self.max_timestamp),
            );
        }
        if self.min_local_deletion_time <= self.max_local_deletion_time && !self.has_invalid_times {
            bounds(
                "local deletion time",
                (stats.min_local_deletion_time, stats.max_local_deletion_time),
                (self.min_local_deletion_time, self.max_local_deletion_time),
            );
        }
        if self.min_ttl <= self.max_ttl {
            bounds(
                "TTL",
                (stats.min_ttl.into(), stats.max_ttl.into()),
                (self.min_ttl.into(), self.max_ttl.into()),
            );
        }
        // What the data shows, and how many more there may have been.
        let mut equal = |what: &str, said: i64, is: u64, more: u64| {
            let most = is.saturating_add(more);
            if !u64::try_from(said).is_ok_and(|said| (is..=most).contains(&said)) {
                tell(format!("{said} {what}, and there are {is}"));
            }
        };
        equal("rows", stats.total_rows, self.rows, self.empty_static_rows);
        equal(
            "columns set in rows",
            stats.total_columns_set,
            self.columns_set,
            0,
        );
        let drop_times = stats.tombstone_drop_times.iter().map(|(_, n)| *n);
        let drop_times = drop_times.fold(0, i64::saturating_add);
        if version.has_accurate_drop_times() && !self.has_invalid_times {
            let more = if self.loses_deletions { u64::MAX } else { 0 };
            let what = "times at which data dies";
            equal(what, drop_times, self.drop_times, more);
        }
        if let Some(what) = self.partition_sizes.differs(&stats.partition_size) {
            tell(format!("histogram of partition sizes: {what}"));
        }
        if let Some(what) = self.cell_counts.differs(&stats.cells_per_partition) {
            tell(format!("histogram of cells per partition: {what}"));
        }
        if self.has_partition_deletions && stats.has_partition_deletions == Some(false) {
            tell("no partition is said to be deleted, and one is".to_owned());
        }
        if self.has_legacy_counter_shards && !stats.has_legacy_counter_shards {
            tell("no local or remote counter shards are said to be there, and one is".to_owned());
        }
        if let (Some((first, last)), Some(first_key)) = (&stats.key_range, &self.first_key) {
            if first != first_key {
                tell("its first key is not that of Data.db".to_owned());
            }
            if last != last_key {
                tell("its last key is not that of Data.db".to_owned());
            }
        }
    }
}

/// Counts by the buckets of a stored histogram.
#[derive(Debug)]
struct Histogram {
    offsets: Vec<i64>,
    counts: Vec<u64>,
    /// The bucket that was met last, and the values that it is of: above the first and up to the second.
    bucket: usize,
    range: (i64, i64),
}

impl Histogram {
    fn new(stored: Option<&EstimatedHistogram>) -> Self {
        let offsets = stored.map_or(Vec::new(), |s| s.offsets.clone());
        Histogram {
            counts: vec![0; offsets.len() + 1],
            offsets,
            bucket: 0,
            range: (0, 0),
        }
    }

    #[inline]
    fn add(&mut self, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        if value <= self.range.0 || value > self.range.1 {
            self.find(value);
        }
        self.counts[self.bucket] += 1;
    }

    fn find(&mut self, value: i64) {
        let i = self.offsets.partition_point(|offset| *offset < value);
        let below = i.checked_sub(1).map(|i| self.offsets[i]);
        self.bucket = i;
        self.range = (
            below.unwrap_or(i64::MIN),
            self.offsets.get(i).copied().unwrap_or(i64::MAX),
        );
    }

    /// How the stored counts differ from those that were counted.
    fn differs(&self, stored: &EstimatedHistogram) -> Option<String> {
        let sum = stored.counts.iter().copied().fold(0, i64::saturating_add);
        let counted: u64 = self.counts.iter().sum();
        // Cassandra clears what is above all bounds when it reads it (`StatsMetadata.StatsMetadataSerializer`), and so loses it
        // when it sets a level or repair state.
        let is_cleared = stored.counts.last() == Some(&0) && self.counts.last() != Some(&0);
        if u64::try_from(sum) != Ok(counted) && !is_cleared {
            return Some(format!("{sum} partitions, and there are {counted}"));
        }
        let buckets = stored.counts.iter().zip(&self.counts).enumerate();
        let last = self.offsets.len();
        buckets
            .filter(|(i, (said, is))| {
                u64::try_from(**said) != Ok(**is) && !(*i == last && is_cleared)
            })
            .map(|(i, (said, is))| match stored.offsets.get(i) {
                Some(offset) => format!("{said} up to {offset}, and there are {is}"),
                None => format!("{said} above all bounds, and there are {is}"),
            })
            .next()
    }
}

/// The range of clusterings that the statistics say is covered.
#[derive(Debug)]
pub(crate) struct Covered {
    start: Bound,
    end: Bound,
    told: bool,
}

impl Covered {
    /// That of the statistics; `None` if the version does not keep it right, or if its values are not of the clustering
    /// columns, of which there are `columns`.
    pub fn of(stats: &Stats, version: Version, columns: usize) -> Option<Self> {
        let (start, end) = match &stats.clustering {
            ClusteringRange::Slice { start, end, .. } => (start.clone(), end.clone()),
            ClusteringRange::Lists { min, max } if version.has_accurate_min_max() => {
                // The lists end before a null, but older versions wrote one as no bytes.
                let null_or = |v: &Vec<u8>| (!v.is_empty()).then(|| v.clone());
                (
                    Bound {
                        kind: BoundKind::InclStart,
                        values: min.iter().map(null_or).collect(),
                    },
                    Bound {
                        kind: BoundKind::InclEnd,
                        values: max.iter().cloned().map(Some).collect(),
                    },
                )
            }
            _ => return None,
        };
        let fits = start.values.len() <= columns && end.values.len() <= columns;
        fits.then_some(Covered {
            start,
            end,
            told: false,
        })
    }

    /// Whether a partition's first row or marker is not before what is covered.
    #[inline]
    pub fn holds_first(&self, order: &ClusteringComparator, first: PrefixRef<'_>) -> bool {
        order
            .compare_to_bound(first.0, first.1, &self.start)
            .is_ge()
    }

    /// Tells, once, that a partition is not covered: `holds_first` is of its first row or marker, `last` its last.
    #[inline]
    pub fn check(
        &mut self,
        holds_first: bool,
        order: &ClusteringComparator,
        last: PrefixRef<'_>,
        key: &[u8],
        findings: &mut Findings<'_>,
    ) {
        let holds_last = order.compare_to_bound(last.0, last.1, &self.end).is_le();
        if (holds_first && holds_last) || self.told {
            return;
        }
        self.told = true;
        let side = if holds_first { "behind" } else { "before" };
        let what = format!("a row lies {side} the clusterings that are said to be covered");
        findings.fault(STATS, Error::corrupt(what).in_partition(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_above_all_bounds_may_have_been_cleared() {
        let stored = |counts: [i64; 4]| EstimatedHistogram {
            offsets: vec![1, 2, 4],
            counts: counts.to_vec(),
        };
        let mut histogram = Histogram::new(Some(&stored([0; 4])));
        for value in [1, 2, 3, 4, 5, u64::MAX] {
            histogram.add(value);
        }
        let differs = |counts| histogram.differs(&stored(counts));
        assert_eq!(differs([1, 1, 2, 2]), None);
        assert_eq!(differs([1, 1, 2, 0]), None);
        for (counts, what) in [
            ([1, 1, 2, 1], "5 partitions, and there are 6"),
            ([1, 1, 1, 0], "1 up to 4, and there are 2"),
            ([1, 1, 4, 0], "4 up to 4, and there are 2"),
            ([1, 2, 1, 0], "2 up to 2, and there are 1"),
            ([1, 1, 1, 3], "1 up to 4, and there are 2"),
            ([1, 1, 2, -1], "3 partitions, and there are 6"),
        ] {
            assert_eq!(differs(counts).as_deref(), Some(what), "{counts:?}");
        }
    }
}
