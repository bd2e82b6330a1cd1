//! `verify` and `sstableverify`.

use crate::support::{Ran, copy_files, cqlite, golden, ran, run};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A copy of a golden table.
fn copy(table: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_files(&golden().join(table), dir.path());
    dir
}

fn verify(path: &Path, options: &[&str]) -> Ran {
    let mut command = cqlite();
    ran(command
        .arg("verify")
        .args(options)
        .arg(path)
        .output()
        .unwrap())
}

#[test]
fn good_sstables_are_told_in_a_line_each() {
    for (args, out) in [
        (
            &["verify", "oa/leveled"][..],
            "oa/leveled/oa-1-big: ok: 10 partitions, 10 rows, 106 bytes\n\
             oa/leveled/oa-2-big: ok: 2 partitions, 2 rows, 42 bytes\n",
        ),
        (
            &["verify", "-q", "da/single/da-1-bti-TOC.txt"],
            "da/single/da-1-bti: ok: 1 partition in the index, data not read\n",
        ),
    ] {
        let expected = Ran {
            out: out.to_owned(),
            err: String::new(),
            status: 0,
        };
        assert_eq!(run(args), expected);
    }
}

#[test]
fn tables_of_secondary_indexes_are_verified_with_their_table() {
    let ran = run(&["verify", "nb/data/shop"]);
    assert_eq!((ran.status, &*ran.err), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("/.customers_by_name/"), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.contains(": ok: ")));
}

#[test]
fn each_fault_is_a_line_and_the_others_are_still_checked() {
    let dir = copy("oa/leveled");
    let data = dir.path().join("oa-1-big-Data.db");
    let mut bytes = fs::read(&data).unwrap();
    bytes[20] ^= 1;
    fs::write(&data, bytes).unwrap();
    let ran = verify(dir.path(), &[]);
    assert_eq!(ran.status, 1);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.out);
    for line in &lines[..2] {
        assert!(line.contains("oa-1-big-Data.db: "), "{line}");
        assert!(line.contains("checksum"), "{line}");
    }
    assert!(
        lines[2].contains("oa-1-big: bad: 2 faults; 0 partitions"),
        "{}",
        lines[2]
    );
    assert!(lines[2].ends_with("10 partitions could not be read"));
    assert!(lines[3].contains("oa-2-big: ok: "));
    // Without data nothing is wrong.
    assert_eq!(verify(dir.path(), &["-q"]).status, 0);
}

#[test]
fn a_long_list_of_faults_is_cut_unless_it_is_asked_for() {
    let dir = copy("oa/many_partitions");
    let other = golden().join("oa/some_partitions/oa-1-big-Index.db");
    fs::copy(other, dir.path().join("oa-1-big-Index.db")).unwrap();
    let of_index = |ran: &Ran| ran.out.lines().filter(|l| l.contains("Index.db: ")).count();
    let cut = verify(dir.path(), &[]);
    assert_eq!((cut.status, of_index(&cut)), (1, 100));
    assert!(cut.out.contains("more faults of Index.db (-a names all)"));
    let all = verify(dir.path(), &["-a"]);
    assert!(of_index(&all) > 10_000);
}

#[test]
fn missing_components_are_told_and_no_fault_if_optional() {
    let dir = copy("oa/single");
    fs::remove_file(dir.path().join("oa-1-big-Filter.db")).unwrap();
    fs::remove_file(dir.path().join("oa-1-big-Digest.crc32")).unwrap();
    let ran = verify(dir.path(), &[]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.contains("oa-1-big: ok: "));
    assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
    assert!(ran.err.contains("oa-1-big-Filter.db: the file is missing"));
    fs::remove_file(dir.path().join("oa-1-big-Index.db")).unwrap();
    assert_eq!(verify(dir.path(), &[]).status, 1);
}

#[test]
fn what_cannot_be_verified_has_its_own_status() {
    let dir = copy("oa/single");
    let absent = verify(&dir.path().join("oa-7-big-Data.db"), &[]);
    assert_eq!((absent.status, &*absent.out), (2, ""));
    fs::write(dir.path().join("la-9-big-Data.db"), "x").unwrap();
    let ran = verify(dir.path(), &[]);
    assert_eq!(ran.status, 3, "{}", ran.err);
    assert!(ran.out.contains("oa-1-big: ok: "));
    assert!(ran.err.contains("`la`"), "{}", ran.err);
}

#[cfg(unix)]
#[test]
fn it_is_called_as_sstableverify() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("sstableverify");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cqlite"), &link).unwrap();
    let data = golden().join("nb/data");
    let verify = |args: &[&str]| {
        let mut command = Command::new(&link);
        ran(command
            .arg("--data")
            .arg(&data)
            .args(args)
            .output()
            .unwrap())
    };
    let good = verify(&["-f", "-e", "shop", "customers"]);
    assert_eq!(good.status, 0, "{}", good.err);
    assert!(good.out.lines().count() >= 1);
    assert!(
        good.out
            .lines()
            .all(|line| line.contains("/customers-") && line.contains(": ok: "))
    );
    let old = verify(&["-f", "--check_version", "shop", "customers"]);
    assert_eq!(old.status, 1);
    assert!(old.out.contains("its version is nb"), "{}", old.out);
    let absent = verify(&["shop", "nothing"]);
    assert_eq!(absent.status, 2);
    assert!(absent.err.contains("customers"), "{}", absent.err);
    let refused = verify(&["-t", "1,2", "shop", "customers"]);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("-t"), "{}", refused.err);
}
