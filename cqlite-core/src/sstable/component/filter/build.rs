//! Builds Filter.db.
//!
//! Authority: `o.a.c.utils.{BloomFilter,BloomFilterSerializer}`.

use super::{Bits, FilterSize, HEADER_BYTES};
use crate::io::{MappedMut, Output};
use crate::{Error, ErrorKind, Result};
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// Keys whose bits are set together: the memory that they lie in is then fetched at the same time.
const BATCH: usize = 64;

/// Keys that are handed to the thread at once, and batches that wait for it.
const HANDED: usize = 4096;
const HANDED_WAITING: usize = 2;

/// Filters up to this size lie in the processor's own cache, and need no thread.
const NEAR_BYTES_MAX: u64 = 256 << 10;

/// Filters up to this size are built in memory, larger ones in the mapped file.
const MEMORY_BYTES_MAX: u64 = 16 << 20;

/// A bloom filter to which keys are added. The bits of a large one lie far apart, and a thread of its own waits for them.
#[derive(Debug)]
pub struct FilterBuilder {
    /// Hashes of keys that are not yet in the bits.
    waiting: Vec<(u64, u64)>,
    target: Target,
}

/// Where bits are set.
#[derive(Debug)]
enum Target {
    Here(Bitmap),
    Beside(Beside),
}

/// A thread that sets bits until no more hashes come.
#[derive(Debug)]
struct Beside {
    hashes: SyncSender<Vec<(u64, u64)>>,
    /// Memory that is used again.
    emptied: Receiver<Vec<(u64, u64)>>,
    thread: JoinHandle<Bitmap>,
}

/// The filter itself.
#[derive(Debug)]
struct Bitmap {
    bytes: Bytes,
    bits: Bits,
    hash_count: u32,
    /// Memory for the bits of a batch.
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
    ///
    /// # Errors
    /// `Io` without a thread for a large one.
    pub fn in_memory(size: FilterSize) -> Result<Self> {
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
        Self::over(Bytes::File(map), size)
    }

    /// An empty filter that will be `path`: in memory if it is small, else in the file from the start, so that memory is
    /// bounded whatever the count of keys.
    ///
    /// # Errors
    /// As of [`in_file`](Self::in_file).
    pub fn create(path: &Path, size: FilterSize) -> Result<Self> {
        match size.file_bytes() > MEMORY_BYTES_MAX {
            true => Self::in_file(path, size),
            false => Self::in_memory(size),
        }
    }

    fn over(bytes: Bytes, size: FilterSize) -> Result<Self> {
        let bitmap = Bitmap {
            bytes,
            bits: Bits::new(size.word_count.into()),
            hash_count: size.hash_count,
            positions: Vec::with_capacity(BATCH * size.hash_count as usize),
        };
        Ok(match size.file_bytes() > NEAR_BYTES_MAX {
            true => FilterBuilder {
                waiting: Vec::with_capacity(HANDED),
                target: Target::Beside(Beside::start(bitmap)?),
            },
            false => FilterBuilder {
                waiting: Vec::with_capacity(BATCH),
                target: Target::Here(bitmap),
            },
        })
    }

    /// Adds the key with this [`murmur3_128`](crate::partitioner::murmur3_128).
    #[inline]
    pub fn add(&mut self, hash: (u64, u64)) {
        self.waiting.push(hash);
        if self.waiting.len() == self.waiting.capacity() {
            self.set_waiting();
        }
    }

    #[inline(never)]
    fn set_waiting(&mut self) {
        match &mut self.target {
            Target::Here(bitmap) => {
                bitmap.set(&self.waiting);
                self.waiting.clear();
            }
            Target::Beside(beside) => {
                let emptied = beside.emptied.try_recv();
                let emptied = emptied.unwrap_or_else(|_| Vec::with_capacity(HANDED));
                let full = std::mem::replace(&mut self.waiting, emptied);
                // Where the thread has failed, the end tells.
                let _ = beside.hashes.send(full);
            }
        }
    }

    /// All keys are in it.
    fn end(mut self) -> Bitmap {
        self.set_waiting();
        match self.target {
            Target::Here(bitmap) => bitmap,
            Target::Beside(Beside { hashes, thread, .. }) => {
                drop(hashes);
                match thread.join() {
                    Ok(bitmap) => bitmap,
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        }
    }

    /// The bytes of Filter.db.
    pub fn into_bytes(self) -> Vec<u8> {
        match self.end().bytes {
            Bytes::Memory(bytes) => bytes,
            Bytes::File(map) => map.to_vec(),
        }
    }

    /// Writes the file `path`, which is the one that it was created with, and syncs it.
    ///
    /// # Errors
    /// `Io`; `InvalidInput` if a filter in memory finds the file there.
    pub fn finish(self, path: &Path) -> Result<()> {
        match self.end().bytes {
            Bytes::File(map) => map.sync(),
            Bytes::Memory(bytes) => {
                let mut out = Output::create(path)?;
                out.write(&bytes)?;
                out.finish().map(|_| ())
            }
        }
    }
}

impl Beside {
    fn start(mut bitmap: Bitmap) -> Result<Self> {
        let (hashes, handed) = sync_channel::<Vec<(u64, u64)>>(HANDED_WAITING);
        let (give_back, emptied) = channel();
        let work = move || {
            for mut hashes in handed {
                bitmap.set(&hashes);
                hashes.clear();
                // Nobody wants it at the end.
                let _ = give_back.send(hashes);
            }
            bitmap
        };
        let thread = std::thread::Builder::new().name("cqlite-filter".into());
        let thread = thread.spawn(work);
        let thread = thread
            .map_err(|e| Error::new(ErrorKind::Io, format!("no thread for a bloom filter: {e}")))?;
        Ok(Beside {
            hashes,
            emptied,
            thread,
        })
    }
}

impl Bitmap {
    fn set(&mut self, hashes: &[(u64, u64)]) {
        for batch in hashes.chunks(BATCH) {
            for &(increment, mut base) in batch {
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
    use crate::partitioner::murmur3_128;
    use crate::sstable::component::filter::BloomFilter;

    fn fill(filter: &mut FilterBuilder, keys: u32) {
        for i in 0..keys {
            filter.add(murmur3_128(&i.to_be_bytes()));
        }
    }

    #[test]
    fn added_keys_are_there_and_few_others() {
        // A small one, and one that a thread fills.
        for keys in [1000, 300_000] {
            let size = FilterSize::of(u64::from(keys), 0.01).unwrap().unwrap();
            let mut filter = FilterBuilder::in_memory(size).unwrap();
            let is_beside = matches!(filter.target, Target::Beside(_));
            assert_eq!(is_beside, keys > 1000);
            fill(&mut filter, keys);
            let bytes = filter.into_bytes();
            assert_eq!(bytes.len() as u64, size.file_bytes());
            let filter = BloomFilter::open(bytes, false).unwrap();
            let there = |keys: std::ops::Range<u32>| {
                let hash = |i: u32| murmur3_128(&i.to_be_bytes());
                keys.filter(|i| filter.might_contain(hash(*i))).count()
            };
            assert_eq!(there(0..keys), keys as usize);
            assert!(there(keys..keys + 10_000) < 150);
        }
    }

    #[test]
    fn a_file_holds_what_memory_does() {
        let directory = tempfile::tempdir().unwrap();
        let size = FilterSize::of(1000, 0.01).unwrap().unwrap();
        let (a, b) = (directory.path().join("a"), directory.path().join("b"));
        let mut in_file = FilterBuilder::in_file(&a, size).unwrap();
        let mut in_memory = FilterBuilder::create(&b, size).unwrap();
        fill(&mut in_file, 1000);
        fill(&mut in_memory, 1000);
        assert!(a.exists() && !b.exists());
        in_file.finish(&a).unwrap();
        in_memory.finish(&b).unwrap();
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        let again = FilterBuilder::in_file(&a, size).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::InvalidInput);
    }
}
