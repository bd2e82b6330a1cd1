//! `shell`, fed through a pipe: what it prints, what goes on after a failure, and what is left in the database.

use crate::support::{Ran, cqlite, golden, ran};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

fn shell(path: &Path, options: &[&str], typed: &str) -> Ran {
    let mut child = cqlite()
        .arg("shell")
        .arg(path)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(typed.as_bytes())
        .unwrap();
    ran(child.wait_with_output().unwrap())
}

#[test]
fn a_database_is_made_and_used() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("shop");
    let ran = shell(
        &database,
        &[],
        "CREATE KEYSPACE shop; USE shop;\n\
         CREATE TABLE t (p int,\n  c int, v text, -- a comment; with a semicolon\n  PRIMARY KEY (p, c));\n\
         INSERT INTO t (p, c, v) VALUES (1, 2, 'a;\nb');\n\
         INSERT INTO t (p, c) VALUES (1, 2) IF NOT EXISTS;\n\
         .mode csv\nSELECT * FROM t;\n.mode jsonl\nSELECT c FROM t; SELECT JSON v FROM t;\n\
         DESCRIBE TABLES\n.tables\nEXPAND ON\nSELECT * FROM t;\nEXPAND OFF\n\
         BEGIN BATCH\nINSERT INTO t (p, c) VALUES (2, 1);\nDELETE FROM t WHERE p = 1;\nAPPLY BATCH;\nSELECT p FROM t",
    );
    assert_eq!(ran.err, "");
    assert_eq!(
        ran.out,
        "{\"[applied]\": false, \"p\": 1, \"c\": 2, \"v\": \"a;\\nb\"}\n\
         p,c,v\r\n1,2,\"a;\nb\"\r\n\
         {\"c\": 2}\n{\"v\": \"a;\\nb\"}\n\
         shop.t\nshop.t\n\
         @ Row 1\n p | 1\n c | 2\n v | a;\\nb\n\n(1 row)\n\
         {\"p\": 2}\n"
    );
    assert_eq!(ran.status, 0);

    // What was described makes the same.
    let described = shell(&database, &[], "DESCRIBE KEYSPACE shop").out;
    let head = "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'} AND durable_writes = true;\n";
    assert!(described.starts_with(head), "{described}");
    let again = shell(
        &directory.path().join("again"),
        &[],
        &format!("{described}\n.schema\n"),
    );
    assert_eq!((&*again.err, &*again.out), ("", &*described));
    let described = shell(&database, &[], "DESCRIBE TABLE shop.t;").out;
    assert!(
        described.starts_with("CREATE TABLE shop.t ("),
        "{described}"
    );
    let other = directory.path().join("other");
    let again = shell(
        &other,
        &[],
        &format!("CREATE KEYSPACE shop;\n{described}\n.schema shop.t\n.quit\nSELECT nothing"),
    );
    assert_eq!((&*again.err, &*again.out), ("", &*described));
}

#[test]
fn what_fails_is_told_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let ran = shell(
        directory.path(),
        &["--format", "csv"],
        "CREATE KEYSPACE k; SELEC x; CREATE TABLE k.t (p int PRIMARY KEY);\n.nothing\n.mode nothing\n.timer maybe\n\
         DESCRIBE TABLE k.u;\nDESCRIBE KEYSPACE none\nINSERT INTO k.t (p) VALUES (1);\nSELECT * FROM k.t;\n",
    );
    assert_eq!(ran.out, "p\r\n1\r\n");
    assert_eq!(ran.status, 2);
    for said in [
        "1:1: found `SELEC`",
        "no command .nothing",
        "no such mode",
        "on or off",
        "no table `k.u`",
        "no keyspace none",
    ] {
        assert!(ran.err.contains(said), "{said} is not in\n{}", ran.err);
    }
    let help = shell(directory.path(), &[], ".help\n.timer on\nUSE k;\nQUIT\n");
    assert!(help.out.contains(".quit") && help.out.contains("EXPAND ON"));
    assert!(help.err.contains(" s\n"), "{}", help.err);
}

#[test]
fn other_files_are_only_read() {
    let path = golden().join("oa/data");
    let ran = shell(
        &path,
        &["--now", "1760000000"],
        "USE shop;\nSELECT JSON item FROM orders WHERE customer = 1 LIMIT 1;\nDESCRIBE TABLES\nDESCRIBE TABLE orders\n\
         INSERT INTO orders (customer) VALUES (1);\n",
    );
    assert!(
        ran.out.starts_with("{\"item\": \"apple\"}\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("\nshop.orders\n"), "{}", ran.out);
    assert!(
        ran.out.contains("CREATE TABLE shop.orders ("),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("only read"), "{}", ran.err);
    assert_eq!(ran.status, 3);
}
