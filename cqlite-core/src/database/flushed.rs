//! Up to where the log's writes of each table are in SSTables.
//!
//! A segment is deleted once nothing in it is needed, whatever of the same rows older segments have: what these say of a table
//! that was flushed since must not come back when they are replayed, for what hid it may be purged by then.
//!
//! ```text
//! one line a table: id in hexadecimal digits, segment, position                (and their checksum: see `listed`)
//! ```

use super::listed;
use crate::commitlog::{Position, TableId};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The positions, and the file that keeps them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flushed {
    directory: PathBuf,
    positions: BTreeMap<TableId, Position>,
}

impl Flushed {
    /// Those of a directory, none if nothing was ever flushed.
    ///
    /// # Errors
    /// `Corrupt` for a file that was not written so; `Io`.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = directory.join("flushed");
        let positions = match listed::read(&path, broken)? {
            Some(lines) => parse(&lines).ok_or_else(|| broken(&path))?,
            None => BTreeMap::new(),
        };
        Ok(Flushed {
            directory: directory.to_owned(),
            positions,
        })
    }

    /// Whether a table's write up to a position is in SSTables.
    pub fn covers(&self, table: &TableId, position: Position) -> bool {
        let up_to = self.positions.get(table);
        up_to.is_some_and(|up_to| position <= *up_to)
    }

    /// Notes that a table's writes up to a position are in SSTables.
    ///
    /// # Errors
    /// `Io`; the file says what it said before.
    pub fn note(&mut self, table: TableId, up_to: Position) -> Result<()> {
        self.positions.insert(table, up_to);
        self.write()
    }

    /// Forgets all positions: there is no segment any more that they are of.
    ///
    /// # Errors
    /// `Io`.
    pub fn reset(&mut self) -> Result<()> {
        if self.positions.is_empty() {
            return Ok(());
        }
        self.positions.clear();
        self.write()
    }

    fn write(&self) -> Result<()> {
        let mut text = String::new();
        for (table, position) in &self.positions {
            for byte in table {
                let _ = write!(text, "{byte:02x}");
            }
            let _ = writeln!(text, " {} {}", position.segment, position.position);
        }
        listed::replace(&self.directory.join("flushed"), text)
    }
}

fn broken(path: &Path) -> Error {
    Error::corrupt("it does not say up to where tables were flushed")
        .advise("without it all of the log is replayed, which may bring back what was deleted: move it away to do so")
        .in_file(path)
}

fn parse(lines: &str) -> Option<BTreeMap<TableId, Position>> {
    let line = |line: &str| {
        let mut fields = line.split(' ');
        let id = u128::from_str_radix(fields.next()?, 16).ok()?;
        let position = Position {
            segment: fields.next()?.parse().ok()?,
            position: fields.next()?.parse().ok()?,
        };
        Some((id.to_be_bytes(), position))
    };
    lines.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn at(segment: i64, position: i32) -> Position {
        Position { segment, position }
    }

    #[test]
    fn positions_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let mut flushed = Flushed::open(directory.path()).unwrap();
        assert!(!flushed.covers(&[1; 16], at(0, 0)));
        flushed.note([1; 16], at(7, 100)).unwrap();
        flushed.note([0xfe; 16], at(8, 5)).unwrap();
        flushed.note([1; 16], at(8, 3)).unwrap();
        let mut flushed = Flushed::open(directory.path()).unwrap();
        for (table, position, expected) in [
            (1, at(7, 1000), true),
            (1, at(8, 3), true),
            (1, at(8, 4), false),
            (0xfe, at(8, 5), true),
            (2, at(0, 0), false),
        ] {
            assert_eq!(
                flushed.covers(&[table; 16], position),
                expected,
                "{position:?}"
            );
        }
        flushed.reset().unwrap();
        let flushed = Flushed::open(directory.path()).unwrap();
        assert!(!flushed.covers(&[1; 16], at(0, 0)));
    }

    #[test]
    fn a_damaged_file_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut flushed = Flushed::open(directory.path()).unwrap();
        flushed.note([1; 16], at(7, 100)).unwrap();
        let path = directory.path().join("flushed");
        let good = std::fs::read(&path).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            let e = Flushed::open(directory.path()).unwrap_err();
            assert!(
                matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::Io),
                "{i}: {e}"
            );
            std::fs::write(&path, &good[..i]).unwrap();
            assert!(Flushed::open(directory.path()).is_err(), "{i}");
        }
    }
}
