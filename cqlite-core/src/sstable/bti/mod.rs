//! BTI's indexes: Partitions.db, a trie of partition keys, and Rows.db, a trie of row blocks per wide partition.
//!
//! ```text
//! Partitions.db -> position in Data.db, or -> entry in Rows.db -> trie of block separators -> offset in the partition
//! ```

pub mod build;
mod node;
mod partitions;
mod rows;
mod walk;

pub use node::Node;
pub use partitions::{LowerBound, Partitions, PartitionsIter, Target};
pub use rows::{RowBlocks, RowBlocksIter, RowIndex};
pub use walk::{Path, Trail, Trie, Walk};
