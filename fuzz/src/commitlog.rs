//! Segments of commit logs, and the mutations in them.

use cqlite_core::commitlog::{
    LogVersion, MutationReader, ReplayPolicy, SegmentReader, Update, UpdateEncoder, start_mutation,
};
use cqlite_core::io::Source;
use cqlite_core::model::PartitionSource;
use cqlite_core::schema::{TableSchema, parse_schema};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The tables that `commitlog` knows: those of the golden segments, a part of their columns.
const LOGGED: &str = "
CREATE TABLE log.simple (k int PRIMARY KEY, v text, n int) WITH ID = 10000000-0000-4000-8000-000000000001;
CREATE TABLE log.wide (k text, c int, d timestamp, s text static, m map<text, int> static, l list<int>, t set<text>,
    u frozen<list<text>>, v blob, PRIMARY KEY (k, c, d)) WITH ID = 10000000-0000-4000-8000-000000000002;
CREATE TABLE log.counts (k int PRIMARY KEY, n counter) WITH ID = 10000000-0000-4000-8000-000000000004;
CREATE TABLE log.changed (k int PRIMARY KEY, a int, gone text, b int) WITH ID = 10000000-0000-4000-8000-000000000005;
ALTER TABLE log.changed DROP gone USING TIMESTAMP 1700000001000000;";

/// A segment of a commit log if the first byte's lowest bit is set, else a mutation. What is read of a mutation can be
/// written, and is read the same again.
pub fn commitlog(input: &[u8]) {
    static TABLES: OnceLock<Vec<Arc<TableSchema>>> = OnceLock::new();
    let tables = TABLES.get_or_init(|| {
        let schema = parse_schema(LOGGED, None).unwrap_or_default();
        schema.tables.into_iter().map(Arc::new).collect()
    });
    let Some((&first, rest)) = input.split_first() else {
        return;
    };
    let mut reader = MutationReader::new(|id| tables.iter().find(|t| t.id == Some(*id)).cloned());
    let version = match first >> 1 & 3 {
        0 => LogVersion::V6,
        1 => LogVersion::V7,
        _ => LogVersion::V8,
    };
    if first & 1 == 0 {
        let mut again = Vec::new();
        let _ = reader.each_update(version, rest, |update| {
            if let Update::Known { table, source } = update {
                let mut encoder = UpdateEncoder::new(table)?;
                source.next_partition()?;
                again.clear();
                start_mutation(&mut again, 1);
                encoder.partition(&mut again, source)?;
            }
            Ok(())
        });
        return;
    }
    let policy = match first >> 3 & 3 {
        0 => ReplayPolicy::Stop,
        1 => ReplayPolicy::TolerateLast,
        _ => ReplayPolicy::Ignore,
    };
    let source = Source::new(Path::new("log"), rest.len() as u64, Box::new(rest.to_vec()));
    let Ok(Some(mut segment)) = SegmentReader::of_source(source, first & 32 != 0, policy) else {
        return;
    };
    while let Ok(true) = segment.advance() {
        let version = segment.descriptor().version;
        if let Some(record) = segment.record() {
            let _ = reader.each_update(version, record.mutation, |_| Ok(()));
        }
    }
}
