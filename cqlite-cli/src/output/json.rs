//! Rows as JSON: an object a line, or an array of objects. The text of each is that of `SELECT JSON`.

use super::Out;
use crate::cmd::query::{Cells, RowWriter};
use crate::failure::Failure;
use cqlite_core::query::ResultColumn;

/// An object a line.
pub struct JsonLines;

impl RowWriter for JsonLines {
    fn begin(&mut self, _: &[ResultColumn], _: &mut Out) -> Result<(), Failure> {
        Ok(())
    }

    fn row(&mut self, row: &dyn Cells, out: &mut Out) -> Result<(), Failure> {
        let start = out.text.len();
        let written = row.write_json(&mut out.text);
        if written.is_err() {
            out.text.truncate(start);
        }
        written?;
        out.text.push(b'\n');
        Ok(())
    }

    fn end(&mut self, _: &mut Out) -> Result<(), Failure> {
        Ok(())
    }
}

/// One array, an object a line.
#[derive(Default)]
pub struct JsonArray {
    has_row: bool,
}

impl RowWriter for JsonArray {
    fn begin(&mut self, _: &[ResultColumn], out: &mut Out) -> Result<(), Failure> {
        out.text.push(b'[');
        Ok(())
    }

    fn row(&mut self, row: &dyn Cells, out: &mut Out) -> Result<(), Failure> {
        let start = out.text.len();
        let separator: &[u8] = if self.has_row { b",\n" } else { b"\n" };
        out.text.extend_from_slice(separator);
        let written = row.write_json(&mut out.text);
        if written.is_err() {
            out.text.truncate(start);
        }
        written?;
        self.has_row = true;
        Ok(())
    }

    fn end(&mut self, out: &mut Out) -> Result<(), Failure> {
        let end: &[u8] = if self.has_row { b"\n]\n" } else { b"]\n" };
        out.text.extend_from_slice(end);
        Ok(())
    }
}
