//! A decorated key in memory of its own.

use super::{DecoratedKey, Partitioner, Token};
use std::cmp::Ordering;

/// A key with its token and hash, in memory that is used again.
#[derive(Debug, Clone, Default)]
pub struct OwnedKey {
    key: Vec<u8>,
    /// The token, unless that is the key itself.
    token: Option<Token<'static>>,
    hash: (u64, u64),
}

impl OwnedKey {
    /// Takes a copy of `key`.
    #[inline]
    pub fn set(&mut self, key: &DecoratedKey<'_>) {
        self.key.clear();
        self.key.extend_from_slice(key.key);
        self.token = match key.token {
            Token::Long(token) => Some(Token::Long(token)),
            Token::Big(token) => Some(Token::Big(token)),
            Token::Bytes(_) => None,
        };
        self.hash = key.hash;
    }

    /// The key, borrowed.
    #[inline]
    pub fn get(&self) -> DecoratedKey<'_> {
        DecoratedKey {
            key: &self.key,
            token: self.token.unwrap_or(Token::Bytes(&self.key)),
            hash: self.hash,
        }
    }

    /// The raw key.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.key
    }
}

impl Partitioner {
    /// Orders two decorated keys: by token, then by bytes.
    #[inline]
    pub fn compare_decorated(&self, a: &DecoratedKey<'_>, b: &DecoratedKey<'_>) -> Ordering {
        self.compare_tokens(a.token, b.token)
            .then_with(|| a.key.cmp(b.key))
    }
}
