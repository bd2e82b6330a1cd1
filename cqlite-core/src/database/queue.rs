//! Tables that wait for a thread beside, and what went wrong there.

use crate::table::Table;
use crate::{Error, Result};
use std::collections::VecDeque;
use std::sync::Arc;

/// Each table is in it once.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub tables: VecDeque<Arc<Table>>,
    pub failed: Option<Error>,
}

impl Queue {
    /// `false` if the table was there already.
    pub fn add(&mut self, table: &Arc<Table>) -> bool {
        let is_new = !self.tables.iter().any(|other| Arc::ptr_eq(other, table));
        if is_new {
            self.tables.push_back(table.clone());
        }
        is_new
    }

    /// Says what went wrong since it was asked last.
    ///
    /// # Errors
    /// That.
    pub fn check(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}
