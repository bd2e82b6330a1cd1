//! Variable-length integers. Authority: `o.a.c.utils.vint.VIntCoding`.
//!
//! The count of leading one-bits in the first byte is the count of bytes that follow it (0 to 8).

use crate::error::DecodeError;

/// Decodes an unsigned vint at the start of `bytes`: the value and what follows it.
#[inline(always)]
pub fn split_unsigned(bytes: &[u8]) -> Result<(u64, &[u8]), DecodeError> {
    match bytes.split_first() {
        Some((&b, rest)) if b < 0x80 => Ok((b as u64, rest)),
        Some((&b, rest)) => split_long(b, rest),
        None => Err(DecodeError::Eof),
    }
}

#[inline]
fn split_long(first: u8, bytes: &[u8]) -> Result<(u64, &[u8]), DecodeError> {
    let extra = first.leading_ones();
    if let Some(window) = bytes.first_chunk::<8>()
        && extra < 8
    {
        // Eight bytes are there: take them all and shift away those that belong to what follows.
        let tail = u64::from_be_bytes(*window) >> (64 - 8 * extra);
        let head = (first as u64) & (0x7f >> extra);
        return Ok((head << (8 * extra) | tail, &bytes[extra as usize..]));
    }
    let (tail, rest) = bytes
        .split_at_checked(extra as usize)
        .ok_or(DecodeError::Eof)?;
    let head = match extra {
        8 => 0,
        _ => (first as u64) & (0x7f >> extra),
    };
    Ok((tail.iter().fold(head, |v, &b| v << 8 | b as u64), rest))
}

/// Undoes the zigzag of a signed vint.
#[inline]
pub fn unzigzag(v: u64) -> i64 {
    (v >> 1) as i64 ^ -((v & 1) as i64)
}

/// Applies the zigzag of a signed vint.
#[inline]
pub fn zigzag(v: i64) -> u64 {
    ((v << 1) ^ (v >> 63)) as u64
}

/// Length in bytes of `v` as an unsigned vint.
#[inline]
pub fn unsigned_len(v: u64) -> usize {
    (639 - (v | 1).leading_zeros() as usize * 9) >> 6
}

/// `v` as an unsigned vint: its bytes, and how many of them count.
#[inline(always)]
pub fn encode_unsigned(v: u64) -> ([u8; 9], usize) {
    let len = unsigned_len(v);
    let mut bytes = [0; 9];
    if len == 9 {
        bytes[0] = 0xff;
        bytes[1..].copy_from_slice(&v.to_be_bytes());
    } else {
        // The length's leading ones; they never meet a bit of the value.
        let ones = !(u64::MAX >> (len - 1));
        let word = v << (64 - 8 * len) | ones;
        bytes[..8].copy_from_slice(&word.to_be_bytes());
    }
    (bytes, len)
}

/// Appends `v` as an unsigned vint.
#[inline(always)]
pub fn write_unsigned(out: &mut Vec<u8>, v: u64) {
    if v < 0x80 {
        out.push(v as u8);
        return;
    }
    // A copy of a fixed length, cut afterwards, is cheaper than one of a length that varies.
    let (bytes, len) = encode_unsigned(v);
    out.extend_from_slice(&bytes);
    out.truncate(out.len() - (bytes.len() - len));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_encodings() {
        for (v, bytes) in [
            (0u64, vec![0x00]),
            (127, vec![0x7f]),
            (128, vec![0x80, 0x80]),
            (16383, vec![0xbf, 0xff]),
            (16384, vec![0xc0, 0x40, 0x00]),
            (u64::MAX, vec![0xff; 9]),
        ] {
            let mut out = Vec::new();
            write_unsigned(&mut out, v);
            assert_eq!(out, bytes);
            assert_eq!(split_unsigned(&bytes), Ok((v, &[][..])));
        }
        assert_eq!(split_unsigned(&[]), Err(DecodeError::Eof));
        assert_eq!(split_unsigned(&[0xc0, 0x40]), Err(DecodeError::Eof));
    }

    proptest! {
        #[test]
        fn round_trips_with_and_without_bytes_behind(v: u64, shift in 0u32..64, behind in 0usize..10) {
            let v = v >> shift;
            let mut out = Vec::new();
            write_unsigned(&mut out, v);
            let len = out.len();
            prop_assert_eq!(len, unsigned_len(v));
            out.extend(std::iter::repeat_n(0xa5, behind));
            prop_assert_eq!(split_unsigned(&out), Ok((v, &out[len..])));
            prop_assert_eq!(zigzag(unzigzag(v)), v);
        }
    }
}
