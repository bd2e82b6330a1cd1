//! Counter contexts: what each replica has counted.
//!
//! Authority: `o.a.c.db.context.CounterContext`.
//!
//! ```text
//! i16 n (negative: the local shards are to be taken for remote); n x i16 element;
//! shards x { 16 bytes id, i64 clock, i64 count }, ascending by id
//! ```
//! An element `i` marks shard `i` as local, `i - 32768` as global; what no element names is remote.

use crate::bytes::{Cursor, DecodeError};
use std::cmp::Ordering;

type Result<T> = std::result::Result<T, DecodeError>;

const SHARD_BYTES: usize = 32;
const GLOBAL: i16 = i16::MIN;

/// Who may have written a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardKind {
    /// Since 2.1: the absolute count of one replica.
    Global,
    /// Before 2.1: increments of the replica that holds it.
    Local,
    /// Before 2.1: another replica's.
    Remote,
}

/// A replica's share of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard<'a> {
    /// Id of the replica.
    pub id: &'a [u8],
    /// Version of the count.
    pub clock: i64,
    /// The count.
    pub count: i64,
    /// Who may have written it.
    pub kind: ShardKind,
}

/// The shards of a context, in the order of their ids.
#[derive(Debug, Clone)]
pub struct Shards<'a> {
    elements: Cursor<'a>,
    next_element: Option<i16>,
    clear_local: bool,
    index: i16,
    shards: &'a [u8],
}

/// Reads a context.
///
/// # Errors
/// When its length does not fit its header and whole shards.
pub fn shards(context: &[u8]) -> Result<Shards<'_>> {
    let mut c = Cursor::new(context);
    let count = c.i16()?;
    let elements = c.take(usize::from(count.unsigned_abs()) * 2)?;
    if !c.remaining().is_multiple_of(SHARD_BYTES) {
        return Err(DecodeError::Invalid(
            "a counter context with part of a shard",
        ));
    }
    let mut elements = Cursor::new(elements);
    Ok(Shards {
        next_element: elements.i16().ok(),
        elements,
        clear_local: count < 0,
        index: 0,
        shards: c.rest(),
    })
}

impl<'a> Iterator for Shards<'a> {
    type Item = Shard<'a>;

    fn next(&mut self) -> Option<Shard<'a>> {
        let (shard, rest) = self.shards.split_at_checked(SHARD_BYTES)?;
        self.shards = rest;
        let kind = match self.next_element {
            Some(e) if e & i16::MAX == self.index => {
                self.next_element = self.elements.i16().ok();
                match e {
                    e if e < 0 => ShardKind::Global,
                    _ if self.clear_local => ShardKind::Remote,
                    _ => ShardKind::Local,
                }
            }
            _ => ShardKind::Remote,
        };
        self.index = self.index.wrapping_add(1);
        let (id, numbers) = shard.split_at(16);
        let mut c = Cursor::new(numbers);
        Some(Shard {
            id,
            clock: c.i64().ok()?,
            count: c.i64().ok()?,
            kind,
        })
    }
}

/// The counter's value: the sum of all counts, wrapping as Cassandra's does. A value of no bytes is 0.
pub fn total(context: &[u8]) -> Result<i64> {
    if context.is_empty() {
        return Ok(0);
    }
    Ok(shards(context)?.fold(0, |sum, shard| sum.wrapping_add(shard.count)))
}

/// Clock and count of the shard of an id, zeros if the context has none. A value of no bytes has none.
pub fn shard_of(context: &[u8], id: &[u8; 16]) -> Result<(i64, i64)> {
    if context.is_empty() {
        return Ok((0, 0));
    }
    let found = shards(context)?.find(|shard| shard.id == id);
    Ok(found.map_or((0, 0), |shard| (shard.clock, shard.count)))
}

/// The context of nothing but one global shard.
pub fn global(id: &[u8; 16], clock: i64, count: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + SHARD_BYTES);
    let mut writer = ContextWriter::new(&mut out);
    writer.push(Shard {
        id,
        clock,
        count,
        kind: ShardKind::Global,
    });
    writer.finish();
    out
}

/// Whether the context says that its local shards are to be taken for remote ones.
pub fn should_clear_local(context: &[u8]) -> bool {
    context.first().is_some_and(|b| b & 0x80 != 0)
}

/// Appends the context with its local shards made remote, as Cassandra does on reading one that asks for it.
pub fn clear_local(context: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if context.len() / SHARD_BYTES > i16::MAX as usize {
        return Err(DecodeError::Invalid("a counter context of too many shards"));
    }
    let mut writer = ContextWriter::new(out);
    for shard in shards(context)? {
        let kind = match shard.kind {
            ShardKind::Global => ShardKind::Global,
            _ => ShardKind::Remote,
        };
        writer.push(Shard { kind, ..shard });
    }
    writer.finish();
    Ok(())
}

/// Appends the context that holds, for each replica, what the two know best.
pub fn merge(left: &[u8], right: &[u8], out: &mut Vec<u8>) -> Result<()> {
    // The header counts them in 16 bits.
    if (left.len() + right.len()) / SHARD_BYTES > i16::MAX as usize {
        return Err(DecodeError::Invalid("counter contexts of too many shards"));
    }
    let (mut left, mut right) = (shards(left)?.peekable(), shards(right)?.peekable());
    let mut writer = ContextWriter::new(out);
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(l), Some(r)) => l.id.cmp(r.id),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let l = if order.is_le() { left.next() } else { None };
        let r = if order.is_ge() { right.next() } else { None };
        match (l, r) {
            (Some(l), Some(r)) => writer.push(merge_shards(l, r)),
            (Some(one), None) | (None, Some(one)) => writer.push(one),
            (None, None) => break,
        }
    }
    writer.finish();
    Ok(())
}

fn merge_shards<'a>(left: Shard<'a>, right: Shard<'a>) -> Shard<'a> {
    use ShardKind::*;
    let left_wins = match (left.kind, right.kind) {
        (Local, Local) => {
            return Shard {
                clock: left.clock.wrapping_add(right.clock),
                count: left.count.wrapping_add(right.count),
                ..left
            };
        }
        (Global, Global) => (left.clock, left.count) > (right.clock, right.count),
        (Global, _) => true,
        (_, Global) => false,
        (Local, _) => true,
        (_, Local) => false,
        (Remote, Remote) if left.clock == right.clock => left.count > right.count,
        // A negative clock is of a shard that was reset: any positive one has it win, else the most negative one wins.
        (Remote, Remote) if left.clock < 0 => right.clock > 0 || left.clock < right.clock,
        (Remote, Remote) => right.clock > 0 && left.clock >= right.clock,
    };
    if left_wins { left } else { right }
}

/// Writes shards behind a header that grows before them.
struct ContextWriter<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    elements: i16,
    shards: i16,
}

impl<'o> ContextWriter<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0, 0]);
        ContextWriter {
            out,
            start,
            elements: 0,
            shards: 0,
        }
    }

    fn push(&mut self, shard: Shard<'_>) {
        let element = match shard.kind {
            ShardKind::Global => Some(self.shards | GLOBAL),
            ShardKind::Local => Some(self.shards),
            ShardKind::Remote => None,
        };
        if let Some(element) = element {
            // The header stands before the shards that are there already.
            let at = self.start + 2 + 2 * self.elements as usize;
            self.out.splice(at..at, element.to_be_bytes());
            self.elements += 1;
        }
        self.out.extend_from_slice(shard.id);
        self.out.extend_from_slice(&shard.clock.to_be_bytes());
        self.out.extend_from_slice(&shard.count.to_be_bytes());
        self.shards = self.shards.wrapping_add(1);
    }

    fn finish(self) {
        self.out[self.start..self.start + 2].copy_from_slice(&self.elements.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ShardKind::*;

    #[test]
    fn more_shards_than_a_header_counts_are_refused() {
        let context = |first: u8| {
            let mut context = vec![0, 0];
            context.resize(2 + 17_000 * SHARD_BYTES, first);
            context
        };
        let mut out = Vec::new();
        assert!(merge(&context(1), &context(2), &mut out).is_err());
        assert!(merge(&context(1), &[0, 0], &mut out).is_ok());
    }

    fn context(shards: &[(u8, i64, i64, ShardKind)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = ContextWriter::new(&mut out);
        for &(id, clock, count, kind) in shards {
            writer.push(Shard {
                id: &[id; 16],
                clock,
                count,
                kind,
            });
        }
        writer.finish();
        out
    }

    fn merged(a: &[(u8, i64, i64, ShardKind)], b: &[(u8, i64, i64, ShardKind)]) -> Vec<u8> {
        let mut out = Vec::new();
        merge(&context(a), &context(b), &mut out).unwrap();
        out
    }

    #[test]
    fn one_global_shard_as_cassandra_5_writes_it() {
        let c = context(&[(7, 1, 6, Global)]);
        assert_eq!(c[..4], [0, 1, 0x80, 0]);
        assert_eq!((total(&c), total(&[])), (Ok(6), Ok(0)));
        assert!(total(&c[..30]).is_err() && total(&[0]).is_err());
    }

    #[test]
    fn shards_merge_by_kind_clock_and_count() {
        let cases: [(_, _, (u8, i64, i64, ShardKind)); 9] = [
            ((1, 5, 1, Global), (1, 4, 9, Global), (1, 5, 1, Global)),
            ((1, 5, 1, Global), (1, 5, 9, Global), (1, 5, 9, Global)),
            ((1, 1, 1, Global), (1, 5, 9, Local), (1, 1, 1, Global)),
            ((1, 5, 1, Local), (1, 4, 9, Local), (1, 9, 10, Local)),
            ((1, 5, 1, Remote), (1, 4, 9, Local), (1, 4, 9, Local)),
            ((1, 5, 1, Remote), (1, 4, 9, Remote), (1, 5, 1, Remote)),
            ((1, 5, 1, Remote), (1, 0, 9, Remote), (1, 0, 9, Remote)),
            ((1, -5, 1, Remote), (1, 4, 9, Remote), (1, -5, 1, Remote)),
            ((1, 5, 1, Remote), (1, 5, 9, Remote), (1, 5, 9, Remote)),
        ];
        for (a, b, expected) in cases {
            assert_eq!(merged(&[a], &[b]), context(&[expected]), "{a:?} {b:?}");
        }
        let (g, l, r) = ((1, 1, 1, Global), (2, 1, 1, Local), (3, 1, 1, Remote));
        assert_eq!(merged(&[g, r], &[l]), context(&[g, l, r]));
    }

    #[test]
    fn local_shards_are_cleared_where_the_header_asks() {
        let mut c = context(&[(1, 1, 1, Global), (2, 1, 5, Local)]);
        assert!(!should_clear_local(&c));
        c[..2].copy_from_slice(&(-2i16).to_be_bytes());
        assert!(should_clear_local(&c));
        let mut out = Vec::new();
        clear_local(&c, &mut out).unwrap();
        assert_eq!(out, context(&[(1, 1, 1, Global), (2, 1, 5, Remote)]));
        assert_eq!(total(&out), Ok(6));
    }
}
