//! Texts that Java's library makes, as Cassandra's tools print them.
//!
//! Authority: `java.text.SimpleDateFormat`, `java.util.{GregorianCalendar,HashMap,Formatter}`,
//! `org.apache.commons.lang3.time.DurationFormatUtils`.

use super::instant::clock;
use cqlite_core::types::{CqlType, civil_from_days};

const MILLIS_PER_DAY: i64 = 86_400_000;
/// 1582-10-15, the first day of the Gregorian calendar, in days since 1970.
const FIRST_GREGORIAN_DAY: i64 = -141_427;

/// Milliseconds since 1970 as `MM/dd/yyyy HH:mm:ss` in UTC; before 1582-10-15 in the Julian calendar, years in their
/// era.
pub fn date(millis: i64) -> String {
    let day = millis.div_euclid(MILLIS_PER_DAY);
    let (year, month, day_of_month) = match day < FIRST_GREGORIAN_DAY {
        true => julian_from_days(day),
        false => civil_from_days(day),
    };
    let year = if year > 0 { year } else { 1 - year };
    let (h, m, s) = clock((millis.rem_euclid(MILLIS_PER_DAY) / 1000) as u32);
    format!("{month:02}/{day_of_month:02}/{year:04} {h:02}:{m:02}:{s:02}")
}

/// Year, month and day of the Julian calendar for a day since 1970-01-01 (Gregorian).
fn julian_from_days(day: i64) -> (i64, u8, u8) {
    // Days since March 1st of the year -4800, Julian.
    let days = day + 2_440_588 + 32_082;
    let year = (4 * days + 3).div_euclid(1461);
    let day_of_year = days - (1461 * year).div_euclid(4);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let after_new_year = month / 10;
    (
        year - 4800 + after_new_year,
        (month + 3 - 12 * after_new_year) as u8,
        day_of_month as u8,
    )
}

/// Seconds in words, without leading and trailing units of which there are none: `1 day 2 hours`.
pub fn duration_words(seconds: i64) -> String {
    let units = [
        (seconds / 86_400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let first = units.iter().position(|(n, _)| *n != 0).unwrap_or(3);
    let last = units.iter().rposition(|(n, _)| *n != 0).unwrap_or(3);
    let words = units[first..=last].iter().map(|(n, unit)| match n {
        1 => format!("1 {unit}"),
        n => format!("{n} {unit}s"),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A count of bytes in the largest unit of 1024 that it reaches, with one digit: `1.2 kB`.
pub fn bytes(n: i64) -> String {
    if n < 1024 {
        return format!("{n} B");
    }
    let exponent = ((n as f64).ln() / 1024f64.ln()) as i32;
    let unit = b"kMGTP"
        .get(exponent as usize - 1)
        .map_or('E', |b| *b as char);
    format!("{} {unit}B", one_digit(n as f64 / 1024f64.powi(exponent)))
}

/// A positive number with one digit behind the point. Half of a digit is rounded up, where half is what the shortest
/// decimal of the number says.
fn one_digit(value: f64) -> String {
    let shortest = value.to_string();
    let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
    let digit = |i: usize| {
        fraction
            .as_bytes()
            .get(i)
            .map_or(0, |b| u64::from(b - b'0'))
    };
    let tenths = whole.parse::<u64>().unwrap_or(u64::MAX / 10 - 1) * 10 + digit(0);
    let tenths = tenths + u64::from(digit(1) >= 5);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A double as `Double.toString` prints it.
pub fn double(value: f64) -> String {
    CqlType::Double
        .to_text(&value.to_be_bytes())
        .unwrap_or_default()
}

/// The order in which a `HashMap` goes through these keys, added in this order, as indices.
pub fn hash_map_order<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let hashes: Vec<u32> = keys
        .map(|key| {
            let hash = key.encode_utf16().fold(0u32, |hash, unit| {
                hash.wrapping_mul(31).wrapping_add(unit.into())
            });
            hash ^ hash >> 16
        })
        .collect();
    let mut buckets = 16;
    while hashes.len() * 4 > buckets * 3 {
        buckets *= 2;
    }
    let mut order: Vec<usize> = (0..hashes.len()).collect();
    order.sort_by_key(|&i| hashes[i] as usize & (buckets - 1));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_both_calendars() {
        for (millis, expected) in [
            (1_700_000_000_000, "11/14/2023 22:13:20"),
            (-1, "12/31/1969 23:59:59"),
            (-12_219_292_800_000, "10/15/1582 00:00:00"),
            (-12_219_292_800_001, "10/04/1582 23:59:59"),
            (-62_135_769_600_001, "12/31/0001 23:59:59"),
            (i64::MIN, "12/02/292269055 16:47:04"),
            (i64::MAX, "08/17/292278994 07:12:55"),
        ] {
            assert_eq!(date(millis), expected);
        }
    }

    #[test]
    fn durations_in_words() {
        for (seconds, expected) in [
            (60, "1 minute"),
            (100, "1 minute 40 seconds"),
            (300_000_000, "3472 days 5 hours 20 minutes"),
            (86_401, "1 day 0 hours 0 minutes 1 second"),
            (315_360_000, "3650 days"),
        ] {
            assert_eq!(duration_words(seconds), expected);
        }
    }

    #[test]
    fn sizes_are_rounded_half_up() {
        for (n, expected) in [
            (1023, "1023 B"),
            (1024, "1.0 kB"),
            (1109, "1.1 kB"),
            (1280, "1.3 kB"),
            (1_048_576, "1.0 MB"),
            (1_996_099_046, "1.9 GB"),
        ] {
            assert_eq!(bytes(n), expected);
        }
    }
}
