//! Values of the rows of `system_schema` tables.
//!
//! Authority: `o.a.c.schema.SchemaKeyspace.createTableParamsFromRow`, `o.a.c.cql3.UntypedResultSet.Row`.

use super::SystemRow;
use crate::bytes::Cursor;
use crate::error::{Error, Result};
use crate::schema::TableOptions;
use std::collections::BTreeMap;

/// A row and the table that it is of.
pub(super) struct Fields<'r, R> {
    table: &'static str,
    pub row: &'r R,
}

impl<'r, R: SystemRow> Fields<'r, R> {
    pub fn new(table: &'static str, row: &'r R) -> Self {
        Fields { table, row }
    }

    pub fn wrong(&self, column: &str) -> Error {
        Error::corrupt(format!(
            "a row of system_schema.{} has no valid `{column}`",
            self.table
        ))
    }

    pub fn utf8(&self, column: &str, bytes: &[u8]) -> Result<String> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.wrong(column)),
        }
    }

    pub fn optional_text(&self, column: &str) -> Result<Option<String>> {
        let bytes = self.row.get(column);
        bytes.map(|bytes| self.utf8(column, bytes)).transpose()
    }

    pub fn text(&self, column: &str) -> Result<String> {
        self.optional_text(column)?
            .ok_or_else(|| self.wrong(column))
    }

    pub fn int(&self, column: &str) -> Result<Option<i32>> {
        let bytes = self.row.get(column);
        let value = bytes.map(|bytes| Cursor::new(bytes).i32()).transpose();
        value.map_err(|_| self.wrong(column))
    }

    pub fn long(&self, column: &str) -> Result<Option<i64>> {
        let bytes = self.row.get(column);
        let value = bytes.map(|bytes| Cursor::new(bytes).i64()).transpose();
        value.map_err(|_| self.wrong(column))
    }

    pub fn uuid(&self, column: &str) -> Result<Option<[u8; 16]>> {
        let bytes = self.row.get(column);
        let value = bytes.map(|bytes| Cursor::new(bytes).uuid()).transpose();
        value.map_err(|_| self.wrong(column))
    }

    /// The values of a frozen collection, keys of a map too; none if the column is null.
    pub fn values(&self, column: &str, per_element: usize) -> Result<Vec<&'r [u8]>> {
        let Some(bytes) = self.row.get(column) else {
            return Ok(Vec::new());
        };
        let read = || -> std::result::Result<Vec<&'r [u8]>, crate::error::DecodeError> {
            let mut cursor = Cursor::new(bytes);
            let count = u64::try_from(cursor.i32()?).unwrap_or(u64::MAX);
            let count = cursor.bounded(count, 4 * per_element)? * per_element;
            let mut values = Vec::with_capacity(count);
            for _ in 0..count {
                let length = u64::try_from(cursor.i32()?).unwrap_or(u64::MAX);
                values.push(cursor.take_u64(length)?);
            }
            Ok(values)
        };
        read().map_err(|_| self.wrong(column))
    }

    /// The texts of a frozen list or set.
    pub fn texts(&self, column: &str) -> Result<Vec<String>> {
        let values = self.values(column, 1)?;
        values
            .into_iter()
            .map(|bytes| self.utf8(column, bytes))
            .collect()
    }

    /// The entries of a frozen map.
    pub fn map(&self, column: &str) -> Result<Vec<(&'r [u8], &'r [u8])>> {
        let values = self.values(column, 2)?;
        Ok(values.chunks_exact(2).map(|kv| (kv[0], kv[1])).collect())
    }
}

/// How the value of an option is stored.
pub(super) enum Stored {
    Text,
    Boolean,
    Double,
    Int,
    /// `frozen<map<text, text>>`.
    TextMap,
    /// `frozen<map<text, blob>>`.
    BlobMap,
}

/// The options but those that [`TableOptions`] has fields for.
pub(super) const OPTIONS: [(&str, Stored); 18] = [
    ("additional_write_policy", Stored::Text),
    ("allow_auto_snapshot", Stored::Boolean),
    ("bloom_filter_fp_chance", Stored::Double),
    ("caching", Stored::TextMap),
    ("cdc", Stored::Boolean),
    ("comment", Stored::Text),
    ("compaction", Stored::TextMap),
    ("compression", Stored::TextMap),
    ("memtable", Stored::Text),
    ("crc_check_chance", Stored::Double),
    ("extensions", Stored::BlobMap),
    ("incremental_backups", Stored::Boolean),
    ("max_index_interval", Stored::Int),
    ("memtable_flush_period_in_ms", Stored::Int),
    ("min_index_interval", Stored::Int),
    ("read_repair", Stored::Text),
    ("speculative_retry", Stored::Text),
    ("auto_repair", Stored::TextMap),
];

/// The names of all options of a table.
pub fn table_options() -> impl Iterator<Item = &'static str> {
    let others = OPTIONS.iter().map(|(name, _)| *name);
    ["id", "gc_grace_seconds", "default_time_to_live"]
        .into_iter()
        .chain(others)
}

/// The options of a row of `tables` or `views`.
pub(super) fn options<R: SystemRow>(table: &Fields<'_, R>) -> Result<TableOptions> {
    let mut options = TableOptions::default();
    if let Some(seconds) = table.int("gc_grace_seconds")? {
        options.gc_grace_seconds = seconds;
    }
    if let Some(seconds) = table.int("default_time_to_live")? {
        options.default_time_to_live = seconds;
    }
    let quote = |text: String| format!("'{}'", text.replace('\'', "''"));
    for (name, stored) in OPTIONS {
        let Some(bytes) = table.row.get(name) else {
            continue;
        };
        let wrong = |_| table.wrong(name);
        let text = match stored {
            Stored::Text => quote(table.utf8(name, bytes)?),
            Stored::Boolean => Cursor::new(bytes).bool().map_err(wrong)?.to_string(),
            Stored::Double => format!("{:?}", Cursor::new(bytes).f64().map_err(wrong)?),
            Stored::Int => Cursor::new(bytes).i32().map_err(wrong)?.to_string(),
            Stored::TextMap | Stored::BlobMap => {
                let mut entries = BTreeMap::new();
                for (key, value) in table.map(name)? {
                    let value = match stored {
                        Stored::TextMap => quote(table.utf8(name, value)?),
                        _ => {
                            let digits: String = value.iter().map(|b| format!("{b:02x}")).collect();
                            format!("0x{digits}")
                        }
                    };
                    entries.insert(quote(table.utf8(name, key)?), value);
                }
                let entries = entries.iter().map(|(key, value)| format!("{key}: {value}"));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        };
        options.other.push((name.to_owned(), text));
    }
    Ok(options)
}
