//! The components around Data.db that both formats share, one file each.

pub mod cardinality;
pub mod compression_info;
pub mod drop_times;
mod estimates;
pub mod filter;
pub mod statistics;
