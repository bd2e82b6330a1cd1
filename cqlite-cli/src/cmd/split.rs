//! `split`: large SSTables as smaller ones.
//!
//! Authority: `o.a.c.tools.StandaloneSplitter`.

use crate::args::SplitArgs;
use crate::cmd::interrupt;
use crate::cmd::outputs::OutputDirectory;
use crate::cmd::rewrite::{needed_schema, open_all, rewrite_all};
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::Error;
use cqlite_core::sstable::directory;

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
        rewrite_all(&sstables, schema.as_ref(), &destination, &mut out)?;
    }
    if !has_split {
        tell("no SSTable needs splitting");
    }
    Ok(())
}
