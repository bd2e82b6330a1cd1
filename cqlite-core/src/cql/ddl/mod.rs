//! Statements that define the schema.
//!
//! Authority: `o.a.c.cql3.statements.schema`.

mod alter;
mod create;
mod drop;

use super::ast::{QualifiedName, TypeText};

/// A statement of a schema file.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaStatement {
    /// `USE keyspace`.
    Use(String),
    /// `CREATE KEYSPACE`.
    CreateKeyspace {
        /// The keyspace.
        name: String,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// What stands after `WITH`: `name = value`, with the value's text as written.
        options: Vec<(String, String)>,
    },
    /// `ALTER KEYSPACE`.
    AlterKeyspace {
        /// The keyspace.
        name: String,
        /// `IF EXISTS`.
        if_exists: bool,
        /// What stands after `WITH`.
        options: Vec<(String, String)>,
    },
    /// `CREATE TYPE`.
    CreateType {
        /// The type.
        name: QualifiedName,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// Names and types of its fields.
        fields: Vec<(String, TypeText)>,
    },
    /// `ALTER TYPE`.
    AlterType {
        /// The type.
        name: QualifiedName,
        /// `IF EXISTS`.
        if_exists: bool,
        /// What is changed.
        change: TypeChange,
    },
    /// `CREATE TABLE`.
    CreateTable(CreateTable),
    /// `ALTER TABLE`.
    AlterTable {
        /// The table.
        name: QualifiedName,
        /// `IF EXISTS`.
        if_exists: bool,
        /// What is changed.
        change: TableChange,
    },
    /// `CREATE MATERIALIZED VIEW`.
    CreateView(CreateView),
    /// `CREATE [CUSTOM] INDEX`.
    CreateIndex(CreateIndex),
    /// `DROP` of anything in a keyspace.
    Drop {
        /// What it is.
        kind: DropKind,
        /// `IF EXISTS`; a schema file need not have created what it drops.
        if_exists: bool,
        /// Its name.
        name: QualifiedName,
    },
    /// `DROP KEYSPACE`, with all that is in it.
    DropKeyspace {
        /// The keyspace.
        name: String,
        /// `IF EXISTS`.
        if_exists: bool,
    },
    /// `TRUNCATE`.
    Truncate(QualifiedName),
    /// Any other statement; it is read over.
    Other,
}

/// What a `DROP` is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropKind {
    /// A user-defined type.
    Type,
    /// A table, with its indexes.
    Table,
    /// A materialized view.
    View,
    /// A secondary index.
    Index,
}

/// `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// The table.
    pub name: QualifiedName,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// All columns, in the order of the text.
    pub columns: Vec<ColumnDefinition>,
    /// Names of the partition key's columns.
    pub partition_key: Vec<String>,
    /// Names of the clustering columns.
    pub clustering: Vec<String>,
    /// What stands after `WITH`.
    pub properties: Properties,
}

/// `name type [STATIC] [MASKED WITH ...]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    /// The column.
    pub name: String,
    /// Its type.
    pub ty: TypeText,
    /// Whether it is static.
    pub is_static: bool,
}

/// What stands after `WITH` of a table or view.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Properties {
    /// `CLUSTERING ORDER BY`: columns, and whether they descend.
    pub clustering_order: Vec<(String, bool)>,
    /// `COMPACT STORAGE`.
    pub compact_storage: bool,
    /// `name = value`, with the value's text as written.
    pub options: Vec<(String, String)>,
}

/// What an `ALTER TABLE` does.
#[derive(Debug, Clone, PartialEq)]
pub enum TableChange {
    /// `ADD`.
    Add {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The columns.
        columns: Vec<ColumnDefinition>,
    },
    /// `DROP`.
    Drop {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The columns.
        columns: Vec<String>,
        /// `USING TIMESTAMP`, in microseconds since 1970.
        timestamp_micros: Option<i64>,
    },
    /// `RENAME a TO b`, old and new names.
    Rename(Vec<(String, String)>),
    /// `ALTER c TYPE t`.
    AlterColumn {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The column.
        column: String,
        /// Its new type.
        ty: TypeText,
    },
    /// `DROP COMPACT STORAGE`.
    DropCompactStorage,
    /// `WITH`.
    With(Vec<(String, String)>),
    /// A change of a mask, which changes nothing in files.
    Mask,
}

/// What an `ALTER TYPE` does.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeChange {
    /// `ADD`.
    Add {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The field.
        field: String,
        /// Its type.
        ty: TypeText,
    },
    /// `RENAME a TO b`, old and new names.
    Rename(Vec<(String, String)>),
    /// `ALTER f TYPE t`.
    AlterField {
        /// The field.
        field: String,
        /// Its new type.
        ty: TypeText,
    },
}

/// `CREATE MATERIALIZED VIEW`; its `WHERE` is read over.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// The view.
    pub name: QualifiedName,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The table that it is of.
    pub base: QualifiedName,
    /// The columns of the base that it has; `None` for all.
    pub columns: Option<Vec<String>>,
    /// Names of the partition key's columns.
    pub partition_key: Vec<String>,
    /// Names of the clustering columns.
    pub clustering: Vec<String>,
    /// What stands after `WITH`.
    pub properties: Properties,
}

/// `CREATE [CUSTOM] INDEX`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    /// The index; without one, Cassandra makes a name.
    pub name: Option<String>,
    /// The table.
    pub table: QualifiedName,
    /// What is indexed: `values`, `keys`, `entries`, `full` or nothing, and the column.
    pub targets: Vec<(Option<String>, String)>,
    /// `USING`: class or short name of the implementation.
    pub using: Option<String>,
    /// `WITH OPTIONS`: names and values.
    pub options: Vec<(String, String)>,
}
