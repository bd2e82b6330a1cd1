//! What changes a table: rows from values, and statements, as changes of partitions.
//!
//! Authority: `o.a.c.cql3.{UpdateParameters,Operation,Attributes}`, `o.a.c.cql3.statements.ModificationStatement`.
//!
//! What depends on what a table holds is read by who has it (`database`), and refused elsewhere.

mod changes;
mod counters;
mod delete;
mod draft;
mod insert;
mod key;
mod statement;
#[cfg(test)]
mod tests;

pub(crate) use counters::Leader;
pub use delete::Delete;
pub use insert::{Insert, Value};
pub(crate) use key::partition_key;
pub use statement::Modifier;
pub(crate) use statement::{Held, Place};

use crate::schema::TableSchema;
use crate::{Error, Result};

/// Longest time to live, in seconds: 20 years (`Attributes.MAX_TTL`).
pub const TTL_MAX: i32 = 20 * 365 * 24 * 60 * 60;

/// When something is written, and how long it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteTime {
    /// Write timestamp, in microseconds since 1970 by convention.
    pub timestamp: i64,
    /// Time to live in seconds; 0 for ever.
    pub ttl: i32,
    /// The present time in seconds since 1970, from which what is written expires and deletions age.
    pub now: i64,
}

impl WriteTime {
    /// # Errors
    /// `InvalidInput` for a timestamp or time to live that nothing can have.
    pub fn check(&self) -> Result<()> {
        if self.timestamp == i64::MIN {
            return Err(Error::invalid("the timestamp is out of range"));
        }
        check_ttl(self.ttl.into())?;
        Ok(())
    }
}

/// The time to live, if it is one.
fn check_ttl(ttl: i64) -> Result<i32> {
    match i32::try_from(ttl) {
        Ok(ttl) if (0..=TTL_MAX).contains(&ttl) => Ok(ttl),
        _ => Err(Error::invalid(format!(
            "a time to live of {ttl} seconds: it is from 0 to {TTL_MAX}"
        ))),
    }
}

/// Makes the timeuuids that are the paths of list elements: each later than the one before it.
///
/// Authority: `o.a.c.utils.TimeUUID.Generator`.
#[derive(Debug, Clone)]
pub struct TimeUuids {
    /// Units of 100 ns since 1582-10-15.
    next: u64,
    /// The next one of those that come before all others.
    before: u64,
    node: [u8; 8],
}

/// 1970-01-01 in units of 100 ns since 1582-10-15.
const UNIX_EPOCH_TICKS: i64 = 0x01b2_1dd2_1381_4000;

/// 2010-01-01 in milliseconds since 1970: prepended elements have times as much before it as the present is behind it
/// (`Lists.PrecisionTime.REFERENCE_TIME`).
const REFERENCE_MILLIS: i64 = 1_262_304_000_000;

impl TimeUuids {
    /// From `now`, in seconds since 1970; `node` tells those of several writers apart.
    pub fn new(now: i64, node: u64) -> Self {
        let millis = now.saturating_mul(1000);
        let ticks = |millis: i64| {
            let ticks = millis.saturating_mul(10_000);
            ticks.saturating_add(UNIX_EPOCH_TICKS).max(0) as u64
        };
        let mut node = node.to_be_bytes();
        // The variant, and the bit that says that the node is no network card's.
        node[0] = node[0] & 0x3f | 0x80;
        node[2] |= 1;
        TimeUuids {
            next: ticks(millis),
            before: ticks((2 * REFERENCE_MILLIS).saturating_sub(millis)),
            node,
        }
    }

    /// From here on they are of this time, in microseconds since 1970, unless later ones were made before.
    pub fn advance_to(&mut self, micros: i64) {
        let ticks = micros.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS);
        self.next = self.next.max(ticks.max(0) as u64);
        let before = (2 * REFERENCE_MILLIS * 1000).saturating_sub(micros);
        let before = before.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS);
        self.before = self.before.min(before.max(0) as u64);
    }

    fn at(&self, ticks: u64) -> [u8; 16] {
        let mut out = [0; 16];
        out[..4].copy_from_slice(&(ticks as u32).to_be_bytes());
        out[4..6].copy_from_slice(&((ticks >> 32) as u16).to_be_bytes());
        out[6..8].copy_from_slice(&((ticks >> 48) as u16 & 0xfff | 0x1000).to_be_bytes());
        out[8..].copy_from_slice(&self.node);
        out
    }

    /// One behind all that were made.
    pub fn after_all(&mut self) -> [u8; 16] {
        self.next += 1;
        self.at(self.next)
    }

    /// One before all that were made; several of a list are made from its end.
    pub fn before_all(&mut self) -> [u8; 16] {
        self.before = self.before.saturating_sub(1);
        self.at(self.before)
    }
}

/// What is refused of a table.
fn check_writable(table: &TableSchema) -> Result<()> {
    if table.is_counter() {
        return Err(Error::unsupported(format!(
            "{} is a counter table: its rows depend on what replicas have counted",
            table.full_name()
        ))
        .advise(
            "counters cannot be written from outside, as with Cassandra's own CQLSSTableWriter",
        ));
    }
    Ok(())
}
