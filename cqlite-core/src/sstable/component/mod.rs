//! The components around Data.db that both formats share, one file each.

pub mod compression_info;
pub mod filter;
pub mod statistics;
