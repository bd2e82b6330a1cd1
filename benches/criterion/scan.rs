//! Full scans: every cell of both tables in both formats, and whether their time grows with the data alone.
//!
//! The files are in the page cache, since they have just been written or read. One thread; no chunk cache.

use cqlite_benches::data::{Format, Rows};
use cqlite_benches::table::{Table, sized};
use cqlite_benches::work::{scan, scan_table};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;

fn kv(count: u64) -> Rows {
    Rows::Kv {
        first: 0,
        count: sized(count),
        version: 0,
    }
}

fn wide(partitions: u64, rows: u64) -> Rows {
    match partitions {
        1 => Rows::Wide {
            partitions,
            rows: sized(rows),
        },
        _ => Rows::Wide {
            partitions: sized(partitions),
            rows,
        },
    }
}

fn open(format: Format, rows: Rows) -> Table {
    let table = Table::ensure(format, rows, 0).expect("a table");
    // Fills the page cache.
    scan(&table).expect("a scan");
    table
}

/// The two tables as a whole: by the cursor over one Data.db, and by the merge that queries go through.
fn full(c: &mut Criterion) {
    let mut group = c.benchmark_group("full scan");
    group.measurement_time(Duration::from_secs(10));
    for rows in [kv(2_000_000), wide(2000, 1000)] {
        group.throughput(Throughput::Elements(rows.count()));
        for format in Format::ALL {
            let table = open(format, rows);
            let id = |of| BenchmarkId::new(format!("{} of {of}", rows.table()), format.version());
            group.bench_function(id("SSTable"), |b| b.iter(|| scan(&table)));
            group.bench_function(id("table"), |b| b.iter(|| scan_table(&table)));
        }
    }
    group.finish();
}

/// Time a row must not depend on the count of partitions, nor on the count of rows in one partition.
fn linearity(c: &mut Criterion) {
    let mut group = c.benchmark_group("linearity");
    let tables = [
        ("kv", [kv(250_000), kv(500_000), kv(1_000_000)]),
        ("wide", [wide(250, 1000), wide(500, 1000), wide(1000, 1000)]),
        (
            "one partition",
            [wide(1, 250_000), wide(1, 500_000), wide(1, 1_000_000)],
        ),
    ];
    for (name, sizes) in tables {
        for format in Format::ALL {
            for rows in sizes {
                let table = open(format, rows);
                group.throughput(Throughput::Elements(rows.count()));
                let id = format!("{name} {} {}", format.version(), rows.count());
                group.bench_function(id, |b| b.iter(|| scan(&table)));
            }
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = full, linearity
}
criterion_main!(benches);
