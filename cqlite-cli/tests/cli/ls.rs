//! `ls`.

use crate::support::{children, copy_files, cqlite, golden, name, ran, run};
use serde_json::Value;
use std::fs;

#[test]
fn a_pipe_gets_an_object_for_each_sstable() {
    let listed = run(&["ls", "--now", "1700000000", "nb/data"]);
    assert_eq!((listed.status, &*listed.err), (0, ""));
    let mut tables = Vec::new();
    for line in listed.out.lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        assert!(object["error"].is_null(), "{line}");
        assert!(object["rows"].as_i64().unwrap() >= 0);
        let size = |key: &str| object[key].as_u64().unwrap();
        assert!(size("size") > size("data_size"));
        assert!(size("uncompressed_size") > 0 && size("partitions") > 0);
        tables.push(format!(
            "{}.{}",
            object["keyspace"].as_str().unwrap(),
            object["table"].as_str().unwrap()
        ));
    }
    for table in [
        "shop.customers",
        "shop.customers.customers_by_name",
        "system_schema.tables",
    ] {
        assert!(tables.iter().any(|t| t == table), "{table}: {tables:?}");
    }
}

#[test]
fn counts_are_those_of_the_data() {
    let of = |table: &str| -> Value {
        let listed = run(&["ls", table]);
        serde_json::from_str(listed.out.lines().next().unwrap()).unwrap()
    };
    let leveled = of("oa/leveled");
    assert_eq!(leveled["partitions"], 10);
    assert_eq!(leveled["level"], 2);
    assert_eq!(leveled["uncompressed_size"], 170);
    assert_eq!(leveled["min_timestamp"], 1_700_000_000_025_545_i64);
    let repaired = of("na/statistics");
    assert!(repaired["repaired_at"].as_i64().unwrap() > 0);
    let plain = of("me/uncompressed");
    assert!(plain["compressor"].is_null());
    assert_eq!(plain["uncompressed_size"], plain["data_size"]);
}

#[test]
fn a_table_fits_a_terminal() {
    for version in children(&golden()).iter().filter(|path| path.is_dir()) {
        for table in children(version).iter().filter(|path| path.is_dir()) {
            let path = format!("{}/{}", name(version), name(table));
            let listed = run(&["ls", "--format", "table", &path]);
            assert_eq!(listed.status, 0, "{path}: {}", listed.err);
            assert!(
                listed.out.contains("lvl") || listed.out.contains("no SSTable"),
                "{path}"
            );
            let is_long = |line: &&str| line.len() > 80 && !line.contains('/');
            assert_eq!(listed.out.lines().find(is_long), None, "{path}");
        }
    }
}

#[test]
fn a_bad_sstable_is_told_and_the_others_listed() {
    let dir = tempfile::tempdir().unwrap();
    copy_files(&golden().join("oa/leveled"), dir.path());
    let bad = dir.path().join("oa-1-big-Statistics.db");
    let mut bytes = fs::read(&bad).unwrap();
    bytes.truncate(100);
    fs::write(&bad, bytes).unwrap();
    for (format, shown) in [("jsonl", "\"error\":\"/"), ("table", "?")] {
        let mut command = cqlite();
        command.args(["ls", "--format", format]).arg(dir.path());
        let listed = ran(command.output().unwrap());
        assert_eq!(listed.status, 1);
        assert!(
            listed.err.contains("oa-1-big-Statistics.db"),
            "{}",
            listed.err
        );
        assert!(listed.out.contains(shown), "{}", listed.out);
        assert!(listed.out.contains("oa-2-big"));
    }
}
