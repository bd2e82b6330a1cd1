//! Collects what Statistics.db says of the rows that are written.
//!
//! Authority: `o.a.c.io.sstable.metadata.MetadataCollector`, `o.a.c.db.rows.{Rows,Cells}.collectStats`,
//! `o.a.c.io.sstable.format.SortedTableWriter`.

use crate::model::{
    Bound, BoundKind, ClusteringComparator, ClusteringRef, DeletionTime, MarkerRef,
    NO_DELETION_TIME, RowRef, Span, StreamHeader,
};
use crate::partitioner::murmur2_64;
use crate::sstable::component::cardinality::Cardinality;
use crate::sstable::component::drop_times::DropTimes;
use crate::sstable::component::statistics::{
    ClusteringRange, CommitLogPosition, EstimatedHistogram, SerializationHeader, Statistics, Stats,
    Validation,
};
use crate::sstable::version::Version;
use crate::types::{CqlType, counter};

/// Bounds of the histogram of partition sizes: up to 3.5 TB.
const PARTITION_SIZE_BOUNDS: usize = 155;
/// Bounds of the histogram of cells per partition: up to four billion.
const CELL_COUNT_BOUNDS: usize = 118;
/// Values below this, which most are, find their bucket in a table.
const SMALL_VALUES: usize = 1024;

/// What Statistics.db says beside the rows: where they come from and what became of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// Compressed by uncompressed length, `None` without compression.
    pub compression_ratio: Option<f64>,
    /// Intervals of the originating host's commit log whose data is here, ascending and apart from each other.
    pub commit_log_intervals: Vec<(CommitLogPosition, CommitLogPosition)>,
    /// Host that wrote the SSTable.
    pub originating_host_id: Option<[u8; 16]>,
    /// Level of leveled compaction.
    pub level: i32,
    /// When the data was repaired, in milliseconds since 1970; 0 if it was not.
    pub repaired_at: i64,
    /// Repair session that the SSTable takes part in.
    pub pending_repair: Option<[u8; 16]>,
    /// Transient replication.
    pub is_transient: bool,
    /// Share of the local token ranges that is covered; NaN if unknown.
    pub token_space_coverage: f64,
}

impl Default for Provenance {
    /// Data of level 0 that nobody repaired and no host wrote.
    fn default() -> Self {
        Provenance {
            compression_ratio: None,
            commit_log_intervals: Vec::new(),
            originating_host_id: None,
            level: 0,
            repaired_at: 0,
            pending_repair: None,
            is_transient: false,
            token_space_coverage: f64::NAN,
        }
    }
}

/// Collects statistics. For each partition, in order: [`partition`](Self::partition), the static row if it says anything,
/// rows and markers, [`end_partition`](Self::end_partition). Nothing is allocated per row.
#[derive(Debug, Clone)]
pub struct StatsCollector {
    comparator: ClusteringComparator,
    /// Whether cells hold counters: a table has either counters alone or none.
    has_counters: bool,
    times: Times,
    has_partition_deletions: bool,
    has_legacy_counter_shards: bool,
    columns_set: i64,
    rows: i64,
    cells_of_partition: u64,
    partition_sizes: EstimatedHistogram,
    cell_counts: EstimatedHistogram,
    /// The bucket of each small value, in both histograms.
    small_buckets: Vec<u8>,
    cardinality: Cardinality,
    first_key: Option<Vec<u8>>,
    last_key: Vec<u8>,
    smallest: Option<Extreme>,
    largest: Option<Extreme>,
    /// Whether a row or start of a range of the present partition was seen: those that follow are not the smallest.
    has_started: bool,
    /// Whether the largest is of the present partition: what follows is larger.
    is_largest: bool,
}

/// Bounds of what was seen, and when it dies.
#[derive(Debug, Clone)]
struct Times {
    timestamps: Range<i64>,
    local_deletion_times: Range<i64>,
    ttls: Range<i32>,
    drop_times: DropTimes,
}

/// The smallest and largest of some numbers; the smallest is the larger one before the first.
#[derive(Debug, Clone, Copy)]
struct Range<T> {
    min: T,
    max: T,
}

impl<T: Ord + Copy> Range<T> {
    #[inline(always)]
    fn add(&mut self, value: T) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    fn or(self, none: (T, T)) -> (T, T) {
        match self.min <= self.max {
            true => (self.min, self.max),
            false => none,
        }
    }
}

impl Times {
    /// Something with a timestamp and a time of death, [`NO_DELETION_TIME`] if it has none.
    #[inline(always)]
    fn add(&mut self, timestamp: i64, local_deletion_time: i64) {
        self.timestamps.add(timestamp);
        self.local_deletion_times.add(local_deletion_time);
        if local_deletion_time != NO_DELETION_TIME {
            self.drop_times.add(local_deletion_time);
        }
    }

    #[inline(always)]
    fn deletion(&mut self, deletion: DeletionTime) {
        if !deletion.is_live() {
            self.add(deletion.marked_for_delete_at, deletion.local_deletion_time);
        }
    }
}

/// A clustering or bound in memory that is used again.
#[derive(Debug, Clone)]
struct Extreme {
    kind: BoundKind,
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl Extreme {
    fn of(values: ClusteringRef<'_>, kind: BoundKind) -> Self {
        let mut extreme = Extreme {
            kind,
            bytes: Vec::new(),
            spans: Vec::new(),
        };
        extreme.set(values, kind);
        extreme
    }

    #[inline]
    fn set(&mut self, values: ClusteringRef<'_>, kind: BoundKind) {
        self.kind = kind;
        self.bytes.clear();
        self.spans.clear();
        for value in values.iter() {
            self.spans.push(Span::append(&mut self.bytes, value));
        }
    }

    #[inline]
    fn values(&self) -> ClusteringRef<'_> {
        ClusteringRef::new(&self.bytes, &self.spans)
    }

    /// As a bound that starts or ends a range with it.
    fn into_bound(self, inclusive: BoundKind) -> Bound {
        Bound {
            kind: match self.kind {
                BoundKind::Clustering => inclusive,
                kind => kind,
            },
            values: self
                .values()
                .iter()
                .map(|v| v.map(<[u8]>::to_vec))
                .collect(),
        }
    }
}

impl StatsCollector {
    /// Collects from rows of these columns.
    pub fn new(stream: &StreamHeader) -> Self {
        let mut columns = stream.statics.iter().chain(&stream.regulars);
        let partition_sizes = EstimatedHistogram::new(PARTITION_SIZE_BOUNDS);
        let bucket = |value: usize| partition_sizes.bucket(value as i64) as u8;
        StatsCollector {
            small_buckets: (0..SMALL_VALUES).map(bucket).collect(),
            comparator: ClusteringComparator::new(&stream.clustering),
            has_counters: columns.any(|c| c.ty == CqlType::Counter),
            times: Times {
                timestamps: Range {
                    min: i64::MAX,
                    max: i64::MIN,
                },
                local_deletion_times: Range {
                    min: i64::MAX,
                    max: i64::MIN,
                },
                ttls: Range {
                    min: i32::MAX,
                    max: i32::MIN,
                },
                drop_times: DropTimes::default(),
            },
            has_partition_deletions: false,
            has_legacy_counter_shards: false,
            columns_set: 0,
            rows: 0,
            cells_of_partition: 0,
            partition_sizes,
            cell_counts: EstimatedHistogram::new(CELL_COUNT_BOUNDS),
            cardinality: Cardinality::new(),
            first_key: None,
            last_key: Vec::new(),
            smallest: None,
            largest: None,
            has_started: false,
            is_largest: false,
        }
    }

    /// The start of a partition.
    #[inline]
    pub fn partition(&mut self, key: &[u8], deletion: DeletionTime) {
        self.cardinality.add(murmur2_64(key));
        if self.first_key.is_none() {
            self.first_key = Some(key.to_vec());
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.has_started = false;
        self.is_largest = false;
        if !deletion.is_live() {
            self.has_partition_deletions = true;
            self.times.deletion(deletion);
        }
    }

    /// A row, or the static row if it says anything.
    #[inline]
    pub fn row(&mut self, row: RowRef<'_>) {
        let buf = row.buf();
        // Rows without clustering values are all alike.
        let values = row.clustering();
        if !buf.is_static && (self.largest.is_none() || !values.is_empty()) {
            self.start(values, BoundKind::Clustering);
            self.end(values, BoundKind::Clustering);
        }
        let times = &mut self.times;
        let liveness = buf.liveness;
        if !liveness.is_empty() {
            times.ttls.add(liveness.ttl);
            times.add(liveness.timestamp, liveness.local_expiration_time);
        }
        times.deletion(buf.deletion.time);
        // Cassandra goes from column to column, and the order of deletion times shows in their histogram.
        let mut complex = buf.complex_deletions.iter().peekable();
        let mut last_column = None;
        for cell in &buf.cells {
            if last_column != Some(cell.column) {
                last_column = Some(cell.column);
                self.columns_set += 1;
                while let Some(d) = complex.next_if(|d| d.column <= cell.column) {
                    times.deletion(d.time);
                }
            }
            times.ttls.add(cell.ttl);
            times.add(cell.timestamp, cell.local_deletion_time);
        }
        for d in complex {
            times.deletion(d.time);
        }
        self.cells_of_partition += buf.cells.len() as u64;
        self.rows += 1;
        if self.has_counters && !self.has_legacy_counter_shards {
            self.has_legacy_counter_shards = has_legacy_shards(row);
        }
    }

    /// A range tombstone marker.
    #[inline]
    pub fn marker(&mut self, marker: MarkerRef<'_>) {
        let kind = marker.kind();
        // A boundary lies within ranges, whose ends are further out.
        if !kind.is_boundary() {
            if kind.is_start() {
                self.start(marker.values(), kind);
            } else {
                self.end(marker.values(), kind);
            }
        }
        self.times.deletion(marker.close());
        self.times.deletion(marker.open());
    }

    /// A row or the start of a range, which may be the smallest clustering.
    #[inline(always)]
    fn start(&mut self, values: ClusteringRef<'_>, kind: BoundKind) {
        if self.has_started {
            return;
        }
        self.has_started = true;
        match &mut self.smallest {
            None => self.smallest = Some(Extreme::of(values, kind)),
            Some(smallest) => {
                let order = &self.comparator;
                if order
                    .compare(values, kind, smallest.values(), smallest.kind)
                    .is_lt()
                {
                    smallest.set(values, kind);
                }
            }
        }
    }

    /// A row or the end of a range, which may be the largest clustering.
    #[inline(always)]
    fn end(&mut self, values: ClusteringRef<'_>, kind: BoundKind) {
        match &mut self.largest {
            None => self.largest = Some(Extreme::of(values, kind)),
            Some(largest) => {
                let order = &self.comparator;
                let is_larger = self.is_largest
                    || order
                        .compare(values, kind, largest.values(), largest.kind)
                        .is_gt();
                if !is_larger {
                    return;
                }
                largest.set(values, kind);
            }
        }
        self.is_largest = true;
    }

    /// The end of the partition, which takes `size` bytes in the uncompressed Data.db.
    #[inline]
    pub fn end_partition(&mut self, size: u64) {
        let buckets = &self.small_buckets;
        count(&mut self.partition_sizes, buckets, size);
        count(&mut self.cell_counts, buckets, self.cells_of_partition);
        self.cells_of_partition = 0;
    }

    /// The key of the last partition; of no bytes before the first.
    pub fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// What Statistics.db holds. Fields that `version` does not have are left out.
    pub fn finish(
        mut self,
        version: Version,
        validation: Validation,
        header: SerializationHeader,
        provenance: Provenance,
    ) -> Statistics {
        let cardinality = self.cardinality.encode();
        let stats = self.into_stats(version, &header, provenance);
        Statistics {
            validation: Some(validation),
            cardinality: Some(cardinality),
            stats: Some(stats),
            header,
        }
    }

    fn into_stats(
        self,
        version: Version,
        header: &SerializationHeader,
        provenance: Provenance,
    ) -> Stats {
        let times = self.times;
        let none = (NO_DELETION_TIME, NO_DELETION_TIME);
        let (min_timestamp, max_timestamp) = times.timestamps.or((i64::MIN, i64::MAX));
        let (min_local_deletion_time, max_local_deletion_time) =
            times.local_deletion_times.or(none);
        let (min_ttl, max_ttl) = times.ttls.or((0, 0));
        let drop_times = times.drop_times.finish();
        let intervals = provenance.commit_log_intervals;
        let upper = intervals.last().map_or(CommitLogPosition::NONE, |i| i.1);
        let lower = intervals.first().map_or(CommitLogPosition::NONE, |i| i.0);
        // Without a clustering the range is one of nothing.
        let start = self.smallest.map_or(
            Bound {
                kind: BoundKind::ExclStart,
                values: Vec::new(),
            },
            |e| e.into_bound(BoundKind::InclStart),
        );
        let end = self.largest.map_or(
            Bound {
                kind: BoundKind::ExclEnd,
                values: Vec::new(),
            },
            |e| e.into_bound(BoundKind::InclEnd),
        );
        let since_oa = version.has_key_range();
        Stats {
            partition_size: self.partition_sizes,
            cells_per_partition: self.cell_counts,
            commit_log_upper: upper,
            commit_log_lower: Some(lower),
            commit_log_intervals: intervals,
            min_timestamp,
            max_timestamp,
            min_local_deletion_time,
            max_local_deletion_time,
            min_ttl,
            max_ttl,
            compression_ratio: provenance.compression_ratio.unwrap_or(-1.0),
            tombstone_bins_max: drop_times.len() as i32,
            tombstone_drop_times: drop_times
                .into_iter()
                .map(|(time, count)| (time as f64, count.into()))
                .collect(),
            level: provenance.level,
            repaired_at: provenance.repaired_at,
            clustering: ClusteringRange::Slice {
                types: header.clustering_types.clone(),
                start,
                end,
            },
            has_legacy_counter_shards: self.has_legacy_counter_shards,
            total_columns_set: self.columns_set,
            total_rows: self.rows,
            pending_repair: provenance.pending_repair,
            is_transient: provenance.is_transient,
            originating_host_id: provenance.originating_host_id,
            has_partition_deletions: since_oa.then_some(self.has_partition_deletions),
            key_range: since_oa.then(|| (self.first_key.unwrap_or_default(), self.last_key)),
            token_space_coverage: since_oa.then_some(provenance.token_space_coverage),
        }
    }
}

#[inline(always)]
fn count(histogram: &mut EstimatedHistogram, small_buckets: &[u8], value: u64) {
    match small_buckets.get(usize::try_from(value).unwrap_or(usize::MAX)) {
        Some(bucket) => histogram.counts[usize::from(*bucket)] += 1,
        None => histogram.add(i64::try_from(value).unwrap_or(i64::MAX), 1),
    }
}

/// Whether a cell holds a counter with a shard of before 2.1. A context that is damaged counts as one without.
fn has_legacy_shards(row: RowRef<'_>) -> bool {
    row.cells().any(|cell| {
        let mut shards = counter::shards(cell.value).into_iter().flatten();
        !cell.is_tombstone() && shards.any(|s| s.kind != counter::ShardKind::Global)
    })
}
