//! The columns of a table: their order, which of them `SELECT *` shows, and finding one by its name.
//!
//! Authority: `o.a.c.schema.{TableMetadata,TableMetadata.CompactTableMetadata}`, `o.a.c.db.Columns`.

use super::header::column_name;
use super::{Column, TableSchema};
use crate::cql::quote_name;
use crate::types::CqlType;
use std::cmp::Ordering;
use std::sync::Arc;

/// What a column is in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Of the partition key.
    PartitionKey,
    /// A clustering column.
    Clustering,
    /// Static.
    Static,
    /// Regular.
    Regular,
}

/// A column where it is in a [`TableSchema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnRef<'a> {
    /// What it is.
    pub kind: ColumnKind,
    /// Its index in [`TableSchema::partition_key`], `clustering`, `statics` or `regulars`.
    pub index: usize,
    /// Its name, without quotes.
    pub name: &'a Arc<str>,
    /// Its type.
    pub ty: &'a CqlType,
}

impl ColumnRef<'_> {
    /// Whether it is of the primary key.
    pub fn is_of_key(&self) -> bool {
        matches!(self.kind, ColumnKind::PartitionKey | ColumnKind::Clustering)
    }
}

impl TableSchema {
    /// `keyspace.table`, each in quotes where CQL needs them.
    pub fn full_name(&self) -> String {
        format!("{}.{}", quote_name(&self.keyspace), quote_name(&self.name))
    }

    /// The name that headers have for a column of this name.
    pub(crate) fn stored_name(&self, name: &str) -> Arc<str> {
        match self.stored_names.get(name) {
            Some(stored) => stored.clone(),
            None => column_name(name.as_bytes()),
        }
    }

    /// All columns, hidden ones too: partition key, clustering, statics, regulars, the latter two in storage order.
    pub fn columns(&self) -> impl Iterator<Item = ColumnRef<'_>> {
        let clustering = self.clustering.iter().enumerate();
        let clustering = clustering.map(|(index, c)| ColumnRef {
            kind: ColumnKind::Clustering,
            index,
            name: &c.name,
            ty: &c.ty,
        });
        refs(ColumnKind::PartitionKey, &self.partition_key)
            .chain(clustering)
            .chain(refs(ColumnKind::Static, &self.statics))
            .chain(refs(ColumnKind::Regular, &self.regulars))
    }

    /// The column of this name, hidden or not.
    pub fn column(&self, name: &str) -> Option<ColumnRef<'_>> {
        self.columns().find(|c| &**c.name == name)
    }

    /// The columns that `SELECT *` shows, in its order: partition key, clustering, then statics and regulars, each by
    /// their names.
    pub fn select_order(&self) -> Vec<ColumnRef<'_>> {
        let mut shown: Vec<_> = self.columns().filter(|c| !self.is_hidden(c)).collect();
        let key_columns = shown.partition_point(|c| {
            matches!(c.kind, ColumnKind::PartitionKey | ColumnKind::Clustering)
        });
        let others = shown.split_off(key_columns);
        for kind in [ColumnKind::Static, ColumnKind::Regular] {
            let of_kind = others.iter().filter(|c| c.kind == kind);
            // Cassandra merges two lists, each in storage order, by signed bytes (`Columns.selectOrderIterator`). Complex
            // columns whose names begin beyond ASCII are in that of the simple ones: it looks for the first complex column
            // by the empty name, which sorts after theirs (`Columns.findFirstComplexIdx`).
            let is_found = |c: &&ColumnRef<'_>| c.ty.is_multi_cell() && starts_in_ascii(c.name);
            let (complex, simple): (Vec<_>, Vec<_>) = of_kind.partition(is_found);
            let signed = |name: &str| name.bytes().map(|b| b as i8).collect::<Vec<_>>();
            let mut simple = simple.into_iter().copied().peekable();
            for column in complex {
                let name = signed(column.name);
                while let Some(before) = simple.next_if(|c| signed(c.name) < name) {
                    shown.push(before);
                }
                shown.push(*column);
            }
            shown.extend(simple);
        }
        shown
    }

    /// Whether CQL hides the column: part of compact storage that no statement can name.
    pub fn is_hidden(&self, column: &ColumnRef<'_>) -> bool {
        match column.kind {
            ColumnKind::PartitionKey | ColumnKind::Static => false,
            ColumnKind::Clustering => self.is_static_compact(),
            ColumnKind::Regular => {
                self.is_static_compact() || self.is_dense && *column.ty == CqlType::Empty
            }
        }
    }

    /// Whether this is a static compact table: compact storage and no clustering column but a hidden one. Its only
    /// visible row in a partition is the static one.
    pub fn is_static_compact(&self) -> bool {
        // A super column family is not: its regular column is a map.
        self.is_compact
            && !self.is_dense
            && self.clustering.len() == 1
            && matches!(&*self.regulars, [value] if !value.ty.is_multi_cell())
    }

    /// Whether this is a counter table.
    pub fn is_counter(&self) -> bool {
        let mut columns = self.statics.iter().chain(&self.regulars);
        columns.any(|c| c.ty == CqlType::Counter)
    }

    /// Whether the primary key has a column that is none of the primary key of `base`.
    pub(super) fn has_key_beyond(&self, base: &TableSchema) -> bool {
        let is_key =
            |c: &ColumnRef<'_>| matches!(c.kind, ColumnKind::PartitionKey | ColumnKind::Clustering);
        let mut key = self.columns().filter(is_key);
        key.any(|column| !base.column(column.name).is_some_and(|c| is_key(&c)))
    }

    /// Puts `columns` into storage order: simple before multi-cell ones, each by [`compare_column_names`].
    pub(crate) fn into_storage_order(columns: &mut [Column]) {
        columns.sort_by(|a, b| storage_order((a, a.name.as_bytes()), (b, b.name.as_bytes())));
    }
}

fn starts_in_ascii(name: &str) -> bool {
    name.bytes().next().is_none_or(|byte| byte.is_ascii())
}

/// The order in which columns of the same kind are stored: by the bytes of their names, of which the first is compared as
/// signed, so that `é` comes before `a`, and the others as unsigned ones.
///
/// Authority: `ColumnMetadata.comparisonOrder`, whose unsigned shift takes the flipped sign bit of
/// `ColumnIdentifier.prefixComparison` for the highest bit of a number.
pub fn compare_column_names(a: &str, b: &str) -> Ordering {
    compare_raw_column_names(a.as_bytes(), b.as_bytes())
}

/// The same of names as a header holds them.
pub(crate) fn compare_raw_column_names(a: &[u8], b: &[u8]) -> Ordering {
    let first = |name: &[u8]| name.first().copied().unwrap_or(0) as i8;
    first(a).cmp(&first(b)).then_with(|| a.cmp(b))
}

/// The order in which columns with these bytes for names are stored.
pub(super) fn storage_order(a: (&Column, &[u8]), b: (&Column, &[u8])) -> Ordering {
    let by_kind = a.0.ty.is_multi_cell().cmp(&b.0.ty.is_multi_cell());
    by_kind.then_with(|| compare_raw_column_names(a.1, b.1))
}

fn refs(kind: ColumnKind, columns: &[Column]) -> impl Iterator<Item = ColumnRef<'_>> {
    columns.iter().enumerate().map(move |(index, c)| ColumnRef {
        kind,
        index,
        name: &c.name,
        ty: &c.ty,
    })
}
