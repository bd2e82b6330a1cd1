//! Which of two versions of the same thing wins. Pure rules.
//!
//! Authority: `o.a.c.db.rows.Cells`, `o.a.c.db.LivenessInfo`, `o.a.c.db.rows.Row.Deletion`.

use crate::model::{Cell, EXPIRED_LIVENESS_TTL, LivenessInfo, NO_DELETION_TIME, RowDeletion};
use std::cmp::Ordering;

/// Whether liveness `a` wins over `b`.
pub fn liveness_supersedes(a: &LivenessInfo, b: &LivenessInfo) -> bool {
    if a.timestamp != b.timestamp {
        return a.timestamp > b.timestamp;
    }
    let expired = |i: &LivenessInfo| i.ttl == EXPIRED_LIVENESS_TTL;
    if expired(a) != expired(b) {
        return expired(a);
    }
    if a.is_expiring() == b.is_expiring() {
        return a.local_expiration_time > b.local_expiration_time
            || (a.local_expiration_time == b.local_expiration_time && a.ttl < b.ttl);
    }
    a.is_expiring()
}

/// A row's deletion unless it is shadowable and newer liveness undoes it.
pub fn unless_shadowed(deletion: RowDeletion, liveness: &LivenessInfo) -> RowDeletion {
    if deletion.shadowable && liveness.timestamp > deletion.time.marked_for_delete_at {
        return RowDeletion::LIVE;
    }
    deletion
}

/// Which of two regular cells of the same place wins: `Greater` or `Equal` for the left one.
///
/// A later timestamp; then what dies over what does not; tombstones over expiring cells; a later local deletion time;
/// the shorter TTL; the greater value. What the clock says plays no part.
pub fn compare_cells(left: &Cell<'_>, right: &Cell<'_>) -> Ordering {
    let dies = |c: &Cell<'_>| c.local_deletion_time != NO_DELETION_TIME;
    left.timestamp
        .cmp(&right.timestamp)
        .then_with(|| dies(left).cmp(&dies(right)))
        .then_with(|| {
            if !dies(left) {
                return Ordering::Equal;
            }
            let tombstone = |c: &Cell<'_>| !c.is_expiring();
            tombstone(left)
                .cmp(&tombstone(right))
                .then(left.local_deletion_time.cmp(&right.local_deletion_time))
                .then_with(|| right.ttl.cmp(&left.ttl))
        })
        .then_with(|| left.value.cmp(right.value))
}

/// How two counter cells of the same place come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterResolution {
    /// The left one wins.
    Left,
    /// The right one wins.
    Right,
    /// Their contexts are merged; the timestamp is the later one.
    Merge,
}

/// Resolves two cells of a counter column. Any tombstone wins, whatever the timestamps.
pub fn resolve_counters(left: &Cell<'_>, right: &Cell<'_>) -> CounterResolution {
    let left_if = |left_wins| match left_wins {
        true => CounterResolution::Left,
        false => CounterResolution::Right,
    };
    match (left.is_tombstone(), right.is_tombstone()) {
        (true, true) => left_if(compare_cells(left, right).is_ge()),
        (left, right) if left != right => left_if(left),
        // A value is only missing where it was not asked for.
        _ if left.value.is_empty() && right.value.is_empty() => {
            left_if(left.timestamp > right.timestamp)
        }
        _ if left.value.is_empty() || right.value.is_empty() => left_if(left.value.is_empty()),
        _ => CounterResolution::Merge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeletionTime;

    fn cell(timestamp: i64, ttl: i32, local_deletion_time: i64, value: &[u8]) -> Cell<'_> {
        Cell {
            column: 0,
            timestamp,
            ttl,
            local_deletion_time,
            path: None,
            value,
        }
    }

    #[test]
    fn each_rule_of_regular_cells_in_turn() {
        const NONE: i64 = NO_DELETION_TIME;
        // Winner first; each pair ties in all the rules before its own.
        let pairs = [
            (cell(2, 0, NONE, b"a"), cell(1, 0, 50, b"")),
            (cell(1, 10, 60, b"a"), cell(1, 0, NONE, b"b")),
            (cell(1, 0, 50, b""), cell(1, 10, 60, b"b")),
            (cell(1, 10, 61, b"a"), cell(1, 10, 60, b"b")),
            (cell(1, 10, 60, b"a"), cell(1, 11, 60, b"b")),
            (cell(1, 10, 60, b"b"), cell(1, 10, 60, b"a")),
            (cell(1, 0, NONE, b"\x80"), cell(1, 0, NONE, b"\x7f\xff")),
        ];
        for (winner, loser) in pairs {
            assert_eq!(compare_cells(&winner, &loser), Ordering::Greater);
            assert_eq!(compare_cells(&loser, &winner), Ordering::Less);
        }
    }

    #[test]
    fn a_counter_tombstone_wins_over_newer_values() {
        let (old_tombstone, value) = (cell(1, 0, 5, b""), cell(9, 0, NO_DELETION_TIME, b"x"));
        assert_eq!(
            resolve_counters(&old_tombstone, &value),
            CounterResolution::Left
        );
        assert_eq!(
            resolve_counters(&value, &old_tombstone),
            CounterResolution::Right
        );
        assert_eq!(resolve_counters(&value, &value), CounterResolution::Merge);
    }

    #[test]
    fn liveness_and_shadowable_deletions() {
        let info = |timestamp, ttl, at| LivenessInfo {
            timestamp,
            ttl,
            local_expiration_time: at,
        };
        let plain = info(1, 0, NO_DELETION_TIME);
        let expiring = info(1, 10, 60);
        let expired = info(1, EXPIRED_LIVENESS_TTL, 60);
        assert!(liveness_supersedes(&expiring, &plain) && !liveness_supersedes(&plain, &expiring));
        assert!(liveness_supersedes(&expired, &expiring));
        assert!(liveness_supersedes(&info(1, 9, 60), &expiring));
        assert!(liveness_supersedes(&plain, &LivenessInfo::EMPTY));
        let shadowable = RowDeletion {
            time: DeletionTime {
                marked_for_delete_at: 1,
                local_deletion_time: 5,
            },
            shadowable: true,
        };
        assert_eq!(unless_shadowed(shadowable, &plain), shadowable);
        let newer = info(2, 0, NO_DELETION_TIME);
        assert_eq!(unless_shadowed(shadowable, &newer), RowDeletion::LIVE);
    }
}
