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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CellSpan, LivenessInfo, NO_DELETION_TIME, Span};

    #[test]
    fn only_what_overflowed_is_changed() {
        let cell = |ttl, local_deletion_time| CellSpan {
            column: 0,
            ttl,
            timestamp: 5,
            local_deletion_time,
            path: Span::NULL,
            value: Span::EMPTY,
        };
        let liveness = |local_expiration_time, timestamp| LivenessInfo {
            timestamp,
            ttl: 60,
            local_expiration_time,
        };
        let good = [cell(0, NO_DELETION_TIME), cell(60, 1_700_000_000)];
        let mut row = RowBuf {
            liveness: liveness(INVALID_DELETION_TIME, 5),
            cells: vec![good[0], good[1], cell(60, INVALID_DELETION_TIME)],
            ..RowBuf::default()
        };
        reinsert(&mut row);
        assert_eq!(row.liveness, liveness(LEGACY_DELETION_TIME_MAX, 6));
        assert_eq!(row.cells[..2], good);
        let fixed = CellSpan {
            timestamp: 6,
            ..cell(60, LEGACY_DELETION_TIME_MAX)
        };
        assert_eq!(row.cells[2], fixed);
        // What is good, and a deletion without TTL, stays.
        row.liveness = liveness(7, 5);
        row.cells = vec![cell(0, INVALID_DELETION_TIME)];
        reinsert(&mut row);
        assert_eq!(row.liveness, liveness(7, 5));
        assert_eq!(row.cells, [cell(0, INVALID_DELETION_TIME)]);
    }
}
