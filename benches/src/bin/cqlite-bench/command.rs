//! Figures of whole commands, their start included.
//!
//! Memory and CPU time are read from `/proc` each millisecond while the command runs, so both miss what happens in its
//! last millisecond, and CPU time counts in steps of 10 ms.

use cqlite_benches::measure::{Runs, memory_of};
use cqlite_core::{Error, Result};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct CommandArgs {
    /// Whose command it is
    #[arg(long, default_value = "cqlite")]
    by: String,
    /// Name of the figure
    #[arg(long)]
    bench: String,
    /// Table that it reads
    #[arg(long)]
    table: String,
    /// Format of the table, as `big-oa`
    #[arg(long)]
    fmt: String,
    /// Rows of the table
    #[arg(long, default_value_t = 0)]
    rows: u64,
    /// Runs of which the median counts
    #[arg(long, default_value_t = 3)]
    reps: usize,
    /// Number that the line is to carry: figures of one round are compared
    #[arg(long, default_value_t = 0)]
    round: u64,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Runs the command and prints its figure.
pub(crate) fn run(args: &CommandArgs) -> Result<()> {
    let mut peak = (0, 0);
    let mut runs = Runs::default();
    for _ in 0..args.reps {
        let start = Instant::now();
        let (cpu, anon, all) = run_once(&args.command)?;
        runs.add(start.elapsed().as_secs_f64(), cpu);
        peak = (peak.0.max(anon), peak.1.max(all));
    }
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (wall, cpu) = (runs.wall_median(), runs.cpu_median());
    let line = json!({
        "by": args.by,
        "round": args.round,
        "bench": args.bench,
        "table": args.table,
        "fmt": args.fmt,
        "ops": 1,
        "unit": "runs",
        "rows": args.rows,
        "median_s": wall,
        "min_s": runs.wall_min(),
        "cpu_s": cpu,
        "per_s": 1.0 / wall,
        "per_cpu_s": 1.0 / cpu,
        "peak_rss_anon_mib": mib(peak.0),
        "peak_rss_mib": mib(peak.1),
    });
    println!("{line}");
    Ok(())
}

/// CPU seconds, peak of private memory and of all resident memory in bytes.
fn run_once(command: &[String]) -> Result<(f64, u64, u64)> {
    let [program, arguments @ ..] = command else {
        return Err(Error::invalid("no command"));
    };
    let failed = |e| Error::io(Path::new(program), e);
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let proc = Path::new("/proc").join(child.id().to_string());
    let (mut cpu, mut anon, mut all) = (0.0f64, 0, 0);
    loop {
        let memory = memory_of(&proc);
        anon = anon.max(memory.anon);
        all = all.max(memory.peak);
        cpu = cpu.max(cpu_seconds_of(&proc));
        match child.try_wait().map_err(failed)? {
            Some(status) if status.success() => return Ok((cpu, anon, all)),
            Some(status) => {
                return Err(Error::invalid(format!("{}: {status}", command.join(" "))));
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// User and system time of all threads of a process; 0 when it is gone.
fn cpu_seconds_of(proc: &Path) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    // The name in parentheses may hold anything; the 12th and 13th field behind it are meant.
    let stat = std::fs::read_to_string(proc.join("stat")).unwrap_or_default();
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let ticks = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}
