//! Writes changes of one table: into the log, then into memory.
//!
//! Authority: `o.a.c.db.Keyspace.applyInternal`.

use super::{Database, Inner};
use crate::Result;
use crate::commitlog::{Position, UpdateEncoder, start_mutation};
use crate::memtable::Update;
use crate::metrics::{Count, Operation};
use crate::model::{PartitionSource, RowBuf, RowRef};
use crate::mutation::WriteTime;
use crate::sstable::builder::record::{Kind, Record};
use crate::table::Table;
use std::sync::Arc;

/// Changes a table. Whoever has one is not kept from using the database otherwise.
pub struct Writer {
    inner: Arc<Inner>,
    table: Arc<Table>,
    update: Update,
    encoder: UpdateEncoder,
    row: RowBuf,
    /// The mutations, behind each other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Database {
    /// What changes a table of it.
    ///
    /// # Errors
    /// `InvalidInput` for a table that the log has no name for.
    pub fn writer(&self, table: &Arc<Table>) -> Result<Writer> {
        Ok(Writer {
            inner: self.inner.clone(),
            update: table.update(),
            encoder: UpdateEncoder::new(table.schema())?,
            table: table.clone(),
            row: RowBuf::default(),
            bytes: Vec::new(),
            ends: Vec::new(),
        })
    }
}

impl Writer {
    /// The table.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// What is to be changed.
    pub fn update(&mut self) -> &mut Update {
        &mut self.update
    }

    /// When something is written of which the statement says nothing else.
    pub(super) fn when(&self, when: &WriteTime) -> WriteTime {
        WriteTime {
            ttl: self.table.schema().options.default_time_to_live,
            ..*when
        }
    }

    /// Changes what [`update`](Self::update) says, which is empty then, and returns what [`Database::wait`] waits for; `None` if
    /// there was nothing to change.
    ///
    /// # Errors
    /// `InvalidInput` for a table that was altered or dropped since, and for changes that are too long for the log; `Io`. Nothing was
    /// changed then.
    pub fn write(&mut self) -> Result<Option<Position>> {
        Self::write_together(&mut [self])
    }

    /// [`write`](Self::write) of several tables, each once: if the process ends meanwhile, all or nothing was changed.
    ///
    /// # Errors
    /// As of [`write`](Self::write).
    pub(super) fn write_together(writers: &mut [&mut Writer]) -> Result<Option<Position>> {
        let bytes = writers.iter().map(|writer| writer.update.bytes()).sum();
        for writer in writers.iter_mut() {
            writer.encode()?;
        }
        let [first, ..] = &*writers else {
            return Ok(None);
        };
        if writers.iter().all(|writer| writer.ends.is_empty()) {
            return Ok(None);
        }
        let table = first.table.schema();
        let span = tracing::debug_span!("write", table = %table.full_name(), bytes);
        let _span = span.enter();
        let inner = first.inner.clone();
        let metrics = &inner.options.storage.metrics;
        let began = metrics.begin(Operation::Write);
        inner.make_room(bytes)?;
        // Whoever alters the table flushes it first, and nobody writes from then on.
        let state = inner.read_state();
        let position = apply(writers, &mut || match &*writers {
            [one] if one.ends.len() == 1 => inner.log.append(&one.bytes),
            all => {
                let mutations = all.iter().flat_map(|writer| writer.mutations());
                inner.log.append_all(&mutations.collect::<Vec<_>>())
            }
        })?;
        drop(state);
        metrics.count(Count::WrittenBytes, bytes as u64);
        metrics.end(Operation::Write, began);
        for writer in writers {
            writer.update.clear();
            if writer.table.written_bytes() > inner.options.memtable_bytes / 3 {
                inner.flusher.request(&writer.table);
            }
        }
        Ok(Some(position))
    }

    /// Makes the mutations of what is to be changed.
    fn encode(&mut self) -> Result<()> {
        self.bytes.clear();
        self.ends.clear();
        let columns = self.table.schema().clustering.len();
        let (bytes, ends) = (&mut self.bytes, &mut self.ends);
        let (encoder, row, update) = (&mut self.encoder, &mut self.row, &self.update);
        update.each_partition(|records| {
            start_mutation(bytes, 1);
            match records {
                [record] => encode_record(encoder, bytes, record, columns, row)?,
                several => {
                    let mut source = update.source_of(several.to_vec())?;
                    source.next_partition()?;
                    encoder.partition(bytes, &mut source)?;
                }
            }
            ends.push(bytes.len());
            Ok(())
        })
    }

    fn mutations(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        let mutations = starts.zip(&self.ends);
        mutations.map(|(start, end)| &self.bytes[*start..*end])
    }
}

/// Appends the update that a record alone is.
#[inline]
fn encode_record(
    encoder: &mut UpdateEncoder,
    out: &mut Vec<u8>,
    record: &Record<'_>,
    columns: usize,
    row: &mut RowBuf,
) -> Result<()> {
    let key = record.key();
    match record.kind() {
        Kind::Row | Kind::Static => {
            record.row(columns, row)?;
            encoder.row(out, key, RowRef::new(record.bytes(), row))
        }
        Kind::Partition => encoder.delete_partition(out, key, record.partition_deletion()?),
        Kind::Range => {
            let (slice, deletion) = record.range()?;
            encoder.delete_range(out, key, &slice, deletion)
        }
    }
}

/// Takes all updates once `record` has succeeded. None of the tables is switched meanwhile.
fn apply(
    writers: &[&mut Writer],
    record: &mut dyn FnMut() -> Result<Position>,
) -> Result<Position> {
    match writers.split_first() {
        Some((writer, rest)) => writer.table.apply(&writer.update, || apply(rest, record)),
        None => record(),
    }
}
