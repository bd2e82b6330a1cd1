//! Byte-comparable values: sequences whose unsigned byte order is the order of the values. The tries of BTI and SAI are
//! made of them.
//!
//! Authority: `o.a.c.utils.bytecomparable.ByteSource` in version `OSS50`, `asComparableBytes` of
//! `o.a.c.db.marshal.*`, `o.a.c.db.ClusteringComparator`.

use super::compare::{class_names, comparator, reorder_timestamp};
use super::parts;
use super::{CqlType, decimal};
use crate::bytes::Cursor;
use crate::model::BoundKind;
use crate::partitioner::{PartitionPosition, Partitioner};
use crate::schema::ClusteringColumn;

/// A zero byte, of a value or the end of one.
const ESCAPE: u8 = 0x00;
/// Another zero after an escape, or the end of the value there.
const ESCAPED_0_CONT: u8 = 0xfe;
/// The end of a run of zeros, before another byte.
const ESCAPED_0_DONE: u8 = 0xff;
const NEXT_COMPONENT: u8 = 0x40;
const NEXT_COMPONENT_EMPTY: u8 = 0x3f;
const NEXT_COMPONENT_EMPTY_REVERSED: u8 = 0x41;
const NEXT_COMPONENT_NULL: u8 = 0x3e;
const TERMINATOR: u8 = 0x38;
const LT_NEXT_COMPONENT: u8 = 0x20;
const GT_NEXT_COMPONENT: u8 = 0x60;
const EXCLUDED: u8 = 0x18;
/// From so many bytes a varint is written with its length before it.
const FULL_FORM_THRESHOLD: usize = 7;

impl CqlType {
    /// Appends the byte-comparable form of a value, with all bytes inverted if `reversed`. Returns whether there is one:
    /// a null, and an empty value of most types, has none, and what stands for it depends on where it occurs.
    ///
    /// Bytes that are no value of the type are encoded as far as they can be read.
    pub fn write_comparable(
        &self,
        value: Option<&[u8]>,
        reversed: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        let written = value.is_some_and(|value| self.encode(value, out));
        if reversed {
            invert(&mut out[start..]);
        }
        written
    }

    fn encode(&self, v: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            CqlType::Text
            | CqlType::Ascii
            | CqlType::Blob
            | CqlType::Inet
            | CqlType::Duration
            | CqlType::Counter
            | CqlType::Custom(_) => {
                write_escaped(v, out);
                return true;
            }
            CqlType::DynamicComposite(aliases) => {
                encode_dynamic_composite(aliases, v, out);
                return true;
            }
            CqlType::Reversed(base) => return base.write_comparable(Some(v), true, out),
            _ if v.is_empty() => return false,
            _ => {}
        }
        match self {
            CqlType::Boolean => out.push((v[0] != 0) as u8),
            CqlType::TinyInt | CqlType::SmallInt | CqlType::Int | CqlType::Timestamp => {
                let start = out.len();
                out.extend_from_slice(v);
                out[start] ^= 0x80;
            }
            CqlType::BigInt => match v.first_chunk() {
                Some(v) => write_variable_length(i64::from_be_bytes(*v), out),
                None => out.extend_from_slice(v),
            },
            CqlType::Date | CqlType::Time | CqlType::LegacyDate => out.extend_from_slice(v),
            CqlType::Float | CqlType::Double => {
                let start = out.len();
                out.extend_from_slice(v);
                if v[0] >= 0x80 {
                    invert(&mut out[start..]);
                } else {
                    out[start] ^= 0x80;
                }
            }
            CqlType::Decimal => encode_decimal(v, out),
            CqlType::Varint => encode_varint(v, out),
            CqlType::Uuid | CqlType::TimeUuid | CqlType::LexicalUuid => {
                let Some(bytes) = v.first_chunk::<16>() else {
                    out.extend_from_slice(v);
                    return true;
                };
                let both = u128::from_be_bytes(*bytes);
                let (msb, lsb) = ((both >> 64) as u64, both as u64);
                let version = msb >> 12 & 15;
                let (msb, lsb) = match self {
                    CqlType::TimeUuid => (reorder_timestamp(msb), lsb ^ 0x8080_8080_8080_8080),
                    CqlType::LexicalUuid => (msb ^ 1 << 63, lsb ^ 1 << 63),
                    _ if version == 1 => (reorder_timestamp(msb), lsb),
                    _ => (
                        version << 60 | (msb >> 4 & 0x0fff_ffff_ffff_f000) | msb & 0xfff,
                        lsb,
                    ),
                };
                out.extend(msb.to_be_bytes());
                out.extend(lsb.to_be_bytes());
            }
            CqlType::List { element, .. } | CqlType::Set { element, .. } => {
                encode_collection(&[element], v, out);
            }
            CqlType::Map { key, value, .. } => encode_collection(&[key, value], v, out),
            CqlType::Tuple(types) => encode_tuple(types.iter(), v, out),
            CqlType::Udt { definition, .. } => {
                encode_tuple(definition.fields.iter().map(|(_, t)| t), v, out);
            }
            CqlType::Vector { element, dimension } => {
                let mut c = Cursor::new(v);
                let fixed = element.fixed_length();
                for _ in 0..*dimension {
                    let Ok(v) = parts::element(&mut c, fixed) else {
                        break;
                    };
                    encode_component(element, Some(v), out);
                }
                out.push(TERMINATOR);
            }
            CqlType::Composite(types) => encode_composite(types, v, out),
            CqlType::PartitionerDefinedOrder { partitioner, base } => {
                let key_type = base.as_deref().unwrap_or(&CqlType::Blob);
                match Partitioner::from_class_name(partitioner, key_type) {
                    Ok(by) => out.extend(by.comparable(&PartitionPosition::Key(by.decorate(v)))),
                    Err(_) => write_escaped(v, out),
                }
            }
            // An empty type has no bytes to show.
            CqlType::Empty => return false,
            _ => write_escaped(v, out),
        }
        true
    }
}

fn invert(bytes: &mut [u8]) {
    for b in bytes {
        *b = !*b;
    }
}

/// Appends bytes so that another value may follow: zeros are escaped and an escape ends it.
pub(crate) fn write_escaped(mut v: &[u8], out: &mut Vec<u8>) {
    out.reserve(v.len() + 2);
    while let Some(zero) = v.iter().position(|b| *b == 0) {
        let (plain, rest) = v.split_at(zero);
        let zeros = rest.iter().take_while(|b| **b == 0).count();
        v = &rest[zeros..];
        out.extend_from_slice(plain);
        out.push(ESCAPE);
        out.resize(out.len() + zeros - 1, ESCAPED_0_CONT);
        if v.is_empty() {
            out.push(ESCAPED_0_CONT);
            return;
        }
        out.push(ESCAPED_0_DONE);
    }
    out.extend_from_slice(v);
    out.push(ESCAPE);
}

/// Appends a signed integer in 1 to 9 bytes: the inverted sign, a bit a further byte, and the number.
fn write_variable_length(v: i64, out: &mut Vec<u8>) {
    let sign = (v >> 63) as u64;
    let magnitude = v as u64 ^ sign;
    let bytes = (64 - (magnitude | 1).leading_zeros() as usize) / 7 + 1;
    if bytes > 8 {
        out.push(!sign as u8);
        out.extend(((magnitude | 1 << 63) ^ sign).to_be_bytes());
    } else {
        let length_bits = (0xff00 >> bytes & 0xff) << (8 * bytes - 8);
        let encoded = ((magnitude | length_bits) ^ sign).to_be_bytes();
        out.extend_from_slice(&encoded[8 - bytes..]);
    }
}

/// Appends an unsigned integer: a one-bit a further byte, a zero, and the number; all inverted if `invert` is 0xff.
fn write_variable_length_unsigned(v: u64, invert: u8, out: &mut Vec<u8>) {
    let more = (63 - (v | 1).leading_zeros() as usize) / 7;
    let mask = (0xff00u64 >> more) as u8;
    for i in (0..=more).rev() {
        // The ninth byte from the right lies outside the number.
        let byte = v.checked_shr(8 * i as u32).unwrap_or(0) as u8;
        out.push(if i == more { byte | mask } else { byte } ^ invert);
    }
}

fn encode_varint(v: &[u8], out: &mut Vec<u8>) {
    let sign = if v[0] >= 0x80 { 0xff } else { 0 };
    // Bytes that only say the sign are left out even where the next one then has another.
    let skipped = v.iter().take_while(|b| **b == sign).count();
    let significant = &v[skipped.min(v.len() - 1)..];
    if significant.len() < FULL_FORM_THRESHOLD {
        let v = decimal::small(v).unwrap_or_default();
        write_variable_length(v as i64, out);
    } else {
        out.push(!sign);
        let more = significant.len() - FULL_FORM_THRESHOLD;
        write_variable_length_unsigned(more as u64, sign, out);
        out.extend_from_slice(significant);
    }
}

/// Sign and length of the exponent of 100, the exponent, and the digits in base 100, of which the first rounds down.
fn encode_decimal(v: &[u8], out: &mut Vec<u8>) {
    let Some((scale, unscaled)) = decimal::split(v) else {
        out.extend_from_slice(v);
        return;
    };
    let (negative, digits) = decimal::digits(unscaled);
    if digits == "0" {
        out.push(0x80);
        return;
    }
    let scale = scale as i64 - digits.len() as i64;
    // Two digits at a time from the point: an odd exponent needs a zero in front.
    let padded = if scale & 1 == 0 { "" } else { "0" };
    let exponent = (-(scale & !1) >> 1) as i32;
    let exponent = if negative {
        exponent.wrapping_neg()
    } else {
        exponent
    };
    let exponent_bytes = 4 - exponent.unsigned_abs().leading_zeros() as usize / 8;
    let header = if negative { 0x40 } else { 0xc0 };
    out.push(if exponent < 0 {
        header - exponent_bytes as u8
    } else {
        header + exponent_bytes as u8
    });
    out.extend_from_slice(&exponent.to_be_bytes()[4 - exponent_bytes..]);
    let digits = digits.trim_end_matches('0').bytes().map(|b| b - b'0');
    let mut digits = padded.bytes().map(|_| 0).chain(digits).peekable();
    let mut first = true;
    while let Some(tens) = digits.next() {
        let pair = 10 * tens + digits.next().unwrap_or(0);
        let last = digits.peek().is_none();
        // Of a negative number the first pair is rounded down, and the others are what is left to that.
        out.push(match (negative, first) {
            (false, _) => 0x80 + pair,
            (true, true) => 0x80 - pair - !last as u8,
            (true, false) => 0x80 + 99 + last as u8 - pair,
        });
        first = false;
    }
    out.push(0);
}

/// Appends a separator and the value, or the separator that stands for none.
fn encode_component(ty: &CqlType, value: Option<&[u8]>, out: &mut Vec<u8>) {
    let separator = out.len();
    out.push(NEXT_COMPONENT);
    if !value.is_some_and(|v| ty.encode(v, out)) {
        out[separator] = NEXT_COMPONENT_NULL;
    }
}

fn encode_collection(types: &[&CqlType], v: &[u8], out: &mut Vec<u8>) {
    let mut c = Cursor::new(v);
    let count = c.i32().unwrap_or(0);
    'elements: for _ in 0..count {
        for ty in types {
            let Ok(v) = parts::sized(&mut c) else {
                break 'elements;
            };
            encode_component(ty, v, out);
        }
    }
    out.push(TERMINATOR);
}

fn encode_tuple<'t>(types: impl Iterator<Item = &'t CqlType>, v: &[u8], out: &mut Vec<u8>) {
    let mut c = Cursor::new(v);
    let mut end = out.len();
    for ty in types {
        let Ok(v) = parts::sized(&mut c) else {
            break;
        };
        encode_component(ty, v, out);
        if v.is_some() {
            end = out.len();
        }
    }
    // Nulls at the end are as good as no fields.
    out.truncate(end);
    out.push(TERMINATOR);
}

fn encode_composite(types: &[CqlType], v: &[u8], out: &mut Vec<u8>) {
    let (mut c, is_static) = parts::composite(v);
    out.push(if is_static {
        NEXT_COMPONENT_NULL
    } else {
        NEXT_COMPONENT
    });
    for ty in types {
        let Ok((v, end)) = parts::component(&mut c) else {
            break;
        };
        encode_component(ty, Some(v), out);
        out.extend([NEXT_COMPONENT, end as u8 ^ 0x80]);
    }
    out.push(TERMINATOR);
}

fn encode_dynamic_composite(aliases: &[(char, CqlType)], v: &[u8], out: &mut Vec<u8>) {
    let mut c = Cursor::new(v);
    let write_name = |name: &str, out: &mut Vec<u8>| {
        out.push(NEXT_COMPONENT);
        write_escaped(name.as_bytes(), out);
    };
    out.push(NEXT_COMPONENT);
    while !c.is_empty() {
        let (Ok(name), Ok((v, end))) = (parts::comparator(&mut c), parts::component(&mut c)) else {
            break;
        };
        let ty = comparator(aliases, name).unwrap_or(CqlType::Blob);
        let named = match &ty {
            CqlType::Reversed(base) => {
                write_name("ReversedType", out);
                base
            }
            _ => &ty,
        };
        let (short, full) = class_names(named);
        write_name(short, out);
        write_name(&full, out);
        encode_component(&ty, Some(v), out);
        out.extend([NEXT_COMPONENT, end as u8 ^ 0x80]);
    }
    out.push(TERMINATOR);
}

/// Appends the byte-comparable form of a clustering or bound: its values by the clustering columns' types and orders,
/// and what its kind ends with. `None` is a null value.
pub fn write_comparable_clustering<'v>(
    columns: &[ClusteringColumn],
    values: impl IntoIterator<Item = Option<&'v [u8]>>,
    kind: BoundKind,
    out: &mut Vec<u8>,
) {
    for (column, value) in columns.iter().zip(values) {
        let separator = out.len();
        out.push(NEXT_COMPONENT);
        if value.is_none() {
            // A null sorts first even where the order is descending.
            out[separator] = NEXT_COMPONENT_NULL;
        } else if !column.ty.write_comparable(value, column.descending, out) {
            out[separator] = if column.descending {
                NEXT_COMPONENT_EMPTY_REVERSED
            } else {
                NEXT_COMPONENT_EMPTY
            };
        }
    }
    out.push(match kind {
        BoundKind::Static => EXCLUDED,
        BoundKind::Clustering => TERMINATOR,
        BoundKind::InclStart | BoundKind::ExclEnd | BoundKind::ExclEndInclStart => {
            LT_NEXT_COMPONENT
        }
        BoundKind::InclEnd | BoundKind::ExclStart | BoundKind::InclEndExclStart => {
            GT_NEXT_COMPONENT
        }
    });
}
