//! Finds the next row, or the next partition, behind bytes that cannot be read.
//!
//! Authority: `o.a.c.db.rows.UnfilteredSerializer`: every row and marker tells how long what precedes it is. That, its own
//! size, the order of clusterings and the types of values make a row known where nothing tells that one starts.

use super::bytes::More;
use super::salvage::Salvage;
use crate::Result;
use crate::bytes::DecodeError;
use crate::model::{Bound, BoundKind, DeletionTime, MarkerRef, RowRef};
use crate::sstable::data::flags::END_OF_PARTITION;
use crate::sstable::data::{
    Decoded, decode_key, decode_partition_start, decode_unfiltered, peek_unfiltered,
};
use crate::sstable::verify::blocks::PrefixRef;

/// Longest row that is looked for; longer ones are found through the index only.
const ROW_BYTES_MAX: u64 = 1 << 20;

/// Bytes that a search decodes at most, so that rows within rows cannot hold it up.
const SEARCH_BYTES: u64 = 256 << 20;

/// Where to go on in a partition.
pub(super) struct Resumed {
    /// Offset of the row or marker.
    pub at: u64,
    /// Deletion of the range tombstone that is open there, if that is known.
    pub open: Option<DeletionTime>,
    /// Its clustering.
    pub first: Option<Bound>,
}

impl Salvage<'_> {
    /// Where the present partition goes on behind something at `at` that cannot be read. What is looked at starts at
    /// `from`, for bytes before it cannot be had, or `from` follows `at` immediately.
    pub(super) fn resume(&mut self, at: u64, from: u64, is_readable: bool) -> Option<Resumed> {
        let Some(limit) = self.limit.map(|limit| limit.min(self.bytes.len())) else {
            // Nothing tells where the partition ends: only what says that it follows `at` is its.
            return match is_readable {
                true => self.search(at, from, self.bytes.len(), true),
                false => None,
            };
        };
        let start = self.start;
        let clusterings = self.inputs.clusterings;
        let block = match &mut self.blocks {
            Some(blocks) => blocks.from(from - start, clusterings),
            None => None,
        };
        let block = block
            .and_then(|(offset, open)| Some((start.checked_add(offset)?, open)))
            .filter(|(at, _)| *at < limit);
        let bound = block.map_or(limit, |(at, _)| at);
        if let Some(found) = self.search(at, from, bound, false) {
            return Some(found);
        }
        let (at, open) = block?;
        let first = match self.decode_short(at, at, limit) {
            None | Some((Decoded::End, ..)) => None,
            Some((decoded, ..)) => Some(bound_of(self.prefix(decoded, at))),
        };
        Some(Resumed {
            at,
            open: Some(open),
            first,
        })
    }

    /// The first row or marker from `from` up to `bound` that follows something at `at` or behind it; if `exactly`, at `at`.
    fn search(&mut self, at: u64, from: u64, bound: u64, exactly: bool) -> Option<Resumed> {
        let (mut position, mut budget) = (from, SEARCH_BYTES);
        while position < bound && budget > 0 {
            if self.bytes.from(position).is_empty() {
                match self.bytes.more(position) {
                    More::Yes => {}
                    More::End => return None,
                    More::Bad(end, _) => {
                        position = end;
                        continue;
                    }
                }
            }
            if let Some(first) = self.links(position, at, bound, exactly, &mut budget) {
                return Some(Resumed {
                    at: position,
                    open: None,
                    first: Some(first),
                });
            }
            position += 1;
        }
        None
    }

    /// The clustering of the row or marker of the present partition that starts at `position`, if one does.
    fn links(
        &mut self,
        position: u64,
        at: u64,
        bound: u64,
        exactly: bool,
        budget: &mut u64,
    ) -> Option<Bound> {
        *budget -= 1;
        let (decoded, len, previous) = self.decode_short(position, position, bound)?;
        *budget = budget.saturating_sub(len);
        let before = position.checked_sub(previous)?;
        let follows = match exactly {
            true => before == at,
            false => previous > 0 && before >= at,
        };
        if decoded == Decoded::End || !follows || self.check(decoded, position).is_err() {
            return None;
        }
        let found = bound_of(self.prefix(decoded, position));
        let next = position + len;
        if next == bound && self.limit.is_some_and(|limit| bound < limit) {
            return Some(found);
        }
        let is_linked = if !self.reach(position, next) {
            // What follows cannot be had either.
            !exactly
        } else {
            match self.decode_short(position, next, bound) {
                None => false,
                Some((Decoded::End, ..)) => match self.limit {
                    Some(limit) => next + 1 == limit,
                    None => next + 1 == self.bytes.len() || self.is_head(next + 1),
                },
                Some((decoded, _, previous)) => {
                    let (values, kind) = self.prefix(decoded, next);
                    let order = self.inputs.clusterings.comparator();
                    previous == len && order.compare_to_bound(values, kind, &found).is_gt()
                }
            }
        };
        is_linked.then_some(found)
    }

    /// The first partition from `from` on, where there is no index; the end of all bytes if there is none.
    pub(super) fn search_partition(&mut self, from: u64) -> u64 {
        let (mut position, mut budget) = (from, SEARCH_BYTES);
        let mut precedes = None;
        while position < self.bytes.len() && budget > 0 {
            budget -= 1;
            let Some(byte) = self.bytes.byte(position) else {
                match self.bytes.more(position) {
                    More::Bad(end, _) => {
                        (position, precedes) = (end, None);
                        continue;
                    }
                    _ => break,
                }
            };
            if precedes.is_none_or(|byte| byte == END_OF_PARTITION) && self.is_head(position) {
                return position;
            }
            precedes = Some(byte);
            position += 1;
        }
        self.bytes.len()
    }

    /// Whether a partition that follows those before it starts at `position`.
    pub(super) fn is_head(&mut self, position: u64) -> bool {
        let (len, deletion) = loop {
            let bytes = self.bytes.from(position);
            let layout = &self.inputs.layout;
            match decode_partition_start(bytes, layout, &mut self.row) {
                Ok((head, len)) => {
                    if !self.is_key(head.key) || self.is_behind(head.key) {
                        return false;
                    }
                    break (len as u64, head.deletion);
                }
                Err(DecodeError::Eof) if (bytes.len() as u64) < ROW_BYTES_MAX => {
                    if !matches!(self.bytes.more(position), More::Yes) {
                        return false;
                    }
                }
                Err(_) => return false,
            }
        };
        let says_something = !deletion.is_live() || !self.row.is_empty();
        let body = position + len;
        match self.decode_short(position, body, self.bytes.len()) {
            None => false,
            Some((Decoded::End, ..)) => {
                says_something
                    && self.bytes.from(body).first() == Some(&END_OF_PARTITION)
                    && (body + 1 == self.bytes.len() || self.is_followed(position, body + 1))
            }
            Some((decoded, _, previous)) => previous == len && self.check(decoded, body).is_ok(),
        }
    }

    /// Whether the partition at `position` is followed by another one at `next`, as far as the key tells.
    fn is_followed(&mut self, position: u64, next: u64) -> bool {
        while decode_key(self.bytes.from(next)).is_err() {
            if !matches!(self.bytes.more(position), More::Yes) {
                return false;
            }
        }
        let keys = (
            decode_key(self.bytes.from(position)),
            decode_key(self.bytes.from(next)),
        );
        let (Ok(key), Ok(next)) = keys else {
            return false;
        };
        let order = self.inputs.partitioner.compare_keys(key, next);
        self.is_key(next) && order.is_lt()
    }

    /// Decodes a row or marker that is not long and ends before `bound`: what it is, its length, and that of what precedes
    /// it. Bytes from `keep` on are kept.
    fn decode_short(&mut self, keep: u64, at: u64, bound: u64) -> Option<(Decoded, u64, u64)> {
        loop {
            let bytes = self.bytes.from(at);
            let layout = &self.inputs.layout;
            match decode_unfiltered(bytes, layout, &mut self.row, &mut self.marker) {
                Ok((decoded, len)) => {
                    let previous = match decoded {
                        Decoded::Row => self.row.previous_size,
                        Decoded::Marker => self.marker.previous_size,
                        Decoded::End => 0,
                    };
                    let end = at + len as u64;
                    return (end <= bound).then_some((decoded, len as u64, previous.into()));
                }
                Err(DecodeError::Eof) => {}
                Err(DecodeError::Invalid(_)) => return None,
            }
            let claimed = match peek_unfiltered(bytes, layout, &mut self.spans) {
                Ok(peeked) => peeked.len,
                Err(_) => bytes.len() as u64,
            };
            if claimed > ROW_BYTES_MAX || at.saturating_add(claimed) > bound {
                return None;
            }
            if !matches!(self.bytes.more(keep), More::Yes) {
                return None;
            }
        }
    }

    /// Whether the byte at `position` can be had, keeping those from `keep` on.
    fn reach(&mut self, keep: u64, position: u64) -> bool {
        while self.bytes.from(position).is_empty() {
            if !matches!(self.bytes.more(keep), More::Yes) {
                return false;
            }
        }
        true
    }

    /// The clustering of what was decoded at `at`.
    pub(super) fn prefix(&self, decoded: Decoded, at: u64) -> PrefixRef<'_> {
        let bytes = self.bytes.from(at);
        match decoded {
            Decoded::Marker => {
                let marker = MarkerRef::new(bytes, &self.marker);
                (marker.values(), marker.kind())
            }
            _ => {
                let row = RowRef::new(bytes, &self.row);
                (row.clustering(), BoundKind::Clustering)
            }
        }
    }

    /// Whether what was decoded at `at` holds what its columns hold.
    pub(super) fn check(&mut self, decoded: Decoded, at: u64) -> Result<()> {
        let bytes = self.bytes.from(at);
        let checks = &self.inputs.checks;
        match decoded {
            Decoded::Row => {
                let row = RowRef::new(bytes, &self.row);
                checks
                    .clustering(row.clustering())
                    .and_then(|()| checks.row(row, &mut self.totals))
            }
            Decoded::Marker => checks.clustering(MarkerRef::new(bytes, &self.marker).values()),
            Decoded::End => Ok(()),
        }
    }
}

/// A copy of a clustering or bound.
pub(super) fn bound_of((values, kind): PrefixRef<'_>) -> Bound {
    Bound {
        kind,
        values: values.iter().map(|v| v.map(<[u8]>::to_vec)).collect(),
    }
}
