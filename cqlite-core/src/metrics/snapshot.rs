//! What was measured up to a moment, and what is there at that moment.

use super::{Count, Metrics, Operation, Summary, TableCount, TableMetrics, Wait};
use serde_json::{Map, Value, json};

/// The measures of a database. Times are in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Each of [`Operation::ALL`].
    pub operations: Vec<OperationSnapshot>,
    /// Each of [`Wait::ALL`].
    pub waits: Vec<WaitSnapshot>,
    /// SSTables that one read of a partition read from, over all tables; of a sample.
    pub sstables_per_read: Summary,
    /// Tombstones that one read of a partition met, over all tables; of a sample.
    pub tombstones_per_read: Summary,
    /// The tables, by their names.
    pub tables: Vec<TableSnapshot>,
    /// The cache of chunks, if there is one.
    pub chunk_cache: Option<CacheSnapshot>,
    /// The cache of keys, if there is one.
    pub key_cache: Option<CacheSnapshot>,
    /// Bytes of changes, as memtables are given them.
    pub written_bytes: u64,
    /// Bytes of mutations that were appended to the commit log.
    pub log_written_bytes: u64,
    /// Bytes of Data.db that flushes wrote.
    pub flushed_bytes: u64,
    /// Bytes of Data.db that compactions read.
    pub compaction_read_bytes: u64,
    /// Bytes of Data.db that compactions wrote.
    pub compaction_written_bytes: u64,
    /// Bytes that the commit log's segments take.
    pub log_bytes: u64,
    /// Bytes that they may take.
    pub log_limit_bytes: u64,
    /// Tables that wait to be flushed, or are being flushed.
    pub flushes_pending: u64,
    /// Tables that wait for their compaction strategies to be asked, or are being compacted.
    pub compactions_pending: u64,
    /// Where memory goes.
    pub memory: MemorySnapshot,
    /// How often memory became scarce.
    pub pressure_warnings: u64,
    /// Whether it is now.
    pub is_under_pressure: bool,
}

/// An operation: how often, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationSnapshot {
    /// Which.
    pub operation: Operation,
    /// How often it was begun.
    pub count: u64,
    /// How long it took, of those that were timed.
    pub latency: Summary,
}

/// Waits for one thing: those that did not wait are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitSnapshot {
    /// For what.
    pub what: Wait,
    /// How long.
    pub time: Summary,
}

/// A cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSnapshot {
    /// Bytes that it may take.
    pub capacity: u64,
    /// Bytes that it takes.
    pub bytes: u64,
    /// What it keeps.
    pub entries: u64,
    /// Lookups that found something.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
}

impl CacheSnapshot {
    /// Share of lookups that found something; `None` without any.
    pub fn hit_rate(&self) -> Option<f64> {
        share(self.hits, self.hits + self.misses)
    }
}

/// Bytes by component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemorySnapshot {
    /// Rows that are in no SSTable.
    pub memtables: u64,
    /// What they may take.
    pub memtables_limit: u64,
    /// Decompressed chunks.
    pub chunk_cache: u64,
    /// Keys.
    pub key_cache: u64,
    /// Filters: mapped files, which the system may take away.
    pub filters_mapped: u64,
    /// Indexes and summaries: mapped files, which the system may take away.
    pub indexes_mapped: u64,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableSnapshot {
    /// Its keyspace.
    pub keyspace: String,
    /// Its name.
    pub name: String,
    /// Its SSTables.
    pub live_sstables: u64,
    /// Bytes of their Data.db.
    pub live_bytes: u64,
    /// Bytes of its rows that are in no SSTable.
    pub memtable_bytes: u64,
    /// Share of absent keys that its filters are to let through.
    pub filter_chance: f64,
    /// By the numbers of [`TableCount`].
    pub counts: [u64; TableCount::ALL.len()],
}

impl TableSnapshot {
    /// What was counted.
    pub fn get(&self, what: TableCount) -> u64 {
        self.counts[what as usize]
    }

    /// Reads of one partition, in whole or in part.
    pub fn partition_reads(&self) -> u64 {
        self.get(TableCount::Reads) + self.get(TableCount::Slices)
    }

    /// SSTables that a read of one partition read from, on average; `None` without reads.
    pub fn sstables_per_read(&self) -> Option<f64> {
        share(self.get(TableCount::SSTables), self.partition_reads())
    }

    /// Tombstones for each row that was read, of a sample; `None` if neither was met.
    pub fn tombstone_share(&self) -> Option<f64> {
        let tombstones = self.get(TableCount::SampledTombstones);
        let rows = self.get(TableCount::SampledRows);
        share(tombstones, tombstones + rows)
    }

    /// Share of absent keys that the filters let through; `None` without lookups of such.
    pub fn false_positive_rate(&self) -> Option<f64> {
        let wrong = self.get(TableCount::FalsePositives);
        share(wrong, wrong + self.get(TableCount::SkippedByFilter))
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Metrics {
    /// What was measured, without what only the database knows: its tables, caches, log and memory.
    pub fn snapshot(&self, tables: Vec<TableSnapshot>) -> Snapshot {
        let total = |what: TableCount| {
            let tables = tables.iter().map(|table| table.get(what));
            tables.sum::<u64>() + self.gone.get(what as usize)
        };
        let count = |operation| match operation {
            Operation::Read => total(TableCount::Reads),
            Operation::Slice => total(TableCount::Slices),
            Operation::Scan => total(TableCount::Scans),
            other => self.operations.get(other as usize),
        };
        let operations = Operation::ALL.map(|operation| OperationSnapshot {
            operation,
            count: count(operation),
            latency: self.latencies[operation as usize].summary(),
        });
        let waits = Wait::ALL.map(|what| WaitSnapshot {
            what,
            time: self.waits[what as usize].summary(),
        });
        Snapshot {
            operations: operations.to_vec(),
            waits: waits.to_vec(),
            sstables_per_read: self.sstables_per_read.summary(),
            tombstones_per_read: self.tombstones_per_read.summary(),
            written_bytes: self.get(Count::WrittenBytes),
            log_written_bytes: self.get(Count::LogBytes),
            flushed_bytes: self.get(Count::FlushedBytes),
            compaction_read_bytes: self.get(Count::CompactionReadBytes),
            compaction_written_bytes: self.get(Count::CompactionWrittenBytes),
            pressure_warnings: self.get(Count::PressureWarnings),
            tables,
            ..Snapshot::default()
        }
    }
}

impl TableMetrics {
    /// What was counted, in the order of [`TableCount::ALL`].
    pub fn counts(&self) -> [u64; TableCount::ALL.len()] {
        TableCount::ALL.map(|what| self.get(what))
    }
}

impl Snapshot {
    /// How often an operation was begun, and how long it took.
    pub fn operation(&self, operation: Operation) -> Option<&OperationSnapshot> {
        self.operations.iter().find(|o| o.operation == operation)
    }

    /// Bytes that flushes and compactions wrote for each byte that was flushed; `None` before the first flush.
    pub fn write_amplification(&self) -> Option<f64> {
        let all = self.flushed_bytes + self.compaction_written_bytes;
        share(all, self.flushed_bytes)
    }

    /// As JSON: times in nanoseconds, sizes in bytes.
    pub fn to_json(&self) -> Value {
        let operations = self.operations.iter().map(|o| {
            let mut value = summary(&o.latency, "_ns");
            value.insert("count".into(), o.count.into());
            (o.operation.name().to_owned(), value.into())
        });
        let waits = self.waits.iter();
        let waits = waits.map(|w| (w.what.name().to_owned(), summary(&w.time, "_ns").into()));
        json!({
            "operations": Map::from_iter(operations),
            "waits": Map::from_iter(waits),
            "sstables_per_read": summary(&self.sstables_per_read, ""),
            "tombstones_per_read": summary(&self.tombstones_per_read, ""),
            "tables": self.tables.iter().map(table).collect::<Vec<_>>(),
            "chunk_cache": self.chunk_cache.as_ref().map(cache),
            "key_cache": self.key_cache.as_ref().map(cache),
            "bytes": {
                "written": self.written_bytes,
                "log_written": self.log_written_bytes,
                "flushed": self.flushed_bytes,
                "compaction_read": self.compaction_read_bytes,
                "compaction_written": self.compaction_written_bytes,
            },
            "write_amplification": self.write_amplification(),
            "log": { "bytes": self.log_bytes, "limit_bytes": self.log_limit_bytes },
            "queues": { "flushes": self.flushes_pending, "compactions": self.compactions_pending },
            "memory": {
                "memtables": self.memory.memtables,
                "memtables_limit": self.memory.memtables_limit,
                "chunk_cache": self.memory.chunk_cache,
                "key_cache": self.memory.key_cache,
                "filters_mapped": self.memory.filters_mapped,
                "indexes_mapped": self.memory.indexes_mapped,
            },
            "pressure": { "warnings": self.pressure_warnings, "is_now": self.is_under_pressure },
            "advice": self.advice().iter().map(super::Advice::to_json).collect::<Vec<_>>(),
        })
    }
}

fn summary(summary: &Summary, unit: &str) -> Map<String, Value> {
    let values = [
        ("p50", summary.p50),
        ("p95", summary.p95),
        ("p99", summary.p99),
        ("p999", summary.p999),
        ("max", summary.max),
        ("sum", summary.sum),
    ];
    let values = values.map(|(name, value)| (format!("{name}{unit}"), value.into()));
    let recorded = ("recorded".to_owned(), summary.recorded.into());
    std::iter::once(recorded).chain(values).collect()
}

fn cache(cache: &CacheSnapshot) -> Value {
    json!({
        "capacity_bytes": cache.capacity,
        "bytes": cache.bytes,
        "entries": cache.entries,
        "hits": cache.hits,
        "misses": cache.misses,
        "hit_rate": cache.hit_rate(),
    })
}

fn table(table: &TableSnapshot) -> Value {
    let counts = TableCount::ALL.map(|what| (what.name().to_owned(), table.get(what).into()));
    json!({
        "keyspace": table.keyspace,
        "table": table.name,
        "live_sstables": table.live_sstables,
        "live_bytes": table.live_bytes,
        "memtable_bytes": table.memtable_bytes,
        "counts": Map::from_iter(counts),
        "sstables_per_read": table.sstables_per_read(),
        "false_positive_rate": table.false_positive_rate(),
        "filter_fp_chance": table.filter_chance,
        "tombstone_share": table.tombstone_share(),
    })
}
