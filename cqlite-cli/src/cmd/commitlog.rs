//! `commitlog`: the mutations of a commit log, as JSON.
//!
//! An object a mutation: `segment` (file name), `position` (where its record starts), `size` (bytes of the mutation),
//! `keyspace`, and `updates`, an array: `table`, `id`, and what `dump -l` prints of a partition, positions being those in
//! the mutation. Of an update whose table no schema names there are `id` and `bytes`, the latter up to the mutation's end.

use super::dump::Context;
use super::dump::json::JsonPrinter;
use super::dump::layout::Lines;
use super::now;
use crate::args::{CommitlogArgs, OnDamage};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::commitlog::{
    LogReader, MutationReader, ReplayPolicy, TableId, Update, UpdateSource, segments,
};
use cqlite_core::model::{PartitionSource, StreamHeader};
use cqlite_core::schema::{Schema, TableSchema, parse_schema};
use cqlite_core::types::write_json_string;
use cqlite_core::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a log may lie in, or beside, a data directory.
const LOG_DIRECTORIES: [&str; 4] = ["commitlog", ".cqlite", "../commitlog", "../.cqlite"];

/// Where the schema's tables may lie, seen from a log.
const SCHEMA_DIRECTORIES: [&str; 3] =
    ["system_schema", "../system_schema", "../data/system_schema"];

/// Prints all mutations. What precedes an error is printed.
pub fn run(args: &CommitlogArgs) -> Result<(), Failure> {
    let paths = find_segments(&args.path)?;
    let now = now(args.now);
    let schema = find_schema(args, &paths, now)?;
    let filter = Filter::new(args, &schema)?;
    let mut log = LogReader::open(paths, policy(args.on_damage))?;
    let mut out = Out::stdout()?;
    let printed = print(args, &mut log, &schema, &filter, now, &mut out);
    // What precedes a fault is printed.
    out.flush()?;
    let mut is_bad = false;
    for damage in log.take_passed_over() {
        let what = match damage.is_torn_end {
            true => "the log ends here, in the middle of what was being written",
            false => "passed over",
        };
        is_bad |= !damage.is_torn_end;
        tell(format_args!("{}: {what}", damage.error));
    }
    let unknown = printed?;
    if unknown > 0 {
        tell(format_args!(
            "{unknown} updates are of tables that the schema does not have: their ids are shown"
        ));
    }
    match is_bad {
        true => Err(Failure::Said(1)),
        false => Ok(()),
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

fn write_id(id: &TableId, text: &mut Vec<u8>) {
    let digits: String = id.iter().map(|b| format!("{b:02x}")).collect();
    write_json_string(&digits, text);
}

/// Prints the mutations; returns how many updates were of unknown tables.
fn print(
    args: &CommitlogArgs,
    log: &mut LogReader,
    schema: &Tables,
    filter: &Filter,
    now: i64,
    out: &mut Out,
) -> Result<u64, Failure> {
    let headers: HashMap<TableId, StreamHeader> = schema
        .iter()
        .map(|(id, table)| (*id, StreamHeader::of_table(table)))
        .collect();
    let mut printers = HashMap::new();
    let mut mutations = MutationReader::new(|id| schema.get(id).cloned());
    let mut unknown = 0;
    while log.advance()? {
        let Some((segment, record)) = log.record() else {
            break;
        };
        let version = segment.descriptor().version;
        let start = out.text.len();
        let mut failed = None;
        let mut shown = 0;
        let read = mutations.each_update(version, record.mutation, |update| {
            if failed.is_some() {
                return Ok(());
            }
            let id = match &update {
                Update::Known { table, .. } => table.id.unwrap_or_default(),
                Update::Unknown { table, .. } => *table,
            };
            if !filter.shows(&id) {
                return Ok(());
            }
            let text = &mut out.text;
            if shown == 0 {
                text.extend_from_slice(br#"{"segment":"#);
                let name = segment.path().file_name().unwrap_or_default();
                write_json_string(&name.to_string_lossy(), text);
                let (at, size) = (record.start, record.mutation.len());
                text.extend_from_slice(
                    format!(r#","position":{at},"size":{size},"keyspace":"#).as_bytes(),
                );
                match &update {
                    Update::Known { table, .. } => write_json_string(&table.keyspace, text),
                    Update::Unknown { .. } => text.extend_from_slice(b"null"),
                }
                text.extend_from_slice(br#","updates":["#);
            } else {
                text.push(b',');
            }
            shown += 1;
            match update {
                Update::Unknown { table, bytes } => {
                    unknown += 1;
                    text.extend_from_slice(br#"{"id":"#);
                    write_id(&table, text);
                    text.extend_from_slice(format!(r#","bytes":{bytes}}}"#).as_bytes());
                }
                Update::Known { table, source } => {
                    let printer = printers.entry(id).or_insert_with(|| {
                        let context = Context {
                            header: &headers[&id],
                            is_index: false,
                            now,
                            raw_timestamps: args.raw_timestamps,
                        };
                        let mut prefix = br#"{"table":"#.to_vec();
                        write_json_string(&table.name, &mut prefix);
                        prefix.extend_from_slice(br#","id":"#);
                        write_id(&id, &mut prefix);
                        prefix.push(b',');
                        JsonPrinter::<Lines>::within(&context, &prefix)
                    });
                    failed = partition(printer, source, out).err();
                }
            }
            Ok(())
        });
        let placed = |e: Error| record.place(e, segment.path());
        let done = match failed {
            Some(failure) => Err(failure.placed(placed)),
            None => read.map_err(|e| placed(e).into()),
        };
        if let Err(failure) = done {
            // Half a line is of no use, unless it is so long that its start is written.
            out.text.truncate(start);
            return Err(failure);
        }
        if shown > 0 {
            out.text.extend_from_slice(b"]}\n");
        }
        out.drain()?;
    }
    Ok(unknown)
}

fn partition(
    printer: &mut JsonPrinter<'_, Lines>,
    source: &mut UpdateSource<'_>,
    out: &mut Out,
) -> Result<(), Failure> {
    while source.next_partition()? {
        printer.partition(source, out)?;
    }
    Ok(())
}
