//! Sorted runs of records in temporary files, which have no name: nothing is left of them, however the process ends.

use super::record::{LENGTH_BYTES, Record};
use super::source::Records;
use crate::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes that are read or written at once.
const BUFFER_BYTES: usize = 128 * 1024;

/// A run that is complete.
pub(super) struct Run {
    file: File,
    directory: PathBuf,
    partitions: u64,
}

/// Writes a run.
pub(super) struct RunWriter {
    file: File,
    directory: PathBuf,
    buffer: Vec<u8>,
}

impl RunWriter {
    /// A new one in `directory`.
    pub fn create(directory: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(directory).map_err(|e| Error::io(directory, e))?;
        Ok(RunWriter {
            file,
            directory: directory.to_owned(),
            buffer: Vec::with_capacity(2 * BUFFER_BYTES),
        })
    }

    /// Appends a record.
    #[inline]
    pub fn push(&mut self, record: &[u8]) -> Result<()> {
        let length = (record.len() as u32).to_be_bytes();
        self.buffer.extend_from_slice(&length);
        self.buffer.extend_from_slice(record);
        match self.buffer.len() >= BUFFER_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|e| Error::io(&self.directory, e).advise("temporary files are made there"))
    }

    /// Completes it, which has so many partitions.
    pub fn finish(mut self, partitions: u64) -> Result<Run> {
        self.flush()?;
        Ok(Run {
            file: self.file,
            directory: self.directory,
            partitions,
        })
    }
}

impl Run {
    /// Count of partitions.
    pub fn partitions(&self) -> u64 {
        self.partitions
    }

    /// Reads it from its start; one reader at a time.
    pub fn reader(&self) -> Result<RunReader<'_>> {
        let mut file = &self.file;
        let rewound = file.seek(SeekFrom::Start(0));
        rewound.map_err(|e| Error::io(&self.directory, e))?;
        Ok(RunReader {
            run: self,
            buffer: Vec::new(),
            filled: 0,
            start: 0,
            end: 0,
            at_end: false,
        })
    }
}

/// The records of a run.
pub(super) struct RunReader<'r> {
    run: &'r Run,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were read.
    filled: usize,
    /// The present record, behind its length.
    start: usize,
    end: usize,
    at_end: bool,
}

impl RunReader<'_> {
    /// Makes sure that the record at `at` is in the buffer, moving what the present one and it are. `None` at the end.
    #[inline]
    fn fetch(&mut self) -> Result<bool> {
        loop {
            let have = &self.buffer[self.end..self.filled];
            let needed = match have.first_chunk::<LENGTH_BYTES>() {
                Some(length) => LENGTH_BYTES + u32::from_be_bytes(*length) as usize,
                None => LENGTH_BYTES,
            };
            if have.len() >= needed && have.len() >= LENGTH_BYTES {
                return Ok(true);
            }
            if self.at_end {
                return match have.is_empty() {
                    true => Ok(false),
                    false => Err(Error::corrupt("a temporary file ends in a record")
                        .in_file(&self.run.directory)),
                };
            }
            self.read(needed)?;
        }
    }

    /// Reads on, so that `needed` bytes behind the present record have room.
    #[cold]
    fn read(&mut self, needed: usize) -> Result<()> {
        // The present record stays.
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.end -= self.start;
        self.start = 0;
        let room = (self.end + needed).max(self.filled + 1).max(BUFFER_BYTES);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        } else if self.buffer.len() > 4 * BUFFER_BYTES && room <= BUFFER_BYTES {
            self.buffer.truncate(BUFFER_BYTES.max(self.filled + 1));
            self.buffer.shrink_to_fit();
        }
        let mut file = &self.run.file;
        let read = loop {
            match file.read(&mut self.buffer[self.filled..]) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                done => break done,
            }
        };
        let n = read.map_err(|e| Error::io(&self.run.directory, e))?;
        self.filled += n;
        self.at_end = n == 0;
        Ok(())
    }

    fn record_behind(&self, at: usize) -> Result<(usize, usize)> {
        let length = self.buffer[at..self.filled].first_chunk::<LENGTH_BYTES>();
        let length = length.map_or(0, |length| u32::from_be_bytes(*length) as usize);
        let start = at + LENGTH_BYTES;
        Ok((start, (start + length).min(self.filled)))
    }
}

impl Records for RunReader<'_> {
    #[inline]
    fn advance(&mut self) -> Result<bool> {
        // The one that was read before is not needed any more.
        self.start = self.end;
        if !self.fetch()? {
            return Ok(false);
        }
        (self.start, self.end) = self.record_behind(self.end)?;
        Ok(true)
    }

    #[inline]
    fn current(&self) -> Result<Record<'_>> {
        Ok(Record::new(&self.buffer[self.start..self.end])?)
    }

    #[inline]
    fn has_following(&mut self) -> Result<bool> {
        self.fetch()
    }

    #[inline]
    fn following(&self) -> Result<Record<'_>> {
        let (start, end) = self.record_behind(self.end)?;
        Ok(Record::new(&self.buffer[start..end])?)
    }
}
