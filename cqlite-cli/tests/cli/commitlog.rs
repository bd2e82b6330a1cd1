//! `commitlog`.

use crate::support::{Ran, children, cqlite, golden, ran, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let mut found = children(&golden().join("../commitlog"));
    found.retain(|path| path.is_dir());
    assert_eq!(found.len(), 7);
    found
}

fn show(path: &Path, options: &[&str]) -> Ran {
    ran(cqlite()
        .arg("commitlog")
        .arg(path)
        .args(options)
        .output()
        .unwrap())
}

fn lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn an_object_a_mutation() {
    for case in cases() {
        let shown = show(&case, &["--now", "1700000000"]);
        assert_eq!(shown.status, 0, "{}", shown.err);
        assert!(
            shown
                .err
                .contains("of tables that the schema does not have")
        );
        let mutations = lines(&shown);
        let of = |id: &str| -> Vec<&Value> {
            let updates = mutations
                .iter()
                .flat_map(|m| m["updates"].as_array().unwrap());
            updates
                .filter(|u| u["id"].as_str().unwrap().ends_with(id))
                .collect()
        };
        // One in a batch with another table, one in a logged batch.
        assert_eq!(of("8000000000000005").len(), 4);
        assert_eq!(of("8000000000000007").len(), 1);
        assert!(of("8000000000000007")[0]["table"].is_null());
        let both = mutations
            .iter()
            .filter(|m| m["updates"].as_array().unwrap().len() == 2);
        assert_eq!(both.count(), 1);
        let pairs = of("8000000000000003");
        assert_eq!(pairs[0]["partition"]["key"], serde_json::json!(["1", "b"]));
        let row = &pairs[0]["rows"][0];
        assert_eq!(row["clustering"][0], "123e4567-e89b-42d3-a456-426614174000");
        assert_eq!(row["cells"][0]["value"], serde_json::json!(-1.50));
        for mutation in &mutations {
            let segment = mutation["segment"].as_str().unwrap();
            assert!(case.join(segment).is_file());
            assert!(mutation["position"].as_u64().unwrap() > 0);
            assert!(mutation["size"].as_u64().unwrap() >= 10);
        }
    }
}

#[test]
fn one_table_or_keyspace() {
    let case = golden().join("../commitlog/v8");
    for (options, count) in [
        (&["--table", "log.counts"][..], 3),
        (&["--table", "counts", "--keyspace", "log"], 3),
        (&["--table", "10000000-0000-4000-8000-000000000007"], 1),
    ] {
        let shown = show(&case, options);
        assert_eq!(
            (shown.status, lines(&shown).len()),
            (0, count),
            "{options:?}"
        );
    }
    let shown = show(&case, &["--keyspace", "log"]);
    assert!(lines(&shown).iter().all(|m| m["keyspace"] == "log"));
    let shown = show(&case, &["--table", "nothing"]);
    assert_eq!((shown.status, &*shown.out), (2, ""));
    assert!(shown.err.contains("log.wide"), "{}", shown.err);
}

#[test]
fn schema_of_a_file_or_of_none() {
    let case = golden().join("../commitlog/v8");
    let work = tempfile::tempdir().unwrap();
    let log = work.path().join("commitlog");
    fs::create_dir(&log).unwrap();
    for file in children(&case) {
        if file.extension().is_some_and(|e| e == "log") {
            fs::copy(&file, log.join(file.file_name().unwrap())).unwrap();
        }
    }
    // The directory above means the log in it.
    let shown = show(work.path(), &[]);
    assert_eq!(shown.status, 0);
    let none = lines(&shown);
    assert!(none.iter().all(|m| m["keyspace"].is_null()));
    let schema = case.join("schema.cql");
    let shown = show(work.path(), &["--schema", schema.to_str().unwrap()]);
    assert_eq!(lines(&shown).len(), none.len());
    assert!(lines(&shown).iter().any(|m| m["keyspace"] == "log"));
}

#[test]
fn damage() {
    let case = golden().join("../commitlog/v8");
    let segment = children(&case)
        .into_iter()
        .find(|p| p.extension().is_some_and(|e| e == "log"));
    let segment = segment.unwrap();
    let bytes = fs::read(&segment).unwrap();
    let work = tempfile::tempdir().unwrap();
    fs::copy(case.join("schema.cql"), work.path().join("schema.cql")).unwrap();
    let damaged = work.path().join(segment.file_name().unwrap());
    let all = lines(&show(&segment, &[])).len();

    let mut middle = bytes.clone();
    middle[bytes.len() / 2] ^= 1;
    fs::write(&damaged, &middle).unwrap();
    let shown = show(work.path(), &[]);
    let before = lines(&shown).len();
    assert_eq!(shown.status, 1);
    assert!(before < all);
    assert!(shown.err.contains("CommitLog-8-") && shown.err.contains("at offset"));
    for policy in ["tolerate-last", "ignore"] {
        let shown = show(work.path(), &["--on-damage", policy]);
        assert_eq!(shown.status, 1);
        assert!(lines(&shown).len() > before);
    }

    // The last record is torn.
    let end = bytes.len() - 8;
    let mut torn = bytes.clone();
    torn[end - 1] ^= 1;
    fs::write(&damaged, &torn).unwrap();
    let shown = show(work.path(), &[]);
    assert_eq!((shown.status, lines(&shown).len()), (0, all - 1));
    assert!(shown.err.contains("the log ends here"), "{}", shown.err);

    let newer = work.path().join("CommitLog-9-5.log");
    fs::write(&newer, &bytes).unwrap();
    let shown = show(&newer, &[]);
    assert_eq!((shown.status, &*shown.out), (3, ""));
    assert!(shown.err.contains("version 9"));
    let shown = run(&["commitlog", "nb"]);
    assert_eq!((shown.status, &*shown.out), (2, ""));
}

/// What was replayed gives the answers that the node of the log gave.
fn answers_are_golden(case: &Path, replayed: &Path) {
    let now = fs::read_to_string(case.join("now")).unwrap();
    let answers = fs::read_to_string(case.join("answers.jsonl")).unwrap();
    for answer in answers.lines() {
        let answer: Value = serde_json::from_str(answer).unwrap();
        let cql = answer["cql"].as_str().unwrap();
        let mut query = cqlite();
        query
            .args(["query", "--now", now.trim()])
            .arg(replayed)
            .arg(cql);
        let told = ran(query.output().unwrap());
        let rows = answer["rows"].as_array().unwrap();
        let rows: Vec<&str> = rows.iter().map(|row| row.as_str().unwrap()).collect();
        let found: Vec<&str> = told.out.lines().collect();
        assert_eq!(found, rows, "{cql} {}", told.err);
    }
}

#[test]
fn replayed_into_sstables() {
    for case in cases() {
        let work = tempfile::tempdir().unwrap();
        let out = work.path().join("made/here");
        let into = ["--replay", out.to_str().unwrap()];
        let replayed = show(&case, &into);
        assert_eq!(replayed.status, 0, "{}", replayed.err);
        assert_eq!(replayed.out.lines().count(), 6, "{}", replayed.out);
        answers_are_golden(&case, &out);
        // Once more, another SSTable beside says the same; of one table alone, only that.
        let replayed = show(&case, &[&into[..], &["--table", "log.counts"]].concat());
        assert_eq!((replayed.status, replayed.out.lines().count()), (0, 1));
        assert!(replayed.out.contains("oa-2-big"), "{}", replayed.out);
        let verified = ran(cqlite().arg("verify").arg(&out).output().unwrap());
        assert_eq!(verified.status, 0, "{}", verified.out);
    }
}

#[test]
fn replayed_into_a_database() {
    let case = golden().join("../commitlog/v8");
    let work = tempfile::tempdir().unwrap();
    let database = work.path().join("db");
    let statements = work.path().join("schema.cql");
    let schema = fs::read_to_string(case.join("schema.cql")).unwrap();
    let keyspace = "CREATE KEYSPACE log WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};";
    fs::write(&statements, format!("{keyspace}\n{schema}")).unwrap();
    let mut exec = cqlite();
    exec.arg("exec").arg(&database).arg("-f").arg(&statements);
    let made = ran(exec.output().unwrap());
    assert_eq!(made.status, 0, "{}", made.err);
    let replayed = show(&case, &["--replay", database.to_str().unwrap()]);
    assert_eq!(replayed.status, 0, "{}", replayed.err);
    assert!(
        replayed.out.contains("log.counts: 3 updates"),
        "{}",
        replayed.out
    );
    answers_are_golden(&case, &database);
    // Its own log it replays by itself.
    let own = show(&database, &["--replay", database.to_str().unwrap()]);
    assert_eq!(own.status, 2, "{}", own.err);
}
