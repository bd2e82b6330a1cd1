//! Measures a repeated operation: wall and CPU time, the latency of each part, private memory.

use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// CPU time of this process so far, in seconds.
pub fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU time that all processes of the machine have used, in seconds; 0 where `/proc/stat` cannot tell.
pub fn machine_cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    // user, nice, system, idle, iowait, irq, softirq
    [0, 1, 2, 5, 6]
        .iter()
        .filter_map(|i| fields.get(*i))
        .sum::<f64>()
        / TICKS_PER_SECOND
}

/// Memory of a process, in bytes; 0 where the kernel does not tell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Private memory now: `RssAnon`, which leaves mapped files out.
    pub anon: u64,
    /// The most that was resident so far, mapped files included: `VmHWM`.
    pub peak: u64,
}

/// Memory of the process with this directory below `/proc`.
pub fn memory_of(proc: &Path) -> Memory {
    let status = std::fs::read_to_string(proc.join("status")).unwrap_or_default();
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.unwrap_or(0) << 10
    };
    Memory {
        anon: bytes("RssAnon:"),
        peak: bytes("VmHWM:"),
    }
}

/// Private memory of this process, in bytes.
pub fn rss_anon_bytes() -> u64 {
    memory_of(Path::new("/proc/self")).anon
}

/// The highest [`rss_anon_bytes`] while `work` runs, looked at each millisecond from another thread and once at the end.
/// The kernel keeps no such peak itself: its `VmHWM` counts mapped files too.
pub fn peak_rss_anon_bytes<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(rss_anon_bytes());
                std::thread::sleep(Duration::from_millis(1));
            }
            peak
        });
        let result = work();
        let last = rss_anon_bytes();
        done.store(true, Ordering::Relaxed);
        let peak = watch.join().unwrap_or(0);
        (result, peak.max(last))
    })
}

/// Times of several runs of the same work, in seconds.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    wall: Vec<f64>,
    cpu: Vec<f64>,
    /// Cores that other processes kept busy meanwhile.
    pub others_cores: f64,
}

impl Runs {
    /// Runs the work `warm` times, then `count` times measured.
    ///
    /// # Errors
    /// The first one of the work.
    pub fn measure<E>(
        warm: usize,
        count: usize,
        mut work: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        for _ in 0..warm {
            work()?;
        }
        let mut runs = Runs::default();
        let (start, machine, own) = (Instant::now(), machine_cpu_seconds(), cpu_seconds());
        for _ in 0..count {
            let (wall, cpu) = (Instant::now(), cpu_seconds());
            work()?;
            runs.add(wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        }
        let others = machine_cpu_seconds() - machine - (cpu_seconds() - own);
        runs.others_cores = (others / start.elapsed().as_secs_f64()).max(0.0);
        Ok(runs)
    }

    /// Adds a run that took so many seconds of wall and CPU time.
    pub fn add(&mut self, wall: f64, cpu: f64) {
        self.wall.push(wall);
        self.cpu.push(cpu);
    }

    /// Adds other runs of the same work.
    pub fn append(&mut self, other: Runs) {
        self.wall.extend(other.wall);
        self.cpu.extend(other.cpu);
        self.others_cores = self.others_cores.max(other.others_cores);
    }

    /// The median of wall times.
    pub fn wall_median(&self) -> f64 {
        median(&self.wall)
    }

    /// The least of wall times.
    pub fn wall_min(&self) -> f64 {
        self.wall.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The median of CPU times.
    pub fn cpu_median(&self) -> f64 {
        median(&self.cpu)
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// The value that a share of others, from 0 to 1, does not exceed; 0 of none.
pub fn percentile(values: &mut [u64], share: f64) -> u64 {
    values.sort_unstable();
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        let mut values: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(percentile(&mut values, 0.99), 198);
        assert_eq!(percentile(&mut values, 1.0), 200);
        assert_eq!(percentile(&mut [], 0.5), 0);
    }

    #[test]
    fn memory_that_was_given_back_counts() {
        let (_, peak) = peak_rss_anon_bytes(|| {
            let bytes = vec![1u8; 64 << 20];
            std::thread::sleep(Duration::from_millis(50));
            drop(std::hint::black_box(bytes));
        });
        assert!(cfg!(not(target_os = "linux")) || peak >= 64 << 20, "{peak}");
    }
}
