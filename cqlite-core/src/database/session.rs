//! Statements, one after the other.
//!
//! Authority: `o.a.c.service.ClientState`, `o.a.c.cql3.QueryProcessor`, `o.a.c.cql3.statements.BatchStatement`.

use super::{Database, Writer};
use crate::commitlog::Position;
use crate::cql::ast::{Batch, Modification, QualifiedName, Select, Statement};
use crate::cql::{AnyStatement, parse_any_statement};
use crate::mutation::{Modifier, TimeUuids, WriteTime};
use crate::query::{Plan, PlanOptions, Rows};
use crate::table::View;
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
    writers: Vec<(Modifier, Writer)>,
}

/// Tables for which a session keeps what it prepares changes with.
const WRITERS_MAX: usize = 16;

impl Database {
    /// Statements of one user.
    pub fn session(&self) -> Session<'_> {
        Session {
            database: self,
            keyspace: None,
            writers: Vec::new(),
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
        let (modifier, writer) = self.writer(name, when)?;
        writer.update().clear();
        let when = WriteTime {
            ttl: writer.table().schema().options.default_time_to_live,
            ..*when
        };
        modifier.execute(statement, &when, writer.update())?;
        let written = writer.write()?;
        Ok(written.map_or(Outcome::Done, Outcome::Written))
    }

    /// A batch of several tables is as many of one each, of which the first one that fails is the last one to be tried.
    fn batch(&mut self, batch: Batch, when: &WriteTime) -> Result<Outcome> {
        let mut parts: Vec<Batch> = Vec::new();
        for modification in batch.statements {
            let name = table_of(&modification).clone();
            let is_it = |part: &&mut Batch| {
                part.statements
                    .first()
                    .is_some_and(|m| *table_of(m) == name)
            };
            match parts.iter_mut().find(is_it) {
                Some(part) => part.statements.push(modification),
                None => parts.push(Batch {
                    kind: batch.kind,
                    using: batch.using.clone(),
                    statements: vec![modification],
                }),
            }
        }
        // All of it is known to be right before any of it is done.
        if parts.len() > 1 {
            for part in &parts {
                let Some(first) = part.statements.first() else {
                    continue;
                };
                let name = table_of(first).clone();
                let (modifier, writer) = self.writer(&name, when)?;
                writer.update().clear();
                let statement = Statement::Batch(part.clone());
                modifier.execute(&statement, when, writer.update())?;
            }
        }
        let mut last = Outcome::Done;
        for part in parts {
            if let Some(name) = part.statements.first().map(|m| table_of(m).clone()) {
                last = self.modify(&name, &Statement::Batch(part), when)?;
            }
        }
        Ok(last)
    }

    /// What changes a table as it is now.
    fn writer(
        &mut self,
        name: &QualifiedName,
        when: &WriteTime,
    ) -> Result<&mut (Modifier, Writer)> {
        let state = self.database.inner.state();
        let table = state.table(name, self.keyspace.as_deref())?;
        let is_it = |(_, writer): &(Modifier, Writer)| Arc::ptr_eq(writer.table(), table);
        let writer = match self.writers.iter().position(is_it) {
            Some(i) => self.writers.remove(i),
            None => {
                let node = RandomState::new().hash_one(when.timestamp);
                let ids = TimeUuids::new(when.now, node);
                let modifier = Modifier::new(table.schema().clone(), ids)?;
                (modifier, self.database.writer(table)?)
            }
        };
        if self.writers.len() >= WRITERS_MAX {
            self.writers.remove(0);
        }
        self.writers.push(writer);
        let last = self.writers.len() - 1;
        Ok(&mut self.writers[last])
    }
}

fn table_of(modification: &Modification) -> &QualifiedName {
    match modification {
        Modification::Insert(insert) => &insert.table,
        Modification::Update(update) => &update.table,
        Modification::Delete(delete) => &delete.table,
    }
}
