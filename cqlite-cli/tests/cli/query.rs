//! `query` on data directories, tables and single SSTables: schemas from everywhere, formats, errors and exit statuses.

use crate::support::{self, Ran, copy_files, golden, ran, run};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

fn query(path: &str, cql: &str, more: &[&str]) -> Ran {
    let mut args = vec!["query", path, cql];
    args.extend_from_slice(more);
    run(&args)
}

/// The directory of a table in the golden data directory of `oa`, relative to the golden tables.
fn table(keyspace: &str, name: &str) -> String {
    let parent = format!("oa/data/{keyspace}");
    let mut found = support::children(&golden().join(&parent));
    found.retain(|p| support::name(p).starts_with(&format!("{name}-")));
    format!("{parent}/{}", support::name(&found[0]))
}

#[test]
fn data_directories_answer_as_cassandra_does() {
    let mut statements = 0;
    for version in ["nb", "oa", "da"] {
        let answers = golden().join(format!("{version}/data.answers.jsonl"));
        let now = fs::read_to_string(golden().join(format!("{version}/data.now"))).unwrap();
        let more = ["--now", now.trim()];
        for line in fs::read_to_string(answers).unwrap().lines() {
            statements += 1;
            let answer: Value = serde_json::from_str(line).unwrap();
            let cql = answer["cql"].as_str().unwrap();
            let own = query(&format!("{version}/data"), cql, &more);
            if answer.get("error").is_some() {
                assert_eq!((own.status, &*own.out), (2, ""), "{version} {cql}");
                continue;
            }
            let rows = answer["rows"].as_array().unwrap();
            let rows: String = rows
                .iter()
                .map(|row| format!("{}\n", row.as_str().unwrap()))
                .collect();
            let expected = Ran {
                out: rows,
                err: String::new(),
                status: 0,
            };
            assert_eq!(own, expected, "{version} {cql}");
        }
    }
    assert_eq!(statements, 51);
}

#[test]
fn the_schema_is_found_in_the_order_that_is_told() {
    let orders = table("shop", "orders");
    let rows = |cql: &str, path: &str, more: &[&str]| {
        let ran = query(path, cql, more);
        assert_eq!((ran.status, &*ran.err), (0, ""), "{cql}");
        ran.out
    };
    let select = "SELECT item FROM orders LIMIT 1";
    // The system_schema tables of the data directory, for one of its tables too.
    assert_eq!(rows(select, &orders, &[]), "{\"item\": \"apple\"}\n");

    // The headers alone: key columns have made-up names.
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy");
    copy_files(&golden().join(&orders), &copy);
    let path = copy.to_str().unwrap();
    let unnamed = query(path, select, &[]);
    assert_eq!(unnamed.status, 2);
    assert!(
        unnamed.err.contains("this is \"keyspace\".\"table\""),
        "{}",
        unnamed.err
    );
    let made_up = "SELECT key, clustering, clustering2 FROM \"table\" LIMIT 1";
    assert_eq!(
        rows(made_up, path, &[]),
        "{\"key\": 1, \"clustering\": \"2023-11-04 00:00:00.000Z\", \"clustering2\": \"apple\"}\n"
    );

    // A schema.cql beside the files, and one that is given before it.
    let ddl = |table: &str, key: &str| {
        format!(
            "CREATE TABLE mine.{table} ({key} int, b timestamp, c text, price decimal, status text static,
             PRIMARY KEY ({key}, b, c)) WITH CLUSTERING ORDER BY (b DESC, c ASC);"
        )
    };
    fs::write(copy.join("schema.cql"), ddl("beside", "a")).unwrap();
    let a = "SELECT a FROM mine.beside LIMIT 1";
    assert_eq!(rows(a, path, &[]), "{\"a\": 1}\n");
    let file = directory.path().join("given.cql");
    fs::write(&file, ddl("given", "g")).unwrap();
    let given = ["--schema", file.to_str().unwrap()];
    assert_eq!(
        rows("SELECT g FROM given LIMIT 1", path, &given),
        "{\"g\": 1}\n"
    );

    // A schema that is not the table's.
    fs::write(&file, "CREATE TABLE mine.given (g text PRIMARY KEY);").unwrap();
    let wrong = query(path, "SELECT g FROM given", &given);
    assert_eq!((wrong.status, &*wrong.out), (2, ""));
    assert!(
        wrong.err.contains("wrong schema of mine.given"),
        "{}",
        wrong.err
    );
}

#[test]
fn a_single_sstable_is_queried_alone() {
    let orders = table("shop", "orders");
    let mut files = support::children(&golden().join(&orders));
    files.retain(|p| support::name(p).ends_with("-Data.db"));
    let count = |path: &str| query(path, "SELECT JSON count(*) FROM shop.orders", &[]).out;
    let all = count(&orders);
    let alone: Vec<String> = files.iter().map(|f| count(f.to_str().unwrap())).collect();
    assert!(all.starts_with("{\"count\": "), "{all}");
    assert!(
        alone.iter().all(|n| n.starts_with("{\"count\": ")),
        "{alone:?}"
    );
}

#[test]
fn formats() {
    let cql = "SELECT id, name, tags FROM shop.customers";
    let shown = |format: &str| {
        let ran = query("oa/data", cql, &["--format", format]);
        assert_eq!((ran.status, &*ran.err), (0, ""), "{format}");
        ran.out
    };
    assert_eq!(
        shown("table"),
        " id | name | tags\n\
         ----+------+-------\n  \
           1 | Ann  | {'b'}\n  \
           2 | Bob  | NULL\n  \
           3 | Cid  | NULL\n\
         \n(3 rows)\n"
    );
    assert_eq!(
        shown("csv"),
        "id,name,tags\r\n1,Ann,{'b'}\r\n2,Bob,\r\n3,Cid,\r\n"
    );
    assert_eq!(
        shown("json"),
        "[\n{\"id\": 1, \"name\": \"Ann\", \"tags\": [\"b\"]},\n\
         {\"id\": 2, \"name\": \"Bob\", \"tags\": null},\n\
         {\"id\": 3, \"name\": \"Cid\", \"tags\": null}\n]\n"
    );
    assert_eq!(shown("jsonl").lines().count(), 3);
    let none = query(
        "oa/data",
        "SELECT * FROM shop.customers WHERE id = 99",
        &["--format", "json"],
    );
    assert_eq!((none.status, &*none.out), (0, "[]\n"));
    let arrow = query("oa/data", cql, &["--format", "arrow"]);
    assert_eq!((arrow.status, &*arrow.out), (3, ""));
    assert!(arrow.err.contains("the format arrow"), "{}", arrow.err);
}

#[test]
fn what_does_not_fit_is_an_error_that_lists_what_would() {
    for (cql, status, error) in [
        (
            "SELECT * FROM shop.nope",
            2,
            "shop.customers, shop.orders, shop.orders_by_item",
        ),
        (
            "SELECT nope FROM shop.orders",
            2,
            "it has customer, placed, item, status, price",
        ),
        (
            "SELECT Price FROM shop.orders WHERE PRICE > 1",
            2,
            "ALLOW FILTERING",
        ),
        (
            "SELECT * FROM shop.orders WHERE customer = 'x'",
            2,
            "customer: ",
        ),
        ("SELECT * FROM shop.orders WHERE", 2, "1:32: "),
        (
            "SELECT * FROM shop.orders WHERE customer = ?",
            2,
            "has no value",
        ),
        (
            "SELECT uuid() FROM shop.orders",
            3,
            "`uuid` cannot be called here",
        ),
        (
            "SELECT contact.nope FROM shop.customers",
            2,
            "it has phone, home",
        ),
        (
            "INSERT INTO shop.orders (customer) VALUES (1)",
            2,
            "expected `SELECT`",
        ),
    ] {
        let ran = query("oa/data", cql, &[]);
        assert_eq!((ran.status, &*ran.out), (status, ""), "{cql}: {}", ran.err);
        assert!(ran.err.contains(error), "{cql}: {}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
    let nowhere = query("oa/nowhere", "SELECT * FROM t", &[]);
    assert_eq!(nowhere.status, 2);
}

#[test]
fn a_limit_and_a_closed_pipe_end_the_reading() {
    let mut command = support::cqlite();
    command.current_dir(golden()).stdout(Stdio::piped());
    let cql = "SELECT * FROM golden.many_partitions";
    let mut child = command
        .args(["query", "oa/many_partitions", cql])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    assert!(first.starts_with('{') && first.ends_with("}\n"), "{first}");
    drop(out);
    let ended = ran(child.wait_with_output().unwrap());
    assert_eq!((ended.status, &*ended.err), (0, ""));

    let limited = query("oa/many_partitions", &format!("{cql} LIMIT 1"), &[]);
    assert_eq!((limited.status, limited.out), (0, first));
}

#[test]
fn a_table_that_was_created_again_is_the_live_one() {
    let data = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| copy_files(&golden().join(from), &data.path().join(to));
    let orders = table("shop", "orders");
    for directory in support::children(&golden().join("oa/data/system_schema")) {
        let name = format!("system_schema/{}", support::name(&directory));
        copy(&format!("oa/data/{name}"), &name);
    }
    let live = format!("shop/{}", orders.rsplit('/').next().unwrap());
    copy(&orders, &live);
    let same = format!("shop/orders-{:032x}", 1);
    copy(&orders, &same);
    let other = format!("shop/orders-{:032x}", 2);
    copy(&table("shop", "customers"), &other);
    let path = |of: &str| data.path().join(of).to_str().unwrap().to_owned();
    let select = "SELECT customer, item, price FROM shop.orders";

    let rows = query(&orders, select, &[]);
    assert_eq!(query(&path(""), select, &[]), rows);
    assert_eq!(query(&path("shop"), select, &[]), rows);
    // A dropped one by its path, with the columns of the live one if it has them, else its own.
    assert_eq!(query(&path(&same), select, &[]), rows);
    let own = query(&path(&other), "SELECT key, name FROM orders LIMIT 1", &[]);
    assert_eq!((own.status, &*own.err), (0, ""));
    assert!(own.out.contains("\"name\""), "{}", own.out);

    let listed = run(&["ls", "--format", "table", &path("")]).out;
    let headings: Vec<&str> = listed
        .lines()
        .filter(|l| l.contains("shop.orders"))
        .collect();
    assert_eq!(headings.len(), 3, "{listed}");
    assert_eq!(
        headings.iter().filter(|l| l.contains("(dropped)")).count(),
        2
    );
    let listed = run(&["ls", &path("")]).out;
    for line in listed.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        let sstable = object["sstable"].as_str().unwrap();
        let is_dropped = sstable.contains(&same) || sstable.contains(&other);
        assert_eq!(object["is_dropped"], is_dropped, "{line}");
    }

    // A live one without data has no rows, whatever the others have.
    for file in support::children(&data.path().join(&live)) {
        fs::remove_file(file).unwrap();
    }
    let empty = query(&path(""), select, &[]);
    assert_eq!((empty.status, &*empty.out), (0, ""));
    assert!(empty.err.contains("no SSTable"), "{}", empty.err);
}
