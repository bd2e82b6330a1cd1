//! Where bytes come from: a file read at offsets, or mapped; and where they go to.
//!
//! Data.db is read at offsets, so that a scan's memory is its own small window; indexes and other small components are
//! mapped, so that a lookup costs no system call. SSTables are immutable: a file that another process truncates while
//! it is mapped ends this process, as it does for every program that maps files.

mod output;
mod syncer;

#[cfg(test)]
pub(crate) use output::faults;
pub(crate) use output::unwritable;
pub use output::{Output, Spill, replace_file, sync_directory};

use crate::{Error, Result};
use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that can be read at any offset, from many threads at once.
pub trait ReadAt: Send + Sync {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize>;

    /// Says that `len` bytes from `offset` on are going to be read, so that they may be fetched meanwhile.
    fn will_need(&self, _offset: u64, _len: u64) {}
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }
    #[cfg(windows)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }
    #[cfg(target_os = "linux")]
    fn will_need(&self, offset: u64, len: u64) {
        // It is advice: what cannot take it is read all the same.
        let _ = rustix::fs::fadvise(
            self,
            offset,
            std::num::NonZeroU64::new(len),
            rustix::fs::Advice::WillNeed,
        );
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let start = usize::try_from(offset).map_or(self.len(), |o| o.min(self.len()));
        let n = buffer.len().min(self.len() - start);
        buffer[..n].copy_from_slice(&self[start..start + n]);
        Ok(n)
    }
}

/// A named, sized source of bytes.
pub struct Source {
    path: PathBuf,
    len: u64,
    bytes: Box<dyn ReadAt>,
    read: AtomicU64,
}

impl Source {
    /// Opens a regular file.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, len) = open_regular(path)?;
        Ok(Source::new(path, len, Box::new(file)))
    }

    /// `len` bytes behind a name that errors will tell.
    pub fn new(path: &Path, len: u64, bytes: Box<dyn ReadAt>) -> Self {
        Source {
            path: path.to_owned(),
            len,
            bytes,
            read: AtomicU64::new(0),
        }
    }

    /// How many bytes were read of it.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Says that `len` bytes from `offset` on are going to be read.
    pub fn will_need(&self, offset: u64, len: u64) {
        self.bytes.will_need(offset, len);
    }

    /// Fills `buffer` from `offset`; bytes that are not there are an error.
    pub fn read_exact_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> Result<()> {
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        while !buffer.is_empty() {
            match self.bytes.read_at(offset, buffer) {
                Ok(0) => {
                    return Err(Error::corrupt("the file ends early")
                        .advise("it is truncated: restore it from a replica or a backup")
                        .at(offset)
                        .in_file(&self.path));
                }
                Ok(n) => {
                    offset += n as u64;
                    buffer = &mut buffer[n..];
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io(&self.path, e).at(offset)),
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.path.display(), self.len)
    }
}

/// All bytes of a file, mapped or in memory.
pub struct Mapped {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Map(memmap2::Mmap),
    Memory(Vec<u8>),
}

impl Mapped {
    /// Maps a regular file.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, len) = open_regular(path)?;
        let bytes = if len == 0 {
            Bytes::Memory(Vec::new())
        } else {
            Bytes::Map(map(&file).map_err(|e| Error::io(path, e))?)
        };
        Ok(Mapped {
            path: path.to_owned(),
            bytes,
        })
    }

    /// Bytes in memory behind a name that errors will tell.
    pub fn from_vec(path: &Path, bytes: Vec<u8>) -> Self {
        Mapped {
            path: path.to_owned(),
            bytes: Bytes::Memory(bytes),
        }
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Deref for Mapped {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Map(map) => map,
            Bytes::Memory(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Mapped {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.path.display(), self.len())
    }
}

/// A file of our own whose bytes are changed in place through a map: one that nobody else reads yet, or a segment of the
/// commit log, which others read with system calls.
pub struct MappedMut {
    path: PathBuf,
    file: File,
    map: memmap2::MmapMut,
}

impl MappedMut {
    /// Maps all of a file that is open for reading and writing. Every byte must have been written already: storing to one
    /// that the disk has no room for ends the process.
    ///
    /// # Errors
    /// `Io`.
    pub fn new(path: &Path, file: File) -> Result<Self> {
        let map = map_mut(&file).map_err(|e| Error::io(path, e))?;
        Ok(MappedMut {
            path: path.to_owned(),
            file,
            map,
        })
    }

    /// Brings what was changed to the disk.
    ///
    /// # Errors
    /// `Io`.
    pub fn sync(self) -> Result<()> {
        let io = |e| Error::io(&self.path, e);
        self.map.flush().map_err(io)?;
        self.file.sync_all().map_err(io)
    }
}

impl Deref for MappedMut {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl std::ops::DerefMut for MappedMut {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }
}

impl std::fmt::Debug for MappedMut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.path.display(), self.map.len())
    }
}

#[allow(unsafe_code)]
fn map_mut(file: &File) -> std::io::Result<memmap2::MmapMut> {
    // SAFETY: the file is new, and not yet announced as part of an SSTable or a segment of the commit log, which one
    // process alone writes: nobody else changes or truncates it.
    unsafe { memmap2::MmapMut::map_mut(file) }
}

#[allow(unsafe_code)]
fn map(file: &File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the map is only read, and SSTable components are never changed in place; see the head of this file for
    // what a truncation by somebody else does.
    unsafe { memmap2::Mmap::map(file) }
}

/// Whether `path` is a regular file: to open a pipe or a device may block, or have effects.
///
/// # Errors
/// `InvalidInput` for anything else; `NotFound` and `Io` as the operating system says.
pub(crate) fn check_regular(path: &Path) -> Result<std::fs::Metadata> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    if metadata.is_file() {
        return Ok(metadata);
    }
    let what = match metadata.is_dir() {
        true => "it is a directory, not a file",
        false => "it is a pipe, socket or device, not a file",
    };
    Err(Error::invalid(what).in_file(path))
}

fn open_regular(path: &Path) -> Result<(File, u64)> {
    check_regular(path)?;
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let metadata = file.metadata().map_err(|e| Error::io(path, e))?;
    Ok((file, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_short_file_is_corrupt_and_an_absent_one_not_found() {
        let source = Source::new(Path::new("x"), 5, Box::new(vec![1, 2, 3]));
        let mut two = [0; 2];
        source.read_exact_at(1, &mut two).unwrap();
        assert_eq!(two, [2, 3]);
        let e = source.read_exact_at(2, &mut two).unwrap_err();
        assert_eq!(
            (e.kind(), e.location().offset),
            (ErrorKind::Corrupt, Some(3))
        );
        let dir = tempfile::tempdir().unwrap();
        let absent = Mapped::open(&dir.path().join("none")).unwrap_err();
        assert_eq!(absent.kind(), ErrorKind::NotFound);
        assert_eq!(
            Source::open(dir.path()).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
}
