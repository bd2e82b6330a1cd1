//! Whatever order changes come in, and however little memory there is, the same comes out: what a merge of them all gives.

use super::*;
use crate::merge::Merge;
use crate::model::{
    Bound, BoundKind, CellSpan, ComplexDeletion, LivenessInfo, NO_DELETION_TIME, PartitionSource,
    RowBuf, RowDeletion, Span, Unfiltered,
};
use crate::partitioner::{Partitioner, Token};
use crate::schema::{ClusteringColumn, Column};
use crate::sstable::version::Format;
use crate::sstable::{Component, OpenOptions, SSTable};
use crate::types::CqlType;
use proptest::prelude::*;
use std::fmt::Write;

/// A change, and what it is of.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Partition(u8, DeletionTime),
    Row(u8, Vec<u8>, RowBuf),
    Range(u8, Slice, DeletionTime),
}

pub(crate) fn header() -> Arc<StreamHeader> {
    let column = |name: &str, ty| Column {
        name: name.into(),
        ty,
    };
    let clustering = |name: &str, ty, descending| ClusteringColumn {
        name: name.into(),
        ty,
        descending,
    };
    let set = CqlType::Set {
        element: CqlType::Int.into(),
        frozen: false,
    };
    Arc::new(StreamHeader {
        key_type: CqlType::Blob,
        clustering: vec![
            clustering("c", CqlType::Int, true),
            clustering("d", CqlType::Text, false),
        ],
        statics: vec![column("s", CqlType::Blob)],
        regulars: vec![column("v", CqlType::Blob), column("m", set)],
    })
}

fn deletion() -> impl Strategy<Value = DeletionTime> {
    (0i64..20, 0i64..3).prop_map(|(at, seconds)| DeletionTime {
        marked_for_delete_at: at,
        local_deletion_time: seconds + 1_700_000_000,
    })
}

fn values(max: usize) -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    let text = prop_oneof![Just(""), Just("a"), Just("b")];
    (-2i32..3, text, 0..=max).prop_map(|(c, d, count)| {
        let mut values = vec![Some(c.to_be_bytes().to_vec()), Some(d.into())];
        values.truncate(count);
        values
    })
}

pub(crate) fn slice() -> impl Strategy<Value = Slice> {
    (values(2), values(2), any::<bool>(), any::<bool>()).prop_map(|(a, b, x, y)| Slice {
        start: Bound {
            kind: if x {
                BoundKind::InclStart
            } else {
                BoundKind::ExclStart
            },
            values: a,
        },
        end: Bound {
            kind: if y {
                BoundKind::InclEnd
            } else {
                BoundKind::ExclEnd
            },
            values: b,
        },
    })
}

/// A row of a few cells; `is_static` has no clustering, and one column.
fn row(is_static: bool) -> impl Strategy<Value = (Vec<u8>, RowBuf)> {
    let cell = (0u32..2, -1i32..2, 0i64..20, 0u8..3, 0usize..200);
    let cells = proptest::collection::vec(cell, 0..4);
    let liveness = (0i64..20, 0i32..3);
    (
        (
            values(2),
            liveness,
            proptest::option::weighted(0.2, deletion()),
        ),
        (proptest::option::weighted(0.2, deletion()), cells),
    )
        .prop_map(
            move |((clustering, (at, ttl), deletion), (complex, cells))| {
                let mut bytes = Vec::new();
                let mut row = RowBuf {
                    is_static,
                    ..RowBuf::default()
                };
                let mut push = |value: &[u8]| {
                    let start = bytes.len() as u32;
                    bytes.extend_from_slice(value);
                    Span {
                        start,
                        len: value.len() as u32,
                    }
                };
                let expires = |ttl: i32| match ttl {
                    0 => NO_DELETION_TIME,
                    ttl => 1_700_000_000 + i64::from(ttl),
                };
                if !is_static {
                    let mut all = clustering.clone();
                    all.resize(2, Some(b"x".to_vec()));
                    if clustering.is_empty() {
                        all[0] = Some(7i32.to_be_bytes().to_vec());
                    }
                    row.clustering = all.iter().map(|v| push(v.as_deref().unwrap())).collect();
                    if at % 4 > 0 {
                        row.liveness = LivenessInfo {
                            timestamp: at,
                            ttl,
                            local_expiration_time: expires(ttl),
                        };
                    }
                    row.deletion.time = deletion.unwrap_or(DeletionTime::LIVE);
                    row.complex_deletions = complex
                        .map(|time| ComplexDeletion { column: 1, time })
                        .into_iter()
                        .collect();
                }
                let mut seen = Vec::new();
                for (column, path, timestamp, ttl, len) in cells {
                    let column = if is_static { 0 } else { column };
                    let path = if column == 0 { 0 } else { path };
                    if seen.contains(&(column, path)) {
                        continue;
                    }
                    seen.push((column, path));
                    let path_bytes = path.to_be_bytes();
                    row.cells.push(CellSpan {
                        column,
                        ttl: ttl.into(),
                        timestamp,
                        local_deletion_time: expires(ttl.into()),
                        path: if column == 0 {
                            Span::NULL
                        } else {
                            push(&path_bytes)
                        },
                        value: match column {
                            0 => push(&vec![len as u8; len]),
                            _ => Span::EMPTY,
                        },
                    });
                }
                row.cells.sort_by_key(|cell| {
                    let path = cell
                        .path
                        .of(&bytes)
                        .map(|p| i32::from_be_bytes(p.try_into().unwrap()));
                    (cell.column, path)
                });
                (bytes, row)
            },
        )
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let key = || 0u8..4;
    prop_oneof![
        1 => (key(), deletion()).prop_map(|(k, d)| Change::Partition(k, d)),
        3 => (key(), slice(), deletion()).prop_map(|(k, s, d)| Change::Range(k, s, d)),
        2 => (key(), row(true)).prop_map(|(k, (b, r))| Change::Row(k, b, r)),
        12 => (key(), row(false)).prop_map(|(k, (b, r))| Change::Row(k, b, r)),
    ]
}

pub(crate) fn key(k: u8) -> Vec<u8> {
    vec![k; 1 + usize::from(k)]
}

pub(crate) fn apply(change: &Change, sink: &mut impl ChangeSink) {
    match change {
        Change::Partition(k, deletion) => sink.delete_partition(&key(*k), *deletion),
        Change::Row(k, bytes, row) => sink.add_row(&key(*k), RowRef::new(bytes, row)),
        Change::Range(k, slice, deletion) => sink.delete_range(&key(*k), slice, *deletion),
    }
    .unwrap();
}

/// All that a stream says, a line a thing. Partitions of nothing are none.
pub(crate) fn text(source: &mut dyn PartitionSource) -> Vec<String> {
    let mut lines = Vec::new();
    let row_text = |row: RowRef<'_>| {
        let mut line = format!("row {:?}", row.clustering().iter().collect::<Vec<_>>());
        let RowDeletion { time, .. } = row.deletion();
        write!(
            line,
            " {:?} {time:?} {:?}",
            row.liveness(),
            row.complex_deletions()
        )
        .unwrap();
        for cell in row.cells() {
            write!(line, " {cell:?}").unwrap();
        }
        line
    };
    while source.next_partition().unwrap() {
        let head = source.partition();
        let start = lines.len();
        lines.push(format!("partition {:?} {:?}", head.key, head.deletion));
        let is_deleted = !head.deletion.is_live();
        if let Some(row) = head.static_row {
            lines.push(format!("static {}", row_text(row)));
        }
        while source.next_unfiltered().unwrap() {
            lines.push(match source.unfiltered() {
                Unfiltered::Row(row) => row_text(row),
                Unfiltered::Marker(m) => {
                    let values: Vec<_> = m.values().iter().collect();
                    format!("{:?} {values:?} {:?} {:?}", m.kind(), m.close(), m.open())
                }
            });
        }
        if lines.len() == start + 1 && !is_deleted {
            lines.pop();
        }
    }
    lines
}

pub(crate) fn rules() -> Arc<MergeRules> {
    Arc::new(MergeRules::new(header(), Partitioner::Murmur3))
}

/// What a sorter of so much memory makes of the changes.
pub(crate) fn sorted(changes: &[Change], memory: usize) -> Vec<String> {
    struct Sink(Sorter, Arc<MergeRules>);
    impl ChangeSink for Sink {
        fn delete_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()> {
            self.0.add_partition(key, deletion)
        }
        fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()> {
            self.0.add_row(key, row)
        }
        fn delete_range(&mut self, key: &[u8], slice: &Slice, d: DeletionTime) -> Result<()> {
            match is_empty(self.1.comparator(), slice) {
                true => Ok(()),
                false => self.0.add_range(key, slice, d),
            }
        }
    }
    let sorter = Sorter::new(rules(), &std::env::temp_dir(), memory);
    let mut sink = Sink(sorter, rules());
    for change in changes {
        apply(change, &mut sink);
    }
    let mut lines = Vec::new();
    let mut read = |source: &mut dyn PartitionSource| {
        lines = text(source);
        Ok(())
    };
    sink.0.drain(&mut read).unwrap();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changes_in_any_order_are_what_a_merge_of_them_gives(
        changes in proptest::collection::vec(change(), 0..60),
        seed in any::<u64>(),
    ) {
        let at_once = sorted(&changes, 1 << 20);
        let mut shuffled = changes.clone();
        let mut x = seed | 1;
        for i in (1..shuffled.len()).rev() {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, (x >> 33) as usize % (i + 1));
        }
        prop_assert_eq!(&at_once, &sorted(&shuffled, 0));

        // Each change as a source of its own.
        let rules = rules();
        let mut alone: Vec<Sorter> = Vec::new();
        for change in &changes {
            let mut sorter = Sorter::new(rules.clone(), &std::env::temp_dir(), 1 << 20);
            match change {
                Change::Partition(k, d) => sorter.add_partition(&key(*k), *d).unwrap(),
                Change::Row(k, b, r) => sorter.add_row(&key(*k), RowRef::new(b, r)).unwrap(),
                Change::Range(k, s, d) if !is_empty(rules.comparator(), s) => {
                    sorter.add_range(&key(*k), s, *d).unwrap();
                }
                Change::Range(..) => continue,
            }
            alone.push(sorter);
        }
        let sources = alone.iter_mut().map(|sorter| sorter.memory_source().unwrap()).collect();
        let mut merge = Merge::new(&rules, sources, false);
        prop_assert_eq!(&at_once, &text(&mut merge));
    }
}

/// So many changes that runs are merged into longer ones.
fn many(count: u64) -> Vec<Change> {
    let mut x = 1u64;
    let mut next = |n: u64| {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695);
        (x >> 33) % n
    };
    let mut changes = Vec::new();
    for _ in 0..count {
        let k = next(3) as u8;
        let c = (next(400) as i32).to_be_bytes().to_vec();
        if next(10) == 0 {
            let end = (next(400) as i32).to_be_bytes().to_vec();
            let slice = Slice {
                start: Bound {
                    kind: BoundKind::InclStart,
                    values: vec![Some(c)],
                },
                end: Bound {
                    kind: BoundKind::ExclEnd,
                    values: vec![Some(end)],
                },
            };
            let deletion = DeletionTime {
                marked_for_delete_at: next(100) as i64,
                local_deletion_time: 1_700_000_000,
            };
            changes.push(Change::Range(k, slice, deletion));
            continue;
        }
        let timestamp = next(200) as i64;
        let mut bytes = c;
        bytes.extend_from_slice(b"d");
        bytes.extend(vec![timestamp as u8; 100]);
        let mut row = RowBuf {
            clustering: vec![Span { start: 0, len: 4 }, Span { start: 4, len: 1 }],
            ..RowBuf::default()
        };
        row.liveness.timestamp = timestamp;
        row.cells.push(CellSpan {
            column: 0,
            ttl: 0,
            timestamp,
            local_deletion_time: NO_DELETION_TIME,
            path: Span::NULL,
            value: Span { start: 5, len: 100 },
        });
        changes.push(Change::Row(k, bytes, row));
    }
    changes
}

#[test]
fn runs_of_runs_are_the_same() {
    let changes = many(40_000);
    assert_eq!(sorted(&changes, 0), sorted(&changes, 1 << 30));
}

fn options(version: &str, memory: usize) -> BuilderOptions {
    let format = if version == "da" {
        Format::Bti
    } else {
        Format::Big
    };
    let version = Version::parse(version, &format.to_string()).unwrap();
    BuilderOptions {
        memory,
        ..BuilderOptions::new(version, WriteOptions::default())
    }
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn token(change: &Change) -> i64 {
    match change {
        Change::Partition(k, _) | Change::Row(k, ..) | Change::Range(k, ..) => {
            match Partitioner::Murmur3.token(&key(*k)) {
                Token::Long(token) => token,
                _ => unreachable!(),
            }
        }
    }
}

fn scanned(written: &[Written]) -> Vec<String> {
    let mut lines = Vec::new();
    for written in written {
        let path = written.descriptor.path(&Component::Data);
        let sstable = SSTable::open(&path, &OpenOptions::default()).unwrap();
        lines.extend(text(&mut sstable.scan().unwrap()));
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Most rows in order, so that partitions are held, some let go of again, and some sorted.
    #[test]
    fn what_comes_in_order_is_written_as_what_is_sorted(
        mut changes in proptest::collection::vec((any::<u8>(), change()), 100..400),
        disorder in 0usize..3,
    ) {
        let comparator = ClusteringComparator::new(&header().clustering);
        for (k, change) in &mut changes {
            match change {
                Change::Partition(key, _) | Change::Row(key, ..) | Change::Range(key, ..) => *key = *k,
            }
        }
        let mut changes: Vec<Change> = changes.into_iter().map(|(_, change)| change).collect();
        if disorder == 0 {
            changes.retain(|c| matches!(c, Change::Row(_, _, row) if row.deletion.time.is_live() && row.complex_deletions.is_empty()));
        }
        if disorder < 2 {
            let rank = |change: &Change| match change {
                Change::Partition(..) => 0,
                Change::Row(_, _, row) => 2 - u8::from(row.is_static),
                Change::Range(..) => 3,
            };
            changes.sort_by(|a, b| match (a, b) {
                (Change::Row(_, a_bytes, a), Change::Row(_, b_bytes, b))
                    if !a.is_static && !b.is_static =>
                {
                    comparator.compare(
                        RowRef::new(a_bytes, a).clustering(),
                        BoundKind::Clustering,
                        RowRef::new(b_bytes, b).clustering(),
                        BoundKind::Clustering,
                    )
                }
                _ => rank(a).cmp(&rank(b)),
            });
        }
        changes.sort_by_key(token);
        let directory = tempfile::tempdir().unwrap();
        let create = || (directory.path(), header(), options("oa", 1 << 20));
        let (at, columns, options) = create();
        let mut unsorted = UnsortedBuilder::create(at, columns, options).unwrap();
        let (at, columns, options) = create();
        let mut sorted = SortedBuilder::create(at, columns, options).unwrap();
        for change in &changes {
            apply(change, &mut unsorted);
            apply(change, &mut sorted);
        }
        prop_assert_eq!(scanned(&sorted.finish().unwrap()), scanned(&unsorted.finish().unwrap()));
    }
}

#[test]
fn both_builders_write_the_same_rows() {
    let changes = many(3000);
    for version in ["nb", "oa", "da"] {
        let directory = tempfile::tempdir().unwrap();
        let create = |memory| {
            UnsortedBuilder::create(directory.path(), header(), options(version, memory)).unwrap()
        };
        let (mut large, mut small) = (create(1 << 30), create(0));
        for change in &changes {
            apply(change, &mut large);
            apply(change, &mut small);
        }
        assert_eq!(
            files(directory.path()),
            [""; 0],
            "temporary files have no names"
        );
        let written = [large.finish().unwrap(), small.finish().unwrap()];

        let mut in_order = changes.clone();
        in_order.sort_by_key(token);
        let options = options(version, 100_000);
        let mut sorted = SortedBuilder::create(directory.path(), header(), options).unwrap();
        for change in &in_order {
            apply(change, &mut sorted);
        }
        let written = [&written[0][0], &written[1][0], &sorted.finish().unwrap()[0]];

        let read = written.map(|written| {
            let path = written.descriptor.path(&Component::Data);
            let sstable = SSTable::open(&path, &OpenOptions::default()).unwrap();
            text(&mut sstable.scan().unwrap())
        });
        assert!(read[0].len() > 300, "{}", read[0].len());
        assert_eq!(read[0], read[1]);
        assert_eq!(read[0], read[2]);
        let data = |i: usize| std::fs::read(written[i].descriptor.path(&Component::Data)).unwrap();
        assert_eq!(data(0), data(1));
    }
}

#[test]
fn a_sorted_builder_wants_the_order_of_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let create = || SortedBuilder::create(directory.path(), header(), options("oa", 0)).unwrap();
    let partition = |k: u8| {
        let deletion = DeletionTime {
            marked_for_delete_at: 1,
            local_deletion_time: 1_700_000_000,
        };
        Change::Partition(k, deletion)
    };
    let mut keys = [0u8, 1, 2, 3];
    keys.sort_by(|a, b| Partitioner::Murmur3.compare_keys(&key(*a), &key(*b)));
    let mut builder = create();
    for k in keys {
        apply(&partition(k), &mut builder);
        apply(&partition(k), &mut builder);
    }
    assert_eq!(builder.finish().unwrap()[0].partitions, 4);
    let mut builder = create();
    apply(&partition(keys[1]), &mut builder);
    let error = builder.delete_partition(&key(keys[0]), DeletionTime::LIVE);
    assert!(error.unwrap_err().message().contains("sort before"));
}

#[test]
fn outputs_are_split_and_live_together() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options("oa", 1 << 20);
    options.max_size = Some(1);
    options.write.compression = None;
    let mut builder = UnsortedBuilder::create(directory.path(), header(), options.clone()).unwrap();
    for change in &many(5000) {
        apply(change, &mut builder);
    }
    let written = builder.finish().unwrap();
    assert_eq!(written.iter().map(|w| w.partitions).sum::<u64>(), 3);
    assert!(written.len() > 1);
    let before = files(directory.path());

    // One that is dropped half way leaves nothing.
    let mut builder = SortedBuilder::create(directory.path(), header(), options).unwrap();
    for (_, change) in many(5000)
        .iter()
        .enumerate()
        .filter(|(_, c)| matches!(c, Change::Row(0, ..)))
    {
        apply(change, &mut builder);
    }
    drop(builder);
    assert_eq!(files(directory.path()), before);
}
