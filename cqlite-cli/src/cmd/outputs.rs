//! What the verbs that write SSTables share: where these go, and what is told of them.

use crate::args::{OutputArgs, OutputVersion};
use crate::cmd::progress::Progress;
use crate::cmd::{counted, interrupt};
use crate::failure::Failure;
use crate::output::Out;
use cqlite_core::compaction::{CompressionChange, Destination, Split, Watch};
use cqlite_core::sstable::component::compression_info::Compressor;
use cqlite_core::sstable::{
    CompressionOptions, SSTable, TableDirectory, Transaction, Version, Written,
};
use cqlite_core::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A table's new directory. What was made for it and stays empty goes when it is dropped.
pub struct OutputDirectory {
    path: PathBuf,
    made: Vec<PathBuf>,
}

impl OutputDirectory {
    /// The directory in `out` for `table`, which is one of `several` or the only one.
    ///
    /// # Errors
    /// `InvalidInput` if the table's own files lie there, `Io` if it cannot be made.
    pub fn make(out: &Path, table: &TableDirectory, several: bool) -> Result<Self> {
        let path = match several {
            true => out.join(place(table)),
            false => out.to_owned(),
        };
        let directory = OutputDirectory::at(path)?;
        if is_same(&directory.path, &table.directory) {
            return Err(Error::invalid("the SSTables that are read lie there")
                .advise("choose another directory: new ones beside them would be read with them")
                .in_file(&directory.path));
        }
        Ok(directory)
    }

    /// This directory, made if it is not there.
    ///
    /// # Errors
    /// `Io` if it cannot be made.
    pub fn at(path: PathBuf) -> Result<Self> {
        let missing = path.ancestors().take_while(|p| {
            let is_named = !p.as_os_str().is_empty();
            is_named && std::fs::symlink_metadata(p).is_err()
        });
        let made: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        let directory = OutputDirectory { path, made };
        std::fs::create_dir_all(&directory.path).map_err(|e| Error::io(&directory.path, e))?;
        Ok(directory)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where new SSTables go, as the command line says.
    ///
    /// # Errors
    /// `InvalidInput` or `Unsupported` for a compression that is none.
    pub fn destination(
        &self,
        args: &OutputArgs,
        max_sstable_size: Option<u64>,
        operation: &'static str,
    ) -> Result<Destination<'_>> {
        let (letters, format) = match args.version {
            OutputVersion::Nb => ("nb", "big"),
            OutputVersion::Oa => ("oa", "big"),
            OutputVersion::Da => ("da", "bti"),
        };
        let compression = match args.compression.as_deref() {
            None => CompressionChange::Keep,
            Some(text) if text.eq_ignore_ascii_case("none") => CompressionChange::Without,
            Some(map) if map.trim_start().starts_with('{') => {
                match CompressionOptions::parse_cql(map)? {
                    Some(options) => CompressionChange::As(options),
                    None => CompressionChange::Without,
                }
            }
            Some(name) => CompressionChange::With(Compressor::named(name)?),
        };
        if args.chunk_length.is_some() && compression == CompressionChange::Without {
            return Err(Error::invalid(
                "plain bytes have no chunks: --chunk-length goes with a compression",
            ));
        }
        Ok(Destination {
            directory: &self.path,
            version: Version::parse(letters, format)?,
            compression,
            chunk_length: args.chunk_length,
            split: max_sstable_size.map_or(Split::Never, Split::BySize),
            operation,
            one_thread: false,
        })
    }
}

impl Drop for OutputDirectory {
    fn drop(&mut self) {
        for path in &self.made {
            // Only an empty one goes.
            let _ = std::fs::remove_dir(path);
        }
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    let here = |p: &Path| match p.as_os_str().is_empty() {
        true => Path::new(".").canonicalize(),
        false => p.canonicalize(),
    };
    matches!((here(a), here(b)), (Ok(a), Ok(b)) if a == b)
}

/// `keyspace/table-id`, or what the directory's path has instead.
fn place(table: &TableDirectory) -> PathBuf {
    if let Some(name) = &table.name {
        let id = name
            .id
            .map(|id| format!("-{:032x}", u128::from_be_bytes(id)));
        let directory = format!("{}{}", name.table, id.unwrap_or_default());
        return Path::new(&name.keyspace).join(directory);
    }
    let absolute = table.directory.canonicalize().unwrap_or_default();
    let parts: Vec<_> = absolute.iter().collect();
    parts[parts.len().saturating_sub(2)..].iter().collect()
}

/// Does `work` in a transaction, and tells of what it wrote once that is on the disk.
///
/// # Errors
/// Those of `work`: nothing of it is left then.
pub fn commit(
    destination: &Destination<'_>,
    out: &mut Out,
    work: impl FnOnce(&mut Transaction) -> Result<Vec<Written>, Failure>,
) -> Result<(), Failure> {
    let mut transaction = Transaction::begin(
        destination.directory,
        destination.version,
        destination.operation,
    )?;
    let written = work(&mut transaction).map_err(interrupt::blame)?;
    transaction.commit()?;
    interrupt::committed(written.len());
    for sstable in &written {
        let line = format!(
            "{}: {}, {}\n",
            sstable.descriptor,
            counted(sstable.partitions, "partition"),
            counted(sstable.on_disk, "byte")
        );
        out.text.extend_from_slice(line.as_bytes());
    }
    out.flush()
}

/// Tells of what a builder wrote into `directory`.
pub fn tell_built(out: &mut Out, directory: &Path, written: &Written) {
    let name = directory.join(written.descriptor.base_name());
    let line = format!(
        "{}: {}, {} bytes\n",
        name.display(),
        counted(written.partitions, "partition"),
        written.uncompressed
    );
    out.text.extend_from_slice(line.as_bytes());
}

/// Shows how far the reading of `inputs` is, and ends it when that is asked for. Rows that merge are counted once, so
/// that it may end early.
pub fn watched<'a>(
    inputs: &[Arc<SSTable>],
    what: &'a str,
    progress: &'a Progress,
) -> Box<Watch<'a>> {
    let of = |input: &Arc<SSTable>| {
        let stats = input.statistics().stats.as_ref();
        stats.map_or(0, |stats| stats.total_rows.max(0) as u64)
    };
    let total: u64 = inputs.iter().map(of).fold(0, u64::saturating_add);
    Box::new(move |rows| {
        progress.show(what, rows.min(total), total);
        interrupt::check()
    })
}
