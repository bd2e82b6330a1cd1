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
                    let span = Span::append(&mut self.marker_bytes, value);
                    self.marker.values.push(span);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::ClusteringOf;
    use crate::model::{LivenessInfo, NO_DELETION_TIME, RowDeletion};
    use crate::schema::Column;
    use crate::types::CqlType;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn rules() -> Vec<ColumnRules> {
        let list = CqlType::List {
            element: Arc::new(CqlType::Int),
            frozen: false,
        };
        let types = [CqlType::Int, CqlType::Text, CqlType::Int, list];
        let columns = types.map(|ty| Column {
            name: "c".into(),
            ty,
        });
        ColumnRules::of(&columns)
    }

    fn cell() -> impl Strategy<Value = CellSpan> {
        let ttl = prop_oneof![3 => Just(0), 1 => Just(60)];
        let gone = prop::bool::weighted(0.2);
        (0..4u32, 0..6i64, ttl, gone, 0..3u32).prop_map(|(column, timestamp, ttl, gone, at)| {
            let is_list = column == 3;
            CellSpan {
                column,
                ttl: if gone { 0 } else { ttl },
                timestamp,
                local_deletion_time: match gone || ttl > 0 {
                    true => 1000,
                    false => NO_DELETION_TIME,
                },
                path: if is_list {
                    Span { start: at, len: 16 }
                } else {
                    Span::NULL
                },
                value: match gone {
                    true => Span::EMPTY,
                    false => Span { start: at, len: 1 },
                },
            }
        })
    }

    fn row() -> impl Strategy<Value = RowBuf> {
        let deletion = prop_oneof![4 => Just(None), 1 => (0..6i64).prop_map(Some)];
        let liveness = prop_oneof![1 => Just(None), 4 => (0..8i64).prop_map(Some)];
        let cells = prop::collection::vec(cell(), 0..4);
        (liveness, deletion, cells, 0..2u32).prop_map(|(liveness, deletion, mut cells, at)| {
            cells.sort_by_key(|cell| (cell.column, cell.path.start));
            cells.dedup_by_key(|cell| (cell.column, cell.path.start));
            RowBuf {
                clustering: vec![Span { start: at, len: 1 }],
                liveness: liveness.map_or(LivenessInfo::EMPTY, |timestamp| LivenessInfo {
                    timestamp,
                    ..LivenessInfo::EMPTY
                }),
                deletion: deletion.map_or(RowDeletion::LIVE, |timestamp| RowDeletion {
                    time: DeletionTime {
                        marked_for_delete_at: timestamp,
                        local_deletion_time: 1000,
                    },
                    shadowable: false,
                }),
                cells,
                ..RowBuf::default()
            }
        })
    }

    fn content(row: RowRef<'_>) -> impl PartialEq + std::fmt::Debug + use<> {
        let bytes = |b: Option<&[u8]>| b.map(<[u8]>::to_vec);
        let cells = row.cells().map(|c| {
            (
                (c.column, c.timestamp, c.ttl, c.local_deletion_time),
                bytes(c.path),
                c.value.to_vec(),
            )
        });
        (
            row.clustering().iter().map(bytes).collect::<Vec<_>>(),
            (row.liveness(), row.deletion()),
            cells.collect::<Vec<_>>(),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn a_row_that_replaces_another_is_what_their_merge_gives(
            mut new in row(), old in row(), later in 0..8i64, last: bool,
        ) {
            new.liveness.timestamp = new.liveness.timestamp.saturating_add(later);
            new.cells.iter_mut().for_each(|cell| cell.timestamp += later);
            let bytes: Vec<u8> = (0..32).collect();
            let (new, old) = (RowRef::new(&bytes, &new), RowRef::new(&bytes, &old));
            let rules = rules();
            let versions = if last { [old, new] } else { [new, old] };
            for clustering in [ClusteringOf::First, ClusteringOf::Last] {
                let mut out = OwnedRow::default();
                let live = DeletionTime::LIVE;
                let merged = RowMerger::default().merge(&versions, clustering, live, &rules, &mut out);
                if replaces(&rules, new, old) {
                    prop_assert!(merged.unwrap());
                    prop_assert_eq!(content(out.get()), content(new));
                }
            }
        }
    }

    #[test]
    fn a_row_replaces_what_is_older_and_says_no_more() {
        let cell = |column, timestamp| CellSpan {
            column,
            ttl: 0,
            timestamp,
            local_deletion_time: NO_DELETION_TIME,
            path: Span::NULL,
            value: Span { start: 0, len: 1 },
        };
        let row = |timestamp, cells: &[CellSpan]| RowBuf {
            liveness: LivenessInfo {
                timestamp,
                ..LivenessInfo::EMPTY
            },
            cells: cells.to_vec(),
            ..RowBuf::default()
        };
        let is_replaced = |new: RowBuf, old: RowBuf| {
            replaces(&rules(), RowRef::new(b"v", &new), RowRef::new(b"v", &old))
        };
        let both = [cell(0, 2), cell(1, 2)];
        assert!(is_replaced(
            row(2, &both),
            row(1, &[cell(0, 1), cell(1, 1)])
        ));
        assert!(is_replaced(row(2, &both), row(1, &[cell(1, 1)])));
        // One that it lacks, one as new, a row as new, and one of several cells.
        assert!(!is_replaced(row(2, &both), row(1, &[cell(2, 1)])));
        assert!(!is_replaced(row(2, &both), row(1, &[cell(0, 2)])));
        assert!(!is_replaced(row(2, &both), row(2, &[cell(0, 1)])));
        assert!(!is_replaced(row(2, &[cell(3, 2)]), row(1, &[cell(3, 1)])));
    }
}
