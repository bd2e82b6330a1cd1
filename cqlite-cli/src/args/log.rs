//! The options of `commitlog`.

use clap::Args;
use std::path::PathBuf;

pub const COMMITLOG_EXAMPLES: &str = "\
PATH is a segment (CommitLog-8-1763748000123.log), a directory of segments, or a
data directory beside which, or in which, the log lies. Each mutation is a JSON
object on a line: segment, position, size, keyspace, and its updates, each with
table, partition and rows as `dump -l` prints them. Of tables that no schema
names it shows id and size.

The schema comes from --schema, where tables need WITH ID, else from a
schema.cql beside the segments, else from the system_schema tables of the data
directory.

Examples:
  cqlite commitlog /var/lib/cassandra
  cqlite commitlog CommitLog-8-1763748000123.log --schema schema.cql
  cqlite commitlog commitlog/ --table shop.orders | jq -c .updates
  cqlite commitlog commitlog/ --replay restored/ --schema schema.cql";

/// Options of `commitlog`.
#[derive(Args)]
pub struct CommitlogArgs {
    /// A segment, or a directory
    pub path: PathBuf,
    /// A file with the statements that define the schema
    #[arg(long, value_name = "FILE.cql")]
    pub schema: Option<PathBuf>,
    /// Show updates of this table only: TABLE or KEYSPACE.TABLE, or an id
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Show updates of this keyspace only
    #[arg(long, value_name = "KEYSPACE")]
    pub keyspace: Option<String>,
    /// Replay rather than show: into a database directory, else into SSTables
    /// in DIR/keyspace/table-id/
    #[arg(long, value_name = "DIR")]
    pub replay: Option<PathBuf>,
    /// What is done about damage
    #[arg(long, value_enum, default_value_t = OnDamage::Stop)]
    pub on_damage: OnDamage,
    /// Print timestamps as numbers rather than as dates
    #[arg(short = 't', long)]
    pub raw_timestamps: bool,
    /// Epoch seconds at which data is, or is not yet, expired [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
}

/// What is done about damage. A torn end of the last segment is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnDamage {
    /// Stop there
    Stop,
    /// Pass over it in the last segment, as Cassandra does
    TolerateLast,
    /// Pass over it everywhere
    Ignore,
}
