//! Ranges of tokens that do not wrap around the ring.
//!
//! Authority: `o.a.c.cql3.restrictions.StatementRestrictions.getPartitionKeyBounds`, `o.a.c.dht.AbstractBounds`.

use super::{PartitionPosition, Partitioner, Token};
use std::cmp::Ordering;
use std::ops::Bound;

/// A token that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OwnedToken {
    /// Of `Murmur3Partitioner`.
    Long(i64),
    /// Of `RandomPartitioner`.
    Big(Option<u128>),
    /// Of the partitioners that keep an order.
    Bytes(Box<[u8]>),
}

impl OwnedToken {
    /// The token, borrowed.
    #[inline]
    pub fn get(&self) -> Token<'_> {
        match self {
            OwnedToken::Long(token) => Token::Long(*token),
            OwnedToken::Big(token) => Token::Big(*token),
            OwnedToken::Bytes(bytes) => Token::Bytes(bytes),
        }
    }
}

impl From<Token<'_>> for OwnedToken {
    fn from(token: Token<'_>) -> Self {
        match token {
            Token::Long(token) => OwnedToken::Long(token),
            Token::Big(token) => OwnedToken::Big(token),
            Token::Bytes(bytes) => OwnedToken::Bytes(bytes.into()),
        }
    }
}

/// The partitions whose tokens lie between two bounds. One whose start lies behind its end is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRange {
    /// Where it starts.
    pub start: Bound<OwnedToken>,
    /// Where it ends.
    pub end: Bound<OwnedToken>,
}

impl TokenRange {
    /// Every partition.
    pub const ALL: TokenRange = TokenRange {
        start: Bound::Unbounded,
        end: Bound::Unbounded,
    };

    /// The place before its first partition; `None` if that is the first one of all.
    #[inline]
    pub fn start(&self) -> Option<PartitionPosition<'_>> {
        match &self.start {
            Bound::Included(token) => Some(PartitionPosition::Before(token.get())),
            Bound::Excluded(token) => Some(PartitionPosition::After(token.get())),
            Bound::Unbounded => None,
        }
    }

    /// The place after its last partition; `None` if that is the last one of all.
    #[inline]
    pub fn end(&self) -> Option<PartitionPosition<'_>> {
        match &self.end {
            Bound::Included(token) => Some(PartitionPosition::After(token.get())),
            Bound::Excluded(token) => Some(PartitionPosition::Before(token.get())),
            Bound::Unbounded => None,
        }
    }

    /// Where a raw partition key lies: `Less` before the range, `Equal` in it, `Greater` after it. In an empty range no
    /// key lies.
    #[inline]
    pub fn locate(&self, partitioner: &Partitioner, key: &[u8]) -> Ordering {
        if let Some(start) = self.start()
            && partitioner.compare(key, &start).is_lt()
        {
            return Ordering::Less;
        }
        match self.end() {
            Some(end) if partitioner.compare(key, &end).is_gt() => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }

    /// Whether a raw partition key lies in it.
    #[inline]
    pub fn contains(&self, partitioner: &Partitioner, key: &[u8]) -> bool {
        self.locate(partitioner, key).is_eq()
    }

    /// Whether no token can lie in it.
    pub fn is_empty(&self, partitioner: &Partitioner) -> bool {
        use Bound::{Excluded, Included};
        match (&self.start, &self.end) {
            (Included(start), Included(end)) => {
                partitioner.compare_tokens(start.get(), end.get()).is_gt()
            }
            (Included(start) | Excluded(start), Included(end) | Excluded(end)) => {
                partitioner.compare_tokens(start.get(), end.get()).is_ge()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_include_or_exclude_every_key_of_a_token() {
        let partitioner = Partitioner::Murmur3;
        let (a, b, c) = (b"a".as_slice(), b"b".as_slice(), b"c".as_slice());
        let mut keys = [a, b, c];
        keys.sort_by(|x, y| partitioner.compare_keys(x, y));
        let token = |key| OwnedToken::from(partitioner.token(key));
        let contains = |range: &TokenRange| keys.map(|key| range.contains(&partitioner, key));

        assert_eq!(contains(&TokenRange::ALL), [true; 3]);
        let mut range = TokenRange {
            start: Bound::Included(token(keys[1])),
            end: Bound::Unbounded,
        };
        assert_eq!(contains(&range), [false, true, true]);
        assert_eq!(range.locate(&partitioner, keys[0]), Ordering::Less);
        range.end = Bound::Included(token(keys[1]));
        assert_eq!(contains(&range), [false, true, false]);
        assert_eq!(range.locate(&partitioner, keys[2]), Ordering::Greater);
        assert!(!range.is_empty(&partitioner));
        range.start = Bound::Excluded(token(keys[1]));
        assert_eq!(contains(&range), [false; 3]);
        assert!(range.is_empty(&partitioner));
        range.end = Bound::Excluded(token(keys[2]));
        assert_eq!(contains(&range), [false; 3]);
        assert!(!range.is_empty(&partitioner));
    }
}
