//! What a table holds: partitions, rows, cells, deletions. Knows no bytes on disk.
//!
//! Authority: `o.a.c.db.{DeletionTime,LivenessInfo,Clustering,ClusteringBound}` and `o.a.c.db.rows.{Row,Cell,Unfiltered}`.

mod clustering;
mod deletion;
mod row;
mod source;

pub use clustering::{Bound, BoundKind, ClusteringComparator, ClusteringRef, Slice};
pub use deletion::{
    DeletionTime, EXPIRED_LIVENESS_TTL, LivenessInfo, NO_DELETION_TIME, NO_TIMESTAMP, RowDeletion,
};
pub use row::{
    Cell, CellSpan, ComplexDeletion, MarkerBuf, MarkerRef, RowBuf, RowRef, Span, Unfiltered,
};
pub use source::{PartitionHead, PartitionSource, StreamHeader};
