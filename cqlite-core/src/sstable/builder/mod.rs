//! Makes SSTables of a table from rows and deletions that come one at a time.
//!
//! Authority: `o.a.c.io.sstable.{SSTableSimpleWriter,SSTableSimpleUnsortedWriter,AbstractSSTableSimpleWriter}`.
//!
//! ```text
//! rows, deletions -> record (bytes) -> sort (memory, runs on disk) -> source (the one stream) -> SSTableWriter
//!                `-> held, where they come in order -----------------------------------------'
//! ```
//! A builder that is dropped leaves nothing behind, and so does one that fails.

mod held;
mod output;
pub(crate) mod record;
mod run;
pub(crate) mod sort;
pub(crate) mod source;
mod table;
#[cfg(test)]
pub(crate) mod tests;

use self::held::Held;
use self::output::Outputs;
pub(crate) use self::sort::Sorter;
use super::component::statistics::{EncodingStats, EncodingStatsCollector};
use super::version::Version;
use super::writer::{WriteOptions, Written};
use crate::limits::PARTITION_KEY_BYTES_MAX;
use crate::merge::MergeRules;
use crate::model::{
    ClusteringComparator, DeletionTime, PartitionSource, RowRef, Slice, StreamHeader, Unfiltered,
};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Memory of an [`UnsortedBuilder`] unless told otherwise, in bytes.
pub const MEMORY_BYTES: usize = 64 << 20;

/// Bytes of complete partitions that a [`SortedBuilder`] gathers before it writes them.
const BATCH_BYTES: usize = if cfg!(test) { 1024 } else { 256 * 1024 };

/// Bytes of one partition that a [`SortedBuilder`] holds without sorting them.
const PARTITION_HELD_BYTES: usize = if cfg!(test) { 2048 } else { 1 << 20 };

/// What the SSTables are made with.
#[derive(Debug, Clone)]
pub struct BuilderOptions {
    /// Version of the SSTables.
    pub version: Version,
    /// What they are written with. A sorted builder needs to be told how many partitions come; an unsorted one counts.
    pub write: WriteOptions,
    /// Bytes of Data.db after which another SSTable begins, between partitions; `None` for one SSTable.
    pub max_size: Option<u64>,
    /// Bytes of rows that are held in memory before they are sorted and spilled.
    pub memory: usize,
    /// Is asked before each partition is written; an error of its ends the work.
    pub watch: fn() -> Result<()>,
}

impl BuilderOptions {
    /// One SSTable of this version, by the table's options.
    pub fn new(version: Version, write: WriteOptions) -> Self {
        BuilderOptions {
            version,
            write,
            max_size: None,
            memory: MEMORY_BYTES,
            watch: || Ok(()),
        }
    }
}

/// Takes changes of partitions. Columns are those of the stream header that it was made with. Several changes of one row
/// are reconciled as Cassandra does.
pub trait ChangeSink {
    /// Deletes what a partition held.
    ///
    /// # Errors
    /// `InvalidInput` for a key that is too long, or out of order where an order is asked for; `Io`.
    fn delete_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()>;

    /// Adds a row, or the static one. Its cells stand in the order of the columns, those of a multi-cell column in the
    /// order of their paths.
    ///
    /// # Errors
    /// As of [`delete_partition`](Self::delete_partition).
    fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()>;

    /// Deletes a range of a partition's rows. An empty one is passed over.
    ///
    /// # Errors
    /// As of [`delete_partition`](Self::delete_partition).
    fn delete_range(&mut self, key: &[u8], slice: &Slice, deletion: DeletionTime) -> Result<()>;
}

/// What both builders are made of.
struct Gathered {
    rules: Arc<MergeRules>,
    sorter: Sorter,
    stats: EncodingStatsCollector,
    outputs: Outputs,
}

impl Gathered {
    fn new(directory: &Path, header: Arc<StreamHeader>, options: BuilderOptions) -> Result<Self> {
        let rules = MergeRules::new(header, options.write.partitioner.clone());
        let rules = Arc::new(rules);
        Ok(Gathered {
            stats: EncodingStatsCollector::default(),
            sorter: Sorter::new(rules.clone(), directory, options.memory),
            outputs: Outputs::new(directory, rules.header().clone(), options)?,
            rules,
        })
    }

    /// Writes all that was gathered; SSTables that are begun get these bases.
    fn write(&mut self, stats: EncodingStats) -> Result<()> {
        let outputs = &mut self.outputs;
        self.sorter
            .drain(|source| outputs.append_all(source, stats))
    }
}

impl ChangeSink for Gathered {
    fn delete_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()> {
        self.stats.deletion(deletion);
        self.sorter.add_partition(key, deletion)
    }

    #[inline]
    fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()> {
        self.stats.row(row);
        self.sorter.add_row(key, row)
    }

    fn delete_range(&mut self, key: &[u8], slice: &Slice, deletion: DeletionTime) -> Result<()> {
        if is_empty(self.rules.comparator(), slice) {
            return Ok(());
        }
        self.stats.deletion(deletion);
        self.sorter.add_range(key, slice, deletion)
    }
}

pub(crate) fn is_empty(comparator: &ClusteringComparator, slice: &Slice) -> bool {
    comparator.compare_bounds(&slice.start, &slice.end).is_ge()
}

/// Takes rows in any order, in a fixed memory.
pub struct UnsortedBuilder(Gathered);

impl UnsortedBuilder {
    /// SSTables of `header`'s columns in `directory`, which must exist; temporary files are made there too.
    ///
    /// # Errors
    /// `InvalidInput` for options that make no sense, `NotFound` and `Io` for a directory that cannot be used.
    pub fn create(
        directory: &Path,
        header: Arc<StreamHeader>,
        options: BuilderOptions,
    ) -> Result<Self> {
        Ok(UnsortedBuilder(Gathered::new(directory, header, options)?))
    }

    /// Writes everything. Without any row there is no SSTable.
    ///
    /// # Errors
    /// `Io`, and `InvalidInput` for what the format cannot hold; no SSTable is left then.
    pub fn finish(self) -> Result<Vec<Written>> {
        let mut gathered = self.0;
        if gathered.sorter.is_empty() {
            return Ok(Vec::new());
        }
        gathered.outputs.expect(gathered.sorter.partitions()?);
        gathered.write(gathered.stats.stats())?;
        gathered.outputs.finish()
    }
}

impl ChangeSink for UnsortedBuilder {
    fn delete_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()> {
        self.0.delete_partition(key, deletion)
    }

    #[inline]
    fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()> {
        self.0.add_row(key, row)
    }

    fn delete_range(&mut self, key: &[u8], slice: &Slice, deletion: DeletionTime) -> Result<()> {
        self.0.delete_range(key, slice, deletion)
    }
}

/// Takes partitions in the order of their tokens, the rows of each in any order. What is complete is written at once.
pub struct SortedBuilder {
    gathered: Gathered,
    /// The present partition, as long as its rows come in order and nothing else waits to be written.
    held: Held,
    is_holding: bool,
    has_partition: bool,
}

impl SortedBuilder {
    /// SSTables of `header`'s columns in `directory`, which must exist. Partitions above the memory of the options are
    /// sorted in temporary files there.
    ///
    /// # Errors
    /// As of [`UnsortedBuilder::create`].
    pub fn create(
        directory: &Path,
        header: Arc<StreamHeader>,
        options: BuilderOptions,
    ) -> Result<Self> {
        let gathered = Gathered::new(directory, header, options)?;
        Ok(SortedBuilder {
            held: Held::new(gathered.rules.clone()),
            gathered,
            is_holding: false,
            has_partition: false,
        })
    }

    /// Writes what is left. Without any row there is no SSTable.
    ///
    /// # Errors
    /// As of [`UnsortedBuilder::finish`].
    pub fn finish(mut self) -> Result<Vec<Written>> {
        self.release()?;
        self.write()?;
        self.gathered.outputs.finish()
    }

    /// Takes the key of a change up, and writes the partitions before it once they are many.
    #[inline]
    fn enter(&mut self, key: &[u8]) -> Result<()> {
        let last = self.held.key();
        if self.has_partition && last.key == key {
            return Ok(());
        }
        let rules = &self.gathered.rules;
        let key = rules.partitioner().decorate(key);
        if self.has_partition && rules.partitioner().compare_decorated(&last, &key).is_ge() {
            return Err(
                Error::invalid("a partition comes behind one that it must sort before")
                    .advise("partitions come in the order of their tokens; else sort them")
                    .in_partition(key.key),
            );
        }
        self.release()?;
        let sorter = &self.gathered.sorter;
        if sorter.has_spilled() || sorter.buffered() >= BATCH_BYTES {
            self.write()?;
        }
        self.held.begin(&key);
        self.has_partition = true;
        // The first SSTable begins when there are rows enough to take its bases from.
        self.is_holding = self.gathered.sorter.is_empty()
            && self.gathered.outputs.has_started()
            && key.key.len() <= PARTITION_KEY_BYTES_MAX;
        Ok(())
    }

    /// Writes the partition that is held.
    #[inline]
    fn release(&mut self) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let stats = self.bases();
        self.gathered.outputs.append(&mut self.held, stats)?;
        self.held.clear();
        Ok(())
    }

    /// Has the present partition sorted after all.
    #[cold]
    fn stop_holding(&mut self) -> Result<()> {
        self.is_holding = false;
        let head = self.held.partition();
        if let Some(row) = head.static_row {
            self.gathered.sorter.add_row(head.key, row)?;
        }
        while self.held.next_unfiltered()? {
            if let Unfiltered::Row(row) = self.held.unfiltered() {
                self.gathered.sorter.add_row(self.held.key().key, row)?;
            }
        }
        self.held.clear();
        Ok(())
    }

    /// What comes later may have any expiration: only of timestamps the first ones are a good base.
    fn bases(&self) -> EncodingStats {
        EncodingStats {
            min_timestamp: self.gathered.stats.stats().min_timestamp,
            ..EncodingStats::NONE
        }
    }

    #[cold]
    fn write(&mut self) -> Result<()> {
        self.gathered.write(self.bases())
    }
}

impl ChangeSink for SortedBuilder {
    fn delete_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()> {
        self.enter(key)?;
        self.stop_holding()?;
        self.gathered.delete_partition(key, deletion)
    }

    #[inline]
    fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()> {
        self.enter(key)?;
        if self.is_holding {
            if self.held.take(row) {
                return Ok(());
            }
            self.stop_holding()?;
        }
        self.gathered.add_row(key, row)
    }

    fn delete_range(&mut self, key: &[u8], slice: &Slice, deletion: DeletionTime) -> Result<()> {
        self.enter(key)?;
        self.stop_holding()?;
        self.gathered.delete_range(key, slice, deletion)
    }
}

/// Where a builder's files are.
#[derive(Debug, Clone)]
struct Place {
    directory: PathBuf,
    version: Version,
}
