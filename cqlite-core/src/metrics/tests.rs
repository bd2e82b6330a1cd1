//! Snapshots as text, and what they advise.

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn snapshot() -> Snapshot {
    let registry = Arc::new(Metrics::default());
    let table = Arc::new(TableMetrics::new(registry.clone()));
    for _ in 0..130 {
        let read = table.begin_read(Operation::Read);
        table.note(&ReadStats {
            sstables: 2,
            by_filter: 3,
            ..ReadStats::default()
        });
        if let Some(mut read) = read {
            read.of_sstables(2);
            read.saw(true, 0);
            read.saw(false, 1);
        }
    }
    drop(table.begin_read(Operation::Scan));
    for _ in 0..129 {
        let began = registry.begin(Operation::Write);
        registry.end(Operation::Write, began);
    }
    registry.count(Count::FlushedBytes, 100);
    registry.count(Count::CompactionWrittenBytes, 50);
    registry.waited(Wait::Room, Duration::from_millis(3));
    let tables = vec![TableSnapshot {
        keyspace: "ks".into(),
        name: "a \"quoted\\name\"\nin two lines".into(),
        live_sstables: 3,
        filter_chance: 0.01,
        counts: table.counts(),
        ..TableSnapshot::default()
    }];
    let cache = CacheSnapshot {
        capacity: 100,
        bytes: 90,
        entries: 7,
        hits: 30,
        misses: 10,
    };
    Snapshot {
        chunk_cache: Some(cache),
        key_cache: Some(cache),
        flushes_pending: 2,
        compactions_pending: 3,
        ..registry.snapshot(tables)
    }
}

#[test]
fn counts_are_exact_and_times_of_a_sample() {
    let snapshot = snapshot();
    let read = snapshot.operation(Operation::Read).unwrap();
    assert_eq!((read.count, read.latency.recorded), (130, 3));
    let scan = snapshot.operation(Operation::Scan).unwrap();
    assert_eq!((scan.count, scan.latency.recorded), (1, 1));
    let write = snapshot.operation(Operation::Write).unwrap();
    assert_eq!((write.count, write.latency.recorded), (129, 3));
    assert_eq!(snapshot.sstables_per_read.recorded, 3);
    assert_eq!(snapshot.sstables_per_read.max, 2);
    let table = &snapshot.tables[0];
    assert_eq!(table.get(TableCount::SkippedByFilter), 390);
    assert_eq!(table.get(TableCount::SkippedByNewer), 0);
    assert_eq!(table.get(TableCount::SSTables), 260);
    assert_eq!(table.sstables_per_read(), Some(2.0));
    assert_eq!(table.tombstone_share(), Some(0.5));
    assert_eq!(table.false_positive_rate(), Some(0.0));
    assert_eq!(snapshot.write_amplification(), Some(1.5));
    let [.., room] = &snapshot.waits[..] else {
        panic!()
    };
    assert_eq!((room.time.recorded, room.time.max), (1, 3_000_000));
}

#[test]
fn what_was_counted_of_a_table_that_is_gone_stays() {
    let registry = Arc::new(Metrics::default());
    let table = Arc::new(TableMetrics::new(registry.clone()));
    let mut timed = (0..20).filter_map(|_| table.begin_read(Operation::Slice));
    timed.by_ref().for_each(drop);
    drop(timed);
    drop(table);
    let snapshot = registry.snapshot(Vec::new());
    assert_eq!(snapshot.operation(Operation::Slice).unwrap().count, 20);
}

#[test]
fn a_lock_that_another_has_is_waited_for_and_noted() {
    let registry = Metrics::default();
    let mutex = Mutex::new(0);
    drop(registry.lock(Wait::Log, &mutex));
    let waited = || registry.snapshot(Vec::new()).waits[Wait::Log as usize].time;
    assert_eq!(waited().recorded, 0);
    // Held for longer each time, until the other one came while it was held.
    for millis in 0.. {
        std::thread::scope(|scope| {
            let held = mutex.lock().unwrap();
            let waiting = scope.spawn(|| *registry.lock(Wait::Log, &mutex));
            std::thread::sleep(Duration::from_millis(millis));
            drop(held);
            assert_eq!(waiting.join().unwrap(), 0);
        });
        if waited().recorded > 0 {
            break;
        }
    }
    assert_eq!(waited().recorded, 1);
}

/// A line of a sample: name, labels and value.
fn parse_sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let name_end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, quoted) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let mut value = String::new();
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next().unwrap() {
                    (i, '"') => break i,
                    (_, '\\') => value.push(match chars.next().unwrap().1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        c => panic!("\\{c} in {line}"),
                    }),
                    (_, c) => value.push(c),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = &quoted[end + 1..];
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap();
    }
    let value = rest.strip_prefix(' ').unwrap();
    (name.to_owned(), labels, value.parse().unwrap())
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}

#[test]
fn the_text_is_valid_and_says_what_the_snapshot_does() {
    let snapshot = snapshot();
    let text = snapshot.to_prometheus();
    assert!(text.ends_with('\n'));
    let mut families = BTreeSet::new();
    let mut samples = BTreeMap::new();
    let mut family: Option<(String, String)> = None;
    let mut helped = None;
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty());
            helped = Some(name.to_owned());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(helped.as_deref(), Some(name));
            assert!(["counter", "gauge", "summary"].contains(&kind), "{line}");
            assert!(is_name(name) && families.insert(name.to_owned()), "{line}");
            // The convention that counters end so is one of the format OpenMetrics.
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (name, labels, value) = parse_sample(line);
            let (of, kind) = family.as_ref().unwrap();
            let belongs = match kind.as_str() {
                "summary" => match name.strip_prefix(of.as_str()).unwrap() {
                    "" => labels.contains_key("quantile"),
                    rest => ["_sum", "_count"].contains(&rest) && !labels.contains_key("quantile"),
                },
                _ => name == *of && !value.is_nan(),
            };
            assert!(belongs, "{line} in {of}");
            assert!(kind == "gauge" || value.is_nan() || value >= 0.0, "{line}");
            assert!(
                samples.insert((name, labels), value).is_none(),
                "twice: {line}"
            );
        }
    }
    let get = |name: &str, labels: &[(&str, &str)]| {
        let labels = labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        samples[&(format!("cqlite_{name}"), labels.collect())]
    };
    assert_eq!(get("operations_total", &[("operation", "read")]), 130.0);
    assert_eq!(get("wait_seconds_sum", &[("for", "room")]), 0.003);
    let table = [
        ("keyspace", "ks"),
        ("table", snapshot.tables[0].name.as_str()),
        ("event", "skipped_by_filter"),
    ];
    assert_eq!(get("table_events_total", &table), 390.0);
    assert_eq!(
        get(
            "cache_lookups_total",
            &[("cache", "keys"), ("result", "hit")]
        ),
        30.0
    );
    assert_eq!(get("write_amplification", &[]), 1.5);
    assert_eq!(get("flushes_pending", &[]), 2.0);
    assert_eq!(get("compactions_pending", &[]), 3.0);
    assert!(
        get(
            "operation_seconds",
            &[("operation", "flush"), ("quantile", "0.5")]
        )
        .is_nan()
    );
    let of_writes = |quantile| {
        get(
            "operation_seconds",
            &[("operation", "write"), ("quantile", quantile)],
        )
    };
    assert!(of_writes("0.5") <= of_writes("0.99"));
}

#[test]
fn json_has_what_the_snapshot_has() {
    let json = snapshot().to_json();
    assert_eq!(json["operations"]["read"]["count"], 130);
    assert_eq!(json["operations"]["flush"]["recorded"], 0);
    assert_eq!(json["tables"][0]["counts"]["skipped_by_filter"], 390);
    assert_eq!(json["chunk_cache"]["hit_rate"], 0.75);
    assert_eq!(json["waits"]["room"]["max_ns"], 3_000_000);
    assert_eq!(json["bytes"]["compaction_written"], 50);
    assert_eq!(
        json["queues"],
        serde_json::json!({"flushes": 2, "compactions": 3})
    );
    assert_eq!(json["advice"], serde_json::json!([]));
}

/// What is advised of a table with these counts, of which the filters are to let 1 % through.
fn advised(counts: &[(TableCount, u64)]) -> Vec<Advice> {
    let mut table = TableSnapshot {
        keyspace: "ks".into(),
        name: "t".into(),
        filter_chance: 0.01,
        ..TableSnapshot::default()
    };
    for (what, n) in counts {
        table.counts[*what as usize] = *n;
    }
    let snapshot = Snapshot {
        tables: vec![table],
        ..Snapshot::default()
    };
    snapshot.advice()
}

#[test]
fn each_advice_begins_beyond_its_threshold() {
    use TableCount::*;
    let cases = [
        // SSTables a read: 4 is fine, more is not; of 999 reads nothing is said.
        (vec![(Reads, 600), (Slices, 400), (SSTables, 4000)], None),
        (
            vec![(Reads, 600), (Slices, 400), (SSTables, 4001)],
            Some((Finding::TooManySSTables, 4.001, 4.0, 1000)),
        ),
        (vec![(Reads, 999), (SSTables, 9000)], None),
        // Tombstones: up to half of what is met.
        (vec![(SampledRows, 100), (SampledTombstones, 100)], None),
        (
            vec![(SampledRows, 100), (SampledTombstones, 300)],
            Some((Finding::TombstoneHeavy, 0.75, 0.5, 400)),
        ),
        (vec![(SampledRows, 1), (SampledTombstones, 98)], None),
        // Filters: up to twice what they are to let through.
        (vec![(FalsePositives, 20), (SkippedByFilter, 980)], None),
        (
            vec![(FalsePositives, 50), (SkippedByFilter, 950)],
            Some((Finding::UndersizedFilter, 0.05, 0.02, 1000)),
        ),
        (vec![(FalsePositives, 500), (SkippedByFilter, 499)], None),
    ];
    for (counts, expected) in cases {
        let advice = advised(&counts);
        let found = advice
            .iter()
            .map(|a| (a.finding, a.measured, a.threshold, a.samples));
        assert_eq!(
            found.collect::<Vec<_>>(),
            Vec::from_iter(expected),
            "{counts:?}"
        );
        assert!(advice.iter().all(|a| a.subject == "ks.t"));
    }
}

#[test]
fn a_cache_that_is_full_and_misses_is_too_small() {
    let advised = |bytes, hits, misses| {
        let cache = CacheSnapshot {
            capacity: 1000,
            bytes,
            entries: 1,
            hits,
            misses,
        };
        let snapshot = Snapshot {
            chunk_cache: Some(cache),
            ..Snapshot::default()
        };
        snapshot.advice()
    };
    assert_eq!(advised(1000, 800, 200), []);
    assert_eq!(advised(899, 700, 300), []);
    assert_eq!(advised(1000, 300, 699), []);
    let advice = advised(900, 799, 201);
    assert_eq!(advice.len(), 1);
    assert_eq!(advice[0].finding, Finding::LowHitRate);
    assert_eq!((advice[0].measured, advice[0].samples), (0.799, 1000));
    assert_eq!(
        advice[0].to_string(),
        "chunk cache: low_hit_rate (0.799, threshold 0.800, of 1000): give it more memory, or read fewer different \
         partitions at a time"
    );
}
