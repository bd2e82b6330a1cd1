//! `repaired-set`: whether SSTables count as repaired, in their Statistics.db.
//!
//! Authority: `o.a.c.tools.SSTableRepairedAtSetter`.

use crate::args::RepairedSetArgs;
use crate::cmd::sstables;
use crate::failure::Failure;
use cqlite_core::sstable::Component;
use cqlite_core::sstable::component::statistics::Statistics;
use cqlite_core::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Marks the SSTables of all paths, which ends their part in a repair that goes on.
pub fn run(args: &RepairedSetArgs) -> Result<(), Failure> {
    let paths = match &args.file {
        Some(file) => listed(file)?,
        None => args.paths.clone(),
    };
    // All of them are looked at before the first is changed.
    let mut found = Vec::new();
    for path in &paths {
        for descriptor in sstables(path)? {
            let repaired_at = match args.is_repaired {
                true => written_at(&descriptor.path(&Component::Data))?,
                false => 0,
            };
            found.push((descriptor, repaired_at));
        }
    }
    for (descriptor, repaired_at) in &found {
        Statistics::mutate(descriptor, |stats| {
            stats.repaired_at = *repaired_at;
            stats.pending_repair = None;
            stats.is_transient = false;
        })?;
    }
    Ok(())
}

/// When a file was written, in milliseconds since 1970.
fn written_at(path: &Path) -> Result<i64> {
    let modified = std::fs::metadata(path).and_then(|m| m.modified());
    let modified = modified.map_err(|e| Error::io(path, e))?;
    let since = modified.duration_since(UNIX_EPOCH);
    Ok(since.map_or(0, |since| since.as_millis() as i64))
}

/// The paths of a file that has one a line.
fn listed(file: &Path) -> Result<Vec<PathBuf>> {
    let text = std::fs::read_to_string(file).map_err(|e| Error::io(file, e))?;
    let lines = text.lines().map(str::trim);
    Ok(lines.filter(|l| !l.is_empty()).map(PathBuf::from).collect())
}
