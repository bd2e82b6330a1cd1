//! Index.db, with the promoted indexes of wide partitions, and Summary.db.
//!
//! Authority: `...format.big.{BigTableWriter.IndexWriter,BigFormatPartitionWriter,RowIndexEntry}`,
//! `o.a.c.io.sstable.{IndexInfo,indexsummary.IndexSummaryBuilder}`, `...format.big.IndexSummaryComponent`.

use super::index::{Block, PartitionEnd};
use crate::bytes::Sink;
use crate::io::{Output, Spill};
use crate::sstable::data::clustering::write_prefix;
use crate::sstable::data::deletion::write_deletion_time;
use crate::sstable::descriptor::{Component, Descriptor};
use crate::{Error, Result};

/// Subtracted from every width, whatever size of blocks was configured.
const WIDTH_BASE: i64 = 64 * 1024;

/// Bytes of a promoted index that are kept in memory.
const PROMOTED_BYTES: usize = 1 << 20;

/// Bytes of a summary that are kept in memory.
const SUMMARY_BYTES: usize = 4 << 20;

/// The sampling level of a summary that nothing was taken from.
const FULL_SAMPLING: i32 = 128;

/// Writes Index.db and Summary.db.
pub(super) struct BigIndex {
    index: Output,
    summary: SummaryBuilder,
    has_uint_deletion_time: bool,
    clustering_fixed: Vec<Option<u32>>,
    /// The blocks of the present partition, and where each starts among them.
    blocks: Spill,
    offsets: Spill,
    block_count: u64,
    /// Memory for what precedes the blocks.
    head: Vec<u8>,
}

impl BigIndex {
    /// Creates Index.db. `clustering_fixed` are the lengths of the clustering columns' values.
    ///
    /// # Errors
    /// As of [`Output::create`].
    pub fn create(
        descriptor: &Descriptor,
        clustering_fixed: &[Option<u32>],
        min_index_interval: u32,
    ) -> Result<Self> {
        let temporary = |name: &str| {
            let name = Component::Custom(format!("{name}.tmp"));
            descriptor.path(&name)
        };
        Ok(BigIndex {
            index: Output::create(&descriptor.path(&Component::Index))?,
            summary: SummaryBuilder {
                path: descriptor.path(&Component::Summary),
                offsets: Spill::new(temporary("Summary_offsets.db"), SUMMARY_BYTES),
                entries: Spill::new(temporary("Summary_entries.db"), SUMMARY_BYTES),
                interval: min_index_interval,
                keys: 0,
                skip: 0,
            },
            has_uint_deletion_time: descriptor.version.has_uint_deletion_time(),
            clustering_fixed: clustering_fixed.to_vec(),
            blocks: Spill::new(temporary("Index_blocks.db"), PROMOTED_BYTES),
            offsets: Spill::new(temporary("Index_offsets.db"), PROMOTED_BYTES),
            block_count: 0,
            head: Vec::new(),
        })
    }

    /// Takes a block of the present partition.
    ///
    /// # Errors
    /// `Io`; `InvalidInput` for a deletion that the format cannot hold, or too many blocks.
    pub fn block(&mut self, block: &Block<'_>) -> Result<()> {
        let offset = i32::try_from(self.blocks.len()).map_err(|_| too_many_blocks())?;
        self.offsets.buffer().put_i32(offset);
        self.offsets.settle()?;
        self.block_count += 1;
        let out = self.blocks.buffer();
        let fixed = &self.clustering_fixed;
        write_prefix(out, block.first.kind, block.first.values, fixed)?;
        write_prefix(out, block.last.kind, block.last.values, fixed)?;
        out.put_uvint(block.start);
        out.put_svint((block.end - block.start) as i64 - WIDTH_BASE);
        let open = block.open_at_end;
        out.put_bool(!open.is_live());
        if !open.is_live() {
            write_deletion_time(out, open, self.has_uint_deletion_time)?;
        }
        self.blocks.settle()
    }

    /// Takes the present partition.
    ///
    /// # Errors
    /// As of [`block`](Self::block).
    pub fn end(&mut self, partition: &PartitionEnd<'_>) -> Result<()> {
        let key = partition.key.key;
        self.summary.add(key, self.index.position())?;
        self.index.put_short_bytes(key)?;
        self.index.put_uvint(partition.position);
        // A single block tells nothing that the partition's position does not.
        if self.block_count < 2 {
            self.index.put_uvint(0);
        } else {
            let head = &mut self.head;
            head.clear();
            head.put_uvint(partition.header_length);
            write_deletion_time(head, partition.deletion, self.has_uint_deletion_time)?;
            head.put_uvint(self.block_count);
            let size = head.len() as u64 + self.blocks.len() + self.offsets.len();
            let size = i32::try_from(size).map_err(|_| too_many_blocks())?;
            self.index.put_uvint32(size);
            self.index.write(head)?;
            self.blocks.drain_into(&mut self.index)?;
            self.offsets.drain_into(&mut self.index)?;
        }
        if self.block_count > 0 {
            self.blocks.clear();
            self.offsets.clear();
            self.block_count = 0;
        }
        self.index.settle()
    }

    /// Writes what is left and Summary.db, and waits until the disk has them. Returns their bytes.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(self, first: &[u8], last: &[u8]) -> Result<u64> {
        Ok(self.index.finish()? + self.summary.finish(first, last)?)
    }
}

#[cold]
fn too_many_blocks() -> Error {
    Error::invalid("the promoted index of the partition is over 2 GiB long, which cannot be stored")
        .advise("take a larger `column_index_size`, or version `da`")
}

/// Samples the keys of Index.db.
struct SummaryBuilder {
    path: std::path::PathBuf,
    /// Where each entry starts among the entries: i32, little-endian.
    offsets: Spill,
    entries: Spill,
    interval: u32,
    keys: u64,
    /// Keys until the next one that is sampled.
    skip: u32,
}

impl SummaryBuilder {
    /// Takes the key of the entry at `position` of Index.db.
    #[inline]
    fn add(&mut self, key: &[u8], position: u64) -> Result<()> {
        self.keys += 1;
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        self.skip = self.interval - 1;
        self.sample(key, position)
    }

    fn sample(&mut self, key: &[u8], position: u64) -> Result<()> {
        let offset = self.entries.len();
        // The rest of Index.db is then searched from the last entry on, as Cassandra does it.
        if offset + key.len() as u64 + 8 > i32::MAX as u64 {
            return Ok(());
        }
        self.offsets.buffer().put(&(offset as u32).to_le_bytes());
        self.offsets.settle()?;
        let entries = self.entries.buffer();
        entries.put(key);
        entries.put(&position.to_le_bytes());
        self.entries.settle()
    }

    fn finish(mut self, first: &[u8], last: &[u8]) -> Result<u64> {
        let mut out = Output::create(&self.path)?;
        let count = self.offsets.len() / 4;
        out.put_u32(self.interval);
        out.put_u32(count as u32);
        out.put_u64(self.offsets.len() + self.entries.len());
        out.put_i32(FULL_SAMPLING);
        out.put_u32(self.keys.div_ceil(self.interval.into()) as u32);
        // On disk offsets count from their own start.
        let base = self.offsets.len() as u32;
        self.offsets.drain(|piece| {
            for offset in piece.as_chunks::<4>().0 {
                out.put(&(u32::from_le_bytes(*offset) + base).to_le_bytes());
            }
            out.settle()
        })?;
        self.entries.drain_into(&mut out)?;
        out.put_int_bytes(first)?;
        out.put_int_bytes(last)?;
        out.finish()
    }
}
