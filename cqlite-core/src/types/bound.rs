//! Collections that come from outside as bytes, made what Cassandra keeps of them.
//!
//! Authority: `o.a.c.cql3.{Lists,Sets,Maps}.Value.fromSerialized`, `o.a.c.serializers.{SetSerializer,MapSerializer}.serializeValues`.

use super::CqlType;
use super::compare::significant;
use super::parts::{count, element, sized};
use crate::bytes::{Cursor, DecodeError};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

type Result<T> = std::result::Result<T, DecodeError>;

impl CqlType {
    /// What is kept of a valid value when it is bound: elements of sets and keys of maps in their order, each once; numbers in
    /// collections in as few bytes as they need. A value that is no collection stays as it is. Of elements that are other bytes
    /// and yet compare equal, as decimals can be, only the outermost collection keeps one.
    pub(crate) fn bound<'v>(&self, value: &'v [u8]) -> Cow<'v, [u8]> {
        if self.is_kept() {
            return Cow::Borrowed(value);
        }
        match self {
            CqlType::List { .. } | CqlType::Set { .. } | CqlType::Map { .. } => {
                self.rewritten(value, true)
            }
            _ => Cow::Borrowed(value),
        }
    }

    /// Whether any valid value of it stays as it is, in a collection too.
    fn is_kept(&self) -> bool {
        match self {
            CqlType::Set { .. } | CqlType::Map { .. } => false,
            CqlType::List { element, .. } | CqlType::Vector { element, .. } => element.is_kept(),
            CqlType::Boolean | CqlType::Varint | CqlType::Decimal | CqlType::Inet => false,
            _ => true,
        }
    }

    fn rewritten<'v>(&self, value: &'v [u8], is_outermost: bool) -> Cow<'v, [u8]> {
        let mut out = Vec::with_capacity(value.len());
        // Bytes that are no value of the type do not come here.
        match self.rewrite(value, is_outermost, &mut out) {
            Ok(()) => Cow::Owned(out),
            Err(_) => Cow::Borrowed(value),
        }
    }

    fn rewrite(&self, value: &[u8], is_outermost: bool, out: &mut Vec<u8>) -> Result<()> {
        let mut c = Cursor::new(value);
        match self {
            _ if value.is_empty() => {}
            CqlType::List { element, .. } => {
                let n = count(&mut c, 1)?;
                out.extend_from_slice(&(n as i32).to_be_bytes());
                for _ in 0..n {
                    let part = sized(&mut c)?.map(|part| element.rewritten(part, false));
                    push(part.as_deref(), out);
                }
            }
            CqlType::Set { element, .. } => {
                let mut elements: Vec<Cow<'_, [u8]>> = Vec::new();
                for _ in 0..count(&mut c, 1)? {
                    elements.push(element.rewritten(sized(&mut c)?.unwrap_or_default(), false));
                }
                if !elements.is_sorted_by(|a, b| element.compare(a, b).is_lt()) {
                    let mut seen = HashSet::new();
                    elements.retain(|part| seen.insert(part.clone()));
                    elements.sort_by(|a, b| element.compare(a, b));
                    if is_outermost {
                        elements.dedup_by(|a, b| element.compare(a, b).is_eq());
                    }
                }
                out.extend_from_slice(&(elements.len() as i32).to_be_bytes());
                elements.iter().for_each(|part| push(Some(part), out));
            }
            CqlType::Map { key, value, .. } => {
                let mut entries: Vec<[Cow<'_, [u8]>; 2]> = Vec::new();
                for _ in 0..count(&mut c, 2)? {
                    let (k, v) = (sized(&mut c)?, sized(&mut c)?);
                    entries.push([
                        key.rewritten(k.unwrap_or_default(), false),
                        value.rewritten(v.unwrap_or_default(), false),
                    ]);
                }
                if !entries.is_sorted_by(|[a, _], [b, _]| key.compare(a, b).is_lt()) {
                    // The first of equal keys, with the last value.
                    let mut places = HashMap::new();
                    let mut each: Vec<[Cow<'_, [u8]>; 2]> = Vec::new();
                    for [k, v] in entries {
                        match *places.entry(k.clone()).or_insert(each.len()) {
                            i if i < each.len() => each[i][1] = v,
                            _ => each.push([k, v]),
                        }
                    }
                    entries = each;
                    entries.sort_by(|[a, _], [b, _]| key.compare(a, b));
                    if is_outermost {
                        entries.dedup_by(|later, kept| {
                            let is_same = key.compare(&later[0], &kept[0]).is_eq();
                            if is_same {
                                std::mem::swap(&mut later[1], &mut kept[1]);
                            }
                            is_same
                        });
                    }
                }
                out.extend_from_slice(&(entries.len() as i32).to_be_bytes());
                for part in entries.iter().flatten() {
                    push(Some(part), out);
                }
            }
            CqlType::Vector { element: of, .. } if of.fixed_length().is_none() => {
                while !c.is_empty() {
                    let part = of.rewritten(element(&mut c, None)?, false);
                    crate::bytes::vint::write_unsigned(out, part.len() as u64);
                    out.extend_from_slice(&part);
                }
            }
            CqlType::Vector { element: of, .. } => {
                while !c.is_empty() {
                    of.rewrite(element(&mut c, of.fixed_length())?, false, out)?;
                }
            }
            CqlType::Boolean => out.push(u8::from(value != [0])),
            CqlType::Varint => out.extend_from_slice(significant(value)),
            CqlType::Decimal => {
                let (scale, unscaled) = value.split_at_checked(4).ok_or(DecodeError::Eof)?;
                out.extend_from_slice(scale);
                out.extend_from_slice(significant(unscaled));
            }
            // An address of version 4 in the form of version 6.
            CqlType::Inet => match value.strip_prefix(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]) {
                Some(short) if short.len() == 4 => out.extend_from_slice(short),
                _ => out.extend_from_slice(value),
            },
            _ => out.extend_from_slice(value),
        }
        Ok(())
    }
}

fn push(part: Option<&[u8]>, out: &mut Vec<u8>) {
    match part {
        Some(part) => {
            out.extend_from_slice(&(part.len() as i32).to_be_bytes());
            out.extend_from_slice(part);
        }
        None => out.extend_from_slice(&(-1i32).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hex;

    /// Types, values, and what `Lists.Value`, `Sets.Value` and `Maps.Value` of Cassandra 5.0.9 make of them.
    #[rustfmt::skip]
    const GOLDEN: [(&str, &str, &str); 15] = [
        ("set<int>", "00000004000000040000000300000004ffffffff00000004000000030000000400000001", "0000000300000004ffffffff00000004000000010000000400000003"),
        ("set<decimal>", "0000000400000005000000026400000005000000010a0000000600000000000a000000050000000001", "0000000200000005000000026400000005000000000a"),
        ("map<text, int>", "00000004000000016200000004000000010000000161000000040000000200000001620000000400000003000000000000000400000004", "000000030000000000000004000000040000000161000000040000000200000001620000000400000003"),
        ("map<decimal, int>", "0000000300000005000000010a0000000400000001000000050000000001000000040000000200000005000000010a0000000400000003", "0000000100000005000000010a0000000400000002"),
        ("list<frozen<set<int>>>", "000000020000001c000000030000000400000003000000040000000100000004000000030000000400000000", "000000020000001400000002000000040000000100000004000000030000000400000000"),
        ("list<frozen<set<decimal>>>", "00000001000000280000000400000005000000026400000005000000010a000000050000000000000000050000000264", "000000010000001f0000000300000005000000000000000005000000026400000005000000010a"),
        ("list<frozen<map<decimal, int>>>", "00000001000000370000000300000005000000010a0000000400000001000000050000000001000000040000000200000005000000010a0000000400000003", "00000001000000260000000200000005000000010a00000004000000030000000500000000010000000400000002"),
        ("set<varint>", "00000003000000020005000000010500000002ffff", "0000000200000001ff0000000105"),
        ("list<boolean>", "00000003000000010500000001000000000101", "00000003000000010100000001000000000101"),
        ("set<inet>", "000000020000001000000000000000000000ffff7f000001000000047f000001", "00000001000000047f000001"),
        ("list<frozen<tuple<set<int>>>>", "0000000100000018000000140000000200000004000000030000000400000001", "0000000100000018000000140000000200000004000000030000000400000001"),
        ("set<frozen<set<int>>>", "000000030000001400000002000000040000000300000004000000010000001400000002000000040000000100000004000000030000000c000000010000000400000001", "000000020000000c000000010000000400000001000000140000000200000004000000010000000400000003"),
        ("map<frozen<set<int>>, frozen<set<int>>>", "000000020000001400000002000000040000000300000004000000010000001400000002000000040000000300000004000000010000000c000000010000000400000001000000140000000200000004000000090000000400000007", "000000020000000c000000010000000400000001000000140000000200000004000000070000000400000009000000140000000200000004000000010000000400000003000000140000000200000004000000010000000400000003"),
        ("list<frozen<vector<varint, 2>>>", "00000001000000050200050105", "000000010000000401050105"),
        ("list<frozen<vector<boolean, 2>>>", "00000001000000020500", "00000001000000020100"),
    ];

    #[test]
    fn collections_are_those_of_cassandra() {
        for (name, given, expected) in GOLDEN {
            let ty = CqlType::parse_cql(name, &|_, _| None).unwrap();
            let bytes = hex::decode(given).unwrap();
            ty.validate(&bytes).unwrap();
            let expected = hex::decode(expected).unwrap();
            assert_eq!(*ty.bound(&bytes), expected, "{name}");
            assert_eq!(*ty.bound(&expected), expected, "{name}");
            // Bytes that are no value stay as they are.
            for end in 0..bytes.len() {
                assert_eq!(*ty.bound(&bytes[..end]), bytes[..end]);
            }
        }
        let varint = [0, 5];
        assert_eq!(*CqlType::Varint.bound(&varint), varint);
    }
}
