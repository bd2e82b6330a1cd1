//! The components around Data.db that both formats share, one file each.

pub mod filter;
