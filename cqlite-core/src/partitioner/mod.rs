//! Partitioners: how a partition key becomes a token, and the order of partitions in an SSTable.
//!
//! Authority: `o.a.c.dht.{Murmur3Partitioner,RandomPartitioner,ByteOrderedPartitioner,OrderPreservingPartitioner,
//! LocalPartitioner}`, `o.a.c.db.{DecoratedKey,PartitionPosition}`, `o.a.c.dht.Token.KeyBound`.

mod comparable;
mod murmur;
mod owned;
mod range;

pub use comparable::ComparableBytes;
pub use murmur::{murmur2_64, murmur3_128};
pub use owned::OwnedKey;
pub use range::{OwnedToken, TokenRange};

use crate::types::CqlType;
use crate::{Error, Result};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write;

const PACKAGE: &str = "org.apache.cassandra.dht.";

/// How keys become tokens. All SSTables of a cluster have the same one, but for index and some system tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partitioner {
    /// `Murmur3Partitioner`: the first half of a 128-bit murmur3. The default.
    Murmur3,
    /// `RandomPartitioner`: the absolute value of the MD5.
    Random,
    /// `ByteOrderedPartitioner`: the key itself.
    ByteOrdered,
    /// `OrderPreservingPartitioner`: the key as a string.
    OrderPreserving,
    /// `LocalPartitioner`: the key, ordered by its type.
    Local(CqlType),
}

/// A token. Only [`Partitioner::compare_tokens`] knows its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Token<'a> {
    /// Of `Murmur3Partitioner`.
    Long(i64),
    /// Of `RandomPartitioner`: 0 to 2^127, or `None` for the minimum, which is -1.
    Big(Option<u128>),
    /// Of the partitioners that keep an order: the key. Bytes that are no UTF-8 stand for their hexadecimal digits in
    /// `OrderPreservingPartitioner`.
    Bytes(&'a [u8]),
}

/// A partition key with what is computed from it once a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoratedKey<'a> {
    /// Raw key, as stored.
    pub key: &'a [u8],
    /// Its token.
    pub token: Token<'a>,
    /// [`murmur3_128`] of the key, whatever the partitioner: the bloom filter and the tries' hash bytes use it.
    pub hash: (u64, u64),
}

/// A place in the order of partitions: a key, or one of the two edges of all keys that share a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionPosition<'a> {
    /// At a key.
    Key(DecoratedKey<'a>),
    /// Before every key with the token (`minKeyBound`).
    Before(Token<'a>),
    /// After every key with the token (`maxKeyBound`).
    After(Token<'a>),
}

impl<'a> PartitionPosition<'a> {
    /// The token that it is at.
    #[inline]
    pub fn token(&self) -> Token<'a> {
        match self {
            PartitionPosition::Key(key) => key.token,
            PartitionPosition::Before(token) | PartitionPosition::After(token) => *token,
        }
    }
}

impl Partitioner {
    /// The partitioner of a class, named with its package or without. `key_type` is the partition key's in the header,
    /// which `LocalPartitioner` orders by.
    ///
    /// An index table of a collection may have the collection's own type in its header, while its keys are elements of a
    /// list or set, or entries of a map. (Before `oa` they may as well be a map's keys or values: then only the schema
    /// of the base table tells their order.)
    ///
    /// # Errors
    /// `Unsupported`, naming the class, when it is not one of Cassandra's own.
    pub fn from_class_name(class: &str, key_type: &CqlType) -> Result<Self> {
        Ok(match class.strip_prefix(PACKAGE).unwrap_or(class) {
            "Murmur3Partitioner" => Partitioner::Murmur3,
            "RandomPartitioner" => Partitioner::Random,
            "ByteOrderedPartitioner" => Partitioner::ByteOrdered,
            "OrderPreservingPartitioner" => Partitioner::OrderPreserving,
            "LocalPartitioner" => Partitioner::Local(indexed_type(key_type)),
            _ => {
                return Err(Error::unsupported(format!("the partitioner {class}"))
                    .advise("only Cassandra's own partitioners are known"));
            }
        })
    }

    /// Name of the class, with its package.
    pub fn class_name(&self) -> &'static str {
        match self {
            Partitioner::Murmur3 => "org.apache.cassandra.dht.Murmur3Partitioner",
            Partitioner::Random => "org.apache.cassandra.dht.RandomPartitioner",
            Partitioner::ByteOrdered => "org.apache.cassandra.dht.ByteOrderedPartitioner",
            Partitioner::OrderPreserving => "org.apache.cassandra.dht.OrderPreservingPartitioner",
            Partitioner::Local(_) => "org.apache.cassandra.dht.LocalPartitioner",
        }
    }

    /// The token of a raw partition key.
    #[inline]
    pub fn token<'a>(&self, key: &'a [u8]) -> Token<'a> {
        match self {
            Partitioner::Murmur3 => long_token(key, murmur3_128(key).0),
            Partitioner::Random => Token::Big((!key.is_empty()).then(|| {
                let digest = md5::compute(key);
                i128::from_be_bytes(digest.0).unsigned_abs()
            })),
            _ => Token::Bytes(key),
        }
    }

    /// The key with its token and hash.
    #[inline]
    pub fn decorate<'a>(&self, key: &'a [u8]) -> DecoratedKey<'a> {
        self.decorate_hashed(key, murmur3_128(key))
    }

    /// The key with its token, given its [`murmur3_128`].
    #[inline]
    pub(crate) fn decorate_hashed<'a>(&self, key: &'a [u8], hash: (u64, u64)) -> DecoratedKey<'a> {
        let token = match self {
            Partitioner::Murmur3 => long_token(key, hash.0),
            _ => self.token(key),
        };
        DecoratedKey { key, token, hash }
    }

    /// The token before all others. As the end of a range of tokens it means no end.
    pub fn min_token(&self) -> Token<'static> {
        match self {
            Partitioner::Murmur3 => Token::Long(i64::MIN),
            Partitioner::Random => Token::Big(None),
            _ => Token::Bytes(&[]),
        }
    }

    /// Orders two tokens of this partitioner.
    #[inline]
    pub fn compare_tokens(&self, a: Token<'_>, b: Token<'_>) -> Ordering {
        match (a, b) {
            (Token::Long(a), Token::Long(b)) => a.cmp(&b),
            (Token::Big(a), Token::Big(b)) => a.cmp(&b),
            (Token::Bytes(a), Token::Bytes(b)) => self.compare_bytes(a, b),
            // Tokens of two partitioners have no order; any fixed one will do.
            _ => rank(a).cmp(&rank(b)),
        }
    }

    fn compare_bytes(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            // Java orders strings by their UTF-16 units.
            Partitioner::OrderPreserving => string_token(a)
                .encode_utf16()
                .cmp(string_token(b).encode_utf16()),
            Partitioner::Local(ty) => ty.compare(a, b),
            _ => a.cmp(b),
        }
    }

    /// Orders two raw partition keys: by token, then by bytes.
    pub fn compare_keys(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.compare_tokens(self.token(a), self.token(b))
            .then_with(|| a.cmp(b))
    }

    /// Orders a raw partition key against a position.
    #[inline]
    pub fn compare(&self, key: &[u8], position: &PartitionPosition<'_>) -> Ordering {
        let token = self.token(key);
        match position {
            PartitionPosition::Key(to) => self
                .compare_tokens(token, to.token)
                .then_with(|| key.cmp(to.key)),
            PartitionPosition::Before(to) => {
                self.compare_tokens(token, *to).then(Ordering::Greater)
            }
            PartitionPosition::After(to) => self.compare_tokens(token, *to).then(Ordering::Less),
        }
    }

    /// The position after every key with `token`; for the minimum token, which no key has, the one before.
    pub fn after<'a>(&self, token: Token<'a>) -> PartitionPosition<'a> {
        match token == self.min_token() {
            true => PartitionPosition::Before(token),
            false => PartitionPosition::After(token),
        }
    }

    /// The CQL type of `token(...)`.
    pub fn token_type(&self) -> CqlType {
        match self {
            Partitioner::Murmur3 => CqlType::BigInt,
            Partitioner::Random => CqlType::Varint,
            Partitioner::ByteOrdered => CqlType::Blob,
            Partitioner::OrderPreserving => CqlType::Text,
            Partitioner::Local(ty) => ty.clone(),
        }
    }

    /// The bytes of a token as a value of [`token_type`](Self::token_type).
    pub fn token_value<'a>(&self, token: Token<'a>) -> Cow<'a, [u8]> {
        match token {
            Token::Long(token) => Cow::Owned(token.to_be_bytes().to_vec()),
            Token::Big(None) => Cow::Owned(vec![0xff]),
            Token::Big(Some(token)) => {
                let bytes = token.to_be_bytes();
                let zeros = token.leading_zeros() as usize / 8;
                let mut value = Vec::with_capacity(17);
                // A leading bit of one would make it negative.
                if bytes.get(zeros).is_none_or(|first| *first >= 0x80) {
                    value.push(0);
                }
                value.extend_from_slice(&bytes[zeros..]);
                Cow::Owned(value)
            }
            Token::Bytes(bytes) => match self {
                Partitioner::OrderPreserving => match string_token(bytes) {
                    Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                    Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                },
                _ => Cow::Borrowed(bytes),
            },
        }
    }

    /// The token that a value of [`token_type`](Self::token_type) stands for.
    ///
    /// # Errors
    /// `InvalidInput` if this partitioner has no such token.
    pub fn token_from_value<'a>(&self, value: &'a [u8]) -> Result<Token<'a>> {
        match self {
            Partitioner::Murmur3 => value
                .try_into()
                .map(|bytes| Token::Long(i64::from_be_bytes(bytes)))
                .map_err(|_| Error::invalid("a token must be a bigint")),
            Partitioner::Random => big_token(value)
                .ok_or_else(|| Error::invalid("a token must be a varint from -1 to 2^127")),
            _ => Ok(Token::Bytes(value)),
        }
    }

    /// A token as Cassandra's tools print it: a decimal number, or hexadecimal digits, or the string.
    pub fn token_text(&self, token: Token<'_>) -> String {
        match token {
            Token::Long(token) => token.to_string(),
            Token::Big(None) => "-1".to_owned(),
            Token::Big(Some(token)) => token.to_string(),
            Token::Bytes(bytes) => match self {
                Partitioner::OrderPreserving => string_token(bytes).into_owned(),
                _ => hex(bytes),
            },
        }
    }
}

/// The type of the keys of an index table. Authority: `o.a.c.index.internal.CassandraIndexFunctions`.
fn indexed_type(key_type: &CqlType) -> CqlType {
    match key_type {
        CqlType::List {
            element,
            frozen: false,
        }
        | CqlType::Set {
            element,
            frozen: false,
        } => CqlType::clone(element),
        CqlType::Map {
            key,
            value,
            frozen: false,
        } => CqlType::Composite([CqlType::clone(key), CqlType::clone(value)].into()),
        _ => key_type.clone(),
    }
}

#[inline(always)]
fn long_token(key: &[u8], h1: u64) -> Token<'static> {
    // The minimum is no key's token but that of the empty key.
    Token::Long(match h1 as i64 {
        _ if key.is_empty() => i64::MIN,
        i64::MIN => i64::MAX,
        token => token,
    })
}

/// The two's complement number in `value`, if it is one from -1 to 2^127.
fn big_token(value: &[u8]) -> Option<Token<'static>> {
    let negative = value.first()? & 0x80 != 0;
    let fill = if negative { 0xff } else { 0 };
    let significant = value
        .iter()
        .position(|b| *b != fill)
        .map_or(&[][..], |at| &value[at..]);
    if negative {
        return significant.is_empty().then_some(Token::Big(None));
    }
    let mut bytes = [0; 16];
    let start = bytes.len().checked_sub(significant.len())?;
    bytes[start..].copy_from_slice(significant);
    let token = u128::from_be_bytes(bytes);
    (token <= 1 << 127).then_some(Token::Big(Some(token)))
}

fn string_token(key: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(key) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(hex(key)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

fn rank(token: Token<'_>) -> u8 {
    match token {
        Token::Long(_) => 0,
        Token::Big(_) => 1,
        Token::Bytes(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MURMUR3: Partitioner = Partitioner::Murmur3;
    const RANDOM: Partitioner = Partitioner::Random;

    #[test]
    fn tokens_equal_cassandras() {
        for (key, murmur3, random) in [
            ("", "-9223372036854775808", "-1"),
            (
                "a",
                "-8839064797231613815",
                "16955237001963240173058271559858726497",
            ),
            (
                "user000000000001",
                "-4265976906033407578",
                "33913853029721675496132554444746256195",
            ),
            (
                "été",
                "1240720149139704002",
                "44282947547735391734198087381078419246",
            ),
        ] {
            let key = key.as_bytes();
            assert_eq!(MURMUR3.token_text(MURMUR3.token(key)), murmur3);
            assert_eq!(RANDOM.token_text(RANDOM.token(key)), random);
            assert_eq!(MURMUR3.decorate(key).token, MURMUR3.token(key));
            for partitioner in [MURMUR3, RANDOM, Partitioner::ByteOrdered] {
                let token = partitioner.token(key);
                let value = partitioner.token_value(token);
                assert_eq!(partitioner.token_from_value(&value).unwrap(), token);
            }
        }
        let text = Partitioner::ByteOrdered.token_text(Token::Bytes("été".as_bytes()));
        assert_eq!(text, "c3a974c3a9");
    }

    #[test]
    fn random_tokens_go_from_minus_one_to_two_to_the_127() {
        let max = Token::Big(Some(1 << 127));
        let value = RANDOM.token_value(max);
        assert_eq!(value.len(), 17);
        assert_eq!(RANDOM.token_from_value(&value).unwrap(), max);
        let zero = RANDOM.token_value(Token::Big(Some(0)));
        assert_eq!(&*zero, &[0]);
        for bad in [&[][..], &[0xfe], &[0x80], &[1; 17], &[0, 0xff]] {
            let token = RANDOM.token_from_value(bad);
            match bad {
                [0, 0xff] => assert_eq!(token.unwrap(), Token::Big(Some(255))),
                _ => assert!(token.is_err(), "{bad:?}"),
            }
        }
        assert!(MURMUR3.token_from_value(&[0; 7]).is_err());
    }

    #[test]
    fn positions_lie_around_their_keys() {
        let (low, high) = (b"a".as_slice(), b"user000000000001".as_slice());
        let at = |key| PartitionPosition::Key(MURMUR3.decorate(key));
        let token = MURMUR3.token(low);
        assert_eq!(MURMUR3.compare(low, &at(low)), Ordering::Equal);
        assert_eq!(MURMUR3.compare(low, &at(high)), Ordering::Less);
        assert_eq!(MURMUR3.compare_keys(high, low), Ordering::Greater);
        let before = PartitionPosition::Before(token);
        assert_eq!(MURMUR3.compare(low, &before), Ordering::Greater);
        assert_eq!(MURMUR3.compare(low, &MURMUR3.after(token)), Ordering::Less);
        let min = MURMUR3.min_token();
        assert_eq!(MURMUR3.after(min), PartitionPosition::Before(min));
    }

    #[test]
    fn strings_are_ordered_by_utf16() {
        let (bmp, astral) = ("\u{ffff}".as_bytes(), "\u{10000}".as_bytes());
        assert!(bmp < astral);
        let order = Partitioner::OrderPreserving;
        assert_eq!(order.compare_keys(bmp, astral), Ordering::Greater);
        // Not UTF-8: "ff" sorts after "a".
        assert_eq!(order.compare_keys(&[0xff], b"a"), Ordering::Greater);
    }

    #[test]
    fn local_keys_are_ordered_by_their_type() {
        let local = Partitioner::Local(CqlType::Int);
        let (minus_one, one) = ((-1i32).to_be_bytes(), 1i32.to_be_bytes());
        assert_eq!(local.compare_keys(&minus_one, &one), Ordering::Less);
        let at = PartitionPosition::Key(local.decorate(&one));
        assert_eq!(local.compare(&minus_one, &at), Ordering::Less);
    }

    #[test]
    fn class_names_are_known_with_and_without_their_package() {
        for name in [
            "LocalPartitioner",
            "org.apache.cassandra.dht.LocalPartitioner",
        ] {
            let local = Partitioner::from_class_name(name, &CqlType::Int).unwrap();
            assert_eq!(local, Partitioner::Local(CqlType::Int));
            assert!(local.class_name().ends_with(".LocalPartitioner"));
        }
        assert!(Partitioner::from_class_name("com.x.Mine", &CqlType::Int).is_err());
        let entries = CqlType::Map {
            key: CqlType::Text.into(),
            value: CqlType::Int.into(),
            frozen: false,
        };
        let local = Partitioner::from_class_name("LocalPartitioner", &entries).unwrap();
        let entry = CqlType::Composite([CqlType::Text, CqlType::Int].into());
        assert_eq!(local, Partitioner::Local(entry));
    }
}
