//! Where new SSTables go, and what they are written like.
//!
//! Authority: `o.a.c.db.compaction.writers.{CompactionAwareWriter,MaxSSTableSizeWriter}`.

use super::{Watched, keys_of_each};
use crate::Result;
use crate::model::PartitionSource;
use crate::partitioner::Partitioner;
use crate::sstable::component::compression_info::{CompressionInfo, Compressor};
use crate::sstable::component::statistics::{SerializationHeader, Validation};
use crate::sstable::descriptor::naming;
use crate::sstable::index::PartitionIndex;
use crate::sstable::{
    CompressionOptions, Descriptor, SSTable, SSTableWriter, Transaction, Version, WriteOptions,
    Written,
};
use std::path::Path;
use std::sync::Arc;

/// Is told now and then how many rows and markers were read; an error of its ends the work.
pub type Watch<'a> = dyn FnMut(u64) -> Result<()> + 'a;

/// How the compression of the input becomes that of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompressionChange {
    /// As the input's.
    Keep,
    /// Plain bytes.
    Without,
    /// Another algorithm, with its defaults.
    With(Compressor),
    /// Just so.
    As(CompressionOptions),
}

/// Where new SSTables go.
#[derive(Debug, Clone)]
pub struct Destination<'a> {
    /// The directory.
    pub directory: &'a Path,
    /// The version they are of.
    pub version: Version,
    /// How they are compressed.
    pub compression: CompressionChange,
    /// Uncompressed bytes of a chunk; `None` for those of the input, or 16 KiB.
    pub chunk_length: Option<u32>,
    /// Bytes of Data.db from which on the next partition goes to the next SSTable.
    pub max_sstable_size: Option<u64>,
    /// What the transaction's log calls the work.
    pub operation: &'static str,
}

impl Destination<'_> {
    /// What is written like `input`, as far as nothing else is asked for.
    pub(crate) fn options(&self, input: &SSTable) -> Result<WriteOptions> {
        let min_index_interval = match input.partition_index()? {
            Some(PartitionIndex::Big { primary, .. }) => {
                primary.summary().map(|s| s.min_index_interval())
            }
            _ => None,
        };
        Ok(self.options_like(
            input.data().compression(),
            input.statistics().validation.as_ref(),
            input.partitioner(),
            min_index_interval,
        ))
    }

    /// What is written like an SSTable of which these are parts, as far as nothing else is asked for.
    pub(crate) fn options_like(
        &self,
        compression: Option<&CompressionInfo>,
        validation: Option<&Validation>,
        partitioner: &Partitioner,
        min_index_interval: Option<u32>,
    ) -> WriteOptions {
        let of_input = compression.map(|info| CompressionOptions {
            compressor: info.compressor(),
            options: info.options().to_vec(),
            chunk_length: info.chunk_length(),
            max_compressed_length: info.max_compressed_length(),
        });
        let mut compression = match (&self.compression, of_input) {
            (CompressionChange::Keep, of_input) => of_input,
            (CompressionChange::Without, _) => None,
            (CompressionChange::As(options), _) => Some(options.clone()),
            (CompressionChange::With(compressor), Some(old)) if old.compressor == *compressor => {
                Some(old)
            }
            (CompressionChange::With(compressor), _) => Some(CompressionOptions {
                compressor: *compressor,
                ..CompressionOptions::default()
            }),
        };
        if let (Some(compression), Some(length)) = (&mut compression, self.chunk_length) {
            // The same share of a chunk.
            let (old, most) = (compression.chunk_length, compression.max_compressed_length);
            if most <= old && old > 0 {
                let most = u64::from(most) * u64::from(length) / u64::from(old);
                compression.max_compressed_length = most as u32;
            }
            compression.chunk_length = length;
        }
        let default = WriteOptions::default();
        WriteOptions {
            partitioner: partitioner.clone(),
            compression,
            bloom_filter_fp_chance: validation
                .map_or(default.bloom_filter_fp_chance, |v| v.bloom_filter_fp_chance),
            min_index_interval: min_index_interval.unwrap_or(default.min_index_interval),
            ..default
        }
    }

    /// Writes all partitions of `source`, which come of `inputs`.
    pub(super) fn write<S: PartitionSource>(
        &self,
        source: &mut S,
        header: SerializationHeader,
        mut options: WriteOptions,
        inputs: &[Arc<SSTable>],
        transaction: &mut Transaction,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<Written>> {
        if let Some(size) = self.max_sstable_size {
            options.estimated_keys = keys_of_each(&options, inputs, size)?;
        }
        let stream = source.header().clone();
        let mut source = Watched {
            source,
            watch,
            rows: 0,
        };
        let mut written = Vec::new();
        let mut writer: Option<SSTableWriter> = None;
        while source.next_partition()? {
            if let (Some(present), Some(size)) = (&mut writer, self.max_sstable_size)
                && present.is_longer_than(size)?
                && let Some(full) = writer.take()
            {
                written.extend(full.finish()?);
            }
            let present = match &mut writer {
                Some(writer) => writer,
                none => {
                    let _naming = naming();
                    none.insert(SSTableWriter::create_in(
                        transaction,
                        Descriptor::next(self.directory, self.version)?,
                        &header,
                        &stream,
                        options.clone(),
                    )?)
                }
            };
            present.append(&mut source)?;
        }
        if let Some(last) = writer {
            written.extend(last.finish()?);
        }
        Ok(written)
    }
}
