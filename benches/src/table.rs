//! A table of one SSTable, written when it is first asked for, and open for reading.

use crate::data::{Format, KV_SCHEMA, Rows, WIDE_SCHEMA};
use crate::sorted::Sorted;
use crate::work::write_sorted;
use cqlite_core::read::TableReader;
use cqlite_core::schema::parse_schema;
use cqlite_core::sstable::data::ChunkCache;
use cqlite_core::sstable::{OpenOptions, SSTable};
use cqlite_core::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where tables are kept unless told otherwise: `$CQLITE_BENCH_DATA`, else below `target`.
pub fn default_root() -> PathBuf {
    match std::env::var_os("CQLITE_BENCH_DATA") {
        Some(root) => root.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target/bench-data"),
    }
}

/// How many rows or partitions a criterion bench takes of `full`: all of them, but a hundredth when it is only run to see
/// that it works, as `cargo test --all-targets` does (without the argument `--bench`).
pub fn sized(full: u64) -> u64 {
    match std::env::args().any(|argument| argument == "--bench") {
        true => full,
        false => full.div_ceil(100),
    }
}

/// The directory of a table's only SSTable, which is written unless it is there.
///
/// # Errors
/// What writing files gives.
pub fn ensure(root: &Path, format: Format, rows: Rows) -> Result<PathBuf> {
    let (shape, table, schema) = match rows {
        Rows::Kv {
            first,
            count,
            version,
        } => (
            format!("kv-{first}+{count}-{version}"),
            "kv-00000000000000000000000000000001",
            KV_SCHEMA,
        ),
        Rows::Wide { partitions, rows } => (
            format!("wide-{partitions}x{rows}"),
            "wide-00000000000000000000000000000002",
            WIDE_SCHEMA,
        ),
    };
    let shape = root.join(format.version()).join(shape);
    let directory = shape.join("bench").join(table);
    if !shape.exists() {
        // Another process may be making the same table: the first one to finish wins.
        let unfinished = shape.with_extension(format!("unfinished-{}", std::process::id()));
        let table = unfinished.join("bench").join(table);
        let io = |e| Error::io(&table, e);
        std::fs::create_dir_all(&table).map_err(io)?;
        write_sorted(&mut Sorted::new(rows, false), &table, format)?;
        std::fs::write(table.join("schema.cql"), schema).map_err(io)?;
        if let Err(e) = std::fs::rename(&unfinished, &shape) {
            std::fs::remove_dir_all(&unfinished).map_err(io)?;
            if !shape.exists() {
                return Err(io(e));
            }
        }
    }
    Ok(directory)
}

/// A table with one SSTable, open.
pub struct Table {
    /// The SSTable alone.
    pub sstable: Arc<SSTable>,
    /// The table, merged over its SSTables.
    pub reader: TableReader,
    /// What it holds.
    pub rows: Rows,
}

impl Table {
    /// Opens the SSTable in `directory`, with a cache of so many bytes of decompressed chunks, or none for 0.
    ///
    /// # Errors
    /// `NotFound` if there is none, and what opening it gives.
    pub fn open(directory: &Path, rows: Rows, cache_bytes: u64) -> Result<Self> {
        let files = std::fs::read_dir(directory).map_err(|e| Error::io(directory, e))?;
        let data = files
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.to_str().is_some_and(|p| p.ends_with("-Data.db")))
            .ok_or_else(|| Error::not_found("there is no SSTable").in_file(directory))?;
        let options = OpenOptions {
            cache: (cache_bytes > 0).then(|| Arc::new(ChunkCache::new(cache_bytes))),
            ..OpenOptions::default()
        };
        let sstable = SSTable::open(&data, &options)?;
        let text = match rows {
            Rows::Kv { .. } => KV_SCHEMA,
            Rows::Wide { .. } => WIDE_SCHEMA,
        };
        let schema = parse_schema(text, None)?
            .find(Some("bench"), rows.table())?
            .clone();
        Ok(Table {
            reader: TableReader::open(schema, vec![sstable.clone()])?,
            sstable,
            rows,
        })
    }

    /// Makes the table in the default place if need be, and opens it.
    ///
    /// # Errors
    /// What writing and opening it gives.
    pub fn ensure(format: Format, rows: Rows, cache_bytes: u64) -> Result<Self> {
        let root = default_root();
        let directory = ensure(&root, format, rows)?;
        Table::open(&directory, rows, cache_bytes)
    }
}
