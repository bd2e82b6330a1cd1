//! Reads of some keys far oftener than of others, and writes of any, on one database: does it keep to its memory?

use crate::data::{KvRow, kv_key, query};
use crate::engine::Engine;
use cqlite_core::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The exponent of Zipf's law.
const EXPONENT: f64 = 0.99;

/// SSTables from which on they are merged.
const SSTABLES_MAX: usize = 12;

/// Numbers below `n` by Zipf's law: 0 is the most frequent one.
///
/// Authority: Gray et al., "Quickly Generating Billion-Record Synthetic Databases", 1994, as YCSB has it.
#[derive(Debug)]
pub struct Zipf {
    n: f64,
    alpha: f64,
    eta: f64,
    zeta: f64,
}

impl Zipf {
    /// Below `n`, which is at least 3.
    pub fn new(n: u64) -> Self {
        let zeta = |n: u64| (1..=n).map(|i| (i as f64).powf(-EXPONENT)).sum::<f64>();
        let (of_two, of_all) = (zeta(2), zeta(n));
        let n = n as f64;
        Zipf {
            n,
            alpha: 1.0 / (1.0 - EXPONENT),
            eta: (1.0 - (2.0 / n).powf(1.0 - EXPONENT)) / (1.0 - of_two / of_all),
            zeta: of_all,
        }
    }

    /// The `i`th one of the sequence.
    pub fn draw(&self, i: u64) -> u64 {
        const STEPS: u64 = 1 << 53;
        let u = query(i, STEPS) as f64 / STEPS as f64;
        let uz = u * self.zeta;
        if uz < 1.0 {
            return 0;
        }
        if uz < 1.0 + 0.5f64.powf(EXPONENT) {
            return 1;
        }
        let drawn = self.n * (self.eta * u - self.eta + 1.0).powf(self.alpha);
        (drawn as u64).min(self.n as u64 - 1)
    }
}

impl Engine {
    /// Does `operations`, half of them reads of rows that are there, the others writes over them, while a thread beside merges
    /// SSTables.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn mixed(&self, rows: u64, operations: u64) -> Result<()> {
        let zipf = Zipf::new(rows.max(3));
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let merging = scope.spawn(|| -> Result<()> {
                while !ended.load(Ordering::Relaxed) {
                    let count = self.table.view().reader().sstables().len();
                    match count >= SSTABLES_MAX {
                        true => drop(self.database.compact(&self.table, 0)?),
                        false => std::thread::sleep(Duration::from_millis(20)),
                    }
                }
                Ok(())
            });
            let work = || -> Result<()> {
                let (mut row, mut writes) = (KvRow::default(), self.writes()?);
                for i in 0..operations / 2 {
                    // Which rows are asked for often has nothing to do with where they lie.
                    let often = query(zipf.draw(2 * i), rows);
                    self.read(&kv_key(b"user", often))?;
                    let any = query(2 * i + 1, rows);
                    row.set(1 + i / rows, any);
                    writes.write(any, &row.v, row.n, false)?;
                }
                Ok(())
            };
            let done = work();
            ended.store(true, Ordering::Relaxed);
            let merged = merging.join();
            done?;
            merged.unwrap_or(Ok(()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Settings;
    use cqlite_core::commitlog::SyncMode;
    use cqlite_core::metrics::Operation;

    #[test]
    fn the_most_frequent_numbers_are_as_frequent_as_zipf_says() {
        let (n, draws) = (1000, 200_000);
        let zipf = Zipf::new(n);
        let mut counts = vec![0u64; n as usize];
        (0..draws).for_each(|i| counts[zipf.draw(i) as usize] += 1);
        for rank in [0, 1, 9] {
            let share = ((rank + 1) as f64).powf(-EXPONENT) / zipf.zeta;
            let found = counts[rank] as f64 / draws as f64;
            assert!(
                (found / share - 1.0).abs() < 0.2,
                "{rank}: {found} for {share}"
            );
        }
        assert!(counts.iter().filter(|count| **count > 0).count() > 900);
    }

    #[test]
    fn half_of_a_mixed_load_are_reads() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            sync: SyncMode::None,
            cache_bytes: 1 << 20,
            chunk_kib: 4,
            compactors: 1,
        };
        let engine = Engine::create(directory.path(), &settings).unwrap();
        engine.write_synced(0, 100, 1).unwrap();
        engine.mixed(100, 400).unwrap();
        let metrics = engine.database.metrics();
        let count = |operation| metrics.operation(operation).unwrap().count;
        assert_eq!(count(Operation::Read), 200);
        assert_eq!(count(Operation::Write), 300);
    }
}
