//! RocksDB.

use super::{Settings, Store, Sync};
use crate::Outcome;
use rocksdb::{
    BlockBasedOptions, BottommostLevelCompaction, Cache, CompactOptions, DB, DBCompressionType,
    FlushOptions, Options, WriteOptions,
};
use std::path::Path;

pub struct Rocks {
    db: DB,
}

impl Store for Rocks {
    const NAME: &str = "rocksdb";

    fn open(directory: &Path, settings: &Settings) -> Outcome<Self> {
        let mut table = BlockBasedOptions::default();
        table.set_block_size(settings.block_bytes);
        table.set_bloom_filter(10.0, false);
        table.set_block_cache(&Cache::new_lru_cache(settings.cache_bytes as usize));
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_block_based_table_factory(&table);
        options.set_disable_auto_compactions(true);
        options.set_level_zero_slowdown_writes_trigger(1000);
        options.set_level_zero_stop_writes_trigger(1000);
        options.set_max_background_jobs(1);
        options.set_max_subcompactions(1);
        options.set_target_file_size_base(1 << 40);
        Ok(Rocks {
            db: DB::open(&options, directory)?,
        })
    }

    fn put(&self, key: &[u8], value: &[u8], sync: Sync) -> Outcome<()> {
        let mut options = WriteOptions::default();
        options.disable_wal(sync == Sync::NoLog);
        options.set_sync(sync == Sync::Each);
        Ok(self.db.put_opt(key, value, &options)?)
    }

    fn get(&self, key: &[u8]) -> Outcome<()> {
        match self.db.get_pinned(key)? {
            Some(value) => {
                std::hint::black_box(value.len());
                Ok(())
            }
            None => Err("a row is missing".into()),
        }
    }

    fn flush(&self) -> Outcome<()> {
        let mut options = FlushOptions::default();
        options.set_wait(true);
        Ok(self.db.flush_opt(&options)?)
    }

    fn compact(&self) -> Outcome<()> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        self.db
            .compact_range_opt(None::<&[u8]>, None::<&[u8]>, &options);
        Ok(())
    }
}
