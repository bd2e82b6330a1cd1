//! The two stores behind one face.

#[cfg(feature = "rocksdb")]
mod rocks;

#[cfg(feature = "rocksdb")]
pub use rocks::Rocks;

use crate::Outcome;
use fjall::compaction::Leveled;
use fjall::config::{BlockSizePolicy, CompressionPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::Path;
use std::sync::Arc;

/// What a store is opened with.
pub struct Settings {
    /// Bytes of the cache of blocks.
    pub cache_bytes: u64,
    /// Bytes of a block before it is compressed.
    pub block_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            cache_bytes: 8 << 20,
            block_bytes: 16 << 10,
        }
    }
}

/// What a write waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// It is in memory alone, where the store can do that.
    NoLog,
    /// The log has it.
    Never,
    /// The disk has it.
    Each,
}

/// A store of keys and values. Nothing is compacted until that is asked for.
pub trait Store: Sized + Send + std::marker::Sync {
    const NAME: &str;

    fn open(directory: &Path, settings: &Settings) -> Outcome<Self>;
    fn put(&self, key: &[u8], value: &[u8], sync: Sync) -> Outcome<()>;
    fn get(&self, key: &[u8]) -> Outcome<()>;
    /// Writes what is in memory as a file.
    fn flush(&self) -> Outcome<()>;
    /// Merges all files.
    fn compact(&self) -> Outcome<()>;
}

pub struct Fjall {
    db: Database,
    rows: Keyspace,
}

impl Store for Fjall {
    const NAME: &str = "fjall";

    fn open(directory: &Path, settings: &Settings) -> Outcome<Self> {
        let db = Database::builder(directory)
            .cache_size(settings.cache_bytes)
            .worker_threads(1)
            .open()?;
        let options = || {
            KeyspaceCreateOptions::default()
                .data_block_size_policy(BlockSizePolicy::all(settings.block_bytes as u32))
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
                .max_memtable_size(64 << 20)
                .compaction_strategy(Arc::new(Leveled::default().with_l0_threshold(200)))
        };
        let rows = db.keyspace("kv", options)?;
        Ok(Fjall { db, rows })
    }

    fn put(&self, key: &[u8], value: &[u8], sync: Sync) -> Outcome<()> {
        self.rows.insert(key, value)?;
        if sync == Sync::Each {
            self.db.persist(PersistMode::SyncData)?;
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Outcome<()> {
        match self.rows.get(key)? {
            Some(value) => {
                std::hint::black_box(value.len());
                Ok(())
            }
            None => Err("a row is missing".into()),
        }
    }

    fn flush(&self) -> Outcome<()> {
        Ok(self.rows.rotate_memtable_and_wait()?)
    }

    fn compact(&self) -> Outcome<()> {
        Ok(self.rows.major_compact()?)
    }
}
