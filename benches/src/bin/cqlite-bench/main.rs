//! `cqlite-bench`: measures one figure and prints it as one line of JSON, or compares such lines.

mod command;
mod compare;
mod engine;
mod figure;

use clap::{Parser, Subcommand, ValueEnum};
use cqlite_benches::build::Values;
use cqlite_benches::data::{Format, Rows};
use cqlite_benches::table::{default_root, ensure};
use cqlite_core::Result;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Measures one figure and prints it as one line of JSON")]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Makes a table and prints its directory
    Make {
        /// Which table
        table: TableName,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Reads every cell of an SSTable
    Scan {
        /// Which table
        table: TableName,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Reads every cell of a table as a query does, through the merge of its SSTables
    TableScan {
        /// Which table
        table: TableName,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Reads partitions of `kv` that are there
    Hit(ReadArgs),
    /// Reads partitions of `kv` that are not there
    Miss(ReadArgs),
    /// Reads 100 neighbouring rows of partitions of `wide`
    Slice {
        /// Give rows from the end
        #[arg(long)]
        reversed: bool,
        /// Where in their partitions the slices lie
        #[arg(long, value_enum, default_value_t = Place::Random)]
        at: Place,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Reads single rows of partitions of `wide`
    Row(ReadArgs),
    /// Writes a table, whose rows come in order, as one SSTable
    Write {
        /// Which table
        table: TableName,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Makes an SSTable of the values of rows, by a builder
    Build {
        /// Which table
        table: TableName,
        /// Rows come in the order of their numbers, which is not that of tokens, and are sorted
        #[arg(long)]
        unsorted: bool,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Writes the values of rows to a file, for the peer
    Values {
        /// Which table
        table: TableName,
        /// In no order
        #[arg(long)]
        unsorted: bool,
        #[command(flatten)]
        data: DataArgs,
        /// The file
        file: PathBuf,
    },
    /// Prints the directories of four tables of `kv` that overlap by half, which are made: what is compacted
    MakeOverlapping {
        #[command(flatten)]
        data: DataArgs,
    },
    /// Merges the SSTables of `make-overlapping` into one
    Compact(ReadArgs),
    /// Figures of a database
    Engine(engine::EngineArgs),
    /// Runs a command without its output: wall and CPU time, private and all memory
    Command(command::CommandArgs),
    /// Shows the ratios of what is in files of printed lines
    Compare {
        /// The files
        files: Vec<PathBuf>,
    },
}

/// Which rows, and where they are.
#[derive(clap::Args)]
struct DataArgs {
    /// Version of the SSTable
    #[arg(long, value_enum, default_value_t = Version::Oa)]
    format: Version,
    /// Rows of `kv`
    #[arg(long, default_value_t = 2_000_000)]
    rows: u64,
    /// Partitions of `wide`
    #[arg(long, default_value_t = 2000)]
    partitions: u64,
    /// Rows of each partition of `wide`
    #[arg(long, default_value_t = 1000)]
    rows_per_partition: u64,
    /// Where tables are made, if not in $CQLITE_BENCH_DATA
    #[arg(long)]
    data: Option<PathBuf>,
}

/// What is read, how, and how often.
#[derive(clap::Args)]
struct ReadArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Table directory to read in place of one that is made; it must hold what the options say
    #[arg(long)]
    dir: Option<PathBuf>,
    /// MiB of decompressed chunks to keep; reads then ask for what fits into three quarters of it
    #[arg(long, default_value_t = 0)]
    cache: u64,
    /// Operations a run, where it is no scan
    #[arg(long)]
    ops: Option<u64>,
    /// Runs of which the median counts
    #[arg(long, default_value_t = 7)]
    reps: usize,
    /// Runs before those
    #[arg(long, default_value_t = 1)]
    warm: usize,
    /// Number that the line is to carry: figures of one round are compared
    #[arg(long, default_value_t = 0)]
    round: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Version {
    Oa,
    Da,
}

#[derive(Clone, Copy, ValueEnum)]
enum TableName {
    Kv,
    Wide,
}

#[derive(Clone, Copy, ValueEnum)]
enum Place {
    Random,
    Start,
    Middle,
    End,
}

impl DataArgs {
    fn format(&self) -> Format {
        match self.format {
            Version::Oa => Format::Oa,
            Version::Da => Format::Da,
        }
    }

    fn shape(&self, table: TableName) -> Rows {
        match table {
            TableName::Kv => Rows::Kv {
                first: 0,
                count: self.rows,
                version: 0,
            },
            TableName::Wide => Rows::Wide {
                partitions: self.partitions,
                rows: self.rows_per_partition,
            },
        }
    }

    fn root(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(default_root)
    }

    /// A fourth of the rows each, written four times, every two neighbours half the same.
    fn make_overlapping(&self) -> Result<Vec<PathBuf>> {
        let part = self.rows / 8;
        let rows = |version| Rows::Kv {
            first: version * part,
            count: 2 * part,
            version,
        };
        let root = self.root();
        (0..4)
            .map(|version| ensure(&root, self.format(), rows(version)))
            .collect()
    }

    fn make(&self, table: TableName) -> Result<PathBuf> {
        let root = self.root();
        ensure(&root, self.format(), self.shape(table))
    }
}

fn main() -> ExitCode {
    let result = match &Args::parse().verb {
        Verb::Make { table, data } => data
            .make(*table)
            .map(|directory| println!("{}", directory.display())),
        Verb::Scan { table, read } => figure::scan(read, *table),
        Verb::TableScan { table, read } => figure::table_scan(read, *table),
        Verb::Hit(read) => figure::hit(read),
        Verb::Miss(read) => figure::miss(read),
        Verb::Slice { reversed, at, read } => figure::slice(read, *reversed, *at),
        Verb::Row(read) => figure::row(read),
        Verb::Write { table, read } => figure::write(read, *table),
        Verb::Build {
            table,
            unsorted,
            read,
        } => figure::build(read, *table, *unsorted),
        Verb::Values {
            table,
            unsorted,
            data,
            file,
        } => Values::new(data.shape(*table), *unsorted).write_to(file),
        Verb::MakeOverlapping { data } => data.make_overlapping().map(|directories| {
            for directory in directories {
                println!("{}", directory.display());
            }
        }),
        Verb::Compact(read) => figure::compact(read),
        Verb::Engine(args) => engine::run(args),
        Verb::Command(args) => command::run(args),
        Verb::Compare { files } => compare::run(files),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}
