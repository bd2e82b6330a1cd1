//! What an SSTable is written with besides its rows.
//!
//! Authority: `o.a.c.schema.{CompressionParams,TableParams}`, `o.a.c.io.sstable.metadata.MetadataCollector`.

use super::SSTableWriter;
use super::chunks::zstd_level;
use super::stats::Provenance;
use crate::limits::CHUNK_LENGTH_BYTES_MAX;
use crate::partitioner::Partitioner;
use crate::sstable::component::compression_info::Compressor;
use crate::sstable::version::Format;
use crate::{Error, Result};

/// How Data.db is compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressionOptions {
    /// The algorithm.
    pub compressor: Compressor,
    /// The algorithm's own options, as CompressionInfo.db keeps them: `compression_level` of Zstd; `lz4_compressor_type`, which
    /// is `fast` or `high`, and `lz4_high_compressor_level` of LZ4.
    pub options: Vec<(String, String)>,
    /// Uncompressed bytes of a chunk, a power of two.
    pub chunk_length: u32,
    /// Chunks whose compressed length in bytes would reach this are stored raw; `i32::MAX` if none is.
    pub max_compressed_length: u32,
}

impl Default for CompressionOptions {
    fn default() -> Self {
        CompressionOptions {
            compressor: Compressor::Lz4,
            options: Vec::new(),
            chunk_length: 16 * 1024,
            max_compressed_length: i32::MAX as u32,
        }
    }
}

impl CompressionOptions {
    /// Stores chunks raw that do not shrink by `ratio` at least, the table's `min_compress_ratio`; 0 to store none so.
    pub fn with_min_compress_ratio(mut self, ratio: f64) -> Self {
        // A ratio of zero gives infinity, which the cast saturates.
        let length = (f64::from(self.chunk_length) / ratio).ceil();
        self.max_compressed_length = length.min(f64::from(i32::MAX)) as u32;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let length = self.chunk_length;
        if !length.is_power_of_two() || length > CHUNK_LENGTH_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a chunk length of {length} bytes is no power of two up to {CHUNK_LENGTH_BYTES_MAX}"
            )));
        }
        let most = self.max_compressed_length;
        if most > length && most != i32::MAX as u32 {
            return Err(Error::invalid(format!(
                "chunks of {length} bytes cannot be stored raw from {most} bytes on"
            ))
            .advise("`min_compress_ratio` is 0, or 1 and more"));
        }
        let known = self.compressor.option_names();
        let class = self.compressor.class_name();
        for (name, value) in &self.options {
            if !known.contains(&name.as_str()) {
                return Err(
                    Error::invalid(format!("`{name}` is no option of {class}")).advise(
                        match known {
                            [] => "it has none".to_owned(),
                            _ => format!("it has {}", known.join(" and ")),
                        },
                    ),
                );
            }
            let is_good = match name.as_str() {
                "lz4_compressor_type" => matches!(value.as_str(), "fast" | "high"),
                "lz4_high_compressor_level" => matches!(value.parse(), Ok(1..=17)),
                "compression_level" => zstd_level(&self.options).map(|_| true)?,
                _ => true,
            };
            if !is_good {
                return Err(Error::invalid(format!(
                    "`{value}` makes no sense as {name} of {class}"
                ))
                .advise("the type is `fast` or `high`, the level from 1 to 17"));
            }
        }
        Ok(())
    }
}

/// What an SSTable is written with. The version is that of its name.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// How keys become tokens, by whose order they come.
    pub partitioner: Partitioner,
    /// `None` writes plain bytes, and CRC.db.
    pub compression: Option<CompressionOptions>,
    /// The share of absent keys that the bloom filter lets through; 1 for no filter.
    pub bloom_filter_fp_chance: f64,
    /// How many partitions the bloom filter is sized for.
    pub estimated_keys: u64,
    /// Bytes of rows from which on a block of the row index ends; `None` for Cassandra's default of the format.
    pub column_index_size: Option<u32>,
    /// Keys that one entry of Summary.db stands for: the table's `min_index_interval`.
    pub min_index_interval: u32,
    /// What Statistics.db is to say beside the rows; the compression ratio is filled in.
    pub provenance: Provenance,
    /// What the transaction log calls the work: `write`, `compaction`, `flush`. Lower-case letters.
    pub operation: &'static str,
    /// Chunks are compressed and written by the thread that makes the rows: in the background the other cores are somebody's.
    pub one_thread: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions {
            partitioner: Partitioner::Murmur3,
            compression: Some(CompressionOptions::default()),
            bloom_filter_fp_chance: 0.01,
            estimated_keys: 1,
            column_index_size: None,
            min_index_interval: 128,
            provenance: Provenance::default(),
            operation: "write",
            one_thread: false,
        }
    }
}

impl WriteOptions {
    /// Bytes from which on a block of the row index ends.
    pub(super) fn block_bytes(&self, format: Format) -> u64 {
        u64::from(self.column_index_size.unwrap_or(match format {
            Format::Big => 64 * 1024,
            Format::Bti => 16 * 1024,
        }))
    }

    /// Whether SSTables can be written so.
    ///
    /// # Errors
    /// `InvalidInput`, naming what makes no sense.
    pub fn check(&self) -> Result<()> {
        if let Some(compression) = &self.compression {
            compression.check()?;
        }
        if self.min_index_interval == 0 || self.min_index_interval > i32::MAX as u32 {
            return Err(Error::invalid(
                "a `min_index_interval` of 0 or too many keys",
            ));
        }
        Ok(())
    }
}

impl SSTableWriter {
    /// The SSTable will not be taken for repaired, whatever its options said: something that was repaired is missing in it.
    pub fn set_unrepaired(&mut self) {
        self.options.provenance.repaired_at = 0;
        self.options.provenance.pending_repair = None;
    }

    /// The SSTable covers this share of the ring.
    pub fn set_token_space_coverage(&mut self, share: f64) {
        self.options.provenance.token_space_coverage = share;
    }
}
