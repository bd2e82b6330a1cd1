//! A table's schema, wherever it came from: DDL text, system_schema SSTables, or an SSTable's own header.
//!
//! Authority: `o.a.c.schema.{TableMetadata,ColumnMetadata,DroppedColumn}`.

use crate::types::CqlType;
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
    /// Static columns, in storage order: simple before multi-cell, each by unsigned bytes of the name.
    pub statics: Vec<Column>,
    /// Regular columns, in storage order.
    pub regulars: Vec<Column>,
    /// Columns dropped, at most one entry a name (the newest drop).
    pub dropped: Vec<DroppedColumn>,
    /// Compact storage: a dense table (`is_dense` flag), whose only regular column has no liveness of its own.
    pub is_dense: bool,
    /// Compact storage at all (no `compound` flag, or dense or super): hidden columns are not shown by `*`.
    pub is_compact: bool,
    /// Options.
    pub options: TableOptions,
}
