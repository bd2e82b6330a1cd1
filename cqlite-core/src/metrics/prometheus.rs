//! The text that Prometheus scrapes.
//!
//! Authority: the text-based exposition format of Prometheus, version 0.0.4.

use super::{Snapshot, Summary, TableCount};
use std::fmt::{Display, Write};

/// A metric's name and labels, and the lines of it.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(
            self.0,
            "# HELP cqlite_{name} {help}\n# TYPE cqlite_{name} {kind}\n"
        );
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "cqlite_{name}");
        for (i, (label, value)) in labels.iter().enumerate() {
            let before = if i == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// Quantiles, sum and count, each value multiplied by `unit`.
    fn summary(&mut self, name: &str, labels: &[(&str, &str)], summary: &Summary, unit: f64) {
        let quantiles = [
            ("0.5", summary.p50),
            ("0.95", summary.p95),
            ("0.99", summary.p99),
            ("0.999", summary.p999),
        ];
        for (quantile, value) in quantiles {
            let mut labels = labels.to_vec();
            labels.push(("quantile", quantile));
            // Of no values there is no quantile.
            let value = if summary.recorded == 0 {
                f64::NAN
            } else {
                value as f64 * unit
            };
            self.sample(name, &labels, value);
        }
        self.sample(&format!("{name}_sum"), labels, summary.sum as f64 * unit);
        self.sample(&format!("{name}_count"), labels, summary.recorded);
    }
}

/// A label's value between quotes.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

const SECONDS: f64 = 1e-9;

impl Snapshot {
    /// As Prometheus reads it. Times are in seconds; the counts of summaries of times are those of the operations that were
    /// timed, `cqlite_operations_total` counts all.
    pub fn to_prometheus(&self) -> String {
        let mut text = Text(String::new());
        let t = &mut text;
        t.family("operations_total", "counter", "Operations that were begun.");
        for o in &self.operations {
            t.sample(
                "operations_total",
                &[("operation", o.operation.name())],
                o.count,
            );
        }
        let name = "operation_seconds";
        t.family(name, "summary", "How long operations took, of a sample.");
        for o in &self.operations {
            t.summary(
                name,
                &[("operation", o.operation.name())],
                &o.latency,
                SECONDS,
            );
        }
        t.family(
            "wait_seconds",
            "summary",
            "How long somebody waited who had to wait.",
        );
        for w in &self.waits {
            t.summary("wait_seconds", &[("for", w.what.name())], &w.time, SECONDS);
        }
        let name = "sstables_per_read";
        t.family(
            name,
            "summary",
            "SSTables that a read of a partition read from, of a sample.",
        );
        t.summary(name, &[], &self.sstables_per_read, 1.0);
        let name = "tombstones_per_read";
        t.family(
            name,
            "summary",
            "Tombstones that a read of a partition met, of a sample.",
        );
        t.summary(name, &[], &self.tombstones_per_read, 1.0);
        self.caches(t);
        self.sizes(t);
        self.tables(t);
        text.0
    }

    fn caches(&self, t: &mut Text) {
        let caches = [("chunks", &self.chunk_cache), ("keys", &self.key_cache)];
        let caches = caches.map(|(name, cache)| Some((name, cache.as_ref()?)));
        let caches: Vec<_> = caches.into_iter().flatten().collect();
        t.family("cache_lookups_total", "counter", "Lookups in a cache.");
        for (name, cache) in &caches {
            for (result, count) in [("hit", cache.hits), ("miss", cache.misses)] {
                t.sample(
                    "cache_lookups_total",
                    &[("cache", name), ("result", result)],
                    count,
                );
            }
        }
        for (metric, help) in [
            ("cache_bytes", "Bytes that a cache takes."),
            ("cache_capacity_bytes", "Bytes that a cache may take."),
            ("cache_entries", "What a cache keeps."),
        ] {
            t.family(metric, "gauge", help);
            for (name, cache) in &caches {
                let value = match metric {
                    "cache_bytes" => cache.bytes,
                    "cache_entries" => cache.entries,
                    _ => cache.capacity,
                };
                t.sample(metric, &[("cache", name)], value);
            }
        }
    }

    fn sizes(&self, t: &mut Text) {
        t.family("bytes_total", "counter", "Bytes that were read or written.");
        for (what, bytes) in [
            ("written", self.written_bytes),
            ("log_written", self.log_written_bytes),
            ("flushed", self.flushed_bytes),
            ("compaction_read", self.compaction_read_bytes),
            ("compaction_written", self.compaction_written_bytes),
        ] {
            t.sample("bytes_total", &[("what", what)], bytes);
        }
        if let Some(amplification) = self.write_amplification() {
            let help = "Bytes that flushes and compactions wrote for each byte that was flushed.";
            t.single("write_amplification", "gauge", help, amplification);
        }
        t.family("memory_bytes", "gauge", "Bytes of memory by component.");
        for (component, bytes) in [
            ("memtables", self.memory.memtables),
            ("chunk_cache", self.memory.chunk_cache),
            ("key_cache", self.memory.key_cache),
            ("filters_mapped", self.memory.filters_mapped),
            ("indexes_mapped", self.memory.indexes_mapped),
        ] {
            t.sample("memory_bytes", &[("component", component)], bytes);
        }
        let limit = self.memory.memtables_limit;
        t.single(
            "memtables_limit_bytes",
            "gauge",
            "Bytes that memtables may take.",
            limit,
        );
        let help = "Bytes that the segments of the commit log take.";
        t.single("log_bytes", "gauge", help, self.log_bytes);
        let help = "Bytes that the segments of the commit log may take.";
        t.single("log_limit_bytes", "gauge", help, self.log_limit_bytes);
        let help = "Tables that wait to be flushed, or are being flushed.";
        t.single("flushes_pending", "gauge", help, self.flushes_pending);
        let help = "Tables that wait to be compacted, or are being compacted.";
        let pending = self.compactions_pending;
        t.single("compactions_pending", "gauge", help, pending);
        let help = "How often memory became scarce.";
        t.single(
            "pressure_warnings_total",
            "counter",
            help,
            self.pressure_warnings,
        );
        let now = u8::from(self.is_under_pressure);
        t.single(
            "under_pressure",
            "gauge",
            "Whether memory is scarce: 1 or 0.",
            now,
        );
    }

    fn tables(&self, t: &mut Text) {
        t.family(
            "table_events_total",
            "counter",
            "What was counted of a table.",
        );
        for table in &self.tables {
            for what in TableCount::ALL {
                let labels = [
                    ("keyspace", table.keyspace.as_str()),
                    ("table", table.name.as_str()),
                    ("event", what.name()),
                ];
                t.sample("table_events_total", &labels, table.get(what));
            }
        }
        for (metric, help) in [
            ("table_sstables", "SSTables of a table."),
            ("table_bytes", "Bytes of Data.db of a table's SSTables."),
            (
                "table_memtable_bytes",
                "Bytes of a table's rows that are in no SSTable.",
            ),
        ] {
            t.family(metric, "gauge", help);
            for table in &self.tables {
                let value = match metric {
                    "table_sstables" => table.live_sstables,
                    "table_bytes" => table.live_bytes,
                    _ => table.memtable_bytes,
                };
                let labels = [
                    ("keyspace", table.keyspace.as_str()),
                    ("table", table.name.as_str()),
                ];
                t.sample(metric, &labels, value);
            }
        }
    }
}
