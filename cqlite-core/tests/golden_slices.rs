//! Every partition of every golden SSTable, read through its index in slices, forwards and backwards, holds what a scan
//! of Data.db holds.

use cqlite_core::model::*;
use cqlite_core::read::TableReader;
use cqlite_core::schema::TableSchema;
use cqlite_core::sstable::data::ChunkCache;
use cqlite_core::sstable::{OpenOptions, SSTable};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden")
}

fn data_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // Transactions that were cut off leave halves of SSTables behind.
        if path.is_dir() && !path.to_str().is_some_and(|p| p.contains("/transaction_")) {
            data_files(&path, found);
        } else if path.to_str().is_some_and(|p| p.ends_with("-Data.db")) {
            found.push(path);
        }
    }
}

/// A row or marker with its place, and for a row the deletion that lies over it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    values: Vec<Option<Vec<u8>>>,
    kind: BoundKind,
    text: String,
}

fn see(
    unfiltered: &Unfiltered<'_>,
    header: &StreamHeader,
    open: &mut DeletionTime,
    reversed: bool,
) -> Option<Seen> {
    match unfiltered {
        Unfiltered::Row(row) => {
            // By name: the two streams need not number their columns alike.
            let name = |i: usize| header.regulars[i].name.clone();
            let mut cells: Vec<_> = row
                .cells()
                .map(|c| (name(c.column), Cell { column: 0, ..c }))
                .collect();
            cells.sort_by(|a, b| a.0.cmp(&b.0));
            let mut complex: Vec<_> = row
                .complex_deletions()
                .iter()
                .map(|d| (name(d.column as usize), d.time))
                .collect();
            complex.sort_by(|a, b| a.0.cmp(&b.0));
            Some(Seen {
                values: row
                    .clustering()
                    .iter()
                    .map(|v| v.map(<[u8]>::to_vec))
                    .collect(),
                kind: BoundKind::Clustering,
                text: format!(
                    "{:?} {:?} {complex:?} {cells:?} under {open:?}",
                    row.liveness(),
                    row.deletion(),
                ),
            })
        }
        Unfiltered::Marker(marker) => {
            let (ends, begins) = match reversed {
                false => (marker.close(), marker.open()),
                true => (marker.open(), marker.close()),
            };
            assert_eq!(ends, *open, "a marker ends what is not open");
            *open = begins;
            None
        }
    }
}

/// The rows of the partition that a source stands on, with what is deleted over them; every marker must fit.
fn rows(source: &mut dyn PartitionSource, reversed: bool) -> Vec<Seen> {
    let mut open = DeletionTime::LIVE;
    let mut rows = Vec::new();
    while source.next_unfiltered().unwrap() {
        let header = source.header();
        rows.extend(see(&source.unfiltered(), header, &mut open, reversed));
    }
    assert!(open.is_live(), "a range tombstone stays open");
    if reversed {
        rows.reverse();
    }
    rows
}

fn inside(comparator: &ClusteringComparator, row: &Seen, slice: &Slice) -> bool {
    let bytes: Vec<u8> = row.values.iter().flatten().flatten().copied().collect();
    let mut start = 0;
    let spans: Vec<Span> = row
        .values
        .iter()
        .map(|value| {
            let Some(value) = value else {
                return Span::NULL;
            };
            let span = Span {
                start,
                len: value.len() as u32,
            };
            start += span.len;
            span
        })
        .collect();
    let clustering = ClusteringRef::new(&bytes, &spans);
    comparator
        .compare_to_bound(clustering, row.kind, &slice.start)
        .is_ge()
        && comparator
            .compare_to_bound(clustering, row.kind, &slice.end)
            .is_le()
}

/// Slices between clusterings that exist: points, prefixes, half-open ranges, empty ones, and several at once.
fn slices_of(rows: &[Seen], seed: &mut u64) -> Vec<Vec<Slice>> {
    let mut random = |n: usize| {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        (*seed % n.max(1) as u64) as usize
    };
    let mut all = vec![vec![Slice::ALL]];
    if rows.is_empty() || rows[0].values.is_empty() {
        return all;
    }
    for _ in 0..12 {
        let (a, b) = (random(rows.len()), random(rows.len()));
        let (a, b) = (a.min(b), a.max(b));
        let mut prefix = |i: usize| {
            let n = 1 + random(rows[i].values.len());
            rows[i].values[..n].to_vec()
        };
        let bound = |values: Vec<_>, kind| Bound { values, kind };
        let (from, to) = (prefix(a), prefix(b));
        use BoundKind::*;
        all.push(vec![Slice {
            start: bound(from.clone(), if a % 2 == 0 { InclStart } else { ExclStart }),
            end: bound(to.clone(), if b % 2 == 0 { InclEnd } else { ExclEnd }),
        }]);
        all.push(vec![Slice {
            start: bound(from.clone(), InclStart),
            end: bound(from.clone(), InclEnd),
        }]);
        if from.len() == rows[a].values.len() && to.len() == rows[b].values.len() && a < b {
            all.push(vec![
                Slice {
                    start: bound(from.clone(), InclStart),
                    end: bound(from, InclEnd),
                },
                Slice {
                    start: bound(to, InclStart),
                    end: Bound::TOP,
                },
            ]);
        }
    }
    all
}

#[test]
fn slices_hold_what_a_scan_holds() {
    let mut files = Vec::new();
    data_files(&golden(), &mut files);
    assert!(files.len() > 100, "the golden tables are missing");
    let mut seed = 0x5eed_u64;
    let mut checked = 0;
    let mut files_read = 0;
    for file in files {
        let mut open = || -> cqlite_core::Result<(Arc<SSTable>, TableReader)> {
            // Every other file through a cache: its chunks are used where they lie.
            files_read += 1;
            let options = OpenOptions {
                cache: (files_read % 2 == 0).then(|| Arc::new(ChunkCache::new(1 << 20))),
                ..OpenOptions::default()
            };
            let sstable = SSTable::open(&file, &options)?;
            let types = sstable.statistics().header.types()?;
            let schema = TableSchema::from_headers("golden", "t", &[types], None)?;
            Ok((sstable.clone(), TableReader::open(schema, vec![sstable])?))
        };
        let (sstable, table) = open().unwrap_or_else(|e| panic!("{e}"));
        // Without a schema these cannot be read, see the README of the golden tables.
        if file.to_str().unwrap().contains("/ma/frozen_udt") {
            continue;
        }
        let comparator = ClusteringComparator::new(&table.header().clustering);
        let mut scan = sstable.scan().unwrap();
        let mut partitions = 0;
        while scan.next_partition().unwrap_or_else(|e| panic!("{e}")) {
            partitions += 1;
            // Large tables are sampled.
            if partitions > 40 && partitions % 251 != 0 {
                continue;
            }
            let key = scan.partition().key.to_vec();
            let deletion = scan.partition().deletion;
            let has_static = scan.partition().static_row.is_some();
            let expected = rows(&mut scan, false);
            for slices in slices_of(&expected, &mut seed) {
                let expected: Vec<_> = expected
                    .iter()
                    .filter(|row| slices.iter().any(|slice| inside(&comparator, row, slice)))
                    .cloned()
                    .collect();
                for reversed in [false, true] {
                    let mut source = table.read(&key, &slices, reversed).unwrap();
                    checked += 1;
                    if !source.next_partition().unwrap() {
                        // All of its rows may lie elsewhere.
                        let is_nothing = expected.is_empty() && deletion.is_live() && !has_static;
                        assert!(is_nothing, "{file:?} {key:?} {slices:?}");
                        continue;
                    }
                    assert_eq!(source.partition().key, key);
                    assert_eq!(source.partition().deletion, deletion);
                    assert_eq!(source.partition().static_row.is_some(), has_static);
                    let found = rows(&mut source, reversed);
                    assert_eq!(
                        found, expected,
                        "{file:?} {key:?} {slices:?} reversed {reversed}"
                    );
                    assert!(!source.next_partition().unwrap());
                }
            }
        }
        let absent = table.read(b"\xffno such key\xff", &[], false);
        assert!(!absent.unwrap().next_partition().unwrap());
    }
    assert!(checked > 10_000, "only {checked} reads were compared");
}
