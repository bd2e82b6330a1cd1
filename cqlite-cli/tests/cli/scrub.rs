//! `scrub`: what it saves of every bad file, what it says of the rest, and that it changes nothing.

use crate::support::{Ran, children, copy_files, cqlite, golden, name, ran, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn bad() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/bad")
}

/// What the files of a directory hold.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = children(directory).into_iter().filter(|p| p.is_file());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Scrubs a directory, with options, and verifies what comes of it.
fn scrub(path: &Path, out: &Path, options: &[&str]) -> (Ran, Vec<Value>) {
    let args = ["scrub", text(path), "--out", text(out)];
    let ran = run(&[&args[..], options].concat());
    let is_sstable = |path: &PathBuf| name(path).ends_with("-Data.db");
    if children(out).iter().any(is_sstable) {
        let verified = run(&["verify", text(out)]);
        assert_eq!(verified.status, 0, "{path:?}: {}", verified.out);
    }
    // What is printed is what the manifests hold.
    let manifests = children(out)
        .into_iter()
        .filter(|path| name(path).starts_with("scrub-"));
    let held: String = manifests
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(ran.out, held, "{path:?}");
    let values = serde_json::Deserializer::from_str(&held).into_iter();
    let values = values.collect::<Result<_, _>>().unwrap();
    (ran, values)
}

#[test]
fn of_bad_files_all_that_can_be_read_is_saved() {
    let mut summaries = String::new();
    for case in children(&bad()).into_iter().filter(|p| p.is_dir()) {
        let before = files(&case);
        let dir = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let (ran, manifests) = scrub(&case, &dir.path().join("out"), &[]);
        assert!(start.elapsed() < Duration::from_secs(20), "{case:?}");
        assert_eq!(files(&case), before, "{case:?} was changed");
        assert!(ran.status < 4, "{case:?}: {}", ran.err);
        // The last line says it all.
        let last = ran.err.lines().last().unwrap_or_default();
        let last = last.replace(&format!("{}/", case.display()), "");
        let last = last.replace(&format!("{}/", bad().display()), "");
        let last = last.replace("cqlite: ", "");
        summaries += &format!("{} {} {last}\n", name(&case), ran.status);
        if manifests.is_empty() {
            assert!(!dir.path().join("out").exists(), "{case:?}: {last}");
        }
    }
    let expected = bad().join("scrubbed");
    if std::env::var_os("CQLITE_EXPECT").is_some() {
        fs::write(expected, summaries).unwrap();
    } else {
        assert_eq!(summaries, fs::read_to_string(expected).unwrap());
    }
}

/// What `dump` shows, without the positions in Data.db.
fn dump(path: &str) -> String {
    let ran = run(&["dump", path]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let lines = ran.out.lines().filter(|l| !l.contains("\"position\""));
    lines.map(|l| l.to_owned() + "\n").collect()
}

#[test]
fn what_is_good_is_dumped_as_before() {
    for table in ["na/mixed", "oa/wide_tombstones", "mc/states", "da/wide_two"] {
        for version in ["nb", "oa", "da"] {
            let dir = tempfile::tempdir().unwrap();
            let (ran, manifests) = scrub(Path::new(table), dir.path(), &["--version", version]);
            assert_eq!(ran.status, 0, "{}", ran.err);
            assert_eq!(dump(text(dir.path())), dump(table), "{table} as {version}");
            assert!(manifests.iter().all(|m| m["lost"]["entries"] == 0));
        }
    }
}

#[test]
fn rows_around_a_bad_chunk_are_saved_and_the_others_named() {
    for table in [
        "oa/compressed_lz4",
        "da/compressed_lz4",
        "nb/compressed_zstd",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (of, out) = (dir.path().join("of"), dir.path().join("out"));
        copy_files(&golden().join(table), &of);
        let data = children(&of);
        let data = data.iter().find(|p| name(p).ends_with("-Data.db")).unwrap();
        let mut bytes = fs::read(data).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(data, bytes).unwrap();
        let (ran, manifests) = scrub(&of, &out, &[]);
        assert_eq!(ran.status, 1, "{}", ran.err);
        let manifest = &manifests[0];
        let saved = manifest["saved"]["rows"].as_u64().unwrap();
        let lost = manifest["lost"]["rows"].as_u64().unwrap();
        assert!(saved > 0 && lost > 0, "{manifest}");
        let all = dump(table).matches("\"type\" : \"row\"").count() as u64;
        assert_eq!(saved + lost, all, "{manifest}");
        let entries = manifest["entries"].as_array().unwrap();
        let digest = entries[0]["message"].as_str().unwrap();
        assert!(digest.contains("Digest.crc32 says"), "{digest}");
        for entry in &entries[1..] {
            let (start, end) = (entry["start"].as_u64(), entry["end"].as_u64());
            assert!(start.is_some() && start <= end, "{entry}");
            assert_eq!(start == end, entry["type"] != "rows", "{entry}");
            assert!(entry["key"][0].is_string(), "{entry}");
        }
    }
}

#[cfg(unix)]
#[test]
fn it_is_called_as_sstablescrub() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    let table = root.join("ks/t-0123456789abcdef0123456789abcdef");
    copy_files(&golden().join("oa/leveled"), &table);
    let link = dir.path().join("sstablescrub");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cqlite"), &link).unwrap();
    let out = dir.path().join("out");
    let args = ["-s", "-n", "-r", "-v", "ks", "t", "--data", text(&root)];
    let called = Command::new(link)
        .args(args)
        .arg("--out")
        .arg(&out)
        .output();
    let called = ran(called.unwrap());
    assert_eq!(called.status, 0, "{}", called.err);
    assert_eq!(dump(text(&out)), dump("oa/leveled"));
    // A second time nothing is overwritten.
    let before = files(&out);
    let again = ran(cqlite()
        .args(["scrub", text(&table), "--out", text(&out)])
        .output()
        .unwrap());
    assert_eq!(again.status, 0, "{}", again.err);
    let after = files(&out);
    assert!(
        before
            .iter()
            .all(|(path, bytes)| after.get(path) == Some(bytes))
    );
    assert_eq!(after.len(), 2 * before.len());
}
