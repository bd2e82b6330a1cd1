//! Texts of dates, timestamps and times of day, as Cassandra's literals take them.
//!
//! Zones are offsets and names of UTC. Cassandra also takes names of regions and their abbreviations, which need a
//! database of zones that this library does not have. Texts without a zone are in Cassandra those of the server's zone,
//! here UTC.

use super::{MILLIS_PER_DAY, NANOS_PER_DAY, days_from_civil};
use crate::{Error, Result};

/// Whether the text is an integer in decimal digits with or without a minus sign.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Days of a `date` whose text is its number or `yyyy-MM-dd`.
///
/// # Errors
/// `InvalidInput`.
pub(in crate::types) fn parse_date(text: &str) -> Result<u32> {
    if is_integer(text) {
        return text.parse().map_err(|_| {
            Error::invalid(format!(
                "Unable to make unsigned int (for date) from: '{text}'"
            ))
        });
    }
    let mut p = Scanner { rest: text };
    p.iso_date(false)
        .filter(|_| p.rest.is_empty())
        .and_then(|days| u32::try_from(days + (1 << 31)).ok())
        .ok_or_else(|| {
            Error::invalid(format!(
                "Unable to coerce '{text}' to a formatted date (long)"
            ))
            .advise("write it as yyyy-mm-dd")
        })
}

/// Nanoseconds of a `time` whose text is their number or `hh:mm:ss[.fffffffff]`.
///
/// # Errors
/// `InvalidInput`.
pub(in crate::types) fn parse_time(text: &str) -> Result<i64> {
    let parsed = if is_integer(text) {
        text.parse().ok().filter(|n| (0..NANOS_PER_DAY).contains(n))
    } else {
        time_of_day(text.trim_matches(|c: char| c <= ' '))
    };
    parsed.ok_or_else(|| {
        Error::invalid(format!(
            "(TimeType) Unable to coerce '{text}' to a formatted time (long)"
        ))
        .advise("write it as hh:mm:ss[.fffffffff]")
    })
}

fn time_of_day(text: &str) -> Option<i64> {
    let field = |text: &str, below: i64| {
        let n = text.parse::<i64>().ok()?;
        (0..below).contains(&n).then_some(n)
    };
    let (hours, rest) = text.split_once(':')?;
    let (minutes, rest) = rest.split_once(':')?;
    let (seconds, nanos) = match rest.split_once('.') {
        Some((seconds, fraction)) => {
            let is_fraction =
                (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
            if !is_fraction {
                return None;
            }
            (seconds, format!("{fraction:0<9}").parse().ok()?)
        }
        None => (rest, 0),
    };
    let seconds = field(hours, 24)? * 3600 + field(minutes, 60)? * 60 + field(seconds, 60)?;
    Some(seconds * 1_000_000_000 + nanos)
}

/// Milliseconds since 1970 of a `timestamp`: `now`, their number, or a date with or without time and zone. `now` is the
/// present time in milliseconds.
///
/// # Errors
/// `InvalidInput`.
pub(in crate::types) fn parse_timestamp(text: &str, now: i64) -> Result<i64> {
    if text.eq_ignore_ascii_case("now") {
        return Ok(now);
    }
    if is_integer(text) {
        return text
            .parse()
            .map_err(|_| Error::invalid(format!("Unable to make long (for date) from: '{text}'")));
    }
    date_time(text)
        .or_else(|| zoned_date(text))
        .or_else(|| local_date(text))
        .ok_or_else(|| {
            Error::invalid(format!("Unable to parse a date/time from '{text}'"))
                .advise("write it as yyyy-mm-dd hh:mm:ss.fff+hhmm, or in milliseconds since 1970")
        })
}

/// `y-M-d H:m[:s[.f]]` with a `T` or a blank, and a zone or none.
fn date_time(text: &str) -> Option<i64> {
    let mut p = Scanner { rest: text };
    let year = p.number(1, 19)?;
    let month = p.after("-")?.number(1, 19)?;
    let day = p.after("-")?.number(1, 19)?;
    let days = date(year, month, day, true).filter(|_| year > 0)?;
    if !p.accept("T") && !p.accept(" ") {
        return None;
    }
    let hour = p.number(1, 19)?;
    let minute = p.after(":")?.number(1, 19)?;
    let second = match p.accept(":") {
        true => Some(p.number(1, 19)?),
        false => None,
    };
    let millis = match p.accept(".") {
        // A fraction needs a second before it.
        true => p.fraction_millis().filter(|_| second.is_some())?,
        false => 0,
    };
    let second = second.unwrap_or(0);
    // The end of a day has two names.
    let is_midnight = hour == 24 && (minute, second, millis) == (0, 0, 0);
    if !(is_midnight || hour < 24) || minute > 59 || second > 59 {
        return None;
    }
    let time = ((hour * 60 + minute) * 60 + second) * 1000 + millis;
    let offset = match p.rest {
        "" => 0,
        text => zone(text)?,
    };
    instant(days, time, offset)
}

/// `yyyy-MM-dd` and a zone.
fn zoned_date(text: &str) -> Option<i64> {
    let mut p = Scanner { rest: text };
    let year = p.year().filter(|y| *y > 0)?;
    let days = p.month_and_day(year, true)?;
    instant(days, 0, zone(p.rest)?)
}

/// `yyyy-MM-dd` and an offset or none.
fn local_date(text: &str) -> Option<i64> {
    let mut p = Scanner { rest: text };
    let days = p.iso_date(true)?;
    let offset = match p.rest {
        "" | "Z" | "z" => 0,
        text => offset(text, false)?,
    };
    instant(days, 0, offset)
}

fn instant(days: i64, millis_of_day: i64, offset_seconds: i64) -> Option<i64> {
    days.checked_mul(MILLIS_PER_DAY)?
        .checked_add(millis_of_day - offset_seconds * 1000)
}

/// Days since 1970 of a date. A day behind the end of a month is refused, or if `lenient` its last day.
fn date(year: i64, month: i64, day: i64, lenient: bool) -> Option<i64> {
    if year.abs() > 999_999_999 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day > last && !lenient {
        return None;
    }
    Some(days_from_civil(year, month, day.min(last)))
}

/// Names of UTC. The first three may have an offset behind them.
const UTC: [&str; 17] = [
    "UTC",
    "GMT",
    "UT",
    "GMT0",
    "UCT",
    "Zulu",
    "Greenwich",
    "Universal",
    "Etc/UTC",
    "Etc/GMT",
    "Etc/GMT0",
    "Etc/UCT",
    "Etc/Zulu",
    "Etc/Greenwich",
    "Etc/Universal",
    "Coordinated Universal Time",
    "Greenwich Mean Time",
];

/// Seconds that a zone behind a time is ahead of UTC: an offset, or a blank and an offset or a name.
fn zone(text: &str) -> Option<i64> {
    let Some(text) = text.strip_prefix(' ') else {
        return offset(text, true);
    };
    if UTC.contains(&text) {
        return Some(0);
    }
    let named = UTC[..3].iter().find_map(|name| text.strip_prefix(name));
    match named {
        Some(text) => offset(text, false),
        None => offset(text, true).or_else(|| offset(text, false)),
    }
}

/// `+hh:mm` with `:ss` behind it or not, up to 18 hours. The `short` forms are `Z`, `+hh`, `+hhmm` and `+hh:mm`.
fn offset(text: &str, short: bool) -> Option<i64> {
    if text == "Z" && short {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let mut p = Scanner { rest: digits };
    let hours = p.number(2, 2)?;
    let (mut minutes, mut seconds) = (0, 0);
    if p.accept(":") {
        minutes = p.number(2, 2)?;
        if !short && p.accept(":") {
            seconds = p.number(2, 2)?;
        }
    } else if !short {
        return None;
    } else if !p.rest.is_empty() {
        minutes = p.number(2, 2)?;
    }
    let total = hours * 3600 + minutes * 60 + seconds;
    let in_range = minutes < 60 && seconds < 60 && total <= 18 * 3600;
    (p.rest.is_empty() && in_range).then_some(sign * total)
}

/// What is left of a text.
struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn accept(&mut self, literal: &str) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn after(&mut self, literal: &str) -> Option<&mut Self> {
        self.accept(literal).then_some(self)
    }

    /// Between `min` and `max` digits.
    fn number(&mut self, min: usize, max: usize) -> Option<i64> {
        let digits = self
            .rest
            .bytes()
            .take(max)
            .take_while(u8::is_ascii_digit)
            .count();
        if digits < min {
            return None;
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok()
    }

    /// Up to nine digits behind a point, of which the first three count.
    fn fraction_millis(&mut self) -> Option<i64> {
        let digits = self
            .rest
            .bytes()
            .take(9)
            .take_while(u8::is_ascii_digit)
            .count();
        let (fraction, rest) = self.rest.split_at(digits);
        self.rest = rest;
        format!("{fraction:0<3}")[..3].parse().ok()
    }

    /// Four digits, or more with a plus sign before them; or a negative year.
    fn year(&mut self) -> Option<i64> {
        let plus = self.accept("+");
        let minus = !plus && self.accept("-");
        let before = self.rest.len();
        let year = self.number(4, 10)?;
        let digits = before - self.rest.len();
        if plus != (digits > 4) && !minus || minus && year == 0 {
            return None;
        }
        Some(if minus { -year } else { year })
    }

    /// `-MM-dd`, as days since 1970.
    fn month_and_day(&mut self, year: i64, lenient: bool) -> Option<i64> {
        let month = self.after("-")?.number(2, 2)?;
        let day = self.after("-")?.number(2, 2)?;
        date(year, month, day, lenient)
    }

    /// `yyyy-MM-dd`, as days since 1970.
    fn iso_date(&mut self, lenient: bool) -> Option<i64> {
        let year = self.year()?;
        self.month_and_day(year, lenient)
    }
}
