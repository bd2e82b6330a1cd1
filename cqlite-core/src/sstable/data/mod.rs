//! Data.db: its chunks, and the partitions, rows and markers in them. Both formats share its layout.
//!
//! Authority: `o.a.c.db.rows.UnfilteredSerializer`, `o.a.c.io.util.CompressedChunkReader`.
//!
//! ```text
//! partition  = u16 key length, key, deletion time, [static row], unfiltered*, 0x01
//! unfiltered = flags [extended flags] clustering size previous-size liveness [deletion] [column subset] cells
//!            | 0x02 bound size previous-size deletion [deletion]
//! ```

mod asked;
mod cache;
pub mod clustering;
mod decode;
pub mod deletion;
mod file;
pub(crate) mod flags;
mod layout;
mod window;

pub use asked::{Asked, KeyRange};
pub use cache::ChunkCache;
pub(crate) use cache::{ENTRY_BYTES, without_ghosts};
pub use decode::{
    Decoded, PartitionStart, Peeked, decode_key, decode_partition_start, decode_unfiltered,
    peek_unfiltered,
};
pub(crate) use decode::{decode_static_row, decode_update, read_delta_deletion};
pub(crate) use file::expand;
pub use file::{Buffer, DataFile, Scratch};
pub use layout::{ColumnTarget, Layout};
pub use window::{Fetch, Window};
