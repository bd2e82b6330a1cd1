//! Values inside values: elements of collections and vectors, fields of tuples, components of composites.
//!
//! Authority: `o.a.c.serializers.CollectionSerializer`, `o.a.c.db.marshal.{TupleType,VectorType,AbstractCompositeType}`.

use crate::bytes::Cursor;
use crate::error::DecodeError;

type Result<T> = std::result::Result<T, DecodeError>;

/// First two bytes of a composite that belongs to a static row.
const STATIC_MARKER: [u8; 2] = [0xff, 0xff];

/// Takes the count of a frozen collection, of which every element has `values` values (2 in a map, else 1). A count
/// that the bytes cannot hold is `Eof`.
pub(super) fn count(c: &mut Cursor<'_>, values: usize) -> Result<usize> {
    let n = u32::try_from(c.i32()?)
        .map_err(|_| DecodeError::Invalid("a collection with a negative count of elements"))?;
    c.bounded(n as u64, 4 * values)
}

/// Takes an i32 length and as many bytes: `None`, a null, if the length is negative.
#[inline]
pub(super) fn sized<'a>(c: &mut Cursor<'a>) -> Result<Option<&'a [u8]>> {
    match usize::try_from(c.i32()?) {
        Ok(n) => c.take(n).map(Some),
        Err(_) => Ok(None),
    }
}

/// Takes an element of a vector, whose type has the fixed length `fixed` or none.
#[inline]
pub(super) fn element<'a>(c: &mut Cursor<'a>, fixed: Option<usize>) -> Result<&'a [u8]> {
    match fixed {
        Some(n) => c.take(n),
        None => c.vint_bytes(),
    }
}

/// A cursor over a composite's components, and whether it says that it is of a static row.
pub(super) fn composite(bytes: &[u8]) -> (Cursor<'_>, bool) {
    let is_static = bytes.starts_with(&STATIC_MARKER);
    (Cursor::at(bytes, if is_static { 2 } else { 0 }), is_static)
}

/// Takes a component of a composite: its value and its end-of-component byte.
#[inline]
pub(super) fn component<'a>(c: &mut Cursor<'a>) -> Result<(&'a [u8], i8)> {
    let value = c.short_bytes()?;
    Ok((value, c.u8()? as i8))
}

/// What stands before each component of a dynamic composite: the alias or the name of its type.
pub(super) enum Comparator<'a> {
    Alias(u8),
    Name(&'a [u8]),
}

/// Takes the alias or type name before a component of a dynamic composite.
pub(super) fn comparator<'a>(c: &mut Cursor<'a>) -> Result<Comparator<'a>> {
    let header = c.u16()?;
    Ok(if header & 0x8000 != 0 {
        Comparator::Alias(header as u8)
    } else {
        Comparator::Name(c.take(header as usize)?)
    })
}
