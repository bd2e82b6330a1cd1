//! Partitions.db: a trie of the shortest prefixes that tell partition keys apart.
//!
//! ```text
//! trie nodes | sbytes first key | sbytes last key | i64 position of the first key | i64 key count | i64 root
//! payload: [u8 hash byte] sized int: position in Rows.db, or ~position in Data.db
//! ```
//!
//! Authority: `o.a.c.io.sstable.format.bti.PartitionIndex`.

use super::node::Node;
use super::walk::{Path, Trail, Trie};
use crate::bytes::{Cursor, DecodeError};
use crate::partitioner::{DecoratedKey, PartitionPosition, Partitioner};
use crate::{Error, Result};

pub(super) const COMPONENT: &str = "Partitions.db";
const FOOTER_BYTES: usize = 24;

/// Payload bits from here on: a hash byte comes first.
const HAS_HASH_BYTE: u8 = 8;

/// Where a partition's entry leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Offset of the partition in Data.db: it has no row index.
    Data(u64),
    /// Offset of the partition's entry in Rows.db.
    Rows(u64),
}

/// What may be the first partition at or after a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LowerBound {
    /// Shares all that the trie keeps of its key with the position: before, at or after it.
    pub candidate: Option<Target>,
    /// The first partition that is surely after the position, and next to the candidate.
    pub successor: Option<Target>,
}

/// A view of Partitions.db.
#[derive(Debug, Clone, Copy)]
pub struct Partitions<'a> {
    trie: Trie<'a>,
    key_count: u64,
    first_key: &'a [u8],
    last_key: &'a [u8],
}

impl<'a> Partitions<'a> {
    /// Reads the footer of Partitions.db; the trie is read as it is walked.
    ///
    /// # Errors
    /// `Corrupt` if the footer contradicts the file's length.
    pub fn open(file: &'a [u8]) -> Result<Self> {
        Self::read_footer(file).map_err(|e| {
            Error::from(e)
                .in_component(COMPONENT)
                .at(file.len().saturating_sub(FOOTER_BYTES) as u64)
        })
    }

    fn read_footer(file: &'a [u8]) -> Result<Self, DecodeError> {
        const BAD: DecodeError = DecodeError::Invalid("the footer's positions are not in the file");
        let footer = file.len().checked_sub(FOOTER_BYTES);
        let mut cursor = Cursor::at(file, footer.ok_or(DecodeError::Eof)?);
        let keys_position = cursor.i64()?;
        let key_count = cursor.i64()?;
        let root = cursor.i64()?;
        let keys_start = usize::try_from(keys_position).map_err(|_| BAD)?;
        let trie = file.get(..keys_start).ok_or(BAD)?;
        // Every key has a payload of two bytes and a node above it.
        if !(1..=keys_position).contains(&key_count) || !(0..keys_position).contains(&root) {
            return Err(BAD);
        }
        let mut keys = Cursor::at(file, keys_start);
        Ok(Partitions {
            trie: Trie::new(trie, root as u64, COMPONENT),
            key_count: key_count as u64,
            first_key: keys.short_bytes()?,
            last_key: keys.short_bytes()?,
        })
    }

    /// Count of partitions.
    pub fn key_count(&self) -> u64 {
        self.key_count
    }

    /// Raw key of the first partition.
    pub fn first_key(&self) -> &'a [u8] {
        self.first_key
    }

    /// Raw key of the last partition.
    pub fn last_key(&self) -> &'a [u8] {
        self.last_key
    }

    /// The only partition that can have `key`. The trie holds no whole keys: the key at the target must be compared.
    ///
    /// # Errors
    /// `Corrupt`.
    #[inline]
    pub fn lookup(
        &self,
        partitioner: &Partitioner,
        key: &DecoratedKey<'_>,
    ) -> Result<Option<Target>> {
        let bytes = partitioner.comparable(&PartitionPosition::Key(*key));
        let (node, complete) = self.trie.follow(bytes)?;
        // A prefix that others continue is of none of them, unless it is the whole key.
        if node.payload_bits() == 0 || (node.has_children() && !complete) {
            return Ok(None);
        }
        let (hash_byte, target) = self.payload(node)?;
        Ok((hash_byte.is_none_or(|byte| byte == key.hash.1 as u8)).then_some(target))
    }

    /// The partitions among which the first one at or after `position` is.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn lower_bound(
        &self,
        partitioner: &Partitioner,
        position: &PartitionPosition<'_>,
    ) -> Result<LowerBound> {
        let walk = self.trie.walk(partitioner.comparable(position))?;
        let end = walk.end;
        let is_candidate = end.payload_bits() != 0 && (!end.has_children() || walk.complete);
        let target = |node| self.payload(node).map(|(_, target)| target);
        Ok(LowerBound {
            candidate: is_candidate.then(|| target(end)).transpose()?,
            successor: match walk.greater {
                Some(branch) => Some(target(self.trie.min(branch)?)?),
                None => None,
            },
        })
    }

    /// Every partition, in order.
    pub fn iter(&self) -> PartitionsIter<'a> {
        PartitionsIter {
            partitions: *self,
            path: self.trie.path(),
            left: self.key_count,
        }
    }

    /// A way through the trie, of which [`payload`](Self::payload) reads what it meets.
    pub fn path<T: Trail>(&self) -> Path<'a, T> {
        self.trie.path()
    }

    /// The hash byte, if it has one, and the target of a node that the path met.
    #[inline]
    pub fn payload(&self, node: Node<'_>) -> Result<(Option<u8>, Target)> {
        read_payload(node).map_err(|e| self.trie.error(e, node.position()))
    }
}

#[inline]
fn read_payload(node: Node<'_>) -> Result<(Option<u8>, Target), DecodeError> {
    let mut cursor = Cursor::new(node.payload());
    let bits = node.payload_bits();
    let (hash_byte, len) = match bits.checked_sub(HAS_HASH_BYTE) {
        Some(more) => (Some(cursor.u8()?), more + 1),
        None => (None, bits),
    };
    let position = read_sized(&mut cursor, len)?;
    let target = match u64::try_from(position) {
        Ok(position) => Target::Rows(position),
        Err(_) => Target::Data(!position as u64),
    };
    Ok((hash_byte, target))
}

/// A big-endian two's complement number of `len` bytes, 1 to 8.
#[inline]
pub(super) fn read_sized(cursor: &mut Cursor<'_>, len: u8) -> Result<i64, DecodeError> {
    let bytes = cursor.take(len as usize)?;
    let sign = match bytes.first() {
        Some(first) => (*first as i8 as i64) >> 7,
        None => return Err(DecodeError::Invalid("a position of no bytes")),
    };
    Ok(bytes.iter().fold(sign, |v, b| v << 8 | *b as i64))
}

/// Every partition of Partitions.db, in order.
#[derive(Debug, Clone)]
pub struct PartitionsIter<'a> {
    partitions: Partitions<'a>,
    path: Path<'a>,
    left: u64,
}

impl PartitionsIter<'_> {
    fn advance(&mut self) -> Result<Option<Target>> {
        let node = self.path.next_payload()?;
        let count_fails = match node {
            Some(_) => self.left == 0,
            None => self.left != 0,
        };
        if count_fails {
            return Err(Error::corrupt(format!(
                "the trie does not hold {} keys, as the footer says",
                self.partitions.key_count
            ))
            .in_component(COMPONENT));
        }
        let Some(node) = node else {
            return Ok(None);
        };
        self.left -= 1;
        self.partitions
            .payload(node)
            .map(|(_, target)| Some(target))
    }
}

impl Iterator for PartitionsIter<'_> {
    type Item = Result<Target>;

    /// The next partition. After an error nothing follows.
    fn next(&mut self) -> Option<Result<Target>> {
        let next = self.advance();
        if next.is_err() {
            self.left = 0;
            self.path.finish();
        }
        next.transpose()
    }
}
