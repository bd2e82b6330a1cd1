//! What the log of a database has and no SSTable, for those who only read: the database may be in use, or may have been left by
//! a crash.

use super::flushed::Flushed;
use super::{LOG_DIRECTORY, OWN_DIRECTORY};
use crate::commitlog::{self, MutationReader, Position, ReplayPolicy, TableId};
use crate::memtable::{Memtable, Update};
use crate::merge::MergeRules;
use crate::model::StreamHeader;
use crate::partitioner::Partitioner;
use crate::schema::TableSchema;
use crate::{ErrorKind, Result};
use std::path::Path;
use std::sync::Arc;

/// How often the log is read again because it changed meanwhile.
const ATTEMPTS: usize = 100;

/// The writes of a table that are in the log of the database in `directory` and perhaps in no SSTable; `None` if there is no log.
/// SSTables that are listed afterwards have the others. It takes as much memory as the writes do.
///
/// # Errors
/// Those of the log.
pub fn unflushed(directory: &Path, table: &Arc<TableSchema>) -> Result<Option<Memtable>> {
    let own = directory.join(OWN_DIRECTORY);
    let log = own.join(LOG_DIRECTORY);
    let Some(id) = table.id.filter(|_| log.is_dir()) else {
        return Ok(None);
    };
    let mut attempt = 0;
    loop {
        attempt += 1;
        let before = Flushed::open(&own)?;
        let read = read(&log, table, |position| !before.covers(&id, position));
        match read {
            // What was flushed meanwhile may be in segments that are gone, and what it hides in others.
            Ok(memtable) if Flushed::open(&own)? == before => return Ok(Some(memtable)),
            Ok(memtable) if attempt >= ATTEMPTS => return Ok(Some(memtable)),
            Err(e) if e.kind() != ErrorKind::NotFound || attempt >= ATTEMPTS => return Err(e),
            // A segment was deleted.
            _ => {}
        }
    }
}

fn read(
    log: &Path,
    table: &Arc<TableSchema>,
    is_wanted: impl Fn(Position) -> bool,
) -> Result<Memtable> {
    let header = Arc::new(StreamHeader::of_table(table));
    let rules = Arc::new(MergeRules::new(header, Partitioner::Murmur3));
    let memtable = Memtable::new(rules.clone());
    let mut update = Update::new(rules);
    let schema = |id: &TableId| (Some(*id) == table.id).then(|| table.clone());
    let mut mutations = MutationReader::new(schema);
    let segments = commitlog::segments(log)?;
    let policy = ReplayPolicy::default();
    commitlog::replay(segments, policy, &mut mutations, |position, written| {
        if let commitlog::Update::Known { source, .. } = written
            && is_wanted(position)
        {
            update.clear();
            commitlog::apply(source, &mut update)?;
            memtable.apply(&update)?;
        }
        Ok(())
    })?;
    Ok(memtable)
}
