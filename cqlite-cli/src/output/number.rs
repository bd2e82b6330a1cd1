//! Integers as decimal digits.

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + i as u8 / 10, b'0' + i as u8 % 10];
        i += 1;
    }
    pairs
};

/// The two digits of a number below 100.
#[inline(always)]
pub fn pair(n: u32) -> [u8; 2] {
    PAIRS[n as usize % 100]
}

/// Appends a number.
#[inline]
pub fn push(out: &mut Vec<u8>, n: i64) {
    if n < 0 {
        out.push(b'-');
    }
    push_unsigned(out, n.unsigned_abs());
}

/// Appends a number without sign.
#[inline]
pub fn push_unsigned(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    while n >= 100 {
        at -= 2;
        [digits[at], digits[at + 1]] = pair((n % 100) as u32);
        n /= 100;
    }
    if n >= 10 {
        at -= 2;
        [digits[at], digits[at + 1]] = pair(n as u32);
    } else {
        at -= 1;
        digits[at] = b'0' + n as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a number of `width` digits, 10 at most, with zeros before it.
pub fn push_padded(out: &mut Vec<u8>, n: u32, width: usize) {
    let mut digits = [b'0'; 10];
    let (mut at, mut rest) = (digits.len(), n);
    while rest != 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_standard_library_prints() {
        for n in [
            0,
            7,
            10,
            99,
            100,
            101,
            9_999,
            10_000,
            -1,
            -100,
            i64::MAX,
            i64::MIN,
        ] {
            let mut out = Vec::new();
            push(&mut out, n);
            assert_eq!(out, n.to_string().as_bytes());
        }
        let mut out = Vec::new();
        push_padded(&mut out, 7, 3);
        push_padded(&mut out, 1234, 3);
        push_padded(&mut out, 0, 2);
        assert_eq!(out, b"007123400");
    }
}
