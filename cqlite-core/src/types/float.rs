//! Text of floating-point numbers as Java prints them, and back.
//!
//! Authority: `Float.toString` and `Double.toString` of JDK 17 (`jdk.internal.math.FloatingDecimal`), which Cassandra 5.0
//! runs on. They stop at the first digits that tell a number from its neighbours, judged with bounds that are now and
//! then too wide or too narrow: the text is not always the shortest one. JDK 19 changed that.

use std::cmp::Ordering;

/// Significant bits of a double.
const DOUBLE_BITS: i32 = 53;

/// Appends `v` as `Double.toString` does.
pub(super) fn write_double(v: f64, out: &mut Vec<u8>) {
    let bits = v.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    write(
        v,
        exponent - 1023,
        exponent == 0,
        fraction,
        DOUBLE_BITS,
        out,
    );
}

/// Appends `v` as `Float.toString` does.
pub(super) fn write_float(v: f32, out: &mut Vec<u8>) {
    let bits = v.to_bits();
    let exponent = (bits >> 23 & 0xff) as i32;
    let fraction = ((bits & ((1 << 23) - 1)) as u64) << (52 - 23);
    write(v as f64, exponent - 127, exponent == 0, fraction, 24, out);
}

/// `fraction` holds the 52 bits behind the point, `precision` says how many bits the type has with the one before it.
fn write(
    v: f64,
    mut exponent: i32,
    subnormal: bool,
    mut fraction: u64,
    mut precision: i32,
    out: &mut Vec<u8>,
) {
    if v.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if v.is_sign_negative() {
        out.push(b'-');
    }
    if v.is_infinite() {
        return out.extend_from_slice(b"Infinity");
    }
    if v == 0.0 {
        return out.extend_from_slice(b"0.0");
    }
    if subnormal {
        let shift = fraction.leading_zeros() as i32 - 11;
        fraction <<= shift;
        exponent += 1 - shift;
        precision -= shift;
    } else {
        fraction |= 1 << 52;
    }
    Digits::of(exponent, fraction, precision).write(out)
}

/// Decimal digits of a number: `0.d1d2d3...` times a power of ten.
struct Digits {
    digits: [u8; 20],
    count: usize,
    exponent: i32,
}

impl Digits {
    fn push(&mut self, digit: u8) {
        if let Some(slot) = self.digits.get_mut(self.count) {
            *slot = digit;
            self.count += 1;
        }
    }

    /// Of `fraction * 2^(exponent - 52)`, where bit 52 of `fraction` is set.
    fn of(exponent: i32, fraction: u64, precision: i32) -> Digits {
        let mut d = Digits {
            digits: [0; 20],
            count: 0,
            exponent: 0,
        };
        let tail_zeros = fraction.trailing_zeros() as i32;
        let fraction_bits = DOUBLE_BITS - tail_zeros;
        // Bits behind the point.
        let tiny_bits = (fraction_bits - exponent - 1).max(0);
        if tiny_bits == 0 && exponent <= 62 && fraction_bits < 64 {
            d.integer(exponent, fraction, precision);
            return d;
        }
        // The digits come from dividing B = fraction * 2^b2 * 5^b5 by S = 2^s2 * 5^s5, as long as what is left is more
        // than M = 2^m2 * 5^m5, half of the last bit.
        let ten = estimate_exponent(fraction, exponent);
        let b5 = (-ten).max(0);
        let mut b2 = b5 + tiny_bits + exponent;
        let s5 = ten.max(0);
        let mut s2 = s5 + tiny_bits;
        let m5 = b5;
        let mut m2 = b2 - precision;
        let fraction = fraction >> tail_zeros;
        b2 -= fraction_bits - 1;
        let common = b2.min(s2);
        b2 -= common;
        s2 -= common;
        m2 -= common;
        // The neighbour below a power of two is nearer.
        if fraction_bits == 1 {
            m2 -= 1;
        }
        if m2 < 0 {
            b2 -= m2;
            s2 -= m2;
            m2 = 0;
        }
        d.exponent = ten;
        let b_bits = fraction_bits + b2 + bits_of_5_pow(b5, 0);
        let tens_bits = s2 + 1 + bits_of_5_pow(s5, 1);
        let scaled = Scaled {
            fraction,
            b2,
            b5,
            s2,
            s5,
            m2,
            m5,
        };
        // Java computes in the narrowest integers that hold B and 10 S; M may overflow them.
        if b_bits < 32 && tens_bits < 32 {
            d.divide_i32(&scaled);
        } else if b_bits < 64 && tens_bits < 64 {
            d.divide_i64(&scaled);
        } else {
            d.divide_big(&scaled);
        }
        d.exponent += 1;
        d
    }

    /// An integer below 2^63. Digits that a wider spacing than ten makes meaningless are rounded off.
    fn integer(&mut self, exponent: i32, fraction: u64, precision: i32) {
        // Whole digits of half the spacing of such numbers.
        let insignificant = match exponent - precision - 1 {
            n @ 2.. => n as u32 * 30103 / 100_000,
            _ => 0,
        };
        let mut value = if exponent >= 52 {
            fraction << (exponent - 52)
        } else {
            fraction >> (52 - exponent)
        };
        if insignificant != 0 {
            let power = 10u64.pow(insignificant);
            let residue = value % power;
            value /= power;
            if residue >= power >> 1 {
                value += 1;
            }
        }
        let mut digits = [0; 20];
        let mut n = 0;
        while value != 0 {
            digits[n] = (value % 10) as u8;
            value /= 10;
            n += 1;
        }
        self.exponent = n as i32 + insignificant as i32;
        let zeros = digits[..n].iter().take_while(|d| **d == 0).count();
        for digit in digits[zeros..n].iter().rev() {
            self.push(*digit);
        }
    }

    /// Whether the text has an exponent, where Java wants a second digit whatever the first one tells.
    fn is_scientific(&self) -> bool {
        !(-3..8).contains(&self.exponent)
    }

    /// Takes the first digit, which is none if it is a zero.
    fn first(&mut self, digit: u8, high: bool) {
        if digit == 0 && !high {
            self.exponent -= 1;
        } else {
            self.push(digit);
        }
    }

    /// Rounds the last digit after division stopped, `low` if what is left is less than the spacing, `high` if what is
    /// left to the next digit is. `half` tells what is left against half a digit.
    fn finish(&mut self, low: bool, high: bool, half: Ordering) {
        let last = self.digits[self.count.saturating_sub(1)];
        let up = match (high, low) {
            (true, true) => half.is_gt() || half.is_eq() && last & 1 != 0,
            _ => high,
        };
        if up {
            self.round_up();
        }
    }

    fn round_up(&mut self) {
        for i in (0..self.count).rev() {
            if self.digits[i] != 9 {
                self.digits[i] += 1;
                return;
            }
            self.digits[i] = 0;
        }
        self.exponent += 1;
        self.digits[0] = 1;
    }

    fn write(&self, out: &mut Vec<u8>) {
        let digits = &self.digits[..self.count];
        let ascii = |d: &u8| b'0' + d;
        let behind_point = |digits: &[u8], out: &mut Vec<u8>| {
            out.push(b'.');
            if digits.is_empty() {
                out.push(b'0');
            }
            out.extend(digits.iter().map(ascii));
        };
        if (1..8).contains(&self.exponent) {
            let point = self.exponent as usize;
            let before = &digits[..point.min(digits.len())];
            out.extend(before.iter().map(ascii));
            out.resize(out.len() + point - before.len(), b'0');
            behind_point(&digits[before.len()..], out);
        } else if (-2..=0).contains(&self.exponent) {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + self.exponent.unsigned_abs() as usize, b'0');
            out.extend(digits.iter().map(ascii));
        } else if let Some((first, rest)) = digits.split_first() {
            out.push(ascii(first));
            behind_point(rest, out);
            out.push(b'E');
            super::decimal::write_i64(self.exponent as i64 - 1, out);
        }
    }
}

/// What the digits are divided out of.
struct Scaled {
    fraction: u64,
    b2: i32,
    b5: i32,
    s2: i32,
    s5: i32,
    m2: i32,
    m5: i32,
}

/// Division in integers of a fixed width that wrap as Java's do.
macro_rules! divide {
    ($name:ident, $int:ty) => {
        impl Digits {
            fn $name(&mut self, n: &Scaled) {
                let power = |of_5: i32| (5 as $int).wrapping_pow(of_5 as u32);
                let shl = |v: $int, by: i32| v.wrapping_shl(by as u32);
                let mut b = shl((n.fraction as $int).wrapping_mul(power(n.b5)), n.b2);
                let s = shl(power(n.s5), n.s2);
                let mut m = shl(power(n.m5), n.m2);
                let tens = s.wrapping_mul(10);
                let mut step = |b: &mut $int| {
                    let digit = (*b / s) as u8;
                    *b = (*b % s).wrapping_mul(10);
                    m = m.wrapping_mul(10);
                    // Beyond what fits, both bounds are met.
                    (digit, m <= 0 || *b < m, m <= 0 || b.wrapping_add(m) > tens)
                };
                let (digit, mut low, mut high) = step(&mut b);
                self.first(digit, high);
                if self.is_scientific() {
                    (low, high) = (false, false);
                }
                while !low && !high {
                    let digit;
                    (digit, low, high) = step(&mut b);
                    self.push(digit);
                }
                self.finish(low, high, b.wrapping_shl(1).wrapping_sub(tens).cmp(&0));
            }
        }
    };
}

divide!(divide_i32, i32);
divide!(divide_i64, i64);

impl Digits {
    fn divide_big(&mut self, n: &Scaled) {
        let mut b = Big::new(n.fraction, n.b5, n.b2);
        let s = Big::new(1, n.s5, n.s2);
        let mut m = Big::new(1, n.m5, n.m2);
        let tens = Big::new(1, n.s5 + 1, n.s2 + 1);
        let mut step = |b: &mut Big| {
            let digit = b.divide(&s);
            b.multiply(10);
            m.multiply(10);
            (digit, b.cmp(&m).is_lt(), b.sum(&m).cmp(&tens).is_ge())
        };
        let (digit, mut low, mut high) = step(&mut b);
        self.first(digit, high);
        if self.is_scientific() {
            (low, high) = (false, false);
        }
        while !low && !high {
            let digit;
            (digit, low, high) = step(&mut b);
            self.push(digit);
        }
        let half = if low && high {
            b.multiply(2);
            b.cmp(&tens)
        } else {
            Ordering::Equal
        };
        self.finish(low, high, half);
    }
}

/// Bits of `5^n`, exact below `5^27`; the power that is meant is `n + more`.
fn bits_of_5_pow(n: i32, more: i32) -> i32 {
    match n + more {
        0 => 0,
        n @ ..27 => 64 - 5u64.pow(n as u32).leading_zeros() as i32,
        n => 3 * n,
    }
}

/// The exponent of ten of `fraction * 2^(exponent - 52)`, or one too much. The constants are Java's, with all their digits.
#[allow(clippy::approx_constant)]
fn estimate_exponent(fraction: u64, exponent: i32) -> i32 {
    let one_to_two = f64::from_bits(1023 << 52 | fraction & ((1 << 52) - 1));
    let log = (one_to_two - 1.5) * 0.289529654 + 0.176091259 + exponent as f64 * 0.301029995663981;
    log.floor() as i32
}

/// A natural number of up to 1,280 bits, which no number of a double's division exceeds.
#[derive(Clone)]
struct Big {
    /// Least significant first; those from `len` are zero.
    limbs: [u64; 20],
    len: usize,
}

impl Big {
    /// `v * 5^five * 2^two`.
    fn new(v: u64, five: i32, two: i32) -> Big {
        let mut big = Big {
            limbs: [0; 20],
            len: 1,
        };
        let (skip, shift) = (two as usize / 64, two as u32 % 64);
        big.limbs[0] = v;
        for _ in 0..five / 27 {
            big.multiply(5u64.pow(27));
        }
        big.multiply(5u64.pow(five as u32 % 27));
        big.multiply(1 << shift);
        big.limbs.rotate_right(skip);
        big.len += skip;
        big
    }

    fn multiply(&mut self, by: u64) {
        let mut carry = 0u128;
        for limb in &mut self.limbs[..self.len] {
            carry += *limb as u128 * by as u128;
            *limb = carry as u64;
            carry >>= 64;
        }
        if carry != 0 {
            self.limbs[self.len] = carry as u64;
            self.len += 1;
        }
    }

    fn cmp(&self, other: &Big) -> Ordering {
        let len = self.len.max(other.len);
        let (a, b) = (&self.limbs[..len], &other.limbs[..len]);
        a.iter().rev().cmp(b.iter().rev())
    }

    fn sum(&self, other: &Big) -> Big {
        let mut sum = self.clone();
        sum.len = self.len.max(other.len);
        let mut carry = 0u128;
        for (limb, more) in sum.limbs[..sum.len].iter_mut().zip(&other.limbs) {
            carry += *limb as u128 + *more as u128;
            *limb = carry as u64;
            carry >>= 64;
        }
        if carry != 0 {
            sum.limbs[sum.len] = 1;
            sum.len += 1;
        }
        sum
    }

    /// Leaves the remainder of the division by `divisor` and returns the quotient, which is a digit.
    fn divide(&mut self, divisor: &Big) -> u8 {
        let mut quotient = 0;
        while self.cmp(divisor).is_ge() {
            let mut borrow = 0i128;
            for (limb, less) in self.limbs[..self.len].iter_mut().zip(&divisor.limbs) {
                borrow += *limb as i128 - *less as i128;
                *limb = borrow as u64;
                borrow >>= 64;
            }
            quotient += 1;
        }
        while self.len > 1 && self.limbs[self.len - 1] == 0 {
            self.len -= 1;
        }
        quotient
    }
}
