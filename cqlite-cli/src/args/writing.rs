//! Flags of the verbs that write SSTables.

use clap::Args;
use std::path::PathBuf;

pub(super) const IMPORT_EXAMPLES: &str = "\
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
    /// lz4, zstd, snappy, deflate, noop, none for plain bytes with CRC.db, or a
    /// map as in CREATE TABLE [default: the table's]
    #[arg(long, value_name = "NAME|MAP")]
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
    /// lz4, zstd, snappy, deflate, noop, none for plain bytes with CRC.db, or a
    /// map as in CREATE TABLE [default: as they were]
    #[arg(long, value_name = "NAME|MAP")]
    pub compression: Option<String>,
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

pub(super) const REWRITE_EXAMPLES: &str = "\
Rows are written as they are: nothing is purged. `compact` purges.

Examples:
  cqlite rewrite old/ks/table-5a1c3950... --out new/
  cqlite rewrite data/ --out upgraded/ --version da
  cqlite rewrite nb-1-big-Data.db --out plain/ --compression none
  cqlite rewrite data/ --out small/ \\
    --compression \"{'class': 'ZstdCompressor', 'compression_level': 9}\"";

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

pub(super) const COMPACT_EXAMPLES: &str = "\
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

pub(super) const SPLIT_EXAMPLES: &str = "\
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

pub(super) const SCRUB_EXAMPLES: &str = "\
What is out of order is put into an SSTable of its own. scrub-NAME.json beside
the new SSTables, which is printed too, names what is lost by key and offset; its
schema is told at the head of cqlite-cli/src/cmd/scrub/manifest.rs. The status is
1 if anything was wrong.

Examples:
  cqlite scrub ks/table-5a1c3950... --out saved/
  cqlite scrub oa-7-big-Data.db --out saved/ | jq .lost
  cqlite scrub data/ --out saved/ > manifests.json";

/// Options of `scrub`.
#[derive(Args)]
pub struct ScrubArgs {
    #[command(flatten)]
    pub of: TableArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Keep rows whose values are none of their type, too
    #[arg(short, long)]
    pub no_validate: bool,
    /// Go on in tables of counters, which count less without what is lost
    #[arg(short, long)]
    pub skip_corrupted: bool,
    /// Keep rows whose TTL overflowed before Cassandra 5: they expire in 2038
    #[arg(short, long)]
    pub reinsert_overflowed_ttl: bool,
    /// A file with the statements that define the schema, which some SSTables
    /// of 3.0 need
    #[arg(long, value_name = "FILE.cql")]
    pub schema: Option<PathBuf>,
    /// Not needed
    #[arg(short, long, hide = true)]
    pub verbose: bool,
    /// Not needed
    #[arg(long, hide = true)]
    pub debug: bool,
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
