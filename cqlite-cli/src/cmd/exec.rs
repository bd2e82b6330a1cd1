//! `exec`: statements on a database directory.

use crate::args::{ExecArgs, SyncArg, TraceArg};
use crate::cmd::import::in_statement;
use crate::cmd::query::{print, print_all, writer};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::commitlog::{LogOptions, Position, SyncMode};
use cqlite_core::cql::Statements;
use cqlite_core::database::{Database, DatabaseOptions, Outcome, Session};
use cqlite_core::sstable::{Format as SSTableFormat, Version};
use cqlite_core::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_subscriber::fmt::format::FmtSpan;

/// What `periodic` waits between two syncs, as Cassandra does by default.
const PERIOD: Duration = Duration::from_secs(10);

/// A statement that was carried out: its number, and what is to be waited for.
type Done = (u64, Option<Position>);

/// Carries the statements out, the first one that fails ends it.
pub fn run(args: &ExecArgs) -> Result<(), Failure> {
    if let Some(level) = args.trace {
        trace(level);
    }
    let file = args.file.as_deref().filter(|path| path.as_os_str() != "-");
    let (name, input): (_, Box<dyn BufRead>) = match file {
        None => ("-".into(), Box::new(std::io::stdin().lock())),
        Some(path) => {
            let file = File::open(path).map_err(|e| Error::io(path, e))?;
            (path.display().to_string(), Box::new(BufReader::new(file)))
        }
    };
    if file.is_none() && std::io::stdin().is_terminal() {
        tell("type statements, and Ctrl-D at the end; `cqlite shell` has a prompt and a history");
    }
    let mut options = DatabaseOptions::new(micros(args).div_euclid(1_000_000))?;
    let format = match args.version.as_str() {
        "da" => SSTableFormat::Bti,
        _ => SSTableFormat::Big,
    };
    options.storage.version = Version::parse(&args.version, &format.to_string())?;
    options.log = LogOptions {
        sync: sync_mode(args.sync),
        ..LogOptions::default()
    };
    options.memtable_bytes = (args.memory as usize) << 20;
    options.compactors = args.compactors as usize;
    options.compaction_bytes_per_second = u64::from(args.compaction_throughput) << 20;
    let database = Database::open(&args.dir, options)?;
    let mut statements = Statements::new(input);
    let mut run = Run {
        args,
        name,
        session: database.session(),
        out: Out::stdout()?,
        number: 0,
        last: None,
    };
    let done = match args.ack {
        false => run.all(&mut statements, |_| true),
        true => std::thread::scope(|scope| {
            let (sender, receiver): (Sender<Done>, _) = channel();
            let database = &database;
            let acks = scope.spawn(move || acknowledge(database, &receiver));
            let done = run.all(&mut statements, |done| sender.send(done).is_ok());
            drop(sender);
            let acknowledged = acks.join();
            let acknowledged = acknowledged.unwrap_or(Err(Failure::Said(3)));
            // What went wrong first made the other one end.
            acknowledged.and(done)
        }),
    };
    let mut flushed = run.out.flush();
    let last = run.last;
    drop(run);
    if let Some(position) = last {
        database.wait(position)?;
    }
    if let Some(path) = &args.metrics {
        database.flush()?;
        flushed = flushed.and(write_metrics(&database, path));
    }
    database.close()?;
    done.and(flushed)
}

/// When what was written is on the disk.
pub(super) fn sync_mode(sync: SyncArg) -> SyncMode {
    match sync {
        SyncArg::Group => SyncMode::Group,
        SyncArg::Periodic => SyncMode::Periodic(PERIOD),
        SyncArg::None => SyncMode::None,
    }
}

/// Prints spans when they end, and events, from now on.
fn trace(level: TraceArg) {
    let level = match level {
        TraceArg::Info => tracing::Level::INFO,
        TraceArg::Debug => tracing::Level::DEBUG,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .finish();
    // There is one already only if somebody else set it, who then is told.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Writes what was measured, and tells what it advises.
fn write_metrics(database: &Database, path: &Path) -> Result<(), Failure> {
    let snapshot = database.metrics();
    for advice in snapshot.advice() {
        tell(format_args!("{advice}"));
    }
    let text = match path.extension().is_some_and(|e| e == "json") {
        true => format!("{:#}\n", snapshot.to_json()),
        false => snapshot.to_prometheus(),
    };
    if path.as_os_str() == "-" {
        let mut out = Out::stdout()?;
        out.text.extend_from_slice(text.as_bytes());
        return out.flush();
    }
    Ok(std::fs::write(path, text).map_err(|e| Error::io(path, e))?)
}

/// The present time in microseconds since 1970, or the one that was given.
fn micros(args: &ExecArgs) -> i64 {
    match args.now {
        Some(seconds) => seconds.saturating_mul(1_000_000),
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |d| d.as_micros() as i64)
        }
    }
}

struct Run<'a> {
    args: &'a ExecArgs,
    /// What is read.
    name: String,
    session: Session<'a>,
    out: Out,
    number: u64,
    /// What was written last.
    last: Option<Position>,
}

impl Run<'_> {
    /// Carries out all statements, and tells `done` of each; `false` of it ends that.
    fn all(
        &mut self,
        statements: &mut Statements<Box<dyn BufRead>>,
        done: impl Fn(Done) -> bool,
    ) -> Result<(), Failure> {
        while let Some(statement) = statements.next_statement()? {
            self.number += 1;
            let executed = self.session.execute(&statement.text, micros(self.args));
            let executed = executed.map_err(|e| {
                let (name, number, line) = (&self.name, self.number, statement.line);
                tell(format_args!(
                    "{name}: statement {number}, in line {line}, ends it:"
                ));
                in_statement(&e)
            });
            let position = match executed? {
                Outcome::Done => None,
                Outcome::Written(position) => Some(position),
                Outcome::Selected(selected) => {
                    if !self.args.ack {
                        let plan = selected.plan();
                        let mut writer = writer(self.args.format, plan.is_json())?;
                        print(plan, selected.rows(), &mut *writer, &mut self.out)?;
                        self.out.flush()?;
                    }
                    None
                }
                Outcome::Conditional(conditional) => {
                    if !self.args.ack {
                        let mut writer = writer(self.args.format, false)?;
                        print_all(conditional.result(), &mut *writer, &mut self.out)?;
                        self.out.flush()?;
                    }
                    conditional.position()
                }
            };
            self.last = position.or(self.last);
            if !done((self.number, position)) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Prints the numbers of statements once what they wrote is safe; one sync serves all that are there by then.
fn acknowledge(database: &Database, done: &Receiver<Done>) -> Result<(), Failure> {
    let mut out = Out::stdout()?;
    while let Ok(first) = done.recv() {
        let mut last: Option<Position> = None;
        for (number, position) in std::iter::once(first).chain(done.try_iter()) {
            last = position.or(last);
            out.text.extend_from_slice(format!("{number}\n").as_bytes());
        }
        if let Some(position) = last {
            database.wait(position)?;
        }
        out.flush()?;
    }
    Ok(())
}
