//! Reads of 100 neighbouring rows of partitions of `wide`, one thread, with the files in the page cache.

use cqlite_benches::data::{Format, Rows};
use cqlite_benches::table::{Table, sized};
use cqlite_benches::work::{At, Query, SLICE_ROWS, Touched, rows, run_all, scan, slices};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const QUERIES: u64 = 20_000;
const CACHE_BYTES: u64 = 32 << 20;
/// Partitions of `wide` whose chunks fit the cache with room to spare.
const HOT_PARTITIONS: u64 = 250;

fn bench(c: &mut Criterion, group: &str, name: &str, format: Format, table: &Table, of: &[Query]) {
    let mut next = of.iter().cycle();
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(SLICE_ROWS));
    group.bench_function(BenchmarkId::new(name, format.version()), |b| {
        b.iter(|| {
            let mut touched = Touched::default();
            let query = next.next().expect("a query");
            query.run(table, &mut touched).expect("a read");
            touched
        });
    });
    group.finish();
}

/// Slices anywhere in partitions of 1000 rows.
fn wide(c: &mut Criterion) {
    let shape = Rows::Wide {
        partitions: sized(2000),
        rows: 1000,
    };
    for format in Format::ALL {
        let plain = Table::ensure(format, shape, 0).expect("a table");
        // Fills the page cache.
        scan(&plain).expect("a scan");
        let cached = Table::ensure(format, shape, CACHE_BYTES).expect("a table");
        for (order, reversed) in [("forward", false), ("reversed", true)] {
            let all = slices(shape, sized(QUERIES), u64::MAX, At::Random, reversed);
            let name = format!("{order}, no chunk cache");
            bench(c, "slice", &name, format, &plain, &all);
            let hot = slices(shape, sized(QUERIES), HOT_PARTITIONS, At::Random, reversed);
            run_all(&cached, &hot).expect("reads");
            let name = format!("{order}, chunks cached");
            bench(c, "slice", &name, format, &cached, &hot);
        }
        let single = rows(shape, sized(QUERIES));
        bench(c, "single row", "no chunk cache", format, &plain, &single);
    }
}

/// Where a slice lies in a partition of 100,000 rows must not matter.
fn place(c: &mut Criterion) {
    let shape = Rows::Wide {
        partitions: 1,
        rows: sized(100_000),
    };
    for format in Format::ALL {
        let plain = Table::ensure(format, shape, 0).expect("a table");
        let cached = Table::ensure(format, shape, CACHE_BYTES).expect("a table");
        for (name, at) in [
            ("start", At::Start),
            ("middle", At::Middle),
            ("end", At::End),
        ] {
            for (order, reversed) in [("forward", false), ("reversed", true)] {
                let queries = slices(shape, sized(QUERIES), 1, at, reversed);
                run_all(&cached, &queries).expect("reads");
                let group = "slice of 100,000 rows";
                let uncached = format!("{name} {order}, no chunk cache");
                bench(c, group, &uncached, format, &plain, &queries);
                let hot = format!("{name} {order}, chunks cached");
                bench(c, group, &hot, format, &cached, &queries);
            }
        }
    }
}

criterion_group!(benches, wide, place);
criterion_main!(benches);
