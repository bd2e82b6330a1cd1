//! Equal parts of the ring, at whose ends outputs are split.
//!
//! Authority: `o.a.c.db.compaction.{ShardManager,ShardManagerNoDisks,ShardManagerTrivial,ShardTracker}`,
//! `o.a.c.dht.Murmur3Partitioner.{split,LongToken.size}`.
//!
//! All of the ring is local here. Where tokens are no numbers there is one shard.

use super::Candidate;

/// Shares of the ring below this are taken for all of it.
const MINIMUM_TOKEN_COVERAGE: f64 = 1.0 / (1u64 << 48) as f64;

/// Share of the ring from behind one token to another, which it includes.
fn ring_share(from: i64, to: i64) -> f64 {
    let share = to.wrapping_sub(from) as f64 / 2f64.powi(64);
    match share > 0.0 {
        true => share,
        false => share + 1.0,
    }
}

/// Share of the ring that an SSTable of these first and last tokens covers.
pub(crate) fn tokens_share(first: i64, last: i64) -> f64 {
    ring_share(first, last.wrapping_add(1))
}

/// `share`, or 1 where that is too small, or unknown, to make sense.
fn sensible(share: f64) -> f64 {
    match share >= MINIMUM_TOKEN_COVERAGE {
        true => share,
        false => 1.0,
    }
}

/// Bytes an SSTable would have if it covered the ring.
pub(super) fn density(candidate: &Candidate, has_numeric_tokens: bool) -> f64 {
    let share = match (has_numeric_tokens, candidate.token_space_coverage) {
        (false, _) => 1.0,
        (true, reported) if reported > 0.0 => reported,
        (true, _) => tokens_share(candidate.first.token, candidate.last.token),
    };
    candidate.data_bytes as f64 / sensible(share)
}

/// Bytes that SSTables would have together if they covered the ring.
pub(super) fn combined_density<'a>(
    candidates: impl Iterator<Item = &'a Candidate> + Clone,
    has_numeric_tokens: bool,
) -> f64 {
    let bytes: u64 = candidates.clone().map(|c| c.data_bytes).sum();
    let first = candidates.clone().map(|c| c.first.token).min();
    let last = candidates.map(|c| c.last.token).max();
    match (first, last) {
        (Some(first), Some(last)) if has_numeric_tokens => {
            bytes as f64 / sensible(tokens_share(first, last))
        }
        _ => bytes as f64,
    }
}

/// Equal parts of the ring: each but the last ends with a token, which it includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards {
    count: u32,
}

impl Shards {
    /// So many, at least one.
    pub fn new(count: u32) -> Self {
        Shards {
            count: count.max(1),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The last token of a part; `None` for the last one, which has no end.
    pub fn end(&self, shard: u32) -> Option<i64> {
        let next = shard.checked_add(1).filter(|next| *next < self.count)?;
        Some(token_at(1.0 / f64::from(self.count) * f64::from(next)))
    }

    /// The part that a token lies in.
    pub fn of(&self, token: i64) -> u32 {
        let (mut least, mut most) = (0, self.count - 1);
        while least < most {
            let middle = least + (most - least) / 2;
            match self.end(middle) {
                Some(end) if end < token => least = middle + 1,
                _ => most = middle,
            }
        }
        least
    }

    /// How much of what lies between two tokens lies in a part, about.
    pub(crate) fn share(&self, shard: u32, first: i64, last: i64) -> f64 {
        let start = match shard.checked_sub(1).and_then(|before| self.end(before)) {
            Some(end) => end.saturating_add(1),
            None => i64::MIN,
        };
        let end = self.end(shard).unwrap_or(i64::MAX);
        let (from, to) = (first.max(start), last.min(end));
        match from <= to {
            true if (from, to) == (first, last) => 1.0,
            true => tokens_share(from, to) / tokens_share(first, last),
            false => 0.0,
        }
    }
}

/// The token that has this share of the ring before it, 0 to 1. Cassandra multiplies the digits that the number is printed with.
fn token_at(share: f64) -> i64 {
    let text = format!("{share:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().unwrap_or(0);
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // At most 17 digits; a share below 2^-60 is never asked for.
    let scale = (fraction.len() as i32 - exponent).clamp(0, 38) as u32;
    let product = digits.saturating_mul(u64::MAX.into());
    let power = 10u128.pow(scale);
    let (quotient, rest) = (product / power, product % power);
    let token = quotient as i128 + i128::from(i64::MIN);
    // Towards zero.
    let token = token + i128::from(token < 0 && rest > 0);
    token.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}
