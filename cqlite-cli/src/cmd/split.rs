//! `split`: large SSTables as smaller ones.
//!
//! Authority: `o.a.c.tools.StandaloneSplitter`.

use crate::args::SplitArgs;
use crate::cmd::interrupt;
use crate::cmd::outputs::{OutputDirectory, commit, watched};
use crate::cmd::progress::Progress;
use crate::cmd::rewrite::{needed_schema, open_all};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::compaction::rewrite;
use cqlite_core::sstable::directory;
use cqlite_core::{Error, Result as CoreResult};

const MIB: u64 = 1 << 20;

/// Splits all SSTables of all paths that are longer than the size.
pub fn run(args: &SplitArgs) -> Result<(), Failure> {
    interrupt::watch();
    let size = args
        .size
        .checked_mul(MIB)
        .filter(|&size| size > 0)
        .ok_or_else(|| Error::invalid("the size of a part makes no sense"))?;
    let mut tables = Vec::new();
    for path in &args.paths {
        tables.extend(directory::resolve(path)?);
    }
    tables = super::joined(tables);
    for table in &tables {
        table.readable()?;
    }
    let several = tables.len() > 1;
    let mut out = Out::stdout()?;
    let mut has_split = false;
    for table in &tables {
        let mut sstables = open_all(table)?;
        sstables.retain(|sstable| {
            let length = sstable.data().source().len();
            let is_long = length > size;
            if !is_long {
                tell(format_args!(
                    "{}: skipped, for its {:.3} MiB are not more than {}",
                    sstable.descriptor(),
                    length as f64 / MIB as f64,
                    args.size
                ));
            }
            is_long
        });
        if sstables.is_empty() {
            continue;
        }
        has_split = true;
        let output = OutputDirectory::make(&args.output.out, table, several)?;
        let destination = output.destination(&args.output, Some(size), "compaction")?;
        let schema = needed_schema(table, &sstables, args.schema.as_deref())?;
        let progress = Progress::default();
        commit(&destination, &mut out, |transaction| {
            let mut written = Vec::new();
            for sstable in &sstables {
                let what = sstable.descriptor().base_name();
                let mut watch = watched(std::slice::from_ref(sstable), &what, &progress);
                let schema = schema.as_ref();
                let done: CoreResult<_> =
                    rewrite(sstable, schema, transaction, &destination, &mut *watch);
                written.extend(progress.interrupt(|| done)?);
            }
            Ok(written)
        })?;
    }
    if !has_split {
        tell("no SSTable needs splitting");
    }
    Ok(())
}
