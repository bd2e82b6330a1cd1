//! A schema out of the CQL that `DESCRIBE ... WITH INTERNALS` and snapshots write.
//!
//! Authority: `o.a.c.db.SchemaCQLHelper`, `o.a.c.cql3.statements.schema.{CreateTableStatement,AlterTableStatement,
//! CreateViewStatement}`, `o.a.c.schema.IndexMetadata`.

mod table;
mod view;

use super::user_types::{self, RawType, TypeKey};
use super::{IndexSchema, Schema};
use crate::cql::ast::QualifiedName;
use crate::cql::ddl::{
    CreateIndex, CreateView, DropKind, SchemaStatement, TableChange, TypeChange,
};
use crate::cql::{Parser, line_and_column, quote_name};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use table::RawTable;
use view::build_view;

/// The keyspace of tables that are created without one.
const KEYSPACE_UNKNOWN: &str = "keyspace";

/// Reads the schema out of the text of a schema file. `default_keyspace` is that of names without a keyspace, as after
/// `USE`; without it that is `keyspace`.
///
/// Statements that do not define types, tables, views or indexes are read over, as are options that are not known. What
/// `DESCRIBE` puts into a comment, because it was made with compact storage, is read too if the text has no other
/// definition of it.
///
/// A table that is defined wrongly, or by what is, is among [`Schema::broken`]: others can be used all the same.
///
/// Errors: `InvalidInput`, beginning with `line:column`, for a statement that is no CQL, and for the first definition that is
/// wrong in itself or does not fit those before it, if no table is left that can be used.
pub fn parse_schema(text: &str, default_keyspace: Option<&str>) -> Result<Schema> {
    let mut builder = Builder {
        keyspace: default_keyspace.unwrap_or(KEYSPACE_UNKNOWN).to_owned(),
        ..Builder::default()
    };
    let mut parser = Parser::new(text)?;
    while let Some((at, statement)) = parser.schema_statement()? {
        let subject = builder.subject(&statement);
        if let (Err(error), Some(subject)) = (builder.apply(at, statement), subject) {
            builder.set_broken(subject, at, placed(text, at, error));
        }
    }
    for (start, end) in parser.take_comments() {
        builder.apply_comment(&text[..end], start);
    }
    builder.build(text)
}

/// The error with `line:column` before its message.
fn placed(text: &str, at: usize, error: Error) -> Error {
    error.within(line_and_column(text, at))
}

/// What a statement defines or changes. Views are among the tables, as they share their names.
enum Subject {
    Type(TypeKey),
    Table(TypeKey),
}

#[derive(Debug, Default)]
struct Builder {
    keyspace: String,
    keyspaces: BTreeSet<String>,
    types: BTreeMap<TypeKey, RawType>,
    tables: BTreeMap<TypeKey, RawTable>,
    views: BTreeMap<TypeKey, (usize, CreateView)>,
    /// Tables and views with a statement that is wrong: where the first one begins, and why.
    broken: BTreeMap<TypeKey, (usize, Error)>,
    indexes: Vec<IndexSchema>,
    /// Tables and indexes that were dropped, and how many of `indexes` there were then.
    dropped: BTreeMap<(DropKind, TypeKey), usize>,
}

impl Builder {
    fn key(&self, name: &QualifiedName) -> TypeKey {
        let keyspace = name.keyspace.as_ref().unwrap_or(&self.keyspace);
        (keyspace.clone(), name.name.clone())
    }

    /// The key of something that is defined here; its keyspace then exists.
    fn new_key(&mut self, name: &QualifiedName) -> TypeKey {
        let key = self.key(name);
        self.keyspaces.insert(key.0.clone());
        key
    }

    fn subject(&self, statement: &SchemaStatement) -> Option<Subject> {
        match statement {
            SchemaStatement::CreateType { name, .. } | SchemaStatement::AlterType { name, .. } => {
                Some(Subject::Type(self.key(name)))
            }
            SchemaStatement::CreateTable(create) => Some(Subject::Table(self.key(&create.name))),
            SchemaStatement::AlterTable { name, .. } => Some(Subject::Table(self.key(name))),
            SchemaStatement::CreateView(view) => Some(Subject::Table(self.key(&view.name))),
            SchemaStatement::Use(_)
            | SchemaStatement::CreateKeyspace { .. }
            | SchemaStatement::AlterKeyspace { .. }
            | SchemaStatement::CreateIndex(_)
            | SchemaStatement::Drop { .. }
            | SchemaStatement::DropKeyspace { .. }
            | SchemaStatement::Truncate(_)
            | SchemaStatement::Other => None,
        }
    }

    /// Notes what is wrong with a definition; what came first counts.
    fn set_broken(&mut self, subject: Subject, at: usize, error: Error) {
        match subject {
            Subject::Type(key) => {
                _ = self
                    .types
                    .entry(key)
                    .or_default()
                    .error
                    .get_or_insert(error)
            }
            Subject::Table(key) => _ = self.broken.entry(key).or_insert((at, error)),
        }
    }

    fn apply(&mut self, at: usize, statement: SchemaStatement) -> Result<()> {
        match statement {
            SchemaStatement::Use(keyspace) => self.keyspace = keyspace,
            SchemaStatement::CreateKeyspace { name, .. } => _ = self.keyspaces.insert(name),
            SchemaStatement::CreateType {
                name,
                if_not_exists,
                fields,
            } => {
                let key = self.new_key(&name);
                if self.types.contains_key(&key) {
                    return already(if_not_exists, "type", &key);
                }
                let fields = fields.into_iter().map(|(name, ty)| (name, ty.0)).collect();
                let error = None;
                self.types.insert(key, RawType { fields, error });
            }
            SchemaStatement::AlterType {
                name,
                if_exists,
                change,
            } => {
                let key = self.key(&name);
                match self.types.get_mut(&key) {
                    Some(ty) => change_type(ty, change)?,
                    None => return missing(if_exists, "type", &key),
                }
            }
            SchemaStatement::CreateTable(create) => {
                let key = self.new_key(&create.name);
                if self.tables.contains_key(&key) || self.views.contains_key(&key) {
                    return already(create.if_not_exists, "table", &key);
                }
                self.tables.insert(key, RawTable::new(at, create)?);
            }
            SchemaStatement::AlterTable {
                name,
                if_exists,
                change,
            } => {
                let key = self.key(&name);
                if let (TableChange::With(options), Some((_, view))) =
                    (&change, self.views.get_mut(&key))
                {
                    view.properties.options.extend(options.iter().cloned());
                    return Ok(());
                }
                if !self.tables.contains_key(&key) {
                    return missing(if_exists, "table", &key);
                }
                if let TableChange::Rename(renames) = &change {
                    self.rename_in_views(&key, renames);
                }
                if let Some(table) = self.tables.get_mut(&key) {
                    table.change(change)?;
                }
            }
            SchemaStatement::CreateView(view) => {
                let key = self.new_key(&view.name);
                if self.tables.contains_key(&key) || self.views.contains_key(&key) {
                    return already(view.if_not_exists, "table", &key);
                }
                self.views.insert(key, (at, view));
            }
            SchemaStatement::CreateIndex(index) => {
                let (keyspace, table) = self.new_key(&index.table);
                self.indexes.push(make_index(keyspace, table, index));
            }
            SchemaStatement::Drop { kind, name, .. } => {
                let key = self.key(&name);
                self.remove(kind, key);
            }
            SchemaStatement::DropKeyspace { name: keyspace, .. } => {
                remove_keyspace(&mut self.types, &keyspace);
                remove_keyspace(&mut self.views, &keyspace);
                remove_keyspace(&mut self.broken, &keyspace);
                for key in remove_keyspace(&mut self.tables, &keyspace) {
                    self.remove(DropKind::Table, key);
                }
                self.keyspaces.remove(&keyspace);
            }
            SchemaStatement::AlterKeyspace { .. }
            | SchemaStatement::Truncate(_)
            | SchemaStatement::Other => {}
        }
        Ok(())
    }

    /// Drops something, if it is there.
    fn remove(&mut self, kind: DropKind, key: TypeKey) {
        match kind {
            DropKind::Type => _ = self.types.remove(&key),
            DropKind::View => {
                self.views.remove(&key);
                self.broken.remove(&key);
            }
            DropKind::Table | DropKind::Index => {
                if kind == DropKind::Table {
                    self.tables.remove(&key);
                    self.broken.remove(&key);
                }
                self.dropped.insert((kind, key), self.indexes.len());
            }
        }
    }

    /// Whether the `n`th index outlived all that was dropped.
    fn is_left(&self, n: usize, index: &IndexSchema) -> bool {
        let kinds = [
            (DropKind::Table, &index.table),
            (DropKind::Index, &index.name),
        ];
        kinds.into_iter().all(|(kind, name)| {
            let key = (kind, (index.keyspace.clone(), name.clone()));
            self.dropped.get(&key).is_none_or(|before| n >= *before)
        })
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
                    let key = self.new_key(&create.name);
                    let is_new = !self.tables.contains_key(&key) && !self.views.contains_key(&key);
                    if let (true, Ok(table)) = (is_new, RawTable::new(at, create)) {
                        created.insert(key.clone());
                        self.tables.insert(key, table);
                    }
                }
                SchemaStatement::AlterTable { name, change, .. } => {
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
        let types = user_types::resolve(&self.types);
        let indexes = self.indexes.iter().enumerate();
        let indexes = indexes.filter(|(n, index)| self.is_left(*n, index));
        let mut schema = Schema {
            indexes: indexes.map(|(_, index)| index.clone()).collect(),
            keyspaces: self.keyspaces.into_iter().collect(),
            ..Schema::default()
        };
        let mut broken = self.broken;
        let mut tables = self.tables;
        tables.retain(|key, _| !broken.contains_key(key));
        for (key, raw) in tables {
            let at = raw.at;
            match raw.build(&key, &types) {
                Ok(table) => schema.tables.push(table),
                Err(error) => _ = broken.insert(key, (at, placed(text, at, error))),
            }
        }
        let mut views = self.views;
        views.retain(|key, _| !broken.contains_key(key));
        for (key, (at, view)) in views {
            if let Err(error) = build_view(&mut schema, &key, view, &broken) {
                broken.insert(key, (at, placed(text, at, error)));
            }
        }
        if schema.tables.is_empty() && schema.untyped_views.is_empty() {
            let first = broken.values().min_by_key(|(at, _)| at);
            let first = first.map(|(_, error)| error);
            if let Some(error) = first.or(types.failed.values().next()) {
                return Err(error.clone());
            }
        }
        let broken = broken.into_iter();
        schema.broken = broken.map(|(key, (_, e))| (key.0, key.1, e)).collect();
        schema.types = types.in_order;
        Ok(schema)
    }
}

/// Removes all of a keyspace, and gives back the names.
fn remove_keyspace<V>(map: &mut BTreeMap<TypeKey, V>, keyspace: &str) -> Vec<TypeKey> {
    let all = map.range((keyspace.to_owned(), String::new())..);
    let all = all.map(|(key, _)| key).take_while(|key| key.0 == keyspace);
    let all: Vec<TypeKey> = all.cloned().collect();
    for key in &all {
        map.remove(key);
    }
    all
}

fn already(allowed: bool, what: &str, (keyspace, name): &TypeKey) -> Result<()> {
    match allowed {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "{what} {keyspace}.{name} is defined a second time"
        ))),
    }
}

fn missing(allowed: bool, what: &str, (keyspace, name): &TypeKey) -> Result<()> {
    match allowed {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "{what} {keyspace}.{name} is not defined before"
        ))),
    }
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
