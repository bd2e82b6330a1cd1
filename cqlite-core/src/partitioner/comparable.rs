//! The byte-comparable form of a partition's position: what the tries of BTI are made of.
//!
//! Authority: `o.a.c.db.DecoratedKey.asComparableBytes`, `o.a.c.dht.Token.KeyBound`,
//! `o.a.c.utils.bytecomparable.ByteSource` (version `OSS50`).

use super::{DecoratedKey, PartitionPosition, Partitioner, Token};
use crate::types::write_escaped;

const NEXT_COMPONENT: u8 = 0x40;
const NEXT_COMPONENT_NULL: u8 = 0x3e;
const TERMINATOR: u8 = 0x38;
const LT_NEXT_COMPONENT: u8 = 0x20;
const GT_NEXT_COMPONENT: u8 = 0x60;

/// Makes the bytes one by one, since a walk mostly ends within the token. Allocates only for partitioners that keep an
/// order and for `RandomPartitioner`.
#[derive(Debug, Clone)]
pub struct ComparableBytes<'a> {
    head: Head,
    at: usize,
    tail: Escaped<'a>,
    terminator: Option<u8>,
}

/// Everything up to the key, or up to the terminator where there is no key.
#[derive(Debug, Clone)]
enum Head {
    /// Of a 64-bit token: separator, token, separator.
    Long([u8; 10]),
    Other(Vec<u8>),
}

impl Partitioner {
    /// The byte-comparable form of `position`.
    #[inline]
    pub fn comparable<'a>(&self, position: &PartitionPosition<'a>) -> ComparableBytes<'a> {
        let (token, key, terminator) = match *position {
            PartitionPosition::Key(at) => (at.token, Some(at.key), TERMINATOR),
            PartitionPosition::Before(token) => (token, None, LT_NEXT_COMPONENT),
            PartitionPosition::After(token) => (token, None, GT_NEXT_COMPONENT),
        };
        let head = match token {
            Token::Long(token) if key.is_some() => Head::Long(key_head(token)),
            _ => Head::Other(self.long_head(token, key.is_some())),
        };
        ComparableBytes {
            head,
            at: 0,
            tail: Escaped::new(key),
            terminator: Some(terminator),
        }
    }

    /// Appends the byte-comparable form of `key`.
    #[inline]
    pub fn write_comparable(&self, key: &DecoratedKey<'_>, out: &mut Vec<u8>) {
        match key.token {
            Token::Long(token) => out.extend_from_slice(&key_head(token)),
            token => out.extend_from_slice(&self.long_head(token, true)),
        }
        write_escaped(key.key, out);
        out.push(TERMINATOR);
    }

    #[cold]
    fn long_head(&self, token: Token<'_>, key_follows: bool) -> Vec<u8> {
        let mut head = vec![NEXT_COMPONENT];
        if let Token::Long(token) = token {
            head.extend_from_slice(&(token as u64 ^ 1 << 63).to_be_bytes());
        } else {
            let value = self.token_value(token);
            if !(self.token_type()).write_comparable(Some(&value), false, &mut head) {
                // An empty value of a type that has none.
                head[0] = NEXT_COMPONENT_NULL;
            }
        }
        if key_follows {
            head.push(NEXT_COMPONENT);
        }
        head
    }
}

/// Separator, token, and the separator before the key.
#[inline(always)]
fn key_head(token: i64) -> [u8; 10] {
    let mut head = [NEXT_COMPONENT; 10];
    let flipped = token as u64 ^ 1 << 63;
    head[1..9].copy_from_slice(&flipped.to_be_bytes());
    head
}

impl Iterator for ComparableBytes<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let head = match &self.head {
            Head::Long(head) => &head[..],
            Head::Other(head) => head,
        };
        if let Some(b) = head.get(self.at) {
            self.at += 1;
            return Some(*b);
        }
        self.tail.next().or_else(|| self.terminator.take())
    }
}

/// Bytes such that no string is a prefix of another: a run of zeros becomes a zero, `FE` for each further one and `FF`
/// before what follows; the end is a zero, or `FE` inside a run.
#[derive(Debug, Clone)]
struct Escaped<'a> {
    rest: &'a [u8],
    in_zeros: bool,
    done: bool,
}

impl<'a> Escaped<'a> {
    fn new(bytes: Option<&'a [u8]>) -> Self {
        Escaped {
            rest: bytes.unwrap_or_default(),
            in_zeros: false,
            done: bytes.is_none(),
        }
    }
}

impl Iterator for Escaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let Some((first, rest)) = self.rest.split_first() else {
            let end = if self.in_zeros { 0xfe } else { 0 };
            return (!std::mem::replace(&mut self.done, true)).then_some(end);
        };
        if self.in_zeros && *first != 0 {
            self.in_zeros = false;
            return Some(0xff);
        }
        self.rest = rest;
        if self.in_zeros {
            return Some(0xfe);
        }
        self.in_zeros = *first == 0;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;
    use crate::types::CqlType;

    fn escaped(bytes: &[u8]) -> Vec<u8> {
        Escaped::new(Some(bytes)).collect()
    }

    #[test]
    fn zeros_are_escaped() {
        assert_eq!(escaped(b"A\0\0B"), [0x41, 0, 0xfe, 0xff, 0x42, 0]);
        assert_eq!(escaped(b"A\0"), [0x41, 0, 0xfe]);
        assert_eq!(escaped(b"AB"), [0x41, 0x42, 0]);
        assert_eq!(escaped(b""), [0]);
        assert_eq!(escaped(&[0, 0]), [0, 0xfe, 0xfe]);
    }

    /// Values from Cassandra: of the key, and of the position after its token.
    #[test]
    fn decorated_keys_equal_cassandras() {
        use Partitioner::*;
        let int_one = [0, 0, 0, 1];
        for (partitioner, key, at, after) in [
            (
                Murmur3,
                &int_one[..],
                "40478499982ae4e0cf4000fefeff010038",
                "40478499982ae4e0cf60",
            ),
            (
                Murmur3,
                b"",
                "400000000000000000400038",
                "40000000000000000020",
            ),
            (Random, b"", "407f400038", "407f20"),
            (
                Random,
                b"a",
                "40ff090cc175b9c0f1b6a831c399e26977266140610038",
                "40ff090cc175b9c0f1b6a831c399e26977266160",
            ),
            (ByteOrdered, b"a", "40610040610038", "40610060"),
            (OrderPreserving, b"", "4000400038", "400020"),
            (
                OrderPreserving,
                "été".as_bytes(),
                "40c3a974c3a90040c3a974c3a90038",
                "40c3a974c3a90060",
            ),
        ] {
            let key = partitioner.decorate(key);
            let text = |position| hex(&partitioner.comparable(&position).collect::<Vec<_>>());
            assert_eq!(text(PartitionPosition::Key(key)), at);
            let mut written = Vec::new();
            partitioner.write_comparable(&key, &mut written);
            assert_eq!(hex(&written), at);
            assert_eq!(text(partitioner.after(key.token)), after);
        }
    }

    #[test]
    fn local_tokens_are_encoded_by_their_type() {
        let local = Partitioner::Local(CqlType::Int);
        let at = |key| -> Vec<u8> {
            local
                .comparable(&PartitionPosition::Key(local.decorate(key)))
                .collect()
        };
        let one = "40800000014000fefeff010038";
        assert_eq!(hex(&at(&[0, 0, 0, 1])), one);
        assert_eq!(hex(&at(&[])), "3e400038");
    }
}
