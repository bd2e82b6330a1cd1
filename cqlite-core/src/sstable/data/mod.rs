//! Data.db: one layout in both formats.

pub mod clustering;
pub mod deletion;
