//! Transcripts of the real binary: what it says, where, and with which status.

use crate::support::{Ran, children, copy_files, cqlite, golden, name, ran, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const DELETIONS: &str = "oa/deletions/oa-1-big-Data.db";

fn says(status: i32, err: &str) -> Ran {
    Ran {
        out: String::new(),
        err: err.to_owned(),
        status,
    }
}

#[test]
fn bad_arguments_are_told_with_what_to_type() {
    for (args, err) in [
        (
            &["dmup"][..],
            "error: unrecognized subcommand 'dmup'\n\n  tip: a similar subcommand exists: 'dump'\n\n\
             Usage: cqlite <COMMAND>\n\nFor more information, try '--help'.\n",
        ),
        (
            &["dump"],
            "error: the following required arguments were not provided:\n  <PATH>\n\n\
             Usage: cqlite dump <PATH>\n\nFor more information, try '--help'.\n",
        ),
        (
            &["dump", DELETIONS, "-k", "x"],
            "cqlite: Unable to make int from 'x' (keys of this table are of type int)\n",
        ),
        (
            &["dump", "oa/deletions/oa-9-big-Data.db"],
            "cqlite: oa/deletions/oa-9-big-Data.db: there is no such file or directory \
             (oa/deletions holds oa-1-big-Data.db)\n",
        ),
        (
            &["metadata", "oa/deletions/schema.cql"],
            "cqlite: oa/deletions/schema.cql: its name is not one of an SSTable's file \
             (names look like `oa-1-big-Data.db` or `da-1-bti-Data.db`)\n",
        ),
        (
            &["query", "SELECT * FROM deletions", "oa/deletions"],
            "cqlite: the statement stands where the path belongs (cqlite query PATH \"SELECT ...\")\n",
        ),
        (
            &[
                "query",
                "oa/deletions",
                "SELECT * FROM deletions",
                "--schema",
                "none.cql",
            ],
            "cqlite: none.cql: there is no such file or directory\n",
        ),
        (
            &[
                "query",
                "oa/deletions",
                "SELECT * FROM deletions",
                "--schema",
                "/dev/null",
            ],
            "cqlite: /dev/null: the schema has no table `deletions` (it is to hold a CREATE TABLE statement)\n",
        ),
    ] {
        assert_eq!(run(args), says(2, err));
    }
}

#[test]
fn versions_that_cannot_be_read_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for (file, says) in [
        ("ks-t-jb-1-Data.db", "version `jb`"),
        ("la-1-big-Data.db", "version `la`"),
        ("ms-1-big-Data.db", "ScyllaDB"),
    ] {
        let table = dir.path().join(file.replace('.', "_"));
        fs::create_dir(&table).unwrap();
        fs::write(table.join(file), "x").unwrap();
        for path in [table.join(file), table] {
            let ran = ran(cqlite().arg("dump").arg(&path).output().unwrap());
            assert_eq!((ran.status, &*ran.out), (3, ""), "{}", ran.err);
            assert!(
                ran.err.contains(says) && ran.err.contains(file),
                "{}",
                ran.err
            );
        }
    }
}

#[test]
fn help_fits_a_terminal_and_gives_examples() {
    for args in [
        &["--help"][..],
        &["dump", "--help"],
        &["metadata", "--help"],
    ] {
        let ran = run(args);
        assert_eq!((ran.status, &*ran.err), (0, ""));
        assert!(ran.out.contains("Examples:\n  cqlite "));
        let longest = ran.out.lines().map(str::len).max();
        assert!(longest <= Some(80), "{args:?}: {longest:?}");
    }
}

#[test]
fn a_directory_gives_one_array_an_sstable() {
    let table = "oa/statics";
    let mut data = children(&golden().join(table));
    data.retain(|path| is_data(path));
    let each = |option: &str| -> Vec<String> {
        let one = |path: &PathBuf| run(&["dump", option, &format!("{table}/{}", name(path))]).out;
        data.iter().map(one).collect()
    };
    for (option, separator) in [("--now=1", "\n"), ("-e", "\n"), ("-l", "\n"), ("-d", "")] {
        let ran = run(&["dump", option, table]);
        assert_eq!(ran.out, each(option).join(separator), "{option}");
    }
}

fn is_data(path: &Path) -> bool {
    name(path).ends_with("-Data.db")
}

#[test]
fn keys_are_chosen_and_left_out() {
    let keys = |args: &[&str]| -> Vec<String> {
        let ran = run(&[&["dump", "-l", DELETIONS], args].concat());
        assert_eq!((ran.status, &*ran.err), (0, ""));
        let lines = ran.out.lines().map(|line| {
            let partition: Value = serde_json::from_str(line).unwrap();
            let key = &partition["partition"]["key"][0];
            key.as_str().unwrap().to_owned()
        });
        lines.collect()
    };
    assert_eq!(keys(&[]), ["5", "1", "2", "4", "6", "3"]);
    // In the order of the SSTable, and each once.
    assert_eq!(keys(&["-k", "4", "-k", "5", "-k", "4"]), ["5", "4"]);
    assert_eq!(keys(&["-x", "5", "-x", "2"]), ["1", "4", "6", "3"]);
    assert_eq!(keys(&["-k", "4", "-k", "5", "-x", "5"]), ["4"]);
    assert_eq!(keys(&["-k", "-4"]), [""; 0]);
    assert_eq!(run(&["dump", DELETIONS, "-k", "77"]).out, "[ ]");

    let composite = "oa/all_types_key/oa-1-big-Data.db";
    let all = run(&["dump", "-d", composite]).out;
    let key = &all[1..all.find("]@").unwrap()];
    let one = run(&["dump", "-d", composite, "-k", key]);
    assert_eq!(one.err, "");
    assert!(!one.out.is_empty() && all.starts_with(&one.out));
}

/// A copy of a golden table without some components.
fn without(table: &str, components: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_files(&golden().join(table), dir.path());
    for path in children(dir.path()) {
        if components.iter().any(|c| name(&path).ends_with(c)) {
            fs::remove_file(path).unwrap();
        }
    }
    dir
}

fn dump(args: &[&str], path: &Path) -> Ran {
    ran(cqlite().arg("dump").args(args).arg(path).output().unwrap())
}

#[test]
fn optional_components_may_be_missing() {
    for (table, components, expected) in [
        (
            "oa/deletions",
            &[
                "Index.db",
                "Summary.db",
                "Filter.db",
                "TOC.txt",
                "Digest.crc32",
            ][..],
            "going on without Index.db, Summary.db, Digest.crc32, TOC.txt\n",
        ),
        (
            "da/deletions",
            &["Partitions.db", "Filter.db", "Digest.crc32"],
            "going on without Partitions.db, Filter.db, Digest.crc32\n",
        ),
    ] {
        let dir = without(table, components);
        for args in [&[][..], &["-e"], &["-k", "4"], &["-d"]] {
            let whole = run(&[&["dump"], args, &[table]].concat());
            let part = dump(args, dir.path());
            assert_eq!((part.status, &part.out), (0, &whole.out), "{args:?}");
            assert!(part.err.ends_with(expected), "{}", part.err);
        }
    }
}

#[test]
fn data_and_statistics_must_be_there() {
    for component in ["Data.db", "Statistics.db", "CompressionInfo.db"] {
        let dir = without("oa/deletions", &[component]);
        let ran = dump(&[], dir.path());
        assert_eq!((ran.status, &*ran.out), (2, ""), "{}", ran.err);
        let expected = format!("oa-1-big-{component}: the SSTable has no {component} (restore");
        assert!(ran.err.contains(&expected), "{}", ran.err);
    }
    // Metadata needs no data.
    let dir = without("oa/deletions", &["Data.db", "Index.db"]);
    let ran = ran(cqlite().arg("metadata").arg(dir.path()).output().unwrap());
    assert_eq!((ran.status, &*ran.err), (0, ""));
}

#[test]
fn what_precedes_a_fault_is_printed() {
    for table in ["oa/deletions", "da/deletions", "nb/statics"] {
        let dir = without(table, &["Digest.crc32"]);
        let data = children(dir.path()).into_iter().find(|path| is_data(path));
        let data = data.unwrap();
        let whole = dump(&["-l"], &data).out;
        let bytes = fs::read(&data).unwrap();
        for len in 0..bytes.len() {
            fs::write(&data, &bytes[..len]).unwrap();
            let ran = dump(&["-l"], &data);
            assert_eq!(ran.status, 1, "{table} cut to {len}: {}", ran.err);
            assert!(ran.err.contains("Data.db"), "{}", ran.err);
            assert!(whole.starts_with(&ran.out), "{table} cut to {len}");
        }
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            fs::write(&data, &flipped).unwrap();
            let ran = dump(&["-l"], &data);
            assert_eq!(ran.status, 1, "{table} flipped at {at}");
            assert!(ran.err.contains("checksum"), "{}", ran.err);
        }
    }
}

#[test]
fn values_that_cannot_be_shown_are_told_with_their_place() {
    // Without compression and checksums nothing else notices.
    let dir = without("oa/uncompressed_small", &["CRC.db", "Digest.crc32"]);
    let data = dir.path().join("oa-1-big-Data.db");
    let mut bytes = fs::read(&data).unwrap();
    let at = bytes.iter().position(|b| *b == b'a').unwrap();
    bytes[at] = 0xff;
    fs::write(&data, bytes).unwrap();
    for option in ["-l", "-d"] {
        let ran = dump(&[option], &data);
        // In debug text Cassandra shows bytes for what it cannot decode.
        let status = i32::from(option == "-l");
        assert_eq!(ran.status, status, "{}", ran.err);
        let place = "oa-1-big-Data.db: at offset 7, partition 0x00000001: no value of type text";
        assert_eq!(ran.err.contains(place), option == "-l", "{}", ran.err);
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    for args in [&["dump", "oa"][..], &["metadata", "oa"]] {
        let mut child = cqlite()
            .current_dir(golden())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[cfg(unix)]
#[test]
fn nobody_need_read_standard_error() {
    let dir = without("oa/deletions", &["Summary.db", "Filter.db", "Digest.crc32"]);
    for verb in ["dump", "metadata", "verify"] {
        let mut command = cqlite();
        let command = command.arg(verb).arg(dir.path()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{verb}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let full = fs::File::create("/dev/full").unwrap();
    let mut command = cqlite();
    let command = command.current_dir(golden()).args(["dump", DELETIONS]);
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.status, 3);
    assert!(
        ran.err
            .starts_with("cqlite: cannot write standard output: "),
        "{}",
        ran.err
    );
}

#[cfg(unix)]
#[test]
fn links_take_the_options_of_cassandras_tools() {
    let dir = tempfile::tempdir().unwrap();
    let link = |tool: &str| {
        let path = dir.path().join(tool);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cqlite"), &path).unwrap();
        let mut command = std::process::Command::new(path);
        command.current_dir(golden()).env("TZ", "UTC");
        command
    };
    let dumped = ran(link("sstabledump")
        .args([DELETIONS, "-t", "-k", "1", "4", "-x", "4", "-l"])
        .output()
        .unwrap());
    assert_eq!(dumped.err, "");
    assert_eq!(dumped.out, run(&["dump", "-tl", DELETIONS, "-k", "1"]).out);
    let shown = ran(link("sstablemetadata")
        .args(["--gc_grace_seconds", "5", "-t", "SECONDS", DELETIONS])
        .output()
        .unwrap());
    assert_eq!(shown.err, "");
    assert!(shown.out.contains("EncodingStats minTimestamp: "));
}

fn json_lines(args: &[&str]) -> Vec<Value> {
    let ran = run(&[&["metadata", "--json"], args].concat());
    assert_eq!((ran.status, &*ran.err), (0, ""));
    let lines = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn metadata_as_json() {
    let objects = json_lines(&["-s", "oa/deletions", "nb/deletions"]);
    assert_eq!(objects.len(), 2);
    for object in &objects {
        assert_eq!(object["max_timestamp"], 1_700_000_000_000_030i64);
        assert_eq!(object["max_local_deletion_time"], Value::Null);
        assert_eq!(object["first_key"]["token"], "-7509452495886106294");
        assert_eq!(
            object["covered_clusterings"]["start"]["values"][0]["text"],
            "1"
        );
        assert_eq!(object["compression"]["chunk_length"], 16384);
        assert_eq!(object["scanned"]["partitions"], 6);
        assert_eq!(object["scanned"]["rows"], object["total_rows"]);
    }
    let keys =
        |object: &Value| -> Vec<String> { object.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&objects[0]), keys(&objects[1]));
    let fields = ["sstable", "version", "format", "id", "partitioner"];
    assert_eq!(keys(&objects[0])[..5], fields);
}

#[test]
fn every_path_is_shown_whatever_happens_to_the_others() {
    let ran = run(&["metadata", "oa/none", DELETIONS, "oa/deletions/schema.cql"]);
    assert_eq!(ran.status, 2);
    assert!(ran.out.starts_with("SSTable: "));
    assert_eq!(ran.err.lines().count(), 2);
}

#[test]
fn transactions_decide_which_sstables_are_live() {
    for version in ["nb", "oa", "da"] {
        for (table, live) in [
            ("transaction_open", &["1", "2"][..]),
            ("transaction_committed", &["3"]),
        ] {
            let objects = json_lines(&[&format!("{version}/{table}")]);
            let ids: Vec<_> = objects.iter().map(|o| o["id"].as_str().unwrap()).collect();
            assert_eq!(ids, live, "{version} {table}");
        }
    }
}

#[test]
fn a_data_directory_is_all_its_tables() {
    let objects = json_lines(&["oa/data"]);
    let paths: Vec<_> = objects
        .iter()
        .map(|o| o["sstable"].as_str().unwrap())
        .collect();
    for keyspace in ["/Mixed/", "/metrics/", "/shop/", "/system_schema/"] {
        assert!(
            paths.iter().any(|path| path.contains(keyspace)),
            "{keyspace}"
        );
    }
    // Neither hard links nor hidden tables: those have paths of their own.
    for part in ["/snapshots/", "/backups/", "/."] {
        assert!(!paths.iter().any(|path| path.contains(part)), "{part}");
    }
    let customers = "oa/data/shop/customers-0746be90833b11eeb90d57c9825ebde6";
    for part in ["snapshots/before_drop", "backups", ".customers_by_name"] {
        assert!(!json_lines(&[&format!("{customers}/{part}")]).is_empty());
    }
    let index = run(&["dump", "-l", &format!("{customers}/.customers_by_name")]).out;
    assert!(index.starts_with("{\"table kind\":\"INDEX\","));
}
