//! Data.db written as chunks: compressed, with CompressionInfo.db, or plain, with CRC.db; and its Digest.crc32.
//!
//! Authority: `o.a.c.io.compress.{CompressedSequentialWriter,CompressionMetadata.Writer}`,
//! `o.a.c.io.util.{ChecksummedSequentialWriter,ChecksumWriter}`.

use super::options::CompressionOptions;
use crate::bytes::Sink;
use crate::io::Output;
use crate::sstable::component::compression_info::Compressor;
use crate::sstable::descriptor::{Component, Descriptor};
use crate::{Error, ErrorKind, Result};
use lz4::block::CompressionMode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Length of the chunks that CRC.db has checksums of: Cassandra's write buffer.
const PLAIN_CHUNK_BYTES: usize = 64 * 1024;

/// Uncompressed bytes that are gathered before the whole chunks among them are written.
const GATHERED_BYTES: usize = 64 * 1024;

/// So many where another thread writes them: to wake it takes time.
const GATHERED_BYTES_BESIDE: usize = 256 * 1024;

/// Uncompressed bytes for which no thread is started.
const ALONE_BYTES: u64 = 1 << 20;

/// Level of LZ4's high compression where none is given.
const LZ4_HIGH_LEVEL: i32 = 9;

/// Length of the checksum behind a compressed chunk.
const CHECKSUM_BYTES: u64 = 4;

/// Buffers of gathered bytes that are written while the next one is filled.
const SPARE_BUFFERS: usize = 2;

/// What became of the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DataSizes {
    /// Uncompressed bytes.
    pub uncompressed: u64,
    /// Length of Data.db.
    pub on_disk: u64,
    /// Compressed by uncompressed bytes, checksums not counted; `None` without compression.
    pub compression_ratio: Option<f64>,
}

/// Takes the uncompressed stream of Data.db.
pub(super) struct DataSink {
    /// Bytes that are in no chunk yet.
    pending: Vec<u8>,
    /// Uncompressed bytes before those.
    position: u64,
    /// How many bytes are gathered before they are written.
    gathered: usize,
    chunk_length: usize,
    /// The most that a chunk can come to in Data.db; `None` for plain bytes.
    chunk_most: Option<u64>,
    chunks: Chunks,
}

/// Who writes the chunks.
enum Chunks {
    /// The thread that makes the rows.
    Here(Box<ChunkWriter>),
    /// One beside it.
    Beside(Worker),
    /// Nobody: an error ended it.
    Failed,
}

/// Makes chunks of bytes and writes them.
struct ChunkWriter {
    descriptor: Descriptor,
    out: Output,
    chunk_length: usize,
    digest: crc32fast::Hasher,
    layout: Layout,
}

enum Layout {
    Compressed {
        compressor: Box<ChunkCompressor>,
        max_compressed_length: usize,
        info: Output,
        /// Where in CompressionInfo.db the length of the data stands, and behind it the count of chunks.
        length_at: u64,
        chunks: u64,
        /// Bytes of all chunks without their checksums.
        compressed: u64,
    },
    Plain {
        crc: Output,
    },
}

impl DataSink {
    /// Creates Data.db and what goes with it.
    ///
    /// # Errors
    /// As of [`Output::create`].
    pub fn create(
        descriptor: &Descriptor,
        compression: Option<&CompressionOptions>,
    ) -> Result<Self> {
        let out = Output::create(&descriptor.path(&Component::Data))?;
        let (layout, chunk_length, chunk_most) = match compression {
            Some(options) => {
                let path = descriptor.path(&Component::CompressionInfo);
                let mut info = Output::create(&path)?;
                info.put_java_utf(options.compressor.class_name())?;
                info.put_i32(options.options.len() as i32);
                for (key, value) in &options.options {
                    info.put_java_utf(key)?;
                    info.put_java_utf(value)?;
                }
                info.put_u32(options.chunk_length);
                info.put_u32(options.max_compressed_length);
                let length_at = info.position();
                info.put_i64(0);
                info.put_i32(0);
                let compressor = Box::new(ChunkCompressor::new(options)?);
                let most = compressor.out.len() as u64 + CHECKSUM_BYTES;
                let layout = Layout::Compressed {
                    compressor,
                    max_compressed_length: options.max_compressed_length as usize,
                    info,
                    length_at,
                    chunks: 0,
                    compressed: 0,
                };
                (layout, options.chunk_length as usize, Some(most))
            }
            None => {
                let mut crc = Output::create(&descriptor.path(&Component::Crc))?;
                crc.put_i32(PLAIN_CHUNK_BYTES as i32);
                (Layout::Plain { crc }, PLAIN_CHUNK_BYTES, None)
            }
        };
        Ok(DataSink {
            pending: Vec::with_capacity(GATHERED_BYTES.max(chunk_length) * 2),
            gathered: GATHERED_BYTES.max(chunk_length),
            position: 0,
            chunk_length,
            chunk_most,
            chunks: Chunks::Here(Box::new(ChunkWriter {
                descriptor: descriptor.clone(),
                out,
                chunk_length,
                digest: crc32fast::Hasher::new(),
                layout,
            })),
        })
    }

    /// Where bytes are appended. [`settle`](Self::settle) is to follow.
    #[inline(always)]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Uncompressed bytes so far.
    #[inline(always)]
    pub fn position(&self) -> u64 {
        self.position + self.pending.len() as u64
    }

    /// Whether Data.db is longer than this so far: with all of the plain bytes, or all chunks that are full. Nothing is waited
    /// for where it cannot be.
    ///
    /// # Errors
    /// `Io`.
    #[inline]
    pub fn is_longer_than(&mut self, length: u64) -> Result<bool> {
        let Some(chunk_most) = self.chunk_most else {
            return Ok(self.position() > length);
        };
        let (on_disk, on_its_way) = match &self.chunks {
            Chunks::Here(writer) => (writer.out.position(), 0),
            Chunks::Beside(worker) => (worker.on_disk, worker.on_its_way),
            Chunks::Failed => return Err(ended()),
        };
        let full = (on_its_way + self.pending.len() as u64) / self.chunk_length as u64;
        if on_disk.saturating_add(full.saturating_mul(chunk_most)) <= length {
            return Ok(false);
        }
        self.write_full_chunks()?;
        Ok(match &self.chunks {
            Chunks::Here(writer) => writer.out.position() > length,
            Chunks::Beside(worker) => worker.on_disk > length,
            Chunks::Failed => return Err(ended()),
        })
    }

    /// Writes all chunks that are full, and waits for it.
    #[cold]
    fn write_full_chunks(&mut self) -> Result<()> {
        if self.pending.len() >= self.chunk_length {
            self.write_chunks()?;
        }
        if let Chunks::Beside(worker) = &mut self.chunks
            && !worker.wait()
        {
            return Err(self.chunks.end().err().unwrap_or_else(ended));
        }
        Ok(())
    }

    /// Writes whole chunks if enough of them have gathered.
    ///
    /// # Errors
    /// `Io`.
    #[inline(always)]
    pub fn settle(&mut self) -> Result<()> {
        match self.pending.len() >= self.gathered {
            true => self.write_chunks(),
            false => Ok(()),
        }
    }

    #[inline(never)]
    fn write_chunks(&mut self) -> Result<()> {
        let whole = self.pending.len() - self.pending.len() % self.chunk_length;
        self.position += whole as u64;
        if self.position >= ALONE_BYTES {
            self.chunks.split();
            self.gathered = GATHERED_BYTES_BESIDE.max(self.chunk_length);
        }
        let mut rest = match &mut self.chunks {
            Chunks::Here(writer) => {
                writer.write(&self.pending[..whole])?;
                self.pending.copy_within(whole.., 0);
                self.pending.truncate(self.pending.len() - whole);
                std::mem::take(&mut self.pending)
            }
            Chunks::Beside(worker) => {
                let Some(mut rest) = worker.empty() else {
                    return Err(self.chunks.end().err().unwrap_or_else(ended));
                };
                rest.extend_from_slice(&self.pending[whole..]);
                self.pending.truncate(whole);
                worker.send(std::mem::take(&mut self.pending));
                rest
            }
            Chunks::Failed => return Err(ended()),
        };
        // A huge row is not held in memory for ever.
        rest.shrink_to(self.gathered * 8);
        self.pending = rest;
        Ok(())
    }

    /// Writes the rest, and all that goes with Data.db, and waits until the disk has it.
    ///
    /// # Errors
    /// `Io`; `InvalidInput` for more chunks than the format can count.
    pub fn finish(mut self) -> Result<DataSizes> {
        self.write_chunks()?;
        let rest = std::mem::take(&mut self.pending);
        self.chunks
            .end()?
            .finish(&rest, self.position + rest.len() as u64)
    }
}

impl Chunks {
    /// Gives the work to another thread.
    fn split(&mut self) {
        *self = match std::mem::replace(self, Chunks::Failed) {
            Chunks::Here(writer) => Worker::start(writer),
            other => other,
        };
    }

    /// The writer, when all that was sent is written.
    fn end(&mut self) -> Result<Box<ChunkWriter>> {
        match std::mem::replace(self, Chunks::Failed) {
            Chunks::Here(writer) => Ok(writer),
            Chunks::Beside(mut worker) => worker.end(),
            Chunks::Failed => Err(ended()),
        }
    }
}

#[cold]
fn ended() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the thread that writes chunks has ended",
    )
}

/// A thread that writes chunks while the next ones are made.
struct Worker {
    /// Takes whole chunks; `None` when nothing more comes.
    full: Option<Sender<Vec<u8>>>,
    /// Gives the memory back.
    empty: Receiver<Emptied>,
    /// Memory that was given back and is not in use.
    spare: Vec<Vec<u8>>,
    /// Length of Data.db when memory was last given back.
    on_disk: u64,
    /// Uncompressed bytes that were sent since.
    on_its_way: u64,
    thread: Option<JoinHandle<Result<Box<ChunkWriter>>>>,
}

/// What comes back of bytes that were written.
struct Emptied {
    /// Their memory, empty.
    bytes: Vec<u8>,
    /// How many they were.
    count: u64,
    /// Length of Data.db with them.
    on_disk: u64,
}

impl Worker {
    /// Without a thread to be had the work stays here.
    fn start(writer: Box<ChunkWriter>) -> Chunks {
        let (full, to_write) = channel::<Vec<u8>>();
        let (written, empty) = channel();
        let on_disk = writer.out.position();
        let shared = Arc::new(Mutex::new(Some(writer)));
        let taken = shared.clone();
        #[cfg(test)]
        let room = crate::io::faults::room();
        let thread = std::thread::Builder::new()
            .name("cqlite-chunks".into())
            .spawn(move || {
                #[cfg(test)]
                crate::io::faults::share(room);
                let writer = taken.lock().ok().and_then(|mut writer| writer.take());
                let mut writer = writer.ok_or_else(ended)?;
                for mut bytes in to_write {
                    writer.write(&bytes)?;
                    let count = bytes.len() as u64;
                    bytes.clear();
                    // Nobody waits for the last ones.
                    let _ = written.send(Emptied {
                        bytes,
                        count,
                        on_disk: writer.out.position(),
                    });
                }
                Ok(writer)
            });
        match thread {
            Ok(thread) => Chunks::Beside(Worker {
                full: Some(full),
                empty,
                spare: vec![Vec::new(); SPARE_BUFFERS],
                on_disk,
                on_its_way: 0,
                thread: Some(thread),
            }),
            Err(_) => match shared.lock().ok().and_then(|mut writer| writer.take()) {
                Some(writer) => Chunks::Here(writer),
                None => Chunks::Failed,
            },
        }
    }

    /// Waits for memory that is free; `None` when the thread has failed.
    fn empty(&mut self) -> Option<Vec<u8>> {
        if self.spare.is_empty() {
            self.receive()?;
        }
        self.spare.pop()
    }

    /// Waits until all that was sent is written; `false` when the thread has failed.
    fn wait(&mut self) -> bool {
        while self.on_its_way > 0 {
            if self.receive().is_none() {
                return false;
            }
        }
        true
    }

    fn receive(&mut self) -> Option<()> {
        let emptied = self.empty.recv().ok()?;
        self.spare.push(emptied.bytes);
        self.on_disk = emptied.on_disk;
        self.on_its_way -= emptied.count;
        Some(())
    }

    fn send(&mut self, bytes: Vec<u8>) {
        self.on_its_way += bytes.len() as u64;
        if let Some(full) = &self.full {
            // Where that fails, the next wait for memory tells.
            let _ = full.send(bytes);
        }
    }

    fn end(&mut self) -> Result<Box<ChunkWriter>> {
        self.full = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(ended()),
        }
    }
}

impl Drop for Worker {
    /// Files are closed before they are deleted.
    fn drop(&mut self) {
        self.full = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl ChunkWriter {
    /// Writes bytes that make whole chunks.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut chunks = bytes.chunks_exact(self.chunk_length);
        chunks.try_for_each(|chunk| self.write_chunk(chunk))
    }

    fn write_chunk(&mut self, chunk: &[u8]) -> Result<()> {
        let checksum = match &mut self.layout {
            Layout::Compressed {
                compressor,
                max_compressed_length,
                info,
                chunks,
                compressed,
                ..
            } => {
                info.put_i64(self.out.position() as i64);
                info.settle()?;
                *chunks += 1;
                let payload = compressor.compress(chunk, *max_compressed_length)?;
                *compressed += payload.len() as u64;
                self.digest.update(payload);
                self.out.write(payload)?;
                crc32fast::hash(payload).to_be_bytes()
            }
            Layout::Plain { crc } => {
                crc.put_u32(crc32fast::hash(chunk));
                crc.settle()?;
                self.digest.update(chunk);
                return self.out.write(chunk);
            }
        };
        self.digest.update(&checksum);
        self.out.write(&checksum)
    }

    /// Writes the last chunk, which may be none, and all that goes with Data.db.
    fn finish(mut self, rest: &[u8], uncompressed: u64) -> Result<DataSizes> {
        if !rest.is_empty() {
            self.write_chunk(rest)?;
        }
        let mut compression_ratio = None;
        match self.layout {
            Layout::Compressed {
                mut info,
                length_at,
                chunks,
                compressed,
                ..
            } => {
                let count = i32::try_from(chunks).map_err(|_| {
                    Error::invalid(format!("{chunks} chunks are more than can be counted"))
                        .advise("take a longer chunk length")
                })?;
                let mut lengths = (uncompressed as i64).to_be_bytes().to_vec();
                lengths.put_i32(count);
                info.patch(length_at, &lengths)?;
                info.finish()?;
                compression_ratio = Some(compressed as f64 / uncompressed as f64);
            }
            Layout::Plain { crc } => {
                crc.finish()?;
            }
        }
        let on_disk = self.out.finish()?;
        let mut digest = Output::create(&self.descriptor.path(&Component::Digest))?;
        digest.write(self.digest.finalize().to_string().as_bytes())?;
        digest.finish()?;
        Ok(DataSizes {
            uncompressed,
            on_disk,
            compression_ratio,
        })
    }
}

/// Compresses chunks into memory that is used again.
struct ChunkCompressor {
    algorithm: Algorithm,
    out: Vec<u8>,
}

enum Algorithm {
    Lz4(lz4_flex::block::CompressTable),
    /// With this level.
    Lz4High(i32),
    Snappy(Box<snap::raw::Encoder>),
    Deflate(flate2::Compress),
    Zstd(zstd::bulk::Compressor<'static>),
    Noop,
}

impl ChunkCompressor {
    fn new(options: &CompressionOptions) -> Result<Self> {
        let algorithm = match options.compressor {
            Compressor::Lz4 => match lz4_high_level(&options.options) {
                Some(level) => Algorithm::Lz4High(level),
                None => Algorithm::Lz4(Default::default()),
            },
            Compressor::Snappy => Algorithm::Snappy(Box::new(snap::raw::Encoder::new())),
            Compressor::Deflate => {
                Algorithm::Deflate(flate2::Compress::new(flate2::Compression::default(), true))
            }
            Compressor::Zstd => {
                let level = zstd_level(&options.options)?;
                let compressor = zstd::bulk::Compressor::new(level).and_then(|mut c| {
                    c.include_checksum(true)?;
                    Ok(c)
                });
                Algorithm::Zstd(compressor.map_err(|e| failed(&e.to_string()))?)
            }
            Compressor::Noop => Algorithm::Noop,
        };
        // The most that any of them makes of a chunk.
        let n = options.chunk_length as usize;
        let most = (n + n / 6 + 64).max(zstd::zstd_safe::compress_bound(n));
        let most = most.max(lz4_flex::block::get_maximum_output_size(n) + 4);
        Ok(ChunkCompressor {
            algorithm,
            out: vec![0; most],
        })
    }

    /// What is to be stored of a chunk: its compressed bytes, or if they would be `max` or more the raw ones, with as
    /// many zeros behind them as make them so many.
    fn compress<'a>(&'a mut self, chunk: &'a [u8], max: usize) -> Result<&'a [u8]> {
        let out = &mut self.out;
        let n = match &mut self.algorithm {
            Algorithm::Lz4(table) => {
                let (length, block) = out
                    .split_first_chunk_mut::<4>()
                    .ok_or_else(|| failed("no room"))?;
                *length = (chunk.len() as u32).to_le_bytes();
                let n = lz4_flex::block::compress_into_with_table(chunk, block, table);
                4 + n.map_err(|e| failed(&e.to_string()))?
            }
            Algorithm::Lz4High(level) => {
                let mode = Some(CompressionMode::HIGHCOMPRESSION(*level));
                let n = lz4::block::compress_to_buffer(chunk, mode, true, out);
                n.map_err(|e| failed(&e.to_string()))?
            }
            Algorithm::Snappy(encoder) => encoder
                .compress(chunk, out)
                .map_err(|e| failed(&e.to_string()))?,
            Algorithm::Deflate(deflate) => {
                deflate.reset();
                let status = deflate.compress(chunk, out, flate2::FlushCompress::Finish);
                match status {
                    Ok(flate2::Status::StreamEnd) => deflate.total_out() as usize,
                    _ => return Err(failed("the stream does not end")),
                }
            }
            Algorithm::Zstd(zstd) => zstd
                .compress_to_buffer(chunk, &mut out[..])
                .map_err(|e| failed(&e.to_string()))?,
            Algorithm::Noop if chunk.len() < max => return Ok(chunk),
            Algorithm::Noop => chunk.len(),
        };
        if n < max {
            return Ok(&out[..n]);
        }
        if chunk.len() >= max {
            return Ok(chunk);
        }
        out[..chunk.len()].copy_from_slice(chunk);
        out[chunk.len()..max].fill(0);
        Ok(&out[..max])
    }
}

/// The level of LZ4's high compression; `None` for the fast one. Authority: `o.a.c.io.compress.LZ4Compressor`.
fn lz4_high_level(options: &[(String, String)]) -> Option<i32> {
    let option = |name| options.iter().find(|(key, _)| key == name);
    option("lz4_compressor_type").filter(|(_, value)| value == "high")?;
    let level = option("lz4_high_compressor_level").and_then(|(_, text)| text.parse().ok());
    Some(level.unwrap_or(LZ4_HIGH_LEVEL))
}

/// Authority: `o.a.c.io.compress.ZstdCompressor`.
fn zstd_level(options: &[(String, String)]) -> Result<i32> {
    let Some((_, text)) = options.iter().find(|(key, _)| key == "compression_level") else {
        return Ok(zstd::DEFAULT_COMPRESSION_LEVEL);
    };
    let levels = zstd::compression_level_range();
    text.parse()
        .ok()
        .filter(|level| levels.contains(level))
        .ok_or_else(|| {
            Error::invalid(format!("`{text}` is no compression level of Zstd")).advise(format!(
                "levels are {} to {}",
                levels.start(),
                levels.end()
            ))
        })
}

#[cold]
fn failed(why: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("compression failed: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Mapped, Source};
    use crate::sstable::component::compression_info::CompressionInfo;
    use crate::sstable::data::{Buffer, DataFile, Scratch};
    use crate::sstable::{SSTableId, Version};
    use std::path::Path;

    fn descriptor(directory: &Path) -> Descriptor {
        Descriptor {
            directory: directory.to_owned(),
            version: Version::parse("oa", "big").unwrap(),
            id: SSTableId::Sequence(1),
        }
    }

    /// Bytes of which a part can be compressed.
    fn stream(n: usize) -> Vec<u8> {
        let mut state = 1u64;
        let random = |i: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            if (i / 3000).is_multiple_of(3) {
                (state >> 56) as u8
            } else {
                (i / 700) as u8
            }
        };
        (0..n).map(random).collect()
    }

    fn write(directory: &Path, bytes: &[u8], options: Option<&CompressionOptions>) -> DataSizes {
        let mut sink = DataSink::create(&descriptor(directory), options).unwrap();
        for piece in bytes.chunks(777) {
            sink.buffer().extend_from_slice(piece);
            sink.settle().unwrap();
        }
        assert_eq!(sink.position(), bytes.len() as u64);
        sink.finish().unwrap()
    }

    fn read(directory: &Path, compressed: bool) -> Vec<u8> {
        let d = descriptor(directory);
        let source = Source::open(&d.path(&Component::Data)).unwrap();
        let file = if compressed {
            let info = Mapped::open(&d.path(&Component::CompressionInfo)).unwrap();
            DataFile::compressed(source, CompressionInfo::parse(info, d.version).unwrap())
        } else {
            let crc = Mapped::open(&d.path(&Component::Crc)).unwrap();
            DataFile::plain(source, Some(crc)).unwrap()
        };
        let mut out = Buffer::default();
        let count = file.chunk_count();
        file.read_chunks(0, count, &mut out, &mut Scratch::default())
            .unwrap();
        out.bytes().to_vec()
    }

    #[test]
    fn what_is_written_is_read() {
        for compressor in [
            None,
            Some(Compressor::Lz4),
            Some(Compressor::Snappy),
            Some(Compressor::Deflate),
            Some(Compressor::Zstd),
            Some(Compressor::Noop),
        ] {
            // Less than a chunk, whole chunks exactly, and many.
            for (n, ratio) in [
                (1, 0.0),
                (4096, 1.5),
                (65_536, 1.0),
                (131_072, 0.0),
                (300_001, 1.5),
                // By a thread of its own.
                (ALONE_BYTES as usize * 2 + 77, 1.5),
            ] {
                let dir = tempfile::tempdir().unwrap();
                let options = compressor.map(|compressor| {
                    CompressionOptions {
                        compressor,
                        chunk_length: 4096,
                        ..Default::default()
                    }
                    .with_min_compress_ratio(ratio)
                });
                let bytes = stream(n);
                let sizes = write(dir.path(), &bytes, options.as_ref());
                assert_eq!(sizes.uncompressed, n as u64);
                assert!(read(dir.path(), options.is_some()) == bytes);
                let d = descriptor(dir.path());
                let data = std::fs::read(d.path(&Component::Data)).unwrap();
                assert_eq!(sizes.on_disk, data.len() as u64);
                let digest = std::fs::read_to_string(d.path(&Component::Digest)).unwrap();
                assert_eq!(digest, crc32fast::hash(&data).to_string());
                if options.is_none() {
                    assert_eq!(sizes.compression_ratio, None);
                    let crc = std::fs::metadata(d.path(&Component::Crc)).unwrap();
                    assert_eq!(crc.len(), 4 + 4 * n.div_ceil(65_536) as u64);
                }
            }
        }
    }

    #[test]
    fn high_compression_is_denser() {
        let words = ["partition", "clustering", "row", "cell", "marker"];
        let words = (0..60_000_usize).map(|i| words[(i * i / 7 + i / 3) % words.len()]);
        let bytes = words.collect::<Vec<_>>().join(" ").into_bytes();
        let on_disk = |options: &[(&str, &str)]| {
            let options = options.iter().map(|(k, v)| (k.to_string(), v.to_string()));
            let options = CompressionOptions {
                options: options.collect(),
                ..Default::default()
            };
            let dir = tempfile::tempdir().unwrap();
            let sizes = write(dir.path(), &bytes, Some(&options));
            assert!(read(dir.path(), true) == bytes);
            sizes.on_disk
        };
        let high = ("lz4_compressor_type", "high");
        let fast = on_disk(&[("lz4_high_compressor_level", "17")]);
        let lengths = [
            on_disk(&[high, ("lz4_high_compressor_level", "17")]),
            on_disk(&[high]),
            on_disk(&[high, ("lz4_high_compressor_level", "9")]),
        ];
        assert!(
            lengths[0] <= lengths[1] && lengths[1] < fast,
            "{lengths:?} {fast}"
        );
        assert_eq!(lengths[1], lengths[2]);
    }

    #[test]
    fn a_disk_that_fills_up_beside_is_told_and_files_are_closed() {
        let options = CompressionOptions::default();
        for room in [0, 1 << 20, 3 << 20] {
            let dir = tempfile::tempdir().unwrap();
            let mut sink = DataSink::create(&descriptor(dir.path()), Some(&options)).unwrap();
            // Nothing of it can be compressed.
            let random: Vec<u8> = (0..8_u64 << 20)
                .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_pow(3) >> 56) as u8)
                .collect();
            crate::io::faults::set_room(Some(room));
            let mut result = Ok(());
            for piece in random.chunks(5000) {
                sink.buffer().extend_from_slice(piece);
                result = sink.settle();
                if result.is_err() {
                    break;
                }
            }
            let e = result.and_then(|()| sink.finish().map(drop)).unwrap_err();
            crate::io::faults::set_room(None);
            assert_eq!(e.kind(), ErrorKind::Io);
            assert!(e.to_string().contains("make room"), "{e}");
        }
    }

    #[test]
    fn what_exceeds_a_length_is_known_at_the_chunk() {
        let bytes = stream(6 << 20);
        let chunk_length = CompressionOptions::default().chunk_length as usize;
        let sink = |dir: &Path| DataSink::create(&descriptor(dir), Some(&Default::default()));
        // Where the chunks end in Data.db.
        let dir = tempfile::tempdir().unwrap();
        let mut whole = sink(dir.path()).unwrap();
        whole.buffer().extend_from_slice(&bytes);
        whole.settle().unwrap();
        whole.finish().unwrap();
        let path = |component| descriptor(dir.path()).path(&component);
        let info = Mapped::open(&path(Component::CompressionInfo)).unwrap();
        let info = CompressionInfo::parse(info, descriptor(dir.path()).version).unwrap();
        let length = std::fs::metadata(path(Component::Data)).unwrap().len();
        for limit in [0, 70_000, 1 << 20, length / 2, length - 1] {
            let end = |chunk: u64| info.chunk_range(chunk, length).unwrap().1;
            let over = (0..info.chunk_count()).find(|chunk| end(*chunk) > limit);
            let full = (over.unwrap() as usize + 1) * chunk_length;
            let dir = tempfile::tempdir().unwrap();
            let mut sink = sink(dir.path()).unwrap();
            let mut written = 0;
            for piece in bytes.chunks(1000) {
                sink.buffer().extend_from_slice(piece);
                sink.settle().unwrap();
                written += piece.len();
                let expected = written >= full.min(bytes.len());
                if sink.is_longer_than(limit).unwrap() {
                    assert!(expected, "{limit}: {written} of {full}");
                    break;
                }
                assert!(!expected, "{limit}: {written} of {full}");
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let mut plain = DataSink::create(&descriptor(dir.path()), None).unwrap();
        plain.buffer().extend_from_slice(b"abc");
        assert!(plain.is_longer_than(2).unwrap() && !plain.is_longer_than(3).unwrap());
    }

    #[test]
    fn incompressible_chunks_are_stored_raw_and_the_last_one_padded() {
        let dir = tempfile::tempdir().unwrap();
        let options = CompressionOptions {
            chunk_length: 4096,
            ..Default::default()
        }
        .with_min_compress_ratio(1.5);
        assert_eq!(options.max_compressed_length, 2731);
        // What cannot be compressed grows by some bytes, to the limit and over it.
        let random: Vec<u8> = (0..4096 + 2725u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_pow(3) >> 56) as u8)
            .collect();
        let sizes = write(dir.path(), &random, Some(&options));
        assert_eq!(sizes.on_disk, 4096 + 4 + 2731 + 4);
        assert_eq!(sizes.compression_ratio, Some(6827.0 / 6821.0));
        assert!(read(dir.path(), true) == random);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let options = |chunk_length, max_compressed_length| CompressionOptions {
            chunk_length,
            max_compressed_length,
            ..Default::default()
        };
        assert!(options(4096, 4096).check().is_ok());
        assert!(options(4096, 4097).check().is_err());
        assert!(options(5000, 10).check().is_err());
        let zstd = |level: &str| CompressionOptions {
            compressor: Compressor::Zstd,
            options: vec![("compression_level".into(), level.into())],
            ..Default::default()
        };
        assert!(ChunkCompressor::new(&zstd("-3")).is_ok());
        assert!(ChunkCompressor::new(&zstd("23")).is_err());
        assert!(ChunkCompressor::new(&zstd("x")).is_err());
        let lz4 = |name: &str, value: &str| CompressionOptions {
            options: vec![(name.into(), value.into())],
            ..Default::default()
        };
        assert!(lz4("lz4_compressor_type", "high").check().is_ok());
        assert!(lz4("lz4_compressor_type", "higher").check().is_err());
        assert!(lz4("lz4_high_compressor_level", "17").check().is_ok());
        assert!(lz4("lz4_high_compressor_level", "18").check().is_err());
        let e = lz4("compression_level", "3").check().unwrap_err();
        assert!(e.message().contains("no option of LZ4Compressor"), "{e}");
    }
}
