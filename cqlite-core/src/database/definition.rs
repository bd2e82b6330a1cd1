//! The schema of a database: where it is kept, and the statements that change it.
//!
//! Authority: `o.a.c.schema.{SchemaKeyspace,SchemaTransformations}`, `o.a.c.cql3.statements.schema`.

use super::checks::{check_change, check_options, check_table};
use super::dropped::{Dropped, remove_table};
use super::{Inner, OWN_DIRECTORY, State, lock};
use crate::compaction::CompactionParams;
use crate::cql::ast::QualifiedName;
use crate::cql::ddl::{DropKind, SchemaStatement};
use crate::cql::quote_name;
use crate::io::sync_directory;
use crate::model::{DeletionTime, RowBuf, RowDeletion, RowRef, Span};
use crate::mutation::{Insert, TimeUuids, Value, WriteTime};
use crate::partitioner::TokenRange;
use crate::schema::describe::{describe_table, describe_type, needed_types};
use crate::schema::system::{
    KeyspaceOptions, RowKey, RowValues, StoredRow, SystemTables as Rows, WRITTEN_TABLES,
    system_rows, system_tables,
};
use crate::schema::{Schema, TableKind, TableSchema, parse_schema};
use crate::sstable::WriteOptions;
use crate::sstable::builder::ChangeSink;
use crate::table::{StorageOptions, Table};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// SSTables of a table of the schema from which on they are merged.
const SSTABLES_MAX: usize = 8;

const EXISTS: &str = "IF EXISTS";

const NOT_EXISTS: &str = "IF NOT EXISTS";

/// The tables that hold the schema, by their names.
pub(super) struct SystemTables(BTreeMap<&'static str, Table>);

impl SystemTables {
    /// Opens them, and makes their directories if they are not there.
    pub fn open(directory: &Path, storage: &StorageOptions) -> Result<Self> {
        let definitions = system_tables()?;
        // They are not measured with what the user reads and writes.
        let storage = StorageOptions {
            metrics: Arc::default(),
            ..storage.clone()
        };
        let mut tables = BTreeMap::new();
        for name in WRITTEN_TABLES {
            if let Some(definition) = definitions.iter().find(|table| table.name == name) {
                let directory = make_directory(directory, definition)?;
                let schema = Arc::new(definition.clone());
                tables.insert(name, Table::open(&directory, schema, storage.clone())?);
            }
        }
        Ok(SystemTables(tables))
    }

    /// The schema that they say, and what they say of keyspaces besides.
    pub fn read(&self, now: i64) -> Result<(Schema, BTreeMap<String, KeyspaceOptions>)> {
        let rows = |name: &str| -> Result<Vec<StoredRow>> {
            let Some(table) = self.0.get(name) else {
                return Ok(Vec::new());
            };
            let view = table.view();
            let mut source = view.reader().scan(&TokenRange::ALL)?;
            StoredRow::read_all(&mut source, name, now)
        };
        let rows = Rows {
            keyspaces: rows("keyspaces")?,
            tables: rows("tables")?,
            columns: rows("columns")?,
            dropped_columns: rows("dropped_columns")?,
            types: rows("types")?,
            views: Vec::new(),
            indexes: rows("indexes")?,
        };
        let keyspaces = rows.keyspaces.iter().map(KeyspaceOptions::read);
        let keyspaces = keyspaces.collect::<Result<_>>()?;
        Ok((Schema::from_system_tables(&rows)?, keyspaces))
    }

    /// Makes them say another schema. A table is there as soon as its row in `tables` is, and as long.
    fn change(
        &self,
        before: &BTreeMap<RowKey, RowValues>,
        after: &BTreeMap<RowKey, RowValues>,
        when: &WriteTime,
    ) -> Result<()> {
        let is_gone = |key: &&RowKey| !after.contains_key(*key);
        let gone: Vec<&RowKey> = before.keys().filter(is_gone).collect();
        let new: Vec<_> = after
            .iter()
            .filter(|(k, v)| before.get(*k) != Some(*v))
            .collect();
        for (name, only_gone) in [("tables", true)]
            .into_iter()
            .chain(WRITTEN_TABLES.map(|name| (name, false)))
        {
            let Some(table) = self.0.get(name) else {
                continue;
            };
            let mut update = table.update();
            for (_, key) in gone.iter().filter(|(of, _)| *of == name) {
                delete_row(&mut update, key, when)?;
            }
            for ((_, key), values) in new.iter().filter(|((of, _), _)| *of == name && !only_gone) {
                add_row(&mut update, table.schema(), key, values, when)?;
            }
            if update.is_empty() {
                continue;
            }
            table.apply(&update, || Ok(()))?;
            table.flush()?;
            if table.view().reader().sstables().len() >= SSTABLES_MAX {
                table.compact(when.now, None, &mut |_| Ok(()))?;
            }
        }
        Ok(())
    }
}

fn delete_row(update: &mut impl ChangeSink, key: &[String], when: &WriteTime) -> Result<()> {
    let deletion = DeletionTime {
        marked_for_delete_at: when.timestamp,
        local_deletion_time: when.now,
    };
    let Some((keyspace, clustering)) = key.split_first() else {
        return Ok(());
    };
    if clustering.is_empty() {
        return update.delete_partition(keyspace.as_bytes(), deletion);
    }
    let mut bytes = Vec::new();
    let mut row = RowBuf {
        deletion: RowDeletion {
            time: deletion,
            shadowable: false,
        },
        ..RowBuf::default()
    };
    for value in clustering {
        row.clustering.push(Span {
            start: bytes.len() as u32,
            len: value.len() as u32,
        });
        bytes.extend_from_slice(value.as_bytes());
    }
    update.add_row(keyspace.as_bytes(), RowRef::new(&bytes, &row))
}

fn add_row(
    update: &mut impl ChangeSink,
    table: &Arc<TableSchema>,
    key: &[String],
    values: &RowValues,
    when: &WriteTime,
) -> Result<()> {
    let keys = table.columns().map(|column| column.name.clone());
    let keys: Vec<Arc<str>> = keys.take(key.len()).collect();
    let names = keys
        .iter()
        .map(|name| &**name)
        .chain(values.iter().map(|(name, _)| *name));
    let names: Vec<&str> = names.collect();
    let key = key.iter().map(|value| Value::Bytes(value.as_bytes()));
    let values = values.iter().map(|(_, value)| Value::Bytes(value));
    let values: Vec<Value<'_>> = key.chain(values).collect();
    Insert::new(table.clone(), &names, TimeUuids::new(when.now, 0))?.add(&values, when, update)
}

/// The directory of a table, which is made if it is not there.
fn make_directory(directory: &Path, table: &TableSchema) -> Result<PathBuf> {
    let mut name = format!("{}-", table.name);
    for byte in table.id.unwrap_or_default() {
        name.push_str(&format!("{byte:02x}"));
    }
    let keyspace = directory.join(&table.keyspace);
    let path = keyspace.join(name);
    if !path.is_dir() {
        std::fs::create_dir_all(&path).map_err(|e| Error::io(&path, e))?;
        for made in [&*keyspace, directory] {
            sync_directory(made)?;
        }
    }
    Ok(path)
}

/// Opens a table of the database; `None` for what is not its own: views, and the tables of Cassandra itself.
pub(super) fn open_table(
    directory: &Path,
    table: &TableSchema,
    storage: &StorageOptions,
) -> Result<Option<Table>> {
    if is_system(&table.keyspace) || table.kind != TableKind::Regular {
        return Ok(None);
    }
    let directory = make_directory(directory, table)?;
    Table::open(&directory, Arc::new(table.clone()), storage.clone()).map(Some)
}

/// That the compaction of an altered table makes sense, if it is another one: that of a table that Cassandra made may not.
fn check_compaction(old: &TableSchema, new: &TableSchema) -> Result<()> {
    let compaction = |table: &TableSchema| {
        let mut options = table.options.other.iter().cloned();
        options.find(|(name, _)| name == "compaction")
    };
    match compaction(old) == compaction(new) {
        true => Ok(()),
        false => CompactionParams::of_table(new).map(drop),
    }
}

/// Whether a keyspace is one of Cassandra's own.
pub(super) fn is_system(keyspace: &str) -> bool {
    keyspace == "system" || keyspace.starts_with("system_")
}

impl Inner {
    /// Carries out a statement that changes the schema; `text` is the statement's, `keyspace` that of names without one. What
    /// it changes is on the disk then.
    ///
    /// # Errors
    /// `InvalidInput` and `NotFound` for what does not fit the schema, `Unsupported` for what is not done here; `Io`.
    pub fn define(
        &self,
        statement: &SchemaStatement,
        text: &str,
        keyspace: Option<&str>,
        when: &WriteTime,
    ) -> Result<()> {
        let _changing = lock(&self.changing);
        if let SchemaStatement::Truncate(name) = statement {
            return self.truncate(name, keyspace);
        }
        let before = self.state();
        let mut after = State::clone(&before);
        after.change(statement, text, keyspace, when)?;
        let rows_before = system_rows(&before.schema, &before.keyspaces)?;
        let rows_after = system_rows(&after.schema, &after.keyspaces)?;
        let change_rows = || self.system.change(&rows_before, &rows_after, when);

        let key = |table: &TableSchema| (table.keyspace.clone(), table.name.clone());
        let mut altered = Vec::new();
        for table in &after.schema.tables {
            match before.tables.get(&key(table)) {
                Some(old) if **old.schema() == *table => {}
                Some(old) => {
                    check_compaction(old.schema(), table)?;
                    altered.push((old.clone(), Arc::new(table.clone())));
                }
                None => {
                    WriteOptions::of_table(table)?;
                    CompactionParams::of_table(table)?;
                    if let Some(new) = open_table(&self.directory, table, &self.options.storage)? {
                        new.begin_log(self.log.position());
                        after.tables.insert(key(table), Arc::new(new));
                    }
                }
            }
        }
        let is_gone = |name: &&(String, String)| after.schema.table(&name.0, &name.1).is_none();
        let gone: Vec<_> = before.tables.keys().filter(is_gone).cloned().collect();
        let gone: Vec<_> = gone
            .iter()
            .filter_map(|name| after.tables.remove(name))
            .collect();

        let own = self.directory.join(OWN_DIRECTORY);
        let dropped = (!gone.is_empty()).then(|| Dropped::new(&self.directory, &own));
        if let Some(dropped) = &dropped {
            dropped.note(gone.iter().map(|table| table.directory()))?;
        }

        // From here on nobody writes.
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for (old, schema) in altered {
            WriteOptions::of_table(&schema)?;
            self.flush_table(&old)?;
            let table = Arc::new(old.with_schema(schema.clone())?);
            self.request_compaction(&table);
            after.tables.insert(key(&schema), table);
        }
        change_rows().inspect_err(|_| {
            // Whether they are dropped is not sure.
            dropped.iter().for_each(|dropped| _ = dropped.forget());
        })?;
        // What is written from now on is younger than what was dropped.
        self.last_timestamp
            .fetch_max(drop_time(when), Ordering::SeqCst);
        *state = Arc::new(after);
        drop(state);
        for table in gone {
            table.retire();
            if let Some(id) = table.schema().id {
                self.log.mark_flushed(id, self.log.position())?;
            }
            remove_table(table.directory())?;
        }
        dropped.map_or(Ok(()), |dropped| dropped.forget())
    }
}

impl Inner {
    /// Deletes all rows of a table. They are all in SSTables first: these go at once, or not at all.
    fn truncate(&self, name: &QualifiedName, keyspace: Option<&str>) -> Result<()> {
        // Nobody writes meanwhile.
        let state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let table = state.table(name, keyspace)?;
        self.flush_table(table)?;
        table.clear()
    }
}

impl State {
    fn change(
        &mut self,
        statement: &SchemaStatement,
        text: &str,
        keyspace: Option<&str>,
        when: &WriteTime,
    ) -> Result<()> {
        match statement {
            SchemaStatement::CreateKeyspace {
                name,
                if_not_exists,
                options,
            } => {
                if is_system(name) {
                    return Err(Error::invalid(format!(
                        "the keyspace {} is Cassandra's own",
                        quote_name(name)
                    )));
                }
                if self.keyspaces.contains_key(name) {
                    return unless(*if_not_exists, NOT_EXISTS, || {
                        format!("the keyspace {} exists", quote_name(name))
                    });
                }
                let options = KeyspaceOptions::default().with(options)?;
                self.keyspaces.insert(name.clone(), options);
                self.schema.keyspaces.push(name.clone());
                self.schema.keyspaces.sort();
                Ok(())
            }
            SchemaStatement::AlterKeyspace {
                name,
                if_exists,
                options,
            } => match self.keyspaces.get_mut(name) {
                Some(present) => {
                    *present = present.clone().with(options)?;
                    Ok(())
                }
                None => unless(*if_exists, EXISTS, || no_keyspace(name)),
            },
            SchemaStatement::DropKeyspace { name, if_exists } => {
                if self.keyspaces.remove(name).is_none() {
                    return unless(*if_exists, EXISTS, || no_keyspace(name));
                }
                let schema = &mut self.schema;
                schema.keyspaces.retain(|other| other != name);
                schema.types.retain(|ty| ty.keyspace != *name);
                schema.tables.retain(|table| table.keyspace != *name);
                schema.indexes.retain(|index| index.keyspace != *name);
                schema.broken.retain(|(keyspace, ..)| keyspace != name);
                Ok(())
            }
            SchemaStatement::CreateType { name, .. } | SchemaStatement::AlterType { name, .. } => {
                let (keyspace, name) = self.owned_name(name, keyspace)?;
                self.change_type(&keyspace, &name, text)
            }
            SchemaStatement::CreateTable(create) => {
                check_options(&create.properties.options)?;
                let (keyspace, name) = self.owned_name(&create.name, keyspace)?;
                if self.schema.table(&keyspace, &name).is_some() {
                    let full = format!("{}.{}", quote_name(&keyspace), quote_name(&name));
                    return unless(create.if_not_exists, NOT_EXISTS, || {
                        format!("the table {full} exists")
                    });
                }
                self.change_table(&keyspace, &name, text, when)
            }
            SchemaStatement::AlterTable {
                name,
                if_exists,
                change,
            } => {
                let (keyspace, name) = self.owned_name(name, keyspace)?;
                let Some(table) = self.schema.table(&keyspace, &name) else {
                    let full = format!("{}.{}", quote_name(&keyspace), quote_name(&name));
                    return unless(*if_exists, EXISTS, || format!("there is no table {full}"));
                };
                check_change(table, change)?;
                self.change_table(&keyspace, &name, text, when)
            }
            SchemaStatement::Drop {
                kind,
                if_exists,
                name,
            } => {
                let (keyspace, name) = self.owned_name(name, keyspace)?;
                self.drop(*kind, &keyspace, &name, *if_exists)
            }
            SchemaStatement::CreateIndex(_) | SchemaStatement::CreateView(_) => Err(
                Error::unsupported("indexes and materialized views are not kept here")
                    .advise("a SELECT with ALLOW FILTERING finds rows without an index"),
            ),
            SchemaStatement::Truncate(_) | SchemaStatement::Use(_) | SchemaStatement::Other => {
                Err(Error::unsupported("the statement changes no schema"))
            }
        }
    }

    /// Keyspace and name of something that is, or is to be, in a keyspace of one's own.
    fn owned_name(&self, name: &QualifiedName, keyspace: Option<&str>) -> Result<(String, String)> {
        let keyspace = name.keyspace.as_deref().or(keyspace).ok_or_else(|| {
            Error::invalid(format!("`{}` is of no keyspace", name.name))
                .advise("write keyspace.name, or USE keyspace before")
        })?;
        if !self.keyspaces.contains_key(keyspace) || is_system(keyspace) {
            return Err(Error::not_found(no_keyspace(keyspace)).advise("CREATE KEYSPACE makes one"));
        }
        Ok((keyspace.to_owned(), name.name.clone()))
    }

    fn types_of(&self, keyspace: &str) -> String {
        let types = self.schema.types.iter();
        let types = types.filter(|ty| ty.keyspace == keyspace);
        types.map(|ty| describe_type(ty) + "\n").collect()
    }

    fn change_table(
        &mut self,
        keyspace: &str,
        name: &str,
        text: &str,
        when: &WriteTime,
    ) -> Result<()> {
        let mut known = self.types_of(keyspace);
        let old = self.schema.table(keyspace, name).cloned();
        if let Some(old) = &old {
            known += &describe_table(old);
            known += "\n";
        }
        let parsed = parse_schema(&(known + text), Some(keyspace)).map_err(|e| unplaced(&e))?;
        if let Some(e) = parsed.broken(keyspace, name) {
            return Err(unplaced(e));
        }
        let Some(mut table) = parsed.table(keyspace, name).cloned() else {
            return Err(Error::invalid(format!(
                "the statement does not define {}.{}",
                quote_name(keyspace),
                quote_name(name)
            )));
        };
        let node = RandomState::new().hash_one(when.timestamp);
        let id = || TimeUuids::new(when.now, node).after_all();
        table.id = Some(table.id.unwrap_or_else(id));
        for dropped in &mut table.dropped {
            let at = &mut dropped.dropped_at_micros;
            *at = match *at {
                i64::MAX => drop_time(when),
                // It is stored in milliseconds.
                given => given.div_euclid(1000).saturating_mul(1000),
            };
        }
        if let Some(old) = old {
            let is_same_key = old.partition_key.len() == table.partition_key.len();
            if old.id != table.id || !is_same_key {
                return Err(Error::invalid("a table keeps its id and its key"));
            }
        }
        check_table(&table)?;
        let tables = &mut self.schema.tables;
        tables.retain(|other| other.keyspace != keyspace || other.name != name);
        tables.push(table);
        Ok(())
    }

    fn change_type(&mut self, keyspace: &str, name: &str, text: &str) -> Result<()> {
        let mut known = self.types_of(keyspace);
        let of_keyspace = |table: &&TableSchema| table.keyspace == keyspace;
        for table in self.schema.tables.iter().filter(of_keyspace) {
            known += &describe_table(table);
            known += "\n";
        }
        let parsed = parse_schema(&(known + text), Some(keyspace)).map_err(|e| unplaced(&e))?;
        if !parsed.types.iter().any(|ty| ty.name == name) {
            return Err(Error::invalid(format!(
                "the type {}.{} cannot be made so",
                quote_name(keyspace),
                quote_name(name)
            ))
            .advise("it must not be there before, and its fields must be of types that are"));
        }
        if let Some((.., e)) = parsed.broken.first() {
            return Err(unplaced(e));
        }
        let changed = |ty: &_| !self.schema.types.contains(ty);
        let changed: Vec<_> = parsed
            .types
            .iter()
            .filter(|ty| changed(ty))
            .cloned()
            .collect();
        self.schema.types.retain(|ty| ty.keyspace != keyspace);
        self.schema.types.extend(parsed.types.iter().cloned());
        for table in &mut self.schema.tables {
            let holds = |table: &TableSchema| {
                let needed = needed_types(table);
                needed
                    .iter()
                    .any(|ty| changed.iter().any(|c| c.name == ty.name))
            };
            if table.keyspace == keyspace
                && let Some(new) = parsed.table(keyspace, &table.name)
                && holds(new)
            {
                *table = new.clone();
            }
        }
        Ok(())
    }

    fn drop(&mut self, kind: DropKind, keyspace: &str, name: &str, if_exists: bool) -> Result<()> {
        let full = format!("{}.{}", quote_name(keyspace), quote_name(name));
        let schema = &mut self.schema;
        match kind {
            DropKind::Table => {
                let before = schema.tables.len() + schema.broken.len();
                schema
                    .tables
                    .retain(|table| table.keyspace != keyspace || table.name != name);
                schema
                    .broken
                    .retain(|(ks, table, _)| ks != keyspace || table != name);
                if schema.tables.len() + schema.broken.len() == before {
                    return unless(if_exists, EXISTS, || format!("there is no table {full}"));
                }
                schema
                    .indexes
                    .retain(|i| i.keyspace != keyspace || i.table != name);
                Ok(())
            }
            DropKind::Type => {
                let is_it = |ty: &_| {
                    let ty: &crate::types::UserType = ty;
                    ty.keyspace == keyspace && ty.name == name
                };
                if !schema.types.iter().any(|ty| is_it(ty)) {
                    return unless(if_exists, EXISTS, || format!("there is no type {full}"));
                }
                let holds = |table: &&TableSchema| {
                    let columns = TableSchema {
                        dropped: Vec::new(),
                        ..(*table).clone()
                    };
                    needed_types(&columns).iter().any(|ty| is_it(ty))
                };
                if let Some(table) = schema.tables.iter().find(holds) {
                    return Err(Error::invalid(format!(
                        "the table {} has values of the type {full}",
                        table.full_name()
                    )));
                }
                let known: String = schema
                    .types
                    .iter()
                    .filter(|ty| ty.keyspace == keyspace && ty.name != name)
                    .map(|ty| describe_type(ty))
                    .collect();
                let left = parse_schema(&known, Some(keyspace)).map_or(0, |s| s.types.len());
                let others = schema
                    .types
                    .iter()
                    .filter(|ty| ty.keyspace == keyspace)
                    .count();
                if left + 1 != others {
                    return Err(Error::invalid(format!(
                        "another type holds the type {full}"
                    )));
                }
                schema.types.retain(|ty| !is_it(ty));
                Ok(())
            }
            DropKind::Index => {
                let before = schema.indexes.len();
                schema
                    .indexes
                    .retain(|i| i.keyspace != keyspace || i.name != name);
                match schema.indexes.len() == before {
                    true => unless(if_exists, EXISTS, || format!("there is no index {full}")),
                    false => Ok(()),
                }
            }
            DropKind::View => unless(if_exists, EXISTS, || format!("there is no view {full}")),
        }
    }
}

/// When a column was dropped, in microseconds, of whole milliseconds: behind all that was written before.
fn drop_time(when: &WriteTime) -> i64 {
    when.timestamp
        .div_euclid(1000)
        .saturating_add(1)
        .saturating_mul(1000)
}

fn no_keyspace(name: &str) -> String {
    format!("there is no keyspace {}", quote_name(name))
}

/// An error, unless the statement allows for it, as it would with a clause.
fn unless(allowed: bool, clause: &str, message: impl FnOnce() -> String) -> Result<()> {
    match allowed {
        true => Ok(()),
        false => Err(Error::invalid(message()).advise(format!("{clause} passes over that"))),
    }
}

/// An error of a text that the statement is only a part of, without the place in it.
fn unplaced(e: &Error) -> Error {
    let mut parts = e.message().splitn(3, ':');
    let place = (parts.next(), parts.next(), parts.next());
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    let message = match place {
        (Some(line), Some(column), Some(rest)) if is_number(line) && is_number(column) => {
            rest.trim_start()
        }
        _ => e.message(),
    };
    let error = Error::new(e.kind(), message.to_owned());
    match e.advice() {
        Some(advice) => error.advise(advice),
        None => error,
    }
}
