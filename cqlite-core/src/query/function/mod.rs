//! Native functions: which one a call means, and what it does.
//!
//! Authority: `o.a.c.cql3.functions`.

pub(super) mod aggregate;
pub(super) mod number;
pub(super) mod resolve;
mod time;

use super::collection::{Elements, Entries, list};
use crate::cql::ast::Arithmetic;
use crate::partitioner::Partitioner;
use crate::types::CqlType;
use crate::{Error, ErrorKind, Result};
use aggregate::{Aggregate, AggregateKind};
use number::Number;
use std::borrow::Cow;
use std::sync::Arc;
use time::Duration;

/// A function of the values of one row.
#[derive(Debug, Clone)]
pub(super) enum Scalar {
    /// `token(...)`; of several key columns a composite is made first.
    Token(Arc<Partitioner>),
    /// `int_as_blob(...)` and the like.
    AsBlob,
    /// `blob_as_int(...)` and the like.
    FromBlob(CqlType),
    /// `to_json(...)`.
    ToJson(CqlType),
    /// `to_timestamp(...)`, `to_date(...)`, `to_unix_timestamp(...)` and casts between such types.
    ConvertTime { from: CqlType, to: CqlType },
    /// `min_timeuuid(...)`, `max_timeuuid(...)`.
    EdgeTimeUuid { last: bool },
    /// `floor(...)` of a time of this type.
    Floor(CqlType),
    /// A cast between numbers.
    ConvertNumber { from: CqlType, to: CqlType },
    /// A cast to text.
    ToText(CqlType),
    /// `a + b` and the like on numbers.
    Arithmetic {
        operator: Arithmetic,
        left: CqlType,
        right: CqlType,
        result: CqlType,
    },
    /// `time + duration` or `time - duration`.
    AddDuration { ty: CqlType, subtract: bool },
    /// `text + text`.
    Concat,
    /// `-a`.
    Negate(CqlType),
    /// `abs(a)`.
    Abs(CqlType),
    /// `round(a)`, which changes fractions alone.
    Round(CqlType),
    /// `map_keys(...)`.
    MapKeys,
    /// `map_values(...)`.
    MapValues,
    /// `collection_count(...)`.
    CollectionCount,
    /// `collection_min(...)` and the like on a list or set of this type of elements.
    Collection(AggregateKind, CqlType),
    /// `similarity_cosine(...)` and the like.
    Similarity(Similarity),
}

/// How alike two vectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Similarity {
    Cosine,
    Euclidean,
    DotProduct,
}

impl Scalar {
    /// The result for these arguments; `None` if it is null.
    ///
    /// Errors: `InvalidInput` if the function cannot be applied to them, `Corrupt` if they are no values of their types.
    pub fn call(&self, args: &[Option<Cow<'_, [u8]>>]) -> Result<Option<Vec<u8>>> {
        if let Scalar::ToJson(ty) = self {
            let json = match args {
                [Some(value)] if !is_meaningless(ty, value) => ty.to_json(value)?,
                _ => "null".to_owned(),
            };
            return Ok(Some(json.into_bytes()));
        }
        let Some(args) = args
            .iter()
            .map(|arg| arg.as_deref())
            .collect::<Option<Vec<&[u8]>>>()
        else {
            return Ok(None);
        };
        match (self, args.as_slice()) {
            (Scalar::Token(partitioner), [key]) => Ok(Some(token(partitioner, key))),
            (Scalar::Token(partitioner), components) => {
                Ok(Some(token(partitioner, &composite_key(components)?)))
            }
            (Scalar::AsBlob, [value]) => Ok(Some(value.to_vec())),
            (Scalar::FromBlob(ty), [value]) => match ty.to_json(value) {
                Ok(_) => Ok(Some(value.to_vec())),
                Err(_) => Err(Error::invalid(format!(
                    "0x{} is no value of type {}",
                    value.iter().map(|b| format!("{b:02x}")).collect::<String>(),
                    ty.cql_name()
                ))),
            },
            (Scalar::ConvertTime { from, to }, [value]) => {
                let millis = time::to_millis(from, value)?;
                Ok(millis.map(|millis| time::of_millis(to, millis)))
            }
            (Scalar::EdgeTimeUuid { last }, [value]) => {
                let millis = time::to_millis(&CqlType::Timestamp, value)?;
                Ok(millis.map(|millis| time::edge_timeuuid(millis, *last)))
            }
            (Scalar::Floor(ty), [value, duration, start @ ..]) => {
                let Some(duration) = Duration::of(duration)? else {
                    return Ok(None);
                };
                floor(ty, value, duration, start.first().copied())
            }
            (Scalar::ConvertNumber { from, to }, [value]) => match Number::of(from, value)? {
                Some(number) => number.to_value(to).map(Some),
                None => Ok(None),
            },
            (Scalar::ToText(ty), [value]) => {
                if is_meaningless(ty, value) {
                    return Ok(None);
                }
                text_of(ty, value).map(Some)
            }
            (
                Scalar::Arithmetic {
                    operator,
                    left,
                    right,
                    result,
                },
                [a, b],
            ) => match (Number::of(left, a)?, Number::of(right, b)?) {
                (Some(a), Some(b)) => number::operate(*operator, &a, &b, result).map(Some),
                _ => Ok(None),
            },
            (Scalar::AddDuration { ty, subtract }, [value, duration]) => {
                match (time::to_millis(ty, value)?, Duration::of(duration)?) {
                    (Some(millis), Some(duration)) => {
                        if *ty == CqlType::Date && duration.nanos != 0 {
                            return Err(Error::invalid(
                                "to a date only whole days and months can be added",
                            ));
                        }
                        let millis = duration.add_to(millis, *subtract);
                        Ok(Some(time::of_millis(ty, millis)))
                    }
                    _ => Ok(None),
                }
            }
            (Scalar::Concat, [a, b]) => Ok(Some([*a, *b].concat())),
            (Scalar::Negate(ty), [value]) => match Number::of(ty, value)? {
                Some(number) => number::negate(&number, ty).map(Some),
                None => Ok(None),
            },
            (Scalar::Abs(ty), [value]) => match Number::of(ty, value)? {
                Some(number) => number::abs(&number, ty).map(Some),
                None => Ok(None),
            },
            (Scalar::Round(ty), [value]) => Ok(round(ty, value)?),
            (Scalar::MapKeys, [map]) => Ok(Some(list(Entries::of(map).map(|(k, _)| Some(k))))),
            (Scalar::MapValues, [map]) => Ok(Some(list(Entries::of(map).map(|(_, v)| Some(v))))),
            // The count comes first in a collection.
            (Scalar::CollectionCount, [collection]) => {
                Ok(collection.first_chunk::<4>().map(|count| count.to_vec()))
            }
            (Scalar::Collection(kind, ty), [collection]) => {
                let mut aggregate = Aggregate::new(*kind, ty.clone());
                for element in Elements::of(collection) {
                    aggregate.add(element)?;
                }
                aggregate.result()
            }
            (Scalar::Similarity(similarity), [a, b]) => similarity.of(a, b).map(Some),
            _ => Err(Error::new(
                ErrorKind::Internal,
                "a function got another number of arguments than it has",
            )),
        }
    }
}

/// The value of `token(...)` for a raw key.
fn token(partitioner: &Partitioner, key: &[u8]) -> Vec<u8> {
    partitioner.token_value(partitioner.token(key)).into_owned()
}

/// The raw partition key of several components.
///
/// Errors: `InvalidInput` if one is longer than 65,535 bytes.
pub(super) fn composite_key(components: &[impl AsRef<[u8]>]) -> Result<Vec<u8>> {
    let mut key = Vec::new();
    for component in components {
        let component = component.as_ref();
        let len = u16::try_from(component.len()).map_err(|_| {
            Error::invalid(format!(
                "a key cannot have a component of {} bytes",
                component.len()
            ))
        })?;
        key.extend_from_slice(&len.to_be_bytes());
        key.extend_from_slice(component);
        key.push(0);
    }
    Ok(key)
}

/// Whether functions take an empty value of the type for null (`isEmptyValueMeaningless`).
fn is_meaningless(ty: &CqlType, value: &[u8]) -> bool {
    value.is_empty()
        && !matches!(
            ty,
            CqlType::Ascii
                | CqlType::Text
                | CqlType::Blob
                | CqlType::Custom(_)
                | CqlType::Composite(_)
                | CqlType::DynamicComposite(_)
                | CqlType::Empty
        )
}

/// What a cast to text makes of a value.
fn text_of(ty: &CqlType, value: &[u8]) -> Result<Vec<u8>> {
    // What a selection sees of a counter is its total.
    let ty = match ty {
        CqlType::Counter => &CqlType::BigInt,
        ty => ty,
    };
    let mut text = Vec::new();
    ty.write_cql_literal(value, &mut text)?;
    let quoted = text.strip_prefix(b"'").and_then(|t| t.strip_suffix(b"'"));
    Ok(quoted.map_or_else(|| text.clone(), <[u8]>::to_vec))
}

fn floor(
    ty: &CqlType,
    value: &[u8],
    duration: Duration,
    start: Option<&[u8]>,
) -> Result<Option<Vec<u8>>> {
    if *ty == CqlType::Time {
        return match value.try_into() {
            Ok(nanos) => {
                let floored = time::floor_time(i64::from_be_bytes(nanos), duration)?;
                Ok(Some(floored.to_be_bytes().to_vec()))
            }
            Err(_) => Ok(None),
        };
    }
    let start_type = match ty {
        CqlType::Date => CqlType::Date,
        _ => CqlType::Timestamp,
    };
    let start = match start {
        Some(start) => time::to_millis(&start_type, start)?,
        None => Some(0),
    };
    let (Some(millis), Some(start)) = (time::to_millis(ty, value)?, start) else {
        return Ok(None);
    };
    let unit = if *ty == CqlType::Date {
        i64::MAX
    } else {
        1_000_000
    };
    if duration.nanos % unit != 0 {
        return Err(Error::invalid(
            "floor: the duration is more precise than the time",
        ));
    }
    let floored = time::floor_millis(millis, duration, start)?;
    Ok(Some(time::of_millis(&start_type, floored)))
}

/// As `Math.round` does: halves go up.
fn round(ty: &CqlType, value: &[u8]) -> Result<Option<Vec<u8>>> {
    Ok(match Number::of(ty, value)? {
        Some(Number::Float(v)) => {
            let rounded = (f64::from(v) + 0.5).floor() as i32;
            Some((rounded as f32).to_be_bytes().to_vec())
        }
        Some(Number::Double(v)) => {
            // Adding a half would round 0.49999999999999994 up.
            let floor = v.floor();
            let rounded = if v - floor >= 0.5 { floor + 1.0 } else { floor };
            Some((rounded as i64 as f64).to_be_bytes().to_vec())
        }
        Some(Number::Decimal(v)) => Some(v.round()?.to_value()),
        Some(number) => Some(number.to_value(ty)?),
        None => None,
    })
}

impl Similarity {
    /// Of two vectors of floats of one dimension.
    fn of(self, a: &[u8], b: &[u8]) -> Result<Vec<u8>> {
        let floats = |bytes: &[u8]| -> Vec<f32> {
            let chunks = bytes.chunks_exact(4);
            chunks
                .map(|c| f32::from_be_bytes([c[0], c[1], c[2], c[3]]))
                .collect()
        };
        let (a, b) = (floats(a), floats(b));
        let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
        let similarity = match self {
            Similarity::Cosine => {
                let (norm_a, norm_b) = (dot(&a, &a), dot(&b, &b));
                if norm_a == 0.0 || norm_b == 0.0 {
                    return Err(Error::invalid(
                        "similarity_cosine has no result for a vector of zeros",
                    ));
                }
                let cosine =
                    f64::from(dot(&a, &b)) / (f64::from(norm_a) * f64::from(norm_b)).sqrt();
                (1.0 + cosine as f32) / 2.0
            }
            Similarity::Euclidean => {
                let square: f32 = a.iter().zip(&b).map(|(x, y)| (x - y) * (x - y)).sum();
                1.0 / (1.0 + square)
            }
            Similarity::DotProduct => (1.0 + dot(&a, &b)) / 2.0,
        };
        Ok(similarity.to_be_bytes().to_vec())
    }
}
