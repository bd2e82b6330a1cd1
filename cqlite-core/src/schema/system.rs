//! The schema of a data directory out of the rows of its `system_schema` tables.
//!
//! Authority: `o.a.c.schema.SchemaKeyspace` of 3.0 to 5.0, which read these columns alike; later ones only add some.

use super::header::KeyNames;
use super::user_types::{self, RawType, TypeKey, UserTypes};
use super::{
    ClusteringColumn, Column, DroppedColumn, IndexSchema, Schema, TableKind, TableOptions,
    TableSchema,
};
use crate::bytes::Cursor;
use crate::error::{Error, Result};
use crate::model::{PartitionSource, Unfiltered};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Names of the tables that [`Schema::from_system_tables`] takes, all of the keyspace `system_schema`.
pub const SYSTEM_TABLES: [&str; 7] = [
    "keyspaces",
    "tables",
    "columns",
    "dropped_columns",
    "types",
    "views",
    "indexes",
];

/// Names of the key columns of a table of `system_schema`, which together with the headers of its SSTables are its
/// schema.
pub fn system_key_names(table: &str) -> Option<KeyNames> {
    let clustering: &[&str] = match table {
        "keyspaces" => &[],
        "tables" => &["table_name"],
        "columns" | "dropped_columns" | "column_masks" => &["table_name", "column_name"],
        "triggers" => &["table_name", "trigger_name"],
        "views" => &["view_name"],
        "indexes" => &["table_name", "index_name"],
        "types" => &["type_name"],
        "functions" => &["function_name", "argument_types"],
        "aggregates" => &["aggregate_name", "argument_types"],
        _ => return None,
    };
    Some(KeyNames {
        partition_key: vec!["keyspace_name".into()],
        clustering: clustering.iter().map(|&name| name.into()).collect(),
    })
}

/// A live row, key columns included.
pub trait SystemRow {
    /// The value of a column; `None` if it is null or there is no such column.
    fn get(&self, column: &str) -> Option<&[u8]>;
}

/// A live row that owns its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow(HashMap<Arc<str>, Vec<u8>>);

impl SystemRow for StoredRow {
    fn get(&self, column: &str) -> Option<&[u8]> {
        self.0.get(column).map(Vec::as_slice)
    }
}

impl StoredRow {
    /// The rows of the `system_schema` table `table` that live at `now`, in seconds since 1970. `source` is the merged
    /// stream of all its SSTables, in which nothing is left that a deletion in it deletes.
    ///
    /// Errors: `InvalidInput` for a table that [`system_key_names`] does not know, or whose clustering columns are not
    /// those of it; the errors of the source.
    pub fn read_all(
        source: &mut dyn PartitionSource,
        table: &str,
        now: i64,
    ) -> Result<Vec<StoredRow>> {
        let names = system_key_names(table)
            .filter(|names| names.clustering.len() == source.header().clustering.len());
        let Some(names) = names else {
            return Err(Error::invalid(format!(
                "system_schema.{table} is not a table of a schema, or of other columns than Cassandra's"
            )));
        };
        let clustering: Vec<Arc<str>> =
            names.clustering.iter().map(|n| n.as_str().into()).collect();
        let key_name: Arc<str> = "keyspace_name".into();
        let regulars: Vec<Arc<str>> = source
            .header()
            .regulars
            .iter()
            .map(|c| c.name.clone())
            .collect();
        let mut rows = Vec::new();
        while source.next_partition()? {
            let key = source.partition().key.to_vec();
            while source.next_unfiltered()? {
                let Unfiltered::Row(row) = source.unfiltered() else {
                    continue;
                };
                // No column of these tables is multi-cell.
                let live = row.cells().filter(|c| c.path.is_none() && c.is_live(now));
                let mut values: HashMap<Arc<str>, Vec<u8>> = live
                    .filter_map(|c| Some((regulars.get(c.column)?.clone(), c.value.to_vec())))
                    .collect();
                if values.is_empty() && !row.liveness().is_live(now) {
                    continue;
                }
                values.insert(key_name.clone(), key.clone());
                for (name, value) in clustering.iter().zip(row.clustering().iter()) {
                    values.insert(name.clone(), value.unwrap_or_default().to_vec());
                }
                rows.push(StoredRow(values));
            }
        }
        Ok(rows)
    }
}

/// The live rows of the `system_schema` tables of the same names.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct SystemTables<R> {
    pub keyspaces: Vec<R>,
    pub tables: Vec<R>,
    pub columns: Vec<R>,
    pub dropped_columns: Vec<R>,
    pub types: Vec<R>,
    pub views: Vec<R>,
    pub indexes: Vec<R>,
}

impl<R> Default for SystemTables<R> {
    fn default() -> Self {
        SystemTables {
            keyspaces: Vec::new(),
            tables: Vec::new(),
            columns: Vec::new(),
            dropped_columns: Vec::new(),
            types: Vec::new(),
            views: Vec::new(),
            indexes: Vec::new(),
        }
    }
}

impl Schema {
    /// The schema of all keyspaces. A table that cannot be made, because rows of it are missing or name what does not
    /// exist, is among [`Schema::broken`].
    ///
    /// Errors: `Corrupt` for a value that is not of its column's type.
    pub fn from_system_tables<R: SystemRow>(rows: &SystemTables<R>) -> Result<Schema> {
        let types = user_types(rows)?;
        let columns = by_table("columns", &rows.columns)?;
        let dropped = by_table("dropped_columns", &rows.dropped_columns)?;
        let mut keyspaces = BTreeSet::new();
        for row in &rows.keyspaces {
            keyspaces.insert(Fields::new("keyspaces", row).text("keyspace_name")?);
        }
        let mut schema = Schema::default();
        let tables = rows.tables.iter().map(|row| (row, TableKind::Regular));
        let views = rows.views.iter().map(|row| (row, TableKind::View));
        for (row, kind) in tables.chain(views) {
            let (table, name) = match kind {
                TableKind::View => ("views", "view_name"),
                _ => ("tables", "table_name"),
            };
            let fields = Fields::new(table, row);
            let key = (fields.text("keyspace_name")?, fields.text(name)?);
            keyspaces.insert(key.0.clone());
            let columns = columns.get(&key).map_or(&[][..], Vec::as_slice);
            let dropped = dropped.get(&key).map_or(&[][..], Vec::as_slice);
            match make_table(&fields, kind, &key, columns, dropped, &types) {
                Ok(table) => schema.tables.push(table),
                Err(error) => schema.broken.push((key.0, key.1, error)),
            }
        }
        for row in &rows.indexes {
            schema
                .indexes
                .push(make_index(&Fields::new("indexes", row))?);
        }
        schema.keyspaces = keyspaces.into_iter().collect();
        schema.types = types.in_order;
        Ok(schema)
    }
}

fn user_types<R: SystemRow>(rows: &SystemTables<R>) -> Result<UserTypes> {
    let mut raw = BTreeMap::new();
    for row in &rows.types {
        let fields = Fields::new("types", row);
        let key = (fields.text("keyspace_name")?, fields.text("type_name")?);
        let (names, types) = (fields.texts("field_names")?, fields.texts("field_types")?);
        let fields = names.into_iter().zip(types).collect();
        raw.insert(key, RawType { fields });
    }
    // A table that uses a type that could not be made says so.
    Ok(user_types::resolve(&raw).0)
}

fn by_table<'r, R: SystemRow>(
    table: &'static str,
    rows: &'r [R],
) -> Result<BTreeMap<TypeKey, Vec<&'r R>>> {
    let mut by_table: BTreeMap<TypeKey, Vec<&R>> = BTreeMap::new();
    for row in rows {
        let fields = Fields::new(table, row);
        let key = (fields.text("keyspace_name")?, fields.text("table_name")?);
        by_table.entry(key).or_default().push(row);
    }
    Ok(by_table)
}

fn make_table<R: SystemRow>(
    table: &Fields<'_, R>,
    kind: TableKind,
    (keyspace, name): &TypeKey,
    columns: &[&R],
    dropped: &[&R],
    types: &UserTypes,
) -> Result<TableSchema> {
    let broken = |what: &str| {
        Error::invalid(format!(
            "the system_schema tables do not say the schema of {keyspace}.{name}: {what}"
        ))
        .advise("give a schema file; a node that runs, or did not stop cleanly, has not flushed all of its schema")
    };
    let column = |fields: &Fields<'_, R>| -> Result<Column> {
        let name = fields.text("column_name")?;
        let ty = fields.text("type")?;
        let ty = types.parse(keyspace, &ty);
        let ty = ty.map_err(|e| broken(&format!("column `{name}`: {}", e.message())))?;
        Ok(Column {
            name: name.into(),
            ty,
        })
    };
    let (mut partition_key, mut clustering) = (Vec::new(), Vec::new());
    let (mut statics, mut regulars) = (Vec::new(), Vec::new());
    for row in columns {
        let fields = Fields::new("columns", *row);
        let column = column(&fields)?;
        let position = fields.int("position")?.unwrap_or(0);
        match &*fields.text("kind")? {
            "partition_key" => partition_key.push((position, column)),
            "clustering" => {
                let order = fields.optional_text("clustering_order")?;
                let Column { name, ty } = column;
                let descending = order.is_some_and(|o| o.eq_ignore_ascii_case("desc"));
                clustering.push((
                    position,
                    ClusteringColumn {
                        name,
                        ty,
                        descending,
                    },
                ));
            }
            "static" => statics.push(column),
            "regular" => regulars.push(column),
            other => {
                return Err(broken(&format!(
                    "column `{}` is of kind `{other}`",
                    column.name
                )));
            }
        }
    }
    if partition_key.is_empty() {
        return Err(broken("it has no partition key"));
    }
    partition_key.sort_by_key(|(position, _)| *position);
    clustering.sort_by_key(|(position, _)| *position);
    TableSchema::into_storage_order(&mut statics);
    TableSchema::into_storage_order(&mut regulars);
    let mut gone = Vec::with_capacity(dropped.len());
    for row in dropped {
        let fields = Fields::new("dropped_columns", *row);
        // 3.0 had no kinds here.
        let is_static = fields.optional_text("kind")?.as_deref() == Some("static");
        let millis = fields.long("dropped_time")?;
        let Some(millis) = millis else {
            return Err(broken("a column was dropped at no time"));
        };
        gone.push(DroppedColumn {
            column: column(&fields)?,
            is_static,
            dropped_at_micros: millis.saturating_mul(1000),
        });
    }
    let flags = match (kind, table.row.get("flags")) {
        (TableKind::Regular, Some(_)) => table.texts("flags")?,
        _ => vec!["compound".to_owned()],
    };
    let is = |flag: &str| flags.iter().any(|f| f.eq_ignore_ascii_case(flag));
    Ok(TableSchema {
        keyspace: keyspace.clone(),
        name: name.clone(),
        id: table.uuid("id")?,
        kind,
        partition_key: partition_key.into_iter().map(|(_, c)| c).collect(),
        clustering: clustering.into_iter().map(|(_, c)| c).collect(),
        statics,
        regulars,
        dropped: gone,
        is_dense: is("dense"),
        is_compact: is("dense") || is("super") || !is("compound"),
        options: options(table)?,
    })
}

fn make_index<R: SystemRow>(fields: &Fields<'_, R>) -> Result<IndexSchema> {
    let mut options: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in fields.map("options")? {
        options.insert(fields.utf8("options", key)?, fields.utf8("options", value)?);
    }
    Ok(IndexSchema {
        keyspace: fields.text("keyspace_name")?,
        table: fields.text("table_name")?,
        name: fields.text("index_name")?,
        target: options.remove("target").unwrap_or_default(),
        class: options.remove("class_name"),
        options: options.into_iter().collect(),
    })
}

/// How the value of an option is stored.
enum Stored {
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
const OPTIONS: [(&str, Stored); 18] = [
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

fn options<R: SystemRow>(table: &Fields<'_, R>) -> Result<TableOptions> {
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

/// A row and the table that it is of.
struct Fields<'r, R> {
    table: &'static str,
    row: &'r R,
}

impl<'r, R: SystemRow> Fields<'r, R> {
    fn new(table: &'static str, row: &'r R) -> Self {
        Fields { table, row }
    }

    fn wrong(&self, column: &str) -> Error {
        Error::corrupt(format!(
            "a row of system_schema.{} has no valid `{column}`",
            self.table
        ))
    }

    fn utf8(&self, column: &str, bytes: &[u8]) -> Result<String> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.wrong(column)),
        }
    }

    fn optional_text(&self, column: &str) -> Result<Option<String>> {
        let bytes = self.row.get(column);
        bytes.map(|bytes| self.utf8(column, bytes)).transpose()
    }

    fn text(&self, column: &str) -> Result<String> {
        self.optional_text(column)?
            .ok_or_else(|| self.wrong(column))
    }

    fn int(&self, column: &str) -> Result<Option<i32>> {
        let bytes = self.row.get(column);
        let value = bytes.map(|bytes| Cursor::new(bytes).i32()).transpose();
        value.map_err(|_| self.wrong(column))
    }

    fn long(&self, column: &str) -> Result<Option<i64>> {
        let bytes = self.row.get(column);
        let value = bytes.map(|bytes| Cursor::new(bytes).i64()).transpose();
        value.map_err(|_| self.wrong(column))
    }

    fn uuid(&self, column: &str) -> Result<Option<[u8; 16]>> {
        let bytes = self.row.get(column);
        let value = bytes.map(|bytes| Cursor::new(bytes).uuid()).transpose();
        value.map_err(|_| self.wrong(column))
    }

    /// The values of a frozen collection, keys of a map too; none if the column is null.
    fn values(&self, column: &str, per_element: usize) -> Result<Vec<&'r [u8]>> {
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
    fn texts(&self, column: &str) -> Result<Vec<String>> {
        let values = self.values(column, 1)?;
        values
            .into_iter()
            .map(|bytes| self.utf8(column, bytes))
            .collect()
    }

    /// The entries of a frozen map.
    fn map(&self, column: &str) -> Result<Vec<(&'r [u8], &'r [u8])>> {
        let values = self.values(column, 2)?;
        Ok(values.chunks_exact(2).map(|kv| (kv[0], kv[1])).collect())
    }
}
