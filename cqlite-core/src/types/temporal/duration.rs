//! Durations. Authority: `o.a.c.cql3.Duration`, `o.a.c.serializers.DurationSerializer`.

use super::super::decimal::write_i64;
use crate::bytes::{Cursor, vint};
use crate::error::DecodeError;
use crate::{Error, Result};

const NANOS_PER_HOUR: i64 = 3_600_000_000_000;

/// Months, days and nanoseconds, none of them of the other sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::types) struct Duration {
    months: i32,
    days: i32,
    nanos: i64,
}

impl Duration {
    /// Reads a value; what follows the third number is ignored.
    pub(in crate::types) fn read(bytes: &[u8]) -> Result<Duration, DecodeError> {
        let mut c = Cursor::new(bytes);
        let (months, days, nanos) = (c.svint()?, c.svint()?, c.svint()?);
        const TOO_LONG: DecodeError =
            DecodeError::Invalid("a duration whose months or days do not fit 32 bits");
        let duration = Duration {
            months: months.try_into().map_err(|_| TOO_LONG)?,
            days: days.try_into().map_err(|_| TOO_LONG)?,
            nanos,
        };
        let signs = [months, days, nanos].map(i64::signum);
        if signs.contains(&1) && signs.contains(&-1) {
            return Err(DecodeError::Invalid(
                "a duration whose months, days and nanoseconds differ in sign",
            ));
        }
        Ok(duration)
    }

    /// Appends the value.
    pub(in crate::types) fn write_value(&self, out: &mut Vec<u8>) {
        for v in [self.months as i64, self.days as i64, self.nanos] {
            vint::write_unsigned(out, vint::zigzag(v));
        }
    }

    /// Appends `1y2mo3d4h5m6s7ms8us9ns` without the units that are zero.
    pub(in crate::types) fn write(&self, out: &mut Vec<u8>) {
        if self.months < 0 || self.days < 0 || self.nanos < 0 {
            out.push(b'-');
        }
        let unit = |rest: i64, size: i64, name: &str, out: &mut Vec<u8>| {
            if rest < size {
                return rest;
            }
            write_i64(rest / size, out);
            out.extend_from_slice(name.as_bytes());
            rest % size
        };
        // The least number has no absolute value, and is not shown.
        let months = self.months.wrapping_abs() as i64;
        let rest = unit(months, 12, "y", out);
        unit(rest, 1, "mo", out);
        unit(self.days.wrapping_abs() as i64, 1, "d", out);
        let mut rest = self.nanos.wrapping_abs();
        for (size, name) in [
            (NANOS_PER_HOUR, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
            (1, "ns"),
        ] {
            rest = unit(rest, size, name, out);
        }
    }

    /// Parses `1y2mo3d4h5m6s7ms8us9ns`, `P1Y2M3DT4H5M6S`, `P1W` or `P0001-02-03T04:05:06`, all with a minus sign before
    /// them or none.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub(in crate::types) fn parse(text: &str) -> Result<Duration> {
        let (negative, source) = match text.strip_prefix('-') {
            Some(source) => (true, source),
            None => (false, text),
        };
        let mut builder = Builder::default();
        let parsed = match source.strip_prefix('P') {
            Some(iso) if iso.ends_with('W') => weeks(iso, &mut builder)?,
            Some(iso) if iso.contains('-') => alternative(iso, &mut builder)?,
            Some(iso) => designators(iso, &mut builder)?,
            None => units(source, &mut builder)?,
        };
        parsed
            .ok_or_else(|| Error::invalid(format!("Unable to convert '{source}' to a duration")))?;
        let sign = if negative { -1 } else { 1 };
        Ok(Duration {
            months: sign * builder.months as i32,
            days: sign * builder.days as i32,
            nanos: sign as i64 * builder.nanos,
        })
    }
}

/// Index of a unit: they must come in this order, each at most once.
const UNITS: [(&str, i64); 10] = [
    ("years", 12),
    ("months", 1),
    ("weeks", 7),
    ("days", 1),
    ("hours", NANOS_PER_HOUR),
    ("minutes", 60_000_000_000),
    ("seconds", 1_000_000_000),
    ("milliseconds", 1_000_000),
    ("microseconds", 1_000),
    ("nanoseconds", 1),
];

#[derive(Default)]
struct Builder {
    months: i64,
    days: i64,
    nanos: i64,
    /// One more than the index of the last unit.
    after: usize,
}

impl Builder {
    /// Adds `n`, decimal digits, of the unit with this index.
    fn add(&mut self, n: &str, unit: usize) -> Result<()> {
        let (name, size) = UNITS[unit];
        let n: i64 = n
            .parse()
            .map_err(|_| Error::invalid(format!("a duration of {n} {name}")))?;
        if unit < self.after {
            let last = UNITS[self.after - 1].0;
            return Err(Error::invalid(if unit + 1 == self.after {
                format!("Invalid duration. The {name} are specified multiple times")
            } else {
                format!("Invalid duration. The {last} should be after {name}")
            }));
        }
        self.after = unit + 1;
        let (total, max, what) = match unit {
            0..2 => (&mut self.months, i32::MAX as i64, "months"),
            2..4 => (&mut self.days, i32::MAX as i64, "days"),
            _ => (&mut self.nanos, i64::MAX, "nanoseconds"),
        };
        if n > (max - *total) / size {
            return Err(Error::invalid(format!(
                "Invalid duration. The total number of {what} must be less or equal to {max}"
            )));
        }
        *total += n * size;
        Ok(())
    }
}

/// Splits off leading digits, at least one.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// `1y2mo...`. The inner `None` is a text that is no duration.
fn units(mut text: &str, builder: &mut Builder) -> Result<Option<()>> {
    if text.is_empty() {
        return Ok(None);
    }
    while !text.is_empty() {
        let Some((n, rest)) = digits(text) else {
            return Ok(None);
        };
        let end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (symbol, rest) = rest.split_at(end);
        let unit = match symbol.to_ascii_lowercase().as_str() {
            "y" => 0,
            "mo" => 1,
            "w" => 2,
            "d" => 3,
            "h" => 4,
            "m" => 5,
            "s" => 6,
            "ms" => 7,
            "us" | "µs" => 8,
            "ns" => 9,
            _ => return Ok(None),
        };
        builder.add(n, unit)?;
        text = rest;
    }
    Ok(Some(()))
}

/// `1Y2M3DT4H5M6S`, behind the `P`.
fn designators(text: &str, builder: &mut Builder) -> Result<Option<()>> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    for (mut part, names) in [
        (date, [('Y', 0), ('M', 1), ('D', 3)]),
        (time, [('H', 4), ('M', 5), ('S', 6)]),
    ] {
        let mut names = names.into_iter();
        while !part.is_empty() {
            let Some((n, rest)) = digits(part) else {
                return Ok(None);
            };
            let Some((name, rest)) = rest.chars().next().map(|c| (c, &rest[c.len_utf8()..])) else {
                return Ok(None);
            };
            let Some((_, unit)) = names.find(|(c, _)| *c == name) else {
                return Ok(None);
            };
            builder.add(n, unit)?;
            part = rest;
        }
    }
    Ok(Some(()))
}

/// `1W`, behind the `P`.
fn weeks(text: &str, builder: &mut Builder) -> Result<Option<()>> {
    match digits(text) {
        Some((n, "W")) => builder.add(n, 2).map(Some),
        _ => Ok(None),
    }
}

/// `0001-02-03T04:05:06`, behind the `P`.
fn alternative(text: &str, builder: &mut Builder) -> Result<Option<()>> {
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    if !text.chars().map(shape).eq("0000-00-00T00:00:00".chars()) {
        return Ok(None);
    }
    for (range, unit) in [
        (0..4, 0),
        (5..7, 1),
        (8..10, 3),
        (11..13, 4),
        (14..16, 5),
        (17..19, 6),
    ] {
        builder.add(&text[range], unit)?;
    }
    Ok(Some(()))
}
