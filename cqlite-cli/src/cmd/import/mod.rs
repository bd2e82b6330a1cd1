//! `import`: CSV, lines of JSON and CQL statements as SSTables of a table.

mod csv;

use crate::args::{ImportArgs, InputFormat};
use crate::cmd::outputs::{OutputDirectory, tell_built};
use crate::cmd::progress::Progress;
use crate::cmd::{interrupt, now};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::cql::ast::Statement;
use cqlite_core::cql::{Statements, parse_literal, parse_select, parse_statement};
use cqlite_core::limits::CQL_TEXT_BYTES_MAX;
use cqlite_core::model::StreamHeader;
use cqlite_core::mutation::{Insert, Modifier, TimeUuids, Value, WriteTime};
use cqlite_core::partitioner::Partitioner;
use cqlite_core::schema::{TableSchema, parse_schema};
use cqlite_core::sstable::builder::{BuilderOptions, UnsortedBuilder};
use cqlite_core::sstable::component::compression_info::Compressor;
use cqlite_core::sstable::{CompressionOptions, Format, Version, WriteOptions};
use cqlite_core::types::{CqlType, Json, json_column_name};
use cqlite_core::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 18;

/// Reads the file and writes the SSTables.
pub fn run(args: &ImportArgs) -> Result<(), Failure> {
    interrupt::watch();
    let table = Arc::new(find_table(args)?);
    let format = input_format(args)?;
    let options = options(args, &table)?;
    let when = write_time(args, &table)?;
    let input: Box<dyn BufRead> = match args.file.as_os_str() == "-" {
        true => Box::new(BufReader::with_capacity(BUFFER_BYTES, std::io::stdin())),
        false => {
            let file = File::open(&args.file).map_err(|e| Error::io(&args.file, e))?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, file))
        }
    };
    let _output = OutputDirectory::at(args.out.clone())?;
    let header = Arc::new(StreamHeader::of_table(&table));
    let node = match args.now {
        Some(_) => 0,
        None => RandomState::new().hash_one(std::process::id()),
    };
    let mut import = Import {
        sink: UnsortedBuilder::create(&args.out, header, options)?,
        ids: TimeUuids::new(when.now, node),
        table,
        when,
        rejects: Rejects {
            name: args.file.display().to_string(),
            path: args.rejects.clone(),
            file: None,
            head: Vec::new(),
            count: 0,
            max: args.max_errors,
        },
        progress: Progress::default(),
    };
    let read = match format {
        InputFormat::Csv => import.csv(input),
        InputFormat::Jsonl => import.json_lines(input),
        InputFormat::Cql => import.statements(input),
    };
    import
        .progress
        .interrupt(|| read)
        .map_err(interrupt::blame)?;
    let Import { sink, rejects, .. } = import;
    let rejected = rejects.finish()?;
    let mut out = Out::stdout()?;
    let written = sink.finish();
    for written in written.map_err(|e| interrupt::blame(e.into()))? {
        tell_built(&mut out, &args.out, &written);
    }
    out.flush()?;
    match rejected {
        0 => Ok(()),
        n => {
            tell(format_args!("{}: rejected {n}", args.file.display()));
            Err(Failure::Said(1))
        }
    }
}

fn find_table(args: &ImportArgs) -> Result<TableSchema> {
    let path = &args.schema;
    let size = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    if size.len() > CQL_TEXT_BYTES_MAX as u64 {
        return Err(Error::invalid(format!("{} bytes are no schema", size.len())).in_file(path));
    }
    let text = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let text = String::from_utf8(text);
    let text = text.map_err(|_| Error::invalid("it is not UTF-8 text").in_file(path))?;
    let name = match &args.table {
        Some(name) => {
            let select = parse_select(&format!("SELECT * FROM {name}"));
            let select = select.map_err(|_| {
                Error::invalid(format!("`{name}` is no name of a table"))
                    .advise("--table keyspace.table")
            })?;
            Some(select.from)
        }
        None => None,
    };
    let keyspace = name.as_ref().and_then(|n| n.keyspace.as_deref());
    let schema = parse_schema(&text, keyspace).map_err(|e| e.in_file(path))?;
    let table = match (&name, &*schema.tables, &*schema.broken) {
        (Some(name), ..) => schema.find(keyspace, &name.name),
        (None, [only], []) => Ok(only),
        (None, tables, _) => {
            let names: Vec<String> = tables.iter().map(TableSchema::full_name).collect();
            Err(Error::invalid("the schema does not have just one table")
                .advise(format!("name it with --table: {}", names.join(", "))))
        }
    };
    table.cloned().map_err(|e| e.in_file(path))
}

fn input_format(args: &ImportArgs) -> Result<InputFormat> {
    if let Some(format) = args.input_format {
        return Ok(format);
    }
    let extension = args.file.extension().and_then(|e| e.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Ok(InputFormat::Csv),
        Some("json" | "jsonl" | "ndjson") => Ok(InputFormat::Jsonl),
        Some("cql") => Ok(InputFormat::Cql),
        _ => Err(
            Error::invalid("the format cannot be told by the file's name")
                .advise("say --input-format csv, jsonl or cql")
                .in_file(&args.file),
        ),
    }
}

fn options(args: &ImportArgs, table: &TableSchema) -> Result<BuilderOptions> {
    let format = match args.version.as_str() {
        "da" => Format::Bti,
        _ => Format::Big,
    };
    let version = Version::parse(&args.version, &format.to_string())?;
    let mut write = WriteOptions::of_table(table)?;
    let key_type = StreamHeader::of_table(table).key_type;
    write.partitioner = Partitioner::from_class_name(&args.partitioner, &key_type)?;
    match args.compression.as_deref() {
        None => {}
        Some(text) if text.eq_ignore_ascii_case("none") => write.compression = None,
        Some(map) if map.trim_start().starts_with('{') => {
            write.compression = CompressionOptions::parse_cql(map)?;
        }
        Some(name) => {
            let compressor = Compressor::named(name)?;
            let mut options = write.compression.take().unwrap_or_default();
            if options.compressor != compressor {
                options.options.clear();
            }
            options.compressor = compressor;
            write.compression = Some(options);
        }
    }
    if let (Some(kib), Some(compression)) = (args.chunk_length, &mut write.compression) {
        let length = kib.saturating_mul(1024);
        compression.chunk_length = length;
    }
    let mut options = BuilderOptions::new(version, write);
    options.watch = interrupt::check;
    options.max_size = args.max_sstable_size.map(|mib| mib.saturating_mul(1 << 20));
    Ok(options)
}

fn write_time(args: &ImportArgs, table: &TableSchema) -> Result<WriteTime> {
    let seconds = now(args.now);
    let micros = match args.now {
        Some(seconds) => seconds.saturating_mul(1_000_000),
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |d| d.as_micros() as i64)
        }
    };
    let when = WriteTime {
        timestamp: args.timestamp.unwrap_or(micros),
        ttl: args.ttl.unwrap_or(table.options.default_time_to_live),
        now: seconds,
    };
    when.check()?;
    Ok(when)
}

/// What is being imported.
struct Import {
    table: Arc<TableSchema>,
    when: WriteTime,
    ids: TimeUuids,
    sink: UnsortedBuilder,
    rejects: Rejects,
    progress: Progress,
}

impl Import {
    /// One more row or statement came in.
    #[inline]
    fn added(&self) -> Result<()> {
        self.progress.count("rows");
        interrupt::check()
    }

    fn csv(&mut self, input: impl BufRead) -> Result<(), Failure> {
        let mut reader = csv::Reader::new(input);
        let mut record = csv::Record::default();
        if !reader.next(&mut record)? {
            return Err(Error::invalid("there is no header line").into());
        }
        let mut columns = Vec::new();
        for i in 0..record.len() {
            let name = std::str::from_utf8(record.field(i).0);
            let name = name.map_err(|_| Error::invalid("line 1: it is not UTF-8"))?;
            columns.push(name.to_owned());
        }
        self.rejects.head.clone_from(&record.raw);
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut insert = Insert::new(self.table.clone(), &names, self.ids.clone())
            .map_err(|e| Failure::from(self.rejects.placed(1, &e)))?;
        let types: Vec<CqlType> = names
            .iter()
            .filter_map(|name| self.table.column(name).map(|c| c.ty.clone()))
            .collect();
        let mut bytes: Vec<Option<Vec<u8>>> = vec![None; names.len()];
        loop {
            match reader.next(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(e) => {
                    self.rejects.reject(record.line, &record.raw, e)?;
                    continue;
                }
            }
            let mut add = || -> Result<()> {
                if record.len() != names.len() {
                    return Err(Error::invalid(format!(
                        "{} fields under {} columns",
                        record.len(),
                        names.len()
                    )));
                }
                for (i, value) in bytes.iter_mut().enumerate() {
                    let (text, quoted) = record.field(i);
                    *value = match text.is_empty() && !quoted {
                        true => None,
                        false => Some(
                            of_text(&types[i], text, self.when.now)
                                .map_err(|e| in_column(names[i], &e))?,
                        ),
                    };
                }
                let mut values = Vec::with_capacity(bytes.len());
                values.extend(bytes.iter().map(|v| match v {
                    Some(v) => Value::Bytes(v),
                    None => Value::Unset,
                }));
                insert.add(&values, &self.when, &mut self.sink)
            };
            match add() {
                Ok(()) => self.added()?,
                Err(e) => self.rejects.reject(record.line, &record.raw, e)?,
            }
        }
    }

    fn json_lines(&mut self, mut input: impl BufRead) -> Result<(), Failure> {
        let table = self.table.clone();
        let columns = table.select_order();
        let names: Vec<&str> = columns.iter().map(|c| &**c.name).collect();
        let numbers: HashMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(i, name)| (*name, i))
            .collect();
        let mut insert = Insert::new(table.clone(), &names, self.ids.clone())?;
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            let read = input.read_until(b'\n', &mut line);
            let read = read.map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let mut add = || -> Result<()> {
                let text = std::str::from_utf8(line.trim_ascii_end());
                let text = text.map_err(|_| Error::invalid("it is not UTF-8"))?;
                let Json::Object(members) = Json::parse(text)? else {
                    return Err(Error::invalid("it is no JSON object"));
                };
                let mut bytes: Vec<Option<Vec<u8>>> = vec![None; names.len()];
                for (written, member) in &members {
                    let name = json_column_name(written);
                    let Some(&i) = numbers.get(&*name) else {
                        return Err(Error::invalid(format!("there is no column `{name}`"))
                            .advise(format!("there are {}", names.join(", "))));
                    };
                    let value = columns[i]
                        .ty
                        .from_json(member, self.when.now.saturating_mul(1000));
                    bytes[i] = value.map_err(|e| in_column(&name, &e))?;
                }
                let values = bytes.iter().map(|v| match v {
                    Some(v) => Value::Bytes(v),
                    None => Value::Unset,
                });
                let values: Vec<Value<'_>> = values.collect();
                insert.add(&values, &self.when, &mut self.sink)
            };
            match add() {
                Ok(()) => self.added()?,
                Err(e) => self.rejects.reject(number, &line, e)?,
            }
        }
    }

    fn statements(&mut self, input: impl BufRead) -> Result<(), Failure> {
        let mut statements = Statements::new(input);
        let mut modifier = Modifier::new(self.table.clone(), self.ids.clone())?;
        while let Some(text) = statements.next_statement()? {
            let mut execute = || -> Result<()> {
                let statement = parse_statement(&text.text).map_err(|e| in_statement(&e))?;
                if let Statement::Use(keyspace) = &statement
                    && *keyspace == self.table.keyspace
                {
                    return Ok(());
                }
                modifier.execute(&statement, &self.when, &mut self.sink)
            };
            match execute() {
                Ok(()) => self.added()?,
                Err(e) => {
                    let mut raw = text.text.trim_end().as_bytes().to_vec();
                    raw.push(b'\n');
                    self.rejects.reject(text.line, &raw, e)?;
                }
            }
        }
        Ok(())
    }
}

/// The value of a field of CSV: text as it is, all else as a literal of CQL, with its quotes or without.
fn of_text(ty: &CqlType, text: &[u8], now: i64) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(text).map_err(|_| Error::invalid("it is not UTF-8"))?;
    let millis = now.saturating_mul(1000);
    let null = || Error::invalid("it is null").advise("leave the field empty");
    // With quotes, or it would be unset.
    if text.is_empty() {
        return Ok(Vec::new());
    }
    match ty {
        CqlType::Text | CqlType::Ascii => ty.from_text(text),
        CqlType::List { .. }
        | CqlType::Set { .. }
        | CqlType::Map { .. }
        | CqlType::Tuple(_)
        | CqlType::Udt { .. }
        | CqlType::Vector { .. } => parse_literal(text)?.to_bytes(ty, millis)?.ok_or_else(null),
        _ => {
            let json = Json::String(text.to_owned());
            ty.from_json(&json, millis)?.ok_or_else(null)
        }
    }
}

fn in_column(name: &str, e: &Error) -> Error {
    let error = Error::new(e.kind(), format!("the column `{name}`: {}", e.message()));
    match e.advice() {
        Some(advice) => error.advise(advice),
        None => error,
    }
}

/// The error of a statement, whose message begins with a line and column of its own.
pub(super) fn in_statement(e: &Error) -> Error {
    let mut parts = e.message().splitn(3, ':');
    let place = (parts.next(), parts.next(), parts.next());
    let (Some(of_line), Some(column), Some(message)) = place else {
        return e.clone();
    };
    let message = match of_line.parse::<u64>() {
        Ok(n) if n > 1 => format!("{} lines on, column {column}:{message}", n - 1),
        Ok(_) => format!("column {column}:{message}"),
        Err(_) => return e.clone(),
    };
    match e.advice() {
        Some(advice) => Error::new(e.kind(), message).advise(advice),
        None => Error::new(e.kind(), message),
    }
}

/// What was refused.
struct Rejects {
    /// The input, for messages.
    name: String,
    path: Option<PathBuf>,
    file: Option<File>,
    /// What the file of rejects begins with.
    head: Vec<u8>,
    count: u64,
    max: u64,
}

impl Rejects {
    /// The error with its line before it.
    fn placed(&self, line: u64, e: &Error) -> Error {
        let message = format!("{}: line {line}: {}", self.name, e.message());
        match e.advice() {
            Some(advice) => Error::new(e.kind(), message).advise(advice),
            None => Error::new(e.kind(), message),
        }
    }

    /// Tells and keeps what was refused. Ends the import when there was too much of it, or where it was not the input that
    /// was wrong.
    fn reject(&mut self, line: u64, raw: &[u8], e: Error) -> Result<(), Failure> {
        if matches!(e.kind(), ErrorKind::Io | ErrorKind::Internal) {
            return Err(e.into());
        }
        tell(self.placed(line, &e));
        self.keep(raw)?;
        self.count += 1;
        if self.count > self.max {
            tell(match self.max {
                0 => "nothing was written".to_owned(),
                max => format!("more than {max} errors: nothing was written"),
            });
            return Err(Failure::Said(1));
        }
        Ok(())
    }

    fn keep(&mut self, raw: &[u8]) -> Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let failed = |e| Error::io(path, e);
        if self.file.is_none() {
            let mut file = File::create(path).map_err(failed)?;
            file.write_all(&self.head).map_err(failed)?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(raw).map_err(failed),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<u64> {
        if let (Some(file), Some(path)) = (&self.file, &self.path) {
            file.sync_all().map_err(|e| Error::io(path, e))?;
        }
        Ok(self.count)
    }
}
