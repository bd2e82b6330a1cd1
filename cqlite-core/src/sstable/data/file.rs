//! Data.db as a sequence of chunks of uncompressed bytes, each checked against its checksum.
//!
//! Authority: `o.a.c.io.util.CompressedChunkReader`, `o.a.c.io.compress.*Compressor`, and for uncompressed files
//! `o.a.c.io.util.{DataIntegrityMetadata,ChecksumWriter}`.

use super::cache::ChunkCache;
use crate::io::{Mapped, Source};
use crate::sstable::component::compression_info::{CompressionInfo, Compressor};
use crate::{Error, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Length of the pieces that an uncompressed file without CRC.db is read in.
const PLAIN_CHUNK_BYTES: u32 = 65_536;

/// Largest buffer, and most of them, that an SSTable keeps for later point reads.
const SPARE_BYTES_MAX: usize = 256 * 1024;
const SPARES_MAX: usize = 4;

/// Bytes that grow at their end and shrink at their front, in memory that is made once and never cleared again.
#[derive(Debug, Default)]
pub struct Buffer {
    /// All of the memory; what lies behind `len` is left over.
    memory: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// The bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        &self.memory[..self.len]
    }

    /// Keeps the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Drops the first `n` bytes.
    pub fn drop_front(&mut self, n: usize) {
        let n = n.min(self.len);
        self.memory.copy_within(n..self.len, 0);
        self.len -= n;
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.grow(bytes.len()).copy_from_slice(bytes);
    }

    /// Appends `n` bytes of any value, for the caller to write.
    pub fn grow(&mut self, n: usize) -> &mut [u8] {
        let start = self.len;
        self.len += n;
        if self.memory.len() < self.len {
            self.memory.resize(self.len, 0);
        }
        &mut self.memory[start..self.len]
    }
}

/// Bytes of the file that the system is asked to have read when a scan comes to them. It reads ahead by itself, but less, and not
/// where several scans read one file.
const AHEAD_BYTES: u64 = 1 << 20;

/// What reading chunks needs besides their place: memory for compressed bytes, and the decompressors' own.
#[derive(Default)]
pub struct Scratch {
    compressed: Buffer,
    /// A chunk on its way into the cache.
    chunk: Buffer,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    inflate: Option<flate2::Decompress>,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scratch")
    }
}

/// An open Data.db.
#[derive(Debug)]
pub struct DataFile {
    source: Source,
    layout: Chunks,
    verify: bool,
    cache: Option<Arc<ChunkCache>>,
    /// Tells this file from others in the cache.
    identity: u64,
    /// The whole file, for point reads; `None` where it cannot be mapped.
    map: OnceLock<Option<Mapped>>,
    /// Memory of windows that are no more.
    spare: Mutex<Vec<(Buffer, Scratch)>>,
}

#[derive(Debug)]
enum Chunks {
    Compressed(CompressionInfo),
    Plain {
        /// CRC.db: i32 chunk length, then a u32 a chunk.
        crc: Option<Mapped>,
        chunk_length: u32,
    },
}

impl DataFile {
    /// Data.db with its CompressionInfo.db.
    pub fn compressed(source: Source, info: CompressionInfo) -> Self {
        Self::new(source, Chunks::Compressed(info))
    }

    /// An uncompressed Data.db with its CRC.db, if there is one.
    ///
    /// # Errors
    /// `Corrupt` when CRC.db does not fit the length of Data.db.
    pub fn plain(source: Source, crc: Option<Mapped>) -> Result<Self> {
        let mut chunk_length = PLAIN_CHUNK_BYTES;
        if let Some(crc) = &crc {
            let claimed = crc.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
            let bad = |what: String| {
                Err(Error::corrupt(what)
                    .advise("Data.db is truncated, or CRC.db is not the one that belongs to it")
                    .in_component("CRC.db")
                    .in_file(crc.path()))
            };
            if claimed == 0 || claimed > crate::limits::CHUNK_LENGTH_BYTES_MAX {
                return bad(format!("the chunk length is {claimed}"));
            }
            chunk_length = claimed;
            // Cassandra's writer adds the checksum of nothing, 0, for each flush of an empty buffer: at the end of a file
            // that fills its last chunk, and of one that is synced before it is closed (`ChecksummedSequentialWriter`).
            let expected = 4 + 4 * source.len().div_ceil(claimed.into());
            let beyond = usize::try_from(expected).ok().and_then(|at| crc.get(at..));
            if !beyond.is_some_and(|b| b.len() % 4 == 0 && b.iter().all(|&b| b == 0)) {
                return bad(format!(
                    "{} bytes where a Data.db of {} bytes needs {expected}",
                    crc.len(),
                    source.len()
                ));
            }
        }
        Ok(Self::new(source, Chunks::Plain { crc, chunk_length }))
    }

    /// Plain bytes, cut into the same chunks as those of `self`, without their checksums.
    ///
    /// # Errors
    /// `Io`.
    pub fn plain_unchecked(&self) -> Result<Self> {
        let source = Source::open(self.source.path())?;
        let chunk_length = self.chunk_length();
        let crc = None;
        Ok(Self::new(source, Chunks::Plain { crc, chunk_length }))
    }

    fn new(source: Source, layout: Chunks) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        DataFile {
            source,
            layout,
            verify: true,
            cache: None,
            identity: NEXT.fetch_add(1, Ordering::Relaxed),
            map: OnceLock::new(),
            spare: Mutex::new(Vec::new()),
        }
    }

    /// Whether checksums of chunks are checked; they are unless this says otherwise.
    pub fn verify_checksums(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Keeps chunks of point reads in `cache`.
    pub fn cached(mut self, cache: Arc<ChunkCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// A number that no other open file has.
    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }

    /// Path, length on disk.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// CompressionInfo.db, if it is compressed.
    pub fn compression(&self) -> Option<&CompressionInfo> {
        match &self.layout {
            Chunks::Compressed(info) => Some(info),
            Chunks::Plain { .. } => None,
        }
    }

    /// Whether chunks have checksums at all.
    pub fn has_checksums(&self) -> bool {
        !matches!(self.layout, Chunks::Plain { crc: None, .. })
    }

    /// Length in bytes of the uncompressed stream.
    pub fn len(&self) -> u64 {
        match &self.layout {
            Chunks::Compressed(info) => info.data_length(),
            Chunks::Plain { .. } => self.source.len(),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length in bytes of every chunk but the last.
    pub fn chunk_length(&self) -> u32 {
        match &self.layout {
            Chunks::Compressed(info) => info.chunk_length(),
            Chunks::Plain { chunk_length, .. } => *chunk_length,
        }
    }

    /// Count of chunks.
    pub fn chunk_count(&self) -> u64 {
        self.len().div_ceil(self.chunk_length().into())
    }

    /// Uncompressed length of chunk `i`.
    fn length_of(&self, i: u64) -> usize {
        let length = u64::from(self.chunk_length());
        length.min(self.len().saturating_sub(i.saturating_mul(length))) as usize
    }

    /// Reads chunks `first..first + count` behind what `out` holds already.
    ///
    /// # Errors
    /// `Corrupt`, naming the chunk, when a checksum or a compressed stream is wrong; `out` then ends before that chunk.
    pub fn read_chunks(
        &self,
        first: u64,
        count: u64,
        out: &mut Buffer,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let count = count.min(self.chunk_count().saturating_sub(first));
        match &self.layout {
            Chunks::Compressed(info) => {
                let mut i = first;
                while i < first + count {
                    // As many chunks as lie one behind the other, with one read.
                    let (start, mut end) = info.chunk_range(i, self.source.len())?;
                    let mut next = i + 1;
                    while next < first + count {
                        let (s, e) = info.chunk_range(next, self.source.len())?;
                        if s != end {
                            break;
                        }
                        (end, next) = (e, next + 1);
                    }
                    let mut compressed = std::mem::take(&mut scratch.compressed);
                    compressed.truncate(0);
                    let result = self
                        .source
                        .read_exact_at(start, compressed.grow((end - start) as usize))
                        .and_then(|()| {
                            let stored = compressed.bytes();
                            self.decompress_run(info, i..next, start, stored, out, scratch)
                        });
                    scratch.compressed = compressed;
                    result?;
                    i = next;
                }
            }
            Chunks::Plain { crc, chunk_length } => {
                let start = first * u64::from(*chunk_length);
                let end = self.len().min(start + count * u64::from(*chunk_length));
                let at = out.len;
                let bytes = out.grow(end.saturating_sub(start) as usize);
                if let Err(e) = self.source.read_exact_at(start, bytes) {
                    out.truncate(at);
                    return Err(e);
                }
                if let (Some(crc), true) = (crc, self.verify) {
                    for i in 0..count {
                        let from = at + (i * u64::from(*chunk_length)) as usize;
                        let chunk = &out.bytes()[from..from + self.length_of(first + i)];
                        if crc32fast::hash(chunk) != stored_checksum(crc, first + i) {
                            out.truncate(from);
                            return Err(self.in_chunk(bad_checksum(), first + i));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks the system to read what a scan that is at chunk `i` comes to next. `ahead` is up to where it was asked, as an offset in the
    /// file; 0 at the start of the scan, which may be a short one.
    pub(super) fn read_ahead(&self, i: u64, ahead: &mut u64) {
        let Ok((start, end)) = self.stored_range(i) else {
            return;
        };
        if *ahead == 0 {
            *ahead = end;
        } else if start.saturating_add(AHEAD_BYTES / 2) >= *ahead {
            let from = start.max(*ahead);
            let to = start.saturating_add(AHEAD_BYTES).min(self.source.len());
            if from < to {
                self.source.will_need(from, to - from);
                *ahead = to;
            }
        }
    }

    /// Expands chunks whose stored bytes, one behind the other from `start` of the file on, are `stored`.
    fn decompress_run(
        &self,
        info: &CompressionInfo,
        chunks: std::ops::Range<u64>,
        start: u64,
        stored: &[u8],
        out: &mut Buffer,
        scratch: &mut Scratch,
    ) -> Result<()> {
        for i in chunks {
            let (from, to) = info.chunk_range(i, self.source.len())?;
            let range = from.saturating_sub(start) as usize..to.saturating_sub(start) as usize;
            let stored = stored.get(range).unwrap_or_default();
            self.decompress(info, i, stored, out, scratch)
                .map_err(|e| self.in_chunk(e, i))?;
        }
        Ok(())
    }

    /// Reads one chunk behind what `out` holds already, out of the mapped file: a random read so costs no system call.
    pub(super) fn read_mapped(
        &self,
        i: u64,
        out: &mut Buffer,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let map = self
            .map
            .get_or_init(|| Mapped::open(self.source.path()).ok());
        if let (Chunks::Compressed(info), Some(map)) = (&self.layout, map) {
            let (start, end) = info.chunk_range(i, self.source.len())?;
            if let Some(stored) = map.get(start as usize..end as usize) {
                return self.decompress_run(info, i..i + 1, start, stored, out, scratch);
            }
        }
        self.read_chunks(i, 1, out, scratch)
    }

    /// Memory for a window, used before if possible.
    pub(super) fn take_spare(&self) -> (Buffer, Scratch) {
        let spare = self.spare.lock().ok().and_then(|mut spare| spare.pop());
        spare.unwrap_or_default()
    }

    /// Gives memory back for later windows.
    pub(super) fn give_spare(&self, mut buffer: Buffer, scratch: Scratch) {
        buffer.truncate(0);
        if buffer.memory.len().max(scratch.chunk.memory.len()) <= SPARE_BYTES_MAX
            && let Ok(mut spare) = self.spare.lock()
            && spare.len() < SPARES_MAX
        {
            spare.push((buffer, scratch));
        }
    }

    /// Where in the file chunk `i` lies, its checksum included if that stands behind it: start and end.
    ///
    /// # Errors
    /// `Corrupt` when CompressionInfo.db does not fit the file.
    pub fn stored_range(&self, i: u64) -> Result<(u64, u64)> {
        match &self.layout {
            Chunks::Compressed(info) => info.chunk_range(i, self.source.len()),
            Chunks::Plain { chunk_length, .. } => {
                let start = i.saturating_mul(u64::from(*chunk_length)).min(self.len());
                Ok((start, start + self.length_of(i) as u64))
            }
        }
    }

    /// Checks chunk `i`, whose bytes in the file are `stored`, and appends to `out` what it holds.
    ///
    /// # Errors
    /// As of [`read_chunks`](Self::read_chunks).
    pub fn expand_chunk(
        &self,
        i: u64,
        stored: &[u8],
        out: &mut Buffer,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let result = match &self.layout {
            Chunks::Compressed(info) => self.decompress(info, i, stored, out, scratch),
            Chunks::Plain { crc: Some(crc), .. }
                if self.verify && crc32fast::hash(stored) != stored_checksum(crc, i) =>
            {
                Err(bad_checksum())
            }
            Chunks::Plain { .. } => {
                out.extend_from_slice(stored);
                Ok(())
            }
        };
        result.map_err(|e| self.in_chunk(e, i))
    }

    /// One chunk, from the cache if there is one.
    pub(super) fn cached_chunk(&self, i: u64, scratch: &mut Scratch) -> Result<Option<Arc<[u8]>>> {
        let Some(cache) = &self.cache else {
            return Ok(None);
        };
        if let Some(chunk) = cache.get(self.identity, i) {
            return Ok(Some(chunk));
        }
        let mut bytes = std::mem::take(&mut scratch.chunk);
        bytes.truncate(0);
        let read = self.read_mapped(i, &mut bytes, scratch);
        let chunk: Arc<[u8]> = bytes.bytes().into();
        scratch.chunk = bytes;
        read?;
        cache.insert(self.identity, i, chunk.clone());
        Ok(Some(chunk))
    }

    /// Appends chunk `i`, whose payload and checksum are `stored`.
    fn decompress(
        &self,
        info: &CompressionInfo,
        i: u64,
        stored: &[u8],
        out: &mut Buffer,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let (payload, crc) = stored
            .split_last_chunk::<4>()
            .ok_or_else(|| Error::corrupt("a chunk without checksum"))?;
        if self.verify && crc32fast::hash(payload) != u32::from_be_bytes(*crc) {
            return Err(bad_checksum());
        }
        let length = self.length_of(i);
        let at = out.len;
        if payload.len() as u64 >= u64::from(info.max_compressed_length()) {
            // Stored raw; a short last chunk is padded.
            let raw = payload
                .get(..length)
                .ok_or_else(|| Error::corrupt("a raw chunk that is too short"))?;
            out.extend_from_slice(raw);
            return Ok(());
        }
        if length as u64 > info.compressor().expanded_max(payload.len() as u64) {
            return Err(wrong_length());
        }
        let result = expand(info.compressor(), payload, out.grow(length), scratch);
        if result.is_err() {
            out.truncate(at);
        }
        result
    }

    #[cold]
    fn in_chunk(&self, e: Error, i: u64) -> Error {
        let e = match &self.layout {
            Chunks::Compressed(info) => match info.chunk_range(i, self.source.len()) {
                Ok((start, _)) => Error::new(
                    e.kind(),
                    format!("chunk {i} (at byte {start} of the file): {}", e.message()),
                )
                .advise(
                    e.advice()
                        .unwrap_or("restore the file from a replica or a backup"),
                ),
                Err(range) => range,
            },
            Chunks::Plain { .. } => e,
        };
        e.at(i * u64::from(self.chunk_length()))
            .in_component("Data.db")
            .in_file(self.source.path())
    }
}

/// Nobody asks for its chunks any more.
impl Drop for DataFile {
    fn drop(&mut self) {
        if let Some(cache) = &self.cache {
            cache.forget(self.identity, self.chunk_count());
        }
    }
}

#[cold]
fn bad_checksum() -> Error {
    Error::corrupt("the checksum does not match the bytes")
        .advise("restore the file from a replica or a backup")
}

#[cold]
fn wrong_length() -> Error {
    Error::corrupt("a chunk does not decompress to its length")
}

/// The checksum that CRC.db holds of a chunk.
fn stored_checksum(crc: &[u8], chunk: u64) -> u32 {
    usize::try_from(4 + 4 * chunk)
        .ok()
        .and_then(|at| crc.get(at..)?.first_chunk())
        .map_or(0, |b| u32::from_be_bytes(*b))
}

/// Decompresses exactly `out.len()` bytes.
pub(crate) fn expand(
    compressor: Compressor,
    payload: &[u8],
    out: &mut [u8],
    scratch: &mut Scratch,
) -> Result<()> {
    let wrong = wrong_length;
    let n = match compressor {
        Compressor::Lz4 => {
            let (length, block) = payload.split_first_chunk::<4>().ok_or_else(wrong)?;
            if u32::from_le_bytes(*length) as usize != out.len() {
                return Err(wrong());
            }
            lz4_flex::block::decompress_into(block, out).map_err(|_| wrong())?
        }
        Compressor::Snappy => {
            let length = snap::raw::decompress_len(payload).map_err(|_| wrong())?;
            if length != out.len() {
                return Err(wrong());
            }
            snap::raw::Decoder::new()
                .decompress(payload, out)
                .map_err(|_| wrong())?
        }
        Compressor::Deflate => {
            let inflate = scratch
                .inflate
                .get_or_insert_with(|| flate2::Decompress::new(true));
            inflate.reset(true);
            let status = inflate
                .decompress(payload, out, flate2::FlushDecompress::Finish)
                .map_err(|_| wrong())?;
            if status != flate2::Status::StreamEnd && (inflate.total_out() as usize) < out.len() {
                return Err(wrong());
            }
            inflate.total_out() as usize
        }
        Compressor::Zstd => {
            if scratch.zstd.is_none() {
                scratch.zstd = zstd::bulk::Decompressor::new().ok();
            }
            let zstd = scratch.zstd.as_mut().ok_or_else(|| {
                Error::new(crate::ErrorKind::Internal, "no memory for decompression")
            })?;
            zstd.decompress_to_buffer(payload, out)
                .map_err(|_| wrong())?
        }
        Compressor::Noop => {
            let raw = payload.get(..out.len()).ok_or_else(wrong)?;
            out.copy_from_slice(raw);
            payload.len()
        }
    };
    if n != out.len() {
        return Err(wrong());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn checksums_of_nothing_after_those_of_the_chunks() {
        let open = |crcs: &[u32], data: usize| {
            let words = std::iter::once(&PLAIN_CHUNK_BYTES).chain(crcs);
            let crc = words.flat_map(|word| word.to_be_bytes()).collect();
            let source = Source::new(Path::new("Data.db"), data as u64, Box::new(vec![0; data]));
            let crc = Mapped::from_vec(Path::new("CRC.db"), crc);
            DataFile::plain(source, Some(crc)).map(|file| file.len())
        };
        let chunk = PLAIN_CHUNK_BYTES as usize;
        assert_eq!(open(&[7], 297).unwrap(), 297);
        assert_eq!(open(&[7, 0], 297).unwrap(), 297);
        assert_eq!(open(&[7, 0, 0], chunk).unwrap(), chunk as u64);
        assert_eq!(open(&[0], 0).unwrap(), 0);
        // Those of a longer file, and of none.
        assert!(open(&[7, 8], chunk).is_err());
        assert!(open(&[7], chunk + 1).is_err());
    }
}
