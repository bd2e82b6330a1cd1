//! Statistics.db: an envelope of up to four components, of which the serialization header is what Data.db is read by.
//!
//! Authority: `o.a.c.io.sstable.metadata.{MetadataSerializer,ValidationMetadata,CompactionMetadata,StatsMetadata}` and
//! `o.a.c.db.SerializationHeader.Serializer`. Later versions only append fields.
//!
//! ```text
//! i32 n [u32 crc]; n x { i32 type, i32 offset } [u32 crc]; n x { component [u32 crc] }
//! ```

mod decode;
mod encode;
mod header;
mod mutate;

use crate::Result;
use crate::model::Bound;
use crate::schema::HeaderTypes;

pub use header::{EncodingStats, EncodingStatsCollector};

/// 2015-09-22T00:00:00Z in microseconds: what stored timestamps count from (`EncodingStats.TIMESTAMP_EPOCH`).
const TIMESTAMP_EPOCH: i64 = 1_442_880_000_000_000;
/// The same instant in seconds (`EncodingStats.DELETION_TIME_EPOCH`).
const DELETION_TIME_EPOCH: i32 = 1_442_880_000;

/// Names of the components, by their ordinals.
const NAMES: [&str; 4] = [
    "Statistics.db VALIDATION",
    "Statistics.db COMPACTION",
    "Statistics.db STATS",
    "Statistics.db HEADER",
];

/// What Statistics.db holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// The partitioner and the bloom filter's target.
    pub validation: Option<Validation>,
    /// `HyperLogLogPlus` of the partition keys, as stored.
    pub cardinality: Option<Vec<u8>>,
    /// Counts, ranges and histograms.
    pub stats: Option<Stats>,
    /// The serialization header.
    pub header: SerializationHeader,
}

/// `ValidationMetadata`.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// Class name of the partitioner.
    pub partitioner: String,
    /// The share of absent keys that the bloom filter was to let through.
    pub bloom_filter_fp_chance: f64,
}

/// A position in a commit log. Authority: `o.a.c.db.commitlog.CommitLogPosition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitLogPosition {
    /// Id of the segment.
    pub segment: i64,
    /// Position inside it, in bytes.
    pub position: i32,
}

/// Counts by bucket: value `v` is counted in the first bucket whose offset is not below it, or in the last of all.
/// Authority: `o.a.c.utils.EstimatedHistogram`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstimatedHistogram {
    /// Upper bounds (inclusive) of the buckets but the last.
    pub offsets: Vec<i64>,
    /// Counts, one more than the offsets.
    pub counts: Vec<i64>,
}

/// The smallest and largest clustering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusteringRange {
    /// Before `oa`: values of the first clustering columns, taken one by one.
    Lists {
        /// Smallest value of each column.
        min: Vec<Vec<u8>>,
        /// Largest value of each column.
        max: Vec<Vec<u8>>,
    },
    /// From `oa` on.
    Slice {
        /// The types of the values, as stored.
        types: Vec<String>,
        /// Start of what is covered.
        start: Bound,
        /// End of what is covered.
        end: Bound,
    },
}

/// `StatsMetadata`. Times are as stored: write timestamps in microseconds by convention, local times in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Bytes of each partition.
    pub partition_size: EstimatedHistogram,
    /// Cells of each partition.
    pub cells_per_partition: EstimatedHistogram,
    /// Where the commit log stood when the data was flushed; from `mb` on with its lower bound.
    pub commit_log_upper: CommitLogPosition,
    /// Lower bound of the same, `None` before `mb`.
    pub commit_log_lower: Option<CommitLogPosition>,
    /// Intervals of the commit log whose data is here, from `mc` on.
    pub commit_log_intervals: Vec<(CommitLogPosition, CommitLogPosition)>,
    /// Smallest write timestamp.
    pub min_timestamp: i64,
    /// Largest write timestamp.
    pub max_timestamp: i64,
    /// Smallest local deletion time; [`NO_DELETION_TIME`] if nothing is deleted or expires.
    pub min_local_deletion_time: i64,
    /// Largest local deletion time; [`NO_DELETION_TIME`] as soon as some data never expires.
    pub max_local_deletion_time: i64,
    /// Smallest TTL in seconds.
    pub min_ttl: i32,
    /// Largest TTL in seconds.
    pub max_ttl: i32,
    /// Compressed by uncompressed length; -1 if uncompressed.
    pub compression_ratio: f64,
    /// When tombstones become droppable: (local deletion time, count), ascending. Before `oa` points are doubles.
    pub tombstone_drop_times: Vec<(f64, i64)>,
    /// Most bins of that histogram.
    pub tombstone_bins_max: i32,
    /// Level of leveled compaction.
    pub level: i32,
    /// When the data was repaired, in milliseconds since 1970; 0 if it was not.
    pub repaired_at: i64,
    /// The smallest and largest clustering.
    pub clustering: ClusteringRange,
    /// Counter shards of before 2.1 exist.
    pub has_legacy_counter_shards: bool,
    /// Sum over rows of columns that have data.
    pub total_columns_set: i64,
    /// Count of rows, static ones included.
    pub total_rows: i64,
    /// Repair session that the SSTable takes part in.
    pub pending_repair: Option<[u8; 16]>,
    /// Transient replication.
    pub is_transient: bool,
    /// Host that wrote the SSTable.
    pub originating_host_id: Option<[u8; 16]>,
    /// Whether any partition is deleted, from `oa` on.
    pub has_partition_deletions: Option<bool>,
    /// First and last partition key, from `oa` on.
    pub key_range: Option<(Vec<u8>, Vec<u8>)>,
    /// Share of the local token ranges that is covered, from `oa` on; NaN if unknown.
    pub token_space_coverage: Option<f64>,
}

/// Types of the columns and the bases of delta encoding. Authority: `o.a.c.db.SerializationHeader.Component`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerializationHeader {
    /// What write timestamps are stored relative to, in microseconds.
    pub min_timestamp: i64,
    /// What local deletion times are stored relative to, in seconds.
    pub min_local_deletion_time: i64,
    /// What TTLs are stored relative to, in seconds.
    pub min_ttl: i64,
    /// Class name of the partition key's type.
    pub key_type: String,
    /// Class names of the clustering columns' types.
    pub clustering_types: Vec<String>,
    /// Names and type class names of the static columns, in storage order.
    pub statics: Vec<(Vec<u8>, String)>,
    /// Names and type class names of the regular columns, in storage order.
    pub regulars: Vec<(Vec<u8>, String)>,
}

impl SerializationHeader {
    /// Its types and columns, parsed.
    ///
    /// # Errors
    /// `Corrupt` for a type's name that cannot be parsed.
    pub fn types(&self) -> Result<HeaderTypes> {
        HeaderTypes::parse(
            &self.key_type,
            &self.clustering_types,
            &self.statics,
            &self.regulars,
        )
        .map_err(|e| e.in_component(NAMES[3]))
    }
}
