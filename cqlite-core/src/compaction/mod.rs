//! SSTables made of SSTables: one written anew, many merged and purged, one split.
//!
//! Authority: `o.a.c.db.compaction.{CompactionTask,CompactionController,Upgrader,SSTableSplitter}`,
//! `o.a.c.db.compaction.writers.{DefaultCompactionWriter,MaxSSTableSizeWriter}`.
//!
//! ```text
//! scans -> merge -> purge -> writer, and the next writer where one is full
//! ```

mod expired;
mod output;
mod overlap;
pub mod strategy;
#[cfg(test)]
mod tests;

pub use expired::{blockers, fully_expired};
pub use output::{CompressionChange, Destination, Split, Watch};
pub use overlap::Overlaps;
pub(crate) use overlap::first_and_last_key;
pub use strategy::CompactionParams;

use crate::memtable::Memtable;
use crate::merge::purge::{Purge, PurgeRules, Purgeable};
use crate::model::{PartitionSource, StreamHeader};
use crate::partitioner::{Partitioner, TokenRange};
use crate::read::TableReader;
use crate::schema::{Column, TableKind, TableSchema};
use crate::sstable::component::statistics::SerializationHeader;
use crate::sstable::writer::inputs::{
    approximate_key_count, commit_log_intervals, estimated_keys, merged_header,
};
use crate::sstable::{Provenance, SSTable, Transaction, WriteOptions, Written};
use crate::types::CqlType;
use crate::{Error, Result};
use std::collections::HashSet;
use std::sync::Arc;

/// Writes an SSTable anew, as it is: nothing is purged, and what has expired stays what it was. Its level and its repair
/// state are kept. `schema` is needed only where the header leaves open how the data is read: see [`needs_schema`].
///
/// # Errors
/// Those of reading; `InvalidInput` without a schema that is needed, and for what the version cannot hold; `Io`. Then
/// `transaction` is not to be committed.
pub fn rewrite(
    sstable: &Arc<SSTable>,
    schema: Option<&TableSchema>,
    transaction: &mut Transaction,
    destination: &Destination<'_>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Written>> {
    let inputs = std::slice::from_ref(sstable);
    let mut options = destination.options(sstable)?;
    options.operation = destination.operation;
    let level = sstable.statistics().stats.as_ref().map_or(0, |s| s.level);
    options.provenance = Provenance::of_inputs(inputs, host_of_all(inputs))?;
    // Parts of an SSTable may overlap those of others where it did not.
    options.provenance.level = match destination.split {
        Split::Never => level,
        _ => 0,
    };
    options.estimated_keys = approximate_key_count(inputs)?.max(options.min_index_interval.into());
    let header = merged_header(inputs)?;
    if !needs_schema(sstable) {
        let mut scan = sstable.scan()?;
        return destination.write(&mut scan, header, options, inputs, transaction, watch);
    }
    let schema = schema.ok_or_else(|| {
        Error::invalid("the header does not tell whether its user types are frozen")
            .advise("give the table's schema")
            .in_file(sstable.data().source().path())
    })?;
    let reader = TableReader::open(narrowed(schema, inputs), inputs.to_vec())?;
    let header = SerializationHeader::of_stream(reader.header(), header.encoding_stats());
    let mut scan = reader.scan(&TokenRange::ALL)?;
    destination.write(&mut scan, header, options, inputs, transaction, watch)
}

/// Whether an SSTable's header leaves open whether user types are frozen, as those of 3.0 do.
pub fn needs_schema(sstable: &SSTable) -> bool {
    let stream = sstable.stream();
    let mut columns = stream.statics.iter().chain(&stream.regulars);
    sstable.descriptor().version.has_bare_user_types()
        && columns.any(|c| matches!(c.ty, CqlType::Udt { frozen: false, .. }))
}

/// SSTables of one table that become one, or more where they are split.
#[derive(Debug)]
pub struct Compaction {
    /// The table.
    pub schema: TableSchema,
    /// What is merged.
    pub inputs: Vec<Arc<SSTable>>,
    /// Other SSTables of the table: tombstones that may hide something in them are not purged.
    pub others: Vec<Arc<SSTable>>,
    /// What of the table is in no SSTable: tombstones of partitions that are there are not purged.
    pub memtables: Vec<Arc<Memtable>>,
    /// Seconds since 1970: what expires by then has expired.
    pub now: i64,
    /// Seconds since 1970: tombstones made before it may be purged. `None` for `now` without the table's gc_grace.
    pub gc_before: Option<i64>,
    /// Level of leveled compaction of what is written.
    pub level: i32,
    /// Inputs whose data has all died are left out, whatever they hide elsewhere.
    pub ignores_overlaps: bool,
    /// Who compacts, which outputs name unless one other host wrote all inputs.
    pub host: Option<[u8; 16]>,
}

/// What a compaction made.
#[derive(Debug)]
pub struct Compacted {
    /// The new SSTables; none if nothing was left.
    pub written: Vec<Written>,
    /// How many of the inputs were left out whole, since all they hold has expired and hides nothing.
    pub expired: usize,
}

impl Compaction {
    /// Seconds since 1970 before which tombstones must have been made to be purged.
    pub fn gc_before(&self) -> i64 {
        self.gc_before
            .unwrap_or_else(|| gc_before_of(&self.schema, self.now))
    }

    /// Merges and purges.
    ///
    /// # Errors
    /// Those of reading; `InvalidInput` for a schema that is not that of an SSTable, and for SSTables that may not be
    /// merged; `Io`. Then `transaction` is not to be committed.
    pub fn run(
        &self,
        transaction: &mut Transaction,
        destination: &Destination<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Compacted> {
        let overlaps = Overlaps::new(&self.others)?;
        let purgeable = |partitioner: &Partitioner, key: &[u8]| {
            overlaps.purgeable_with(&self.memtables, partitioner, key)
        };
        let living = self.living()?;
        self.merge(&living, &purgeable, transaction, destination, watch)
    }

    fn purges(&self) -> bool {
        !self.purges_only_repaired() || self.inputs.iter().all(is_repaired)
    }

    /// The inputs that are not left out whole.
    pub(crate) fn living(&self) -> Result<Vec<Arc<SSTable>>> {
        let mut inputs = self.inputs.clone();
        if !self.purges() {
            return Ok(inputs);
        }
        let gc_before = self.gc_before();
        let expired: Vec<bool> = match self.ignores_overlaps {
            true => {
                let inputs = inputs.iter();
                inputs.map(|s| expired::has_expired(s, gc_before)).collect()
            }
            false => {
                let others = Overlaps::new(&self.others)?.meeting(&inputs)?;
                let oldest = min_timestamp_in_memory(&self.memtables);
                fully_expired(&inputs, &others, oldest, gc_before)
            }
        };
        let mut expired = expired.iter();
        inputs.retain(|_| !expired.next().copied().unwrap_or_default());
        Ok(inputs)
    }

    /// Merges inputs, and purges what `purgeable` says of a key.
    pub(crate) fn merge(
        &self,
        inputs: &[Arc<SSTable>],
        purgeable: &dyn Fn(&Partitioner, &[u8]) -> Result<Purgeable>,
        transaction: &mut Transaction,
        destination: &Destination<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Compacted> {
        let purges = self.purges();
        let expired = self.inputs.len() - inputs.len();
        let Some(newest) = inputs.iter().max_by_key(|s| s.descriptor().id.clone()) else {
            return Ok(Compacted {
                written: Vec::new(),
                expired,
            });
        };
        let mut options = destination.options(newest)?;
        options.operation = destination.operation;
        options.provenance = self.provenance(inputs)?;
        options.estimated_keys = approximate_key_count(inputs)?;
        let bases = merged_header(inputs)?.encoding_stats();
        let reader = TableReader::open(narrowed(&self.schema, inputs), inputs.to_vec())?;
        let header = SerializationHeader::of_stream(reader.header(), bases);
        let rules = PurgeRules {
            now: self.now,
            gc_before: self.gc_before(),
            strict_liveness: self.schema.strict_liveness,
        };
        let merge = reader.scan(&TokenRange::ALL)?;
        let mut purge = Purge::new(merge, rules, |key| match purges {
            true => purgeable(reader.partitioner(), key),
            false => Ok(Purgeable::Nothing),
        });
        let written = destination.write(&mut purge, header, options, inputs, transaction, watch)?;
        Ok(Compacted { written, expired })
    }

    /// That of what is made of those inputs that are not left out whole.
    fn provenance(&self, living: &[Arc<SSTable>]) -> Result<Provenance> {
        let host = host_of_all(&self.inputs).or(self.host);
        Ok(Provenance {
            level: self.level,
            // What has expired need not be replayed either.
            commit_log_intervals: commit_log_intervals(&self.inputs, host),
            ..Provenance::of_inputs(living, host)?
        })
    }

    /// `only_purge_repaired_tombstones` of the table's compaction.
    fn purges_only_repaired(&self) -> bool {
        let params = CompactionParams::of_table(&self.schema);
        params.is_ok_and(|params| params.only_purge_repaired_tombstones)
    }
}

/// Seconds since 1970 before which tombstones of a table must have been made to be purged at `now`.
pub(crate) fn gc_before_of(schema: &TableSchema, now: i64) -> i64 {
    match schema.kind {
        TableKind::Index => now,
        _ => now.saturating_sub(schema.options.gc_grace_seconds.into()),
    }
}

/// Smallest write timestamp of what memtables have, if they have anything.
pub(crate) fn min_timestamp_in_memory<'m>(
    memtables: impl IntoIterator<Item = &'m Arc<Memtable>>,
) -> Option<i64> {
    let memtables = memtables
        .into_iter()
        .filter(|memtable| !memtable.is_empty());
    memtables
        .map(|memtable| memtable.stats().min_timestamp)
        .min()
}

fn is_repaired(sstable: &Arc<SSTable>) -> bool {
    let stats = sstable.statistics().stats.as_ref();
    stats.is_some_and(|s| s.repaired_at != 0)
}

/// The schema with just those columns that the inputs have, as the new header names them (`SerializationHeader.make`).
/// Dropped columns are among them: what was written to them after the drop is there when they are added again.
fn narrowed(schema: &TableSchema, inputs: &[Arc<SSTable>]) -> TableSchema {
    let names = |columns: &mut dyn Iterator<Item = &Column>| -> HashSet<Arc<str>> {
        columns.map(|column| column.name.clone()).collect()
    };
    let narrow = |own: &[Column], of: fn(&StreamHeader) -> &[Column]| {
        let present = names(&mut inputs.iter().flat_map(|input| of(input.stream())));
        let living = names(&mut own.iter());
        let dropped = schema.dropped.iter().map(|dropped| &dropped.column);
        let dropped = dropped.filter(|column| !living.contains(&column.name));
        let columns = own.iter().chain(dropped);
        let columns = columns.filter(|column| present.contains(&column.name));
        let mut columns: Vec<Column> = columns.cloned().collect();
        TableSchema::into_storage_order(&mut columns);
        columns
    };
    TableSchema {
        statics: narrow(&schema.statics, |stream| &stream.statics),
        regulars: narrow(&schema.regulars, |stream| &stream.regulars),
        ..schema.clone()
    }
}

/// The host that wrote all of them, if there is one.
fn host_of_all(inputs: &[Arc<SSTable>]) -> Option<[u8; 16]> {
    let mut hosts = inputs
        .iter()
        .map(|input| input.statistics().stats.as_ref()?.originating_host_id);
    let host = hosts.next().flatten();
    host.filter(|host| hosts.all(|other| other == Some(*host)))
}

/// How many keys each of several outputs is going to have, about.
fn keys_of_each(
    options: &WriteOptions,
    inputs: &[Arc<SSTable>],
    max_sstable_size: u64,
) -> Result<u64> {
    let keys = options.estimated_keys;
    let (mut before, mut bytes) = (0_u64, 0_u64);
    for input in inputs {
        before = before.saturating_add(estimated_keys(input)?);
        bytes = bytes.saturating_add(input.data().source().len());
    }
    let size = keys as f64 / before.max(1) as f64 * bytes as f64;
    let count = (size.round() as u64 / max_sstable_size.max(1)).max(1);
    Ok((keys / count).max(1))
}

/// A stream that lets someone watch, and end, its being read.
struct Watched<'a, 'b, S: ?Sized> {
    source: &'a mut S,
    watch: &'a mut Watch<'b>,
    rows: u64,
}

/// Rows and markers between two looks.
const WATCHED_ROWS: u64 = 1024;

impl<S: PartitionSource + ?Sized> Watched<'_, '_, S> {
    #[inline]
    fn count(&mut self) -> Result<()> {
        self.rows += 1;
        match self.rows % WATCHED_ROWS {
            0 => (self.watch)(self.rows),
            _ => Ok(()),
        }
    }
}

impl<S: PartitionSource + ?Sized> PartitionSource for Watched<'_, '_, S> {
    fn header(&self) -> &StreamHeader {
        self.source.header()
    }

    fn next_partition(&mut self) -> Result<bool> {
        self.count()?;
        self.source.next_partition()
    }

    #[inline]
    fn key_hash(&self) -> Option<(u64, u64)> {
        self.source.key_hash()
    }

    #[inline]
    fn partition(&self) -> crate::model::PartitionHead<'_> {
        self.source.partition()
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        self.count()?;
        self.source.next_unfiltered()
    }

    #[inline]
    fn unfiltered(&self) -> crate::model::Unfiltered<'_> {
        self.source.unfiltered()
    }
}
