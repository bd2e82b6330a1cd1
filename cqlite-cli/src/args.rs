//! The command line: flags only, what they do is in `cmd`.
//!
//! Called through a link named as one of Cassandra's tools, the binary takes that tool's options.

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
JSON object on a line.

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

const IMPORT_EXAMPLES: &str = "\
CSV has a header line with the names of columns; text stands as it is, all else
as in CQL, and an empty field without quotes is left unset, as is null in JSON.
JSON has an object on each line. CQL is INSERT, UPDATE, DELETE and BATCH. Rows
come in any order, and several of the same key are merged. Compression, filter
and index are as the table's options say. The status is 1 if lines were rejected.

Examples:
  cqlite import people.csv --table ks.people --schema ks.cql --out new/
  cqlite import - --input-format jsonl --schema people.cql --out new/ < rows
  cqlite import changes.cql --schema ks.cql --out new/ --version da
  cqlite import rows.csv --schema t.cql --out new/ --max-errors 9 --rejects bad.csv";

/// Options of `import`.
#[derive(Args)]
pub struct ImportArgs {
    /// What is read; - for standard input
    pub file: PathBuf,
    /// The table, where the schema has several
    #[arg(long, value_name = "KEYSPACE.TABLE")]
    pub table: Option<String>,
    /// A file with the statements that define the schema
    #[arg(long, value_name = "FILE.cql")]
    pub schema: PathBuf,
    /// Where the SSTables go; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What the file holds [default: by its extension]
    #[arg(long, value_enum)]
    pub input_format: Option<InputFormat>,
    /// Version of the SSTables
    #[arg(long, default_value = "oa", value_parser = ["nb", "oa", "da"])]
    pub version: String,
    /// lz4, zstd, snappy, deflate, noop or none [default: the table's]
    #[arg(long, value_name = "NAME")]
    pub compression: Option<String>,
    /// KiB of a compressed chunk, a power of two [default: the table's]
    #[arg(long, value_name = "KIB")]
    pub chunk_length: Option<u32>,
    /// How keys become tokens
    #[arg(
        long,
        value_name = "NAME",
        default_value = "Murmur3Partitioner",
        hide_default_value = true
    )]
    pub partitioner: String,
    /// MiB of Data.db after which another SSTable begins
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_sstable_size: Option<u64>,
    /// Write timestamp in microseconds [default: now]
    #[arg(long, value_name = "MICROS", allow_negative_numbers = true)]
    pub timestamp: Option<i64>,
    /// Time to live in seconds [default: the table's]
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<i32>,
    /// Epoch seconds at which the rows are written [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
    /// How many lines may be rejected
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_errors: u64,
    /// Where rejected lines are kept
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
}

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum InputFormat {
    /// Comma separated values with a header, by RFC 4180
    Csv,
    /// An object a line
    #[value(alias = "json")]
    Jsonl,
    /// Statements
    Cql,
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

/// What an output is like.
#[derive(Args)]
pub struct OutputArgs {
    /// Where the new SSTables go: their files themselves if PATH is one table,
    /// DIR/keyspace/table-id/ if it is several. Nothing is overwritten
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// Version of the new SSTables
    #[arg(
        id = "sstable_version",
        long = "version",
        value_name = "VERSION",
        value_enum,
        default_value = "oa"
    )]
    pub version: OutputVersion,
    /// How they are compressed [default: as they were]
    #[arg(long, value_enum, ignore_case = true)]
    pub compression: Option<OutputCompression>,
    /// Uncompressed length of a chunk: bytes, or with K or M; numbers below 1024
    /// are KiB [default: as it was, else 16K]
    #[arg(long, value_name = "SIZE", value_parser = chunk_length)]
    pub chunk_length: Option<u32>,
}

/// A version that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputVersion {
    /// BIG of Cassandra 4
    Nb,
    /// BIG of Cassandra 5
    Oa,
    /// BTI of Cassandra 5
    Da,
}

/// A compressor, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputCompression {
    /// LZ4Compressor
    #[value(alias = "LZ4Compressor")]
    Lz4,
    /// ZstdCompressor
    #[value(alias = "ZstdCompressor")]
    Zstd,
    /// SnappyCompressor
    #[value(alias = "SnappyCompressor")]
    Snappy,
    /// DeflateCompressor
    #[value(alias = "DeflateCompressor")]
    Deflate,
    /// NoopCompressor: chunks with checksums
    #[value(alias = "NoopCompressor")]
    Noop,
    /// Plain bytes with CRC.db
    None,
}

const REWRITE_EXAMPLES: &str = "\
Rows are written as they are: nothing is purged. `compact` purges.

Examples:
  cqlite rewrite old/ks/table-5a1c3950... --out new/
  cqlite rewrite data/ --out upgraded/ --version da
  cqlite rewrite nb-1-big-Data.db --out plain/ --compression none";

/// Options of `rewrite`.
#[derive(Args)]
pub struct RewriteArgs {
    /// A component file of an SSTable, or a directory
    pub path: PathBuf,
    #[command(flatten)]
    pub output: OutputArgs,
    /// A file with the statements that define the schema, which some SSTables
    /// of 3.0 need
    #[arg(long, value_name = "FILE.cql")]
    pub schema: Option<PathBuf>,
}

const COMPACT_EXAMPLES: &str = "\
Tombstones older than gc_grace are purged where they hide nothing in SSTables of
the same directory that are not compacted. The schema comes from where `query`
takes it.

Examples:
  cqlite compact ks/table-5a1c3950... --out compacted/
  cqlite compact oa-1-big-Data.db oa-2-big-Data.db --out merged/
  cqlite compact data/ --out small/ --max-sstable-size 160M --now 1700000000";

/// Options of `compact`.
#[derive(Args)]
pub struct CompactArgs {
    /// Component files of SSTables, or directories
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    /// A file with the statements that define the schema
    #[arg(long, value_name = "FILE.cql")]
    pub schema: Option<PathBuf>,
    /// Epoch seconds before which tombstones must have been made to be purged
    /// [default: now without the table's gc_grace_seconds]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub gc_before: Option<i64>,
    /// Epoch seconds at which data is, or is not yet, expired [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
    /// Length of Data.db from which on the next SSTable is started: bytes, or
    /// with K, M or G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_sstable_size: Option<u64>,
}

const SPLIT_EXAMPLES: &str = "\
SSTables that are not longer than the size are left out.

Examples:
  cqlite split -s 160 oa-1-big-Data.db --out parts/";

/// Options of `split`.
#[derive(Args)]
pub struct SplitArgs {
    /// Component files of SSTables, or directories
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Length of Data.db in MiB from which on the next SSTable is started
    #[arg(short, long, value_name = "MIB", default_value_t = 50)]
    pub size: u64,
    /// Not needed: the SSTables are left as they are
    #[arg(long)]
    pub no_snapshot: bool,
    /// A file with the statements that define the schema, which some SSTables
    /// of 3.0 need
    #[arg(long, value_name = "FILE.cql")]
    pub schema: Option<PathBuf>,
}

/// One or more tables.
#[derive(Args)]
pub struct TableArgs {
    /// Component files of SSTables, or directories; or KEYSPACE TABLE
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// For KEYSPACE TABLE: the node's data directory
    /// [default: $CASSANDRA_HOME/data/data or /var/lib/cassandra/data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Options of `level-reset`.
#[derive(Args)]
pub struct LevelResetArgs {
    #[command(flatten)]
    pub of: TableArgs,
    /// Not needed
    #[arg(long)]
    pub really_reset: bool,
}

/// Options of `repaired-set`.
#[derive(Args)]
pub struct RepairedSetArgs {
    /// They were repaired when their Data.db was written
    #[arg(
        long,
        required_unless_present = "is_unrepaired",
        conflicts_with = "is_unrepaired"
    )]
    pub is_repaired: bool,
    /// They were not repaired
    #[arg(long)]
    pub is_unrepaired: bool,
    /// A file with a path a line
    #[arg(short, long, value_name = "FILE", conflicts_with = "paths")]
    pub file: Option<PathBuf>,
    /// Not needed
    #[arg(long)]
    pub really_set: bool,
    /// Component files of SSTables, or directories
    #[arg(value_name = "PATH", required_unless_present = "file")]
    pub paths: Vec<PathBuf>,
}

/// Options of `relevel`.
#[derive(Args)]
pub struct RelevelArgs {
    /// Tell the new levels only, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub of: TableArgs,
}

/// Options of `expired-blockers`.
#[derive(Args)]
pub struct ExpiredBlockersArgs {
    #[command(flatten)]
    pub of: TableArgs,
    /// A file with the statements that define the schema, for gc_grace_seconds
    #[arg(long, value_name = "FILE.cql")]
    pub schema: Option<PathBuf>,
    /// Epoch seconds at which data is, or is not yet, expired [default: now]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub now: Option<i64>,
}

/// A count of bytes, with a unit if there is one.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        unit => return Err(format!("`{unit}` is none of the units K, M and G")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "a number of bytes is expected, or one with K, M or G".to_owned())?;
    match number.checked_mul(unit) {
        Some(0) => Err("it must be more than nothing".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("it is too large".to_owned()),
    }
}

fn chunk_length(text: &str) -> Result<u32, String> {
    let bytes = size(text)?;
    // Cassandra has no chunks that are shorter than a KiB.
    let bytes = match bytes < 1024 {
        true => bytes << 10,
        false => bytes,
    };
    u32::try_from(bytes).map_err(|_| "it is too large".to_owned())
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
