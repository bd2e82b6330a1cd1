//! Reads Apache Cassandra's SSTables without Cassandra.
//!
//! One stream carries everything: partitions in token order, and inside each one its static row, rows and range
//! tombstone markers in clustering order ([`model::PartitionSource`]). A scan of an SSTable and a merge of many *are*
//! that stream; the dumper, the verifier and the query executor *consume* it.
//!
//! ```text
//! bytes -> sstable::data -> sstable::scan -> merge -> query -> output
//! ```

pub mod bytes;
pub mod commitlog;
pub mod compaction;
pub mod cql;
pub mod database;
pub mod error;
pub mod io;
pub mod limits;
pub mod memtable;
pub mod merge;
pub mod metrics;
pub mod model;
pub mod mutation;
pub mod partitioner;
pub mod query;
pub mod read;
pub mod schema;
pub mod scrub;
pub mod sstable;
pub mod table;
pub mod types;

pub use error::{Error, ErrorKind, Result};
