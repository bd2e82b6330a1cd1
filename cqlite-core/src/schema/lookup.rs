//! Where the schema of a table's files comes from: a schema file, `schema.cql` beside them, the `system_schema` tables of
//! the same data directory, or the headers of the SSTables themselves.

use super::system::system_key_names;
use super::{HeaderTypes, IndexSchema, Schema, TableSchema, parse_schema};
use crate::limits::CQL_TEXT_BYTES_MAX;
use crate::sstable::SSTable;
use crate::sstable::descriptor::TableName;
use crate::sstable::directory::TableDirectory;
use crate::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that a snapshot has beside its SSTables.
const SCHEMA_FILE: &str = "schema.cql";

/// The directory of the tables that hold the schema.
const SYSTEM_SCHEMA: &str = "system_schema";

/// Keyspace and table of files of which nothing tells them.
const UNKNOWN: (&str, &str) = ("keyspace", "table");

/// The schema of a table, and where it was found.
#[derive(Debug, Clone)]
pub struct FoundSchema {
    /// The table.
    pub table: TableSchema,
    /// Its secondary indexes.
    pub indexes: Vec<IndexSchema>,
    /// The schema file, or the directory `system_schema`; `None` if the SSTables' headers are all there is.
    pub source: Option<PathBuf>,
}

/// Finds the schema of the table in `directory`, of which `sstables` were opened, by generation. `file` is the schema file
/// that a user gave; `asked` is the keyspace, if one was named, and the table that a statement asks for, which decides where
/// the directory's path tells no name. `now` is in seconds since 1970.
///
/// # Errors
/// `NotFound` or `InvalidInput` when a schema file cannot be read, or does not have the table; those of the
/// `system_schema` tables, and of [`TableSchema::from_headers`].
pub fn find_schema(
    directory: &TableDirectory,
    sstables: &[Arc<SSTable>],
    file: Option<&Path>,
    asked: (Option<&str>, &str),
    now: i64,
) -> Result<FoundSchema> {
    let wanted = Wanted {
        name: directory.name.as_ref(),
        asked,
        headers: headers(sstables)?,
    };
    if let Some(file) = file {
        return wanted.of_file(file);
    }
    let beside = directory.directory.join(SCHEMA_FILE);
    if beside.is_file() {
        return wanted.of_file(&beside);
    }
    let is_system = wanted
        .name
        .is_some_and(|name| name.keyspace == SYSTEM_SCHEMA);
    if !is_system
        && let Some(name) = wanted.name
        && let Some(system) = find_system_schema(directory)
    {
        let schema = match Schema::load(&system, now) {
            Ok(schema) => schema,
            // A node that never flushed its schema has left the directory empty.
            Err(e) if e.kind() == ErrorKind::NotFound => Schema::default(),
            Err(e) => return Err(e),
        };
        let is_other =
            |table: &TableSchema| matches!((table.id, name.id), (Some(a), Some(b)) if a != b);
        match schema.table(&name.keyspace, &name.table) {
            // These files are of a table that was dropped, or were copied here; how it looked is known of the new one only.
            Some(table) if is_other(table) => {
                if let Some(table) = wanted.as_older(table) {
                    return Ok(FoundSchema {
                        table,
                        indexes: Vec::new(),
                        source: Some(system),
                    });
                }
            }
            _ => {
                if let Some(table) = wanted.named(&schema)? {
                    return Ok(found(table, &schema, Some(system)));
                }
            }
        }
    }
    let (keyspace, table) = match wanted.name {
        Some(name) => (&*name.keyspace, &*name.table),
        None => UNKNOWN,
    };
    let names = if is_system {
        system_key_names(table)
    } else {
        None
    };
    Ok(FoundSchema {
        table: TableSchema::from_headers(keyspace, table, &wanted.headers, names.as_ref())?,
        indexes: Vec::new(),
        source: None,
    })
}

fn found(table: TableSchema, schema: &Schema, source: Option<PathBuf>) -> FoundSchema {
    FoundSchema {
        indexes: schema.indexes_of(&table),
        table,
        source,
    }
}

/// The types that the headers of the SSTables say, the newest first.
fn headers(sstables: &[Arc<SSTable>]) -> Result<Vec<HeaderTypes>> {
    let types = sstables.iter().rev().map(|s| s.statistics().header.types());
    types.collect()
}

/// The directory `system_schema` of the data directory that a table's directory lies in, if there is one.
pub fn find_system_schema(directory: &TableDirectory) -> Option<PathBuf> {
    let name = directory.name.as_ref()?;
    let absolute = std::path::absolute(&directory.directory).ok()?;
    let is_keyspace = |path: &&Path| path.file_name().is_some_and(|n| *n == *name.keyspace);
    let keyspaces = absolute.ancestors().filter(is_keyspace);
    let mut systems = keyspaces.filter_map(|k| Some(k.parent()?.join(SYSTEM_SCHEMA)));
    systems.find(|system| system.is_dir())
}

/// The table that is looked for.
struct Wanted<'a> {
    /// What the path tells.
    name: Option<&'a TableName>,
    /// What the statement asks for.
    asked: (Option<&'a str>, &'a str),
    headers: Vec<HeaderTypes>,
}

impl Wanted<'_> {
    fn of_file(&self, file: &Path) -> Result<FoundSchema> {
        let size = std::fs::metadata(file)
            .map_err(|e| Error::io(file, e))?
            .len();
        if size > CQL_TEXT_BYTES_MAX as u64 {
            return Err(Error::invalid(format!("{size} bytes are no schema")).in_file(file));
        }
        let text = std::fs::read(file).map_err(|e| Error::io(file, e))?;
        let text = String::from_utf8(text)
            .map_err(|_| Error::invalid("it is not UTF-8 text").in_file(file))?;
        let keyspace = self.name.map(|n| &*n.keyspace).or(self.asked.0);
        let schema = parse_schema(&text, keyspace).map_err(|e| e.in_file(file))?;
        let table = self.in_schema(&schema).map_err(|e| e.in_file(file))?;
        Ok(found(table, &schema, Some(file.to_owned())))
    }

    /// The table that was dropped before `table` of the same name was created, if that has the same columns.
    fn as_older(&self, table: &TableSchema) -> Option<TableSchema> {
        let older = TableSchema {
            id: self.name.and_then(|name| name.id),
            dropped: Vec::new(),
            ..table.clone()
        };
        let mut headers = self.headers.iter();
        let fits = headers.all(|header| older.map_header(header).is_ok());
        (fits && !self.headers.is_empty()).then_some(older)
    }

    /// The table in a schema that was made for it.
    fn in_schema(&self, schema: &Schema) -> Result<TableSchema> {
        if let Some(table) = self.named(schema)? {
            return Ok(table);
        }
        // Files may have been copied to a directory of another name.
        if let ([only], [], []) = (&*schema.tables, &*schema.untyped_views, &*schema.broken) {
            return Ok(only.clone());
        }
        match self.name {
            Some(name) => schema.find(Some(&name.keyspace), &name.table).cloned(),
            None => schema.find(self.asked.0, self.asked.1).cloned(),
        }
    }

    /// The table of the name that the path tells, if the schema has it.
    fn named(&self, schema: &Schema) -> Result<Option<TableSchema>> {
        let Some(name) = self.name else {
            return Ok(None);
        };
        if let Some(table) = schema.table(&name.keyspace, &name.table) {
            return Ok(Some(table.clone()));
        }
        let mut views = schema.untyped_views.iter();
        if let Some(view) = views.find(|v| v.keyspace == name.keyspace && v.name == name.table) {
            return view.with_types(&self.headers).map(Some);
        }
        match schema.broken(&name.keyspace, &name.table) {
            Some(error) => Err(error.clone()),
            None => Ok(None),
        }
    }
}
