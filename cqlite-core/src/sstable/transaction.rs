//! Transaction logs: which SSTables of a directory are not live although their files are there; and writing one, so that
//! an SSTable is there as a whole or not at all.
//!
//! Authority: `o.a.c.db.lifecycle.{LogFile,LogRecord,LogAwareFileLister}`.
//!
//! ```text
//! ADD:[<path>/oa-5-big-,0,8][<crc32>]
//! REMOVE:[<path>/oa-4-big-,<time of change, ms>,<count of files>][<crc32>]
//! COMMIT:[,0,0][<crc32>]        or ABORT
//! ```
//!
//! Records are matched by the names of files alone, so that a copied directory is read as the original was. For the
//! same reason the files' times of change are not compared, as Cassandra does before it deletes them.

use super::descriptor::Descriptor;
use super::version::Version;
use crate::io::{check_regular, sync_directory};
use crate::{Error, ErrorKind, Result};
use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest log that is read: one of a hundred thousand SSTables is shorter.
const LOG_BYTES_MAX: u64 = 1 << 26;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Remove,
    Commit,
    Abort,
}

#[derive(Debug, PartialEq, Eq)]
struct Record<'a> {
    kind: Kind,
    /// What the names of the SSTable's files start with, as `oa-5-big-`.
    prefix: &'a str,
    files: u32,
}

/// Whether a file's name is one of a transaction log: `oa_txn_compaction_<timeuuid>.log`.
pub fn is_log(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".log") else {
        return false;
    };
    // The version may be missing, and a format may stand before it: `bti-da_txn_flush_<timeuuid>.log`.
    let operation = match stem.split_once("_txn_") {
        Some((version, rest)) => {
            let letters = version.rsplit_once('-').map_or(version, |(_, v)| v);
            if letters.chars().count() != 2 {
                return false;
            }
            rest
        }
        None => match stem.strip_prefix("txn_") {
            Some(rest) => rest,
            None => return false,
        },
    };
    operation.contains('_')
}

/// The prefixes (`oa-5-big-`) of the files in `directory` that are not live by the transaction log `log`: those that an
/// unfinished or aborted transaction wrote, and those that a committed one replaced. `names` are the directory's files.
///
/// # Errors
/// `Corrupt` when a record but the last does not match its checksum, and when files are gone that only a committed
/// transaction may delete: then nobody can tell what is live.
pub fn dead_files(log: &Path, names: &BTreeSet<String>) -> Result<Vec<String>> {
    match read(log, names) {
        // The transaction may have committed after the directory was listed.
        Err(_) => read(log, names),
        read => read,
    }
    .map_err(|e| {
        e.advise("name a Data.db to read that SSTable alone")
            .in_file(log)
    })
}

fn read(log: &Path, names: &BTreeSet<String>) -> Result<Vec<String>> {
    let bytes = match check_regular(log) {
        Ok(m) if m.len() > LOG_BYTES_MAX => {
            return Err(Error::corrupt("the transaction log is too long to be one"));
        }
        Ok(_) => std::fs::read(log).map_err(|e| Error::io(log, e)),
        Err(e) => Err(e),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        // A log is deleted last, once all that it lists is in order.
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let mut records = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        match parse(line) {
            Some(record) => records.push(record),
            // The writer may have died in the middle of its last line.
            None if i + 1 == lines.len() => {}
            None => return Err(bad_line(i, "is no record, or its checksum does not match")),
        }
        let ended = matches!(
            records.last().map(|r| r.kind),
            Some(Kind::Commit | Kind::Abort)
        );
        if ended && i + 1 != lines.len() {
            return Err(bad_line(i + 1, "follows the end of the transaction"));
        }
    }
    let last = records.last().map(|r| r.kind);
    let dead = match last {
        Some(Kind::Commit) => Kind::Remove,
        _ => Kind::Add,
    };
    if !matches!(last, Some(Kind::Commit | Kind::Abort)) {
        // None at all: they lie in another of the table's directories, as each of them has the whole log.
        for record in records.iter().filter(|r| r.kind == Kind::Remove) {
            let there = with_prefix(names, record.prefix).count();
            if there != 0 && there < record.files as usize {
                return Err(Error::corrupt(format!(
                    "the transaction has not ended, but of the {} files `{}*` that it replaces {there} are left",
                    record.files, record.prefix
                )));
            }
        }
    }
    Ok(records
        .iter()
        .filter(|r| r.kind == dead)
        .map(|r| r.prefix.to_owned())
        .collect())
}

fn bad_line(index: usize, what: &str) -> Error {
    Error::corrupt(format!("line {} {what}", index + 1))
}

fn with_prefix<'a>(
    names: &'a BTreeSet<String>,
    prefix: &'a str,
) -> impl Iterator<Item = &'a String> {
    names
        .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
        .take_while(move |name| name.starts_with(prefix))
}

/// A record whose checksum is right.
fn parse(line: &str) -> Option<Record<'_>> {
    let (kind, rest) = line.split_once(":[")?;
    let (name, kind) = [
        ("ADD", Kind::Add),
        ("REMOVE", Kind::Remove),
        ("COMMIT", Kind::Commit),
        ("ABORT", Kind::Abort),
    ]
    .into_iter()
    .find(|(name, _)| kind.eq_ignore_ascii_case(name))?;
    let (fields, stored) = rest.strip_suffix(']')?.split_once("][")?;
    let mut fields = fields.split(',');
    let (path, time, files) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() {
        return None;
    }
    let time: i64 = time.parse().ok()?;
    let files: u32 = files.parse().ok()?;
    // Cassandra keeps neither the path nor the numbers of records that it has no use for.
    let (path, files) = match kind {
        Kind::Add | Kind::Remove => (path, files),
        Kind::Commit | Kind::Abort => ("", 0),
    };
    let time = if kind == Kind::Remove { time } else { 0 };
    if stored.parse() != Ok(checksum(name, path, time, files)) {
        return None;
    }
    Some(Record {
        kind,
        prefix: path.rsplit(['/', '\\']).next()?,
        files,
    })
}

/// The path of a log beside `names`, in their order.
pub(super) fn logs<'a>(
    directory: &'a Path,
    names: &'a BTreeSet<String>,
) -> impl Iterator<Item = PathBuf> + 'a {
    names
        .iter()
        .filter(|name| is_log(name))
        .map(|name| directory.join(name))
}

/// New SSTables of one directory that become live together, when the transaction commits. One that is dropped without
/// having committed deletes their files; so does whoever opens the directory after a crash.
#[derive(Debug)]
pub struct Transaction {
    directory: PathBuf,
    path: PathBuf,
    /// The log, once there is something to say.
    log: Option<File>,
    added: Vec<Descriptor>,
    removed: Vec<Descriptor>,
}

/// SSTables that a committed transaction replaced. While someone reads them their files stay, and with them the log, which
/// says that they are not live; both are deleted when this is dropped, or by whoever opens the directory next.
#[derive(Debug)]
pub struct Replaced {
    directory: PathBuf,
    path: PathBuf,
    removed: Vec<Descriptor>,
}

impl Drop for Replaced {
    fn drop(&mut self) {
        if self.removed.is_empty() {
            return;
        }
        self.removed.iter().for_each(remove_files);
        remove_log(&self.directory, &self.path, &self.removed);
    }
}

/// Deletes a log that says that these SSTables are not live, unless files of theirs are left.
fn remove_log(directory: &Path, log: &Path, dead: &[Descriptor]) {
    let is_gone = |d: &Descriptor| files_of(d).is_ok_and(|files| files.is_empty());
    if dead.iter().all(is_gone) {
        // The log goes last, also on the disk.
        let _ = sync_directory(directory);
        let _ = std::fs::remove_file(log);
        let _ = sync_directory(directory);
    }
}

/// Ends what transactions left in a directory when their process did: the files that are not live are deleted, then the
/// logs. Nobody else may write there.
///
/// Authority: `o.a.c.db.lifecycle.LogTransaction.removeUnfinishedLeftovers`.
///
/// # Errors
/// `Corrupt` for a log that does not tell what is live; `Io`. Nothing that is live was deleted then.
pub fn remove_leftovers(directory: &Path) -> Result<()> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(directory).map_err(|e| Error::io(directory, e))? {
        let entry = entry.map_err(|e| Error::io(directory, e))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.insert(name);
        }
    }
    for log in logs(directory, &names) {
        let dead = dead_files(&log, &names)?;
        for name in dead.iter().flat_map(|prefix| with_prefix(&names, prefix)) {
            remove(&directory.join(name))?;
        }
        sync_directory(directory)?;
        remove(&log)?;
    }
    // What a writer keeps beside its SSTable is no one's once that writer is gone.
    for name in names.iter().filter(|name| name.ends_with(".tmp")) {
        remove(&directory.join(name))?;
    }
    sync_directory(directory)
}

/// Deletes a file, unless someone else did.
fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(file, e)),
        _ => Ok(()),
    }
}

impl Transaction {
    /// Starts one. `version` is that of the SSTables, `operation` what their writing is called: lower-case letters.
    ///
    /// # Errors
    /// `InvalidInput` if `directory` is none, `NotFound` if it is not there.
    pub fn begin(directory: &Path, version: Version, operation: &str) -> Result<Self> {
        let directory = match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        };
        if !std::fs::metadata(directory)
            .map_err(|e| Error::io(directory, e))?
            .is_dir()
        {
            return Err(Error::invalid("it is not a directory").in_file(directory));
        }
        let directory = directory
            .canonicalize()
            .map_err(|e| Error::io(directory, e))?;
        let name = format!(
            "{}_txn_{operation}_{}.log",
            version.log_prefix(),
            time_uuid()
        );
        Ok(Transaction {
            path: directory.join(name),
            directory,
            log: None,
            added: Vec::new(),
            removed: Vec::new(),
        })
    }

    /// Announces an SSTable of about `files` files, none of which exists yet.
    ///
    /// # Errors
    /// `Io`; `InvalidInput` for one of another directory.
    pub fn add(&mut self, descriptor: &Descriptor, files: usize) -> Result<()> {
        let prefix = self.prefix(descriptor)?;
        let line = format_line(Kind::Add, &prefix, 0, files as u32);
        self.append(&line)?;
        self.added.push(descriptor.clone());
        Ok(())
    }

    /// Announces that an SSTable of the directory is not live any more once the transaction has committed.
    ///
    /// # Errors
    /// `Io`; `NotFound` if it has no files.
    pub fn remove(&mut self, descriptor: &Descriptor) -> Result<()> {
        let files = files_of(descriptor)?;
        if files.is_empty() {
            return Err(Error::not_found("the SSTable is gone")
                .in_file(&descriptor.path(&super::descriptor::Component::Data)));
        }
        let mut newest = 0;
        for file in &files {
            let modified = std::fs::metadata(file).and_then(|m| m.modified());
            let modified = modified.map_err(|e| Error::io(file, e))?;
            let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            newest = newest.max(since.as_millis() as i64);
        }
        let prefix = self.prefix(descriptor)?;
        let line = format_line(Kind::Remove, &prefix, newest, files.len() as u32);
        self.append(&line)?;
        self.removed.push(descriptor.clone());
        Ok(())
    }

    /// What the paths of an SSTable's files begin with.
    fn prefix(&self, descriptor: &Descriptor) -> Result<String> {
        let prefix = self.directory.join(descriptor.base_name() + "-");
        let prefix = prefix.to_str().filter(|p| !p.contains([',', '\n', '\r']));
        let prefix = prefix.ok_or_else(|| {
            Error::invalid("the directory's path cannot be written in a transaction log")
                .advise("choose one that is UTF-8 and without commas")
                .in_file(&self.directory)
        })?;
        Ok(prefix.to_owned())
    }

    /// Makes the SSTables live. Their files must be on the disk. What they replace is deleted with what is returned, at the
    /// latest by whoever opens the directory next.
    ///
    /// # Errors
    /// `Io`; then they are deleted.
    pub fn commit(mut self) -> Result<Replaced> {
        if let Some(log) = &self.log {
            let before = log.metadata().map(|m| m.len());
            if let Err(e) = self.append(&format_line(Kind::Commit, "", 0, 0)) {
                // The disk may have it all the same. Unless it can be taken back, all files stay, and the log says which live.
                let undo = |log: &File| log.set_len(before?).and_then(|()| log.sync_all());
                if self.log.as_ref().is_none_or(|log| undo(log).is_err()) {
                    self.log = None;
                }
                return Err(e);
            }
        }
        // From here on they are live, whatever becomes of the log.
        self.added.clear();
        let replaced = Replaced {
            directory: self.directory.clone(),
            path: self.path.clone(),
            removed: std::mem::take(&mut self.removed),
        };
        match replaced.removed.is_empty() {
            true => self.end(),
            false => self.log = None,
        }
        Ok(replaced)
    }

    fn append(&mut self, line: &str) -> Result<()> {
        let failed = |e| Error::io(&self.path, e).advise("the directory must be writable");
        let is_new = self.log.is_none();
        let log = match &mut self.log {
            Some(log) => log,
            slot => slot.insert(File::create_new(&self.path).map_err(failed)?),
        };
        log.write_all(line.as_bytes())
            .and_then(|()| log.sync_all())
            .map_err(failed)?;
        match is_new {
            true => sync_directory(&self.directory),
            false => Ok(()),
        }
    }

    fn end(&mut self) {
        if self.log.take().is_some() {
            self.added.iter().for_each(remove_files);
            // A log that stays tells the truth about files that stay.
            remove_log(&self.directory, &self.path, &self.added);
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.end();
    }
}

/// The files in its directory that belong to an SSTable, temporary ones included.
pub(super) fn files_of(descriptor: &Descriptor) -> Result<Vec<PathBuf>> {
    let directory = match descriptor.directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => &descriptor.directory,
    };
    let prefix = descriptor.base_name() + "-";
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|e| Error::io(directory, e))? {
        let entry = entry.map_err(|e| Error::io(directory, e))?;
        if entry
            .file_name()
            .to_str()
            .is_some_and(|n| n.starts_with(&prefix))
        {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Deletes the files of an SSTable, as far as it can: what stays is dead by the transaction's log.
pub(super) fn remove_files(descriptor: &Descriptor) {
    for file in files_of(descriptor).unwrap_or_default() {
        let _ = std::fs::remove_file(file);
    }
}

/// A record as Cassandra writes it, with its line's end.
fn format_line(kind: Kind, path: &str, time: i64, files: u32) -> String {
    let name = match kind {
        Kind::Add => "ADD",
        Kind::Remove => "REMOVE",
        Kind::Commit => "COMMIT",
        Kind::Abort => "ABORT",
    };
    let checksum = checksum(name, path, time, files);
    format!("{name}:[{path},{time},{files}][{checksum}]\n")
}

/// Authority: `LogRecord.computeChecksum`.
fn checksum(name: &str, path: &str, time: i64, files: u32) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(path.as_bytes());
    crc.update(name.as_bytes());
    crc.update(&(time as u32).to_be_bytes());
    crc.update(&((time as u64 >> 32) as u32).to_be_bytes());
    crc.update(&files.to_be_bytes());
    crc.finalize()
}

/// A UUID of version 1, the only kind that Cassandra takes in the name of a log.
fn time_uuid() -> String {
    /// 100 ns from 1582-10-15 to 1970-01-01.
    const EPOCH: u64 = 0x01b2_1dd2_1381_4000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = EPOCH + now.map_or(0, |d| d.as_nanos() as u64 / 100);
    // Seeded anew each time.
    let random = RandomState::new().hash_one(std::process::id());
    format!(
        "{:08x}-{:04x}-1{:03x}-{:04x}-{:012x}",
        time as u32,
        (time >> 32) as u16,
        (time >> 48) & 0xfff,
        0x8000 | (random >> 48) & 0x3fff,
        // The bit of a multicast address: no card's own.
        random & 0xffff_ffff_ffff | 0x0100_0000_0000,
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ErrorKind;

    /// A line as Cassandra writes it.
    pub fn line(kind: &str, path: &str, time: i64, files: u32) -> String {
        let mut crc = crc32fast::Hasher::new();
        crc.update(path.as_bytes());
        crc.update(kind.as_bytes());
        crc.update(&((time & 0xffff_ffff) as u32).to_be_bytes());
        crc.update(&((time >> 32) as u32).to_be_bytes());
        crc.update(&files.to_be_bytes());
        format!("{kind}:[{path},{time},{files}][{}]\n", crc.finalize())
    }

    fn dead(lines: &[String]) -> Result<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let log = dir
            .path()
            .join("oa_txn_compaction_7e4dfee0-1e1b-11f0-8f3c-4f2d5ad6a5e2.log");
        std::fs::write(&log, lines.concat()).unwrap();
        let names = ["oa-1-big-Data.db", "oa-1-big-TOC.txt", "oa-10-big-Data.db"];
        dead_files(&log, &names.map(String::from).into())
    }

    #[test]
    fn names_of_logs() {
        for (name, expected) in [
            ("oa_txn_compaction_7e4dfee0.log", true),
            ("bti-da_txn_flush_7e4dfee0.log", true),
            ("txn_write_7e4dfee0.log", true),
            ("debug.log", false),
            ("long_txn_write_7e4dfee0.log", false),
            ("oa_txn_write.log", false),
        ] {
            assert_eq!(is_log(name), expected, "{name}");
        }
    }

    #[test]
    fn lines_of_cassandra() {
        let line = "REMOVE:[/var/lib/cassandra/data/golden/transaction_open-43185c8da6145827aef2f6890024aed7/\
                    oa-1-big-,1795259338877,8][4192705754]";
        let record = Record {
            kind: Kind::Remove,
            prefix: "oa-1-big-",
            files: 8,
        };
        assert_eq!(parse(line), Some(record));
        assert_eq!(parse(&line.replace("77,8", "78,8")), None);
        let commit = parse("COMMIT:[,0,0][2613697770]").unwrap();
        assert_eq!(commit.kind, Kind::Commit);
    }

    #[test]
    fn what_a_transaction_leaves_dead() {
        let add = line("ADD", "/d/ks/t-1/oa-10-big-", 0, 8);
        let remove = line("REMOVE", "/d/ks/t-1/oa-1-big-", 1_700_000_000_123, 2);
        let commit = line("COMMIT", "", 0, 0);
        let abort = line("ABORT", "", 0, 0);
        let two = [add.clone(), remove.clone()];
        assert_eq!(dead(&two).unwrap(), ["oa-10-big-"]);
        let done = [add.clone(), remove.clone(), commit.clone()];
        assert_eq!(dead(&done).unwrap(), ["oa-1-big-"]);
        let undone = [add.clone(), remove.clone(), abort];
        assert_eq!(dead(&undone).unwrap(), ["oa-10-big-"]);
        // A torn last line is as none.
        let torn = [add.clone(), remove.clone(), commit[..9].to_owned()];
        assert_eq!(dead(&torn).unwrap(), ["oa-10-big-"]);
        assert!(dead(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_decided() {
        let add = line("ADD", "/d/ks/t-1/oa-10-big-", 0, 8);
        let commit = line("COMMIT", "", 0, 0);
        let flipped = add.replace("oa-10", "oa-11");
        let gone = line("REMOVE", "/d/ks/t-1/oa-1-big-", 5, 8);
        for (lines, says) in [
            (vec![flipped, commit.clone()], "line 1 is no record"),
            (vec![commit, add.clone()], "line 2 follows the end"),
            (vec![gone, add], "of the 8 files `oa-1-big-*`"),
        ] {
            let e = dead(&lines).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Corrupt);
            assert!(e.to_string().contains(says), "{e}");
        }
    }
}
