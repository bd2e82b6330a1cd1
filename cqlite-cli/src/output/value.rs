//! Values as strings of JSON.

use cqlite_core::Result;
use cqlite_core::types::{CqlType, write_json_string};

/// Appends the plain text of a value as a string of JSON, with its quotes.
///
/// # Errors
/// `Corrupt` when the bytes are none of the type.
#[inline]
pub fn push_string(ty: &CqlType, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    out.push(b'"');
    ty.write_text(bytes, out)?;
    let special = |b: u8| (b < 0x20) | (b == b'"') | (b == b'\\');
    if out[start + 1..]
        .iter()
        .fold(false, |any, b| any | special(*b))
    {
        let text = out.split_off(start);
        write_json_string(&String::from_utf8_lossy(&text[1..]), out);
    } else {
        out.push(b'"');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_is_escaped() {
        for (text, expected) in [
            ("plain", "\"plain\""),
            ("a\"\\\n\u{1f}\u{7f}/é", "\"a\\\"\\\\\\n\\u001F\u{7f}/é\""),
        ] {
            let mut out = b"x".to_vec();
            push_string(&CqlType::Text, text.as_bytes(), &mut out).unwrap();
            assert_eq!(std::str::from_utf8(&out[1..]).unwrap(), expected);
        }
    }
}
