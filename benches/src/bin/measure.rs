//! `cqlite-bench`: measures one figure and prints it as one line of JSON.
//!
//! Wall and CPU times are medians over the repetitions, after warm-up runs. Latencies (`p50_us`, `p99_us`) are taken in
//! one more run, operation by operation, and `peak_rss_anon_mib` in another one, each millisecond; neither disturbs
//! the times. The peak includes what the program itself keeps: the queries.

use clap::{Parser, Subcommand, ValueEnum};
use cqlite_benches::fixture::{Format, Rows};
use cqlite_benches::measure::{Runs, peak_rss_anon_bytes, percentile};
use cqlite_benches::table::{Table, default_root, ensure};
use cqlite_benches::work::{self, At, Query, Touched};
use cqlite_core::{Error, Result};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

#[derive(Parser)]
#[command(about = "Measures one figure and prints it as one line of JSON")]
struct Args {
    #[command(subcommand)]
    figure: Figure,
    #[command(flatten)]
    data: Data,
    /// Runs of which the median counts.
    #[arg(long, default_value_t = 7, global = true)]
    reps: usize,
    /// Runs before those.
    #[arg(long, default_value_t = 1, global = true)]
    warm: usize,
    /// Operations a run, where it is no scan.
    #[arg(long, global = true)]
    ops: Option<u64>,
    /// MiB of decompressed chunks to keep. Reads then ask for what fits into three quarters of it.
    #[arg(long, default_value_t = 0, global = true)]
    cache: u64,
}

#[derive(clap::Args)]
struct Data {
    /// Version of the SSTable.
    #[arg(long, value_enum, default_value_t = Version::Oa, global = true)]
    format: Version,
    /// Rows of `kv`.
    #[arg(long, default_value_t = 2_000_000, global = true)]
    rows: u64,
    /// Partitions of `wide`.
    #[arg(long, default_value_t = 2000, global = true)]
    partitions: u64,
    /// Rows of each partition of `wide`.
    #[arg(long, default_value_t = 1000, global = true)]
    rows_per_partition: u64,
    /// Table directory to read in place of one that is made here; it must hold what the options say.
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    /// Where tables are made.
    #[arg(long, global = true)]
    data: Option<PathBuf>,
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

#[derive(Subcommand)]
enum Figure {
    /// Makes the table and prints its directory.
    Make {
        /// Which table.
        table: TableName,
    },
    /// Reads every cell of the SSTable.
    Scan {
        /// Which table.
        table: TableName,
    },
    /// Reads every cell of the table as a query does, through the merge of its SSTables.
    TableScan {
        /// Which table.
        table: TableName,
    },
    /// Reads partitions of `kv` that are there.
    Hit,
    /// Reads partitions of `kv` that are not there.
    Miss,
    /// Reads 100 neighbouring rows of partitions of `wide`.
    Slice {
        /// Give rows from the end.
        #[arg(long)]
        reversed: bool,
        /// Where in their partitions the slices lie.
        #[arg(long, value_enum, default_value_t = Place::Random)]
        at: Place,
    },
    /// Reads single rows of partitions of `wide`.
    Row,
}

#[derive(Clone, Copy, ValueEnum)]
enum Place {
    Random,
    Start,
    Middle,
    End,
}

impl Data {
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

    fn directory(&self, table: TableName) -> Result<PathBuf> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        let root = self.data.clone().unwrap_or_else(default_root);
        ensure(&root, self.format(), self.shape(table)).map_err(|e| Error::io(&root, e))
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let table = match args.figure {
        Figure::Make { table } => {
            println!("{}", args.data.directory(table)?.display());
            return Ok(());
        }
        Figure::Scan { table } | Figure::TableScan { table } => table,
        Figure::Hit | Figure::Miss => TableName::Kv,
        Figure::Slice { .. } | Figure::Row => TableName::Wide,
    };
    let directory = args.data.directory(table)?;
    let table = Table::open(&directory, args.data.shape(table), args.cache << 20)?;
    match args.figure {
        Figure::Make { .. } => Ok(()),
        Figure::Scan { .. } => measure_scan(args, "scan", &table, work::scan),
        Figure::TableScan { .. } => measure_scan(args, "table scan", &table, work::scan_table),
        Figure::Hit => {
            let count = args.ops.unwrap_or(200_000);
            let queries = match args.cache {
                0 => work::hits(table.rows, count),
                _ => work::hot_hits(&table, count, hot_bytes(args))?,
            };
            measure_queries(args, "point hit", &table, &queries)
        }
        Figure::Miss => {
            let queries = work::misses(table.rows, args.ops.unwrap_or(200_000));
            measure_queries(args, "point miss", &table, &queries)
        }
        Figure::Slice { reversed, at } => {
            let (at, place) = match at {
                Place::Random => (At::Random, ""),
                Place::Start => (At::Start, " at start"),
                Place::Middle => (At::Middle, " in middle"),
                Place::End => (At::End, " at end"),
            };
            let partitions = match args.cache {
                0 => args.data.partitions,
                _ => {
                    let partition_bytes = table.sstable.data().len() / args.data.partitions;
                    // Its first and last chunks are shared with its neighbours.
                    let chunks = 2 * u64::from(table.sstable.data().chunk_length());
                    (hot_bytes(args) / (partition_bytes + chunks)).max(1)
                }
            };
            let count = args.ops.unwrap_or(20_000);
            let queries = work::slices(table.rows, count, partitions, at, reversed);
            let order = if reversed { " reversed" } else { "" };
            let name = format!("slice 100 rows{order}{place}");
            measure_queries(args, &name, &table, &queries)
        }
        Figure::Row => {
            let queries = work::rows(table.rows, args.ops.unwrap_or(20_000));
            measure_queries(args, "single row", &table, &queries)
        }
    }
}

fn hot_bytes(args: &Args) -> u64 {
    (args.cache << 20) / 4 * 3
}

fn measure_scan(
    args: &Args,
    name: &str,
    table: &Table,
    scan: fn(&Table) -> Result<Touched>,
) -> Result<()> {
    let runs = Runs::measure(args.warm, args.reps, || scan(table).map(drop))?;
    let (touched, peak) = peak_rss_anon_bytes(|| scan(table));
    let touched = touched?;
    let line = Line {
        name,
        ops: touched.rows,
        unit: "rows",
        runs,
        touched,
        peak,
        latencies: None,
    };
    line.print(args, table);
    Ok(())
}

fn measure_queries(args: &Args, name: &str, table: &Table, queries: &[Query]) -> Result<()> {
    let run = || work::run_all(table, queries);
    let runs = Runs::measure(args.warm, args.reps, || run().map(drop))?;
    let (touched, peak) = peak_rss_anon_bytes(run);
    let mut nanos = Vec::with_capacity(queries.len());
    let mut ignored = Touched::default();
    for query in queries {
        let start = Instant::now();
        query.run(table, &mut ignored)?;
        nanos.push(start.elapsed().as_nanos() as u64);
    }
    let line = Line {
        name,
        ops: queries.len() as u64,
        unit: "reads",
        runs,
        touched: touched?,
        peak,
        latencies: Some([0.5, 0.99].map(|share| percentile(&mut nanos, share))),
    };
    line.print(args, table);
    Ok(())
}

/// A figure as it is printed.
struct Line<'a> {
    name: &'a str,
    ops: u64,
    unit: &'a str,
    runs: Runs,
    touched: Touched,
    /// Private memory, in bytes.
    peak: u64,
    /// Median and 99th percentile, in nanoseconds.
    latencies: Option<[u64; 2]>,
}

impl Line<'_> {
    fn print(&self, args: &Args, table: &Table) {
        let cached = if args.cache > 0 { " cached" } else { "" };
        let (version, format) = args.data.format().parts();
        let (wall, best, cpu) = (
            self.runs.wall_median(),
            self.runs.wall_min(),
            self.runs.cpu_median(),
        );
        let ops = self.ops as f64;
        let mut line = format!(
            r#"{{"bench":"{}{cached}","table":"{}","fmt":"{format}-{version}","#,
            self.name,
            table.rows.table(),
        );
        line += &format!(
            r#""ops":{},"unit":"{}","rows":{},"#,
            self.ops, self.unit, self.touched.rows
        );
        line += &format!(r#""median_s":{wall:.5},"min_s":{best:.5},"cpu_s":{cpu:.5},"#);
        line += &format!(
            r#""per_s":{:.0},"best_per_s":{:.0},"per_cpu_s":{:.0},"raw_mb_per_s":{:.1},"#,
            ops / wall,
            ops / best,
            ops / cpu,
            self.touched.bytes as f64 / 1e6 / wall,
        );
        if let Some([p50, p99]) = self.latencies.map(|l| l.map(|nanos| nanos as f64 / 1e3)) {
            line += &format!(r#""p50_us":{p50:.2},"p99_us":{p99:.2},"#);
        }
        let peak = self.peak as f64 / f64::from(1 << 20);
        let (check, others) = (self.touched.sum, self.runs.others_cores);
        line += &format!(
            r#""peak_rss_anon_mib":{peak:.2},"check":{check},"others_cores":{others:.2}}}"#
        );
        println!("{line}");
    }
}
