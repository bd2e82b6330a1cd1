//! Text of dates, timestamps, times of day and durations, and back.
//!
//! Authority: `o.a.c.serializers.{TimestampSerializer,SimpleDateSerializer,TimeSerializer}`,
//! `o.a.c.cql3.Duration`, `java.time.format.DateTimeFormatter`.

mod duration;
mod parse;

pub(super) use duration::Duration;
pub(super) use parse::{parse_date, parse_time, parse_timestamp};

use super::decimal::write_i64;

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
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - (month <= 2) as i64;
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Appends a number that is not negative with zeros before it up to `width` digits.
fn write_padded(v: i64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    write_i64(v, out);
    let missing = width.saturating_sub(out.len() - start);
    out.extend(std::iter::repeat_n(b'0', missing));
    out[start..].rotate_right(missing);
}

/// Appends `yyyy-MM-dd`; a year beyond 9999 has a plus sign, a negative one a minus sign.
fn write_ymd(year: i64, month: u8, day: u8, out: &mut Vec<u8>) {
    if year > 9999 {
        out.push(b'+');
    } else if year < 0 {
        out.push(b'-');
    }
    write_padded(year.abs(), 4, out);
    out.push(b'-');
    write_padded(month as i64, 2, out);
    out.push(b'-');
    write_padded(day as i64, 2, out);
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
    out.push(separator);
    let seconds = time / 1000;
    write_hms(seconds / 3600, seconds / 60 % 60, seconds % 60, out);
    out.push(b'.');
    write_padded(time % 1000, 3, out);
    out.push(b'Z');
}

fn write_hms(hours: i64, minutes: i64, seconds: i64, out: &mut Vec<u8>) {
    write_padded(hours, 2, out);
    out.push(b':');
    write_padded(minutes, 2, out);
    out.push(b':');
    write_padded(seconds, 2, out);
}

/// Appends a time of day as `HH:mm:ss.nnnnnnnnn`. Nanoseconds that are none of a day wrap around.
pub(super) fn write_time(nanos: i64, out: &mut Vec<u8>) {
    let nanos = nanos.rem_euclid(NANOS_PER_DAY);
    let seconds = nanos / 1_000_000_000;
    write_hms(seconds / 3600, seconds / 60 % 60, seconds % 60, out);
    out.push(b'.');
    write_padded(nanos % 1_000_000_000, 9, out);
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
