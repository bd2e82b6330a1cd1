//! Writes Partitions.db: of every partition key the shortest prefix that tells it from its neighbours.
//!
//! Authority: `o.a.c.io.sstable.format.bti.{PartitionIndexBuilder,PartitionIndex.PartitionIndexSerializer}`.

use super::encode::{put_low_bytes, sized_len};
use super::pages::Pages;
use super::trie::{Payload, TrieBuilder, common_prefix, out_of_order};
use crate::Result;
use crate::bytes::Sink;
use crate::partitioner::{DecoratedKey, Partitioner};
use crate::sstable::bti::Target;

/// Payload bits from here on: a hash byte comes first. It always does.
const HAS_HASH_BYTE: u8 = 8;

/// What a partition's key leads to.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Position in Rows.db, or the complement of one in Data.db.
    position: i64,
    hash_byte: u8,
}

impl Payload for Entry {
    #[inline]
    fn bits(&self) -> u8 {
        HAS_HASH_BYTE + sized_len(self.position) - 1
    }

    #[inline]
    fn byte_len(&self) -> u32 {
        1 + u32::from(sized_len(self.position))
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.hash_byte);
        put_low_bytes(self.position as u64, sized_len(self.position), out);
    }
}

/// Writes Partitions.db while partitions come in order. A key is written when its successor is known.
#[derive(Debug)]
pub struct PartitionsBuilder {
    partitioner: Partitioner,
    trie: TrieBuilder<Entry>,
    pages: Pages,
    count: u64,
    /// The last key in its byte-comparable form, and what it leads to.
    last: Vec<u8>,
    last_entry: Entry,
    /// So many bytes tell it from the key before.
    last_prefix: usize,
    next: Vec<u8>,
}

impl PartitionsBuilder {
    /// An index without partitions.
    pub fn new(partitioner: Partitioner) -> Self {
        PartitionsBuilder {
            partitioner,
            trie: TrieBuilder::default(),
            pages: Pages::default(),
            count: 0,
            last: Vec::new(),
            last_entry: Entry {
                position: 0,
                hash_byte: 0,
            },
            last_prefix: 0,
            next: Vec::new(),
        }
    }

    /// Adds the partition of `key`, which follows those added before.
    ///
    /// # Errors
    /// `InvalidInput` if it does not follow them.
    #[inline]
    pub fn add(&mut self, key: &DecoratedKey<'_>, target: Target) -> Result<()> {
        self.next.clear();
        self.partitioner.write_comparable(key, &mut self.next);
        if self.count > 0 {
            let common = common_prefix(&self.last, &self.next);
            if self.next.get(common) <= self.last.get(common) {
                return Err(out_of_order());
            }
            self.add_last(common + 1)?;
            self.last_prefix = common + 1;
        }
        std::mem::swap(&mut self.last, &mut self.next);
        self.last_entry = Entry {
            position: match target {
                Target::Data(position) => !(position as i64),
                Target::Rows(position) => position as i64,
            },
            hash_byte: key.hash.1 as u8,
        };
        self.count += 1;
        Ok(())
    }

    /// Adds the last key to the trie, so much of it that neither neighbour shares it.
    #[inline]
    fn add_last(&mut self, next_prefix: usize) -> Result<()> {
        let len = next_prefix.max(self.last_prefix).min(self.last.len());
        self.trie
            .add(&self.last[..len], self.last_entry, &mut self.pages)
    }

    /// Writes what is left of the trie, and the footer with the raw keys of the first and the last partition.
    ///
    /// # Errors
    /// `InvalidInput` for a key of more than 65,535 bytes.
    pub fn finish(&mut self, first: &[u8], last: &[u8]) -> Result<()> {
        if self.count > 0 {
            self.add_last(0)?;
        }
        let root = self.trie.finish(&mut self.pages);
        let position = self.pages.position();
        let out = &mut self.pages.bytes;
        out.put_short_bytes(first)?;
        out.put_short_bytes(last)?;
        out.put_u64(position);
        out.put_u64(self.count);
        out.put_u64(root);
        Ok(())
    }

    /// What was written and not yet handed on.
    #[inline]
    pub fn pages(&mut self) -> &mut Pages {
        &mut self.pages
    }
}
