//! The partitions that the index names, in order, beside those of Data.db; Summary.db beside Index.db.
//!
//! Authority: `o.a.c.io.sstable.format.{big.BigTableVerifier,bti.BtiTableVerifier}`, `o.a.c.io.sstable.Downsampling`.

use super::findings::Findings;
use crate::partitioner::{DecoratedKey, PartitionPosition, Partitioner};
use crate::sstable::big::{IndexEntries, IndexEntry, PromotedIndex, Summary};
use crate::sstable::bti::{Partitions, Path, RowIndex, Target};
use crate::sstable::index::RowIndexRef;
use crate::{Error, Result};
use std::cmp::Ordering;

const INDEX: &str = "Index.db";
const SUMMARY: &str = "Summary.db";
const PARTITIONS: &str = "Partitions.db";
const ROWS: &str = "Rows.db";

/// Entries of a summary at full sampling (`Downsampling.BASE_SAMPLING_LEVEL`).
const SAMPLING_LEVEL_FULL: u32 = 128;

/// A partition that the index names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// Where the entry or trie node lies in its file.
    pub at: u64,
    /// Raw key, where the index holds it.
    pub key: Option<&'a [u8]>,
    /// Offset of the partition in Data.db; `None` if it could not be read.
    pub data_position: Option<u64>,
    /// Low byte of the key's hash, where the index holds it.
    pub hash_byte: Option<u8>,
    /// The index of its blocks.
    pub row_index: Option<RowIndexRef<'a>>,
}

/// A pass over the index. Checks what can be checked without Data.db.
pub(crate) struct IndexWalk<'a> {
    source: Source<'a>,
    current: Option<Entry<'a>>,
    /// Count of entries so far.
    count: u64,
    previous_position: Option<u64>,
    data_length: Option<u64>,
    /// It ended before its end.
    broken: bool,
}

enum Source<'a> {
    Big {
        entries: IndexEntries<'a>,
        has_uint_deletion_time: bool,
        summary: Option<SummaryWalk<'a>>,
    },
    Bti {
        partitions: Partitions<'a>,
        path: Path<'a, Vec<u8>>,
        rows: &'a [u8],
    },
}

impl<'a> IndexWalk<'a> {
    /// A pass over Index.db, and Summary.db if it can be read. `data_length` is that of the uncompressed Data.db.
    pub fn big(
        file: &'a [u8],
        has_uint_deletion_time: bool,
        summary: Option<Summary<'a>>,
        data_length: Option<u64>,
    ) -> Self {
        Self::new(
            Source::Big {
                entries: IndexEntries::from(file, 0),
                has_uint_deletion_time,
                summary: summary.map(|s| SummaryWalk::new(s, file.len() as u64)),
            },
            data_length,
        )
    }

    /// A pass over Partitions.db and Rows.db.
    pub fn bti(partitions: Partitions<'a>, rows: &'a [u8], data_length: Option<u64>) -> Self {
        Self::new(
            Source::Bti {
                path: partitions.path(),
                partitions,
                rows,
            },
            data_length,
        )
    }

    fn new(source: Source<'a>, data_length: Option<u64>) -> Self {
        IndexWalk {
            source,
            current: None,
            count: 0,
            previous_position: None,
            data_length,
            broken: false,
        }
    }

    /// Name of the file that names the partitions.
    pub fn component(&self) -> &'static str {
        match self.source {
            Source::Big { .. } => INDEX,
            Source::Bti { .. } => PARTITIONS,
        }
    }

    /// Name of the file that holds the blocks of wide partitions.
    pub fn row_component(&self) -> &'static str {
        match self.source {
            Source::Big { .. } => INDEX,
            Source::Bti { .. } => ROWS,
        }
    }

    /// The entry it stands on; `None` before the first and behind the last.
    #[inline]
    pub fn current(&self) -> Option<&Entry<'a>> {
        self.current.as_ref()
    }

    /// Whether it ended before its end, so that nothing can be said of what it does not name.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Count of entries up to the present one.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Steps to the next entry.
    #[inline]
    pub fn advance(&mut self, findings: &mut Findings<'_>) {
        self.current = match self.read(findings) {
            Ok(entry) => entry,
            Err(e) => {
                findings.fault(self.component(), e);
                self.broken = true;
                None
            }
        };
        let Some(entry) = &self.current else { return };
        self.count += 1;
        if let Some(position) = entry.data_position {
            let ascends = self.previous_position.is_none_or(|p| p < position);
            if !ascends || self.data_length.is_some_and(|len| position >= len) {
                self.tell_position(position, findings);
            }
            self.previous_position = Some(position);
        }
    }

    #[cold]
    fn tell_position(&self, position: u64, findings: &mut Findings<'_>) {
        let Some(entry) = &self.current else { return };
        let what = match (self.data_length, self.previous_position) {
            (Some(len), _) if position >= len => {
                format!("a partition is said to start at {position} of a Data.db of {len} bytes")
            }
            (_, previous) => format!(
                "positions of partitions do not ascend: {position} follows {}",
                previous.unwrap_or_default()
            ),
        };
        findings.fault(self.component(), self.placed(entry, what));
    }

    fn read(&mut self, findings: &mut Findings<'_>) -> Result<Option<Entry<'a>>> {
        match &mut self.source {
            Source::Big {
                entries,
                has_uint_deletion_time,
                summary,
            } => {
                let Some(entry) = entries.next().transpose()? else {
                    if let Some(summary) = summary {
                        summary.finish(self.count, findings);
                    }
                    return Ok(None);
                };
                if let Some(summary) = summary {
                    summary.pass(&entry, self.count, findings);
                }
                let row_index = match entry.promoted.is_empty() {
                    true => None,
                    false => {
                        PromotedIndex::open(&entry, *has_uint_deletion_time).unwrap_or_else(|e| {
                            findings.fault(INDEX, e);
                            None
                        })
                    }
                };
                Ok(Some(Entry {
                    at: entry.position,
                    key: Some(entry.key),
                    data_position: Some(entry.data_position),
                    hash_byte: None,
                    row_index: row_index.map(RowIndexRef::Big),
                }))
            }
            Source::Bti {
                partitions,
                path,
                rows,
            } => {
                let Some(node) = path.next_payload()? else {
                    if self.count != partitions.key_count() {
                        let what = format!(
                            "the trie holds {} keys, the footer says {}",
                            self.count,
                            partitions.key_count()
                        );
                        findings.fault(PARTITIONS, Error::corrupt(what));
                    }
                    return Ok(None);
                };
                let mut entry = Entry {
                    at: node.position(),
                    key: None,
                    data_position: None,
                    hash_byte: None,
                    row_index: None,
                };
                if node.has_children() {
                    let what = "a key's node with others below: no lookup ends there";
                    findings.fault_at(PARTITIONS, entry.at, what);
                }
                match partitions.payload(node) {
                    Err(e) => findings.fault(PARTITIONS, e),
                    Ok((hash_byte, target)) => {
                        entry.hash_byte = hash_byte;
                        match target {
                            Target::Data(position) => entry.data_position = Some(position),
                            Target::Rows(position) => match RowIndex::open(rows, position) {
                                Err(e) => findings.fault(ROWS, e),
                                Ok(index) => {
                                    entry.key = Some(index.key());
                                    entry.data_position = Some(index.data_position());
                                    entry.row_index = Some(RowIndexRef::Bti(index));
                                }
                            },
                        }
                    }
                }
                Ok(Some(entry))
            }
        }
    }

    /// How the present entry's key sorts against `key`. Where the index holds but the beginning of its key, that is
    /// equal to all keys that begin so.
    #[inline]
    pub fn compare(&self, key: &DecoratedKey<'_>, partitioner: &Partitioner) -> Ordering {
        let Some(entry) = &self.current else {
            return Ordering::Greater;
        };
        match &self.source {
            Source::Big { .. } => match entry.key {
                Some(k) if k != key.key => partitioner.compare(k, &PartitionPosition::Key(*key)),
                _ => Ordering::Equal,
            },
            Source::Bti { path, .. } => {
                let mut bytes = partitioner.comparable(&PartitionPosition::Key(*key));
                let differs = path.trail().iter().find_map(|b| {
                    let order = bytes.next().map_or(Ordering::Greater, |k| b.cmp(&k));
                    order.is_ne().then_some(order)
                });
                differs.unwrap_or(Ordering::Equal)
            }
        }
    }

    /// A fault of the present entry.
    #[cold]
    pub fn fault(&self, what: impl Into<String>, key: Option<&[u8]>, findings: &mut Findings<'_>) {
        let Some(entry) = &self.current else { return };
        let mut e = self.placed(entry, what.into());
        if let Some(key) = key {
            e = e.in_partition(key);
        }
        findings.fault(self.component(), e);
    }

    fn placed(&self, entry: &Entry<'_>, what: String) -> Error {
        let e = Error::corrupt(what).at(entry.at);
        match entry.key {
            Some(key) => e.in_partition(key),
            None => e,
        }
    }
}

/// A pass over Summary.db beside that over Index.db.
struct SummaryWalk<'a> {
    summary: Summary<'a>,
    index_length: u64,
    /// Entry that comes next.
    next: usize,
    /// It, unless there is none.
    entry: Option<(&'a [u8], u64)>,
    started: bool,
    /// Which of 128 entries in full sampling are left at this level; none if the level makes no sense.
    original_indexes: Vec<u64>,
}

impl<'a> SummaryWalk<'a> {
    fn new(summary: Summary<'a>, index_length: u64) -> Self {
        SummaryWalk {
            original_indexes: original_indexes(summary.sampling_level()),
            summary,
            index_length,
            next: 0,
            entry: None,
            started: false,
        }
    }

    /// Compares with an entry of Index.db, before which there are `ordinal`.
    #[inline]
    fn pass(&mut self, entry: &IndexEntry<'_>, ordinal: u64, findings: &mut Findings<'_>) {
        if !self.started {
            self.started = true;
            self.read(0, findings);
        }
        while let Some((key, position)) = self.entry {
            if position > entry.position {
                return;
            }
            self.compare(key, position, entry, ordinal, findings);
            self.read(self.next + 1, findings);
        }
    }

    #[inline(never)]
    fn compare(
        &self,
        key: &[u8],
        position: u64,
        entry: &IndexEntry<'_>,
        ordinal: u64,
        findings: &mut Findings<'_>,
    ) {
        let i = self.next;
        if position < entry.position {
            self.tell(
                i,
                format!("no entry of Index.db starts at {position}"),
                findings,
            );
        } else if key != entry.key {
            let what = format!("its key is not that of the entry at {position} of Index.db");
            self.tell(i, what, findings);
        } else if self.expected_ordinal(i).is_some_and(|n| n != ordinal) {
            let what = format!(
                "it is of partition {ordinal}, which has no entry at this interval and sampling level"
            );
            self.tell(i, what, findings);
        }
    }

    /// Takes entry `i`, or the first one behind it that can be read and leads on.
    fn read(&mut self, i: usize, findings: &mut Findings<'_>) {
        let floor = self.entry.map(|(_, position)| position);
        for i in i..self.summary.len() {
            self.next = i;
            let (key, position) = match self.summary.entry(i) {
                Ok(entry) => entry,
                Err(e) => {
                    findings.fault(SUMMARY, e);
                    continue;
                }
            };
            // One that leads too far must not hide those behind it.
            let follows = self.summary.entry(i + 1).ok().map(|(_, next)| next);
            let ascends = floor.is_none_or(|f| f < position);
            let too_far = position >= self.index_length
                || follows.is_some_and(|next| {
                    next <= position && next < self.index_length && floor.is_none_or(|f| f < next)
                });
            if ascends && !too_far {
                self.entry = Some((key, position));
                return;
            }
            let what = format!("its position in Index.db, {position}, is out of order");
            self.tell(i, what, findings);
        }
        self.next = self.summary.len();
        self.entry = None;
    }

    /// What is left when Index.db ended after `count` entries.
    fn finish(&mut self, count: u64, findings: &mut Findings<'_>) {
        if let Some((_, position)) = self.entry {
            self.tell(
                self.next,
                format!("no entry of Index.db starts at {position}"),
                findings,
            );
        }
        let summary = &self.summary;
        let what = if self.original_indexes.is_empty() {
            format!("a sampling level of {} of 128", summary.sampling_level())
        } else if summary.min_index_interval() == 0 {
            "an index interval of 0".to_owned()
        } else {
            let full = count.div_ceil(summary.min_index_interval().into());
            let level = u64::from(summary.sampling_level());
            let left = self
                .original_indexes
                .iter()
                .filter(|n| **n < full % 128)
                .count() as u64;
            let expected = full / 128 * level + left;
            if u64::from(summary.full_count()) != full {
                format!(
                    "{count} partitions at an interval of {} make {full} entries, the summary says {}",
                    summary.min_index_interval(),
                    summary.full_count()
                )
            } else if summary.len() as u64 != expected {
                format!("{} entries where there should be {expected}", summary.len())
            } else {
                return;
            }
        };
        findings.fault(
            SUMMARY,
            Error::corrupt(what).advise("delete it: Cassandra builds a new one"),
        );
    }

    /// How many partitions come before that of entry `i`.
    fn expected_ordinal(&self, i: usize) -> Option<u64> {
        let level = self.original_indexes.len();
        let original = self.original_indexes.get(i.checked_rem(level)?)?;
        let original = (i / level) as u64 * u64::from(SAMPLING_LEVEL_FULL) + original;
        Some(original * u64::from(self.summary.min_index_interval()))
    }

    #[cold]
    fn tell(&self, i: usize, what: String, findings: &mut Findings<'_>) {
        findings.fault(
            SUMMARY,
            Error::corrupt(format!("entry {i}: {what}"))
                .advise("delete it: Cassandra builds a new one"),
        );
    }
}

/// Which of 128 successive entries are left at a sampling level; none for a level that is none.
fn original_indexes(level: u32) -> Vec<u64> {
    if !(1..=SAMPLING_LEVEL_FULL).contains(&level) {
        return Vec::new();
    }
    let gone = (SAMPLING_LEVEL_FULL - level) as usize;
    let pattern = sampling_pattern(u64::from(SAMPLING_LEVEL_FULL));
    let gone = &pattern[..gone];
    (0..u64::from(SAMPLING_LEVEL_FULL))
        .filter(|i| !gone.contains(i))
        .collect()
}

/// The order in which entries are given up as the level sinks from `level` (a power of two).
fn sampling_pattern(level: u64) -> Vec<u64> {
    if level <= 1 {
        return vec![0];
    }
    let ordering = sampling_pattern(level / 2);
    let odds = ordering.iter().map(|i| 2 * i + 1);
    odds.chain(ordering.iter().map(|i| 2 * i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_are_left_lie_evenly() {
        assert_eq!(sampling_pattern(8), [7, 3, 5, 1, 6, 2, 4, 0]);
        assert_eq!(original_indexes(128).len(), 128);
        assert_eq!(original_indexes(64)[..3], [0, 2, 4]);
        assert_eq!(original_indexes(1), [0]);
        assert!(original_indexes(0).is_empty() && original_indexes(129).is_empty());
    }
}
