//! Rows as CSV with a header, by RFC 4180. Null is an empty field, empty text a quoted one.

use super::Out;
use super::plain::write_plain;
use crate::cmd::query::{Cells, RowWriter};
use crate::failure::Failure;
use cqlite_core::query::ResultColumn;

/// Comma separated values.
#[derive(Default)]
pub struct Csv {
    columns: usize,
    text: Vec<u8>,
}

impl RowWriter for Csv {
    fn begin(&mut self, columns: &[ResultColumn], out: &mut Out) -> Result<(), Failure> {
        self.columns = columns.len();
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                out.text.push(b',');
            }
            write_field(column.name.as_bytes(), &mut out.text);
        }
        out.text.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn row(&mut self, row: &dyn Cells, out: &mut Out) -> Result<(), Failure> {
        let start = out.text.len();
        for i in 0..self.columns {
            if i > 0 {
                out.text.push(b',');
            }
            if let (ty, Some(value)) = row.cell(i) {
                self.text.clear();
                if let Err(e) = write_plain(ty, value, &mut self.text) {
                    out.text.truncate(start);
                    return Err(e.into());
                }
                write_field(&self.text, &mut out.text);
            }
        }
        out.text.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn end(&mut self, _: &mut Out) -> Result<(), Failure> {
        Ok(())
    }
}

fn write_field(text: &[u8], out: &mut Vec<u8>) {
    let is_plain = !text.is_empty()
        && !text
            .iter()
            .any(|b| matches!(b, b',' | b'"' | b'\r' | b'\n'))
        && text.first() != Some(&b' ')
        && text.last() != Some(&b' ');
    if is_plain {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for &b in text {
        if b == b'"' {
            out.push(b'"');
        }
        out.push(b);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must() {
        let field = |text: &str| {
            let mut out = Vec::new();
            write_field(text.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(field("plain text"), "plain text");
        assert_eq!(field(""), "\"\"");
        assert_eq!(field("a,b"), "\"a,b\"");
        assert_eq!(field("say \"hi\"\n"), "\"say \"\"hi\"\"\n\"");
        assert_eq!(field(" a"), "\" a\"");
    }
}
