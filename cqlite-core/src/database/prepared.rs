//! Statements that are parsed once and carried out many times, with values for their bind markers.
//!
//! Authority: `o.a.c.cql3.QueryProcessor.{prepare,processPrepared}`, `o.a.c.cql3.BatchQueryOptions`.

use super::changer::ids;
use super::session::{Outcome, Selected, Session};
use super::{Database, Writer};
use crate::commitlog::Position;
use crate::cql::ast::{
    Condition, Expr, Insert, InsertSource, Modification, QualifiedName, Statement,
};
use crate::cql::{AnyStatement, parse_any_statement};
use crate::mutation::{self, Value, WriteTime};
use crate::query::{BindVariable, Given, ResultSet, visit_markers};
use crate::schema::TableSchema;
use crate::types::CqlType;
use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A statement that was parsed. Any session of its database carries it out, and any number of them at once. A table that is
/// altered afterwards is no harm: what no longer fits it is an error when it is carried out.
#[derive(Debug)]
pub struct Prepared {
    /// Tells it from all others.
    id: u64,
    statement: Statement,
    variables: Vec<BindVariable>,
    /// How rows are inserted without looking at the statement again.
    insert: Option<Plain>,
}

impl Prepared {
    /// What its bind markers stand for, in the order in which they were written. A named one that stands at several places
    /// is there as often.
    pub fn variables(&self) -> &[BindVariable] {
        &self.variables
    }

    /// # Errors
    /// `InvalidInput` for another count of values.
    fn check_count(&self, values: &[Value<'_>]) -> Result<()> {
        match values.len() == self.variables.len() {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "{} values for {} bind markers",
                values.len(),
                self.variables.len()
            ))),
        }
    }
}

/// An `INSERT` of nothing but markers and constants.
#[derive(Debug)]
struct Plain {
    table: QualifiedName,
    columns: Vec<String>,
    values: Vec<Source>,
    timestamp: Option<Source>,
    ttl: Option<Source>,
}

/// Where a value comes from.
#[derive(Debug)]
enum Source {
    /// The marker of this number.
    Marker(usize),
    Constant(Expr),
}

/// A plain `INSERT` with what it is carried out by.
pub(super) struct Inserter {
    id: u64,
    insert: mutation::Insert,
    /// For each column, the value of what is no marker.
    constants: Vec<Option<Option<Vec<u8>>>>,
    /// The columns of the primary key, which cannot be unset.
    key: Vec<usize>,
    writer: Writer,
}

/// Inserts for which a session keeps that.
const INSERTERS_MAX: usize = 64;

/// Bytes of changes that are written as one.
const TOGETHER_BYTES: usize = 256 << 10;

impl Session<'_> {
    /// Parses a statement, and finds out what its bind markers (`?`, `:name`) stand for. Names without a keyspace are those
    /// of the session's keyspace now.
    ///
    /// # Errors
    /// Those of parsing; `NotFound` and `InvalidInput` for what does not fit the schema; `Unsupported` for statements that
    /// define a schema.
    pub fn prepare(&self, text: &str) -> Result<Prepared> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let AnyStatement::Rows(mut statement) = parse_any_statement(text)? else {
            return Err(
                Error::unsupported("only statements about rows are prepared").advise("execute it"),
            );
        };
        self.qualify(&mut statement)?;
        let mut variables = Vec::new();
        visit_markers(
            &mut statement,
            &|name| self.schema_of(name),
            &mut |marker, of, ty| {
                let name = marker.0.clone().unwrap_or_else(|| of.to_string());
                let ty = ty.clone();
                variables.push(BindVariable { name, ty });
                Ok(Given::Nothing)
            },
        )?;
        let insert = match &statement {
            Statement::Modification(Modification::Insert(insert)) => {
                let is_counter = self.schema_of(&insert.table)?.is_counter();
                plain(insert).filter(|_| !is_counter)
            }
            _ => None,
        };
        Ok(Prepared {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            statement,
            variables,
            insert,
        })
    }

    /// Carries out a prepared statement with a value for each of its markers, at a time in microseconds since 1970. What is
    /// [`Value::Unset`] stays as it is, where Cassandra allows that.
    ///
    /// # Errors
    /// `InvalidInput` for another count of values, and for those that are none of their types; as of
    /// [`execute`](Session::execute).
    pub fn execute_prepared(
        &mut self,
        prepared: &Prepared,
        values: &[Value<'_>],
        now_micros: i64,
    ) -> Result<Outcome> {
        prepared.check_count(values)?;
        let when = self.when(now_micros);
        let Some(plain) = &prepared.insert else {
            let statement = self.bind(prepared, values)?;
            return self.execute_rows(statement, &when);
        };
        let mut inserter = self.inserter(prepared.id, plain, &when)?;
        let written = inserter
            .add(plain, values, &when)
            .and_then(|()| inserter.writer.write());
        self.keep_inserter(inserter);
        Ok(written?.map_or(Outcome::Done, Outcome::Written))
    }

    /// Carries out a prepared statement that changes rows once for each set of values: as one by one in this order, but many
    /// share a record of the log. Returns what [`Database::wait`] waits for, one sync for all, or `None` if nothing was
    /// changed.
    ///
    /// # Errors
    /// As of [`execute_prepared`](Self::execute_prepared). What stands some hundred kilobytes before the values that are
    /// refused may have been written.
    pub fn execute_many<'v>(
        &mut self,
        prepared: &Prepared,
        rows: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
    ) -> Result<Option<Position>> {
        match &prepared.insert {
            Some(plain) => {
                let when = self.when(now_micros);
                let mut inserter = self.inserter(prepared.id, plain, &when)?;
                let written = self.insert_many(prepared, plain, &mut inserter, rows, now_micros);
                if written.is_ok() {
                    self.keep_inserter(inserter);
                }
                written
            }
            None => self.change_many(prepared, rows, now_micros),
        }
    }

    fn insert_many<'v>(
        &self,
        prepared: &Prepared,
        plain: &Plain,
        inserter: &mut Inserter,
        rows: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
    ) -> Result<Option<Position>> {
        let mut last = None;
        for values in rows {
            prepared.check_count(values)?;
            if self.is_enough(inserter.writer.update().bytes(), values) {
                last = inserter.writer.write()?.or(last);
            }
            // Of one row that is there twice the later one is newer.
            inserter.add(plain, values, &self.when(now_micros))?;
        }
        Ok(inserter.writer.write()?.or(last))
    }

    /// Whether so many bytes are to be written before these values are added: a record of the log is limited.
    fn is_enough(&self, bytes: usize, values: &[Value<'_>]) -> bool {
        let segment = self.database.inner.options.log.segment_bytes as usize;
        let more = values
            .iter()
            .filter_map(|value| value.bytes())
            .map(<[u8]>::len);
        bytes > 0 && bytes + more.sum::<usize>() > TOGETHER_BYTES.min(segment / 8)
    }

    fn change_many<'v>(
        &mut self,
        prepared: &Prepared,
        rows: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
    ) -> Result<Option<Position>> {
        let mut last = None;
        let table = match &prepared.statement {
            Statement::Modification(modification)
                if *modification.condition() == Condition::None =>
            {
                let table = self.table(modification.table())?;
                (!table.schema().is_counter()).then_some(table)
            }
            _ => None,
        };
        let Some(table) = table else {
            // What depends on what it finds is done one by one.
            for values in rows {
                let outcome = self.execute_prepared(prepared, values, now_micros)?;
                last = outcome.position().or(last);
            }
            return Ok(last);
        };
        let mut changer = self.changer(&table, &self.when(now_micros))?;
        changer.writer.update().clear();
        for values in rows {
            prepared.check_count(values)?;
            if self.is_enough(changer.writer.update().bytes(), values) {
                last = changer.writer.write()?.or(last);
            }
            let statement = self.bind(prepared, values)?;
            changer.prepare(&statement, &self.when(now_micros))?;
            changer.add()?;
        }
        last = changer.writer.write()?.or(last);
        self.keep(changer);
        Ok(last)
    }

    /// Carries out a prepared `SELECT` once for each set of values, at a time in microseconds since 1970, and returns the
    /// results in this order. All of them read the table at one moment; partitions are read in the order in which they are
    /// stored, so that those that lie together are read together.
    ///
    /// # Errors
    /// `InvalidInput` for another statement; as of [`execute_prepared`](Self::execute_prepared); those of the SSTables.
    pub fn select_many<'v>(
        &self,
        prepared: &Prepared,
        keys: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
    ) -> Result<Vec<ResultSet>> {
        let Statement::Select(select) = &prepared.statement else {
            return Err(Error::invalid("only the rows of a SELECT are looked up"));
        };
        let now = now_micros.div_euclid(1_000_000);
        let table = self.table(&select.from)?;
        let view = table.view();
        let mut selected = Vec::new();
        for (i, values) in keys.into_iter().enumerate() {
            prepared.check_count(values)?;
            let Statement::Select(select) = self.bind(prepared, values)? else {
                continue;
            };
            let selected_one = Selected::new(self.database, &table, view.clone(), &select, now)?;
            selected.push((selected_one, i));
        }
        let partitioner = view.reader().partitioner();
        selected.sort_by(
            |(a, _), (b, _)| match (a.plan().first_key(), b.plan().first_key()) {
                (Some(a), Some(b)) => partitioner.compare_keys(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            },
        );
        let mut results = Vec::new();
        results.resize_with(selected.len(), ResultSet::default);
        for (selected, i) in &selected {
            results[*i] = selected.collect()?;
        }
        Ok(results)
    }

    /// The statement with values in place of its markers.
    fn bind(&self, prepared: &Prepared, values: &[Value<'_>]) -> Result<Statement> {
        let mut statement = prepared.statement.clone();
        let mut next = 0;
        visit_markers(
            &mut statement,
            &|name| self.schema_of(name),
            &mut |_, of, ty| {
                let value = values.get(next).copied().unwrap_or(Value::Unset);
                next += 1;
                Ok(match value {
                    Value::Unset => Given::Unset,
                    Value::Null => Given::Value(None),
                    Value::Bytes(bytes) => {
                        let ty = match ty {
                            CqlType::Counter => &CqlType::BigInt,
                            ty => ty,
                        };
                        ty.validate(bytes).map_err(|e| {
                            Error::invalid(format!("the value of `{of}`: {}", e.message()))
                        })?;
                        Given::Value(Some(bytes.to_vec()))
                    }
                })
            },
        )?;
        Ok(statement)
    }

    fn schema_of(&self, name: &QualifiedName) -> Result<Arc<TableSchema>> {
        Ok(self.table(name)?.schema().clone())
    }

    /// Writes the session's keyspace into names that have none.
    fn qualify(&self, statement: &mut Statement) -> Result<()> {
        let Some(keyspace) = self.keyspace() else {
            return Ok(());
        };
        let complete = |name: &mut QualifiedName| {
            name.keyspace.get_or_insert_with(|| keyspace.to_owned());
        };
        match statement {
            Statement::Select(select) => complete(&mut select.from),
            Statement::Use(_) => {}
            Statement::Modification(modification) => complete(modification.table_mut()),
            Statement::Batch(batch) => {
                let statements = batch.statements.iter_mut();
                statements.for_each(|modification| complete(modification.table_mut()));
            }
        }
        Ok(())
    }

    /// What carries a plain `INSERT` out. [`keep_inserter`](Self::keep_inserter) gives it back.
    fn inserter(&mut self, id: u64, plain: &Plain, when: &WriteTime) -> Result<Inserter> {
        if let Some(i) = self.inserters.iter().position(|i| i.id == id) {
            let mut inserter = self.inserters.swap_remove(i);
            inserter.writer.update().clear();
            if !inserter.writer.table().is_retired() {
                return Ok(inserter);
            }
        }
        Inserter::new(self.database, self, id, plain, when)
    }

    fn keep_inserter(&mut self, inserter: Inserter) {
        if self.inserters.len() >= INSERTERS_MAX {
            self.inserters.remove(0);
        }
        self.inserters.push(inserter);
    }
}

impl Inserter {
    fn new(
        database: &Database,
        session: &Session<'_>,
        id: u64,
        plain: &Plain,
        when: &WriteTime,
    ) -> Result<Self> {
        let table = session.table(&plain.table)?;
        let schema = table.schema();
        let names: Vec<&str> = plain.columns.iter().map(String::as_str).collect();
        let insert = mutation::Insert::new(schema.clone(), &names, ids(when))?;
        let constants = plain.values.iter().zip(&names).map(|(source, name)| {
            let Source::Constant(expr) = source else {
                return Ok(None);
            };
            let ty = schema
                .column(name)
                .map_or(&CqlType::Empty, |column| column.ty);
            let value = expr
                .to_literal()?
                .to_bytes(ty, when.now.saturating_mul(1000));
            let value = value
                .map_err(|e| Error::invalid(format!("the column `{name}`: {}", e.message())))?;
            Ok(Some(value))
        });
        Ok(Inserter {
            id,
            constants: constants.collect::<Result<_>>()?,
            key: (0..names.len())
                .filter(|i| schema.column(names[*i]).is_some_and(|c| c.is_of_key()))
                .collect(),
            insert,
            writer: database.writer(&table)?,
        })
    }

    /// Adds a row to what is to be written.
    fn add(&mut self, plain: &Plain, values: &[Value<'_>], when: &WriteTime) -> Result<()> {
        let value = |source: &Source| match source {
            Source::Marker(i) => values.get(*i).copied().unwrap_or(Value::Unset),
            Source::Constant(_) => Value::Unset,
        };
        let mut when = WriteTime {
            ttl: self.writer.table().schema().options.default_time_to_live,
            ..*when
        };
        if let Some(timestamp) = &plain.timestamp
            && let Some(bytes) = number(timestamp, &CqlType::BigInt, value(timestamp))?
        {
            let bytes = bytes.try_into().ok();
            let bytes = bytes.ok_or_else(|| Error::invalid("the timestamp is null"))?;
            when.timestamp = i64::from_be_bytes(bytes);
        }
        if let Some(ttl) = &plain.ttl
            && let Some(bytes) = number(ttl, &CqlType::Int, value(ttl))?
        {
            let bytes = bytes.try_into().ok();
            when.ttl = bytes.map_or(0, i32::from_be_bytes);
        }
        when.check()?;
        let mut row = Vec::with_capacity(plain.values.len());
        for (source, constant) in plain.values.iter().zip(&self.constants) {
            row.push(match constant {
                None => value(source),
                Some(None) => Value::Null,
                Some(Some(bytes)) => Value::Bytes(bytes),
            });
        }
        if let Some(i) = self.key.iter().find(|i| row[**i] == Value::Unset) {
            return Err(Error::invalid(format!(
                "the column `{}` of the primary key has no value",
                plain.columns[*i]
            )));
        }
        self.insert.add(&row, &when, self.writer.update())
    }
}

/// The bytes of a number of `USING`, none if it is null; `None` if it is unset.
fn number(source: &Source, ty: &CqlType, value: Value<'_>) -> Result<Option<Vec<u8>>> {
    Ok(match (source, value) {
        (Source::Constant(expr), _) => {
            Some(expr.to_literal()?.to_bytes(ty, 0)?.unwrap_or_default())
        }
        (Source::Marker(_), Value::Unset) => None,
        (Source::Marker(_), Value::Null) => Some(Vec::new()),
        (Source::Marker(_), Value::Bytes(bytes)) => {
            ty.validate(bytes)?;
            Some(bytes.to_vec())
        }
    })
}

/// An `INSERT` that is nothing but markers and constants.
fn plain(insert: &Insert) -> Option<Plain> {
    let InsertSource::Values { columns, values } = &insert.source else {
        return None;
    };
    if insert.condition != Condition::None {
        return None;
    }
    let mut markers = 0;
    let mut source = |expr: &Expr| match expr {
        Expr::Bind(_) => {
            markers += 1;
            Some(Source::Marker(markers - 1))
        }
        Expr::Literal(_) => Some(Source::Constant(expr.clone())),
        _ => None,
    };
    let values = values.iter().map(&mut source).collect::<Option<_>>()?;
    let mut optional = |expr: &Option<Expr>| match expr {
        None => Some(None),
        Some(expr) => source(expr).map(Some),
    };
    let using = &insert.using;
    let (timestamp, ttl);
    if using.ttl_first {
        ttl = optional(&using.ttl)?;
        timestamp = optional(&using.timestamp)?;
    } else {
        timestamp = optional(&using.timestamp)?;
        ttl = optional(&using.ttl)?;
    }
    Some(Plain {
        table: insert.table.clone(),
        columns: columns.clone(),
        values,
        timestamp,
        ttl,
    })
}
