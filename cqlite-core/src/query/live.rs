//! What of a row is alive at a time.
//!
//! Authority: `o.a.c.db.transform.Filter`, `o.a.c.db.rows.{BTreeRow,AbstractCell,ComplexColumnData}.purge`.

use crate::model::{Cell, RowRef};

/// Whether a query shows the row: its primary key or one of its cells that `counts` is alive. In a view of which the key has a column
/// that is none of the base table's key (`strict`), only the primary key's liveness counts.
pub(super) fn is_shown(
    row: RowRef<'_>,
    now: i64,
    strict: bool,
    counts: impl Fn(&Cell<'_>) -> bool,
) -> bool {
    if row.liveness().is_live(now) {
        return true;
    }
    if strict && has_deletion(row, now) {
        return false;
    }
    row.cells().any(|cell| cell.is_live(now) && counts(&cell))
}

/// Whether something in the row is deleted, or has expired at `now`.
fn has_deletion(row: RowRef<'_>, now: i64) -> bool {
    let liveness = row.liveness();
    liveness.is_expiring() && now >= liveness.local_expiration_time
        || !row.deletion().time.is_live()
        || !row.complex_deletions().is_empty()
        || row.cells().any(|cell| !cell.is_live(now))
}

/// The cells of a column, dead ones too.
pub(super) fn cells_of<'a>(
    row: RowRef<'a>,
    column: usize,
) -> impl Iterator<Item = Cell<'a>> + use<'a> {
    let cells = &row.buf().cells;
    let start = cells.partition_point(|cell| (cell.column as usize) < column);
    (start..row.cell_count())
        .map(move |i| row.cell(i))
        .take_while(move |cell| cell.column == column)
}

/// The value of a simple column, if it has one at `now`.
pub(super) fn value_of<'a>(row: RowRef<'a>, column: usize, now: i64) -> Option<&'a [u8]> {
    let cell = cells_of(row, column).next()?;
    cell.is_live(now).then_some(cell.value)
}
