//! The operations that are measured, each as a caller of the library would do it, and what they are asked for.
//!
//! Every one looks at every cell that it reads ([`Touched`]), and so does the peer's side: equal sums mean equal work.

use crate::data::{CLUSTERING_STEP, Format, KV_SCHEMA, Rows, kv_key, query};
use crate::sorted::Sorted;
use crate::table::Table;
use cqlite_core::compaction::{Compaction, CompressionChange, Destination, Split};
use cqlite_core::model::{Bound, BoundKind, PartitionSource, Slice, Unfiltered};
use cqlite_core::partitioner::TokenRange;
use cqlite_core::schema::parse_schema;
use cqlite_core::sstable::component::statistics::SerializationHeader;
use cqlite_core::sstable::{
    Component, Descriptor, OpenOptions, SSTable, SSTableWriter, Transaction, Version, WriteOptions,
    Written, directory,
};
use cqlite_core::{Error, Result};
use std::path::{Path, PathBuf};

/// Rows that a slice asks for.
pub const SLICE_ROWS: u64 = 100;

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Touched {
    /// Count of rows.
    pub rows: u64,
    /// Bytes of keys, clusterings and values.
    pub bytes: u64,
    /// Sum of all cells' timestamps and of all values' first bytes.
    pub sum: i64,
}

impl Touched {
    /// Reads all that is left of a source.
    ///
    /// # Errors
    /// Those of the source.
    pub fn all(&mut self, source: &mut impl PartitionSource) -> Result<()> {
        while source.next_partition()? {
            self.bytes += source.partition().key.len() as u64;
            while source.next_unfiltered()? {
                let Unfiltered::Row(row) = source.unfiltered() else {
                    continue;
                };
                self.rows += 1;
                for value in row.clustering().iter().flatten() {
                    self.bytes += value.len() as u64;
                }
                for cell in row.cells() {
                    self.bytes += cell.value.len() as u64;
                    if let Some(first) = cell.value.first() {
                        self.sum = self.sum.wrapping_add(i64::from(*first as i8));
                    }
                    self.sum = self.sum.wrapping_add(cell.timestamp);
                }
            }
        }
        Ok(())
    }
}

/// Everything in the SSTable, by the cursor over Data.db.
///
/// # Errors
/// Those of reading.
pub fn scan(table: &Table) -> Result<Touched> {
    let mut touched = Touched::default();
    touched.all(&mut table.sstable.scan()?)?;
    Ok(touched)
}

/// Everything in the table, by the merge that a query goes through.
///
/// # Errors
/// Those of reading.
pub fn scan_table(table: &Table) -> Result<Touched> {
    let mut touched = Touched::default();
    touched.all(&mut table.reader.scan(&TokenRange::ALL)?)?;
    Ok(touched)
}

/// Writes all rows as one SSTable into an empty directory, as a caller does who has them in order.
///
/// # Errors
/// Those of writing.
pub fn write_sorted(rows: &mut Sorted, directory: &Path, format: Format) -> Result<Written> {
    let header = rows.serialization_header();
    write_with_header(rows, &header, directory, format)
}

/// [`write_sorted`] with other bases of deltas.
pub(crate) fn write_with_header(
    rows: &mut Sorted,
    header: &SerializationHeader,
    directory: &Path,
    format: Format,
) -> Result<Written> {
    let (version, name) = format.parts();
    let descriptor = Descriptor::next(directory, Version::parse(version, name)?)?;
    let options = WriteOptions {
        estimated_keys: rows.partitions(),
        ..WriteOptions::default()
    };
    let mut writer = SSTableWriter::create(descriptor, header, rows.header(), options)?;
    rows.restart();
    writer.append_all(rows)?;
    writer
        .finish()?
        .ok_or_else(|| Error::invalid("there are no rows"))
}

/// Compacts the tables of `kv` in some directories into one SSTable in an empty one.
///
/// # Errors
/// Those of reading and writing.
pub fn compact(inputs: &[PathBuf], directory: &Path, format: Format) -> Result<Vec<Written>> {
    let (version, name) = format.parts();
    let mut sstables = Vec::new();
    for input in inputs {
        for table in directory::resolve(input)? {
            for descriptor in &table.sstables {
                let data = descriptor.path(&Component::Data);
                sstables.push(SSTable::open(&data, &OpenOptions::default())?);
            }
        }
    }
    let schema = parse_schema(KV_SCHEMA, None)?
        .find(Some("bench"), "kv")?
        .clone();
    let compaction = Compaction {
        schema,
        inputs: sstables,
        others: Vec::new(),
        memtables: Vec::new(),
        now: 1_700_000_000,
        gc_before: None,
        level: 0,
        ignores_overlaps: false,
        host: None,
    };
    let destination = Destination {
        directory,
        version: Version::parse(version, name)?,
        compression: CompressionChange::Keep,
        chunk_length: None,
        split: Split::Never,
        operation: "compaction",
        one_thread: false,
    };
    let mut transaction =
        Transaction::begin(directory, destination.version, destination.operation)?;
    let done = compaction.run(&mut transaction, &destination, &mut |_| Ok(()))?;
    transaction.commit()?;
    Ok(done.written)
}

/// A read of one partition or of a slice of it. Small, since many are kept while memory is measured.
#[derive(Debug, Clone, Copy)]
pub enum Query {
    /// A partition of `kv`.
    Key([u8; 16]),
    /// Rows `start..end` of a partition of `wide`.
    Slice {
        /// The partition.
        p: u32,
        /// Number of the first row.
        start: u32,
        /// Number of the row after the last.
        end: u32,
        /// Give rows from the end.
        reversed: bool,
    },
}

impl Query {
    /// Reads all that it asks for.
    ///
    /// # Errors
    /// Those of reading.
    pub fn run(&self, table: &Table, touched: &mut Touched) -> Result<()> {
        match self {
            Query::Key(key) => touched.all(&mut table.reader.read(key, &[], false)?),
            Query::Slice {
                p,
                start,
                end,
                reversed,
            } => {
                let slice = Slice {
                    start: bound(BoundKind::InclStart, *start),
                    end: bound(BoundKind::ExclEnd, *end),
                };
                let (key, slices) = (p.to_be_bytes(), [slice]);
                touched.all(&mut table.reader.read(&key, &slices, *reversed)?)
            }
        }
    }
}

fn bound(kind: BoundKind, row: u32) -> Bound {
    let c = i64::from(row) * CLUSTERING_STEP;
    Bound {
        kind,
        values: vec![Some(c.to_be_bytes().to_vec())],
    }
}

/// Runs all queries.
///
/// # Errors
/// Those of reading.
pub fn run_all(table: &Table, queries: &[Query]) -> Result<Touched> {
    let mut touched = Touched::default();
    for query in queries {
        query.run(table, &mut touched)?;
    }
    Ok(touched)
}

/// Reads of random keys of `kv` that are there.
pub fn hits(rows: Rows, count: u64) -> Vec<Query> {
    keys(rows, count, b"user")
}

/// Reads of random keys of `kv` that are not there.
pub fn misses(rows: Rows, count: u64) -> Vec<Query> {
    keys(rows, count, b"miss")
}

fn keys(rows: Rows, count: u64, prefix: &[u8; 4]) -> Vec<Query> {
    let of = rows.count();
    (0..count)
        .map(|i| Query::Key(kv_key(prefix, query(i, of))))
        .collect()
}

/// Random reads of the partitions of `kv` that lie in as many chunks as hold `bytes`, spread evenly over Data.db.
///
/// # Errors
/// Those of the scan that finds them.
pub fn hot_hits(table: &Table, count: u64, bytes: u64) -> Result<Vec<Query>> {
    let data = table.sstable.data();
    let chunk_length = u64::from(data.chunk_length());
    let step = data.chunk_count().div_ceil(bytes / chunk_length).max(1);
    let chunk = |position: u64| position / chunk_length;
    let mut inside: Vec<[u8; 16]> = Vec::new();
    let mut candidate: Option<[u8; 16]> = None;
    let mut start = 0;
    let mut scan = table.sstable.scan()?;
    while scan.next_partition()? {
        let head = scan.partition();
        // A partition is known to end in the chunk that it starts in when the next one starts there too.
        if let Some(key) = candidate.take()
            && chunk(head.position) == chunk(start)
        {
            inside.push(key);
        }
        start = head.position;
        if chunk(start).is_multiple_of(step) {
            candidate = head.key.try_into().ok();
        }
    }
    let of = inside.len() as u64;
    Ok((0..count)
        .map(|i| Query::Key(inside[query(i, of) as usize]))
        .collect())
}

/// Where in a partition slices start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Anywhere.
    Random,
    /// Within the first 1000 rows.
    Start,
    /// Within 1000 rows in the middle.
    Middle,
    /// Within the last 1000 rows.
    End,
}

/// Reads of 100 neighbouring rows in random partitions of `wide`, of which only the first `partitions` are asked.
pub fn slices(rows: Rows, count: u64, partitions: u64, at: At, reversed: bool) -> Vec<Query> {
    let Rows::Wide {
        partitions: all,
        rows,
    } = rows
    else {
        return Vec::new();
    };
    let starts = rows.saturating_sub(SLICE_ROWS).max(1);
    let part = starts.min(1000);
    let (from, among) = match at {
        At::Random => (0, starts),
        At::Start => (0, part),
        At::Middle => ((starts - part) / 2, part),
        At::End => (starts - part, part),
    };
    let slice = |i| {
        let start = (from + query(2 * i + 1, among)) as u32;
        Query::Slice {
            p: query(2 * i, partitions.min(all)) as u32,
            start,
            end: start + SLICE_ROWS as u32,
            reversed,
        }
    };
    (0..count).map(slice).collect()
}

/// Reads of single rows in random partitions of `wide`.
pub fn rows(rows: Rows, count: u64) -> Vec<Query> {
    let Rows::Wide { partitions, rows } = rows else {
        return Vec::new();
    };
    let row = |i| {
        let start = query(2 * i + 1, rows) as u32;
        Query::Slice {
            p: query(2 * i, partitions) as u32,
            start,
            end: start + 1,
            reversed: false,
        }
    };
    (0..count).map(row).collect()
}
