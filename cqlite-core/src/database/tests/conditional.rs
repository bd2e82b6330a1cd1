//! Statements with `IF`, and counters, answer as Cassandra did: `test-data/conditions.jsonl`.

use super::*;
use crate::query::{ResultRow, ResultSet};
use serde_json::Value as Json;

/// The rows as hexadecimal digits, as the golden answers have them.
fn hexadecimal(result: &ResultSet) -> Json {
    let value = |row: &ResultRow<'_>, i: usize| match row.value(i) {
        Some(bytes) => bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
            .into(),
        None => Json::Null,
    };
    let row = |row: ResultRow<'_>| {
        let values = 0..row.columns().len();
        Json::Array(values.map(|i| value(&row, i)).collect())
    };
    Json::Array(result.rows().map(row).collect())
}

fn names(result: &ResultSet) -> Json {
    let names = result.columns().iter().map(|column| column.name.clone());
    Json::Array(names.map(Json::from).collect())
}

#[test]
fn answers_are_those_of_cassandra() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../test-data/conditions.jsonl");
    let golden = fs::read_to_string(path).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(
        &mut session,
        &[
            "CREATE KEYSPACE golden WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        ],
    );
    let mut answered = 0;
    let mut wrong = Vec::new();
    for line in golden.lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        let statement = line["q"].as_str().unwrap();
        let outcome = session.execute(statement, micros(0));
        let result = match outcome {
            Err(e) => {
                if line.get("error").is_none() {
                    wrong.push(format!("{statement}\n  {e}\n  not {line}"));
                }
                continue;
            }
            Ok(Outcome::Conditional(conditional)) => {
                let result = conditional.result().clone();
                let was_applied = result.rows().next().and_then(|row| row.value(0)) == Some(&[1]);
                assert!(was_applied || conditional.position().is_none());
                Some(result)
            }
            Ok(Outcome::Selected(selected)) => Some(selected.collect().unwrap()),
            Ok(_) => None,
        };
        let (columns, rows) = match &result {
            Some(result) => (Some(names(result)), Some(hexadecimal(result))),
            None => (None, None),
        };
        let is_right = line.get("error").is_none()
            && line.get("columns") == columns.as_ref()
            && line.get("rows") == rows.as_ref();
        if !is_right {
            wrong.push(format!("{statement}\n  {columns:?} {rows:?}\n  not {line}"));
        }
        answered += usize::from(result.is_some());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(answered > 100, "{answered}");
}

/// Of many that ask for the same at once, one gets it; and a compare-and-set loop loses nothing.
#[test]
fn conditions_are_met_one_after_the_other() {
    const THREADS: i32 = 4;
    const ROUNDS: i32 = 50;
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    run(
        &mut database.session(),
        &[
            "CREATE KEYSPACE ks",
            "CREATE TABLE ks.t (p int PRIMARY KEY, v int)",
            "INSERT INTO ks.t (p, v) VALUES (0, 0)",
        ],
    );
    let applied = |outcome: Outcome| {
        let Outcome::Conditional(conditional) = outcome else {
            panic!("there was a condition");
        };
        let mut rows = conditional.result().rows();
        rows.next().unwrap().value(0) == Some(&[1])
    };
    let won: i32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let database = &database;
                scope.spawn(move || {
                    let mut session = database.session();
                    let mut won = 0;
                    for p in 1..=ROUNDS {
                        let insert =
                            format!("INSERT INTO ks.t (p, v) VALUES ({p}, 0) IF NOT EXISTS");
                        won += i32::from(applied(session.execute(&insert, micros(0)).unwrap()));
                        loop {
                            let found = rows(&mut session, "SELECT v FROM ks.t WHERE p = 0");
                            let digits = found[0].chars().filter(char::is_ascii_digit);
                            let v: i32 = digits.collect::<String>().parse().unwrap();
                            let set =
                                format!("UPDATE ks.t SET v = {} WHERE p = 0 IF v = {v}", v + 1);
                            if applied(session.execute(&set, micros(0)).unwrap()) {
                                break;
                            }
                        }
                    }
                    won
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(won, ROUNDS);
    let found = rows(&mut database.session(), "SELECT v FROM ks.t WHERE p = 0");
    assert_eq!(found, [format!(r#"{{"v": {}}}"#, THREADS * ROUNDS)]);
}

/// What is written under a condition hides what was found, whatever timestamp that had.
#[test]
fn what_is_found_is_older() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    let future = micros(1_000_000);
    run(
        &mut session,
        &[
            "CREATE KEYSPACE ks",
            "CREATE TABLE ks.t (p int, c int, v int, PRIMARY KEY (p, c))",
            &format!("INSERT INTO ks.t (p, c, v) VALUES (1, 1, 1) USING TIMESTAMP {future}"),
            "UPDATE ks.t SET v = 2 WHERE p = 1 AND c = 1",
            &format!("DELETE FROM ks.t USING TIMESTAMP {future} WHERE p = 2 AND c > 0"),
            "INSERT INTO ks.t (p, c, v) VALUES (2, 1, 1)",
        ],
    );
    database.flush().unwrap();
    assert_eq!(rows(&mut session, "SELECT v FROM ks.t"), [r#"{"v": 1}"#]);
    run(
        &mut session,
        &[
            "UPDATE ks.t SET v = 3 WHERE p = 1 AND c = 1 IF v = 1",
            "INSERT INTO ks.t (p, c, v) VALUES (2, 1, 4) IF NOT EXISTS",
            // What is written without a condition afterwards is newer still.
            "INSERT INTO ks.t (p, c, v) VALUES (2, 1, 5)",
        ],
    );
    let found = rows(&mut session, "SELECT v FROM ks.t");
    assert_eq!(found, [r#"{"v": 3}"#, r#"{"v": 5}"#]);
}
