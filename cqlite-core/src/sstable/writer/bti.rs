//! Partitions.db, and Rows.db with the row indexes of wide partitions.
//!
//! Authority: `...format.bti.BtiTableWriter.IndexWriter`.

use super::index::{Block, PartitionEnd};
use crate::Result;
use crate::io::Output;
use crate::partitioner::Partitioner;
use crate::schema::ClusteringColumn;
use crate::sstable::bti::Target;
use crate::sstable::bti::build::{PartitionsBuilder, RowsBuilder};
use crate::sstable::descriptor::{Component, Descriptor};

/// Writes Partitions.db and Rows.db.
pub(super) struct BtiIndex {
    partitions: PartitionsBuilder,
    partitions_file: Output,
    rows: RowsBuilder,
    rows_file: Output,
}

impl BtiIndex {
    /// Creates both files.
    ///
    /// # Errors
    /// As of [`Output::create`].
    pub fn create(
        descriptor: &Descriptor,
        partitioner: Partitioner,
        clustering: &[ClusteringColumn],
    ) -> Result<Self> {
        Ok(BtiIndex {
            partitions: PartitionsBuilder::new(partitioner),
            partitions_file: Output::create(&descriptor.path(&Component::Partitions))?,
            rows: RowsBuilder::new(clustering),
            rows_file: Output::create(&descriptor.path(&Component::Rows))?,
        })
    }

    /// Takes a block of the present partition.
    ///
    /// # Errors
    /// `Io`; those of [`RowsBuilder::add_block`].
    pub fn block(&mut self, block: &Block<'_>) -> Result<()> {
        self.rows.add_block(
            (block.first.values, block.first.kind),
            (block.last.values, block.last.kind),
            block.start,
            block.open_at_start,
        )?;
        let file = &mut self.rows_file;
        self.rows.pages().spill(|bytes| file.write(bytes))
    }

    /// Takes the present partition.
    ///
    /// # Errors
    /// `Io`; those of [`RowsBuilder::finish_partition`] and [`PartitionsBuilder::add`].
    #[inline]
    pub fn end(&mut self, partition: &PartitionEnd<'_>) -> Result<()> {
        let PartitionEnd {
            key,
            position,
            deletion,
            body_end,
            ..
        } = *partition;
        let entry = self
            .rows
            .finish_partition(key.key, position, body_end, deletion)?;
        let target = match entry {
            Some(entry) => {
                let file = &mut self.rows_file;
                self.rows.pages().spill(|bytes| file.write(bytes))?;
                Target::Rows(entry)
            }
            None => Target::Data(position),
        };
        self.partitions.add(key, target)?;
        let file = &mut self.partitions_file;
        self.partitions.pages().spill(|bytes| file.write(bytes))
    }

    /// Writes what is left, and waits until the disk has it. `first` and `last` are the SSTable's keys. Returns the
    /// bytes of both files.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(mut self, first: &[u8], last: &[u8]) -> Result<u64> {
        let file = &mut self.rows_file;
        self.rows.pages().flush(|bytes| file.write(bytes))?;
        self.partitions.finish(first, last)?;
        let file = &mut self.partitions_file;
        self.partitions.pages().flush(|bytes| file.write(bytes))?;
        Ok(self.rows_file.finish()? + self.partitions_file.finish()?)
    }
}
