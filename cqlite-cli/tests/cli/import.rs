//! `import`: what `query` prints of the golden tables goes in again and comes out the same, in every version that is
//! written; and what is said of wrong lines.

use crate::support::{Ran, children, cqlite, golden, name, ran, run};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// Tables of which the printed rows do not say all: counters, values that their text does not tell (`NaN` in JSON, what has
/// no text or a year of five digits, what is empty in a tuple), rows of compact storage without all of their key.
const NOT_ROWS: [&str; 17] = [
    "all_types",
    "all_types_clustering",
    "all_types_key",
    "all_types_static",
    "collections_of_all",
    "compact_dense_compound",
    "compact_dense_compound_dropped",
    "custom_types",
    "empty_boolean",
    "merge_by_double",
    "merge_by_float",
    "query_collections",
    "type_double",
    "type_duration",
    "type_float",
    "type_timestamp",
    "wide_tuples",
];

fn golden_tables() -> Vec<String> {
    let mut tables = Vec::new();
    for table in children(&golden().join("oa")) {
        let is_of_murmur =
            !name(&table).starts_with("random_") && !name(&table).starts_with("ordered_");
        let is_rows = !NOT_ROWS.contains(&name(&table)) && name(&table) != "wide_types";
        let has_counters = name(&table).contains("counter");
        if table.join("answers.jsonl").is_file() && is_of_murmur && is_rows && !has_counters {
            tables.push(name(&table).to_owned());
        }
    }
    assert!(tables.len() > 100);
    tables
}

#[test]
fn what_is_printed_comes_in_again() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for (i, table) in golden_tables().iter().enumerate() {
        // Each table in one of the versions and formats.
        let version = ["nb", "oa", "da"][i % 3];
        let format = ["csv", "jsonl"][i / 3 % 2];
        let source = golden().join("oa").join(table);
        let source = source.to_str().unwrap();
        let answers = fs::read_to_string(format!("{source}/answers.jsonl")).unwrap();
        let answer: serde_json::Value =
            serde_json::from_str(answers.lines().next().unwrap()).unwrap();
        let cql = answer["cql"].as_str().unwrap();
        let from = cql
            .split("FROM ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        let now = fs::read_to_string(format!("{source}/now")).unwrap_or("1700000000".into());
        let query = |path: &str, what: &str, more: &[&str]| {
            let cql = format!("SELECT {what} * FROM {from}");
            let mut args = vec!["query", path, &cql, "--now", now.trim()];
            args.extend_from_slice(more);
            run(&args)
        };
        let expected = query(source, "JSON", &[]);
        let printed = query(source, "", &["--format", format]);
        assert_eq!((printed.status, &*printed.err), (0, ""), "{table}");
        let input = directory.join(format!("{table}.{format}"));
        fs::write(&input, printed.out).unwrap();
        let out = directory.join(table);
        let schema = format!("{source}/schema.cql");
        let imported = run(&[
            "import",
            input.to_str().unwrap(),
            "--schema",
            &schema,
            "--table",
            from,
            "--out",
            out.to_str().unwrap(),
            "--version",
            version,
            "--now",
            now.trim(),
            "--timestamp",
            "1900000000000000",
        ]);
        assert_eq!(
            (imported.status, &*imported.err),
            (0, ""),
            "{table} {version} {format}"
        );
        if expected.out.is_empty() {
            continue;
        }
        fs::copy(&schema, out.join("schema.cql")).unwrap();
        let out = out.to_str().unwrap();
        assert_eq!(
            query(out, "JSON", &[]).out,
            expected.out,
            "{table} {version} {format}"
        );
        let verified = run(&["verify", out]);
        assert_eq!(verified.status, 0, "{table} {version}: {}", verified.out);
    }
}

const SCHEMA: &str = "CREATE TABLE ks.t (k int, c text, s text static, v int, m map<text, int>, PRIMARY KEY (k, c));";

/// Runs `import` of a text of this format into `directory/out`.
fn import(directory: &Path, format: &str, text: &str, more: &[&str]) -> Ran {
    import_as(SCHEMA, directory, format, text, more)
}

fn import_as(schema: &str, directory: &Path, format: &str, text: &str, more: &[&str]) -> Ran {
    fs::write(directory.join("s.cql"), schema).unwrap();
    let mut command = cqlite();
    command
        .current_dir(directory)
        .args(["import", "-", "--input-format", format]);
    command.args(["--schema", "s.cql", "--out", "out", "--now", "1700000000"]);
    command.args(more).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // What ends before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    ran(child.wait_with_output().unwrap())
}

fn rows(directory: &Path) -> String {
    let out = directory.join("out");
    fs::copy(directory.join("s.cql"), out.join("schema.cql")).unwrap();
    let ran = run(&["query", out.to_str().unwrap(), "SELECT JSON * FROM ks.t"]);
    assert_eq!((ran.status, &*ran.err), (0, ""));
    ran.out
}

#[test]
fn each_format_gives_rows() {
    let cases = [
        ("csv", "c,k,v,m\r\n\"a,b\",1,2,\"{'x': 1}\"\r\n\"\",1,,\r\n"),
        (
            "jsonl",
            "{\"k\": 1, \"c\": \"a,b\", \"v\": 2, \"m\": {\"x\": 1}}\n\n{\"k\": 1, \"c\": \"\"}\n",
        ),
        (
            "cql",
            "USE ks; INSERT INTO t (k, c, v) VALUES (1, 'a,b', 3) USING TIMESTAMP 5;\n\
             INSERT INTO t (k, c) VALUES (1, '');INSERT INTO t (k, c) VALUES (2, '');\n\
             UPDATE t SET v = 2, m['x'] = 1 WHERE k = 1 AND c = 'a,b';\n\
             BEGIN BATCH DELETE FROM t WHERE k = 2; APPLY BATCH",
        ),
    ];
    for (format, text) in cases {
        let directory = tempfile::tempdir().unwrap();
        let ran = import(directory.path(), format, text, &["--version", "da"]);
        assert_eq!((ran.status, &*ran.err), (0, ""), "{format}");
        assert!(ran.out.starts_with("out/da-1-bti: "), "{}", ran.out);
        let expected = "{\"k\": 1, \"c\": \"\", \"s\": null, \"m\": null, \"v\": null}\n\
            {\"k\": 1, \"c\": \"a,b\", \"s\": null, \"m\": {\"x\": 1}, \"v\": 2}\n";
        assert_eq!(rows(directory.path()), expected, "{format}");
    }
}

/// As a term of CQL Cassandra compares such a number with its double, and fails.
#[test]
fn decimals_beyond_doubles_come_in_from_rows_and_not_from_statements() {
    let schema = "CREATE TABLE ks.t (k int PRIMARY KEY, d decimal);";
    for (format, text) in [
        ("csv", "k,d\n1,1E+2000\n"),
        ("jsonl", "{\"k\": 1, \"d\": 1E+2000}\n"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let ran = import_as(schema, directory.path(), format, text, &[]);
        assert_eq!((ran.status, &*ran.err), (0, ""), "{format}");
        assert_eq!(rows(directory.path()), "{\"k\": 1, \"d\": 1E+2000}\n");
    }
    let directory = tempfile::tempdir().unwrap();
    let text = "INSERT INTO ks.t (k, d) VALUES (1, 1E+2000);";
    let ran = import_as(schema, directory.path(), "cql", text, &[]);
    assert_eq!(ran.status, 1);
    assert!(
        ran.err.contains("out of the range of doubles"),
        "{}",
        ran.err
    );
}

#[test]
fn a_wrong_line_is_named_and_nothing_is_written() {
    let cases = [
        (
            "csv",
            "k,c,v\n1,a,2\n1,b\n",
            "line 3: 2 fields under 3 columns",
        ),
        (
            "csv",
            "k,c,v\n1,a,x\n",
            "line 2: the column `v`: Unable to make int from 'x'",
        ),
        ("csv", "k,c,v\n1,a\"b,1\n", "line 2: a quote inside a field"),
        (
            "csv",
            "k,c\n\n1,\"a\n",
            "line 3: a quote that is never closed",
        ),
        (
            "csv",
            "k,x\n1,a\n",
            "line 1: the table ks.t has no column `x`",
        ),
        (
            "csv",
            "k,v\n1,2\n",
            "line 1: the column `c` of the primary key is missing",
        ),
        ("csv", "", "there is no header line"),
        (
            "csv",
            "k,c\n,a\n",
            "line 2: the partition key column `k` has no value",
        ),
        (
            "jsonl",
            "{\"k\": 1, \"c\": \"a\"}\n[1]\n",
            "line 2: it is no JSON object",
        ),
        (
            "jsonl",
            "{\"k\": 1, \"c\": 5}\n",
            "line 1: the column `c`: found a number",
        ),
        (
            "jsonl",
            "{\"k\": 1, \"c\"\n",
            "line 1: JSON, column 13: found the end, expected `:`",
        ),
        (
            "jsonl",
            "{\"k\": 1, \"c\": \"a\", \"z\": 1}\n",
            "line 1: there is no column `z`",
        ),
        (
            "cql",
            "\n\nDELETE FROM t\nWHERE k == 1;",
            "line 3: 1 lines on, column 10: found `=`",
        ),
        (
            "cql",
            "DROP TABLE t;",
            "line 1: column 1: DROP statements are not executed",
        ),
    ];
    for (format, text, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let ran = import(directory.path(), format, text, &[]);
        assert!(ran.status != 0 && ran.out.is_empty(), "{text}");
        assert!(ran.err.contains(expected), "{text}\n{}", ran.err);
        assert!(children(&directory.path().join("out")).is_empty(), "{text}");
    }
}

#[test]
fn some_wrong_lines_may_be_kept_apart() {
    let text = "k,c,v\n1,a,2\n1,b\n1,c,x\n2,\"d\n\",3\n";
    let more = ["--max-errors", "2", "--rejects", "bad.csv"];
    let directory = tempfile::tempdir().unwrap();
    let ran = import(directory.path(), "csv", text, &more);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("line 3: ") && ran.err.contains("line 4: "));
    assert!(ran.err.ends_with("rejected 2\n"), "{}", ran.err);
    let rejects = fs::read_to_string(directory.path().join("bad.csv")).unwrap();
    assert_eq!(rejects, "k,c,v\n1,b\n1,c,x\n");
    assert_eq!(rows(directory.path()).lines().count(), 2);

    let directory = tempfile::tempdir().unwrap();
    let ran = import(directory.path(), "csv", text, &["--max-errors", "1"]);
    assert_eq!(ran.status, 1);
    assert!(
        ran.err
            .ends_with("more than 1 errors: nothing was written\n")
    );
    assert!(children(&directory.path().join("out")).is_empty());
}

#[test]
fn what_cannot_be_used_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let csv = "k,c\n1,a\n";
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--table", "ks.x"], 2, "the schema has no table `ks.x`"),
        (&["--compression", "rar"], 3, "rar"),
        (&["--chunk-length", "3"], 2, "power of two"),
        (&["--ttl", "-1"], 2, "-1"),
        (&["--partitioner", "Mine"], 3, "the partitioner Mine"),
    ];
    for (more, status, expected) in cases {
        let ran = import(directory.path(), "csv", csv, more);
        assert_eq!(ran.status, status, "{more:?} {}", ran.err);
        assert!(ran.err.contains(expected), "{more:?} {}", ran.err);
    }
    // What is there already stays, and numbers go on.
    for expected in ["out/oa-1-big: ", "out/oa-2-big: "] {
        let ran = import(directory.path(), "csv", csv, &["--compression", "none"]);
        assert_eq!((ran.status, &*ran.err), (0, ""));
        assert!(ran.out.starts_with(expected), "{}", ran.out);
    }
    // A file where the directory should be.
    let file = tempfile::tempdir().unwrap();
    fs::write(file.path().join("out"), "x").unwrap();
    assert_eq!(import(file.path(), "csv", csv, &[]).status, 3);
}
