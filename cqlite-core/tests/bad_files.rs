//! Things in the place of files that no version control keeps: pipes, devices, links, files that may not be read; and
//! files that contradict each other. `test-data/bad` holds the rest, which `cqlite-cli/tests/cli/bad_files.rs` reads.

use cqlite_core::model::PartitionSource;
use cqlite_core::read::TableReader;
use cqlite_core::schema::TableSchema;
use cqlite_core::sstable::{Component, Descriptor, OpenOptions, SSTable, directory};
use cqlite_core::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// A copy of a golden table's first SSTable.
struct Copy {
    directory: tempfile::TempDir,
    descriptor: Descriptor,
}

impl Copy {
    fn of(table: &str) -> Copy {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../test-data/golden")
            .join(table);
        let directory = tempfile::tempdir().unwrap();
        let mut found = None;
        for entry in std::fs::read_dir(golden).unwrap() {
            let path = entry.unwrap().path();
            if let Ok((descriptor, _)) = Descriptor::parse(&path) {
                std::fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
                found = Some(descriptor);
            }
        }
        let descriptor = Descriptor {
            directory: directory.path().to_owned(),
            ..found.unwrap()
        };
        Copy {
            directory,
            descriptor,
        }
    }

    /// The path of a component that is no longer there.
    fn without(&self, component: &Component) -> PathBuf {
        let path = self.descriptor.path(component);
        std::fs::remove_file(&path).unwrap();
        path
    }

    /// Opens it and reads every partition by its scan and one by the index; what does not end in time panics.
    fn read(&self) -> Result<u64> {
        let descriptor = self.descriptor.clone();
        let (done, result) = mpsc::channel();
        std::thread::spawn(move || done.send(read(descriptor)));
        result
            .recv_timeout(Duration::from_secs(20))
            .expect("it does not end")
    }
}

fn read(descriptor: Descriptor) -> Result<u64> {
    let sstable = SSTable::open_descriptor(descriptor, &OpenOptions::default())?;
    let types = sstable.statistics().header.types()?;
    let schema = TableSchema::from_headers("ks", "t", &[types], None)?;
    let table = TableReader::open(schema, vec![sstable.clone()])?;
    let mut scan = sstable.scan()?;
    let (mut partitions, mut first) = (0, None);
    while scan.next_partition()? {
        partitions += 1;
        if first.is_none() {
            first = Some(scan.partition().key.to_vec());
        }
    }
    if let Some(key) = first {
        table.read(&key, &[], false)?.next_partition()?;
    }
    Ok(partitions)
}

fn told(result: Result<u64>, kind: ErrorKind, file: &Path, message: &str) {
    let e: Error = result.expect_err("a bad file is read");
    assert_eq!((e.kind(), e.message()), (kind, message), "{e}");
    assert_eq!(e.location().file.as_deref(), Some(file), "{e}");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const OPENED: [Component; 7] = [
        Component::Data,
        Component::Statistics,
        Component::CompressionInfo,
        Component::Toc,
        Component::Index,
        Component::Summary,
        Component::Filter,
    ];

    fn make_pipe(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    }

    #[test]
    fn pipes_and_devices_are_refused_without_being_opened() {
        const REFUSED: &str = "it is a pipe, socket or device, not a file";
        for component in OPENED {
            let copy = Copy::of("oa/key_composite");
            make_pipe(&copy.without(&component));
            let path = copy.descriptor.path(&component);
            told(copy.read(), ErrorKind::InvalidInput, &path, REFUSED);

            let copy = Copy::of("oa/key_composite");
            symlink("/dev/zero", copy.without(&component)).unwrap();
            let path = copy.descriptor.path(&component);
            told(copy.read(), ErrorKind::InvalidInput, &path, REFUSED);
        }
        let copy = Copy::of("oa/uncompressed_small");
        make_pipe(&copy.without(&Component::Crc));
        let path = copy.descriptor.path(&Component::Crc);
        told(copy.read(), ErrorKind::InvalidInput, &path, REFUSED);
    }

    #[test]
    fn a_transaction_log_that_is_a_pipe_is_refused() {
        let copy = Copy::of("oa/key_composite");
        let log = copy.directory.path().join("oa_txn_compaction_0.log");
        make_pipe(&log);
        let e = directory::resolve(copy.directory.path()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
        assert_eq!(e.location().file.as_deref(), Some(&*log));
    }

    #[test]
    fn directories_are_refused() {
        for component in OPENED {
            let copy = Copy::of("oa/key_composite");
            std::fs::create_dir(copy.without(&component)).unwrap();
            let path = copy.descriptor.path(&component);
            let message = "it is a directory, not a file";
            told(copy.read(), ErrorKind::InvalidInput, &path, message);
        }
    }

    #[test]
    fn links_are_followed_as_far_as_they_lead() {
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = Copy::of("oa/key_composite");
        let partitions = copy.read().unwrap();
        for component in OPENED {
            let path = copy.descriptor.path(&component);
            let moved = elsewhere.path().join(component.name());
            std::fs::rename(&path, &moved).unwrap();
            symlink(&moved, &path).unwrap();
        }
        assert_eq!(copy.read().unwrap(), partitions);

        let path = copy.without(&Component::Data);
        symlink(elsewhere.path().join("nowhere"), &path).unwrap();
        assert_eq!(copy.read().unwrap_err().kind(), ErrorKind::NotFound);

        let path = copy.without(&Component::Data);
        symlink(&path, &path).unwrap();
        let e = copy.read().unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Io, "{e}");
        assert_eq!(e.location().file.as_deref(), Some(&*path));
    }

    #[test]
    fn files_that_may_not_be_read_are_named() {
        for component in OPENED {
            let copy = Copy::of("oa/key_composite");
            let path = copy.descriptor.path(&component);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
            if std::fs::File::open(&path).is_ok() {
                // The superuser reads everything.
                return;
            }
            let e = copy.read().unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Io, "{e}");
            assert_eq!(e.location().file.as_deref(), Some(&*path), "{e}");
        }
    }
}

/// An index out of another SSTable, or one that leads to another partition, must not make a partition vanish.
#[test]
fn an_index_that_leads_to_another_key_is_corrupt() {
    let copy = Copy::of("oa/some_partitions");
    let path = copy.descriptor.path(&Component::Index);
    let mut index = std::fs::read(&path).unwrap();
    // The first entry is of the key that is asked for: let it lead where the second does.
    let entries: Vec<_> = cqlite_core::sstable::big::IndexEntries::from(&index, 0)
        .take(2)
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.position as usize + 2 + entry.key.len(),
                entry.data_position,
            )
        })
        .collect();
    let (at, second) = (entries[0].0, entries[1].1);
    assert_eq!(entries[0].1, 0);
    assert!((1..0x80).contains(&second), "one byte");
    index[at] = second as u8;
    std::fs::write(&path, index).unwrap();
    let e = copy.read().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}");
    assert_eq!(
        e.message(),
        "the partition here has another key than the index says"
    );
    assert_eq!(e.location().offset, Some(second));
    assert!(e.location().partition_key.is_some());
}
