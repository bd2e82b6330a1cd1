//! `exec`: statements on a database directory, what they print, and what is left of them after a kill.

use crate::support::{Ran, ran};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCHEMA: &str = "CREATE KEYSPACE ks; USE ks; CREATE TABLE t (p int, c int, v text, w text, PRIMARY KEY (p, c));";

fn exec(directory: &Path, options: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_cqlite"))
        .arg("exec")
        .arg(directory)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run(directory: &Path, options: &[&str], statements: &str) -> Ran {
    let mut child = exec(directory, options);
    child
        .stdin
        .take()
        .unwrap()
        .write_all(statements.as_bytes())
        .unwrap();
    ran(child.wait_with_output().unwrap())
}

fn query(directory: &Path, cql: &str) -> Ran {
    let path = directory.to_str().unwrap();
    crate::support::run(&["query", path, cql])
}

#[test]
fn statements_and_their_rows() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    assert_eq!(run(directory, &["--ack"], SCHEMA).out, "1\n2\n3\n");
    let ran = run(
        directory,
        &[],
        "INSERT INTO ks.t (p, c, v) VALUES (1, 2, 'a;b');\nUSE ks;\n-- a comment\nSELECT * FROM t;\n\
         UPDATE t SET w = 'w' WHERE p = 1 AND c = 2; SELECT JSON w FROM t",
    );
    assert_eq!(ran.err, "");
    assert_eq!(
        ran.out,
        "{\"p\": 1, \"c\": 2, \"v\": \"a;b\", \"w\": null}\n{\"w\": \"w\"}\n"
    );
    assert_eq!(
        query(directory, "SELECT v, w FROM t").out,
        "{\"v\": \"a;b\", \"w\": \"w\"}\n"
    );
    // What a condition came to.
    let ran = run(
        directory,
        &[],
        "INSERT INTO ks.t (p, c) VALUES (1, 2) IF NOT EXISTS; UPDATE ks.t SET w = 'x' WHERE p = 1 AND c = 2 IF w = 'w';",
    );
    assert_eq!(
        ran.out,
        "{\"[applied]\": false, \"p\": 1, \"c\": 2, \"v\": \"a;b\", \"w\": \"w\"}\n{\"[applied]\": true}\n"
    );
    // With numbers there are no rows.
    let ran = run(
        directory,
        &["--ack"],
        "SELECT * FROM ks.t; DELETE FROM ks.t WHERE p = 1;",
    );
    assert_eq!(ran.out, "1\n2\n");
    assert_eq!(query(directory, "SELECT * FROM ks.t").out, "");

    // The first statement that fails ends it; what was before it stays.
    let ran = run(
        directory,
        &["--ack"],
        "INSERT INTO ks.t (p, c) VALUES (5, 5);\n\nINSERT INTO ks.t (p, c, v) VALUES (6, 6, 6);\nUSE ks;",
    );
    assert_eq!((ran.status, &*ran.out), (2, "1\n"));
    assert!(ran.err.contains("statement 2, in line 3"), "{}", ran.err);
    assert!(ran.err.contains("the column `v`"), "{}", ran.err);
    assert_eq!(query(directory, "SELECT p FROM ks.t").out, "{\"p\": 5}\n");
}

#[test]
fn one_process_writes_and_others_read() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run(directory, &[], SCHEMA);
    let mut child = exec(directory, &["--ack"]);
    let mut input = child.stdin.take().unwrap();
    let mut acks = BufReader::new(child.stdout.take().unwrap()).lines();
    for c in 0..20 {
        writeln!(input, "INSERT INTO ks.t (p, c, v) VALUES (1, {c}, 'x');").unwrap();
        assert_eq!(acks.next().unwrap().unwrap(), (c + 1).to_string());
        let ran = query(directory, "SELECT count(*) FROM ks.t");
        assert_eq!(ran.out, format!("{{\"count\": {}}}\n", c + 1));
    }
    let second = run(directory, &[], "");
    assert_eq!(second.status, 2);
    assert!(
        second.err.contains("the database is open elsewhere"),
        "{}",
        second.err
    );
    drop(input);
    assert!(child.wait().unwrap().success());
    let ran = query(directory, "SELECT count(*) FROM ks.t");
    assert_eq!(ran.out, "{\"count\": 20}\n");
}

/// All that was acknowledged is there, nothing by halves, whatever is killed when, flushes too; and the SSTables are good.
#[test]
fn what_was_acknowledged_survives_kills() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run(directory, &[], SCHEMA);
    let (mut sent, mut acknowledged) = (0u64, BTreeSet::new());
    for (round, acks) in [1, 150, 3, 600, 11, 300].into_iter().enumerate() {
        let mut child = exec(directory, &["--ack", "--memory", "1"]);
        let mut input = child.stdin.take().unwrap();
        let first = sent;
        let writer = std::thread::spawn(move || {
            let mut next = first;
            loop {
                let (p, long) = (next % 7, "y".repeat((next % 50) as usize * 200));
                let statement =
                    format!("INSERT INTO ks.t (p, c, v, w) VALUES ({p}, {next}, 'v', '{long}');\n");
                if input.write_all(statement.as_bytes()).is_err() {
                    return next;
                }
                next += 1;
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut take = |line: std::io::Result<String>| {
            let number: u64 = line.unwrap().parse().unwrap();
            acknowledged.insert(first + number - 1);
        };
        for _ in 0..acks {
            take(lines.next().unwrap());
        }
        child.kill().unwrap();
        lines.for_each(&mut take);
        child.wait().unwrap();
        sent = writer.join().unwrap();

        // Read by someone who does not open the database, and by who does.
        let check = |text: &str| {
            let mut found = BTreeSet::new();
            for line in text.lines() {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let c = row["c"].as_u64().unwrap();
                assert_eq!(row["v"], "v", "round {round}: {line}");
                assert_eq!(row["w"].as_str().unwrap().len() as u64, c % 50 * 200);
                assert!(c <= sent && found.insert(c), "round {round}: {line}");
            }
            let lost: Vec<_> = acknowledged.difference(&found).collect();
            assert!(lost.is_empty(), "round {round}: lost {lost:?}");
        };
        check(&query(directory, "SELECT c, v, w FROM ks.t").out);
        if round % 2 == 0 {
            check(&run(directory, &[], "SELECT c, v, w FROM ks.t;").out);
        }
    }
    let path = directory.to_str().unwrap();
    let verified = crate::support::run(&["verify", path]);
    assert_eq!(verified.status, 0, "{}{}", verified.out, verified.err);
}

#[test]
fn what_was_measured_is_written_as_json_or_text() {
    let directory = tempfile::tempdir().unwrap();
    let (data, file) = (directory.path().join("db"), directory.path().join("m.json"));
    let path = file.to_str().unwrap();
    let statements = format!(
        "{SCHEMA} INSERT INTO t (p, c, v) VALUES (1, 2, 'a'); INSERT INTO t (p, c, v) VALUES (2, 2, 'b');
         SELECT v FROM t WHERE p = 1; SELECT v FROM t WHERE p = 1 AND c = 2; SELECT v FROM t;"
    );
    let ran = run(&data, &["--metrics", path], &statements);
    assert_eq!((ran.err.as_str(), ran.out.lines().count()), ("", 4));
    let json = std::fs::read_to_string(&file).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let count = |operation: &str| json["operations"][operation]["count"].as_u64().unwrap();
    assert_eq!((count("write"), count("read"), count("scan")), (2, 2, 1));
    assert_eq!(count("log_append"), 2);
    // It is flushed before.
    assert_eq!(count("flush"), 1);
    let table = &json["tables"][0];
    assert_eq!(
        (&table["table"], &table["live_sstables"]),
        (&"t".into(), &1.into())
    );
    assert_eq!(json["memory"]["memtables"], 0);

    let ran = run(
        &data,
        &["--metrics", "-"],
        "SELECT v FROM ks.t WHERE p = 2;",
    );
    let mut lines = ran.out.lines();
    assert_eq!(lines.next(), Some("{\"v\": \"b\"}"));
    assert_eq!(
        lines.next(),
        Some("# HELP cqlite_operations_total Operations that were begun.")
    );
    assert!(lines.any(|line| line == "cqlite_operations_total{operation=\"read\"} 1"));

    let nowhere = directory.path().join("no/such/place");
    let ran = run(&data, &["--metrics", nowhere.to_str().unwrap()], "USE ks;");
    assert_eq!(ran.status, 2, "{}", ran.err);
    assert!(ran.err.contains("no/such/place"), "{}", ran.err);
}

#[test]
fn what_is_done_is_printed_if_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let statements = format!("{SCHEMA} INSERT INTO t (p, c) VALUES (1, 2); SELECT p FROM t;");
    let spans = |level: &str| {
        let directory = directory.path().join(level);
        let ran = run(&directory, &["--trace", level], &statements);
        assert_eq!((ran.status, ran.out.as_str()), (0, "{\"p\": 1}\n"));
        ["replay", "flush", "write", "scan"].map(|name| ran.err.contains(&format!("{name}{{")))
    };
    assert_eq!(spans("info"), [true, true, false, false]);
    assert_eq!(spans("debug"), [true; 4]);
}
