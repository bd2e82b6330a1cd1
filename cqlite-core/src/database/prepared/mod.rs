//! Statements that are parsed once and carried out many times, with values for their bind markers.
//!
//! Authority: `o.a.c.cql3.QueryProcessor.{prepare,processPrepared}`, `o.a.c.cql3.BatchQueryOptions`.

mod keyed;
mod many;
mod plain;

pub(super) use self::keyed::Ready;
pub(super) use self::plain::PlainWriter;

use self::keyed::Keyed;
use self::plain::Plain;
use super::session::{Outcome, Session};
use crate::cql::ast::{QualifiedName, Statement};
use crate::cql::{AnyStatement, parse_any_statement};
use crate::mutation::{Value, WriteTime};
use crate::query::{BindVariable, Given, visit_markers};
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
    /// How it is carried out without looking at the statement again.
    plain: Option<Plain>,
    /// How it is planned no more than once.
    keyed: Option<Keyed>,
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

/// Whether a column of the primary key may be a collection, whose values are not kept as they are given.
fn has_collection_in_key(schema: &TableSchema) -> bool {
    let key = schema.partition_key.iter().map(|column| &column.ty);
    let mut key = key.chain(schema.clustering.iter().map(|column| &column.ty));
    key.any(|ty| {
        matches!(
            ty,
            CqlType::List { .. } | CqlType::Set { .. } | CqlType::Map { .. }
        )
    })
}

/// Statements for which a session keeps what carries them out.
const KEPT_MAX: usize = 64;

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
        let find = |name: &QualifiedName| self.schema_of(name);
        Ok(Prepared {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            plain: Plain::of(&statement, &find)?,
            keyed: Keyed::of(&statement, &find, variables.len())?,
            statement,
            variables,
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
        if let Statement::Select(_) = &prepared.statement {
            let selected = self.selected(prepared, values, None, when.now)?;
            return Ok(Outcome::Selected(Box::new(selected)));
        }
        let Some(plain) = &prepared.plain else {
            let statement = self.bind(prepared, values)?;
            return self.execute_rows(statement, &when);
        };
        let mut writer = self.plain_writer(prepared.id, plain, &when)?;
        let written = writer
            .add(plain, values, &when)
            .and_then(|()| writer.write());
        self.keep_plain(writer);
        Ok(written?.map_or(Outcome::Done, Outcome::Written))
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
                        Given::Value(Some(ty.bound(bytes).into_owned()))
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

    /// What carries a plain statement out. [`keep_plain`](Self::keep_plain) gives it back.
    fn plain_writer(&mut self, id: u64, plain: &Plain, when: &WriteTime) -> Result<PlainWriter> {
        if let Some(i) = self.plain.iter().position(|writer| writer.id == id) {
            let mut writer = self.plain.swap_remove(i);
            writer.clear();
            if !writer.is_retired() {
                return Ok(writer);
            }
        }
        PlainWriter::new(self, id, plain, when)
    }

    fn keep_plain(&mut self, writer: PlainWriter) {
        if self.plain.len() >= KEPT_MAX {
            self.plain.remove(0);
        }
        self.plain.push(writer);
    }
}
