//! A table's schema, wherever it came from: DDL text, system_schema SSTables, or an SSTable's own header.
//!
//! Authority: `o.a.c.schema.{TableMetadata,ColumnMetadata,DroppedColumn}`.

pub mod check;
mod columns;
pub mod ddl;
pub mod describe;
pub mod header;
mod lookup;
pub mod system;
mod user_types;

#[cfg(test)]
mod tests;

pub use check::{HeaderMapping, MappedColumn};
pub(crate) use columns::compare_raw_column_names;
pub use columns::{ColumnKind, ColumnRef, compare_column_names};
pub use ddl::parse_schema;
pub(crate) use describe::uuid_text;
pub use describe::{
    describe, describe_index, describe_keyspace, describe_table, describe_type, needed_types,
};
pub(crate) use header::raw_column_name;
pub use header::{HeaderTypes, KeyNames};
pub use lookup::{FoundSchema, find_schema, find_system_schema};

use crate::cql::quote_name;
use crate::error::{Error, Result};
use crate::types::{CqlType, UserType};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A column of any kind: its name (without quotes) and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name, without quotes.
    pub name: Arc<str>,
    /// Type of its values.
    pub ty: CqlType,
}

/// A clustering column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusteringColumn {
    /// Name, without quotes.
    pub name: Arc<str>,
    /// Type of its values.
    pub ty: CqlType,
    /// `CLUSTERING ORDER BY (c DESC)`: rows are stored in the reverse order of the type (`ReversedType`).
    pub descending: bool,
}

/// A column that the table once had. Cells at or before the drop are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedColumn {
    /// The column as it was.
    pub column: Column,
    /// Whether it was static.
    pub is_static: bool,
    /// Time of the drop, in microseconds since 1970.
    pub dropped_at_micros: i64,
}

/// What the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableKind {
    /// An ordinary table.
    #[default]
    Regular,
    /// A legacy secondary index's hidden table.
    Index,
    /// A materialized view.
    View,
}

/// Options of a table that change how its files are read, purged or shown.
#[derive(Debug, Clone, PartialEq)]
pub struct TableOptions {
    /// `gc_grace_seconds`.
    pub gc_grace_seconds: i32,
    /// `default_time_to_live`, in seconds.
    pub default_time_to_live: i32,
    /// Every other option with its text as written, in order.
    pub other: Vec<(String, String)>,
}

impl Default for TableOptions {
    fn default() -> Self {
        TableOptions {
            gc_grace_seconds: 864_000,
            default_time_to_live: 0,
            other: Vec::new(),
        }
    }
}

/// A table. Column names are unique over the four kinds.
///
/// A table with compact storage may have columns that CQL hides (`o.a.c.schema.TableMetadata.CompactTableMetadata`):
/// - dense (`PRIMARY KEY (k, c)`): rows are cells of Thrift. The one regular column is hidden if it is of type
///   [`CqlType::Empty`], which says that the table has only its key.
/// - static compact (`PRIMARY KEY (k)`): the columns of `CREATE TABLE` are [`TableSchema::statics`]; the clustering
///   (`column1`) and the regular column (`value`) are hidden, and with them all rows but the static one.
///
/// [`TableSchema::select_order`] leaves hidden columns out, as `SELECT *` does.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSchema {
    /// Keyspace, without quotes.
    pub keyspace: String,
    /// Table, without quotes.
    pub name: String,
    /// Table id, as in the directory's name.
    pub id: Option<[u8; 16]>,
    /// Regular table, index or view.
    pub kind: TableKind,
    /// Partition key columns, in order; at least one.
    pub partition_key: Vec<Column>,
    /// Clustering columns, in order.
    pub clustering: Vec<ClusteringColumn>,
    /// Static columns, in storage order: simple before multi-cell, each by [`compare_column_names`].
    pub statics: Vec<Column>,
    /// Regular columns, in storage order.
    pub regulars: Vec<Column>,
    /// The names that headers have for columns, where they are not those of CQL: those of Thrift may be of any type, and
    /// CQL has the text of their values for them. As [`HeaderTypes`] has them.
    pub stored_names: BTreeMap<Arc<str>, Arc<str>>,
    /// Columns dropped, at most one entry a name (the newest drop).
    pub dropped: Vec<DroppedColumn>,
    /// Compact storage: a dense table (`is_dense` flag), whose only regular column has no liveness of its own.
    pub is_dense: bool,
    /// Compact storage at all (no `compound` flag, or dense or super): hidden columns are not shown by `*`.
    pub is_compact: bool,
    /// A view of which the key has a column that is none of its base table's key: without liveness of their own its rows
    /// are dead, whatever their cells are (`o.a.c.db.view.View.enforceStrictLiveness`).
    pub strict_liveness: bool,
    /// Options.
    pub options: TableOptions,
}

/// A secondary index. Authority: `o.a.c.schema.IndexMetadata`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSchema {
    /// Keyspace, without quotes.
    pub keyspace: String,
    /// Table that it indexes, without quotes.
    pub table: String,
    /// Name, without quotes.
    pub name: String,
    /// What is indexed, as in CQL: `c`, `values(c)`, `keys(c)`, `entries(c)`, `full(c)`.
    pub target: String,
    /// Class or short name of the implementation; `None` for a legacy index.
    pub class: Option<String>,
    /// Its other options.
    pub options: Vec<(String, String)>,
}

/// A materialized view whose base table is not there to say the types of its columns; an SSTable's header is:
/// see [`UntypedView::with_types`].
#[derive(Debug, Clone, PartialEq)]
pub struct UntypedView {
    /// Keyspace, without quotes.
    pub keyspace: String,
    /// View, without quotes.
    pub name: String,
    /// Table id.
    pub id: Option<[u8; 16]>,
    /// Names of its key columns.
    pub key: KeyNames,
    /// Options.
    pub options: TableOptions,
}

/// The tables of one or more keyspaces.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Names of the keyspaces that are defined or have something in them.
    pub keyspaces: Vec<String>,
    /// User-defined types; those that others hold come before them.
    pub types: Vec<Arc<UserType>>,
    /// Tables and materialized views.
    pub tables: Vec<TableSchema>,
    /// Secondary indexes.
    pub indexes: Vec<IndexSchema>,
    /// Materialized views without their base table.
    pub untyped_views: Vec<UntypedView>,
    /// Tables that are defined, but not so that they can be used: keyspace, table, and why not.
    pub broken: Vec<(String, String, Error)>,
}

impl Schema {
    /// The table or view `keyspace.table`, if there is one.
    pub fn table(&self, keyspace: &str, table: &str) -> Option<&TableSchema> {
        let mut tables = self.tables.iter();
        tables.find(|t| t.name == table && t.keyspace == keyspace)
    }

    /// Why the table or view `keyspace.table` cannot be used although it is defined.
    pub fn broken(&self, keyspace: &str, table: &str) -> Option<&Error> {
        let mut broken = self.broken.iter();
        let found = broken.find(|(ks, name, _)| name == table && ks == keyspace);
        found.map(|(.., error)| error)
    }

    /// The tables and views named `table` of any keyspace.
    pub fn tables_named(&self, table: &str) -> Vec<&TableSchema> {
        self.tables.iter().filter(|t| t.name == table).collect()
    }

    /// The secondary indexes of a table.
    pub fn indexes_of(&self, table: &TableSchema) -> Vec<IndexSchema> {
        let is_of = |i: &&IndexSchema| i.keyspace == table.keyspace && i.table == table.name;
        self.indexes.iter().filter(is_of).cloned().collect()
    }

    /// The table or view of this name; without a keyspace, the only one of this name in any.
    ///
    /// Errors: `NotFound`, naming the tables that there are; `InvalidInput` if several keyspaces have such a table; the
    /// error of its definition if it is a broken one.
    pub fn find(&self, keyspace: Option<&str>, table: &str) -> Result<&TableSchema> {
        let fits = |ks: &str| keyspace.is_none_or(|k| k == ks);
        let mut found = self.tables_named(table);
        found.retain(|t| fits(&t.keyspace));
        let broken = self.broken.iter();
        let broken: Vec<_> = broken
            .filter(|(ks, name, _)| name == table && fits(ks))
            .collect();
        match (&*found, &*broken) {
            ([], []) => {}
            ([one], []) => return Ok(one),
            ([], [(.., error)]) => return Err(error.clone()),
            _ => {
                let found = found.iter().map(|t| &*t.keyspace);
                let keyspaces = found.chain(broken.iter().map(|(ks, ..)| &**ks));
                let names: Vec<String> = keyspaces
                    .map(|ks| format!("{}.{}", quote_name(ks), quote_name(table)))
                    .collect();
                let message = format!("`{table}` may be {}", names.join(" or "));
                return Err(Error::invalid(message).advise("name the keyspace too"));
            }
        }
        let asked = match keyspace {
            Some(keyspace) => format!("{keyspace}.{table}"),
            None => table.to_owned(),
        };
        const NAMES_MAX: usize = 20;
        let mut names: Vec<String> = self.tables.iter().map(|t| t.full_name()).collect();
        names.sort();
        let more = names.len().saturating_sub(NAMES_MAX);
        names.truncate(NAMES_MAX);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        let error = Error::not_found(format!("the schema has no table `{asked}`"));
        Err(match names.is_empty() {
            true => error.advise("it is to hold a CREATE TABLE statement"),
            false => error.advise(format!("it has {}", names.join(", "))),
        })
    }
}
