//! Statements of one table, on their way to its writer.

use super::{Database, Writer};
use crate::Result;
use crate::cql::ast::Statement;
use crate::mutation::{Held, Leader, Modifier, TimeUuids, WriteTime};
use crate::table::Table;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Changes a table as statements say.
pub(super) struct Changer {
    pub modifier: Modifier,
    pub writer: Writer,
}

impl Changer {
    pub fn new(database: &Database, table: &Arc<Table>, when: &WriteTime) -> Result<Self> {
        Ok(Changer {
            modifier: Modifier::of_any(table.schema().clone(), ids(when)),
            writer: database.writer(table)?,
        })
    }

    /// The table.
    pub fn table(&self) -> &Arc<Table> {
        self.writer.table()
    }

    /// Says what a statement is to change.
    pub fn prepare(&mut self, statement: &Statement, when: &WriteTime) -> Result<()> {
        let held = Held::Now(self.table().clone());
        self.prepare_with(statement, when, held, false)
    }

    /// [`prepare`](Self::prepare) by what the table held; conditions are not looked at if they are known to be met.
    pub fn prepare_with(
        &mut self,
        statement: &Statement,
        when: &WriteTime,
        held: Held,
        is_met: bool,
    ) -> Result<()> {
        let when = self.writer.when(when);
        // Whoever appends to a list later appends behind it, from whatever session.
        self.modifier.advance_to(when.timestamp);
        self.modifier.prepare(statement, &when, held, is_met)
    }

    /// Makes what counters grow by what they are then. The partitions are locked.
    pub fn count(&mut self, id: &[u8; 16], when: &WriteTime) -> Result<()> {
        let view = self.table().view();
        let leader = Leader {
            reader: view.reader(),
            id,
            when,
        };
        leader.count(self.modifier.changes())
    }

    /// Hands what is to be changed to the writer.
    pub fn hand_over(&mut self) -> Result<()> {
        self.writer.update().clear();
        self.add()
    }

    /// [`hand_over`](Self::hand_over), besides what the writer has already.
    pub fn add(&mut self) -> Result<()> {
        self.modifier.changes().drain_into(self.writer.update())
    }
}

/// Timeuuids of a writer's own.
pub(super) fn ids(when: &WriteTime) -> TimeUuids {
    TimeUuids::new(when.now, RandomState::new().hash_one(when.timestamp))
}
