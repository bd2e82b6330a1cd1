//! Chunks compressed as Cassandra's compressors do, each with what it puts before its block.
//!
//! Authority: `o.a.c.io.compress.{LZ4Compressor,SnappyCompressor,DeflateCompressor,ZstdCompressor,NoopCompressor}`,
//! `o.a.c.io.compress.CompressedSequentialWriter` for what is stored raw.

use super::CompressionOptions;
use crate::sstable::component::compression_info::Compressor;
use crate::{Error, ErrorKind, Result};
use lz4::block::CompressionMode;

/// Level of LZ4's high compression where none is given.
const LZ4_HIGH_LEVEL: i32 = 9;

/// Compresses chunks into memory that is used again.
pub(super) struct ChunkCompressor {
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
    pub fn new(options: &CompressionOptions) -> Result<Self> {
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

    /// The most bytes that it makes of a chunk.
    pub fn most(&self) -> usize {
        self.out.len()
    }

    /// What is to be stored of a chunk: its compressed bytes, or if they would be `max` or more the raw ones, with as
    /// many zeros behind them as make them so many.
    pub fn compress<'a>(&'a mut self, chunk: &'a [u8], max: usize) -> Result<&'a [u8]> {
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
pub fn zstd_level(options: &[(String, String)]) -> Result<i32> {
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
