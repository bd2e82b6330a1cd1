//! BIG's indexes: Index.db, an entry a partition, some with the blocks of a wide one; Summary.db, a sample of its keys.
//!
//! ```text
//! Summary.db -> position in Index.db -> position in Data.db, and blocks in the partition
//! ```

mod entry;
mod key_cache;
mod primary;
mod promoted;
mod summary;

pub use entry::{IndexEntries, IndexEntry};
pub use key_cache::KeyCache;
pub use primary::{Place, PrimaryIndex};
pub use promoted::{IndexInfo, PromotedBlocks, PromotedIndex};
pub use summary::Summary;
