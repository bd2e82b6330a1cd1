//! Variable-length integers. Authority: `o.a.c.utils.vint.VIntCoding`.
//!
//! The count of leading one-bits in the first byte is the count of bytes that follow it (0 to 8).

use crate::error::DecodeError;

/// Decodes an unsigned vint at the start of `bytes`: the value and its length in bytes (1 to 9).
#[inline(always)]
pub fn read_unsigned(bytes: &[u8]) -> Result<(u64, usize), DecodeError> {
    match bytes.first() {
        Some(&b) if b < 0x80 => Ok((b as u64, 1)),
        Some(&b) => read_long(bytes, b),
        None => Err(DecodeError::Eof),
    }
}

#[inline]
fn read_long(bytes: &[u8], first: u8) -> Result<(u64, usize), DecodeError> {
    let extra = first.leading_ones() as usize;
    if let Some(window) = bytes.get(1..9) {
        // Nine bytes are there: take eight at once and shift away those that belong to what follows.
        let tail = u64::from_be_bytes(window.try_into().map_err(|_| DecodeError::Eof)?);
        if extra == 8 {
            return Ok((tail, 9));
        }
        let head = (first as u64) & (0x7f >> extra);
        return Ok((head << (8 * extra) | tail >> (64 - 8 * extra), extra + 1));
    }
    let tail = bytes.get(1..=extra).ok_or(DecodeError::Eof)?;
    let head = if extra == 8 {
        0
    } else {
        (first as u64) & (0x7f >> extra)
    };
    let value = tail.iter().fold(head, |v, &b| v << 8 | b as u64);
    Ok((value, extra + 1))
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

/// Appends `v` as an unsigned vint.
pub fn write_unsigned(out: &mut Vec<u8>, v: u64) {
    let len = unsigned_len(v);
    if len == 9 {
        out.push(0xff);
        out.extend_from_slice(&v.to_be_bytes());
        return;
    }
    let be = v.to_be_bytes();
    let start = out.len();
    out.extend_from_slice(&be[8 - len..]);
    // The length's leading ones; they never meet a bit of the value.
    out[start] |= !(0xffu16 >> (len - 1)) as u8;
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
            assert_eq!(read_unsigned(&bytes), Ok((v, bytes.len())));
        }
        assert_eq!(read_unsigned(&[]), Err(DecodeError::Eof));
        assert_eq!(read_unsigned(&[0xc0, 0x40]), Err(DecodeError::Eof));
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
            prop_assert_eq!(read_unsigned(&out), Ok((v, len)));
            prop_assert_eq!(zigzag(unzigzag(v)), v);
        }
    }
}
