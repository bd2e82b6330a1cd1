//! Indexes that Cassandra wrote, against the order and the rows of Data.db.

use super::*;
use crate::io::Mapped;
use crate::model::{BoundKind, PartitionSource, StreamHeader, Unfiltered};
use crate::sstable::big::Summary;
use crate::sstable::component::filter::BloomFilter;
use crate::sstable::{
    Component, Descriptor, Format, OpenOptions, SSTable, SSTableWriter, Version, WriteOptions,
};
use crate::types::CqlType;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A partition as Data.db has it.
struct Partition {
    key: Vec<u8>,
    position: u64,
    deletion: DeletionTime,
    items: Vec<Item>,
}

/// A row or marker; offsets are from the partition's start.
struct Item {
    start: u64,
    end: u64,
    kind: BoundKind,
    values: Vec<Option<Vec<u8>>>,
    open_before: DeletionTime,
}

/// The Data.db files of every golden table.
fn golden() -> Vec<PathBuf> {
    fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.to_str().unwrap().ends_with("-Data.db") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden");
    collect(&root, &mut found);
    // The rows of the first cannot be told without its schema; transactions that were cut off leave halves behind.
    let unread = ["frozen_udt", "/transaction_"];
    found.retain(|path| {
        !unread
            .iter()
            .any(|part| path.to_string_lossy().contains(part))
    });
    found.sort();
    found
}

struct Files {
    index: Mapped,
    second: Option<Mapped>,
    filter: Option<Mapped>,
}

impl Files {
    fn open(sstable: &SSTable) -> Self {
        let open = |component| {
            let path = sstable.descriptor().path(&component);
            path.exists().then(|| Mapped::open(&path).unwrap())
        };
        let (index, second) = match sstable.descriptor().format() {
            Format::Big => (Component::Index, Component::Summary),
            Format::Bti => (Component::Partitions, Component::Rows),
        };
        Files {
            index: open(index).unwrap(),
            second: open(second),
            filter: open(Component::Filter),
        }
    }

    fn view(&self, sstable: &SSTable, with_summary: bool) -> PartitionIndex<'_> {
        let second = self.second.as_deref();
        match sstable.descriptor().format() {
            Format::Big => {
                let summary = second.filter(|_| with_summary);
                let summary = summary.map(|bytes| Summary::open(bytes).unwrap());
                PartitionIndex::Big {
                    primary: PrimaryIndex::new(&self.index, summary),
                    has_uint_deletion_time: sstable.descriptor().version.has_uint_deletion_time(),
                }
            }
            Format::Bti => PartitionIndex::Bti {
                partitions: Partitions::open(&self.index).unwrap(),
                rows: second.unwrap(),
            },
        }
    }
}

fn read(sstable: &std::sync::Arc<SSTable>) -> Vec<Partition> {
    let mut scan = sstable.scan().unwrap();
    let mut partitions = Vec::new();
    while scan.next_partition().unwrap() {
        let head = scan.partition();
        let mut partition = Partition {
            key: head.key.to_vec(),
            position: head.position,
            deletion: head.deletion,
            items: Vec::new(),
        };
        let mut open = DeletionTime::LIVE;
        while scan.next_unfiltered().unwrap() {
            let unfiltered = scan.unfiltered();
            let open_before = open;
            if let Unfiltered::Marker(marker) = unfiltered {
                open = marker.open();
            }
            partition.items.push(Item {
                start: unfiltered.position() - partition.position,
                end: scan.position() - partition.position,
                kind: unfiltered.kind(),
                values: unfiltered
                    .clustering()
                    .iter()
                    .map(|v| v.map(<[u8]>::to_vec))
                    .collect(),
                open_before,
            });
        }
        partitions.push(partition);
    }
    partitions
}

#[test]
fn indexes_lead_where_data_is() {
    let files = golden();
    assert!(!files.is_empty());
    let mut indexed = HashMap::new();
    for path in files {
        let (version, partitions) = check_sstable(&path);
        if partitions > 0 {
            *indexed.entry(version).or_insert(0) += partitions;
        }
    }
    assert_eq!(
        indexed.len(),
        9,
        "versions with wide partitions: {indexed:?}"
    );
}

/// A block for almost every row, and blocks of some rows: of every shape of clustering and marker there is.
#[test]
fn tries_that_are_written_lead_where_data_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut indexed = 0;
    for path in golden() {
        if !path.to_str().unwrap().contains("/golden/da/") {
            continue;
        }
        let sstable = SSTable::open(&path, &OpenOptions::default()).unwrap();
        for block_bytes in [1, 200] {
            let descriptor = Descriptor {
                directory: directory.path().to_owned(),
                ..sstable.descriptor().clone()
            };
            let options = WriteOptions {
                partitioner: sstable.partitioner().clone(),
                compression: None,
                column_index_size: Some(block_bytes),
                ..WriteOptions::default()
            };
            let header = &sstable.statistics().header;
            let writer =
                SSTableWriter::create(descriptor.clone(), header, sstable.stream(), options);
            let mut writer = writer.unwrap();
            writer.append_all(&mut sstable.scan().unwrap()).unwrap();
            writer.finish().unwrap();
            indexed += check_sstable(&descriptor.path(&Component::Data)).1;
            for file in std::fs::read_dir(directory.path()).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
    }
    assert!(indexed > 300, "{indexed}");
}

/// Compares all indexes of an SSTable with its data. Returns its version, and how many of its partitions have a row
/// index.
fn check_sstable(path: &Path) -> (Version, usize) {
    let mut indexed = 0;
    let sstable = SSTable::open(path, &OpenOptions::default()).unwrap();
    let partitions = read(&sstable);
    let files = Files::open(&sstable);
    let class = &sstable
        .statistics()
        .validation
        .as_ref()
        .unwrap()
        .partitioner;
    let partitioner = Partitioner::from_class_name(class, &sstable.stream().key_type).unwrap();
    for with_summary in [true, false] {
        // Without a summary all of Index.db is searched each time.
        let is_big = sstable.descriptor().format() == Format::Big;
        if !with_summary && (!is_big || partitions.len() > 500) {
            continue;
        }
        let index = files.view(&sstable, with_summary);
        check_partitions(&index, &partitioner, &partitions, path);
        for (located, partition) in index.iter().zip(&partitions) {
            if let Some(row_index) = located.unwrap().row_index {
                check_blocks(&row_index, sstable.stream(), partition, path);
                indexed += 1;
            }
        }
    }
    if let Some(bytes) = files.filter {
        let old = sstable.descriptor().version.has_old_bloom_filter();
        let filter = BloomFilter::open(&*bytes, old).unwrap();
        for partition in &partitions {
            let hash = partitioner.decorate(&partition.key).hash;
            assert!(filter.might_contain(hash), "{path:?}");
        }
    }
    (sstable.descriptor().version, indexed)
}

fn check_partitions(
    index: &PartitionIndex<'_>,
    partitioner: &Partitioner,
    partitions: &[Partition],
    path: &Path,
) {
    let found: Vec<_> = index.iter().map(Result::unwrap).collect();
    assert_eq!(found.len(), partitions.len(), "{path:?}");
    for (found, partition) in found.iter().zip(partitions) {
        assert_eq!(found.data_position, partition.position, "{path:?}");
        assert!(found.key.is_none_or(|key| key == partition.key), "{path:?}");
    }
    let ends = index.first_and_last_key().unwrap();
    let expected = partitions.first().zip(partitions.last());
    assert_eq!(ends, expected.map(|(a, b)| (&a.key[..], &b.key[..])));

    for (i, partition) in partitions.iter().enumerate() {
        // All of a small table, and of a large one those at the ends and some between.
        let step = partitions.len() / 50 + 1;
        if i % step != 0 && i >= 5 && i + 5 < partitions.len() {
            continue;
        }
        let key = partitioner.decorate(&partition.key);
        let located = index.lookup(partitioner, &key).unwrap().unwrap();
        assert_eq!(located.data_position, partition.position, "{path:?}");
        for position in [
            PartitionPosition::Key(key),
            PartitionPosition::Before(key.token),
            partitioner.after(key.token),
        ] {
            check_lower_bound(index, partitioner, &position, partitions, path);
        }
        for absent in absent_keys(&partition.key, i) {
            // Bytes that are no value of a local partitioner's type have no order.
            let len = partitioner.token_type().fixed_length();
            if matches!(partitioner, Partitioner::Local(_)) && len != Some(absent.len()) {
                continue;
            }
            let key = partitioner.decorate(&absent);
            let position = PartitionPosition::Key(key);
            check_lower_bound(index, partitioner, &position, partitions, path);
            if partitions.iter().any(|p| p.key == absent) {
                continue;
            }
            // A trie may lead to another key, which only Data.db can tell.
            if let Some(located) = index.lookup(partitioner, &key).unwrap() {
                assert_eq!(located.key, None, "{path:?}");
                find_position(partitions, located.data_position);
            }
        }
    }
}

fn find_position(partitions: &[Partition], position: u64) -> usize {
    partitions
        .binary_search_by_key(&position, |p| p.position)
        .unwrap()
}

fn absent_keys(key: &[u8], i: usize) -> [Vec<u8>; 4] {
    let mut longer = key.to_vec();
    longer.push(0);
    let mut last_differs = key.to_vec();
    if let Some(last) = last_differs.last_mut() {
        *last ^= 1;
    }
    let shorter = key[..key.len().saturating_sub(1)].to_vec();
    longer.truncate(u16::MAX as usize);
    [
        longer,
        last_differs,
        shorter,
        format!("absent {i}").into_bytes(),
    ]
}

/// Everything before the bound sorts before the position; of the rest only the bound itself may.
fn check_lower_bound(
    index: &PartitionIndex<'_>,
    partitioner: &Partitioner,
    position: &PartitionPosition<'_>,
    partitions: &[Partition],
    path: &Path,
) {
    let located = index.lower_bound(partitioner, position).unwrap();
    let at = match &located {
        Some(located) => find_position(partitions, located.data_position),
        None => partitions.len(),
    };
    let exact = partitions.partition_point(|p| partitioner.compare(&p.key, position).is_lt());
    let uncertain = located.is_some_and(|located| located.key.is_none());
    assert!(at == exact || uncertain && at + 1 == exact, "{path:?}");
}

/// The blocks of a slice, in order: they must adjoin and make up its span.
fn blocks_of(
    index: &RowIndexRef<'_>,
    clusterings: &Clusterings,
    start: &Bound,
    end: &Bound,
) -> (Block, Vec<Block>) {
    let mut slice = index.blocks(clusterings, start, end).unwrap();
    let span = slice.span();
    let mut blocks = Vec::new();
    let mut at = span.end;
    while let Some(block) = slice.next_back().unwrap() {
        assert_eq!(block.end, at);
        at = block.start;
        blocks.push(block);
    }
    assert_eq!(at, span.start);
    blocks.reverse();
    (span, blocks)
}

fn check_blocks(
    index: &RowIndexRef<'_>,
    stream: &StreamHeader,
    partition: &Partition,
    path: &Path,
) {
    let clusterings = &Clusterings::new(&stream.clustering);
    let is_bti = matches!(index, RowIndexRef::Bti(_));
    let mut columns = stream.clustering.iter();
    // Missing and empty values have one form in tuples.
    let ascends = !is_bti || !columns.any(|c| matches!(c.ty, CqlType::Tuple(_)));
    assert_eq!(index.partition_deletion(), partition.deletion, "{path:?}");
    let items = &partition.items;
    let open_at = |offset| {
        let found = items.binary_search_by_key(&offset, |item| item.start);
        found.ok().map(|i| items[i].open_before)
    };
    let body = items[0].start..items[items.len() - 1].end;

    let (span, mut blocks) = blocks_of(index, clusterings, &Bound::BOTTOM, &Bound::TOP);
    assert_eq!(span.start, body.start, "{path:?}");
    // The byte that ends the partition may be in the last block, or be one of its own.
    assert!((body.end..=body.end + 1).contains(&span.end), "{path:?}");
    blocks.retain(|block| block.start < body.end);
    assert_eq!(blocks.len() as u64, index.block_count(), "{path:?}");
    for block in &blocks {
        assert_eq!(Some(block.open_deletion), open_at(block.start), "{path:?}");
    }
    if let RowIndexRef::Bti(index) = index {
        let forward: Vec<_> = index.iter().map(Result::unwrap).collect();
        assert_eq!(forward, blocks, "{path:?}");
    }

    // Those at the ends, on both sides of the blocks' borders, and some between.
    let starts_block = |item: &Item| {
        let found = blocks.binary_search_by_key(&item.start, |block| block.start);
        found.is_ok_and(|i| i < 20 || i % 16 == 0)
    };
    let step = items.len() / 50 + 1;
    for (i, item) in items.iter().enumerate() {
        let at_border = starts_block(item) || items.get(i + 1).is_some_and(starts_block);
        if i >= 3 && i + 3 < items.len() && i % step != 0 && !at_border {
            continue;
        }
        let bound = |kind| Bound {
            kind,
            values: item.values.clone(),
        };
        let (start, end) = (bound(BoundKind::InclStart), bound(BoundKind::InclEnd));
        let (at, blocks) = blocks_of(index, clusterings, &start, &end);
        if at.start < body.end {
            assert_eq!(Some(at.open_deletion), open_at(at.start), "{path:?} {i}");
        }
        let (from, _) = blocks_of(index, clusterings, &start, &Bound::TOP);
        assert!(from.start <= item.start && from.end >= body.end, "{path:?}");
        let (until, _) = blocks_of(index, clusterings, &Bound::BOTTOM, &end);
        assert_eq!(until.start, body.start, "{path:?} {i}");
        // A marker at the edge of a slice need not be read: what is open there is known.
        if item.kind == BoundKind::Clustering {
            assert!(at.start <= item.start, "{path:?} {i}");
            // Its own, and where blocks are as small those of markers beside it.
            assert!((1..=3).contains(&blocks.len()), "{path:?} {i}");
            // Where forms do not ascend a separator may be greater than what follows it: reading goes on.
            let reaches = at.end >= item.end && until.end >= item.end;
            assert!(reaches || !ascends, "{path:?} {i}");
        }
        // Turned around it holds at most the block that both bounds are in.
        let (_, turned) = blocks_of(index, clusterings, &end, &start);
        assert!(turned.len() <= 1, "{path:?} {i}");
    }
}

/// Every byte of a small index file, changed in turn: errors or wrong answers, but an end and no panic.
#[test]
fn damaged_indexes_still_end() {
    let tables = [
        "da/wide_tombstones",
        "da/wide_two",
        "oa/wide_tombstones",
        "me/wide",
    ];
    for table in tables {
        let files = golden();
        let mut files = files
            .iter()
            .filter(|path| path.to_string_lossy().contains(table));
        let path = files.next().unwrap();
        let sstable = SSTable::open(path, &OpenOptions::default()).unwrap();
        let partitions = read(&sstable);
        let files = Files::open(&sstable);
        let clusterings = Clusterings::new(&sstable.stream().clustering);
        let version = sstable.descriptor().version;
        let is_bti = version.format() == Format::Bti;
        let good = [&files.index[..], files.second.as_deref().unwrap()];
        for which in 0..good.len() {
            let len = good[which].len();
            for at in (0..len).step_by(len / 500 + 1) {
                for change in [0x01, 0x80, 0xff] {
                    let mut bad = good[which].to_vec();
                    bad[at] ^= change;
                    let mut bytes = good;
                    bytes[which] = &bad;
                    let index = if is_bti {
                        let Ok(partitions) = Partitions::open(bytes[0]) else {
                            continue;
                        };
                        PartitionIndex::Bti {
                            partitions,
                            rows: bytes[1],
                        }
                    } else {
                        PartitionIndex::Big {
                            primary: PrimaryIndex::new(bytes[0], Summary::open(bytes[1]).ok()),
                            has_uint_deletion_time: version.has_uint_deletion_time(),
                        }
                    };
                    use_everything(&index, &clusterings, &partitions);
                }
            }
        }
    }
}

fn use_everything(index: &PartitionIndex<'_>, clusterings: &Clusterings, partitions: &[Partition]) {
    let partitioner = Partitioner::Murmur3;
    let _ = index.first_and_last_key();
    let found = index.iter().take(1000).filter_map(Result::ok);
    let looked_up = partitions.iter().flat_map(|partition| {
        let key = partitioner.decorate(&partition.key);
        let position = PartitionPosition::Key(key);
        let found = [
            index.lookup(&partitioner, &key),
            index.lower_bound(&partitioner, &position),
        ];
        found.into_iter().filter_map(|found| found.ok().flatten())
    });
    for located in found.chain(looked_up) {
        let Some(row_index) = located.row_index else {
            continue;
        };
        if let RowIndexRef::Bti(index) = row_index {
            let _ = index.iter().count();
        }
        let items = partitions.iter().flat_map(|p| &p.items);
        for item in items.step_by(5).take(3) {
            let bound = |kind| Bound {
                kind,
                values: item.values.clone(),
            };
            for (start, end) in [
                (bound(BoundKind::InclStart), bound(BoundKind::InclEnd)),
                (Bound::BOTTOM, Bound::TOP),
            ] {
                let Ok(mut blocks) = row_index.blocks(clusterings, &start, &end) else {
                    continue;
                };
                while let Ok(Some(block)) = blocks.next_back() {
                    assert!(block.start <= block.end);
                }
            }
        }
    }
}
