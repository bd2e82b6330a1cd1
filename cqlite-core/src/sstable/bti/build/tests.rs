//! Whole indexes: those that Cassandra wrote, and large ones.

use super::super::node::Node;
use super::super::{Partitions, RowIndex, Target, Trie};
use super::*;
use crate::ErrorKind;
use crate::model::{BoundKind, ClusteringRef, DeletionTime, PartitionSource, Span, Unfiltered};
use crate::partitioner::Partitioner;
use crate::schema::ClusteringColumn;
use crate::sstable::index::PartitionIndex;
use crate::sstable::{Component, Descriptor, OpenOptions, SSTable, Scan};
use crate::types::CqlType;
use proptest::prelude::*;
use std::collections::BTreeMap;
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

/// A payload of some bytes, of which the first tells how many.
#[derive(Debug, Clone, Copy)]
struct Value(u8);

impl Payload for Value {
    fn bits(&self) -> u8 {
        1 + self.0 % 15
    }
    fn byte_len(&self) -> u32 {
        1 + u32::from(self.0 % 21)
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.resize(out.len() + self.byte_len() as usize, self.0);
    }
}

/// Builds a trie, and reads every key and value of it again. No node may cross the end of a page.
fn round_trip(entries: &BTreeMap<Vec<u8>, u8>, start: usize) {
    let mut pages = Pages::default();
    pages.bytes.resize(start, 0);
    let mut builder = TrieBuilder::default();
    for (key, value) in entries {
        builder.add(key, Value(*value), &mut pages).unwrap();
    }
    let root = builder.finish(&mut pages);
    let file = &pages.bytes;
    let trie = Trie::new(file, root, "test");
    let mut path = trie.path::<Vec<u8>>();
    for (key, value) in entries {
        let node = path.next_payload().unwrap().unwrap();
        assert_eq!(node.payload_bits(), Value(*value).bits());
        assert_eq!(node.payload()[0], *value);
        let (found, complete) = trie.follow(key.iter().copied()).unwrap();
        assert!(complete && found.position() == node.position());
        assert_eq!(path.trail(), key);
    }
    assert!(path.next_payload().unwrap().is_none());

    let mut nodes = vec![root];
    while let Some(position) = nodes.pop() {
        let node = Node::at(file, position).unwrap();
        let mut end = file.len() - node.payload().len();
        if node.payload_bits() != 0 {
            end += Value(node.payload()[0]).byte_len() as usize;
        }
        let page = u64::from(PAGE_BYTES);
        assert_eq!(position / page, (end as u64 - 1) / page, "{position}");
        let mut from = 0;
        while let Some((byte, child)) = node.first_from(from).unwrap() {
            nodes.push(child);
            from = u16::from(byte) + 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tries_are_read_as_they_were_built(
        entries in prop::collection::btree_map(
            prop::collection::vec(prop_oneof![0u8..3, any::<u8>()], 0..12), any::<u8>(), 1..4000,
        ),
        start in 0usize..5000,
    ) {
        round_trip(&entries, start);
    }

    /// Keys share long beginnings with each other.
    #[test]
    fn deep_tries_are_read_as_they_were_built(
        base in prop::collection::vec(any::<u8>(), 9000),
        keys in prop::collection::btree_map((0usize..9000, any::<[u8; 3]>()), any::<u8>(), 1..200),
    ) {
        let key = |(shared, end): (usize, [u8; 3])| [&base[..shared], &end].concat();
        let entries = keys.into_iter().map(|(k, value)| (key(k), value));
        round_trip(&entries.collect(), 0);
    }
}

#[test]
fn every_child_of_a_node_can_be_there() {
    let keys = (0..=u16::MAX).map(|key| (key.to_be_bytes().to_vec(), key as u8));
    round_trip(&keys.collect(), 0);
}

#[test]
fn keys_must_ascend() {
    let mut pages = Pages::default();
    let mut builder = TrieBuilder::default();
    builder.add(b"", Value(1), &mut pages).unwrap();
    assert!(builder.add(b"", Value(1), &mut pages).is_err());
    builder.add(b"ba", Value(1), &mut pages).unwrap();
    for key in [&b"ba"[..], b"b", b"", b"az", b"aaa"] {
        let error = builder.add(key, Value(1), &mut pages).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    builder.add(b"baa", Value(1), &mut pages).unwrap();
    let root = builder.finish(&mut pages);
    let mut path = Trie::new(&pages.bytes, root, "test").path::<Vec<u8>>();
    for key in [&b""[..], b"ba", b"baa"] {
        assert!(path.next_payload().unwrap().is_some());
        assert_eq!(path.trail(), key);
    }
}

/// Many more keys than pages that may wait.
#[test]
fn what_is_held_does_not_grow_with_the_keys() {
    let mut pages = Pages::default();
    let mut builder = TrieBuilder::default();
    let (mut written, mut most) = (0, 0);
    for i in 0..1_000_000u64 {
        // Spread over the keys there can be, as tokens are.
        let key = (i * 18_446_744_073_709) ^ (i % 7);
        let key = key.to_be_bytes();
        builder.add(&key, Value(3), &mut pages).unwrap();
        most = most.max(builder.held());
        pages
            .spill(|bytes| {
                written += bytes.len();
                Ok(())
            })
            .unwrap();
    }
    assert!(written > 10 << 20, "{written}");
    assert!(most < 3 << 20, "{most}");
}

#[test]
fn the_longest_keys_are_found() {
    let partitioner = Partitioner::ByteOrdered;
    let keys: Vec<Vec<u8>> = [&b"a"[..], b"b", b"bb"]
        .iter()
        .map(|end| [&[0; 65_533], *end].concat())
        .collect();
    let mut builder = PartitionsBuilder::new(partitioner.clone());
    for (i, key) in keys.iter().enumerate() {
        let key = partitioner.decorate(key);
        builder.add(&key, Target::Rows(i as u64)).unwrap();
        assert!(builder.add(&key, Target::Rows(0)).is_err());
    }
    builder.finish(&keys[0], &keys[2]).unwrap();
    let partitions = Partitions::open(&builder.pages().bytes).unwrap();
    assert_eq!(partitions.key_count(), 3);
    for (i, key) in keys.iter().enumerate() {
        let found = partitions.lookup(&partitioner, &partitioner.decorate(key));
        assert_eq!(found.unwrap(), Some(Target::Rows(i as u64)));
    }
}

/// The prefix of a row whose only clustering column is a blob, and which owns nothing.
fn row<'a>(value: &'a [u8], span: &'a [Span; 1]) -> (ClusteringRef<'a>, BoundKind) {
    (ClusteringRef::new(value, span), BoundKind::Clustering)
}

/// Rows of (null, 5), (empty, 1), (empty, 3), ('', 4): the first two values are alike in their forms, and the third row's
/// separator would not follow the second one's.
#[test]
fn a_block_goes_on_where_no_separator_follows() {
    let column = ClusteringColumn {
        name: "c".into(),
        ty: CqlType::Tuple([CqlType::Double, CqlType::Int].into()),
        descending: false,
    };
    let int = |i: u8| [0, 0, 0, 4, 0, 0, 0, i];
    let null = |i| [&[0xff; 4][..], &int(i)].concat();
    let empty = |i| [&[0; 4][..], &int(i)].concat();
    let one = [&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0][..], &int(4)].concat();
    let mut rows = RowsBuilder::new(&[column]);
    for (i, value) in [null(5), empty(1), empty(3), one].iter().enumerate() {
        let span = [Span {
            start: 0,
            len: value.len() as u32,
        }];
        let offset = 10 * i as u64 + 10;
        let row = row(value, &span);
        rows.add_block(row, row, offset, DeletionTime::LIVE)
            .unwrap();
    }
    let live = DeletionTime::LIVE;
    let entry = rows.finish_partition(b"key", 7, 50, live).unwrap().unwrap();
    let file = rows.pages().bytes.clone();
    let index = RowIndex::open(&file, entry).unwrap();
    let starts: Vec<u64> = index.iter().map(|block| block.unwrap().start).collect();
    assert_eq!(starts, [10, 20, 40]);
    assert_eq!(index.block_count(), 3);
}

#[test]
fn blocks_that_cannot_be_stored_are_refused() {
    let column = ClusteringColumn {
        name: "c".into(),
        ty: CqlType::Blob,
        descending: false,
    };
    let span = [Span { start: 0, len: 1 }];
    let deletion = |marked_for_delete_at| DeletionTime {
        marked_for_delete_at,
        local_deletion_time: 1,
    };
    let mut rows = RowsBuilder::new(&[column]);
    let mut add = |first: &[u8], offset, deletion| {
        let last = [first[0] + 1];
        rows.add_block(row(first, &span), row(&last, &span), offset, deletion)
    };
    add(b"b", 3, DeletionTime::LIVE).unwrap();
    let error = add(b"d", 1 << 55, DeletionTime::LIVE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // Where this deletion is open no block starts: the first one goes on.
    add(b"d", 50, deletion(-1)).unwrap();
    add(b"\xfd", (1 << 55) - 1, deletion(5)).unwrap();
    let end = (1 << 55) - 1;
    let entry = rows.finish_partition(b"key", 7, end, deletion(9)).unwrap();
    let file = rows.pages().bytes.clone();
    let index = RowIndex::open(&file, entry.unwrap()).unwrap();
    assert_eq!((index.key(), index.data_position()), (&b"key"[..], 7));
    assert_eq!(index.partition_deletion(), deletion(9));
    let blocks: Vec<_> = index.iter().map(Result::unwrap).collect();
    assert_eq!(blocks.len(), 2);
    assert_eq!((blocks[0].start, blocks[1].start), (3, end));
    assert_eq!(blocks[1].open_deletion, deletion(5));

    // One block tells nothing, and leaves nothing for the partitions that follow.
    let one = [Span { start: 0, len: 1 }];
    rows.add_block(row(b"x", &one), row(b"y", &one), 3, DeletionTime::LIVE)
        .unwrap();
    let entry = rows.finish_partition(b"key", 7, 50, DeletionTime::LIVE);
    assert_eq!(entry.unwrap(), None);
    assert_eq!(rows.pages().bytes, file);
}
