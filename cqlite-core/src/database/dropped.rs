//! Tables that are being dropped.
//!
//! Authority: `o.a.c.db.ColumnFamilyStore.dropTable`, `o.a.c.db.Directories`: snapshots and backups stay.
//!
//! A table is gone with its row in `system_schema.tables`, and its files go after that. Which files these are is noted before,
//! so that whoever opens the database next ends what a crash interrupted. A directory that is not noted stays, whatever it
//! looks like: that it is of no table does not tell whose it is.
//!
//! ```text
//! one line a table: directory of the keyspace, '/', directory of the table     (and their checksum: see `listed`)
//! ```

use super::definition::is_system;
use super::listed;
use crate::io::sync_directory;
use crate::schema::Schema;
use crate::{Error, Result};
use std::fs;
use std::io::ErrorKind::{DirectoryNotEmpty, NotFound};
use std::path::{Path, PathBuf};

/// What is in a table's directory and not the table's.
const NOT_DROPPED: [&str; 2] = ["snapshots", "backups"];

/// The list of what goes, in a database's own directory.
#[derive(Debug)]
pub(super) struct Dropped<'d> {
    directory: &'d Path,
    list: PathBuf,
}

impl<'d> Dropped<'d> {
    /// That of the database in `directory`, which has the directory `own`.
    pub fn new(directory: &'d Path, own: &Path) -> Self {
        Dropped {
            directory,
            list: own.join("dropped"),
        }
    }

    /// Notes that the tables in some directories go.
    ///
    /// # Errors
    /// `Io`; nothing may be dropped then.
    pub fn note<'p>(&self, tables: impl IntoIterator<Item = &'p Path>) -> Result<()> {
        let mut lines = String::new();
        for table in tables {
            let line = table.strip_prefix(self.directory).ok();
            let line = line
                .and_then(Path::to_str)
                .filter(|line| id_of(line).is_some());
            // Of others it would not be sure what they are.
            if let Some(line) = line {
                lines.push_str(line);
                lines.push('\n');
            }
        }
        listed::replace(&self.list, lines)
    }

    /// Notes that none goes.
    ///
    /// # Errors
    /// `Io`.
    pub fn forget(&self) -> Result<()> {
        match fs::remove_file(&self.list) {
            Err(e) if e.kind() != NotFound => Err(Error::io(&self.list, e)),
            _ => self.list.parent().map_or(Ok(()), sync_directory),
        }
    }

    /// Removes the tables that a crash left, but those that the schema has.
    ///
    /// # Errors
    /// `Corrupt` for a list that was not written here; `Io`.
    pub fn finish(&self, schema: &Schema) -> Result<()> {
        let Some(lines) = listed::read(&self.list, broken)? else {
            return Ok(());
        };
        for line in lines.lines() {
            let id = id_of(line).ok_or_else(|| broken(&self.list))?;
            let is_there = schema.tables.iter().any(|table| table.id == Some(id));
            // What cannot be read may be what was to be dropped.
            if !is_there && schema.broken.is_empty() {
                remove_table(&self.directory.join(line))?;
            }
        }
        self.forget()
    }
}

/// The table's id in the path of its directory, `<keyspace>/<table>-<id>`, of one that can be dropped.
fn id_of(line: &str) -> Option<[u8; 16]> {
    let (keyspace, table) = line.split_once('/')?;
    let (name, id) = table.rsplit_once('-')?;
    let is_name = |name: &str| {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !name.is_empty() && name.chars().all(is_letter)
    };
    let is_id = id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_own = is_name(keyspace) && is_name(name) && is_id && !is_system(keyspace);
    let id = u128::from_str_radix(id, 16).ok().filter(|_| is_own)?;
    Some(id.to_be_bytes())
}

fn broken(path: &Path) -> Error {
    Error::corrupt("it does not say which tables were being dropped")
        .advise("move it away, and remove directories of tables that are not in the schema by hand")
        .in_file(path)
}

/// Removes the directory of a table, unless there are snapshots or backups of it: then all but these.
///
/// # Errors
/// `Io`.
pub(super) fn remove_table(directory: &Path) -> Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == NotFound => return Ok(()),
        entries => entries.map_err(|e| Error::io(directory, e))?,
    };
    for entry in entries {
        let entry = entry.map_err(|e| Error::io(directory, e))?;
        let path = entry.path();
        let is_directory = entry.file_type().map_err(|e| Error::io(&path, e))?.is_dir();
        let stays = NOT_DROPPED.iter().any(|name| entry.file_name() == *name);
        let removed = match is_directory {
            true if stays => unless_used(fs::remove_dir(&path)),
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        match removed {
            // Who lets go of an SSTable that was replaced removes it, too.
            Err(e) if e.kind() != NotFound => return Err(Error::io(&path, e)),
            _ => {}
        }
    }
    unless_used(fs::remove_dir(directory)).map_err(|e| Error::io(directory, e))?;
    match directory.is_dir() {
        true => sync_directory(directory),
        false => directory.parent().map_or(Ok(()), sync_directory),
    }
}

fn unless_used(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(e) if e.kind() == DirectoryNotEmpty => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "000102030405060708090a0b0c0d0e0f";

    #[test]
    fn only_directories_of_tables_are_listed() {
        let id = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        assert_eq!(id_of(&format!("ks/Some_table-{ID}")), Some(id));
        for line in [
            String::new(),
            "ks".to_owned(),
            format!("t-{ID}"),
            format!("ks/{ID}"),
            format!("ks/-{ID}"),
            format!("ks/t-{ID}0"),
            format!("ks/t-+{}", &ID[1..]),
            format!("ks/t-{ID}/snapshots"),
            format!("../t-{ID}"),
            format!("ks/../t-{ID}"),
            format!("/t-{ID}"),
            format!("system_schema/tables-{ID}"),
            format!(".cqlite/t-{ID}"),
        ] {
            assert_eq!(id_of(&line), None, "{line}");
        }
    }

    #[test]
    fn snapshots_and_backups_stay() {
        let directory = tempfile::tempdir().unwrap();
        let table = directory.path().join("t");
        let make = |path: &str| {
            let path = table.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        };
        make("oa-1-big-Data.db");
        make(".t_idx/oa-1-big-Data.db");
        fs::create_dir(table.join("backups")).unwrap();
        fs::create_dir(table.join("snapshots")).unwrap();
        remove_table(&table).unwrap();
        assert!(!table.exists());
        remove_table(&table).unwrap();

        make("oa-1-big-Data.db");
        make("snapshots/mine/oa-1-big-Data.db");
        make("backups/oa-1-big-Data.db");
        remove_table(&table).unwrap();
        let left: Vec<_> = fs::read_dir(&table).unwrap().collect();
        assert_eq!(left.len(), 2);
        assert!(table.join("snapshots/mine/oa-1-big-Data.db").exists());
        assert!(table.join("backups/oa-1-big-Data.db").exists());
    }

    #[test]
    fn a_damaged_list_removes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join(".cqlite");
        let table = directory.path().join(format!("ks/t-{ID}"));
        fs::create_dir_all(&own).unwrap();
        fs::create_dir_all(&table).unwrap();
        let dropped = Dropped::new(directory.path(), &own);
        dropped.note([&*table]).unwrap();
        let good = fs::read(own.join("dropped")).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 4;
            fs::write(own.join("dropped"), &bad).unwrap();
            assert!(dropped.finish(&Schema::default()).is_err(), "{i}");
            assert!(table.exists());
        }
        fs::write(own.join("dropped"), &good).unwrap();
        dropped.finish(&Schema::default()).unwrap();
        assert!(!table.exists() && !own.join("dropped").exists());
    }
}
