//! Where new SSTables go, and what they are written like.
//!
//! Authority: `o.a.c.db.compaction.writers.{CompactionAwareWriter,MaxSSTableSizeWriter,MajorLeveledCompactionWriter}`,
//! `o.a.c.db.compaction.unified.{ShardedCompactionWriter,ShardedMultiWriter}`.

use super::first_and_last_key;
use super::strategy::{Shards, max_bytes_of_level, tokens_share};
use super::{Watched, keys_of_each};
use crate::Result;
use crate::model::PartitionSource;
use crate::partitioner::{Partitioner, Token};
use crate::sstable::component::compression_info::{CompressionInfo, Compressor};
use crate::sstable::component::statistics::{SerializationHeader, Validation};
use crate::sstable::descriptor::naming;
use crate::sstable::index::PartitionIndex;
use crate::sstable::writer::inputs::estimated_keys;
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

/// Where one output ends and the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// There is one.
    Never,
    /// Before a partition, where Data.db has more bytes than this.
    BySize(u64),
    /// Likewise, and from level 1 on the next level begins where one is full.
    Levels {
        /// Bytes of Data.db.
        max_sstable_bytes: u64,
        /// How much larger than the one before a level is.
        fanout: u64,
    },
    /// At the ends of parts of the ring. How much of the ring each output covers is said in Statistics.db.
    ByShard(Shards),
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
    /// Where one output ends and the next one begins.
    pub split: Split,
    /// What the transaction's log calls the work.
    pub operation: &'static str,
    /// As [`WriteOptions::one_thread`].
    pub one_thread: bool,
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
            one_thread: self.one_thread,
            ..default
        }
    }

    /// Writes all partitions of `source`, which come of `inputs`; of none if they were in memory.
    pub(crate) fn write<S: PartitionSource>(
        &self,
        source: &mut S,
        header: SerializationHeader,
        mut options: WriteOptions,
        inputs: &[Arc<SSTable>],
        transaction: &mut Transaction,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<Written>> {
        let mut splitter = Splitter::new(self.split, &mut options, inputs)?;
        let stream = source.header().clone();
        let mut source = Watched {
            source,
            watch,
            rows: 0,
        };
        let mut written = Vec::new();
        let mut writer: Option<SSTableWriter> = None;
        while source.next_partition()? {
            let token = options.partitioner.token(source.partition().key);
            let ends = splitter.advance(token, writer.as_mut())?;
            if let Some(full) = writer.take_if(|_| ends) {
                written.extend(self.finish(full)?);
            }
            let present = match &mut writer {
                Some(writer) => writer,
                none => {
                    splitter.start(&mut options);
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
            written.extend(self.finish(last)?);
        }
        Ok(written)
    }

    fn finish(&self, mut writer: SSTableWriter) -> Result<Option<Written>> {
        if let Split::ByShard(_) = self.split
            && let Some((Token::Long(first), Token::Long(last))) = writer.first_and_last_token()
        {
            writer.set_token_space_coverage(tokens_share(first, last));
        }
        writer.finish()
    }
}

/// Tells where the next output begins.
struct Splitter {
    split: Split,
    /// Level of the present output, and bytes of those of the level before it.
    level: i32,
    level_bytes: u64,
    /// The present shard, and its last token.
    shard: Option<u32>,
    shard_end: Option<i64>,
    /// For each input: keys that it gives to the outputs, about, and its first and last token.
    keys: Vec<(f64, i64, i64)>,
}

impl Splitter {
    fn new(split: Split, options: &mut WriteOptions, inputs: &[Arc<SSTable>]) -> Result<Self> {
        let mut keys = Vec::new();
        match split {
            Split::Never => {}
            Split::BySize(size) => options.estimated_keys = keys_of_each(options, inputs, size)?,
            Split::Levels {
                max_sstable_bytes, ..
            } => {
                let bytes = inputs.iter().map(|input| input.data().source().len());
                let count = (bytes.sum::<u64>() / max_sstable_bytes.max(1)).max(1);
                options.estimated_keys = (options.estimated_keys / count).max(1);
            }
            // Authority: `o.a.c.db.compaction.unified.ShardedMultiWriter.forSplittingKeysBy`.
            Split::ByShard(shards) if inputs.is_empty() => {
                let each = options.estimated_keys / u64::from(shards.count());
                let all = each as f64 * f64::from(shards.count());
                keys.push((all, i64::MIN, i64::MAX));
            }
            Split::ByShard(_) => {
                for input in inputs {
                    let ends = first_and_last_key(input)?;
                    let token = |key: &[u8]| match input.partitioner().token(key) {
                        Token::Long(token) => Some(token),
                        _ => None,
                    };
                    let ends = ends.and_then(|(a, b)| Some((token(&a)?, token(&b)?)));
                    let (first, last) = ends.unwrap_or((i64::MIN, i64::MAX));
                    keys.push((estimated_keys(input)? as f64, first, last));
                }
                let all: f64 = keys.iter().map(|(keys, ..)| keys).sum();
                let unique = options.estimated_keys as f64 / all.max(1.0);
                keys.iter_mut().for_each(|(keys, ..)| *keys *= unique);
            }
        }
        Ok(Splitter {
            split,
            level: options.provenance.level,
            level_bytes: 0,
            shard: None,
            shard_end: None,
            keys,
        })
    }

    /// Whether the present output ends before a partition of this token.
    fn advance(&mut self, token: Token<'_>, writer: Option<&mut SSTableWriter>) -> Result<bool> {
        match (self.split, writer) {
            (Split::BySize(size), Some(writer)) => writer.is_longer_than(size),
            (
                Split::Levels {
                    max_sstable_bytes: size,
                    fanout,
                },
                Some(writer),
            ) => {
                if !writer.is_longer_than(size)? {
                    return Ok(false);
                }
                // Its chunks are full at some bytes more.
                self.level_bytes = self.level_bytes.saturating_add(size);
                let level = usize::try_from(self.level).unwrap_or(0);
                if self.level_bytes > max_bytes_of_level(level, fanout, size) {
                    self.level_bytes = 0;
                    self.level = (self.level + 1).min(LEVEL_MAX);
                }
                Ok(true)
            }
            (Split::ByShard(shards), _) => {
                let Token::Long(token) = token else {
                    return Ok(false);
                };
                if self.shard.is_some() && self.shard_end.is_none_or(|end| token <= end) {
                    return Ok(false);
                }
                let shard = shards.of(token);
                self.shard_end = shards.end(shard);
                Ok(self.shard.replace(shard).is_some())
            }
            _ => Ok(false),
        }
    }

    /// What the next output is written with.
    fn start(&self, options: &mut WriteOptions) {
        options.provenance.level = self.level;
        if let (Split::ByShard(shards), Some(shard)) = (self.split, self.shard) {
            let keys = self.keys.iter();
            let keys: f64 = keys
                .map(|(keys, first, last)| keys * shards.share(shard, *first, *last))
                .sum();
            options.estimated_keys = (keys.round() as u64).max(1);
        }
    }
}

/// The highest level of leveled compaction.
const LEVEL_MAX: i32 = 8;
