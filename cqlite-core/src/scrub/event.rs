//! What is told of a scrub: faults of the files, what could not be saved, and what was set in order.

use crate::Error;
use crate::model::{Bound, StreamHeader};
use std::sync::Arc;

/// Something that a scrub tells as soon as it knows it.
#[derive(Debug, Clone)]
pub enum ScrubEvent {
    /// The types of all keys and clusterings that are told later. Comes once, if they can be read.
    Columns(Arc<StreamHeader>),
    /// The files are not as they must be. Whether that costs anything is told apart.
    Fault(Error),
    /// Something that is no fault: an optional component that is missing.
    Note(Error),
    /// What could not be saved.
    Lost(Loss),
    /// What was saved, at another place.
    Reordered(Reordered),
}

/// What kind of thing was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossKind {
    /// A whole partition; or several, where nothing tells how many.
    Partition,
    /// The deletion of a partition, if it had one. Its rows are told apart.
    PartitionDeletion,
    /// The static row of a partition.
    StaticRow,
    /// Rows and range tombstones of a partition, how many is not known.
    Rows,
    /// One row.
    Row,
    /// A range tombstone, or the end of one: it was closed where what is known of it ends.
    RangeTombstone,
}

impl LossKind {
    /// Its name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            LossKind::Partition => "partition",
            LossKind::PartitionDeletion => "partition_deletion",
            LossKind::StaticRow => "static_row",
            LossKind::Rows => "rows",
            LossKind::Row => "row",
            LossKind::RangeTombstone => "range_tombstone",
        }
    }
}

/// What could not be saved.
#[derive(Debug, Clone)]
pub struct Loss {
    /// What it is.
    pub kind: LossKind,
    /// Offset of its first byte in the uncompressed Data.db.
    pub start: u64,
    /// Offset of what follows it.
    pub end: u64,
    /// Raw key of its partition, if that is known.
    pub key: Option<Vec<u8>>,
    /// The row's clustering; of several, that of the last row or marker before them, if there is one.
    pub after: Option<Bound>,
    /// Of several: the clustering of the first row or marker behind them, if there is one in the partition.
    pub before: Option<Bound>,
    /// Why.
    pub cause: Error,
}

/// What stood out of order.
#[derive(Debug, Clone)]
pub struct Reordered {
    /// Offset in the uncompressed Data.db.
    pub offset: u64,
    /// Raw key of the partition.
    pub key: Vec<u8>,
    /// The row's clustering or the range tombstone's start; `None` for a whole partition and a static row.
    pub clustering: Option<Bound>,
    /// Not the row stood out of order, but cells in it.
    pub only_cells: bool,
}

/// How much was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Losses that were told.
    pub count: u64,
    /// Of these, whole partitions: each one that the index names, and each run that nothing names.
    pub partitions: u64,
    /// Uncompressed bytes.
    pub bytes: u64,
}
