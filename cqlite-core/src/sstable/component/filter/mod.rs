//! Filter.db: the bloom filter over partition keys.
//!
//! ```text
//! i32 hash count | i32 word count | word count * 8 bytes: bit b is bit b & 7 of byte b >> 3
//! ```
//!
//! Authority: `o.a.c.utils.{BloomFilter,BloomFilterSerializer,obs.OffHeapBitSet}`.

mod build;
mod sizing;

pub use build::FilterBuilder;
pub use sizing::{FP_CHANCE_MIN, FilterSize};

use crate::bytes::{Cursor, DecodeError};
use crate::{Error, Result};

const COMPONENT: &str = "Filter.db";
const HEADER_BYTES: usize = 8;

/// Most hashes a key: Cassandra reads no filter with more.
const HASH_COUNT_MAX: u32 = 21;

/// Hashes that are looked at before deciding.
const TOGETHER: u32 = 4;

/// A bloom filter over the bytes of Filter.db, which are used as they lie there.
#[derive(Debug, Clone)]
pub struct BloomFilter<B> {
    bytes: B,
    hash_count: u32,
    bits: Bits,
    /// Its words are big-endian.
    old_format: bool,
}

impl<B: AsRef<[u8]>> BloomFilter<B> {
    /// A filter over the bytes of Filter.db. `old_format` is that of versions before `na`, whose words are big-endian.
    /// A filter of no bytes holds every key.
    ///
    /// # Errors
    /// `Corrupt` if the header makes no sense or the bits are cut short.
    pub fn open(bytes: B, old_format: bool) -> Result<Self> {
        let (hash_count, word_count) = match bytes.as_ref() {
            [] => (0, 1),
            bytes => read_header(bytes).map_err(|e| Error::from(e).in_component(COMPONENT))?,
        };
        Ok(BloomFilter {
            bytes,
            hash_count,
            bits: Bits::new(word_count),
            old_format,
        })
    }

    /// Whether the key with this [`murmur3_128`](crate::partitioner::murmur3_128) may be there: `false` is certain.
    #[inline]
    pub fn might_contain(&self, hash: (u64, u64)) -> bool {
        let (increment, mut base) = hash;
        let words = self.bytes.as_ref().get(HEADER_BYTES..).unwrap_or_default();
        let words = words.as_chunks().0;
        let mut left = self.hash_count;
        // Bits lie far apart and each is as likely set as not: looking at several before deciding waits for memory once.
        while left >= TOGETHER {
            let mut all = 1;
            for i in 0..TOGETHER {
                all &= self.look(words, base.wrapping_add(increment.wrapping_mul(i.into())));
            }
            if all == 0 {
                return false;
            }
            base = base.wrapping_add(increment.wrapping_mul(TOGETHER.into()));
            left -= TOGETHER;
        }
        for _ in 0..left {
            if self.look(words, base) == 0 {
                return false;
            }
            base = base.wrapping_add(increment);
        }
        true
    }

    /// The bit of a hash: 0 or 1.
    #[inline(always)]
    fn look(&self, words: &[[u8; 8]], base: u64) -> u64 {
        let (word, bit) = self.bits.place(base as i64);
        words.get(word as usize).map_or(1, |word| {
            let word = u64::from_le_bytes(*word);
            let word = if self.old_format {
                word.swap_bytes()
            } else {
                word
            };
            word >> bit & 1
        })
    }

    /// Hashes a key; 0 when the filter is of no bytes.
    pub fn hash_count(&self) -> u32 {
        self.hash_count
    }

    /// Count of bits.
    pub fn bit_count(&self) -> u64 {
        match self.hash_count {
            0 => 0,
            _ => self.bits.word_count * 64,
        }
    }
}

/// The bits of a filter, by which hashes are divided.
#[derive(Debug, Clone, Copy)]
struct Bits {
    word_count: u64,
    /// 2^64 / `word_count`, rounded down.
    reciprocal: u64,
}

impl Bits {
    /// Those of `word_count` words, of which there is one at least.
    fn new(word_count: u64) -> Self {
        Bits {
            word_count,
            reciprocal: u64::MAX / word_count,
        }
    }

    /// The word and the bit in it of `|base % bit count|`, the remainder truncated as in Java: thus the remainder of the
    /// absolute value. Its low six bits are those of the dividend, as there are 64 bits to a word.
    #[inline(always)]
    fn place(&self, base: i64) -> (u64, u32) {
        let dividend = base.unsigned_abs();
        let word = dividend >> 6;
        // The quotient by the reciprocal is right or one too small.
        let quotient = ((word as u128 * self.reciprocal as u128) >> 64) as u64;
        let remainder = word - quotient * self.word_count;
        let remainder = if remainder >= self.word_count {
            remainder - self.word_count
        } else {
            remainder
        };
        (remainder, dividend as u32 & 63)
    }

    /// `|base % bit count|`.
    #[inline(always)]
    fn bit(&self, base: i64) -> u64 {
        let (word, bit) = self.place(base);
        word << 6 | u64::from(bit)
    }
}

fn read_header(bytes: &[u8]) -> Result<(u32, u64), DecodeError> {
    let mut cursor = Cursor::new(bytes);
    let hash_count = cursor.u32()?;
    let word_count = cursor.u32()? as u64;
    if !(1..=HASH_COUNT_MAX).contains(&hash_count) {
        return Err(DecodeError::Invalid("a bloom filter's count of hashes"));
    }
    if word_count == 0 {
        return Err(DecodeError::Invalid("a bloom filter without bits"));
    }
    cursor.bounded(word_count, 8)?;
    Ok((hash_count, word_count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partitioner::murmur3_128;
    use proptest::prelude::*;

    fn filter(hash_count: u32, word_count: u32, old: bool) -> BloomFilter<Vec<u8>> {
        let mut bytes = hash_count.to_be_bytes().to_vec();
        bytes.extend(word_count.to_be_bytes());
        bytes.resize(bytes.len() + 8 * word_count as usize, 0);
        BloomFilter::open(bytes, old).unwrap()
    }

    #[test]
    fn headers_are_checked() {
        let open = |bytes: &[u8]| BloomFilter::open(bytes.to_vec(), false).map(|f| f.bit_count());
        assert_eq!(
            open(&[0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(),
            64
        );
        assert!(open(&[0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(open(&[0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(open(&[0, 0, 0, 5, 0, 0, 0, 0]).is_err());
        assert!(open(&[0, 0, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(open(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(open(&[0, 0]).is_err());
    }

    #[test]
    fn no_bytes_hold_every_key() {
        let filter = BloomFilter::open([], false).unwrap();
        assert!(filter.might_contain(murmur3_128(b"a")));
        assert_eq!(filter.bit_count(), 0);
    }

    #[test]
    fn old_words_are_reversed() {
        // h2 = 9 and h1 = 0: bit 9 alone, in byte 1 of the new form and 6 of the old.
        for (old, byte) in [(false, 1), (true, 6)] {
            let mut filter = filter(3, 1, old);
            assert!(!filter.might_contain((0, 9)));
            filter.bytes[8 + byte] = 1 << 1;
            assert!(filter.might_contain((0, 9)));
            assert!(!filter.might_contain((1, 9)));
        }
    }

    proptest! {
        #[test]
        fn remainders_are_javas(base: i64, word_count in 1..=u32::MAX >> 1) {
            for word_count in [word_count, 1, 2, u32::MAX >> 1] {
                let bits = Bits::new(word_count.into());
                for base in [base, i64::MIN, i64::MAX, -1, 0] {
                    let java = (base % (word_count as i64 * 64)).unsigned_abs();
                    prop_assert_eq!(bits.bit(base), java);
                }
            }
        }
    }
}
