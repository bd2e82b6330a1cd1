//! The verbs, a file each, and what they share.

mod commitlog;
mod compact;
mod dump;
mod exec;
mod expired_blockers;
mod import;
mod interrupt;
mod levels;
mod ls;
pub mod metadata;
mod outputs;
mod progress;
pub mod query;
mod repaired_set;
mod rewrite;
mod scrub;
mod shell;
mod split;
mod verify;

use crate::args::{TableArgs, Verb};
use crate::failure::{Failure, tell};
use cqlite_core::schema::{FoundSchema, Schema, find_schema, find_system_schema};
use cqlite_core::sstable::{Descriptor, OpenOptions, SSTable, TableDirectory, directory};
use cqlite_core::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the packages of Cassandra keep their data.
const DATA_DIRECTORY: &str = "/var/lib/cassandra/data";

/// Does what the command line says, and returns the exit status.
pub fn run(verb: Verb) -> u8 {
    let done = match verb {
        Verb::Dump(args) => dump::run(&args),
        Verb::Metadata(args) => metadata::run(&args),
        Verb::Query(args) => query::run(&args),
        Verb::Import(args) => import::run(&args),
        Verb::Ls(args) => ls::run(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::VerifyTool(args) => verify::run_tool(&args),
        Verb::Rewrite(args) => rewrite::run(&args),
        Verb::Compact(args) => compact::run(&args),
        Verb::Split(args) => split::run(&args),
        Verb::Scrub(args) => scrub::run(&args),
        Verb::LevelReset(args) => levels::reset(&args),
        Verb::RepairedSet(args) => repaired_set::run(&args),
        Verb::Relevel(args) => levels::relevel(&args),
        Verb::ExpiredBlockers(args) => expired_blockers::run(&args),
        Verb::Commitlog(args) => commitlog::run(&args),
        Verb::Exec(args) => exec::run(&args),
        Verb::Shell(args) => shell::run(&args),
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

/// Which of these tables were dropped: those of which another directory is the one that the `system_schema` beside it
/// names by its id. Where nothing tells it, none is.
fn dropped(tables: &[TableDirectory], now: i64) -> Vec<bool> {
    let name = |table: &TableDirectory| {
        let name = table.name.as_ref()?;
        // The tables of indexes are dropped with their own.
        let table = name.table.split('.').next()?;
        Some((name.keyspace.clone(), table.to_owned(), name.id?))
    };
    let mut ids: BTreeMap<(String, String), BTreeSet<[u8; 16]>> = BTreeMap::new();
    for (keyspace, table, id) in tables.iter().filter_map(name) {
        ids.entry((keyspace, table)).or_default().insert(id);
    }
    let mut schemas: BTreeMap<PathBuf, Option<Schema>> = BTreeMap::new();
    let is_dropped = |table: &TableDirectory| {
        let (keyspace, name, id) = name(table)?;
        if ids.get(&(keyspace.clone(), name.clone()))?.len() == 1 {
            return None;
        }
        let system = find_system_schema(table)?;
        let load = || Schema::load(&system, now).ok();
        let schema = schemas.entry(system.clone()).or_insert_with(load);
        let live = schema.as_ref()?.table(&keyspace, &name)?.id?;
        Some(live != id)
    };
    let is_dropped = tables.iter().map(is_dropped);
    is_dropped.map(Option::unwrap_or_default).collect()
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

/// The node's data directory: the given one, that of $CASSANDRA_HOME, or that of Cassandra's packages.
fn data_directory(given: Option<&Path>) -> PathBuf {
    let of_home = || Some(Path::new(&std::env::var_os("CASSANDRA_HOME")?).join("data/data"));
    given
        .map(Path::to_owned)
        .or_else(of_home)
        .unwrap_or_else(|| DATA_DIRECTORY.into())
}

/// The directories of a table: more than one if it was dropped and made again.
fn table_of(data: &Path, keyspace: &str, table: &str) -> Result<Vec<TableDirectory>> {
    let path = data.join(keyspace);
    let tables = directory::resolve(&path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => e.advise("name the node's data directory with --data"),
        _ => e,
    })?;
    let name = |found: &TableDirectory| found.name.as_ref().map(|name| name.table.clone());
    let (of_it, others): (Vec<_>, Vec<_>) = tables
        .into_iter()
        .partition(|found| name(found).as_deref() == Some(table));
    if !of_it.is_empty() {
        return Ok(of_it);
    }
    let others: Vec<String> = others.iter().filter_map(name).collect();
    let advice = format!("there are {}", others.join(", "));
    Err(
        Error::not_found(format!("there is no table {keyspace}.{table} here"))
            .advise(advice)
            .in_file(&path),
    )
}

fn counted(n: u64, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// The tables that paths mean, or that `KEYSPACE TABLE` names, as Cassandra's tools take them.
fn tables_of(of: &TableArgs) -> Result<Vec<TableDirectory>> {
    if let [keyspace, table] = of.paths.as_slice()
        && !keyspace.exists()
        && let (Some(keyspace), Some(table)) = (keyspace.to_str(), table.to_str())
    {
        return table_of(&data_directory(of.data.as_deref()), keyspace, table);
    }
    let mut tables = Vec::new();
    for path in &of.paths {
        tables.extend(directory::resolve(path)?);
    }
    Ok(tables)
}

/// The schema of a table; `file` is a schema file that was given.
fn schema_of(
    table: &TableDirectory,
    sstables: &[Arc<SSTable>],
    file: Option<&Path>,
    now: i64,
) -> Result<FoundSchema> {
    // Files that were copied elsewhere often lie in a directory of the table's name.
    let absolute = std::path::absolute(&table.directory).unwrap_or_default();
    let name = absolute.file_name().and_then(|n| n.to_str());
    find_schema(table, sstables, file, (None, name.unwrap_or_default()), now)
}

/// Tables whose SSTables were named one by one, each once.
fn joined(tables: Vec<TableDirectory>) -> Vec<TableDirectory> {
    let mut joined: Vec<TableDirectory> = Vec::new();
    for table in tables {
        match joined.iter_mut().find(|t| t.directory == table.directory) {
            Some(same) => {
                let known = &mut same.sstables;
                for descriptor in table.sstables {
                    if !known
                        .iter()
                        .any(|d| d.base_name() == descriptor.base_name())
                    {
                        known.push(descriptor);
                    }
                }
            }
            None => joined.push(table),
        }
    }
    for table in &mut joined {
        table.sstables.sort_by(|a, b| a.id.cmp(&b.id));
    }
    joined
}
