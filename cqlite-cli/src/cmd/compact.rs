//! `compact`: the SSTables of a table merged and purged.
//!
//! Authority: `o.a.c.db.compaction.CompactionTask`.

use crate::args::CompactArgs;
use crate::cmd::outputs::{OutputDirectory, commit, watched};
use crate::cmd::progress::Progress;
use crate::cmd::{interrupt, joined, now, open, schema_of};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::compaction::Compaction;
use cqlite_core::sstable::{TableDirectory, directory};

/// Compacts each table of the paths.
pub fn run(args: &CompactArgs) -> Result<(), Failure> {
    interrupt::watch();
    let now = now(args.now);
    let mut parts = Vec::new();
    for path in &args.paths {
        parts.extend(directory::resolve(path)?);
    }
    let parts = joined(parts);
    for part in &parts {
        part.readable()?;
    }
    let tables = by_table(parts);
    let several = tables.len() > 1;
    let mut out = Out::stdout()?;
    for parts in &tables {
        compact(args, parts, several, now, &mut out)?;
    }
    Ok(())
}

/// A table may lie in several directories: those of one name, and all that have none.
fn by_table(parts: Vec<TableDirectory>) -> Vec<Vec<TableDirectory>> {
    let mut tables: Vec<Vec<TableDirectory>> = Vec::new();
    for part in parts {
        match tables.iter_mut().find(|table| table[0].name == part.name) {
            Some(table) => table.push(part),
            None => tables.push(vec![part]),
        }
    }
    tables
}

fn compact(
    args: &CompactArgs,
    parts: &[TableDirectory],
    several: bool,
    now: i64,
    out: &mut Out,
) -> Result<(), Failure> {
    let (mut inputs, mut others) = (Vec::new(), Vec::new());
    for part in parts {
        for descriptor in &part.sstables {
            inputs.push(open(descriptor)?);
        }
        for whole in directory::resolve(&in_place(part))? {
            let rest = whole.readable()?.iter();
            for descriptor in rest.filter(|d| !part.sstables.iter().any(|own| own.id == d.id)) {
                others.push(open(descriptor)?);
            }
        }
    }
    let (Some(first), false) = (parts.first(), inputs.is_empty()) else {
        return Ok(());
    };
    let output = OutputDirectory::make(&args.output.out, first, several)?;
    for part in &parts[1..] {
        OutputDirectory::make(&args.output.out, part, several)?;
    }
    let destination = output.destination(&args.output, args.max_sstable_size, "compaction")?;
    let schema = schema_of(first, &inputs, args.schema.as_deref(), now)?;
    let compaction = Compaction {
        schema: schema.table,
        inputs,
        others,
        memtables: Vec::new(),
        now,
        gc_before: args.gc_before,
        level: 0,
        ignores_overlaps: false,
        host: None,
    };
    let progress = Progress::default();
    commit(&destination, out, |transaction| {
        let what = first.directory.display().to_string();
        let mut watch = watched(&compaction.inputs, &what, &progress);
        let done = compaction.run(transaction, &destination, &mut *watch);
        let compacted = progress.interrupt(|| done)?;
        if compacted.written.is_empty() {
            tell(format_args!("{what}: nothing is left of it"));
        }
        Ok(compacted.written)
    })
}

fn in_place(part: &TableDirectory) -> std::path::PathBuf {
    match part.directory.as_os_str().is_empty() {
        true => ".".into(),
        false => part.directory.clone(),
    }
}
