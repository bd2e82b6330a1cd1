//! One view of both formats' indexes.

use crate::model::DeletionTime;

/// A run of rows and markers of a partition, and what is deleted where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Offset of its first row or marker from the partition's start.
    pub start: u64,
    /// Offset of what follows it. May include the byte that ends the partition.
    pub end: u64,
    /// Deletion of the range tombstone that is open at the start; live if none is.
    pub open_deletion: DeletionTime,
}
