//! Values from plain text: what constants of CQL and keys on a command line become.
//!
//! Authority: `fromString` of `o.a.c.db.marshal.*`.

use super::compare::comparator;
use super::parts::Comparator;
use super::temporal::{self, Duration};
use super::{CqlType, hex, inet};
use crate::{Error, Result};
use num_bigint::BigInt;

impl CqlType {
    /// The value that a text stands for, the inverse of [`CqlType::to_text`]: for a composite its components with colons
    /// between them, `1:kk`, for collections, blobs and counters hexadecimal digits. No text is an empty value in most
    /// types.
    ///
    /// # Errors
    /// `InvalidInput`: the text is none of the type, or says `now`, which depends on a clock.
    pub fn from_text(&self, text: &str) -> Result<Vec<u8>> {
        self.parse_text(text, None)
    }

    /// As [`CqlType::from_text`], with the present time in milliseconds since 1970.
    pub(super) fn parse_text(&self, text: &str, now: Option<i64>) -> Result<Vec<u8>> {
        let invalid =
            || Error::invalid(format!("Unable to make {} from '{text}'", self.cql_name()));
        let hex = || {
            hex::decode(text)
                .ok_or_else(|| Error::invalid(format!("cannot parse '{text}' as hex bytes")))
        };
        match self {
            CqlType::Text => return Ok(text.into()),
            CqlType::Ascii if text.is_ascii() => return Ok(text.into()),
            CqlType::Ascii => {
                return Err(Error::invalid(format!("'{text}' is not all ASCII")));
            }
            CqlType::Boolean => {
                let is = |word: &str| text.eq_ignore_ascii_case(word);
                return match text.is_empty() || is("false") || is("true") {
                    true => Ok(vec![is("true") as u8]),
                    false => Err(invalid()),
                };
            }
            CqlType::Blob
            | CqlType::Counter
            | CqlType::List { .. }
            | CqlType::Set { .. }
            | CqlType::Map { .. }
            | CqlType::Vector { .. }
            | CqlType::Custom(_) => return hex(),
            CqlType::Reversed(base) => return base.parse_text(text, now),
            CqlType::Tuple(types) => return self.tuple(types.iter(), text, now),
            CqlType::Udt { definition, .. } => {
                return self.tuple(definition.fields.iter().map(|(_, t)| t), text, now);
            }
            CqlType::Composite(types) => {
                return composite(text, now, |i, part, _| {
                    Some((types.get(i)?.clone(), part.to_owned()))
                });
            }
            CqlType::DynamicComposite(aliases) => {
                return composite(text, now, |_, part, out| {
                    let mut pieces = part.trim_end_matches('@').split('@');
                    let (name, rest) = (pieces.next()?, pieces.next().unwrap_or_default());
                    let only_at_signs = name.is_empty() && part.starts_with('@') && rest.is_empty();
                    if only_at_signs || pieces.next().is_some() {
                        return None;
                    }
                    let alias = match name.as_bytes() {
                        [alias] => comparator(aliases, Comparator::Alias(*alias)),
                        _ => None,
                    };
                    let ty = match alias {
                        Some(ty) => {
                            out.extend([0x80, name.as_bytes()[0]]);
                            ty
                        }
                        None => {
                            out.extend(u16::try_from(name.len()).ok()?.to_be_bytes());
                            out.extend_from_slice(name.as_bytes());
                            comparator(aliases, Comparator::Name(name.as_bytes()))
                                .filter(|ty| !matches!(ty, CqlType::Custom(_)))?
                        }
                    };
                    Some((ty, rest.to_owned()))
                });
            }
            CqlType::Empty if !text.is_empty() => {
                return Err(Error::invalid(format!("'{text}' is not empty")));
            }
            CqlType::PartitionerDefinedOrder { .. } => {
                return Err(Error::invalid("a partition key that has no text"));
            }
            CqlType::Date => return Ok(temporal::parse_date(text)?.to_be_bytes().into()),
            CqlType::Time => return Ok(temporal::parse_time(text)?.to_be_bytes().into()),
            _ if text.is_empty() => return Ok(Vec::new()),
            CqlType::Timestamp | CqlType::LegacyDate => {
                if now.is_none() && text.eq_ignore_ascii_case("now") {
                    return Err(invalid());
                }
                let millis = temporal::parse_timestamp(text, now.unwrap_or_default())?;
                return Ok(millis.to_be_bytes().into());
            }
            CqlType::Duration => {
                let mut out = Vec::new();
                Duration::parse(text)?.write_value(&mut out);
                return Ok(out);
            }
            _ => {}
        }
        match self {
            CqlType::TinyInt => text.parse().ok().map(|v: i8| v.to_be_bytes().into()),
            CqlType::SmallInt => text.parse().ok().map(|v: i16| v.to_be_bytes().into()),
            CqlType::Int => text.parse().ok().map(|v: i32| v.to_be_bytes().into()),
            CqlType::BigInt => text.parse().ok().map(|v: i64| v.to_be_bytes().into()),
            CqlType::Varint => integer(text).map(|v| v.to_signed_bytes_be()),
            CqlType::Decimal => decimal(text),
            CqlType::Float => {
                float(text).and_then(|t| Some(t.parse::<f32>().ok()?.to_be_bytes().into()))
            }
            CqlType::Double => {
                float(text).and_then(|t| Some(t.parse::<f64>().ok()?.to_be_bytes().into()))
            }
            CqlType::Inet => inet::parse(text),
            CqlType::Uuid | CqlType::LexicalUuid => uuid(text),
            CqlType::TimeUuid => uuid(text).filter(|v| v[6] >> 4 == 1),
            _ => Some(Vec::new()),
        }
        .ok_or_else(invalid)
    }

    /// Fields with colons between them; an at sign alone is null.
    fn tuple<'t>(
        &self,
        types: impl Iterator<Item = &'t CqlType>,
        text: &str,
        now: Option<i64>,
    ) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut types = types.into_iter();
        for field in split(text) {
            let ty = types.next().ok_or_else(|| {
                Error::invalid(format!(
                    "too many elements for a value of type {}",
                    self.cql_name()
                ))
            })?;
            if field == "@" {
                out.extend((-1i32).to_be_bytes());
                continue;
            }
            let field = field.replace("\\:", ":").replace("\\@", "@");
            write_sized(Some(&ty.parse_text(&field, now)?), &mut out)?;
        }
        Ok(out)
    }
}

/// Appends a value behind its length as i32, -1 for null.
pub(super) fn write_sized(value: Option<&[u8]>, out: &mut Vec<u8>) -> Result<()> {
    let Some(value) = value else {
        out.extend((-1i32).to_be_bytes());
        return Ok(());
    };
    let len = i32::try_from(value.len()).map_err(|_| Error::invalid("a value above 2 GiB"))?;
    out.extend(len.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

/// The parts between colons that have no backslash before them; of no text there are none.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    if text.is_empty() {
        return parts;
    }
    for (i, _) in text.match_indices(':') {
        if !text[..i].ends_with('\\') {
            parts.push(&text[start..i]);
            start = i + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Components with colons between them; `!` or `_` as the last one says that it is a bound behind or before what it
/// precedes. `type_of` gives the type of component `i` and its text, and appends what precedes its value.
fn composite(
    text: &str,
    now: Option<i64>,
    type_of: impl Fn(usize, &str, &mut Vec<u8>) -> Option<(CqlType, String)>,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for (i, part) in split(text).into_iter().enumerate() {
        if matches!(part, "!" | "_") {
            let end = out
                .last_mut()
                .ok_or_else(|| Error::invalid("a bound of no components"))?;
            *end = if part == "!" { 1 } else { 0xff };
            break;
        }
        let (ty, part) = type_of(i, part, &mut out)
            .ok_or_else(|| Error::invalid(format!("no type for the component '{part}'")))?;
        let part = part.replace("\\:", ":");
        let value = ty.parse_text(part.strip_suffix('!').unwrap_or(&part), now)?;
        ty.validate(&value)
            .map_err(|e| Error::invalid(e.message()))?;
        let len =
            u16::try_from(value.len()).map_err(|_| Error::invalid("a component above 64 KiB"))?;
        out.extend(len.to_be_bytes());
        out.extend_from_slice(&value);
        out.push(0);
    }
    Ok(out)
}

/// Digits with a sign or without.
fn integer(text: &str) -> Option<BigInt> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// The parts of a number in decimal notation: sign and whole digits, digits behind the point, exponent.
fn number(text: &str) -> Option<(&str, &str, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            // Beyond that every number is out of range, or zero or infinite.
            let digits = digits.trim_start_matches('0');
            let limited = if digits.len() > 15 {
                "999999999999999"
            } else {
                digits
            };
            let value: i64 = if limited.is_empty() {
                0
            } else {
                limited.parse().ok()?
            };
            let negative = exponent.starts_with('-');
            (
                mantissa,
                plain.then_some(if negative { -value } else { value })?,
            )
        }
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let plain =
        all_digits(digits) && all_digits(fraction) && !(digits.is_empty() && fraction.is_empty());
    plain.then_some((whole, fraction, exponent))
}

/// As `BigDecimal` reads a text.
fn decimal(text: &str) -> Option<Vec<u8>> {
    let (whole, fraction, exponent) = number(text)?;
    let scale = i32::try_from(fraction.len() as i64 - exponent).ok()?;
    let unscaled = integer(&format!("{whole}{fraction}"))?;
    let mut out = scale.to_be_bytes().to_vec();
    out.extend(unscaled.to_signed_bytes_be());
    Some(out)
}

/// A text that Java reads as a floating-point number, as Rust writes it. Hexadecimal ones are not known.
fn float(text: &str) -> Option<String> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let negative = text.starts_with('-');
    match unsigned {
        "NaN" => return Some("NaN".into()),
        "Infinity" => return Some(if negative { "-inf" } else { "inf" }.into()),
        _ => {}
    }
    let text = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let (whole, fraction, exponent) = number(text)?;
    Some(format!("{whole}.{fraction}e{exponent}"))
}

/// 32 hexadecimal digits with hyphens between them.
fn uuid(text: &str) -> Option<Vec<u8>> {
    let shape = text.len() == 36 && [8, 13, 18, 23].iter().all(|i| text.as_bytes()[*i] == b'-');
    let bytes = hex::decode(&text.replace('-', ""))?;
    (shape && bytes.len() == 16).then_some(bytes)
}
