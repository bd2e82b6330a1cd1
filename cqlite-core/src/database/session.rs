//! Statements, one after the other.
//!
//! Authority: `o.a.c.service.ClientState`, `o.a.c.cql3.QueryProcessor`, `o.a.c.cql3.statements.BatchStatement`.

use super::changer::Changer;
use super::conditional::{self, Conditional};
use super::fresh::Fresh;
use super::prepared::{PlainWriter, Ready};
use super::{Database, Writer};
use crate::commitlog::Position;
use crate::cql::ast::{
    Batch, BatchKind, Condition, Modification, QualifiedName, Select, Statement,
};
use crate::cql::{AnyStatement, parse_any_statement};
use crate::mutation::WriteTime;
use crate::query::{Plan, PlanOptions, ResultSet, Rows};
use crate::read::{KeyList, Queried};
use crate::table::{Table, View};
use crate::{Error, Result};
use std::sync::Arc;

/// What a statement came to.
pub enum Outcome {
    /// Nothing changed that anybody could wait for.
    Done,
    /// Rows were changed; [`Database::wait`] waits until that is safe.
    Written(Position),
    /// The rows of a `SELECT`.
    Selected(Box<Selected>),
    /// What a statement with `IF` came to.
    Conditional(Box<Conditional>),
}

/// The result of a `SELECT`: the state that it reads stays as it was.
pub struct Selected {
    pub(super) view: Arc<View>,
    pub(super) plan: Plan,
    /// What the plan asks of the view.
    pub(super) queried: Arc<Queried>,
}

impl Outcome {
    /// What [`Database::wait`] waits for, if something was written.
    pub fn position(&self) -> Option<Position> {
        match self {
            Outcome::Written(position) => Some(*position),
            Outcome::Conditional(conditional) => conditional.position(),
            Outcome::Done | Outcome::Selected(_) => None,
        }
    }
}

impl Selected {
    /// Plans a `SELECT` of a table, of which `view` is read.
    pub(super) fn new(
        database: &Database,
        table: &Table,
        view: Arc<View>,
        select: &Select,
        now: i64,
    ) -> Result<Self> {
        let state = database.inner.state();
        let indexes = state.schema.indexes_of(table.schema());
        let options = PlanOptions {
            indexes: &indexes,
            now,
        };
        let reader = view.reader();
        let plan = Plan::new(select, reader.schema(), reader.partitioner(), &options)?;
        let queried = plan.queried(reader);
        Ok(Selected {
            view,
            plan,
            queried,
        })
    }

    /// The same of other partitions; `None` if it is about all of its partitions together.
    pub(super) fn with_keys(&self, keys: KeyList) -> Option<Self> {
        let plan = self.plan.with_keys(keys)?;
        Some(Selected {
            view: self.view.clone(),
            plan,
            queried: self.queried.clone(),
        })
    }

    /// All rows at once.
    ///
    /// # Errors
    /// Those of [`Rows::advance`].
    pub fn collect(&self) -> Result<ResultSet> {
        let mut result = ResultSet::of(self.plan.shared_columns());
        let mut rows = self.rows();
        while rows.advance()? {
            result.push_row(&rows.row());
        }
        Ok(result)
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The rows.
    pub fn rows(&self) -> Rows<'_> {
        let reader = self.view.reader();
        self.plan.execute_queried(reader, self.queried.clone())
    }
}

/// Carries out statements of one user.
pub struct Session<'d> {
    pub(super) database: &'d Database,
    /// That of names without one.
    keyspace: Option<String>,
    /// What changes tables; the one that was used last comes last.
    changers: Vec<Changer>,
    /// What carries out plain statements that were prepared.
    pub(super) plain: Vec<PlainWriter>,
    /// Plans of prepared statements that are told by keys.
    pub(super) ready: Vec<Ready>,
    /// Makes what is another one each time.
    pub(super) fresh: Fresh,
}

/// Tables for which a session keeps that.
const CHANGERS_MAX: usize = 16;

impl Database {
    /// Statements of one user.
    pub fn session(&self) -> Session<'_> {
        Session {
            database: self,
            keyspace: None,
            changers: Vec::new(),
            plain: Vec::new(),
            ready: Vec::new(),
            fresh: Fresh::new(),
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
        let when = self.when(now_micros);
        match parse_any_statement(text)? {
            AnyStatement::Schema(statement) => {
                inner.define(&statement, text, self.keyspace.as_deref(), &when)?;
                Ok(Outcome::Done)
            }
            AnyStatement::Rows(statement) => self.execute_rows(statement, &when),
        }
    }

    /// When what is carried out now is written.
    pub(super) fn when(&self, now_micros: i64) -> WriteTime {
        let now = now_micros.div_euclid(1_000_000);
        self.database.set_now(now);
        WriteTime {
            timestamp: self.database.inner.timestamp(now_micros),
            ttl: 0,
            now,
        }
    }

    pub(super) fn execute_rows(
        &mut self,
        mut statement: Statement,
        when: &WriteTime,
    ) -> Result<Outcome> {
        self.fresh.call(&mut statement, when.timestamp);
        match statement {
            Statement::Use(keyspace) => self.use_keyspace(keyspace),
            Statement::Select(select) => self.select(&select, when.now),
            Statement::Modification(modification) => {
                let table = self.table(modification.table())?;
                let is_conditional = *modification.condition() != Condition::None;
                let statement = Statement::Modification(modification);
                match is_conditional {
                    true => self.conditional(&table, statement, when),
                    false => self.change(vec![(table, statement)], when),
                }
            }
            Statement::Batch(batch) => self.batch(batch, when),
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
        let table = self.table(&select.from)?;
        let selected = Selected::new(self.database, &table, table.view(), select, now)?;
        Ok(Outcome::Selected(Box::new(selected)))
    }

    fn batch(&mut self, batch: Batch, when: &WriteTime) -> Result<Outcome> {
        let names = batch.statements.iter().map(Modification::table);
        let tables = names.map(|name| self.table(name));
        let tables = tables.collect::<Result<Vec<_>>>()?;
        check_counters(&batch, &tables)?;
        let mut conditions = batch.statements.iter().map(Modification::condition);
        if let Some(table) = tables.first()
            && conditions.any(|condition| *condition != Condition::None)
        {
            if !tables.iter().all(|other| Arc::ptr_eq(other, table)) {
                return Err(Error::invalid("a batch with IF is about one table"));
            }
            return self.conditional(table, Statement::Batch(batch), when);
        }
        let mut parts: Vec<(Arc<Table>, Batch)> = Vec::new();
        for (modification, table) in batch.statements.into_iter().zip(tables) {
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
        let parts = parts.into_iter();
        let parts = parts.map(|(table, part)| (table, Statement::Batch(part)));
        self.change(parts.collect(), when)
    }

    /// Carries out statements of different tables as one.
    fn change(&mut self, parts: Vec<(Arc<Table>, Statement)>, when: &WriteTime) -> Result<Outcome> {
        let mut changers = Vec::with_capacity(parts.len());
        for (table, statement) in parts {
            let mut changer = self.changer(&table, when)?;
            changer.prepare(&statement, when)?;
            changers.push(changer);
        }
        let written = self.write(&mut changers, when);
        changers.into_iter().for_each(|changer| self.keep(changer));
        Ok(written?.map_or(Outcome::Done, Outcome::Written))
    }

    fn write(&self, changers: &mut [Changer], when: &WriteTime) -> Result<Option<Position>> {
        let inner = &*self.database.inner;
        // Who counts must be alone from the reading to the writing.
        let mut locked = Vec::new();
        if changers.iter().any(|c| c.table().schema().is_counter()) {
            let mut partitions = Vec::new();
            for changer in &mut *changers {
                let id = changer.table().schema().id.unwrap_or_default();
                let keys = changer.modifier.changes().keys();
                partitions.extend(keys.map(|key| (id, key.to_vec())));
            }
            let partitions = partitions.iter().map(|(id, key)| (*id, key.as_slice()));
            locked = inner.stripes.lock(partitions);
            for changer in &mut *changers {
                changer.count(&inner.host_id, when)?;
            }
        }
        for changer in &mut *changers {
            changer.hand_over()?;
        }
        let mut writers: Vec<&mut Writer> = changers.iter_mut().map(|c| &mut c.writer).collect();
        let written = Writer::write_together(&mut writers);
        drop(locked);
        written
    }

    fn conditional(
        &mut self,
        table: &Arc<Table>,
        statement: Statement,
        when: &WriteTime,
    ) -> Result<Outcome> {
        let mut changer = self.changer(table, when)?;
        let outcome = conditional::execute(self.database, &mut changer, statement, when);
        self.keep(changer);
        outcome
    }

    pub(super) fn table(&self, name: &QualifiedName) -> Result<Arc<Table>> {
        let state = self.database.inner.state();
        Ok(state.table(name, self.keyspace.as_deref())?.clone())
    }

    /// What changes a table as it is now. [`keep`](Self::keep) gives it back.
    pub(super) fn changer(&mut self, table: &Arc<Table>, when: &WriteTime) -> Result<Changer> {
        let is_it = |changer: &Changer| Arc::ptr_eq(changer.table(), table);
        match self.changers.iter().position(is_it) {
            Some(i) => Ok(self.changers.remove(i)),
            None => Changer::new(self.database, table, when),
        }
    }

    pub(super) fn keep(&mut self, changer: Changer) {
        if self.changers.len() >= CHANGERS_MAX {
            self.changers.remove(0);
        }
        self.changers.push(changer);
    }
}

/// Refuses a batch of counters and of what is none.
///
/// Authority: `BatchStatement.validate`.
fn check_counters(batch: &Batch, tables: &[Arc<Table>]) -> Result<()> {
    let of_counters = tables.iter().filter(|table| table.schema().is_counter());
    let refused = match (of_counters.count(), batch.kind) {
        (n, BatchKind::Counter) if n < tables.len() => "a counter batch changes counters alone",
        (0, _) => return Ok(()),
        (n, _) if n < tables.len() => "counters do not go into one batch with what is none",
        (_, BatchKind::Logged) => "counters do not go into a logged batch",
        _ if batch.using.timestamp.is_some() => "a batch of counters has no timestamp of its own",
        _ => return Ok(()),
    };
    Err(Error::invalid(refused).advise("write BEGIN COUNTER BATCH, and only counters in it"))
}
