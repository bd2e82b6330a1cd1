//! The names of SSTable files and directories.
//!
//! Authority: `o.a.c.io.sstable.{Descriptor,Component,SequenceBasedSSTableId,UUIDBasedSSTableId}`, `o.a.c.db.Directories`.

use super::version::{Format, Version};
use crate::{Error, Result};
use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What tells one SSTable of a table from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SSTableId {
    /// A number that counts up.
    Sequence(u32),
    /// A time-ordered unique id of 28 characters, as `3gp5_0kkt_4sqcu2q57ww3mxrulb`, in lower case.
    Ulid(String),
}

impl SSTableId {
    /// Reads the id of a file name.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().map(SSTableId::Sequence);
        }
        let shape = text.len() == 28
            && text.bytes().enumerate().all(|(i, b)| match i {
                4 | 9 => b == b'_',
                _ => b.is_ascii_alphanumeric(),
            });
        shape.then(|| SSTableId::Ulid(text.to_ascii_lowercase()))
    }
}

/// Numbers before ULIDs; ULIDs by their time, which their text sorts by.
impl Ord for SSTableId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (SSTableId::Sequence(a), SSTableId::Sequence(b)) => a.cmp(b),
            (SSTableId::Sequence(_), SSTableId::Ulid(_)) => Ordering::Less,
            (SSTableId::Ulid(_), SSTableId::Sequence(_)) => Ordering::Greater,
            (SSTableId::Ulid(a), SSTableId::Ulid(b)) => a.cmp(b),
        }
    }
}

impl PartialOrd for SSTableId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SSTableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SSTableId::Sequence(n) => write!(f, "{n}"),
            SSTableId::Ulid(text) => f.write_str(text),
        }
    }
}

/// A component of an SSTable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Component {
    /// `Data.db`: the partitions.
    Data,
    /// `Index.db` (BIG): where each partition starts, and the promoted indexes of wide ones.
    Index,
    /// `Summary.db` (BIG): a sample of Index.db.
    Summary,
    /// `Partitions.db` (BTI): the trie of partition keys.
    Partitions,
    /// `Rows.db` (BTI): the tries of wide partitions' rows.
    Rows,
    /// `Filter.db`: the bloom filter of partition keys.
    Filter,
    /// `Statistics.db`: metadata and the serialization header.
    Statistics,
    /// `CompressionInfo.db`: compressor and chunk offsets.
    CompressionInfo,
    /// `CRC.db`: checksums of an uncompressed Data.db.
    Crc,
    /// `Digest.crc32`: checksum of the whole Data.db.
    Digest,
    /// `TOC.txt`: the list of components.
    Toc,
    /// Anything else, such as the files of secondary indexes.
    Custom(String),
}

impl Component {
    /// Every component that is not custom.
    pub const KNOWN: [Component; 11] = [
        Component::Data,
        Component::Index,
        Component::Summary,
        Component::Partitions,
        Component::Rows,
        Component::Filter,
        Component::Statistics,
        Component::CompressionInfo,
        Component::Crc,
        Component::Digest,
        Component::Toc,
    ];

    /// Its part of the file name.
    pub fn name(&self) -> &str {
        match self {
            Component::Custom(name) => name,
            known => known.known_name().unwrap_or_default(),
        }
    }

    /// As [`Component::name`], unless it is of no known kind.
    pub(crate) fn known_name(&self) -> Option<&'static str> {
        Some(match self {
            Component::Data => "Data.db",
            Component::Index => "Index.db",
            Component::Summary => "Summary.db",
            Component::Partitions => "Partitions.db",
            Component::Rows => "Rows.db",
            Component::Filter => "Filter.db",
            Component::Statistics => "Statistics.db",
            Component::CompressionInfo => "CompressionInfo.db",
            Component::Crc => "CRC.db",
            Component::Digest => "Digest.crc32",
            Component::Toc => "TOC.txt",
            Component::Custom(_) => return None,
        })
    }

    /// The component of a name.
    pub fn parse(name: &str) -> Component {
        Component::KNOWN
            .into_iter()
            .find(|c| c.name() == name)
            .unwrap_or_else(|| Component::Custom(name.to_owned()))
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Names an SSTable: its directory, version and id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// The directory of its files.
    pub directory: PathBuf,
    /// Its version and format.
    pub version: Version,
    /// Its id.
    pub id: SSTableId,
}

/// Held from [`Descriptor::next`] until a file of that name is there, by those who may not be alone in a directory.
pub(crate) fn naming() -> MutexGuard<'static, ()> {
    static NAMING: Mutex<()> = Mutex::new(());
    NAMING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Descriptor {
    /// The SSTable and component that a file name tells.
    ///
    /// # Errors
    /// `InvalidInput` when it is no SSTable's file, `Unsupported` when its version is none of those that can be read.
    pub fn parse(path: &Path) -> Result<(Descriptor, Component)> {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let tokens: Vec<&str> = name.split('-').collect();
        if let &[version, id, format, component] = tokens.as_slice()
            && is_version(version)
            && matches!(format, "big" | "bti")
        {
            let version = Version::parse(version, format).map_err(|e| e.in_file(path))?;
            if let Some(id) = SSTableId::parse(id) {
                let descriptor = Descriptor {
                    directory,
                    version,
                    id,
                };
                return Ok((descriptor, Component::parse(component)));
            }
        }
        // Before 2.2 names held the keyspace and table: `ks-table-jb-1-Data.db`, later `ks-table-ka-1-Data.db`.
        if let &[_, _, version, id, component] = tokens.as_slice()
            && is_version(version)
            && SSTableId::parse(id).is_some()
            && component.ends_with(".db")
        {
            return Err(match Version::parse(version, "") {
                Err(e) => e.in_file(path),
                Ok(_) => not_a_name(path),
            });
        }
        Err(not_a_name(path))
    }

    /// A name for a new SSTable of a directory: the number behind the largest that any file there has, 1 in an empty one.
    ///
    /// # Errors
    /// `NotFound` and `Io` if the directory cannot be read, `InvalidInput` if all numbers are taken.
    pub fn next(directory: &Path, version: Version) -> Result<Descriptor> {
        let listed = match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        };
        let mut largest = 0;
        for entry in std::fs::read_dir(listed).map_err(|e| Error::io(listed, e))? {
            let entry = entry.map_err(|e| Error::io(listed, e))?;
            let name = entry.file_name();
            // Of whatever version: Cassandra counts them all.
            let id = name.to_str().and_then(|n| n.split('-').nth(1));
            if let Some(SSTableId::Sequence(n)) = id.and_then(SSTableId::parse) {
                largest = largest.max(n);
            }
        }
        // Cassandra keeps them in 32 bits with a sign.
        let id = largest.saturating_add(1);
        if id > i32::MAX as u32 {
            return Err(Error::invalid("no number is left for a new SSTable").in_file(directory));
        }
        Ok(Descriptor {
            directory: directory.to_owned(),
            version,
            id: SSTableId::Sequence(id),
        })
    }

    /// `oa-3-big`: what all of its files' names start with.
    pub fn base_name(&self) -> String {
        format!("{}-{}-{}", self.version, self.id, self.version.format())
    }

    /// Path of a component's file.
    pub fn path(&self, component: &Component) -> PathBuf {
        self.directory
            .join(format!("{}-{component}", self.base_name()))
    }

    /// BIG or BTI.
    pub fn format(&self) -> Format {
        self.version.format()
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.directory.join(self.base_name()).display())
    }
}

fn is_version(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase())
}

fn not_a_name(path: &Path) -> Error {
    Error::invalid("its name is not one of an SSTable's file")
        .advise("names look like `oa-1-big-Data.db` or `da-1-bti-Data.db`")
        .in_file(path)
}

/// The keyspace, table and id that a table directory's path tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// Keyspace.
    pub keyspace: String,
    /// Table, or `table.index` for the hidden table of a secondary index.
    pub table: String,
    /// The table's id; `None` where its directory has none, as those from before 2.1.
    pub id: Option<[u8; 16]>,
}

impl TableName {
    /// Reads `.../ks/table-<32 hex>`, with `/snapshots/<tag>`, `/backups` and `/.index` behind it, from a directory's
    /// path. `None` when the path does not look like that.
    pub fn of_directory(directory: &Path) -> Option<TableName> {
        Self::parse(directory, |table| {
            let (name, id) = table.rsplit_once('-')?;
            Some((name, Some(parse_table_id(id)?)))
        })
    }

    /// Reads `.../ks/table` in the same way: the layout of tables that are older than 2.1. Any two directories look like
    /// that.
    pub fn without_id(directory: &Path) -> Option<TableName> {
        Self::parse(directory, |table| Some((table, None)))
    }

    fn parse(
        directory: &Path,
        split: impl FnOnce(&str) -> Option<(&str, Option<[u8; 16]>)>,
    ) -> Option<TableName> {
        let parts: Vec<&str> = directory
            .components()
            .filter_map(|c| c.as_os_str().to_str())
            .collect();
        let (rest, index) = match parts.split_last() {
            Some((last, rest)) if last.len() > 1 && last.starts_with('.') => {
                (rest, Some(&last[1..]))
            }
            _ => (parts.as_slice(), None),
        };
        let rest = match rest {
            [rest @ .., "snapshots", _tag] => rest,
            [rest @ .., "backups"] => rest,
            rest => rest,
        };
        let &[.., keyspace, table] = rest else {
            return None;
        };
        let (name, id) = split(table)?;
        let word =
            |s: &str| !s.is_empty() && s.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
        if !word(keyspace) || !word(name) {
            return None;
        }
        Some(TableName {
            keyspace: keyspace.to_owned(),
            table: match index {
                Some(index) => format!("{name}.{index}"),
                None => name.to_owned(),
            },
            id,
        })
    }
}

fn parse_table_id(hex: &str) -> Option<[u8; 16]> {
    if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(hex, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn names_of_files() {
        let (d, c) = Descriptor::parse(Path::new("ks/t-1/oa-3-big-Data.db")).unwrap();
        assert_eq!((d.id.clone(), c), (SSTableId::Sequence(3), Component::Data));
        assert_eq!(
            d.path(&Component::Toc),
            Path::new("ks/t-1/oa-3-big-TOC.txt")
        );
        let (d, c) =
            Descriptor::parse(Path::new("da-3gp5_0kkt_4sqcu2q57ww3mxrulb-bti-SAI+aa+M.db"))
                .unwrap();
        assert_eq!(d.base_name(), "da-3gp5_0kkt_4sqcu2q57ww3mxrulb-bti");
        assert_eq!(c, Component::Custom("SAI+aa+M.db".into()));
        for (name, kind) in [
            ("notes.txt", ErrorKind::InvalidInput),
            ("oa-3-big-Data.db.tmp-x", ErrorKind::InvalidInput),
            ("oa-99999999999-big-Data.db", ErrorKind::InvalidInput),
            ("la-3-big-Data.db", ErrorKind::Unsupported),
            ("ks-t-ka-3-Data.db", ErrorKind::Unsupported),
            ("ms-3-big-Data.db", ErrorKind::Unsupported),
        ] {
            let e = Descriptor::parse(Path::new(name)).unwrap_err();
            assert_eq!(e.kind(), kind, "{name}: {e}");
        }
    }

    #[test]
    fn ids_sort_numbers_first() {
        let mut ids: Vec<_> = ["3gp5_0kkt_4sqcu2q57ww3mxrulb", "10", "9"]
            .map(|s| SSTableId::parse(s).unwrap())
            .into();
        ids.sort();
        assert_eq!(
            ids.iter().map(|i| i.to_string()).collect::<Vec<_>>(),
            ["9", "10", "3gp5_0kkt_4sqcu2q57ww3mxrulb"]
        );
    }

    #[test]
    fn new_names_follow_the_largest() {
        let dir = tempfile::tempdir().unwrap();
        let version = Version::parse("oa", "big").unwrap();
        let next = || Descriptor::next(dir.path(), version).map(|d| d.base_name());
        assert_eq!(next().unwrap(), "oa-1-big");
        for name in [
            "me-9-big-Data.db",
            "oa-10-big-TOC.txt",
            "notes-99.txt",
            "da-3gp5_0kkt_4sqcu2q57ww3mxrulb-bti-Data.db",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(next().unwrap(), "oa-11-big");
        std::fs::write(dir.path().join("oa-2147483647-big-Data.db"), "").unwrap();
        assert_eq!(next().unwrap_err().kind(), ErrorKind::InvalidInput);
        let absent = Descriptor::next(&dir.path().join("none"), version);
        assert_eq!(absent.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn names_of_directories() {
        let id = "0123456789abcdef0123456789abcdef";
        for (path, table) in [
            (format!("/d/ks/t-{id}"), Some("t")),
            (format!("/d/ks/t-{id}/snapshots/s1"), Some("t")),
            (format!("/d/ks/t-{id}/backups"), Some("t")),
            (format!("/d/ks/t-{id}/.by_v"), Some("t.by_v")),
            (format!("/d/ks/t-{id}/snapshots/s1/.by_v"), Some("t.by_v")),
            ("/d/ks/t-12".into(), None),
            ("t".into(), None),
        ] {
            let name = TableName::of_directory(Path::new(&path));
            assert_eq!(name.as_ref().map(|n| n.table.as_str()), table, "{path}");
            assert!(name.is_none_or(|n| n.keyspace == "ks" && n.id.is_some_and(|id| id[0] == 1)));
        }
    }
}
