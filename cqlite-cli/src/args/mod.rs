//! The command line: flags only, what they do is in `cmd`.
//!
//! Called through a link named as one of Cassandra's tools, the binary takes that tool's options.

mod exec;
mod log;
mod shell;
mod writing;

pub use exec::*;
pub use log::*;
pub use shell::*;
pub use writing::*;

use crate::cmd::metadata::Unit;
use clap::{Arg, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const HELP_WIDTH: usize = 80;

const EXAMPLES: &str = "\
PATH is a component file of an SSTable, or the directory of a table, snapshot,
backup, secondary index, keyspace or node's data.

Examples:
  cqlite dump ks/table-5a1c3950.../oa-1-big-Data.db
  cqlite dump -l ks/table-5a1c3950... | head -3
  cqlite metadata snapshots/before-upgrade/
  cqlite query data/ 'SELECT * FROM ks.table LIMIT 10'
  cqlite verify data/

Exit status: 0 good, 1 the data is bad, 2 usage (no such file, table or key),
3 input/output error or a format that is not supported.";

#[derive(Parser)]
#[command(
    name = "cqlite",
    version,
    about = "Reads and writes Apache Cassandra's SSTables without Cassandra.",
    after_help = EXAMPLES,
    arg_required_else_help = true
)]
struct Cqlite {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do.
#[derive(Subcommand)]
pub enum Verb {
    /// Print the partitions of SSTables as JSON, as sstabledump does
    #[command(after_help = DUMP_EXAMPLES)]
    Dump(DumpArgs),
    /// Print what Statistics.db says, as sstablemetadata does
    #[command(after_help = METADATA_EXAMPLES)]
    Metadata(MetadataArgs),
    /// Run one SELECT over all SSTables of a table, merged
    #[command(after_help = QUERY_EXAMPLES)]
    Query(QueryArgs),
    /// Check all that can be checked: checksums, order, indexes, statistics
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// List keyspaces, tables and SSTables with their sizes, levels and ages
    #[command(after_help = LS_EXAMPLES)]
    Ls(LsArgs),
    /// Write SSTables anew, in another version or with another compression
    #[command(after_help = REWRITE_EXAMPLES)]
    Rewrite(RewriteArgs),
    /// Merge the SSTables of a table, and purge what nobody needs any more
    #[command(after_help = COMPACT_EXAMPLES)]
    Compact(CompactArgs),
    /// Split large SSTables into smaller ones
    #[command(after_help = SPLIT_EXAMPLES)]
    Split(SplitArgs),
    /// Save all that can be read of damaged SSTables, and name the rest
    #[command(after_help = SCRUB_EXAMPLES)]
    Scrub(ScrubArgs),
    /// Set the level of SSTables to 0, in their Statistics.db
    LevelReset(LevelResetArgs),
    /// Mark SSTables as repaired or not, in their Statistics.db
    RepairedSet(RepairedSetArgs),
    /// Put the SSTables of a table into levels, in their Statistics.db
    Relevel(RelevelArgs),
    /// Tell which SSTables keep expired ones from being dropped
    ExpiredBlockers(ExpiredBlockersArgs),
    /// Make SSTables of CSV, lines of JSON or CQL statements
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArgs),
    /// Show or replay the mutations of commit log segments
    #[command(after_help = COMMITLOG_EXAMPLES)]
    Commitlog(CommitlogArgs),
    /// Run statements on a database directory
    #[command(after_help = EXEC_EXAMPLES)]
    Exec(ExecArgs),
    /// Type statements, on a database directory or on files that are only read
    #[command(after_help = SHELL_EXAMPLES)]
    Shell(ShellArgs),
    /// `sstableverify`
    #[command(skip)]
    VerifyTool(VerifyToolArgs),
}

const DUMP_EXAMPLES: &str = "\
A directory gives one array for each of its SSTables, in the order of their
generations.

Examples:
  cqlite dump oa-1-big-Data.db
  cqlite dump -l oa-1-big-Data.db | jq .partition.key
  cqlite dump oa-1-big-Data.db -k 42 -k 43
  cqlite dump oa-1-big-Data.db -k paris:2024     # a composite key
  cqlite dump -e ks/table-5a1c3950...";

/// Options of `dump`.
#[derive(Args)]
pub struct DumpArgs {
    /// A component file of an SSTable, or a directory
    pub path: PathBuf,
    /// Print a line of debug text for each row
    #[arg(short, long)]
    pub debug: bool,
    /// Print the partition keys only
    #[arg(short = 'e', long)]
    pub keys_only: bool,
    /// Print the partition with this key only; may be repeated
    #[arg(short, long = "key", value_name = "KEY", allow_hyphen_values = true)]
    pub keys: Vec<String>,
    /// Leave out the partition with this key; may be repeated
    #[arg(short = 'x', long, value_name = "KEY", allow_hyphen_values = true)]
    pub exclude: Vec<String>,
    /// Print a line of JSON for each partition
    #[arg(short, long)]
    pub lines: bool,
    /// Print timestamps as numbers rather than as dates
    #[arg(short = 't', long)]
    pub raw_timestamps: bool,
    /// Epoch seconds at which data is, or is not yet, expired [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
}

const METADATA_EXAMPLES: &str = "\
Dates are in UTC. --json prints an object on one line for each SSTable; what its
keys hold is told at the head of cqlite-cli/src/cmd/metadata/json.rs.

Examples:
  cqlite metadata oa-1-big-Data.db
  cqlite metadata --json ks/table-5a1c3950... | jq .total_rows
  cqlite metadata -g 864000 oa-1-big-Statistics.db
  cqlite metadata -s snapshots/before-upgrade/";

/// Options of `metadata`.
#[derive(Args)]
pub struct MetadataArgs {
    /// Component files of SSTables, or directories
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print an object of JSON for each SSTable
    #[arg(long)]
    pub json: bool,
    /// Use colors
    #[arg(short, long)]
    pub colors: bool,
    /// Draw histograms with Unicode's blocks
    #[arg(short, long)]
    pub unicode: bool,
    /// Seconds by which droppable tombstones are older than now
    #[arg(
        short,
        long,
        value_name = "SECONDS",
        alias = "gc_grace_seconds",
        default_value_t = 0
    )]
    pub gc_grace_seconds: i32,
    /// Unit that write timestamps are in
    #[arg(
        short,
        long,
        value_name = "UNIT",
        alias = "timestamp_unit",
        ignore_case = true,
        default_value = "MICROSECONDS"
    )]
    pub timestamp_unit: Unit,
    /// Read all data too, and print counts and the largest partitions
    #[arg(short, long)]
    pub scan: bool,
    /// Epoch seconds at which tombstones are, or are not yet, droppable
    /// [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
}

const QUERY_EXAMPLES: &str = "\
The schema comes from --schema, else from a schema.cql beside the files, else
from the system_schema tables of the same data directory, else from the headers
of the SSTables, where key columns are named key, key2..., clustering...

Examples:
  cqlite query data \"SELECT * FROM shop.orders WHERE id = 42\"
  cqlite query ks/table-5a1c3950... \"SELECT JSON * FROM orders LIMIT 3\"
  cqlite query data --format csv \"SELECT id, total FROM shop.orders\" > orders.csv";

/// Options of `query`.
#[derive(Args)]
pub struct QueryArgs {
    /// A component file of an SSTable, or a directory
    pub path: PathBuf,
    /// The statement
    pub cql: String,
    /// A file with the statements that define the schema
    #[arg(long, value_name = "FILE.cql")]
    pub schema: Option<PathBuf>,
    /// Epoch seconds at which data is, or is not yet, expired [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
    /// How rows are shown [default: table on a terminal, else jsonl]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
}

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// One array of objects
    Json,
    /// An object a line
    Jsonl,
    /// Comma separated values, by RFC 4180
    Csv,
    // Known by name, to be refused by name.
    #[value(hide = true)]
    Arrow,
    #[value(hide = true)]
    Parquet,
}

const VERIFY_EXAMPLES: &str = "\
Each fault is a line on standard output: file, offset, partition, what is wrong.
A line for each SSTable says whether it is good. The status is 1 if one is not.

Examples:
  cqlite verify oa-1-big-Data.db
  cqlite verify data/ snapshots/before-upgrade/
  cqlite verify -q data/                # structure only, no data is read";

/// Options of `verify`.
#[derive(Args)]
pub struct VerifyArgs {
    /// Component files of SSTables, or directories
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Check the structure of the components only, and read no data
    #[arg(short, long)]
    pub quick: bool,
    /// Name all faults, however many they are [default: 100 of a file]
    #[arg(short, long)]
    pub all: bool,
}

const LS_EXAMPLES: &str = "\
Size is that of all files of an SSTable, data that of its rows uncompressed.
Oldest and newest are the days of write timestamps. In a pipe each SSTable is a
JSON object on a line. Directories of a table that was dropped and created again
are marked where the system_schema beside them tells the live one.

Examples:
  cqlite ls data/
  cqlite ls ks/table-5a1c3950...
  cqlite ls data/ | jq -s 'map(select(.keyspace == \"ks\")) | map(.size) | add'";

/// Options of `ls`.
#[derive(Args)]
pub struct LsArgs {
    /// A component file of an SSTable, or a directory
    pub path: PathBuf,
    /// How SSTables are shown [default: table on a terminal, else jsonl]
    #[arg(long, value_enum)]
    pub format: Option<LsFormat>,
    /// Epoch seconds at which tombstones are, or are not yet, droppable
    /// [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
}

/// How SSTables are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LsFormat {
    /// A line an SSTable, under a heading for its table
    Table,
    /// An object a line
    #[value(alias = "json")]
    Jsonl,
}

/// Options of `sstableverify`.
#[derive(Args)]
pub struct VerifyToolArgs {
    /// Keyspace; or, without a table, a path as `cqlite verify` takes it
    pub keyspace: String,
    /// Table
    pub table: Option<String>,
    /// Extended verification, which is done without it too
    #[arg(short, long)]
    pub extended: bool,
    /// Check the structure of the components only, and read no data
    #[arg(short, long)]
    pub quick: bool,
    /// Make sure that SSTables are of the latest version
    #[arg(short, long, alias = "check_version")]
    pub check_version: bool,
    /// Name all faults, however many they are
    #[arg(short, long)]
    pub verbose: bool,
    /// Not needed: nothing is changed
    #[arg(short, long)]
    pub force: bool,
    /// Token ranges, which are not checked
    #[arg(short, long, value_name = "RANGE", alias = "token_range")]
    pub token_range: Vec<String>,
    /// Not needed: no status of repair is changed
    #[arg(short = 'r', long, alias = "mutate_repair_status")]
    pub mutate_repair_status: bool,
    /// Name all faults, however many they are
    #[arg(long)]
    pub debug: bool,
    /// The node's data directory [default: $CASSANDRA_HOME/data/data or
    /// /var/lib/cassandra/data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// What the command line says. Ends the process, with its status, when it says nothing that can be done or asks for
/// help.
pub fn parse() -> Verb {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    match tool(&program) {
        Some("sstabledump") => {
            // Here an option takes all keys up to the next option.
            let many = |arg: Arg| {
                let arg = arg.num_args(1..=500).allow_hyphen_values(false);
                arg.allow_negative_numbers(true)
            };
            let command = DumpArgs::augment_args(Command::new("sstabledump"))
                .about("Print the partitions of an SSTable as JSON")
                .mut_arg("keys", many)
                .mut_arg("exclude", many);
            Verb::Dump(parse_tool(command, args))
        }
        Some("sstablemetadata") => {
            let command = MetadataArgs::augment_args(Command::new("sstablemetadata"))
                .about("Print what Statistics.db says about SSTables");
            Verb::Metadata(parse_tool(command, args))
        }
        Some("sstableverify") => {
            let command = VerifyToolArgs::augment_args(Command::new("sstableverify"))
                .about("Verify the SSTables of a table");
            Verb::VerifyTool(parse_tool(command, args))
        }
        Some("sstableupgrade") => {
            let command = RewriteArgs::augment_args(Command::new("sstableupgrade"))
                .about("Write SSTables anew in the latest version");
            Verb::Rewrite(parse_tool(command, args))
        }
        Some("sstablesplit") => {
            let command = SplitArgs::augment_args(Command::new("sstablesplit"))
                .about("Split large SSTables into smaller ones");
            Verb::Split(parse_tool(command, args))
        }
        Some("sstablescrub") => {
            let command = ScrubArgs::augment_args(Command::new("sstablescrub"))
                .about("Save all that can be read of the SSTables of a table");
            Verb::Scrub(parse_tool(command, args))
        }
        Some("sstablelevelreset") => {
            let command = LevelResetArgs::augment_args(Command::new("sstablelevelreset"))
                .about("Set the level of SSTables to 0");
            Verb::LevelReset(parse_tool(command, args))
        }
        Some("sstablerepairedset") => {
            let command = RepairedSetArgs::augment_args(Command::new("sstablerepairedset"))
                .about("Mark SSTables as repaired or not");
            Verb::RepairedSet(parse_tool(command, args))
        }
        Some("sstableofflinerelevel") => {
            let command = RelevelArgs::augment_args(Command::new("sstableofflinerelevel"))
                .about("Put the SSTables of a table into levels");
            Verb::Relevel(parse_tool(command, args))
        }
        Some("sstableexpiredblockers") => {
            let command = ExpiredBlockersArgs::augment_args(Command::new("sstableexpiredblockers"))
                .about("Tell which SSTables keep expired ones from being dropped");
            Verb::ExpiredBlockers(parse_tool(command, args))
        }
        _ => {
            let args = std::iter::once(OsString::from("cqlite")).chain(args);
            let matches = fit(Cqlite::command()).get_matches_from(args);
            match Cqlite::from_arg_matches(&matches) {
                Ok(cqlite) => cqlite.verb,
                Err(e) => e.exit(),
            }
        }
    }
}

/// The name that the binary was called by, if it is not its own.
fn tool(program: &OsString) -> Option<&str> {
    let name = Path::new(program).file_stem()?.to_str()?;
    name.starts_with("sstable").then_some(name)
}

fn parse_tool<A: FromArgMatches>(command: Command, args: Vec<OsString>) -> A {
    let name = OsString::from(command.get_name());
    let matches = fit(command).get_matches_from(std::iter::once(name).chain(args));
    match A::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(e) => e.exit(),
    }
}

/// Help for terminals of the usual width.
fn fit(command: Command) -> Command {
    command.max_term_width(HELP_WIDTH)
}
