//! RocksDB and fjall on the rows of `kv`: each figure as one line of JSON, like those of `cqlite-bench`.
//!
//! Both get LZ4, blocks of 16 KiB, filters of 10 bits a key, and one thread in the background.

mod stores;

use clap::{Parser, Subcommand};
use cqlite_benches::data::{KvRow, kv_key, query};
use cqlite_benches::measure::{Runs, percentile, rss_anon_bytes};
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;
#[cfg(feature = "rocksdb")]
use stores::Rocks;
use stores::{Fjall, Settings, Store, Sync};

#[derive(Parser)]
#[command(about = "Measures RocksDB and fjall, one line of JSON a figure")]
struct Args {
    /// Rows
    #[arg(long, default_value_t = 2_000_000, global = true)]
    rows: u64,
    /// Runs of which the median counts
    #[arg(long, default_value_t = 3, global = true)]
    reps: usize,
    /// Number that the lines are to carry: figures of one round are compared
    #[arg(long, default_value_t = 0, global = true)]
    round: u64,
    /// Formats of SSTables that the lines are to be compared with
    #[arg(long, default_values = ["big-oa", "bti-da"], global = true)]
    fmt: Vec<String>,
    /// Where the stores are made; what is in it is deleted
    #[arg(long, global = true, default_value = "target/lsm-data")]
    dir: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Merges four flushed files of a fourth of the rows each, every two neighbours half the same
    Compact,
    /// Writes the rows through log and memtable by one thread, without syncs
    Write,
    /// Writes rows with a sync each
    WriteSynced {
        /// Threads that write
        #[arg(long, default_value_t = 1)]
        writers: u64,
    },
    /// Reads random keys after a major compaction
    Read {
        /// Cache of blocks in MiB
        #[arg(long, default_value_t = 8)]
        cache: u64,
        /// Keys asked for, spread over all rows; all of them without
        #[arg(long)]
        hot: Option<u64>,
        /// Block length in KiB
        #[arg(long, default_value_t = 16)]
        block: usize,
        /// Reads a run
        #[arg(long, default_value_t = 200_000)]
        ops: u64,
    },
}

type Outcome<T> = Result<T, Box<dyn Error + Send + std::marker::Sync>>;

fn main() -> Outcome<()> {
    let args = Args::parse();
    #[cfg(feature = "rocksdb")]
    run::<Rocks>(&args)?;
    run::<Fjall>(&args)
}

fn run<S: Store>(args: &Args) -> Outcome<()> {
    match args.verb {
        Verb::Compact => compact::<S>(args),
        Verb::Write => write::<S>(args),
        Verb::WriteSynced { writers } => write_synced::<S>(args, writers),
        Verb::Read {
            cache,
            hot,
            block,
            ops,
        } => read::<S>(args, cache, hot, block, ops),
    }
}

/// Opens an empty store.
fn fresh<S: Store>(args: &Args, settings: &Settings) -> Outcome<S> {
    if args.dir.exists() {
        std::fs::remove_dir_all(&args.dir)?;
    }
    std::fs::create_dir_all(&args.dir)?;
    S::open(&args.dir, settings)
}

/// The value of a row: both of its columns.
fn value<'r>(row: &KvRow, out: &'r mut Vec<u8>) -> &'r [u8] {
    out.clear();
    out.extend(row.n.to_be_bytes());
    out.extend_from_slice(&row.v);
    out
}

fn compact<S: Store>(args: &Args) -> Outcome<()> {
    let part = args.rows / 8;
    let mut runs = Runs::default();
    for rep in 0..=args.reps {
        let store: S = fresh(args, &Settings::default())?;
        let (mut row, mut bytes) = (KvRow::default(), Vec::new());
        for version in 0..4 {
            for i in version * part..(version + 2) * part {
                row.set(version, i);
                store.put(&kv_key(b"user", i), value(&row, &mut bytes), Sync::NoLog)?;
            }
            store.flush()?;
        }
        let one = Runs::measure(0, 1, || store.compact())?;
        // The first one is for warming up.
        if rep > 0 {
            runs.add(one.wall_median(), one.cpu_median());
        }
    }
    print::<S>(args, "compact", args.rows, "rows", &runs, None);
    Ok(())
}

/// The rows are made before the times are taken.
fn write<S: Store>(args: &Args) -> Outcome<()> {
    let (mut row, mut bytes, mut values) = (KvRow::default(), Vec::new(), Vec::new());
    for i in 0..args.rows {
        row.set(0, i);
        values.extend_from_slice(value(&row, &mut bytes));
    }
    let length = values.len() / args.rows as usize;
    let mut runs = Runs::default();
    for _ in 0..args.reps {
        let store: S = fresh(args, &Settings::default())?;
        let one = Runs::measure(0, 1, || {
            values
                .chunks_exact(length)
                .zip(0..)
                .try_for_each(|(value, i)| store.put(&kv_key(b"user", i), value, Sync::Never))
        })?;
        runs.add(one.wall_median(), one.cpu_median());
    }
    print::<S>(args, "write", args.rows, "writes", &runs, None);
    Ok(())
}

fn write_synced<S: Store>(args: &Args, writers: u64) -> Outcome<()> {
    let rows = args.rows;
    let store: S = fresh(args, &Settings::default())?;
    let nanos = Mutex::new(Vec::new());
    let mut next = 0;
    let runs = Runs::measure(0, args.reps, || {
        let first = next;
        next += rows;
        std::thread::scope(|scope| {
            let one = |writer: u64| {
                let (store, nanos) = (&store, &nanos);
                move || -> Outcome<()> {
                    let (mut row, mut bytes, mut own) = (KvRow::default(), Vec::new(), Vec::new());
                    for i in (first + writer..first + rows).step_by(writers as usize) {
                        row.set(0, i);
                        let start = Instant::now();
                        store.put(&kv_key(b"user", i), value(&row, &mut bytes), Sync::Each)?;
                        own.push(start.elapsed().as_nanos() as u64);
                    }
                    let mut all = nanos.lock().map_err(|_| "a writer has failed")?;
                    all.append(&mut own);
                    Ok(())
                }
            };
            let threads: Vec<_> = (0..writers).map(|w| scope.spawn(one(w))).collect();
            let joined = threads.into_iter().map(|t| t.join());
            joined
                .map(|r| r.unwrap_or_else(|_| Err("a writer has panicked".into())))
                .collect()
        })
    })?;
    let nanos = nanos.into_inner().unwrap_or_default();
    let name = format!("write synced, {writers} writers");
    print::<S>(args, &name, rows, "writes", &runs, Some(nanos));
    Ok(())
}

fn read<S: Store>(
    args: &Args,
    cache: u64,
    hot: Option<u64>,
    block: usize,
    ops: u64,
) -> Outcome<()> {
    let settings = Settings {
        cache_bytes: cache << 20,
        block_bytes: block << 10,
    };
    let store: S = fresh(args, &settings)?;
    let (mut row, mut bytes) = (KvRow::default(), Vec::new());
    for i in 0..args.rows {
        row.set(0, i);
        store.put(&kv_key(b"user", i), value(&row, &mut bytes), Sync::NoLog)?;
    }
    store.flush()?;
    store.compact()?;
    let of = hot.unwrap_or(args.rows);
    let keys: Vec<_> = (0..ops)
        .map(|i| kv_key(b"user", query(i, of) * (args.rows / of)))
        .collect();
    let runs = Runs::measure(1, args.reps, || {
        keys.iter().try_for_each(|key| store.get(key))
    })?;
    let mut nanos = Vec::with_capacity(keys.len());
    for key in &keys {
        let start = Instant::now();
        store.get(key)?;
        nanos.push(start.elapsed().as_nanos() as u64);
    }
    let which = if hot.is_some() { " cached" } else { "" };
    let name = format!("read, cache of {cache} MiB, blocks of {block} KiB{which}");
    print::<S>(args, &name, ops, "reads", &runs, Some(nanos));
    Ok(())
}

fn print<S: Store>(
    args: &Args,
    bench: &str,
    ops: u64,
    unit: &str,
    runs: &Runs,
    nanos: Option<Vec<u64>>,
) {
    let (wall, cpu) = (runs.wall_median(), runs.cpu_median());
    let mut line = json!({
        "by": S::NAME,
        "round": args.round,
        "bench": bench,
        "table": "kv",
        "ops": ops,
        "unit": unit,
        "rows": args.rows,
        "median_s": wall,
        "min_s": runs.wall_min(),
        "cpu_s": cpu,
        "per_s": (ops as f64 / wall).round(),
        "per_cpu_s": (ops as f64 / cpu).round(),
        "rss_anon_mib": rss_anon_bytes() >> 20,
    });
    if let Some(mut nanos) = nanos {
        line["p50_us"] = json!(percentile(&mut nanos, 0.5) as f64 / 1e3);
        line["p99_us"] = json!(percentile(&mut nanos, 0.99) as f64 / 1e3);
    }
    for fmt in &args.fmt {
        line["fmt"] = json!(fmt);
        println!("{line}");
    }
}
