//! Statements, one after the other.
//!
//! Authority: `o.a.c.service.ClientState`, `o.a.c.cql3.QueryProcessor`, `o.a.c.cql3.statements.BatchStatement`.

use super::{Database, Writer};
use crate::commitlog::Position;
use crate::cql::ast::{Batch, Modification, QualifiedName, Select, Statement};
use crate::cql::{AnyStatement, parse_any_statement};
use crate::mutation::{Modifier, TimeUuids, WriteTime};
use crate::query::{Plan, PlanOptions, Rows};
use crate::table::{Table, View};
use crate::{Error, Result};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// What a statement came to.
pub enum Outcome {
    /// Nothing changed that anybody could wait for.
    Done,
    /// Rows were changed; [`Database::wait`] waits until that is safe.
    Written(Position),
    /// The rows of a `SELECT`.
    Selected(Box<Selected>),
}

/// The result of a `SELECT`: the state that it reads stays as it was.
pub struct Selected {
    view: Arc<View>,
    plan: Plan,
}

impl Selected {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The rows.
    pub fn rows(&self) -> Rows<'_> {
        self.plan.execute(self.view.reader())
    }
}

/// Carries out statements of one user.
pub struct Session<'d> {
    database: &'d Database,
    /// That of names without one.
    keyspace: Option<String>,
    /// What changes tables; the one that was used last comes last.
    prepared: Vec<Prepared>,
}

/// What changes a table.
struct Prepared {
    modifier: Modifier,
    writer: Writer,
}

/// Tables for which a session keeps that.
const PREPARED_MAX: usize = 16;

impl Database {
    /// Statements of one user.
    pub fn session(&self) -> Session<'_> {
        Session {
            database: self,
            keyspace: None,
            prepared: Vec::new(),
        }
    }
}

impl Session<'_> {
    /// The keyspace of names without one.
    pub fn keyspace(&self) -> Option<&str> {
        self.keyspace.as_deref()
    }

    /// Carries out a statement, at a time in microseconds since 1970.
    ///
    /// # Errors
    /// `InvalidInput` and `NotFound` for what does not fit the schema, `Unsupported` for what is not done here; those of
    /// [`Database::write`]. Nothing was changed then.
    pub fn execute(&mut self, text: &str, now_micros: i64) -> Result<Outcome> {
        let inner = &*self.database.inner;
        let when = WriteTime {
            timestamp: inner.timestamp(now_micros),
            ttl: 0,
            now: now_micros.div_euclid(1_000_000),
        };
        match parse_any_statement(text)? {
            AnyStatement::Schema(statement) => {
                inner.define(&statement, text, self.keyspace.as_deref(), &when)?;
                Ok(Outcome::Done)
            }
            AnyStatement::Rows(Statement::Use(keyspace)) => self.use_keyspace(keyspace),
            AnyStatement::Rows(Statement::Select(select)) => self.select(&select, when.now),
            AnyStatement::Rows(Statement::Modification(modification)) => {
                let name = table_of(&modification).clone();
                self.modify(&name, &Statement::Modification(modification), &when)
            }
            AnyStatement::Rows(Statement::Batch(batch)) => self.batch(batch, &when),
        }
    }

    fn use_keyspace(&mut self, keyspace: String) -> Result<Outcome> {
        if !self
            .database
            .inner
            .state()
            .keyspaces
            .contains_key(&keyspace)
        {
            return Err(Error::not_found(format!(
                "there is no keyspace `{keyspace}`"
            )));
        }
        self.keyspace = Some(keyspace);
        Ok(Outcome::Done)
    }

    fn select(&self, select: &Select, now: i64) -> Result<Outcome> {
        let state = self.database.inner.state();
        let table = state.table(&select.from, self.keyspace.as_deref())?;
        let view = table.view();
        let indexes = state.schema.indexes_of(table.schema());
        let options = PlanOptions {
            indexes: &indexes,
            now,
        };
        let reader = view.reader();
        let plan = Plan::new(select, reader.schema(), reader.partitioner(), &options)?;
        Ok(Outcome::Selected(Box::new(Selected { view, plan })))
    }

    fn modify(
        &mut self,
        name: &QualifiedName,
        statement: &Statement,
        when: &WriteTime,
    ) -> Result<Outcome> {
        let table = self.table(name)?;
        let mut prepared = self.prepared(&table, when)?;
        let written = prepared
            .prepare(statement, when)
            .and_then(|()| prepared.writer.write());
        self.keep(prepared);
        Ok(written?.map_or(Outcome::Done, Outcome::Written))
    }

    fn batch(&mut self, batch: Batch, when: &WriteTime) -> Result<Outcome> {
        let mut parts: Vec<(Arc<Table>, Batch)> = Vec::new();
        for modification in batch.statements {
            let table = self.table(table_of(&modification))?;
            match parts.iter_mut().find(|(of, _)| Arc::ptr_eq(of, &table)) {
                Some((_, part)) => part.statements.push(modification),
                None => parts.push((
                    table,
                    Batch {
                        kind: batch.kind,
                        using: batch.using.clone(),
                        statements: vec![modification],
                    },
                )),
            }
        }
        let mut all = Vec::new();
        let mut result = Ok(());
        for (table, part) in parts {
            let mut prepared = self.prepared(&table, when)?;
            result = result.and_then(|()| prepared.prepare(&Statement::Batch(part), when));
            all.push(prepared);
        }
        let written = result.and_then(|()| {
            let mut writers: Vec<&mut Writer> = all.iter_mut().map(|p| &mut p.writer).collect();
            Writer::write_together(&mut writers)
        });
        all.into_iter().for_each(|prepared| self.keep(prepared));
        Ok(written?.map_or(Outcome::Done, Outcome::Written))
    }

    fn table(&self, name: &QualifiedName) -> Result<Arc<Table>> {
        let state = self.database.inner.state();
        Ok(state.table(name, self.keyspace.as_deref())?.clone())
    }

    /// What changes a table as it is now. [`keep`](Self::keep) gives it back.
    fn prepared(&mut self, table: &Arc<Table>, when: &WriteTime) -> Result<Prepared> {
        let is_it = |prepared: &Prepared| Arc::ptr_eq(prepared.writer.table(), table);
        if let Some(i) = self.prepared.iter().position(is_it) {
            return Ok(self.prepared.remove(i));
        }
        let node = RandomState::new().hash_one(when.timestamp);
        let ids = TimeUuids::new(when.now, node);
        Ok(Prepared {
            modifier: Modifier::new(table.schema().clone(), ids)?,
            writer: self.database.writer(table)?,
        })
    }

    fn keep(&mut self, prepared: Prepared) {
        if self.prepared.len() >= PREPARED_MAX {
            self.prepared.remove(0);
        }
        self.prepared.push(prepared);
    }
}

impl Prepared {
    /// Says what a statement is to change.
    fn prepare(&mut self, statement: &Statement, when: &WriteTime) -> Result<()> {
        let when = WriteTime {
            ttl: self.writer.table().schema().options.default_time_to_live,
            ..*when
        };
        self.writer.update().clear();
        self.modifier
            .execute(statement, &when, self.writer.update())
    }
}

fn table_of(modification: &Modification) -> &QualifiedName {
    match modification {
        Modification::Insert(insert) => &insert.table,
        Modification::Update(update) => &update.table,
        Modification::Delete(delete) => &delete.table,
    }
}
