//! Which function a name and its arguments mean.
//!
//! Authority: `o.a.c.cql3.functions.{FunctionResolver,NativeFunctions}`, `testAssignment` of `o.a.c.cql3.Constants.Literal`.

use super::aggregate::AggregateKind;
use super::number::NUMERIC;
use super::{Scalar, Similarity, time};
use crate::cql::ast::QualifiedName;
use crate::partitioner::Partitioner;
use crate::schema::TableSchema;
use crate::schema::check::is_value_compatible;
use crate::types::{CqlType, Literal};
use crate::{Error, Result};
use std::sync::Arc;

/// An argument of which the value is not known yet.
#[derive(Debug, Clone)]
pub(in crate::query) enum Argument {
    /// Of this type.
    Typed(CqlType),
    /// A constant, which may be of several types.
    Constant(Literal),
}

/// A function with the types that it takes and gives.
#[derive(Debug, Clone)]
pub(in crate::query) struct Signature {
    pub args: Vec<CqlType>,
    pub returns: CqlType,
    pub function: Function,
}

/// What a function is.
#[derive(Debug, Clone)]
pub(in crate::query) enum Function {
    /// Of the values of one row.
    Scalar(Scalar),
    /// Of the values of many rows.
    Aggregate(AggregateKind),
    /// The same for every row.
    Constant(Vec<u8>),
}

/// What functions depend on beside their arguments.
#[derive(Debug, Clone, Copy)]
pub(in crate::query) struct Context<'a> {
    pub schema: &'a TableSchema,
    pub partitioner: &'a Partitioner,
    /// Seconds since 1970.
    pub now: i64,
}

/// How well an argument fits a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(in crate::query) enum Fit {
    No,
    Weak,
    Exact,
}

/// Functions of Cassandra that cannot be called here.
const LEFT_OUT: [&str; 15] = [
    "uuid",
    "exp",
    "log",
    "log10",
    "from_json",
    "fromjson",
    "mask_null",
    "mask_default",
    "mask_replace",
    "mask_inner",
    "mask_outer",
    "mask_hash",
    "writetime",
    "ttl",
    "maxwritetime",
];

/// The types with conversions from and to blobs, by name.
const NATIVE: [(&str, CqlType); 21] = [
    ("ascii", CqlType::Ascii),
    ("bigint", CqlType::BigInt),
    ("boolean", CqlType::Boolean),
    ("counter", CqlType::Counter),
    ("date", CqlType::Date),
    ("decimal", CqlType::Decimal),
    ("double", CqlType::Double),
    ("duration", CqlType::Duration),
    ("float", CqlType::Float),
    ("inet", CqlType::Inet),
    ("int", CqlType::Int),
    ("smallint", CqlType::SmallInt),
    ("text", CqlType::Text),
    ("time", CqlType::Time),
    ("timestamp", CqlType::Timestamp),
    ("timeuuid", CqlType::TimeUuid),
    ("tinyint", CqlType::TinyInt),
    ("uuid", CqlType::Uuid),
    ("varchar", CqlType::Text),
    ("varint", CqlType::Varint),
    ("empty", CqlType::Empty),
];

fn native(name: &str) -> Option<CqlType> {
    let found = NATIVE.iter().find(|(native, _)| *native == name);
    found.map(|(_, ty)| ty.clone())
}

/// The function that a call means.
///
/// Errors: `InvalidInput` if no function of this name fits the arguments; `Unsupported`, with its name, for one that cannot
/// be called here.
pub(in crate::query) fn resolve(
    name: &QualifiedName,
    args: &[Argument],
    context: &Context<'_>,
) -> Result<Signature> {
    let is_native = name.keyspace.as_deref().is_none_or(|ks| ks == "system");
    let candidates = match is_native {
        true => candidates(&name.name, args, context)?,
        false => Vec::new(),
    };
    if candidates.is_empty() {
        return Err(unknown(name, is_native));
    }
    pick(name, candidates, args)
}

fn unknown(name: &QualifiedName, is_native: bool) -> Error {
    if is_native && LEFT_OUT.contains(&&*name.name) {
        return Error::unsupported(format!("the function `{name}` cannot be called here"));
    }
    let error = Error::invalid(format!("there is no function `{name}`"));
    match &*name.name {
        "dateof" => error.advise("Cassandra 5.0 has to_timestamp instead"),
        "unixtimestampof" => error.advise("Cassandra 5.0 has to_unix_timestamp instead"),
        _ => error.advise("only Cassandra's own functions can be called, not user-defined ones"),
    }
}

fn pick(
    name: &QualifiedName,
    mut candidates: Vec<Signature>,
    args: &[Argument],
) -> Result<Signature> {
    let known = || {
        let all: Vec<String> = candidates
            .iter()
            .map(|c| {
                let types: Vec<String> = c.args.iter().map(CqlType::cql_name).collect();
                format!("({})", types.join(", "))
            })
            .collect();
        all.join(", ")
    };
    let fits: Vec<Fit> = candidates
        .iter()
        .map(|candidate| fit_all(candidate, args))
        .collect();
    let at = match fits.iter().position(|fit| *fit == Fit::Exact) {
        Some(exact) => exact,
        None => {
            let mut weak = (0..fits.len()).filter(|i| fits[*i] == Fit::Weak);
            match (weak.next(), weak.next()) {
                (Some(only), None) => only,
                (None, _) => {
                    return Err(Error::invalid(format!("`{name}` takes no such arguments"))
                        .advise(format!("it takes {}", known())));
                }
                (Some(_), Some(_)) => {
                    return Err(Error::invalid(format!(
                        "`{name}` may mean several functions: {}",
                        known()
                    ))
                    .advise("say the type of the argument: (type) argument"));
                }
            }
        }
    };
    Ok(candidates.swap_remove(at))
}

fn fit_all(candidate: &Signature, args: &[Argument]) -> Fit {
    if candidate.args.len() != args.len() {
        return Fit::No;
    }
    let fits = args
        .iter()
        .zip(&candidate.args)
        .map(|(arg, ty)| fit(arg, ty));
    fits.fold(
        Fit::Exact,
        |worst, fit| if fit < worst { fit } else { worst },
    )
}

/// How well an argument fits a type.
pub(in crate::query) fn fit(arg: &Argument, ty: &CqlType) -> Fit {
    match arg {
        Argument::Typed(own) if own.freeze() == ty.freeze() => Fit::Exact,
        Argument::Typed(own) => match *ty == CqlType::Blob || is_value_compatible(ty, own) {
            true => Fit::Weak,
            false => Fit::No,
        },
        Argument::Constant(literal) => fit_literal(literal, ty),
    }
}

/// The type that a constant has when nothing else tells.
pub(in crate::query) fn preferred_type(literal: &Literal) -> Option<CqlType> {
    Some(match literal {
        Literal::Text(text) if text.is_ascii() => CqlType::Ascii,
        Literal::Text(_) => CqlType::Text,
        Literal::Integer(digits) => {
            if digits.parse::<i32>().is_ok() {
                CqlType::Int
            } else if digits.parse::<i64>().is_ok() {
                CqlType::BigInt
            } else {
                CqlType::Varint
            }
        }
        Literal::Uuid(bytes) if bytes[6] >> 4 == 1 => CqlType::TimeUuid,
        Literal::Uuid(_) => CqlType::Uuid,
        Literal::Float(_) | Literal::Nan | Literal::Infinity { .. } => CqlType::Double,
        Literal::Boolean(_) => CqlType::Boolean,
        // Cassandra prefers tinyint for it, by mistake.
        Literal::Blob(_) => return None,
        Literal::Duration(_) => CqlType::Duration,
        _ => return None,
    })
}

fn fit_literal(literal: &Literal, ty: &CqlType) -> Fit {
    use CqlType::*;
    if preferred_type(literal).as_ref() == Some(ty) {
        return Fit::Exact;
    }
    let fits = match literal {
        Literal::Null => true,
        Literal::Text(_) => matches!(ty, Ascii | Text | Inet | Date | Time | Timestamp),
        Literal::Integer(_) => matches!(
            ty,
            BigInt
                | Counter
                | Date
                | Decimal
                | Double
                | Duration
                | Float
                | Int
                | SmallInt
                | Time
                | Timestamp
                | TinyInt
                | Varint
        ),
        Literal::Uuid(_) => matches!(ty, Uuid | TimeUuid),
        Literal::Float(_) | Literal::Nan | Literal::Infinity { .. } => {
            matches!(ty, Decimal | Double | Float)
        }
        Literal::Boolean(_) => *ty == Boolean,
        Literal::Blob(_) => *ty == Blob,
        Literal::Duration(_) => *ty == Duration,
        other => other.to_bytes(ty, 0).is_ok(),
    };
    if fits { Fit::Weak } else { Fit::No }
}

/// All functions of a name that could take these arguments; none if there is no function of the name.
fn candidates(name: &str, args: &[Argument], context: &Context<'_>) -> Result<Vec<Signature>> {
    use CqlType::*;
    let scalar = |args: &[CqlType], returns: CqlType, function| Signature {
        args: args.to_vec(),
        returns,
        function: Function::Scalar(function),
    };
    let constant = |returns, value: Vec<u8>| Signature {
        args: Vec::new(),
        returns,
        function: Function::Constant(value),
    };
    let convert = |from: CqlType, to: CqlType| {
        scalar(
            std::slice::from_ref(&from),
            to.clone(),
            Scalar::ConvertTime {
                from: from.clone(),
                to,
            },
        )
    };
    let millis = context.now.saturating_mul(1000);
    let today = time::of_millis(&Date, millis);
    Ok(match name {
        "token" => {
            let columns = &context.schema.partition_key;
            let types: Vec<CqlType> = columns.iter().map(|c| c.ty.clone()).collect();
            let partitioner = Arc::new(context.partitioner.clone());
            vec![scalar(
                &types,
                context.partitioner.token_type(),
                Scalar::Token(partitioner),
            )]
        }
        "count_rows" => vec![Signature {
            args: Vec::new(),
            returns: BigInt,
            function: Function::Aggregate(AggregateKind::CountRows),
        }],
        "count" => vec![Signature {
            args: vec![Blob],
            returns: BigInt,
            function: Function::Aggregate(AggregateKind::Count),
        }],
        "min" | "max" => {
            let ty = any_type(name, args)?;
            let kind = match name {
                "min" => AggregateKind::Min,
                _ => AggregateKind::Max,
            };
            vec![Signature {
                args: vec![ty.clone()],
                returns: ty,
                function: Function::Aggregate(kind),
            }]
        }
        "sum" | "avg" => {
            let kind = match name {
                "sum" => AggregateKind::Sum,
                _ => AggregateKind::Avg,
            };
            let of = |ty: &CqlType| Signature {
                args: vec![ty.clone()],
                returns: ty.clone(),
                function: Function::Aggregate(kind),
            };
            NUMERIC.iter().map(of).collect()
        }
        "to_json" | "tojson" => {
            let ty = any_type(name, args)?;
            vec![scalar(
                std::slice::from_ref(&ty),
                Text,
                Scalar::ToJson(ty.clone()),
            )]
        }
        "now" | "current_timeuuid" | "currenttimeuuid" => {
            vec![constant(TimeUuid, time::now_timeuuid(context.now))]
        }
        "current_timestamp" | "currenttimestamp" => {
            vec![constant(Timestamp, millis.to_be_bytes().to_vec())]
        }
        "current_date" | "currentdate" => vec![constant(Date, today)],
        "current_time" | "currenttime" => {
            let nanos = context.now.rem_euclid(86_400) * 1_000_000_000;
            vec![constant(Time, nanos.to_be_bytes().to_vec())]
        }
        "min_timeuuid" | "mintimeuuid" | "max_timeuuid" | "maxtimeuuid" => {
            let last = name.starts_with("max");
            vec![scalar(
                &[Timestamp],
                TimeUuid,
                Scalar::EdgeTimeUuid { last },
            )]
        }
        "to_date" | "todate" => vec![convert(TimeUuid, Date), convert(Timestamp, Date)],
        "to_timestamp" | "totimestamp" => {
            vec![convert(TimeUuid, Timestamp), convert(Date, Timestamp)]
        }
        "to_unix_timestamp" | "tounixtimestamp" => vec![
            convert(TimeUuid, BigInt),
            convert(Timestamp, BigInt),
            convert(Date, BigInt),
        ],
        "floor" => {
            let floor = |ty: CqlType, returns: CqlType| {
                let function = Scalar::Floor(ty.clone());
                let start = returns.clone();
                [
                    scalar(&[ty.clone(), Duration], returns.clone(), function.clone()),
                    scalar(&[ty, Duration, start], returns, function),
                ]
            };
            let mut all = Vec::new();
            all.extend(floor(Timestamp, Timestamp));
            all.extend(floor(TimeUuid, Timestamp));
            all.extend(floor(Date, Date));
            all.push(scalar(&[Time, Duration], Time, Scalar::Floor(Time)));
            all
        }
        "abs" | "round" => {
            let of = |ty: &CqlType| {
                // A counter's total is a bigint.
                let function = match name {
                    "abs" => Scalar::Abs(ty.clone()),
                    _ => Scalar::Round(ty.clone()),
                };
                scalar(std::slice::from_ref(ty), ty.clone(), function)
            };
            NUMERIC.iter().map(of).collect()
        }
        "map_keys" | "map_values" => match args {
            [Argument::Typed(map @ Map { key, value, .. })] => {
                let (returns, function) = match name {
                    "map_keys" => (
                        Set {
                            element: key.clone(),
                            frozen: true,
                        },
                        Scalar::MapKeys,
                    ),
                    _ => (
                        List {
                            element: value.clone(),
                            frozen: true,
                        },
                        Scalar::MapValues,
                    ),
                };
                vec![scalar(std::slice::from_ref(map), returns, function)]
            }
            _ => return Err(takes_only(name, "a map")),
        },
        "collection_count" => match args {
            [Argument::Typed(ty @ (List { .. } | Set { .. } | Map { .. }))] => {
                vec![scalar(
                    std::slice::from_ref(ty),
                    Int,
                    Scalar::CollectionCount,
                )]
            }
            _ => return Err(takes_only(name, "a collection")),
        },
        "collection_min" | "collection_max" | "collection_sum" | "collection_avg" => {
            let kind = AggregateKind::named(&name["collection_".len()..]);
            match (args, kind) {
                (
                    [Argument::Typed(ty @ (List { element, .. } | Set { element, .. }))],
                    Some(kind),
                ) if matches!(kind, AggregateKind::Min | AggregateKind::Max)
                    || NUMERIC.contains(element) =>
                {
                    let element = (**element).clone();
                    let function = Scalar::Collection(kind, element.clone());
                    vec![scalar(std::slice::from_ref(ty), element, function)]
                }
                _ => return Err(takes_only(name, "a set or list, to sum up one of numbers")),
            }
        }
        "similarity_cosine" | "similarity_euclidean" | "similarity_dot_product" => {
            let similarity = match name {
                "similarity_cosine" => Similarity::Cosine,
                "similarity_euclidean" => Similarity::Euclidean,
                _ => Similarity::DotProduct,
            };
            let vector = args.iter().find_map(|arg| match arg {
                Argument::Typed(ty @ Vector { element, .. }) if **element == Float => Some(ty),
                _ => None,
            });
            let Some(vector) = vector else {
                return Err(takes_only(name, "two vectors of floats"));
            };
            vec![scalar(
                &[vector.clone(), vector.clone()],
                Float,
                Scalar::Similarity(similarity),
            )]
        }
        _ => {
            let from_blob = name
                .strip_prefix("blob_as_")
                .or_else(|| name.strip_prefix("blobas"));
            let as_blob = name
                .strip_suffix("_as_blob")
                .or_else(|| name.strip_suffix("asblob"));
            let cast_to = name.strip_prefix("cast_as_").and_then(native);
            if let (Some(to), [Argument::Typed(from)]) = (cast_to, args) {
                let function = cast(from, &to).ok_or_else(|| {
                    Error::invalid(format!(
                        "{} cannot be cast to {}",
                        from.cql_name(),
                        to.cql_name()
                    ))
                })?;
                vec![scalar(std::slice::from_ref(from), to, function)]
            } else if let Some(ty) = from_blob.and_then(native) {
                vec![scalar(&[Blob], ty.clone(), Scalar::FromBlob(ty))]
            } else if let Some(ty) = as_blob.and_then(native) {
                vec![scalar(&[ty], Blob, Scalar::AsBlob)]
            } else {
                Vec::new()
            }
        }
    })
}

/// The type of the only argument, which may be any.
fn any_type(name: &str, args: &[Argument]) -> Result<CqlType> {
    match args {
        [Argument::Typed(ty)] => Ok(ty.clone()),
        [Argument::Constant(literal)] => preferred_type(literal).ok_or_else(|| {
            Error::invalid(format!("`{name}`: the type of its argument is not known"))
                .advise("say it: (type) argument")
        }),
        _ => Err(takes_only(name, "one argument")),
    }
}

fn takes_only(name: &str, what: &str) -> Error {
    Error::invalid(format!("`{name}` takes {what}"))
}

/// The function that casts a value of one type to another; `None` if Cassandra has none.
pub(in crate::query) fn cast(from: &CqlType, to: &CqlType) -> Option<Scalar> {
    use CqlType::*;
    let is_text = matches!(to, Ascii | Text);
    Some(match (from, to) {
        (from, to) if NUMERIC.contains(from) && NUMERIC.contains(to) && *to != Counter => {
            Scalar::ConvertNumber {
                from: from.clone(),
                to: to.clone(),
            }
        }
        (Ascii, Text) => Scalar::AsBlob,
        (TimeUuid, Date | Timestamp) | (Timestamp, Date) | (Date, Timestamp) => {
            Scalar::ConvertTime {
                from: from.clone(),
                to: to.clone(),
            }
        }
        (from, _) if is_text && (NUMERIC.contains(from) || has_text(from)) => {
            Scalar::ToText(from.clone())
        }
        _ => return None,
    })
}

fn has_text(ty: &CqlType) -> bool {
    use CqlType::*;
    matches!(
        ty,
        Inet | Boolean | TimeUuid | Timestamp | Date | Time | Uuid
    )
}
