//! Figures of the database, each named as those of the stores in `peers/lsm` are.

use crate::ReadArgs;
use crate::figure::{Figure, latencies, peak_of_write, place_of_writes};
use cqlite_benches::data::KvRow;
use cqlite_benches::engine::{Engine, Settings, keys};
use cqlite_benches::measure::{Runs, peak_rss_anon_bytes, rss_anon_bytes};
use cqlite_benches::work::Touched;
use cqlite_core::commitlog::SyncMode;
use cqlite_core::database::{CHUNK_CACHE_BYTES, KEY_CACHE_BYTES, MEMTABLE_BYTES};
use cqlite_core::{Error, Result};
use std::path::Path;

const READS: u64 = 200_000;
const MIXED: u64 = 10_000_000;

#[derive(clap::Args)]
pub(crate) struct EngineArgs {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Writes the rows through log and memtable by one thread, without syncs
    Write,
    /// Writes rows with a sync each
    WriteSynced {
        /// Threads that write
        #[arg(long, default_value_t = 1)]
        writers: u64,
    },
    /// Reads keys by Zipf's law and writes over any, in turn, with a database's default memory; `--ops` of both together
    Mixed,
    /// Reads random keys after a major compaction
    Read {
        /// Cache of chunks in MiB
        #[arg(long, default_value_t = 8)]
        chunks: u64,
        /// Keys asked for, spread over all rows; all of them without
        #[arg(long)]
        hot: Option<u64>,
        /// Chunk length in KiB
        #[arg(long, default_value_t = 16)]
        block: u32,
        /// Threads that read
        #[arg(long, default_value_t = 1)]
        readers: usize,
        /// Another thread writes, flushes and compacts meanwhile
        #[arg(long)]
        busy: bool,
    },
}

pub(crate) fn run(args: &EngineArgs) -> Result<()> {
    match &args.verb {
        Verb::Write => write(&args.read),
        Verb::Mixed => mixed(&args.read),
        Verb::WriteSynced { writers } => write_synced(&args.read, *writers),
        Verb::Read {
            chunks,
            hot,
            block,
            readers,
            busy,
        } => {
            let settings = Settings {
                sync: SyncMode::None,
                cache_bytes: chunks << 20,
                chunk_kib: *block,
                // What is beside the readers is one thread.
                compactors: if *busy { 0 } else { 1 },
            };
            read(&args.read, settings, *hot, *readers, *busy)
        }
    }
}

const UNSYNCED: Settings = Settings {
    sync: SyncMode::None,
    cache_bytes: 8 << 20,
    chunk_kib: 16,
    compactors: 1,
};

/// The values are made before the times are taken.
fn write(args: &ReadArgs) -> Result<()> {
    let rows = args.data.rows;
    let (mut row, mut values) = (KvRow::default(), Vec::new());
    for i in 0..rows {
        row.set(0, i);
        values.push((row.n, row.v.clone()));
    }
    let mut runs = Runs::default();
    let mut peak = 0;
    for _ in 0..args.reps {
        let mut one = |directory: &Path| {
            let engine = Engine::create(directory, &UNSYNCED)?;
            let mut writes = engine.writes()?;
            let once = Runs::measure(0, 1, || {
                (0..)
                    .zip(&values)
                    .try_for_each(|(i, (n, v))| writes.write(i, v, *n, false))
            })?;
            runs.add(once.wall_median(), once.cpu_median());
            Ok(())
        };
        peak = peak_of_write(args, &mut one)?;
    }
    let before = (values.len() * size_of::<(i64, Vec<u8>)>()) as u64;
    let before = before + values.iter().map(|(_, v)| v.capacity() as u64).sum::<u64>();
    print(
        args,
        "write",
        rows,
        "writes",
        runs,
        peak.saturating_sub(before),
        Vec::new(),
    );
    Ok(())
}

fn write_synced(args: &ReadArgs, writers: u64) -> Result<()> {
    let rows = args.data.rows;
    let settings = Settings {
        sync: SyncMode::Group,
        ..UNSYNCED
    };
    let (mut runs, mut nanos) = (Runs::default(), Vec::new());
    let peak = peak_of_write(args, |directory| {
        let engine = Engine::create(directory, &settings)?;
        let mut first = 0;
        runs = Runs::measure(0, args.reps, || {
            nanos.append(&mut engine.write_synced(first, rows, writers)?);
            first += rows;
            Ok::<_, Error>(())
        })?;
        Ok(())
    })?;
    let name = format!("write synced, {writers} writers");
    print(args, &name, rows, "writes", runs, peak, nanos);
    Ok(())
}

/// Private memory while it is filled and used, and what the database says of itself.
fn mixed(args: &ReadArgs) -> Result<()> {
    let (rows, operations) = (args.data.rows, args.ops.unwrap_or(MIXED));
    let settings = Settings {
        cache_bytes: CHUNK_CACHE_BYTES + KEY_CACHE_BYTES,
        ..UNSYNCED
    };
    let root = place_of_writes(args);
    std::fs::create_dir_all(&root).map_err(|e| Error::io(&root, e))?;
    let engine = Engine::create(&root, &settings)?;
    let (runs, peak) = peak_rss_anon_bytes(|| {
        engine.fill(rows)?;
        Runs::measure(0, 1, || engine.mixed(rows, operations))
    });
    let metrics = engine.database.metrics();
    let advice = metrics.advice();
    advice.iter().for_each(|advice| eprintln!("{advice}"));
    eprintln!("{}", metrics.to_json());
    let budget = (MEMTABLE_BYTES as u64 + settings.cache_bytes) >> 20;
    let name = format!("mixed, {budget} MiB of memory");
    print(args, &name, operations, "ops", runs?, peak, Vec::new());
    drop(engine);
    std::fs::remove_dir_all(&root).map_err(|e| Error::io(&root, e))
}

fn read(
    args: &ReadArgs,
    settings: Settings,
    hot: Option<u64>,
    readers: usize,
    busy: bool,
) -> Result<()> {
    let rows = args.data.rows;
    let root = place_of_writes(args);
    std::fs::create_dir_all(&root).map_err(|e| Error::io(&root, e))?;
    let engine = Engine::create(&root, &settings)?;
    engine.fill(rows)?;
    engine.database.flush()?;
    engine.database.compact(&engine.table, 0)?;
    let keys = keys(rows, hot.unwrap_or(rows), args.ops.unwrap_or(READS));
    let read = || engine.read_all(&keys, readers, false).map(drop);
    let which = if hot.is_some() { " cached" } else { "" };
    let by = match readers {
        1 => String::new(),
        n => format!(", {n} readers"),
    };
    let (cache, block) = (settings.cache_bytes >> 20, settings.chunk_kib);
    let print = |beside: &str, runs: Runs, nanos: Vec<u64>| {
        let name = format!("read, cache of {cache} MiB, blocks of {block} KiB{by}{beside}{which}");
        let peak = rss_anon_bytes();
        print(args, &name, keys.len() as u64, "reads", runs, peak, nanos);
    };
    if busy {
        let (mut alone, mut beside) = (Runs::default(), Runs::default());
        Runs::measure(0, args.warm, read)?;
        // In turn, for the machine is not as fast at all times.
        for _ in 0..args.reps {
            alone.append(Runs::measure(0, 1, read)?);
            beside.append(engine.beside(rows, || Runs::measure(0, 1, read))?);
        }
        let timed = || engine.read_all(&keys, readers, true);
        print(", alone", alone, timed()?);
        print(", while others write", beside, engine.beside(rows, timed)?);
    } else {
        let runs = Runs::measure(args.warm, args.reps, read)?;
        print("", runs, engine.read_all(&keys, readers, true)?);
    }
    drop(engine);
    std::fs::remove_dir_all(&root).map_err(|e| Error::io(&root, e))
}

fn print(
    args: &ReadArgs,
    name: &str,
    ops: u64,
    unit: &str,
    runs: Runs,
    peak: u64,
    mut nanos: Vec<u64>,
) {
    let latencies = (!nanos.is_empty()).then(|| latencies(&mut nanos));
    let touched = Touched {
        rows: args.data.rows,
        ..Touched::default()
    };
    let figure = Figure {
        name,
        ops,
        unit,
        runs,
        touched,
        peak,
        latencies,
    };
    figure.print(args, "kv");
}
