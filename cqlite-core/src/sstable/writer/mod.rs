//! Writes partitions as a complete SSTable that Cassandra takes as its own.
//!
//! Authority: `o.a.c.io.sstable.format.{SSTableWriter,SortedTableWriter,SortedTablePartitionWriter}`.
//!
//! ```text
//! partitions -> encode -> chunks      -> Data.db, CompressionInfo.db or CRC.db, Digest.crc32
//!                |-> index (big, bti) -> Index.db and Summary.db, or Partitions.db and Rows.db
//!                `-> stats            -> Statistics.db, Filter.db
//! ```
//!
//! A transaction log announces the files before the first of them exists, and is deleted when the disk has all of them:
//! neither Cassandra nor this library takes half of an SSTable for one.

mod big;
mod bti;
mod chunks;
mod columns;
pub(crate) mod encode;
mod index;
pub mod inputs;
mod options;
pub mod stats;
#[cfg(test)]
mod tests;

pub use options::{CompressionOptions, WriteOptions};
pub use stats::Provenance;

use self::big::BigIndex;
use self::bti::BtiIndex;
use self::chunks::DataSink;
use self::columns::ColumnMapping;
use self::encode::Encoder;
use self::index::{Block, Index, PartitionEnd, Prefix};
use self::stats::StatsCollector;
use super::component::filter::{FilterBuilder, FilterSize};
use super::component::statistics::{SerializationHeader, Validation};
use super::descriptor::{Component, Descriptor};
use super::reader::stream_of;
use super::transaction::{Transaction, files_of, remove_files};
use super::version::Format;
use crate::io::{Output, sync_directory};
use crate::model::{
    BoundKind, ClusteringComparator, ClusteringRef, DeletionTime, PartitionHead, PartitionSource,
    Span, StreamHeader, Unfiltered,
};
use crate::partitioner::{DecoratedKey, OwnedKey, Partitioner, Token};
use crate::types::CqlType;
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Writes one SSTable. What is not [finished](Self::finish) leaves no file behind.
pub struct SSTableWriter {
    descriptor: Descriptor,
    components: BTreeSet<Component>,
    options: WriteOptions,
    encoder: Encoder,
    mapping: ColumnMapping,
    comparator: ClusteringComparator,
    key_type: CqlType,
    data: DataSink,
    index: Index,
    filter: Option<FilterBuilder>,
    stats: StatsCollector,
    header: SerializationHeader,
    keys: Keys,
    partition: Partition,
    /// An error left a partition half written.
    failed: bool,
    /// The last field, for the files are closed before they are deleted.
    unfinished: Unfinished,
}

/// A finished SSTable.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its name.
    pub descriptor: Descriptor,
    /// Its components.
    pub components: BTreeSet<Component>,
    /// Count of partitions.
    pub partitions: u64,
    /// Bytes of its partitions, uncompressed.
    pub uncompressed: u64,
    /// Length of Data.db in bytes.
    pub on_disk: u64,
}

/// The keys of the partitions.
#[derive(Debug, Default)]
struct Keys {
    count: u64,
    first: Vec<u8>,
    last: OwnedKey,
    present: OwnedKey,
}

/// Where in the present partition the writer is.
#[derive(Debug)]
struct Partition {
    /// Offset of the partition in the data.
    start: u64,
    /// Bytes before the first row or marker.
    header_length: u64,
    deletion: DeletionTime,
    /// Offset, from the partition's start, of the last row or marker.
    previous: u64,
    /// The last row or marker.
    last: PrefixBuf,
    has_last: bool,
    /// Deletion of the range tombstone that is open.
    open: DeletionTime,
    /// First row or marker of the block, and where that starts; nothing between blocks.
    block: PrefixBuf,
    block_start: Option<u64>,
    block_open: DeletionTime,
    block_count: u64,
    /// Bytes from which on a block ends.
    block_bytes: u64,
}

/// A clustering or bound that owns its values, in memory that is used again.
#[derive(Debug)]
struct PrefixBuf {
    kind: BoundKind,
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl PrefixBuf {
    const fn new() -> Self {
        PrefixBuf {
            kind: BoundKind::Clustering,
            bytes: Vec::new(),
            spans: Vec::new(),
        }
    }

    #[inline(always)]
    fn set(&mut self, kind: BoundKind, values: ClusteringRef<'_>) {
        self.kind = kind;
        self.bytes.clear();
        self.spans.clear();
        for value in values.iter() {
            self.spans.push(Span::append(&mut self.bytes, value));
        }
    }

    #[inline(always)]
    fn prefix(&self) -> Prefix<'_> {
        Prefix {
            kind: self.kind,
            values: ClusteringRef::new(&self.bytes, &self.spans),
        }
    }
}

impl SSTableWriter {
    /// Starts an SSTable in a transaction of its own. `header` tells its columns and the bases of its deltas, `stream` the
    /// columns of the partitions that will come, which must be among the header's.
    ///
    /// # Errors
    /// `Unsupported` for a version that is only read; `InvalidInput` for options that make no sense, columns that the
    /// header lacks, and an SSTable that exists; `Io` if the directory may not be written.
    pub fn create(
        descriptor: Descriptor,
        header: &SerializationHeader,
        stream: &StreamHeader,
        options: WriteOptions,
    ) -> Result<Self> {
        let transaction =
            Transaction::begin(&descriptor.directory, descriptor.version, options.operation)?;
        let mut own = Some(transaction);
        Self::create_guarded(descriptor, header, stream, options, &mut None, &mut own)
    }

    /// Starts an SSTable that becomes live when `transaction` commits.
    ///
    /// # Errors
    /// As of [`create`](Self::create).
    pub fn create_in(
        transaction: &mut Transaction,
        descriptor: Descriptor,
        header: &SerializationHeader,
        stream: &StreamHeader,
        options: WriteOptions,
    ) -> Result<Self> {
        let mut shared = Some(transaction);
        Self::create_guarded(descriptor, header, stream, options, &mut shared, &mut None)
    }

    fn create_guarded(
        descriptor: Descriptor,
        header: &SerializationHeader,
        stream: &StreamHeader,
        options: WriteOptions,
        shared: &mut Option<&mut Transaction>,
        own: &mut Option<Transaction>,
    ) -> Result<Self> {
        let format = descriptor.format();
        if !descriptor.version.is_writable() {
            let version = descriptor.version;
            return Err(Error::unsupported(format!(
                "SSTables of version `{version}` are not written"
            ))
            .advise("`nb`, `oa` and `da` are"));
        }
        options.check()?;
        let header = header.for_version(descriptor.version);
        let own_columns = stream_of(&header)?;
        let mapping = ColumnMapping::new(stream, &own_columns)?;
        let encoder = Encoder::new(&header, descriptor.version)?;
        if !files_of(&descriptor)?.is_empty() {
            return Err(Error::invalid("the SSTable exists already")
                .advise("nothing is overwritten: choose another directory or id")
                .in_file(&descriptor.path(&Component::Data)));
        }
        let filter = FilterSize::of(options.estimated_keys, options.bloom_filter_fp_chance)?;
        let components = components(&descriptor, &options);
        for transaction in [shared.as_deref_mut(), own.as_mut()].into_iter().flatten() {
            transaction.add(&descriptor, components.len())?;
        }
        let unfinished = Unfinished {
            descriptor: Some(descriptor.clone()),
            transaction: own.take(),
        };
        let data = DataSink::create(
            &descriptor,
            options.compression.as_ref(),
            options.one_thread,
        )?;
        let index = match format {
            Format::Big => Index::Big(BigIndex::create(
                &descriptor,
                encoder.clustering_fixed(),
                options.min_index_interval,
            )?),
            Format::Bti => Index::Bti(BtiIndex::create(
                &descriptor,
                options.partitioner.clone(),
                &own_columns.clustering,
            )?),
        };
        let filter = filter
            .map(|size| FilterBuilder::create(&descriptor.path(&Component::Filter), size))
            .transpose()?;
        Ok(SSTableWriter {
            partition: Partition {
                start: 0,
                header_length: 0,
                deletion: DeletionTime::LIVE,
                previous: 0,
                last: PrefixBuf::new(),
                has_last: false,
                open: DeletionTime::LIVE,
                block: PrefixBuf::new(),
                block_start: None,
                block_open: DeletionTime::LIVE,
                block_count: 0,
                block_bytes: options.block_bytes(format),
            },
            stats: StatsCollector::new(&own_columns),
            comparator: ClusteringComparator::new(&own_columns.clustering),
            key_type: own_columns.key_type,
            keys: Keys::default(),
            failed: false,
            descriptor,
            components,
            options,
            encoder,
            mapping,
            data,
            index,
            filter,
            header,
            unfinished,
        })
    }

    /// Its name.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Uncompressed bytes so far.
    pub fn position(&self) -> u64 {
        self.data.position()
    }

    /// Whether Data.db is longer than this many bytes so far, as far as its chunks are full.
    ///
    /// # Errors
    /// `Io`.
    pub fn is_longer_than(&mut self, length: u64) -> Result<bool> {
        self.data.is_longer_than(length)
    }

    /// Tokens of the first and of the last partition so far; `None` before the first.
    pub fn first_and_last_token(&self) -> Option<(Token<'_>, Token<'_>)> {
        let partitioner = &self.options.partitioner;
        let (first, last) = (&self.keys.first, self.keys.last.bytes());
        (self.keys.count > 0).then(|| (partitioner.token(first), partitioner.token(last)))
    }

    /// Count of partitions so far.
    pub fn partitions(&self) -> u64 {
        self.keys.count
    }

    /// Writes the partition that `source` stands on, to its end. `false` if it says nothing, and nothing was written.
    ///
    /// # Errors
    /// `InvalidInput` for a partition, row or marker that does not sort behind the one before it, and for what the format
    /// cannot hold; `Io`; those of the source. After one nothing more can be written.
    pub fn append<S: PartitionSource + ?Sized>(&mut self, source: &mut S) -> Result<bool> {
        if self.failed {
            return Err(Error::invalid("the SSTable cannot go on after an error")
                .in_file(&self.descriptor.path(&Component::Data)));
        }
        self.failed = true;
        let written = self
            .append_partition(source)
            .map_err(|e| e.in_partition(source.partition().key))?;
        self.failed = false;
        Ok(written)
    }

    /// Writes all partitions that are left of `source`.
    ///
    /// # Errors
    /// As of [`append`](Self::append).
    pub fn append_all<S: PartitionSource + ?Sized>(&mut self, source: &mut S) -> Result<()> {
        while source.next_partition()? {
            self.append(source)?;
        }
        Ok(())
    }

    fn append_partition<S: PartitionSource + ?Sized>(&mut self, source: &mut S) -> Result<bool> {
        let mut more = source.next_unfiltered()?;
        while more && says_nothing(&source.unfiltered()) {
            more = source.next_unfiltered()?;
        }
        let head = source.partition();
        if !more && head.deletion.is_live() && head.static_row.is_none_or(|row| row.is_empty()) {
            return Ok(false);
        }
        self.start_partition(&head, source.key_hash())?;
        while more {
            self.unfiltered(&source.unfiltered())?;
            more = source.next_unfiltered()?;
        }
        self.end_partition()?;
        Ok(true)
    }

    fn start_partition(
        &mut self,
        head: &PartitionHead<'_>,
        hash: Option<(u64, u64)>,
    ) -> Result<()> {
        let out = self.data.buffer();
        // Index tables have keys of no bytes, and of types that their headers do not tell.
        if !matches!(self.options.partitioner, Partitioner::Local(_)) {
            self.key_type
                .validate(head.key)
                .map_err(|e| Error::invalid(format!("the partition key: {}", e.message())))?;
        }
        self.encoder.partition_start(out, head.key, head.deletion)?;
        let partitioner = &self.options.partitioner;
        let key = match hash {
            Some(hash) => partitioner.decorate_hashed(head.key, hash),
            None => partitioner.decorate(head.key),
        };
        self.keys.start(&key, partitioner)?;
        let partition = &mut self.partition;
        self.stats.partition(head.key, head.deletion);
        match head.static_row.filter(|row| !row.is_empty()) {
            Some(row) => {
                let row = self.mapping.apply(row);
                self.encoder.row(out, row, 0)?;
                self.stats.row(row);
            }
            None if self.encoder.has_statics() => self.encoder.empty_static_row(out)?,
            None => {}
        }
        partition.header_length = self.data.position() - partition.start;
        partition.deletion = head.deletion;
        partition.previous = 0;
        partition.has_last = false;
        partition.open = DeletionTime::LIVE;
        partition.block_start = None;
        partition.block_count = 0;
        self.data.settle()
    }

    #[inline(always)]
    fn unfiltered(&mut self, unfiltered: &Unfiltered<'_>) -> Result<()> {
        if says_nothing(unfiltered) {
            return Ok(());
        }
        let (kind, values) = (unfiltered.kind(), unfiltered.clustering());
        self.check_order(kind, values)?;
        let partition = &mut self.partition;
        let position = self.data.position() - partition.start;
        if partition.block_start.is_none() {
            partition.block.set(kind, values);
            partition.block_start = Some(position);
            partition.block_open = partition.open;
        }
        let previous_size = position - partition.previous;
        let out = self.data.buffer();
        match unfiltered {
            Unfiltered::Row(row) => {
                let row = self.mapping.apply(*row);
                self.encoder.row(out, row, previous_size)?;
                self.stats.row(row);
            }
            Unfiltered::Marker(marker) => {
                self.encoder.marker(out, *marker, previous_size)?;
                self.stats.marker(*marker);
                partition.open = match kind.is_start() {
                    true => marker.open(),
                    false => DeletionTime::LIVE,
                };
            }
        }
        partition.previous = position;
        partition.last.set(kind, values);
        partition.has_last = true;
        let end = self.data.position() - partition.start;
        if let Some(start) = partition.block_start
            && end - start >= partition.block_bytes
            && self.encoder.can_store_deletion(partition.open)
        {
            self.end_block(start, end)?;
        }
        self.data.settle()
    }

    #[cold]
    fn end_block(&mut self, start: u64, end: u64) -> Result<()> {
        let partition = &mut self.partition;
        partition.block_start = None;
        partition.block_count += 1;
        self.index.block(&Block {
            first: partition.block.prefix(),
            last: partition.last.prefix(),
            start,
            end,
            open_at_start: partition.block_open,
            open_at_end: partition.open,
        })
    }

    fn end_partition(&mut self) -> Result<()> {
        if !self.partition.open.is_live() {
            return Err(Error::invalid(
                "a range tombstone is open at the partition's end",
            ));
        }
        let body_end = self.data.position() - self.partition.start;
        self.encoder.partition_end(self.data.buffer());
        let end = body_end + 1;
        if self.partition.block_count > 0
            && let Some(start) = self.partition.block_start
        {
            self.end_block(start, end)?;
        }
        let key = self.keys.present.get();
        self.index.end(&PartitionEnd {
            key: &key,
            position: self.partition.start,
            header_length: self.partition.header_length,
            deletion: self.partition.deletion,
            body_end,
        })?;
        if let Some(filter) = &mut self.filter {
            filter.add(key.hash);
        }
        self.stats.end_partition(end);
        self.keys.end();
        self.partition.start += end;
        self.data.settle()
    }

    /// A row or marker must sort behind the one before it; and ranges start where none is open.
    #[inline(always)]
    fn check_order(&self, kind: BoundKind, values: ClusteringRef<'_>) -> Result<()> {
        let partition = &self.partition;
        if kind != BoundKind::Clustering && kind.is_end() == partition.open.is_live() {
            return Err(unpaired(kind, values));
        }
        if !partition.has_last {
            return Ok(());
        }
        let last = partition.last.prefix();
        let order = self
            .comparator
            .compare(last.values, last.kind, values, kind);
        // Where one range ends and the next one starts Cassandra once wrote two markers.
        let adjacent = order.is_eq() && kind.is_start() && !kind.is_end() && last.kind.is_end();
        match order.is_lt() || adjacent {
            true => Ok(()),
            false => Err(unordered(last, Prefix { kind, values })),
        }
    }

    /// Completes the SSTable, waits until the disk has all of it, and commits it, unless its transaction is not its own.
    /// Without any partition there is none, and no file is left.
    ///
    /// # Errors
    /// `Io`; after it no file is left.
    pub fn finish(self) -> Result<Option<Written>> {
        if self.failed {
            return Err(
                Error::invalid("the SSTable cannot be finished after an error")
                    .in_file(&self.descriptor.path(&Component::Data)),
            );
        }
        if self.keys.count == 0 {
            return Ok(None);
        }
        let sizes = self.data.finish()?;
        self.index
            .finish(&self.keys.first, self.keys.last.bytes())?;
        if let Some(filter) = self.filter {
            filter.finish(&self.descriptor.path(&Component::Filter))?;
        }
        let version = self.descriptor.version;
        let statistics = self.stats.finish(
            version,
            Validation {
                partitioner: self.options.partitioner.class_name().to_owned(),
                bloom_filter_fp_chance: self.options.bloom_filter_fp_chance,
            },
            self.header,
            Provenance {
                compression_ratio: sizes.compression_ratio,
                ..self.options.provenance
            },
        );
        let mut out = Output::create(&self.descriptor.path(&Component::Statistics))?;
        out.write(&statistics.encode(version)?)?;
        out.finish()?;
        let mut toc = Output::create(&self.descriptor.path(&Component::Toc))?;
        let mut names: Vec<&str> = self.components.iter().map(Component::name).collect();
        names.sort_unstable();
        for name in names {
            toc.write(name.as_bytes())?;
            toc.write(b"\n")?;
        }
        toc.finish()?;
        sync_directory(&self.descriptor.directory)?;
        self.unfinished.commit()?;
        Ok(Some(Written {
            descriptor: self.descriptor,
            components: self.components,
            partitions: self.keys.count,
            uncompressed: sizes.uncompressed,
            on_disk: sizes.on_disk,
        }))
    }
}

impl Keys {
    /// Takes the next key.
    #[inline]
    fn start(&mut self, key: &DecoratedKey<'_>, partitioner: &Partitioner) -> Result<()> {
        if self.count == 0 {
            self.first.extend_from_slice(key.key);
        } else if partitioner.compare_decorated(&self.last.get(), key).is_ge() {
            return Err(unordered_keys(self.last.bytes(), key.key));
        }
        self.present.set(key);
        Ok(())
    }

    /// The present key becomes the last one.
    fn end(&mut self) {
        std::mem::swap(&mut self.last, &mut self.present);
        self.count += 1;
    }
}

/// Rows of dropped columns may have nothing left. Cassandra passes them over.
#[inline(always)]
fn says_nothing(unfiltered: &Unfiltered<'_>) -> bool {
    matches!(unfiltered, Unfiltered::Row(row) if row.is_empty())
}

/// The components that an SSTable is going to have.
fn components(descriptor: &Descriptor, options: &WriteOptions) -> BTreeSet<Component> {
    let mut components = BTreeSet::from([
        Component::Data,
        Component::Digest,
        Component::Statistics,
        Component::Toc,
    ]);
    components.extend(match descriptor.format() {
        Format::Big => [Component::Index, Component::Summary],
        Format::Bti => [Component::Partitions, Component::Rows],
    });
    components.insert(match options.compression {
        Some(_) => Component::CompressionInfo,
        None => Component::Crc,
    });
    if options.bloom_filter_fp_chance < 1.0 {
        components.insert(Component::Filter);
    }
    components
}

/// Deletes the files of an SSTable that was not finished.
struct Unfinished {
    descriptor: Option<Descriptor>,
    transaction: Option<Transaction>,
}

impl Unfinished {
    fn commit(mut self) -> Result<()> {
        if let Some(transaction) = self.transaction.take() {
            transaction.commit()?;
        }
        self.descriptor = None;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(descriptor) = &self.descriptor {
            remove_files(descriptor);
        }
    }
}

#[cold]
fn unpaired(kind: BoundKind, values: ClusteringRef<'_>) -> Error {
    let what = match kind.is_end() {
        true => "a range tombstone ends where none is open, at",
        false => "a range tombstone starts where another one is open, at",
    };
    Error::invalid(format!("{what} {}", text(Prefix { kind, values })))
}

#[cold]
fn unordered(last: Prefix<'_>, next: Prefix<'_>) -> Error {
    let (last, next) = (text(last), text(next));
    Error::invalid(format!(
        "{next} comes behind {last}, and must sort behind it"
    ))
    .advise("rows come in clustering order, each once")
}

#[cold]
fn unordered_keys(last: &[u8], next: &[u8]) -> Error {
    let (last, next) = (hex(last), hex(next));
    let what = format!("partition {next} comes behind {last}, and must sort behind it");
    Error::invalid(what).advise("partitions come in the order of their tokens, each once")
}

/// A clustering or bound for people: its values in hexadecimal digits.
fn text(prefix: Prefix<'_>) -> String {
    let values: Vec<String> = prefix
        .values
        .iter()
        .map(|value| value.map_or("null".into(), hex))
        .collect();
    let what = match prefix.kind {
        BoundKind::Clustering => "row".into(),
        kind => format!("marker {kind:?}"),
    };
    format!("{what} ({})", values.join(", "))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::from("0x");
    for b in bytes.iter().take(64) {
        // Writing to a string does not fail.
        let _ = write!(text, "{b:02x}");
    }
    if bytes.len() > 64 {
        text.push_str("...");
    }
    text
}
