//! `rewrite`: SSTables of any version that is read, written anew in one that is written.
//!
//! Authority: `o.a.c.tools.StandaloneUpgrader`.

use crate::args::RewriteArgs;
use crate::cmd::outputs::{OutputDirectory, commit, watched};
use crate::cmd::progress::Progress;
use crate::cmd::{interrupt, now, open, schema_of};
use crate::failure::Failure;
use crate::output::Out;
use cqlite_core::compaction::{Destination, needs_schema, rewrite};
use cqlite_core::schema::TableSchema;
use cqlite_core::sstable::{SSTable, TableDirectory, directory};
use std::path::Path;
use std::sync::Arc;

/// Writes all SSTables of a path anew, each as one.
pub fn run(args: &RewriteArgs) -> Result<(), Failure> {
    interrupt::watch();
    let mut tables = directory::resolve(&args.path)?;
    for table in &tables {
        table.readable()?;
    }
    let several = tables.len() > 1;
    tables.retain(|table| !table.sstables.is_empty());
    let mut out = Out::stdout()?;
    for table in &tables {
        let output = OutputDirectory::make(&args.output.out, table, several)?;
        let destination = output.destination(&args.output, None, "upgradesstables")?;
        let sstables = open_all(table)?;
        let schema = needed_schema(table, &sstables, args.schema.as_deref())?;
        rewrite_all(&sstables, schema.as_ref(), &destination, &mut out)?;
    }
    Ok(())
}

/// Writes SSTables of one table anew, each on its own, in one transaction.
pub fn rewrite_all(
    sstables: &[Arc<SSTable>],
    schema: Option<&TableSchema>,
    destination: &Destination<'_>,
    out: &mut Out,
) -> Result<(), Failure> {
    let progress = Progress::default();
    commit(destination, out, |transaction| {
        let mut written = Vec::new();
        for sstable in sstables {
            let what = sstable.descriptor().base_name();
            let mut watch = watched(std::slice::from_ref(sstable), &what, &progress);
            let done = rewrite(sstable, schema, transaction, destination, &mut *watch);
            written.extend(progress.interrupt(|| done)?);
        }
        Ok(written)
    })
}

/// The table's SSTables, opened.
pub fn open_all(table: &TableDirectory) -> Result<Vec<Arc<SSTable>>, Failure> {
    table.sstables.iter().map(open).collect()
}

/// The table's schema, where an SSTable cannot be read without it.
pub fn needed_schema(
    table: &TableDirectory,
    sstables: &[Arc<SSTable>],
    file: Option<&Path>,
) -> Result<Option<TableSchema>, Failure> {
    if !sstables.iter().any(|s| needs_schema(s)) {
        return Ok(None);
    }
    let found = schema_of(table, sstables, file, now(None))?;
    Ok(found.source.is_some().then_some(found.table))
}
