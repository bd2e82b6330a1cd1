//! Writes BTI's indexes.
//!
//! ```text
//! keys in order -> shortest prefixes -> TrieBuilder -> Partitions.db
//! blocks of a partition -> separators -> TrieBuilder -> Rows.db
//! ```
//!
//! Authority: `o.a.c.io.sstable.format.bti.{PartitionIndexBuilder,RowIndexWriter,BtiTableWriter.IndexWriter}`.

mod encode;
mod pages;
mod partitions;
mod rows;
#[cfg(test)]
mod tests;
mod trie;

pub use pages::{PAGE_BYTES, Pages};
pub use partitions::PartitionsBuilder;
pub use rows::RowsBuilder;
pub use trie::{Payload, TrieBuilder};
