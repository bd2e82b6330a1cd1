//! Rows as a table for people: aligned columns that fit the terminal, or a list of fields for each row where there are
//! too many of them.
//!
//! The first rows decide the widths, and are held back for a moment only; longer values that come later are wrapped.

use super::Out;
use super::plain::write_plain;
use crate::cmd::query::{Cells, RowWriter};
use crate::failure::Failure;
use cqlite_core::query::ResultColumn;
use cqlite_core::types::CqlType;
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Rows that decide the widths, unless they take too long.
const SAMPLE_ROWS: usize = 50;

/// How long rows are held back.
const SAMPLE_TIME: Duration = Duration::from_millis(100);

/// Width of a terminal that does not tell.
const TERMINAL_WIDTH: usize = 80;

/// Narrowest that a column is made so that all of them fit.
const COLUMN_WIDTH_MIN: usize = 8;

/// Most lines of a value that are shown.
const VALUE_LINES_MAX: usize = 8;

/// Most characters of a value that are looked at.
const VALUE_CHARS_MAX: usize = 4096;

/// A table.
pub struct Table {
    /// Width to fit into; none if it does not matter.
    width: Option<usize>,
    columns: Vec<Column>,
    sample: Vec<Vec<Option<String>>>,
    layout: Option<Layout>,
    started: Instant,
    rows: u64,
}

struct Column {
    name: String,
    is_number: bool,
}

enum Layout {
    /// A line a row, with these widths of columns.
    Grid(Vec<usize>),
    /// A line a value, with this width of names.
    Records(usize),
}

impl Table {
    /// A table that fits the terminal that standard output is, if it is one.
    pub fn of_terminal() -> Self {
        let told = std::env::var("COLUMNS").ok().and_then(|n| n.parse().ok());
        Table::new(match std::io::stdout().is_terminal() {
            true => {
                let own = || terminal_size::terminal_size().map(|(w, _)| usize::from(w.0));
                Some(told.or_else(own).unwrap_or(TERMINAL_WIDTH))
            }
            false => told,
        })
    }

    /// A table that fits `width`.
    fn new(width: Option<usize>) -> Self {
        Table {
            width,
            columns: Vec::new(),
            sample: Vec::new(),
            layout: None,
            started: Instant::now(),
            rows: 0,
        }
    }

    fn layout(&self) -> Layout {
        let natural: Vec<usize> = (0..self.columns.len())
            .map(|i| {
                let cells = self.sample.iter().map(|row| width_of(row[i].as_deref()));
                cells.max().unwrap_or(0).max(self.columns[i].name.width())
            })
            .collect();
        let Some(width) = self.width else {
            return Layout::Grid(natural);
        };
        // A blank on each side of a value, a line between columns.
        let room = width.saturating_sub(3 * natural.len().max(1) - 1);
        let total = |cap: usize| natural.iter().map(|w| *w.min(&cap)).sum::<usize>();
        let widest = natural.iter().copied().max().unwrap_or(0);
        let caps = (COLUMN_WIDTH_MIN..=widest.max(COLUMN_WIDTH_MIN)).rev();
        match caps.into_iter().find(|cap| total(*cap) <= room) {
            Some(cap) => Layout::Grid(natural.iter().map(|w| *w.min(&cap)).collect()),
            None => {
                let names = self.columns.iter().map(|c| c.name.width());
                Layout::Records(names.max().unwrap_or(0).min(width / 2))
            }
        }
    }

    /// Prints the header and the rows that were held back.
    fn start(&mut self, out: &mut Out) {
        let layout = self.layout();
        if let Layout::Grid(widths) = &layout {
            let names: Vec<Option<String>> =
                self.columns.iter().map(|c| Some(c.name.clone())).collect();
            write_line(&names, widths, |_| false, out);
            for (i, width) in widths.iter().enumerate() {
                if i > 0 {
                    out.text.push(b'+');
                }
                out.text.extend(std::iter::repeat_n(b'-', width + 2));
            }
            out.text.push(b'\n');
        }
        self.layout = Some(layout);
        for row in std::mem::take(&mut self.sample) {
            self.write(&row, out);
        }
    }

    fn write(&mut self, row: &[Option<String>], out: &mut Out) {
        self.rows += 1;
        match &self.layout {
            Some(Layout::Grid(widths)) => {
                write_line(row, widths, |i| self.columns[i].is_number, out);
            }
            Some(Layout::Records(names)) => {
                out.text
                    .extend_from_slice(format!("@ {}\n", self.rows).as_bytes());
                let width = self.width.unwrap_or(usize::MAX).saturating_sub(names + 4);
                for (column, value) in self.columns.iter().zip(row) {
                    let value = value.as_deref().unwrap_or("NULL");
                    let name = wrap(&column.name, *names).swap_remove(0);
                    for (i, line) in wrap(value, width.max(COLUMN_WIDTH_MIN)).iter().enumerate() {
                        let name = if i == 0 { &*name } else { "" };
                        let pad = names.saturating_sub(name.width());
                        let text = format!(" {name}{:pad$} | {line}\n", "");
                        out.text.extend_from_slice(text.as_bytes());
                    }
                }
            }
            None => {}
        }
    }
}

impl RowWriter for Table {
    fn begin(&mut self, columns: &[ResultColumn], _: &mut Out) -> Result<(), Failure> {
        let column = |c: &ResultColumn| Column {
            name: printable(&c.name),
            is_number: is_number(&c.ty),
        };
        self.columns = columns.iter().map(column).collect();
        Ok(())
    }

    fn row(&mut self, row: &dyn Cells, out: &mut Out) -> Result<(), Failure> {
        let mut cells = Vec::with_capacity(self.columns.len());
        for i in 0..self.columns.len() {
            cells.push(match row.cell(i) {
                (ty, Some(value)) => {
                    let mut text = Vec::new();
                    write_plain(ty, value, &mut text)?;
                    Some(printable(&String::from_utf8_lossy(&text)))
                }
                (_, None) => None,
            });
        }
        if self.layout.is_some() {
            self.write(&cells, out);
            return Ok(());
        }
        self.sample.push(cells);
        if self.sample.len() >= SAMPLE_ROWS || self.started.elapsed() >= SAMPLE_TIME {
            self.start(out);
            out.flush()?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Out) -> Result<(), Failure> {
        if self.layout.is_none() {
            self.start(out);
        }
        let rows = match self.rows {
            1 => "\n(1 row)\n".to_owned(),
            n => format!("\n({n} rows)\n"),
        };
        out.text.extend_from_slice(rows.as_bytes());
        Ok(())
    }
}

fn is_number(ty: &CqlType) -> bool {
    use CqlType::*;
    matches!(
        ty,
        TinyInt | SmallInt | Int | BigInt | Counter | Float | Double | Decimal | Varint
    )
}

fn width_of(cell: Option<&str>) -> usize {
    cell.map_or("NULL".len(), UnicodeWidthStr::width)
}

/// The text with control characters as escapes, cut where nobody would read on.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(VALUE_CHARS_MAX));
    for c in text.chars().take(VALUE_CHARS_MAX) {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c.is_control() => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => shown.push(c),
        }
    }
    if text.chars().nth(VALUE_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Lines of at most `width`, broken at a blank where one is near; there is at least one.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut used = 0;
        let fits = |(_, c): &(usize, char)| {
            used += c.width().unwrap_or(0);
            used <= width
        };
        let end = rest
            .char_indices()
            .skip_while(fits)
            .map(|(at, _)| at)
            .next();
        let Some(mut end) = end else {
            lines.push(rest.to_owned());
            break;
        };
        // At least one character a line, however wide it is.
        end = end.max(rest.chars().next().map_or(0, char::len_utf8));
        if lines.len() + 1 == VALUE_LINES_MAX {
            let mut last: String = rest[..end].to_owned();
            last.pop();
            lines.push(last + "…");
            break;
        }
        let line = &rest[..end];
        match line
            .rfind(' ')
            .filter(|at| *at > 0 && line[*at..].width() * 2 < width)
        {
            Some(blank) if !rest[end..].starts_with(' ') => {
                lines.push(line[..blank].to_owned());
                rest = &rest[blank + 1..];
            }
            _ => {
                lines.push(line.to_owned());
                rest = rest[end..].strip_prefix(' ').unwrap_or(&rest[end..]);
            }
        }
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

fn write_line(
    row: &[Option<String>],
    widths: &[usize],
    is_right: impl Fn(usize) -> bool,
    out: &mut Out,
) {
    let cells: Vec<Vec<String>> = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| wrap(cell.as_deref().unwrap_or("NULL"), *width))
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(1);
    for line in 0..height {
        let mut text = String::new();
        for (i, (cell, width)) in cells.iter().zip(widths).enumerate() {
            text.push_str(if i > 0 { " | " } else { " " });
            let cell = cell.get(line).map_or("", |c| c);
            let pad = width.saturating_sub(cell.width());
            match is_right(i) {
                true => text.push_str(&format!("{:pad$}{cell}", "")),
                false => text.push_str(&format!("{cell}{:pad$}", "")),
            }
        }
        out.text.extend_from_slice(text.trim_end().as_bytes());
        out.text.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(Vec<(CqlType, Option<&'static [u8]>)>);

    impl Cells for Row {
        fn cell(&self, i: usize) -> (&CqlType, Option<&[u8]>) {
            (&self.0[i].0, self.0[i].1)
        }

        fn write_json(&self, _: &mut Vec<u8>) -> cqlite_core::Result<()> {
            Ok(())
        }
    }

    fn shown(width: usize, names: &[&str], rows: Vec<Row>) -> String {
        let columns: Vec<ResultColumn> = names
            .iter()
            .enumerate()
            .map(|(i, name)| ResultColumn {
                name: (*name).to_owned(),
                ty: rows[0].0[i].0.clone(),
            })
            .collect();
        let mut table = Table::new(Some(width));
        let mut out = Out::to(Box::new(std::io::sink()));
        table.begin(&columns, &mut out).unwrap();
        for row in &rows {
            table.row(row, &mut out).unwrap();
        }
        table.end(&mut out).unwrap();
        String::from_utf8(std::mem::take(&mut out.text)).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_nulls_shown() {
        let text = |t: &'static str| (CqlType::Text, Some(t.as_bytes()));
        let rows = vec![
            Row(vec![(CqlType::Int, Some(&[0, 0, 0, 7])), text("中\n")]),
            Row(vec![
                (CqlType::Int, Some(&[0, 0, 4, 0])),
                (CqlType::Text, None),
            ]),
        ];
        let lines = [
            " k    | value",
            "------+-------",
            "    7 | 中\\n",
            " 1024 | NULL",
            "",
            "(2 rows)",
            "",
        ];
        assert_eq!(shown(80, &["k", "value"], rows), lines.join("\n"));
    }

    #[test]
    fn long_values_are_wrapped_to_fit() {
        let long = "0123456789abcdefghij0123456789";
        let row = Row(vec![
            (CqlType::Text, Some(long.as_bytes())),
            (CqlType::Text, Some(b"x")),
        ]);
        let table = shown(20, &["a", "b"], vec![row]);
        assert!(table.lines().all(|line| line.width() <= 20), "{table}");
        assert!(table.contains("| x"), "{table}");
        let cells = table.lines().skip(2).take(3);
        let joined: String = cells.map(|l| l[1..].split(' ').next().unwrap()).collect();
        assert_eq!(joined, long, "{table}");
    }

    #[test]
    fn lines_break_at_blanks() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("onetwothree", 4), ["onet", "woth", "ree"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("中中中", 1), ["中", "中", "中"]);
        let long = wrap(&"x".repeat(100), 4);
        assert_eq!((long.len(), &*long[7]), (8, "xxx…"));
    }

    #[test]
    fn too_many_columns_become_a_list() {
        let row = Row(vec![(CqlType::Text, Some(b"0123456789abc")); 10]);
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let list = shown(40, &names, vec![row]);
        assert!(list.starts_with("@ 1\n a | 0123456789abc\n"), "{list}");
        assert_eq!(list.lines().count(), 13);
    }
}
