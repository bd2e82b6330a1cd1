//! Puts figures side by side: cqlite's, the peer's of the same round, their ratio, and what the ratio is to be.

use cqlite_core::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

const PROJECT: &str = "cqlite";
const CASSANDRA: &str = "cassandra";
/// A figure of ours gets a line with each of these that has it.
const PEERS: [&str; 3] = [CASSANDRA, "rocksdb", "fjall"];

/// Private memory that no figure of reading may exceed, in MiB, and none of writing.
const PEAK_MIB_MAX: f64 = 40.0;
const WRITE_PEAK_MIB_MAX: f64 = 128.0;
/// The 99th percentile of point reads, in microseconds.
const POINT_P99_US_MAX: f64 = 50.0;

/// What is asked of a figure.
#[derive(Debug, PartialEq)]
enum Target {
    /// So many times the peer's rate.
    Ratio(f64),
    /// So many times the peer's rate, each on one core.
    CpuRatio(f64),
    /// So many operations a second.
    Rate(f64),
    /// Nothing.
    None,
}

fn target(bench: &str, format: &str, peer: &str) -> Target {
    let bti = format.starts_with("bti");
    match bench {
        "compact" if peer != CASSANDRA => Target::CpuRatio(1.0),
        "write" if peer == "fjall" => Target::Ratio(1.2),
        "write" => Target::Ratio(2.0),
        "write synced, 1 writers" if peer == "rocksdb" => Target::Ratio(1.0),
        "write synced, 32 writers" if peer == "rocksdb" => Target::Ratio(2.0),
        read if read.starts_with("read, ") && peer == "rocksdb" => {
            Target::Ratio(if read.ends_with(" cached") { 2.0 } else { 1.3 })
        }
        "scan" => Target::Ratio(3.0),
        "point hit" => Target::Ratio(1.2),
        "point hit cached" => Target::Rate(600_000.0),
        "point miss" => Target::Ratio(2.0),
        "slice 100 rows" => Target::Ratio(if bti { 3.0 } else { 2.0 }),
        "slice 100 rows cached" => Target::Ratio(5.0),
        "dump" | "verify" => Target::Ratio(10.0),
        "build sorted" | "rewrite" => Target::Ratio(5.0),
        "build unsorted" => Target::Ratio(8.0),
        "compact" => Target::Ratio(4.0),
        "small table" => Target::Rate(1.0 / 0.015),
        _ => Target::None,
    }
}

/// Name of the figure, table, format, count of rows.
type Key = (String, String, String, u64);

/// Lines of one figure, by their round.
type Rounds = BTreeMap<u64, Value>;

/// Reads the files and prints the table.
pub(crate) fn run(files: &[PathBuf]) -> Result<()> {
    let mut figures: BTreeMap<String, BTreeMap<Key, Rounds>> = BTreeMap::new();
    let mut order: Vec<Key> = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|e| Error::io(file, e))?;
        for line in text.lines().filter(|line| line.starts_with('{')) {
            let value: Value = serde_json::from_str(line)
                .map_err(|e| Error::invalid(e.to_string()).in_file(file))?;
            let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
            let number = |name: &str| value[name].as_u64().unwrap_or_default();
            let key = (text("bench"), text("table"), text("fmt"), number("rows"));
            let by = text("by");
            if by == PROJECT && !order.contains(&key) {
                order.push(key.clone());
            }
            let round = number("round");
            figures
                .entry(by)
                .or_default()
                .entry(key)
                .or_default()
                .insert(round, value);
        }
    }
    let none = BTreeMap::new();
    let project = figures.get(PROJECT).unwrap_or(&none);
    println!(
        "{:<34} {:<6} {:<6} {:>9} {:>11} {:>11} {:<9} {:>11} {:>7} {:>7} {:>8} {:>4} {:>8} {:>8} {:>8}",
        "figure",
        "table",
        "format",
        "rows",
        "cqlite/s",
        "per cpu s",
        "peer",
        "peer/s",
        "wall x",
        "cpu x",
        "target",
        "met",
        "p99 us",
        "MiB",
        "peer MiB"
    );
    for key in &order {
        let rounds = &project[key];
        // What is cached here is compared to the peer as it is by default, if it has no such figure.
        let plain = key.0.trim_end_matches(" cached").to_owned();
        let plain = (plain, key.1.clone(), key.2.clone(), key.3);
        let of_peer = |peer| {
            let figures = figures.get(peer)?;
            Some((peer, figures.get(key).or_else(|| figures.get(&plain))?))
        };
        let mut peers: Vec<_> = PEERS.into_iter().filter_map(of_peer).collect();
        let alone = Rounds::new();
        if peers.is_empty() {
            peers.push(("", &alone));
        }
        for (peer, theirs) in peers {
            print_figure(key, rounds, peer, theirs);
        }
    }
    Ok(())
}

fn print_figure(key: &Key, ours: &Rounds, peer: &str, theirs: &Rounds) {
    let field = |rounds: &Rounds, name: &str| median(rounds.values().map(|v| v[name].as_f64()));
    let ratio = |name: &str| {
        median(ours.iter().map(|(round, line)| {
            let other = theirs.get(round)?[name].as_f64()?;
            Some(line[name].as_f64()? / other)
        }))
    };
    let (bench, table, format, rows) = key;
    let (wall, cpu) = (ratio("per_s"), ratio("per_cpu_s"));
    let rate = field(ours, "per_s");
    let peak = field(ours, "peak_rss_anon_mib");
    let p99 = field(ours, "p99_us");
    let target = target(bench, format, peer);
    let fast = match target {
        Target::Ratio(times) => wall.map(|wall| wall >= times),
        Target::CpuRatio(times) => cpu.map(|cpu| cpu >= times),
        Target::Rate(least) => rate.map(|rate| rate >= least),
        Target::None => None,
    };
    let most = match bench.as_str() {
        "build sorted" | "build unsorted" | "compact" | "rewrite" | "write sorted" => {
            WRITE_PEAK_MIB_MAX
        }
        _ => PEAK_MIB_MAX,
    };
    let small = peak.is_none_or(|peak| peak < most);
    let prompt = !bench.starts_with("point") || p99.is_none_or(|p99| p99 < POINT_P99_US_MAX);
    let met = match fast {
        Some(fast) if fast && small && prompt => "yes",
        Some(_) => "no",
        None => "",
    };
    let target = match target {
        Target::Ratio(times) => format!("{times}x"),
        Target::CpuRatio(times) => format!("{times}x cpu"),
        Target::Rate(least) => number(Some(least)),
        Target::None => String::new(),
    };
    println!(
        "{bench:<34} {table:<6} {format:<6} {rows:>9} {:>11} {:>11} {peer:<9} {:>11} {:>7} {:>7} {target:>8} {met:>4} {:>8} {:>8} {:>8}",
        number(rate),
        number(field(ours, "per_cpu_s")),
        number(field(theirs, "per_s")),
        number(wall),
        number(cpu),
        number(p99),
        number(peak),
        number(field(theirs, "peak_rss_mib")),
    );
}

/// The median of those that there are.
fn median(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut values: Vec<f64> = values.flatten().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn number(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
    }
}
