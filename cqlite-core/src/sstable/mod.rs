//! SSTables: the files of one immutable sorted run, and how they are read.
//!
//! Authority: `o.a.c.io.sstable.format`.

pub mod component;
pub mod data;
