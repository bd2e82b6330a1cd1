//! What `CREATE TABLE` and `ALTER TABLE` make of a table.
//!
//! Authority: `o.a.c.cql3.statements.schema.{CreateTableStatement,AlterTableStatement}`.

use super::rename;
use crate::cql::ast::TypeText;
use crate::cql::ddl::{ColumnDefinition, CreateTable, Properties, TableChange};
use crate::cql::parse_uuid;
use crate::error::{Error, Result};
use crate::schema::user_types::{TypeKey, UserTypes};
use crate::schema::{
    ClusteringColumn, Column, DroppedColumn, TableKind, TableOptions, TableSchema,
};
use crate::types::CqlType;
use std::collections::BTreeMap;

/// A table as its statements define it, before its types are known.
#[derive(Debug)]
pub(super) struct RawTable {
    /// Where its definition begins.
    pub at: usize,
    columns: BTreeMap<String, RawColumn>,
    partition_key: Vec<String>,
    clustering: Vec<String>,
    properties: Properties,
    dropped: BTreeMap<String, (RawColumn, Option<i64>)>,
    compact_storage_dropped: bool,
}

#[derive(Debug, Clone)]
struct RawColumn {
    ty: TypeText,
    is_static: bool,
}

impl RawTable {
    pub fn new(at: usize, create: CreateTable) -> Result<Self> {
        let mut columns = BTreeMap::new();
        for ColumnDefinition {
            name,
            ty,
            is_static,
        } in create.columns
        {
            if columns.contains_key(&name) {
                return Err(Error::invalid(format!("column `{name}` stands twice")));
            }
            columns.insert(name, RawColumn { ty, is_static });
        }
        Ok(RawTable {
            at,
            columns,
            partition_key: create.partition_key,
            clustering: create.clustering,
            properties: create.properties,
            dropped: BTreeMap::new(),
            compact_storage_dropped: false,
        })
    }

    pub fn change(&mut self, change: TableChange) -> Result<()> {
        match change {
            TableChange::Add {
                if_not_exists,
                columns,
            } => {
                for ColumnDefinition {
                    name,
                    ty,
                    is_static,
                } in columns
                {
                    if self.columns.contains_key(&name) {
                        match if_not_exists {
                            true => continue,
                            false => {
                                return Err(Error::invalid(format!(
                                    "the table has a column `{name}`"
                                )));
                            }
                        }
                    }
                    // Which cells are older than a drop without a time cannot be told.
                    if let Some((_, None)) = self.dropped.get(&name) {
                        self.dropped.remove(&name);
                    }
                    self.columns.insert(name, RawColumn { ty, is_static });
                }
            }
            TableChange::Drop {
                if_exists,
                columns,
                timestamp_micros,
            } => {
                for name in columns {
                    if self.partition_key.contains(&name) || self.clustering.contains(&name) {
                        return Err(Error::invalid(format!(
                            "column `{name}` is part of the primary key"
                        )));
                    }
                    match self.columns.remove(&name) {
                        Some(column) => {
                            _ = self.dropped.insert(name, (column, timestamp_micros));
                        }
                        None if if_exists => {}
                        None => {
                            return Err(Error::invalid(format!(
                                "the table has no column `{name}`"
                            )));
                        }
                    }
                }
            }
            TableChange::Rename(renames) => {
                for (old, new) in &renames {
                    if let Some(column) = self.columns.remove(old) {
                        self.columns.insert(new.clone(), column);
                    }
                }
                let order = self.properties.clustering_order.iter_mut();
                let key = self.partition_key.iter_mut().chain(&mut self.clustering);
                key.chain(order.map(|(name, _)| name))
                    .for_each(|name| rename(name, &renames));
            }
            TableChange::AlterColumn {
                if_exists,
                column,
                ty,
            } => match self.columns.get_mut(&column) {
                Some(raw) => raw.ty = ty,
                None if if_exists => {}
                None => {
                    return Err(Error::invalid(format!(
                        "the table has no column `{column}`"
                    )));
                }
            },
            TableChange::DropCompactStorage => self.compact_storage_dropped = true,
            TableChange::With(options) => self.properties.options.extend(options),
            TableChange::Mask => {}
        }
        Ok(())
    }

    pub fn build(mut self, key: &TypeKey, types: &UserTypes) -> Result<TableSchema> {
        let (keyspace, name) = key;
        let parse = |column: &str, raw: &RawColumn| {
            let ty = types.parse(keyspace, &raw.ty.0);
            ty.map_err(|e| e.within(format_args!("column `{column}`")))
        };
        let mut take = |name: &str| -> Result<Column> {
            let Some(raw) = self.columns.remove(name) else {
                return Err(Error::invalid(format!(
                    "`{name}` of the primary key is no column of the table, or stands in the key twice"
                )));
            };
            let ty = parse(name, &raw)?;
            if ty.is_multi_cell() || ty == CqlType::Counter {
                return Err(Error::invalid(format!(
                    "`{name}` of the primary key cannot be of type {}",
                    raw.ty.0
                )));
            }
            Ok(Column {
                name: name.into(),
                ty,
            })
        };
        if self.partition_key.is_empty() {
            return Err(Error::invalid(format!(
                "table {keyspace}.{name} has no primary key"
            )));
        }
        let partition_key = self
            .partition_key
            .iter()
            .map(|name| take(name))
            .collect::<Result<Vec<_>>>()?;
        let is_static_compact = self.properties.compact_storage && self.clustering.is_empty();
        let descending = clustering_order(&self.properties, &self.clustering, is_static_compact)?;
        let mut clustering = Vec::with_capacity(self.clustering.len());
        for (name, descending) in self.clustering.iter().zip(descending) {
            let Column { name, ty } = take(name)?;
            clustering.push(ClusteringColumn {
                name,
                ty,
                descending,
            });
        }
        let (mut statics, mut regulars) = (Vec::new(), Vec::new());
        for (name, raw) in &self.columns {
            let column = Column {
                name: name.as_str().into(),
                ty: parse(name, raw)?,
            };
            match raw.is_static || is_static_compact {
                true => statics.push(column),
                false => regulars.push(column),
            }
        }
        let mut dropped = Vec::with_capacity(self.dropped.len());
        for (name, (raw, time)) in &self.dropped {
            dropped.push(DroppedColumn {
                column: Column {
                    name: name.as_str().into(),
                    ty: parse(name, raw)?,
                },
                is_static: raw.is_static || is_static_compact,
                dropped_at_micros: time.unwrap_or(i64::MAX),
            });
        }
        TableSchema::into_storage_order(&mut statics);
        TableSchema::into_storage_order(&mut regulars);
        let (id, options) = table_options(&self.properties.options)?;
        let is_compact = self.properties.compact_storage && !self.compact_storage_dropped;
        let mut table = TableSchema {
            keyspace: keyspace.clone(),
            name: name.clone(),
            id,
            kind: TableKind::Regular,
            is_dense: is_compact && !clustering.is_empty(),
            is_compact,
            strict_liveness: false,
            stored_names: BTreeMap::new(),
            partition_key,
            clustering,
            statics,
            regulars,
            dropped,
            options,
        };
        if self.properties.compact_storage {
            let named = self.properties.clustering_order.first();
            add_hidden_columns(&mut table, named.filter(|_| is_static_compact));
        }
        Ok(table)
    }
}

/// Whether each clustering column descends.
pub(super) fn clustering_order(
    properties: &Properties,
    clustering: &[String],
    is_static_compact: bool,
) -> Result<Vec<bool>> {
    let order = &properties.clustering_order;
    // The hidden clustering column of a static compact table may be named here.
    if !is_static_compact
        && let Some((name, _)) = order.iter().find(|(name, _)| !clustering.contains(name))
    {
        return Err(Error::invalid(format!(
            "`{name}` of CLUSTERING ORDER BY is no clustering column"
        )));
    }
    let descends = |name| order.iter().any(|(column, desc)| column == name && *desc);
    Ok(clustering.iter().map(descends).collect())
}

/// The columns that compact storage has and `CREATE TABLE` does not say. Authority:
/// `CreateTableStatement.fixupCompactTable`.
fn add_hidden_columns(table: &mut TableSchema, clustering_name: Option<&(String, bool)>) {
    let free = |table: &TableSchema, base: &str, first: usize| {
        let candidate = |n: usize| match n {
            0 => base.to_owned(),
            n => format!("{base}{n}"),
        };
        let mut candidates = (first..).map(candidate);
        let name = candidates.find(|name| table.column(name).is_none());
        name.unwrap_or_default()
    };
    let is_static_compact = table.clustering.is_empty();
    if is_static_compact {
        let name = match clustering_name {
            Some((name, _)) if table.column(name).is_none() => name.clone(),
            _ => free(table, "column", 1),
        };
        table.clustering.push(ClusteringColumn {
            name: name.into(),
            ty: CqlType::Text,
            descending: false,
        });
    }
    if table.regulars.is_empty() {
        let ty = match (is_static_compact, table.is_counter()) {
            (false, _) => CqlType::Empty,
            (true, true) => CqlType::Counter,
            (true, false) => CqlType::Blob,
        };
        let name = free(table, "value", 0).into();
        table.regulars.push(Column { name, ty });
    }
}

/// Id and options; the last of several with the same name counts.
pub(super) fn table_options(
    options: &[(String, String)],
) -> Result<(Option<[u8; 16]>, TableOptions)> {
    let mut id = None;
    let mut known = TableOptions::default();
    // A number may stand in quotes.
    let number = |name: &str, value: &str| {
        let digits = value.trim_matches('\'');
        digits
            .parse()
            .map_err(|_| Error::invalid(format!("{name} = {value} is no number of seconds")))
    };
    for (name, value) in options {
        match name.as_str() {
            "id" => {
                let uuid = parse_uuid(value.trim_matches('\''));
                let wrong = || Error::invalid(format!("ID = {value} is no UUID"));
                id = Some(uuid.ok_or_else(wrong)?);
            }
            "gc_grace_seconds" => known.gc_grace_seconds = number(name, value)?,
            "default_time_to_live" => known.default_time_to_live = number(name, value)?,
            _ => {
                known.other.retain(|(other, _)| other != name);
                known.other.push((name.clone(), value.clone()));
            }
        }
    }
    Ok((id, known))
}
