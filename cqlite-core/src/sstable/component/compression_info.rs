//! CompressionInfo.db: the compressor, and where each compressed chunk of Data.db starts.
//!
//! Authority: `o.a.c.io.compress.CompressionMetadata`.
//!
//! ```text
//! utf compressor; i32 n, n x { utf key, utf value }; i32 chunk length; [i32 max compressed length];
//! i64 data length; i32 chunk count; i64 offset x chunk count
//! ```

use crate::bytes::{Cursor, DecodeError};
use crate::io::Mapped;
use crate::limits::CHUNK_LENGTH_BYTES_MAX;
use crate::sstable::version::Version;
use crate::{Error, Result};

/// An algorithm that chunks are compressed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressor {
    /// `LZ4Compressor`: the uncompressed length as a little-endian i32, then an LZ4 block.
    Lz4,
    /// `SnappyCompressor`: raw Snappy.
    Snappy,
    /// `DeflateCompressor`: a zlib stream.
    Deflate,
    /// `ZstdCompressor`: a Zstandard frame.
    Zstd,
    /// `NoopCompressor`: the bytes themselves.
    Noop,
}

impl Compressor {
    /// The compressor of a class name, with or without Cassandra's package.
    pub fn parse(class: &str) -> Result<Self> {
        let name = class
            .strip_prefix("org.apache.cassandra.io.compress.")
            .unwrap_or(class);
        Ok(match name {
            "LZ4Compressor" => Compressor::Lz4,
            "SnappyCompressor" => Compressor::Snappy,
            "DeflateCompressor" => Compressor::Deflate,
            "ZstdCompressor" => Compressor::Zstd,
            "NoopCompressor" => Compressor::Noop,
            _ => {
                return Err(Error::unsupported(format!(
                    "chunks compressed by `{class}` cannot be read"
                ))
                .advise("LZ4, Snappy, Deflate, Zstd and Noop can"));
            }
        })
    }
}

impl Compressor {
    /// The compressor that someone names: `lz4`, `LZ4Compressor`, or the class with its package.
    ///
    /// # Errors
    /// `Unsupported` for an unknown one.
    pub fn named(name: &str) -> Result<Self> {
        let known = [
            Compressor::Lz4,
            Compressor::Snappy,
            Compressor::Deflate,
            Compressor::Zstd,
            Compressor::Noop,
        ];
        let is_meant = |compressor: &Compressor| {
            let class = compressor.class_name();
            let short = class.strip_suffix("Compressor").unwrap_or(class);
            name.eq_ignore_ascii_case(class) || name.eq_ignore_ascii_case(short)
        };
        match known.into_iter().find(is_meant) {
            Some(compressor) => Ok(compressor),
            None => Compressor::parse(name),
        }
    }

    /// Names of its own options (`ICompressor.supportedOptions`). With any other Cassandra does not open an SSTable.
    pub fn option_names(self) -> &'static [&'static str] {
        match self {
            Compressor::Lz4 => &["lz4_high_compressor_level", "lz4_compressor_type"],
            Compressor::Zstd => &["compression_level"],
            Compressor::Snappy | Compressor::Deflate | Compressor::Noop => &[],
        }
    }

    /// Name of the class, without its package, as CompressionInfo.db keeps it.
    pub fn class_name(self) -> &'static str {
        match self {
            Compressor::Lz4 => "LZ4Compressor",
            Compressor::Snappy => "SnappyCompressor",
            Compressor::Deflate => "DeflateCompressor",
            Compressor::Zstd => "ZstdCompressor",
            Compressor::Noop => "NoopCompressor",
        }
    }

    /// Most bytes that `stored` ones can stand for: what lengths are held against before memory is taken for them.
    pub fn expanded_max(self, stored: u64) -> u64 {
        let ratio = match self {
            Compressor::Noop => 1,
            // A copy of 64 bytes takes three.
            Compressor::Snappy => 22,
            // Each byte of a match's length adds up to 255.
            Compressor::Lz4 => 255,
            // A match of 258 bytes takes two bits.
            Compressor::Deflate => 1032,
            // A block that repeats one byte 128 KiB long takes four.
            Compressor::Zstd => 32 * 1024,
        };
        stored.saturating_mul(ratio)
    }
}

/// Most bytes that a chunk of `length` takes in Data.db: the most that a compressor makes of what it cannot compress
/// (Snappy, a sixth and some more), and the checksum.
fn stored_max(length: u32) -> u64 {
    u64::from(length) + u64::from(length) / 4 + 128
}

/// A view of CompressionInfo.db. Offsets stay in the mapped file.
#[derive(Debug)]
pub struct CompressionInfo {
    file: Mapped,
    compressor: Compressor,
    class: String,
    options: Vec<(String, String)>,
    chunk_length: u32,
    max_compressed_length: u32,
    data_length: u64,
    chunk_count: u64,
    offsets_at: usize,
}

impl CompressionInfo {
    /// Checks and takes a mapped file.
    ///
    /// # Errors
    /// `Corrupt` when the fields contradict each other or the file's size, `Unsupported` for an unknown compressor.
    pub fn parse(file: Mapped, version: Version) -> Result<Self> {
        let path = file.path().to_owned();
        Self::parse_at(file, version)
            .map_err(|e| e.in_component("CompressionInfo.db").in_file(&path))
    }

    fn parse_at(file: Mapped, version: Version) -> Result<Self> {
        let mut c = Cursor::new(&file);
        let class = c.java_utf()?;
        let compressor = Compressor::parse(&class)?;
        let option_count = c.i32()?;
        let option_count = c.bounded(option_count.max(0) as u64, 4)?;
        let mut options = Vec::with_capacity(option_count);
        for _ in 0..option_count {
            options.push((c.java_utf()?, c.java_utf()?));
        }
        let at = c.position() as u64;
        let chunk_length = c.u32()?;
        if !chunk_length.is_power_of_two() || chunk_length > CHUNK_LENGTH_BYTES_MAX {
            let what = format!("the chunk length is {chunk_length}, not a sensible power of two");
            return Err(Error::corrupt(what).at(at));
        }
        let max_compressed_length = if version.has_max_compressed_length() {
            c.u32()?
        } else {
            i32::MAX as u32
        };
        let at = c.position() as u64;
        let data_length = c.i64()?;
        let chunk_count = u64::from(c.u32()?);
        let offsets_at = c.position();
        let expected = u64::try_from(data_length)
            .ok()
            .map(|n| n.div_ceil(u64::from(chunk_length)));
        // Cassandra's writer may leave chunks of no bytes behind the last one.
        if expected.is_none_or(|n| chunk_count < n.max(1)) {
            return Err(Error::corrupt(format!(
                "{chunk_count} chunks of {chunk_length} bytes cannot hold {data_length} bytes"
            ))
            .at(at));
        }
        if c.remaining() as u64 != chunk_count * 8 {
            let what = format!(
                "{} bytes of chunk offsets where {chunk_count} chunks need {}",
                c.remaining(),
                chunk_count * 8
            );
            return Err(Error::corrupt(what).at(offsets_at as u64));
        }
        Ok(CompressionInfo {
            compressor,
            class,
            options,
            chunk_length,
            max_compressed_length,
            data_length: data_length as u64,
            chunk_count,
            offsets_at,
            file,
        })
    }

    /// The algorithm.
    pub fn compressor(&self) -> Compressor {
        self.compressor
    }

    /// The class name as stored.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The compressor's own options, as stored.
    pub fn options(&self) -> &[(String, String)] {
        &self.options
    }

    /// Length in bytes of every chunk but the last, uncompressed.
    pub fn chunk_length(&self) -> u32 {
        self.chunk_length
    }

    /// Length in bytes from which on a chunk is stored raw.
    pub fn max_compressed_length(&self) -> u32 {
        self.max_compressed_length
    }

    /// Length in bytes of the uncompressed Data.db.
    pub fn data_length(&self) -> u64 {
        self.data_length
    }

    /// Count of chunks, at least one; those behind the data are of no bytes.
    pub fn chunk_count(&self) -> u64 {
        self.chunk_count
    }

    /// Range in the compressed Data.db of chunk `i`, its checksum included, given that file's length.
    ///
    /// # Errors
    /// `Corrupt` when the offsets do not ascend inside the file.
    #[inline]
    pub fn chunk_range(&self, i: u64, file_length: u64) -> Result<(u64, u64)> {
        let start = self.offset(i)?;
        let end = if i + 1 < self.chunk_count {
            self.offset(i + 1)?
        } else {
            file_length
        };
        // Four bytes of checksum follow at least one byte of data; behind the data Deflate and Noop store none.
        let stored = end.saturating_sub(start);
        let is_short = stored < 5 && (stored < 4 || !self.is_behind_data(i));
        if end > file_length || is_short || stored > stored_max(self.chunk_length) {
            return Err(self.bad_range(i, start, end, file_length));
        }
        Ok((start, end))
    }

    /// Whether chunk `i` is one that the writer's last flush left, of no bytes.
    fn is_behind_data(&self, i: u64) -> bool {
        i.saturating_mul(self.chunk_length.into()) >= self.data_length
    }

    #[cold]
    fn bad_range(&self, i: u64, start: u64, end: u64, file_length: u64) -> Error {
        Error::corrupt(format!(
            "chunk {i} is said to lie at {start}..{end} of a Data.db of {file_length} bytes"
        ))
        .advise("Data.db is truncated, or CompressionInfo.db is not the one that belongs to it")
        .at(self.offsets_at as u64 + i * 8)
        .in_component("CompressionInfo.db")
        .in_file(self.file.path())
    }

    #[inline]
    fn offset(&self, i: u64) -> Result<u64, DecodeError> {
        let at = usize::try_from(i)
            .ok()
            .and_then(|i| i.checked_mul(8)?.checked_add(self.offsets_at))
            .ok_or(DecodeError::Eof)?;
        Cursor::at(&self.file, at).i64().map(|o| o as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn file(chunk_length: u32, data_length: i64, offsets: &[i64]) -> Mapped {
        let mut b = vec![0, 13];
        b.extend(b"LZ4Compressor");
        b.extend([0, 0, 0, 1, 0, 1, b'k', 0, 1, b'v']);
        b.extend(chunk_length.to_be_bytes());
        b.extend(i32::MAX.to_be_bytes());
        b.extend(data_length.to_be_bytes());
        b.extend((offsets.len() as u32).to_be_bytes());
        b.extend(offsets.iter().flat_map(|o| o.to_be_bytes()));
        Mapped::from_vec(Path::new("oa-1-big-CompressionInfo.db"), b)
    }

    fn parse(m: Mapped) -> Result<CompressionInfo> {
        CompressionInfo::parse(m, Version::parse("oa", "big").unwrap())
    }

    #[test]
    fn chunks_have_ranges() {
        let info = parse(file(16, 20, &[0, 15])).unwrap();
        assert_eq!(info.options(), [("k".to_string(), "v".to_string())]);
        assert_eq!(info.chunk_range(0, 25).unwrap(), (0, 15));
        assert_eq!(info.chunk_range(1, 25).unwrap(), (15, 25));
        assert!(info.chunk_range(1, 16).is_err());
    }

    #[test]
    fn a_chunk_of_no_bytes_at_the_end_is_passed_over() {
        let info = parse(file(16, 10, &[0, 15])).unwrap();
        assert_eq!(info.chunk_range(0, 24).unwrap(), (0, 15));
        assert_eq!(info.chunk_range(1, 19).unwrap(), (15, 19));
        assert!(info.chunk_range(1, 18).is_err());
        // A chunk that holds data is of one byte at least.
        let info = parse(file(16, 17, &[0, 15])).unwrap();
        assert!(info.chunk_range(1, 19).is_err());
    }

    #[test]
    fn contradictions_are_corrupt() {
        for (m, says) in [
            (file(15, 20, &[0, 15]), "power of two"),
            (file(16, 40, &[0, 15]), "cannot hold"),
            (file(16, -1, &[0, 15]), "cannot hold"),
            (file(16, 0, &[]), "cannot hold"),
            (file(16, 33, &[0, 15]), "cannot hold"),
        ] {
            let e = parse(m).unwrap_err().to_string();
            assert!(e.contains(says), "{e}");
        }
        let mut bytes = file(16, 20, &[0, 15]).to_vec();
        for cut in 0..bytes.len() {
            let cut = Mapped::from_vec(Path::new("x"), bytes[..cut].to_vec());
            assert!(parse(cut).is_err());
        }
        bytes.push(0);
        assert!(parse(Mapped::from_vec(Path::new("x"), bytes)).is_err());
    }
}
