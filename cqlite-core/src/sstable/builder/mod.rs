//! Makes SSTables of a table from rows and deletions that come one at a time.
//!
//! Authority: `o.a.c.io.sstable.{SSTableSimpleWriter,SSTableSimpleUnsortedWriter,AbstractSSTableSimpleWriter}`.
//!
//! ```text
//! rows, deletions -> record (bytes) -> sort (memory, runs on disk) -> source (the one stream) -> SSTableWriter
//! ```
//! A builder that is dropped leaves nothing behind, and so does one that fails.

mod output;
pub(crate) mod record;
mod run;
pub(crate) mod sort;
pub(crate) mod source;
mod table;
#[cfg(test)]
pub(crate) mod tests;

use self::output::Outputs;
pub(crate) use self::sort::Sorter;
use super::component::statistics::{EncodingStats, EncodingStatsCollector};
use super::version::Version;
use super::writer::{WriteOptions, Written};
use crate::merge::MergeRules;
use crate::model::{ClusteringComparator, DeletionTime, RowRef, Slice, StreamHeader};
use crate::partitioner::{DecoratedKey, Token};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Memory of an [`UnsortedBuilder`] unless told otherwise, in bytes.
pub const MEMORY_BYTES: usize = 64 << 20;

/// Bytes of complete partitions that a [`SortedBuilder`] gathers before it writes them.
const BATCH_BYTES: usize = 256 * 1024;

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

/// Takes rows in any order, in a fixed memory.
pub struct UnsortedBuilder {
    sorter: Sorter,
    comparator: ClusteringComparator,
    stats: EncodingStatsCollector,
    outputs: Outputs,
}

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
        let rules = MergeRules::new(header, options.write.partitioner.clone());
        let rules = Arc::new(rules);
        Ok(UnsortedBuilder {
            comparator: rules.comparator().clone(),
            stats: EncodingStatsCollector::default(),
            sorter: Sorter::new(rules.clone(), directory, options.memory),
            outputs: Outputs::new(directory, rules.header().clone(), options)?,
        })
    }

    /// Writes everything. Without any row there is no SSTable.
    ///
    /// # Errors
    /// `Io`, and `InvalidInput` for what the format cannot hold; no SSTable is left then.
    pub fn finish(mut self) -> Result<Vec<Written>> {
        if self.sorter.is_empty() {
            return Ok(Vec::new());
        }
        let partitions = self.sorter.partitions()?;
        self.outputs.expect(partitions);
        let stats = self.stats.stats();
        let outputs = &mut self.outputs;
        self.sorter
            .drain(|source| outputs.append_all(source, stats))?;
        self.outputs.finish()
    }
}

impl ChangeSink for UnsortedBuilder {
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
        if is_empty(&self.comparator, slice) {
            return Ok(());
        }
        self.stats.deletion(deletion);
        self.sorter.add_range(key, slice, deletion)
    }
}

pub(crate) fn is_empty(comparator: &ClusteringComparator, slice: &Slice) -> bool {
    comparator.compare_bounds(&slice.start, &slice.end).is_ge()
}

/// Takes partitions in the order of their tokens, the rows of each in any order. What is complete is written at once.
pub struct SortedBuilder {
    sorter: Sorter,
    comparator: ClusteringComparator,
    stats: EncodingStatsCollector,
    outputs: Outputs,
    rules: Arc<MergeRules>,
    last: Option<LastKey>,
}

struct LastKey {
    key: Vec<u8>,
    /// Its token, unless that is the key itself.
    token: Option<Token<'static>>,
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
        let rules = MergeRules::new(header, options.write.partitioner.clone());
        let rules = Arc::new(rules);
        Ok(SortedBuilder {
            comparator: rules.comparator().clone(),
            stats: EncodingStatsCollector::default(),
            sorter: Sorter::new(rules.clone(), directory, options.memory),
            outputs: Outputs::new(directory, rules.header().clone(), options)?,
            rules,
            last: None,
        })
    }

    /// Writes what is left. Without any row there is no SSTable.
    ///
    /// # Errors
    /// As of [`UnsortedBuilder::finish`].
    pub fn finish(mut self) -> Result<Vec<Written>> {
        self.drain()?;
        self.outputs.finish()
    }

    /// Takes the key of a change up, and writes the partitions before it once they are many.
    #[inline]
    fn enter(&mut self, key: &[u8]) -> Result<()> {
        match &self.last {
            Some(last) if last.key == key => return Ok(()),
            _ => {}
        }
        let DecoratedKey { token, .. } = self.rules.partitioner().decorate(key);
        let owned = match token {
            Token::Long(token) => Some(Token::Long(token)),
            Token::Big(token) => Some(Token::Big(token)),
            Token::Bytes(_) => None,
        };
        match &mut self.last {
            Some(last) => {
                let last_token = last.token.unwrap_or(Token::Bytes(&last.key));
                let order = self.rules.partitioner().compare_tokens(last_token, token);
                if order.then_with(|| last.key.as_slice().cmp(key)).is_ge() {
                    return Err(Error::invalid(
                        "a partition comes behind one that it must sort before",
                    )
                    .advise("partitions come in the order of their tokens; else sort them")
                    .in_partition(key));
                }
                last.key.clear();
                last.key.extend_from_slice(key);
                last.token = owned;
            }
            None => {
                self.last = Some(LastKey {
                    key: key.to_vec(),
                    token: owned,
                });
            }
        }
        match self.sorter.has_spilled() || self.sorter.buffered() >= BATCH_BYTES {
            true => self.drain(),
            false => Ok(()),
        }
    }

    #[cold]
    fn drain(&mut self) -> Result<()> {
        // What comes later may have any expiration: only of timestamps the first ones are a good base.
        let stats = EncodingStats {
            min_timestamp: self.stats.stats().min_timestamp,
            ..EncodingStats::NONE
        };
        let outputs = &mut self.outputs;
        self.sorter
            .drain(|source| outputs.append_all(source, stats))
    }
}

impl ChangeSink for SortedBuilder {
    fn delete_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()> {
        self.enter(key)?;
        self.stats.deletion(deletion);
        self.sorter.add_partition(key, deletion)
    }

    #[inline]
    fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()> {
        self.enter(key)?;
        if !self.outputs.has_started() {
            self.stats.row(row);
        }
        self.sorter.add_row(key, row)
    }

    fn delete_range(&mut self, key: &[u8], slice: &Slice, deletion: DeletionTime) -> Result<()> {
        self.enter(key)?;
        if is_empty(&self.comparator, slice) {
            return Ok(());
        }
        self.stats.deletion(deletion);
        self.sorter.add_range(key, slice, deletion)
    }
}

/// Where a builder's files are.
#[derive(Debug, Clone)]
struct Place {
    directory: PathBuf,
    version: Version,
}
