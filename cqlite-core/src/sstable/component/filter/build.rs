//! Builds Filter.db.
//!
//! Authority: `o.a.c.utils.{BloomFilter,BloomFilterSerializer}`.

use super::{Bits, FilterSize, HEADER_BYTES};
use crate::io::{MappedMut, Output};
use crate::{Error, Result};
use std::fs::File;
use std::path::Path;

/// Keys whose bits are set together: the memory that they lie in is then fetched at the same time.
const BATCH: usize = 64;

/// Filters up to this size are built in memory, larger ones in the mapped file.
const MEMORY_BYTES_MAX: u64 = 16 << 20;

/// A bloom filter to which keys are added.
#[derive(Debug)]
pub struct FilterBuilder {
    bytes: Bytes,
    bits: Bits,
    hash_count: u32,
    /// Hashes of keys that are not yet in the bits.
    waiting: Vec<(u64, u64)>,
    /// Memory for their bits.
    positions: Vec<u64>,
}

/// Header and words.
#[derive(Debug)]
enum Bytes {
    Memory(Vec<u8>),
    File(MappedMut),
}

impl FilterBuilder {
    /// An empty filter in memory.
    pub fn in_memory(size: FilterSize) -> Self {
        let mut bytes = vec![0; size.file_bytes() as usize];
        bytes[..HEADER_BYTES].copy_from_slice(&header(size));
        Self::over(Bytes::Memory(bytes), size)
    }

    /// An empty filter in the new file `path`, all of which is written at once so that a full disk is an error here.
    ///
    /// # Errors
    /// `InvalidInput` if the file exists, `Io`.
    pub fn in_file(path: &Path, size: FilterSize) -> Result<Self> {
        let mut out = Output::create(path)?;
        out.write(&header(size))?;
        let mut left = size.file_bytes() - HEADER_BYTES as u64;
        let zeros = [0; 1 << 13];
        while left > 0 {
            let n = left.min(zeros.len() as u64);
            out.write(&zeros[..n as usize])?;
            left -= n;
        }
        out.finish()?;
        let file = File::options().read(true).write(true).open(path);
        let map = MappedMut::new(path, file.map_err(|e| Error::io(path, e))?)?;
        Ok(Self::over(Bytes::File(map), size))
    }

    /// An empty filter that will be `path`: in memory if it is small, else in the file from the start, so that memory is
    /// bounded whatever the count of keys.
    ///
    /// # Errors
    /// As of [`in_file`](Self::in_file).
    pub fn create(path: &Path, size: FilterSize) -> Result<Self> {
        match size.file_bytes() > MEMORY_BYTES_MAX {
            true => Self::in_file(path, size),
            false => Ok(Self::in_memory(size)),
        }
    }

    fn over(bytes: Bytes, size: FilterSize) -> Self {
        FilterBuilder {
            bytes,
            bits: Bits::new(size.word_count.into()),
            hash_count: size.hash_count,
            waiting: Vec::with_capacity(BATCH),
            positions: Vec::with_capacity(BATCH * size.hash_count as usize),
        }
    }

    /// Adds the key with this [`murmur3_128`](crate::partitioner::murmur3_128).
    #[inline]
    pub fn add(&mut self, hash: (u64, u64)) {
        self.waiting.push(hash);
        if self.waiting.len() == BATCH {
            self.set_waiting();
        }
    }

    fn set_waiting(&mut self) {
        for (increment, mut base) in self.waiting.drain(..) {
            for _ in 0..self.hash_count {
                self.positions.push(self.bits.bit(base as i64));
                base = base.wrapping_add(increment);
            }
        }
        let bytes = match &mut self.bytes {
            Bytes::Memory(bytes) => &mut bytes[HEADER_BYTES..],
            Bytes::File(map) => &mut map[HEADER_BYTES..],
        };
        for bit in self.positions.drain(..) {
            bytes[(bit >> 3) as usize] |= 1 << (bit & 7);
        }
    }

    /// The bytes of Filter.db.
    pub fn bytes(&mut self) -> &[u8] {
        self.set_waiting();
        match &self.bytes {
            Bytes::Memory(bytes) => bytes,
            Bytes::File(map) => map,
        }
    }

    /// Writes the file `path`, which is the one that it was created with, and syncs it.
    ///
    /// # Errors
    /// `Io`; `InvalidInput` if a filter in memory finds the file there.
    pub fn finish(mut self, path: &Path) -> Result<()> {
        self.set_waiting();
        match self.bytes {
            Bytes::File(map) => map.sync(),
            Bytes::Memory(bytes) => {
                let mut out = Output::create(path)?;
                out.write(&bytes)?;
                out.finish().map(|_| ())
            }
        }
    }
}

fn header(size: FilterSize) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&size.hash_count.to_be_bytes());
    header[4..].copy_from_slice(&size.word_count.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::partitioner::murmur3_128;
    use crate::sstable::component::filter::BloomFilter;

    fn fill(filter: &mut FilterBuilder) {
        for i in 0..1000u32 {
            filter.add(murmur3_128(&i.to_be_bytes()));
        }
    }

    #[test]
    fn added_keys_are_there_and_few_others() {
        let size = FilterSize::of(1000, 0.01).unwrap().unwrap();
        let mut filter = FilterBuilder::in_memory(size);
        fill(&mut filter);
        assert_eq!(filter.bytes().len() as u64, size.file_bytes());
        let filter = BloomFilter::open(filter.bytes().to_vec(), false).unwrap();
        let there = |keys: std::ops::Range<u32>| {
            let hash = |i: u32| murmur3_128(&i.to_be_bytes());
            keys.filter(|i| filter.might_contain(hash(*i))).count()
        };
        assert_eq!(there(0..1000), 1000);
        assert!(there(1000..11_000) < 150);
    }

    #[test]
    fn a_file_holds_what_memory_does() {
        let directory = tempfile::tempdir().unwrap();
        let size = FilterSize::of(1000, 0.01).unwrap().unwrap();
        let (a, b) = (directory.path().join("a"), directory.path().join("b"));
        let mut in_file = FilterBuilder::in_file(&a, size).unwrap();
        let mut in_memory = FilterBuilder::create(&b, size).unwrap();
        fill(&mut in_file);
        fill(&mut in_memory);
        assert!(a.exists() && !b.exists());
        in_file.finish(&a).unwrap();
        in_memory.finish(&b).unwrap();
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        let again = FilterBuilder::in_file(&a, size).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::InvalidInput);
    }
}
