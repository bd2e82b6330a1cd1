//! Cassandra's two murmur hashes, sign bug included.
//!
//! Authority: `o.a.c.utils.MurmurHash`. Its tail bytes are signed, so that a byte from 0x80 on also inverts every bit
//! above it; a standard murmur gives other tokens.

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The 128-bit murmur3 of `key` with seed 0: the token (`h1`) of `Murmur3Partitioner`, and the bloom filter's hash.
#[inline]
pub fn murmur3_128(key: &[u8]) -> (u64, u64) {
    let (mut h1, mut h2) = (0u64, 0u64);
    let (blocks, tail) = key.as_chunks::<16>();
    for block in blocks {
        let (k1, k2) = halves(block);
        h1 ^= mix1(k1);
        h1 = h1.rotate_left(27).wrapping_add(h2);
        h1 = h1.wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= mix2(k2);
        h2 = h2.rotate_left(31).wrapping_add(h1);
        h2 = h2.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    if let Some((first, rest)) = tail.split_first_chunk::<8>() {
        h2 ^= mix2(signed(short_le(rest)));
        h1 ^= mix1(signed(u64::from_le_bytes(*first)));
    } else if !tail.is_empty() {
        h1 ^= mix1(signed(short_le(tail)));
    }
    h1 ^= key.len() as u64;
    h2 ^= key.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finish(h1);
    h2 = finish(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    (h1, h2)
}

/// The 64-bit murmur2 of `key` with seed 0, which Cassandra offers to the cardinality sketch in Statistics.db.
pub fn murmur2_64(key: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut h = M.wrapping_mul(key.len() as u64);
    let (words, tail) = key.as_chunks::<8>();
    for word in words {
        let k = u64::from_le_bytes(*word).wrapping_mul(M);
        h = (h ^ (k ^ k >> 47).wrapping_mul(M)).wrapping_mul(M);
    }
    if !tail.is_empty() {
        h = (h ^ signed(short_le(tail))).wrapping_mul(M);
    }
    h = (h ^ h >> 47).wrapping_mul(M);
    h ^ h >> 47
}

#[inline(always)]
fn halves(block: &[u8; 16]) -> (u64, u64) {
    let whole = u128::from_le_bytes(*block);
    (whole as u64, (whole >> 64) as u64)
}

#[inline(always)]
fn mix1(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

#[inline(always)]
fn mix2(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

#[inline(always)]
fn finish(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ k >> 33
}

/// Up to seven bytes as a little-endian number.
#[inline(always)]
fn short_le(bytes: &[u8]) -> u64 {
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The two halves overlap in equal bytes.
        let shift = 8 * (bytes.len() as u32 - 4);
        return u32::from_le_bytes(*low) as u64 | (u32::from_le_bytes(*high) as u64) << shift;
    }
    match *bytes {
        [] => 0,
        [a] => a as u64,
        [a, b] => a as u64 | (b as u64) << 8,
        [a, b, c, ..] => a as u64 | (b as u64) << 8 | (c as u64) << 16,
    }
}

/// The exclusive or of the bytes of `le`, each sign-extended from its place.
#[inline(always)]
fn signed(le: u64) -> u64 {
    // Bit 8i: byte i is negative. Shifted and folded: the parity of the negative bytes below byte i.
    let mut below = (le >> 7 & 0x0101_0101_0101_0101) << 8;
    below ^= below << 8;
    below ^= below << 16;
    below ^= below << 32;
    le ^ below.wrapping_mul(0xff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Length, h1, h2 of murmur3 and murmur2 of the pattern below, from `MurmurHash` itself.
    const KNOWN: [(usize, u64, u64, u64); 12] = [
        (0, 0, 0, 0),
        (
            1,
            0x7ace5c908374fe16,
            0x778867e4430e6785,
            0xb09b25bfc7c41d07,
        ),
        (
            3,
            0x36d4d6375dc83a88,
            0x34adfade21e8d983,
            0x30e3f5ad9947f331,
        ),
        (
            4,
            0xcf627789f0df494e,
            0x1c961b41d4de08de,
            0x9b4f43ed8c5c30ae,
        ),
        (
            7,
            0x43f11127d069d45c,
            0x789465e2f89df2fe,
            0x128c36a7e491af64,
        ),
        (
            8,
            0x8cc2b409000139b3,
            0x783c84ca939edec0,
            0x5ea83774d885d013,
        ),
        (
            9,
            0x1865c9b00bf1c403,
            0xa4823689838dbbf9,
            0x05cc004c75ed4751,
        ),
        (
            15,
            0x66c28a0787344499,
            0x7c6f5b12716c7cb3,
            0xe82f986063461a07,
        ),
        (
            16,
            0xcff991263c367c74,
            0x608d507a1fadc513,
            0x8818b9eb23da8867,
        ),
        (
            31,
            0xc282a84f82e7512a,
            0xec4c898ea8e94e37,
            0x7e6eb3ae296e3784,
        ),
        (
            33,
            0x2780f3529e5475d5,
            0x4e328eebc6958cbf,
            0x06b8a0611e808cb5,
        ),
        (
            40,
            0x5e2ddbcbdfedb9a4,
            0x771e1338d625e233,
            0x1b47a69fa9df4098,
        ),
    ];

    #[test]
    fn equals_cassandra_at_every_kind_of_length() {
        for (n, h1, h2, murmur2) in KNOWN {
            let key: Vec<u8> = (0..n).map(|i| (i * 37 + 200 * (i % 3) + n) as u8).collect();
            assert_eq!(murmur3_128(&key), (h1, h2), "length {n}");
            assert_eq!(murmur2_64(&key), murmur2, "length {n}");
        }
        assert_eq!(
            murmur3_128(&1i32.to_be_bytes()).0 as i64,
            -4069959284402364209
        );
    }

    proptest! {
        #[test]
        fn tail_bytes_extend_their_sign(bytes in prop::collection::vec(any::<u8>(), 0..8)) {
            let by_byte = bytes
                .iter()
                .enumerate()
                .fold(0, |k, (i, &b)| k ^ (b as i8 as i64 as u64) << (8 * i));
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(&bytes);
            prop_assert_eq!(short_le(&bytes), u64::from_le_bytes(padded));
            prop_assert_eq!(signed(u64::from_le_bytes(padded)), by_byte);
        }
    }
}
