//! Writes Rows.db: for each partition of two blocks or more a trie of separators between them, and its entry.
//!
//! Authority: `o.a.c.io.sstable.format.bti.{RowIndexWriter,RowIndexReader,TrieIndexEntry,BtiFormatPartitionWriter}`.

use super::encode::{put_low_bytes, sized_len};
use super::pages::Pages;
use super::trie::{Payload, TrieBuilder, common_prefix};
use crate::bytes::Sink;
use crate::model::{BoundKind, ClusteringRef, DeletionTime};
use crate::schema::ClusteringColumn;
use crate::sstable::data::deletion::write_deletion_time;
use crate::types::write_comparable_clustering;
use crate::{Error, Result};

/// Payload bit: the deletion of an open range tombstone follows the offset.
const HAS_OPEN_DELETION: u8 = 8;

/// BTI has had unsigned local deletion times from the start.
const HAS_UINT_DELETION_TIME: bool = true;

/// Count of bytes of a deletion that is not live.
const DELETION_BYTES: usize = 12;

/// What a separator leads to.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Of the block, from the start of its partition.
    offset: u64,
    open_deletion: Option<[u8; DELETION_BYTES]>,
}

impl Payload for Entry {
    fn bits(&self) -> u8 {
        let open = match self.open_deletion {
            Some(_) => HAS_OPEN_DELETION,
            None => 0,
        };
        sized_len(self.offset as i64) | open
    }

    fn byte_len(&self) -> u32 {
        let open = self.open_deletion.map_or(0, |bytes| bytes.len());
        u32::from(sized_len(self.offset as i64)) + open as u32
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_low_bytes(self.offset, sized_len(self.offset as i64), out);
        if let Some(bytes) = &self.open_deletion {
            out.extend_from_slice(bytes);
        }
    }
}

/// Writes Rows.db while blocks and partitions come in order. Holds no more of a partition's blocks than the trie's
/// pages that are not full.
#[derive(Debug)]
pub struct RowsBuilder {
    columns: Vec<ClusteringColumn>,
    trie: TrieBuilder<Entry>,
    pages: Pages,
    block_count: u64,
    /// The separator before the last block, and the block's last clustering, in their byte-comparable form.
    separator: Vec<u8>,
    max: Vec<u8>,
    /// The next block's.
    next_separator: Vec<u8>,
    first: Vec<u8>,
}

impl RowsBuilder {
    /// An index without partitions, whose clusterings have these columns.
    pub fn new(columns: &[ClusteringColumn]) -> Self {
        RowsBuilder {
            columns: columns.to_vec(),
            trie: TrieBuilder::default(),
            pages: Pages::default(),
            block_count: 0,
            separator: Vec::new(),
            max: Vec::new(),
            next_separator: Vec::new(),
            first: Vec::new(),
        }
    }

    /// Adds a block of the partition that [`finish_partition`](Self::finish_partition) will end: the clusterings or
    /// bounds that it starts and ends with, its offset in bytes from the partition's start, and the deletion of the
    /// range tombstone that is open there. If that cannot be stored, for its timestamp is negative, or if no separator
    /// lies behind the last one, the block before it goes on instead.
    ///
    /// # Errors
    /// `InvalidInput` if its offset cannot be stored.
    pub fn add_block(
        &mut self,
        (first, first_kind): (ClusteringRef<'_>, BoundKind),
        (last, last_kind): (ClusteringRef<'_>, BoundKind),
        offset: u64,
        open_deletion: DeletionTime,
    ) -> Result<()> {
        let mut entry = Entry {
            offset: checked_offset(offset)?,
            open_deletion: None,
        };
        if !open_deletion.is_live() {
            entry.open_deletion = stored(open_deletion);
            if entry.open_deletion.is_none() {
                return self.extend_block(last, last_kind);
            }
        }
        self.next_separator.clear();
        if self.block_count > 0 {
            self.first.clear();
            write_comparable_clustering(&self.columns, first.iter(), first_kind, &mut self.first);
            let found = separate(&self.max, &self.first, &mut self.next_separator);
            if !found || self.block_count > 1 && self.next_separator <= self.separator {
                return self.extend_block(last, last_kind);
            }
        }
        std::mem::swap(&mut self.separator, &mut self.next_separator);
        self.trie.add(&self.separator, entry, &mut self.pages)?;
        self.block_count += 1;
        self.extend_block(last, last_kind)
    }

    fn extend_block(&mut self, last: ClusteringRef<'_>, kind: BoundKind) -> Result<()> {
        self.max.clear();
        write_comparable_clustering(&self.columns, last.iter(), kind, &mut self.max);
        Ok(())
    }

    /// Ends a partition, and returns the position of its entry; `None` if it has fewer than two blocks. `data_position`
    /// is where it starts in Data.db, `end_offset` how far from there the byte lies that ends it.
    ///
    /// # Errors
    /// `InvalidInput` if the key, the deletion or the offset cannot be stored.
    pub fn finish_partition(
        &mut self,
        key: &[u8],
        data_position: u64,
        end_offset: u64,
        partition_deletion: DeletionTime,
    ) -> Result<Option<u64>> {
        let block_count = std::mem::take(&mut self.block_count);
        if block_count < 2 {
            if block_count > 0 {
                self.trie.reset();
            }
            return Ok(None);
        }
        let count = i32::try_from(block_count)
            .map_err(|_| Error::invalid(format!("a partition of {block_count} blocks")))?;
        let end = Entry {
            offset: checked_offset(end_offset)?,
            open_deletion: None,
        };
        nudge(&mut self.max, &self.separator);
        self.trie.add(&self.max, end, &mut self.pages)?;
        let root = self.trie.finish(&mut self.pages);
        let position = self.pages.position();
        self.pages.bytes.put_short_bytes(key)?;
        let base = self.pages.position();
        let out = &mut self.pages.bytes;
        out.put_uvint(data_position);
        out.put_svint(root.wrapping_sub(base) as i64);
        out.put_uvint32(count);
        write_deletion_time(out, partition_deletion, HAS_UINT_DELETION_TIME)?;
        Ok(Some(position))
    }

    /// What was written and not yet handed on.
    #[inline]
    pub fn pages(&mut self) -> &mut Pages {
        &mut self.pages
    }
}

/// Offsets have seven bytes at most.
fn checked_offset(offset: u64) -> Result<u64> {
    match offset >> 55 {
        0 => Ok(offset),
        _ => Err(Error::invalid("a partition of more than 32 PiB")),
    }
}

/// The bytes of a deletion that is not live, unless it cannot be stored.
fn stored(deletion: DeletionTime) -> Option<[u8; DELETION_BYTES]> {
    let mut bytes = Vec::with_capacity(DELETION_BYTES);
    write_deletion_time(&mut bytes, deletion, HAS_UINT_DELETION_TIME).ok()?;
    bytes.try_into().ok()
}

/// Appends what is greater than the end of a block and not greater than the start of the next: what they have in
/// common, and the byte after that of the end, plus one. Rows whose forms do not ascend as they do, those of missing and
/// of empty values in tuples, have the former only, or the one form of both. `false` if no byte is greater.
fn separate(max: &[u8], first: &[u8], out: &mut Vec<u8>) -> bool {
    let common = common_prefix(max, first);
    out.extend_from_slice(&max[..common]);
    match max.get(common) {
        Some(0xff) => return false,
        Some(byte) => out.push(byte + 1),
        None if common < first.len() => out.push(0),
        None => {}
    }
    true
}

/// Makes of a partition's last clustering the shortest key behind it that the last separator does not begin; or of the
/// separator one, if that lies farther behind.
fn nudge(max: &mut Vec<u8>, separator: &[u8]) {
    let common = common_prefix(max, separator);
    if max.get(common) < separator.get(common) {
        max.truncate(common);
        max.extend_from_slice(&separator[common..]);
    }
    let at = max[common..].iter().position(|byte| *byte != 0xff);
    match at.map(|at| common + at) {
        Some(at) => {
            max.truncate(at + 1);
            max[at] += 1;
        }
        None => max.push(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_lie_between_blocks() {
        for (max, first, expected) in [
            (&b"ab"[..], &b"ad"[..], &b"ac"[..]),
            (b"ab", b"b", b"b"),
            (b"a\xfe\x01", b"a\xff", b"a\xff"),
            (b"a", b"ab", b"a\0"),
        ] {
            let mut out = Vec::new();
            assert!(separate(max, first, &mut out));
            assert_eq!(out, expected);
            assert!(max < out.as_slice() && out.as_slice() <= first);
        }
    }

    #[test]
    fn where_forms_do_not_ascend_separators_follow_the_end() {
        for (max, first, expected) in [
            (&b"acx"[..], &b"ab"[..], &b"ad"[..]),
            (b"ac", b"a", b"ad"),
            (b"ac", b"ac", b"ac"),
        ] {
            let mut out = Vec::new();
            assert!(separate(max, first, &mut out));
            assert_eq!(out, expected);
        }
        assert!(!separate(b"a\xff", b"a\x01", &mut Vec::new()));
    }

    #[test]
    fn the_end_lies_behind_the_last_row() {
        for (max, separator, expected) in [
            (&b"abc"[..], &b""[..], &b"b"[..]),
            (b"abc", b"ab", b"abd"),
            (b"a\xff\xffb", b"a", b"a\xff\xffc"),
            (b"a\xff", b"a", b"a\xff\0"),
            (b"abx", b"ad", b"ae"),
            (b"abx", b"a\xff", b"a\xff\0"),
        ] {
            let mut nudged = max.to_vec();
            nudge(&mut nudged, separator);
            assert_eq!(nudged, expected);
            assert!(max < expected && separator < expected);
        }
    }
}
