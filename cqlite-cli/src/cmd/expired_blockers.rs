//! `expired-blockers`: SSTables that keep expired ones from being dropped.
//!
//! Authority: `o.a.c.tools.SSTableExpiredBlockers`.

use crate::args::ExpiredBlockersArgs;
use crate::cmd::{now, schema_of, tables_of};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::compaction::blockers;
use cqlite_core::sstable::{Component, Format, OpenOptions, SSTable};
use std::sync::Arc;

/// Tells the blockers of each table.
pub fn run(args: &ExpiredBlockersArgs) -> Result<(), Failure> {
    let now = now(args.now);
    let mut out = Out::stdout()?;
    let mut found = false;
    for table in tables_of(&args.of)? {
        let mut sstables = Vec::new();
        for descriptor in table.readable()? {
            match SSTable::open_descriptor(descriptor.clone(), &OpenOptions::default()) {
                Ok(sstable) => sstables.push(sstable),
                Err(e) => {
                    let data = descriptor.path(&Component::Data);
                    let line = format!("Couldn't open sstable: {} ({e})\n", data.display());
                    out.text.extend_from_slice(line.as_bytes());
                }
            }
        }
        if sstables.is_empty() {
            continue;
        }
        found = true;
        let schema = schema_of(&table, &sstables, args.schema.as_deref(), now)?;
        let gc_before = now.saturating_sub(schema.table.options.gc_grace_seconds.into());
        for (blocker, blocked) in blockers(&sstables, gc_before) {
            let count = blocked.len();
            let blocked = blocked.iter().map(|&i| shown(&sstables[i]));
            let line = format!(
                "{} blocks {count} expired sstables from getting dropped: {}\n\n",
                shown(&sstables[blocker]),
                blocked.collect::<String>()
            );
            out.text.extend_from_slice(line.as_bytes());
        }
        out.flush()?;
    }
    out.flush()?;
    match found {
        true => Ok(()),
        false => {
            let names: Vec<String> = args
                .of
                .paths
                .iter()
                .map(|p| p.display().to_string())
                .collect();
            tell(format_args!("No sstables for {}", names.join(".")));
            Err(Failure::Said(2))
        }
    }
}

/// An SSTable with its times, as Cassandra shows it.
fn shown(sstable: &Arc<SSTable>) -> String {
    let class = match sstable.descriptor().format() {
        Format::Big => "BigTableReader:big",
        Format::Bti => "BtiTableReader:bti",
    };
    let path = sstable.data().source().path().display();
    let (min, max, deletion) = match sstable.statistics().stats.as_ref() {
        Some(s) => (s.min_timestamp, s.max_timestamp, s.max_local_deletion_time),
        None => (0, 0, 0),
    };
    format!("[{class}(path='{path}') (minTS = {min}, maxTS = {max}, maxLDT = {deletion})], ")
}
