//! What the writer tells an index about a partition, whichever index it is.
//!
//! Authority: `...format.SortedTablePartitionWriter`, `...format.big.BigFormatPartitionWriter`,
//! `...format.bti.BtiFormatPartitionWriter`.

use super::big::BigIndex;
use super::bti::BtiIndex;
use crate::Result;
use crate::model::{BoundKind, ClusteringRef, DeletionTime};
use crate::partitioner::DecoratedKey;

/// A clustering or a bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefix<'a> {
    /// What it is.
    pub kind: BoundKind,
    /// Its values.
    pub values: ClusteringRef<'a>,
}

/// A block of a partition's rows and markers. Offsets count from the partition's start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    /// Its first row or marker.
    pub first: Prefix<'a>,
    /// Its last row or marker.
    pub last: Prefix<'a>,
    /// Offset of its first row or marker.
    pub start: u64,
    /// Offset behind its last one; in the partition's last block, unless that one closed it, behind the byte that ends
    /// the partition.
    pub end: u64,
    /// Deletion of the range tombstone that is open at its start; live if none is.
    pub open_at_start: DeletionTime,
    /// Deletion of the range tombstone that is open at its end; live if none is.
    pub open_at_end: DeletionTime,
}

/// A partition whose blocks are known. A partition that is less than one block has told none, another all of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartitionEnd<'a> {
    /// Its key.
    pub key: &'a DecoratedKey<'a>,
    /// Its offset in the uncompressed Data.db.
    pub position: u64,
    /// Bytes before its first row or marker.
    pub header_length: u64,
    /// Its deletion.
    pub deletion: DeletionTime,
    /// Offset, from the partition's start, of the byte that ends it.
    pub body_end: u64,
}

/// The index of either format.
pub(super) enum Index {
    /// Index.db and Summary.db.
    Big(BigIndex),
    /// Partitions.db and Rows.db.
    Bti(BtiIndex),
}

impl Index {
    /// Takes the next block of the present partition.
    pub fn block(&mut self, block: &Block<'_>) -> Result<()> {
        match self {
            Index::Big(index) => index.block(block),
            Index::Bti(index) => index.block(block),
        }
    }

    /// Takes the present partition, after its blocks.
    pub fn end(&mut self, partition: &PartitionEnd<'_>) -> Result<()> {
        match self {
            Index::Big(index) => index.end(partition),
            Index::Bti(index) => index.end(partition),
        }
    }

    /// Writes what is left, and waits until the disk has it. `first` and `last` are the SSTable's keys. Returns the
    /// bytes of all its files.
    pub fn finish(self, first: &[u8], last: &[u8]) -> Result<u64> {
        match self {
            Index::Big(index) => index.finish(first, last),
            Index::Bti(index) => index.finish(first, last),
        }
    }
}
