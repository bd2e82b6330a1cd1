//! Merges the versions that several inputs have of one partition.
//!
//! Authority: `o.a.c.db.rows.UnfilteredRowIterators.UnfilteredRowMergeIterator`, `o.a.c.db.rows.RangeTombstoneMarker.Merger`.

use super::row::{ColumnRules, OwnedRow, RowMerger};
use super::{Chosen, Input, MergeRules, Order};
use crate::Result;
use crate::model::{
    BoundKind, CellSpan, DeletionTime, MarkerBuf, MarkerRef, PartitionHead, PartitionSource,
    RowBuf, RowRef, Span, Unfiltered,
};
use std::cmp::Ordering;

/// The present partition's merge. Its memory is kept from partition to partition.
pub(super) struct Meeting {
    deletion: DeletionTime,
    static_row: OwnedRow,
    /// Deletion that is open in the merged stream.
    open: DeletionTime,
    current: Current,
    merger: RowMerger,
    /// Memory for the versions of a row.
    versions: Vec<RowRef<'static>>,
    row: OwnedRow,
    marker: MarkerBuf,
    marker_bytes: Vec<u8>,
}

enum Current {
    /// What the input stands on.
    Of(usize),
    Row,
    Marker,
}

impl Default for Meeting {
    fn default() -> Self {
        Meeting {
            deletion: DeletionTime::LIVE,
            static_row: OwnedRow::default(),
            open: DeletionTime::LIVE,
            current: Current::Row,
            merger: RowMerger::default(),
            versions: Vec::new(),
            row: OwnedRow::default(),
            marker: MarkerBuf::default(),
            marker_bytes: Vec::new(),
        }
    }
}

/// The memory of a vector for references of another lifetime: collecting in place keeps it.
fn emptied<'a>(mut rows: Vec<RowRef<'_>>) -> Vec<RowRef<'a>> {
    rows.clear();
    rows.into_iter().map(|_| unreachable!()).collect()
}

fn members<S>(inputs: &[Input<S>]) -> impl Iterator<Item = &Input<S>> {
    inputs.iter().filter(|input| input.is_member)
}

impl Meeting {
    /// Begins with the partition that the members among the inputs stand on.
    pub fn begin<S: PartitionSource>(
        &mut self,
        rules: &MergeRules,
        order: Order,
        inputs: &mut [Input<S>],
    ) -> Result<()> {
        self.open = DeletionTime::LIVE;
        self.static_row.clear();
        self.deletion = members(inputs)
            .map(|input| input.source.partition().deletion)
            .fold(DeletionTime::LIVE, DeletionTime::max);
        if !rules.statics.is_empty() {
            let mut statics = emptied(std::mem::take(&mut self.versions));
            statics.extend(members(inputs).filter_map(|i| i.source.partition().static_row));
            let (out, active) = (&mut self.static_row, self.deletion);
            self.merger
                .merge(&statics, order.clustering, active, &rules.statics, out)?;
            self.versions = emptied(statics);
        }
        for input in inputs.iter_mut().filter(|input| input.is_member) {
            input.open = DeletionTime::LIVE;
            input.is_in_group = false;
            input.has_unfiltered = input.source.next_unfiltered()?;
        }
        Ok(())
    }

    /// The merged head, given that of any member.
    pub fn partition<'a>(&'a self, head: PartitionHead<'a>) -> PartitionHead<'a> {
        PartitionHead {
            deletion: self.deletion,
            static_row: (!self.static_row.is_empty()).then(|| self.static_row.get()),
            ..head
        }
    }

    /// Advances to the next row or marker that comes of the versions; `false` at the partition's end.
    pub fn next_unfiltered<S: PartitionSource>(
        &mut self,
        rules: &MergeRules,
        order: Order,
        inputs: &mut [Input<S>],
    ) -> Result<bool> {
        loop {
            let group = next_group(rules, order, inputs)?;
            if group.count == 0 {
                return Ok(false);
            }
            if self.merge_group(rules, order, inputs, group)? {
                return Ok(true);
            }
        }
    }

    /// What it stands on.
    pub fn unfiltered<'a, S: PartitionSource>(&'a self, inputs: &'a [Input<S>]) -> Unfiltered<'a> {
        match self.current {
            Current::Of(i) => inputs[i].source.unfiltered(),
            Current::Row => Unfiltered::Row(self.row.get()),
            Current::Marker => Unfiltered::Marker(MarkerRef::new(&self.marker_bytes, &self.marker)),
        }
    }

    /// Merges what the group stands on; `false` if nothing comes of it.
    fn merge_group<S: PartitionSource>(
        &mut self,
        rules: &MergeRules,
        order: Order,
        inputs: &mut [Input<S>],
        group: Chosen,
    ) -> Result<bool> {
        if let Unfiltered::Marker(_) = inputs[group.first].source.unfiltered() {
            return Ok(self.merge_markers(order, inputs));
        }
        let active = self.deletion.max(self.open);
        if group.count == 1 && active.is_live() {
            self.current = Current::Of(group.first);
            return Ok(true);
        }
        if active.is_live()
            && let Some(only) = only_survivor(rules, inputs, group)
        {
            self.current = Current::Of(only);
            return Ok(true);
        }
        let mut versions = emptied(std::mem::take(&mut self.versions));
        versions.extend(
            in_group(inputs).filter_map(|i| match i.source.unfiltered() {
                Unfiltered::Row(row) => Some(row),
                Unfiltered::Marker(_) => None,
            }),
        );
        self.current = Current::Row;
        let (columns, out) = (&rules.regulars, &mut self.row);
        let left = self
            .merger
            .merge(&versions, order.clustering, active, columns, out);
        self.versions = emptied(versions);
        left
    }

    /// Works out what is deleted from here on; a marker comes of it where that changes.
    fn merge_markers<S: PartitionSource>(&mut self, order: Order, inputs: &mut [Input<S>]) -> bool {
        let mut weight = None;
        for input in inputs.iter_mut().filter(|i| i.is_member && i.is_in_group) {
            let Unfiltered::Marker(marker) = input.source.unfiltered() else {
                continue;
            };
            if weight.is_none() {
                weight = Some(marker.kind().weight());
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
            input.open = match order.reversed {
                false => marker.open(),
                true => marker.close(),
            };
        }
        let widest = members(inputs)
            .map(|input| input.open)
            .fold(DeletionTime::LIVE, DeletionTime::max);
        let after = match widest.supersedes(&self.deletion) {
            true => widest,
            false => DeletionTime::LIVE,
        };
        let before = std::mem::replace(&mut self.open, after);
        if before == after {
            return false;
        }
        (self.marker.close, self.marker.open) = match order.reversed {
            false => (before, after),
            true => (after, before),
        };
        let (closes, opens) = (!self.marker.close.is_live(), !self.marker.open.is_live());
        self.marker.kind = match (weight, closes, opens) {
            (Some(Ordering::Less), true, true) => BoundKind::ExclEndInclStart,
            (Some(Ordering::Less), true, false) => BoundKind::ExclEnd,
            (Some(Ordering::Less), ..) => BoundKind::InclStart,
            (_, true, true) => BoundKind::InclEndExclStart,
            (_, true, false) => BoundKind::InclEnd,
            _ => BoundKind::ExclStart,
        };
        self.current = Current::Marker;
        true
    }
}

fn in_group<S>(inputs: &[Input<S>]) -> impl Iterator<Item = &Input<S>> {
    members(inputs).filter(|input| input.is_in_group)
}

/// The version that the merge would give as it is: a whole row that was written over the others.
fn only_survivor<S: PartitionSource>(
    rules: &MergeRules,
    inputs: &[Input<S>],
    group: Chosen,
) -> Option<usize> {
    let row = |i: usize| match inputs[i].source.unfiltered() {
        Unfiltered::Row(row) => Some(row),
        Unfiltered::Marker(_) => None,
    };
    let in_group = |i: &usize| inputs[*i].is_member && inputs[*i].is_in_group;
    let mut newest = (group.first, row(group.first)?);
    for i in (group.first + 1..inputs.len()).filter(in_group) {
        let row = row(i)?;
        if row.liveness().timestamp > newest.1.liveness().timestamp {
            newest = (i, row);
        }
    }
    for i in (group.first..inputs.len()).filter(in_group) {
        if i != newest.0 && !replaces(rules.regulars(), newest.1, row(i)?) {
            return None;
        }
    }
    Some(newest.0)
}

/// Whether nothing of `old` is left beside `new`, and nothing of `new` is lost.
fn replaces(rules: &[ColumnRules], new: RowRef<'_>, old: RowRef<'_>) -> bool {
    let (a, b) = (new.buf(), old.buf());
    let is_plain = |row: &RowBuf| row.deletion.time.is_live() && row.complex_deletions.is_empty();
    if !is_plain(a) || !is_plain(b) {
        return false;
    }
    let times = b.cells.iter().map(|cell| cell.timestamp);
    let newest = times.fold(b.liveness.timestamp, i64::max);
    let is_newer = |cell: &CellSpan| {
        cell.timestamp > newest
            && rules
                .get(cell.column as usize)
                .is_some_and(|r| r.is_plain())
    };
    let mut columns = a.cells.iter().map(|cell| cell.column);
    a.liveness.timestamp > newest
        && a.cells.iter().all(is_newer)
        && b.cells.iter().all(|cell| columns.any(|c| c == cell.column))
        && new.clustering().iter().eq(old.clustering().iter())
}

/// Moves the members at the last position on and chooses those at the smallest one, in the direction of reading.
fn next_group<S: PartitionSource>(
    rules: &MergeRules,
    order: Order,
    inputs: &mut [Input<S>],
) -> Result<Chosen> {
    let mut group = Chosen::default();
    for i in 0..inputs.len() {
        let input = &mut inputs[i];
        if !input.is_member {
            continue;
        }
        if input.is_in_group {
            input.has_unfiltered = input.source.next_unfiltered()?;
            input.is_in_group = false;
        }
        if !input.has_unfiltered {
            continue;
        }
        let compared = match group.count {
            0 => Ordering::Less,
            _ => {
                let a = inputs[i].source.unfiltered();
                let b = inputs[group.first].source.unfiltered();
                let (a_kind, b_kind) = (a.kind(), b.kind());
                let compared =
                    rules
                        .comparator
                        .compare(a.clustering(), a_kind, b.clustering(), b_kind);
                match order.reversed {
                    true => compared.reverse(),
                    false => compared,
                }
            }
        };
        if compared.is_lt() {
            for input in &mut inputs[group.first..i] {
                input.is_in_group = false;
            }
        }
        inputs[i].is_in_group = group.take(i, compared);
    }
    Ok(group)
}
