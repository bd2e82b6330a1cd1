//! Values as JSON.
//!
//! Authority: `toJSONString` of `o.a.c.db.marshal.*`, `o.a.c.utils.JsonUtils.quoteAsJsonString`.

use super::temporal::{self, Duration};
use super::{CqlType, decimal, float, hex, inet, parts};
use crate::bytes::Cursor;
use crate::error::DecodeError;
use crate::{Error, Result};
use std::borrow::Cow;

impl CqlType {
    /// Appends the value as JSON, in the text that `SELECT JSON` and sstabledump print. Most types show an empty value
    /// as `""`.
    ///
    /// Where Cassandra has no text for a value it gets one here: an empty boolean is `""`, a tuple's missing field
    /// `null`, a composite a string, a value of an unknown class a blob.
    ///
    /// # Errors
    /// `Corrupt`: the bytes are no value of the type. Nothing is appended.
    pub fn write_json(&self, value: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        self.json(value, out).map_err(|e| {
            out.truncate(start);
            invalid_value(self, e)
        })
    }

    /// The value as JSON, see [`CqlType::write_json`].
    ///
    /// # Errors
    /// `Corrupt`: the bytes are no value of the type.
    pub fn to_json(&self, value: &[u8]) -> Result<String> {
        let mut out = Vec::new();
        self.write_json(value, &mut out)?;
        String::from_utf8(out).map_err(|_| Error::new(crate::ErrorKind::Internal, "JSON not UTF-8"))
    }

    fn json(&self, v: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        match self {
            CqlType::Text | CqlType::Ascii => {
                let v = text(self, v)?;
                write_json_string(v, out);
            }
            CqlType::Blob | CqlType::Custom(_) => write_blob(v, out),
            CqlType::Reversed(base) => return base.json(v, out),
            CqlType::List { element, .. } | CqlType::Set { element, .. } => {
                let mut c = Cursor::new(v);
                out.push(b'[');
                for i in 0..parts::count(&mut c, 1)? {
                    separate(i, out);
                    json_or_null(element, parts::sized(&mut c)?, out)?;
                }
                out.push(b']');
            }
            CqlType::Map { key, value, .. } => {
                let mut c = Cursor::new(v);
                out.push(b'{');
                for i in 0..parts::count(&mut c, 2)? {
                    separate(i, out);
                    json_key(key, parts::sized(&mut c)?, out)?;
                    out.extend_from_slice(b": ");
                    json_or_null(value, parts::sized(&mut c)?, out)?;
                }
                out.push(b'}');
            }
            CqlType::Tuple(types) => {
                let mut c = Cursor::new(v);
                out.push(b'[');
                for (i, ty) in types.iter().enumerate() {
                    separate(i, out);
                    json_or_null(ty, field(&mut c)?, out)?;
                }
                out.push(b']');
            }
            CqlType::Udt { definition, .. } => {
                let mut c = Cursor::new(v);
                out.push(b'{');
                for (i, (name, ty)) in definition.fields.iter().enumerate() {
                    separate(i, out);
                    write_json_name(name, out);
                    out.extend_from_slice(b": ");
                    json_or_null(ty, field(&mut c)?, out)?;
                }
                out.push(b'}');
            }
            CqlType::Vector { element, dimension } => {
                let mut c = Cursor::new(v);
                let fixed = element.fixed_length();
                out.push(b'[');
                for i in 0..*dimension as usize {
                    separate(i, out);
                    element.json(parts::element(&mut c, fixed)?, out)?;
                }
                out.push(b']');
            }
            CqlType::PartitionerDefinedOrder { base, .. } => match base {
                Some(base) => return base.json(v, out),
                None => write_blob(v, out),
            },
            CqlType::Composite(_) | CqlType::DynamicComposite(_) => {
                let mut text = Vec::new();
                self.text(v, &mut text)?;
                write_json_string(&String::from_utf8_lossy(&text), out);
            }
            _ if v.is_empty() => {
                // A time is the only one to say null.
                let null = if *self == CqlType::Time { "null" } else { "" };
                write_json_string(null, out);
            }
            CqlType::Float | CqlType::Double => {
                let start = out.len();
                self.scalar(v, out)?;
                // JSON has neither NaN nor infinity.
                if matches!(out.last(), Some(b'N' | b'y')) {
                    out.truncate(start);
                    out.extend_from_slice(b"null");
                }
            }
            CqlType::Counter => {
                let v = v.first_chunk().ok_or(WRONG_LENGTH)?;
                decimal::write_i64(i64::from_be_bytes(*v), out);
            }
            CqlType::Timestamp | CqlType::LegacyDate => {
                let v = v.try_into().map_err(|_| WRONG_LENGTH)?;
                out.push(b'"');
                temporal::write_timestamp(i64::from_be_bytes(v), b' ', out);
                out.push(b'"');
            }
            CqlType::Boolean
            | CqlType::TinyInt
            | CqlType::SmallInt
            | CqlType::Int
            | CqlType::BigInt
            | CqlType::Varint
            | CqlType::Decimal => return self.scalar(v, out),
            _ => {
                out.push(b'"');
                self.scalar(v, out)?;
                out.push(b'"');
            }
        }
        Ok(())
    }

    /// Appends a value that is not empty and has no parts, without quotes, as the `toString` of its serializer does.
    pub(super) fn scalar(&self, v: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        fn fixed<const N: usize>(v: &[u8]) -> Result<[u8; N], DecodeError> {
            v.try_into().map_err(|_| WRONG_LENGTH)
        }
        match self {
            CqlType::Boolean => {
                let [v] = fixed(v)?;
                out.extend_from_slice(if v != 0 { b"true" } else { b"false" });
            }
            CqlType::TinyInt => decimal::write_i64(i8::from_be_bytes(fixed(v)?) as i64, out),
            CqlType::SmallInt => decimal::write_i64(i16::from_be_bytes(fixed(v)?) as i64, out),
            CqlType::Int => decimal::write_i64(i32::from_be_bytes(fixed(v)?) as i64, out),
            CqlType::BigInt => decimal::write_i64(i64::from_be_bytes(fixed(v)?), out),
            CqlType::Varint => decimal::write_varint(v, out),
            CqlType::Decimal => {
                if !decimal::write(v, out) {
                    return Err(DecodeError::Invalid("too few bytes for a decimal"));
                }
            }
            CqlType::Float => float::write_float(f32::from_be_bytes(fixed(v)?), out),
            CqlType::Double => float::write_double(f64::from_be_bytes(fixed(v)?), out),
            CqlType::Timestamp | CqlType::LegacyDate => {
                temporal::write_timestamp(i64::from_be_bytes(fixed(v)?), b'T', out);
            }
            CqlType::Date => temporal::write_date(u32::from_be_bytes(fixed(v)?), out),
            CqlType::Time => temporal::write_time(i64::from_be_bytes(fixed(v)?), out),
            CqlType::Duration => Duration::read(v)?.write(out),
            CqlType::Inet => {
                if !inet::write(v, out) {
                    return Err(DecodeError::Invalid("an address of neither 4 nor 16 bytes"));
                }
            }
            CqlType::Uuid | CqlType::TimeUuid | CqlType::LexicalUuid => {
                let v: [u8; 16] = fixed(v)?;
                if *self == CqlType::TimeUuid && v[6] >> 4 != 1 {
                    return Err(DecodeError::Invalid("a timeuuid that is not of version 1"));
                }
                for (i, part) in [&v[..4], &v[4..6], &v[6..8], &v[8..10], &v[10..]]
                    .into_iter()
                    .enumerate()
                {
                    if i > 0 {
                        out.push(b'-');
                    }
                    hex::encode(part, out);
                }
            }
            CqlType::Empty => {
                return Err(DecodeError::Invalid(
                    "a value of a type that has only empty ones",
                ));
            }
            _ => hex::encode(v, out),
        }
        Ok(())
    }
}

pub(super) const WRONG_LENGTH: DecodeError =
    DecodeError::Invalid("a length that values of the type never have");

/// An error for bytes that are no value of `ty`.
#[cold]
pub(super) fn invalid_value(ty: &CqlType, e: DecodeError) -> Error {
    let what = match e {
        DecodeError::Eof => "the bytes end in the middle of it",
        DecodeError::Invalid(what) => what,
    };
    Error::corrupt(format!("no value of type {}: {what}", ty.cql_name()))
}

/// The characters of a text or ascii value.
pub(super) fn text<'a>(ty: &CqlType, v: &'a [u8]) -> Result<&'a str, DecodeError> {
    let text =
        std::str::from_utf8(v).map_err(|_| DecodeError::Invalid("bytes that are not UTF-8"))?;
    if *ty == CqlType::Ascii && !text.is_ascii() {
        return Err(DecodeError::Invalid("a byte that is not ASCII"));
    }
    Ok(text)
}

/// Takes a field of a tuple; `None` if it is null or cut off.
pub(super) fn field<'a>(c: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    if c.is_empty() {
        return Ok(None);
    }
    parts::sized(c)
}

fn separate(i: usize, out: &mut Vec<u8>) {
    if i > 0 {
        out.extend_from_slice(b", ");
    }
}

fn json_or_null(ty: &CqlType, v: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    match v {
        Some(v) => ty.json(v, out),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    }
}

/// Appends a key of a map: what is no string in JSON is put into one.
fn json_key(ty: &CqlType, v: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let start = out.len();
    json_or_null(ty, v, out)?;
    if out.get(start) != Some(&b'"') {
        let key = out.split_off(start);
        write_json_string(&String::from_utf8_lossy(&key), out);
    }
    Ok(())
}

fn write_blob(v: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"0x");
    hex::encode(v, out);
    out.push(b'"');
}

/// Appends the JSON name of a column or field: one that is not in lower case is quoted a second time.
pub fn write_json_name(name: &str, out: &mut Vec<u8>) {
    let name = match name.to_lowercase() == name {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("\"{name}\"")),
    };
    write_json_string(&name, out);
}

#[inline(always)]
fn is_special(b: u8) -> bool {
    (b < 0x20) | (b == b'"') | (b == b'\\')
}

/// Appends a JSON string with its quotes. Escaped are quotes, backslashes and control characters below a blank.
pub fn write_json_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    // Without a branch for each byte many are looked at at once, and most strings have nothing to escape.
    if !rest.iter().fold(false, |any, b| any | is_special(*b)) {
        out.extend_from_slice(rest);
        out.push(b'"');
        return;
    }
    while let Some(at) = rest.iter().position(|b| is_special(*b)) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let b = special[0];
        match b {
            b'"' | b'\\' => out.extend([b'\\', b]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend([HEX[(b >> 4) as usize], HEX[(b & 15) as usize]]);
            }
        }
        rest = &special[1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
