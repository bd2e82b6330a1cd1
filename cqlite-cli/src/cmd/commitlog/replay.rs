//! The mutations of a log as SSTables: `DIR/keyspace/table-id/`, with a `schema.cql` where there is none; or as writes, where
//! DIR is a database directory.

use super::{Filter, Tables, tell_damage, tell_unknown};
use crate::args::CommitlogArgs;
use crate::cmd::outputs::{OutputDirectory, tell_built};
use crate::cmd::{counted, interrupt};
use crate::failure::Failure;
use crate::output::Out;
use cqlite_core::commitlog::{
    MutationReader, ReplayPolicy, TableId, Update, UpdateSource, apply, replay,
};
use cqlite_core::database::{Database, DatabaseOptions, OWN_DIRECTORY, Writer};
use cqlite_core::model::StreamHeader;
use cqlite_core::schema::{TableSchema, describe};
use cqlite_core::sstable::Version;
use cqlite_core::sstable::builder::{BuilderOptions, UnsortedBuilder};
use cqlite_core::sstable::writer::WriteOptions;
use cqlite_core::{Error, Result};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Memory of a table's rows, in bytes, before they are sorted and spilled.
const MEMORY_BYTES: usize = 16 << 20;

/// A table that is being written.
struct Output {
    directory: OutputDirectory,
    builder: UnsortedBuilder,
}

/// Replays into `directory`. A table gets an SSTable beside those that it has.
pub fn run(
    directory: &Path,
    segments: Vec<PathBuf>,
    policy: ReplayPolicy,
    schema: &Tables,
    filter: &Filter,
) -> Result<(), Failure> {
    interrupt::watch();
    let root = OutputDirectory::at(directory.to_owned())?;
    let mut outputs: BTreeMap<TableId, Output> = BTreeMap::new();
    let mut mutations = MutationReader::new(|id| schema.get(id).cloned());
    let replayed = replay(segments, policy, &mut mutations, |_, update| {
        interrupt::check()?;
        let Some((id, table, source)) = shown(update, filter) else {
            return Ok(());
        };
        let output = match outputs.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Output::create(directory, table)?),
        };
        apply(source, &mut output.builder)
    });
    let replayed = replayed.map_err(|e| interrupt::blame(e.into()))?;
    let mut out = Out::stdout()?;
    for (id, output) in outputs {
        let table = &schema[&id];
        let written = output.builder.finish();
        for written in written.map_err(|e| interrupt::blame(e.into()))? {
            tell_built(&mut out, output.directory.path(), &written);
            interrupt::committed(1);
            // A data directory has its schema, which is to be believed.
            if !directory.join("system_schema").is_dir() {
                write_schema(output.directory.path(), table)?;
            }
        }
    }
    out.flush()?;
    drop(root);
    tell_unknown(replayed.unknown.values().sum(), "they are not replayed");
    tell_damage(&replayed.passed_over)
}

/// Replays into the tables of a database, by its own schema.
pub fn run_database(
    directory: &Path,
    args: &CommitlogArgs,
    segments: Vec<PathBuf>,
    policy: ReplayPolicy,
    now: i64,
) -> Result<(), Failure> {
    let own = directory.join(OWN_DIRECTORY).canonicalize();
    let is_own = |segment: &PathBuf| match (segment.canonicalize(), &own) {
        (Ok(segment), Ok(own)) => segment.starts_with(own),
        _ => false,
    };
    if segments.iter().any(is_own) {
        return Err(Error::invalid("this is the log of the database itself")
            .advise("it is replayed whenever the database is opened")
            .in_file(directory)
            .into());
    }
    interrupt::watch();
    let database = Database::open(
        directory,
        DatabaseOptions {
            create: false,
            ..DatabaseOptions::new(now)?
        },
    )?;
    let tables = database.schema().tables.into_iter();
    let tables: Tables = tables
        .filter_map(|table| Some((table.id?, Arc::new(table))))
        .collect();
    let filter = Filter::new(args, &tables)?;
    let mut mutations = MutationReader::new(|id| tables.get(id).cloned());
    let mut writers: BTreeMap<TableId, (Writer, u64)> = BTreeMap::new();
    let replayed = replay(segments, policy, &mut mutations, |_, update| {
        interrupt::check()?;
        let Some((id, table, source)) = shown(update, &filter) else {
            return Ok(());
        };
        let (writer, count) = match writers.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let table = database.table(Some(&table.keyspace), &table.name)?;
                new.insert((database.writer(&table)?, 0))
            }
        };
        apply(source, writer.update())?;
        writer.write()?;
        *count += 1;
        Ok(())
    });
    // What was written stays, also if the log is damaged behind it.
    let closed = database.close();
    let replayed = replayed.map_err(|e| interrupt::blame(e.into()))?;
    closed?;
    let mut out = Out::stdout()?;
    for (id, (_, count)) in &writers {
        let name = tables.get(id).map(|table| table.full_name());
        let line = format!(
            "{}: {}\n",
            name.unwrap_or_default(),
            counted(*count, "update")
        );
        out.text.extend_from_slice(line.as_bytes());
    }
    out.flush()?;
    tell_unknown(replayed.unknown.values().sum(), "they are not replayed");
    tell_damage(&replayed.passed_over)
}

/// What an update says of a table whose schema is known, if that is to be replayed.
fn shown<'a, 'b>(
    update: Update<'a, 'b>,
    filter: &Filter,
) -> Option<(TableId, &'a Arc<TableSchema>, &'a mut UpdateSource<'b>)> {
    let Update::Known { table, source } = update else {
        return None;
    };
    let id = table.id.unwrap_or_default();
    filter.shows(&id).then_some((id, table, source))
}

impl Output {
    fn create(root: &Path, table: &Arc<TableSchema>) -> Result<Self> {
        let id: String = table
            .id
            .iter()
            .flatten()
            .map(|b| format!("{b:02x}"))
            .collect();
        let place = root
            .join(&table.keyspace)
            .join(format!("{}-{id}", table.name));
        let directory = OutputDirectory::at(place)?;
        let version = Version::parse("oa", "big")?;
        let mut options = BuilderOptions::new(version, WriteOptions::of_table(table)?);
        options.memory = MEMORY_BYTES;
        options.watch = interrupt::check;
        let header = Arc::new(StreamHeader::of_table(table));
        let builder = UnsortedBuilder::create(directory.path(), header, options)?;
        Ok(Output { directory, builder })
    }
}

/// Puts the schema beside a table's files, so that they can be read without the log's data directory.
fn write_schema(directory: &Path, table: &TableSchema) -> Result<()> {
    let path = directory.join("schema.cql");
    if path.exists() {
        return Ok(());
    }
    std::fs::write(&path, describe(table, &[])).map_err(|e| Error::io(&path, e))
}
