//! Entries of Index.db, one a partition in the order of Data.db.
//!
//! ```text
//! sbytes key | uvint position in Data.db | uvint size of the promoted index, 0 if none | promoted index
//! ```
//!
//! Authority: `o.a.c.io.sstable.format.big.RowIndexEntry.Serializer`.

use crate::bytes::{Cursor, DecodeError};
use crate::{Error, Result};

pub(super) const COMPONENT: &str = "Index.db";

/// An entry over the bytes of Index.db.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry<'a> {
    /// Offset of the entry in Index.db.
    pub position: u64,
    /// Raw partition key.
    pub key: &'a [u8],
    /// Offset of the partition in Data.db.
    pub data_position: u64,
    /// The promoted index, not decoded; no bytes if the partition has none.
    pub promoted: &'a [u8],
}

/// Decodes the entry that the cursor stands at.
#[inline]
pub(super) fn read_entry<'a>(cursor: &mut Cursor<'a>) -> Result<IndexEntry<'a>, DecodeError> {
    Ok(IndexEntry {
        position: cursor.position() as u64,
        key: cursor.short_bytes()?,
        data_position: cursor.uvint()?,
        promoted: cursor.vint_bytes()?,
    })
}

/// The entry with `key` that starts between `start` and `end` of `file`. Compares no tokens, since among the entries
/// of an interval only one can have the key.
pub(super) fn find_key<'a>(
    file: &'a [u8],
    start: usize,
    end: usize,
    key: &[u8],
) -> Result<Option<IndexEntry<'a>>> {
    let mut at = start;
    let mut shape = Shape::default();
    while at < end {
        // Most entries have the shape of the one before. Then the processor need not wait for their lengths to know
        // where the next one starts. Keys tend to differ at their ends, which spares most of them the comparison.
        if let Some(entry_key) = shape.key_of(file, at)
            && (entry_key.last_chunk::<4>() != key.last_chunk() || entry_key != key)
        {
            at += shape.len;
            continue;
        }
        let mut cursor = Cursor::at(file, at);
        let entry = read_entry(&mut cursor).map_err(|e| error(e, at as u64))?;
        if entry.key == key {
            return Ok(Some(entry));
        }
        shape = Shape::of(&entry, cursor.position() - at);
        at = cursor.position();
    }
    Ok(None)
}

/// The lengths in an entry without a promoted index.
#[derive(Debug, Default)]
struct Shape {
    /// Bytes of the entry; 0 if no entry has the shape.
    len: usize,
    key_len: u16,
    /// The leading ones of the position's first byte, and which of its bits they and the zero after them are.
    ones: u8,
    ones_mask: u8,
}

impl Shape {
    fn of(entry: &IndexEntry<'_>, len: usize) -> Self {
        if !entry.promoted.is_empty() {
            return Shape::default();
        }
        // Two bytes of the key's length, its key, the position, one byte of the promoted index's size.
        let more = len.saturating_sub(entry.key.len() + 4) as u32;
        let filled = |bits: u32| !0xffu8.checked_shr(bits).unwrap_or(0);
        Shape {
            len,
            key_len: entry.key.len() as u16,
            ones: filled(more),
            ones_mask: filled(more + 1),
        }
    }

    /// The key of the entry at `at` if it has this shape.
    #[inline(always)]
    fn key_of<'a>(&self, file: &'a [u8], at: usize) -> Option<&'a [u8]> {
        let (len, rest) = file.get(at..)?.get(..self.len)?.split_first_chunk()?;
        let (key, rest) = rest.split_at_checked(self.key_len as usize)?;
        let same = *len == self.key_len.to_be_bytes()
            && rest.first()? & self.ones_mask == self.ones
            && *rest.last()? == 0;
        same.then_some(key)
    }
}

#[cold]
pub(super) fn error(e: DecodeError, position: u64) -> Error {
    Error::from(e).in_component(COMPONENT).at(position)
}

/// Entries of Index.db, in order.
#[derive(Debug, Clone)]
pub struct IndexEntries<'a> {
    cursor: Cursor<'a>,
}

impl<'a> IndexEntries<'a> {
    /// The entries of `file` from the one at `position` on.
    pub fn from(file: &'a [u8], position: u64) -> Self {
        IndexEntries {
            cursor: Cursor::at(file, usize::try_from(position).unwrap_or(usize::MAX)),
        }
    }

    /// Offset of the next entry.
    pub fn offset(&self) -> u64 {
        self.cursor.position() as u64
    }
}

impl<'a> Iterator for IndexEntries<'a> {
    type Item = Result<IndexEntry<'a>>;

    /// The next entry. After an error nothing follows.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.is_empty() {
            return None;
        }
        let position = self.offset();
        let entry = read_entry(&mut self.cursor);
        Some(entry.map_err(|e| {
            self.cursor = Cursor::new(&[]);
            error(e, position)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys `a`, `bc` with a promoted index of 200 bytes, and a key of no bytes.
    fn file() -> Vec<u8> {
        let mut file = vec![0, 1, b'a', 0, 0];
        file.extend([0, 2, b'b', b'c', 0x81, 0x00, 0x80, 200]);
        file.extend([7; 200]);
        file.extend([0, 0, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        file
    }

    #[test]
    fn entries_follow_one_another() {
        let file = file();
        let entries: Vec<_> = IndexEntries::from(&file, 0).map(Result::unwrap).collect();
        assert_eq!(entries[0].key, b"a");
        assert_eq!(entries[1].position, 5);
        assert_eq!(entries[1].data_position, 256);
        assert_eq!(entries[1].promoted, [7; 200]);
        assert_eq!(entries[2].key, b"");
        assert_eq!(entries[2].data_position, 1 << 32);
        assert_eq!(entries.len(), 3);
        assert_eq!(IndexEntries::from(&file, 5).count(), 2);
        for key in [&b"a"[..], b"bc", b""] {
            let found = find_key(&file, 0, file.len(), key).unwrap().unwrap();
            assert_eq!(found.key, key);
        }
        assert_eq!(find_key(&file, 0, file.len(), b"b").unwrap(), None);
        assert_eq!(find_key(&file, 0, 213, b"").unwrap(), None);
    }

    #[test]
    fn entries_of_every_shape_are_passed_over() {
        use crate::bytes::vint::write_unsigned;
        let mut file = Vec::new();
        let mut keys = Vec::new();
        for i in 0..600u64 {
            // Runs of equal shapes between changes of each length.
            let mut key = vec![0; 4 + (i / 7 % 3) as usize];
            key.extend((i as u16).to_be_bytes());
            file.extend((key.len() as u16).to_be_bytes());
            file.extend(&key);
            write_unsigned(&mut file, 1 << (i / 10));
            let promoted = [1, 0, 0, 0, 0, 200][(i / 5 % 6) as usize];
            write_unsigned(&mut file, promoted);
            file.resize(file.len() + promoted as usize, 0);
            keys.push(key);
        }
        let entries: Vec<_> = IndexEntries::from(&file, 0).map(Result::unwrap).collect();
        assert_eq!(entries.len(), keys.len());
        for entry in &entries {
            let found = find_key(&file, 0, file.len(), entry.key).unwrap();
            assert_eq!(found.as_ref(), Some(entry));
            let from_there = find_key(&file, entry.position as usize, file.len(), entry.key);
            assert_eq!(from_there.unwrap(), found);
        }
        assert_eq!(find_key(&file, 0, file.len(), b"absent").unwrap(), None);
    }

    #[test]
    fn a_cut_entry_is_corrupt() {
        let file = file();
        for end in (1..file.len()).filter(|end| ![5, 213].contains(end)) {
            let cut = &file[..end];
            let last = IndexEntries::from(cut, 0).last().unwrap();
            assert!(last.is_err(), "{end}");
            assert!(find_key(cut, 0, end, b"b").is_err(), "{end}");
        }
        assert_eq!(IndexEntries::from(&file[..2], 0).count(), 1);
    }
}
