//! Options of `shell`.

use super::{Format, SyncArg};
use clap::Args;
use std::path::PathBuf;

pub(super) const SHELL_EXAMPLES: &str = "\
PATH is a database, which is made if it is not there, or anything that `query`
takes, which is read only. Statements end with a semicolon and may go over
several lines; .help tells what else there is.

Examples:
  cqlite shell shop/
  echo \"DESCRIBE TABLES; SELECT * FROM shop.orders;\" | cqlite shell shop/
  cqlite shell /var/lib/cassandra/data";

/// Options of `shell`.
#[derive(Args)]
pub struct ShellArgs {
    /// The database, or a path as `query` takes it
    pub path: PathBuf,
    /// A file with the statements that define the schema, where the path is read
    /// only
    #[arg(long, value_name = "FILE.cql")]
    pub schema: Option<PathBuf>,
    /// When what was written is on the disk
    #[arg(long, value_enum, default_value = "group")]
    pub sync: SyncArg,
    /// How rows are shown [default: table on a terminal, else jsonl]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Epoch seconds at which statements write and read [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
}
