//! `verify`: all that can be checked. Faults, and a line for each SSTable, go to standard output.
//!
//! Authority: `o.a.c.tools.StandaloneVerifier`.

use crate::args::{VerifyArgs, VerifyToolArgs};
use crate::cmd::tables_with_indexes;
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::sstable::verify::{Finding, Report, VerifyOptions, verify};
use cqlite_core::sstable::{Descriptor, TableDirectory, directory};
use cqlite_core::{Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Faults of a file that are named, unless all are asked for.
const FAULTS_MAX: u64 = 100;

/// How often progress is shown.
const PROGRESS_TIME: Duration = Duration::from_millis(200);

/// Where the packages of Cassandra keep their data.
const DATA_DIRECTORY: &str = "/var/lib/cassandra/data";

/// Verifies all SSTables of all paths.
pub fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let mut printer = Printer::new(args.quick, args.all)?;
    for path in &args.paths {
        match tables_with_indexes(path) {
            Ok(tables) => printer.tables(&tables)?,
            Err(e) => printer.error(&e),
        }
    }
    printer.end()
}

/// Verifies the SSTables of a table, or of a path, by the options of `sstableverify`.
pub fn run_tool(args: &VerifyToolArgs) -> Result<(), Failure> {
    if !args.token_range.is_empty() {
        return Err(Error::invalid("token ranges (-t) are not checked")
            .advise("leave -t out; `nodetool verify -t` tells tokens that the node does not own")
            .into());
    }
    let tables = match &args.table {
        Some(table) => table_of(&data_directory(args.data.as_deref()), &args.keyspace, table)?,
        None => tables_with_indexes(Path::new(&args.keyspace))?,
    };
    let mut printer = Printer::new(args.quick, args.verbose || args.debug)?;
    printer.check_version = args.check_version;
    printer.tables(&tables)?;
    printer.end()
}

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

/// Prints what is found, and keeps the exit status.
struct Printer {
    out: Out,
    options: VerifyOptions,
    all: bool,
    check_version: bool,
    progress: Progress,
    found_corrupt: bool,
    /// Status of what went wrong otherwise.
    other_status: u8,
}

impl Printer {
    fn new(quick: bool, all: bool) -> Result<Self, Failure> {
        Ok(Printer {
            out: Out::stdout()?,
            options: VerifyOptions { quick },
            all,
            check_version: false,
            progress: Progress::default(),
            found_corrupt: false,
            other_status: 0,
        })
    }

    fn tables(&mut self, tables: &[TableDirectory]) -> Result<(), Failure> {
        for table in tables {
            for e in &table.unreadable {
                self.error(e);
            }
            for descriptor in &table.sstables {
                self.sstable(descriptor)?;
            }
        }
        Ok(())
    }

    fn sstable(&mut self, descriptor: &Descriptor) -> Result<(), Failure> {
        let mut faults = Faults::new(self.all);
        if self.check_version {
            self.check_latest(descriptor, &mut faults);
        }
        let failed = RefCell::new(None);
        let (out, progress) = (&mut self.out, &self.progress);
        let mut report = verify(
            descriptor,
            &self.options,
            &mut |finding| match finding {
                Finding::Note(e) => progress.interrupt(|| tell(&e)),
                Finding::Fault(e) => {
                    faults.add(&e, &mut out.text);
                    if failed.borrow().is_none() {
                        *failed.borrow_mut() = progress.interrupt(|| out.flush()).err();
                    }
                }
            },
            &mut |position, length| {
                progress.show(descriptor, position, length);
                match failed.borrow().is_some() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            },
        );
        if let Some(failure) = failed.take() {
            return Err(failure);
        }
        report.faults = faults.count;
        self.found_corrupt |= faults.has_corrupt;
        if faults.count > 0 && !faults.has_corrupt {
            self.other_status = self.other_status.max(3);
        }
        faults.end(descriptor, &mut self.out.text);
        let verdict = verdict(&report, self.options.quick);
        let text = format!("{descriptor}: {verdict}\n");
        self.out.text.extend_from_slice(text.as_bytes());
        let out = &mut self.out;
        self.progress.interrupt(|| out.flush())
    }

    fn check_latest(&mut self, descriptor: &Descriptor, faults: &mut Faults) {
        if !descriptor.version.is_latest() {
            let what = format!(
                "its version is {}, which is not the latest",
                descriptor.version
            );
            let path = descriptor.path(&cqlite_core::sstable::Component::Data);
            let e = Error::corrupt(what)
                .advise("nodetool upgradesstables writes it anew")
                .in_component("Data.db")
                .in_file(&path);
            faults.add(&e, &mut self.out.text);
        }
    }

    /// What keeps something from being verified at all.
    fn error(&mut self, e: &Error) {
        let failure = Failure::Core(e.clone());
        failure.report();
        match failure.status() {
            1 => self.found_corrupt = true,
            status => self.other_status = self.other_status.max(status),
        }
    }

    fn end(mut self) -> Result<(), Failure> {
        self.out.flush()?;
        match (self.found_corrupt, self.other_status) {
            (false, 0) => Ok(()),
            (true, _) => Err(Failure::Said(1)),
            (false, status) => Err(Failure::Said(status)),
        }
    }
}

/// What there is to say of a whole SSTable.
fn verdict(report: &Report, quick: bool) -> String {
    let partitions = counted(report.partitions, "partition");
    let read = match quick {
        true => format!("{partitions} in the index, data not read"),
        false => format!(
            "{partitions}, {}, {}",
            counted(report.rows, "row"),
            counted(report.bytes, "byte")
        ),
    };
    let unread = match report.unread_partitions {
        0 => String::new(),
        n => format!("; {} could not be read", counted(n, "partition")),
    };
    match report.faults {
        0 => format!("ok: {read}"),
        n => format!("bad: {}; {read}{unread}", counted(n, "fault")),
    }
}

fn counted(n: u64, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// The faults of an SSTable: the first ones of each file are printed.
struct Faults {
    all: bool,
    count: u64,
    has_corrupt: bool,
    of_component: BTreeMap<&'static str, u64>,
}

impl Faults {
    fn new(all: bool) -> Self {
        Faults {
            all,
            count: 0,
            has_corrupt: false,
            of_component: BTreeMap::new(),
        }
    }

    fn add(&mut self, e: &Error, out: &mut Vec<u8>) {
        self.count += 1;
        self.has_corrupt |= !matches!(e.kind(), ErrorKind::Io | ErrorKind::Unsupported);
        let component = e.location().component.unwrap_or_default();
        let count = self.of_component.entry(component).or_default();
        *count += 1;
        if self.all || *count <= FAULTS_MAX {
            out.extend_from_slice(format!("{e}\n").as_bytes());
        }
    }

    fn end(&self, descriptor: &Descriptor, out: &mut Vec<u8>) {
        for (component, count) in &self.of_component {
            if !self.all && *count > FAULTS_MAX {
                let more = count - FAULTS_MAX;
                let text =
                    format!("{descriptor}: {more} more faults of {component} (-a names all)\n");
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// A line on standard error, where that is a terminal.
struct Progress {
    is_terminal: bool,
    shown_at: Cell<Instant>,
    is_shown: Cell<bool>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress {
            is_terminal: std::io::stderr().is_terminal(),
            shown_at: Cell::new(Instant::now()),
            is_shown: Cell::new(false),
        }
    }
}

impl Progress {
    fn show(&self, descriptor: &Descriptor, position: u64, length: u64) {
        if !self.is_terminal || self.shown_at.get().elapsed() < PROGRESS_TIME {
            return;
        }
        self.shown_at.set(Instant::now());
        self.is_shown.set(true);
        let percent = u128::from(position) * 100 / u128::from(length.max(1));
        // A terminal that cannot be written to needs no progress.
        let _ = write!(
            std::io::stderr(),
            "\r\x1b[K{}: {percent} %",
            descriptor.base_name()
        );
    }

    /// Clears the line before something else is printed.
    fn interrupt<T>(&self, print: impl FnOnce() -> T) -> T {
        if self.is_shown.take() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        print()
    }
}
