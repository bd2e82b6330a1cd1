//! `scrub`: all that can be read of SSTables, written anew, and a manifest of what cannot.
//!
//! Authority: `o.a.c.tools.StandaloneScrubber`.
//!
//! Of each SSTable a manifest, `scrub-<its name>.json`, is put beside the new ones, and printed. Its schema is told at the
//! head of `manifest.rs`.

mod manifest;

use crate::args::ScrubArgs;
use crate::cmd::outputs::OutputDirectory;
use crate::cmd::progress::Progress;
use crate::cmd::{counted, interrupt, now, schema_of, tables_of};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::compaction::Destination;
use cqlite_core::schema::TableSchema;
use cqlite_core::scrub::{ScrubEvent, ScrubOptions, Scrubbed, scrub};
use cqlite_core::sstable::{
    Component, Descriptor, OpenOptions, SSTable, TableDirectory, Transaction,
};
use cqlite_core::{Error, ErrorKind, Result};
use manifest::Manifest;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Scrubs all SSTables of all paths, each on its own: one that cannot be read does not keep the others from being saved.
pub fn run(args: &ScrubArgs) -> Result<(), Failure> {
    interrupt::watch();
    let tables = super::joined(tables_of(&args.of)?);
    let several = tables.len() > 1;
    let mut scrubber = Scrubber {
        args,
        out: Out::stdout()?,
        status: 0,
        count: 0,
    };
    for table in &tables {
        for e in &table.unreadable {
            scrubber.fail(e.clone().into());
        }
        if table.sstables.is_empty() {
            continue;
        }
        let output = OutputDirectory::make(&args.output.out, table, several)?;
        let destination = output.destination(&args.output, None, "scrub")?;
        for descriptor in &table.sstables {
            scrubber.sstable(table, descriptor, &destination)?;
        }
    }
    if scrubber.count == 0 && scrubber.status == 0 {
        return Err(Error::not_found("there is no SSTable to scrub").into());
    }
    match scrubber.status {
        0 => Ok(()),
        status => Err(Failure::Said(status)),
    }
}

struct Scrubber<'a> {
    args: &'a ScrubArgs,
    out: Out,
    /// That of what went wrong so far: bad data before all else.
    status: u8,
    count: u64,
}

impl Scrubber<'_> {
    fn fail(&mut self, failure: Failure) {
        failure.report();
        let status = failure.status();
        self.status = match (self.status, status) {
            (1, _) | (_, 1) => 1,
            (before, status) => before.max(status),
        };
    }

    fn sstable(
        &mut self,
        table: &TableDirectory,
        descriptor: &Descriptor,
        destination: &Destination<'_>,
    ) -> Result<(), Failure> {
        self.count += 1;
        match self.scrub(table, descriptor, destination) {
            Ok(scrubbed) => {
                tell(format_args!("{descriptor}: {}", summary(&scrubbed)));
                if !scrubbed.is_good() {
                    self.status = 1;
                }
                Ok(())
            }
            Err(Failure::Core(e)) if e.kind() != ErrorKind::Io => {
                self.fail(e.in_file(&descriptor.path(&Component::Data)).into());
                Ok(())
            }
            Err(failure) => Err(interrupt::blame(failure)),
        }
    }

    fn scrub(
        &mut self,
        table: &TableDirectory,
        descriptor: &Descriptor,
        destination: &Destination<'_>,
    ) -> Result<Scrubbed, Failure> {
        let args = self.args;
        let options = ScrubOptions {
            validate: !args.no_validate,
            skip_corrupted: args.skip_corrupted,
            reinsert_overflowed_ttl: args.reinsert_overflowed_ttl,
        };
        let schema = needed_schema(table, descriptor, args.schema.as_deref())?;
        let version = destination.version;
        let mut transaction = Transaction::begin(destination.directory, version, "scrub")?;
        let mut manifest = Manifest::create(destination.directory, descriptor)?;
        let progress = Progress::default();
        let name = descriptor.base_name();
        let data = descriptor.path(&Component::Data);
        let length = std::fs::metadata(&data).map_or(0, |m| m.len());
        let mut kept = Ok(());
        let mut on_event = |event: ScrubEvent| {
            if let ScrubEvent::Fault(e) | ScrubEvent::Note(e) = &event {
                progress.interrupt(|| tell(e));
            }
            if kept.is_ok() {
                kept = manifest.add(&event);
            }
        };
        let scrubbed = scrub(
            descriptor,
            schema.as_ref(),
            &options,
            &mut transaction,
            destination,
            &mut on_event,
            &mut |position| {
                progress.show(&name, position.min(length), length);
                interrupt::check()
            },
        );
        let scrubbed = progress.interrupt(|| scrubbed)?;
        kept?;
        manifest.end(&scrubbed)?;
        transaction.commit()?;
        interrupt::committed(scrubbed.written.len());
        let manifest = manifest.keep();
        self.print(&manifest)?;
        Ok(scrubbed)
    }

    /// Prints a file.
    fn print(&mut self, path: &Path) -> Result<(), Failure> {
        let failed = |e| Failure::from(Error::io(path, e));
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        loop {
            let text = file.fill_buf().map_err(failed)?;
            if text.is_empty() {
                return self.out.flush();
            }
            self.out.text.extend_from_slice(text);
            let read = text.len();
            file.consume(read);
            self.out.drain()?;
        }
    }
}

/// The table's schema, where the SSTable cannot be read without it.
fn needed_schema(
    table: &TableDirectory,
    descriptor: &Descriptor,
    file: Option<&Path>,
) -> Result<Option<TableSchema>> {
    if !descriptor.version.has_bare_user_types() && file.is_none() {
        return Ok(None);
    }
    // One that cannot be opened may be scrubbed all the same.
    let opened = SSTable::open_descriptor(descriptor.clone(), &OpenOptions::default());
    let found = schema_of(table, opened.ok().as_slice(), file, now(None));
    match (found, file) {
        (Ok(found), _) => Ok(found.source.is_some().then_some(found.table)),
        (Err(e), Some(_)) => Err(e),
        (Err(_), None) => Ok(None),
    }
}

/// What there is to say of a whole SSTable.
fn summary(scrubbed: &Scrubbed) -> String {
    let saved = format!(
        "{}, {} saved",
        counted(scrubbed.partitions, "partition"),
        counted(scrubbed.rows, "row")
    );
    if scrubbed.is_good() {
        return saved;
    }
    let mut parts = vec![saved];
    let lost = &scrubbed.lost;
    match lost.count {
        0 => parts.push("nothing lost".to_owned()),
        n => {
            let rows = scrubbed.rows_lost();
            let rows = rows.map_or(String::new(), |n| format!(" of {}", counted(n, "row")));
            parts.push(format!(
                "{}{rows} ({}, {} whole)",
                match n {
                    1 => "1 loss".to_owned(),
                    n => format!("{n} losses"),
                },
                counted(lost.bytes, "byte"),
                counted(lost.partitions, "partition")
            ));
        }
    }
    if scrubbed.reordered > 0 {
        parts.push(format!("{} out of order", scrubbed.reordered));
    }
    if scrubbed.faults > 0 {
        parts.push(counted(scrubbed.faults, "fault"));
    }
    parts.join("; ")
}
