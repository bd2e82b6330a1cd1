//! A schema out of the CQL that `DESCRIBE ... WITH INTERNALS` and snapshots write.
//!
//! Authority: `o.a.c.db.SchemaCQLHelper`, `o.a.c.cql3.statements.schema.{CreateTableStatement,AlterTableStatement,
//! CreateViewStatement}`, `o.a.c.schema.IndexMetadata`.

use super::user_types::{self, RawType, TypeKey, UserTypes};
use super::{
    ClusteringColumn, Column, DroppedColumn, IndexSchema, KeyNames, Schema, TableKind,
    TableOptions, TableSchema, UntypedView,
};
use crate::cql::ast::{QualifiedName, TypeText};
use crate::cql::ddl::{
    ColumnDefinition, CreateIndex, CreateTable, CreateView, Properties, SchemaStatement,
    TableChange, TypeChange,
};
use crate::cql::{Parser, line_and_column, parse_uuid, quote_name};
use crate::error::{Error, Result};
use crate::types::CqlType;
use std::collections::{BTreeMap, BTreeSet};

/// The keyspace of tables that are created without one.
const KEYSPACE_UNKNOWN: &str = "keyspace";

/// Reads the schema out of the text of a schema file. `default_keyspace` is that of names without a keyspace, as after
/// `USE`; without it that is `keyspace`.
///
/// Statements that do not define types, tables, views or indexes are read over, as are options that are not known. What
/// `DESCRIBE` puts into a comment, because it was made with compact storage, is read too if the text has no other
/// definition of it.
///
/// Errors: `InvalidInput`, beginning with `line:column`, for a statement that is wrong in itself or does not fit those
/// before it.
pub fn parse_schema(text: &str, default_keyspace: Option<&str>) -> Result<Schema> {
    let mut builder = Builder {
        keyspace: default_keyspace.unwrap_or(KEYSPACE_UNKNOWN).to_owned(),
        ..Builder::default()
    };
    let mut parser = Parser::new(text)?;
    while let Some((at, statement)) = parser.schema_statement()? {
        builder
            .apply(at, statement)
            .map_err(|e| placed(text, at, e))?;
    }
    for (start, end) in parser.take_comments() {
        builder.apply_comment(&text[..end], start);
    }
    builder.build(text)
}

/// The error with `line:column` before its message.
fn placed(text: &str, at: usize, error: Error) -> Error {
    prefixed(&line_and_column(text, at), error)
}

/// The error with `prefix: ` before its message.
fn prefixed(prefix: &str, error: Error) -> Error {
    let named = Error::new(error.kind(), format!("{prefix}: {}", error.message()));
    match error.advice() {
        Some(advice) => named.advise(advice),
        None => named,
    }
}

/// A table as its statements define it, before its types are known.
#[derive(Debug)]
struct RawTable {
    /// Where its definition begins.
    at: usize,
    /// Whether it stands in a comment.
    in_comment: bool,
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

#[derive(Debug, Default)]
struct Builder {
    keyspace: String,
    keyspaces: BTreeSet<String>,
    types: BTreeMap<TypeKey, RawType>,
    tables: BTreeMap<TypeKey, RawTable>,
    views: BTreeMap<TypeKey, (usize, CreateView)>,
    indexes: Vec<IndexSchema>,
}

impl Builder {
    fn key(&mut self, name: &QualifiedName) -> TypeKey {
        let keyspace = name.keyspace.as_ref().unwrap_or(&self.keyspace);
        self.keyspaces.insert(keyspace.clone());
        (keyspace.clone(), name.name.clone())
    }

    fn apply(&mut self, at: usize, statement: SchemaStatement) -> Result<()> {
        match statement {
            SchemaStatement::Use(keyspace) => self.keyspace = keyspace,
            SchemaStatement::CreateKeyspace(keyspace) => _ = self.keyspaces.insert(keyspace),
            SchemaStatement::CreateType {
                name,
                if_not_exists,
                fields,
            } => {
                let key = self.key(&name);
                if self.types.contains_key(&key) {
                    return already(if_not_exists, "type", &key);
                }
                let fields = fields.into_iter().map(|(name, ty)| (name, ty.0)).collect();
                self.types.insert(key, RawType { fields });
            }
            SchemaStatement::AlterType { name, change } => {
                let key = self.key(&name);
                let ty = self.types.get_mut(&key);
                change_type(ty.ok_or_else(|| unknown("type", &key))?, change)?;
            }
            SchemaStatement::CreateTable(create) => {
                let key = self.key(&create.name);
                if self.tables.contains_key(&key) || self.views.contains_key(&key) {
                    return already(create.if_not_exists, "table", &key);
                }
                self.tables.insert(key, RawTable::new(at, create)?);
            }
            SchemaStatement::AlterTable { name, change } => {
                let key = self.key(&name);
                if let (TableChange::With(options), Some((_, view))) =
                    (&change, self.views.get_mut(&key))
                {
                    view.properties.options.extend(options.iter().cloned());
                    return Ok(());
                }
                if let TableChange::Rename(renames) = &change {
                    self.rename_in_views(&key, renames);
                }
                let table = self.tables.get_mut(&key);
                table
                    .ok_or_else(|| unknown("table", &key))?
                    .change(change)?;
            }
            SchemaStatement::CreateView(view) => {
                let key = self.key(&view.name);
                if self.tables.contains_key(&key) || self.views.contains_key(&key) {
                    return already(view.if_not_exists, "table", &key);
                }
                self.views.insert(key, (at, view));
            }
            SchemaStatement::CreateIndex(index) => {
                let (keyspace, table) = self.key(&index.table);
                self.indexes.push(make_index(keyspace, table, index));
            }
            SchemaStatement::Other => {}
        }
        Ok(())
    }

    fn rename_in_views(&mut self, base: &TypeKey, renames: &[(String, String)]) {
        for ((keyspace, _), (_, view)) in &mut self.views {
            let of_keyspace = view.base.keyspace.as_ref().unwrap_or(keyspace);
            if (of_keyspace, &view.base.name) == (&base.0, &base.1) {
                let key = view.partition_key.iter_mut().chain(&mut view.clustering);
                for name in key.chain(view.columns.iter_mut().flatten()) {
                    rename(name, renames);
                }
            }
        }
    }

    /// Reads tables out of a comment that `DESCRIBE` writes around what CQL cannot create. `text` ends with the comment,
    /// which begins at `start`. A comment that is not such a one, or cannot be read, changes nothing.
    fn apply_comment(&mut self, text: &str, start: usize) {
        let comment = &text[start..];
        let create = comment.find("CREATE TABLE");
        let (Some(create), true) = (create, comment.contains("Warning: Table")) else {
            return;
        };
        let mut statements = Vec::new();
        if let Ok(mut parser) = Parser::starting_at(text, start + create) {
            while let Ok(Some(statement)) = parser.schema_statement() {
                statements.push(statement);
            }
        }
        // Only what belongs to a table that this comment defines.
        let mut created = BTreeSet::new();
        for (at, statement) in statements {
            match statement {
                SchemaStatement::CreateTable(create) => {
                    let key = self.key(&create.name);
                    let is_new = !self.tables.contains_key(&key) && !self.views.contains_key(&key);
                    if let (true, Ok(mut table)) = (is_new, RawTable::new(at, create)) {
                        table.in_comment = true;
                        created.insert(key.clone());
                        self.tables.insert(key, table);
                    }
                }
                SchemaStatement::AlterTable { name, change } => {
                    let key = self.key(&name);
                    if let (true, Some(table)) = (created.contains(&key), self.tables.get_mut(&key))
                    {
                        _ = table.change(change);
                    }
                }
                _ => {}
            }
        }
    }

    fn build(self, text: &str) -> Result<Schema> {
        let (types, failed) = user_types::resolve(&self.types);
        if let Some(((keyspace, name), error)) = failed.into_iter().next() {
            return Err(prefixed(&format!("type {keyspace}.{name}"), error));
        }
        let mut schema = Schema {
            keyspaces: self.keyspaces.into_iter().collect(),
            indexes: self.indexes,
            ..Schema::default()
        };
        for (key, raw) in self.tables {
            let (at, in_comment) = (raw.at, raw.in_comment);
            match raw.build(&key, &types).map_err(|e| placed(text, at, e)) {
                Ok(table) => schema.tables.push(table),
                Err(error) if in_comment => schema.broken.push((key.0, key.1, error)),
                Err(error) => return Err(error),
            }
        }
        for (key, (at, view)) in self.views {
            build_view(&mut schema, key, view).map_err(|e| placed(text, at, e))?;
        }
        schema.types = types.in_order;
        Ok(schema)
    }
}

fn already(allowed: bool, what: &str, (keyspace, name): &TypeKey) -> Result<()> {
    match allowed {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "{what} {keyspace}.{name} is defined a second time"
        ))),
    }
}

fn unknown(what: &str, (keyspace, name): &TypeKey) -> Error {
    Error::invalid(format!("{what} {keyspace}.{name} is not defined before"))
}

fn rename(name: &mut String, renames: &[(String, String)]) {
    if let Some((_, new)) = renames.iter().find(|(old, _)| old == name) {
        name.clone_from(new);
    }
}

fn change_type(ty: &mut RawType, change: TypeChange) -> Result<()> {
    let find = |ty: &RawType, field: &str| ty.fields.iter().position(|(name, _)| name == field);
    match change {
        TypeChange::Add {
            if_not_exists,
            field,
            ty: text,
        } => match find(ty, &field) {
            None => ty.fields.push((field, text.0)),
            Some(_) if if_not_exists => {}
            Some(_) => {
                return Err(Error::invalid(format!("the type has a field `{field}`")));
            }
        },
        TypeChange::Rename(renames) => {
            let fields = ty.fields.iter_mut();
            fields.for_each(|(name, _)| rename(name, &renames));
        }
        TypeChange::AlterField { field, ty: text } => match find(ty, &field) {
            Some(n) => ty.fields[n].1 = text.0,
            None => return Err(Error::invalid(format!("the type has no field `{field}`"))),
        },
    }
    Ok(())
}

fn make_index(keyspace: String, table: String, index: CreateIndex) -> IndexSchema {
    let target = |(part, column): &(Option<String>, String)| match part {
        Some(part) => format!("{part}({})", quote_name(column)),
        None => quote_name(column),
    };
    let name = index.name.unwrap_or_else(|| {
        // The name that Cassandra makes up: what is no letter, digit or `_` is left out.
        let column = index.targets.first().map_or("", |(_, column)| column);
        let name = format!("{table}_{column}_idx");
        let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        name.chars().filter(word).collect()
    });
    IndexSchema {
        keyspace,
        table,
        name,
        target: index
            .targets
            .iter()
            .map(target)
            .collect::<Vec<_>>()
            .join(", "),
        class: index.using,
        options: index.options,
    }
}

impl RawTable {
    fn new(at: usize, create: CreateTable) -> Result<Self> {
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
            in_comment: false,
            columns,
            partition_key: create.partition_key,
            clustering: create.clustering,
            properties: create.properties,
            dropped: BTreeMap::new(),
            compact_storage_dropped: false,
        })
    }

    fn change(&mut self, change: TableChange) -> Result<()> {
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
            TableChange::AlterColumn { column, ty } => match self.columns.get_mut(&column) {
                Some(raw) => raw.ty = ty,
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

    fn build(mut self, key: &TypeKey, types: &UserTypes) -> Result<TableSchema> {
        let (keyspace, name) = key;
        let parse = |column: &str, raw: &RawColumn| {
            let ty = types.parse(keyspace, &raw.ty.0);
            ty.map_err(|e| prefixed(&format!("column `{column}`"), e))
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
fn clustering_order(
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
fn table_options(options: &[(String, String)]) -> Result<(Option<[u8; 16]>, TableOptions)> {
    let mut id = None;
    let mut known = TableOptions::default();
    let number = |name: &str, value: &str| {
        value
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

/// Adds a view, with the types of its base table if that is there.
fn build_view(schema: &mut Schema, key: TypeKey, view: CreateView) -> Result<()> {
    let (keyspace, name) = key;
    let (id, options) = table_options(&view.properties.options)?;
    let descending = clustering_order(&view.properties, &view.clustering, false)?;
    let names = KeyNames {
        partition_key: view.partition_key,
        clustering: view.clustering,
    };
    let of_keyspace = view.base.keyspace.as_deref().unwrap_or(&keyspace);
    let Some(base) = schema.table(of_keyspace, &view.base.name) else {
        schema.untyped_views.push(UntypedView {
            keyspace,
            name,
            id,
            key: names,
            options,
        });
        return Ok(());
    };
    let column = |name: &String| match base.column(name) {
        Some(column) => Ok(Column {
            name: column.name.clone(),
            ty: column.ty.clone(),
        }),
        None => Err(Error::invalid(format!(
            "table {} has no column `{name}`",
            base.full_name()
        ))),
    };
    let is_key = |name: &str| {
        let mut key = names.partition_key.iter().chain(&names.clustering);
        key.any(|key| key == name)
    };
    let partition_key = names.partition_key.iter().map(column);
    let partition_key = partition_key.collect::<Result<Vec<_>>>()?;
    let mut clustering = Vec::with_capacity(names.clustering.len());
    for (name, descending) in names.clustering.iter().zip(descending) {
        let Column { name, ty } = column(name)?;
        clustering.push(ClusteringColumn {
            name,
            ty,
            descending,
        });
    }
    let mut regulars = match &view.columns {
        Some(columns) => {
            let regulars = columns.iter().filter(|name| !is_key(name));
            regulars.map(column).collect::<Result<Vec<_>>>()?
        }
        None => base
            .columns()
            .filter(|c| !is_key(c.name))
            .map(|c| Column {
                name: c.name.clone(),
                ty: c.ty.clone(),
            })
            .collect(),
    };
    TableSchema::into_storage_order(&mut regulars);
    schema.tables.push(TableSchema {
        keyspace,
        name,
        id,
        kind: TableKind::View,
        partition_key,
        clustering,
        statics: Vec::new(),
        regulars,
        dropped: Vec::new(),
        is_dense: false,
        is_compact: false,
        options,
    });
    Ok(())
}
