//! The SSTables of a table as strategies see them.

use super::{Plan, View};
use crate::Result;
use crate::compaction::first_and_last_key;
use crate::compaction::strategy::{Candidate, KeyPosition};
use crate::partitioner::{PartitionPosition, Partitioner, Token};
use crate::sstable::SSTable;
use crate::sstable::index::PartitionIndex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// SSTables that may be compacted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub is_repaired: bool,
    pub pending_repair: Option<[u8; 16]>,
    pub is_transient: bool,
}

/// What strategies know of an SSTable, and where it belongs.
#[derive(Debug)]
pub(in crate::table) struct Known {
    pub candidate: Candidate,
    group: Group,
}

impl Known {
    pub fn of(sstable: &Arc<SSTable>) -> Self {
        let stats = sstable.statistics().stats.as_ref();
        let descriptor = sstable.descriptor();
        let lengths = sstable.components().iter();
        let lengths = lengths.map(|c| std::fs::metadata(descriptor.path(c)).map_or(0, |m| m.len()));
        let data = std::fs::metadata(sstable.data().source().path());
        let modified = data.and_then(|m| m.modified()).unwrap_or(UNIX_EPOCH);
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let keys = stats.and_then(|s| s.key_range.clone());
        // Whoever reads the SSTable will tell what is wrong with its index.
        let keys = keys.or_else(|| first_and_last_key(sstable).ok().flatten());
        let position = |key: Vec<u8>| KeyPosition {
            token: match sstable.partitioner().token(&key) {
                Token::Long(token) => token,
                _ => 0,
            },
            key,
        };
        let everywhere = || {
            let edge = |token| KeyPosition {
                token,
                key: Vec::new(),
            };
            (edge(i64::MIN), edge(i64::MAX))
        };
        let keys = keys.map(|(first, last)| (position(first), position(last)));
        let (first, last) = keys.unwrap_or_else(everywhere);
        Known {
            candidate: Candidate {
                id: descriptor.id.clone(),
                data_bytes: sstable.data().source().len(),
                disk_bytes: lengths.sum(),
                level: stats.map_or(0, |s| s.level),
                min_timestamp: stats.map_or(i64::MIN, |s| s.min_timestamp),
                max_timestamp: stats.map_or(i64::MAX, |s| s.max_timestamp),
                max_local_deletion_time: stats.map_or(i64::MAX, |s| s.max_local_deletion_time),
                first,
                last,
                token_space_coverage: stats
                    .and_then(|s| s.token_space_coverage)
                    .unwrap_or(f64::NAN),
                created_millis: modified.as_millis() as i64,
                droppable_ratio: 0.0,
                is_busy: false,
            },
            group: Group {
                is_repaired: stats.is_some_and(|s| s.repaired_at != 0),
                pending_repair: stats.and_then(|s| s.pending_repair),
                is_transient: stats.is_some_and(|s| s.is_transient),
            },
        }
    }
}

/// The live SSTables of a view, as strategies see them.
pub(super) struct Snapshot {
    pub view: Arc<View>,
    pub candidates: Vec<Candidate>,
    pub groups: BTreeMap<Group, Vec<usize>>,
    pub has_numeric_tokens: bool,
}

impl Snapshot {
    pub fn new(view: Arc<View>, plan: &Plan, now: i64, gc_before: i64) -> Self {
        let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
        let mut candidates = Vec::with_capacity(view.live.len());
        for (i, live) in view.live.iter().enumerate() {
            let known = live.known.get_or_init(|| Known::of(&live.sstable));
            groups.entry(known.group).or_default().push(i);
            let mut candidate = known.candidate.clone();
            let id = &candidate.id;
            candidate.is_busy = plan.busy.contains(id) || plan.suspect.contains(id);
            let has_uint = live.sstable.descriptor().version.has_uint_deletion_time();
            let stats = live.sstable.statistics().stats.as_ref();
            let is_fresh = plan.fresh.0 == now && plan.fresh.1.contains(&candidate.id);
            candidate.droppable_ratio = stats
                .filter(|_| !is_fresh)
                .map_or(0.0, |s| s.droppable_tombstone_ratio(has_uint, gc_before));
            candidates.push(candidate);
        }
        let has_numeric_tokens = *view.reader.partitioner() == Partitioner::Murmur3;
        if !has_numeric_tokens {
            number_tokens(view.reader.partitioner(), &mut candidates);
        }
        Snapshot {
            view,
            candidates,
            groups,
            has_numeric_tokens,
        }
    }
}

/// Gives tokens that are no numbers of 64 bits numbers, in their order.
fn number_tokens(partitioner: &Partitioner, candidates: &mut [Candidate]) {
    let mut positions: Vec<&mut KeyPosition> = candidates
        .iter_mut()
        .flat_map(|candidate| [&mut candidate.first, &mut candidate.last])
        .filter(|position| position.token == 0)
        .collect();
    positions.sort_by(|a, b| partitioner.compare_keys(&a.key, &b.key));
    let mut last: Option<(i64, Vec<u8>)> = None;
    for position in positions {
        let token = match &last {
            None => 1,
            Some((number, key)) => {
                let (a, b) = (partitioner.token(key), partitioner.token(&position.key));
                number + i64::from(partitioner.compare_tokens(a, b).is_ne())
            }
        };
        position.token = token;
        last = Some((token, position.key.clone()));
    }
}

/// About which share of an SSTable's data has tokens in none of the ranges; `None` without an index that can tell
/// (`SSTableReader.{estimatedKeysForRanges,isEstimationInformative}`).
pub(super) fn share_outside(sstable: &SSTable, ranges: &[(i64, i64)]) -> Result<Option<f64>> {
    let Some(index) = sstable.partition_index()? else {
        return Ok(None);
    };
    if let PartitionIndex::Big { primary, .. } = &index
        && primary.summary().is_none_or(|summary| summary.len() <= 2)
    {
        return Ok(None);
    }
    let partitioner = sstable.partitioner();
    if *partitioner != Partitioner::Murmur3 {
        return Ok(None);
    }
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let length = sstable.data().len();
    let offset = |position: PartitionPosition<'_>| -> Result<u64> {
        let found = index.lower_bound(partitioner, &position)?;
        Ok(found.map_or(length, |located| located.data_position))
    };
    let (mut inside, mut end) = (0, 0);
    for (first, last) in sorted {
        let from = offset(PartitionPosition::Before(Token::Long(first)))?.max(end);
        let to = offset(PartitionPosition::After(Token::Long(last)))?;
        inside += to.saturating_sub(from);
        end = end.max(to);
    }
    Ok(Some(1.0 - inside as f64 / length.max(1) as f64))
}
