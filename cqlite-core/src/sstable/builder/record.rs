//! A change of one partition as bytes: what builders keep in memory, sort, and spill.
//!
//! ```text
//! u32 length of the rest, u8 kind, u16 length of the key, key, then
//!   deletion of the partition: deletion
//!   static row:                row
//!   row:                       clustering values, row
//!   range tombstone:           bound, bound, deletion
//! value:    u32 length (u32::MAX for null), bytes
//! bound:    u8 kind, u8 count, values
//! deletion: i64 marked for delete at, i64 local deletion time
//! row:      u8 flags, [i64 timestamp, [i32 ttl, i64 expiration]], [deletion],
//!           [u32 count, { u16 column, deletion }], u32 count, cells
//! cell:     u8 flags, u16 column, [i64 timestamp, i32 ttl, i64 local deletion time], [path], value
//! ```
//! Records live as long as their builder: no other version ever reads them.

use crate::bytes::Cursor;
use crate::error::DecodeError;
use crate::limits::{PARTITION_KEY_BYTES_MAX, ROW_BYTES_MAX};
use crate::model::{
    Bound, BoundKind, CellSpan, ClusteringRef, ComplexDeletion, DeletionTime, LivenessInfo,
    NO_DELETION_TIME, RowBuf, RowDeletion, RowRef, Slice, Span,
};
use crate::{Error, Result};

type Decoded<T> = std::result::Result<T, DecodeError>;

/// Bytes of a record before its kind.
pub(crate) const LENGTH_BYTES: usize = 4;

const ROW_LIVE: u8 = 1;
const ROW_EXPIRES: u8 = 2;
const ROW_DELETED: u8 = 4;
const ROW_SHADOWABLE: u8 = 8;
const ROW_COMPLEX: u8 = 16;

/// The cell has timestamp and expiration of the row's liveness.
const CELL_AS_ROW: u8 = 1;
const CELL_PATH: u8 = 2;

const NULL: u32 = u32::MAX;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The partition is deleted.
    Partition = 0,
    /// The static row.
    Static = 1,
    /// A row.
    Row = 2,
    /// A range of rows is deleted.
    Range = 3,
}

/// Appends a record to `out`; `body` writes what follows the key. After an error nothing was appended.
fn append(
    out: &mut Vec<u8>,
    kind: Kind,
    key: &[u8],
    body: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let start = out.len();
    if key.len() > PARTITION_KEY_BYTES_MAX {
        return Err(Error::invalid(format!(
            "a partition key of {} bytes: the longest one is {PARTITION_KEY_BYTES_MAX} bytes",
            key.len()
        )));
    }
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    out.push(kind as u8);
    out.extend_from_slice(&(key.len() as u16).to_be_bytes());
    out.extend_from_slice(key);
    let written = body(out).and_then(|()| {
        let length = out.len() - start - LENGTH_BYTES;
        match length as u64 > ROW_BYTES_MAX {
            true => Err(Error::invalid("a row of over 2 GiB")),
            false => Ok(length as u32),
        }
    });
    match written {
        Ok(length) => {
            out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        Err(e) => {
            out.truncate(start);
            Err(e)
        }
    }
}

/// Appends the deletion of a partition.
pub(crate) fn partition(out: &mut Vec<u8>, key: &[u8], deletion: DeletionTime) -> Result<()> {
    append(out, Kind::Partition, key, |out| {
        write_deletion(out, deletion);
        Ok(())
    })
}

/// Appends a row, or the static one.
#[inline]
pub(crate) fn row(out: &mut Vec<u8>, key: &[u8], row: RowRef<'_>) -> Result<()> {
    let kind = match row.is_static() {
        true => Kind::Static,
        false => Kind::Row,
    };
    append(out, kind, key, |out| {
        if kind == Kind::Row {
            for value in row.clustering().iter() {
                write_value(out, value)?;
            }
        }
        write_row(out, row)
    })
}

/// Appends the deletion of a range of rows.
pub(crate) fn range(
    out: &mut Vec<u8>,
    key: &[u8],
    slice: &Slice,
    deletion: DeletionTime,
) -> Result<()> {
    append(out, Kind::Range, key, |out| {
        write_bound(out, &slice.start)?;
        write_bound(out, &slice.end)?;
        write_deletion(out, deletion);
        Ok(())
    })
}

fn write_deletion(out: &mut Vec<u8>, deletion: DeletionTime) {
    out.extend_from_slice(&deletion.marked_for_delete_at.to_be_bytes());
    out.extend_from_slice(&deletion.local_deletion_time.to_be_bytes());
}

fn write_bound(out: &mut Vec<u8>, bound: &Bound) -> Result<()> {
    out.push(bound.kind as u8);
    let count = u8::try_from(bound.values.len());
    out.push(count.map_err(|_| Error::invalid("a bound of over 255 values"))?);
    for value in &bound.values {
        write_value(out, value.as_deref())?;
    }
    Ok(())
}

#[inline(always)]
fn write_value(out: &mut Vec<u8>, value: Option<&[u8]>) -> Result<()> {
    let Some(value) = value else {
        out.extend_from_slice(&NULL.to_be_bytes());
        return Ok(());
    };
    if value.len() as u64 > ROW_BYTES_MAX {
        return Err(Error::invalid("a value of over 2 GiB"));
    }
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

#[inline(always)]
fn write_row(out: &mut Vec<u8>, row: RowRef<'_>) -> Result<()> {
    let buf = row.buf();
    let liveness = buf.liveness;
    let mut flags = 0;
    if !liveness.is_empty() {
        flags |= ROW_LIVE;
        if liveness.is_expiring() || liveness.local_expiration_time != NO_DELETION_TIME {
            flags |= ROW_EXPIRES;
        }
    }
    if !buf.deletion.time.is_live() {
        flags |= ROW_DELETED;
        if buf.deletion.shadowable {
            flags |= ROW_SHADOWABLE;
        }
    }
    if !buf.complex_deletions.is_empty() {
        flags |= ROW_COMPLEX;
    }
    out.push(flags);
    if flags & ROW_LIVE != 0 {
        out.extend_from_slice(&liveness.timestamp.to_be_bytes());
        if flags & ROW_EXPIRES != 0 {
            out.extend_from_slice(&liveness.ttl.to_be_bytes());
            out.extend_from_slice(&liveness.local_expiration_time.to_be_bytes());
        }
    }
    if flags & ROW_DELETED != 0 {
        write_deletion(out, buf.deletion.time);
    }
    if flags & ROW_COMPLEX != 0 {
        out.extend_from_slice(&(buf.complex_deletions.len() as u32).to_be_bytes());
        for deletion in &buf.complex_deletions {
            out.extend_from_slice(&column(deletion.column)?);
            write_deletion(out, deletion.time);
        }
    }
    out.extend_from_slice(&(buf.cells.len() as u32).to_be_bytes());
    for (span, cell) in buf.cells.iter().zip(row.cells()) {
        let as_row = cell.timestamp == liveness.timestamp
            && cell.ttl == liveness.ttl
            && cell.local_deletion_time == liveness.local_expiration_time;
        let mut flags = 0;
        if as_row {
            flags |= CELL_AS_ROW;
        }
        if cell.path.is_some() {
            flags |= CELL_PATH;
        }
        out.push(flags);
        out.extend_from_slice(&column(span.column)?);
        if !as_row {
            out.extend_from_slice(&cell.timestamp.to_be_bytes());
            out.extend_from_slice(&cell.ttl.to_be_bytes());
            out.extend_from_slice(&cell.local_deletion_time.to_be_bytes());
        }
        if cell.path.is_some() {
            write_value(out, cell.path)?;
        }
        write_value(out, Some(cell.value))?;
    }
    Ok(())
}

fn column(number: u32) -> Result<[u8; 2]> {
    match u16::try_from(number) {
        Ok(number) => Ok(number.to_be_bytes()),
        Err(_) => Err(Error::invalid("a row of over 65,536 columns")),
    }
}

/// A record: all of its bytes but its length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    bytes: &'a [u8],
    key_end: usize,
}

impl<'a> Record<'a> {
    /// The record that `bytes` hold, which follow its length.
    #[inline(always)]
    pub fn new(bytes: &'a [u8]) -> Decoded<Self> {
        let length = match bytes.get(1..3) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return Err(DecodeError::Eof),
        };
        let key_end = 3 + length;
        match key_end <= bytes.len() && bytes[0] <= Kind::Range as u8 {
            true => Ok(Record { bytes, key_end }),
            false => Err(DecodeError::Eof),
        }
    }

    /// All of it.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The partition's key.
    #[inline(always)]
    pub fn key(&self) -> &'a [u8] {
        &self.bytes[3..self.key_end]
    }

    /// What it says.
    #[inline(always)]
    pub fn kind(&self) -> Kind {
        match self.bytes[0] {
            0 => Kind::Partition,
            1 => Kind::Static,
            2 => Kind::Row,
            _ => Kind::Range,
        }
    }

    /// The first clustering value of a row or of the start of a range, if there is one.
    #[inline]
    pub fn first_value(&self) -> Option<&'a [u8]> {
        let mut c = self.body();
        if self.kind() == Kind::Range {
            let count = c.u8().ok().and_then(|_| c.u8().ok())?;
            if count == 0 {
                return None;
            }
        }
        value(&mut c).ok()?.of(self.bytes)
    }

    #[inline(always)]
    fn body(&self) -> Cursor<'a> {
        Cursor::at(self.bytes, self.key_end)
    }

    /// Where a row or range starts in its partition: the spans go to `spans`.
    #[inline]
    pub fn start(&self, columns: usize, spans: &mut Vec<Span>) -> Decoded<BoundKind> {
        let mut c = self.body();
        spans.clear();
        let (kind, count) = match self.kind() {
            Kind::Range => {
                let kind = bound_kind(&mut c)?;
                (kind, usize::from(c.u8()?))
            }
            _ => (BoundKind::Clustering, columns),
        };
        for _ in 0..count {
            spans.push(value(&mut c)?);
        }
        Ok(kind)
    }

    /// The clustering values of [`start`](Self::start).
    #[inline]
    pub fn values<'s>(&self, spans: &'s [Span]) -> ClusteringRef<'s>
    where
        'a: 's,
    {
        ClusteringRef::new(self.bytes, spans)
    }

    /// The deletion of a partition.
    pub fn partition_deletion(&self) -> Decoded<DeletionTime> {
        deletion(&mut self.body())
    }

    /// The slice and deletion of a range.
    pub fn range(&self) -> Decoded<(Slice, DeletionTime)> {
        let mut c = self.body();
        let slice = Slice {
            start: bound(&mut c)?,
            end: bound(&mut c)?,
        };
        Ok((slice, deletion(&mut c)?))
    }

    /// Decodes a row, or the static one, of so many clustering columns; its spans are of [`bytes`](Self::bytes).
    #[inline]
    pub fn row(&self, columns: usize, out: &mut RowBuf) -> Decoded<()> {
        out.clear();
        let mut c = self.body();
        out.is_static = self.kind() == Kind::Static;
        if !out.is_static {
            for _ in 0..columns {
                out.clustering.push(value(&mut c)?);
            }
        }
        let flags = c.u8()?;
        if flags & ROW_LIVE != 0 {
            out.liveness.timestamp = c.i64()?;
            if flags & ROW_EXPIRES != 0 {
                out.liveness = LivenessInfo {
                    ttl: c.i32()?,
                    local_expiration_time: c.i64()?,
                    ..out.liveness
                };
            }
        }
        if flags & ROW_DELETED != 0 {
            out.deletion = RowDeletion {
                time: deletion(&mut c)?,
                shadowable: flags & ROW_SHADOWABLE != 0,
            };
        }
        if flags & ROW_COMPLEX != 0 {
            for _ in 0..c.u32()? {
                out.complex_deletions.push(ComplexDeletion {
                    column: c.u16()?.into(),
                    time: deletion(&mut c)?,
                });
            }
        }
        for _ in 0..c.u32()? {
            let flags = c.u8()?;
            let mut cell = CellSpan {
                column: c.u16()?.into(),
                ttl: out.liveness.ttl,
                timestamp: out.liveness.timestamp,
                local_deletion_time: out.liveness.local_expiration_time,
                path: Span::NULL,
                value: Span::EMPTY,
            };
            if flags & CELL_AS_ROW == 0 {
                cell.timestamp = c.i64()?;
                cell.ttl = c.i32()?;
                cell.local_deletion_time = c.i64()?;
            }
            if flags & CELL_PATH != 0 {
                cell.path = value(&mut c)?;
            }
            cell.value = value(&mut c)?;
            out.cells.push(cell);
        }
        Ok(())
    }
}

#[inline(always)]
fn value(c: &mut Cursor<'_>) -> Decoded<Span> {
    let len = c.u32()?;
    if len == NULL {
        return Ok(Span::NULL);
    }
    let start = c.position() as u32;
    c.take(len as usize)?;
    Ok(Span { start, len })
}

fn bound_kind(c: &mut Cursor<'_>) -> Decoded<BoundKind> {
    BoundKind::from_ordinal(c.u8()?).ok_or(DecodeError::Invalid("a bound of no known kind"))
}

fn bound(c: &mut Cursor<'_>) -> Decoded<Bound> {
    let kind = bound_kind(c)?;
    let mut values = Vec::new();
    for _ in 0..c.u8()? {
        let span = value(c)?;
        values.push(span.of(c.bytes()).map(<[u8]>::to_vec));
    }
    Ok(Bound { kind, values })
}

fn deletion(c: &mut Cursor<'_>) -> Decoded<DeletionTime> {
    Ok(DeletionTime {
        marked_for_delete_at: c.i64()?,
        local_deletion_time: c.i64()?,
    })
}
