//! The short way through the rows that an INSERT without TTL writes, which are nearly all there are.
//!
//! It knows one shape: a timestamp, every column, no deletion, and cells that share the row's timestamp. Whatever else it
//! meets, the end of the bytes included, it leaves to the general way, which also finds the error.

use super::{CELL_USE_ROW_TIMESTAMP, LivenessInfo, NO_DELETION_TIME, RowDeletion};
use crate::limits::ROW_BYTES_MAX;
use crate::model::{CellSpan, RowBuf, Span};
use crate::sstable::data::layout::{Layout, VARIABLE};

/// Clustering values whose presence one header byte tells.
const CLUSTERING_MAX: usize = 32;

const NO_CELL: CellSpan = CellSpan {
    column: 0,
    ttl: 0,
    timestamp: 0,
    local_deletion_time: NO_DELETION_TIME,
    path: Span::NULL,
    value: Span::EMPTY,
};

/// Decodes the row whose flags stand at the start of `bytes`; returns its length, or `None` where it has another shape.
/// `row` then holds no row.
#[inline(always)]
pub(super) fn decode_row(bytes: &[u8], layout: &Layout, row: &mut RowBuf) -> Option<usize> {
    let mut at = 1;
    row.clustering.clear();
    let clustering = &layout.clustering_fixed;
    if !clustering.is_empty() {
        // The header of values that are all there and not empty.
        if clustering.len() > CLUSTERING_MAX || *bytes.get(at)? != 0 {
            return None;
        }
        at += 1;
        for fixed in clustering {
            let len = match fixed {
                Some(len) => *len,
                None => short(vint(bytes, &mut at)?)?,
            };
            row.clustering.push(span(bytes, &mut at, len)?);
        }
    }
    let size = vint(bytes, &mut at)?;
    if size > ROW_BYTES_MAX {
        return None;
    }
    let body = bytes.get(..at + size as usize)?;
    let previous_size = vint(body, &mut at)?;
    let delta = vint(body, &mut at)?;
    let timestamp = layout.min_timestamp.wrapping_add(delta as i64);

    let columns = &layout.regulars.columns;
    if row.cells.len() != columns.len() {
        row.cells.clear();
        row.cells.resize(columns.len(), NO_CELL);
    }
    for (column, cell) in columns.iter().zip(&mut row.cells) {
        if *body.get(at)? != CELL_USE_ROW_TIMESTAMP {
            return None;
        }
        at += 1;
        let len = match column.fixed {
            VARIABLE => short(vint(body, &mut at)?)?,
            fixed => fixed,
        };
        *cell = CellSpan {
            column: column.target,
            timestamp,
            value: span(body, &mut at, len)?,
            ..NO_CELL
        };
    }
    if at != body.len() {
        return None;
    }
    row.is_static = false;
    row.previous_size = previous_size.min(u64::from(u32::MAX)) as u32;
    row.liveness = LivenessInfo {
        timestamp,
        ttl: 0,
        local_expiration_time: NO_DELETION_TIME,
    };
    row.deletion = RowDeletion::LIVE;
    row.complex_deletions.clear();
    Some(at)
}

#[inline(always)]
fn short(len: u64) -> Option<u32> {
    u32::try_from(len).ok()
}

#[inline(always)]
fn span(bytes: &[u8], at: &mut usize, len: u32) -> Option<Span> {
    let end = *at + len as usize;
    // Positions below 4 GiB, and the largest one means null.
    if end > bytes.len() || *at >= u32::MAX as usize {
        return None;
    }
    let start = *at as u32;
    *at = end;
    Some(Span { start, len })
}

/// An unsigned vint of up to eight bytes.
#[inline(always)]
fn vint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(first.into());
    }
    let extra = first.leading_ones();
    let window = bytes.get(*at + 1..)?.first_chunk::<8>()?;
    if extra == 8 {
        return None;
    }
    *at += 1 + extra as usize;
    let tail = u64::from_be_bytes(*window) >> (64 - 8 * extra);
    Some(u64::from(first & (0x7f >> extra)) << (8 * extra) | tail)
}
