//! Cells of one row that came in an order which is not theirs.
//!
//! Authority: `o.a.c.db.rows.BTreeRow.Builder`.

use super::reconcile::compare_cells;
use crate::model::{Cell, CellSpan, RowBuf};
use crate::schema::Column;

/// Sorts the cells of a row, whose values are spans of `bytes`, by their `columns` and in these by path. Of several for
/// one place that one is left which was written last.
pub(crate) fn sort_cells(row: &mut RowBuf, bytes: &[u8], columns: &[Column]) {
    let resolve = |span: &CellSpan| Cell {
        column: span.column as usize,
        timestamp: span.timestamp,
        ttl: span.ttl,
        local_deletion_time: span.local_deletion_time,
        path: span.path.of(bytes),
        value: span.value.of(bytes).unwrap_or_default(),
    };
    let order = |a: &CellSpan, b: &CellSpan| {
        a.column.cmp(&b.column).then_with(|| {
            let paths = (a.path.of(bytes), b.path.of(bytes));
            match (paths, columns.get(a.column as usize)) {
                ((Some(a), Some(b)), Some(column)) => column.ty.compare_paths(a, b),
                (paths, _) => paths.0.cmp(&paths.1),
            }
        })
    };
    row.cells.sort_by(order);
    row.cells.dedup_by(|later, kept| {
        let same = order(later, kept).is_eq();
        // Of two that are the same in all that counts, either.
        if same && compare_cells(&resolve(kept), &resolve(later)).is_lt() {
            *kept = *later;
        }
        same
    });
}
