//! Reads of one partition of `kv` by its key, in random order, one thread, with the files in the page cache.

use cqlite_benches::data::{Format, Rows};
use cqlite_benches::table::{Table, sized};
use cqlite_benches::work::{Query, Touched, hits, hot_hits, misses, scan};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const QUERIES: u64 = 200_000;
const CACHE_BYTES: u64 = 32 << 20;

fn point(c: &mut Criterion) {
    let rows = Rows::Kv {
        first: 0,
        count: sized(2_000_000),
        version: 0,
    };
    let mut group = c.benchmark_group("point read");
    for format in Format::ALL {
        let mut bench = |name, table: &Table, queries: &[Query]| {
            let mut next = queries.iter().cycle();
            group.bench_function(BenchmarkId::new(name, format.version()), |b| {
                b.iter(|| {
                    let mut touched = Touched::default();
                    let query = next.next().expect("a query");
                    query.run(table, &mut touched).expect("a read");
                    touched
                });
            });
        };
        let plain = Table::ensure(format, rows, 0).expect("a table");
        // Fills the page cache.
        scan(&plain).expect("a scan");
        bench("hit, no chunk cache", &plain, &hits(rows, sized(QUERIES)));
        bench("miss", &plain, &misses(rows, sized(QUERIES)));

        // All chunks that are asked for fit, and are there before it starts.
        let cached = Table::ensure(format, rows, CACHE_BYTES).expect("a table");
        let hot = hot_hits(&cached, sized(QUERIES), CACHE_BYTES / 4 * 3).expect("a scan");
        let mut touched = Touched::default();
        for query in &hot {
            query.run(&cached, &mut touched).expect("a read");
        }
        bench("hit, hot chunks cached", &cached, &hot);
    }
    group.finish();
}

criterion_group!(benches, point);
criterion_main!(benches);
