//! Values as plain text and as CQL, and values from plain text.
//!
//! Authority: `getString`, `fromString` and `asCQL3Type().toCQLLiteral` of `o.a.c.db.marshal.*`.

use super::compare::comparator;
use super::json::{field, invalid_value, text};
use super::parts::{self, Comparator};
use super::{CqlType, hex, marshal::write_identifier};
use crate::bytes::Cursor;
use crate::error::DecodeError;
use crate::{Error, Result};

/// Longest field that is made up of bytes that are not there.
const PADDED_BYTES_MAX: usize = 1 << 20;

impl CqlType {
    /// Appends the value as plain text: how sstabledump shows partition keys and paths of cells, and its debug form all
    /// values. Collections, vectors, blobs and counters are hexadecimal digits, the parts of tuples and composites are
    /// separated by colons, an empty value of most types has no text.
    ///
    /// # Errors
    /// `Corrupt`: the bytes are no value of the type. Nothing is appended.
    pub fn write_text(&self, value: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        self.text(value, out).map_err(|e| {
            out.truncate(start);
            invalid_value(self, e)
        })
    }

    /// The value as plain text, see [`CqlType::write_text`].
    ///
    /// # Errors
    /// `Corrupt`: the bytes are no value of the type.
    pub fn to_text(&self, value: &[u8]) -> Result<String> {
        let mut out = Vec::new();
        self.write_text(value, &mut out)?;
        String::from_utf8(out).map_err(|_| Error::new(crate::ErrorKind::Internal, "text not UTF-8"))
    }

    /// The same for a cell that holds one field of this user type, and is shown as if it held a whole value of it, as
    /// Cassandra does for debugging: the last field is filled up with zeros to the length that it seems to have.
    ///
    /// # Errors
    /// `Corrupt`: the bytes cannot be shown so. Nothing is appended.
    pub fn write_field_text(&self, value: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        self.padded_text(value, out).map_err(|e| {
            out.truncate(start);
            invalid_value(self, e)
        })
    }

    /// Java's `Arrays.copyOfRange`, by which `ByteArrayAccessor` slices, goes on with zeros beyond the end.
    fn padded_text(&self, v: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let types: Vec<&CqlType> = match self {
            CqlType::Tuple(types) => types.iter().collect(),
            CqlType::Udt { definition, .. } => definition.fields.iter().map(|(_, t)| t).collect(),
            _ => return self.text(v, out),
        };
        let mut c = Cursor::new(v);
        let mut is_beyond = false;
        for (i, ty) in types.into_iter().enumerate() {
            if c.is_empty() && !is_beyond {
                break;
            }
            if i > 0 {
                out.push(b':');
            }
            let Ok(size) = usize::try_from(c.i32()?) else {
                out.push(b'@');
                continue;
            };
            if size > PADDED_BYTES_MAX.max(c.remaining()) {
                return Err(DecodeError::Eof);
            }
            is_beyond = size > c.remaining();
            let mut field = c.take(size.min(c.remaining()))?.to_vec();
            field.resize(size, 0);
            escaped(b":@", out, |out| ty.padded_text(&field, out))?;
        }
        Ok(())
    }

    pub(super) fn text(&self, v: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        match self {
            CqlType::Text | CqlType::Ascii => {
                out.extend_from_slice(text(self, v)?.as_bytes());
                Ok(())
            }
            CqlType::Reversed(base) => base.text(v, out),
            CqlType::Tuple(types) => tuple_text(types.iter(), v, out),
            CqlType::Udt { definition, .. } => {
                tuple_text(definition.fields.iter().map(|(_, t)| t), v, out)
            }
            CqlType::Composite(types) => {
                let (c, _) = parts::composite(v);
                composite_text(c, out, |i, _, _| {
                    let ty = types.get(i).cloned();
                    ty.ok_or(DecodeError::Invalid("more components than types"))
                })
            }
            CqlType::DynamicComposite(aliases) => {
                composite_text(Cursor::new(v), out, |_, c, out| {
                    let name = parts::comparator(c)?;
                    match name {
                        Comparator::Alias(alias) => out.push(alias),
                        Comparator::Name(name) => {
                            out.extend_from_slice(text(&CqlType::Text, name)?.as_bytes());
                        }
                    }
                    out.push(b'@');
                    let ty = comparator(aliases, name);
                    ty.ok_or(DecodeError::Invalid("a component of an unknown type"))
                })
            }
            CqlType::TinyInt
            | CqlType::SmallInt
            | CqlType::Date
            | CqlType::Time
            | CqlType::Duration
                if v.is_empty() =>
            {
                Err(super::json::WRONG_LENGTH)
            }
            _ if v.is_empty() => Ok(()),
            _ => self.scalar(v, out),
        }
    }
}

impl CqlType {
    /// Appends the value as a literal of CQL, `null` for an empty value of a type whose empty values say nothing.
    ///
    /// # Errors
    /// `Corrupt`: the bytes are no value of the type. Nothing is appended.
    pub fn write_cql_literal(&self, value: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        self.literal(value, out).map_err(|e| {
            out.truncate(start);
            invalid_value(self, e)
        })
    }

    fn literal(&self, v: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let or_null = |ty: &CqlType, v: Option<&[u8]>, out: &mut Vec<u8>| match v {
            Some(v) => ty.literal(v, out),
            None => {
                out.extend_from_slice(b"null");
                Ok(())
            }
        };
        let separate = |i: usize, out: &mut Vec<u8>| {
            if i > 0 {
                out.extend_from_slice(b", ");
            }
        };
        match self {
            CqlType::Text | CqlType::Ascii => {
                out.push(b'\'');
                out.extend_from_slice(text(self, v)?.replace('\'', "''").as_bytes());
                out.push(b'\'');
            }
            CqlType::Blob
            | CqlType::LexicalUuid
            | CqlType::Custom(_)
            | CqlType::Composite(_)
            | CqlType::DynamicComposite(_)
            | CqlType::PartitionerDefinedOrder { .. } => {
                out.extend_from_slice(b"0x");
                hex::encode(v, out);
            }
            CqlType::Reversed(base) => return base.literal(v, out),
            CqlType::List { element, .. } | CqlType::Set { element, .. } => {
                let is_list = matches!(self, CqlType::List { .. });
                let mut c = Cursor::new(v);
                out.push(if is_list { b'[' } else { b'{' });
                for i in 0..parts::count(&mut c, 1)? {
                    separate(i, out);
                    or_null(element, parts::sized(&mut c)?, out)?;
                }
                out.push(if is_list { b']' } else { b'}' });
            }
            CqlType::Map { key, value, .. } => {
                let mut c = Cursor::new(v);
                out.push(b'{');
                for i in 0..parts::count(&mut c, 2)? {
                    separate(i, out);
                    or_null(key, parts::sized(&mut c)?, out)?;
                    out.extend_from_slice(b": ");
                    or_null(value, parts::sized(&mut c)?, out)?;
                }
                out.push(b'}');
            }
            CqlType::Vector { element, dimension } => {
                let mut c = Cursor::new(v);
                let fixed = element.fixed_length();
                out.push(b'[');
                for i in 0..*dimension as usize {
                    separate(i, out);
                    element.literal(parts::element(&mut c, fixed)?, out)?;
                }
                out.push(b']');
            }
            CqlType::Tuple(types) => {
                let mut c = Cursor::new(v);
                out.push(b'(');
                for (i, ty) in types.iter().enumerate() {
                    if c.is_empty() {
                        break;
                    }
                    separate(i, out);
                    or_null(ty, field(&mut c)?, out)?;
                }
                out.push(b')');
            }
            CqlType::Udt { definition, .. } => {
                let mut c = Cursor::new(v);
                out.push(b'{');
                for (i, (name, ty)) in definition.fields.iter().enumerate() {
                    if c.is_empty() {
                        break;
                    }
                    separate(i, out);
                    let mut quoted = String::new();
                    write_identifier(&mut quoted, name);
                    out.extend_from_slice(quoted.as_bytes());
                    out.extend_from_slice(b": ");
                    or_null(ty, field(&mut c)?, out)?;
                }
                out.push(b'}');
            }
            _ if v.is_empty() => out.extend_from_slice(b"null"),
            CqlType::Timestamp
            | CqlType::LegacyDate
            | CqlType::Date
            | CqlType::Time
            | CqlType::Inet => {
                out.push(b'\'');
                self.scalar(v, out)?;
                out.push(b'\'');
            }
            CqlType::Counter => return CqlType::BigInt.scalar(v, out),
            _ => return self.scalar(v, out),
        }
        Ok(())
    }
}

/// Appends the fields with colons between them, an at sign for null, until the value ends.
fn tuple_text<'t>(
    types: impl Iterator<Item = &'t CqlType>,
    v: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let mut c = Cursor::new(v);
    for (i, ty) in types.enumerate() {
        if c.is_empty() {
            break;
        }
        if i > 0 {
            out.push(b':');
        }
        match parts::sized(&mut c)? {
            Some(v) => escaped(b":@", out, |out| ty.text(v, out))?,
            None => out.push(b'@'),
        }
    }
    Ok(())
}

/// Appends what `write` does, with a backslash before each of the `special` bytes.
fn escaped(
    special: &[u8],
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let start = out.len();
    write(out)?;
    if out[start..].iter().any(|b| special.contains(b)) {
        for b in out.split_off(start) {
            if special.contains(&b) {
                out.push(b'\\');
            }
            out.push(b);
        }
    }
    Ok(())
}

/// Appends the components with colons between them; `type_of` reads what precedes each of them.
fn composite_text<'a>(
    mut c: Cursor<'a>,
    out: &mut Vec<u8>,
    type_of: impl Fn(usize, &mut Cursor<'a>, &mut Vec<u8>) -> Result<CqlType, DecodeError>,
) -> Result<(), DecodeError> {
    for i in 0.. {
        if c.is_empty() {
            break;
        }
        if i > 0 {
            out.push(b':');
        }
        let ty = type_of(i, &mut c, out)?;
        let (v, end) = parts::component(&mut c)?;
        let start = out.len();
        escaped(b":", out, |out| ty.text(v, out))?;
        if matches!(out[start..].last(), Some(b'\\' | b'!')) {
            out.push(b'!');
        }
        if end != 0 {
            out.extend_from_slice(if end < 0 { b":_" } else { b":!" });
            break;
        }
    }
    Ok(())
}
