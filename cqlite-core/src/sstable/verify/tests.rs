//! Golden SSTables are good, and damage of them is told, by the name of the component that was damaged.

use super::*;
use crate::sstable::descriptor::Component;
use crate::sstable::directory;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden")
}

fn data_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            data_files(&path, found);
        } else if path.to_str().is_some_and(|p| p.ends_with("-Data.db")) {
            found.push(path);
        }
    }
}

/// What was told of an SSTable: the file's component of each finding, and its text.
#[derive(Debug, Default)]
struct Told {
    faults: Vec<(String, String)>,
    notes: Vec<(String, String)>,
    report: Report,
}

impl Told {
    fn names(&self, component: &str) -> bool {
        self.faults.iter().any(|(c, _)| c == component)
    }
}

fn told(descriptor: &Descriptor, quick: bool) -> Told {
    let mut told = Told::default();
    told.report = verify(
        descriptor,
        &VerifyOptions { quick },
        &mut |finding| {
            let (list, e) = match finding {
                Finding::Fault(e) => (&mut told.faults, e),
                Finding::Note(e) => (&mut told.notes, e),
            };
            let file = e.location().file.as_ref().unwrap();
            let (_, component) = Descriptor::parse(file).unwrap();
            list.push((component.to_string(), e.to_string()));
        },
        &mut |_, _| ControlFlow::Continue(()),
    );
    assert_eq!(told.report.faults as usize, told.faults.len());
    told
}

fn verify_file(path: &Path) -> Told {
    told(&Descriptor::parse(path).unwrap().0, false)
}

#[test]
fn golden_sstables_are_good() {
    let mut files = Vec::new();
    data_files(&golden(), &mut files);
    let directories: BTreeSet<_> = files.iter().filter_map(|file| file.parent()).collect();
    let mut count = 0;
    for directory in directories {
        // Of transactions that did not end only the live SSTables are whole.
        let tables = directory::resolve(directory).unwrap();
        for descriptor in tables.iter().flat_map(|table| &table.sstables) {
            for quick in [false, true] {
                let told = told(descriptor, quick);
                assert!(told.faults.is_empty(), "{descriptor}: {:#?}", told.faults);
                assert!(told.notes.is_empty(), "{descriptor}: {:#?}", told.notes);
                assert!(told.report.partitions > 0);
            }
            count += 1;
        }
    }
    assert!(count > 1000, "{count}");
}

/// A copy of a golden SSTable.
struct Copy {
    descriptor: Descriptor,
    _directory: TempDir,
}

impl Copy {
    fn of(table: &str) -> Self {
        let source = golden().join(table);
        let mut files = Vec::new();
        data_files(&source, &mut files);
        files.sort();
        let (mut descriptor, _) = Descriptor::parse(&files[0]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        for component in crate::sstable::reader::discover(&descriptor).unwrap().0 {
            let from = descriptor.path(&component);
            std::fs::copy(&from, directory.path().join(from.file_name().unwrap())).unwrap();
        }
        descriptor.directory = directory.path().to_owned();
        Copy {
            descriptor,
            _directory: directory,
        }
    }

    fn components(&self) -> Vec<Component> {
        let found = crate::sstable::reader::discover(&self.descriptor)
            .unwrap()
            .0;
        found.into_iter().collect()
    }

    fn read(&self, component: &Component) -> Vec<u8> {
        std::fs::read(self.descriptor.path(component)).unwrap()
    }

    fn write(&self, component: &Component, bytes: &[u8]) {
        std::fs::write(self.descriptor.path(component), bytes).unwrap();
    }

    fn remove(&self, component: &Component) {
        std::fs::remove_file(self.descriptor.path(component)).unwrap();
    }

    fn verify(&self) -> Told {
        told(&self.descriptor, false)
    }
}

const TABLES: [&str; 8] = [
    "ma/wide",
    "md/collections",
    "me/uncompressed",
    "na/states",
    "nb/some_partitions",
    "oa/wide_tombstones",
    "da/some_partitions",
    "da/wide_tombstones",
];

/// The share of bit flips that must be told, of each component. Where it is 1 there is a checksum.
fn least_share(component: &Component, version: Version) -> f64 {
    match component {
        Component::Data | Component::Digest | Component::Crc => 1.0,
        Component::Statistics if version.has_metadata_checksum() => 1.0,
        // Estimators of keys, positions of the commit log and buckets are most of it.
        Component::Statistics => 0.3,
        // Options of the compressor may be any.
        Component::CompressionInfo => 0.7,
        Component::Index | Component::Summary => 0.9,
        Component::Partitions => 0.9,
        // A separator may be another one.
        Component::Rows => 0.7,
        // A bit that is set and should not be makes reads slower.
        Component::Filter => 0.25,
        // Letters of names that need not be listed.
        _ => 0.3,
    }
}

#[test]
fn flipped_bits_are_told() {
    const FLIPS: usize = 24;
    for table in TABLES {
        let copy = Copy::of(table);
        for component in copy.components() {
            let good = copy.read(&component);
            let step = (good.len() / FLIPS).max(1);
            let (mut flips, mut caught) = (0, 0);
            for (i, at) in (0..good.len()).step_by(step).enumerate() {
                let mut bad = good.clone();
                bad[at] ^= 1 << (i % 8);
                copy.write(&component, &bad);
                let told = copy.verify();
                flips += 1;
                caught += usize::from(told.names(component.name()));
                let must = least_share(&component, copy.descriptor.version) == 1.0;
                let named = told.names(component.name());
                assert!(!must || named, "{table} {component} {at}: {told:#?}");
            }
            copy.write(&component, &good);
            let least = least_share(&component, copy.descriptor.version);
            let share = caught as f64 / flips.max(1) as f64;
            assert!(
                flips == 0 || share >= least,
                "{table} {component}: {caught} of {flips}"
            );
        }
        assert!(copy.verify().faults.is_empty());
    }
}

#[test]
fn truncated_components_are_told() {
    for table in TABLES {
        let copy = Copy::of(table);
        for component in copy.components() {
            let good = copy.read(&component);
            for len in [0, good.len() / 3, good.len().saturating_sub(1)] {
                if len == good.len() {
                    continue;
                }
                copy.write(&component, &good[..len]);
                let told = copy.verify();
                // A filter of no bytes holds all keys; a list may end early or lack its last newline.
                let harmless = match component {
                    Component::Filter => len == 0,
                    Component::Toc => len == 0 || len + 1 == good.len(),
                    _ => false,
                };
                let named = told.names(component.name());
                assert!(harmless || named, "{table} {component} {len}: {told:#?}");
            }
            copy.write(&component, &good);
        }
    }
}

#[test]
fn components_of_another_sstable_are_told() {
    for (table, other) in [
        ("oa/some_partitions", "oa/ten"),
        ("oa/ten", "oa/some_partitions"),
        ("oa/wide", "oa/wide_reversed"),
        ("nb/merge_ties", "nb/merge_ranges"),
        ("da/some_partitions", "da/ten"),
        ("da/wide", "da/wide_reversed"),
        ("me/many", "me/uncompressed"),
    ] {
        let (copy, other) = (Copy::of(table), Copy::of(other));
        let components = other.components();
        for component in copy.components() {
            let (good, bad) = (
                copy.read(&component),
                match components.contains(&component) {
                    true => other.read(&component),
                    false => continue,
                },
            );
            if good == bad {
                continue;
            }
            copy.write(&component, &bad);
            let told = copy.verify();
            let named = told.names(component.name())
                || told.notes.iter().any(|(c, _)| c == component.name());
            // The lists, and filters of few keys that are full of ones, are alike.
            let alike = matches!(component, Component::Toc | Component::Filter);
            assert!(alike || named, "{table} {component}: {told:#?}");
            assert!(alike || !told.faults.is_empty());
            copy.write(&component, &good);
        }
    }
}

#[test]
fn missing_components_are_told() {
    for table in [
        "oa/some_partitions",
        "da/some_partitions",
        "me/uncompressed",
    ] {
        let copy = Copy::of(table);
        for component in copy.components() {
            let good = copy.read(&component);
            copy.remove(&component);
            let told = copy.verify();
            let is_fault = matches!(
                component,
                Component::Data
                    | Component::Statistics
                    | Component::Index
                    | Component::Partitions
                    | Component::CompressionInfo
            ) || component == Component::Rows && !good.is_empty();
            let list = if is_fault { &told.faults } else { &told.notes };
            let named = list.iter().any(|(c, _)| c == component.name());
            assert!(named, "{table} {component}: {told:#?}");
            assert_eq!(
                !told.faults.is_empty(),
                is_fault,
                "{table} {component}: {told:#?}"
            );
            copy.write(&component, &good);
        }
    }
}

#[test]
fn later_faults_are_found_behind_a_bad_chunk() {
    for table in ["oa/many_partitions", "da/many_partitions"] {
        let copy = Copy::of(table);
        let mut bytes = copy.read(&Component::Data);
        let good = copy.verify().report;
        for at in [bytes.len() / 4, bytes.len() / 2] {
            bytes[at] ^= 0x10;
        }
        copy.write(&Component::Data, &bytes);
        let told = copy.verify();
        let chunks = told
            .faults
            .iter()
            .filter(|(_, text)| text.contains("chunk"));
        assert_eq!(chunks.count(), 2, "{told:#?}");
        // Both, and the digest.
        assert_eq!(told.faults.len(), 3, "{told:#?}");
        let report = told.report;
        assert_eq!(
            report.partitions + report.unread_partitions,
            good.partitions
        );
        assert!(report.unread_partitions < good.partitions / 3, "{report:?}");
    }
}

#[test]
fn rows_are_read_without_an_index_and_an_index_without_rows() {
    let copy = Copy::of("oa/some_partitions");
    let good = copy.verify().report;
    copy.remove(&Component::Index);
    assert_eq!(copy.verify().report.partitions, good.partitions);
    let copy = Copy::of("oa/some_partitions");
    copy.remove(&Component::Statistics);
    let told = copy.verify();
    assert_eq!(told.report.partitions, good.partitions);
    assert_eq!(told.faults.len(), 1, "{told:#?}");
}

#[test]
fn a_wrong_checksum_of_chunks_is_not_held_against_the_data() {
    let copy = Copy::of("oa/uncompressed");
    let mut crc = copy.read(&Component::Crc);
    *crc.last_mut().unwrap() ^= 1;
    copy.write(&Component::Crc, &crc);
    let told = copy.verify();
    assert_eq!(told.faults.len(), 1, "{told:#?}");
    assert!(told.names("CRC.db") && told.report.unread_partitions == 0);
    let told = verify_file(&copy.descriptor.path(&Component::Data));
    assert!(told.faults[0].1.contains("Data.db matches its digest"));
}

/// Cassandra counts rows that it writes with no content, and deletions that it loses: see `Totals`.
#[test]
fn what_is_counted_and_not_written_is_no_fault() {
    let path = golden().join("oa/deletions/oa-1-big-Statistics.db");
    let (descriptor, _) = Descriptor::parse(&path).unwrap();
    let file = crate::io::Mapped::open(&path).unwrap();
    let statistics = Statistics::parse(&file, descriptor.version).unwrap();
    let stats = statistics.stats.unwrap();
    let faults = |change: &dyn Fn(&mut Totals)| {
        let mut totals = Totals::new(Some(&stats));
        totals.rows = stats.total_rows as u64;
        change(&mut totals);
        let mut faults = Vec::new();
        let mut tell = |finding| {
            if let Finding::Fault(e) = finding {
                faults.push(e.message().to_owned());
            }
        };
        let mut findings = Findings::new(&descriptor, &mut tell);
        totals.compare(&stats, descriptor.version, b"", &mut findings);
        faults
    };
    let says = |faults: &[String], what: &str| faults.iter().any(|fault| fault.contains(what));
    let rows = &*format!("{} rows, and there are", stats.total_rows);
    let times = "times at which data dies";
    let plain = faults(&|_| {});
    assert!(!says(&plain, rows) && says(&plain, times), "{plain:?}");
    assert!(says(&faults(&|t| t.rows -= 1), rows));
    assert!(says(&faults(&|t| t.rows += 1), rows));
    let with_static = faults(&|t| {
        t.rows -= 1;
        t.empty_static_rows = 1;
    });
    assert!(!says(&with_static, rows));
    assert!(!says(&faults(&|t| t.loses_deletions = true), times));
    let more = faults(&|t| {
        t.loses_deletions = true;
        t.drop_times = 1 << 40;
    });
    assert!(says(&more, times));
}
