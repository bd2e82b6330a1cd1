//! Decodes partition heads, rows and markers from bytes, without I/O. Hot: nothing here allocates per row.
//!
//! Authority: `o.a.c.db.rows.{UnfilteredSerializer,Cell.Serializer}`, `o.a.c.db.{DeletionTime,Columns,SerializationHeader}`.
//!
//! `Eof` means that the bytes end too early, and a caller that has more may try again with them. Once a row's size is
//! known, a row that does not fit it is `Invalid`.

mod plain;

use super::clustering::{read_bound, read_values};
use super::deletion::{INVALID_DELETION_TIME, read_deletion_time};
use super::flags::*;
use super::layout::{ColumnLayout, ColumnsLayout, Layout, SKIP, VARIABLE};
use crate::bytes::{Cursor, DecodeError};
use crate::limits::ROW_BYTES_MAX;
use crate::model::{
    BoundKind, CellSpan, ComplexDeletion, DeletionTime, EXPIRED_LIVENESS_TTL, LivenessInfo,
    MarkerBuf, NO_DELETION_TIME, RowBuf, RowDeletion, Span,
};

type Result<T> = std::result::Result<T, DecodeError>;

/// What an INSERT of all columns without TTL writes.
const PLAIN_ROW: u8 = HAS_TIMESTAMP | HAS_ALL_COLUMNS;

/// Largest valid local deletion time (`Cell.MAX_DELETION_TIME`).
const MAX_DELETION_TIME: i64 = u32::MAX as i64 - 2;

/// What stood at a position inside a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// A row, now in the row buffer.
    Row,
    /// A marker, now in the marker buffer.
    Marker,
    /// The end of the partition.
    End,
}

/// The head of a partition: its key and deletion.
#[derive(Debug, Clone, Copy)]
pub struct PartitionStart<'a> {
    /// Raw key.
    pub key: &'a [u8],
    /// Deletion of the whole partition.
    pub deletion: DeletionTime,
    /// Bytes of key and deletion.
    pub len: usize,
}

/// The raw key at the start of a partition.
pub fn decode_key(bytes: &[u8]) -> Result<&[u8]> {
    Cursor::new(bytes).short_bytes()
}

/// Decodes a partition's key, deletion and static row. The static row goes to `static_row`, whose spans count from the
/// start of `bytes`; returns the head and the length of everything.
#[inline(always)]
pub fn decode_partition_start<'a>(
    bytes: &'a [u8],
    layout: &Layout,
    static_row: &mut RowBuf,
) -> Result<(PartitionStart<'a>, usize)> {
    let mut c = Cursor::new(bytes);
    let key = c.short_bytes()?;
    let deletion = read_deletion_time(&mut c, layout.uint_deletion_time)?;
    let len = c.position();
    if layout.has_statics() {
        decode_static_row(&mut c, layout, static_row)?;
    } else {
        static_row.clear();
    }
    let start = PartitionStart { key, deletion, len };
    Ok((start, c.position()))
}

/// Decodes the static row that `c` stands before. Its spans count from the start of the cursor's bytes.
#[inline(never)]
pub(crate) fn decode_static_row(
    c: &mut Cursor<'_>,
    layout: &Layout,
    row: &mut RowBuf,
) -> Result<()> {
    row.clear();
    row.is_static = true;
    let flags = c.u8()?;
    if flags & (END_OF_PARTITION | IS_MARKER) != 0 || flags & EXTENSION == 0 {
        return Err(DecodeError::Invalid("no static row where one must be"));
    }
    let extended = c.u8()?;
    if extended & EXTENDED_IS_STATIC == 0 {
        return Err(DecodeError::Invalid("a static row that is not marked so"));
    }
    decode_row_body(c, layout, &layout.statics, flags, extended, row)
}

/// Decodes what stands at the start of `bytes` into `row` or `marker`, with spans that count from there; returns what
/// it is and its length.
#[inline(always)]
pub fn decode_unfiltered(
    bytes: &[u8],
    layout: &Layout,
    row: &mut RowBuf,
    marker: &mut MarkerBuf,
) -> Result<(Decoded, usize)> {
    // What is common goes a short way; errors, and the end of the bytes, are found on the long one.
    match bytes.first() {
        Some(flags) if flags & END_OF_PARTITION != 0 => return Ok((Decoded::End, 1)),
        Some(&PLAIN_ROW) if layout.regulars.simple => {
            if let Some(len) = plain::decode_row(bytes, layout, row) {
                return Ok((Decoded::Row, len));
            }
        }
        _ => {}
    }
    decode_any(bytes, layout, row, marker)
}

#[inline(never)]
fn decode_any(
    bytes: &[u8],
    layout: &Layout,
    row: &mut RowBuf,
    marker: &mut MarkerBuf,
) -> Result<(Decoded, usize)> {
    let mut c = Cursor::new(bytes);
    let decoded = decode_update(&mut c, layout, row, marker)?;
    Ok((decoded, c.position()))
}

/// The same of what `c` stands before, also in an update of a mutation. Spans count from the start of the cursor's bytes.
#[inline(always)]
pub(crate) fn decode_update(
    c: &mut Cursor<'_>,
    layout: &Layout,
    row: &mut RowBuf,
    marker: &mut MarkerBuf,
) -> Result<Decoded> {
    let flags = c.u8()?;
    if flags & END_OF_PARTITION != 0 {
        return Ok(Decoded::End);
    }
    let extended = if flags & EXTENSION != 0 { c.u8()? } else { 0 };
    if flags & IS_MARKER != 0 {
        decode_marker(c, layout, marker)?;
        return Ok(Decoded::Marker);
    }
    if extended & EXTENDED_IS_STATIC != 0 {
        return Err(DecodeError::Invalid("a static row among the others"));
    }
    row.is_static = false;
    row.clustering.clear();
    read_values(
        c,
        layout.clustering_fixed.len(),
        &layout.clustering_fixed,
        &mut row.clustering,
    )?;
    decode_row_body(c, layout, &layout.regulars, flags, extended, row)?;
    Ok(Decoded::Row)
}

/// What stands at a position, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peeked {
    /// What it is.
    pub decoded: Decoded,
    /// `Clustering` for a row, the kind of a marker's bound.
    pub kind: BoundKind,
    /// Its length in bytes, which may reach beyond the bytes.
    pub len: u64,
}

/// Decodes the clustering and the size of what stands at the start of `bytes`; the spans of the clustering or bound
/// replace what `spans` holds.
#[inline(always)]
pub fn peek_unfiltered(bytes: &[u8], layout: &Layout, spans: &mut Vec<Span>) -> Result<Peeked> {
    spans.clear();
    let mut c = Cursor::new(bytes);
    let flags = c.u8()?;
    if flags & END_OF_PARTITION != 0 {
        return Ok(Peeked {
            decoded: Decoded::End,
            kind: BoundKind::Clustering,
            len: 1,
        });
    }
    if flags & EXTENSION != 0 {
        c.u8()?;
    }
    let fixed = &layout.clustering_fixed;
    let (decoded, kind) = if flags & IS_MARKER != 0 {
        (Decoded::Marker, read_bound(&mut c, fixed, spans)?)
    } else {
        read_values(&mut c, fixed.len(), fixed, spans)?;
        (Decoded::Row, BoundKind::Clustering)
    };
    let size = read_size(&mut c)?;
    Ok(Peeked {
        decoded,
        kind,
        len: c.position() as u64 + size,
    })
}

#[inline(always)]
fn read_size(c: &mut Cursor<'_>) -> Result<u64> {
    let size = c.uvint()?;
    if size > ROW_BYTES_MAX {
        return Err(DecodeError::Invalid("a row's size is over 2 GiB"));
    }
    Ok(size)
}

#[inline(always)]
fn saturate(size: u64) -> u32 {
    size.min(u64::from(u32::MAX)) as u32
}

fn decode_marker(c: &mut Cursor<'_>, layout: &Layout, marker: &mut MarkerBuf) -> Result<()> {
    marker.values.clear();
    marker.kind = read_bound(c, &layout.clustering_fixed, &mut marker.values)?;
    let mut size = 0;
    let mut body = c.position();
    marker.previous_size = 0;
    if layout.sized {
        size = read_size(c)? as usize;
        body = c.position();
        marker.previous_size = saturate(c.uvint()?);
    }
    let first = read_delta_deletion(c, layout)?;
    (marker.close, marker.open) = if marker.kind.is_boundary() {
        (first, read_delta_deletion(c, layout)?)
    } else if marker.kind.is_start() {
        (DeletionTime::LIVE, first)
    } else {
        (first, DeletionTime::LIVE)
    };
    if layout.sized && c.position() - body != size {
        return Err(DecodeError::Invalid("a marker's size is not its length"));
    }
    Ok(())
}

#[inline(always)]
fn decode_row_body(
    c: &mut Cursor<'_>,
    layout: &Layout,
    columns: &ColumnsLayout,
    flags: u8,
    extended: u8,
    row: &mut RowBuf,
) -> Result<()> {
    if layout.sized {
        let size = read_size(c)? as usize;
        let end = c.position() + size;
        let bytes = c.bytes().get(..end).ok_or(DecodeError::Eof)?;
        // From here on the row must fit its size.
        let mut body = Cursor::at(bytes, c.position());
        match decode_content(&mut body, layout, columns, flags, extended, row) {
            Ok(()) if body.is_empty() => {}
            Ok(()) | Err(DecodeError::Eof) => {
                return Err(DecodeError::Invalid("a row's size is not its length"));
            }
            Err(e) => return Err(e),
        }
        *c = Cursor::at(c.bytes(), end);
    } else {
        decode_content(c, layout, columns, flags, extended, row)?;
    }
    if columns.unsorted {
        row.cells.sort_by_key(|cell| cell.column);
        row.complex_deletions.sort_by_key(|d| d.column);
    }
    Ok(())
}

#[inline(always)]
fn decode_content(
    c: &mut Cursor<'_>,
    layout: &Layout,
    columns: &ColumnsLayout,
    flags: u8,
    extended: u8,
    row: &mut RowBuf,
) -> Result<()> {
    row.complex_deletions.clear();
    row.cells.clear();
    row.previous_size = match layout.sized {
        true => saturate(c.uvint()?),
        false => 0,
    };
    row.liveness = LivenessInfo::EMPTY;
    if flags & HAS_TIMESTAMP != 0 {
        let timestamp = read_timestamp(c, layout)?;
        let (mut ttl, mut expiration) = (0, NO_DELETION_TIME);
        if flags & HAS_TTL != 0 {
            ttl = read_ttl(c, layout)?;
            expiration =
                decode_local_deletion_time(read_raw_deletion_time(c, layout)?, ttl, layout);
        }
        row.liveness = LivenessInfo {
            timestamp,
            ttl,
            local_expiration_time: expiration,
        };
    }
    row.deletion = RowDeletion::LIVE;
    if flags & HAS_DELETION != 0 {
        row.deletion = RowDeletion {
            time: read_delta_deletion(c, layout)?,
            shadowable: extended & EXTENDED_HAS_SHADOWABLE_DELETION != 0,
        };
    }
    let complex_deletion = flags & HAS_COMPLEX_DELETION != 0;
    if flags & HAS_ALL_COLUMNS != 0 {
        for column in &columns.columns {
            decode_column(c, layout, columns, column, complex_deletion, row)?;
        }
        return Ok(());
    }
    decode_subset(c, layout, columns, complex_deletion, row)
}

/// The columns that are present, by a bitmap of the missing ones, or from 64 columns on by a list of the fewer.
fn decode_subset(
    c: &mut Cursor<'_>,
    layout: &Layout,
    columns: &ColumnsLayout,
    complex_deletion: bool,
    row: &mut RowBuf,
) -> Result<()> {
    const TOO_MANY: DecodeError =
        DecodeError::Invalid("a column subset names columns that are not");
    let all = &columns.columns;
    let encoded = c.uvint()?;
    if encoded == 0 {
        for column in all {
            decode_column(c, layout, columns, column, complex_deletion, row)?;
        }
        return Ok(());
    }
    if all.len() < 64 {
        if encoded >> all.len() != 0 {
            return Err(TOO_MANY);
        }
        let mut present = !encoded & ((1u64 << all.len()) - 1);
        while present != 0 {
            let column = &all[present.trailing_zeros() as usize];
            decode_column(c, layout, columns, column, complex_deletion, row)?;
            present &= present - 1;
        }
        return Ok(());
    }
    let missing = usize::try_from(encoded).map_err(|_| TOO_MANY)?;
    let present = all.len().checked_sub(missing).ok_or(TOO_MANY)?;
    // The list stands before the first cell: remember where it is and walk it beside the cells.
    let mut list = *c;
    if present < all.len() / 2 {
        for _ in 0..present {
            c.uvint()?;
        }
        for _ in 0..present {
            let index = usize::try_from(list.uvint()?).map_err(|_| TOO_MANY)?;
            let column = all.get(index).ok_or(TOO_MANY)?;
            decode_column(c, layout, columns, column, complex_deletion, row)?;
        }
        return Ok(());
    }
    for _ in 0..missing {
        c.uvint()?;
    }
    let mut left = missing;
    let mut next_missing = || -> Result<usize> {
        if left == 0 {
            return Ok(usize::MAX);
        }
        left -= 1;
        usize::try_from(list.uvint()?).map_err(|_| TOO_MANY)
    };
    let mut absent = next_missing()?;
    for (i, column) in all.iter().enumerate() {
        if i == absent {
            absent = next_missing()?;
            continue;
        }
        decode_column(c, layout, columns, column, complex_deletion, row)?;
    }
    Ok(())
}

#[inline(always)]
fn decode_column(
    c: &mut Cursor<'_>,
    layout: &Layout,
    columns: &ColumnsLayout,
    column: &ColumnLayout,
    complex_deletion: bool,
    row: &mut RowBuf,
) -> Result<()> {
    if !column.complex {
        return decode_cell(c, layout, columns, column, row);
    }
    if complex_deletion {
        let time = read_delta_deletion(c, layout)?;
        let kept = column.target != SKIP
            && (!columns.has_dropped || time.marked_for_delete_at > column.dropped_at);
        // A column without deletion beside one with: its timestamp is the smallest there is.
        if kept && time.marked_for_delete_at != i64::MIN {
            row.complex_deletions.push(ComplexDeletion {
                column: column.target,
                time,
            });
        }
    }
    // Each cell has a byte at least: a wrong count ends with the row.
    let mut count = c.uvint()?;
    while count > 0 {
        decode_cell(c, layout, columns, column, row)?;
        count -= 1;
    }
    Ok(())
}

#[inline(always)]
fn decode_cell(
    c: &mut Cursor<'_>,
    layout: &Layout,
    columns: &ColumnsLayout,
    column: &ColumnLayout,
    row: &mut RowBuf,
) -> Result<()> {
    let flags = c.u8()?;
    // What an INSERT without TTL writes, and so nearly every cell there is.
    if flags == CELL_USE_ROW_TIMESTAMP && columns.plain && !column.complex {
        let len = match column.fixed {
            VARIABLE => c.uvint()?,
            fixed => u64::from(fixed),
        };
        row.cells.push(CellSpan {
            column: column.target,
            ttl: 0,
            timestamp: row.liveness.timestamp,
            local_deletion_time: NO_DELETION_TIME,
            path: Span::NULL,
            value: read_span(c, len)?,
        });
        return Ok(());
    }
    let timestamp = if flags & CELL_USE_ROW_TIMESTAMP != 0 {
        row.liveness.timestamp
    } else {
        read_timestamp(c, layout)?
    };
    let (mut local_deletion_time, mut ttl) = (NO_DELETION_TIME, 0);
    if flags & (CELL_IS_DELETED | CELL_IS_EXPIRING | CELL_USE_ROW_TTL) != 0 {
        if flags & CELL_USE_ROW_TTL != 0 {
            local_deletion_time = row.liveness.local_expiration_time;
            ttl = row.liveness.ttl;
        } else {
            let raw = read_raw_deletion_time(c, layout)?;
            if flags & CELL_IS_EXPIRING != 0 {
                ttl = read_ttl(c, layout)?;
            }
            local_deletion_time = decode_local_deletion_time(raw, ttl, layout);
        }
    }
    let path = if column.complex {
        let len = c.uvint()?;
        read_span(c, len)?
    } else {
        Span::NULL
    };
    let value = if flags & CELL_HAS_EMPTY_VALUE != 0 {
        Span::EMPTY
    } else {
        let len = match column.fixed {
            VARIABLE => c.uvint()?,
            fixed => u64::from(fixed),
        };
        read_span(c, len)?
    };
    if column.target == SKIP || (columns.has_dropped && timestamp <= column.dropped_at) {
        return Ok(());
    }
    if columns.has_only_newer
        && column.only_newer
        && timestamp < row.liveness.timestamp
        && !column.has_element(path.of(c.bytes()))
    {
        return Ok(());
    }
    row.cells.push(CellSpan {
        column: column.target,
        ttl,
        timestamp,
        local_deletion_time,
        path,
        value,
    });
    Ok(())
}

/// Rows are under 2 GiB, so positions fit 32 bits once the bytes are known to be there.
#[inline(always)]
fn read_span(c: &mut Cursor<'_>, len: u64) -> Result<Span> {
    let start = c.position();
    c.take_u64(len)?;
    Ok(Span {
        start: start as u32,
        len: len as u32,
    })
}

#[inline(always)]
fn read_timestamp(c: &mut Cursor<'_>, layout: &Layout) -> Result<i64> {
    Ok(layout.min_timestamp.wrapping_add(c.uvint()? as i64))
}

#[inline(always)]
fn read_ttl(c: &mut Cursor<'_>, layout: &Layout) -> Result<i32> {
    i32::try_from(i64::from(c.uvint32()?) + layout.min_ttl)
        .ok()
        .filter(|&ttl| ttl >= 0)
        .ok_or(DecodeError::Invalid("a TTL that is negative or too long"))
}

#[inline(always)]
fn read_raw_deletion_time(c: &mut Cursor<'_>, layout: &Layout) -> Result<i64> {
    Ok(i64::from(c.uvint32()?) + layout.min_local_deletion_time)
}

/// `Cell.decodeLocalDeletionTime`: times past 2038 come out negative and are brought back, impossible ones are marked.
#[inline(always)]
fn decode_local_deletion_time(raw: i64, ttl: i32, layout: &Layout) -> i64 {
    if raw >= i64::from(ttl) {
        return raw;
    }
    if raw >= 0 {
        return match ttl {
            EXPIRED_LIVENESS_TTL => raw,
            _ => INVALID_DELETION_TIME,
        };
    }
    if !layout.uint_deletion_time {
        return INVALID_DELETION_TIME;
    }
    match raw as u32 {
        u32::MAX => NO_DELETION_TIME,
        seconds => i64::from(seconds),
    }
}

/// A deletion inside a row or marker. A local time that cannot be is marked as invalid, as `DeletionTime.build` does.
#[inline]
pub(crate) fn read_delta_deletion(c: &mut Cursor<'_>, layout: &Layout) -> Result<DeletionTime> {
    let marked_for_delete_at = read_timestamp(c, layout)?;
    let local = read_raw_deletion_time(c, layout)?;
    Ok(DeletionTime {
        marked_for_delete_at,
        local_deletion_time: valid_deletion_time(local),
    })
}

fn valid_deletion_time(local: i64) -> i64 {
    match local {
        0..=MAX_DELETION_TIME => local,
        _ => INVALID_DELETION_TIME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StreamHeader;
    use crate::sstable::component::statistics::SerializationHeader;
    use crate::sstable::version::Version;
    use crate::types::CqlType;

    #[test]
    fn nothing_of_a_row_before_is_left_at_the_start_of_a_partition() {
        let header = SerializationHeader {
            min_timestamp: 0,
            min_local_deletion_time: 0,
            min_ttl: 0,
            key_type: "org.apache.cassandra.db.marshal.Int32Type".to_owned(),
            clustering_types: Vec::new(),
            statics: Vec::new(),
            regulars: Vec::new(),
        };
        let stream = StreamHeader {
            key_type: CqlType::Int,
            clustering: Vec::new(),
            statics: Vec::new(),
            regulars: Vec::new(),
        };
        let version = Version::parse("oa", "big").unwrap();
        let layout = Layout::of_header(&header, version, stream.into()).unwrap();
        // Rows of nothing follow others, too.
        let mut row = RowBuf {
            previous_size: 7,
            ..RowBuf::default()
        };
        let start = [0, 4, 0, 0, 0, 1, 0x80];
        let (_, len) = decode_partition_start(&start, &layout, &mut row).unwrap();
        assert_eq!((len, row.previous_size), (start.len(), 0));
    }
}
