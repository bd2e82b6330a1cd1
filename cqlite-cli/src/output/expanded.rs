//! Rows one below the other, a line for each column.
//!
//! Like `EXPAND ON` of `cqlsh`.

use super::Out;
use super::plain::write_plain;
use crate::cmd::query::{Cells, RowWriter};
use crate::failure::Failure;
use cqlite_core::query::ResultColumn;
use unicode_width::UnicodeWidthStr;

/// Rows one below the other.
#[derive(Default)]
pub struct Expanded {
    /// The names of the columns, all of one width.
    names: Vec<String>,
    rows: u64,
    text: Vec<u8>,
}

impl RowWriter for Expanded {
    fn begin(&mut self, columns: &[ResultColumn], _: &mut Out) -> Result<(), Failure> {
        let widths = columns.iter().map(|column| column.name.width());
        let width = widths.max().unwrap_or(0);
        let padded = columns.iter().map(|column| {
            let blanks = width - column.name.width();
            format!(" {}{} | ", column.name, " ".repeat(blanks))
        });
        self.names = padded.collect();
        self.rows = 0;
        Ok(())
    }

    fn row(&mut self, row: &dyn Cells, out: &mut Out) -> Result<(), Failure> {
        self.rows += 1;
        let head = format!("@ Row {}\n", self.rows);
        out.text.extend_from_slice(head.as_bytes());
        for (i, name) in self.names.iter().enumerate() {
            out.text.extend_from_slice(name.as_bytes());
            match row.cell(i) {
                (ty, Some(value)) => {
                    self.text.clear();
                    write_plain(ty, value, &mut self.text)?;
                    // A line stays one.
                    let text = String::from_utf8_lossy(&self.text);
                    let escaped = text.replace('\\', "\\\\").replace('\n', "\\n");
                    out.text.extend_from_slice(escaped.as_bytes());
                }
                (_, None) => out.text.extend_from_slice(b"null"),
            }
            out.text.push(b'\n');
        }
        out.text.push(b'\n');
        Ok(())
    }

    fn end(&mut self, out: &mut Out) -> Result<(), Failure> {
        let rows = if self.rows == 1 { "row" } else { "rows" };
        let end = format!("({} {rows})\n", self.rows);
        out.text.extend_from_slice(end.as_bytes());
        Ok(())
    }
}
