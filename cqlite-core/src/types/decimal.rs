//! Decimals: a scale and an unscaled number, of which the value is `unscaled / 10^scale`.
//!
//! Authority: `o.a.c.db.marshal.DecimalType`, `java.math.BigDecimal`.

use super::compare::{compare_varints, significant};
use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

/// The scale and the unscaled bytes of a value; `None` if the bytes are no decimal.
pub(super) fn split(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (scale, unscaled) = bytes.split_first_chunk::<4>()?;
    (!unscaled.is_empty()).then(|| (i32::from_be_bytes(*scale), unscaled))
}

/// A two's complement number of up to 16 bytes.
pub(super) fn small(bytes: &[u8]) -> Option<i128> {
    let bytes = significant(bytes);
    let mut wide = match bytes.first() {
        Some(0x80..) => [0xff; 16],
        _ => [0; 16],
    };
    let start = 16usize.checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// `00` to `99`.
pub(super) const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + i as u8 / 10, b'0' + i as u8 % 10];
        i += 1;
    }
    pairs
};

/// Appends an integer.
#[inline]
pub fn write_i64(v: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = v.unsigned_abs();
    while rest >= 100 {
        start -= 2;
        [digits[start], digits[start + 1]] = PAIRS[(rest % 100) as usize];
        rest /= 100;
    }
    let [tens, ones] = PAIRS[rest as usize];
    start -= 1;
    digits[start] = ones;
    if tens != b'0' {
        start -= 1;
        digits[start] = tens;
    }
    if v < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a two's complement integer of any length, as `BigInteger.toString` does.
pub(super) fn write_varint(v: &[u8], out: &mut Vec<u8>) {
    match small(v) {
        Some(v) => match i64::try_from(v) {
            Ok(v) => write_i64(v, out),
            Err(_) => out.extend_from_slice(v.to_string().as_bytes()),
        },
        None => out.extend_from_slice(BigInt::from_signed_bytes_be(v).to_string().as_bytes()),
    }
}

/// Appends a decimal as `BigDecimal.toString` does: with an exponent if the scale is negative or leads to more than five
/// zeros behind the point. `false`, and nothing is appended, if the bytes are no decimal.
pub(super) fn write(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let Some((scale, unscaled)) = split(bytes) else {
        return false;
    };
    if scale == 0 {
        write_varint(unscaled, out);
        return true;
    }
    let (negative, digits) = digits(unscaled);
    let digits = digits.as_bytes();
    if negative {
        out.push(b'-');
    }
    // Of the first digit, in scientific notation.
    let exponent = digits.len() as i64 - 1 - scale as i64;
    if scale > 0 && exponent >= -6 {
        let zeros = (scale as usize + 1).saturating_sub(digits.len());
        let (whole, fraction) = match zeros {
            0 => digits.split_at(digits.len() - scale as usize),
            _ => (&b"0"[..], digits),
        };
        out.extend_from_slice(whole);
        out.push(b'.');
        out.resize(out.len() + zeros.saturating_sub(1), b'0');
        out.extend_from_slice(fraction);
        return true;
    }
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    if exponent != 0 {
        out.push(b'E');
        if exponent > 0 {
            out.push(b'+');
        }
        write_i64(exponent, out);
    }
    true
}

/// Whether the number is negative, and the decimal digits of its magnitude, `0` for none.
pub(super) fn digits(unscaled: &[u8]) -> (bool, String) {
    match small(unscaled) {
        Some(v) => (v < 0, v.unsigned_abs().to_string()),
        None => {
            let v = BigInt::from_signed_bytes_be(unscaled);
            (v.sign() == Sign::Minus, v.magnitude().to_string())
        }
    }
}

/// Compares by value: 1.0 and 1.00 are equal. Bytes that are no decimal compare as such.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (Some((a_scale, a_unscaled)), Some((b_scale, b_unscaled))) = (split(a), split(b)) else {
        return a.cmp(b);
    };
    if a_scale == b_scale {
        return compare_varints(a_unscaled, b_unscaled);
    }
    let (a_sign, b_sign) = (sign(a_unscaled), sign(b_unscaled));
    if a_sign != b_sign || a_sign.is_eq() {
        return a_sign.cmp(&b_sign);
    }
    let magnitudes = compare_magnitudes(a_scale, a_unscaled, b_scale, b_unscaled);
    if a_sign.is_lt() {
        magnitudes.reverse()
    } else {
        magnitudes
    }
}

fn sign(v: &[u8]) -> Ordering {
    match v.first() {
        Some(0x80..) => Ordering::Less,
        _ if v.iter().all(|b| *b == 0) => Ordering::Equal,
        _ => Ordering::Greater,
    }
}

fn compare_magnitudes(a_scale: i32, a: &[u8], b_scale: i32, b: &[u8]) -> Ordering {
    let (a, b) = (significant(a), significant(b));
    // Bounds of the exponent of ten settle all but near ones, and keep those from growing by their scales' difference.
    let (a_low, a_high) = exponent_bounds(a_scale, a);
    let (b_low, b_high) = exponent_bounds(b_scale, b);
    if a_high < b_low {
        return Ordering::Less;
    }
    if b_high < a_low {
        return Ordering::Greater;
    }
    let shift = a_scale.abs_diff(b_scale);
    if let (Some(x), Some(y)) = (small(a), small(b)) {
        let (x, y) = (x.unsigned_abs(), y.unsigned_abs());
        let scaled = |v: u128| 10u128.checked_pow(shift).and_then(|p| v.checked_mul(p));
        let order = if a_scale < b_scale {
            scaled(x).map(|x| x.cmp(&y))
        } else {
            scaled(y).map(|y| x.cmp(&y))
        };
        if let Some(order) = order {
            return order;
        }
    }
    let power = BigInt::from(10).pow(shift);
    let (x, y) = (
        BigInt::from_signed_bytes_be(a),
        BigInt::from_signed_bytes_be(b),
    );
    let (x, y) = if a_scale < b_scale {
        (x * power, y)
    } else {
        (x, y * power)
    };
    x.magnitude().cmp(y.magnitude())
}

/// Bounds of `floor(log10(|v|))` for the decimal `v`, which is not zero.
fn exponent_bounds(scale: i32, significant: &[u8]) -> (i64, i64) {
    let sign = if significant.first().is_some_and(|b| *b >= 0x80) {
        0xff
    } else {
        0
    };
    // A number of n bits that is not a sign lies in 2^(n-1)..=2^n.
    let zeros = significant
        .first()
        .map_or(0, |b| (b ^ sign).leading_zeros() as usize);
    let bits = (8 * significant.len() - zeros) as f64;
    let log2_of_10 = std::f64::consts::LOG2_10;
    let low = ((bits - 1.0) / log2_of_10).floor() as i64 - 1;
    let high = (bits / log2_of_10).ceil() as i64 + 1;
    (low - scale as i64, high - scale as i64)
}
