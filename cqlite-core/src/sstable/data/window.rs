//! A contiguous window of a Data.db's uncompressed bytes, moved along by whoever decodes it.

use super::file::DataFile;
use crate::Result;
use std::sync::Arc;

/// Uncompressed bytes that a scan fetches at once: large enough for few reads, small enough to stay in the L2 cache.
const SCAN_BYTES: u64 = 128 * 1024;

/// How a window fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// Many chunks at once, past the cache.
    Scan,
    /// One chunk at a time, through the cache.
    Point,
}

/// A window of bytes. `bytes(position)` are those from `position` to its end; `more` fetches what follows.
#[derive(Debug)]
pub struct Window {
    file: Arc<DataFile>,
    fetch: Fetch,
    /// Position in the stream of the first byte.
    start: u64,
    bytes: Bytes,
    scratch: Vec<u8>,
}

#[derive(Debug)]
enum Bytes {
    Own(Vec<u8>),
    /// A chunk of the cache, used where it lies.
    Shared(Arc<[u8]>),
}

impl Window {
    /// An empty window.
    pub fn new(file: Arc<DataFile>, fetch: Fetch) -> Self {
        Window {
            file,
            fetch,
            start: 0,
            bytes: Bytes::Own(Vec::new()),
            scratch: Vec::new(),
        }
    }

    /// The file below.
    pub fn file(&self) -> &Arc<DataFile> {
        &self.file
    }

    /// How it fetches from now on.
    pub fn set_fetch(&mut self, fetch: Fetch) {
        self.fetch = fetch;
    }

    #[inline]
    fn all(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Own(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }

    /// The bytes from `position` to the end of the window; none if it lies outside.
    #[inline(always)]
    pub fn bytes(&self, position: u64) -> &[u8] {
        position
            .checked_sub(self.start)
            .and_then(|at| self.all().get(at as usize..))
            .unwrap_or_default()
    }

    /// Makes the window start no later than `position` and hold more bytes from there on than it does, dropping what
    /// precedes the chunk of `position`. `false` when there are no more.
    pub fn more(&mut self, position: u64) -> Result<bool> {
        let chunk_length = u64::from(self.file.chunk_length());
        let end = self.start + self.all().len() as u64;
        if position < self.start || position >= end {
            return self.load(position);
        }
        if end >= self.file.len() {
            return Ok(false);
        }
        // Keep the rest and append what follows; the window ends on a chunk's end. Bytes that one row needs are
        // fetched in steps that double, so that a long row costs no more than twice its length.
        let at = (position - self.start) as usize;
        let mut own = match std::mem::replace(&mut self.bytes, Bytes::Own(Vec::new())) {
            Bytes::Own(mut own) => {
                own.drain(..at);
                own
            }
            Bytes::Shared(shared) => shared[at..].to_vec(),
        };
        let step = self.step().max(own.len() as u64);
        self.start = position;
        let result = self.file.read_chunks(
            end / chunk_length,
            step.div_ceil(chunk_length),
            &mut own,
            &mut self.scratch,
        );
        self.bytes = Bytes::Own(own);
        // What was read before a bad chunk may still be decoded.
        if self.all().len() as u64 > end - position {
            return Ok(true);
        }
        result.map(|()| false)
    }

    fn step(&self) -> u64 {
        match self.fetch {
            Fetch::Scan => SCAN_BYTES,
            Fetch::Point => 1,
        }
    }

    #[inline(never)]
    fn load(&mut self, position: u64) -> Result<bool> {
        if position >= self.file.len() {
            return Ok(false);
        }
        let chunk_length = u64::from(self.file.chunk_length());
        let chunk = position / chunk_length;
        if self.fetch == Fetch::Point
            && let Some(shared) = self.file.cached_chunk(chunk, &mut self.scratch)?
        {
            self.start = chunk * chunk_length;
            self.bytes = Bytes::Shared(shared);
            return Ok(true);
        }
        let mut own = match std::mem::replace(&mut self.bytes, Bytes::Own(Vec::new())) {
            Bytes::Own(own) => own,
            Bytes::Shared(_) => Vec::new(),
        };
        own.clear();
        let result = self.file.read_chunks(
            chunk,
            self.step().div_ceil(chunk_length),
            &mut own,
            &mut self.scratch,
        );
        self.start = chunk * chunk_length;
        self.bytes = Bytes::Own(own);
        if !self.bytes(position).is_empty() {
            return Ok(true);
        }
        result.map(|()| false)
    }
}
