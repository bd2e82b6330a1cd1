//! What the writer refuses, and what is left when it fails. That what it writes is right the golden tables tell.

use super::*;
use crate::ErrorKind;
use crate::io::faults as disk;
use crate::model::{
    CellSpan, LivenessInfo, MarkerBuf, MarkerRef, NO_DELETION_TIME, RowBuf, RowRef,
};
use crate::schema::{ClusteringColumn, Column};
use crate::sstable::directory::resolve;
use crate::sstable::verify::{VerifyOptions, verify};
use crate::sstable::version::Version;
use std::ops::ControlFlow;
use std::path::Path;

/// Partitions in memory of a table `k blob, c int, v blob`.
struct Partitions {
    stream: StreamHeader,
    partitions: Vec<(Vec<u8>, Vec<Item>)>,
    /// Present partition and what it stands on, each counted from one.
    at: (usize, usize),
    /// What range tombstones delete.
    deletion: DeletionTime,
    row: RowBuf,
    marker: MarkerBuf,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Item {
    Row(i32, Vec<u8>),
    Empty(i32),
    Marker(BoundKind, i32),
}

fn stream() -> StreamHeader {
    StreamHeader {
        key_type: CqlType::Blob,
        clustering: vec![ClusteringColumn {
            name: "c".into(),
            ty: CqlType::Int,
            descending: false,
        }],
        statics: Vec::new(),
        regulars: vec![Column {
            name: "v".into(),
            ty: CqlType::Blob,
        }],
    }
}

fn header() -> SerializationHeader {
    let class = |name: &str| format!("org.apache.cassandra.db.marshal.{name}");
    SerializationHeader {
        min_timestamp: 0,
        min_local_deletion_time: 0,
        min_ttl: 0,
        key_type: class("BytesType"),
        clustering_types: vec![class("Int32Type")],
        statics: Vec::new(),
        regulars: vec![(b"v".to_vec(), class("BytesType"))],
    }
}

fn source(partitions: Vec<(&[u8], Vec<Item>)>) -> Partitions {
    Partitions {
        stream: stream(),
        partitions: partitions
            .into_iter()
            .map(|(key, items)| (key.to_vec(), items))
            .collect(),
        at: (0, 0),
        deletion: DeletionTime {
            marked_for_delete_at: 7,
            local_deletion_time: 8,
        },
        row: RowBuf::default(),
        marker: MarkerBuf::default(),
        bytes: Vec::new(),
    }
}

impl PartitionSource for Partitions {
    fn header(&self) -> &StreamHeader {
        &self.stream
    }

    fn next_partition(&mut self) -> Result<bool> {
        self.at = (self.at.0 + 1, 0);
        Ok(self.at.0 <= self.partitions.len())
    }

    fn partition(&self) -> PartitionHead<'_> {
        PartitionHead {
            key: &self.partitions[self.at.0 - 1].0,
            deletion: DeletionTime::LIVE,
            static_row: None,
            position: 0,
            body_position: 0,
        }
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        let items = &self.partitions[self.at.0 - 1].1;
        let Some(item) = items.get(self.at.1) else {
            return Ok(false);
        };
        self.at.1 += 1;
        let (c, value) = match item {
            Item::Row(c, value) => (c, &value[..]),
            Item::Empty(c) | Item::Marker(_, c) => (c, &[][..]),
        };
        self.bytes = c.to_be_bytes().to_vec();
        self.bytes.extend(value);
        let clustering = Span { start: 0, len: 4 };
        self.row.clear();
        self.row.clustering.push(clustering);
        if let Item::Row(..) = item {
            self.row.liveness = LivenessInfo {
                timestamp: 5,
                ..LivenessInfo::EMPTY
            };
            self.row.cells.push(CellSpan {
                column: 0,
                ttl: 0,
                timestamp: 5,
                local_deletion_time: NO_DELETION_TIME,
                path: Span::NULL,
                value: Span {
                    start: 4,
                    len: value.len() as u32,
                },
            });
        }
        if let Item::Marker(kind, _) = *item {
            let of = |side: bool| match side {
                true => self.deletion,
                false => DeletionTime::LIVE,
            };
            self.marker = MarkerBuf {
                kind,
                values: vec![clustering],
                close: of(kind.is_end()),
                open: of(kind.is_start()),
                ..MarkerBuf::default()
            };
        }
        Ok(true)
    }

    fn unfiltered(&self) -> Unfiltered<'_> {
        match self.partitions[self.at.0 - 1].1[self.at.1 - 1] {
            Item::Marker(..) => Unfiltered::Marker(MarkerRef::new(&self.bytes, &self.marker)),
            _ => Unfiltered::Row(RowRef::new(&self.bytes, &self.row)),
        }
    }
}

fn descriptor(directory: &Path, version: &str) -> Descriptor {
    let format = if version == "da" { "bti" } else { "big" };
    Descriptor::next(directory, Version::parse(version, format).unwrap()).unwrap()
}

/// Keys sort as they stand here.
fn options() -> WriteOptions {
    WriteOptions {
        partitioner: Partitioner::ByteOrdered,
        ..WriteOptions::default()
    }
}

fn write(
    directory: &Path,
    options: WriteOptions,
    partitions: Vec<(&[u8], Vec<Item>)>,
) -> Result<Option<Written>> {
    let name = descriptor(directory, "oa");
    let mut writer = SSTableWriter::create(name, &header(), &stream(), options)?;
    writer.append_all(&mut source(partitions))?;
    writer.finish()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn row(c: i32) -> Item {
    Item::Row(c, vec![1])
}

#[test]
fn what_is_out_of_order_is_told_with_what_precedes() {
    use BoundKind::*;
    let marker = Item::Marker;
    for (partitions, says) in [
        (
            vec![(&b"b"[..], vec![row(1)]), (b"a", vec![row(1)])],
            "partition 0x61 comes behind 0x62",
        ),
        (
            vec![(b"a", vec![row(1)]), (b"a", vec![row(2)])],
            "partition 0x61 comes behind 0x61",
        ),
        (
            vec![(b"a", vec![row(2), row(1)])],
            "row (0x00000001) comes behind row (0x00000002)",
        ),
        (vec![(b"a", vec![row(2), row(2)])], "must sort behind it"),
        (
            vec![(b"a", vec![row(2), marker(InclStart, 2)])],
            "marker InclStart (0x00000002) comes behind row",
        ),
        (
            vec![(b"a", vec![marker(InclEnd, 2)])],
            "a range tombstone ends where none is open",
        ),
        (
            vec![(b"a", vec![marker(InclStart, 2), marker(InclStart, 3)])],
            "a range tombstone starts where another one is open",
        ),
        (
            vec![(b"a", vec![marker(InclStart, 2)])],
            "open at the partition's end",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let e = write(dir.path(), options(), partitions).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
        assert!(e.to_string().contains(says), "{e}");
        assert!(e.location().partition_key.is_some());
        assert_eq!(names(dir.path()), [""; 0]);
    }
}

#[test]
fn ranges_may_adjoin() {
    use BoundKind::*;
    let marker = Item::Marker;
    let items = vec![
        marker(InclStart, 1),
        row(1),
        marker(ExclEndInclStart, 2),
        marker(ExclEnd, 3),
        marker(InclStart, 3),
        row(3),
        marker(InclEnd, 3),
        marker(ExclStart, 3),
        marker(InclEnd, 4),
    ];
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), options(), vec![(b"a", items)]);
    assert_eq!(written.unwrap().unwrap().partitions, 1);
}

/// Faults that are found in an SSTable.
fn faults(descriptor: &Descriptor) -> Vec<String> {
    let mut found = Vec::new();
    verify(
        descriptor,
        &VerifyOptions::default(),
        &mut |finding| found.push(format!("{finding:?}")),
        &mut |_, _| ControlFlow::Continue(()),
    );
    found
}

#[test]
fn blocks_go_on_where_what_is_open_cannot_be_told() {
    for (version, blocks) in [("nb", 6), ("oa", 4), ("da", 4)] {
        let dir = tempfile::tempdir().unwrap();
        let name = descriptor(dir.path(), version);
        let options = WriteOptions {
            column_index_size: Some(0),
            ..options()
        };
        let mut writer =
            SSTableWriter::create(name.clone(), &header(), &stream(), options).unwrap();
        let range = [
            Item::Marker(BoundKind::InclStart, 2),
            row(2),
            Item::Marker(BoundKind::InclEnd, 3),
        ];
        let mut items = vec![row(1)];
        items.extend(range);
        items.extend([row(4), row(5)]);
        let mut partitions = source(vec![(b"a", items)]);
        partitions.deletion.marked_for_delete_at = -7;
        writer.append_all(&mut partitions).unwrap();
        assert_eq!(writer.partition.block_count, blocks);
        writer.finish().unwrap().unwrap();
        assert_eq!(faults(&name), [""; 0]);
    }
}

#[test]
fn a_promoted_index_beyond_memory_is_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let name = descriptor(dir.path(), "oa");
    let options = WriteOptions {
        column_index_size: Some(0),
        ..options()
    };
    let mut writer = SSTableWriter::create(name.clone(), &header(), &stream(), options).unwrap();
    let rows: Vec<Item> = (0..50_000).map(row).collect();
    writer
        .append_all(&mut source(vec![(b"a", rows), (b"b", vec![row(1)])]))
        .unwrap();
    writer.finish().unwrap().unwrap();
    let index = std::fs::metadata(name.path(&Component::Index)).unwrap();
    assert!(index.len() > 1 << 20);
    assert_eq!(faults(&name), [""; 0]);
}

#[test]
fn what_cannot_be_stored_is_refused() {
    let long = vec![7; 65_536];
    let dir = tempfile::tempdir().unwrap();
    let e = write(dir.path(), options(), vec![(&long, vec![row(1)])]).unwrap_err();
    assert!(e.to_string().contains("65536 bytes; at most 65535"), "{e}");
    write(dir.path(), options(), vec![(&long[1..], vec![row(1)])]).unwrap();
    let mut other = source(vec![(b"a", vec![row(1)])]);
    other.stream.regulars[0].name = "w".into();
    let name = descriptor(dir.path(), "oa");
    let e = SSTableWriter::create(name, &header(), &other.stream, options());
    assert!(e.err().unwrap().to_string().contains("no column `w`"));
    let name = descriptor(dir.path(), "me");
    let e = SSTableWriter::create(name, &header(), &stream(), options());
    assert_eq!(e.err().unwrap().kind(), ErrorKind::Unsupported);
}

#[test]
fn nothing_is_written_of_what_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let empty = vec![(&b"a"[..], vec![]), (b"b", vec![Item::Empty(1)])];
    assert_eq!(write(dir.path(), options(), empty.clone()).unwrap(), None);
    assert_eq!(names(dir.path()), [""; 0]);
    let mut partitions = empty;
    partitions.push((b"c", vec![Item::Empty(1), row(2)]));
    let written = write(dir.path(), options(), partitions).unwrap().unwrap();
    assert_eq!(written.partitions, 1);
}

#[test]
fn nothing_is_there_until_all_of_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let live = || resolve(dir.path()).map_or(0, |tables| tables[0].sstables.len());
    for (finish, expected) in [(false, 0), (true, 1), (false, 1)] {
        let name = descriptor(dir.path(), "oa");
        let mut writer = SSTableWriter::create(name, &header(), &stream(), options()).unwrap();
        let before = if finish { 0 } else { expected };
        assert_eq!(live(), before);
        let mut partitions = source(vec![(b"a", vec![row(1)]), (b"b", vec![row(1)])]);
        writer.append_all(&mut partitions).unwrap();
        assert!(names(dir.path()).iter().any(|n| n.ends_with(".log")));
        assert_eq!(live(), before);
        if finish {
            let written = writer.finish().unwrap().unwrap();
            let mut expected: Vec<_> = written
                .components
                .iter()
                .map(|c| format!("oa-1-big-{c}"))
                .collect();
            expected.sort();
            assert_eq!(names(dir.path()), expected);
        } else {
            drop(writer);
        }
        assert_eq!(live(), expected);
    }
}

#[test]
fn several_become_live_together() {
    let dir = tempfile::tempdir().unwrap();
    let live = || resolve(dir.path()).map_or(0, |tables| tables[0].sstables.len());
    for commit in [false, true] {
        let version = Version::parse("oa", "big").unwrap();
        let mut transaction = Transaction::begin(dir.path(), version, "split").unwrap();
        for _ in 0..2 {
            let mut writer = SSTableWriter::create_in(
                &mut transaction,
                descriptor(dir.path(), "oa"),
                &header(),
                &stream(),
                options(),
            )
            .unwrap();
            let mut partitions = source(vec![(b"a", vec![row(1)])]);
            writer.append_all(&mut partitions).unwrap();
            writer.finish().unwrap().unwrap();
            assert_eq!(live(), 0);
        }
        if commit {
            transaction.commit().unwrap();
            assert_eq!(live(), 2);
        } else {
            drop(transaction);
            assert_eq!(names(dir.path()), [""; 0]);
        }
    }
}

#[test]
fn a_full_disk_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let value = vec![3; 200_000];
    let partitions = || vec![(&b"a"[..], vec![Item::Row(1, value.clone())])];
    let plain = WriteOptions {
        compression: None,
        ..options()
    };
    let mut failures = 0;
    // In large steps through the data, then in small ones through the other components.
    let rooms = (0..4).map(|i| i * 50_000);
    for room in rooms.chain((200_000..).step_by(40)) {
        disk::set_room(Some(room));
        let result = write(dir.path(), plain.clone(), partitions());
        disk::set_room(None);
        match result {
            Ok(written) => {
                assert!(written.unwrap().on_disk > 200_000);
                break;
            }
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Io);
                assert_eq!(names(dir.path()), [""; 0]);
                failures += 1;
            }
        }
    }
    assert!(failures > 10, "{failures}");
}

#[test]
fn directories_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let name = descriptor(dir.path(), "oa");
    let elsewhere = |directory: &str| Descriptor {
        directory: dir.path().join(directory),
        ..name.clone()
    };
    std::fs::write(dir.path().join("file"), "").unwrap();
    for (directory, kind) in [
        ("none", ErrorKind::NotFound),
        ("file", ErrorKind::InvalidInput),
    ] {
        let writer = SSTableWriter::create(elsewhere(directory), &header(), &stream(), options());
        assert_eq!(writer.err().unwrap().kind(), kind);
    }
    // One that exists stays as it is.
    let data = name.path(&Component::Data);
    std::fs::write(&data, "x").unwrap();
    let writer = SSTableWriter::create(name, &header(), &stream(), options());
    assert_eq!(writer.err().unwrap().kind(), ErrorKind::InvalidInput);
    assert_eq!(std::fs::read(&data).unwrap(), b"x");
    assert_eq!(names(dir.path()), ["file", "oa-1-big-Data.db"]);
}

#[test]
fn after_an_error_nothing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let name = descriptor(dir.path(), "oa");
    let mut writer = SSTableWriter::create(name, &header(), &stream(), options()).unwrap();
    let mut partitions = source(vec![(b"b", vec![row(1)]), (b"a", vec![row(1)])]);
    assert!(writer.append_all(&mut partitions).is_err());
    let mut partitions = source(vec![(b"c", vec![row(1)])]);
    assert!(writer.append_all(&mut partitions).is_err());
    assert!(writer.finish().is_err());
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_long_partition_without_row_index_is_read_backwards() {
    use BoundKind::*;
    let mut items = Vec::new();
    for c in 0..60_000 {
        if c % 1000 == 990 {
            items.push(Item::Marker(InclStart, c));
        }
        items.push(Item::Row(c, vec![c as u8; 40]));
        if c % 1000 == 10 && c > 10 {
            items.push(Item::Marker(InclEnd, c));
        }
    }
    items.push(Item::Marker(InclEnd, 60_000));
    let dir = tempfile::tempdir().unwrap();
    let options = WriteOptions {
        column_index_size: Some(u32::MAX >> 1),
        ..options()
    };
    let written = write(dir.path(), options, vec![(b"a", items.clone())]).unwrap();
    let data = written.unwrap().descriptor.path(&Component::Data);
    let sstable = crate::sstable::SSTable::open(&data, &Default::default()).unwrap();
    let types = sstable.statistics().header.types().unwrap();
    let schema = crate::schema::TableSchema::from_headers("k", "t", &[types], None).unwrap();
    let table = crate::read::TableReader::open(schema, vec![sstable]).unwrap();
    let mut backwards = Vec::new();
    let mut read = table.read(b"a", &[], true).unwrap();
    assert!(read.next_partition().unwrap());
    while read.next_unfiltered().unwrap() {
        let unfiltered = read.unfiltered();
        let c = unfiltered.clustering().get(0).unwrap();
        backwards.push((unfiltered.kind(), i32::from_be_bytes(c.try_into().unwrap())));
    }
    backwards.reverse();
    let forwards = items.iter().map(|item| match item {
        Item::Row(c, _) | Item::Empty(c) => (Clustering, *c),
        Item::Marker(kind, c) => (*kind, *c),
    });
    assert!(forwards.eq(backwards));
}
