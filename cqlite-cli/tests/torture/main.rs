//! A database on a disk that fails at each of its operations in turn, or on a machine that ends there (`disk.c`): it opens
//! again, and has all that was acknowledged, nothing twice, and nothing by halves.
//!
//! `CQLITE_TORTURE=N` takes every `N`th operation, and each seed from `CQLITE_TORTURE_SEED` on; 1 is all of them.

#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const CQLITE: &str = env!("CARGO_BIN_EXE_cqlite");

/// Operations between two that are tried, unless told otherwise.
const STRIDE: usize = 83;

/// The longest that a run may take: one that takes longer waits for what never comes.
const LONGEST: Duration = Duration::from_secs(120);

/// Seconds since 1970 at which everything is done.
const NOW: &str = "1700000000";

const BEFORE: [&str; 6] = [
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE ks.t (p int, c int, v text, s text static, m map<text, int>, PRIMARY KEY (p, c)) WITH gc_grace_seconds = 0",
    "CREATE TABLE ks.counts (k text PRIMARY KEY, n counter)",
    "INSERT INTO ks.t (p, c, v, s, m) VALUES (1, 1, 'before', 'static', {'a': 1})",
    "INSERT INTO ks.t (p, c, v) VALUES (2, 1, 'before')",
    "UPDATE ks.counts SET n = n + 7 WHERE k = 'k'",
];

const STATEMENTS: [&str; 18] = [
    "INSERT INTO ks.t (p, c, v) VALUES (1, 2, 'new')",
    "UPDATE ks.t SET v = 'over', m['b'] = 2 WHERE p = 1 AND c = 1",
    "UPDATE ks.counts SET n = n + 1 WHERE k = 'k'",
    "BEGIN BATCH INSERT INTO ks.t (p, c, v) VALUES (3, 1, 'x'); DELETE FROM ks.t WHERE p = 2; UPDATE ks.t SET s = 'S' WHERE p = 3; \
     APPLY BATCH",
    "INSERT INTO ks.t (p, c, v) VALUES (3, 1, 'y') IF NOT EXISTS",
    "UPDATE ks.t SET v = 'z' WHERE p = 3 AND c = 1 IF v = 'x'",
    "CREATE TABLE ks.made (k int PRIMARY KEY, v int)",
    "INSERT INTO ks.made (k, v) VALUES (1, 1)",
    "BEGIN BATCH INSERT INTO ks.made (k, v) VALUES (2, 2); INSERT INTO ks.t (p, c, v) VALUES (4, 4, 'both'); APPLY BATCH",
    "UPDATE ks.counts SET n = n - 3 WHERE k = 'k'",
    "ALTER TABLE ks.made ADD w text",
    "INSERT INTO ks.made (k, v, w) VALUES (3, 3, 'w')",
    "DELETE FROM ks.t WHERE p = 1 AND c >= 2",
    "INSERT INTO ks.t (p, c, v) VALUES (5, 1, 'row')",
    "TRUNCATE ks.made",
    "INSERT INTO ks.made (k, v, w) VALUES (4, 4, 'behind')",
    "DROP TABLE ks.made",
    "INSERT INTO ks.t (p, c, v) VALUES (6, 1, 'last')",
];

const QUERIES: [&str; 3] = [
    "SELECT JSON * FROM ks.t",
    "SELECT JSON * FROM ks.counts",
    "SELECT JSON * FROM ks.made",
];

/// Statements on a database, those that were acknowledged.
fn exec(directory: &Path, statements: &[&str], set: impl FnOnce(&mut Command)) -> (Output, usize) {
    let mut command = Command::new(CQLITE);
    command.args(["exec", "--ack", "--now", NOW]).arg(directory);
    let file = directory.with_extension("cql");
    std::fs::write(&file, statements.join(";\n")).unwrap();
    command.arg("-f").arg(&file).stdin(Stdio::null());
    set(&mut command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > LONGEST {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    let acknowledged = output.stdout.iter().filter(|b| **b == b'\n').count();
    (output, acknowledged)
}

/// All that the database answers.
fn answers(directory: &Path) -> String {
    let mut all = String::new();
    for query in QUERIES {
        let path = directory.to_str().unwrap();
        let command = Command::new(CQLITE).args(["query", path, query]).output();
        let output = command.unwrap();
        // A table that is not there is an answer, too.
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(0 | 2)),
            "{query}: {errors}"
        );
        all += &format!("{query}: {}\n", output.status);
        all += &String::from_utf8(output.stdout).unwrap();
    }
    all
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => _ = std::fs::copy(entry.path(), to).unwrap(),
        }
    }
}

/// Where all happens: on the disk that the compiled tests are on.
struct Place {
    root: tempfile::TempDir,
    disk: PathBuf,
    base: PathBuf,
    /// What is answered after each count of statements.
    states: Vec<String>,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let disk = root.path().join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/disk.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
            .args([&disk, &source])
            .args(["-ldl", "-lpthread"])
            .status();
        assert!(compiled.unwrap().success());
        let base = root.path().join("base");
        // Each part is flushed.
        for part in BEFORE.chunks(3) {
            assert_eq!(exec(&base, part, |_| ()).1, part.len());
        }
        let states = (0..=STATEMENTS.len()).map(|count| {
            let directory = root.path().join("state");
            copy(&base, &directory);
            let (output, acknowledged) = exec(&directory, &STATEMENTS[..count], |_| ());
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(acknowledged, count, "{errors}");
            let answers = answers(&directory);
            std::fs::remove_dir_all(&directory).unwrap();
            answers
        });
        let states = states.collect();
        Place {
            disk,
            base,
            states,
            root,
        }
    }

    /// Carries the statements out on a disk of this kind that fails at an operation; returns the count of operations.
    fn run(&self, kind: &str, at: usize, seed: u64) -> usize {
        let what = format!("{kind} at {at}, seed {seed}");
        let (directory, work) = (self.root.path().join("run"), self.root.path().join("work"));
        for directory in [&directory, &work] {
            let _ = std::fs::remove_dir_all(directory);
        }
        std::fs::create_dir(&work).unwrap();
        copy(&self.base, &directory);
        let (output, acknowledged) = exec(&directory, &STATEMENTS, |command| {
            command
                .env("LD_PRELOAD", &self.disk)
                .env("DISK_DIR", &directory)
                .env("DISK_WORK", &work)
                .env("DISK_KIND", kind)
                .env("DISK_AT", at.to_string())
                .env("DISK_SEED", seed.to_string());
        });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("panicked"), "{what}: {errors}");
        let image = work.join("image");
        match (kind, output.status.code()) {
            ("kill" | "crash" | "torn", Some(137)) | (_, Some(0)) => {}
            ("eio" | "enospc", Some(1..=3)) => assert!(!errors.is_empty(), "{what} says nothing"),
            (_, code) => panic!("{what} ends with {code:?}: {errors}"),
        }
        let left = match image.exists() {
            true => &image,
            false => &directory,
        };
        // It opens, and can be written to.
        let (reopened, _) = exec(left, &[], |_| ());
        let reopening = String::from_utf8_lossy(&reopened.stderr);
        assert!(
            reopened.status.success(),
            "{what}, {acknowledged} acknowledged: {reopening}"
        );
        let found = answers(left);
        let is_state = self.states[acknowledged..].contains(&found);
        let expected = &self.states[acknowledged];
        assert!(
            is_state,
            "{what}, {acknowledged} acknowledged, {errors}\n{found}\nexpected, or what follows:\n{expected}"
        );
        let verified = Command::new(CQLITE)
            .arg("verify")
            .arg(left)
            .output()
            .unwrap();
        assert!(verified.status.success(), "{what}: {verified:?}");
        let ops = std::fs::read_to_string(work.join("ops"));
        ops.ok().map_or(usize::MAX, |text| text.parse().unwrap())
    }
}

fn setting(name: &str) -> Option<usize> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

fn torture(kind: &str) {
    let place = Place::new();
    let stride = setting("CQLITE_TORTURE").unwrap_or(STRIDE);
    let seed = setting("CQLITE_TORTURE_SEED").unwrap_or(1);
    let ops = place.run("count", 0, 0);
    assert!((100..100_000).contains(&ops), "{ops} operations");
    let mut rounds = 0;
    // Threads do not always do the same: it ends where nothing fails any more.
    for at in (seed % stride..).step_by(stride) {
        let all = place.run(kind, at, (seed + at) as u64);
        rounds += 1;
        if all <= at {
            break;
        }
    }
    println!("{kind}: {rounds} rounds, {ops} operations");
    assert!(rounds > 1);
}

#[test]
fn operations_that_fail() {
    torture("eio");
}

#[test]
fn a_disk_that_is_full_for_a_moment() {
    torture("enospc");
}

#[test]
fn a_process_that_ends() {
    torture("kill");
}

#[test]
fn a_machine_that_ends() {
    torture("crash");
}

#[test]
fn a_machine_that_ends_while_pages_are_written() {
    torture("torn");
}
