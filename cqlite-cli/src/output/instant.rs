//! Instants as ISO 8601 text.
//!
//! Authority: `java.time.Instant.toString`, `o.a.c.tools.JsonTransformer.dateString`.

use cqlite_core::types::{civil_from_days, write_i64};

const SECONDS_PER_DAY: i64 = 86_400;

/// Hour, minute and second of a second of the day.
pub fn clock(second_of_day: u32) -> (u32, u32, u32) {
    let (hour, rest) = (second_of_day / 3600, second_of_day % 3600);
    (hour, rest / 60, rest % 60)
}

/// Appends instants, and remembers the last second.
pub struct Instants {
    raw: bool,
    second: i64,
    day: i64,
    /// `2023-11-14T22:13:20`: the last second.
    text: Vec<u8>,
}

impl Instants {
    /// Appends numbers as they are if `raw`, else ISO 8601.
    pub fn new(raw: bool) -> Self {
        Instants {
            raw,
            second: 0,
            day: 0,
            text: b"1970-01-01T00:00:00".to_vec(),
        }
    }

    /// Appends microseconds since 1970. As sstabledump does, an instant before 1970 that is no whole second comes out
    /// one second too late, and one that nanoseconds cannot hold with the fraction that they end at.
    #[inline]
    pub fn push_micros(&mut self, out: &mut Vec<u8>, micros: i64) {
        if self.raw {
            return write_i64(micros, out);
        }
        let nanos = match micros.checked_mul(1000) {
            Some(nanos) => nanos.rem_euclid(1_000_000_000),
            None if micros > 0 => i64::MAX.rem_euclid(1_000_000_000),
            None => i64::MIN.rem_euclid(1_000_000_000),
        };
        self.push(out, micros / 1_000_000, nanos as u32);
    }

    /// Appends seconds since 1970.
    #[inline]
    pub fn push_seconds(&mut self, out: &mut Vec<u8>, seconds: i64) {
        match self.raw {
            true => write_i64(seconds, out),
            false => self.push(out, seconds, 0),
        }
    }

    #[inline]
    fn push(&mut self, out: &mut Vec<u8>, seconds: i64, nanos: u32) {
        if seconds != self.second {
            self.set_second(seconds);
        }
        let (micros, rest) = (nanos / 1_000, nanos % 1_000);
        let ([a, b], [c, d], [e, f]) = (
            pair(micros / 10_000),
            pair(micros / 100 % 100),
            pair(micros % 100),
        );
        if rest == 0
            && [d, e, f] != *b"000"
            && let Ok(second) = <[u8; 19]>::try_from(&*self.text)
        {
            // Most timestamps: all at once.
            let mut text = [0; 27];
            text[..19].copy_from_slice(&second);
            text[19..].copy_from_slice(&[b'.', a, b, c, d, e, f, b'Z']);
            return out.extend_from_slice(&text);
        }
        out.extend_from_slice(&self.text);
        let fraction = [b'.', a, b, c, d, e, f];
        if rest != 0 {
            out.extend_from_slice(&fraction);
            push_padded(out, rest, 3);
        } else if [d, e, f] != *b"000" {
            out.extend_from_slice(&fraction);
        } else if [a, b, c] != *b"000" {
            out.extend_from_slice(&fraction[..4]);
        }
        out.push(b'Z');
    }

    fn set_second(&mut self, seconds: i64) {
        self.second = seconds;
        let day = seconds.div_euclid(SECONDS_PER_DAY);
        if day != self.day {
            self.set_day(day);
        }
        let date_end = self.text.len() - "00:00:00".len();
        let (h, m, s) = clock(seconds.rem_euclid(SECONDS_PER_DAY) as u32);
        let ([a, b], [c, d], [e, f]) = (pair(h), pair(m), pair(s));
        self.text[date_end..].copy_from_slice(&[a, b, b':', c, d, b':', e, f]);
    }

    #[cold]
    fn set_day(&mut self, day: i64) {
        self.day = day;
        let (year, month, day) = civil_from_days(day);
        self.text.clear();
        match year {
            10_000.. => self.text.push(b'+'),
            0.. => {}
            _ => self.text.push(b'-'),
        }
        push_padded(&mut self.text, year.unsigned_abs() as u32, 4);
        self.text.push(b'-');
        self.text.extend(pair(month.into()));
        self.text.push(b'-');
        self.text.extend(pair(day.into()));
        self.text.extend_from_slice(b"T00:00:00");
    }
}

/// The two digits of a number below 100.
#[inline(always)]
fn pair(n: u32) -> [u8; 2] {
    [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8]
}

/// Appends a number of `width` digits, 10 at most, with zeros before it; more digits if it has them.
fn push_padded(out: &mut Vec<u8>, mut n: u32, width: usize) {
    let mut digits = [b'0'; 10];
    let mut at = digits.len();
    while n != 0 {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_java_prints() {
        let mut instants = Instants::new(false);
        for (micros, expected) in [
            (1_700_000_000_000_000, "2023-11-14T22:13:20Z"),
            (1_700_000_000_000_003, "2023-11-14T22:13:20.000003Z"),
            (1_700_000_000_120_000, "2023-11-14T22:13:20.120Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1970-01-01T00:00:00.999999Z"),
            (-1_000_000, "1969-12-31T23:59:59Z"),
            (i64::MAX, "+294247-01-10T04:00:54.854775807Z"),
            (i64::MIN, "-290308-12-21T19:59:06.145224192Z"),
            (i64::MIN / 1000, "1677-09-21T00:12:44.145225Z"),
        ] {
            let mut out = Vec::new();
            instants.push_micros(&mut out, micros);
            assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        }
        let mut out = Vec::new();
        instants.push_seconds(&mut out, -62_167_219_201);
        assert_eq!(out, b"-0001-12-31T23:59:59Z");
    }
}
