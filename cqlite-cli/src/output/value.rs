//! Values as text inside JSON strings.

use super::json;
use cqlite_core::Result;
use cqlite_core::types::CqlType;

/// Appends a value as plain text that stands inside a JSON string.
///
/// # Errors
/// `Corrupt` when the bytes are none of the type.
#[inline]
pub fn text_in_json(ty: &CqlType, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    ty.write_text(bytes, out)?;
    json::escape_from(out, start);
    Ok(())
}
