//! What a PATH means: one SSTable, the SSTables of a table's directory, or all tables of a keyspace or data directory.
//!
//! Authority: `o.a.c.db.Directories` (the layout and `SSTableLister`), `o.a.c.db.lifecycle.LogAwareFileLister`.
//!
//! ```text
//! data/ks/table-<id>/                    live SSTables
//! data/ks/table-<id>/.index/             those of a secondary index's hidden table
//! data/ks/table-<id>/backups/            hard links to flushed ones
//! data/ks/table-<id>/snapshots/<tag>/    hard links to those of a moment
//! ```

use super::descriptor::{Component, Descriptor, TableName};
use super::transaction::{dead_files, logs};
use crate::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The keyspace of the schema's own tables.
const SYSTEM_SCHEMA: &str = "system_schema";

/// How many names advice lists at most.
const ADVICE_NAMES_MAX: usize = 8;

/// A table's directory and the SSTables that are asked for.
#[derive(Debug, Clone)]
pub struct TableDirectory {
    /// The directory of the files.
    pub directory: PathBuf,
    /// Keyspace, table and id, when the path tells them.
    pub name: Option<TableName>,
    /// Live SSTables, by generation.
    pub sstables: Vec<Descriptor>,
    /// SSTables of versions that cannot be read: an error each, which names the version.
    pub unreadable: Vec<Error>,
}

impl TableDirectory {
    /// The SSTables, by generation.
    ///
    /// # Errors
    /// The first of `unreadable`, if there is any: whoever reads a table needs all of it.
    pub fn readable(&self) -> Result<&[Descriptor]> {
        match self.unreadable.first() {
            Some(e) => Err(e.clone()),
            None => Ok(&self.sstables),
        }
    }

    /// The hidden tables of its secondary indexes, by name.
    ///
    /// # Errors
    /// As of [`resolve`].
    pub fn indexes(&self) -> Result<Vec<TableDirectory>> {
        let mut found = Vec::new();
        for child in children(&self.directory)? {
            if is_index_directory(&child) {
                let table = list(&child)?;
                if !table.is_empty() {
                    found.push(table);
                }
            }
        }
        Ok(found)
    }
}

/// The tables that `path` means: a component file stands for its SSTable alone, a table's directory (a snapshot,
/// backups and a secondary index's directory are such, too) for all its SSTables, a keyspace's or data directory for
/// all tables in it. What an unfinished transaction wrote and what a finished one replaced is left out of directories.
///
/// A table's directory may hold no SSTable; there is always at least one table.
///
/// # Errors
/// `NotFound` when there is nothing of this kind, with advice that lists what there is; `InvalidInput` for a file that
/// is none of an SSTable; `Unsupported`, naming the version, for a file of an SSTable that cannot be read; `Corrupt`
/// for a transaction log that does not tell which SSTables are live.
pub fn resolve(path: &Path) -> Result<Vec<TableDirectory>> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(e) => return Err(absent(path, Error::io(path, e))),
    };
    if !metadata.is_dir() {
        let (descriptor, _) = Descriptor::parse(path).map_err(|e| match e.kind() {
            ErrorKind::InvalidInput => advise_contents(e, parent(path)),
            _ => e,
        })?;
        return Ok(vec![TableDirectory {
            name: table_name(&descriptor.directory),
            directory: descriptor.directory.clone(),
            sstables: vec![descriptor],
            unreadable: Vec::new(),
        }]);
    }
    let table = list(path)?;
    if !table.is_empty() || table.name.is_some() {
        return Ok(vec![table]);
    }
    let mut tables = Vec::new();
    for child in subdirectories(path)? {
        let table = list(&child)?;
        if !table.is_empty() || table.name.is_some() {
            tables.push(table);
            continue;
        }
        for grandchild in subdirectories(&child)? {
            let table = list(&grandchild)?;
            if !table.is_empty() || table.name.is_some() {
                tables.push(table);
            }
        }
    }
    if tables.is_empty() {
        return Err(
            Error::not_found("there is no SSTable here, nor in its subdirectories")
                .advise(
                    "give a component file as `oa-1-big-Data.db`, or the directory of a table, \
                     snapshot, keyspace or node's data",
                )
                .in_file(path),
        );
    }
    Ok(tables)
}

/// The live SSTables of one directory, without those of its subdirectories.
///
/// # Errors
/// `Io`, and `Corrupt` for a transaction log that does not tell which SSTables are live.
pub fn list(directory: &Path) -> Result<TableDirectory> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(directory).map_err(|e| Error::io(directory, e))? {
        let entry = entry.map_err(|e| Error::io(directory, e))?;
        // What is not UTF-8 is no name of Cassandra's.
        if let Ok(name) = entry.file_name().into_string() {
            names.insert(name);
        }
    }
    let mut dead = Vec::new();
    for log in logs(directory, &names) {
        dead.extend(dead_files(&log, &names)?);
    }
    let mut sstables = BTreeMap::new();
    let mut unreadable = BTreeMap::new();
    for name in &names {
        if name.ends_with(".tmp") || dead.iter().any(|prefix| name.starts_with(prefix.as_str())) {
            continue;
        }
        match Descriptor::parse(&directory.join(name)) {
            Ok((descriptor, _)) => {
                let key = (descriptor.id.clone(), descriptor.version);
                sstables.entry(key).or_insert(descriptor);
            }
            Err(e) if e.kind() == ErrorKind::Unsupported => {
                let base = name
                    .rsplit_once('-')
                    .map_or(name.as_str(), |(base, _)| base);
                // Its Data.db is what the user knows it by.
                if name.ends_with(Component::Data.name()) || !unreadable.contains_key(base) {
                    unreadable.insert(base.to_owned(), e);
                }
            }
            Err(_) => {}
        }
    }
    Ok(TableDirectory {
        directory: directory.to_owned(),
        name: table_name(directory),
        sstables: sstables.into_values().collect(),
        unreadable: unreadable.into_values().collect(),
    })
}

impl TableDirectory {
    fn is_empty(&self) -> bool {
        self.sstables.is_empty() && self.unreadable.is_empty()
    }
}

/// Directories inside one, by name, without hidden ones and the one that every ext4 disk has for itself.
fn subdirectories(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = children(directory)?;
    found.retain(|child| {
        let name = child.file_name().unwrap_or_default();
        !name.as_encoded_bytes().starts_with(b".") && name != "lost+found"
    });
    Ok(found)
}

/// Directories inside one, by name.
fn children(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|e| Error::io(directory, e))? {
        let path = entry.map_err(|e| Error::io(directory, e))?.path();
        // Data directories may be links to other disks.
        if std::fs::metadata(&path).is_ok_and(|m| m.is_dir()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What the path of a directory tells, whether it is absolute, relative, or leads through links.
fn table_name(directory: &Path) -> Option<TableName> {
    let directory = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    let absolute = std::path::absolute(directory).ok();
    absolute
        .as_deref()
        .and_then(TableName::of_directory)
        .or_else(|| TableName::of_directory(&directory.canonicalize().ok()?))
        .or_else(|| name_without_id(&absolute?))
}

/// Cassandra goes on using directories without an id. They are told by the schema's tables beside their keyspace.
fn name_without_id(directory: &Path) -> Option<TableName> {
    let name = TableName::without_id(directory)?;
    let own = name.table.split('.').next();
    let is_table = |path: &&Path| path.file_name().and_then(|n| n.to_str()) == own;
    let table = directory.ancestors().find(is_table)?;
    let data = table.parent()?.parent()?;
    data.join(SYSTEM_SCHEMA).is_dir().then_some(name)
}

/// Whether a directory holds the hidden table of a secondary index: its name starts with a dot, and it lies in a table's
/// directory, snapshot or backups. Directories of tables that are older than 2.1 have no id.
pub fn is_index_directory(directory: &Path) -> bool {
    let Ok(absolute) = std::path::absolute(directory.join(".")) else {
        return false;
    };
    let parts: Vec<&str> = absolute.iter().filter_map(|part| part.to_str()).collect();
    let Some((index, rest)) = parts.split_last() else {
        return false;
    };
    let rest = match rest {
        [rest @ .., "snapshots", _tag] => rest,
        [rest @ .., "backups"] => rest,
        rest => rest,
    };
    let is_word = |text: &str| {
        let is_letter = |b: u8| b == b'_' || b.is_ascii_alphanumeric();
        !text.is_empty() && text.bytes().all(is_letter)
    };
    let is_table = match rest {
        [.., keyspace, table] => is_word(keyspace) && is_word(table),
        _ => false,
    };
    let is_index = index.len() > 1 && index.starts_with('.');
    is_index && (is_table || TableName::of_directory(&absolute).is_some())
}

/// Nothing lies at `path`: what else may have been meant.
fn absent(path: &Path, e: Error) -> Error {
    if e.kind() != ErrorKind::NotFound {
        return e;
    }
    match Descriptor::parse(path) {
        Err(e) if e.kind() == ErrorKind::Unsupported => return e,
        _ => {}
    }
    let e = Error::not_found("there is no such file or directory").in_file(path);
    let mut nearest = parent(path);
    while !nearest.is_dir() && nearest != Path::new(".") && nearest.parent().is_some() {
        nearest = parent(nearest);
    }
    advise_contents(e, nearest)
}

/// Advises to take what `directory` holds: its SSTables, else its subdirectories.
fn advise_contents(e: Error, directory: &Path) -> Error {
    let here = match directory == Path::new(".") {
        true => "this directory".to_owned(),
        false => directory.display().to_string(),
    };
    if let Ok(table) = list(directory)
        && !table.sstables.is_empty()
    {
        let names = table.sstables.iter().map(|d| d.base_name() + "-Data.db");
        return e.advise(format!("{here} holds {}", enumerate(names.collect())));
    }
    match subdirectories(directory) {
        Ok(found) if !found.is_empty() => {
            let names = found.iter().filter_map(|p| p.file_name()?.to_str());
            let names = names.map(|n| format!("{n}/")).collect();
            e.advise(format!("{here} holds {}", enumerate(names)))
        }
        _ => e.advise("give a component file as `oa-1-big-Data.db`, or a directory of them"),
    }
}

fn enumerate(names: Vec<String>) -> String {
    let shown = names.len().min(ADVICE_NAMES_MAX);
    let mut text = names[..shown].join(", ");
    if shown < names.len() {
        text += &format!(" and {} more", names.len() - shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::transaction::tests::line;
    use super::*;
    use std::fs::{create_dir_all, write};

    const ID: &str = "0123456789abcdef0123456789abcdef";
    const ULID: &str = "3gp5_0kkt_4sqcu2q57ww3mxrulb";

    /// A small data directory of two keyspaces.
    fn data() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let t = dir.path().join(format!("ks/t-{ID}"));
        for sub in ["", "snapshots/s1", "backups", ".by_v"] {
            create_dir_all(t.join(sub)).unwrap();
            for id in ["10", "9", ULID] {
                for component in ["Data.db", "TOC.txt", "Statistics.db.tmp"] {
                    write(t.join(sub).join(format!("oa-{id}-big-{component}")), "").unwrap();
                }
            }
        }
        write(t.join("snapshots/s1/manifest.json"), "{}").unwrap();
        create_dir_all(dir.path().join(format!("ks/empty-{ID}"))).unwrap();
        create_dir_all(dir.path().join(format!("old/o-{ID}"))).unwrap();
        write(dir.path().join(format!("old/o-{ID}/la-1-big-Data.db")), "").unwrap();
        create_dir_all(dir.path().join("saved_caches")).unwrap();
        create_dir_all(dir.path().join(format!("lost+found/o-{ID}"))).unwrap();
        write(
            dir.path()
                .join(format!("lost+found/o-{ID}/oa-1-big-Data.db")),
            "",
        )
        .unwrap();
        dir
    }

    fn ids(table: &TableDirectory) -> Vec<String> {
        table.sstables.iter().map(|d| d.id.to_string()).collect()
    }

    #[test]
    fn every_kind_of_path() {
        let dir = data();
        let t = dir.path().join(format!("ks/t-{ID}"));
        for (sub, table) in [
            ("", "t"),
            ("snapshots/s1", "t"),
            ("backups", "t"),
            (".by_v", "t.by_v"),
        ] {
            let tables = resolve(&t.join(sub)).unwrap();
            assert_eq!(tables.len(), 1, "{sub}");
            assert_eq!(ids(&tables[0]), ["9", "10", ULID]);
            assert_eq!(is_index_directory(&tables[0].directory), sub == ".by_v");
            let indexes = tables[0].indexes().unwrap();
            let directories: Vec<_> = indexes.iter().map(|t| &t.directory).collect();
            match sub {
                "" => assert_eq!(directories, [&t.join(".by_v")]),
                _ => assert_eq!(directories.len(), 0, "{sub}"),
            }
            assert_eq!(tables[0].name.as_ref().unwrap().table, table);
        }
        let tables = resolve(&t.join("oa-9-big-TOC.txt")).unwrap();
        assert_eq!((tables.len(), ids(&tables[0])), (1, vec!["9".to_owned()]));
        let tables = resolve(&dir.path().join("ks")).unwrap();
        let names: Vec<_> = tables
            .iter()
            .map(|t| &t.name.as_ref().unwrap().table)
            .collect();
        assert_eq!(names, ["empty", "t"]);
        assert_eq!(tables[1].readable().unwrap().len(), 3);
        let tables = resolve(dir.path()).unwrap();
        assert_eq!(tables.len(), 3);
        let e = tables[2].readable().unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Unsupported);
        assert!(e.to_string().contains("la-1-big-Data.db"), "{e}");
        assert_eq!(resolve(&t.join("snapshots")).unwrap().len(), 1);
    }

    #[test]
    fn directories_of_old_tables_have_no_id() {
        let dir = data();
        let t = dir.path().join("ks/aged");
        for sub in ["", "snapshots/s1", ".by_v"] {
            create_dir_all(t.join(sub)).unwrap();
            write(t.join(sub).join("oa-1-big-Data.db"), "").unwrap();
        }
        // Any two directories may be named so: without a schema beside them they mean nothing.
        assert_eq!(resolve(&t).unwrap()[0].name, None);
        create_dir_all(dir.path().join("system_schema")).unwrap();
        for (sub, table) in [
            ("", "aged"),
            ("snapshots/s1", "aged"),
            (".by_v", "aged.by_v"),
        ] {
            let name = resolve(&t.join(sub)).unwrap().remove(0).name.unwrap();
            assert_eq!(
                (&*name.keyspace, &*name.table, name.id),
                ("ks", table, None)
            );
        }
        assert_eq!(resolve(&dir.path().join("ks")).unwrap().len(), 3);
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let dir = data();
        let t = dir.path().join(format!("ks/t-{ID}"));
        for (path, kind, says) in [
            (
                t.join("oa-3-big-Data.db"),
                ErrorKind::NotFound,
                "oa-9-big-Data.db, oa-10-big-Data.db",
            ),
            (
                dir.path().join("ks/u/oa-1-big-Data.db"),
                ErrorKind::NotFound,
                "holds empty-",
            ),
            (
                t.join("snapshots/s1/manifest.json"),
                ErrorKind::InvalidInput,
                "its name is not one of an SSTable's file",
            ),
            (
                dir.path().join("saved_caches"),
                ErrorKind::NotFound,
                "there is no SSTable here",
            ),
            (
                dir.path().join("ks-t-jb-1-Data.db"),
                ErrorKind::Unsupported,
                "`jb`",
            ),
        ] {
            let e = resolve(&path).unwrap_err();
            assert_eq!(e.kind(), kind, "{e}");
            assert!(e.to_string().contains(says), "{e}");
        }
    }

    #[test]
    fn transaction_logs_are_honoured() {
        let dir = data();
        let t = dir.path().join(format!("ks/t-{ID}"));
        let add = line("ADD", "/var/lib/ks/t/oa-9-big-", 0, 8);
        write(t.join("oa_txn_compaction_7e4dfee0-1e1b-11f0.log"), add).unwrap();
        assert_eq!(ids(&resolve(&t).unwrap()[0]), ["10", ULID]);
        // A file that is named is read whatever the log says.
        let named = resolve(&t.join("oa-9-big-Data.db")).unwrap();
        assert_eq!(ids(&named[0]), ["9"]);
    }
}
