//! The verbs, a file each, and what they share.

mod dump;
mod ls;
pub mod metadata;
pub mod query;
mod verify;

use crate::args::Verb;
use crate::failure::{Failure, tell};
use cqlite_core::sstable::{Descriptor, OpenOptions, SSTable, TableDirectory, directory};
use cqlite_core::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Does what the command line says, and returns the exit status.
pub fn run(verb: Verb) -> u8 {
    let done = match verb {
        Verb::Dump(args) => dump::run(&args),
        Verb::Metadata(args) => metadata::run(&args),
        Verb::Query(args) => query::run(&args),
        Verb::Ls(args) => ls::run(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::VerifyTool(args) => verify::run_tool(&args),
    };
    match done {
        Ok(()) => 0,
        Err(failure) => {
            failure.report();
            failure.status()
        }
    }
}

/// The SSTables that a path means, table by table and by generation; at least one.
fn sstables(path: &Path) -> Result<Vec<Descriptor>> {
    let mut found = Vec::new();
    for table in directory::resolve(path)? {
        found.extend_from_slice(table.readable()?);
    }
    if found.is_empty() {
        return Err(Error::not_found("the table has no SSTable here")
            .advise("data that Cassandra has not flushed yet is in its memory and commit log only")
            .in_file(path));
    }
    Ok(found)
}

/// The tables that a path means and, where it is a directory, those of their secondary indexes, each behind its own.
fn tables_with_indexes(path: &Path) -> Result<Vec<TableDirectory>> {
    let mut found = Vec::new();
    for table in directory::resolve(path)? {
        let indexes = match path.is_dir() {
            true => table.indexes()?,
            false => Vec::new(),
        };
        found.push(table);
        found.extend(indexes);
    }
    Ok(found)
}

/// Opens an SSTable, and says which optional components are missing.
fn open(descriptor: &Descriptor) -> Result<Arc<SSTable>, Failure> {
    let sstable = SSTable::open_descriptor(descriptor.clone(), &OpenOptions::default())?;
    let missing: Vec<&str> = sstable.missing().iter().map(|c| c.name()).collect();
    if !missing.is_empty() {
        tell(format_args!(
            "{descriptor}: going on without {}",
            missing.join(", ")
        ));
    }
    Ok(sstable)
}

/// Seconds since 1970: those given, else those of the system's clock.
fn now(given: Option<i64>) -> i64 {
    given.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |d| d.as_secs() as i64)
    })
}
