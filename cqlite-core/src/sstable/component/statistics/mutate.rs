//! Replaces Statistics.db of an SSTable that stays what it is: its level and its repair state may change.
//!
//! Authority: `o.a.c.io.sstable.metadata.MetadataSerializer.mutate`.

use super::{ClusteringRange, Statistics, Stats};
use crate::io::{Mapped, Output, sync_directory};
use crate::sstable::descriptor::{Component, Descriptor};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

impl Statistics {
    /// Writes Statistics.db anew with what `change` makes of its counts, ranges and histograms: beside the old file first,
    /// which it then replaces. After a crash it is the one or the other.
    ///
    /// Like Cassandra it does not keep what readers clear anyway: counts without a bound, impossible times of death, and
    /// clusterings of versions that kept them wrong.
    ///
    /// # Errors
    /// `Corrupt`, `InvalidInput` for what the version cannot hold, `Io`: the old file is as it was.
    pub fn mutate(descriptor: &Descriptor, change: impl FnOnce(&mut Stats)) -> Result<()> {
        let version = descriptor.version;
        let path = descriptor.path(&Component::Statistics);
        let mut statistics = Self::parse(&Mapped::open(&path)?, version)?;
        let stats = statistics
            .stats
            .as_mut()
            .ok_or_else(|| Error::corrupt("the component STATS is missing").in_file(&path))?;
        for histogram in [&mut stats.partition_size, &mut stats.cells_per_partition] {
            if let Some(unbounded) = histogram.counts.last_mut() {
                *unbounded = 0;
            }
        }
        let times = stats.tombstone_histogram(version.has_uint_deletion_time());
        stats.tombstone_bins_max = times.len() as i32;
        stats.tombstone_drop_times = times
            .into_iter()
            .map(|(time, count)| (time as f64, count))
            .collect();
        if version.has_legacy_min_max() && !version.has_accurate_min_max() {
            stats.clustering = ClusteringRange::Lists {
                min: Vec::new(),
                max: Vec::new(),
            };
        }
        change(stats);
        let bytes = statistics.encode(version).map_err(|e| e.in_file(&path))?;

        let mut temporary = path.clone().into_os_string();
        // Cassandra deletes files of this name when it starts.
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        // What an earlier run left behind.
        let _ = std::fs::remove_file(&temporary);
        let written = write(&temporary, &bytes)
            .and_then(|()| std::fs::rename(&temporary, &path).map_err(|e| Error::io(&path, e)));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written?;
        sync_directory(&descriptor.directory)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut out = Output::create(path)?;
    out.write(bytes)?;
    out.finish()?;
    Ok(())
}
