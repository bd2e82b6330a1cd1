//! Damaged SSTables: every component of some small golden ones of every version, with bits flipped, cut, lengthened,
//! spliced with that of another, is opened, scanned, looked up and sliced, with checksums and without, and verified.
//!
//! Whatever comes of it is a value or an error with a place: no panic, no endless loop, and no more memory than the files
//! could back. The damage is the same in every run. `CQLITE_FAULTS=n` does n times as much of it.

#![allow(unsafe_code)] // For the allocator that counts.

use cqlite_core::io::{Mapped, Source};
use cqlite_core::model::*;
use cqlite_core::partitioner::{PartitionPosition, TokenRange};
use cqlite_core::read::TableReader;
use cqlite_core::schema::{HeaderTypes, TableSchema};
use cqlite_core::sstable::component::compression_info::CompressionInfo;
use cqlite_core::sstable::data::{Buffer, DataFile, Scratch};
use cqlite_core::sstable::verify::{Finding, VerifyOptions, verify};
use cqlite_core::sstable::{Component, Descriptor, Lookup, OpenOptions, SSTable, Version};
use cqlite_core::types::{CqlType, counter};
use cqlite_core::{Error, ErrorKind, Result};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes that a thread holds, and the most that it ever held.
struct Counting;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

fn count(change: i64) {
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: all is passed on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may both be there for a moment.
        count(size as i64);
        count(-(layout.size() as i64));
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Small tables that have, together, every structure: promoted indexes and tries of rows, range tombstones, many columns,
/// counters, collections, every compressor and none, old and new filters and statistics.
const TABLES: [&str; 19] = [
    "ma/states",
    "ma/wide",
    "ma/columns_70",
    "mb/no_clustering",
    "mc/shadowable",
    "md/counters",
    "me/collections",
    "me/chunks_deflate",
    "na/chunks_raw",
    "na/chunks_zstd",
    "nb/range_tombstones",
    "nb/uncompressed_small",
    "oa/wide_two",
    "oa/nested",
    "oa/columns_64",
    "oa/compressed_snappy",
    "da/wide_tombstones",
    "da/all_types_clustering",
    "da/uncompressed_small",
];

const MEMORY_BYTES: u64 = 64 << 20;
const TIME: Duration = Duration::from_secs(10);

fn golden(table: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../test-data/golden")
        .join(table)
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    /// Numbers that lengths and offsets break at.
    fn number(&mut self) -> u8 {
        [0, 1, 0x7f, 0x80, 0xfe, 0xff, 0x40, 8][self.below(8)]
    }

    /// Damages a file.
    fn damage(&mut self, bytes: &[u8], other: &[u8]) -> (String, Vec<u8>) {
        let mut bad = bytes.to_vec();
        let at = self.below(bytes.len());
        // The head of a file says most of what there is to believe.
        let at = if self.below(3) == 0 {
            at.min(self.below(64))
        } else {
            at
        };
        let what = match self.below(8) {
            0 => {
                bad.truncate(at);
                format!("cut at {at}")
            }
            1 => {
                let n = 1 + self.below(40);
                bad.extend((0..n).map(|_| self.number()));
                format!("{n} bytes longer")
            }
            2 if !other.is_empty() => {
                let from = self.below(other.len());
                bad.truncate(at);
                bad.extend_from_slice(&other[from..]);
                format!("from {at} on what another has from {from} on")
            }
            3 => {
                let n = 1 + self.below(8);
                bad.drain(at..(at + n).min(bytes.len()));
                format!("without {n} bytes at {at}")
            }
            4 | 5 if at < bad.len() => {
                let n = [1, 1, 2, 4, 8][self.below(5)];
                let number = self.number();
                for b in bad.iter_mut().skip(at).take(n) {
                    *b = number;
                }
                format!("{n} times {number:#x} at {at}")
            }
            _ => {
                let n = 1 + self.below(3);
                for _ in 0..n.min(bad.len()) {
                    let at = self.below(bad.len());
                    bad[at] ^= 1 << self.below(8);
                }
                format!("{n} bits flipped")
            }
        };
        (what, bad)
    }
}

/// Makes the checksums of Statistics.db (from `na` on) right again, so that what they protect is read.
fn reseal_statistics(bytes: &mut [u8]) {
    fn get(bytes: &[u8], at: usize) -> Option<usize> {
        let number = bytes
            .get(at..)?
            .first_chunk()
            .map(|b| i32::from_be_bytes(*b))?;
        usize::try_from(number).ok()
    }
    fn seal(
        bytes: &mut [u8],
        part: std::ops::Range<usize>,
        more: std::ops::Range<usize>,
        at: usize,
    ) -> Option<()> {
        let mut crc = crc32fast::Hasher::new();
        crc.update(bytes.get(part)?);
        crc.update(bytes.get(more)?);
        let crc = crc.finalize().to_be_bytes();
        bytes.get_mut(at..at + 4)?.copy_from_slice(&crc);
        Some(())
    }
    let _ = (|| {
        let count = get(bytes, 0)?.min(8);
        let toc = 8..8 + 8 * count;
        seal(bytes, 0..4, 0..0, 4)?;
        seal(bytes, 0..4, toc.clone(), toc.end)?;
        for i in 0..count {
            let start = get(bytes, 12 + 8 * i)?;
            let end = match i + 1 < count {
                true => get(bytes, 12 + 8 * (i + 1))?,
                false => bytes.len(),
            };
            seal(bytes, start..end.checked_sub(4)?, 0..0, end - 4)?;
        }
        Some(())
    })();
}

/// An SSTable in a directory of its own, whose files can be damaged one at a time.
struct Victim {
    directory: tempfile::TempDir,
    descriptor: Descriptor,
    files: Vec<(Component, Vec<u8>)>,
    keys: Vec<Vec<u8>>,
}

impl Victim {
    fn new(table: &str) -> Victim {
        let mut names: Vec<_> = std::fs::read_dir(golden(table))
            .unwrap_or_else(|e| panic!("{table}: {e}"))
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file() && Descriptor::parse(path).is_ok())
            .collect();
        names.sort();
        let (descriptor, _) = Descriptor::parse(&names[0]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for name in &names {
            let (of, component) = Descriptor::parse(name).unwrap();
            if of == descriptor {
                let bytes = std::fs::read(name).unwrap();
                std::fs::write(directory.path().join(name.file_name().unwrap()), &bytes).unwrap();
                files.push((component, bytes));
            }
        }
        let descriptor = Descriptor {
            directory: directory.path().to_owned(),
            ..descriptor
        };
        let sstable =
            SSTable::open_descriptor(descriptor.clone(), &OpenOptions::default()).unwrap();
        let mut keys = Vec::new();
        let mut scan = sstable.scan().unwrap();
        while keys.len() < 12 && scan.next_partition().unwrap() {
            keys.push(scan.partition().key.to_vec());
        }
        keys.push(b"no such key".to_vec());
        Victim {
            directory,
            descriptor,
            files,
            keys,
        }
    }

    fn put(&self, component: &Component, bytes: &[u8]) {
        std::fs::write(self.descriptor.path(component), bytes).unwrap();
    }

    fn bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.directory.path()).unwrap();
        files.map(|f| f.unwrap().metadata().unwrap().len()).sum()
    }

    /// Reads and verifies all there is, and checks what must hold of any input.
    fn check(&self, what: &str, faults: &mut Vec<String>) {
        let read = |verify_checksums| {
            let options = OpenOptions {
                verify_checksums,
                ..OpenOptions::default()
            };
            move || exercise(&self.descriptor, &options, &self.keys)
        };
        let checked = self.run(&format!("{what}, read"), faults, read(true));
        self.run(&format!("{what}, without checksums"), faults, read(false));
        let what = format!("{what}, verified");
        let told = self.run(&what, faults, || verified(&self.descriptor));
        if told.is_empty() && !checked.is_empty() {
            faults.push(format!("{what}: no fault, and `{}`", checked[0]));
        }
    }

    /// Runs, in bounds of time and memory, what gives errors that have a place.
    fn run(
        &self,
        what: &str,
        faults: &mut Vec<String>,
        run: impl FnOnce() -> Vec<Error>,
    ) -> Vec<Error> {
        let budget = MEMORY_BYTES + 16 * self.bytes();
        let before = LIVE.get();
        PEAK.set(before);
        let start = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(run));
        let (time, peak) = (start.elapsed(), PEAK.get() - before);
        let mut fault = |how: String| faults.push(format!("{what}: {how}"));
        let Ok(errors) = done else {
            fault("it panicked".to_owned());
            return Vec::new();
        };
        if time > TIME {
            fault(format!("it took {time:?}"));
        }
        if peak as u64 > budget {
            fault(format!("it took {peak} bytes"));
        }
        for e in &errors {
            if e.kind() == ErrorKind::Internal || e.location().file.is_none() {
                fault(format!("{:?} `{e}`", e.kind()));
            }
        }
        errors
    }
}

/// The faults that verifying tells.
fn verified(descriptor: &Descriptor) -> Vec<Error> {
    let mut faults = Vec::new();
    let mut tell = |finding| {
        if let Finding::Fault(e) = finding {
            faults.push(e);
        }
    };
    let options = VerifyOptions::default();
    let report = verify(descriptor, &options, &mut tell, &mut |_, _| {
        ControlFlow::Continue(())
    });
    assert_eq!(report.faults, faults.len() as u64);
    faults
}

/// Opens the SSTable and reads it in every way; the errors that came of it.
fn exercise(descriptor: &Descriptor, options: &OpenOptions, keys: &[Vec<u8>]) -> Vec<Error> {
    let mut errors = Vec::new();
    let sstable = match SSTable::open_descriptor(descriptor.clone(), options) {
        Ok(sstable) => sstable,
        Err(e) => return vec![e],
    };
    let mut note = |result: Result<()>| {
        if let Err(e) = result {
            errors.push(e);
        }
    };
    let data_len = sstable.data().len();
    note((|| {
        let mut scan = sstable.scan()?;
        read_partitions(&mut scan, data_len)
    })());
    let Some(last) = keys.last() else {
        return errors;
    };
    let partitioner = sstable.partitioner();
    let mut first_key = None;
    note((|| {
        let Some(index) = sstable.partition_index()? else {
            return Ok(());
        };
        first_key = index.first_and_last_key().ok().flatten().map(|k| k.0);
        for (n, located) in index.iter().enumerate() {
            // Each takes some bytes at least.
            assert!((n as u64) < 1 << 20, "an index without end");
            let Ok(located) = located else {
                break;
            };
            if let Some(rows) = located.row_index {
                let blocks = rows.blocks(sstable.clusterings(), &Bound::BOTTOM, &Bound::TOP);
                let Ok(mut blocks) = blocks else {
                    continue;
                };
                let _ = blocks.span();
                let mut n = 0;
                while let Ok(Some(_)) = blocks.next_back() {
                    n += 1;
                    assert!(n < 1 << 20, "blocks without end");
                }
            }
        }
        let position = PartitionPosition::Key(partitioner.decorate(last));
        let _ = index.lower_bound(partitioner, &position);
        Ok(())
    })());
    note((|| {
        let types = sstable
            .statistics()
            .header
            .types()
            .map_err(in_statistics(descriptor))?;
        let table = table_of(types, &sstable)?;
        read_partitions(&mut table.scan(&TokenRange::ALL)?, data_len)
    })());
    let opened = sstable
        .statistics()
        .header
        .types()
        .and_then(|types| table_of(types, &sstable));
    if let Ok(table) = &opened {
        for key in keys.iter().map(Vec::as_slice).chain(first_key) {
            for reversed in [false, true] {
                note((|| {
                    let mut rows = table.read(key, &[], reversed)?;
                    read_partitions(&mut rows, data_len)
                })());
            }
            let slice = [Slice {
                start: Bound {
                    kind: BoundKind::ExclStart,
                    values: vec![Some(vec![0; 4])],
                },
                end: Bound {
                    kind: BoundKind::InclEnd,
                    values: vec![Some(vec![0x33; 4])],
                },
            }];
            if table.header().clustering.is_empty() {
                continue;
            }
            for reversed in [false, true] {
                note((|| {
                    let mut rows = table.read(key, &slice, reversed)?;
                    read_partitions(&mut rows, data_len)
                })());
            }
        }
    }
    for key in keys {
        match sstable.lookup(&partitioner.decorate(key)) {
            Ok(Lookup::At(_) | Lookup::Absent | Lookup::NoIndex) => {}
            Err(e) => note(Err(e)),
        }
    }
    errors
}

fn in_statistics(descriptor: &Descriptor) -> impl Fn(Error) -> Error + '_ {
    |e| e.in_file(&descriptor.path(&Component::Statistics))
}

fn table_of(types: HeaderTypes, sstable: &std::sync::Arc<SSTable>) -> Result<TableReader> {
    let schema = TableSchema::from_headers("ks", "t", &[types], None)
        .map_err(in_statistics(sstable.descriptor()))?;
    TableReader::open(schema, vec![sstable.clone()])
}

/// Reads and shows everything; each row and marker must have taken a byte of the data at least.
fn read_partitions(source: &mut dyn PartitionSource, data_len: u64) -> Result<()> {
    let header = source.header().clone();
    let comparator = ClusteringComparator::new(&header.clustering);
    let mut left = 8 * data_len + 100;
    let mut text = Vec::new();
    while source.next_partition()? {
        left = left.checked_sub(1).expect("partitions without end");
        let head = source.partition();
        show(&header.key_type, head.key, &mut text);
        if let Some(row) = head.static_row {
            show_row(row, &header.statics, &mut text);
        }
        while source.next_unfiltered()? {
            left = left.checked_sub(1).expect("rows without end");
            let unfiltered = source.unfiltered();
            let (clustering, kind) = (unfiltered.clustering(), unfiltered.kind());
            for (value, column) in clustering.iter().zip(&header.clustering) {
                show(&column.ty, value.unwrap_or_default(), &mut text);
            }
            let order = comparator.compare(clustering, kind, clustering, kind);
            assert!(order.is_eq(), "a clustering that differs from itself");
            if let Unfiltered::Row(row) = unfiltered {
                show_row(row, &header.regulars, &mut text);
            }
        }
    }
    Ok(())
}

fn show_row(row: RowRef<'_>, columns: &[cqlite_core::schema::Column], text: &mut Vec<u8>) {
    for cell in row.cells() {
        let ty = &columns[cell.column].ty;
        let (path, value) = match ty {
            CqlType::Map {
                key,
                value,
                frozen: false,
            } => (Some(key), &**value),
            CqlType::Set {
                element,
                frozen: false,
            } => (Some(element), &CqlType::Empty),
            CqlType::List {
                element,
                frozen: false,
            } => (None, &**element),
            _ => (None, ty),
        };
        if let (Some(ty), Some(path)) = (path, cell.path) {
            show(ty, path, text);
        }
        if *value == CqlType::Counter {
            let _ = counter::total(cell.value);
        }
        show(value, cell.value, text);
    }
}

fn show(ty: &CqlType, value: &[u8], text: &mut Vec<u8>) {
    text.clear();
    let _ = ty.write_json(value, text);
    let _ = ty.write_text(value, text);
    let _ = ty.write_cql_literal(value, text);
    ty.write_comparable(Some(value), false, text);
}

/// Damages each component of the tables in turn.
fn damage(tables: &[&str], rounds: usize) {
    let more = std::env::var("CQLITE_FAULTS")
        .ok()
        .and_then(|n| n.parse().ok());
    let rounds = rounds * more.unwrap_or(1);
    let mut faults = Vec::new();
    for table in tables {
        let victim = Victim::new(table);
        victim.check(&format!("{table} as it is"), &mut faults);
        let told = verified(&victim.descriptor);
        assert!(told.is_empty(), "{table} is good: {told:?}");
        for (n, (component, bytes)) in victim.files.iter().enumerate() {
            let (_, other) = &victim.files[(n + 1) % victim.files.len()];
            let mut random = Random(n as u64);
            for round in 0..rounds {
                let (what, mut bad) =
                    random.damage(bytes, if round % 2 == 0 { bytes } else { other });
                let version = victim.descriptor.version;
                if *component == Component::Statistics
                    && version.has_metadata_checksum()
                    && round % 8 != 0
                {
                    reseal_statistics(&mut bad);
                }
                victim.put(component, &bad);
                let what = format!("{table}: {component} {what} (round {round})");
                victim.check(&what, &mut faults);
            }
            victim.put(component, bytes);
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn damaged_components_are_survived() {
    damage(&TABLES, 12);
}

/// A file of a few bytes that claims a chunk of 256 MiB is told by its length, before memory is taken.
#[test]
fn claims_of_chunks_take_no_memory() {
    for (class, bytes) in [
        ("LZ4Compressor", 1000),
        ("SnappyCompressor", 1000),
        ("DeflateCompressor", 1000),
        ("ZstdCompressor", 1000),
        ("NoopCompressor", 1000),
    ] {
        let length = 1u32 << 28;
        let mut info = (class.len() as u16).to_be_bytes().to_vec();
        info.extend(class.as_bytes());
        info.extend([0; 4]);
        info.extend(length.to_be_bytes());
        info.extend(i32::MAX.to_be_bytes());
        info.extend(u64::from(length).to_be_bytes());
        info.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        let info = Mapped::from_vec(Path::new("oa-1-big-CompressionInfo.db"), info);
        let info = CompressionInfo::parse(info, Version::parse("oa", "big").unwrap()).unwrap();
        // What LZ4 says of the length is true to the claim.
        let mut stored = length.to_le_bytes().to_vec();
        stored.resize(bytes, 0xff);
        let source = Source::new(
            Path::new("oa-1-big-Data.db"),
            bytes as u64,
            Box::new(stored),
        );
        let file = DataFile::compressed(source, info).verify_checksums(false);
        let before = LIVE.get();
        PEAK.set(before);
        let (mut out, mut scratch) = (Buffer::default(), Scratch::default());
        let e = file.read_chunks(0, 1, &mut out, &mut scratch).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Corrupt, "{class}: {e}");
        let peak = PEAK.get() - before;
        assert!(peak < 1 << 20, "{class}: {peak} bytes");
    }
}
