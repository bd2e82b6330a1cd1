//! Whole indexes: those that Cassandra wrote, and large ones.

use super::super::{RowIndex, Target};
use super::*;
use crate::model::{BoundKind, ClusteringRef, PartitionSource, Span, Unfiltered};
use crate::sstable::index::PartitionIndex;
use crate::sstable::{Component, Descriptor, OpenOptions, SSTable, Scan};
use std::fs;
use std::path::{Path, PathBuf};

fn data_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = path.to_str().unwrap();
        if path.is_dir() && !text.contains("/transaction_") {
            data_files(&path, files);
        } else if text.ends_with("-bti-Data.db") {
            files.push(path);
        }
    }
}

/// A clustering or bound that owns its values.
type Prefix = (BoundKind, Vec<u8>, Vec<Span>);

fn prefix(unfiltered: Unfiltered<'_>) -> Prefix {
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    for value in unfiltered.clustering().iter() {
        spans.push(value.map_or(Span::NULL, |value| Span {
            start: bytes.len() as u32,
            len: value.len() as u32,
        }));
        bytes.extend_from_slice(value.unwrap_or_default());
    }
    (unfiltered.kind(), bytes, spans)
}

fn borrowed((kind, bytes, spans): &Prefix) -> (ClusteringRef<'_>, BoundKind) {
    (ClusteringRef::new(bytes, spans), *kind)
}

/// Adds the blocks of the partition that `scan` stands on, which lie where `index` says, and ends it.
fn rebuild_rows(scan: &mut Scan, index: &RowIndex<'_>, rows: &mut RowsBuilder) -> Option<u64> {
    let mut path = index.path::<()>();
    let mut block = || {
        let node = path.next_payload().unwrap()?;
        Some(index.payload(node).unwrap())
    };
    let mut starts: Vec<_> = std::iter::from_fn(&mut block).collect();
    let (end, _) = starts.pop().unwrap();
    assert_eq!(starts.len(), index.block_count() as usize);
    let position = scan.partition().position;
    let mut unfiltereds = Vec::new();
    loop {
        let at = scan.position() - position;
        if !scan.next_unfiltered().unwrap() {
            assert_eq!(at, end);
            break;
        }
        unfiltereds.push((at, prefix(scan.unfiltered())));
    }
    for (i, (start, deletion)) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(end, |(start, _)| *start);
        let mut inside = unfiltereds
            .iter()
            .filter(|(at, _)| (*start..end).contains(at));
        let (first_at, first) = inside.next().unwrap();
        assert_eq!(first_at, start);
        let last = inside.next_back().map_or(first, |(_, last)| last);
        rows.add_block(borrowed(first), borrowed(last), *start, *deletion)
            .unwrap();
    }
    let deletion = scan.partition().deletion;
    let key = scan.partition().key.to_vec();
    rows.finish_partition(&key, position, end, deletion)
        .unwrap()
}

#[test]
fn cassandras_indexes_are_written_again() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden/da");
    let mut files = Vec::new();
    data_files(&golden, &mut files);
    assert!(files.len() > 200);
    let mut indexed = 0;
    for file in files {
        let sstable = SSTable::open(&file, &OpenOptions::default()).unwrap();
        let Ok(Some(PartitionIndex::Bti { partitions, rows })) = sstable.partition_index() else {
            panic!("{} has no index", file.display());
        };
        let mut scan = sstable.scan().unwrap();
        let mut partitions_out = PartitionsBuilder::new(sstable.partitioner().clone());
        let mut rows_out = RowsBuilder::new(&sstable.stream().clustering);
        for target in partitions.iter() {
            assert!(scan.next_partition().unwrap());
            let target = match target.unwrap() {
                Target::Data(position) => Target::Data(position),
                Target::Rows(position) => {
                    indexed += 1;
                    let index = RowIndex::open(rows, position).unwrap();
                    let position = rebuild_rows(&mut scan, &index, &mut rows_out);
                    Target::Rows(position.unwrap())
                }
            };
            let key = sstable.partitioner().decorate(scan.partition().key);
            partitions_out.add(&key, target).unwrap();
        }
        let (first, last) = (partitions.first_key(), partitions.last_key());
        partitions_out.finish(first, last).unwrap();
        let descriptor: &Descriptor = sstable.descriptor();
        let expected = |component| fs::read(descriptor.path(&component)).unwrap();
        let same = partitions_out.pages().bytes == expected(Component::Partitions);
        assert!(same, "Partitions.db of {}", file.display());
        let same = rows_out.pages().bytes == expected(Component::Rows);
        assert!(same, "Rows.db of {}", file.display());
    }
    assert!(indexed > 50, "{indexed}");
}
