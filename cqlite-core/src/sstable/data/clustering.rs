//! Clustering values and prefixes as they are stored in Data.db and in Index.db's blocks.
//!
//! Authority: `o.a.c.db.ClusteringPrefix.Serializer`, `o.a.c.db.ClusteringBoundOrBoundary.Serializer`.

use crate::bytes::{Cursor, DecodeError, Sink};
use crate::model::{BoundKind, ClusteringRef, Span};
use crate::{Error, Result as WriteResult};

/// Values that share one header vint: two bits each.
const VALUES_PER_HEADER: usize = 32;

/// Decodes `n` clustering values and appends their spans, which are absolute in `cursor.bytes()`.
///
/// `fixed_lengths` holds, per clustering column, the length in bytes that its type's values always have, `None` where
/// values carry their length. More values than columns, or a value beyond the first 4 GiB of the bytes, is `Invalid`.
/// After an error `spans` may hold some of the values.
#[inline(always)]
pub fn read_values(
    cursor: &mut Cursor<'_>,
    n: usize,
    fixed_lengths: &[Option<u32>],
    spans: &mut Vec<Span>,
) -> Result<(), DecodeError> {
    let columns = fixed_lengths
        .get(..n)
        .ok_or(DecodeError::Invalid("more clustering values than columns"))?;
    for batch in columns.chunks(VALUES_PER_HEADER) {
        // Bit 2i: the value is empty; bit 2i+1: it is null.
        let mut header = cursor.uvint()?;
        for fixed in batch {
            spans.push(match header & 3 {
                0 => read_value(cursor, *fixed)?,
                1 => Span::EMPTY,
                _ => Span::NULL,
            });
            header >>= 2;
        }
    }
    Ok(())
}

#[inline(always)]
fn read_value(cursor: &mut Cursor<'_>, fixed_length: Option<u32>) -> Result<Span, DecodeError> {
    const FAR: DecodeError = DecodeError::Invalid("a clustering value beyond 4 GiB");
    let len = match fixed_length {
        Some(len) => len,
        None => u32::try_from(cursor.uvint()?).map_err(|_| DecodeError::Eof)?,
    };
    let start = u32::try_from(cursor.position()).map_err(|_| FAR)?;
    // The largest start means null.
    if start == u32::MAX {
        return Err(FAR);
    }
    cursor.take(len as usize)?;
    Ok(Span { start, len })
}

/// Decodes a clustering or a bound: its kind, then all values of a clustering, or a bound's count of values and those.
///
/// Appends spans as [`read_values`] does. The static row's kind is never stored so, and is `Invalid`.
#[inline]
pub fn read_prefix(
    cursor: &mut Cursor<'_>,
    fixed_lengths: &[Option<u32>],
    spans: &mut Vec<Span>,
) -> Result<BoundKind, DecodeError> {
    let kind = read_kind(cursor)?;
    let n = match kind {
        BoundKind::Clustering => fixed_lengths.len(),
        _ => cursor.u16()? as usize,
    };
    read_values(cursor, n, fixed_lengths, spans)?;
    Ok(kind)
}

/// Decodes the bound of a range tombstone marker: kind, count of values, values.
///
/// Appends spans as [`read_values`] does. A kind that is no bound is `Invalid`.
#[inline]
pub fn read_bound(
    cursor: &mut Cursor<'_>,
    fixed_lengths: &[Option<u32>],
    spans: &mut Vec<Span>,
) -> Result<BoundKind, DecodeError> {
    let kind = read_kind(cursor)?;
    if kind == BoundKind::Clustering {
        return Err(DecodeError::Invalid("a clustering where a bound must be"));
    }
    let n = cursor.u16()? as usize;
    read_values(cursor, n, fixed_lengths, spans)?;
    Ok(kind)
}

/// Appends clustering values as [`read_values`] reads them.
///
/// # Errors
/// `InvalidInput` for more values than columns, and for a value that does not have the length of its type.
#[inline]
pub fn write_values(
    out: &mut impl Sink,
    values: ClusteringRef<'_>,
    fixed_lengths: &[Option<u32>],
) -> WriteResult<()> {
    let n = values.len();
    if n > fixed_lengths.len() {
        return Err(too_many_values(n, fixed_lengths.len()));
    }
    let mut start = 0;
    while start < n {
        let end = n.min(start + VALUES_PER_HEADER);
        let mut header = 0u64;
        for i in start..end {
            let bits = match values.get(i) {
                Some([]) => 1,
                Some(_) => 0,
                None => 2,
            };
            header |= bits << (2 * (i - start));
        }
        out.put_uvint(header);
        for (i, fixed) in (start..).zip(&fixed_lengths[start..end]) {
            let Some(value @ [_, ..]) = values.get(i) else {
                continue;
            };
            match fixed {
                Some(length) if value.len() != *length as usize => {
                    return Err(wrong_length(i, value.len(), *length));
                }
                Some(_) => {}
                None => out.put_uvint(value.len() as u64),
            }
            out.put(value);
        }
        start = end;
    }
    Ok(())
}

/// Appends a clustering or a bound as [`read_prefix`] reads it.
///
/// # Errors
/// As of [`write_values`]; also for a clustering that lacks values.
#[inline]
pub fn write_prefix(
    out: &mut impl Sink,
    kind: BoundKind,
    values: ClusteringRef<'_>,
    fixed_lengths: &[Option<u32>],
) -> WriteResult<()> {
    if kind != BoundKind::Clustering {
        return write_bound(out, kind, values, fixed_lengths);
    }
    if values.len() != fixed_lengths.len() {
        return Err(too_many_values(values.len(), fixed_lengths.len()));
    }
    out.put_u8(kind as u8);
    write_values(out, values, fixed_lengths)
}

/// Appends a bound as [`read_bound`] reads it.
///
/// # Errors
/// As of [`write_values`].
#[inline]
pub fn write_bound(
    out: &mut impl Sink,
    kind: BoundKind,
    values: ClusteringRef<'_>,
    fixed_lengths: &[Option<u32>],
) -> WriteResult<()> {
    out.put_u8(kind as u8);
    out.put_u16(values.len() as u16);
    write_values(out, values, fixed_lengths)
}

#[cold]
fn too_many_values(n: usize, columns: usize) -> Error {
    Error::invalid(format!(
        "{n} clustering values where there are {columns} clustering columns"
    ))
}

#[cold]
fn wrong_length(column: usize, length: usize, expected: u32) -> Error {
    Error::invalid(format!(
        "the value of clustering column {} has {length} bytes, its type needs {expected}",
        column + 1
    ))
}

#[inline]
fn read_kind(cursor: &mut Cursor<'_>) -> Result<BoundKind, DecodeError> {
    match BoundKind::from_ordinal(cursor.u8()?) {
        None | Some(BoundKind::Static) => {
            Err(DecodeError::Invalid("an unknown kind of clustering prefix"))
        }
        Some(kind) => Ok(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(bytes: &[u8], fixed: &[Option<u32>]) -> Result<Vec<Option<Vec<u8>>>, DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let mut spans = Vec::new();
        read_values(&mut cursor, fixed.len(), fixed, &mut spans)?;
        assert!(cursor.is_empty());
        let mut written = Vec::new();
        write_values(&mut written, ClusteringRef::new(bytes, &spans), fixed).unwrap();
        assert_eq!(written, bytes);
        Ok(spans
            .iter()
            .map(|s| s.of(bytes).map(<[u8]>::to_vec))
            .collect())
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let spans = [Span { start: 0, len: 3 }; 2];
        let values = ClusteringRef::new(b"abc", &spans);
        let mut out = Vec::new();
        assert!(write_values(&mut out, values, &[None, Some(4)]).is_err());
        assert!(write_values(&mut out, values, &[None]).is_err());
        assert!(write_prefix(&mut out, BoundKind::Clustering, values, &[None; 3]).is_err());
        out.clear();
        write_prefix(&mut out, BoundKind::InclEnd, values, &[None; 3]).unwrap();
        assert_eq!(out, b"\x06\0\x02\0\x03abc\x03abc");
    }

    #[test]
    fn text_and_int_then_empty_and_null() {
        // ('a', 5), then an empty text and a null int.
        assert_eq!(
            values(&[0, 1, 0x61, 0, 0, 0, 5], &[None, Some(4)]),
            Ok(vec![Some(b"a".to_vec()), Some(vec![0, 0, 0, 5])])
        );
        assert_eq!(
            values(&[0x09], &[None, Some(4)]),
            Ok(vec![Some(vec![]), None])
        );
        assert_eq!(values(&[], &[]), Ok(vec![]));
        assert_eq!(values(&[0, 5, 0x61], &[None]), Err(DecodeError::Eof));
    }

    #[test]
    fn the_33rd_value_has_a_second_header() {
        let mut bytes = vec![0];
        bytes.extend((0..32u32).flat_map(u32::to_be_bytes));
        bytes.extend([0x01]);
        let read = values(&bytes, &[Some(4); 33]).unwrap();
        assert_eq!(read[31], Some(vec![0, 0, 0, 31]));
        assert_eq!(read[32], Some(vec![]));
    }

    #[test]
    fn prefixes_say_their_count_unless_they_are_clusterings() {
        let fixed = [Some(4), None];
        let read = |bytes: &[u8]| {
            let mut spans = Vec::new();
            read_prefix(&mut Cursor::new(bytes), &fixed, &mut spans).map(|k| (k, spans.len()))
        };
        assert_eq!(
            read(&[4, 0, 0, 0, 0, 7, 1, 0x61]),
            Ok((BoundKind::Clustering, 2))
        );
        assert_eq!(read(&[6, 0, 1, 0, 0, 0, 0, 7]), Ok((BoundKind::InclEnd, 1)));
        assert_eq!(read(&[1, 0, 0]), Ok((BoundKind::InclStart, 0)));
        assert!(matches!(read(&[3, 0, 0]), Err(DecodeError::Invalid(_))));
        assert!(matches!(read(&[9, 0, 0]), Err(DecodeError::Invalid(_))));
        assert!(matches!(read(&[1, 0, 3, 0]), Err(DecodeError::Invalid(_))));
        let mut spans = Vec::new();
        assert!(read_bound(&mut Cursor::new(&[4, 0]), &fixed, &mut spans).is_err());
    }
}
