//! Rows whose TTL reached beyond what a signed 32-bit time could hold, so that their time of expiration is impossible.
//!
//! Authority: `o.a.c.io.sstable.format.SortedTableScrubber.FixNegativeLocalDeletionTimeIterator`.

use crate::model::RowBuf;
use crate::sstable::data::deletion::{INVALID_DELETION_TIME, LEGACY_DELETION_TIME_MAX};

/// Lets what has an impossible time of expiration expire as late as old versions allow, written a microsecond later so
/// that it wins over tombstones that a compaction may have made of it.
pub(super) fn reinsert(row: &mut RowBuf) {
    let liveness = &mut row.liveness;
    if liveness.is_expiring() && liveness.local_expiration_time == INVALID_DELETION_TIME {
        liveness.timestamp = liveness.timestamp.saturating_add(1);
        liveness.local_expiration_time = LEGACY_DELETION_TIME_MAX;
    }
    for cell in &mut row.cells {
        if cell.ttl != 0 && cell.local_deletion_time == INVALID_DELETION_TIME {
            cell.timestamp = cell.timestamp.saturating_add(1);
            cell.local_deletion_time = LEGACY_DELETION_TIME_MAX;
        }
    }
}
