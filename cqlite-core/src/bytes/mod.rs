//! Checked reads of big-endian structures from a slice of bytes.

mod cursor;
pub mod vint;

pub use crate::error::DecodeError;
pub use cursor::Cursor;
