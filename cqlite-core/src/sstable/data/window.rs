//! A contiguous window of a Data.db's uncompressed bytes, moved along by whoever decodes it.

use super::file::{Buffer, DataFile, Scratch};
use crate::Result;
use std::sync::Arc;

/// Uncompressed bytes that a scan fetches at once: large enough for few reads, small enough to stay in the L2 cache.
const SCAN_BYTES: u64 = 128 * 1024;

/// What is copied of a cached chunk for a row that begins in the one before it, at first.
const SEAM_BYTES: usize = 512;

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
    /// Bytes from here on are kept.
    hold: u64,
    bytes: Bytes,
    /// Memory that is kept while a cached chunk is used where it lies.
    idle: Buffer,
    scratch: Scratch,
    /// Up to where the file is read ahead.
    ahead: u64,
}

#[derive(Debug)]
enum Bytes {
    Own(Buffer),
    /// A chunk of the cache, used where it lies.
    Shared(Arc<[u8]>),
}

impl Window {
    /// An empty window.
    pub fn new(file: Arc<DataFile>, fetch: Fetch) -> Self {
        let (buffer, scratch) = match fetch {
            Fetch::Point => file.take_spare(),
            Fetch::Scan => Default::default(),
        };
        Window {
            file,
            fetch,
            start: 0,
            hold: u64::MAX,
            bytes: Bytes::Own(buffer),
            idle: Buffer::default(),
            scratch,
            ahead: 0,
        }
    }

    /// The file below.
    pub fn file(&self) -> &Arc<DataFile> {
        &self.file
    }

    /// From now on keeps what it fetches from `position` on, for reading it again, until this is called anew.
    pub fn hold(&mut self, position: u64) {
        self.hold = position;
    }

    #[inline]
    fn all(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Own(buffer) => buffer.bytes(),
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
        let end = self.start + self.all().len() as u64;
        if position < self.start || position >= end {
            return self.load(position);
        }
        if end >= self.file.len() {
            return Ok(false);
        }
        // Keep the rest and append what follows. Bytes that one row needs are fetched in steps that double, so that a
        // long row costs no more than twice its length.
        let from = self.hold.min(position).max(self.start);
        let at = (from - self.start) as usize;
        let mut own = std::mem::take(&mut self.idle);
        match std::mem::replace(&mut self.bytes, Bytes::Own(Buffer::default())) {
            Bytes::Own(bytes) => {
                own = bytes;
                own.drop_front(at);
            }
            Bytes::Shared(shared) => {
                own.truncate(0);
                own.extend_from_slice(&shared[at..]);
            }
        }
        self.start = from;
        let result = self.append(end, end - position, &mut own);
        self.bytes = Bytes::Own(own);
        // What was read before a bad chunk may still be decoded.
        if self.start + self.all().len() as u64 > end {
            return Ok(true);
        }
        result.map(|()| false)
    }

    /// Appends what follows `end` to `own`: at least `wanted` bytes if there are as many.
    fn append(&mut self, end: u64, wanted: u64, own: &mut Buffer) -> Result<()> {
        let chunk_length = u64::from(self.file.chunk_length());
        let (chunk, offset) = (end / chunk_length, (end % chunk_length) as usize);
        if self.fetch == Fetch::Scan {
            let count = SCAN_BYTES.max(wanted).div_ceil(chunk_length);
            self.file.read_ahead(chunk, &mut self.ahead);
            return self.file.read_chunks(chunk, count, own, &mut self.scratch);
        }
        let Some(cached) = self.file.cached_chunk(chunk, &mut self.scratch)? else {
            return self.file.read_mapped(chunk, own, &mut self.scratch);
        };
        // Only the row on the seam of two chunks is copied; what follows it is read where it lies in the cache.
        let rest = cached.get(offset..).unwrap_or_default();
        let step = match self.hold {
            u64::MAX => rest.len().min(SEAM_BYTES.max(wanted as usize)),
            _ => rest.len(),
        };
        own.extend_from_slice(&rest[..step]);
        Ok(())
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
            if let Bytes::Own(own) = std::mem::replace(&mut self.bytes, Bytes::Shared(shared)) {
                self.idle = own;
            }
            return Ok(true);
        }
        let mut own = match std::mem::replace(&mut self.bytes, Bytes::Own(Buffer::default())) {
            Bytes::Own(own) => own,
            Bytes::Shared(_) => std::mem::take(&mut self.idle),
        };
        own.truncate(0);
        let result = match self.fetch {
            Fetch::Point => self.file.read_mapped(chunk, &mut own, &mut self.scratch),
            Fetch::Scan => {
                let count = SCAN_BYTES.div_ceil(chunk_length);
                self.file.read_ahead(chunk, &mut self.ahead);
                self.file
                    .read_chunks(chunk, count, &mut own, &mut self.scratch)
            }
        };
        self.start = chunk * chunk_length;
        self.bytes = Bytes::Own(own);
        if !self.bytes(position).is_empty() {
            return Ok(true);
        }
        result.map(|()| false)
    }
}

/// Point reads come by the thousand: their memory goes back to the file.
impl Drop for Window {
    fn drop(&mut self) {
        if self.fetch == Fetch::Point {
            let buffer = match &mut self.bytes {
                Bytes::Own(buffer) => buffer,
                Bytes::Shared(_) => &mut self.idle,
            };
            let (buffer, scratch) = (std::mem::take(buffer), std::mem::take(&mut self.scratch));
            self.file.give_spare(buffer, scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{ReadAt, Source};
    use std::path::Path;
    use std::sync::Mutex;

    /// What is asked of a file of zeros: where it begins, where it ends, and whether it is read or read ahead.
    #[derive(Clone, Default)]
    struct Asked(Arc<Mutex<Vec<(u64, u64, bool)>>>);

    impl ReadAt for Asked {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(0);
            let end = offset + buffer.len() as u64;
            self.0.lock().unwrap().push((offset, end, true));
            Ok(buffer.len())
        }
        fn will_need(&self, offset: u64, len: u64) {
            self.0.lock().unwrap().push((offset, offset + len, false));
        }
    }

    #[test]
    fn scans_are_read_ahead_of() {
        const LEN: u64 = (5 << 20) + 77;
        let scan = |len: u64, fetch, up_to: u64| {
            let asked = Asked::default();
            let source = Source::new(Path::new("Data.db"), len, Box::new(asked.clone()));
            let file = DataFile::plain(source, None).unwrap();
            let mut window = Window::new(Arc::new(file), fetch);
            let mut position = 0;
            while position < up_to && window.more(position).unwrap() {
                position += window.bytes(position).len() as u64;
            }
            drop(window);
            Arc::into_inner(asked.0).map_or_else(Vec::new, |asked| asked.into_inner().unwrap())
        };
        let asked = scan(LEN, Fetch::Scan, LEN);
        let mut ahead = SCAN_BYTES;
        for (start, end, is_read) in &asked {
            match is_read {
                true => assert!(*end <= ahead, "{start}..{end} of {ahead}"),
                false => {
                    // Nothing is left out, or asked for twice.
                    assert!(*start <= ahead && *end > ahead, "{start}..{end} of {ahead}");
                    ahead = *end;
                }
            }
        }
        assert_eq!(ahead, LEN);
        let requests = asked.iter().filter(|(_, _, is_read)| !is_read).count();
        assert!(requests < 12, "{requests}");
        let is_ahead = |asked: Vec<(u64, u64, bool)>| asked.iter().any(|(_, _, is_read)| !is_read);
        assert!(!is_ahead(scan(LEN, Fetch::Point, LEN)));
        assert!(!is_ahead(scan(LEN, Fetch::Scan, 1000)));
        assert!(!is_ahead(scan(1000, Fetch::Scan, LEN)));
    }
}
