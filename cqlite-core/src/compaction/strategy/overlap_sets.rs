//! Which SSTables overlap at once, and which of these sets are compacted together.
//!
//! Authority: `o.a.c.utils.Overlaps`.

use super::Candidate;

/// `overlap_inclusion_method`: which sets take part in the compaction of one that has enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inclusion {
    /// `NONE`: that one alone.
    None,
    /// `SINGLE`: those that share an SSTable with it.
    Single,
    /// `TRANSITIVE`: those that share one with it or with another that takes part.
    Transitive,
}

impl Inclusion {
    /// By its name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match &*name.to_uppercase() {
            "NONE" => Inclusion::None,
            "SINGLE" => Inclusion::Single,
            "TRANSITIVE" => Inclusion::Transitive,
            _ => return None,
        })
    }
}

/// The largest sets of SSTables that all overlap each other, in the order of their keys; each in the order of places.
pub(super) fn overlap_sets(live: &[Candidate], sstables: &[usize]) -> Vec<Vec<usize>> {
    let mut sorted = sstables.to_vec();
    sorted.sort_by(|a, b| live[*a].first.cmp(&live[*b].first));
    let mut sets = Vec::new();
    let mut active: Vec<usize> = Vec::new();
    let as_set = |active: &[usize]| {
        let mut set = active.to_vec();
        set.sort_unstable();
        set
    };
    for i in sorted {
        let ends_before = |other: &usize| live[*other].last < live[i].first;
        if active.iter().any(ends_before) {
            sets.push(as_set(&active));
            active.retain(|other| !ends_before(other));
        }
        active.push(i);
    }
    if !active.is_empty() {
        sets.push(as_set(&active));
    }
    sets
}

fn intersect(a: &[usize], b: &[usize]) -> bool {
    a.iter().any(|i| b.contains(i))
}

/// Ranges of `sets` that are compacted together: around each that has `threshold` SSTables or more.
pub(super) fn buckets(
    threshold: usize,
    inclusion: Inclusion,
    sets: &[Vec<usize>],
) -> Vec<std::ops::Range<usize>> {
    let mut buckets: Vec<std::ops::Range<usize>> = Vec::new();
    let mut next = 0;
    while next < sets.len() {
        let own = &sets[next];
        let (mut start, mut end) = (next, next + 1);
        next = end;
        if own.len() < threshold {
            continue;
        }
        if inclusion != Inclusion::None {
            let mut target = own.clone();
            let mut takes = |set: &Vec<usize>| {
                let takes = intersect(set, &target);
                if takes && inclusion == Inclusion::Transitive {
                    target.extend(set);
                }
                takes
            };
            let least = buckets.last().map_or(0, |bucket| bucket.end);
            while start > least && takes(&sets[start - 1]) {
                start -= 1;
            }
            while end < sets.len() && takes(&sets[end]) {
                end += 1;
            }
            next = end;
        }
        buckets.push(start..end);
    }
    buckets
}

/// From the end of `sorted` as many as may go together without more than `limit` of them being in one of `sets`.
pub(super) fn last_within_limit(sorted: &[usize], sets: &[Vec<usize>], limit: usize) -> Vec<usize> {
    let mut counts = vec![0; sets.len()];
    let mut taken = Vec::new();
    for i in sorted.iter().rev() {
        for (count, set) in counts.iter_mut().zip(sets) {
            *count += usize::from(set.contains(i));
        }
        if counts.iter().any(|count| *count > limit) {
            break;
        }
        taken.push(*i);
    }
    taken
}
