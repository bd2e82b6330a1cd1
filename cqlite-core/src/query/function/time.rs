//! Functions of dates and times.
//!
//! Authority: `o.a.c.cql3.functions.TimeFcts`, `o.a.c.cql3.Duration`, `o.a.c.utils.TimeUUID`,
//! `o.a.c.serializers.SimpleDateSerializer`.

use crate::bytes::Cursor;
use crate::types::{CqlType, civil_from_days, days_from_civil};
use crate::{Error, Result};

const MILLIS_OF_DAY: i64 = 86_400_000;

const NANOS_OF_MILLI: i64 = 1_000_000;

/// More months, and more days, than milliseconds since 1970 can tell.
const MONTHS_MAX: i64 = 4_000_000_000;
const DAYS_MAX: i64 = 110_000_000_000;

/// 1970-01-01 in milliseconds since 1582-10-15, where the time of UUIDs begins.
const UUID_EPOCH_MILLIS: i64 = 12_219_292_800_000;

/// The milliseconds since 1970 of a value of type timeuuid, timestamp or date; `None` if it is empty.
///
/// Errors: `Corrupt` if its length is wrong.
pub(super) fn to_millis(ty: &CqlType, value: &[u8]) -> Result<Option<i64>> {
    if value.is_empty() {
        return Ok(None);
    }
    let mut c = Cursor::new(value);
    Ok(Some(match ty {
        CqlType::TimeUuid => {
            let bits = c.i64()? as u64;
            let ticks = (bits >> 32) | (bits >> 16 & 0xffff) << 32 | (bits & 0x0fff) << 48;
            (ticks / 10_000) as i64 - UUID_EPOCH_MILLIS
        }
        CqlType::Date => {
            let days = c.u32()? as i32;
            i64::from(days.wrapping_add(i32::MIN)) * MILLIS_OF_DAY
        }
        _ => c.i64()?,
    }))
}

/// Milliseconds since 1970 as a value of type timestamp, date or bigint.
pub(super) fn of_millis(ty: &CqlType, millis: i64) -> Vec<u8> {
    match ty {
        CqlType::Date => {
            // Part of a day before 1970 counts for the day after it, as in Java's division.
            let days = millis.div_euclid(1000) / 86_400;
            (days as i32).wrapping_sub(i32::MIN).to_be_bytes().to_vec()
        }
        _ => millis.to_be_bytes().to_vec(),
    }
}

/// The first or last timeuuid of a millisecond.
pub(super) fn edge_timeuuid(millis: i64, last: bool) -> Vec<u8> {
    let mut ticks = millis.wrapping_add(UUID_EPOCH_MILLIS).wrapping_mul(10_000) as u64;
    let node: u64 = match last {
        true => {
            ticks = ticks.wrapping_add(9_999);
            0x7f7f_7f7f_7f7f_7f7f
        }
        false => 0x8080_8080_8080_8080,
    };
    timeuuid(ticks, node)
}

/// The timeuuid of now, which has no node's address in it.
pub(super) fn now_timeuuid(seconds: i64) -> Vec<u8> {
    let ticks = seconds
        .wrapping_mul(1000)
        .wrapping_add(UUID_EPOCH_MILLIS)
        .wrapping_mul(10_000);
    timeuuid(ticks as u64, 0x8000_0000_0000_0000)
}

fn timeuuid(ticks: u64, node: u64) -> Vec<u8> {
    let bits = ticks << 32 | (ticks >> 32 & 0xffff) << 16 | (ticks >> 48 & 0x0fff) | 0x1000;
    [bits.to_be_bytes(), node.to_be_bytes()].concat()
}

/// A duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Duration {
    pub months: i64,
    pub days: i64,
    pub nanos: i64,
}

impl Duration {
    /// Of the bytes of a value; `None` if it is empty.
    pub fn of(value: &[u8]) -> Result<Option<Self>> {
        if value.is_empty() {
            return Ok(None);
        }
        let mut c = Cursor::new(value);
        // Months and days are ints, which keeps calendars within their range.
        Ok(Some(Duration {
            months: (c.svint()? as i32).into(),
            days: (c.svint()? as i32).into(),
            nanos: c.svint()?,
        }))
    }

    fn is_negative(self) -> bool {
        self.months < 0 || self.days < 0 || self.nanos < 0
    }

    /// `millis` and this, or without it.
    pub fn add_to(self, millis: i64, subtract: bool) -> i64 {
        let sign = if subtract { -1 } else { 1 };
        let (months, days) = (self.months * sign, self.days * sign);
        let more = days
            .wrapping_mul(MILLIS_OF_DAY)
            .wrapping_add(self.nanos.wrapping_mul(sign) / NANOS_OF_MILLI);
        add_months(millis, months).wrapping_add(more)
    }
}

fn add_months(millis: i64, months: i64) -> i64 {
    if months == 0 {
        return millis;
    }
    let (year, month, day) = civil_from_days(millis.div_euclid(MILLIS_OF_DAY));
    let month = i64::from(month) - 1 + months;
    let year = year + month.div_euclid(12);
    let month = month.rem_euclid(12) + 1;
    let day = i64::from(day).min(days_of_month(year, month));
    days_from_civil(year, month, day)
        .wrapping_mul(MILLIS_OF_DAY)
        .wrapping_add(millis.rem_euclid(MILLIS_OF_DAY))
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// `floor(time, duration, start)`: the last of the times `start + n * duration` that is not after `millis`.
///
/// Errors: `InvalidInput` for a negative duration or a start that is later.
pub(super) fn floor_millis(millis: i64, duration: Duration, start: i64) -> Result<i64> {
    if start > millis {
        return Err(Error::invalid("floor: the starting time is after the time"));
    }
    if duration.is_negative() {
        return Err(Error::invalid("floor: the duration is negative"));
    }
    if duration.months == 0 {
        let step = duration.add_to(0, false);
        return Ok(match step {
            ..=0 => millis,
            step => millis - millis.wrapping_sub(start) % step,
        });
    }
    let times = |n: i64| {
        let all = Duration {
            months: duration
                .months
                .saturating_mul(n)
                .clamp(-MONTHS_MAX, MONTHS_MAX),
            days: duration.days.saturating_mul(n).clamp(-DAYS_MAX, DAYS_MAX),
            nanos: duration.nanos.saturating_mul(n),
        };
        all.add_to(start, false)
    };
    // Month lengths differ: bisect for the last multiple that is not after the time.
    let (mut low, mut high) = (0, 1 + millis.wrapping_sub(start) / (27 * MILLIS_OF_DAY));
    while low < high {
        let middle = low + (high - low + 1) / 2;
        match times(middle) <= millis {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    Ok(times(low))
}

/// `floor(time, duration)` of a time of day in nanoseconds.
///
/// Errors: `InvalidInput` for a duration that is negative or longer than a day.
pub(super) fn floor_time(nanos: i64, duration: Duration) -> Result<i64> {
    if duration.is_negative() {
        return Err(Error::invalid("floor: the duration is negative"));
    }
    if duration.months != 0 || duration.days != 0 || duration.nanos > MILLIS_OF_DAY * NANOS_OF_MILLI
    {
        return Err(Error::invalid(
            "floor: of a time only for durations shorter than a day",
        ));
    }
    Ok(match duration.nanos {
        0 => nanos,
        step => nanos - nanos % step,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_where_the_calendar_says() {
        let millis = |y, m, d| days_from_civil(y, m, d) * MILLIS_OF_DAY;
        assert_eq!(millis(1970, 1, 1), 0);
        assert_eq!(millis(2000, 3, 1), 951_868_800_000);
        let january = millis(2024, 1, 31) + 5;
        assert_eq!(add_months(january, 1), millis(2024, 2, 29) + 5);
        assert_eq!(add_months(january, 13), millis(2025, 2, 28) + 5);
        assert_eq!(add_months(january, -2), millis(2023, 11, 30) + 5);
    }

    #[test]
    fn floors_count_from_the_start() {
        let duration = |months, days, nanos| Duration {
            months,
            days,
            nanos,
        };
        let day = MILLIS_OF_DAY;
        assert_eq!(
            floor_millis(5 * day + 7, duration(0, 2, 0), 0).unwrap(),
            4 * day
        );
        let first_of_march = days_from_civil(2024, 3, 1) * day;
        let floored = floor_millis(first_of_march + 30 * day, duration(1, 0, 0), 0).unwrap();
        assert_eq!(floored, first_of_march);
        assert_eq!(floor_time(3_700, duration(0, 0, 1_000)).unwrap(), 3_000);
        assert!(floor_millis(1, duration(0, 1, 0), 2).is_err());
        assert!(floor_time(1, duration(0, 1, 0)).is_err());
    }

    #[test]
    fn timeuuids_hold_milliseconds() {
        let millis = 1_700_000_000_123;
        for last in [false, true] {
            let uuid = edge_timeuuid(millis, last);
            assert_eq!(to_millis(&CqlType::TimeUuid, &uuid).unwrap(), Some(millis));
        }
        let now = now_timeuuid(1_700_000_000);
        assert_eq!(
            to_millis(&CqlType::TimeUuid, &now).unwrap(),
            Some(1_700_000_000_000)
        );
        let date = of_millis(&CqlType::Date, millis);
        assert_eq!(
            to_millis(&CqlType::Date, &date).unwrap(),
            Some(millis - millis % MILLIS_OF_DAY)
        );
    }
}
