//! A memtable gives what the builders make of the same changes, and at each moment one state.

use super::*;
use crate::model::{
    Bound, BoundKind, CellSpan, DeletionTime, LivenessInfo, NO_DELETION_TIME, PartitionSource,
    RowBuf, RowRef, Slice, Span, Unfiltered,
};
use crate::partitioner::{OwnedToken, Partitioner, TokenRange};
use crate::sstable::builder::{ChangeSink, tests as changes};
use proptest::prelude::*;
use std::ops::Bound as RangeBound;
use std::sync::atomic::AtomicBool;

fn says_something(change: &changes::Change) -> bool {
    !matches!(change, changes::Change::Row(_, _, row) if row.is_empty())
}

/// Applies changes, so many at a time.
fn apply_all(memtable: &Memtable, all: &[changes::Change], at_once: usize) {
    let mut update = Update::new(changes::rules());
    for some in all.chunks(at_once) {
        update.clear();
        for change in some {
            changes::apply(change, &mut update);
        }
        memtable.apply(&update).unwrap();
    }
}

fn memtable(all: &[changes::Change], at_once: usize) -> Memtable {
    let memtable = Memtable::new(changes::rules());
    apply_all(&memtable, all, at_once);
    memtable
}

fn whole(memtable: &Memtable) -> Vec<String> {
    changes::text(&mut memtable.scan(&TokenRange::ALL))
}

/// Bounds of slices that ascend and lie apart.
fn slices(mut some: Vec<Slice>) -> Vec<Slice> {
    let comparator = changes::rules().comparator().clone();
    some.retain(|s| comparator.compare_bounds(&s.start, &s.end).is_lt());
    some.sort_by(|a, b| comparator.compare_bounds(&a.start, &b.start));
    let mut apart: Vec<Slice> = Vec::new();
    for slice in some {
        let last = apart.last();
        if last.is_none_or(|last| comparator.compare_bounds(&last.end, &slice.start).is_le()) {
            apart.push(slice);
        }
    }
    apart
}

/// Rows, and for each of some places the deletion of the ranges there.
fn content(source: &mut impl PartitionSource, slices: &[Slice]) -> (Vec<String>, Vec<String>) {
    let comparator = changes::rules().comparator().clone();
    let clusterings: Vec<Bound> = (-3i32..4)
        .flat_map(|c| ["", "a", "b", "c", "x"].map(|d| (c, d)))
        .map(|(c, d)| Bound {
            kind: BoundKind::Clustering,
            values: vec![Some(c.to_be_bytes().to_vec()), Some(d.into())],
        })
        .collect();
    let is_in = |at: &Bound| {
        slices.iter().any(|s| {
            comparator.compare_bounds(&s.start, at).is_lt()
                && comparator.compare_bounds(at, &s.end).is_lt()
        })
    };
    let mut rows = Vec::new();
    let mut open: Option<(Bound, DeletionTime)> = None;
    let mut deletions = vec![String::new(); clusterings.len()];
    while source.next_unfiltered().unwrap() {
        let unfiltered = source.unfiltered();
        let values = unfiltered.clustering().iter();
        let at = Bound {
            kind: unfiltered.kind(),
            values: values.map(|v| v.map(<[u8]>::to_vec)).collect(),
        };
        match unfiltered {
            Unfiltered::Row(row) => {
                if is_in(&at) {
                    let cells: Vec<_> = row.cells().collect();
                    rows.push(format!("{at:?} {:?} {cells:?}", row.liveness()));
                }
            }
            Unfiltered::Marker(marker) => {
                if let Some((start, time)) = open.take() {
                    assert_eq!(time, marker.close());
                    for (place, text) in clusterings.iter().zip(&mut deletions) {
                        if is_in(place)
                            && comparator.compare_bounds(&start, place).is_lt()
                            && comparator.compare_bounds(place, &at).is_lt()
                        {
                            *text = format!("{time:?}");
                        }
                    }
                }
                if marker.kind().is_start() {
                    open = Some((at, marker.open()));
                }
            }
        }
    }
    assert!(open.is_none());
    (rows, deletions)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn it_gives_what_the_builders_make_of_the_same_changes(
        mut all in proptest::collection::vec(changes::change(), 0..80),
        at_once in 1..5usize,
    ) {
        all.retain(says_something);
        let memtable = memtable(&all, at_once);
        let expected = changes::sorted(&all, 1 << 20);
        prop_assert_eq!(whole(&memtable), &expected[..]);

        // One update of all says the same, and so does one of its partitions.
        let mut update = Update::new(changes::rules());
        for change in &all {
            changes::apply(change, &mut update);
        }
        prop_assert_eq!(changes::text(&mut update.source().unwrap()), &expected[..]);
        let mut again = Update::new(changes::rules());
        let mut source = update.source().unwrap();
        crate::commitlog::apply(&mut source, &mut again).unwrap();
        prop_assert_eq!(changes::text(&mut again.source().unwrap()), expected);
        let footprint: usize = (0..memtable.shards.len()).map(|i| memtable.shared(i).footprint()).sum();
        prop_assert_eq!(memtable.bytes(), footprint);
        prop_assert_eq!(memtable.is_empty(), memtable.partitions() == 0);
    }

    #[test]
    fn a_reader_sees_the_state_of_its_beginning(
        mut before in proptest::collection::vec(changes::change(), 0..60),
        mut after in proptest::collection::vec(changes::change(), 0..60),
        k in 0..4u8,
    ) {
        before.retain(says_something);
        after.retain(says_something);
        let memtable = memtable(&before, 1);
        let expected = whole(&memtable);
        let key = changes::key(k);
        let key = memtable.rules.merge.partitioner().decorate(&key);
        let one = |source: Option<MemtableSource<'_>>| {
            source.map_or(Vec::new(), |mut source| changes::text(&mut source))
        };
        let expected_one = one(memtable.read(key, &[Slice::ALL], false).unwrap());
        let expected_back = one(memtable.read(key, &[Slice::ALL], true).unwrap());
        let scan = memtable.scan(&TokenRange::ALL);
        let read = memtable.read(key, &[Slice::ALL], false).unwrap();
        let back = memtable.read(key, &[Slice::ALL], true).unwrap();
        apply_all(&memtable, &after, 2);
        prop_assert_eq!(one(Some(scan)), expected);
        prop_assert_eq!(one(read), expected_one);
        prop_assert_eq!(one(back), expected_back);
        prop_assert_eq!(memtable.readers.load(Ordering::SeqCst), 0);
        let all = [before, after].concat();
        prop_assert_eq!(whole(&memtable), changes::sorted(&all, 1 << 20));
    }

    #[test]
    fn slices_have_what_the_whole_has_there(
        mut all in proptest::collection::vec(changes::change(), 0..60),
        some in proptest::collection::vec(changes::slice(), 0..5),
    ) {
        all.retain(says_something);
        let memtable = memtable(&all, 1);
        let slices = slices(some);
        for k in 0..4 {
            let key = changes::key(k);
            let key = memtable.rules.merge.partitioner().decorate(&key);
            let all = memtable.read(key, &[Slice::ALL], false).unwrap();
            let cut = memtable.read(key, &slices, false).unwrap();
            let Some(mut all) = all else {
                prop_assert!(cut.is_none());
                continue;
            };
            prop_assert!(all.next_partition().unwrap());
            let Some(mut cut) = cut else {
                // All rows lie elsewhere.
                prop_assert!(all.partition().deletion.is_live());
                let (rows, deletions) = content(&mut all, &slices);
                prop_assert!(rows.is_empty() && deletions.iter().all(String::is_empty));
                continue;
            };
            prop_assert!(cut.next_partition().unwrap());
            prop_assert_eq!(all.partition().deletion, cut.partition().deletion);
            prop_assert_eq!(content(&mut all, &slices), content(&mut cut, &slices));

            // Backwards the same comes.
            let lines = |reversed| {
                let mut source = memtable.read(key, &slices, reversed).unwrap().unwrap();
                assert!(source.next_partition().unwrap());
                let mut lines = Vec::new();
                while source.next_unfiltered().unwrap() {
                    lines.push(match source.unfiltered() {
                        Unfiltered::Row(row) => format!("{:?}", row.cells().collect::<Vec<_>>()),
                        Unfiltered::Marker(m) => format!("{:?} {:?}", m.kind(), m.open()),
                    });
                }
                lines
            };
            let mut backwards = lines(true);
            backwards.reverse();
            prop_assert_eq!(lines(false), backwards);
        }
    }
}

#[test]
fn of_a_long_partition_little_is_held_backwards() {
    let memtable = Memtable::new(changes::rules());
    let mut update = Update::new(changes::rules());
    // The first clustering column descends.
    let value = |c: i32| Some((-c).to_be_bytes().to_vec());
    let bound = |kind, c| Bound {
        kind,
        values: vec![value(c)],
    };
    // Each range ends in the next one.
    for c in 0..1000 {
        let slice = Slice {
            start: bound(BoundKind::ExclStart, c),
            end: bound(BoundKind::InclEnd, c + 1),
        };
        let deletion = DeletionTime {
            marked_for_delete_at: i64::from(c / 10),
            local_deletion_time: 1,
        };
        update.delete_range(b"k", &slice, deletion).unwrap();
    }
    memtable.apply(&update).unwrap();
    let key = memtable.rules.merge.partitioner().decorate(b"k");
    let source = memtable.read(key, &[Slice::ALL], true).unwrap();
    let mut source = source.unwrap();
    assert!(source.next_partition().unwrap());
    let mut markers = Vec::new();
    while source.next_unfiltered().unwrap() {
        let kept = source.held();
        assert!(kept < 10, "{kept}");
        let Unfiltered::Marker(marker) = source.unfiltered() else {
            panic!("there are ranges only")
        };
        let c = marker.values().get(0).unwrap();
        let c = i32::from_be_bytes(c.try_into().unwrap());
        markers.push((-c, marker.kind()));
    }
    let kind = |c| match c {
        0 => BoundKind::ExclStart,
        1000 => BoundKind::InclEnd,
        _ => BoundKind::InclEndExclStart,
    };
    let expected: Vec<_> = (0..=100).rev().map(|i| (i * 10, kind(i * 10))).collect();
    assert_eq!(markers, expected);
    assert_eq!(memtable.readers.load(Ordering::SeqCst), 1);
    drop(source);
    assert_eq!(memtable.readers.load(Ordering::SeqCst), 0);
}

fn kv_rules() -> Arc<MergeRules> {
    let header = StreamHeader {
        clustering: Vec::new(),
        statics: Vec::new(),
        ..(*changes::header()).clone()
    };
    Arc::new(MergeRules::new(Arc::new(header), Partitioner::Murmur3))
}

/// A row with a number as its only value.
fn numbered(number: u64) -> ([u8; 8], RowBuf) {
    let timestamp = number as i64;
    let row = RowBuf {
        liveness: LivenessInfo {
            timestamp,
            ..LivenessInfo::EMPTY
        },
        cells: vec![CellSpan {
            column: 0,
            ttl: 0,
            timestamp,
            local_deletion_time: NO_DELETION_TIME,
            path: Span::NULL,
            value: Span { start: 0, len: 8 },
        }],
        ..RowBuf::default()
    };
    (number.to_be_bytes(), row)
}

fn number_of(source: &impl PartitionSource) -> u64 {
    match source.unfiltered() {
        Unfiltered::Row(row) => u64::from_be_bytes(row.cell(0).value.try_into().unwrap()),
        Unfiltered::Marker(_) => panic!("there are rows only"),
    }
}

#[test]
fn ranges_of_tokens() {
    let memtable = Memtable::new(kv_rules());
    let mut update = Update::new(kv_rules());
    for i in 0..500u64 {
        let (bytes, row) = numbered(i);
        update.clear();
        update
            .add_row(&i.to_be_bytes(), RowRef::new(&bytes, &row))
            .unwrap();
        memtable.apply(&update).unwrap();
    }
    assert_eq!(memtable.partitions(), 500);
    let partitioner = Partitioner::Murmur3;
    let token = |i: u64| match partitioner.token(&i.to_be_bytes()) {
        Token::Long(token) => token,
        _ => 0,
    };
    let mut tokens: Vec<i64> = (0..500).map(token).collect();
    tokens.sort_unstable();
    let bound = |i: usize| OwnedToken::Long(tokens[i]);
    use RangeBound::{Excluded, Included, Unbounded};
    for (start, end, expected) in [
        (Unbounded, Unbounded, 0..500),
        (Included(bound(7)), Excluded(bound(480)), 7..480),
        (Excluded(bound(0)), Included(bound(1)), 1..2),
        (Included(bound(499)), Unbounded, 499..500),
        (Excluded(bound(499)), Unbounded, 500..500),
        (Unbounded, Excluded(bound(0)), 0..0),
    ] {
        let range = TokenRange { start, end };
        let mut source = memtable.scan(&range);
        let mut found = Vec::new();
        while source.next_partition().unwrap() {
            assert!(source.next_unfiltered().unwrap());
            found.push(token(number_of(&source)));
            assert!(!source.next_unfiltered().unwrap());
        }
        assert_eq!(found, tokens[expected]);
    }
}

#[test]
fn partitioners_of_all_kinds() {
    for partitioner in [
        Partitioner::Random,
        Partitioner::ByteOrdered,
        Partitioner::OrderPreserving,
    ] {
        let rules = MergeRules::new(kv_rules().header().clone(), partitioner.clone());
        let rules = Arc::new(rules);
        let memtable = Memtable::new(rules.clone());
        let mut update = Update::new(rules);
        let mut keys: Vec<[u8; 8]> = (0..500u64)
            .map(|i| (i * 7919 % 500).to_be_bytes())
            .collect();
        for key in keys.iter().chain(&keys[..50]) {
            let (bytes, row) = numbered(u64::from_be_bytes(*key));
            update.clear();
            update.add_row(key, RowRef::new(&bytes, &row)).unwrap();
            memtable.apply(&update).unwrap();
        }
        keys.sort_by(|a, b| partitioner.compare_keys(a, b));
        let mut source = memtable.scan(&TokenRange::ALL);
        for key in &keys {
            assert!(source.next_partition().unwrap());
            assert_eq!(source.partition().key, key);
            let key = partitioner.decorate(key);
            let read = memtable.read(key, &[Slice::ALL], false).unwrap();
            assert!(read.unwrap().next_partition().unwrap());
        }
        assert!(!source.next_partition().unwrap());
        assert!(!memtable.has(&partitioner.decorate(b"missing")));
    }
}

#[test]
fn concurrent_writers_and_readers() {
    const WRITES: u64 = 3000;
    let memtable = Memtable::new(kv_rules());
    let done = AtomicBool::new(false);
    // Each writer writes a number to one partition, then to another one, and goes on with the next number.
    let write = |writer: u8| {
        let mut update = Update::new(kv_rules());
        for number in 1..=WRITES {
            for key in [[writer, 1], [writer, 2]] {
                let (bytes, row) = numbered(number);
                update.clear();
                update.add_row(&key, RowRef::new(&bytes, &row)).unwrap();
                memtable.apply(&update).unwrap();
            }
        }
    };
    let read = || {
        let mut seen = [[0; 3]; 2];
        let mut is_last = false;
        while !is_last {
            is_last = done.load(Ordering::SeqCst);
            let mut source = memtable.scan(&TokenRange::ALL);
            let mut now = [[0; 3]; 2];
            while source.next_partition().unwrap() {
                let [writer, which] = source.partition().key.try_into().unwrap();
                assert!(source.next_unfiltered().unwrap());
                now[usize::from(writer)][usize::from(which)] = number_of(&source);
            }
            for (before, now) in seen.iter().zip(&now) {
                // Both are of one moment, and time does not go back.
                assert!(now[1] == now[2] || now[1] == now[2] + 1, "{now:?}");
                assert!(now[1] >= before[1] && now[2] >= before[2]);
            }
            seen = now;
            for writer in 0..2u8 {
                let key = [writer, 2];
                let key = memtable.rules.merge.partitioner().decorate(&key);
                let source = memtable.read(key, &[Slice::ALL], false).unwrap();
                if let Some(mut source) = source {
                    assert!(source.next_partition().unwrap());
                    assert!(source.next_unfiltered().unwrap());
                    assert!(number_of(&source) >= now[usize::from(writer)][2]);
                }
            }
        }
        assert_eq!(seen, [[0, WRITES, WRITES]; 2]);
    };
    std::thread::scope(|scope| {
        let writers = [0, 1].map(|writer| scope.spawn(move || write(writer)));
        let reader = scope.spawn(read);
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
    });
    assert_eq!(memtable.partitions(), 4);
}
