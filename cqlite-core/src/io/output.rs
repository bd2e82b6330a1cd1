//! Where bytes go: a new file that is written front to back through a buffer, and bytes that are kept until it is known
//! where they belong.

use super::syncer::Syncer;
use crate::bytes::Sink;
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 64 * 1024;

/// A new file. Values are appended to its buffer, which cannot fail; [`settle`](Self::settle) writes a full one out.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    written: u64,
    syncer: Syncer,
}

impl Output {
    /// Creates a file.
    ///
    /// # Errors
    /// `InvalidInput` if it exists, `NotFound` if its directory does not, `Io` if it may not be written.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => Error::invalid("the file exists already")
                .advise("nothing is overwritten: choose another directory or id")
                .in_file(path),
            _ => unwritable(path, e),
        })?;
        Ok(Output {
            path: path.to_owned(),
            file,
            buffer: Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4),
            written: 0,
            syncer: Syncer::default(),
        })
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes appended so far, buffered ones included.
    #[inline]
    pub fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// What was appended and is not written yet. Bytes may be appended to it.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes the buffer out if it is full. To be called after appending, before it grows large.
    ///
    /// # Errors
    /// `Io`.
    #[inline]
    pub fn settle(&mut self) -> Result<()> {
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Appends bytes, past the buffer if they are many.
    ///
    /// # Errors
    /// `Io`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len() + bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.flush()?;
        if bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.write_out(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.write_out(&buffer);
        buffer.clear();
        self.buffer = buffer;
        result
    }

    fn write_out(&mut self, bytes: &[u8]) -> Result<()> {
        #[cfg(test)]
        faults::spend(bytes.len()).map_err(|e| unwritable(&self.path, e))?;
        self.file
            .write_all(bytes)
            .map_err(|e| unwritable(&self.path, e))?;
        self.written += bytes.len() as u64;
        self.syncer.written(&self.file, self.written);
        Ok(())
    }

    /// Replaces bytes that were appended before.
    ///
    /// # Errors
    /// `Io`.
    pub fn patch(&mut self, position: u64, bytes: &[u8]) -> Result<()> {
        self.flush()?;
        let mut replace = || {
            self.file.seek(SeekFrom::Start(position))?;
            self.file.write_all(bytes)?;
            self.file.seek(SeekFrom::Start(self.written))
        };
        replace().map_err(|e| unwritable(&self.path, e))?;
        Ok(())
    }

    /// Writes what is left and waits until the disk has everything. Returns the length in bytes.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(mut self) -> Result<u64> {
        self.flush()?;
        let synced = self.syncer.finish().and_then(|()| self.file.sync_all());
        synced.map_err(|e| unwritable(&self.path, e))?;
        Ok(self.written)
    }
}

impl Sink for Output {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }
}

/// Bytes kept in memory up to a limit, beyond it in a temporary file, to be appended to an [`Output`] later.
#[derive(Debug)]
pub struct Spill {
    path: PathBuf,
    memory: Vec<u8>,
    limit: usize,
    file: Option<File>,
    spilled: u64,
}

impl Spill {
    /// Keeps at most about `limit` bytes in memory; the rest goes to `path`, a file of which nothing is left in the end.
    pub fn new(path: PathBuf, limit: usize) -> Self {
        Spill {
            path,
            memory: Vec::new(),
            limit,
            file: None,
            spilled: 0,
        }
    }

    /// Count of bytes.
    #[inline]
    pub fn len(&self) -> u64 {
        self.spilled + self.memory.len() as u64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes may be appended to this; [`settle`](Self::settle) must follow.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }

    /// Moves bytes to the file if there are more than the limit.
    ///
    /// # Errors
    /// `Io`.
    #[inline]
    pub fn settle(&mut self) -> Result<()> {
        match self.memory.len() > self.limit {
            true => self.spill(),
            false => Ok(()),
        }
    }

    #[cold]
    fn spill(&mut self) -> Result<()> {
        let failed = |e| unwritable(&self.path, e);
        let file = match &mut self.file {
            Some(file) => file,
            slot => {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(true).truncate(true);
                slot.insert(options.open(&self.path).map_err(failed)?)
            }
        };
        #[cfg(test)]
        faults::spend(self.memory.len()).map_err(failed)?;
        file.seek(SeekFrom::Start(self.spilled)).map_err(failed)?;
        file.write_all(&self.memory).map_err(failed)?;
        self.spilled += self.memory.len() as u64;
        self.memory.clear();
        Ok(())
    }

    /// Hands all bytes on in pieces, each of a length that four divides if all appended ones were, and forgets them.
    ///
    /// # Errors
    /// `Io`, and those of `take`.
    pub fn drain(&mut self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if self.spilled > 0
            && let Some(file) = &mut self.file
        {
            let failed = |e| unwritable(&self.path, e);
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            let mut piece = vec![0; BUFFER_BYTES];
            let mut left = self.spilled;
            while left > 0 {
                let n = left.min(piece.len() as u64) as usize;
                file.read_exact(&mut piece[..n]).map_err(failed)?;
                take(&piece[..n])?;
                left -= n as u64;
            }
        }
        take(&self.memory)?;
        self.clear();
        Ok(())
    }

    /// Appends all bytes to `out` and forgets them.
    ///
    /// # Errors
    /// `Io`.
    pub fn drain_into(&mut self, out: &mut Output) -> Result<()> {
        self.drain(|piece| out.write(piece))
    }

    /// Forgets all bytes.
    pub fn clear(&mut self) {
        self.spilled = 0;
        self.memory.clear();
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // It is temporary: whoever cleans the directory up knows its name, too.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Puts a small file in the place of the one that is there, if one is: all of it is on the disk, or the old one is as it was.
/// Meanwhile there is another one with `.tmp` behind its name.
///
/// # Errors
/// `Io`; `InvalidInput` for a path without a directory.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent();
    let directory = directory.ok_or_else(|| Error::invalid("it is no file").in_file(path))?;
    let mut new = path.as_os_str().to_owned();
    new.push(".tmp");
    let new = PathBuf::from(new);
    let failed = |e| Error::io(&new, e);
    let mut file = File::create(&new).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&new, path).map_err(|e| Error::io(path, e))?;
    sync_directory(directory)
}

/// Waits until the disk knows the names in a directory.
///
/// # Errors
/// `Io`.
pub fn sync_directory(directory: &Path) -> Result<()> {
    let directory = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    // Elsewhere directories cannot be opened, and their names are as durable as they get.
    if cfg!(unix) {
        let sync = File::open(directory).and_then(|d| d.sync_all());
        sync.map_err(|e| unwritable(directory, e))?;
    }
    Ok(())
}

/// The operating system's refusal to write a file, with what can be done about it.
#[cold]
pub(crate) fn unwritable(path: &Path, e: std::io::Error) -> Error {
    let advice = match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "make room on the disk, or write elsewhere"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "choose a directory that may be written"
        }
        _ => return Error::io(path, e),
    };
    Error::io(path, e).advise(advice)
}

/// A disk that fills up, for tests.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::RefCell;
    use std::io::{Error, ErrorKind, Result};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    type Room = Option<Arc<AtomicUsize>>;

    thread_local! {
        static ROOM: RefCell<Room> = const { RefCell::new(None) };
    }

    /// Bytes that this thread may still write, and those that it starts; `None` for any number.
    pub fn set_room(room: Option<usize>) {
        share(room.map(|room| Arc::new(AtomicUsize::new(room))));
    }

    pub fn room() -> Room {
        ROOM.with_borrow(Clone::clone)
    }

    pub fn share(room: Room) {
        ROOM.set(room);
    }

    pub fn spend(n: usize) -> Result<()> {
        let Some(room) = room() else {
            return Ok(());
        };
        let spent = room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(n)
        });
        match spent {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::from(ErrorKind::StorageFull)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn pieces_of_every_size_arrive_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut out = Output::create(&path).unwrap();
        let mut expected = Vec::new();
        for (i, n) in [1, 70_000, 3, 65_535, 2, 65_536, 0, 9]
            .into_iter()
            .enumerate()
        {
            let piece = vec![i as u8; n];
            out.write(&piece).unwrap();
            expected.extend(&piece);
            out.put(&piece);
            out.settle().unwrap();
            expected.extend(piece);
            assert_eq!(out.position(), expected.len() as u64);
        }
        out.patch(1, &[7, 7]).unwrap();
        expected[1..3].fill(7);
        out.put(&[5]);
        expected.push(5);
        assert_eq!(out.finish().unwrap(), expected.len() as u64);
        assert!(std::fs::read(&path).unwrap() == expected);
        let e = Output::create(&path).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
        let e = Output::create(&dir.path().join("none/out")).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn spilled_bytes_come_back_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(dir.path().join("spill.tmp"), 100);
        for (round, n) in [10, 1000, 50].into_iter().enumerate() {
            let path = dir.path().join(format!("out{round}"));
            let mut out = Output::create(&path).unwrap();
            let mut expected = Vec::new();
            for i in 0..n {
                let bytes = (i as u32).to_be_bytes();
                spill.buffer().extend(bytes);
                spill.settle().unwrap();
                expected.extend(bytes);
            }
            assert_eq!(spill.len(), expected.len() as u64);
            spill.drain_into(&mut out).unwrap();
            assert!(spill.is_empty());
            out.finish().unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), expected);
        }
        assert!(dir.path().join("spill.tmp").exists());
        drop(spill);
        assert!(!dir.path().join("spill.tmp").exists());
    }

    #[test]
    fn a_full_disk_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut out = Output::create(&dir.path().join("out")).unwrap();
        faults::set_room(Some(100_000));
        out.write(&[0; 90_000]).unwrap();
        let e = out.write(&[0; 90_000]).unwrap_err();
        faults::set_room(None);
        assert_eq!(e.kind(), ErrorKind::Io);
        assert!(e.to_string().contains("make room"), "{e}");
    }
}
