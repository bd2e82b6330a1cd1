//! Writes changes of one table: into the log, then into memory.
//!
//! Authority: `o.a.c.db.Keyspace.applyInternal`.

use super::{Database, Inner};
use crate::Result;
use crate::commitlog::{Position, UpdateEncoder, start_mutation};
use crate::memtable::Update;
use crate::model::{PartitionSource, RowBuf};
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

    /// Changes what [`update`](Self::update) says, which is empty then, and returns what [`Database::wait`] waits for; `None` if
    /// there was nothing to change.
    ///
    /// # Errors
    /// `InvalidInput` for a table that was altered or dropped since, and for changes that are too long for the log; `Io`. Nothing was
    /// changed then.
    pub fn write(&mut self) -> Result<Option<Position>> {
        if self.update.is_empty() {
            return Ok(None);
        }
        let written = self.try_write();
        if written.is_ok() {
            self.update.clear();
        }
        written.map(Some)
    }

    fn try_write(&mut self) -> Result<Position> {
        self.inner.make_room(self.update.bytes())?;
        self.bytes.clear();
        self.ends.clear();
        if let Some((key, row)) = self.update.only_row(&mut self.row)? {
            start_mutation(&mut self.bytes, 1);
            self.encoder.row(&mut self.bytes, key, row)?;
            self.ends.push(self.bytes.len());
        } else {
            let mut source = self.update.source()?;
            while source.next_partition()? {
                start_mutation(&mut self.bytes, 1);
                self.encoder.partition(&mut self.bytes, &mut source)?;
                self.ends.push(self.bytes.len());
            }
        }
        // Whoever alters the table flushes it first, and nobody writes from then on.
        let state = self.inner.read_state();
        let log = &self.inner.log;
        let position = self.table.apply(&self.update, || match &*self.ends {
            [_] => log.append(&self.bytes),
            ends => {
                let starts = std::iter::once(&0).chain(ends);
                let mutations = starts
                    .zip(ends)
                    .map(|(start, end)| &self.bytes[*start..*end]);
                log.append_all(&mutations.collect::<Vec<_>>())
            }
        })?;
        drop(state);
        if self.table.written_bytes() > self.inner.options.memtable_bytes / 3 {
            self.inner.flusher.request(&self.table);
        }
        Ok(position)
    }
}
