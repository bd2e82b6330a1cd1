//! The SSTables that a builder writes: one behind the other, and live together.

use super::{BuilderOptions, Place};
use crate::Result;
use crate::model::{PartitionSource, StreamHeader};
use crate::sstable::component::statistics::{EncodingStats, SerializationHeader};
use crate::sstable::descriptor::Descriptor;
use crate::sstable::transaction::Transaction;
use crate::sstable::writer::{SSTableWriter, WriteOptions, Written};
use std::path::Path;
use std::sync::Arc;

/// Writes SSTables in one transaction.
pub(super) struct Outputs {
    place: Place,
    header: Arc<StreamHeader>,
    options: WriteOptions,
    max_size: u64,
    watch: fn() -> Result<()>,
    written: Vec<Written>,
    /// Before the transaction, for its files are closed before they are deleted.
    writer: Option<SSTableWriter>,
    transaction: Transaction,
}

impl Outputs {
    pub fn new(
        directory: &Path,
        header: Arc<StreamHeader>,
        options: BuilderOptions,
    ) -> Result<Self> {
        let operation = options.write.operation;
        Ok(Outputs {
            transaction: Transaction::begin(directory, options.version, operation)?,
            place: Place {
                directory: directory.to_owned(),
                version: options.version,
            },
            header,
            options: options.write,
            max_size: options.max_size.unwrap_or(u64::MAX),
            watch: options.watch,
            written: Vec::new(),
            writer: None,
        })
    }

    /// So many partitions will come.
    pub fn expect(&mut self, partitions: u64) {
        self.options.estimated_keys = partitions.max(1);
    }

    /// Whether anything was written.
    pub fn has_started(&self) -> bool {
        self.writer.is_some() || !self.written.is_empty()
    }

    /// Writes all partitions of `source`; SSTables that are begun get these bases.
    pub fn append_all(
        &mut self,
        source: &mut dyn PartitionSource,
        stats: EncodingStats,
    ) -> Result<()> {
        while source.next_partition()? {
            self.append(source, stats)?;
        }
        Ok(())
    }

    /// Writes the partition that `source` stands on; an SSTable that is begun gets these bases.
    pub fn append<S: PartitionSource + ?Sized>(
        &mut self,
        source: &mut S,
        stats: EncodingStats,
    ) -> Result<()> {
        (self.watch)()?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(SSTableWriter::create_in(
                &mut self.transaction,
                Descriptor::next(&self.place.directory, self.place.version)?,
                &SerializationHeader::of_stream(&self.header, stats),
                &self.header,
                self.options.clone(),
            )?),
        };
        writer.append(source)?;
        if writer.is_longer_than(self.max_size)?
            && let Some(writer) = self.writer.take()
        {
            self.written.extend(writer.finish()?);
        }
        Ok(())
    }

    /// Completes the last SSTable, and makes all of them live.
    pub fn finish(mut self) -> Result<Vec<Written>> {
        if let Some(writer) = self.writer.take() {
            self.written.extend(writer.finish()?);
        }
        self.transaction.commit()?;
        Ok(self.written)
    }
}
