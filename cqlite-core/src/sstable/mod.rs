//! SSTables: the files of one immutable sorted run, and how they are read and written.
//!
//! Authority: `o.a.c.io.sstable.format`.

pub mod big;
pub mod bti;
pub mod builder;
pub mod component;
pub mod data;
pub mod descriptor;
pub mod directory;
pub mod index;
mod reader;
mod scan;
mod slices;
pub mod transaction;
pub mod verify;
pub mod version;
pub mod writer;

pub use big::KeyCache;
pub use data::ChunkCache;
pub use descriptor::{Component, Descriptor, SSTableId};
pub use directory::TableDirectory;
pub use reader::{Lookup, OpenOptions, SSTable};
pub use scan::Scan;
pub use slices::{SliceReader, SliceRequest};
pub use transaction::Transaction;
pub use version::{Format, Version};
pub use writer::{CompressionOptions, Provenance, SSTableWriter, WriteOptions, Written};
