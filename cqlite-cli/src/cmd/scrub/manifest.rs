//! What a scrub could not save, as JSON. It is written as it is found, so that its length does not matter.
//!
//! ```text
//! {
//!   "sstable":   path of the SSTable without its component,
//!   "entries":   in the order of discovery, objects with
//!     "type":      "fault"      the files are not as they must be
//!                  "note"       an optional component is missing
//!                  "partition"  a whole partition is lost, or several where nothing tells how many
//!                  "partition_deletion", "static_row", "row", "rows", "range_tombstone"
//!                               that of a partition is lost; of "rows" nothing tells how many
//!                  "reordered"  a partition, row or range tombstone was saved, and stood out of order
//!                  "reordered_cells"  a row or static row was saved, and its cells stood out of order
//!     "component", "offset"   of faults and notes, where known
//!     "start", "end"   of losses: offsets in the uncompressed Data.db, the second behind what is lost
//!     "offset"     of "reordered" and "reordered_cells": offset in the uncompressed Data.db
//!     "key"        values of the partition key as `dump` shows them; null if no key is known
//!     "key_bytes"  the key in hexadecimal; null if none is known
//!     "clustering" values of a row or bound: of one that is lost, or stood out of order; null for a partition and a
//!                  static row
//!     "after", "before"   of "rows" and "range_tombstone": values of the last row or bound before, and of the first one
//!                  behind, or null
//!     "message"    what is wrong
//!   "outputs":   [ { "sstable": path, "partitions": count, "bytes": length of Data.db } ]
//!   "saved":     { "partitions": count, "rows": count with static ones }
//!   "lost":      { "entries": count, "partitions": count of "partition", "bytes": uncompressed, "rows": count by
//!                  Statistics.db, or null if that does not tell }
//!   "reordered": count of both
//!   "faults":    count, of which 100 of a component are among the entries
//! }
//! ```

use cqlite_core::bytes::Cursor;
use cqlite_core::model::{Bound, StreamHeader};
use cqlite_core::scrub::{Loss, LossKind, Reordered, ScrubEvent, Scrubbed};
use cqlite_core::sstable::Descriptor;
use cqlite_core::types::CqlType;
use cqlite_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A manifest that is being written. What is not kept is deleted.
pub struct Manifest {
    file: BufWriter<File>,
    path: PathBuf,
    columns: Option<Arc<StreamHeader>>,
    has_entries: bool,
    is_kept: bool,
}

impl Manifest {
    /// Begins that of an SSTable in a directory, under a name that is free.
    pub fn create(directory: &Path, of: &Descriptor) -> Result<Self> {
        let mut n = 1;
        let (path, file) = loop {
            let name = match n {
                1 => format!("scrub-{}.json", of.base_name()),
                n => format!("scrub-{}-{n}.json", of.base_name()),
            };
            let path = directory.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break (path, file),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
                Err(e) => return Err(Error::io(&path, e)),
            }
        };
        let mut manifest = Manifest {
            file: BufWriter::new(file),
            path,
            columns: None,
            has_entries: false,
            is_kept: false,
        };
        let sstable = Value::from(of.to_string());
        manifest.write(&format!("{{\"sstable\": {sstable},\n \"entries\": ["))?;
        Ok(manifest)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|e| Error::io(&self.path, e))
    }

    /// Adds what a scrub tells.
    pub fn add(&mut self, event: &ScrubEvent) -> Result<()> {
        let entry = match event {
            ScrubEvent::Columns(columns) => {
                self.columns = Some(columns.clone());
                return Ok(());
            }
            ScrubEvent::Fault(e) => finding("fault", e),
            ScrubEvent::Note(e) => finding("note", e),
            ScrubEvent::Lost(loss) => self.loss(loss),
            ScrubEvent::Reordered(reordered) => self.reordered(reordered),
        };
        let separator = if self.has_entries { ",\n  " } else { "\n  " };
        self.has_entries = true;
        self.write(&format!("{separator}{entry}"))
    }

    fn loss(&self, loss: &Loss) -> Value {
        let mut entry = json!({
            "type": loss.kind.name(),
            "start": loss.start,
            "end": loss.end,
            "key": self.key(loss.key.as_deref()),
            "key_bytes": loss.key.as_deref().map(hex),
            "message": loss.cause.message(),
        });
        if let Value::Object(members) = &mut entry {
            match loss.kind {
                LossKind::Row => {
                    members.insert("clustering".into(), self.clustering(&loss.after));
                }
                LossKind::Rows | LossKind::RangeTombstone => {
                    members.insert("after".into(), self.clustering(&loss.after));
                    members.insert("before".into(), self.clustering(&loss.before));
                }
                LossKind::Partition | LossKind::PartitionDeletion | LossKind::StaticRow => {}
            }
        }
        entry
    }

    fn reordered(&self, reordered: &Reordered) -> Value {
        json!({
            "type": match reordered.only_cells {
                true => "reordered_cells",
                false => "reordered",
            },
            "offset": reordered.offset,
            "key": self.key(Some(&reordered.key)),
            "key_bytes": hex(&reordered.key),
            "clustering": self.clustering(&reordered.clustering),
        })
    }

    fn key(&self, key: Option<&[u8]>) -> Value {
        let (Some(columns), Some(key)) = (&self.columns, key) else {
            return Value::Null;
        };
        match &columns.key_type {
            CqlType::Composite(types) => components(types, key),
            ty => text(ty, key).map_or(Value::Null, |text| json!([text])),
        }
    }

    fn clustering(&self, bound: &Option<Bound>) -> Value {
        let (Some(columns), Some(bound)) = (&self.columns, bound) else {
            return Value::Null;
        };
        let values = columns.clustering.iter().zip(&bound.values);
        let values = values.map(|(column, value)| {
            let value = value.as_deref()?;
            Some(text(&column.ty, value).unwrap_or_else(|| format!("0x{}", hex(value))))
        });
        values.collect()
    }

    /// Adds what comes of the scrub, and waits until the disk has all of it.
    pub fn end(&mut self, scrubbed: &Scrubbed) -> Result<()> {
        let outputs: Vec<Value> = scrubbed
            .written
            .iter()
            .map(|written| {
                json!({
                    "sstable": written.descriptor.to_string(),
                    "partitions": written.partitions,
                    "bytes": written.on_disk,
                })
            })
            .collect();
        let saved = json!({"partitions": scrubbed.partitions, "rows": scrubbed.rows});
        let lost = json!({
            "entries": scrubbed.lost.count,
            "partitions": scrubbed.lost.partitions,
            "bytes": scrubbed.lost.bytes,
            "rows": scrubbed.rows_lost(),
        });
        let end = if self.has_entries { "\n ]" } else { "]" };
        self.write(&format!(
            "{end},\n \"outputs\": {},\n \"saved\": {saved},\n \"lost\": {lost},\n \"reordered\": {},\n \"faults\": {}}}\n",
            Value::from(outputs),
            scrubbed.reordered,
            scrubbed.faults,
        ))?;
        let synced = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|e| Error::io(&self.path, e))
    }

    /// Keeps it. Returns where it is.
    pub fn keep(mut self) -> PathBuf {
        self.is_kept = true;
        self.path.clone()
    }
}

impl Drop for Manifest {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn finding(kind: &str, e: &Error) -> Value {
    let location = e.location();
    let message = match e.kind() {
        ErrorKind::Corrupt | ErrorKind::NotFound => e.message().to_owned(),
        _ => e.to_string(),
    };
    json!({
        "type": kind,
        "component": location.component,
        "offset": location.offset,
        "key_bytes": location.partition_key.as_deref().map(hex),
        "message": message,
    })
}

/// The values of a key of several columns; null if it is none.
fn components(types: &[CqlType], key: &[u8]) -> Value {
    let mut c = Cursor::new(key);
    let mut next = |ty: &CqlType| {
        let value = c.short_bytes().ok()?;
        c.u8().ok()?;
        text(ty, value)
    };
    let values: Option<Vec<String>> = types.iter().map(&mut next).collect();
    values.map_or(Value::Null, Value::from)
}

fn text(ty: &CqlType, value: &[u8]) -> Option<String> {
    ty.validate(value).ok()?;
    ty.to_text(value).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
