//! The order of values, on their raw bytes.
//!
//! Authority: `compare` and `compareCustom` of `o.a.c.db.marshal.*`. Where Cassandra would throw on bytes that are no
//! value of the type, an order is given all the same: what can still be read decides.

use super::parts::{self, Comparator};
use super::{CqlType, decimal};
use crate::bytes::Cursor;
use crate::partitioner::Partitioner;
use std::cmp::Ordering;

impl CqlType {
    /// How `a` sorts against `b`. An empty value sorts before every other one. Never panics; allocates only for
    /// decimals of different scale beyond 38 digits and for type names inside dynamic composites.
    ///
    /// A partition key as clustering column (`PartitionerDefinedOrder`) sorts by its token.
    #[inline]
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            CqlType::Int => match (a.try_into(), b.try_into()) {
                (Ok(x), Ok(y)) => i32::from_be_bytes(x).cmp(&i32::from_be_bytes(y)),
                _ => compare_signed(a, b),
            },
            CqlType::BigInt | CqlType::Timestamp => match (a.try_into(), b.try_into()) {
                (Ok(x), Ok(y)) => i64::from_be_bytes(x).cmp(&i64::from_be_bytes(y)),
                _ => compare_signed(a, b),
            },
            CqlType::TimeUuid => match (a.try_into(), b.try_into()) {
                (Ok(x), Ok(y)) => timeuuid_key(x).cmp(&timeuuid_key(y)),
                _ => compare_full(a, b),
            },
            _ if self.is_byte_ordered() => a.cmp(b),
            _ => self.compare_other(a, b),
        }
    }

    /// How the paths of two cells of a column of this type sort: places of a list, elements of a set, keys of a map, or
    /// fields of a user type.
    pub fn compare_paths(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            CqlType::List { .. } => CqlType::TimeUuid.compare(a, b),
            CqlType::Set { element, .. } => element.compare(a, b),
            CqlType::Map { key, .. } => key.compare(a, b),
            // Indexes of fields.
            _ => CqlType::SmallInt.compare(a, b),
        }
    }

    /// Whether values sort by their unsigned bytes.
    #[inline]
    pub fn is_byte_ordered(&self) -> bool {
        matches!(
            self,
            CqlType::Text
                | CqlType::Ascii
                | CqlType::Blob
                | CqlType::Date
                | CqlType::Time
                | CqlType::Inet
                | CqlType::Duration
                | CqlType::LegacyDate
                | CqlType::Counter
                | CqlType::Custom(_)
        )
    }

    fn compare_other(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            CqlType::Empty => Ordering::Equal,
            CqlType::Uuid => match (a.try_into(), b.try_into()) {
                (Ok(x), Ok(y)) => uuid_key(x).cmp(&uuid_key(y)),
                _ => compare_full(a, b),
            },
            CqlType::Reversed(base) => base.compare(b, a),
            // All that follow have empty values first.
            _ if a.is_empty() || b.is_empty() => b.is_empty().cmp(&a.is_empty()),
            CqlType::Boolean => (a[0] != 0).cmp(&(b[0] != 0)),
            CqlType::TinyInt | CqlType::SmallInt => compare_signed(a, b),
            CqlType::Float => match (a.first_chunk(), b.first_chunk()) {
                (Some(x), Some(y)) => {
                    float_key(f32::from_be_bytes(*x)).cmp(&float_key(f32::from_be_bytes(*y)))
                }
                _ => a.cmp(b),
            },
            CqlType::Double => match (a.first_chunk(), b.first_chunk()) {
                (Some(x), Some(y)) => {
                    double_key(f64::from_be_bytes(*x)).cmp(&double_key(f64::from_be_bytes(*y)))
                }
                _ => a.cmp(b),
            },
            CqlType::Decimal => decimal::compare(a, b),
            CqlType::Varint => compare_varints(a, b),
            CqlType::LexicalUuid => match (a.try_into(), b.try_into()) {
                (Ok(x), Ok(y)) => lexical_uuid_key(x).cmp(&lexical_uuid_key(y)),
                _ => a.cmp(b),
            },
            CqlType::List { element, .. } | CqlType::Set { element, .. } => {
                compare_collections(&[element], a, b)
            }
            CqlType::Map { key, value, .. } => compare_collections(&[key, value], a, b),
            CqlType::Tuple(types) => compare_tuples(types.iter(), a, b),
            CqlType::Udt { definition, .. } => {
                compare_tuples(definition.fields.iter().map(|(_, t)| t), a, b)
            }
            CqlType::Vector { element, dimension } => {
                let (mut x, mut y) = (Cursor::new(a), Cursor::new(b));
                let fixed = element.fixed_length();
                for _ in 0..*dimension {
                    let (Ok(v), Ok(w)) =
                        (parts::element(&mut x, fixed), parts::element(&mut y, fixed))
                    else {
                        return x.rest().cmp(y.rest());
                    };
                    let order = element.compare(v, w);
                    if order.is_ne() {
                        return order;
                    }
                }
                Ordering::Equal
            }
            CqlType::Composite(types) => {
                let (x, x_is_static) = parts::composite(a);
                let (y, y_is_static) = parts::composite(b);
                (y_is_static.cmp(&x_is_static)).then_with(|| {
                    compare_components(x, y, |i, _, _| {
                        Some(ComponentOrder::By(types.get(i).unwrap_or(&CqlType::Blob)))
                    })
                })
            }
            CqlType::DynamicComposite(aliases) => {
                compare_components(Cursor::new(a), Cursor::new(b), |_, x, y| {
                    let x = comparator(aliases, parts::comparator(x).ok()?);
                    let y = comparator(aliases, parts::comparator(y).ok()?);
                    Some(dynamic_order(x, y))
                })
            }
            CqlType::PartitionerDefinedOrder { partitioner, base } => {
                let key_type = base.as_deref().unwrap_or(&CqlType::Blob);
                match Partitioner::from_class_name(partitioner, key_type) {
                    Ok(partitioner) => partitioner.compare_keys(a, b),
                    Err(_) => a.cmp(b),
                }
            }
            _ => a.cmp(b),
        }
    }
}

/// First byte signed, the others unsigned; empty first.
#[inline]
fn compare_signed(a: &[u8], b: &[u8]) -> Ordering {
    let key = |v: &[u8]| v.first().map(|&b| b as i8);
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}

/// UUIDs of which one is none: it sorts first.
#[cold]
fn compare_full(a: &[u8], b: &[u8]) -> Ordering {
    (a.len() == 16).cmp(&(b.len() == 16))
}

/// The halves of 16 bytes.
#[inline]
fn halves(bytes: [u8; 16]) -> (u64, u64) {
    let v = u128::from_be_bytes(bytes);
    ((v >> 64) as u64, v as u64)
}

/// The first half of a version 1 UUID with its timestamp's parts in order: version and high, middle, low.
#[inline]
pub(super) fn reorder_timestamp(msb: u64) -> u64 {
    msb << 48 | (msb << 16 & 0xffff_0000_0000) | msb >> 32
}

/// Sorts as `AbstractTimeUUIDType` does: the timestamp, then the other half's bytes as signed ones.
#[inline]
fn timeuuid_key(bytes: [u8; 16]) -> (i64, i64) {
    let (msb, lsb) = halves(bytes);
    (
        reorder_timestamp(msb) as i64,
        (lsb ^ 0x0080_8080_8080_8080) as i64,
    )
}

/// Sorts as `UUIDType` does: the version, then the timestamp if it is 1, else the first half; then the second half.
#[inline]
fn uuid_key(bytes: [u8; 16]) -> (u64, u64, u64) {
    let (msb, lsb) = halves(bytes);
    let version = msb >> 12 & 15;
    let first = if version == 1 {
        reorder_timestamp(msb)
    } else {
        msb
    };
    (version, first, lsb)
}

#[inline]
fn lexical_uuid_key(bytes: [u8; 16]) -> (i64, i64) {
    let (msb, lsb) = halves(bytes);
    (msb as i64, lsb as i64)
}

/// Sorts as `Float.compare`: -0.0 before 0.0, every NaN equal and last.
#[inline]
fn float_key(v: f32) -> i32 {
    let bits = if v.is_nan() { f32::NAN } else { v }.to_bits() as i32 & i32::MAX;
    if v.is_sign_negative() && !v.is_nan() {
        !bits
    } else {
        bits
    }
}

/// Sorts as `Double.compare`.
#[inline]
fn double_key(v: f64) -> i64 {
    let bits = if v.is_nan() { f64::NAN } else { v }.to_bits() as i64 & i64::MAX;
    if v.is_sign_negative() && !v.is_nan() {
        !bits
    } else {
        bits
    }
}

/// The bytes of a two's complement number without those that only repeat its sign.
pub(super) fn significant(mut v: &[u8]) -> &[u8] {
    while let [sign, rest @ ..] = v
        && let [next, ..] = rest
        && (*sign == 0 && *next < 0x80 || *sign == 0xff && *next >= 0x80)
    {
        v = rest;
    }
    v
}

/// Compares two's complement numbers of any length; empty first.
pub(super) fn compare_varints(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (significant(a), significant(b));
    let (Some(&x), Some(&y)) = (a.first(), b.first()) else {
        return a.len().cmp(&b.len());
    };
    match (x >= 0x80, y >= 0x80) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (true, true) => b.len().cmp(&a.len()).then_with(|| a.cmp(b)),
    }
}

/// Compares elements, of which each has a value of every type of `types`, then counts. Null sorts first.
fn compare_collections(types: &[&CqlType], a: &[u8], b: &[u8]) -> Ordering {
    let (mut x, mut y) = (Cursor::new(a), Cursor::new(b));
    let (Ok(n), Ok(m)) = (x.i32(), y.i32()) else {
        return a.cmp(b);
    };
    for _ in 0..n.min(m) {
        for ty in types {
            let (Ok(v), Ok(w)) = (parts::sized(&mut x), parts::sized(&mut y)) else {
                return x.remaining().cmp(&y.remaining());
            };
            let order = compare_nullable(ty, v, w);
            if order.is_ne() {
                return order;
            }
        }
    }
    n.cmp(&m)
}

fn compare_nullable(ty: &CqlType, a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => ty.compare(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// Compares fields; a null, or one that is cut off, sorts first.
fn compare_tuples<'t>(types: impl Iterator<Item = &'t CqlType>, a: &[u8], b: &[u8]) -> Ordering {
    let (mut x, mut y) = (Cursor::new(a), Cursor::new(b));
    for ty in types {
        if x.is_empty() || y.is_empty() {
            break;
        }
        let (Ok(v), Ok(w)) = (parts::sized(&mut x), parts::sized(&mut y)) else {
            return x.remaining().cmp(&y.remaining());
        };
        let order = compare_nullable(ty, v, w);
        if order.is_ne() {
            return order;
        }
    }
    has_value(x).cmp(&has_value(y))
}

/// Whether any of the fields that are left is not null.
fn has_value(mut fields: Cursor<'_>) -> bool {
    while let Ok(size) = fields.i32() {
        if size >= 0 {
            return true;
        }
    }
    false
}

/// How two components of composites sort.
enum ComponentOrder<'t> {
    By(&'t CqlType),
    ByParsed(CqlType),
    Always(Ordering),
}

/// Compares component by component. `order` reads what precedes the value of component `i` on both sides.
fn compare_components<'a, 't>(
    mut x: Cursor<'a>,
    mut y: Cursor<'a>,
    order: impl Fn(usize, &mut Cursor<'a>, &mut Cursor<'a>) -> Option<ComponentOrder<'t>>,
) -> Ordering {
    for i in 0.. {
        if x.is_empty() || y.is_empty() {
            break;
        }
        let (x_rest, y_rest) = (x.rest(), y.rest());
        let component = order(i, &mut x, &mut y);
        let (Some(component), Ok((v, v_end)), Ok((w, w_end))) = (
            component,
            parts::component(&mut x),
            parts::component(&mut y),
        ) else {
            return x_rest.cmp(y_rest);
        };
        let order = match &component {
            ComponentOrder::By(ty) => ty.compare(v, w),
            ComponentOrder::ByParsed(ty) => ty.compare(v, w),
            ComponentOrder::Always(order) => *order,
        }
        .then(v_end.cmp(&w_end));
        if order.is_ne() {
            return order;
        }
    }
    (!x.is_empty()).cmp(&!y.is_empty())
}

/// The type that an alias or a name stands for; `None` if it stands for none.
pub(super) fn comparator(
    aliases: &[(char, CqlType)],
    comparator: Comparator<'_>,
) -> Option<CqlType> {
    match comparator {
        Comparator::Alias(alias) => aliases
            .iter()
            .find(|(a, _)| *a == alias as char)
            .map(|(_, ty)| ty.clone()),
        Comparator::Name(name) => {
            let name = std::str::from_utf8(name).ok()?;
            // A value that names the type of its own parts could nest as deep as it is long.
            if name.contains("DynamicCompositeType") {
                return None;
            }
            match CqlType::parse_marshal(name).ok()? {
                (ty, true) => Some(CqlType::Reversed(ty.into())),
                (ty, false) => Some(ty),
            }
        }
    }
}

/// Components of different types sort by the names of their classes.
fn dynamic_order<'t>(x: Option<CqlType>, y: Option<CqlType>) -> ComponentOrder<'t> {
    let (Some(x), Some(y)) = (x, y) else {
        return ComponentOrder::By(&CqlType::Blob);
    };
    let by_names = match (&x, &y) {
        (CqlType::Reversed(x), CqlType::Reversed(y)) => class_names(x).cmp(&class_names(y)),
        _ => class_names(&x).cmp(&class_names(&y)),
    };
    match by_names {
        Ordering::Equal => ComponentOrder::ByParsed(x),
        order => ComponentOrder::Always(order),
    }
}

/// The short and the full name of the type's class, without parameters.
pub(super) fn class_names(ty: &CqlType) -> (&str, std::borrow::Cow<'_, str>) {
    match ty {
        CqlType::Custom(name) => {
            let full = name.split('(').next().unwrap_or(name).trim_end();
            (full.rsplit(['.', '$']).next().unwrap_or(full), full.into())
        }
        _ => {
            let short = ty.class_name().unwrap_or_default();
            (short, format!("{}{short}", super::marshal::PACKAGE).into())
        }
    }
}
