//! Sorted records as the one stream: versions of a row become one row, overlapping ranges become markers.
//!
//! Authority: `o.a.c.db.partitions.PartitionUpdate.Builder`, `o.a.c.db.RangeTombstoneList`,
//! `o.a.c.db.rows.RowAndDeletionMergeIterator`: what a partition's own deletions shadow is left out.

use super::record::{Kind, Record};
use crate::merge::{ClusteringOf, MergeRules, OwnedRow, RowMerger};
use crate::model::{
    Bound, BoundKind, DeletionTime, MarkerBuf, MarkerRef, PartitionHead, PartitionSource, RowBuf,
    RowRef, Span, StreamHeader, Unfiltered,
};
use crate::{Error, Result};
use std::cmp::Ordering;
use std::sync::Arc;

/// A cursor over records in the order of partitions, and inside each one of their positions.
pub(crate) trait Records {
    /// Goes to the next record; `false` at the end.
    fn advance(&mut self) -> Result<bool>;

    /// The record it stands on.
    fn current(&self) -> Result<Record<'_>>;

    /// Whether there is a record behind it, which is then at hand.
    fn has_following(&mut self) -> Result<bool>;

    /// The record behind it, if there is one and [`has_following`](Self::has_following) said so.
    fn following(&self) -> Result<Record<'_>>;
}

/// The stream of sorted records.
pub(crate) struct RecordSource<R> {
    records: R,
    rules: Arc<MergeRules>,
    started: bool,
    /// The records stand on one that was not used yet.
    has_record: bool,
    key: Vec<u8>,
    deletion: DeletionTime,
    static_row: OwnedRow,
    /// Ranges that are open: where they end, and what they delete.
    active: Vec<(Bound, DeletionTime)>,
    /// What the open ones delete together.
    open: DeletionTime,
    row: RowBuf,
    merged: OwnedRow,
    merger: RowMerger,
    /// Versions of a row, and how many of them are in use.
    versions: Vec<(Vec<u8>, RowBuf)>,
    version_count: usize,
    marker: OwnedMarker,
    spans: Vec<Span>,
    other_spans: Vec<Span>,
    shown: Shown,
}

/// What the source stands on inside a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// The row of the present record.
    Record,
    Merged,
    Marker,
}

#[derive(Debug, Default)]
struct OwnedMarker {
    bytes: Vec<u8>,
    marker: MarkerBuf,
}

impl<R: Records> RecordSource<R> {
    pub fn new(records: R, rules: Arc<MergeRules>) -> Self {
        RecordSource {
            records,
            rules,
            started: false,
            has_record: false,
            key: Vec::new(),
            deletion: DeletionTime::LIVE,
            static_row: OwnedRow::default(),
            active: Vec::new(),
            open: DeletionTime::LIVE,
            row: RowBuf::default(),
            merged: OwnedRow::default(),
            merger: RowMerger::default(),
            versions: Vec::new(),
            version_count: 0,
            marker: OwnedMarker::default(),
            spans: Vec::new(),
            other_spans: Vec::new(),
            shown: Shown::Nothing,
        }
    }

    fn advance(&mut self) -> Result<()> {
        self.has_record = self.records.advance()?;
        Ok(())
    }

    /// Whether the present record is of the present partition.
    #[inline(always)]
    fn is_in_partition(&self) -> Result<bool> {
        Ok(self.has_record && self.records.current()?.key() == self.key)
    }

    fn columns(&self) -> usize {
        self.rules.header().clustering.len()
    }

    /// Takes the present record's row as another version.
    fn keep_version(&mut self) -> Result<()> {
        if self.versions.len() == self.version_count {
            self.versions.push(Default::default());
        }
        let columns = self.columns();
        let (bytes, row) = &mut self.versions[self.version_count];
        let record = self.records.current()?;
        bytes.clear();
        bytes.extend_from_slice(record.bytes());
        record.row(columns, row)?;
        self.version_count += 1;
        Ok(())
    }

    /// Merges the versions that were kept; `false` if nothing is left.
    fn merge_versions(&mut self, into_static: bool, active: DeletionTime) -> Result<bool> {
        let kept = &self.versions[..self.version_count];
        let refs: Vec<RowRef<'_>> = kept.iter().map(|(b, r)| RowRef::new(b, r)).collect();
        let (rules, out) = match into_static {
            true => (self.rules.statics(), &mut self.static_row),
            false => (self.rules.regulars(), &mut self.merged),
        };
        self.merger
            .merge(&refs, ClusteringOf::Last, active, rules, out)
    }

    /// Shows the row of the present record, with its other versions. `false` if nothing is left of it.
    #[inline]
    fn next_row(&mut self) -> Result<bool> {
        let columns = self.columns();
        let active = self.deletion.max(self.open);
        if !self.is_repeated()? {
            if active.is_live() {
                self.records.current()?.row(columns, &mut self.row)?;
                let row = &self.row;
                // A row's own deletion shadows what is older in it.
                if row.deletion.time.is_live() && row.complex_deletions.is_empty() {
                    self.shown = Shown::Record;
                    return Ok(true);
                }
            }
            self.version_count = 0;
            self.keep_version()?;
        } else {
            self.version_count = 0;
            loop {
                let more = self.is_repeated()?;
                self.keep_version()?;
                if !more {
                    break;
                }
                self.advance()?;
            }
        }
        self.shown = Shown::Merged;
        self.merge_versions(false, active)
    }

    /// Whether the next record is another version of the present one's row.
    #[inline(always)]
    fn is_repeated(&mut self) -> Result<bool> {
        if !self.records.has_following()? {
            return Ok(false);
        }
        let columns = self.columns();
        let (record, next) = (self.records.current()?, self.records.following()?);
        if next.kind() != Kind::Row || next.key() != record.key() {
            return Ok(false);
        }
        record.start(columns, &mut self.spans)?;
        next.start(columns, &mut self.other_spans)?;
        let order = self.rules.comparator().compare(
            record.values(&self.spans),
            BoundKind::Clustering,
            next.values(&self.other_spans),
            BoundKind::Clustering,
        );
        Ok(order.is_eq())
    }

    /// The place in the partition where an open range ends first.
    fn first_end(&self) -> Option<usize> {
        let comparator = self.rules.comparator();
        (0..self.active.len())
            .min_by(|a, b| comparator.compare_bounds(&self.active[*a].0, &self.active[*b].0))
    }

    /// How the bound compares with where the present record starts.
    fn compare_to_record(&mut self, bound: &Bound) -> Result<Ordering> {
        let columns = self.columns();
        let record = self.records.current()?;
        let kind = record.start(columns, &mut self.spans)?;
        let values = record.values(&self.spans);
        let order = self.rules.comparator();
        Ok(order.compare_to_bound(values, kind, bound).reverse())
    }

    /// Ends and starts the ranges that do so at `at`. `false` if that changes nothing, and there is no marker.
    fn turn(&mut self, at: Bound) -> Result<bool> {
        let rules = self.rules.clone();
        let comparator = rules.comparator();
        self.active
            .retain(|(end, _)| comparator.compare_bounds(end, &at).is_ne());
        while self.is_in_partition()?
            && self.records.current()?.kind() == Kind::Range
            && self.compare_to_record(&at)?.is_eq()
        {
            let (slice, time) = self.records.current()?.range()?;
            if time.supersedes(&self.deletion) {
                self.active.push((slice.end, time));
            }
            self.advance()?;
        }
        let deletions = self.active.iter().map(|(_, time)| *time);
        let open = deletions.fold(DeletionTime::LIVE, DeletionTime::max);
        let close = std::mem::replace(&mut self.open, open);
        if open == close {
            return Ok(false);
        }
        let before = at.kind.weight().is_lt();
        let kind = match (close.is_live(), open.is_live(), before) {
            (true, _, true) => BoundKind::InclStart,
            (true, _, false) => BoundKind::ExclStart,
            (_, true, true) => BoundKind::ExclEnd,
            (_, true, false) => BoundKind::InclEnd,
            (.., true) => BoundKind::ExclEndInclStart,
            (.., false) => BoundKind::InclEndExclStart,
        };
        self.marker.set(kind, &at.values, close, open)?;
        self.shown = Shown::Marker;
        Ok(true)
    }

    /// Keeps the static row of the present partition, of all its versions.
    fn take_static(&mut self) -> Result<()> {
        self.version_count = 0;
        while self.is_in_partition()? && self.records.current()?.kind() == Kind::Static {
            self.keep_version()?;
            self.advance()?;
        }
        match self.version_count {
            0 => self.static_row.clear(),
            _ => drop(self.merge_versions(true, self.deletion)?),
        }
        Ok(())
    }
}

impl OwnedMarker {
    fn set(
        &mut self,
        kind: BoundKind,
        values: &[Option<Vec<u8>>],
        close: DeletionTime,
        open: DeletionTime,
    ) -> Result<()> {
        self.bytes.clear();
        self.marker.values.clear();
        for value in values {
            let start = self.bytes.len();
            let bytes = value.as_deref().unwrap_or_default();
            self.bytes.extend_from_slice(bytes);
            let too_long = |_| Error::invalid("a bound of over 4 GiB");
            self.marker.values.push(match value {
                None => Span::NULL,
                Some(_) => Span {
                    start: u32::try_from(start).map_err(too_long)?,
                    len: u32::try_from(bytes.len()).map_err(too_long)?,
                },
            });
        }
        self.marker.kind = kind;
        self.marker.close = close;
        self.marker.open = open;
        Ok(())
    }
}

impl<R: Records> PartitionSource for RecordSource<R> {
    fn header(&self) -> &StreamHeader {
        self.rules.header()
    }

    fn next_partition(&mut self) -> Result<bool> {
        if !self.started {
            self.started = true;
            self.advance()?;
        } else {
            while self.is_in_partition()? {
                self.advance()?;
            }
        }
        self.shown = Shown::Nothing;
        self.active.clear();
        self.open = DeletionTime::LIVE;
        if !self.has_record {
            return Ok(false);
        }
        self.key.clear();
        self.key.extend_from_slice(self.records.current()?.key());
        self.deletion = DeletionTime::LIVE;
        while self.is_in_partition()? && self.records.current()?.kind() == Kind::Partition {
            let deletion = self.records.current()?.partition_deletion()?;
            self.deletion = self.deletion.max(deletion);
            self.advance()?;
        }
        self.take_static()?;
        Ok(true)
    }

    fn partition(&self) -> PartitionHead<'_> {
        PartitionHead {
            key: &self.key,
            deletion: self.deletion,
            static_row: (!self.static_row.is_empty()).then(|| self.static_row.get()),
            position: 0,
            body_position: 0,
        }
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        if matches!(self.shown, Shown::Record | Shown::Merged) {
            self.advance()?;
        }
        self.shown = Shown::Nothing;
        loop {
            let has_record = self.is_in_partition()?;
            if let Some(i) = self.first_end() {
                let end = self.active[i].0.clone();
                if !has_record || self.compare_to_record(&end)?.is_le() {
                    if self.turn(end)? {
                        return Ok(true);
                    }
                    continue;
                }
            }
            if !has_record {
                return Ok(false);
            }
            if self.records.current()?.kind() == Kind::Range {
                let (slice, _) = self.records.current()?.range()?;
                if self.turn(slice.start)? {
                    return Ok(true);
                }
                continue;
            }
            if self.next_row()? {
                return Ok(true);
            }
            self.shown = Shown::Nothing;
            self.advance()?;
        }
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        match self.shown {
            Shown::Marker => {
                Unfiltered::Marker(MarkerRef::new(&self.marker.bytes, &self.marker.marker))
            }
            Shown::Merged => Unfiltered::Row(self.merged.get()),
            Shown::Record | Shown::Nothing => {
                let bytes = self.records.current().map_or(&[][..], |r| r.bytes());
                Unfiltered::Row(RowRef::new(bytes, &self.row))
            }
        }
    }
}
