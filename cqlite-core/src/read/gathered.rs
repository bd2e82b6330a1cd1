//! What was read of a partition, kept while older SSTables are asked for more.
//!
//! Authority: `o.a.c.db.partitions.ImmutableBTreePartition`, `o.a.c.db.SinglePartitionReadCommand.{reduceFilter,isRowComplete}`.

use crate::Result;
use crate::merge::OwnedRow;
use crate::model::{
    Bound, BoundKind, ClusteringComparator, DeletionTime, MarkerBuf, MarkerRef, PartitionHead,
    PartitionSource, RowRef, Slice, StreamHeader, Unfiltered,
};
use crate::schema::Column;

/// One partition, or nothing.
pub struct Gathered<'a> {
    header: &'a StreamHeader,
    key: &'a [u8],
    deletion: DeletionTime,
    static_row: Option<OwnedRow>,
    /// As they are read.
    items: Vec<Item>,
    /// They are read from the end.
    reversed: bool,
    state: State,
}

enum Item {
    Row(OwnedRow),
    Marker(Vec<u8>, MarkerBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    /// Behind so many items.
    Behind(usize),
    Done,
}

/// What a query needs of a row.
pub(super) struct Needed<'a> {
    /// Its regular columns, by their indexes.
    pub regulars: &'a [usize],
    /// Its static columns, by their indexes.
    pub statics: &'a [usize],
    /// All static columns.
    pub columns: &'a [Column],
}

/// What is still to be read.
pub(super) enum Left {
    /// All that was asked for.
    Everything,
    /// Nothing.
    Nothing,
    /// These of the slices, and the static row.
    Some(Vec<Slice>),
}

impl<'a> Gathered<'a> {
    /// The partition that a source gives, from the end if `reversed`.
    pub(super) fn of(
        header: &'a StreamHeader,
        key: &'a [u8],
        source: &mut impl PartitionSource,
        reversed: bool,
    ) -> Result<Self> {
        let mut gathered = Gathered {
            header,
            key,
            deletion: DeletionTime::LIVE,
            static_row: None,
            items: Vec::new(),
            reversed,
            state: State::Before,
        };
        if !source.next_partition()? {
            return Ok(gathered);
        }
        let head = source.partition();
        gathered.deletion = head.deletion;
        gathered.static_row = head.static_row.map(OwnedRow::of);
        while source.next_unfiltered()? {
            gathered.items.push(match source.unfiltered() {
                Unfiltered::Row(row) => Item::Row(OwnedRow::of(row)),
                Unfiltered::Marker(marker) => {
                    Item::Marker(marker.bytes().to_vec(), marker.buf().clone())
                }
            });
        }
        Ok(gathered)
    }

    /// Deletion of the partition.
    pub(super) fn deletion(&self) -> DeletionTime {
        self.deletion
    }

    /// The items in the order of their clusterings.
    fn ascending(&self) -> impl Iterator<Item = &Item> {
        let count = self.items.len();
        (0..count).map(move |i| match self.reversed {
            false => &self.items[i],
            true => &self.items[count - 1 - i],
        })
    }

    /// What of the rows that `wanted` names may change by what is not newer than `timestamp`.
    pub(super) fn left(
        &self,
        wanted: &[Slice],
        timestamp: i64,
        needed: &Needed<'_>,
        comparator: &ClusteringComparator,
    ) -> Left {
        let statics = self.static_row.as_ref().map(OwnedRow::get);
        // Of a column of several cells older ones may be anywhere.
        let is_simple = |i: &usize| !needed.columns[*i].ty.is_multi_cell();
        let has_statics = needed.statics.iter().all(is_simple)
            && statics.is_some_and(|row| has_newer(row, needed.statics.iter().copied(), timestamp));
        let mut items = self.ascending();
        let mut next = items.next();
        let mut open = DeletionTime::LIVE;
        let mut left = Vec::new();
        for slice in wanted {
            let place = Bound {
                kind: BoundKind::Clustering,
                values: slice.start.values.clone(),
            };
            let is_complete = loop {
                let order = next.map(|item| {
                    let item = item.get();
                    comparator.compare_to_bound(item.clustering(), item.kind(), &place)
                });
                match (next, order) {
                    (Some(item), Some(order)) if order.is_lt() => {
                        if let Item::Marker(_, marker) = item {
                            open = marker.open;
                        }
                        next = items.next();
                    }
                    (Some(Item::Row(row)), Some(order)) if order.is_eq() => {
                        break deletes(open, timestamp)
                            || is_complete(row.get(), needed.regulars, timestamp);
                    }
                    _ => break deletes(open, timestamp),
                }
            };
            if !is_complete {
                left.push(slice.clone());
            }
        }
        let needs_statics = !needed.statics.is_empty() && !has_statics;
        match left.len() {
            0 if !needs_statics => Left::Nothing,
            n if n == wanted.len() => Left::Everything,
            _ => Left::Some(left),
        }
    }
}

/// Whether a deletion, if it is one, deletes what was written at `timestamp`.
fn deletes(deletion: DeletionTime, timestamp: i64) -> bool {
    !deletion.is_live() && deletion.deletes(timestamp)
}

/// Whether nothing older than `timestamp`, or as old, changes what a query of `columns` sees of a row.
fn is_complete(row: RowRef<'_>, columns: &[usize], timestamp: i64) -> bool {
    if deletes(row.deletion().time, timestamp) {
        return true;
    }
    let liveness = row.liveness();
    !liveness.is_empty()
        && liveness.timestamp > timestamp
        && has_newer(row, columns.iter().copied(), timestamp)
}

/// Whether a row has a cell of each of the columns, which ascend, that is newer than `timestamp`.
fn has_newer(row: RowRef<'_>, mut columns: impl Iterator<Item = usize>, timestamp: i64) -> bool {
    let mut cells = row.buf().cells.iter();
    columns.all(|column| {
        let cell = cells.find(|cell| cell.column as usize >= column);
        cell.is_some_and(|cell| cell.column as usize == column && cell.timestamp > timestamp)
    })
}

impl Item {
    fn get(&self) -> Unfiltered<'_> {
        match self {
            Item::Row(row) => Unfiltered::Row(row.get()),
            Item::Marker(bytes, marker) => Unfiltered::Marker(MarkerRef::new(bytes, marker)),
        }
    }
}

impl PartitionSource for Gathered<'_> {
    fn header(&self) -> &StreamHeader {
        self.header
    }

    fn next_partition(&mut self) -> Result<bool> {
        let is_first = self.state == State::Before;
        self.state = match is_first {
            true => State::Behind(0),
            false => State::Done,
        };
        Ok(is_first)
    }

    fn partition(&self) -> PartitionHead<'_> {
        PartitionHead {
            key: self.key,
            deletion: self.deletion,
            static_row: self.static_row.as_ref().map(OwnedRow::get),
            position: 0,
            body_position: 0,
        }
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        match self.state {
            State::Behind(n) if n < self.items.len() => {
                self.state = State::Behind(n + 1);
                Ok(true)
            }
            _ => {
                self.state = State::Done;
                Ok(false)
            }
        }
    }

    fn unfiltered(&self) -> Unfiltered<'_> {
        match self.state {
            State::Behind(n) => self.items[n - 1].get(),
            State::Before | State::Done => unreachable!("it stands on nothing"),
        }
    }
}
