//! Prepared statements, one by one and many at once.

use super::*;
use crate::mutation::Value;
use crate::types::CqlType;

const TABLES: [&str; 4] = [
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TYPE ks.u (x int, y text)",
    "CREATE TABLE ks.t (p int, c int, s int static, v text, l list<int>, m map<text, int>, t set<int>, a ks.u, \
     f frozen<list<int>>, PRIMARY KEY (p, c))",
    "CREATE TABLE ks.n (p int PRIMARY KEY, n counter)",
];

fn int(value: i32) -> [u8; 4] {
    value.to_be_bytes()
}

/// Executes with values that are written as literals of CQL; `unset` is none.
fn execute(session: &mut Session<'_>, text: &str, values: &[&str]) -> Result<Outcome> {
    let prepared = session.prepare(text)?;
    let variables = prepared.variables().iter();
    let bytes: Vec<Option<Option<Vec<u8>>>> = variables
        .zip(values)
        .map(|(variable, value)| match *value {
            "unset" => None,
            value => {
                let literal = crate::cql::parse_literal(value).unwrap();
                Some(literal.to_bytes(&variable.ty, 0).unwrap())
            }
        })
        .collect();
    assert_eq!(bytes.len(), values.len(), "{text}");
    let values: Vec<Value<'_>> = bytes
        .iter()
        .map(|value| match value {
            None => Value::Unset,
            Some(None) => Value::Null,
            Some(Some(bytes)) => Value::Bytes(bytes),
        })
        .collect();
    session.execute_prepared(&prepared, &values, micros(0))
}

fn selected(session: &mut Session<'_>, text: &str, values: &[&str]) -> Vec<String> {
    match execute(session, text, values).expect(text) {
        Outcome::Selected(selected) => json_lines(selected.rows()),
        _ => panic!("{text} gives no rows"),
    }
}

#[test]
fn markers_stand_for_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &TABLES);
    run(&mut session, &["USE ks"]);
    let variables = |text: &str| {
        let prepared = session.prepare(text).expect(text);
        let variables = prepared.variables().iter();
        let shown = variables.map(|v| format!("{} {}", v.name, v.ty.cql_name()));
        shown.collect::<Vec<_>>().join("; ")
    };
    for (text, expected) in [
        (
            "INSERT INTO t (c, p, v) VALUES (?, :key, ?) USING TTL ? AND TIMESTAMP :at",
            "c int; key int; v text; [ttl] int; at bigint",
        ),
        ("INSERT INTO t JSON ? IF NOT EXISTS", "[json] text"),
        (
            "INSERT INTO t (p, c, l, m, a) VALUES (1, 1, [?, 2], {?: ?}, {x: ?, y: 'y'})",
            "value(l) int; key(m) text; value(m) int; value(a) int",
        ),
        (
            "UPDATE t USING TIMESTAMP ? SET v = ?, l = l + ?, m[?] = ?, l[?] = ?, t = t - ?, m = m - ?, a.y = ? \
          WHERE p = ? AND c IN ? IF v = ? AND m['a'] IN (?, ?) AND l CONTAINS ? AND a.x > ? AND v IN ?",
            "[timestamp] bigint; v text; l list<int>; key(m) text; value(m) int; idx(l) int; value(l) int; t set<int>; \
          m set<text>; value(a) text; p int; in(c) frozen<list<int>>; v text; m int; m int; value(l) int; a int; \
          in(v) frozen<list<text>>",
        ),
        (
            "DELETE m[?], l[?], t[?] FROM t USING TIMESTAMP ? WHERE p = ? AND (c) > ?",
            "key(m) text; idx(l) int; key(t) int; [timestamp] bigint; p int; (c) frozen<tuple<int>>",
        ),
        (
            "SELECT m[?], CAST((int) ? AS text) FROM t WHERE p IN ? AND c > ? AND (c) IN ? AND token(p) > token(?) \
          PER PARTITION LIMIT ? LIMIT ?",
            "key([selection]) text; [selection] int; in(p) frozen<list<int>>; c int; in((c)) frozen<list<frozen<tuple<int>>>>; \
          p int; [per_partition_limit] int; [limit] int",
        ),
        (
            "SELECT p FROM t WHERE token(p) > ? AND m[?] = ? AND m CONTAINS KEY ? ALLOW FILTERING",
            "partition key token bigint; key(m) text; value(m) int; key(m) text",
        ),
        (
            "BEGIN BATCH USING TIMESTAMP ? INSERT INTO t (p, c) VALUES (?, 1); DELETE FROM ks.t WHERE p = ? AND c = ? APPLY BATCH",
            "[timestamp] bigint; p int; p int; c int",
        ),
        ("UPDATE n SET n = n + ? WHERE p = ?", "n counter; p int"),
    ] {
        assert_eq!(variables(text), expected, "{text}");
    }
    for (text, says) in [
        ("SELECT ? FROM t", "type of `?` is not known"),
        (
            "INSERT INTO t (p, c) VALUES (?, abs(:x))",
            "type of `:x` is not known",
        ),
        ("SELECT * FROM nothing WHERE p = ?", "nothing"),
        ("INSERT INTO t (p, q) VALUES (?, ?)", "q"),
        (
            "CREATE TABLE q (p int PRIMARY KEY)",
            "only statements about rows",
        ),
    ] {
        let e = session.prepare(text).unwrap_err();
        assert!(e.to_string().contains(says), "{text}: {e}");
    }
}

#[test]
fn values_take_their_places() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &TABLES);
    run(&mut session, &["USE ks"]);
    for (text, values) in [
        (
            "INSERT INTO t (p, c, v, l, m, a) VALUES (?, 1, ?, ?, ?, ?)",
            &["1", "'one'", "[1, 2]", "{'a': 1}", "{x: 5, y: 'why'}"][..],
        ),
        (
            "INSERT INTO t (p, c, v, f) VALUES (?, ?, ?, ?) USING TTL ? AND TIMESTAMP ?",
            &["1", "2", "'two'", "[3]", "unset", "unset"],
        ),
        (
            "INSERT INTO t (p, c, v, l) VALUES (1, 2, ?, [?, ?])",
            &["unset", "7", "8"],
        ),
        (
            "INSERT INTO t JSON ? DEFAULT UNSET",
            &["'{\"p\": 1, \"c\": 3, \"t\": [1, 2, 3]}'"],
        ),
        (
            "UPDATE t SET v = ?, l[?] = ?, l = l - ?, m = m + ?, a.y = ? WHERE p = ? AND c = ?",
            &["'changed'", "1", "20", "[1]", "{'b': 2}", "unset", "1", "1"],
        ),
        (
            "UPDATE t SET t = t - ?, m[?] = ? WHERE p = ? AND c IN ?",
            &["{2, 3}", "'z'", "26", "1", "[3]"],
        ),
        (
            "UPDATE t SET s = ? WHERE p = ? IF s = ?",
            &["4", "1", "null"],
        ),
        (
            "BEGIN BATCH INSERT INTO t (p, c, v) VALUES (?, ?, ?); DELETE v FROM t WHERE p = ? AND c = ?; APPLY BATCH",
            &["2", "1", "'batch'", "1", "2"],
        ),
        ("UPDATE n SET n = n + ? WHERE p = ?", &["5", "1"]),
        ("UPDATE n SET n = n - ? WHERE p = ?", &["unset", "1"]),
    ] {
        let outcome = execute(&mut session, text, values).map(drop);
        outcome.unwrap_or_else(|e| panic!("{text}: {e}"));
    }
    let found = selected(
        &mut session,
        "SELECT JSON * FROM t WHERE p = ? LIMIT ?",
        &["1", "unset"],
    );
    assert_eq!(
        found,
        [
            r#"{"p": 1, "c": 1, "s": 4, "a": {"x": 5, "y": "why"}, "f": null, "l": [20], "m": {"a": 1, "b": 2}, "t": null, "v": "changed"}"#,
            r#"{"p": 1, "c": 2, "s": 4, "a": null, "f": [3], "l": [7, 8], "m": null, "t": null, "v": null}"#,
            r#"{"p": 1, "c": 3, "s": 4, "a": null, "f": null, "l": null, "m": {"z": 26}, "t": [1], "v": null}"#,
        ]
    );
    assert_eq!(
        selected(&mut session, "SELECT n FROM n", &[]),
        [r#"{"n": 5}"#]
    );
    let v = "SELECT p, c FROM t WHERE ";
    for (text, values, expected) in [
        (
            "p IN ? AND c > ? LIMIT ?",
            &["[1, 2]", "0", "2"][..],
            &["1, \"c\": 1", "1, \"c\": 2"][..],
        ),
        (
            "p IN (?, ?) PER PARTITION LIMIT ?",
            &["1", "2", "1"],
            &["1, \"c\": 1", "2, \"c\": 1"],
        ),
        (
            "p = ? AND (c) IN ?",
            &["1", "[(2), (3)]"],
            &["1, \"c\": 2", "1, \"c\": 3"],
        ),
        ("p = ? AND (c) > ?", &["1", "(2)"], &["1, \"c\": 3"]),
        ("token(p) = token(?)", &["2"], &["2, \"c\": 1"]),
        (
            "m CONTAINS KEY ? ALLOW FILTERING",
            &["'z'"],
            &["1, \"c\": 3"],
        ),
        ("m[?] = ? ALLOW FILTERING", &["'b'", "2"], &["1, \"c\": 1"]),
    ] {
        let found = selected(&mut session, &format!("{v}{text}"), values);
        let expected: Vec<_> = expected
            .iter()
            .map(|row| format!("{{\"p\": {row}}}"))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
    for (text, values, says) in [
        ("SELECT * FROM t LIMIT ?", &["0"][..], "at least one"),
        ("SELECT * FROM t WHERE p = ?", &["unset"], "unset"),
        ("SELECT * FROM t WHERE p = ?", &["null"], "null"),
        ("INSERT INTO t (p, c) VALUES (?, 1)", &["unset"], "no value"),
        (
            "INSERT INTO t (p, c) VALUES (?, ?)",
            &["1", "null"],
            "no value",
        ),
        (
            "INSERT INTO t (p, c, l) VALUES (1, 1, [?])",
            &["unset"],
            "unset",
        ),
        (
            "UPDATE t SET v = 'x' WHERE p = 1 AND c = 1 IF v = ?",
            &["unset"],
            "unset",
        ),
        (
            "INSERT INTO t (p, c) VALUES (1, 1) USING TTL ?",
            &["-1"],
            "time to live",
        ),
        (
            "INSERT INTO t (p, c) VALUES (1, 1) USING TIMESTAMP ?",
            &["null"],
            "timestamp",
        ),
    ] {
        let e = execute(&mut session, text, values).err().expect(text);
        assert_eq!(e.kind(), ErrorKind::InvalidInput, "{text}: {e}");
        assert!(e.to_string().contains(says), "{text}: {e}");
    }
    // Values are looked at, and counted.
    let prepared = session
        .prepare("INSERT INTO t (p, c) VALUES (?, ?)")
        .unwrap();
    let of = |values: &[Value<'_>], session: &mut Session<'_>| {
        let e = session.execute_prepared(&prepared, values, micros(0)).err();
        e.unwrap().to_string()
    };
    let one = int(1);
    assert!(of(&[Value::Bytes(&one)], &mut session).contains("1 values for 2"));
    assert!(of(&[Value::Bytes(&one), Value::Bytes(b"x")], &mut session).contains("`c`"));
}

/// A statement goes on when its table was altered, and ends when it no longer fits.
#[test]
fn schemas_change_under_prepared_statements() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &TABLES);
    let insert = session
        .prepare("INSERT INTO ks.t (p, c, v) VALUES (?, ?, ?)")
        .unwrap();
    let update = session
        .prepare("UPDATE ks.t SET v = ? WHERE p = ? AND c = ?")
        .unwrap();
    let (one, two) = (int(1), int(2));
    let both = |session: &mut Session<'_>| {
        let values = [Value::Bytes(&one), Value::Bytes(&one), Value::Bytes(b"a")];
        let inserted = session
            .execute_prepared(&insert, &values, micros(0))
            .map(drop);
        let values = [Value::Bytes(b"b"), Value::Bytes(&one), Value::Bytes(&two)];
        let updated = session
            .execute_prepared(&update, &values, micros(0))
            .map(drop);
        inserted.and(updated)
    };
    both(&mut session).unwrap();
    run(&mut session, &["ALTER TABLE ks.t ADD w int"]);
    both(&mut session).unwrap();
    let found = rows(&mut session, "SELECT c, v FROM ks.t");
    assert_eq!(found, [r#"{"c": 1, "v": "a"}"#, r#"{"c": 2, "v": "b"}"#]);
    run(&mut session, &["ALTER TABLE ks.t DROP v"]);
    assert!(both(&mut session).is_err());
    run(&mut session, &["DROP TABLE ks.t"]);
    assert_eq!(both(&mut session).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(insert.variables()[2].ty, CqlType::Text);
}

/// A `SELECT` by keys is planned once, and sees what changes all the same.
#[test]
fn planned_selects_see_what_changes() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &TABLES);
    let literal = |text: &str, values: &[i32]| {
        let mut parts = text.split('?');
        let mut whole = parts.next().unwrap().to_owned();
        for (value, part) in values.iter().zip(parts) {
            whole.push_str(&value.to_string());
            whole.push_str(part);
        }
        whole
    };
    let queries = [
        "SELECT * FROM ks.t WHERE p = ?",
        "SELECT w FROM ks.t WHERE p = ? ORDER BY c DESC LIMIT 2",
        "SELECT DISTINCT s FROM ks.t WHERE p = ?",
        "SELECT count(*), max(w), min(ttl(w)) FROM ks.t WHERE p = ?",
        "SELECT c, w FROM ks.t WHERE c = ? AND p = ?",
        "SELECT JSON * FROM ks.t WHERE p = ? AND c = ?",
        "SELECT s, w, writetime(w) FROM ks.t WHERE p = ? AND c = ?",
        "SELECT c FROM ks.t WHERE p = ? GROUP BY p, c",
        // Not by keys alone.
        "SELECT c FROM ks.t WHERE p = ? AND c > ?",
        "SELECT to_timestamp(now()), c FROM ks.t WHERE p = ? AND c = ?",
    ];
    run(&mut session, &["ALTER TABLE ks.t ADD w int"]);
    let prepared = queries.map(|text| session.prepare(text).unwrap());
    let check = |session: &mut Session<'_>, when: &str| {
        for (text, prepared) in queries.iter().zip(&prepared) {
            for (p, c) in [(1, 1), (1, 2), (2, 1), (1, 1), (3, 3)] {
                let bytes = [int(p), int(c)];
                let values = bytes.each_ref().map(|bytes| Value::Bytes(bytes));
                let values = &values[..prepared.variables().len()];
                for second in [1, 500] {
                    let lines = |outcome: Outcome| match outcome {
                        Outcome::Selected(selected) => json_lines(selected.rows()),
                        _ => panic!("{text}"),
                    };
                    let text = literal(text, &[p, c]);
                    let found = session.execute_prepared(prepared, values, micros(second));
                    let expected = session.execute(&text, micros(second));
                    let (found, expected) = (lines(found.unwrap()), lines(expected.unwrap()));
                    assert_eq!(found, expected, "{when}: {text} {p} {c}");
                }
            }
            for bad in [Value::Null, Value::Unset, Value::Bytes(b"x")] {
                let values = vec![bad; prepared.variables().len()];
                let refused = session.execute_prepared(prepared, &values, micros(1));
                assert!(refused.is_err(), "{when}: {text} {bad:?}");
            }
        }
    };
    check(&mut session, "without rows");
    let insert = |session: &mut Session<'_>, p: i32, c: i32, w: i32, using: &str| {
        let text = format!("INSERT INTO ks.t (p, c, w, s) VALUES ({p}, {c}, {w}, {w}) {using}");
        session.execute(&text, micros(0)).unwrap();
    };
    insert(&mut session, 1, 1, 10, "");
    insert(&mut session, 1, 2, 20, "USING TTL 300");
    insert(&mut session, 2, 1, 30, "");
    check(&mut session, "in memory");
    database.flush().unwrap();
    check(&mut session, "in an SSTable");
    insert(&mut session, 1, 1, 11, "");
    run(&mut session, &["DELETE FROM ks.t WHERE p = 2"]);
    check(&mut session, "in both");
    database.flush().unwrap();
    check(&mut session, "in two SSTables");
    run(&mut session, &["ALTER TABLE ks.t ADD a2 int"]);
    check(&mut session, "with another column");
    let table = database.table(Some("ks"), "t").unwrap();
    database.compact(&table, NOW).unwrap();
    check(&mut session, "compacted");
    run(&mut session, &["ALTER TABLE ks.t DROP w"]);
    let one = int(1);
    let e = session.execute_prepared(&prepared[1], &[Value::Bytes(&one)], micros(1));
    assert!(e.is_err_and(|e| e.to_string().contains('w')));
    run(&mut session, &["DROP TABLE ks.t"]);
    let e = session.execute_prepared(&prepared[0], &[Value::Bytes(&one)], micros(1));
    assert!(e.is_err_and(|e| e.kind() == ErrorKind::NotFound));
}

/// An `UPDATE` of regular columns by a whole key writes what it writes when it is not prepared: no row that lives by itself.
#[test]
fn plain_updates_write_cells_alone() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &TABLES);
    let set =
        "UPDATE ks.t USING TTL ? AND TIMESTAMP ? SET v = ?, f = [7], m = ? WHERE c = ? AND p = 1";
    execute(&mut session, set, &["unset", "5", "'a'", "{'k': 1}", "1"]).unwrap();
    execute(&mut session, set, &["600", "6", "unset", "unset", "2"]).unwrap();
    execute(&mut session, set, &["unset", "4", "'old'", "null", "1"]).unwrap();
    let all = "SELECT c, v, f, m, writetime(v) AS wv, ttl(f) AS tf FROM ks.t";
    let found = rows(&mut session, all);
    let expected = [
        r#"{"c": 1, "v": "a", "f": [7], "m": {"k": 1}, "wv": 5, "tf": null}"#,
        r#"{"c": 2, "v": null, "f": [7], "m": null, "wv": null, "tf": 599}"#,
    ];
    assert_eq!(found, expected);
    // Without its cells a row is gone.
    let unset = "UPDATE ks.t SET v = ?, f = null, m = ? WHERE p = ? AND c = ?";
    let prepared = session.prepare(unset).unwrap();
    let (one, two) = (int(1), int(2));
    let gone = |c| {
        [
            Value::Null,
            Value::Null,
            Value::Bytes(&one),
            Value::Bytes(c),
        ]
    };
    let (first, second) = (gone(&one), gone(&two));
    let position = session.execute_many(&prepared, [&first[..], &second], micros(0));
    assert!(position.unwrap().is_some());
    assert!(rows(&mut session, all).is_empty());
    for (values, says) in [
        (["'a'", "null", "unset", "1"], "`p`"),
        (["'a'", "null", "1", "null"], "`c`"),
    ] {
        let e = execute(&mut session, unset, &values).err().unwrap();
        assert!(e.to_string().contains(says), "{e}");
    }
    let twice = "UPDATE ks.t SET v = 'a', v = 'b' WHERE p = ? AND c = 1";
    assert!(session.prepare(twice).is_err());
}

/// Collections that are not sorted are kept sorted, wherever they are bound.
#[test]
fn bound_collections_are_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(
        &mut session,
        &[
            TABLES[0],
            "CREATE TABLE ks.k (k frozen<set<int>> PRIMARY KEY, v frozen<map<int, int>>, w frozen<set<int>>)",
        ],
    );
    let list = |values: &[i32], per: usize| {
        let mut bytes = ((values.len() / per) as i32).to_be_bytes().to_vec();
        for value in values {
            bytes.extend(4i32.to_be_bytes());
            bytes.extend(value.to_be_bytes());
        }
        bytes
    };
    let (set, map) = (list(&[3, 1, 3], 1), list(&[2, 20, 1, 10, 2, 21], 2));
    let [k, v] = [Value::Bytes(&set), Value::Bytes(&map)];
    for text in [
        "INSERT INTO ks.k (k, v, w) VALUES (?, ?, ?)",
        "INSERT INTO ks.k (k, v, w) VALUES ({5}, ?, ?)",
        "UPDATE ks.k SET v = ?, w = ? WHERE k = {6}",
    ] {
        let prepared = session.prepare(text).unwrap();
        let values = match prepared.variables().len() {
            3 => vec![k, v, k],
            _ => vec![v, k],
        };
        session
            .execute_prepared(&prepared, &values, micros(0))
            .unwrap();
    }
    let mut found = rows(&mut session, "SELECT * FROM ks.k");
    found.sort();
    let of = |k: &str| format!(r#"{{"k": {k}, "v": {{"1": 10, "2": 21}}, "w": [1, 3]}}"#);
    assert_eq!(found, [of("[1, 3]"), of("[5]"), of("[6]")]);
    let select = session.prepare("SELECT k FROM ks.k WHERE k = ?").unwrap();
    for _ in 0..2 {
        match session.execute_prepared(&select, &[k], micros(0)).unwrap() {
            Outcome::Selected(selected) => assert_eq!(json_lines(selected.rows()).len(), 1),
            _ => panic!("no rows"),
        }
    }
}

#[test]
fn many_at_once_are_as_one_by_one() {
    const ROWS: i32 = 3000;
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &TABLES);
    let insert = session
        .prepare("INSERT INTO ks.t (p, c, v) VALUES (?, ?, ?)")
        .unwrap();
    let delete = session
        .prepare("DELETE FROM ks.t WHERE p = ? AND c = ?")
        .unwrap();
    let select = session.prepare("SELECT v FROM ks.t WHERE p = ?").unwrap();
    let numbers: Vec<[u8; 4]> = (0..ROWS).map(int).collect();
    let texts: Vec<String> = (0..ROWS).map(|i| format!("{i:0100}")).collect();
    // Each row twice: the second one is newer.
    let mut all: Vec<[Value<'_>; 3]> = Vec::new();
    for (number, text) in numbers.iter().zip(&texts) {
        all.push([
            Value::Bytes(number),
            Value::Bytes(&numbers[0]),
            Value::Bytes(b"zz"),
        ]);
        all.push([
            Value::Bytes(number),
            Value::Bytes(&numbers[0]),
            Value::Bytes(text.as_bytes()),
        ]);
    }
    let position = session
        .execute_many(&insert, all.iter().map(|row| &row[..]), micros(0))
        .unwrap();
    database.wait(position.unwrap()).unwrap();
    let gone: Vec<[Value<'_>; 2]> = numbers
        .iter()
        .skip(1)
        .step_by(2)
        .map(|number| [Value::Bytes(number), Value::Bytes(&numbers[0])])
        .collect();
    session
        .execute_many(&delete, gone.iter().map(|row| &row[..]), micros(0))
        .unwrap()
        .unwrap();
    let check = |database: &Database| {
        let mut session = database.session();
        // In an order that is not that of the tokens, one of them twice, one that is not there.
        let asked = [7, 2, 4, 2, 2998, 100_000, 0, 1];
        let asked_bytes = asked.map(int);
        let keys: Vec<[Value<'_>; 1]> = asked_bytes.iter().map(|n| [Value::Bytes(n)]).collect();
        let results = session
            .select_many(&select, keys.iter().map(|key| &key[..]), micros(0))
            .unwrap();
        let found: Vec<Option<String>> = results
            .iter()
            .map(|result| {
                assert!(result.len() <= 1);
                let row = result.rows().next()?;
                Some(String::from_utf8(row.value(0)?.to_vec()).unwrap())
            })
            .collect();
        let expected = asked.map(|n: i32| (n < ROWS && n % 2 == 0).then(|| format!("{n:0100}")));
        assert_eq!(found, expected);
    };
    check(&database);
    let count = "SELECT count(*) FROM ks.t";
    let expected = [format!("{{\"count\": {}}}", ROWS / 2)];
    assert_eq!(rows(&mut session, count), expected);
    // What is refused ends it; nothing of the last record was written then.
    let bad = [[
        Value::Bytes(b"long"),
        Value::Bytes(&numbers[1]),
        Value::Bytes(b"\xff"),
    ]];
    assert!(
        session
            .execute_many(&insert, bad.iter().map(|row| &row[..]), micros(0))
            .is_err()
    );
    assert!(
        session
            .execute_many(&select, bad.iter().map(|row| &row[..1]), micros(0))
            .is_ok_and(|p| p.is_none())
    );
    assert_eq!(rows(&mut session, count), expected);
    drop(session);
    // What was in memory is read back from the log.
    drop(database);
    let database = open(directory.path());
    check(&database);
    database.flush().unwrap();
    check(&database);
}

/// What is another one each time is that, and what is appended to a list is at its end, whoever appends.
#[test]
fn sessions_of_different_ages() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let (mut old, mut young) = (database.session(), database.session());
    run(
        &mut old,
        &[
            TABLES[0],
            "CREATE TABLE ks.t (p int, c timeuuid, u uuid, at timestamp, l list<int>, PRIMARY KEY (p, c))",
            "UPDATE ks.t SET l = [0] WHERE p = 2 AND c = 50554d6e-29bb-11e5-b345-feff819cdc9f",
        ],
    );
    let insert = "INSERT INTO ks.t (p, c, u, at) VALUES (1, now(), uuid(), to_timestamp(now()))";
    let prepared = young.prepare(insert).unwrap();
    for second in [100, 50] {
        old.execute(insert, micros(second)).unwrap();
        young
            .execute_prepared(&prepared, &[], micros(second + 1))
            .unwrap();
        young
            .execute_many(&prepared, [&[][..], &[]], micros(second + 2))
            .unwrap();
    }
    let found = rows(&mut old, "SELECT c, u FROM ks.t WHERE p = 1");
    assert_eq!(found.len(), 8);
    let distinct: std::collections::BTreeSet<&str> = found
        .iter()
        .flat_map(|row| row.split('"').filter(|s| s.len() == 36))
        .collect();
    assert_eq!(distinct.len(), 16);
    let at = rows(&mut old, "SELECT at FROM ks.t WHERE p = 1 LIMIT 1");
    assert_eq!(at, [r#"{"at": "2023-11-14 22:15:00.000Z"}"#]);
    let append = |session: &mut Session<'_>, n: i32, second: i64| {
        let of_row = "WHERE p = 2 AND c = 50554d6e-29bb-11e5-b345-feff819cdc9f";
        let text = format!("UPDATE ks.t SET l = l + [{n}] {of_row}");
        session.execute(&text, micros(second)).unwrap();
        let text = format!("UPDATE ks.t SET l = [{}] + l {of_row}", -n);
        session.execute(&text, micros(second)).unwrap();
    };
    append(&mut young, 1, 200);
    append(&mut old, 2, 300);
    append(&mut young, 3, 400);
    let found = rows(&mut old, "SELECT l FROM ks.t WHERE p = 2");
    assert_eq!(found, [r#"{"l": [-3, -2, -1, 0, 1, 2, 3]}"#]);
}

/// Changes that depend on what is there see those before them; lookups of any kind give what they give alone.
#[test]
fn many_of_any_kind_are_as_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(&mut session, &TABLES);
    let (zero, one, two) = (int(0), int(1), int(2));
    let (n, p) = (Value::Bytes(&one), Value::Bytes(&two));
    let long = 5i64.to_be_bytes();
    let count = session
        .prepare("UPDATE ks.n SET n = n + ? WHERE p = ?")
        .unwrap();
    let by = [Value::Bytes(&long), p];
    session
        .execute_many(&count, [&by[..], &by, &by], micros(0))
        .unwrap()
        .unwrap();
    assert_eq!(rows(&mut session, "SELECT n FROM ks.n"), [r#"{"n": 15}"#]);
    let list = session
        .prepare("UPDATE ks.t SET l = l + [1, 2, 3], v = ? WHERE p = ? AND c = ?")
        .unwrap();
    let text = Value::Bytes(b"t");
    session
        .execute_many(&list, [&[text, n, p][..], &[text, p, n]], micros(0))
        .unwrap();
    let less = session
        .prepare("DELETE l[?] FROM ks.t WHERE p = ? AND c = ?")
        .unwrap();
    let first = [Value::Bytes(&zero), n, p];
    session
        .execute_many(&less, [&first[..], &first], micros(0))
        .unwrap();
    let set = session
        .prepare("UPDATE ks.t SET s = ? WHERE p = ? IF s = null")
        .unwrap();
    session
        .execute_many(&set, [&[n, n][..], &[p, n]], micros(0))
        .unwrap();
    assert_eq!(
        rows(&mut session, "SELECT p, s, l FROM ks.t"),
        [
            r#"{"p": 1, "s": 1, "l": [3]}"#,
            r#"{"p": 2, "s": null, "l": [1, 2, 3]}"#
        ]
    );

    // Whole partitions, and rows by constants.
    run(
        &mut session,
        &[
            "INSERT INTO ks.t (p, c) VALUES (1, 1)",
            "INSERT INTO ks.t (p, c) VALUES (1, 3)",
        ],
    );
    let row = session
        .prepare("DELETE FROM ks.t WHERE c = 3 AND p = ?")
        .unwrap();
    session
        .execute_many(&row, [&[n][..]], micros(0))
        .unwrap()
        .unwrap();
    let found = |session: &mut Session<'_>| rows(session, "SELECT p, c FROM ks.t");
    let [a, b, c] = [
        r#"{"p": 1, "c": 1}"#,
        r#"{"p": 1, "c": 2}"#,
        r#"{"p": 2, "c": 1}"#,
    ];
    assert_eq!(found(&mut session), [a, b, c]);

    for text in [
        "SELECT c, l FROM ks.t WHERE p = ?",
        "SELECT JSON * FROM ks.t WHERE p = ? ORDER BY c DESC PER PARTITION LIMIT 1",
        "SELECT * FROM ks.t WHERE p = ? LIMIT 1",
        "SELECT count(*), max(c) FROM ks.t WHERE p = ?",
        "SELECT DISTINCT p, s FROM ks.t WHERE p = ?",
        "SELECT c FROM ks.t WHERE p = ? AND c > 1",
        "SELECT c FROM ks.t WHERE p IN (1, 2) AND c = ?",
    ] {
        let select = session.prepare(text).unwrap();
        let keys = [[p], [n], [Value::Bytes(&zero)], [p]];
        let many = session
            .select_many(&select, keys.iter().map(|key| &key[..]), micros(1))
            .unwrap();
        for (key, result) in keys.iter().zip(&many) {
            let lines = result.rows().map(|row| {
                let mut line = Vec::new();
                row.write_json(&mut line).unwrap();
                String::from_utf8(line).unwrap()
            });
            let lines: Vec<String> = lines.collect();
            let alone = match session.execute_prepared(&select, key, micros(1)).unwrap() {
                Outcome::Selected(selected) => json_lines(selected.rows()),
                _ => panic!("{text}"),
            };
            assert_eq!(lines, alone, "{text} {key:?}");
        }
    }
    let select = session.prepare("SELECT c FROM ks.t WHERE p = ?").unwrap();
    for bad in [Value::Null, Value::Unset, Value::Bytes(b"x")] {
        assert!(
            session
                .select_many(&select, [&[n][..], &[bad]], micros(1))
                .is_err()
        );
    }
    assert!(
        session
            .select_many(&select, [], micros(1))
            .unwrap()
            .is_empty()
    );

    let partition = session
        .prepare("DELETE FROM ks.t USING TIMESTAMP ? WHERE p = ?")
        .unwrap();
    let old = 1i64.to_be_bytes();
    session
        .execute_many(
            &partition,
            [&[Value::Unset, p][..], &[Value::Bytes(&old), n]],
            micros(0),
        )
        .unwrap();
    assert_eq!(found(&mut session), [a, b]);
}

/// Deleted rows give their disk back once nobody can need their tombstones.
#[test]
fn deleted_rows_give_the_disk_back() {
    const ROWS: i32 = 5000;
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    let mut session = database.session();
    run(
        &mut session,
        &[
            TABLES[0],
            "CREATE TABLE ks.t (p int PRIMARY KEY, v blob) WITH gc_grace_seconds = 0 AND compression = {'enabled': false}",
        ],
    );
    let insert = session
        .prepare("INSERT INTO ks.t (p, v) VALUES (?, ?)")
        .unwrap();
    let delete = session.prepare("DELETE FROM ks.t WHERE p = ?").unwrap();
    let value = [7; 400];
    let numbers: Vec<[u8; 4]> = (0..ROWS).map(int).collect();
    let all: Vec<[Value<'_>; 2]> = numbers
        .iter()
        .map(|number| [Value::Bytes(number), Value::Bytes(&value)])
        .collect();
    session
        .execute_many(&insert, all.iter().map(|row| &row[..]), micros(0))
        .unwrap();
    database.flush().unwrap();
    let table = database.table(None, "t").unwrap();
    let on_disk = || -> u64 {
        let files = fs::read_dir(table.directory()).unwrap();
        files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum()
    };
    let before = on_disk();
    assert!(before > ROWS as u64 * 400);
    let gone = ROWS as usize * 97 / 100;
    session
        .execute_many(&delete, all[..gone].iter().map(|row| &row[..1]), micros(0))
        .unwrap();
    database.flush().unwrap();
    database.compact(&table, NOW + 10).unwrap();
    let after = on_disk();
    assert!(after * 20 <= before, "{after} of {before} bytes are left");
    let found = rows(&mut session, "SELECT count(*) FROM ks.t");
    assert_eq!(found, [format!("{{\"count\": {}}}", ROWS as usize - gone)]);
}
