//! The cardinality estimator of Statistics.db: about how many partition keys there are.
//!
//! Authority: `HyperLogLogPlus` of the library stream-lib 2.5.2, which Cassandra makes with precisions 13 and 25; the
//! algorithm and its table of biases are those of Heule, Nunkesser and Hall, "HyperLogLog in Practice".
//!
//! ```text
//! i32 -2; vint p; vint sp; vint 0; vint length; i32 words of six registers     normal
//!                          vint 1; vint n; n x vint difference of hashes      sparse
//! ```
//! These vints have seven bits a byte, the lowest ones first.
//!
//! The sparse form holds hashes of 25 bits, sorted by them, each in 32 bits: `hash << 1`, or, where the 12 bits that no
//! register's index has are all zero, `hash << 7 | (run ^ 63) << 1 | 1` with the run of zeros that begins there. New ones
//! wait unsorted. The library merges by the numbers, which sorts the second kind among the first otherwise than by their
//! hashes: what it writes shows that, and so does this.

mod estimate;

use crate::bytes::{Cursor, Sink};
use crate::{Error, Result};

const VERSION: i32 = -2;
/// The precision that Cassandra uses: 2^13 registers.
const PRECISION: u32 = 13;
/// Bits of a hash in the sparse form.
const SPARSE_PRECISION: u32 = 25;
/// Count of registers.
const REGISTERS: usize = 1 << PRECISION;
/// Registers of five bits in a word.
const REGISTERS_PER_WORD: usize = 6;
const WORDS: usize = REGISTERS.div_ceil(REGISTERS_PER_WORD);
/// Most hashes that the sparse form keeps when more are added.
const SPARSE_MAX: usize = REGISTERS / 4 * 3;
/// Most hashes that wait to be sorted in.
const WAITING_MAX: usize = SPARSE_MAX / 4;

/// An estimator of how many different keys were added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cardinality(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Sparse { hashes: Vec<i32>, waiting: Vec<i32> },
    Normal(Box<[u32; WORDS]>),
}

impl Default for Cardinality {
    fn default() -> Self {
        Self::new()
    }
}

impl Cardinality {
    /// That of no keys.
    pub fn new() -> Self {
        Cardinality(Form::Sparse {
            hashes: Vec::new(),
            waiting: Vec::new(),
        })
    }

    /// Adds the key with this [`murmur2_64`](crate::partitioner::murmur2_64).
    #[inline]
    pub fn add(&mut self, hash: u64) {
        match &mut self.0 {
            Form::Normal(words) => {
                let index = (hash >> (64 - PRECISION)) as usize;
                raise(words, index, run(hash));
            }
            Form::Sparse { waiting, .. } => {
                waiting.push(sparse(hash));
                if waiting.len() > WAITING_MAX {
                    self.sort_in();
                    self.shorten(Some(SPARSE_MAX));
                }
            }
        }
    }

    /// Adds all keys of `other`.
    pub fn merge(&mut self, other: &Cardinality) {
        let mut other = other.clone();
        other.sort_in();
        self.sort_in();
        if matches!(other.0, Form::Normal(_)) {
            self.shorten(None);
        }
        match (&mut self.0, other.0) {
            (Form::Sparse { hashes, .. }, Form::Sparse { hashes: others, .. }) => {
                *hashes = merge(hashes, &others, false);
                self.shorten(Some(SPARSE_MAX + WAITING_MAX));
            }
            (Form::Normal(words), Form::Sparse { hashes, .. }) => raise_all(words, &hashes),
            (Form::Normal(words), Form::Normal(others)) => {
                for (i, run) in registers(&others[..]).enumerate() {
                    raise(words, i, run);
                }
            }
            // It has just become normal.
            (Form::Sparse { .. }, Form::Normal(_)) => {}
        }
    }

    /// Decodes one.
    ///
    /// # Errors
    /// `Corrupt`, or `Unsupported` for estimators that Cassandra never wrote.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut c = Cursor::new(bytes);
        let version = c.i32()?;
        let (precision, sparse_precision) = (vint(&mut c)?, vint(&mut c)?);
        if version >= 0 || precision != PRECISION || sparse_precision != SPARSE_PRECISION {
            return Err(Error::unsupported(format!(
                "a cardinality estimator of version {version} and precisions {precision} and {sparse_precision}"
            )));
        }
        if vint(&mut c)? == 0 {
            let length = vint(&mut c)? as usize;
            let (words, rest) = c.take(length)?.as_chunks::<4>();
            let words: Box<[u32]> = words.iter().map(|w| u32::from_be_bytes(*w)).collect();
            let words = words.try_into().ok().filter(|_| rest.is_empty());
            return match words {
                Some(words) => Ok(Cardinality(Form::Normal(words))),
                None => Err(Error::corrupt(format!(
                    "a cardinality estimator of {length} bytes of registers"
                ))),
            };
        }
        let count = vint(&mut c)?;
        let count = c
            .bounded(count.into(), 1)
            .map_err(|_| Error::corrupt("the cardinality estimator ends early"))?;
        let mut last = 0i32;
        let hashes = (0..count).map(|_| {
            last = last.wrapping_add(vint(&mut c)? as i32);
            Ok(last)
        });
        Ok(Cardinality(Form::Sparse {
            hashes: hashes.collect::<Result<_>>()?,
            waiting: Vec::new(),
        }))
    }

    /// The bytes that [`parse`](Self::parse) decodes.
    pub fn encode(&mut self) -> Vec<u8> {
        self.sort_in();
        let mut out = Vec::new();
        out.put_i32(VERSION);
        put_vint(&mut out, PRECISION);
        put_vint(&mut out, SPARSE_PRECISION);
        match &self.0 {
            Form::Normal(words) => {
                put_vint(&mut out, 0);
                put_vint(&mut out, 4 * WORDS as u32);
                for word in words.iter() {
                    out.put_u32(*word);
                }
            }
            Form::Sparse { hashes, .. } => {
                put_vint(&mut out, 1);
                put_vint(&mut out, hashes.len() as u32);
                let mut last = 0i32;
                for hash in hashes {
                    put_vint(&mut out, hash.wrapping_sub(last) as u32);
                    last = *hash;
                }
            }
        }
        out
    }

    /// About how many different keys were added.
    pub fn estimate(&mut self) -> u64 {
        self.sort_in();
        match &self.0 {
            Form::Normal(words) => estimate::of_registers(registers(&words[..]).take(REGISTERS)),
            Form::Sparse { hashes, .. } => {
                let all = f64::from(1 << SPARSE_PRECISION);
                estimate::linear_counting(all, all - hashes.len() as f64) as u64
            }
        }
    }

    /// Sorts in what waits.
    fn sort_in(&mut self) {
        let Form::Sparse { hashes, waiting } = &mut self.0 else {
            return;
        };
        if !waiting.is_empty() {
            waiting.sort_unstable_by_key(|v| {
                (sparse_index(*v), v << (PRECISION + 31 - SPARSE_PRECISION))
            });
            *hashes = merge(hashes, waiting, true);
            waiting.clear();
        }
    }

    /// Becomes normal if the sparse form holds more than `max` hashes, or in any case.
    fn shorten(&mut self, max: Option<usize>) {
        if let Form::Sparse { hashes, .. } = &self.0
            && max.is_none_or(|max| hashes.len() > max)
        {
            let mut words = Box::new([0; WORDS]);
            raise_all(&mut words, hashes);
            self.0 = Form::Normal(words);
        }
    }
}

/// Estimates the count of distinct partition keys from an encoded estimator.
///
/// # Errors
/// `Corrupt`, or `Unsupported` for estimators that Cassandra never wrote.
pub fn estimate(bytes: &[u8]) -> Result<u64> {
    Ok(Cardinality::parse(bytes)?.estimate())
}

/// The place of the first one behind the register's index, counted from one.
#[inline]
fn run(hash: u64) -> u32 {
    (hash << PRECISION | 1 << (PRECISION - 1)).leading_zeros() + 1
}

/// A hash in the sparse form.
fn sparse(hash: u64) -> i32 {
    let index = (hash >> (64 - SPARSE_PRECISION)) as i32;
    if index << (32 - SPARSE_PRECISION + PRECISION) != 0 {
        return index << 1;
    }
    (index << 6 | run(hash) as i32 ^ 63) << 1 | 1
}

fn sparse_index(value: i32) -> i32 {
    let bits = if value & 1 == 1 { 7 } else { 1 };
    (value as u32 >> bits) as i32
}

/// Raises the registers of hashes in the sparse form.
fn raise_all(words: &mut [u32; WORDS], values: &[i32]) {
    for &value in values {
        let index = sparse_index(value) >> (SPARSE_PRECISION - PRECISION);
        let run = match value & 1 {
            1 => (value as u32 >> 1) & 63 ^ 63,
            _ => (value << (PRECISION + 31 - SPARSE_PRECISION)).leading_zeros() + 1,
        };
        // A foreign hash may be one bit too long.
        raise(words, index as usize % REGISTERS, run);
    }
}

/// Raises a register. A run over 31 flows over into the next one, as it does in the library.
#[inline]
fn raise(words: &mut [u32; WORDS], register: usize, run: u32) {
    let shift = 5 * (register % REGISTERS_PER_WORD);
    let word = &mut words[register / REGISTERS_PER_WORD];
    let (old, new) = (*word & 31 << shift, run << shift);
    if old < new {
        *word = *word & !(31 << shift) | new;
    }
}

/// The registers, and what fills up the last word.
fn registers(words: &[u32]) -> impl Iterator<Item = u32> {
    let of_word = |word: u32| (0..REGISTERS_PER_WORD).map(move |i| word >> (5 * i) & 31);
    words.iter().flat_map(move |word| of_word(*word))
}

/// Merges two lists by their numbers, keeping the smaller of two with the same hash. Of those with the same hash in a row
/// in `b` only the first counts if it is `waiting`.
fn merge(a: &[i32], b: &[i32], waiting: bool) -> Vec<i32> {
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while let Some(&y) = b.get(j) {
        let x = a.get(i).copied();
        let same = x.is_some_and(|x| sparse_index(x) == sparse_index(y));
        match x {
            Some(x) if !same && x < y => {
                merged.push(x);
                i += 1;
                continue;
            }
            Some(x) if same => {
                merged.push(x.min(y));
                i += 1;
            }
            _ => merged.push(y),
        }
        j += 1;
        if waiting {
            while b
                .get(j)
                .is_some_and(|next| sparse_index(*next) == sparse_index(y))
            {
                j += 1;
            }
        }
    }
    merged.extend(&a[i..]);
    merged
}

fn put_vint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn vint(c: &mut Cursor<'_>) -> Result<u32> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = c.u8()?;
        if shift > 28 {
            return Err(Error::corrupt(
                "a number of over 32 bits in the cardinality estimator",
            ));
        }
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn header(format: &[u8]) -> Vec<u8> {
        [&(-2i32).to_be_bytes()[..], &[13, 25], format].concat()
    }

    /// Cardinalities that the library gives for registers of a pattern.
    #[test]
    fn registers_as_the_library_counts_them() {
        for (factor, modulus, least, expected) in [
            (0, 1, 0, 0),
            (7, 3, 0, 7257),
            (5, 4, 0, 10700),
            (3, 4, 1, 25004),
            (11, 6, 1, 36012),
            (13, 5, 2, 60980),
            (1, 2, 3, 63020),
            (9, 7, 4, 333191),
        ] {
            let mut words = vec![0u32; REGISTERS.div_ceil(6)];
            for i in 0..REGISTERS {
                let register = ((i as u32 * factor) >> 4) % modulus + least;
                words[i / 6] |= register << (5 * (i % 6));
            }
            let mut bytes = header(&[0, 0xd8, 0x2a]);
            bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            assert_eq!(bytes.len(), 5473);
            assert_eq!(estimate(&bytes).unwrap(), expected);
        }
    }

    #[test]
    fn sparse_ones_are_counted() {
        let one = header(&[1, 1, 0xe6, 0x9a, 0xb0, 0x17]);
        assert_eq!(estimate(&one).unwrap(), 1);
        assert_eq!(estimate(&header(&[1, 0])).unwrap(), 0);
    }

    /// Numbers that look like hashes.
    fn mix(i: u64) -> u64 {
        let z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn of(hashes: impl Iterator<Item = u64>) -> Cardinality {
        let mut cardinality = Cardinality::new();
        hashes.for_each(|hash| cardinality.add(hash));
        cardinality
    }

    fn seen(mut cardinality: Cardinality) -> (usize, u32, u64) {
        let bytes = cardinality.encode();
        let again = Cardinality::parse(&bytes).unwrap();
        assert_eq!(again, cardinality);
        (bytes.len(), crc32fast::hash(&bytes), cardinality.estimate())
    }

    /// Length and CRC32 of what the library encodes, and its estimate.
    #[test]
    fn keys_as_the_library_encodes_them() {
        for (n, expected) in [
            (1, (9, 0x7a282e4f, 1)),
            (1536, (4123, 0xd1af5e37, 1536)),
            (1537, (4126, 0xd9886138, 1537)),
            (5000, (12071, 0x25e6ecdd, 5000)),
            (6144, (14992, 0x74a37b9a, 6145)),
            (7680, (5473, 0xe7236503, 7686)),
            (7681, (5473, 0xc077606a, 7688)),
            (9216, (5473, 0x01e821d5, 9137)),
            (30_000, (5473, 0x5def9517, 30_265)),
            (100_000, (5473, 0x5fdec492, 98_357)),
            (1_000_000, (5473, 0x6baec0cb, 994_513)),
        ] {
            assert_eq!(seen(of((0..n).map(mix))), expected, "{n}");
        }
        let repeated = (0..20_000).map(|i| mix(i % 5000));
        assert_eq!(seen(of(repeated)), (5473, 0xaee4f26d, 5055));
        // A third of them with a run that the sparse form keeps apart, which the library sorts wrongly.
        let apart = |i| {
            if i % 3 == 0 {
                mix(i) & !(0xfff << 39)
            } else {
                mix(i)
            }
        };
        assert_eq!(seen(of((0..6000).map(apart))), (21_956, 0x7bcf23ba, 5856));
    }

    /// The same of what the library merges.
    #[test]
    fn estimators_as_the_library_merges_them() {
        for (ranges, expected) in [
            (&[0..1000, 500..1500][..], (4027, 0xaba20236, 1500)),
            (&[0..5000, 4000..9000], (5473, 0x547098f0, 8928)),
            (&[0..3000, 3000..6000, 6000..9000], (5473, 0x547098f0, 8928)),
            (&[0..5000, 0..50_000], (5473, 0xf0103a78, 49_690)),
            (&[0..50_000, 0..5000], (5473, 0x8677af24, 49_690)),
            (&[0..50_000, 25_000..75_000], (5473, 0xdfe30864, 74_152)),
        ] {
            let mut merged = Cardinality::new();
            for range in ranges {
                merged.merge(&of(range.clone().map(mix)));
            }
            assert_eq!(seen(merged), expected, "{ranges:?}");
        }
    }

    proptest::proptest! {
        /// Whatever can be decoded can be merged, estimated and encoded.
        #[test]
        fn foreign_estimators_do_no_harm(
            is_sparse: bool,
            body in proptest::collection::vec(proptest::num::u8::ANY, 0..400),
        ) {
            let bytes = match is_sparse {
                true => header(&[&[1, body.len() as u8 / 5], &body[..]].concat()),
                false => {
                    let words = body.iter().copied().cycle().take(4 * WORDS * usize::from(!body.is_empty()));
                    header(&[0, 0xd8, 0x2a].into_iter().chain(words).collect::<Vec<u8>>())
                }
            };
            if let Ok(foreign) = Cardinality::parse(&bytes) {
                for n in [3000, 10_000] {
                    let mut own = of((0..n).map(mix));
                    own.merge(&foreign);
                    let mut foreign = foreign.clone();
                    foreign.merge(&own);
                    own.estimate();
                    foreign.add(n);
                    let bytes = foreign.encode();
                    proptest::prop_assert_eq!(Cardinality::parse(&bytes).unwrap(), foreign);
                }
            }
        }
    }

    #[test]
    fn what_is_no_estimator() {
        for (bytes, kind) in [
            (header(&[1, 9, 1, 1]), ErrorKind::Corrupt),
            (header(&[0, 4, 1, 1, 1, 1]), ErrorKind::Corrupt),
            (
                header(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
                ErrorKind::Corrupt,
            ),
            (vec![0, 0, 0, 13, 1, 2], ErrorKind::Unsupported),
            (vec![0xff], ErrorKind::Corrupt),
        ] {
            assert_eq!(estimate(&bytes).unwrap_err().kind(), kind, "{bytes:?}");
        }
    }
}
