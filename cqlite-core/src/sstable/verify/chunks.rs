//! Data.db read once from its start to its end: each chunk checked and decompressed, the digest of the whole computed on
//! the way, and a window of the bytes kept for whoever decodes them.
//!
//! Authority: `o.a.c.io.util.{DataIntegrityMetadata,CompressedChunkReader}`.

use super::findings::Findings;
use crate::bytes::Cursor;
use crate::io::Source;
use crate::sstable::data::{Buffer, DataFile, Scratch};
use crate::{Error, ErrorKind, Result};

const DATA: &str = "Data.db";
const DIGEST: &str = "Digest.crc32";

/// Bytes that are read, and decompressed, at once.
const BATCH_BYTES: u64 = 128 * 1024;

/// What asking for more bytes gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    /// There are more now.
    Yes,
    /// There are none.
    End,
    /// What precedes this position cannot be had: a chunk is bad.
    BadUntil(u64),
}

/// A pass over Data.db, forwards.
pub(super) struct DataStream<'a> {
    data: &'a DataFile,
    digest: Option<u32>,
    hasher: crc32fast::Hasher,
    /// Bytes of the file that the hasher has seen.
    hashed: u64,
    /// Whether Data.db matches its digest, once that had to be known.
    matches_digest: Option<bool>,
    /// The chunk that comes next.
    next: u64,
    chunk_count: u64,
    /// Bytes of the file as they are stored, and where they start.
    raw: Buffer,
    raw_start: u64,
    scratch: Scratch,
    window: Buffer,
    /// Position in the uncompressed stream of the window's first byte.
    start: u64,
    /// The window ends before a bad chunk, which ends here.
    bad_until: Option<u64>,
    bad_chunks: u64,
}

impl<'a> DataStream<'a> {
    /// A pass over `data`, whose Digest.crc32 says `digest`.
    pub fn new(data: &'a DataFile, digest: Option<u32>) -> Self {
        // Chunks behind the data are of no bytes, and are checked all the same.
        let chunk_count = data.compression().map_or(0, |info| info.chunk_count());
        DataStream {
            data,
            digest,
            hasher: crc32fast::Hasher::new(),
            hashed: 0,
            matches_digest: None,
            next: 0,
            chunk_count: chunk_count.max(data.chunk_count()),
            raw: Buffer::default(),
            raw_start: 0,
            scratch: Scratch::default(),
            window: Buffer::default(),
            start: 0,
            bad_until: None,
            bad_chunks: 0,
        }
    }

    /// The bytes from `position` to the end of the window; none if it lies outside.
    #[inline(always)]
    pub fn bytes(&self, position: u64) -> &[u8] {
        position
            .checked_sub(self.start)
            .and_then(|at| self.window.bytes().get(at as usize..))
            .unwrap_or_default()
    }

    /// Makes the window longer, dropping what precedes `keep`.
    #[inline(never)]
    pub fn more(&mut self, keep: u64, findings: &mut Findings<'_>) -> More {
        if let Some(end) = self.bad_until {
            return More::BadUntil(end);
        }
        let end = self.end();
        if end >= self.data.len() {
            return More::End;
        }
        // Bytes that one row needs are fetched in steps that double, so that a long row costs no more than twice its
        // length.
        let step = BATCH_BYTES.max(end - keep.min(end));
        self.window
            .drop_front(keep.saturating_sub(self.start) as usize);
        self.start = keep.clamp(self.start, end);
        while self.end() < self.data.len() && self.end() < end + step {
            if !self.expand_next(findings) {
                break;
            }
        }
        match self.bad_until {
            Some(bad) if self.end() == end => More::BadUntil(bad),
            _ => More::Yes,
        }
    }

    /// Goes on at `position`, which is not before the window; chunks between are checked.
    pub fn seek(&mut self, position: u64, findings: &mut Findings<'_>) -> More {
        if (self.start..self.end()).contains(&position) {
            return More::Yes;
        }
        match self.bad_until {
            Some(end) if position < end => return More::BadUntil(end),
            _ => self.bad_until = None,
        }
        if position >= self.data.len() {
            return More::End;
        }
        let chunk_length = u64::from(self.data.chunk_length());
        while self.next < position / chunk_length {
            self.window.truncate(0);
            self.expand_next(findings);
        }
        self.bad_until = None;
        self.window.truncate(0);
        self.start = self.next * chunk_length;
        self.more(position, findings)
    }

    /// Checks what was not read yet, and the digest.
    pub fn finish(&mut self, findings: &mut Findings<'_>) {
        while self.next < self.data.chunk_count() {
            self.window.truncate(0);
            self.expand_next(findings);
        }
        while self.next < self.chunk_count {
            self.check_empty_chunk(findings);
        }
        if let Some(expected) = self.digest
            && let Some(false) = self.matches_digest(findings)
        {
            let computed = self.hasher.clone().finalize();
            let what =
                format!("the checksum of Data.db is {computed}, Digest.crc32 says {expected}");
            match self.data.has_checksums() && self.bad_chunks == 0 {
                true => findings.fault(
                    DIGEST,
                    Error::corrupt(what)
                        .advise("all chunks of Data.db match their checksums: the digest is wrong"),
                ),
                false => findings.fault(DATA, Error::corrupt(what).advise(RESTORE)),
            }
        }
    }

    /// Whether the whole of Data.db matches its digest, once it was read; `None` without one.
    pub fn matched_digest(&self) -> Option<bool> {
        self.matches_digest
    }

    fn end(&self) -> u64 {
        self.start + self.window.bytes().len() as u64
    }

    /// Appends the next chunk to the window. `false`, having told why, if it is bad.
    fn expand_next(&mut self, findings: &mut Findings<'_>) -> bool {
        let i = self.next;
        self.next += 1;
        let mut result = self.stored(i).and_then(|stored| {
            let stored = &self.raw.bytes()[stored];
            self.data
                .expand_chunk(i, stored, &mut self.window, &mut self.scratch)
        });
        if let Err(e) = &result
            && self.blames_checksums(e, findings)
        {
            result = self.expand_unchecked(i);
        }
        let Err(e) = result else { return true };
        self.tell_bad(e, findings);
        let chunk_length = u64::from(self.data.chunk_length());
        self.bad_until = Some((i + 1).saturating_mul(chunk_length).min(self.data.len()));
        false
    }

    /// Whether an uncompressed Data.db is as its digest says, so that CRC.db must be wrong, which is told then.
    fn blames_checksums(&mut self, e: &Error, findings: &mut Findings<'_>) -> bool {
        if self.data.compression().is_some() || e.kind() != ErrorKind::Corrupt {
            return false;
        }
        if self.matches_digest(findings) != Some(true) {
            return false;
        }
        let offset = 4 * self.next;
        findings.fault(
            "CRC.db",
            Error::corrupt(format!("the checksum of chunk {} is wrong", self.next - 1))
                .advise("Data.db matches its digest")
                .at(offset),
        );
        true
    }

    fn expand_unchecked(&mut self, i: u64) -> Result<()> {
        let stored = self.stored(i)?;
        self.window.extend_from_slice(&self.raw.bytes()[stored]);
        Ok(())
    }

    fn tell_bad(&mut self, e: Error, findings: &mut Findings<'_>) {
        self.bad_chunks += 1;
        // Offsets that make no sense were told when CompressionInfo.db was checked.
        if e.location().component == Some("CompressionInfo.db") {
            return;
        }
        if e.kind() == ErrorKind::Corrupt && self.matches_digest(findings) == Some(true) {
            let chunk = self.next - 1;
            findings.fault(
                "CompressionInfo.db",
                Error::corrupt(format!(
                    "chunk {chunk} is not where it should be: {}",
                    e.message()
                ))
                .advise(
                    "Data.db matches its digest: the chunk offsets or the compressor are wrong",
                ),
            );
            return;
        }
        findings.fault(DATA, e);
    }

    fn check_empty_chunk(&mut self, findings: &mut Findings<'_>) {
        let i = self.next;
        self.next += 1;
        let result = self.stored(i).and_then(|stored| {
            let stored = &self.raw.bytes()[stored];
            match stored.split_last_chunk::<4>() {
                Some((payload, crc)) if crc32fast::hash(payload) == u32::from_be_bytes(*crc) => {
                    Ok(())
                }
                _ => Err(Error::corrupt(format!(
                    "chunk {i}, behind the data: the checksum does not match the bytes"
                ))),
            }
        });
        if let Err(e) = result {
            self.tell_bad(e, findings);
        }
    }

    /// Where in `raw` the stored bytes of chunk `i` are, read if need be.
    #[inline]
    fn stored(&mut self, i: u64) -> Result<std::ops::Range<usize>> {
        let (start, end) = self.data.stored_range(i)?;
        let raw_end = self.raw_start + self.raw.bytes().len() as u64;
        if start < self.raw_start || end > raw_end {
            self.load(i, start, end)?;
        }
        Ok((start - self.raw_start) as usize..(end - self.raw_start) as usize)
    }

    /// Reads chunk `i` and those behind it that make up a batch.
    fn load(&mut self, i: u64, start: u64, end: u64) -> Result<()> {
        let mut batch_end = end;
        for next in i + 1..self.chunk_count {
            match self.data.stored_range(next) {
                Ok((s, e)) if s == batch_end && e - start <= BATCH_BYTES => batch_end = e,
                _ => break,
            }
        }
        let read = self.read(start, batch_end);
        match read {
            // One bad sector must not cost a whole batch.
            Err(_) if batch_end > end => self.read(start, end),
            read => read,
        }
    }

    fn read(&mut self, start: u64, end: u64) -> Result<()> {
        self.raw.truncate(0);
        self.raw_start = start;
        let bytes = self.raw.grow((end - start) as usize);
        if let Err(e) = self.data.source().read_exact_at(start, bytes) {
            self.raw.truncate(0);
            return Err(e);
        }
        if start == self.hashed && self.digest.is_some() && self.matches_digest.is_none() {
            self.hasher.update(self.raw.bytes());
            self.hashed = end;
        }
        Ok(())
    }

    /// Whether the whole of Data.db matches its digest; what the pass has not read yet is read for it. `None` without a
    /// digest, or if not all can be read.
    fn matches_digest(&mut self, findings: &mut Findings<'_>) -> Option<bool> {
        let expected = self.digest?;
        if self.matches_digest.is_none() {
            match hash_rest(self.data.source(), self.hashed, &mut self.hasher) {
                Ok(()) => {}
                Err(e) => {
                    self.digest = None;
                    findings.note(DIGEST, not_compared(&e));
                    return None;
                }
            }
            self.matches_digest = Some(self.hasher.clone().finalize() == expected);
        }
        self.matches_digest
    }
}

pub(super) const RESTORE: &str = "restore the file from a replica or a backup";

/// Compares the whole file with its digest, where its chunks cannot be told.
pub(crate) fn check_digest(source: &Source, digest: u32, findings: &mut Findings<'_>) {
    let mut hasher = crc32fast::Hasher::new();
    if let Err(e) = hash_rest(source, 0, &mut hasher) {
        findings.note(DIGEST, not_compared(&e));
        findings.fault(DATA, e);
        return;
    }
    let computed = hasher.finalize();
    if computed != digest {
        let what = format!("the checksum of Data.db is {computed}, Digest.crc32 says {digest}");
        findings.fault(DATA, Error::corrupt(what).advise(RESTORE));
    }
}

/// The checksum that Digest.crc32 holds: decimal digits.
pub(super) fn parse_digest(bytes: &[u8]) -> Result<u32> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.trim_end().parse().ok())
        .ok_or_else(|| {
            let mut shown = Cursor::new(bytes);
            let shown = shown.take(bytes.len().min(20)).unwrap_or_default();
            Error::corrupt(format!(
                "`{}` is not a checksum in decimal digits",
                shown.escape_ascii()
            ))
        })
}

fn hash_rest(source: &Source, mut from: u64, hasher: &mut crc32fast::Hasher) -> Result<()> {
    let mut buffer = vec![0; BATCH_BYTES as usize];
    while from < source.len() {
        let n = (source.len() - from).min(BATCH_BYTES) as usize;
        source.read_exact_at(from, &mut buffer[..n])?;
        hasher.update(&buffer[..n]);
        from += n as u64;
    }
    Ok(())
}

fn not_compared(e: &Error) -> Error {
    Error::new(
        e.kind(),
        format!("Data.db is not compared with it: {}", e.message()),
    )
}
