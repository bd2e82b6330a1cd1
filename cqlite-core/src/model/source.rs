//! The one stream.

use super::deletion::DeletionTime;
use super::row::{RowRef, Unfiltered};
use crate::Result;
use crate::schema::{ClusteringColumn, Column, TableSchema};
use crate::types::CqlType;

/// The types that a stream's bytes have: what a serialization header tells, or the union of several.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamHeader {
    /// Type of the partition key; `CqlType::Composite` when it has several columns.
    pub key_type: CqlType,
    /// Clustering columns; names are made up when only a header knows them.
    pub clustering: Vec<ClusteringColumn>,
    /// Static columns, in the order that cells name them by.
    pub statics: Vec<Column>,
    /// Regular columns, in the order that cells name them by.
    pub regulars: Vec<Column>,
}

impl StreamHeader {
    /// The types of a table.
    pub fn of_table(table: &TableSchema) -> Self {
        let columns = |columns: &[Column]| {
            let stored = |c: &Column| Column {
                name: table.stored_name(&c.name),
                ty: c.ty.clone(),
            };
            columns.iter().map(stored).collect()
        };
        StreamHeader {
            key_type: match table.partition_key.as_slice() {
                [column] => column.ty.clone(),
                columns => CqlType::Composite(columns.iter().map(|c| c.ty.clone()).collect()),
            },
            clustering: table.clustering.clone(),
            statics: columns(&table.statics),
            regulars: columns(&table.regulars),
        }
    }
}

/// The head of a partition.
#[derive(Debug, Clone, Copy)]
pub struct PartitionHead<'a> {
    /// Raw partition key.
    pub key: &'a [u8],
    /// Deletion of the whole partition; live if none.
    pub deletion: DeletionTime,
    /// Static row, when it says anything.
    pub static_row: Option<RowRef<'a>>,
    /// Offset of the partition in the source's uncompressed Data.db; 0 where there is none.
    pub position: u64,
    /// Offset of the first unfiltered, which follows the static row; 0 where there is none.
    pub body_position: u64,
}

/// Partitions in token order, and inside each one rows and range tombstone markers in clustering order.
///
/// A cursor: the `next_` methods advance it, the others show what it stands on, borrowed from the source's buffers. It
/// allocates nothing per row.
pub trait PartitionSource {
    /// The types of everything that flows.
    fn header(&self) -> &StreamHeader;

    /// Advances to the next partition, past what is left of the present one. `false` at the end.
    fn next_partition(&mut self) -> Result<bool>;

    /// The partition it stands on. Panics before the first `next_partition` that returned true.
    fn partition(&self) -> PartitionHead<'_>;

    /// [`murmur3_128`](crate::partitioner::murmur3_128) of the partition's key, where it is known already.
    fn key_hash(&self) -> Option<(u64, u64)> {
        None
    }

    /// Advances to the next row or marker of the partition. `false` at its end.
    fn next_unfiltered(&mut self) -> Result<bool>;

    /// The row or marker it stands on. Panics unless `next_unfiltered` just returned true.
    fn unfiltered(&self) -> Unfiltered<'_>;
}

impl<S: PartitionSource + ?Sized> PartitionSource for Box<S> {
    fn header(&self) -> &StreamHeader {
        (**self).header()
    }
    fn next_partition(&mut self) -> Result<bool> {
        (**self).next_partition()
    }
    fn partition(&self) -> PartitionHead<'_> {
        (**self).partition()
    }
    fn key_hash(&self) -> Option<(u64, u64)> {
        (**self).key_hash()
    }
    fn next_unfiltered(&mut self) -> Result<bool> {
        (**self).next_unfiltered()
    }
    fn unfiltered(&self) -> Unfiltered<'_> {
        (**self).unfiltered()
    }
}
