//! What is measured of one table.

use super::{Counters, Metrics, Operation};
use std::sync::Arc;
use std::time::Instant;

/// What is counted of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum TableCount {
    /// Reads of one partition.
    Reads,
    /// Reads of slices of one partition.
    Slices,
    /// Reads of a token range.
    Scans,
    /// SSTables that had the partition that was read.
    SSTables,
    /// SSTables whose keys lie elsewhere.
    SkippedByKeys,
    /// SSTables whose filter told that they do not have the partition.
    SkippedByFilter,
    /// SSTables whose clusterings lie elsewhere.
    SkippedByClustering,
    /// SSTables of which all is older than the partition's deletion.
    SkippedByDeletion,
    /// SSTables that could not change what was read by name from newer ones.
    SkippedByNewer,
    /// SSTables that do not have the partition though their filter let it through.
    FalsePositives,
    /// Reads whose rows were counted.
    SampledReads,
    /// Rows of those.
    SampledRows,
    /// Rows, range tombstone markers and cells of those that say that something is deleted.
    SampledTombstones,
}

impl TableCount {
    /// All of them.
    pub const ALL: [TableCount; 13] = [
        TableCount::Reads,
        TableCount::Slices,
        TableCount::Scans,
        TableCount::SSTables,
        TableCount::SkippedByKeys,
        TableCount::SkippedByFilter,
        TableCount::SkippedByClustering,
        TableCount::SkippedByDeletion,
        TableCount::SkippedByNewer,
        TableCount::FalsePositives,
        TableCount::SampledReads,
        TableCount::SampledRows,
        TableCount::SampledTombstones,
    ];

    /// Its name in what is printed.
    pub fn name(self) -> &'static str {
        match self {
            TableCount::Reads => "reads",
            TableCount::Slices => "slices",
            TableCount::Scans => "scans",
            TableCount::SSTables => "sstables_read",
            TableCount::SkippedByKeys => "skipped_by_keys",
            TableCount::SkippedByFilter => "skipped_by_filter",
            TableCount::SkippedByClustering => "skipped_by_clustering",
            TableCount::SkippedByDeletion => "skipped_by_deletion",
            TableCount::SkippedByNewer => "skipped_by_newer",
            TableCount::FalsePositives => "filter_false_positives",
            TableCount::SampledReads => "sampled_reads",
            TableCount::SampledRows => "sampled_rows",
            TableCount::SampledTombstones => "sampled_tombstones",
        }
    }
}

/// What one read met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadStats {
    /// See [`TableCount::SSTables`].
    pub sstables: u32,
    /// See [`TableCount::SkippedByKeys`].
    pub by_keys: u32,
    /// See [`TableCount::SkippedByFilter`].
    pub by_filter: u32,
    /// See [`TableCount::SkippedByClustering`].
    pub by_clustering: u32,
    /// See [`TableCount::SkippedByDeletion`].
    pub by_deletion: u32,
    /// See [`TableCount::SkippedByNewer`].
    pub by_newer: u32,
    /// See [`TableCount::FalsePositives`].
    pub false_positives: u32,
}

/// The counters of a table. They outlive changes of its schema.
#[derive(Debug)]
pub struct TableMetrics {
    registry: Arc<Metrics>,
    /// Of [`TableCount::SSTables`] what is more than one a read, or less: most reads need not count it then.
    counts: Counters<{ TableCount::ALL.len() }>,
}

impl TableMetrics {
    /// Those of a table of the database of `registry`.
    pub fn new(registry: Arc<Metrics>) -> Self {
        TableMetrics {
            registry,
            counts: Counters::default(),
        }
    }

    /// The registry of its database.
    pub fn registry(&self) -> &Arc<Metrics> {
        &self.registry
    }

    /// What was counted so far.
    pub fn get(&self, what: TableCount) -> u64 {
        let count = |what| self.counts.get(what as usize);
        match what {
            TableCount::SSTables => {
                let reads = count(TableCount::Reads) + count(TableCount::Slices);
                reads.wrapping_add(count(what))
            }
            what => count(what),
        }
    }

    /// Counts a read; if it is one that is timed, what notes its end.
    #[inline]
    pub(crate) fn begin_read(self: &Arc<Self>, operation: Operation) -> Option<TimedRead> {
        let count = match operation {
            Operation::Slice => TableCount::Slices,
            Operation::Scan => TableCount::Scans,
            _ => TableCount::Reads,
        };
        let before = self.counts.add(count as usize, 1);
        operation.is_timed(before).then(|| TimedRead {
            metrics: self.clone(),
            operation,
            began: Instant::now(),
            sstables: 0,
            rows: 0,
            tombstones: 0,
        })
    }

    /// Counts a lookup of one partition out of many, which nobody times.
    pub(crate) fn note_lookup(&self, stats: &ReadStats) {
        self.counts.add(TableCount::Reads as usize, 1);
        self.note(stats);
    }

    /// Adds how many SSTables a scan did not need, for their keys and for their clusterings.
    pub(crate) fn note_scan(&self, by_keys: u64, by_clustering: u64) {
        let counts = &self.counts;
        counts.add(TableCount::SkippedByKeys as usize, by_keys);
        counts.add(TableCount::SkippedByClustering as usize, by_clustering);
    }

    /// Adds what the read of a partition met.
    #[inline]
    pub(crate) fn note(&self, stats: &ReadStats) {
        if stats.sstables != 1 {
            let more = u64::from(stats.sstables).wrapping_sub(1);
            self.counts.add(TableCount::SSTables as usize, more);
        }
        let counts = [
            (TableCount::SkippedByKeys, stats.by_keys),
            (TableCount::SkippedByFilter, stats.by_filter),
            (TableCount::SkippedByClustering, stats.by_clustering),
            (TableCount::SkippedByDeletion, stats.by_deletion),
            (TableCount::SkippedByNewer, stats.by_newer),
            (TableCount::FalsePositives, stats.false_positives),
        ];
        for (what, n) in counts {
            if n > 0 {
                self.counts.add(what as usize, n.into());
            }
        }
    }
}

impl Drop for TableMetrics {
    fn drop(&mut self) {
        for what in TableCount::ALL {
            self.registry.gone.add(what as usize, self.get(what));
        }
    }
}

/// A read that is timed from its begin until this is dropped.
#[derive(Debug)]
pub struct TimedRead {
    metrics: Arc<TableMetrics>,
    operation: Operation,
    began: Instant,
    sstables: u64,
    rows: u64,
    tombstones: u64,
}

impl TimedRead {
    /// Notes from how many SSTables it reads.
    pub(crate) fn of_sstables(&mut self, sstables: u64) {
        self.sstables = sstables;
    }

    /// Notes something that was read: whether it is a row, and how many tombstones are in it.
    #[inline]
    pub(crate) fn saw(&mut self, is_row: bool, tombstones: u64) {
        self.rows += u64::from(is_row);
        self.tombstones += tombstones;
    }
}

impl Drop for TimedRead {
    fn drop(&mut self) {
        let registry = &self.metrics.registry;
        registry.end(self.operation, Some(self.began));
        if self.operation != Operation::Scan {
            registry.sstables_per_read.record(self.sstables);
            registry.tombstones_per_read.record(self.tombstones);
        }
        let counts = &self.metrics.counts;
        counts.add(TableCount::SampledReads as usize, 1);
        counts.add(TableCount::SampledRows as usize, self.rows);
        counts.add(TableCount::SampledTombstones as usize, self.tombstones);
    }
}
