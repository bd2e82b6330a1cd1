//! Whether bytes are a value of a type.
//!
//! Authority: `validate` of `o.a.c.db.marshal.*` and `o.a.c.serializers.*`, `o.a.c.schema.ColumnMetadata.validateCell`.

use super::compare::comparator;
use super::json::{WRONG_LENGTH, invalid_value};
use super::temporal::Duration;
use super::{CqlType, counter, parts};
use crate::Result;
use crate::bytes::Cursor;
use crate::error::DecodeError;

const TRAILING: DecodeError = DecodeError::Invalid("bytes behind its end");

impl CqlType {
    /// Checks that the bytes are a value of the type, as strictly as Cassandra does on a write: most types take an empty
    /// value, and times of day may be any number.
    ///
    /// # Errors
    /// `Corrupt`, saying what is wrong.
    pub fn validate(&self, value: &[u8]) -> Result<()> {
        match self {
            CqlType::Composite(types) => {
                let (c, _) = parts::composite(value);
                composite(c, |i, _| types.get(i).cloned())
            }
            CqlType::DynamicComposite(aliases) => composite(Cursor::new(value), |_, c| {
                // A name that a value holds is more likely damaged than that of an unknown class.
                comparator(aliases, parts::comparator(c).ok()?)
                    .filter(|ty| !matches!(ty, CqlType::Custom(_)))
            }),
            _ => self.check(value),
        }
        .map_err(|e| invalid_value(self, e))
    }

    /// Checks the path and value of a cell of a column of this type: an element and its path where the type is
    /// multi-cell, a context where it is a counter. `None` as value is a tombstone.
    ///
    /// # Errors
    /// `Corrupt`, saying what is wrong.
    pub fn validate_cell(&self, path: Option<&[u8]>, value: Option<&[u8]>) -> Result<()> {
        let invalid = |what| invalid_value(self, DecodeError::Invalid(what));
        let path = match (self.is_multi_cell(), path) {
            (true, Some(path)) => path,
            (true, None) => return Err(invalid("no path in a cell of several")),
            (false, Some(_)) => return Err(invalid("a path in the only cell")),
            (false, None) => {
                return match (self, value) {
                    (CqlType::Counter, Some(value)) => counter::shards(value)
                        .map(drop)
                        .map_err(|e| invalid_value(self, e)),
                    (_, Some(value)) => self.validate(value),
                    (_, None) => Ok(()),
                };
            }
        };
        let (path_type, value_type) = match self {
            CqlType::List { element, .. } => (&CqlType::TimeUuid, &**element),
            CqlType::Set { element, .. } => (&**element, &CqlType::Empty),
            CqlType::Map { key, value, .. } => (&**key, &**value),
            CqlType::Udt { definition, .. } => {
                let index = path.try_into().map(u16::from_be_bytes);
                let field = index.ok().and_then(|i| definition.fields.get(i as usize));
                match field {
                    Some((_, ty)) => (&CqlType::SmallInt, ty),
                    None => return Err(invalid("a path that is no index of a field")),
                }
            }
            _ => return Ok(()),
        };
        path_type.validate(path)?;
        value.map_or(Ok(()), |value| value_type.validate(value))
    }

    fn check(&self, v: &[u8]) -> Result<(), DecodeError> {
        let one_of = |lengths: &[usize]| match lengths.contains(&v.len()) {
            true => Ok(()),
            false => Err(WRONG_LENGTH),
        };
        match self {
            CqlType::Blob
            | CqlType::Varint
            | CqlType::Custom(_)
            // As part of another value a composite is taken for a blob.
            | CqlType::Composite(_)
            | CqlType::DynamicComposite(_)
            | CqlType::PartitionerDefinedOrder { .. } => Ok(()),
            CqlType::Empty => one_of(&[0]),
            CqlType::Boolean => one_of(&[0, 1]),
            CqlType::TinyInt => one_of(&[1]),
            CqlType::SmallInt => one_of(&[2]),
            CqlType::Date => one_of(&[4]),
            CqlType::Time => one_of(&[8]),
            CqlType::Int | CqlType::Float => one_of(&[0, 4]),
            CqlType::BigInt
            | CqlType::Double
            | CqlType::Counter
            | CqlType::Timestamp
            | CqlType::LegacyDate => one_of(&[0, 8]),
            CqlType::Inet => one_of(&[0, 4, 16]),
            CqlType::Uuid | CqlType::LexicalUuid => one_of(&[0, 16]),
            CqlType::TimeUuid => {
                one_of(&[0, 16])?;
                match v.get(6) {
                    Some(b) if b >> 4 != 1 => Err(DecodeError::Invalid(
                        "a timeuuid that is not of version 1",
                    )),
                    _ => Ok(()),
                }
            }
            CqlType::Decimal if (1..4).contains(&v.len()) => Err(WRONG_LENGTH),
            CqlType::Decimal => Ok(()),
            CqlType::Duration => Duration::read(v).map(drop),
            CqlType::Ascii if v.is_ascii() => Ok(()),
            CqlType::Ascii => Err(DecodeError::Invalid("a byte that is not ASCII")),
            CqlType::Text if std::str::from_utf8(v).is_ok() || is_lenient_utf8(v) => Ok(()),
            CqlType::Text => Err(DecodeError::Invalid("bytes that are not UTF-8")),
            CqlType::Reversed(base) => base.check(v),
            CqlType::List { element, .. } | CqlType::Set { element, .. } => {
                collection(&[element], v)
            }
            CqlType::Map { key, value, .. } => collection(&[key, value], v),
            CqlType::Tuple(types) => tuple(types.iter(), v),
            CqlType::Udt { definition, .. } => tuple(definition.fields.iter().map(|(_, t)| t), v),
            CqlType::Vector { element, dimension } => {
                let mut c = Cursor::new(v);
                let fixed = element.fixed_length();
                for _ in 0..*dimension {
                    element.check(parts::element(&mut c, fixed)?)?;
                }
                at_end(c)
            }
        }
    }
}

fn at_end(c: Cursor<'_>) -> Result<(), DecodeError> {
    if c.is_empty() { Ok(()) } else { Err(TRAILING) }
}

fn collection(types: &[&CqlType], v: &[u8]) -> Result<(), DecodeError> {
    let mut c = Cursor::new(v);
    for _ in 0..c.i32()? {
        for ty in types {
            let v = parts::sized(&mut c)?;
            ty.check(v.ok_or(DecodeError::Invalid("a null inside"))?)?;
        }
    }
    at_end(c)
}

fn tuple<'t>(types: impl Iterator<Item = &'t CqlType>, v: &[u8]) -> Result<(), DecodeError> {
    let mut c = Cursor::new(v);
    for ty in types {
        if let Some(v) = super::json::field(&mut c)? {
            ty.check(v)?;
        }
    }
    at_end(c)
}

/// Checks the components; `type_of` reads what precedes each of them.
fn composite(
    mut c: Cursor<'_>,
    type_of: impl Fn(usize, &mut Cursor<'_>) -> Option<CqlType>,
) -> Result<(), DecodeError> {
    let mut i = 0;
    while !c.is_empty() {
        let ty = type_of(i, &mut c);
        let ty = ty.ok_or(DecodeError::Invalid("a component of an unknown type"))?;
        let (v, end) = parts::component(&mut c)?;
        ty.check(v)?;
        if end != 0 {
            return at_end(c);
        }
        i += 1;
    }
    Ok(())
}

/// What Cassandra lets pass for UTF-8 beyond what is: surrogates, a NUL in two bytes, code points that do not exist, and
/// a second byte behind `E0` or `F0` that is none.
fn is_lenient_utf8(v: &[u8]) -> bool {
    let continues = |b: u8| b & 0xc0 == 0x80;
    let mut rest = v;
    while let [first, after @ ..] = rest {
        let (ok, len) = match (first, after) {
            (0..0x80, _) => (true, 0),
            (0xc0, [0x80, ..]) => (true, 1),
            (0xc2..0xe0, [b, ..]) => (continues(*b), 1),
            (0xe0, [b, c, ..]) => (b & 0xe0 != 0x80 && continues(*c), 2),
            (0xe1..0xf0, [b, c, ..]) => (continues(*b) && continues(*c), 2),
            (0xf0, [b, c, d, ..]) => (b & 0x30 != 0 && continues(*c) && continues(*d), 3),
            (0xf1..0xf8, [b, c, d, ..]) => (continues(*b) && continues(*c) && continues(*d), 3),
            _ => return false,
        };
        if !ok {
            return false;
        }
        rest = &after[len..];
    }
    true
}
