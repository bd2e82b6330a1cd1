//! `dump`: the partitions of SSTables as text.
//!
//! Authority: `o.a.c.tools.SSTableExport`.

mod columns;
mod debug;
pub(super) mod json;
pub(super) mod layout;

use super::{now, open, sstables};
use crate::args::DumpArgs;
use crate::failure::Failure;
use crate::output::Out;
use cqlite_core::model::{PartitionSource, StreamHeader};
use cqlite_core::sstable::index::PartitionIndex;
use cqlite_core::sstable::{Component, Lookup, SSTable, Scan, directory};
use cqlite_core::{Error, Result};
use debug::DebugPrinter;
use json::JsonPrinter;
use layout::{Indented, Lines};
use std::sync::Arc;

/// Dumps all SSTables of a path. What precedes an error is printed.
pub fn run(args: &DumpArgs) -> Result<(), Failure> {
    let mut out = Out::stdout()?;
    let mut printed = false;
    for descriptor in sstables(&args.path)? {
        let sstable = open(&descriptor)?;
        if printed && !args.debug && !args.lines {
            out.text.push(b'\n');
        }
        let done = sstable_text(args, &sstable, &mut out, &mut printed);
        out.flush()?;
        done?;
    }
    Ok(())
}

/// Appends what is asked for of one SSTable. `printed` tells whether anything precedes it, and then, whether anything
/// was printed at all.
fn sstable_text(
    args: &DumpArgs,
    sstable: &Arc<SSTable>,
    out: &mut Out,
    printed: &mut bool,
) -> Result<(), Failure> {
    if args.keys_only {
        *printed = true;
        return keys_text(sstable, out);
    }
    let mut scan = sstable.scan()?;
    let header = sstable.stream().clone();
    let context = Context {
        header: &header,
        is_index: directory::is_index_directory(&sstable.descriptor().directory),
        now: now(args.now),
        raw_timestamps: args.raw_timestamps,
    };
    let selection = Selection::new(args, sstable)?;
    if args.debug {
        let mut printer = DebugPrinter::new(&header);
        return selection.each(&mut scan, |scan| printer.partition(scan, out));
    }
    if args.lines {
        let mut printer = JsonPrinter::<Lines>::new(&context);
        return selection.each(&mut scan, |scan| {
            if std::mem::replace(printed, true) {
                out.text.push(b'\n');
            }
            printer.partition(scan, out)
        });
    }
    *printed = true;
    let mut printer = JsonPrinter::<Indented>::new(&context);
    let mut separator: &[u8] = b"[\n  ";
    selection.each(&mut scan, |scan| {
        out.text.extend_from_slice(separator);
        separator = b",\n  ";
        printer.partition(scan, out)
    })?;
    let none = separator.starts_with(b"[");
    out.text
        .extend_from_slice(if none { b"[ ]" } else { b"\n]" });
    Ok(())
}

/// What partitions are printed by.
pub(super) struct Context<'a> {
    pub header: &'a StreamHeader,
    /// The table is the hidden one of a secondary index.
    pub is_index: bool,
    /// Seconds since 1970: what expires before is expired.
    pub now: i64,
    pub raw_timestamps: bool,
}

/// Appends the keys of all partitions: from the index where it holds them, so that they can be listed even if the data
/// is corrupt.
fn keys_text(sstable: &Arc<SSTable>, out: &mut Out) -> Result<(), Failure> {
    let key_type = &sstable.stream().key_type;
    let mut separator: &[u8] = b"[ [";
    let mut push = |key: &[u8], out: &mut Out| {
        out.text.extend_from_slice(separator);
        separator = b", [";
        json::key::<Indented>(&mut out.text, key_type, key)
            .map_err(|e| e.in_partition(key).in_file(sstable.data().source().path()))?;
        out.text.extend_from_slice(b" ]");
        out.drain()
    };
    match sstable.partition_index()? {
        Some(index @ PartitionIndex::Big { .. }) => {
            for entry in index.iter() {
                let key = entry.map_err(|e| e.in_file(&index_path(sstable)))?.key;
                push(key.unwrap_or_default(), out)?;
            }
        }
        _ => {
            let mut scan = sstable.scan()?;
            while scan.next_partition()? {
                push(scan.partition().key, out)?;
            }
        }
    }
    let none = separator.starts_with(b"[ ");
    out.text
        .extend_from_slice(if none { b"[ ]" } else { b"\n]" });
    Ok(())
}

fn index_path(sstable: &SSTable) -> std::path::PathBuf {
    sstable.descriptor().path(&Component::Index)
}

/// Which partitions are printed.
struct Selection<'a> {
    sstable: &'a SSTable,
    /// Raw keys in the order of the SSTable, or all.
    keys: Option<Vec<Vec<u8>>>,
    /// Texts of keys.
    exclude: &'a [String],
}

impl<'a> Selection<'a> {
    /// # Errors
    /// `InvalidInput` when a key is none of the table's.
    fn new(args: &'a DumpArgs, sstable: &'a SSTable) -> Result<Self> {
        let ty = &sstable.stream().key_type;
        let wanted = args.keys.iter().filter(|key| !args.exclude.contains(key));
        let mut keys = wanted
            .map(|key| {
                ty.from_text(key).map_err(|e| {
                    let ty = ty.cql_name();
                    e.advise(format!("keys of this table are of type {ty}"))
                })
            })
            .collect::<Result<Vec<_>>>()?;
        keys.sort_by(|a, b| sstable.partitioner().compare_keys(a, b));
        keys.dedup();
        Ok(Selection {
            sstable,
            keys: (!args.keys.is_empty()).then_some(keys),
            exclude: &args.exclude,
        })
    }

    /// Visits the partitions in their order, those of given keys through the index if there is one.
    fn each(
        &self,
        scan: &mut Scan,
        mut visit: impl FnMut(&mut Scan) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut text = Vec::new();
        let mut visit = |scan: &mut Scan| {
            if !self.exclude.is_empty() {
                text.clear();
                let key_type = &self.sstable.stream().key_type;
                key_type.write_text(scan.partition().key, &mut text)?;
                if self.exclude.iter().any(|key| key.as_bytes() == text) {
                    return Ok(());
                }
            }
            visit(scan).map_err(|failure| failure.placed(|e| in_partition(e, scan)))
        };
        let Some(keys) = &self.keys else {
            while scan.next_partition()? {
                visit(scan)?;
            }
            return Ok(());
        };
        for key in keys {
            let key = self.sstable.partitioner().decorate(key);
            match self.sstable.lookup(&key)? {
                Lookup::Absent => {}
                Lookup::At(located) => {
                    scan.seek_partition(located.data_position);
                    let same = scan.next_partition()? && scan.partition().key == key.key;
                    if same {
                        visit(scan)?;
                    } else if located.key.is_some() {
                        return Err(wrong_key(located.data_position, key.key, scan).into());
                    }
                }
                Lookup::NoIndex => return self.search(keys, scan, visit),
            }
        }
        Ok(())
    }

    /// Visits the partitions of given keys without an index.
    fn search(
        &self,
        keys: &[Vec<u8>],
        scan: &mut Scan,
        mut visit: impl FnMut(&mut Scan) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        while scan.next_partition()? {
            if keys.iter().any(|key| key == scan.partition().key) {
                visit(scan)?;
            }
        }
        Ok(())
    }
}

/// Gives an error of showing a value the place that it does not know.
#[cold]
fn in_partition(e: Error, scan: &Scan) -> Error {
    if e.location().file.is_some() {
        return e;
    }
    let head = scan.partition();
    e.at(head.position)
        .in_partition(head.key)
        .in_file(scan.sstable().data().source().path())
}

/// What an index is that holds whole keys and leads to another.
#[cold]
fn wrong_key(position: u64, key: &[u8], scan: &Scan) -> Error {
    Error::corrupt("the partition here has another key than the index says")
        .advise(
            "the index does not belong to Data.db: move it away, the data can be read without it",
        )
        .at(position)
        .in_partition(key)
        .in_file(scan.sstable().data().source().path())
}
