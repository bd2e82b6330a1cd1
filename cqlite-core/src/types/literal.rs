//! Constant terms of CQL statements, as parsed before the type that they are for is known, and their values once it is.
//!
//! Authority: `o.a.c.cql3.{Constants,Lists,Sets,Maps,UserTypes,Tuples,Vectors}`.

use super::from_text::write_sized;
use super::{CqlType, hex};
use crate::bytes::vint;
use crate::{Error, Result};
use std::borrow::Cow;

/// A term without bind markers. Numbers keep their text: what they become depends on the type that receives them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Literal {
    /// `NULL`.
    Null,
    /// Decimal digits, with `-` before them if negative.
    Integer(String),
    /// A number with a fraction or an exponent, as written.
    Float(String),
    /// `NaN`, or `-NaN`, which is the same.
    Nan,
    /// `Infinity` or `-Infinity`.
    Infinity {
        /// Whether it is the negative one.
        negative: bool,
    },
    /// A string, without its quotes and with doubled quotes made single.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A UUID that was written without quotes.
    Uuid([u8; 16]),
    /// The bytes of `0x...`.
    Blob(Vec<u8>),
    /// A duration that was written without quotes, in any of its forms, as written.
    Duration(String),
    /// `[a, b]`: a list or a vector.
    List(Vec<Literal>),
    /// `{a, b}`: a set. `{}` is this too, and does for a map.
    Set(Vec<Literal>),
    /// `{a: b}` whose keys are terms.
    Map(Vec<(Literal, Literal)>),
    /// `{name: b}` whose keys are identifiers (without quotes): a value of a user-defined type.
    Udt(Vec<(String, Literal)>),
    /// `(a, b)`: a tuple, or a term in parentheses.
    Tuple(Vec<Literal>),
    /// `name(a, b)`, for example `now()` or `blobAsInt(0x00)`.
    FunctionCall {
        /// Its name in lower case unless it was quoted; with its keyspace and a dot before it, if one was written.
        name: String,
        /// Its arguments.
        args: Vec<Literal>,
    },
}

/// What a constant was written as, as Cassandra's messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    String,
    Integer,
    Uuid,
    Float,
    Boolean,
    Hex,
    Duration,
}

/// Evaluates a call: its name, its arguments, and the type that its value is for.
pub type Evaluate<'a> = dyn Fn(&str, &[Literal], &CqlType) -> Result<Option<Vec<u8>>> + 'a;

impl Literal {
    /// The value of this term as one of type `ty`, as Cassandra accepts it; `None` if it is `NULL`. A counter takes an
    /// integer, as 8 bytes. `now` is the present time in milliseconds since 1970, for the timestamp `'now'`.
    ///
    /// # Errors
    /// `InvalidInput`, naming the type, when the term is none of it or out of its range; `Unsupported` for calls of
    /// functions, see [`Literal::to_bytes_with`].
    pub fn to_bytes(&self, ty: &CqlType, now: i64) -> Result<Option<Vec<u8>>> {
        self.to_bytes_with(ty, now, &|name, _, _| {
            Err(Error::unsupported(format!("the function {name} here")))
        })
    }

    /// As [`Literal::to_bytes`], with calls of functions left to `evaluate`.
    ///
    /// # Errors
    /// As [`Literal::to_bytes`], and those of `evaluate`.
    pub fn to_bytes_with(
        &self,
        ty: &CqlType,
        now: i64,
        evaluate: &Evaluate<'_>,
    ) -> Result<Option<Vec<u8>>> {
        if let CqlType::Reversed(base) = ty {
            return self.to_bytes_with(base, now, evaluate);
        }
        let receiver = Receiver { ty, now, evaluate };
        match self {
            Literal::Null if *ty == CqlType::Counter => Err(Error::invalid(
                "Invalid null value for counter increment/decrement",
            )),
            Literal::Null => Ok(None),
            Literal::FunctionCall { name, args } => evaluate(name, args, ty),
            Literal::List(elements) => receiver.list(elements).map(Some),
            Literal::Set(elements) => receiver.set(elements).map(Some),
            Literal::Map(entries) => receiver.map(entries).map(Some),
            Literal::Udt(fields) => receiver.user_type(fields).map(Some),
            // A lone term in parentheses is that term, unless a tuple is wanted.
            Literal::Tuple(elements) => match (&elements[..], ty) {
                ([term], _) if !matches!(ty, CqlType::Tuple(_) | CqlType::Udt { .. }) => {
                    term.to_bytes_with(ty, now, evaluate)
                }
                _ => receiver.tuple(elements).map(Some),
            },
            _ => receiver.constant(self).map(Some),
        }
    }

    /// Kind and text of a constant; `None` for terms that are none.
    fn constant(&self) -> Option<(Kind, Cow<'_, str>)> {
        Some(match self {
            Literal::Integer(text) => (Kind::Integer, text.into()),
            Literal::Float(text) => (Kind::Float, text.into()),
            Literal::Nan => (Kind::Float, "NaN".into()),
            Literal::Infinity { negative: false } => (Kind::Float, "Infinity".into()),
            Literal::Infinity { negative: true } => (Kind::Float, "-Infinity".into()),
            Literal::Text(text) => (Kind::String, text.into()),
            Literal::Boolean(v) => (Kind::Boolean, if *v { "true" } else { "false" }.into()),
            Literal::Uuid(bytes) => (
                Kind::Uuid,
                CqlType::Uuid.to_text(bytes).unwrap_or_default().into(),
            ),
            Literal::Blob(bytes) => {
                let mut text = b"0x".to_vec();
                hex::encode(bytes, &mut text);
                (
                    Kind::Hex,
                    String::from_utf8_lossy(&text).into_owned().into(),
                )
            }
            Literal::Duration(text) => (Kind::Duration, text.into()),
            _ => return None,
        })
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::String => "STRING",
            Kind::Integer => "INTEGER",
            Kind::Uuid => "UUID",
            Kind::Float => "FLOAT",
            Kind::Boolean => "BOOLEAN",
            Kind::Hex => "HEX",
            Kind::Duration => "DURATION",
        }
    }

    /// Whether a constant of this kind may be a value of the type.
    fn fits(self, ty: &CqlType) -> bool {
        use CqlType::*;
        match ty {
            List { .. } | Set { .. } | Map { .. } | Udt { .. } | Vector { .. } | Empty => false,
            Ascii | Text | Inet => self == Kind::String,
            Date | Time | Timestamp | LegacyDate => matches!(self, Kind::String | Kind::Integer),
            BigInt | Counter | Int | SmallInt | Varint => self == Kind::Integer,
            // Cassandra takes a blob for a tinyint, and its bytes as they are.
            TinyInt => matches!(self, Kind::Integer | Kind::Hex),
            Decimal | Double | Float => matches!(self, Kind::Integer | Kind::Float),
            CqlType::Duration => matches!(self, Kind::Integer | Kind::Duration),
            CqlType::Uuid | TimeUuid => self == Kind::Uuid,
            CqlType::Boolean => self == Kind::Boolean,
            Blob => self == Kind::Hex,
            // Anything may be the text of another type.
            _ => true,
        }
    }
}

/// The type that a term is for.
struct Receiver<'a> {
    ty: &'a CqlType,
    now: i64,
    evaluate: &'a Evaluate<'a>,
}

impl Receiver<'_> {
    #[cold]
    fn mismatch(&self, what: &str) -> Error {
        let name = self.ty.cql_name();
        Error::invalid(format!("Invalid {what} literal for a value of type {name}"))
    }

    fn constant(&self, literal: &Literal) -> Result<Vec<u8>> {
        let (kind, text) = literal
            .constant()
            .ok_or_else(|| self.mismatch("term as a"))?;
        if !kind.fits(self.ty) {
            return Err(Error::invalid(format!(
                "Invalid {} constant ({text}) for a value of type {}",
                kind.name(),
                self.ty.cql_name()
            )));
        }
        match (literal, self.ty) {
            (Literal::Blob(bytes), _) => Ok(bytes.clone()),
            // Also where the type could hold it.
            (Literal::Float(_), _) if text.parse().is_ok_and(f64::is_infinite) => Err(
                Error::invalid(format!("the number {text} is out of the range of doubles")),
            ),
            (_, CqlType::Counter) => CqlType::BigInt.parse_text(&text, Some(self.now)),
            _ => self.ty.parse_text(&text, Some(self.now)),
        }
    }

    /// The value of a part of this one, `None` if it is null.
    fn part(&self, literal: &Literal, ty: &CqlType) -> Result<Option<Vec<u8>>> {
        literal.to_bytes_with(ty, self.now, self.evaluate)
    }

    fn element(&self, literal: &Literal, ty: &CqlType) -> Result<Vec<u8>> {
        self.part(literal, ty)?
            .ok_or_else(|| Error::invalid("null is not supported inside collections"))
    }

    fn list(&self, elements: &[Literal]) -> Result<Vec<u8>> {
        match self.ty {
            CqlType::List { element, .. } => {
                let mut out = start(elements.len())?;
                for literal in elements {
                    write_sized(Some(&self.element(literal, element)?), &mut out)?;
                }
                Ok(out)
            }
            CqlType::Vector { element, dimension } => {
                if elements.len() != *dimension as usize {
                    return Err(Error::invalid(format!(
                        "Invalid vector literal for a value of type {}; expected {dimension} elements, but given {}",
                        self.ty.cql_name(),
                        elements.len()
                    )));
                }
                let fixed = element.fixed_length();
                let mut out = Vec::new();
                for literal in elements {
                    let value = self
                        .part(literal, element)?
                        .filter(|v| !v.is_empty() || element.has_empty_value())
                        .ok_or_else(|| Error::invalid("null is not supported inside vectors"))?;
                    if fixed.is_none() {
                        vint::write_unsigned(&mut out, value.len() as u64);
                    }
                    out.extend(value);
                }
                Ok(out)
            }
            _ => Err(self.mismatch("list")),
        }
    }

    fn set(&self, elements: &[Literal]) -> Result<Vec<u8>> {
        match self.ty {
            CqlType::Set { element, .. } => {
                let mut values = elements
                    .iter()
                    .map(|literal| self.element(literal, element))
                    .collect::<Result<Vec<_>>>()?;
                values.sort_by(|a, b| element.compare(a, b));
                values.dedup_by(|a, b| element.compare(a, b).is_eq());
                let mut out = start(values.len())?;
                for value in &values {
                    write_sized(Some(value), &mut out)?;
                }
                Ok(out)
            }
            CqlType::Map { .. } if elements.is_empty() => start(0),
            _ => Err(self.mismatch("set")),
        }
    }

    fn map(&self, entries: &[(Literal, Literal)]) -> Result<Vec<u8>> {
        let CqlType::Map { key, value, .. } = self.ty else {
            return Err(self.mismatch("map"));
        };
        let mut values = entries
            .iter()
            .map(|(k, v)| Ok((self.element(k, key)?, self.element(v, value)?)))
            .collect::<Result<Vec<_>>>()?;
        values.sort_by(|(a, _), (b, _)| key.compare(a, b));
        // Of equal keys the first is kept, with the last one's value.
        values.dedup_by(|later, kept| {
            let same = key.compare(&later.0, &kept.0).is_eq();
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
        let mut out = start(values.len())?;
        for (k, v) in &values {
            write_sized(Some(k), &mut out)?;
            write_sized(Some(v), &mut out)?;
        }
        Ok(out)
    }

    fn user_type(&self, fields: &[(String, Literal)]) -> Result<Vec<u8>> {
        let CqlType::Udt { definition, .. } = self.ty else {
            return Err(self.mismatch("user type"));
        };
        let unknown = fields
            .iter()
            .find(|(name, _)| !definition.fields.iter().any(|(field, _)| field == name));
        if let Some((name, _)) = unknown {
            return Err(Error::invalid(format!(
                "Unknown field '{name}' in value of user defined type {}",
                definition.name
            )));
        }
        let mut out = Vec::new();
        for (field, ty) in &definition.fields {
            let literal = fields.iter().rev().find(|(name, _)| name == field);
            let value = match literal {
                Some((_, literal)) => self.part(literal, ty)?,
                None => None,
            };
            write_sized(value.as_deref(), &mut out)?;
        }
        Ok(out)
    }

    fn tuple(&self, elements: &[Literal]) -> Result<Vec<u8>> {
        let types: Vec<&CqlType> = match self.ty {
            CqlType::Tuple(types) => types.iter().collect(),
            CqlType::Udt { definition, .. } => definition.fields.iter().map(|(_, t)| t).collect(),
            _ => return Err(self.mismatch("tuple")),
        };
        if elements.len() > types.len() {
            return Err(Error::invalid(format!(
                "Invalid tuple literal: too many elements. Type {} expects {} but got {}",
                self.ty.cql_name(),
                types.len(),
                elements.len()
            )));
        }
        let mut out = Vec::new();
        for (literal, ty) in elements.iter().zip(types) {
            write_sized(self.part(literal, ty)?.as_deref(), &mut out)?;
        }
        Ok(out)
    }
}

/// A collection's value up to its first element.
fn start(count: usize) -> Result<Vec<u8>> {
    let count = i32::try_from(count).map_err(|_| Error::invalid("too many elements"))?;
    Ok(count.to_be_bytes().to_vec())
}
