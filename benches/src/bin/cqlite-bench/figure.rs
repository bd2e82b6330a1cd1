//! Figures of the library.
//!
//! Wall and CPU times are medians over the repetitions, after warm-up runs. Latencies (`p50_us`, `p99_us`) are taken in
//! one more run, operation by operation, and `peak_rss_anon_mib` in another one, each millisecond; neither disturbs
//! the times. The peak includes what the program itself keeps: the queries.

use crate::{Place, ReadArgs, TableName};
use cqlite_benches::build::Values;
use cqlite_benches::measure::{Runs, memory_of, peak_rss_anon_bytes, percentile};
use cqlite_benches::sorted::Sorted;
use cqlite_benches::table::Table;
use cqlite_benches::work::{self, At, Query, Touched};
use cqlite_core::{Error, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

const POINT_READS: u64 = 200_000;
const SLICES: u64 = 20_000;

fn open(args: &ReadArgs, table: TableName) -> Result<Table> {
    let directory = match &args.dir {
        Some(directory) => directory.clone(),
        None => args.data.make(table)?,
    };
    Table::open(&directory, args.data.shape(table), args.cache << 20)
}

/// Bytes of chunks that reads through the cache ask for.
fn hot_bytes(args: &ReadArgs) -> u64 {
    (args.cache << 20) / 4 * 3
}

pub(crate) fn scan(args: &ReadArgs, table: TableName) -> Result<()> {
    let name = match (table, args.data.partitions) {
        (TableName::Wide, 1) => "scan of one partition",
        _ => "scan",
    };
    measure_scan(args, name, table, work::scan)
}

pub(crate) fn table_scan(args: &ReadArgs, table: TableName) -> Result<()> {
    measure_scan(args, "table scan", table, work::scan_table)
}

pub(crate) fn hit(args: &ReadArgs) -> Result<()> {
    let table = open(args, TableName::Kv)?;
    let count = args.ops.unwrap_or(POINT_READS);
    let queries = match args.cache {
        0 => work::hits(table.rows, count),
        _ => work::hot_hits(&table, count, hot_bytes(args))?,
    };
    measure_queries(args, "point hit", &table, &queries)
}

pub(crate) fn miss(args: &ReadArgs) -> Result<()> {
    let table = open(args, TableName::Kv)?;
    let queries = work::misses(table.rows, args.ops.unwrap_or(POINT_READS));
    measure_queries(args, "point miss", &table, &queries)
}

pub(crate) fn slice(args: &ReadArgs, reversed: bool, at: Place) -> Result<()> {
    let table = open(args, TableName::Wide)?;
    let (at, place) = match at {
        Place::Random => (At::Random, ""),
        Place::Start => (At::Start, " at start"),
        Place::Middle => (At::Middle, " in middle"),
        Place::End => (At::End, " at end"),
    };
    let partitions = match args.cache {
        0 => args.data.partitions,
        _ => {
            let data = table.sstable.data();
            // A partition shares its first and last chunks with its neighbours.
            let bytes = data.len() / args.data.partitions + 2 * u64::from(data.chunk_length());
            (hot_bytes(args) / bytes).max(1)
        }
    };
    let count = args.ops.unwrap_or(SLICES);
    let queries = work::slices(table.rows, count, partitions, at, reversed);
    let order = if reversed { " reversed" } else { "" };
    let name = format!("slice 100 rows{order}{place}");
    measure_queries(args, &name, &table, &queries)
}

pub(crate) fn row(args: &ReadArgs) -> Result<()> {
    let table = open(args, TableName::Wide)?;
    let queries = work::rows(table.rows, args.ops.unwrap_or(SLICES));
    measure_queries(args, "single row", &table, &queries)
}

fn measure_scan(
    args: &ReadArgs,
    name: &str,
    table: TableName,
    scan: fn(&Table) -> Result<Touched>,
) -> Result<()> {
    let table = open(args, table)?;
    let runs = Runs::measure(args.warm, args.reps, || scan(&table).map(drop))?;
    let (touched, peak) = peak_rss_anon_bytes(|| scan(&table));
    let touched = touched?;
    let figure = Figure {
        name,
        ops: touched.rows,
        unit: "rows",
        runs,
        touched,
        peak,
        latencies: None,
    };
    figure.print(args, table.rows.table());
    Ok(())
}

/// The rows are made before the times are taken, but one by one where memory is measured.
pub(crate) fn write(args: &ReadArgs, table: TableName) -> Result<()> {
    let rows = args.data.shape(table);
    let format = args.data.format();
    let mut prepared = Sorted::new(rows, true);
    let write = |rows: &mut Sorted, dir: &Path| work::write_sorted(rows, dir, format);
    let runs = measure_writes(args, |dir| write(&mut prepared, dir).map(drop))?;
    drop(prepared);
    let mut sorted = Sorted::new(rows, false);
    let mut uncompressed = 0;
    let peak = peak_of_write(args, |dir| {
        uncompressed = write(&mut sorted, dir)?.uncompressed;
        Ok(())
    })?;
    print_written(args, "write sorted", table, runs, uncompressed, peak)
}

/// The values are there before, and stay in memory: what they take is no part of the peak.
pub(crate) fn build(args: &ReadArgs, table: TableName, unsorted: bool) -> Result<()> {
    let format = args.data.format();
    let values = Values::new(args.data.shape(table), unsorted);
    let mut uncompressed = 0;
    let mut build = |dir: &Path| {
        let written = values.build(dir, format)?;
        uncompressed = written.iter().map(|w| w.uncompressed).sum();
        Ok(())
    };
    let runs = measure_writes(args, &mut build)?;
    let before = memory_of(Path::new("/proc/self")).anon;
    let peak = peak_of_write(args, &mut build)?.saturating_sub(before);
    let name = if unsorted {
        "build unsorted"
    } else {
        "build sorted"
    };
    print_written(args, name, table, runs, uncompressed, peak)
}

/// Nothing is purged: no cell is deleted, and none expires.
pub(crate) fn compact(args: &ReadArgs) -> Result<()> {
    let inputs = args.data.make_overlapping()?;
    let format = args.data.format();
    let compact = |dir: &Path| work::compact(&inputs, dir, format).map(drop);
    let runs = measure_writes(args, compact)?;
    let peak = peak_of_write(args, compact)?;
    print_written(args, "compact", TableName::Kv, runs, 0, peak)
}

/// A directory for what is written, which is deleted.
pub(crate) fn place_of_writes(args: &ReadArgs) -> PathBuf {
    let root = args.dir.clone().unwrap_or_else(|| args.data.root());
    root.join(format!("written-{}", std::process::id()))
}

fn measure_writes(args: &ReadArgs, mut write: impl FnMut(&Path) -> Result<()>) -> Result<Runs> {
    let root = place_of_writes(args);
    let io = |e| Error::io(&root, e);
    let mut count = 0;
    // To delete what a run wrote is no part of the work.
    let runs = Runs::measure(args.warm, args.reps, || {
        let directory = root.join(format!("{count}"));
        count += 1;
        std::fs::create_dir_all(&directory).map_err(io)?;
        write(&directory)
    })?;
    std::fs::remove_dir_all(&root).map_err(io)?;
    Ok(runs)
}

pub(crate) fn peak_of_write(
    args: &ReadArgs,
    mut write: impl FnMut(&Path) -> Result<()>,
) -> Result<u64> {
    let root = place_of_writes(args);
    let io = |e| Error::io(&root, e);
    std::fs::create_dir_all(&root).map_err(io)?;
    let (written, peak) = peak_rss_anon_bytes(|| write(&root));
    std::fs::remove_dir_all(&root).map_err(io)?;
    written.map(|()| peak)
}

fn print_written(
    args: &ReadArgs,
    name: &str,
    table: TableName,
    runs: Runs,
    uncompressed: u64,
    peak: u64,
) -> Result<()> {
    let rows = args.data.shape(table);
    let touched = Touched {
        rows: rows.count(),
        bytes: uncompressed,
        sum: 0,
    };
    let figure = Figure {
        name,
        ops: rows.count(),
        unit: "rows",
        runs,
        touched,
        peak,
        latencies: None,
    };
    figure.print(args, rows.table());
    Ok(())
}

fn measure_queries(args: &ReadArgs, name: &str, table: &Table, queries: &[Query]) -> Result<()> {
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
    let figure = Figure {
        name,
        ops: queries.len() as u64,
        unit: "reads",
        runs,
        touched: touched?,
        peak,
        latencies: Some(latencies(&mut nanos)),
    };
    figure.print(args, table.rows.table());
    Ok(())
}

/// Median and 99th percentile.
pub(crate) fn latencies(nanos: &mut [u64]) -> [u64; 2] {
    [0.5, 0.99].map(|share| percentile(nanos, share))
}

/// What was measured.
pub(crate) struct Figure<'a> {
    pub name: &'a str,
    pub ops: u64,
    pub unit: &'a str,
    pub runs: Runs,
    pub touched: Touched,
    /// Private memory, in bytes.
    pub peak: u64,
    /// Median and 99th percentile, in nanoseconds.
    pub latencies: Option<[u64; 2]>,
}

impl Figure<'_> {
    pub fn print(&self, args: &ReadArgs, table: &str) {
        let cached = if args.cache > 0 { " cached" } else { "" };
        let (version, format) = args.data.format().parts();
        let (wall, cpu) = (self.runs.wall_median(), self.runs.cpu_median());
        let (ops, best) = (self.ops as f64, self.runs.wall_min());
        let mut line = json!({
            "by": "cqlite",
            "round": args.round,
            "bench": format!("{}{cached}", self.name),
            "table": table,
            "fmt": format!("{format}-{version}"),
            "ops": self.ops,
            "unit": self.unit,
            "rows": self.touched.rows,
            "median_s": wall,
            "min_s": best,
            "cpu_s": cpu,
            "per_s": (ops / wall).round(),
            "best_per_s": (ops / best).round(),
            "per_cpu_s": (ops / cpu).round(),
            "raw_mb_per_s": self.touched.bytes as f64 / 1e6 / wall,
            "peak_rss_anon_mib": self.peak as f64 / f64::from(1 << 20),
            "check": self.touched.sum,
            "others_cores": self.runs.others_cores,
        });
        if let Some([p50, p99]) = self.latencies {
            line["p50_us"] = json!(p50 as f64 / 1e3);
            line["p99_us"] = json!(p99 as f64 / 1e3);
        }
        println!("{line}");
    }
}
