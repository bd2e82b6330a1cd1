//! Lookups in Index.db, helped by Summary.db.
//!
//! Authority: `o.a.c.io.sstable.format.big.BigTableReader.getRowIndexEntry`.

use super::entry::{COMPONENT, IndexEntries, IndexEntry, error, find_key};
use super::summary::Summary;
use crate::bytes::DecodeError;
use crate::partitioner::{DecoratedKey, PartitionPosition, Partitioner};
use crate::{Error, Result};

/// A view of Index.db and, where there is one, Summary.db.
#[derive(Debug, Clone, Copy)]
pub struct PrimaryIndex<'a> {
    file: &'a [u8],
    summary: Option<Summary<'a>>,
}

/// Where a lookup ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Offset in Index.db of the entry that was found last.
    at: usize,
    /// Where the interval of the summary that it is of ends; 0 if nothing was looked up.
    end: usize,
    /// The number of the entry of the summary at which the next interval begins.
    next: usize,
}

impl<'a> PrimaryIndex<'a> {
    /// An index over the bytes of Index.db. Without a summary each lookup scans half of it.
    pub fn new(file: &'a [u8], summary: Option<Summary<'a>>) -> Self {
        PrimaryIndex { file, summary }
    }

    /// The summary, where there is one.
    pub fn summary(&self) -> Option<&Summary<'a>> {
        self.summary.as_ref()
    }

    /// The entry of a key behind the one that was looked up before with the same `place`, from there on if that is not far;
    /// of any key if nothing was.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn lookup_behind(
        &self,
        partitioner: &Partitioner,
        key: &DecoratedKey<'_>,
        place: &mut Place,
    ) -> Result<Option<IndexEntry<'a>>> {
        let position = PartitionPosition::Key(*key);
        let Some(summary) = &self.summary else {
            let entry = self.lower_bound(partitioner, &position)?;
            return Ok(entry.filter(|entry| entry.key == key.key));
        };
        let is_there = place.end > 0
            && match place.next < summary.len() {
                true => {
                    let (next, _) = summary.entry(place.next)?;
                    partitioner.compare(next, &position).is_gt()
                }
                false => true,
            };
        if !is_there {
            let Some(i) = summary.floor(partitioner, &position)? else {
                return self.before_all(summary).map(|_| None);
            };
            let (at, end) = self.interval(summary, i)?;
            *place = Place {
                at,
                end,
                next: i + 1,
            };
        }
        let found = find_key(self.file, place.at, place.end, key.key)?;
        if let Some(entry) = &found {
            place.at = entry.position as usize;
        }
        Ok(found)
    }

    /// The first entry at or after `position`.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn lower_bound(
        &self,
        partitioner: &Partitioner,
        position: &PartitionPosition<'_>,
    ) -> Result<Option<IndexEntry<'a>>> {
        let start = match &self.summary {
            Some(summary) => match summary.floor(partitioner, position)? {
                Some(i) => self.sampled(summary, i)? as u64,
                None => self.before_all(summary)?,
            },
            None => 0,
        };
        for entry in self.entries_from(start) {
            let entry = entry?;
            if partitioner.compare(entry.key, position).is_ge() {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// All entries, in order.
    pub fn entries(&self) -> IndexEntries<'a> {
        self.entries_from(0)
    }

    /// The entries from the one at `position` of Index.db on.
    pub fn entries_from(&self, position: u64) -> IndexEntries<'a> {
        IndexEntries::from(self.file, position)
    }

    /// The first entry; `None` in an empty index.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn first(&self) -> Result<Option<IndexEntry<'a>>> {
        self.entries().next().transpose()
    }

    /// The last entry; `None` in an empty index.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn last(&self) -> Result<Option<IndexEntry<'a>>> {
        let start = match &self.summary {
            Some(summary) if !summary.is_empty() => summary.entry(summary.len() - 1)?.1,
            _ => 0,
        };
        let mut last = None;
        for entry in self.entries_from(start) {
            last = Some(entry?);
        }
        Ok(last)
    }

    /// From the `i`th entry of the summary to the next one: offsets in Index.db.
    fn interval(&self, summary: &Summary<'_>, i: usize) -> Result<(usize, usize)> {
        let len = self.file.len();
        let position = |i| -> Result<usize> {
            let (_, position) = summary.entry(i)?;
            usize::try_from(position)
                .ok()
                .filter(|position| *position < len)
                .ok_or_else(|| beyond(position))
        };
        let end = match i + 1 < summary.len() {
            true => position(i + 1)?,
            false => len,
        };
        Ok((self.sampled(summary, i)?, end))
    }

    /// Offset of the entry of Index.db that the `i`th of the summary stands for. A summary of another SSTable would make
    /// partitions vanish: the keys of both must be the same.
    #[inline]
    fn sampled(&self, summary: &Summary<'_>, i: usize) -> Result<usize> {
        let (key, position) = summary.entry(i)?;
        let at = usize::try_from(position).ok();
        let same = at.and_then(|at| self.file.get(at..)).is_some_and(|entry| {
            entry.split_first_chunk().is_some_and(|(len, rest)| {
                u16::from_be_bytes(*len) as usize == key.len() && rest.starts_with(key)
            })
        });
        match at {
            Some(at) if same => Ok(at),
            _ => Err(unfit(position)),
        }
    }

    /// Offset of the first entry, for what precedes all of the summary, whose first entry it must be.
    #[cold]
    fn before_all(&self, summary: &Summary<'_>) -> Result<u64> {
        if summary.is_empty() != self.file.is_empty()
            || (!summary.is_empty() && self.sampled(summary, 0)? != 0)
        {
            return Err(unfit(0));
        }
        Ok(0)
    }
}

#[cold]
fn unfit(position: u64) -> Error {
    Error::corrupt("the entry here is not the one that Summary.db names")
        .advise("Summary.db does not fit Index.db: delete it")
        .in_component(COMPONENT)
        .at(position)
}

#[cold]
fn beyond(position: u64) -> Error {
    error(DecodeError::Eof, position).advise("Summary.db does not fit Index.db: delete it")
}
