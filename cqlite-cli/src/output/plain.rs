//! Values as plain text, for tables and CSV: text as it is, all else as a literal of CQL without outer quotes.

use cqlite_core::Result;
use cqlite_core::types::CqlType;

/// Appends the value.
///
/// # Errors
/// `Corrupt` when the bytes are none of the type.
pub fn write_plain(ty: &CqlType, value: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if matches!(ty, CqlType::Text | CqlType::Ascii) {
        out.extend_from_slice(value);
        return Ok(());
    }
    // An empty value is no null.
    if value.is_empty() && !matches!(ty, CqlType::Blob) {
        return Ok(());
    }
    let start = out.len();
    ty.write_cql_literal(value, out)?;
    let literal = &out[start..];
    if let Some(inner) = literal
        .strip_prefix(b"'")
        .and_then(|l| l.strip_suffix(b"'"))
    {
        let len = inner.len();
        out.copy_within(start + 1..start + 1 + len, start);
        out.truncate(start + len);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_no_quotes() {
        let text = |ty: CqlType, value: &[u8]| {
            let mut out = b"> ".to_vec();
            write_plain(&ty, value, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(CqlType::Text, b"it's"), "> it's");
        assert_eq!(text(CqlType::Inet, &[127, 0, 0, 1]), "> 127.0.0.1");
        assert_eq!(text(CqlType::Int, &[0, 0, 0, 7]), "> 7");
        assert_eq!(text(CqlType::Blob, &[0xca]), "> 0xca");
        assert_eq!(text(CqlType::Int, &[]), "> ");
        let date = [0x80, 0, 0, 0];
        assert_eq!(text(CqlType::Date, &date), "> 1970-01-01");
    }
}
