//! Merges many streams into one, by Cassandra's reconciliation rules.
//!
//! Authority: `o.a.c.db.rows.UnfilteredRowIterators.UnfilteredRowMergeIterator`, `o.a.c.db.rows.RangeTombstoneMarker.Merger`,
//! `o.a.c.db.partitions.UnfilteredPartitionIterators`.
//!
//! A partition that only one source has, and a row that only one source has under no foreign deletion, pass through
//! untouched and uncopied.

pub mod reconcile;
mod row;

use crate::Result;
use crate::model::{
    BoundKind, ClusteringComparator, DeletionTime, MarkerBuf, MarkerRef, PartitionHead,
    PartitionSource, RowRef, Span, StreamHeader, Unfiltered,
};
use crate::partitioner::Partitioner;
pub use row::OwnedRow;
use row::{ClusteringOf, ColumnRules, RowMerger};
use std::cmp::Ordering;
use std::sync::Arc;

/// What a merge of a table's streams goes by: made once a table.
#[derive(Debug)]
pub struct MergeRules {
    header: Arc<StreamHeader>,
    partitioner: Partitioner,
    comparator: ClusteringComparator,
    statics: Vec<ColumnRules>,
    regulars: Vec<ColumnRules>,
}

impl MergeRules {
    /// Of streams that hold keys of `partitioner` and cells of `header`.
    pub fn new(header: Arc<StreamHeader>, partitioner: Partitioner) -> Self {
        MergeRules {
            comparator: ClusteringComparator::new(&header.clustering),
            statics: ColumnRules::of(&header.statics),
            regulars: ColumnRules::of(&header.regulars),
            partitioner,
            header,
        }
    }

    /// The columns that cells name.
    pub fn header(&self) -> &Arc<StreamHeader> {
        &self.header
    }

    /// The partitioner that keys are ordered by.
    pub fn partitioner(&self) -> &Partitioner {
        &self.partitioner
    }

    /// The order of clusterings.
    pub fn comparator(&self) -> &ClusteringComparator {
        &self.comparator
    }
}

/// Many sources as one. All of them have the same header, and the same direction inside partitions.
pub struct Merge<'a, S> {
    rules: &'a MergeRules,
    reversed: bool,
    clustering: ClusteringOf,
    inputs: Vec<Input<S>>,
    started: bool,
    /// The inputs that have the present partition.
    members: Vec<usize>,
    deletion: DeletionTime,
    static_row: OwnedRow,
    /// The inputs at the present position.
    group: Vec<usize>,
    /// Deletion that is open in the merged stream.
    open: DeletionTime,
    current: Current,
    merger: RowMerger,
    row: OwnedRow,
    marker: MarkerBuf,
    marker_bytes: Vec<u8>,
}

struct Input<S> {
    source: S,
    /// It stands on a partition that was not merged yet, or is being merged.
    has_partition: bool,
    /// It stands on an unfiltered that was not merged yet.
    has_unfiltered: bool,
    /// Deletion of the range tombstone that is open in it.
    open: DeletionTime,
}

enum Current {
    /// What the input stands on.
    Of(usize),
    Row,
    Marker,
}

impl<'a, S: PartitionSource> Merge<'a, S> {
    /// Merges `sources`. `reversed` ones give each partition's content from its end.
    pub fn new(rules: &'a MergeRules, sources: Vec<S>, reversed: bool) -> Self {
        Merge {
            rules,
            reversed,
            clustering: ClusteringOf::Last,
            inputs: sources
                .into_iter()
                .map(|source| Input {
                    source,
                    has_partition: false,
                    has_unfiltered: false,
                    open: DeletionTime::LIVE,
                })
                .collect(),
            started: false,
            members: Vec::new(),
            deletion: DeletionTime::LIVE,
            static_row: OwnedRow::default(),
            group: Vec::new(),
            open: DeletionTime::LIVE,
            current: Current::Row,
            merger: RowMerger::default(),
            row: OwnedRow::default(),
            marker: MarkerBuf::default(),
            marker_bytes: Vec::new(),
        }
    }

    /// Rows get the clustering values of the version whose source comes first, not last.
    pub fn with_first_clustering(mut self) -> Self {
        self.clustering = ClusteringOf::First;
        self
    }

    /// The sources, for what they may tell besides their partitions.
    pub fn sources(&self) -> impl Iterator<Item = &S> {
        self.inputs.iter().map(|input| &input.source)
    }

    fn advance_partitions(&mut self) -> Result<()> {
        if !self.started {
            self.started = true;
            self.members = (0..self.inputs.len()).collect();
        }
        for &i in &self.members {
            let input = &mut self.inputs[i];
            input.has_partition = input.source.next_partition()?;
        }
        Ok(())
    }

    /// Collects the inputs that stand on the smallest key.
    fn select_members(&mut self) {
        self.members.clear();
        for i in 0..self.inputs.len() {
            if !self.inputs[i].has_partition {
                continue;
            }
            let order = match self.members.first() {
                None => Ordering::Less,
                Some(&first) => {
                    let a = self.inputs[i].source.partition().key;
                    let b = self.inputs[first].source.partition().key;
                    self.rules.partitioner.compare_keys(a, b)
                }
            };
            collect_least(&mut self.members, i, order);
        }
    }

    fn begin_partition(&mut self) -> Result<()> {
        self.open = DeletionTime::LIVE;
        self.static_row.clear();
        self.group.clear();
        if let [_] = self.members[..] {
            return Ok(());
        }
        self.deletion = DeletionTime::LIVE;
        for &i in &self.members {
            let deletion = self.inputs[i].source.partition().deletion;
            self.deletion = self.deletion.max(deletion);
        }
        let statics: Vec<RowRef<'_>> = self
            .members
            .iter()
            .filter_map(|&i| self.inputs[i].source.partition().static_row)
            .collect();
        let out = &mut self.static_row;
        self.merger.merge(
            &statics,
            self.clustering,
            self.deletion,
            &self.rules.statics,
            out,
        )?;
        for &i in &self.members {
            let input = &mut self.inputs[i];
            input.open = DeletionTime::LIVE;
            input.has_unfiltered = input.source.next_unfiltered()?;
        }
        Ok(())
    }

    /// Collects the inputs that stand on the smallest position, in the direction of reading.
    fn select_group(&mut self) {
        self.group.clear();
        for &i in &self.members {
            if !self.inputs[i].has_unfiltered {
                continue;
            }
            let order = match self.group.first() {
                None => Ordering::Less,
                Some(&first) => {
                    let a = self.inputs[i].source.unfiltered();
                    let b = self.inputs[first].source.unfiltered();
                    let order = self.rules.comparator.compare(
                        a.clustering(),
                        a.kind(),
                        b.clustering(),
                        b.kind(),
                    );
                    match self.reversed {
                        true => order.reverse(),
                        false => order,
                    }
                }
            };
            collect_least(&mut self.group, i, order);
        }
    }

    /// Merges what the group stands on; `false` if nothing comes of it.
    fn merge_group(&mut self) -> Result<bool> {
        let first = self.group[0];
        if let Unfiltered::Marker(_) = self.inputs[first].source.unfiltered() {
            return Ok(self.merge_markers());
        }
        let active = self.deletion.max(self.open);
        if self.group.len() == 1 && active.is_live() {
            self.current = Current::Of(first);
            return Ok(true);
        }
        // A handful of rows: one small allocation, and only where rows really meet.
        let versions: Vec<RowRef<'_>> = self
            .group
            .iter()
            .filter_map(|&i| match self.inputs[i].source.unfiltered() {
                Unfiltered::Row(row) => Some(row),
                Unfiltered::Marker(_) => None,
            })
            .collect();
        self.current = Current::Row;
        let (rules, out) = (&self.rules.regulars, &mut self.row);
        self.merger
            .merge(&versions, self.clustering, active, rules, out)
    }

    /// Works out what is deleted from here on; a marker comes of it where that changes.
    fn merge_markers(&mut self) -> bool {
        let mut weight = Ordering::Less;
        for (n, &i) in self.group.iter().enumerate() {
            let input = &mut self.inputs[i];
            let Unfiltered::Marker(marker) = input.source.unfiltered() else {
                continue;
            };
            if n == 0 {
                weight = marker.kind().weight();
                self.marker.values.clear();
                self.marker_bytes.clear();
                for value in marker.values().iter() {
                    let start = self.marker_bytes.len() as u32;
                    self.marker_bytes
                        .extend_from_slice(value.unwrap_or_default());
                    let len = self.marker_bytes.len() as u32 - start;
                    self.marker
                        .values
                        .push(value.map_or(Span::NULL, |_| Span { start, len }));
                }
            }
            input.open = match self.reversed {
                false => marker.open(),
                true => marker.close(),
            };
        }
        let widest = self
            .members
            .iter()
            .map(|&i| self.inputs[i].open)
            .fold(DeletionTime::LIVE, DeletionTime::max);
        let after = match widest.supersedes(&self.deletion) {
            true => widest,
            false => DeletionTime::LIVE,
        };
        let before = std::mem::replace(&mut self.open, after);
        if before == after {
            return false;
        }
        (self.marker.close, self.marker.open) = match self.reversed {
            false => (before, after),
            true => (after, before),
        };
        let (closes, opens) = (!self.marker.close.is_live(), !self.marker.open.is_live());
        self.marker.kind = match (weight, closes, opens) {
            (Ordering::Less, true, true) => BoundKind::ExclEndInclStart,
            (Ordering::Less, true, false) => BoundKind::ExclEnd,
            (Ordering::Less, ..) => BoundKind::InclStart,
            (_, true, true) => BoundKind::InclEndExclStart,
            (_, true, false) => BoundKind::InclEnd,
            _ => BoundKind::ExclStart,
        };
        self.current = Current::Marker;
        true
    }
}

/// Keeps in `least` the inputs that compare least so far, given how `i` compares with them.
fn collect_least(least: &mut Vec<usize>, i: usize, order: Ordering) {
    if order.is_lt() {
        least.clear();
    }
    if order.is_le() {
        least.push(i);
    }
}

impl<S: PartitionSource> PartitionSource for Merge<'_, S> {
    fn header(&self) -> &StreamHeader {
        &self.rules.header
    }

    fn next_partition(&mut self) -> Result<bool> {
        self.advance_partitions()?;
        self.select_members();
        if self.members.is_empty() {
            return Ok(false);
        }
        self.begin_partition()?;
        Ok(true)
    }

    fn partition(&self) -> PartitionHead<'_> {
        let head = self.inputs[self.members[0]].source.partition();
        if self.members.len() == 1 {
            return head;
        }
        PartitionHead {
            deletion: self.deletion,
            static_row: (!self.static_row.is_empty()).then(|| self.static_row.get()),
            ..head
        }
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        if let [only] = self.members[..] {
            self.current = Current::Of(only);
            return self.inputs[only].source.next_unfiltered();
        }
        loop {
            for &i in &self.group {
                let input = &mut self.inputs[i];
                input.has_unfiltered = input.source.next_unfiltered()?;
            }
            self.select_group();
            if self.group.is_empty() {
                return Ok(false);
            }
            if self.merge_group()? {
                return Ok(true);
            }
        }
    }

    fn unfiltered(&self) -> Unfiltered<'_> {
        match self.current {
            Current::Of(i) => self.inputs[i].source.unfiltered(),
            Current::Row => Unfiltered::Row(self.row.get()),
            Current::Marker => Unfiltered::Marker(MarkerRef::new(&self.marker_bytes, &self.marker)),
        }
    }
}
