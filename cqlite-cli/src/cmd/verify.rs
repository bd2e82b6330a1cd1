//! `verify`: all that can be checked. Faults, and a line for each SSTable, go to standard output.
//!
//! Authority: `o.a.c.tools.StandaloneVerifier`.

use crate::args::{VerifyArgs, VerifyToolArgs};
use crate::cmd::progress::Progress;
use crate::cmd::{counted, data_directory, table_of, tables_with_indexes};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::sstable::verify::{Finding, Report, VerifyOptions, verify};
use cqlite_core::sstable::{Descriptor, TableDirectory};
use cqlite_core::{Error, ErrorKind, Result};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

/// Faults of a file that are named, unless all are asked for.
const FAULTS_MAX: u64 = 100;

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
                progress.show(&descriptor.base_name(), position, length);
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
