//! Statements and rows as changes; what is refused, and why.

use super::*;
use crate::cql::parse_statement;
use crate::model::{DeletionTime, NO_DELETION_TIME, RowRef, Slice};
use crate::schema::parse_schema;
use crate::sstable::builder::ChangeSink;
use crate::types::Json;
use std::fmt::Write;
use std::sync::Arc;

const SCHEMA: &str = "CREATE TYPE ks.u (a int, b text);
    CREATE TABLE ks.t (k int, c int, d text, s text static, v int, st set<int>, m map<text, int>, l list<int>,
        u u, f frozen<list<int>>, PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC);
    CREATE TABLE ks.two (a int, b text, v int, PRIMARY KEY ((a, b)));
    CREATE TABLE ks.compact (k int PRIMARY KEY, v int) WITH COMPACT STORAGE;
    CREATE TABLE ks.dense (k int, c int, v int, PRIMARY KEY (k, c)) WITH COMPACT STORAGE;
    CREATE TABLE ks.again (k int PRIMARY KEY, v int, w int);
    ALTER TABLE ks.again DROP v USING TIMESTAMP 50;
    ALTER TABLE ks.again ADD v int;
    CREATE TABLE ks.counts (k int PRIMARY KEY, n counter);";

const WHEN: WriteTime = WriteTime {
    timestamp: 100,
    ttl: 0,
    now: 1_700_000_000,
};

fn table(name: &str) -> Arc<TableSchema> {
    Arc::new(
        parse_schema(SCHEMA, None)
            .unwrap()
            .find(Some("ks"), name)
            .unwrap()
            .clone(),
    )
}

/// A line for each change.
struct Shown(Arc<TableSchema>, Vec<String>);

impl Shown {
    fn bound(&self, bound: &crate::model::Bound) -> String {
        let values = bound.values.iter().zip(&self.0.clustering);
        let values: Vec<String> = values
            .map(|(v, c)| c.ty.to_text(v.as_deref().unwrap()).unwrap())
            .collect();
        format!("{:?}({})", bound.kind, values.join(","))
    }
}

impl ChangeSink for Shown {
    fn delete_partition(&mut self, key: &[u8], d: DeletionTime) -> Result<()> {
        self.1
            .push(format!("{key:?} partition {}", d.marked_for_delete_at));
        Ok(())
    }

    fn add_row(&mut self, _: &[u8], row: RowRef<'_>) -> Result<()> {
        let table = &self.0;
        let columns = match row.is_static() {
            true => &table.statics,
            false => &table.regulars,
        };
        let mut line = match row.is_static() {
            true => "static".to_owned(),
            false => "row".to_owned(),
        };
        for (value, column) in row.clustering().iter().zip(&table.clustering) {
            write!(line, " {}", column.ty.to_text(value.unwrap()).unwrap()).unwrap();
        }
        let liveness = row.liveness();
        if !liveness.is_empty() {
            write!(line, " @{}", liveness.timestamp).unwrap();
            if liveness.ttl > 0 {
                let left = liveness.local_expiration_time - WHEN.now;
                write!(line, " ttl {} {left}", liveness.ttl).unwrap();
            }
        }
        if !row.deletion().time.is_live() {
            write!(
                line,
                " deleted {}",
                row.deletion().time.marked_for_delete_at
            )
            .unwrap();
        }
        for d in row.complex_deletions() {
            let name = &columns[d.column as usize].name;
            write!(line, " {name} deleted {}", d.time.marked_for_delete_at).unwrap();
        }
        for cell in row.cells() {
            let column = &columns[cell.column];
            write!(line, " {}", column.name).unwrap();
            if let Some(path) = cell.path {
                match path.len() {
                    16 => line.push_str("[id]"),
                    _ => write!(line, "{path:?}").unwrap(),
                }
            }
            match cell.is_tombstone() {
                true => line.push_str("=x"),
                false => write!(line, "={:?}", cell.value).unwrap(),
            }
            assert!(
                cell.ttl > 0 || cell.is_tombstone() || cell.local_deletion_time == NO_DELETION_TIME
            );
        }
        self.1.push(line);
        Ok(())
    }

    fn delete_range(&mut self, _: &[u8], slice: &Slice, _: DeletionTime) -> Result<()> {
        let line = format!(
            "range {} {}",
            self.bound(&slice.start),
            self.bound(&slice.end)
        );
        self.1.push(line);
        Ok(())
    }
}

fn execute(name: &str, cql: &str) -> Result<Vec<String>> {
    let table = table(name);
    let mut shown = Shown(table.clone(), Vec::new());
    let mut modifier = Modifier::new(table, TimeUuids::new(WHEN.now, 1))?;
    modifier.execute(&parse_statement(cql)?, &WHEN, &mut shown)?;
    Ok(shown.1)
}

#[test]
fn statements_become_the_changes_that_cassandra_makes_of_them() {
    let cases: &[(&str, &[&str])] = &[
        (
            "INSERT INTO ks.t (k, c, d, v) VALUES (1, 2, 'x', 3)",
            &["row 2 x @100 v=[0, 0, 0, 3]"],
        ),
        (
            "INSERT INTO t (k, c, d, v, s) VALUES (1, 2, 'x', null, 'y') USING TTL 60 AND TIMESTAMP 7",
            &["static s=[121]", "row 2 x @7 ttl 60 60 v=x"],
        ),
        ("INSERT INTO t (k, s) VALUES (1, 'y')", &["static s=[121]"]),
        (
            "INSERT INTO t JSON '{\"k\": 1, \"c\": 2, \"d\": \"x\", \"st\": [2, 1]}' DEFAULT UNSET",
            &["row 2 x @100 st deleted 99 st[0, 0, 0, 1]=[] st[0, 0, 0, 2]=[]"],
        ),
        (
            "UPDATE t SET v = 1, st = st + {3}, st = st - {4}, m['a'] = 1, m['b'] = null, u.b = 'z' \
             WHERE k = 1 AND c = 2 AND d = 'x'",
            &[
                "row 2 x v=[0, 0, 0, 1] m[97]=[0, 0, 0, 1] m[98]=x st[0, 0, 0, 3]=[] st[0, 0, 0, 4]=x u[0, 1]=[122]",
            ],
        ),
        (
            "UPDATE t SET l = l + [1, 2], m = m - {'q'}, u = {a: 1} WHERE k = 1 AND c = 2 AND d IN ('x', 'y')",
            &[
                "row 2 x u deleted 99 l[id]=[0, 0, 0, 1] l[id]=[0, 0, 0, 2] m[113]=x u[0, 0]=[0, 0, 0, 1]",
                "row 2 y u deleted 99 l[id]=[0, 0, 0, 1] l[id]=[0, 0, 0, 2] m[113]=x u[0, 0]=[0, 0, 0, 1]",
            ],
        ),
        (
            "UPDATE t SET st = st - {4, 5}, m = m - {'p', 'q'} WHERE k = 1 AND c = 2 AND d = 'x'",
            &["row 2 x m[112]=x m[113]=x st[0, 0, 0, 4]=x st[0, 0, 0, 5]=x"],
        ),
        (
            "UPDATE t SET l = [1, 2] + l WHERE k = 1 AND c = 2 AND d = 'x'",
            &["row 2 x l[id]=[0, 0, 0, 1] l[id]=[0, 0, 0, 2]"],
        ),
        (
            "UPDATE t SET s = 'q' WHERE k IN (1, 2)",
            &["static s=[113]", "static s=[113]"],
        ),
        (
            "DELETE FROM t USING TIMESTAMP 5 WHERE k = 1",
            &["[0, 0, 0, 1] partition 5"],
        ),
        (
            "DELETE FROM t WHERE k = 1 AND c = 2 AND d = 'x'",
            &["row 2 x deleted 100"],
        ),
        (
            "DELETE FROM t WHERE k = 1 AND c = 2",
            &["range InclStart(2) InclEnd(2)"],
        ),
        // Rows are stored by descending c.
        (
            "DELETE FROM t WHERE k = 1 AND c > 2",
            &["range InclStart() ExclEnd(2)"],
        ),
        (
            "DELETE FROM t WHERE k = 1 AND c <= 2 AND c > 0",
            &["range InclStart(2) ExclEnd(0)"],
        ),
        (
            "DELETE FROM t WHERE k = 1 AND c = 2 AND d >= 'x'",
            &["range InclStart(2,x) InclEnd(2)"],
        ),
        (
            "DELETE FROM t WHERE k = 1 AND c = 2 AND (d) >= ('x')",
            &["range InclStart(2,x) InclEnd(2)"],
        ),
        // Of clusterings in mixed order a comparison is of as many ranges as columns.
        (
            "DELETE FROM t WHERE k = 1 AND (c, d) > (2, 'x')",
            &[
                "range InclStart() ExclEnd(2)",
                "range ExclStart(2,x) InclEnd(2)",
            ],
        ),
        (
            "DELETE FROM t WHERE k = 1 AND (c, d) > (2, 'x') AND (c) <= (3)",
            &[
                "range InclStart(3) ExclEnd(2)",
                "range ExclStart(2,x) InclEnd(2)",
            ],
        ),
        ("DELETE FROM t WHERE k = 1 AND c < 2 AND c > 2", &[]),
        (
            "DELETE FROM t WHERE k = 1 AND c IN (1, 2)",
            &[
                "range InclStart(2) InclEnd(2)",
                "range InclStart(1) InclEnd(1)",
            ],
        ),
        (
            "DELETE FROM t WHERE k = 1 AND (c, d) IN ((1, 'x'), (2, 'y'), (1, 'x'))",
            &["row 2 y deleted 100", "row 1 x deleted 100"],
        ),
        (
            "UPDATE t SET v = null WHERE k = 1 AND (c, d) IN ((1, 'x'), (2, 'y'))",
            &["row 2 y v=x", "row 1 x v=x"],
        ),
        ("DELETE FROM t WHERE k IN ()", &[]),
        (
            "DELETE v, m['a'], st[1], l, u.a FROM t WHERE k = 1 AND c = 2 AND d = 'x'",
            &["row 2 x l deleted 100 v=x m[97]=x st[0, 0, 0, 1]=x u[0, 0]=x"],
        ),
        ("DELETE s FROM t WHERE k = 1", &["static s=x"]),
        (
            "BEGIN UNLOGGED BATCH USING TIMESTAMP 9 INSERT INTO t (k, c, d) VALUES (1, 2, 'x'); \
             DELETE FROM t WHERE k = 1; APPLY BATCH",
            &["row 2 x @9", "[0, 0, 0, 1] partition 9"],
        ),
    ];
    for (cql, expected) in cases {
        assert_eq!(execute("t", cql).unwrap(), *expected, "{cql}");
    }
    let two = execute("two", "DELETE FROM two WHERE a = 1 AND b = 'x'").unwrap();
    assert_eq!(two, ["[0, 4, 0, 0, 0, 1, 0, 0, 1, 120, 0] partition 100"]);
}

#[test]
fn what_cannot_be_done_is_told() {
    let cases = [
        (
            "INSERT INTO t (k, c, v) VALUES (1, 2, 3)",
            "the column `d` of the primary key is missing",
        ),
        (
            "INSERT INTO t (k, c, d, v) VALUES (null, 2, 'x', 3)",
            "`k` has no value",
        ),
        (
            "INSERT INTO t (k, c, d, v) VALUES (1, null, 'x', 3)",
            "`c` has no value",
        ),
        (
            "INSERT INTO t (k, c, d, x) VALUES (1, 2, 'x', 3)",
            "no column `x`",
        ),
        (
            "INSERT INTO t (k, c, d, v) VALUES (1, 2, 'x', 'y')",
            "the column `v`: Invalid STRING constant",
        ),
        (
            "INSERT INTO t (k, c, d, v) VALUES (1, 2, 'x')",
            "3 values for 4 columns",
        ),
        (
            "INSERT INTO t (k, c, d) VALUES (1, 2, 'x') IF NOT EXISTS",
            "a condition",
        ),
        (
            "INSERT INTO t (k, c, d) VALUES (1, 2, 'x') USING TTL -1",
            "a time to live of -1",
        ),
        (
            "INSERT INTO t (k, c, d) VALUES (1, 2, 'x') USING TTL 630720001",
            "from 0 to 630720000",
        ),
        ("INSERT INTO u (k, c, d) VALUES (1, 2, 'x')", "not ks.t"),
        (
            "INSERT INTO t (k, c, d, v) VALUES (?, 2, 'x', 1)",
            "has no value",
        ),
        (
            "UPDATE t SET k = 1 WHERE k = 1 AND c = 2 AND d = 'x'",
            "cannot be changed",
        ),
        (
            "UPDATE t SET v = 1 WHERE k = 1 AND c = 2",
            "`d` has no value",
        ),
        (
            "UPDATE t SET v = 1 WHERE k > 1 AND c = 2 AND d = 'x'",
            "partitions are told by = and IN",
        ),
        (
            "UPDATE t SET v = v + 1 WHERE k = 1 AND c = 2 AND d = 'x'",
            "can only be set as a whole",
        ),
        (
            "UPDATE t SET v = w + 1 WHERE k = 1 AND c = 2 AND d = 'x'",
            "not `w`",
        ),
        (
            "UPDATE t SET v = 1 WHERE k = 1 AND c = 2 AND d = 'x' AND v = 3",
            "primary key alone",
        ),
        (
            "UPDATE t SET l[0] = 1 WHERE k = 1 AND c = 2 AND d = 'x'",
            "is not read here",
        ),
        (
            "UPDATE t SET l = l - [1] WHERE k = 1 AND c = 2 AND d = 'x'",
            "is not read here",
        ),
        (
            "UPDATE t SET f = f + [1] WHERE k = 1 AND c = 2 AND d = 'x'",
            "can only be set as a whole",
        ),
        (
            "UPDATE t SET u.z = 1 WHERE k = 1 AND c = 2 AND d = 'x'",
            "no field `z`",
        ),
        (
            "UPDATE t SET s = 'a' WHERE k = 1 AND c = 2 AND d = 'x'",
            "static columns alone",
        ),
        ("DELETE FROM t WHERE c = 1", "`k` has no value"),
        (
            "DELETE FROM t WHERE k = 1 AND d = 'x'",
            "`c` has no value, and one behind",
        ),
        ("DELETE v FROM t WHERE k = 1 AND c = 2", "a range of rows"),
        ("DELETE k FROM t WHERE k = 1", "cannot be changed"),
        (
            "DELETE FROM t WHERE k = 1 AND (d) > ('x')",
            "`c` has no value, and one behind",
        ),
        (
            "DELETE FROM t WHERE k = 1 AND (c, d) IN ((1, 'x')) AND c = 1",
            "another relation beside",
        ),
        (
            "DELETE FROM t WHERE k = 1 AND c > 1 AND c >= 2",
            "two lower bounds",
        ),
        (
            "DELETE FROM t WHERE k = 1 AND token(k) > 1",
            "primary key alone",
        ),
        (
            "UPDATE t SET v = 1 WHERE k = 1 AND c > 2",
            "single rows, not ranges",
        ),
        ("DELETE FROM t WHERE k = 1 IF EXISTS", "a condition"),
        ("SELECT * FROM t", "changes no rows"),
    ];
    for (cql, expected) in cases {
        let error = execute("t", cql).unwrap_err().to_string();
        assert!(error.contains(expected), "{cql}\n{error}");
    }
    let counter = execute("counts", "UPDATE counts SET n = n + 1 WHERE k = 1");
    assert!(counter.unwrap_err().message().contains("counter table"));
    let long = "x".repeat(65_536);
    let cql = format!("INSERT INTO t (k, c, d) VALUES (1, 2, '{long}')");
    assert!(
        execute("t", &cql)
            .unwrap_err()
            .message()
            .contains("65535 bytes")
    );
    let cql = format!("INSERT INTO two (a, b) VALUES (1, '{}')", &long[..65_530]);
    let error = execute("two", &cql).unwrap_err();
    assert_eq!(
        error.message(),
        "a partition key of 65540 bytes: the longest one is 65535 bytes"
    );
}

#[test]
fn nothing_is_added_when_a_later_part_of_a_batch_is_wrong() {
    let table = table("t");
    let mut shown = Shown(table.clone(), Vec::new());
    let mut modifier = Modifier::new(table, TimeUuids::new(0, 0)).unwrap();
    let batch = "BEGIN BATCH DELETE FROM t WHERE k = 1; DELETE FROM t WHERE c = 1; APPLY BATCH";
    let batch = parse_statement(batch).unwrap();
    assert!(modifier.execute(&batch, &WHEN, &mut shown).is_err());
    assert_eq!(shown.1, [""; 0]);
}

#[test]
fn prepended_and_appended_elements_keep_their_order() {
    let mut ids = TimeUuids::new(WHEN.now, 5);
    let (a, b) = (ids.after_all(), ids.after_all());
    let (z, y) = (ids.before_all(), ids.before_all());
    let order = [y, z, a, b];
    let ty = crate::types::CqlType::TimeUuid;
    for pair in order.windows(2) {
        assert!(ty.compare(&pair[0], &pair[1]).is_lt());
        ty.validate(&pair[0]).unwrap();
    }
}

#[test]
fn what_in_names_twice_is_changed_once() {
    let twice = "UPDATE t SET l = l + [1] WHERE k IN (1, 1) AND c IN (2, 2, 3) AND d = 'x'";
    let once = "UPDATE t SET l = l + [1] WHERE k = 1 AND c IN (2, 3) AND d = 'x'";
    let changes = execute("t", twice).unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(changes, execute("t", once).unwrap());
}

#[test]
fn static_compact_tables_keep_no_bare_keys() {
    let e = execute("compact", "INSERT INTO compact (k) VALUES (1)").unwrap_err();
    assert!(e.to_string().contains("nothing but its key"), "{e}");
    let null = execute("compact", "INSERT INTO compact (k, v) VALUES (1, null)");
    assert_eq!(null.unwrap().len(), 1);
}

#[test]
fn the_value_of_a_dense_row_is_mandatory() {
    let table = table("dense");
    let mut insert = Insert::new(table.clone(), &["k", "c", "v"], TimeUuids::new(0, 0)).unwrap();
    let mut shown = Shown(table, Vec::new());
    let key = [Value::Bytes(&[0, 0, 0, 1]), Value::Bytes(&[0, 0, 0, 2])];
    let mut add = |value| insert.add(&[key[0], key[1], value], &WHEN, &mut shown);
    let e = add(Value::Unset).unwrap_err();
    assert!(e.message().contains("mandatory in compact storage"), "{e}");
    add(Value::Null).unwrap();
    assert_eq!(shown.1, ["row 2 v=x"]);
}

#[test]
fn what_precedes_a_drop_is_not_written() {
    for (timestamp, expected) in [
        (50, "row @50 w=[0, 0, 0, 2]"),
        (51, "row @51 v=[0, 0, 0, 1] w=[0, 0, 0, 2]"),
    ] {
        let insert = "INSERT INTO again (k, v, w) VALUES (1, 1, 2) USING TIMESTAMP";
        let changes = execute("again", &format!("{insert} {timestamp}"));
        assert_eq!(changes.unwrap(), [expected]);
    }
    let alone = "UPDATE again USING TIMESTAMP 50 SET v = 1 WHERE k = 1";
    assert_eq!(execute("again", alone).unwrap(), [""; 0]);
}

#[test]
fn json_of_every_shape() {
    let json = |text: &str| Json::parse(text);
    let nested =
        json(" {\"a\": [1, -2.5e+3, \"x\\n\\u00e9\\ud83d\\ude00\"], \"b\": {}, \"c\": null} ");
    let Json::Object(members) = nested.unwrap() else {
        panic!("no object");
    };
    let numbers = [Json::Number("1".into()), Json::Number("-2.5e+3".into())];
    let Json::Array(elements) = &members[0].1 else {
        panic!("no array");
    };
    assert_eq!(elements[..2], numbers);
    assert_eq!(elements[2], Json::String("x\né😀".into()));
    for wrong in [
        "",
        "{",
        "[1,]",
        "{\"a\" 1}",
        "01",
        "1.",
        "\"\u{1}\"",
        "\"\\ud800\"",
        "nul",
        "1 2",
    ] {
        assert!(
            json(wrong)
                .unwrap_err()
                .message()
                .starts_with("JSON, column"),
            "{wrong}"
        );
    }
    assert!(json(&"[".repeat(100)).is_err());
}
