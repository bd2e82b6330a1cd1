//! Increments become what this database has counted itself.
//!
//! Authority: `o.a.c.db.CounterMutation`.
//!
//! A statement says by how much a counter grows; what is written says how much that is in all, so that it may be written
//! twice. Nobody else may change the same counters between the reading and the writing.

use super::WriteTime;
use super::changes::Changes;
use crate::Result;
use crate::query::{CurrentRow, Sought};
use crate::read::TableReader;
use crate::types::counter;
use std::collections::HashMap;

/// Who counts: the table as it is, and the id that its counts have.
pub(crate) struct Leader<'a> {
    /// What the table holds.
    pub reader: &'a TableReader,
    /// Id of this database among those that count.
    pub id: &'a [u8; 16],
    /// When it is written.
    pub when: &'a WriteTime,
}

/// A counter: partition key, clustering (`None` for a static one), column.
type Place = (Vec<u8>, Option<Vec<Vec<u8>>>, usize);

impl Leader<'_> {
    /// Replaces what counters of these changes grow by, 8 bytes each, by contexts of what they are then.
    ///
    /// # Errors
    /// Those of reading.
    pub fn count(&self, changes: &mut Changes) -> Result<()> {
        // Of one counter that is there twice the second one goes on where the first one ended.
        let mut counted: HashMap<Place, (i64, i64)> = HashMap::new();
        for (key, owned) in changes.rows() {
            let row = owned.get();
            let clustering: Option<Vec<Vec<u8>>> = match row.is_static() {
                true => None,
                false => Some(
                    row.clustering()
                        .iter()
                        .map(|value| value.unwrap_or_default().to_vec())
                        .collect(),
                ),
            };
            let mut current = None;
            let mut contexts = Vec::new();
            for (i, cell) in row.cells().enumerate() {
                let Ok(by) = cell.value.try_into() else {
                    continue;
                };
                let by = i64::from_be_bytes(by);
                let place = (key.to_vec(), clustering.clone(), cell.column);
                let (clock, count) = match counted.get(&place) {
                    Some(before) => *before,
                    None => {
                        if current.is_none() {
                            let sought = clustering.as_deref().map_or(Sought::First, Sought::Row);
                            let now = self.when.now;
                            current = Some(CurrentRow::read(self.reader, key, sought, now)?);
                        }
                        let current = current.as_ref();
                        let mut cells = current
                            .into_iter()
                            .flat_map(|current| current.cells(clustering.is_none(), cell.column));
                        match cells.next() {
                            Some(cell) => counter::shard_of(cell.value, self.id)?,
                            None => (0, 0),
                        }
                    }
                };
                let clock = self.when.timestamp.max(clock.saturating_add(1));
                let count = count.wrapping_add(by);
                counted.insert(place, (clock, count));
                contexts.push((i, counter::global(self.id, clock, count)));
            }
            for (i, context) in contexts {
                owned.set_value(i, &context)?;
            }
        }
        Ok(())
    }
}
