//! Entries of Index.db, one a partition in the order of Data.db.
//!
//! ```text
//! sbytes key | uvint position in Data.db | uvint size of the promoted index, 0 if none | promoted index
//! ```
//!
//! Authority: `o.a.c.io.sstable.format.big.RowIndexEntry.Serializer`.

use crate::bytes::{Cursor, DecodeError, vint};
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
    while at < end {
        let found = match skip_unless(file, at, key) {
            Ok(Step::Next(next)) => {
                at = next;
                continue;
            }
            Ok(Step::Found) => read_entry(&mut Cursor::at(file, at)),
            Err(e) => Err(e),
        };
        return found.map(Some).map_err(|e| error(e, at as u64));
    }
    Ok(None)
}

enum Step {
    Found,
    Next(usize),
}

#[inline(always)]
fn skip_unless(file: &[u8], at: usize, key: &[u8]) -> Result<Step, DecodeError> {
    let rest = file.get(at..).ok_or(DecodeError::Eof)?;
    let (len, rest) = rest.split_first_chunk().ok_or(DecodeError::Eof)?;
    let (entry_key, rest) = rest
        .split_at_checked(u16::from_be_bytes(*len) as usize)
        .ok_or(DecodeError::Eof)?;
    // Keys that begin alike rarely end alike: most differ in their last bytes, which are compared without a call.
    if entry_key.len() == key.len()
        && entry_key.last_chunk::<8>() == key.last_chunk::<8>()
        && entry_key == key
    {
        return Ok(Step::Found);
    }
    // The leading ones of a vint's first byte count those that follow.
    let first = rest.first().ok_or(DecodeError::Eof)?;
    let rest = rest
        .get(1 + first.leading_ones() as usize..)
        .ok_or(DecodeError::Eof)?;
    let (promoted, rest) = vint::split_unsigned(rest)?;
    let after_size = file.len() - rest.len();
    usize::try_from(promoted)
        .ok()
        .and_then(|n| after_size.checked_add(n))
        .filter(|next| *next <= file.len())
        .map(Step::Next)
        .ok_or(DecodeError::Eof)
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
