//! Data.db written as chunks: compressed, with CompressionInfo.db, or plain, with CRC.db; and its Digest.crc32.
//!
//! Authority: `o.a.c.io.compress.{CompressedSequentialWriter,CompressionMetadata.Writer}`,
//! `o.a.c.io.util.{ChecksummedSequentialWriter,ChecksumWriter}`.

mod compressor;
#[cfg(test)]
mod tests;
mod worker;

use self::compressor::ChunkCompressor;
pub(super) use self::compressor::zstd_level;
use self::worker::Worker;
use super::options::CompressionOptions;
use crate::bytes::Sink;
use crate::io::Output;
use crate::sstable::descriptor::{Component, Descriptor};
use crate::{Error, ErrorKind, Result};

/// Length of the chunks that CRC.db has checksums of: Cassandra's write buffer.
const PLAIN_CHUNK_BYTES: usize = 64 * 1024;

/// Uncompressed bytes that are gathered before the whole chunks among them are written.
const GATHERED_BYTES: usize = 64 * 1024;

/// So many where another thread writes them: to wake it takes time.
const GATHERED_BYTES_BESIDE: usize = 256 * 1024;

/// Uncompressed bytes for which no thread is started.
const ALONE_BYTES: u64 = 1 << 20;

/// Length of the checksum behind a compressed chunk.
const CHECKSUM_BYTES: u64 = 4;

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
    one_thread: bool,
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
    /// Creates Data.db and what goes with it. With `one_thread` nobody else ever writes the chunks.
    ///
    /// # Errors
    /// As of [`Output::create`].
    pub fn create(
        descriptor: &Descriptor,
        compression: Option<&CompressionOptions>,
        one_thread: bool,
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
                let most = compressor.most() as u64 + CHECKSUM_BYTES;
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
            one_thread,
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
        if self.position >= ALONE_BYTES && !self.one_thread {
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
