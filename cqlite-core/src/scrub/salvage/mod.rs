//! Everything of a Data.db that can be read, as the one stream: what cannot be is told, and what is out of order is put
//! aside to be sorted.
//!
//! Authority: `o.a.c.io.sstable.format.SortedTableScrubber`, which gives up the rest of a partition at its first damage.
//!
//! ```text
//! head -> rows -+- damage -> search, row index -> rows   (the same partition)
//!               `- nothing more of it -> index, search -> head
//! ```

mod heads;

use super::bytes::{Bytes, More};
use super::event::{Loss, LossKind, Lost, Reordered, ScrubEvent};
use super::guide::{Blocks, Guide};
use super::ranges::Ranges;
use super::search::bound_of;
use super::{ScrubOptions, ttl};
use crate::bytes::DecodeError;
use crate::limits::VALUE_BYTES_MAX;
use crate::merge::sort_cells;
use crate::model::{
    Bound, BoundKind, DeletionTime, MarkerBuf, MarkerRef, PartitionHead, PartitionSource, RowBuf,
    RowRef, Span, StreamHeader, Unfiltered,
};
use crate::partitioner::Partitioner;
use crate::sstable::Version;
use crate::sstable::builder::Sorter;
use crate::sstable::component::filter::BloomFilter;
use crate::sstable::data::{DataFile, Decoded, Layout, decode_unfiltered, peek_unfiltered};
use crate::sstable::index::Clusterings;
use crate::sstable::verify::blocks::{Prefix, PrefixRef};
use crate::sstable::verify::findings::Findings;
use crate::sstable::verify::rows::RowChecks;
use crate::sstable::verify::totals::Totals;
use crate::types::CqlType;
use crate::{Error, Result};
use std::sync::Arc;

/// Rows between two looks at whether to go on.
const WATCHED_ROWS: u64 = 1024;

/// What is read, and how.
pub(super) struct Inputs<'a> {
    pub data: &'a DataFile,
    /// What chunks from this one on are read from if their checksums are wrong.
    pub unchecked: Option<(&'a DataFile, u64)>,
    /// Smallest and largest write timestamp, by Statistics.db.
    pub timestamps: Option<(i64, i64)>,
    pub partitioner: &'a Partitioner,
    pub clusterings: &'a Clusterings,
    pub stream: Arc<StreamHeader>,
    pub layout: Layout,
    pub checks: RowChecks,
    pub filter: Option<&'a BloomFilter<crate::io::Mapped>>,
    /// First and last key, by Statistics.db.
    pub key_range: Option<&'a (Vec<u8>, Vec<u8>)>,
    /// Whether partitions may be deleted, by Statistics.db.
    pub may_have_deletions: bool,
    /// Version of the new SSTables.
    pub version: Version,
    pub options: &'a ScrubOptions,
}

/// Why something cannot be read.
pub(super) enum Trouble {
    /// Bytes up to a position cannot be had.
    Bad(u64, Error),
    /// They can, and make no sense.
    Wrong(Error),
}

impl Trouble {
    /// Where what is unharmed may start again behind something at `at`, and why it may not before.
    fn split(self, at: u64) -> (u64, bool, Error) {
        match self {
            Trouble::Bad(end, e) => (end.max(at + 1), false, e),
            Trouble::Wrong(e) => (at + 1, true, e),
        }
    }
}

/// What the cursor stands on inside a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Row,
    Marker,
}

/// The cursor.
pub(super) struct Salvage<'a> {
    pub(super) inputs: Inputs<'a>,
    pub(super) bytes: Bytes<'a>,
    has_checksums: bool,
    has_counters: bool,
    guide: Option<Guide<'a>>,
    findings: Findings<'a>,
    tell: &'a mut dyn FnMut(ScrubEvent),
    watch: &'a mut dyn FnMut(u64) -> Result<()>,
    /// What is out of order.
    aside: &'a mut Sorter,
    /// Where the next partition starts.
    position: u64,
    /// Start of the present partition, and where the next one starts if the index tells.
    pub(super) start: u64,
    pub(super) limit: Option<u64>,
    pub(super) blocks: Option<Blocks<'a>>,
    head: Vec<u8>,
    key: Vec<u8>,
    deletion: DeletionTime,
    static_row: RowBuf,
    body: u64,
    inside: bool,
    is_aside: bool,
    /// Something of the present partition was saved.
    has_saved: bool,
    /// Key of the last partition that was not put aside.
    last_key: Option<Vec<u8>>,
    /// Where the next row or marker starts.
    at: u64,
    /// The last row or marker that was not put aside.
    last: Prefix,
    has_last: bool,
    pub(super) ranges: Ranges,
    /// The row that was decoded last is to be shown.
    has_row: bool,
    row_at: u64,
    shown: Shown,
    pub(super) row: RowBuf,
    pub(super) marker: MarkerBuf,
    pub(super) spans: Vec<Span>,
    pub(super) totals: Totals,
    read: u64,
    pub(super) saved_partitions: u64,
    pub(super) saved_rows: u64,
    pub(super) lost: Lost,
    pub(super) reordered: u64,
}

impl<'a> Salvage<'a> {
    pub fn new(
        inputs: Inputs<'a>,
        guide: Option<Guide<'a>>,
        findings: Findings<'a>,
        tell: &'a mut dyn FnMut(ScrubEvent),
        watch: &'a mut dyn FnMut(u64) -> Result<()>,
        aside: &'a mut Sorter,
    ) -> Self {
        let stream = &inputs.stream;
        let mut columns = stream.statics.iter().chain(&stream.regulars);
        Salvage {
            bytes: Bytes::new(inputs.data, inputs.unchecked),
            has_checksums: inputs.data.has_checksums(),
            has_counters: columns.any(|c| c.ty == CqlType::Counter),
            inputs,
            guide,
            findings,
            tell,
            watch,
            aside,
            position: 0,
            start: 0,
            limit: None,
            blocks: None,
            head: Vec::new(),
            key: Vec::new(),
            deletion: DeletionTime::LIVE,
            static_row: RowBuf::default(),
            body: 0,
            inside: false,
            is_aside: false,
            has_saved: false,
            last_key: None,
            at: 0,
            last: Prefix::default(),
            has_last: false,
            ranges: Ranges::default(),
            has_row: false,
            row_at: 0,
            shown: Shown::Row,
            row: RowBuf::default(),
            marker: MarkerBuf::default(),
            spans: Vec::new(),
            totals: Totals::new(None),
            read: 0,
            saved_partitions: 0,
            saved_rows: 0,
            lost: Lost::default(),
            reordered: 0,
        }
    }

    /// Tells what is known at the end only.
    pub fn finish(&mut self, is_digest_right: bool) {
        if let (true, Some(chunk)) = (is_digest_right, self.bytes.mistold()) {
            let what =
                format!("the checksum of chunk {chunk} is wrong: Data.db matches its digest");
            self.findings.fault("CRC.db", Error::corrupt(what));
        }
    }

    /// Tells of something that is lost.
    ///
    /// # Errors
    /// In a table of counters, which count less then, unless that was allowed.
    fn lose(&mut self, loss: Loss) -> Result<()> {
        if self.has_counters && !self.inputs.options.skip_corrupted {
            let what = format!(
                "{}: without what is lost there counters would count less",
                loss.cause.message()
            );
            return Err(Error::corrupt(what)
                .advise("restore it from a replica; --skip-corrupted goes on all the same")
                .in_partition(&loss.key.unwrap_or_default())
                .at(loss.start)
                .in_component("Data.db")
                .in_file(self.inputs.data.source().path()));
        }
        self.lost.count += 1;
        self.lost.partitions += u64::from(loss.kind == LossKind::Partition);
        self.lost.bytes = self
            .lost
            .bytes
            .saturating_add(loss.end.saturating_sub(loss.start));
        (self.tell)(ScrubEvent::Lost(loss));
        Ok(())
    }

    /// Something of the present partition that is lost.
    fn lose_of_partition(
        &mut self,
        kind: LossKind,
        (start, end): (u64, u64),
        clusterings: (Option<Bound>, Option<Bound>),
        cause: Error,
    ) -> Result<()> {
        self.lose(Loss {
            kind,
            start,
            end,
            key: Some(self.key.clone()),
            after: clusterings.0,
            before: clusterings.1,
            cause,
        })
    }

    fn lose_partition(
        &mut self,
        (start, end): (u64, u64),
        key: Option<Vec<u8>>,
        cause: Error,
    ) -> Result<()> {
        self.lose(Loss {
            kind: LossKind::Partition,
            start,
            end,
            key,
            after: None,
            before: None,
            cause,
        })
    }

    fn reorder(&mut self, offset: u64, clustering: Option<Bound>, only_cells: bool) {
        self.reordered += 1;
        (self.tell)(ScrubEvent::Reordered(Reordered {
            offset,
            key: self.key.clone(),
            clustering,
            only_cells,
        }));
    }

    /// Goes on without the index.
    fn distrust(&mut self, what: &str, position: u64) {
        let Some(guide) = self.guide.take() else {
            return;
        };
        let what = format!("{what} (at {position} of Data.db): it is not used from there on");
        let component = guide.component();
        self.findings.fault(component, Error::corrupt(what));
        self.limit = None;
        self.blocks = None;
    }

    /// Goes to the next row or marker that is in order. `false` at the end of the partition.
    fn advance(&mut self) -> Result<bool> {
        loop {
            if self.ranges.show() {
                self.shown = Shown::Marker;
                return Ok(true);
            }
            if std::mem::take(&mut self.has_row) {
                self.shown = Shown::Row;
                return Ok(true);
            }
            if !self.inside {
                self.saved_partitions += u64::from(std::mem::take(&mut self.has_saved));
                return Ok(false);
            }
            self.read += 1;
            if self.read.is_multiple_of(WATCHED_ROWS) {
                (self.watch)(self.at)?;
            }
            let at = self.at;
            if self.limit.is_some_and(|limit| at >= limit) && !self.goes_on(at)? {
                continue;
            }
            match self.decode(at) {
                Ok((Decoded::End, _)) => {
                    if self.ends_early(at) {
                        let e = Error::corrupt("the partition ends before the index's next one");
                        self.damaged(at, Trouble::Wrong(e))?;
                    } else {
                        self.position = at + 1;
                        self.end(at)?;
                    }
                }
                Ok((decoded, len)) => {
                    self.at = at + len;
                    self.take(decoded, at, len)?;
                }
                Err(trouble) => self.damaged(at, trouble)?,
            }
        }
    }

    /// Whether the partition goes on at `at`, where the next one should start: the index is wrong then.
    fn goes_on(&mut self, at: u64) -> Result<bool> {
        if self.has_checksums || !self.is_next_head() {
            self.distrust("it names a partition inside another one", at);
            return Ok(true);
        }
        let what = "the end of the partition is not marked as such";
        let e = Error::corrupt(what).at(at).in_partition(&self.key);
        self.findings.fault("Data.db", e);
        self.position = self.limit.unwrap_or(at);
        self.end(at)?;
        Ok(false)
    }

    /// Whether an end at `at` is none, for the index tells otherwise. If it is wrong, it is not used any more.
    fn ends_early(&mut self, at: u64) -> bool {
        let Some(limit) = self.limit.filter(|limit| *limit != at + 1) else {
            return false;
        };
        // What checksums cover was written so.
        if !self.has_checksums && limit > at && self.is_next_head() {
            return true;
        }
        if at + 1 < self.bytes.len() {
            self.distrust("it leads past the end of a partition", at);
        }
        false
    }

    fn decode(&mut self, at: u64) -> std::result::Result<(Decoded, u64), Trouble> {
        loop {
            let bytes = self.bytes.from(at);
            let layout = &self.inputs.layout;
            match decode_unfiltered(bytes, layout, &mut self.row, &mut self.marker) {
                Ok((decoded, len)) => return Ok((decoded, len as u64)),
                Err(DecodeError::Eof) => {}
                Err(e) => return Err(Trouble::Wrong(e.into())),
            }
            // One that reaches beyond the end of the partition need not be read to its end.
            let end = self.limit.unwrap_or(u64::MAX).min(self.bytes.len());
            if let Ok(peeked) = peek_unfiltered(bytes, layout, &mut self.spans)
                && peeked.len > end.saturating_sub(at)
                && (!self.has_checksums || end == self.bytes.len())
            {
                let what = "a row's size reaches beyond the end of the partition";
                return Err(Trouble::Wrong(Error::corrupt(what)));
            }
            match self.bytes.more(at) {
                More::Yes => {}
                More::End => return Err(Trouble::Wrong(DecodeError::Eof.into())),
                More::Bad(end, e) => return Err(Trouble::Bad(end, e)),
            }
        }
    }

    /// Goes on behind something at `at` that cannot be read.
    fn damaged(&mut self, at: u64, trouble: Trouble) -> Result<()> {
        let (from, is_readable, cause) = trouble.split(at);
        let after = self.last_bound();
        self.cut_range(
            at,
            "it is open where rows are lost: it ends at the last row before",
        )?;
        if let Some(resumed) = self.resume(at, from, is_readable) {
            self.at = resumed.at;
            self.ranges.resume(resumed.open);
            let between = (after, resumed.first);
            return self.lose_of_partition(LossKind::Rows, (at, resumed.at), between, cause);
        }
        let end = match self.limit {
            Some(limit) => limit.min(self.bytes.len()),
            None => self.next_partition_from(self.start, from),
        };
        self.position = end;
        self.inside = false;
        // Just the byte that ends the partition.
        if end == at + 1 && is_readable && self.limit == Some(end) {
            let e = cause.at(at).in_partition(&self.key);
            self.findings.fault("Data.db", e);
            return Ok(());
        }
        self.lose_of_partition(LossKind::Rows, (at, end), (after, None), cause)
    }

    /// Ends the partition at `at`.
    fn end(&mut self, at: u64) -> Result<()> {
        self.inside = false;
        self.cut_range(at, "it is open at the end of the partition")
    }

    /// Ends the range tombstone that is open at `at`, if there is one.
    fn cut_range(&mut self, at: u64, what: &str) -> Result<()> {
        let after = self.last_bound();
        let cut = self.ranges.cut(after.as_ref());
        if let Some((slice, deletion)) = cut.aside {
            self.aside.add_range(&self.key, &slice, deletion)?;
        }
        match cut.is_open {
            false => Ok(()),
            true => {
                let kind = LossKind::RangeTombstone;
                self.lose_of_partition(kind, (at, at), (after, None), Error::corrupt(what))
            }
        }
    }

    fn last_bound(&self) -> Option<Bound> {
        self.has_last.then(|| bound_of(self.last.get()))
    }

    fn take(&mut self, decoded: Decoded, at: u64, len: u64) -> Result<()> {
        if decoded == Decoded::Marker {
            return self.take_marker(at, len);
        }
        if self.row.is_empty() {
            return Ok(());
        }
        if self.inputs.options.reinsert_overflowed_ttl {
            ttl::reinsert(&mut self.row);
        }
        let bytes = self.bytes.from(at);
        let set_in_order = check_row(&self.inputs, bytes, &mut self.row, &mut self.totals);
        let row = RowRef::new(bytes, &self.row);
        let bound = bound_of((row.clustering(), BoundKind::Clustering));
        match set_in_order {
            Ok(false) => {}
            Ok(true) => self.reorder(at, Some(bound), true),
            // It need not be a row at all.
            Err(e) if !self.has_checksums => return self.damaged(at, Trouble::Wrong(e)),
            Err(e) => {
                let between = (Some(bound), None);
                return self.lose_of_partition(LossKind::Row, (at, at + len), between, e);
            }
        }
        let row = RowRef::new(self.bytes.from(at), &self.row);
        let prefix = (row.clustering(), BoundKind::Clustering);
        self.has_saved = true;
        self.saved_rows += 1;
        if self.ranges.is_aside() {
            self.ranges.meet(&bound_of(prefix));
        }
        if self.is_aside || !self.follows(prefix) {
            self.aside.add_row(&self.key, row)?;
            if !self.is_aside {
                let bound = bound_of(prefix);
                self.reorder(at, Some(bound), false);
            }
            return Ok(());
        }
        self.ranges.release();
        self.last.set(prefix);
        self.has_last = true;
        self.row_at = at;
        self.has_row = true;
        Ok(())
    }

    /// Whether something with this clustering follows the last thing.
    fn follows(&self, (values, kind): PrefixRef<'_>) -> bool {
        if !self.has_last {
            return true;
        }
        let last = self.last.get();
        let order = self.inputs.clusterings.comparator();
        let order = order.compare(last.0, last.1, values, kind);
        // Where one range ends and the next one starts Cassandra once wrote two markers.
        order.is_lt() || (order.is_eq() && last.1.is_end() && kind.is_start() && !kind.is_end())
    }

    fn take_marker(&mut self, at: u64, len: u64) -> Result<()> {
        let marker = MarkerRef::new(self.bytes.from(at), &self.marker);
        let bound = bound_of((marker.values(), marker.kind()));
        let (close, open) = (marker.close(), marker.open());
        let checked = match self.inputs.options.validate {
            true => self.inputs.checks.clustering(marker.values()),
            false => Ok(()),
        };
        let mut told = checked.err();
        if told.is_none() {
            let prefix = (marker.values(), marker.kind());
            let in_order = !self.is_aside && self.follows(prefix);
            let last = self.last_bound();
            let taken = self
                .ranges
                .take(&bound, (close, open), in_order, last.as_ref());
            if taken.is_shown {
                self.last.set(prefix);
                self.has_last = true;
            }
            let order = self.inputs.clusterings.comparator();
            if let Some((slice, deletion)) = taken.aside
                && order.compare_bounds(&slice.start, &slice.end).is_lt()
            {
                self.has_saved = true;
                self.aside.add_range(&self.key, &slice, deletion)?;
                if taken.is_out_of_order && !self.is_aside {
                    self.reorder(at, Some(slice.start), false);
                }
            }
            told = taken.fault.map(Error::corrupt);
        }
        self.has_saved = true;
        match told {
            None => Ok(()),
            Some(e) if !self.has_checksums => self.damaged(at, Trouble::Wrong(e)),
            Some(e) => {
                let between = (Some(bound), None);
                self.lose_of_partition(LossKind::RangeTombstone, (at, at + len), between, e)
            }
        }
    }
}

/// Whether a row may be saved: values of their types, times that can be, lengths that are read again. Cells that are out
/// of order are set in order if that is all; returns whether they were.
fn check_row(
    inputs: &Inputs<'_>,
    bytes: &[u8],
    row: &mut RowBuf,
    totals: &mut Totals,
) -> Result<bool> {
    let mut check = |row: &RowBuf| check_values(inputs, RowRef::new(bytes, row), totals);
    let Err(e) = check(row) else {
        return Ok(false);
    };
    let columns = match row.is_static {
        true => &inputs.stream.statics,
        false => &inputs.stream.regulars,
    };
    let before = row.cells.clone();
    sort_cells(row, bytes, columns);
    match row.cells != before && check(row).is_ok() {
        true => Ok(true),
        false => Err(e),
    }
}

fn check_values(inputs: &Inputs<'_>, row: RowRef<'_>, totals: &mut Totals) -> Result<()> {
    if inputs.options.validate {
        inputs.checks.clustering(row.clustering())?;
        inputs.checks.row(row, totals)?;
    }
    let is_long = |bytes: &[u8]| bytes.len() > VALUE_BYTES_MAX;
    let mut values = row.clustering().iter().flatten();
    let is_too_long = values.any(is_long)
        || row
            .cells()
            .any(|cell| is_long(cell.value) || cell.path.is_some_and(is_long));
    match is_too_long {
        true => Err(Error::corrupt(
            "a value that is longer than Cassandra reads",
        )),
        false => Ok(()),
    }
}

impl PartitionSource for Salvage<'_> {
    fn header(&self) -> &StreamHeader {
        &self.inputs.stream
    }

    fn next_partition(&mut self) -> Result<bool> {
        while self.advance()? {}
        while self.begin()? {
            if !self.is_aside {
                return Ok(true);
            }
            self.put_aside()?;
        }
        Ok(false)
    }

    fn partition(&self) -> PartitionHead<'_> {
        let static_row = &self.static_row;
        PartitionHead {
            key: &self.key,
            deletion: self.deletion,
            static_row: (!static_row.is_empty()).then(|| RowRef::new(&self.head, static_row)),
            position: self.start,
            body_position: self.body,
        }
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        self.advance()
    }

    fn unfiltered(&self) -> Unfiltered<'_> {
        match self.shown {
            Shown::Marker => Unfiltered::Marker(self.ranges.shown()),
            Shown::Row => Unfiltered::Row(RowRef::new(self.bytes.from(self.row_at), &self.row)),
        }
    }
}
