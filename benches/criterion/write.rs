//! Rows in order become an SSTable: both tables in both formats, and whether the time grows with the rows alone.
//!
//! The rows are made before. One thread; what is written is synced to the disk, as it must be.

use cqlite_benches::data::{Format, Rows};
use cqlite_benches::sorted::Sorted;
use cqlite_benches::table::sized;
use cqlite_benches::work::write_sorted;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn sorted(c: &mut Criterion) {
    let mut group = c.benchmark_group("write sorted");
    let kv = |count| Rows::Kv {
        first: 0,
        count: sized(count),
        version: 0,
    };
    let wide = |partitions, rows| Rows::Wide {
        partitions,
        rows: sized(rows),
    };
    let tables = [
        ("kv", kv(1_000_000)),
        ("kv", kv(2_000_000)),
        ("wide", wide(1000, 1000)),
        ("wide", wide(2000, 1000)),
        ("one partition", wide(1, 1_000_000)),
        ("one partition", wide(1, 2_000_000)),
    ];
    for (name, rows) in tables {
        let mut sorted = Sorted::new(rows, true);
        group.throughput(Throughput::Elements(rows.count()));
        for format in Format::ALL {
            let id = BenchmarkId::new(format!("{name} {}", format.version()), rows.count());
            group.bench_function(id, |b| {
                // What is written is deleted out of the time.
                let directory = || tempfile::tempdir().expect("a directory");
                let write = |directory: tempfile::TempDir| {
                    write_sorted(&mut sorted, directory.path(), format).expect("an SSTable");
                    directory
                };
                b.iter_batched(directory, write, BatchSize::PerIteration);
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = sorted
}
criterion_main!(benches);
