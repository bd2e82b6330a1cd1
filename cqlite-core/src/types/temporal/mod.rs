//! Text of dates, timestamps, times of day and durations, and back.
//!
//! Authority: `o.a.c.serializers.{TimestampSerializer,SimpleDateSerializer,TimeSerializer}`,
//! `o.a.c.cql3.Duration`, `java.time.format.DateTimeFormatter`.

mod duration;
mod parse;

pub(super) use duration::Duration;
pub(super) use parse::{parse_date, parse_time, parse_timestamp};

use super::decimal::{PAIRS, write_i64};

const MILLIS_PER_DAY: i64 = 86_400_000;
pub(super) const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// Year, month and day of a count of days since 1970-01-01, in the calendar of ISO 8601.
pub fn civil_from_days(days: i64) -> (i64, u8, u8) {
    // Years from March on, in eras of 400 years that begin on 0000-03-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + (month <= 2) as i64;
    (year, month as u8, day as u8)
}

/// Days since 1970-01-01 of a date in the calendar of ISO 8601; the year has at most nine digits.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - (month <= 2) as i64;
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Writes a number below 100 as two digits.
#[inline]
fn put(text: &mut [u8], at: usize, v: i64) {
    text[at..at + 2].copy_from_slice(&PAIRS[v as usize]);
}

/// Appends `yyyy-MM-dd`; a year beyond 9999 has a plus sign, a negative one a minus sign.
fn write_ymd(year: i64, month: u8, day: u8, out: &mut Vec<u8>) {
    let mut text = *b"0000-00-00";
    put(&mut text, 5, month as i64);
    put(&mut text, 8, day as i64);
    let years = year.abs();
    if years > 9999 {
        out.push(if year < 0 { b'-' } else { b'+' });
        write_i64(years, out);
        out.extend_from_slice(&text[4..]);
        return;
    }
    if year < 0 {
        out.push(b'-');
    }
    put(&mut text, 0, years / 100);
    put(&mut text, 2, years % 100);
    out.extend_from_slice(&text);
}

/// Writes `HH:mm:ss` at the start of `text`.
fn put_hms(text: &mut [u8], seconds: i64) {
    put(text, 0, seconds / 3600);
    put(text, 3, seconds / 60 % 60);
    put(text, 6, seconds % 60);
}

/// Appends a `date`, days of which 2^31 is 1970-01-01.
pub(super) fn write_date(days: u32, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days as i64 - (1 << 31));
    write_ymd(year, month, day, out);
}

/// Appends a timestamp as `yyyy-MM-dd?HH:mm:ss.SSSZ` with `separator` in the middle. Years are those of their era, as in
/// Cassandra: 1 BC is 0001 too.
pub(super) fn write_timestamp(millis: i64, separator: u8, out: &mut Vec<u8>) {
    let (days, time) = (
        millis.div_euclid(MILLIS_PER_DAY),
        millis.rem_euclid(MILLIS_PER_DAY),
    );
    let (year, month, day) = civil_from_days(days);
    write_ymd(if year > 0 { year } else { 1 - year }, month, day, out);
    let mut text = *b"T00:00:00.000Z";
    text[0] = separator;
    put_hms(&mut text[1..], time / 1000);
    put(&mut text, 10, time % 1000 / 10);
    text[12] = b'0' + (time % 10) as u8;
    out.extend_from_slice(&text);
}

/// Appends a time of day as `HH:mm:ss.nnnnnnnnn`. Nanoseconds that are none of a day wrap around.
pub(super) fn write_time(nanos: i64, out: &mut Vec<u8>) {
    let nanos = nanos.rem_euclid(NANOS_PER_DAY);
    let mut text = *b"00:00:00.000000000";
    put_hms(&mut text, nanos / 1_000_000_000);
    let mut rest = nanos % 1_000_000_000;
    text[17] = b'0' + (rest % 10) as u8;
    rest /= 10;
    for at in [15, 13, 11, 9] {
        put(&mut text, at, rest % 100);
        rest /= 100;
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (-3_000_000..3_000_000).step_by(97).chain([
            -(1 << 31),
            (1 << 31) - 1,
            -719_468,
            -719_528,
            11_016,
            11_017,
        ]) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month as i64, day as i64), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(11_016), (2000, 2, 29));
    }
}
