//! The bytes of a Data.db of which chunks may be bad: a window that goes on behind them.
//!
//! Authority: `o.a.c.io.util.CompressedChunkReader`.

use crate::Error;
use crate::sstable::data::{Buffer, DataFile, Scratch};

/// Bytes that are fetched at once.
const BATCH_BYTES: u64 = 128 * 1024;

/// What asking for more bytes gives.
pub(super) enum More {
    /// There are more now.
    Yes,
    /// There are none.
    End,
    /// What precedes this position cannot be had, for this reason.
    Bad(u64, Error),
}

/// A window of the uncompressed bytes.
pub(super) struct Bytes<'a> {
    data: &'a DataFile,
    /// What chunks from this one on are read from if their checksums are wrong.
    unchecked: Option<(&'a DataFile, u64)>,
    /// The first chunk that was read so.
    mistold: Option<u64>,
    length: u64,
    window: Buffer,
    /// Position of the window's first byte.
    start: u64,
    scratch: Scratch,
    /// The bad chunk that was met last.
    bad: Option<(u64, Error)>,
}

impl<'a> Bytes<'a> {
    /// Those of `data`; of `unchecked`, from a chunk on, where checksums are wrong.
    pub fn new(data: &'a DataFile, unchecked: Option<(&'a DataFile, u64)>) -> Self {
        // A length that CompressionInfo.db claims beyond its chunks is none.
        let chunk_length = u64::from(data.chunk_length());
        let chunks = data.compression().map(|info| info.chunk_count());
        let most = chunks.map_or(u64::MAX, |n| n.saturating_mul(chunk_length));
        Bytes {
            data,
            unchecked,
            mistold: None,
            length: data.len().min(most),
            window: Buffer::default(),
            start: 0,
            scratch: Scratch::default(),
            bad: None,
        }
    }

    /// Length of all bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// The first chunk that was read though its checksum is wrong.
    pub fn mistold(&self) -> Option<u64> {
        self.mistold
    }

    /// The bytes from `position` to the end of the window; none if it lies outside.
    #[inline(always)]
    pub fn from(&self, position: u64) -> &[u8] {
        position
            .checked_sub(self.start)
            .and_then(|at| self.window.bytes().get(at as usize..))
            .unwrap_or_default()
    }

    /// The byte at `position`, fetched if need be; `None` if it cannot be had.
    pub fn byte(&mut self, position: u64) -> Option<u8> {
        if self.from(position).is_empty() && !matches!(self.more(position), More::Yes) {
            return None;
        }
        self.from(position).first().copied()
    }

    /// Makes the window hold more bytes from `keep` on than it does, dropping what precedes it.
    #[inline(never)]
    pub fn more(&mut self, keep: u64) -> More {
        let chunk_length = u64::from(self.data.chunk_length());
        let end = self.start + self.window.bytes().len() as u64;
        if keep < self.start || keep >= end {
            self.window.truncate(0);
            self.start = keep / chunk_length * chunk_length;
        } else {
            self.window.drop_front((keep - self.start) as usize);
            self.start = keep;
        }
        let end = self.start + self.window.bytes().len() as u64;
        if keep >= self.length || end >= self.length {
            return More::End;
        }
        // Bytes that one row needs are fetched in steps that double.
        let count = BATCH_BYTES.max(end - keep.min(end)).div_ceil(chunk_length);
        let chunk = end / chunk_length;
        match self.read(chunk, count) {
            Ok(()) => More::Yes,
            Err(e) => More::Bad(((chunk + 1) * chunk_length).min(self.length), e),
        }
    }

    /// Appends one chunk at least.
    fn read(&mut self, chunk: u64, count: u64) -> Result<(), Error> {
        if let Some((bad, e)) = &self.bad
            && *bad == chunk
        {
            return Err(e.clone());
        }
        let before = self.window.bytes().len();
        let mut result = self.read_chunks(chunk, count);
        if result.is_err() && self.window.bytes().len() == before {
            // One bad sector must not cost a whole batch.
            result = self.read_chunks(chunk, 1);
        }
        if let Some((unchecked, from)) = self.unchecked
            && result.is_err()
            && chunk >= from
            && self.window.bytes().len() == before
        {
            self.mistold.get_or_insert(chunk);
            result = unchecked.read_chunks(chunk, 1, &mut self.window, &mut self.scratch);
        }
        match result {
            Err(e) if self.window.bytes().len() == before => {
                self.bad = Some((chunk, e.clone()));
                Err(e)
            }
            _ => Ok(()),
        }
    }

    fn read_chunks(&mut self, chunk: u64, count: u64) -> Result<(), Error> {
        let (window, scratch) = (&mut self.window, &mut self.scratch);
        self.data.read_chunks(chunk, count, window, scratch)
    }
}
