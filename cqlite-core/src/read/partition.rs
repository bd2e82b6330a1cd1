//! Reads one partition of a table, or slices of it, from as few SSTables as it takes.
//!
//! Authority: `o.a.c.db.SinglePartitionReadCommand.{queryMemtableAndDiskInternal,queryMemtableAndSSTablesInTimestampOrder}`.
//! Filters are asked here before newer data is: what both turn away is counted as the filter's.

use super::gathered::{Gathered, Left, Needed};
use super::member::{Asked, Member};
use super::source::{Kind, Partitions, TableSource};
use super::{Queried, TableReader, WHOLE};
use crate::Result;
use crate::merge::Merge;
use crate::metrics::{Operation, ReadStats, TimedRead};
use crate::model::{DeletionTime, Slice};

/// Slices of the partition with a raw key.
pub(super) fn read<'a>(
    reader: &'a TableReader,
    key: &'a [u8],
    slices: &'a [Slice],
    reversed: bool,
    queried: &Queried,
) -> Result<Partitions<'a>> {
    let slices = if slices.is_empty() { WHOLE } else { slices };
    let metrics = reader.metrics.as_ref();
    let timed = metrics.and_then(|metrics| {
        let is_read = slices == WHOLE || reader.is_read_by_name(slices, queried);
        metrics.begin_read(match is_read {
            true => Operation::Read,
            false => Operation::Slice,
        })
    });
    // An absent key mostly ends here, after as few instructions as can be: then several reads wait for memory at once.
    let key = reader.partitioner().decorate(key);
    let mut stats = ReadStats::default();
    let mut first = 0;
    for member in &reader.sstables {
        if member.might_contain(&key, &mut stats)? {
            break;
        }
        first += 1;
    }
    if first == reader.sstables.len() && reader.memtables.is_empty() {
        if let Some(metrics) = metrics {
            metrics.note(&stats);
        }
        return Ok(Partitions::new(Merge::of_nothing(&reader.rules), timed));
    }
    let read = Read {
        reader,
        asked: Asked {
            key: &key,
            slices,
            reversed,
        },
        queried,
        first,
        stats,
    };
    read.run(timed)
}

/// A read that is under way.
struct Read<'k, 'a> {
    reader: &'a TableReader,
    asked: Asked<'k, 'a>,
    queried: &'k Queried,
    /// Number of the first SSTable that may have the partition.
    first: usize,
    stats: ReadStats,
}

impl<'a> Read<'_, 'a> {
    #[inline(never)]
    fn run(mut self, mut timed: Option<TimedRead>) -> Result<Partitions<'a>> {
        let slices = self.asked.slices;
        let reader = self.reader;
        let span =
            tracing::debug_span!("read", table = %reader.schema.full_name(), slices = slices.len());
        let _span = span.enter();
        let by_name = reader.is_read_by_name(slices, self.queried);
        // Rows of compact tables have no liveness that tells that they are whole.
        let stops_early = by_name && !reader.schema.is_compact;
        let sources = match stops_early {
            true => self.until_decided()?,
            false => self.all()?,
        };
        if let Some(metrics) = &reader.metrics {
            metrics.note(&self.stats);
        }
        if let Some(timed) = &mut timed {
            timed.of_sstables(self.stats.sstables.into());
        }
        let meets = sources.len() > 1;
        let mut merge = Merge::new(&reader.rules, sources, self.asked.reversed);
        if meets && by_name {
            merge.prefer_first_clustering();
        }
        Ok(Partitions::new(merge, timed))
    }

    /// The SSTables from the first one on that may have the partition, the newest first.
    fn members(&self) -> impl Iterator<Item = (usize, &'a Member)> + use<'a> {
        self.reader.sstables.iter().enumerate().skip(self.first)
    }

    /// Whether the `i`th SSTable may have the partition.
    fn might_contain(&mut self, i: usize, member: &Member) -> Result<bool> {
        // That was found out of the first one.
        Ok(i == self.first || member.might_contain(self.asked.key, &mut self.stats)?)
    }

    /// What the memtables have of the partition, the newest first.
    fn memory(&self) -> Result<Vec<TableSource<'a>>> {
        let mut sources = Vec::new();
        let Asked {
            key,
            slices,
            reversed,
        } = self.asked;
        for memtable in &self.reader.memtables {
            if let Some(source) = memtable.read(*key, slices, reversed)? {
                let kind = self.queried.of_memtable(source);
                sources.extend(TableSource::opened(kind)?);
            }
        }
        Ok(sources)
    }

    /// What the memtables and SSTables have, but for SSTables that are all older than the partition's deletion.
    fn all(&mut self) -> Result<Vec<TableSource<'a>>> {
        let mut sources = self.memory()?;
        let deletions = sources.iter().map(TableSource::deletion);
        let mut deletion = deletions.fold(DeletionTime::LIVE, DeletionTime::max);
        for (i, member) in self.members() {
            if member.max_timestamp < deletion.marked_for_delete_at {
                self.stats.by_deletion += 1;
                continue;
            }
            if !self.might_contain(i, member)? {
                continue;
            }
            let layout = || self.queried.layout(i, member);
            if let Some(source) = member.read(&self.asked, layout, &mut self.stats)? {
                deletion = deletion.max(source.deletion());
                sources.push(source);
            }
        }
        Ok(sources)
    }

    /// What the memtables and SSTables have of rows that are read by their names: the newest SSTables first, until what is left
    /// is too old to change anything. All but what was read last is merged then.
    fn until_decided(&mut self) -> Result<Vec<TableSource<'a>>> {
        let mut sources = self.memory()?;
        let mut gathered: Option<Gathered<'a>> = None;
        // Some of the slices, once others are decided.
        let mut fewer: Option<Vec<Slice>> = None;
        for (i, member) in self.members() {
            if !self.might_contain(i, member)? {
                continue;
            }
            if !sources.is_empty() {
                gathered = Some(self.gather(gathered, std::mem::take(&mut sources))?);
            }
            if let Some(gathered) = &gathered {
                if member.max_timestamp < gathered.deletion().marked_for_delete_at {
                    self.stats.by_deletion += 1;
                    continue;
                }
                let wanted = fewer.as_deref().unwrap_or(self.asked.slices);
                match self.left(gathered, wanted, member) {
                    Left::Everything => {}
                    Left::Some(slices) => fewer = Some(slices),
                    Left::Nothing => {
                        self.stats.by_newer += 1;
                        continue;
                    }
                }
            }
            let layout = || self.queried.layout(i, member);
            let Some(slices) = &fewer else {
                let source = member.read(&self.asked, layout, &mut self.stats)?;
                sources.extend(source);
                continue;
            };
            let asked = Asked {
                slices,
                ..self.asked
            };
            if let Some(source) = member.read(&asked, layout, &mut self.stats)? {
                gathered = Some(self.gather(gathered, vec![source])?);
            }
        }
        if let Some(gathered) = gathered {
            sources.insert(0, TableSource::new(Kind::Gathered(Box::new(gathered))));
        }
        Ok(sources)
    }

    /// What was gathered, merged with more.
    fn gather<'s>(
        &self,
        gathered: Option<Gathered<'a>>,
        sources: Vec<TableSource<'s>>,
    ) -> Result<Gathered<'a>>
    where
        'a: 's,
    {
        let gathered =
            gathered.map(|gathered| TableSource::new(Kind::Gathered(Box::new(gathered))));
        let all: Vec<TableSource<'s>> = gathered.into_iter().chain(sources).collect();
        let Asked { key, reversed, .. } = self.asked;
        let mut merge = Merge::new(&self.reader.rules, all, reversed);
        merge.prefer_first_clustering();
        Gathered::of(self.reader.header(), key.key, &mut merge, reversed)
    }

    /// What of the wanted rows an SSTable, and those that are older, may still change.
    fn left(&self, gathered: &Gathered<'_>, wanted: &[Slice], member: &Member) -> Left {
        let reader = self.reader;
        let asked: Vec<usize>;
        let regulars = match &self.queried.kept {
            Some(kept) => {
                asked = kept.asked().collect();
                &asked
            }
            None => &reader.regulars,
        };
        let needed = Needed {
            regulars,
            statics: &self.queried.statics,
            columns: &reader.header().statics,
        };
        let comparator = reader.rules.comparator();
        gathered.left(wanted, member.max_timestamp, &needed, comparator)
    }
}
