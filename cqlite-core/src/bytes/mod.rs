//! Checked reads of big-endian structures from a slice of bytes, and the matching writes.

mod cursor;
mod sink;
pub mod vint;

pub use crate::error::DecodeError;
pub use cursor::Cursor;
pub use sink::Sink;
