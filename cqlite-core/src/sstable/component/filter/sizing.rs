//! How many bits and hashes a bloom filter needs.
//!
//! Authority: `o.a.c.utils.{BloomCalculations,FilterFactory,obs.OffHeapBitSet}`.

use crate::{Error, Result};

/// Bits that are added to those of the keys.
const EXCESS_BITS: u64 = 20;
const BUCKETS_MAX: usize = 20;

/// Chances of a false positive: row `b` is of `b` bits a key, its `k`th number of `k` hashes.
#[rustfmt::skip]
const CHANCES: [&[f64]; BUCKETS_MAX + 1] = [
    &[1.0],
    &[1.0, 1.0],
    &[1.0, 0.393, 0.400],
    &[1.0, 0.283, 0.237, 0.253],
    &[1.0, 0.221, 0.155, 0.147, 0.160],
    &[1.0, 0.181, 0.109, 0.092, 0.092, 0.101],
    &[1.0, 0.154, 0.0804, 0.0609, 0.0561, 0.0578, 0.0638],
    &[1.0, 0.133, 0.0618, 0.0423, 0.0359, 0.0347, 0.0364],
    &[1.0, 0.118, 0.0489, 0.0306, 0.024, 0.0217, 0.0216, 0.0229],
    &[1.0, 0.105, 0.0397, 0.0228, 0.0166, 0.0141, 0.0133, 0.0135, 0.0145],
    &[1.0, 0.0952, 0.0329, 0.0174, 0.0118, 0.00943, 0.00844, 0.00819, 0.00846],
    &[1.0, 0.0869, 0.0276, 0.0136, 0.00864, 0.0065, 0.00552, 0.00513, 0.00509],
    &[1.0, 0.08, 0.0236, 0.0108, 0.00646, 0.00459, 0.00371, 0.00329, 0.00314],
    &[1.0, 0.074, 0.0203, 0.00875, 0.00492, 0.00332, 0.00255, 0.00217, 0.00199, 0.00194],
    &[1.0, 0.0689, 0.0177, 0.00718, 0.00381, 0.00244, 0.00179, 0.00146, 0.00129, 0.00121, 0.0012],
    &[1.0, 0.0645, 0.0156, 0.00596, 0.003, 0.00183, 0.00128, 0.001, 0.000852, 0.000775, 0.000744],
    &[1.0, 0.0606, 0.0138, 0.005, 0.00239, 0.00139, 0.000935, 0.000702, 0.000574, 0.000505, 0.00047, 0.000459],
    &[1.0, 0.0571, 0.0123, 0.00423, 0.00193, 0.00107, 0.000692, 0.000499, 0.000394, 0.000335, 0.000302, 0.000287,
      0.000284],
    &[1.0, 0.054, 0.0111, 0.00362, 0.00158, 0.000839, 0.000519, 0.00036, 0.000275, 0.000226, 0.000198, 0.000183,
      0.000176],
    &[1.0, 0.0513, 0.00998, 0.00312, 0.0013, 0.000663, 0.000394, 0.000264, 0.000194, 0.000155, 0.000132, 0.000118,
      0.000111, 0.000109],
    &[1.0, 0.0488, 0.00906, 0.0027, 0.00108, 0.00053, 0.000303, 0.000196, 0.00014, 0.000108, 8.89e-05, 7.77e-05,
      7.12e-05, 6.79e-05, 6.71e-05],
];

/// Smallest chance of a false positive that a filter can be made for (`minSupportedBloomFilterFpChance`).
pub const FP_CHANCE_MIN: f64 = 6.71e-05;

/// The size of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterSize {
    /// Hashes a key.
    pub hash_count: u32,
    /// Count of 64-bit words.
    pub word_count: u32,
}

impl FilterSize {
    /// The size that Cassandra gives to a filter of `keys` keys that lets through the share `fp_chance` of absent ones;
    /// `None` for 1.0, for which there is no filter.
    ///
    /// # Errors
    /// `InvalidInput` for a chance that is none or too small, and for a filter of more than 16 GiB.
    pub fn of(keys: u64, fp_chance: f64) -> Result<Option<Self>> {
        if fp_chance == 1.0 {
            return Ok(None);
        }
        if !(FP_CHANCE_MIN..1.0).contains(&fp_chance) {
            return Err(Error::invalid(format!(
                "a bloom filter cannot let through the share {fp_chance} of absent keys"
            ))
            .advise(format!(
                "bloom_filter_fp_chance must lie between {FP_CHANCE_MIN} and 1"
            )));
        }
        let (buckets, hash_count) = buckets_and_hashes(fp_chance);
        let bits = u128::from(keys) * buckets as u128 + u128::from(EXCESS_BITS);
        match u32::try_from(bits.div_ceil(64)) {
            Ok(word_count) if word_count <= i32::MAX as u32 => Ok(Some(FilterSize {
                hash_count: hash_count as u32,
                word_count,
            })),
            _ => Err(
                Error::invalid(format!("a bloom filter of {keys} keys is over 16 GiB"))
                    .advise("write smaller SSTables, or raise bloom_filter_fp_chance"),
            ),
        }
    }

    /// Size of Filter.db in bytes.
    pub fn file_bytes(&self) -> u64 {
        super::HEADER_BYTES as u64 + 8 * u64::from(self.word_count)
    }
}

/// The fewest bits a key for which the best count of hashes is good enough, and the fewest hashes that still are.
fn buckets_and_hashes(fp_chance: f64) -> (usize, usize) {
    if fp_chance >= CHANCES[2][1] {
        // Two hashes and one bit a key: Cassandra takes the count of hashes for that of bits.
        return (best_hashes(2), 2);
    }
    let mut buckets = 2;
    while buckets < BUCKETS_MAX && CHANCES[buckets][best_hashes(buckets)] > fp_chance {
        buckets += 1;
    }
    let mut hashes = best_hashes(buckets);
    while hashes > 0 && CHANCES[buckets][hashes - 1] <= fp_chance {
        hashes -= 1;
    }
    (buckets, hashes)
}

/// The count of hashes with the smallest chance, the first of several.
fn best_hashes(buckets: usize) -> usize {
    let row = CHANCES[buckets];
    let mut best = 0;
    for (k, chance) in row.iter().enumerate() {
        if *chance < row[best] {
            best = k;
        }
    }
    best.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// What `FilterFactory` gives.
    #[test]
    fn sizes_by_chance() {
        for (chance, buckets, hashes) in [
            (0.9, 1, 2),
            (0.393, 1, 2),
            (0.3, 3, 1),
            (0.2, 4, 2),
            (0.1, 5, 3),
            (0.05, 7, 3),
            (0.02, 9, 4),
            (0.01, 10, 5),
            (0.005, 12, 5),
            (0.001, 15, 7),
            (0.0001, 20, 10),
            (0.00007, 20, 13),
            (FP_CHANCE_MIN, 20, 14),
        ] {
            assert_eq!(buckets_and_hashes(chance), (buckets, hashes), "{chance}");
        }
    }

    #[test]
    fn sizes_by_keys() {
        let words = |keys, chance| FilterSize::of(keys, chance).unwrap().unwrap().word_count;
        // 1,020 bits, 64, 20, and the most of all.
        assert_eq!(words(100, 0.01), 16);
        assert_eq!(words(44, 0.9), 1);
        assert_eq!(words(0, 0.01), 1);
        assert_eq!(words(((1 << 31) - 1) * 64 - 20, 0.9), i32::MAX as u32);
        assert_eq!(FilterSize::of(100, 1.0).unwrap(), None);
        for (keys, chance) in [
            (1, 0.0),
            (1, 6.7e-5),
            (1, f64::NAN),
            (1, 1.1),
            (u64::MAX, 0.9),
        ] {
            let e = FilterSize::of(keys, chance).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::InvalidInput);
        }
    }
}
