//! `commitlog`: the mutations of a commit log, as JSON, or replayed into SSTables.
//!
//! An object a mutation: `segment` (file name), `position` (where its record starts), `size` (bytes of the mutation),
//! `keyspace`, and `updates`, an array: `table`, `id`, and what `dump -l` prints of a partition, positions being those in
//! the mutation. Of an update whose table no schema names there are `id` and `bytes`, the latter up to the mutation's end.

mod replay;
mod show;

use super::now;
use crate::args::{CommitlogArgs, OnDamage};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::commitlog::{Damage, LogReader, ReplayPolicy, TableId, segments};
use cqlite_core::database::OWN_DIRECTORY;
use cqlite_core::schema::{Schema, TableSchema, parse_schema};
use cqlite_core::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a log may lie in, or beside, a data directory.
const LOG_DIRECTORIES: [&str; 3] = ["commitlog", ".cqlite/commitlog", "../commitlog"];

/// Where the schema's tables may lie, seen from a log.
const SCHEMA_DIRECTORIES: [&str; 4] = [
    "system_schema",
    "../system_schema",
    "../data/system_schema",
    "../../system_schema",
];

/// Prints all mutations, or replays them. What precedes an error is printed; nothing is replayed then.
pub fn run(args: &CommitlogArgs) -> Result<(), Failure> {
    let paths = find_segments(&args.path)?;
    let now = now(args.now);
    let policy = policy(args.on_damage);
    if let Some(directory) = &args.replay
        && directory.join(OWN_DIRECTORY).is_dir()
    {
        return replay::run_database(directory, args, paths, policy, now);
    }
    let schema = find_schema(args, &paths, now)?;
    let filter = Filter::new(args, &schema)?;
    if let Some(directory) = &args.replay {
        return replay::run(directory, paths, policy, &schema, &filter);
    }
    let mut log = LogReader::open(paths, policy)?;
    let mut out = Out::stdout()?;
    let printed = show::print(args, &mut log, &schema, &filter, now, &mut out);
    out.flush()?;
    let damaged = tell_damage(&log.take_passed_over());
    tell_unknown(printed?, "their ids are shown");
    damaged
}

fn tell_unknown(updates: u64, what: &str) {
    if updates > 0 {
        tell(format_args!(
            "{updates} updates are of tables that the schema does not have: {what}"
        ));
    }
}

/// Says what was passed over; the data is bad if it was more than a torn end.
fn tell_damage(passed_over: &[Damage]) -> Result<(), Failure> {
    for damage in passed_over {
        let what = match damage.is_torn_end {
            true => "the log ends here, in the middle of what was being written",
            false => "passed over",
        };
        tell(format_args!("{}: {what}", damage.error));
    }
    match passed_over.iter().all(|damage| damage.is_torn_end) {
        true => Ok(()),
        false => Err(Failure::Said(1)),
    }
}

fn policy(on_damage: OnDamage) -> ReplayPolicy {
    match on_damage {
        OnDamage::Stop => ReplayPolicy::Stop,
        OnDamage::TolerateLast => ReplayPolicy::TolerateLast,
        OnDamage::Ignore => ReplayPolicy::Ignore,
    }
}

/// The segments that a path means, by ascending ids.
fn find_segments(path: &Path) -> Result<Vec<PathBuf>> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let own = segments(path)?;
    if !own.is_empty() {
        return Ok(own);
    }
    for directory in LOG_DIRECTORIES {
        let directory = path.join(directory);
        if directory.is_dir() {
            let found = segments(&directory)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Err(Error::not_found("there is no commit log segment here")
        .advise("they are named CommitLog-<version>-<id>.log, in the directory `commitlog`")
        .in_file(path))
}

/// Tables by their ids.
type Tables = BTreeMap<TableId, Arc<TableSchema>>;

fn find_schema(args: &CommitlogArgs, segments: &[PathBuf], now: i64) -> Result<Tables> {
    let schema = load_schema(args, segments, now)?;
    let mut tables = Tables::new();
    let mut without_id = 0;
    for table in schema.tables {
        match table.id {
            Some(id) => drop(tables.insert(id, Arc::new(table))),
            None => without_id += 1,
        }
    }
    if without_id > 0 {
        tell(format_args!(
            "{without_id} tables of the schema have no id, by which a log names them: say CREATE TABLE ... WITH ID = <uuid>"
        ));
    }
    Ok(tables)
}

fn load_schema(args: &CommitlogArgs, segments: &[PathBuf], now: i64) -> Result<Schema> {
    if let Some(file) = &args.schema {
        return schema_of_file(file);
    }
    let directory = segments.first().and_then(|segment| segment.parent());
    let Some(directory) = directory else {
        return Ok(Schema::default());
    };
    let beside = directory.join("schema.cql");
    if beside.is_file() {
        return schema_of_file(&beside);
    }
    for system in SCHEMA_DIRECTORIES {
        let system = directory.join(system);
        if system.is_dir() {
            return match Schema::load(&system, now) {
                // A node that never flushed its schema has left the directory empty.
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(Schema::default()),
                loaded => loaded,
            };
        }
    }
    if let Some(directory) = &args.replay {
        let system = directory.join("system_schema");
        if system.is_dir() {
            return Schema::load(&system, now);
        }
    }
    Ok(Schema::default())
}

fn schema_of_file(file: &Path) -> Result<Schema> {
    let text = std::fs::read(file).map_err(|e| Error::io(file, e))?;
    let text = String::from_utf8(text)
        .map_err(|_| Error::invalid("it is not UTF-8 text").in_file(file))?;
    parse_schema(&text, None).map_err(|e| e.in_file(file))
}

/// Which updates are shown.
struct Filter {
    /// Ids of the tables; all if `None`.
    tables: Option<Vec<TableId>>,
}

impl Filter {
    /// # Errors
    /// `NotFound` for a table or keyspace that the schema does not have.
    fn new(args: &CommitlogArgs, schema: &Tables) -> Result<Self> {
        if args.table.is_none() && args.keyspace.is_none() {
            return Ok(Filter { tables: None });
        }
        if let Some(id) = args.table.as_deref().and_then(parse_id) {
            return Ok(Filter {
                tables: Some(vec![id]),
            });
        }
        let (keyspace, table) = match args.table.as_deref().map(|t| t.split_once('.')) {
            Some(Some((keyspace, table))) => (Some(keyspace), Some(table)),
            Some(None) => (args.keyspace.as_deref(), args.table.as_deref()),
            None => (args.keyspace.as_deref(), None),
        };
        let fits = |t: &TableSchema| {
            keyspace.is_none_or(|k| k == t.keyspace) && table.is_none_or(|name| name == t.name)
        };
        let found = schema.iter().filter(|(_, table)| fits(table));
        let found: Vec<TableId> = found.map(|(id, _)| *id).collect();
        if !found.is_empty() {
            return Ok(Filter {
                tables: Some(found),
            });
        }
        let asked = [keyspace, table].into_iter().flatten();
        let asked: Vec<&str> = asked.collect();
        let mut names: Vec<String> = schema.values().map(|t| t.full_name()).collect();
        names.sort();
        names.truncate(20);
        let error = Error::not_found(format!("the schema has no `{}`", asked.join(".")));
        Err(match names.is_empty() {
            true => error.advise("no schema was found: give it with --schema, or the table's id"),
            false => error.advise(format!("it has {}", names.join(", "))),
        })
    }

    fn shows(&self, id: &TableId) -> bool {
        self.tables.as_ref().is_none_or(|ids| ids.contains(id))
    }
}

/// A table's id, with or without hyphens.
fn parse_id(text: &str) -> Option<TableId> {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
    let mut id = TableId::default();
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}
