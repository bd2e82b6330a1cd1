//! The commit log: segments in Cassandra's own format, and the mutations in them.
//!
//! Authority: `o.a.c.db.commitlog.{CommitLogDescriptor,CommitLogReader,CommitLogSegmentReader,CommitLogReplayer}`,
//! `o.a.c.db.Mutation.MutationSerializer`.
//!
//! ```text
//! segment  = descriptor, section*, zeros
//! section  = i32 offset of the next section, u32 crc, record*              (or compressed: i32 length, compressed records)
//! record   = i32 size, u32 crc of the size, mutation, u32 crc of both
//! mutation = vint count, update*
//! ```

mod apply;
mod descriptor;
mod encode;
mod log;
mod mutation;
mod replay;
mod segment;
#[cfg(test)]
mod tests;

pub use crate::sstable::component::statistics::CommitLogPosition as Position;
pub use apply::apply;
pub use descriptor::{Descriptor, LogVersion};
pub use encode::{UpdateEncoder, start_mutation};
pub use log::{CommitLog, LogOptions, OnPressure, SyncMode};
pub use mutation::{MutationReader, Update, UpdateSource};
pub use replay::{LogReader, Replayed, replay, segments};
pub use segment::{Damage, Record, ReplayPolicy, SegmentReader};

/// Id of a table, as in the name of its directory.
pub type TableId = [u8; 16];

/// Bytes of a sync marker, with which a section begins.
const MARKER_BYTES: u64 = 8;

/// Bytes of a record besides its mutation.
const RECORD_OVERHEAD: u64 = 12;

/// The least bytes of a mutation: shorter ones are no mutations.
const MUTATION_BYTES_MIN: i32 = 10;

/// The checksum of a sync marker at `offset` of the segment with this id.
fn marker_checksum(id: i64, offset: u32) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&(id as u32).to_be_bytes());
    crc.update(&((id >> 32) as u32).to_be_bytes());
    crc.update(&offset.to_be_bytes());
    crc.finalize()
}
