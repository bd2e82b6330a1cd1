//! The schema of a data directory out of the rows of its `system_schema` tables.
//!
//! Authority: `o.a.c.schema.SchemaKeyspace` of 3.0 to 5.0, which read these columns alike; later ones only add some.

mod fields;
mod rows;
mod stored;

pub use fields::table_options;
pub(crate) use rows::texts;
pub use rows::{KeyspaceOptions, RowKey, RowValues, WRITTEN_TABLES, system_rows, system_tables};
pub use stored::StoredRow;

use super::columns::storage_order;
use super::header::{KeyNames, column_name};
use super::user_types::{self, RawType, TypeKey, UserTypes};
use super::{ClusteringColumn, Column, DroppedColumn, IndexSchema, Schema, TableKind, TableSchema};
use crate::error::{Error, Result};
use fields::{Fields, options};
use std::collections::{BTreeMap, BTreeSet};

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
            let made = make_table(&fields, kind, &key, columns, dropped, &types);
            let made = made.and_then(|table| with_base(table, &fields, &schema));
            match made {
                Ok(table) => schema.tables.push(table),
                Err(error) => schema.broken.push((key.0, key.1, error)),
            }
        }
        for row in &rows.indexes {
            let fields = Fields::new("indexes", row);
            match make_index(&fields) {
                Ok(index) => schema.indexes.push(index),
                Err(error) => {
                    let (keyspace, table) =
                        (fields.text("keyspace_name")?, fields.text("table_name")?);
                    let is_other = |t: &TableSchema| (&t.keyspace, &t.name) != (&keyspace, &table);
                    schema.tables.retain(is_other);
                    schema.broken.push((keyspace, table, error));
                }
            }
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
        let names = fields.texts("field_names");
        let pairs = names.and_then(|names| Ok(names.into_iter().zip(fields.texts("field_types")?)));
        let (fields, error) = match pairs {
            Ok(pairs) => (pairs.collect(), None),
            Err(error) => {
                let name = format_args!("type {}.{}", key.0, key.1);
                (Vec::new(), Some(error.within(name)))
            }
        };
        raw.insert(key, RawType { fields, error });
    }
    Ok(user_types::resolve(&raw))
}

/// A view as its base table makes it, which lies before it in the schema. Anything else stays as it is.
fn with_base<R: SystemRow>(
    mut table: TableSchema,
    row: &Fields<'_, R>,
    schema: &Schema,
) -> Result<TableSchema> {
    if let Some(name) = row.optional_text("base_table_name")? {
        if let Some(error) = schema.broken(&table.keyspace, &name) {
            return Err(error.clone().within("its base table"));
        }
        let base = schema.table(&table.keyspace, &name);
        table.strict_liveness = base.is_some_and(|base| table.has_key_beyond(base));
    }
    Ok(table)
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
        // The bytes of the name, of which `column_name` is the text.
        let stored = fields.row.get("column_name_bytes");
        let stored = stored.map_or_else(|| column.name.as_bytes().to_vec(), <[u8]>::to_vec);
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
            "static" => statics.push((column, stored)),
            "regular" => regulars.push((column, stored)),
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
    let mut stored_names = BTreeMap::new();
    let mut into_storage_order = |mut columns: Vec<(Column, Vec<u8>)>| -> Vec<Column> {
        columns.sort_by(|a, b| storage_order((&a.0, &a.1), (&b.0, &b.1)));
        let names = columns
            .iter()
            .map(|(c, stored)| (c.name.clone(), column_name(stored)));
        stored_names.extend(names.filter(|(name, stored)| name != stored));
        columns.into_iter().map(|(column, _)| column).collect()
    };
    let statics = into_storage_order(statics);
    let regulars = into_storage_order(regulars);
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
        stored_names,
        dropped: gone,
        is_dense: is("dense"),
        is_compact: is("dense") || is("super") || !is("compound"),
        strict_liveness: false,
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
