//! Options of `exec`.

use super::Format;
use clap::Args;
use std::path::PathBuf;

pub(super) const EXEC_EXAMPLES: &str = "\
DIR is made if it is not there. Statements end with a semicolon; the first one
that fails ends the work. What they write goes to the commit log in DIR/.cqlite,
is read back from there after a crash, and is in SSTables when all is done.

Examples:
  cqlite exec shop/ -f schema.cql
  echo \"SELECT * FROM shop.orders;\" | cqlite exec shop/
  cqlite exec shop/ -f orders.cql --ack | tail -1    # what is safe so far
  cqlite exec shop/ -f orders.cql --metrics orders.prom";

/// Options of `exec`.
#[derive(Args)]
pub struct ExecArgs {
    /// The database
    pub dir: PathBuf,
    /// The statements; - for standard input, as without it
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print the number of each statement, from 1, once what it wrote is safe,
    /// and no rows
    #[arg(long)]
    pub ack: bool,
    /// When what was written is on the disk
    #[arg(long, value_enum, default_value = "group")]
    pub sync: SyncArg,
    /// MiB of memory for rows before they are flushed
    #[arg(long, value_name = "MIB", default_value = "64",
        value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub memory: u32,
    /// Threads that compact tables in the background; 0 for none
    #[arg(long, value_name = "N", default_value = "1",
        value_parser = clap::value_parser!(u32).range(0..=64))]
    pub compactors: u32,
    /// MiB that these read a second, all together; 0 for as many as they can
    #[arg(long, value_name = "MIB", default_value = "64")]
    pub compaction_throughput: u32,
    /// Version of new SSTables
    #[arg(long, default_value = "oa", value_parser = ["nb", "oa", "da"])]
    pub version: String,
    /// Write what was measured to a file once all is done: as JSON if its name
    /// ends in .json, else as text for Prometheus; - for standard output
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Print what is done, and how long it takes, to standard error
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub trace: Option<TraceArg>,
    /// How rows are shown [default: table on a terminal, else jsonl]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Epoch seconds at which statements write [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
}

/// What is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TraceArg {
    /// Flushes, compactions, the replay of the log, and warnings
    Info,
    /// Reads and writes, too
    Debug,
}

/// When what was written is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SyncArg {
    /// Before it is acknowledged; one sync serves all that wait
    Group,
    /// Every 10 seconds: a crash of the machine may lose what was acknowledged
    Periodic,
    /// When the system likes
    None,
}
