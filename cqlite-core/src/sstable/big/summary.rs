//! Summary.db: every so-many-th key of Index.db with its position there.
//!
//! ```text
//! i32 min index interval | i32 count | i64 size | i32 sampling level | i32 count at full sampling
//! i32 LE * count offsets, from here | entries: key, i64 LE position in Index.db | ibytes first key | ibytes last key
//! ```
//!
//! Authority: `o.a.c.io.sstable.indexsummary.IndexSummary`, `...format.big.IndexSummaryComponent`.

use crate::bytes::{Cursor, DecodeError};
use crate::partitioner::{PartitionPosition, Partitioner, Token};
use crate::{Error, Result};

const COMPONENT: &str = "Summary.db";
const HEADER_BYTES: usize = 24;
const OFFSET_BYTES: usize = 4;
const POSITION_BYTES: usize = 8;

/// A view of Summary.db. Entries are decoded when they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    min_index_interval: u32,
    sampling_level: u32,
    full_count: u32,
    count: usize,
    /// Offsets, then entries.
    body: &'a [u8],
    first_key: &'a [u8],
    last_key: &'a [u8],
}

impl<'a> Summary<'a> {
    /// Reads the header and the ends of Summary.db.
    ///
    /// # Errors
    /// `Corrupt`: the index can be read without a summary.
    pub fn open(file: &'a [u8]) -> Result<Self> {
        Self::read(file).map_err(|e| {
            Error::from(e)
                .in_component(COMPONENT)
                .advise("a summary may be missing: delete it")
        })
    }

    fn read(file: &'a [u8]) -> Result<Self, DecodeError> {
        let mut cursor = Cursor::new(file);
        let min_index_interval = cursor.u32()?;
        let count = cursor.u32()? as usize;
        let size = cursor.i64()?;
        let sampling_level = cursor.u32()?;
        let full_count = cursor.u32()?;
        let size = u64::try_from(size)
            .map_err(|_| DecodeError::Invalid("a summary of a negative size"))?;
        let body = cursor.take_u64(size)?;
        if count > body.len() / (OFFSET_BYTES + POSITION_BYTES) {
            return Err(DecodeError::Invalid("a summary of more entries than bytes"));
        }
        Ok(Summary {
            min_index_interval,
            sampling_level,
            full_count,
            count,
            body,
            first_key: cursor.int_bytes()?,
            last_key: cursor.int_bytes()?,
        })
    }

    /// Count of keys that an entry stands for at full sampling.
    pub fn min_index_interval(&self) -> u32 {
        self.min_index_interval
    }

    /// How many of 128 entries are left of those at full sampling.
    pub fn sampling_level(&self) -> u32 {
        self.sampling_level
    }

    /// Count of entries that full sampling gives.
    pub fn full_count(&self) -> u32 {
        self.full_count
    }

    /// Count of entries.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Raw key of the SSTable's first partition.
    pub fn first_key(&self) -> &'a [u8] {
        self.first_key
    }

    /// Raw key of the SSTable's last partition.
    pub fn last_key(&self) -> &'a [u8] {
        self.last_key
    }

    /// Raw key of the `i`th entry, and its position in Index.db.
    ///
    /// # Errors
    /// `Corrupt`, also if there is no such entry.
    #[inline]
    pub fn entry(&self, i: usize) -> Result<(&'a [u8], u64)> {
        self.read_entry(i).ok_or_else(|| {
            Error::corrupt(format!("entry {i} is not within the summary"))
                .in_component(COMPONENT)
                .at((HEADER_BYTES + i * OFFSET_BYTES) as u64)
        })
    }

    #[inline]
    fn read_entry(&self, i: usize) -> Option<(&'a [u8], u64)> {
        let start = self.offset(i)?;
        let end = match i + 1 < self.count {
            true => self.offset(i + 1)?,
            false => self.body.len(),
        };
        let (key, position) = self.body.get(start..end)?.split_last_chunk()?;
        Some((key, u64::from_le_bytes(*position)))
    }

    #[inline]
    fn offset(&self, i: usize) -> Option<usize> {
        if i >= self.count {
            return None;
        }
        let bytes = self.body.get(i * OFFSET_BYTES..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    }

    /// Index of the last entry that is not after `position`; `None` if all are.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn floor(
        &self,
        partitioner: &Partitioner,
        position: &PartitionPosition<'_>,
    ) -> Result<Option<usize>> {
        let (mut low, mut high) = self.narrow(partitioner, position)?;
        while low < high {
            let middle = low + (high - low) / 2;
            let (key, _) = self.entry(middle)?;
            if partitioner.compare(key, position).is_gt() {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low.checked_sub(1))
    }

    /// Narrows the search to a few entries where tokens are hashes: these lie evenly, so that a token says about where
    /// its entry is. Returns what `floor` may go on between.
    fn narrow(
        &self,
        partitioner: &Partitioner,
        position: &PartitionPosition<'_>,
    ) -> Result<(usize, usize)> {
        let (mut low, mut high) = (0, self.count);
        let (Partitioner::Murmur3, Token::Long(wanted)) = (partitioner, position.token()) else {
            return Ok((low, high));
        };
        let (mut low_token, mut high_token) = (i64::MIN, i64::MAX);
        // Tokens that do not lie evenly end in the bisection.
        for _ in 0..6 {
            let width = high_token.wrapping_sub(low_token) as u64 as f64;
            if high - low <= 4 || width <= 0.0 {
                break;
            }
            let share = wanted.wrapping_sub(low_token) as u64 as f64 / width;
            let guess = low + (share * (high - low) as f64) as usize;
            let guess = guess.clamp(low, high - 1);
            let (key, _) = self.entry(guess)?;
            let Token::Long(token) = partitioner.token(key) else {
                break;
            };
            if token > wanted {
                (high, high_token) = (guess, token);
            } else if token < wanted {
                (low, low_token) = (guess + 1, token);
            } else {
                break;
            }
        }
        Ok((low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(keys: &[&[u8]]) -> Vec<u8> {
        let mut offsets = Vec::new();
        let mut entries = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            let offset = keys.len() * 4 + entries.len();
            offsets.extend((offset as u32).to_le_bytes());
            entries.extend_from_slice(key);
            entries.extend((i as u64 * 100).to_le_bytes());
        }
        let mut file = vec![0, 0, 0, 128];
        file.extend((keys.len() as u32).to_be_bytes());
        file.extend(((offsets.len() + entries.len()) as u64).to_be_bytes());
        file.extend([0, 0, 0, 64, 0, 0, 0, 9]);
        file.extend(offsets);
        file.extend(entries);
        file.extend([0, 0, 0, 1, b'a', 0, 0, 0, 1, b'z']);
        file
    }

    #[test]
    fn entries_are_found_by_position() {
        let file = file(&[b"b", b"dd", b"f"]);
        let summary = Summary::open(&file).unwrap();
        assert_eq!((summary.min_index_interval(), summary.len()), (128, 3));
        assert_eq!((summary.sampling_level(), summary.full_count()), (64, 9));
        assert_eq!(
            (summary.first_key(), summary.last_key()),
            (&b"a"[..], &b"z"[..])
        );
        assert_eq!(summary.entry(1).unwrap(), (&b"dd"[..], 100));
        assert!(summary.entry(3).is_err());
        let floor = |key: &[u8]| {
            let partitioner = Partitioner::ByteOrdered;
            let position = PartitionPosition::Key(partitioner.decorate(key));
            summary.floor(&partitioner, &position).unwrap()
        };
        assert_eq!(floor(b"a"), None);
        assert_eq!(floor(b"b"), Some(0));
        assert_eq!(floor(b"d"), Some(0));
        assert_eq!(floor(b"e"), Some(1));
        assert_eq!(floor(b"z"), Some(2));
    }

    #[test]
    fn bad_lengths_are_corrupt() {
        let good = file(&[b"b", b"dd", b"f"]);
        for end in 0..good.len() {
            assert!(Summary::open(&good[..end]).is_err(), "{end}");
        }
        let with = |at: usize, byte: u8| {
            let mut file = good.clone();
            file[at] = byte;
            file
        };
        assert!(Summary::open(&with(4, 0xff)).is_err());
        assert!(Summary::open(&with(8, 0xff)).is_err());
        let offset_beyond = with(27, 0xff);
        assert!(Summary::open(&offset_beyond).unwrap().entry(0).is_err());
    }
}
