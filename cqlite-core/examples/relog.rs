//! Writes the mutations of a commit log into another directory's log: `relog <schema.cql> <log> <directory>`. Those of tables
//! that the schema does not have are left out. `scripts/judge_log` lets Cassandra replay what comes of it.

use cqlite_core::commitlog::{
    CommitLog, LogOptions, MutationReader, ReplayPolicy, Update, UpdateEncoder, replay, segments,
    start_mutation,
};
use cqlite_core::model::PartitionSource;
use cqlite_core::schema::parse_schema;
use std::path::Path;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [schema, from, to] = &*args else {
        return Err("usage: relog <schema.cql> <log> <directory>".into());
    };
    let schema = parse_schema(&std::fs::read_to_string(schema)?, None)?;
    let tables: Vec<_> = schema.tables.into_iter().map(Arc::new).collect();
    let options = LogOptions {
        segment_bytes: 1 << 20,
        ..LogOptions::default()
    };
    let log = CommitLog::open(Path::new(to), options)?;
    let find = |id: &[u8; 16]| tables.iter().find(|t| t.id == Some(*id)).cloned();
    let mut mutations = MutationReader::new(find);
    let mut bytes = Vec::new();
    let paths = segments(Path::new(from))?;
    let replayed = replay(paths, ReplayPolicy::Stop, &mut mutations, |_, update| {
        if let Update::Known { table, source } = update {
            bytes.clear();
            start_mutation(&mut bytes, 1);
            source.next_partition()?;
            UpdateEncoder::new(table)?.partition(&mut bytes, source)?;
            log.wait(log.append(&bytes)?)?;
        }
        Ok(())
    })?;
    println!(
        "{} mutations, up to {:?}",
        replayed.mutations,
        log.position()
    );
    Ok(())
}
