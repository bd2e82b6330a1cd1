//! `query`: one `SELECT` over all SSTables of a table, merged.

use crate::args::{Format, QueryArgs};
use crate::cmd::{dropped, now, open};
use crate::failure::{Failure, tell};
use crate::output::Out;
use crate::output::csv::Csv;
use crate::output::expanded::Expanded;
use crate::output::json::{JsonArray, JsonLines};
use crate::output::table::Table;
use cqlite_core::cql::ast::{QualifiedName, Select};
use cqlite_core::cql::{parse_select, quote_name};
use cqlite_core::database::{OWN_DIRECTORY, unflushed};
use cqlite_core::query::{Plan, PlanOptions, ResultColumn, ResultRow, ResultSet, Rows};
use cqlite_core::read::TableReader;
use cqlite_core::schema::{FoundSchema, Schema, TableSchema, find_schema, needed_types};
use cqlite_core::sstable::{Descriptor, OpenOptions, SSTable, TableDirectory, directory};
use cqlite_core::types::{CqlType, UserType};
use cqlite_core::{Error, ErrorKind, Result};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many names advice lists at most.
const ADVICE_NAMES_MAX: usize = 20;

/// How often the SSTables of a database in use are listed again because some were replaced meanwhile.
const ATTEMPTS: usize = 100;

/// What the rows of a result are written by.
pub trait RowWriter {
    /// Before the first row.
    fn begin(&mut self, columns: &[ResultColumn], out: &mut Out) -> Result<(), Failure>;

    /// A row.
    fn row(&mut self, row: &dyn Cells, out: &mut Out) -> Result<(), Failure>;

    /// After the last row.
    fn end(&mut self, out: &mut Out) -> Result<(), Failure>;
}

/// The values of a row, for a [`RowWriter`].
pub trait Cells {
    /// Type and raw bytes of the `i`th value, `None` if it is null.
    fn cell(&self, i: usize) -> (&CqlType, Option<&[u8]>);

    /// Appends the row as a JSON object.
    fn write_json(&self, out: &mut Vec<u8>) -> Result<()>;
}

impl Cells for ResultRow<'_> {
    fn cell(&self, i: usize) -> (&CqlType, Option<&[u8]>) {
        (&self.columns()[i].ty, self.value(i))
    }

    fn write_json(&self, out: &mut Vec<u8>) -> Result<()> {
        ResultRow::write_json(self, out)
    }
}

/// A row of `SELECT JSON`: one column of text.
struct JsonRow<'a> {
    text: &'a [u8],
}

impl Cells for JsonRow<'_> {
    fn cell(&self, _: usize) -> (&CqlType, Option<&[u8]>) {
        (&CqlType::Text, Some(self.text))
    }

    fn write_json(&self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(self.text);
        Ok(())
    }
}

/// Runs the statement and prints its rows.
pub fn run(args: &QueryArgs) -> Result<(), Failure> {
    let select = parse_select(&args.cql).map_err(|e| match args.path.to_str() {
        Some(path) if parse_select(path).is_ok() => {
            Error::invalid("the statement stands where the path belongs")
                .advise("cqlite query PATH \"SELECT ...\"")
        }
        _ => e,
    })?;
    let now = now(args.now);
    let (reader, found) = open_table(&args.path, args.schema.as_deref(), &select, now)?;
    let options = PlanOptions {
        indexes: &found.indexes,
        now,
    };
    let plan = Plan::new(&select, reader.schema(), reader.partitioner(), &options)?;
    let mut writer = writer(args.format, plan.is_json())?;
    let mut out = Out::stdout()?;
    let done = print(&plan, plan.execute(&reader), &mut *writer, &mut out);
    // What precedes a fault is printed.
    out.flush()?;
    done
}

/// Prints the rows of a plan, and what precedes a fault.
pub(super) fn print(
    plan: &Plan,
    mut rows: Rows<'_>,
    writer: &mut dyn RowWriter,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut json = Vec::new();
    let json_column = [ResultColumn {
        name: "[json]".to_owned(),
        ty: CqlType::Text,
    }];
    let columns = match plan.is_json() {
        true => &json_column[..],
        false => plan.columns(),
    };
    writer.begin(columns, out)?;
    let mut is_first = true;
    loop {
        let found = match rows.advance() {
            Ok(found) => found,
            Err(e) => {
                writer.end(out)?;
                return Err(e.into());
            }
        };
        if !found {
            return writer.end(out);
        }
        if plan.is_json() {
            json.clear();
            rows.row().write_json(&mut json)?;
            writer.row(&JsonRow { text: &json }, out)?;
        } else {
            writer.row(&rows.row(), out)?;
        }
        // The first row is to be seen at once, however long the next one takes.
        if is_first {
            out.flush()?;
        }
        is_first = false;
        out.drain()?;
    }
}

/// How rows are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Unless told otherwise a table on a terminal, lines of JSON in a pipe.
    pub format: Option<Format>,
    /// Columns below each other.
    pub expanded: bool,
}

impl Look {
    /// What rows are written by.
    pub fn writer(self, is_json: bool) -> Result<Box<dyn RowWriter>> {
        match self.expanded && !is_json {
            true => Ok(Box::new(Expanded::default())),
            false => writer(self.format, is_json),
        }
    }
}

/// All that is defined for the tables of a path.
pub(super) fn with_schema(path: &Path, schema: Option<&Path>, now: i64) -> Result<Schema, Failure> {
    let mut all = Schema::default();
    for directory in directory::resolve(path)? {
        let name = directory.name.as_ref();
        let asked = (
            name.map(|name| &*name.keyspace),
            name.map_or("", |name| &*name.table),
        );
        // Where nothing else tells it, the SSTables do.
        let told = find_schema(&directory, &[], schema, asked, now);
        let found = match told {
            Ok(found) if found.source.is_some() => found,
            _ => {
                let sstables = directory.readable()?.iter().map(open);
                let sstables = sstables.collect::<Result<Vec<_>, _>>()?;
                match find_schema(&directory, &sstables, schema, asked, now) {
                    Ok(found) => found,
                    Err(_) if sstables.is_empty() => continue,
                    Err(e) => return Err(e.into()),
                }
            }
        };
        let is_there = |table: &TableSchema| {
            table.name == found.table.name && table.keyspace == found.table.keyspace
        };
        if all.tables.iter().any(is_there) {
            continue;
        }
        for ty in needed_types(&found.table) {
            let is_it =
                |other: &&Arc<UserType>| other.name == ty.name && other.keyspace == ty.keyspace;
            if all.types.iter().find(is_it).is_none() {
                all.types.push(ty);
            }
        }
        all.indexes.extend(found.indexes);
        all.tables.push(found.table);
    }
    Ok(all)
}

/// Prints a result that is there already.
pub(super) fn print_all(
    result: &ResultSet,
    writer: &mut dyn RowWriter,
    out: &mut Out,
) -> Result<(), Failure> {
    writer.begin(result.columns(), out)?;
    for row in result.rows() {
        writer.row(&row, out)?;
        out.drain()?;
    }
    writer.end(out)
}

/// What rows are written by: unless told otherwise a table on a terminal, lines of JSON in a pipe.
pub(super) fn writer(format: Option<Format>, is_json: bool) -> Result<Box<dyn RowWriter>> {
    let format = format.unwrap_or_else(|| match std::io::stdout().is_terminal() && !is_json {
        true => Format::Table,
        false => Format::Jsonl,
    });
    Ok(match format {
        Format::Table => Box::new(Table::of_terminal()),
        Format::Json => Box::new(JsonArray::default()),
        Format::Jsonl => Box::new(JsonLines),
        Format::Csv => Box::new(Csv::default()),
        Format::Arrow | Format::Parquet => {
            return Err(Error::unsupported(format!(
                "rows cannot be written in the format {} yet",
                if format == Format::Arrow {
                    "arrow"
                } else {
                    "parquet"
                }
            ))
            .advise("take table, json, jsonl or csv"));
        }
    })
}

/// Opens the table that the statement is about.
pub(super) fn open_table(
    path: &Path,
    schema: Option<&Path>,
    select: &Select,
    now: i64,
) -> Result<(TableReader, FoundSchema), Failure> {
    let from = &select.from;
    let mut found = directory::resolve(path)?;
    let table = match found.len() {
        1 => found.remove(0),
        _ => choose(found, from, now).map_err(|e| e.in_file(path))?,
    };
    if let Some(database) = database_of(&table) {
        return open_in_database(&table, &database, schema, from, now);
    }
    let descriptors = table.readable()?;
    if descriptors.is_empty() {
        tell(format_args!(
            "{}: no SSTable; data that Cassandra has not flushed is in its commit log only",
            table.directory.display()
        ));
    }
    let sstables = descriptors
        .iter()
        .map(open)
        .collect::<Result<Vec<_>, _>>()?;
    let asked = (from.keyspace.as_deref(), &*from.name);
    let found = find_schema(&table, &sstables, schema, asked, now)?;
    check_name(from, &found).map_err(|e| e.in_file(path))?;
    let reader = TableReader::open(found.table.clone(), sstables)?;
    Ok((reader, found))
}

fn check_name(from: &QualifiedName, found: &FoundSchema) -> Result<()> {
    let keyspace = from.keyspace.as_ref();
    let is_it = from.name == found.table.name
        && keyspace.is_none_or(|keyspace| *keyspace == found.table.keyspace);
    match is_it {
        true => Ok(()),
        false => Err(Error::not_found(format!("there is no table {from} here"))
            .advise(format!("this is {}", found.table.full_name()))),
    }
}

/// The directory of the database that a table is of, if it is of one.
fn database_of(table: &TableDirectory) -> Option<PathBuf> {
    let directory = std::path::absolute(&table.directory).ok()?;
    let database = directory.parent()?.parent()?;
    database
        .join(OWN_DIRECTORY)
        .is_dir()
        .then(|| database.to_owned())
}

/// Opens a table of a database, which may be in use: what its log has is read before the SSTables are listed that it may be
/// flushed to meanwhile.
fn open_in_database(
    table: &TableDirectory,
    database: &Path,
    schema: Option<&Path>,
    from: &QualifiedName,
    now: i64,
) -> Result<(TableReader, FoundSchema), Failure> {
    let asked = (from.keyspace.as_deref(), &*from.name);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let found = find_schema(table, &[], schema, asked, now)?;
        check_name(from, &found).map_err(|e| e.in_file(&table.directory))?;
        let memtable = unflushed(database, &Arc::new(found.table.clone()))?;
        let open_all = || -> Result<Vec<Arc<SSTable>>> {
            let listed = directory::list(&table.directory)?;
            let open = |descriptor: &Descriptor| {
                let options = OpenOptions::default();
                let sstable = SSTable::open_descriptor(descriptor.clone(), &options)?;
                // Opened now, they can be read after they are deleted.
                sstable.partition_index()?;
                sstable.filter()?;
                Ok(sstable)
            };
            listed.readable()?.iter().map(open).collect()
        };
        let sstables = match open_all() {
            // A compaction replaced some of them.
            Err(e) if e.kind() == ErrorKind::NotFound && attempt < ATTEMPTS => continue,
            opened => opened?,
        };
        let reader = TableReader::open(found.table.clone(), sstables)?;
        let memtables = memtable.into_iter().map(Arc::new).collect();
        return Ok((reader.with_memtables(memtables)?, found));
    }
}

/// The one of several tables that `FROM` names.
fn choose(found: Vec<TableDirectory>, from: &QualifiedName, now: i64) -> Result<TableDirectory> {
    let fits = |table: &TableDirectory| {
        table.name.as_ref().is_some_and(|name| {
            name.table == from.name && from.keyspace.as_ref().is_none_or(|ks| *ks == name.keyspace)
        })
    };
    let (mut fitting, others): (Vec<_>, Vec<_>) = found.into_iter().partition(fits);
    // A table that was dropped and made again leaves an empty directory, or one of older files.
    if fitting.len() > 1 {
        let mut dropped = dropped(&fitting, now).into_iter();
        fitting.retain(|_| !dropped.next().unwrap_or_default());
    }
    if fitting.len() > 1 {
        let with_data = fitting.iter().filter(|t| !t.sstables.is_empty()).count();
        if with_data == 1 {
            fitting.retain(|t| !t.sstables.is_empty());
        }
    }
    match fitting.len() {
        1 => Ok(fitting.remove(0)),
        0 => Err(Error::not_found(format!("there is no table {from} here"))
            .advise(format!("there are {}", names(&others)))),
        _ => {
            let places: Vec<String> = fitting
                .iter()
                .map(|t| t.directory.display().to_string())
                .collect();
            Err(
                Error::invalid(format!("{from} may be several tables")).advise(format!(
                    "name the keyspace, or give one of {}",
                    places.join(", ")
                )),
            )
        }
    }
}

fn names(tables: &[TableDirectory]) -> String {
    let mut names: Vec<String> = tables
        .iter()
        .map(|table| match &table.name {
            Some(name) => format!("{}.{}", quote_name(&name.keyspace), quote_name(&name.table)),
            None => table.directory.display().to_string(),
        })
        .collect();
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(ADVICE_NAMES_MAX);
    names.truncate(ADVICE_NAMES_MAX);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}
