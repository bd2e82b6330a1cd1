//! Golden tables that are good, damaged at random, cut short, and without their index: what is saved is what there was, all
//! of it that the damage does not cover, and verifies as good.

use cqlite_core::compaction::{CompressionChange, Destination, Split, needs_schema};
use cqlite_core::model::{DeletionTime, PartitionSource, RowRef, Unfiltered};
use cqlite_core::partitioner::TokenRange;
use cqlite_core::read::TableReader;
use cqlite_core::schema::{TableSchema, find_schema};
use cqlite_core::scrub::{LossKind, ScrubEvent, ScrubOptions, Scrubbed, scrub};
use cqlite_core::sstable::directory::resolve;
use cqlite_core::sstable::verify::{Finding, VerifyOptions, verify};
use cqlite_core::sstable::{
    Component, Descriptor, Format, OpenOptions, SSTable, Transaction, Version,
};
use cqlite_core::{ErrorKind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden")
}

fn data_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            data_files(&path, found);
        } else if path.to_str().is_some_and(|p| p.ends_with("-Data.db")) {
            found.push(path);
        }
    }
}

/// Every golden SSTable that is live.
fn all_golden() -> Vec<Descriptor> {
    let mut files = Vec::new();
    data_files(&golden(), &mut files);
    let directories: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    let mut found = Vec::new();
    for directory in directories {
        let tables = resolve(directory).unwrap();
        found.extend(tables.into_iter().flat_map(|table| table.sstables));
    }
    assert!(found.len() > 1000, "golden SSTables are missing");
    found
}

/// A copy of an SSTable.
struct Copy {
    _directory: TempDir,
    descriptor: Descriptor,
    schema: Option<TableSchema>,
    /// Of what is saved of it.
    compression: CompressionChange,
}

impl Copy {
    fn of(of: &Descriptor) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&of.directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.starts_with(&format!("{}-", of.base_name())) {
                std::fs::copy(&path, directory.path().join(name)).unwrap();
            }
        }
        let sstable = SSTable::open_descriptor(of.clone(), &OpenOptions::default()).unwrap();
        let schema = needs_schema(&sstable).then(|| {
            let table = &resolve(&of.directory).unwrap()[0];
            let found = find_schema(table, &[sstable], None, (None, ""), 0);
            found.unwrap().table
        });
        Copy {
            descriptor: Descriptor {
                directory: directory.path().to_owned(),
                ..of.clone()
            },
            _directory: directory,
            schema,
            compression: CompressionChange::Keep,
        }
    }

    fn read(&self, component: &Component) -> Vec<u8> {
        std::fs::read(self.descriptor.path(component)).unwrap()
    }

    fn write(&self, component: &Component, bytes: &[u8]) {
        std::fs::write(self.descriptor.path(component), bytes).unwrap();
    }

    fn has(&self, component: &Component) -> bool {
        self.descriptor.path(component).exists()
    }

    fn remove(&self, component: &Component) {
        let _ = std::fs::remove_file(self.descriptor.path(component));
    }

    /// To the version that holds just what its own holds.
    fn scrub(&self) -> Outcome {
        match self.descriptor.version.to_string().as_str() {
            "oa" => self.scrub_to("oa", "big"),
            "da" => self.scrub_to("da", "bti"),
            _ => self.scrub_to("nb", "big"),
        }
    }

    fn scrub_to(&self, version: &str, format: &str) -> Outcome {
        self.try_scrub(
            version,
            format,
            &ScrubOptions {
                skip_corrupted: true,
                ..ScrubOptions::default()
            },
        )
        .unwrap()
    }

    fn try_scrub(&self, version: &str, format: &str, options: &ScrubOptions) -> Result<Outcome> {
        let directory = tempfile::tempdir().unwrap();
        let destination = Destination {
            directory: directory.path(),
            version: Version::parse(version, format).unwrap(),
            compression: self.compression.clone(),
            chunk_length: None,
            split: Split::Never,
            operation: "scrub",
            one_thread: false,
        };
        let mut transaction =
            Transaction::begin(directory.path(), destination.version, "scrub").unwrap();
        let mut events = Vec::new();
        let scrubbed = scrub(
            &self.descriptor,
            self.schema.as_ref(),
            options,
            &mut transaction,
            &destination,
            &mut |event| events.push(event),
            &mut |_| Ok(()),
        )?;
        transaction.commit().unwrap();
        Ok(Outcome {
            _directory: directory,
            scrubbed,
            events,
        })
    }
}

struct Outcome {
    _directory: TempDir,
    scrubbed: Scrubbed,
    events: Vec<ScrubEvent>,
}

/// A row as text, and where it lies.
type Row = (String, Range<u64>);

/// A partition's head and rows.
#[derive(Debug, Default)]
struct Partition {
    head: Range<u64>,
    deletion: Option<DeletionTime>,
    rows: BTreeMap<String, Row>,
    markers: Vec<String>,
}

fn text(row: RowRef<'_>) -> String {
    format!(
        "{:?} {:?} {:?} {:?}",
        row.liveness(),
        row.deletion(),
        row.complex_deletions(),
        row.cells().collect::<Vec<_>>()
    )
}

/// All that SSTables hold, by key.
fn contents(descriptors: &[Descriptor]) -> BTreeMap<Vec<u8>, Partition> {
    let mut found: BTreeMap<Vec<u8>, Partition> = BTreeMap::new();
    for descriptor in descriptors {
        let sstable =
            SSTable::open_descriptor(descriptor.clone(), &OpenOptions::default()).unwrap();
        let mut scan = sstable.scan().unwrap();
        while scan.next_partition().unwrap() {
            let head = scan.partition();
            let partition = found.entry(head.key.to_vec()).or_default();
            partition.head = head.position..head.body_position;
            if !head.deletion.is_live() {
                partition.deletion = Some(head.deletion);
            }
            if let Some(row) = head.static_row {
                let at = head.position..head.body_position;
                partition.rows.insert("static".to_owned(), (text(row), at));
            }
            while scan.next_unfiltered().unwrap() {
                let end = scan.position();
                match scan.unfiltered() {
                    Unfiltered::Row(row) if row.is_empty() => {}
                    Unfiltered::Row(row) => {
                        let values: Vec<_> = row.clustering().iter().collect();
                        let at = row.position()..end;
                        partition
                            .rows
                            .insert(format!("{values:?}"), (text(row), at));
                    }
                    Unfiltered::Marker(m) => {
                        let values: Vec<_> = m.values().iter().collect();
                        let text =
                            format!("{values:?} {:?} {:?} {:?}", m.kind(), m.close(), m.open());
                        partition.markers.push(text);
                    }
                }
            }
        }
    }
    found
}

fn verified(outcome: &Outcome, what: &str) {
    for written in &outcome.scrubbed.written {
        let mut faults = Vec::new();
        verify(
            &written.descriptor,
            &VerifyOptions::default(),
            &mut |finding| {
                if let Finding::Fault(e) = finding {
                    faults.push(e.to_string());
                }
            },
            &mut |_, _| ControlFlow::Continue(()),
        );
        assert!(faults.is_empty(), "{what}: {faults:?}");
    }
}

fn written(outcome: &Outcome) -> Vec<Descriptor> {
    let written = outcome.scrubbed.written.iter();
    written.map(|w| w.descriptor.clone()).collect()
}

/// That all that was saved was there, and how many rows were not saved. `covered` is what the damage covers; rows outside of
/// it, of partitions whose key is `known`, must be saved.
fn compare(
    original: &BTreeMap<Vec<u8>, Partition>,
    outcome: &Outcome,
    covered: &Range<u64>,
    is_known: impl Fn(&Partition) -> bool,
    what: &str,
) -> usize {
    let touches = |at: &Range<u64>| at.start < covered.end && covered.start < at.end;
    let saved = contents(&written(outcome));
    for (key, partition) in &saved {
        let of = original.get(key);
        let of = of.unwrap_or_else(|| panic!("{what}: a partition that was not: {key:x?}"));
        if let Some(deletion) = partition.deletion {
            assert_eq!(Some(deletion), of.deletion, "{what}");
        }
        for (clustering, (row, _)) in &partition.rows {
            assert_eq!(Some(row), of.rows.get(clustering).map(|r| &r.0), "{what}");
        }
    }
    let empty = Partition::default();
    let mut unsaved = 0;
    for (key, partition) in original {
        let same = saved.get(key).unwrap_or(&empty);
        let is_known = is_known(partition) || !touches(&partition.head);
        if is_known && !touches(&partition.head) {
            assert_eq!(same.deletion, partition.deletion, "{what}: {key:x?}");
        }
        for (clustering, (_, at)) in &partition.rows {
            let is_saved = same.rows.contains_key(clustering);
            unsaved += usize::from(!is_saved);
            assert!(
                is_saved || touches(at) || !is_known,
                "{what}: {key:x?} {clustering} at {at:?} is lost by damage of {covered:?}: {:#?}",
                outcome.events
            );
        }
    }
    unsaved
}

#[test]
fn what_is_good_is_saved_as_it_is() {
    for descriptor in all_golden().into_iter().step_by(3) {
        let copy = Copy::of(&descriptor);
        let outcome = copy.scrub();
        assert!(
            outcome.scrubbed.is_good(),
            "{descriptor}: {:#?}",
            outcome.events
        );
        verified(&outcome, &descriptor.to_string());
        assert_eq!(outcome.scrubbed.written.len(), 1);
        if copy.schema.is_some() {
            continue;
        }
        let original = contents(std::slice::from_ref(&copy.descriptor));
        let what = descriptor.to_string();
        let unsaved = compare(&original, &outcome, &(0..0), |_| true, &what);
        assert_eq!(unsaved, 0);
        let saved = contents(&written(&outcome));
        for (key, partition) in &original {
            let markers = saved.get(key).map(|p| p.markers.as_slice());
            assert_eq!(partition.markers, markers.unwrap_or_default(), "{what}");
        }
    }
}

/// All that SSTables say together, as text; of one SSTable all that it says.
fn merged(descriptors: &[Descriptor]) -> String {
    let open = |d: &Descriptor| SSTable::open_descriptor(d.clone(), &OpenOptions::default());
    let sstables: Vec<_> = descriptors.iter().map(|d| open(d).unwrap()).collect();
    let types: Vec<_> = sstables
        .iter()
        .map(|s| s.statistics().header.types().unwrap())
        .collect();
    let schema = TableSchema::from_headers("ks", "t", &types, None).unwrap();
    let reader = TableReader::open(schema, sstables).unwrap();
    let mut scan = reader.scan(&TokenRange::ALL).unwrap();
    let mut all = String::new();
    while scan.next_partition().unwrap() {
        let head = scan.partition();
        all += &format!("{:?} {:?}\n", head.key, head.deletion);
        if let Some(row) = head.static_row {
            all += &format!("static {}\n", text(row));
        }
        while scan.next_unfiltered().unwrap() {
            match scan.unfiltered() {
                Unfiltered::Row(row) => {
                    let values: Vec<_> = row.clustering().iter().collect();
                    all += &format!("{values:?} {}\n", text(row));
                }
                Unfiltered::Marker(m) => {
                    let values: Vec<_> = m.values().iter().collect();
                    all += &format!("{values:?} {:?} {:?} {:?}\n", m.kind(), m.close(), m.open());
                }
            }
        }
    }
    all
}

/// That what was saved adds nothing to what there was: no deletion reaches further.
fn adds_nothing(of: &Descriptor, outcome: &Outcome, what: &str) {
    let mut all = written(outcome);
    all.push(of.clone());
    let (merged, alone) = (merged(&all), merged(std::slice::from_ref(of)));
    if merged != alone {
        let differs = merged.lines().zip(alone.lines()).find(|(a, b)| a != b);
        panic!("{what}: {differs:#?} {:#?}", outcome.events);
    }
}

/// Numbers that look random, the same in each run of a seed.
struct Random(u64);

impl Random {
    /// Of this seed, or of the one that CQLITE_SEED says.
    fn new(seed: u64) -> Self {
        let given = std::env::var("CQLITE_SEED").ok();
        let seed = given.and_then(|s| s.parse().ok()).unwrap_or(seed);
        println!("CQLITE_SEED={seed}");
        Random(seed)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % n.max(1)
    }
}

/// The uncompressed bytes that a byte of Data.db stands for.
fn covered_by(sstable: &SSTable, offset: u64) -> Option<Range<u64>> {
    let data = sstable.data();
    let length = u64::from(data.chunk_length());
    let chunks = 0..data.len().div_ceil(length);
    let of = |i: &u64| {
        let (start, end) = data.stored_range(*i).unwrap();
        (start..end).contains(&offset)
    };
    let chunk = chunks.into_iter().find(of)?;
    Some(chunk * length..((chunk + 1) * length).min(data.len()))
}

#[test]
fn a_flipped_bit_costs_no_more_than_its_chunk() {
    let mut random = Random::new(7);
    let (mut damaged, mut unsaved) = (0, 0);
    for descriptor in all_golden().into_iter().step_by(2) {
        let sstable =
            SSTable::open_descriptor(descriptor.clone(), &OpenOptions::default()).unwrap();
        // Without checksums what a bit changes may well be read.
        let is_large = sstable.data().len() > 1 << 20;
        if !sstable.data().has_checksums() || needs_schema(&sstable) || is_large {
            continue;
        }
        let copy = Copy::of(&descriptor);
        let original = contents(std::slice::from_ref(&copy.descriptor));
        let good = copy.read(&Component::Data);
        let mut bytes = good.clone();
        let at = random.below(bytes.len() as u64);
        bytes[at as usize] ^= 1 << random.below(8);
        copy.write(&Component::Data, &bytes);
        // None of a chunk behind the data.
        let Some(covered) = covered_by(&sstable, at) else {
            continue;
        };
        // Since `oa` deletions of partitions have no negative timestamps.
        let version = descriptor.version.to_string();
        let is_old = !["oa", "da"].contains(&version.as_str());
        // Nor can older ones hold what expires late.
        let is_negative = descriptor
            .directory
            .ends_with("negative_partition_deletion");
        let (version, format) = match random.below(3) {
            _ if is_negative => ("nb", "big"),
            0 if is_old => ("nb", "big"),
            0 | 1 => ("oa", "big"),
            _ => ("da", "bti"),
        };
        let outcome = copy.scrub_to(version, format);
        let what = format!("{descriptor} with byte {at} changed");
        verified(&outcome, &what);
        let is_bti = descriptor.format() == Format::Bti;
        unsaved += compare(&original, &outcome, &covered, |_| !is_bti, &what);
        adds_nothing(&descriptor, &outcome, &what);
        damaged += 1;
        assert!(!outcome.scrubbed.is_good(), "{what}");
    }
    println!("{damaged} damaged, {unsaved} rows not saved");
    assert!(damaged > 250 && unsaved > 250);
}

#[test]
fn whatever_is_in_the_index_nothing_wrong_is_saved() {
    let mut random = Random::new(11);
    for descriptor in all_golden().into_iter().step_by(7) {
        let copy = Copy::of(&descriptor);
        if copy.schema.is_some() {
            continue;
        }
        let original = contents(std::slice::from_ref(&copy.descriptor));
        for component in [Component::Index, Component::Partitions, Component::Rows] {
            if !copy.has(&component) {
                continue;
            }
            let mut bytes = copy.read(&component);
            if bytes.is_empty() {
                continue;
            }
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.clear(),
                _ => bytes[at] ^= 1 << random.below(8),
            }
            copy.write(&component, &bytes);
        }
        let outcome = copy.scrub();
        let what = format!("{descriptor} with a bad index");
        verified(&outcome, &what);
        let unsaved = compare(&original, &outcome, &(0..0), |_| true, &what);
        assert_eq!(unsaved, 0, "{what}: {:#?}", outcome.events);
    }
}

#[test]
fn without_an_index_all_before_the_damage_is_saved() {
    let mut random = Random::new(13);
    let (mut found_again, mut all) = (0, 0);
    for descriptor in all_golden().into_iter().step_by(5) {
        let copy = Copy::of(&descriptor);
        if copy.schema.is_some() {
            continue;
        }
        let sstable =
            SSTable::open_descriptor(descriptor.clone(), &OpenOptions::default()).unwrap();
        if !sstable.data().has_checksums() {
            continue;
        }
        let original = contents(std::slice::from_ref(&copy.descriptor));
        for component in [Component::Index, Component::Partitions, Component::Rows] {
            copy.remove(&component);
        }
        let what = format!("{descriptor} without an index");
        let whole = copy.scrub();
        verified(&whole, &what);
        assert_eq!(compare(&original, &whole, &(0..0), |_| true, &what), 0);
        let mut bytes = copy.read(&Component::Data);
        let at = random.below(bytes.len() as u64);
        bytes[at as usize] ^= 1 << random.below(8);
        copy.write(&Component::Data, &bytes);
        let Some(covered) = covered_by(&sstable, at) else {
            continue;
        };
        let outcome = copy.scrub();
        verified(&outcome, &what);
        // Behind the damage nothing tells where partitions start but their shape.
        compare(
            &original,
            &outcome,
            &(covered.start..u64::MAX),
            |_| false,
            &what,
        );
        let behind = |p: &&Partition| p.head.start >= covered.end;
        let saved = contents(&written(&outcome));
        all += original.values().filter(behind).count();
        let kept = original
            .iter()
            .filter(|(key, p)| behind(p) && saved.contains_key(*key));
        found_again += kept.count();
    }
    println!("{found_again} of {all} partitions behind damage were found");
    assert!(10 * found_again > 9 * all && all > 10);
}

#[test]
fn what_precedes_the_end_of_a_cut_file_is_saved() {
    let mut random = Random::new(17);
    for descriptor in all_golden().into_iter().step_by(5) {
        let copy = Copy::of(&descriptor);
        if copy.schema.is_some() {
            continue;
        }
        let sstable =
            SSTable::open_descriptor(descriptor.clone(), &OpenOptions::default()).unwrap();
        let original = contents(std::slice::from_ref(&copy.descriptor));
        let mut bytes = copy.read(&Component::Data);
        let at = random.below(bytes.len() as u64);
        bytes.truncate(at as usize);
        copy.write(&Component::Data, &bytes);
        // One that ends as a file does is not known to be cut, and its last chunk is bad.
        let is_bad = sstable.data().compression().is_some() || bytes.last() == Some(&1);
        let covered = match is_bad {
            true => covered_by(&sstable, at).map_or(u64::MAX, |c| c.start)..u64::MAX,
            false => at..u64::MAX,
        };
        let outcome = copy.scrub();
        let what = format!("{descriptor} cut at {at}");
        verified(&outcome, &what);
        compare(&original, &outcome, &covered, |_| true, &what);
        assert!(!outcome.scrubbed.is_good(), "{what}");
    }
}

#[test]
fn plain_bytes_that_nothing_checks_do_no_harm() {
    let mut random = Random::new(19);
    for descriptor in all_golden() {
        let copy = Copy::of(&descriptor);
        if copy.has(&Component::CompressionInfo) || copy.schema.is_some() {
            continue;
        }
        copy.remove(&Component::Crc);
        for _ in 0..8 {
            let good = copy.read(&Component::Data);
            let mut bytes = good.clone();
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
            copy.write(&Component::Data, &bytes);
            let outcome = copy.scrub();
            verified(&outcome, &format!("{descriptor} with byte {at} changed"));
            copy.write(&Component::Data, &good);
        }
    }
}

#[test]
fn counters_are_not_lost_unasked() {
    let copy = Copy::of(&golden_table("oa/counters"));
    let mut bytes = copy.read(&Component::Data);
    bytes[3] ^= 1;
    copy.write(&Component::Data, &bytes);
    let e = copy.try_scrub("oa", "big", &ScrubOptions::default());
    let e = e.map(|outcome| outcome.scrubbed).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corrupt);
    assert!(e.advice().unwrap().contains("--skip-corrupted"), "{e}");
    assert!(copy.scrub().scrubbed.lost.count > 0);
}

#[test]
fn losses_are_named_by_key_and_offset() {
    let copy = Copy::of(&golden_table("oa/wide_tombstones"));
    let original = contents(std::slice::from_ref(&copy.descriptor));
    let mut bytes = copy.read(&Component::Data);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    copy.write(&Component::Data, &bytes);
    let outcome = copy.scrub();
    let losses: Vec<_> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            ScrubEvent::Lost(loss) if loss.kind == LossKind::Rows => Some(loss),
            _ => None,
        })
        .collect();
    assert!(!losses.is_empty(), "{:#?}", outcome.events);
    for loss in losses {
        assert!(original.contains_key(loss.key.as_ref().unwrap()));
        assert!(loss.start < loss.end);
        assert_eq!(loss.cause.kind(), ErrorKind::Corrupt);
    }
}

/// The first SSTable of a golden table.
fn golden_table(name: &str) -> Descriptor {
    let found = all_golden()
        .into_iter()
        .find(|d| d.directory.ends_with(name));
    found.unwrap()
}

/// A copy of a golden table of plain bytes, without what would tell that they were changed.
fn plain(table: &str) -> Copy {
    let copy = Copy::of(&golden_table(table));
    for component in [Component::Crc, Component::Digest, Component::Index] {
        copy.remove(&component);
    }
    copy
}

#[test]
fn partitions_that_are_out_of_order_get_an_sstable_of_their_own() {
    let copy = plain("oa/uncompressed");
    let good = copy.read(&Component::Data);
    let original = contents(std::slice::from_ref(&copy.descriptor));
    let alone = merged(std::slice::from_ref(&copy.descriptor));
    let mut starts: Vec<_> = original.values().map(|p| p.head.start as usize).collect();
    starts.sort_unstable();
    assert!(starts.len() > 2);
    let (first, second) = (starts[1], starts.get(2).copied().unwrap_or(good.len()));
    // The second partition comes first, and a second time at the end.
    let swapped = [
        &good[first..second],
        &good[..first],
        &good[second..],
        &good[first..second],
    ]
    .concat();
    copy.write(&Component::Data, &swapped);
    let outcome = copy.scrub();
    verified(&outcome, "swapped partitions");
    assert_eq!(outcome.scrubbed.lost.count, 0, "{:#?}", outcome.events);
    assert_eq!(outcome.scrubbed.reordered, 2, "{:#?}", outcome.events);
    assert_eq!(outcome.scrubbed.written.len(), 2);
    assert_eq!(merged(&written(&outcome)), alone);
}

#[test]
fn rows_that_are_out_of_order_or_twice_are_set_in_order() {
    let copy = plain("oa/uncompressed");
    let good = copy.read(&Component::Data);
    let original = contents(std::slice::from_ref(&copy.descriptor));
    let alone = merged(std::slice::from_ref(&copy.descriptor));
    // Two rows that follow each other, and the bytes behind them.
    let rows = |p: &Partition| {
        let mut at: Vec<_> = p.rows.values().map(|(_, at)| at.clone()).collect();
        at.sort_by_key(|at| at.start);
        at
    };
    let wide = original.values().map(rows).find(|rows| rows.len() > 3);
    let rows = wide.unwrap();
    let bytes = |at: &Range<u64>| &good[at.start as usize..at.end as usize];
    let changed = [
        &good[..rows[1].start as usize],
        bytes(&rows[2]),
        bytes(&rows[1]),
        bytes(&rows[1]),
        &good[rows[2].end as usize..],
    ]
    .concat();
    copy.write(&Component::Data, &changed);
    let outcome = copy.scrub();
    verified(&outcome, "swapped rows");
    assert_eq!(outcome.scrubbed.lost.count, 0, "{:#?}", outcome.events);
    assert_eq!(outcome.scrubbed.reordered, 2, "{:#?}", outcome.events);
    assert_eq!(merged(&written(&outcome)), alone);
}

#[test]
fn cells_that_are_out_of_order_are_set_in_order() {
    let mut compressed = Copy::of(&golden_table("oa/deletions"));
    compressed.compression = CompressionChange::Without;
    let plain = compressed.scrub();
    let copy = Copy::of(&written(&plain)[0]);
    let alone = contents(std::slice::from_ref(&copy.descriptor));
    for component in [Component::Crc, Component::Digest] {
        copy.remove(&component);
    }
    let mut bytes = copy.read(&Component::Data);
    // Cells of the map {'a': 1, 'b': 2}: flags, key, value.
    let is_map = |w: &[u8]| w[..3] == [1, b'a', 4] && w[8..] == [1, b'b'];
    let at = bytes.windows(10).position(is_map).unwrap();
    bytes.swap(at + 1, at + 9);
    copy.write(&Component::Data, &bytes);
    let outcome = copy.scrub();
    verified(&outcome, "swapped cells");
    let lost = outcome.scrubbed.lost.count;
    assert_eq!((lost, outcome.scrubbed.reordered), (0, 1));
    let only_cells = |e: &ScrubEvent| matches!(e, ScrubEvent::Reordered(r) if r.only_cells);
    assert!(
        outcome.events.iter().any(only_cells),
        "{:#?}",
        outcome.events
    );
    let saved = contents(&written(&outcome));
    let rows = |of: &BTreeMap<Vec<u8>, Partition>| -> Vec<(Vec<u8>, String)> {
        let rows = of
            .iter()
            .flat_map(|(key, p)| p.rows.keys().map(move |row| (key, row)));
        rows.map(|(key, row)| (key.clone(), row.clone())).collect()
    };
    assert_eq!(rows(&saved), rows(&alone));
}

#[test]
fn a_wrong_digest_of_compressed_bytes_is_told() {
    let copy = Copy::of(&golden_table("oa/compressed_lz4"));
    assert!(copy.scrub().scrubbed.is_good());
    copy.write(&Component::Digest, b"1");
    let outcome = copy.scrub();
    let scrubbed = &outcome.scrubbed;
    assert_eq!((scrubbed.lost.count, scrubbed.faults), (0, 1));
    let message = outcome.events.iter().find_map(|event| match event {
        ScrubEvent::Fault(e) => Some(e.message().to_owned()),
        _ => None,
    });
    assert!(message.unwrap().contains("Digest.crc32 says 1"));
}

#[test]
fn one_bad_row_costs_that_row() {
    let copy = plain("oa/uncompressed");
    let good = copy.read(&Component::Data);
    let original = contents(std::slice::from_ref(&copy.descriptor));
    for partition in original.values() {
        for (clustering, (_, at)) in &partition.rows {
            if clustering == "static" {
                continue;
            }
            let mut bytes = good.clone();
            // Flags that no row has.
            bytes[at.start as usize] = 0xfe;
            copy.write(&Component::Data, &bytes);
            let outcome = copy.scrub();
            verified(&outcome, clustering);
            let unsaved = compare(&original, &outcome, at, |_| true, clustering);
            assert!(unsaved <= 1, "{:#?}", outcome.events);
        }
    }
}
