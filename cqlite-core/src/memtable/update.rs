//! Changes that belong together, before they are in a memtable.
//!
//! Authority: `o.a.c.db.partitions.PartitionUpdate`.

use crate::merge::MergeRules;
use crate::model::{DeletionTime, PartitionSource, RowRef, Slice};
use crate::sstable::builder::record::{self, Record};
use crate::sstable::builder::sort::{compare_in_partition, record_at};
use crate::sstable::builder::source::{RecordSource, Records};
use crate::sstable::builder::{ChangeSink, is_empty};
use crate::sstable::component::statistics::{EncodingStats, EncodingStatsCollector};
use crate::{Error, ErrorKind, Result};
use std::cmp::Ordering;
use std::sync::Arc;

/// Gathers changes of a table's partitions. Meant to be reused.
#[derive(Debug)]
pub struct Update {
    rules: Arc<MergeRules>,
    bytes: Vec<u8>,
    stats: EncodingStatsCollector,
}

impl Update {
    /// One of nothing, of a table's columns.
    pub fn new(rules: Arc<MergeRules>) -> Self {
        Update {
            rules,
            bytes: Vec::new(),
            stats: EncodingStatsCollector::default(),
        }
    }

    /// Makes it one of nothing, keeping its memory.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.stats = EncodingStatsCollector::default();
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of what it changes, about; in a memtable they take up to twice as many.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The changes, in the order in which they came.
    #[inline]
    fn records(&self) -> impl Iterator<Item = Result<Record<'_>>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            if at >= self.bytes.len() {
                return None;
            }
            let record = record_at(&self.bytes, at);
            at = match &record {
                Ok(record) => at + record::LENGTH_BYTES + record.bytes().len(),
                Err(_) => self.bytes.len(),
            };
            Some(record)
        })
    }

    /// The records of each partition, in the order in which they came.
    ///
    /// # Errors
    /// None that can be met: the records are its own.
    #[inline]
    pub(crate) fn each_partition<'u>(
        &'u self,
        mut visit: impl FnMut(&[Record<'u>]) -> Result<()>,
    ) -> Result<()> {
        let mut records = self.records();
        let Some(first) = records.next().transpose()? else {
            return Ok(());
        };
        let Some(second) = records.next().transpose()? else {
            return visit(&[first]);
        };
        let mut all = vec![first, second];
        for record in records {
            all.push(record?);
        }
        all.sort_by_key(Record::key);
        let mut partitions = all.chunk_by(|a, b| a.key() == b.key());
        partitions.try_for_each(visit)
    }

    /// What it changes as a stream, of each partition what all its changes come to.
    ///
    /// # Errors
    /// None that can be met: the records are its own.
    pub fn source(&self) -> Result<impl PartitionSource> {
        self.source_of(self.records().collect::<Result<_>>()?)
    }

    /// What some records of it change.
    ///
    /// # Errors
    /// As of [`source`](Self::source).
    pub(crate) fn source_of<'u>(
        &'u self,
        mut records: Vec<Record<'u>>,
    ) -> Result<impl PartitionSource + 'u> {
        if records.len() > 1 {
            let rules = &self.rules;
            let columns = rules.header().clustering.len();
            let mut spans = (Vec::new(), Vec::new());
            let mut failed = None;
            records.sort_by(|a, b| {
                // Mostly all are of one partition, whose token need not be known.
                if a.key() != b.key() {
                    return rules.partitioner().compare_keys(a.key(), b.key());
                }
                let spans = (&mut spans.0, &mut spans.1);
                compare_in_partition(rules, columns, (*a, *b), spans).unwrap_or_else(|e| {
                    failed.get_or_insert(e);
                    Ordering::Equal
                })
            });
            if let Some(e) = failed {
                return Err(e);
            }
        }
        let listed = Listed { records, next: 0 };
        Ok(RecordSource::new(listed, self.rules.clone()))
    }

    pub(super) fn stats(&self) -> EncodingStats {
        self.stats.stats()
    }
}

/// Records in order.
struct Listed<'u> {
    records: Vec<Record<'u>>,
    /// Number of the record behind the present one.
    next: usize,
}

impl Listed<'_> {
    fn at(&self, number: usize) -> Result<Record<'_>> {
        let record = self.records.get(number).copied();
        record.ok_or_else(|| Error::new(ErrorKind::Internal, "there is no such record"))
    }
}

impl Records for Listed<'_> {
    fn advance(&mut self) -> Result<bool> {
        let more = self.next < self.records.len();
        self.next += usize::from(more);
        Ok(more)
    }

    fn current(&self) -> Result<Record<'_>> {
        self.at(self.next.wrapping_sub(1))
    }

    fn has_following(&mut self) -> Result<bool> {
        Ok(self.next < self.records.len())
    }

    fn following(&self) -> Result<Record<'_>> {
        self.at(self.next)
    }
}

impl ChangeSink for Update {
    fn delete_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()> {
        self.stats.deletion(deletion);
        record::partition(&mut self.bytes, key, deletion)
    }

    #[inline]
    fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()> {
        let columns = self.rules.header().clustering.len();
        if !row.is_static() && row.clustering().len() != columns {
            return Err(Error::invalid("a row without all of its clustering values"));
        }
        if row.is_empty() {
            return Ok(());
        }
        self.stats.row(row);
        record::row(&mut self.bytes, key, row)
    }

    fn delete_range(&mut self, key: &[u8], slice: &Slice, deletion: DeletionTime) -> Result<()> {
        if is_empty(self.rules.comparator(), slice) {
            return Ok(());
        }
        self.stats.deletion(deletion);
        record::range(&mut self.bytes, key, slice, deletion)
    }
}
