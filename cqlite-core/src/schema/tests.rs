//! Tests of schemas: DDL, headers, system tables, and how they fit together.

use super::describe::{describe_index, describe_type};
use super::system::{SYSTEM_TABLES, SystemRow, SystemTables, system_key_names};
use super::*;
use crate::error::ErrorKind;
use crate::sstable::{OpenOptions, SSTable};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn schema(text: &str) -> Schema {
    parse_schema(text, Some("ks")).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn table(text: &str) -> TableSchema {
    let mut schema = schema(text);
    assert_eq!(schema.tables.len(), 1, "{text}");
    schema.tables.remove(0)
}

fn error(text: &str) -> String {
    parse_schema(text, Some("ks")).expect_err(text).to_string()
}

fn column(name: &str, ty: CqlType) -> Column {
    Column {
        name: name.into(),
        ty,
    }
}

fn clustering(name: &str, ty: CqlType, descending: bool) -> ClusteringColumn {
    ClusteringColumn {
        name: name.into(),
        ty,
        descending,
    }
}

fn list(element: CqlType) -> CqlType {
    CqlType::List {
        element: Arc::new(element),
        frozen: false,
    }
}

fn names<'a>(columns: impl IntoIterator<Item = &'a Column>) -> Vec<&'a str> {
    columns.into_iter().map(|c| &*c.name).collect()
}

fn shown(table: &TableSchema) -> Vec<&str> {
    let columns = table.select_order().into_iter();
    columns.map(|c| -> &str { c.name }).collect()
}

#[test]
fn create_table_in_every_form() {
    let t = table(
        "CREATE TABLE IF NOT EXISTS Ks2.\"T 1\" (
            k1 int, \"K2\" text, c1 timestamp, c2 blob,
            s1 list<int> STATIC, s2 int static,
            z bigint MASKED WITH DEFAULT, a set<int>, m int MASKED WITH mask_inner(1, null), \"B\" boolean,
            PRIMARY KEY ((k1, \"K2\"), c1, c2),
        ) WITH ID = 5f0192f6-a048-5f39-855f-aeb7c0bf645d
          AND CLUSTERING ORDER BY (c1 DESC, c2 ASC) AND gc_grace_seconds = 10 AND default_time_to_live=20
          AND comment = 'it''s' AND caching = {'keys': 'ALL'} AND unknown_option = whatever AND cdc = true;",
    );
    let expected = TableSchema {
        keyspace: "ks2".into(),
        name: "T 1".into(),
        id: Some([
            0x5f, 0x01, 0x92, 0xf6, 0xa0, 0x48, 0x5f, 0x39, 0x85, 0x5f, 0xae, 0xb7, 0xc0, 0xbf,
            0x64, 0x5d,
        ]),
        kind: TableKind::Regular,
        partition_key: vec![column("k1", CqlType::Int), column("K2", CqlType::Text)],
        clustering: vec![
            clustering("c1", CqlType::Timestamp, true),
            clustering("c2", CqlType::Blob, false),
        ],
        statics: vec![column("s2", CqlType::Int), column("s1", list(CqlType::Int))],
        regulars: vec![
            column("B", CqlType::Boolean),
            column("m", CqlType::Int),
            column("z", CqlType::BigInt),
            column(
                "a",
                CqlType::Set {
                    element: Arc::new(CqlType::Int),
                    frozen: false,
                },
            ),
        ],
        dropped: vec![],
        is_dense: false,
        is_compact: false,
        strict_liveness: false,
        stored_names: BTreeMap::new(),
        options: TableOptions {
            gc_grace_seconds: 10,
            default_time_to_live: 20,
            other: vec![
                ("comment".into(), "'it''s'".into()),
                ("caching".into(), "{'keys': 'ALL'}".into()),
                ("unknown_option".into(), "whatever".into()),
                ("cdc".into(), "true".into()),
            ],
        },
    };
    assert_eq!(t, expected);
    assert_eq!(
        shown(&t),
        ["k1", "K2", "c1", "c2", "s1", "s2", "B", "a", "m", "z"]
    );

    let t = table("CREATE COLUMNFAMILY ttl (key int PRIMARY KEY, type text, count counter)");
    assert_eq!((t.keyspace.as_str(), t.name.as_str()), ("ks", "ttl"));
    assert_eq!(names(&t.partition_key), ["key"]);
    assert_eq!(names(&t.regulars), ["count", "type"]);
    assert!(t.is_counter());
    assert_eq!(t.options, TableOptions::default());
}

#[test]
fn column_names_are_ordered_as_cassandra_orders_them() {
    // The order in which Cassandra's `ttl` table among the golden ones has its columns.
    let names = [
        "é",
        "1",
        "Mixed Case",
        "a\"b",
        "count",
        "select",
        "writetime",
    ];
    assert!(names.is_sorted_by(|a, b| compare_column_names(a, b).is_lt()));
    // Bytes after the first one are unsigned, and a name comes after its beginnings.
    let names = ["\u{80}", "é", "éa", "éé", "", "\u{1}", "a", "aa", "aé", "b"];
    assert!(names.is_sorted_by(|a, b| compare_column_names(a, b).is_lt()));
    let t = table(
        "CREATE TABLE t (k int PRIMARY KEY, b int, \"é\" int, \"aé\" list<int>, az int, aa int, c set<int>)",
    );
    assert_eq!(shown(&t), ["k", "é", "aé", "aa", "az", "b", "c"]);
    let t = table(
        "CREATE TABLE t (k int PRIMARY KEY, \"é\" int, \"1\" int, a int, z int, \"😀\" list<int>, \"B\" list<int>, b list<int>, \"ø\" int)",
    );
    assert_eq!(shown(&t), ["k", "é", "ø", "1", "B", "a", "b", "z", "😀"]);
}

#[test]
fn keyspaces_come_from_names_use_and_the_default() {
    let s = schema(
        "CREATE KEYSPACE a WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'} AND durable_writes = true;
         CREATE TABLE t (k int PRIMARY KEY); USE \"B\"; CREATE TABLE t (k int PRIMARY KEY); CREATE TABLE a.u (k int PRIMARY KEY)",
    );
    assert_eq!(s.keyspaces, ["B", "a", "ks"]);
    assert!(
        s.table("ks", "t").is_some() && s.table("B", "t").is_some() && s.table("a", "u").is_some()
    );
    assert_eq!(s.table("a", "t"), None);
    assert_eq!(s.find(Some("B"), "t").unwrap().keyspace, "B");
    assert_eq!(s.find(None, "u").unwrap().keyspace, "a");
    let ambiguous = s.find(None, "t").unwrap_err();
    assert_eq!(ambiguous.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        ambiguous.to_string(),
        "`t` may be \"B\".t or ks.t (name the keyspace too)"
    );
    let missing = s.find(Some("ks"), "x").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert_eq!(
        missing.to_string(),
        "the schema has no table `ks.x` (it has \"B\".t, a.u, ks.t)"
    );
    let without = parse_schema("CREATE TABLE t (k int PRIMARY KEY)", None).unwrap();
    assert_eq!(without.tables[0].keyspace, "keyspace");
}

#[test]
fn other_statements_are_read_over() {
    let s = schema(
        "-- a comment
         CREATE FUNCTION ks.f (a int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$ return \"a;\" + 'b; $$;
         CREATE OR REPLACE AGGREGATE ks.g(int) SFUNC f STYPE int;
         CREATE TRIGGER x ON ks.t USING 'c;d';
         CREATE ROLE r WITH PASSWORD = 'x';
         INSERT INTO t (a) VALUES ('CREATE TABLE no (k int PRIMARY KEY);');
         ;; GRANT SELECT ON ks.t TO r;
         ALTER KEYSPACE ks WITH durable_writes = false;
         DROP TABLE ks.gone;
         CREATE TABLE t (k int PRIMARY KEY);
         SOMETHING € else",
    );
    assert_eq!(s.tables.len(), 1);
}

#[test]
fn commands_of_cqlsh_end_with_their_line() {
    let s = schema(
        "CONSISTENCY ONE
         SOURCE 'x;y'
         USE other
         CREATE TABLE a (k int PRIMARY KEY);
         COPY a (k) FROM 'a.csv' WITH HEADER = TRUE; CREATE TABLE b (k int PRIMARY KEY);
         DESCRIBE TABLE a -- as it was
         paging off
         CREATE TABLE c (k int PRIMARY KEY); serial consistency LOCAL_SERIAL; USE ks
         USE \"Third\"; CREATE TABLE d (k int PRIMARY KEY); exit",
    );
    let tables: Vec<String> = s.tables.iter().map(TableSchema::full_name).collect();
    assert_eq!(tables, ["\"Third\".d", "other.a", "other.b", "other.c"]);
    assert_eq!(
        error("USE ks CREATE TABLE a (k int PRIMARY KEY)"),
        "1:8: found `CREATE`, expected `;`"
    );
    assert_eq!(
        error("SOURCE 'x\nCREATE TABLE a (k int PRIMARY KEY)"),
        "1:8: found a string without its closing quote"
    );
}

#[test]
fn dropped_and_added_columns() {
    let t = table(
        "CREATE TABLE t (k int, c int, a text, b int static, d frozen<tuple<int, text>>, gone int, PRIMARY KEY (k, c));
         ALTER TABLE t DROP a USING TIMESTAMP 1700000000000000;
         ALTER TABLE t ADD a text;
         ALTER TABLE ks.t DROP b USING TIMESTAMP -5;
         ALTER TABLE ks.t DROP IF EXISTS nothing;
         ALTER TABLE t ADD IF NOT EXISTS (a int, e int static, \"F\" list<int>);
         ALTER TABLE t DROP (d, gone);
         ALTER TABLE t ADD gone int;
         ALTER TABLE t ALTER gone TYPE varint;
         ALTER TABLE t ALTER gone MASKED WITH DEFAULT; ALTER TABLE t ALTER gone DROP MASKED;
         ALTER TABLE t RENAME c TO c2 AND k TO k2;
         ALTER TABLE t WITH gc_grace_seconds = 0 AND comment = 'x'",
    );
    assert_eq!(names(&t.partition_key), ["k2"]);
    assert_eq!(&*t.clustering[0].name, "c2");
    assert_eq!(t.statics, [column("e", CqlType::Int)]);
    assert_eq!(
        t.regulars,
        [
            column("a", CqlType::Text),
            column("gone", CqlType::Varint),
            column("F", list(CqlType::Int))
        ]
    );
    let dropped: Vec<_> = t
        .dropped
        .iter()
        .map(|d| (&*d.column.name, d.is_static, d.dropped_at_micros))
        .collect();
    // `gone` was dropped at no known time and is there again.
    assert_eq!(
        dropped,
        [
            ("a", false, 1_700_000_000_000_000),
            ("b", true, -5),
            ("d", false, i64::MAX)
        ]
    );
    assert_eq!(t.options.gc_grace_seconds, 0);
}

#[test]
fn numbers_of_options_may_stand_in_quotes() {
    let t = table(
        "CREATE TABLE t (k int PRIMARY KEY) WITH default_time_to_live = '100' AND gc_grace_seconds = '7';
         ALTER TABLE t WITH gc_grace_seconds = '8'",
    );
    assert_eq!(t.options.default_time_to_live, 100);
    assert_eq!(t.options.gc_grace_seconds, 8);
    assert_eq!(
        error("CREATE TABLE t (k int PRIMARY KEY) WITH default_time_to_live = '1 0'"),
        "1:1: default_time_to_live = '1 0' is no number of seconds"
    );
}

#[test]
fn alter_if_exists_of_nothing_changes_nothing() {
    let s = schema(
        "ALTER TABLE IF EXISTS t ADD v int;
         ALTER TABLE IF EXISTS gone.base RENAME k TO k2;
         ALTER TYPE IF EXISTS u ADD y int;
         ALTER MATERIALIZED VIEW IF EXISTS m WITH gc_grace_seconds = 1;
         CREATE TABLE t (k int PRIMARY KEY);
         CREATE TYPE u (x int);
         ALTER TABLE IF EXISTS t ADD w int;
         ALTER TABLE t ALTER IF EXISTS gone TYPE text;
         ALTER TABLE t ALTER IF EXISTS w TYPE varint;
         ALTER TYPE IF EXISTS u ADD z int",
    );
    assert_eq!(s.keyspaces, ["ks"]);
    assert_eq!(shown(&s.tables[0]), ["k", "w"]);
    assert_eq!(s.tables[0].regulars[0].ty, CqlType::Varint);
    let fields: Vec<&str> = s.types[0].fields.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(fields, ["x", "z"]);
    assert_eq!(
        error("ALTER TABLE IF EXISTS t ADD v int; ALTER TABLE t ADD v int"),
        "1:36: table ks.t is not defined before"
    );
}

#[test]
fn what_is_dropped_may_be_created_again() {
    let create = "CREATE TYPE u (x int); CREATE TABLE t (k int PRIMARY KEY, v frozen<u>);
         CREATE INDEX i ON t (v); CREATE INDEX j ON t (v);
         CREATE MATERIALIZED VIEW m AS SELECT * FROM t WHERE k IS NOT NULL PRIMARY KEY (v, k);";
    let again = "CREATE TYPE u (y int); CREATE TABLE t (k2 int PRIMARY KEY, v frozen<u>);
         CREATE INDEX j ON t (v);";
    for drop in [
        "DROP MATERIALIZED VIEW m; DROP TABLE ks.t; DROP TYPE u;",
        "drop materialized view if exists m; DROP COLUMNFAMILY IF EXISTS t; DROP TYPE IF EXISTS ks.u;",
        "DROP KEYSPACE ks;",
        "DROP SCHEMA IF EXISTS ks;",
    ] {
        let s = schema(&format!(
            "{drop} {create} CREATE TABLE ks0.t (k int PRIMARY KEY); CREATE TABLE ks1.t (k int PRIMARY KEY); {drop} {again}"
        ));
        assert_eq!(s.keyspaces, ["ks", "ks0", "ks1"], "{drop}");
        let tables: Vec<String> = s.tables.iter().map(TableSchema::full_name).collect();
        assert_eq!(tables, ["ks.t", "ks0.t", "ks1.t"], "{drop}");
        assert_eq!(shown(s.table("ks", "t").unwrap()), ["k2", "v"], "{drop}");
        assert_eq!(s.types[0].fields[0].0, "y", "{drop}");
        let indexes: Vec<&str> = s.indexes.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(indexes, ["j"], "{drop}");
    }
    let s = schema(&format!("{create} DROP INDEX ks.i; DROP INDEX IF EXISTS x"));
    assert_eq!(s.indexes.len(), 1);
    assert_eq!(s.indexes[0].name, "j");
    let gone = schema(&format!("{create} DROP KEYSPACE ks"));
    assert!(gone.keyspaces.is_empty() && gone.tables.is_empty() && gone.types.is_empty());
}

#[test]
fn user_types_in_any_order() {
    let s = schema(
        "CREATE TYPE outer (a frozen<inner>, b list<frozen<\"In 2\">>);
         CREATE TABLE t (k frozen<outer> PRIMARY KEY, u outer, v list<frozen<ks.inner>>);
         CREATE TYPE ks.inner (x int, y text,);
         CREATE TYPE IF NOT EXISTS ks.inner (z int);
         CREATE TYPE \"In 2\" (x int);
         ALTER TYPE inner ADD z set<int>; ALTER TYPE inner ADD IF NOT EXISTS z int;
         ALTER TYPE inner RENAME x TO x2 AND y TO y2; ALTER TYPE inner ALTER x2 TYPE bigint",
    );
    let order: Vec<&str> = s.types.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(order, ["In 2", "inner", "outer"]);
    let fields: Vec<&str> = s.types[1].fields.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(fields, ["x2", "y2", "z"]);
    assert_eq!(s.types[1].fields[0].1, CqlType::BigInt);
    let t = &s.tables[0];
    assert!(!t.partition_key[0].ty.is_multi_cell());
    assert_eq!(
        t.regulars[0].ty,
        CqlType::Udt {
            definition: s.types[2].clone(),
            frozen: false
        }
        .clone()
    );
}

#[test]
fn types_that_hold_themselves_or_too_much_are_refused() {
    assert_eq!(
        error("CREATE TYPE a (b frozen<b>); CREATE TYPE b (a frozen<a>)"),
        "type ks.a holds itself, or a type that does"
    );
    let mut chain = String::from("CREATE TYPE t0 (a int);");
    for n in 1..100 {
        chain += &format!("CREATE TYPE t{n} (a frozen<t{}>);", n - 1);
    }
    assert!(
        error(&chain).contains("nests deeper than 64 levels"),
        "{}",
        error(&chain)
    );
    // Each type twice the one before: walking the last one would take for ever.
    let mut doubling = String::from("CREATE TYPE t0 (a int);");
    for n in 1..30 {
        doubling += &format!("CREATE TYPE t{n} (a frozen<t{0}>, b frozen<t{0}>);", n - 1);
    }
    assert!(error(&doubling).contains("longer than 262144 bytes"));
    // Defined in the worst order, and in linear time.
    let mut many = String::new();
    for n in 0..3000 {
        many += &format!(
            "CREATE TYPE a{n:05} (a list<int>, b frozen<b{n:05}>); CREATE TYPE b{n:05} (a int);"
        );
    }
    assert_eq!(schema(&many).types.len(), 6000);
}

#[test]
fn compact_storage() {
    // Dense, one clustering column and a value.
    let t = table(
        "CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c)) WITH COMPACT STORAGE AND comment = ''",
    );
    assert_eq!(
        (t.is_dense, t.is_compact, t.is_static_compact()),
        (true, true, false)
    );
    assert_eq!(shown(&t), ["k", "c", "v"]);
    // Dense without a value.
    let t = table(
        "CREATE TABLE t (k int, c int, value int, d int, PRIMARY KEY (k, c, value, d)) WITH COMPACT STORAGE",
    );
    assert_eq!(t.regulars, [column("value1", CqlType::Empty)]);
    assert_eq!(shown(&t), ["k", "c", "value", "d"]);
    // Static compact.
    let t = table("CREATE TABLE t (k int PRIMARY KEY, column1 int, a text) WITH COMPACT STORAGE");
    assert_eq!(
        (t.is_dense, t.is_compact, t.is_static_compact()),
        (false, true, true)
    );
    assert_eq!(names(&t.statics), ["a", "column1"]);
    assert_eq!(t.clustering, [clustering("column2", CqlType::Text, false)]);
    assert_eq!(t.regulars, [column("value", CqlType::Blob)]);
    assert_eq!(shown(&t), ["k", "a", "column1"]);
    let t = table("CREATE TABLE t (k int PRIMARY KEY, a counter) WITH COMPACT STORAGE");
    assert_eq!(t.regulars, [column("value", CqlType::Counter)]);
    // What was hidden is shown once compact storage is dropped.
    let t = table(
        "CREATE TABLE t (k int PRIMARY KEY, a int) WITH COMPACT STORAGE; ALTER TABLE t DROP COMPACT STORAGE",
    );
    assert_eq!((t.is_dense, t.is_compact), (false, false));
    assert_eq!(shown(&t), ["k", "column1", "a", "value"]);
}

#[test]
fn compact_tables_that_describe_puts_into_a_comment() {
    let text = "
CREATE TABLE ks.plain (k int PRIMARY KEY);
/*
Warning: Table ks.old omitted because it has constructs not compatible with CQL (was created via legacy API).
Approximate structure, for reference:
(this should not be used to reproduce this schema)

CREATE TABLE IF NOT EXISTS ks.old (
    key blob PRIMARY KEY,
    a text,
    gone int
) WITH COMPACT STORAGE
    AND ID = 5f0192f6-a048-5f39-855f-aeb7c0bf645d
    AND CLUSTERING ORDER BY (name ASC)
    AND comment = '';
ALTER TABLE ks.old DROP gone USING TIMESTAMP 7;
*/
/* Warning: Table ks.plain CREATE TABLE ks.plain (k text PRIMARY KEY) */
/* CREATE TABLE ks.not_of_describe (k text PRIMARY KEY); */
/* Warning: Table ks.odd: CREATE TABLE ks.odd (k text PRIMARY KEY, v nothing_known); */
/* Warning: Table ks.odder: CREATE TABLE ks.odder k text PRIMARY KEY, v nothing_known); */
/* Warning: Table system_views.x is a virtual table and cannot be recreated with CQL. VIRTUAL TABLE x (k int PRIMARY KEY) */";
    let s = schema(text);
    assert_eq!(s.tables.len(), 2);
    let old = s.table("ks", "old").unwrap();
    assert_eq!(shown(old), ["key", "a"]);
    assert_eq!(&*old.clustering[0].name, "name");
    assert!(old.id.is_some() && old.is_static_compact());
    assert_eq!(old.dropped[0].dropped_at_micros, 7);
    assert_eq!(
        s.table("ks", "plain").unwrap().partition_key[0].ty,
        CqlType::Int
    );
    assert_eq!(s.broken.len(), 1);
    let broken = s.find(Some("ks"), "odd").unwrap_err().to_string();
    assert!(broken.starts_with("20:27: column `v`:"), "{broken}");
}

#[test]
fn materialized_views_take_their_types_from_the_base() {
    let base =
        "CREATE TABLE base (k int, c text, v int, w list<int>, s int static, PRIMARY KEY (k, c));";
    let s = schema(&format!(
        "{base} CREATE MATERIALIZED VIEW IF NOT EXISTS v1 AS SELECT w, v, k, c FROM ks.base
         WHERE v IS NOT NULL AND k IS NOT NULL AND c > 'a' AND (k, c) > (1, 'a')
         PRIMARY KEY ((v), c, k) WITH CLUSTERING ORDER BY (c DESC, k ASC) AND ID = 5f0192f6-a048-5f39-855f-aeb7c0bf645d;
         ALTER MATERIALIZED VIEW v1 WITH gc_grace_seconds = 5;
         CREATE MATERIALIZED VIEW v2 AS SELECT * FROM base2 WHERE a IS NOT NULL PRIMARY KEY (b, a);
         CREATE TABLE base2 (a int PRIMARY KEY, b text, \"C\" int)"
    ));
    let view = s.table("ks", "v1").unwrap();
    assert_eq!(view.kind, TableKind::View);
    assert_eq!(view.partition_key, [column("v", CqlType::Int)]);
    assert_eq!(
        view.clustering,
        [
            clustering("c", CqlType::Text, true),
            clustering("k", CqlType::Int, false)
        ]
    );
    assert_eq!(view.regulars, [column("w", list(CqlType::Int))]);
    assert_eq!(view.options.gc_grace_seconds, 5);
    assert!(view.id.is_some());
    let all = s.table("ks", "v2").unwrap();
    assert_eq!(shown(all), ["b", "a", "C"]);

    let alone = schema(
        "CREATE MATERIALIZED VIEW v1 AS SELECT * FROM base WHERE k IS NOT NULL PRIMARY KEY (v, k) WITH gc_grace_seconds = 7",
    );
    assert!(alone.tables.is_empty());
    let header = HeaderTypes {
        key: CqlType::Int,
        clustering: vec![(CqlType::Text, false)],
        statics: vec![],
        regulars: vec![column("w", CqlType::Int)],
    };
    let view = alone.untyped_views[0].with_types(&[header]).unwrap();
    assert_eq!(shown(&view), ["v", "k", "w"]);
    assert_eq!(
        (view.kind, view.options.gc_grace_seconds),
        (TableKind::View, 7)
    );
}

#[test]
fn indexes() {
    let s = schema(
        "CREATE TABLE t (k int PRIMARY KEY, m map<int, int>, \"V\" int);
         CREATE INDEX IF NOT EXISTS by_v ON ks.t (\"V\");
         CREATE INDEX ON t (KEYS(m));
         CREATE CUSTOM INDEX sai ON t (entries(m)) USING 'StorageAttachedIndex' WITH OPTIONS = {'a': 'b'};
         CREATE INDEX x ON t (m) USING 'sai'",
    );
    let got: Vec<_> = s
        .indexes
        .iter()
        .map(|i| (i.name.as_str(), i.target.as_str(), i.class.as_deref()))
        .collect();
    assert_eq!(
        got,
        [
            ("by_v", "\"V\"", None),
            ("t_m_idx", "keys(m)", None),
            ("sai", "entries(m)", Some("StorageAttachedIndex")),
            ("x", "m", Some("sai")),
        ]
    );
    assert_eq!(s.indexes[2].options, [("a".to_owned(), "b".to_owned())]);
    assert_eq!(
        describe_index(&s.indexes[0]),
        "CREATE INDEX by_v ON ks.t (\"V\");"
    );
    assert_eq!(
        describe_index(&s.indexes[2]),
        "CREATE CUSTOM INDEX sai ON ks.t (entries(m)) USING 'StorageAttachedIndex' WITH OPTIONS = {'a': 'b'};"
    );
}

#[test]
fn a_broken_definition_leaves_the_others() {
    let bad = [
        (
            "unknown",
            "CREATE TABLE unknown (k int PRIMARY KEY, v nothing_known)",
            "column `v`: ",
        ),
        (
            "twice",
            "CREATE TABLE twice (k int PRIMARY KEY, k text)",
            "column `k` stands twice",
        ),
        (
            "again",
            "CREATE TABLE again (k int PRIMARY KEY); CREATE TABLE again (k int PRIMARY KEY)",
            "table ks.again is defined a second time",
        ),
        (
            "nowhere",
            "ALTER TABLE nowhere ADD v int",
            "table ks.nowhere is not defined before",
        ),
        (
            "changed",
            "CREATE TABLE changed (k int PRIMARY KEY); ALTER TABLE changed DROP v; ALTER TABLE changed DROP k",
            "the table has no column `v`",
        ),
        (
            "holds",
            "CREATE TYPE mid (a frozen<bad>); CREATE TYPE bad (x int, y nothing_known); CREATE TABLE holds (k int PRIMARY KEY, v list<frozen<mid>>)",
            "column `v`: type ks.bad: ",
        ),
        (
            "altered",
            "CREATE TYPE u (x int); ALTER TYPE u ADD x int; CREATE TABLE altered (k int PRIMARY KEY, v u)",
            "column `v`: 1:24: the type has a field `x`",
        ),
        (
            "circle",
            "CREATE TYPE a (b frozen<b>); CREATE TYPE b (a frozen<a>); CREATE TABLE circle (k int PRIMARY KEY, v a)",
            "column `v`: type ks.a holds itself, or a type that does",
        ),
        (
            "view1",
            "CREATE TABLE base (k int PRIMARY KEY, v nothing_known); CREATE MATERIALIZED VIEW view1 AS SELECT * FROM base WHERE k IS NOT NULL PRIMARY KEY (k)",
            "its base table: 1:1: column `v`: ",
        ),
        (
            "view2",
            "CREATE TABLE base2 (k int PRIMARY KEY); CREATE MATERIALIZED VIEW view2 AS SELECT * FROM base2 WHERE k IS NOT NULL PRIMARY KEY (x)",
            "table ks.base2 has no column `x`",
        ),
    ];
    for (name, text, message) in bad {
        let s = schema(&format!(
            "{text}; CREATE TYPE good (x int); CREATE TABLE wanted (k int PRIMARY KEY, v good)"
        ));
        assert_eq!(shown(s.find(None, "wanted").unwrap()), ["k", "v"], "{text}");
        assert!(s.table("ks", name).is_none(), "{text}");
        let error = s.find(Some("ks"), name).unwrap_err().to_string();
        assert!(error.starts_with("1:"), "{error}");
        assert!(error.contains(message), "{error}");
        // What is dropped is broken no more.
        let kind = match name.starts_with("view") {
            true => "MATERIALIZED VIEW",
            false => "TABLE",
        };
        let s = schema(&format!(
            "{text}; DROP {kind} {name}; CREATE TABLE {name} (k int PRIMARY KEY)"
        ));
        assert_eq!(shown(s.find(None, name).unwrap()), ["k"], "{text}");
    }
    let s = schema("CREATE TABLE a.t (k int PRIMARY KEY); CREATE TABLE b.t (k int)");
    assert_eq!(
        s.find(None, "t").unwrap_err().to_string(),
        "`t` may be a.t or b.t (name the keyspace too)"
    );
}

#[test]
fn wrong_schemas_say_where() {
    for (text, expected) in [
        (
            "CREATE TABLE t (k int)",
            "1:1: table ks.t has no primary key",
        ),
        (
            "\n CREATE TABLE t (k int, PRIMARY KEY (x))",
            "2:2: `x` of the primary key is no column of the table, or stands in the key twice",
        ),
        (
            "CREATE TABLE t (k int, PRIMARY KEY (k, k))",
            "1:1: `k` of the primary key is no column of the table, or stands in the key twice",
        ),
        (
            "CREATE TABLE t (k list<int> PRIMARY KEY)",
            "1:1: `k` of the primary key cannot be of type list<int>",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY, k text)",
            "1:1: column `k` stands twice",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY) WITH CLUSTERING ORDER BY (c ASC)",
            "1:1: `c` of CLUSTERING ORDER BY is no clustering column",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY) WITH gc_grace_seconds = 'a'",
            "1:1: gc_grace_seconds = 'a' is no number of seconds",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY) WITH id = 1",
            "1:1: ID = 1 is no UUID",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY); CREATE TABLE t (k int PRIMARY KEY)",
            "1:37: table ks.t is defined a second time",
        ),
        (
            "ALTER TABLE t DROP x",
            "1:1: table ks.t is not defined before",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY); ALTER TABLE t DROP k",
            "1:37: column `k` is part of the primary key",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY); ALTER TABLE t DROP v",
            "1:37: the table has no column `v`",
        ),
        (
            "ALTER TYPE t ADD x int",
            "1:1: type ks.t is not defined before",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY); ALTER TABLE t ALTER v TYPE int",
            "1:37: the table has no column `v`",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY v int)",
            "1:35: found `v`, expected `,` or `)`",
        ),
        (
            "CREATE TABLE t (k PRIMARY KEY)",
            "1:19: found `PRIMARY`, expected a type",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY) WITH x = [1]",
            "1:45: `[1]` is no value of an option",
        ),
        (
            "CREATE TABLE t (k int PRIMARY KEY) CREATE TABLE u (k int PRIMARY KEY)",
            "1:36: found `CREATE`, expected `WITH` or `;`",
        ),
        (
            "ALTER TABLE t DROP x USING TIMESTAMP 'a'",
            "1:38: found `'a'`, expected microseconds since 1970",
        ),
        (
            "CREATE ROLE x WITH 'open",
            "1:20: found a string without its closing quote",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
    assert!(
        error("CREATE TABLE t (k int PRIMARY KEY, v nothing_known)")
            .starts_with("1:1: column `v`: ")
    );
}

/// The golden files below `folder` whose names end with `end`.
fn golden_files(folder: &str, end: &str) -> Vec<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../test-data/golden"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The schema files that Cassandra wrote beside the golden tables.
fn golden_schemas() -> Vec<(String, String)> {
    let paths = golden_files("", "schema.cql").into_iter();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.display().to_string(), text)
    };
    let found: Vec<_> = paths.map(read).collect();
    assert!(found.len() > 100);
    found
}

#[test]
fn what_cassandra_describes_is_described_the_same() {
    let mut compared = 0;
    for (path, text) in golden_schemas() {
        let s = parse_schema(&text, None).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(s.broken.is_empty() && s.untyped_views.is_empty(), "{path}");
        // Those of older versions are not Cassandra's own text.
        let is_50 = ["/nb/", "/oa/", "/da/"].iter().any(|v| path.contains(v));
        if !is_50 || s.tables.len() != 1 {
            continue;
        }
        // Compact tables are inside of a comment.
        let statements = match text.starts_with("/*") {
            true => &text[text.find("CREATE").unwrap()..text.rfind("*/").unwrap()],
            false => &text,
        };
        let mut described = describe(&s.tables[0], &s.types);
        for index in &s.indexes {
            described += &format!("\n\n{}", describe_index(index));
        }
        // Snapshots allow for what exists, and have no empty lines.
        let described = described.replace("\n\n", "\n");
        let statements = statements
            .trim()
            .replace(" IF NOT EXISTS", "")
            .replace("\n\n", "\n");
        if s.tables[0].dropped.len() > 1 {
            // Cassandra writes dropped columns in no particular order.
            let sorted = |text: &str| {
                let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            assert_eq!(sorted(&described), sorted(&statements), "{path}");
        } else {
            assert_eq!(described, statements, "{path}");
        }
        compared += 1;
    }
    assert!(compared > 100);
}

#[test]
fn descriptions_are_read_back() {
    let texts = golden_schemas().into_iter().map(|(_, text)| text).chain([
        "CREATE TYPE \"T 1\" (\"F\" int); CREATE TYPE u (a frozen<\"T 1\">, b int);
         CREATE TABLE t (\"K\" frozen<u>, c int, v u, w map<int, frozen<list<u>>>, s int static, PRIMARY KEY ((\"K\"), c))
         WITH CLUSTERING ORDER BY (c DESC); ALTER TABLE t DROP s USING TIMESTAMP 5; ALTER TABLE t ADD s int static;
         ALTER TABLE t DROP v USING TIMESTAMP 6"
            .into(),
        "CREATE TABLE t (k int PRIMARY KEY, a int, b text) WITH COMPACT STORAGE; ALTER TABLE t DROP b USING TIMESTAMP 1".into(),
        "CREATE TABLE t (k int, c int, d int, PRIMARY KEY (k, c, d)) WITH COMPACT STORAGE AND CLUSTERING ORDER BY (c DESC, d ASC)".into(),
        "CREATE TABLE t (k int, c int, v int, PRIMARY KEY (k, c)) WITH COMPACT STORAGE".into(),
    ]);
    for text in texts {
        let s = schema(&text);
        for mut original in s.tables {
            let described = describe(&original, &s.types);
            let mut again = table(&described);
            // A view is described as the table that it is.
            original.kind = TableKind::Regular;
            original.strict_liveness = false;
            for t in [&mut original, &mut again] {
                t.options.other.sort();
            }
            assert_eq!(again, original, "{described}");
        }
    }
    let s = schema("CREATE TYPE \"T 1\" (\"F\" int, g frozen<list<text>>)");
    assert_eq!(
        describe_type(&s.types[0]),
        "CREATE TYPE ks.\"T 1\" (\n    \"F\" int,\n    g frozen<list<text>>\n);"
    );
}

fn header(
    key: &str,
    clustering: &[&str],
    statics: &[(&str, &str)],
    regulars: &[(&str, &str)],
) -> HeaderTypes {
    let columns = |list: &[(&str, &str)]| -> Vec<(Vec<u8>, String)> {
        list.iter()
            .map(|(n, t)| (n.as_bytes().to_vec(), t.to_string()))
            .collect()
    };
    let clustering: Vec<String> = clustering.iter().map(|t| t.to_string()).collect();
    HeaderTypes::parse(key, &clustering, &columns(statics), &columns(regulars)).unwrap()
}

#[test]
fn headers_make_schemas() {
    let t = TableSchema::from_headers(
        "ks",
        "t",
        &[header(
            "org.apache.cassandra.db.marshal.CompositeType(org.apache.cassandra.db.marshal.Int32Type,org.apache.cassandra.db.marshal.UTF8Type)",
            &["org.apache.cassandra.db.marshal.ReversedType(org.apache.cassandra.db.marshal.LongType)", "BytesType", "UTF8Type"],
            &[("s", "Int32Type")],
            &[("key2", "Int32Type"), ("l", "ListType(Int32Type)"), ("clustering", "UTF8Type"), ("clustering_", "UTF8Type")],
        )],
        None,
    )
    .unwrap();
    assert_eq!(
        t.partition_key,
        [column("key", CqlType::Int), column("key2_", CqlType::Text)]
    );
    assert_eq!(
        t.clustering,
        [
            clustering("clustering__", CqlType::BigInt, true),
            clustering("clustering2", CqlType::Blob, false),
            clustering("clustering3", CqlType::Text, false)
        ]
    );
    assert_eq!(names(&t.statics), ["s"]);
    assert_eq!(
        names(&t.regulars),
        ["clustering", "clustering_", "key2", "l"]
    );
    assert_eq!(t.kind, TableKind::Regular);

    let names_given = KeyNames {
        partition_key: vec!["a".into()],
        clustering: vec!["b".into()],
    };
    let one = header("Int32Type", &["UTF8Type"], &[], &[]);
    let t = TableSchema::from_headers(
        "ks",
        "t.idx",
        std::slice::from_ref(&one),
        Some(&names_given),
    )
    .unwrap();
    assert_eq!(shown(&t), ["a", "b"]);
    assert_eq!(t.kind, TableKind::Index);
    let other = header("Int32Type", &[], &[], &[]);
    let e = TableSchema::from_headers("ks", "t", std::slice::from_ref(&other), Some(&names_given))
        .unwrap_err();
    assert_eq!(
        e.to_string(),
        "wrong schema: the files of ks.t have 0 clustering columns"
    );
    let e = TableSchema::from_headers("ks", "t", &[one, other], None).unwrap_err();
    assert_eq!(
        e.to_string(),
        "the SSTables of ks.t are not of one table: their primary keys are (int, text) and (int) (give a schema file, or one SSTable alone)"
    );
    let e = TableSchema::from_headers("ks", "t", &[], None).unwrap_err();
    assert_eq!(
        e.to_string(),
        "ks.t has no SSTable that could say its schema"
    );
    let bad = HeaderTypes::parse(
        "Int32Type",
        &[],
        &[],
        &[(b"v".to_vec(), "ListType(".into())],
    )
    .unwrap_err();
    assert_eq!(bad.kind(), ErrorKind::Corrupt);
    assert!(bad.message().starts_with("type of column `v`: "));
    let odd = HeaderTypes::parse(
        "Int32Type",
        &[],
        &[],
        &[(vec![0xff, 1], "Int32Type".into())],
    )
    .unwrap();
    assert_eq!(names(&odd.regulars), ["0xff01"]);
}

#[test]
fn the_newest_header_counts_and_fits_all_of_them() {
    let newest = header(
        "Int32Type",
        &["UTF8Type"],
        &[("moved", "Int32Type")],
        &[("a", "IntegerType"), ("b", "UTF8Type")],
    );
    let older = header(
        "Int32Type",
        &["AsciiType"],
        &[],
        &[
            ("a", "Int32Type"),
            ("b", "Int32Type"),
            ("c", "Int32Type"),
            ("moved", "Int32Type"),
        ],
    );
    let headers = [newest.clone(), older.clone()];
    let t = TableSchema::from_headers("ks", "t", &headers, None).unwrap();
    assert_eq!(t.statics, [column("moved", CqlType::Int)]);
    assert_eq!(
        t.regulars,
        [
            column("a", CqlType::Varint),
            column("b", CqlType::Text),
            column("c", CqlType::Int)
        ]
    );
    let map = |column, dropped_at_micros| MappedColumn {
        column,
        dropped_at_micros,
    };
    let newest = t.map_header(&newest).unwrap();
    assert_eq!(newest.statics, [map(Some(0), Some(i64::MIN))]);
    assert_eq!(
        newest.regulars,
        [map(Some(0), None), map(Some(1), Some(i64::MIN))]
    );
    let older = t.map_header(&older).unwrap();
    assert_eq!(
        older.regulars,
        [
            map(Some(0), None),
            map(None, Some(i64::MIN)),
            map(Some(2), None),
            map(None, Some(i64::MIN))
        ]
    );
    let dense = TableSchema::from_headers(
        "ks",
        "t",
        &[header(
            "Int32Type",
            &["UTF8Type"],
            &[],
            &[("value", "EmptyType")],
        )],
        None,
    )
    .unwrap();
    assert!(dense.is_dense && dense.is_compact);
    assert_eq!(shown(&dense), ["key", "clustering"]);
}

#[test]
fn headers_are_mapped_or_refused() {
    let t = table(
        "CREATE TABLE t (k int, c text, d int, a varint, b list<int>, u frozen<tuple<int>>, s int static, gone int, was_static int static,
           PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (c ASC, d DESC);
         ALTER TABLE t DROP gone USING TIMESTAMP 5; ALTER TABLE t DROP was_static USING TIMESTAMP 6;
         ALTER TABLE t DROP a USING TIMESTAMP 7; ALTER TABLE t ADD a varint;",
    );
    let key = "Int32Type";
    let order = ["UTF8Type", "ReversedType(Int32Type)"];
    let map = |column, dropped_at_micros| MappedColumn {
        column,
        dropped_at_micros,
    };
    let got = t
        .map_header(&header(
            key,
            &order,
            &[("s", "Int32Type"), ("gone", "Int32Type")],
            &[
                ("a", "Int32Type"),
                ("gone", "UTF8Type"),
                ("u", "TupleType(Int32Type)"),
                ("was_static", "Int32Type"),
                ("b", "ListType(Int32Type)"),
            ],
        ))
        .unwrap();
    assert_eq!(got.statics, [map(Some(0), None), map(None, Some(5))]);
    assert_eq!(
        got.regulars,
        [
            map(Some(0), Some(7)),
            map(None, Some(5)),
            map(Some(1), None),
            map(None, Some(6)),
            map(Some(2), None)
        ]
    );
    let why = |h: HeaderTypes| {
        let e = t.map_header(&h).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
        e.message().to_owned()
    };
    assert_eq!(
        why(header(key, &order, &[], &[("x", "UTF8Type")])),
        "wrong schema of ks.t: the SSTable has a regular column `x` of type text, which the schema neither has nor names as dropped"
    );
    assert_eq!(
        why(header(key, &order, &[], &[("s", "Int32Type")])),
        "wrong schema of ks.t: column `s` is regular in the SSTable"
    );
    assert_eq!(
        why(header(key, &order, &[("s", "UTF8Type")], &[])),
        "wrong schema of ks.t: column `s` is of type int, that of the SSTable of type text"
    );
    assert_eq!(
        why(header(
            key,
            &order,
            &[],
            &[("b", "FrozenType(ListType(Int32Type))")]
        )),
        "wrong schema of ks.t: column `b` is of type list<int>, that of the SSTable of type frozen<list<int>>"
    );
    assert_eq!(
        why(header(
            "CompositeType(Int32Type,UTF8Type)",
            &order,
            &[],
            &[]
        )),
        "wrong schema of ks.t: its primary key is of types (int, text, int DESC), that of the SSTable ((int, text), text, int DESC)"
    );
    assert_eq!(
        why(header(key, &["UTF8Type", "Int32Type"], &[], &[])),
        "wrong schema of ks.t: its primary key is of types (int, text, int DESC), that of the SSTable (int, text, int)"
    );
}

#[test]
fn hidden_clustering_columns_are_not_asked_for() {
    let text = || vec![(CqlType::Text, false)];
    let int = |name: &str| column(name, CqlType::Int);
    let compact = "CREATE TABLE t (k int PRIMARY KEY, a int) WITH COMPACT STORAGE";
    let plain = "CREATE TABLE t (k int PRIMARY KEY, a int)";
    let refused =
        |schema: &str, key: CqlType, clustering, statics: &[Column], regulars: &[Column]| {
            let header = HeaderTypes {
                key,
                clustering,
                statics: statics.to_vec(),
                regulars: regulars.to_vec(),
            };
            table(schema).map_header(&header).unwrap_err().to_string()
        };
    let a = [int("a")];
    assert_eq!(
        refused(compact, CqlType::Int, vec![], &[], &a),
        "wrong schema of ks.t: the SSTable is of a table without compact storage (leave COMPACT STORAGE out of the table's options)"
    );
    assert_eq!(
        refused(compact, CqlType::Text, text(), &a, &[]),
        "wrong schema of ks.t: its primary key is of types (int), that of the SSTable (text) (give the schema of the time when the SSTable was written, or a later one)"
    );
    assert_eq!(
        refused(plain, CqlType::Int, text(), &a, &[]),
        "wrong schema of ks.t: its primary key is of types (int), that of the SSTable (int, text) (if the table was created WITH COMPACT STORAGE, its CREATE TABLE has to say so; else give the table its clustering column)"
    );
    assert!(refused(plain, CqlType::Int, text(), &[], &a).ends_with("or a later one)"));
}

#[test]
fn user_types_that_3_0_froze_without_saying_so() {
    let t = table(
        "CREATE TYPE u (a int);
         CREATE TABLE t (k frozen<u> PRIMARY KEY, v frozen<u>, w u, gone frozen<tuple<int>>, l list<frozen<u>>);
         ALTER TABLE t DROP gone USING TIMESTAMP 5",
    );
    let u = "UserType(ks,75,61:Int32Type)";
    let list = format!("ListType({u})");
    let stored = header(
        u,
        &[],
        &[],
        &[("gone", u), ("v", u), ("l", &list), ("w", u)],
    );
    let mapping = t.map_header(&stored).unwrap();
    let columns: Vec<_> = mapping.regulars.iter().map(|c| c.column).collect();
    assert_eq!(columns, [None, Some(0), Some(1), Some(2)]);
    let own = TableSchema::from_headers("ks", "t", &[stored], None).unwrap();
    assert!(!own.partition_key[0].ty.is_multi_cell());
}

#[test]
fn types_that_cassandra_lets_change() {
    let fits = |schema: &str, header_type: &str| {
        let t = table(&format!(
            "CREATE TYPE u (a int, b text); CREATE TYPE w (a varint); CREATE TABLE t (k int PRIMARY KEY, v {schema})"
        ));
        t.map_header(&header("Int32Type", &[], &[], &[("v", header_type)]))
            .is_ok()
    };
    for (new, old) in [
        ("blob", "Int32Type"),
        ("blob", "FrozenType(ListType(Int32Type))"),
        ("text", "AsciiType"),
        ("varint", "Int32Type"),
        ("varint", "LongType"),
        ("bigint", "TimestampType"),
        ("timestamp", "DateType"),
        ("timestamp", "LongType"),
        ("date", "Int32Type"),
        ("time", "LongType"),
        ("uuid", "TimeUUIDType"),
        ("list<text>", "ListType(AsciiType)"),
        ("set<blob>", "SetType(UTF8Type)"),
        ("map<text, blob>", "MapType(AsciiType,UTF8Type)"),
        (
            "frozen<map<text, blob>>",
            "FrozenType(MapType(AsciiType,Int32Type))",
        ),
        ("frozen<list<varint>>", "FrozenType(ListType(Int32Type))"),
        ("tuple<varint, text>", "TupleType(Int32Type)"),
        // u(a int), before b was added.
        ("frozen<u>", "FrozenType(UserType(ks,75,61:Int32Type))"),
        ("u", "UserType(ks,75,61:Int32Type)"),
        // 3.0 did not say that a user type is frozen.
        ("frozen<u>", "UserType(ks,75,61:Int32Type,62:UTF8Type)"),
    ] {
        assert!(fits(new, old), "{new} from {old}");
    }
    for (new, old) in [
        ("int", "IntegerType"),
        ("int", "LongType"),
        ("ascii", "UTF8Type"),
        ("blob", "ListType(Int32Type)"),
        ("text", "BytesType"),
        ("timeuuid", "UUIDType"),
        ("list<int>", "SetType(Int32Type)"),
        // The lengths of cells differ.
        ("list<varint>", "ListType(Int32Type)"),
        ("set<varint>", "SetType(Int32Type)"),
        ("frozen<set<varint>>", "FrozenType(SetType(Int32Type))"),
        ("tuple<int>", "TupleType(Int32Type,Int32Type)"),
        ("u", "FrozenType(UserType(ks,75,61:Int32Type,62:UTF8Type))"),
        ("frozen<w>", "FrozenType(UserType(ks,77,61:Int32Type))"),
        ("vector<float, 3>", "VectorType(FloatType , 2)"),
    ] {
        assert!(!fits(new, old), "{new} from {old}");
    }
}

#[test]
fn golden_sstables_fit_their_schemas() {
    let mut fitted = 0;
    for path in golden_files("", "-Data.db") {
        let folder = path.parent().unwrap();
        let Ok(text) = std::fs::read_to_string(folder.join("schema.cql")) else {
            continue;
        };
        let Ok(sstable) = SSTable::open(&path, &OpenOptions::default()) else {
            continue;
        };
        let s = schema(&text);
        let name = folder.file_name().unwrap().to_str().unwrap();
        let name = name.split_once('-').map_or(name, |(name, _)| name);
        let found = match &*s.tables {
            [one] => one,
            _ => s
                .find(None, name)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        };
        let header = &sstable.statistics().header.types().unwrap();
        let mapping = found.map_header(header);
        let mapping = mapping.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for (mapped, column) in mapping.regulars.iter().zip(&header.regulars) {
            if let Some(n) = mapped.column {
                assert_eq!(found.regulars[n].name, column.name);
            }
        }
        // Without a schema, the header is one that fits itself, in the same order of columns; but that of 3.0's frozen
        // user types, which says that they are not frozen, is in the order of what they are.
        if path.to_str().unwrap().contains("/ma/frozen_udt/") {
            continue;
        }
        let own = TableSchema::from_headers("ks", "t", std::slice::from_ref(header), None).unwrap();
        assert_eq!(own.statics, header.statics, "{}", path.display());
        assert_eq!(own.regulars, header.regulars, "{}", path.display());
        own.map_header(header).unwrap();
        fitted += 1;
    }
    assert!(fitted > 300, "{fitted}");
}

#[test]
fn a_data_directory_says_its_own_schema() {
    for version in ["nb", "oa", "da"] {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../test-data/golden"));
        let data = root.join(version).join("data");
        let from_rows = Schema::load(&data.join("system_schema"), 1_700_000_000).unwrap();
        let shop: Vec<&str> = from_rows
            .tables
            .iter()
            .filter(|t| t.keyspace == "shop")
            .map(|t| &*t.name)
            .collect();
        assert_eq!(shop, ["customers", "orders", "orders_by_item"]);
        assert!(from_rows.broken.is_empty());
        for (key, names) in [
            (
                ("shop", "orders"),
                vec!["customer", "placed", "item", "status", "price"],
            ),
            (
                ("shop", "orders_by_item"),
                vec!["item", "customer", "placed", "price"],
            ),
            (
                ("system_schema", "types"),
                vec!["keyspace_name", "type_name", "field_names", "field_types"],
            ),
        ] {
            assert_eq!(shown(from_rows.table(key.0, key.1).unwrap()), names);
        }
        let missing = Schema::load(&data.join("no_such_keyspace"), 0).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let view = from_rows.table("shop", "orders_by_item").unwrap();
        assert_eq!(view.kind, TableKind::View);
        assert!(from_rows.table("Mixed", "Table").is_some());
        let customers = from_rows.table("shop", "customers").unwrap();
        assert_eq!(&*customers.dropped[0].column.name, "old");
        // A snapshot has the same schema in CQL, but for the options that rows leave to their defaults.
        let snapshot = golden_files(&format!("{version}/data/shop"), "snapshots/all/schema.cql");
        let orders = table(&std::fs::read_to_string(&snapshot[0]).unwrap());
        let mut from_rows = from_rows.table("shop", "orders").unwrap().clone();
        from_rows.options.other.clone_from(&orders.options.other);
        assert_eq!(from_rows, orders);
    }
}

type Row = BTreeMap<&'static str, Vec<u8>>;

impl SystemRow for Row {
    fn get(&self, column: &str) -> Option<&[u8]> {
        BTreeMap::get(self, column).map(Vec::as_slice)
    }
}

fn row(values: &[(&'static str, &str)]) -> Row {
    values
        .iter()
        .map(|(name, text)| (*name, text.as_bytes().to_vec()))
        .collect()
}

/// A frozen collection of texts.
fn texts(count: i32, texts: &[&str]) -> Vec<u8> {
    let mut bytes = count.to_be_bytes().to_vec();
    for text in texts {
        bytes.extend((text.len() as i32).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn system_column(table: &str, name: &str, kind: &str, position: i32, ty: &str) -> Row {
    let mut r = row(&[
        ("keyspace_name", "ks"),
        ("table_name", table),
        ("column_name", name),
        ("kind", kind),
        ("type", ty),
        (
            "clustering_order",
            if ty == "timeuuid" { "desc" } else { "none" },
        ),
    ]);
    r.insert("position", position.to_be_bytes().to_vec());
    r
}

fn system_table(name: &str, flags: &[&str]) -> Row {
    let mut r = row(&[("keyspace_name", "ks"), ("table_name", name)]);
    r.insert("flags", texts(flags.len() as i32, flags));
    r.insert("id", vec![7; 16]);
    r
}

#[test]
fn system_tables_make_schemas() {
    let mut t = system_table("t", &["compound"]);
    t.insert("gc_grace_seconds", 5i32.to_be_bytes().to_vec());
    t.insert("default_time_to_live", 6i32.to_be_bytes().to_vec());
    t.insert("comment", b"it's".to_vec());
    t.insert("cdc", vec![0]);
    t.insert("crc_check_chance", 0.5f64.to_be_bytes().to_vec());
    t.insert("compaction", texts(2, &["class", "X", "a", "b"]));
    t.insert("extensions", texts(1, &["e", "\u{1}"]));
    let type_row = |name: &str, fields: &[&str], types: &[&str]| {
        let mut r = row(&[("keyspace_name", "ks"), ("type_name", name)]);
        r.insert("field_names", texts(fields.len() as i32, fields));
        r.insert("field_types", texts(types.len() as i32, types));
        r
    };
    let mut dropped = row(&[
        ("keyspace_name", "ks"),
        ("table_name", "t"),
        ("column_name", "gone"),
        ("kind", "static"),
        ("type", "frozen<tuple<int, text>>"),
    ]);
    dropped.insert("dropped_time", 9i64.to_be_bytes().to_vec());
    let mut view = system_table("", &[]);
    view.insert("view_name", b"view".to_vec());
    let mut view_of_broken = system_table("", &[]);
    view_of_broken.insert("view_name", b"view_of_broken".to_vec());
    view_of_broken.insert("base_table_name", b"bad_type".to_vec());
    let mut bad_index = row(&[
        ("keyspace_name", "ks"),
        ("table_name", "bad_index"),
        ("index_name", "i"),
    ]);
    bad_index.insert("options", texts(2, &["class_name"]));
    let mut bad_fields = row(&[("keyspace_name", "ks"), ("type_name", "bad_fields")]);
    bad_fields.insert("field_names", texts(2, &["x"]));
    let mut index = row(&[
        ("keyspace_name", "ks"),
        ("table_name", "t"),
        ("index_name", "i"),
        ("kind", "CUSTOM"),
    ]);
    index.insert(
        "options",
        texts(3, &["class_name", "C", "target", "keys(m)", "o", "p"]),
    );
    let rows = SystemTables {
        keyspaces: vec![
            row(&[("keyspace_name", "ks")]),
            row(&[("keyspace_name", "empty")]),
        ],
        tables: vec![
            t,
            system_table("static_compact", &[]),
            system_table("dense", &["dense", "compound"]),
            system_table("no_columns", &["compound"]),
            system_table("bad_type", &["compound"]),
            system_table("bad_field", &["compound"]),
            system_table("bad_index", &["compound"]),
        ],
        columns: vec![
            system_column("t", "k2", "partition_key", 1, "text"),
            system_column("t", "k1", "partition_key", 0, "int"),
            system_column("t", "c2", "clustering", 1, "timeuuid"),
            system_column("t", "c1", "clustering", 0, "date"),
            system_column("t", "s", "static", -1, "frozen<outer>"),
            system_column("t", "v", "regular", -1, "map<int, frozen<inner>>"),
            system_column("t", "a", "regular", -1, "int"),
            system_column("static_compact", "k", "partition_key", 0, "blob"),
            system_column("static_compact", "column1", "clustering", 0, "text"),
            system_column("static_compact", "x", "static", -1, "int"),
            system_column("static_compact", "value", "regular", -1, "blob"),
            system_column("dense", "k", "partition_key", 0, "blob"),
            system_column("dense", "c", "clustering", 0, "text"),
            system_column("dense", "value", "regular", -1, "empty"),
            system_column("bad_type", "k", "partition_key", 0, "nothing_known"),
            system_column("bad_field", "k", "partition_key", 0, "frozen<bad_fields>"),
            system_column("bad_index", "k", "partition_key", 0, "int"),
            system_column("view", "v", "partition_key", 0, "int"),
            system_column("view_of_broken", "v", "partition_key", 0, "int"),
        ],
        dropped_columns: vec![dropped],
        types: vec![
            bad_fields,
            type_row("outer", &["a"], &["frozen<inner>"]),
            type_row("inner", &["x", "y"], &["int", "set<text>"]),
        ],
        views: vec![view, view_of_broken],
        indexes: vec![index, bad_index],
    };
    let s = Schema::from_system_tables(&rows).unwrap();
    assert_eq!(s.keyspaces, ["empty", "ks"]);
    let t = s.table("ks", "t").unwrap();
    assert_eq!(t.id, Some([7; 16]));
    assert_eq!(shown(t), ["k1", "k2", "c1", "c2", "s", "a", "v"]);
    assert_eq!(
        t.clustering,
        [
            clustering("c1", CqlType::Date, false),
            clustering("c2", CqlType::TimeUuid, true)
        ]
    );
    assert_eq!(t.statics[0].ty.cql_name(), "frozen<outer>");
    assert_eq!(t.dropped[0].dropped_at_micros, 9000);
    assert!(t.dropped[0].is_static);
    assert_eq!(
        (t.options.gc_grace_seconds, t.options.default_time_to_live),
        (5, 6)
    );
    let options: Vec<(&str, &str)> = t
        .options
        .other
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        options,
        [
            ("cdc", "false"),
            ("comment", "'it''s'"),
            ("compaction", "{'a': 'b', 'class': 'X'}"),
            ("crc_check_chance", "0.5"),
            ("extensions", "{'e': 0x01}"),
        ]
    );
    assert_eq!(shown(s.table("ks", "static_compact").unwrap()), ["k", "x"]);
    let dense = s.table("ks", "dense").unwrap();
    assert!(dense.is_dense && dense.is_compact);
    assert_eq!(shown(dense), ["k", "c"]);
    assert_eq!(s.table("ks", "view").unwrap().kind, TableKind::View);
    assert_eq!(s.indexes[0].class.as_deref(), Some("C"));
    assert_eq!(
        (s.indexes[0].target.as_str(), s.indexes[0].options.len()),
        ("keys(m)", 1)
    );
    let broken: Vec<&str> = s
        .broken
        .iter()
        .map(|(_, table, _)| table.as_str())
        .collect();
    assert_eq!(
        broken,
        [
            "no_columns",
            "bad_type",
            "bad_field",
            "view_of_broken",
            "bad_index"
        ]
    );
    for (table, message) in [
        (
            "bad_field",
            "type ks.bad_fields: a row of system_schema.types has no valid `field_names`",
        ),
        ("view_of_broken", "its base table: "),
        (
            "bad_index",
            "a row of system_schema.indexes has no valid `options`",
        ),
    ] {
        let error = s.find(None, table).unwrap_err();
        assert!(error.message().contains(message), "{error}");
    }
    assert_eq!(
        s.find(None, "no_columns").unwrap_err().message(),
        "the system_schema tables do not say the schema of ks.no_columns: it has no partition key"
    );
}

/// What a query says of a table of which each statement is written to an SSTable of its own.
fn written_and_read(table: &TableSchema, statements: &[&str], select: &str) -> Vec<String> {
    use crate::mutation::{Modifier, TimeUuids, WriteTime};
    use crate::sstable::builder::{BuilderOptions, UnsortedBuilder};
    use crate::sstable::{Format, Version};
    let directory = tempfile::tempdir().unwrap();
    let header = Arc::new(crate::model::StreamHeader::of_table(table));
    let mut modifier = Modifier::new(Arc::new(table.clone()), TimeUuids::new(0, 0)).unwrap();
    for (timestamp, statement) in (1..).zip(statements) {
        let version = Version::parse("oa", &Format::Big.to_string()).unwrap();
        let options = BuilderOptions::new(version, Default::default());
        let mut sink = UnsortedBuilder::create(directory.path(), header.clone(), options).unwrap();
        let when = WriteTime {
            timestamp,
            ttl: 0,
            now: 0,
        };
        let statement = crate::cql::parse_statement(statement).unwrap();
        modifier.execute(&statement, &when, &mut sink).unwrap();
        sink.finish().unwrap();
    }
    let found = crate::sstable::directory::resolve(directory.path()).unwrap();
    let open = |d: &crate::sstable::Descriptor| {
        SSTable::open_descriptor(d.clone(), &OpenOptions::default()).unwrap()
    };
    let sstables: Vec<_> = found[0].readable().unwrap().iter().map(open).collect();
    assert_eq!(sstables.len(), statements.len());
    let reader = crate::read::TableReader::open(table.clone(), sstables).unwrap();
    let select = crate::cql::parse_select(select).unwrap();
    let options = crate::query::PlanOptions {
        indexes: &[],
        now: 0,
    };
    let plan =
        crate::query::Plan::new(&select, reader.schema(), reader.partitioner(), &options).unwrap();
    crate::query::json_lines(plan.execute(&reader))
}

#[test]
fn names_of_headers_are_told_apart() {
    let digits_of_text = "0x30786666";
    for (bytes, name) in [
        (&b"a"[..], "a"),
        (b"", ""),
        (b"\xff", "0xff"),
        (b"0xff", digits_of_text),
        (digits_of_text.as_bytes(), "0x30783330373836363636"),
        (b"0x61", "0x61"),
        (b"0xf", "0xf"),
        (b"\0\x01", "\0\x01"),
    ] {
        assert_eq!(&*header::column_name(bytes), name);
        assert_eq!(*raw_column_name(name), *bytes, "{name}");
    }
    let int = "org.apache.cassandra.db.marshal.Int32Type";
    let t = table("CREATE TABLE t (k int PRIMARY KEY, \"0xff\" int)");
    let stored = [(b"0xff".to_vec(), int.to_owned())];
    let header = HeaderTypes::parse(int, &[], &[], &stored).unwrap();
    let mapping = t.map_header(&header).unwrap();
    assert_eq!(mapping.regulars[0].column, Some(0));
}

#[test]
fn names_of_columns_that_are_no_text() {
    let named = |name: &str, bytes: &[u8], kind: &str, ty: &str| {
        let mut column = system_column("t", name, kind, -1, ty);
        column.insert("column_name_bytes", bytes.to_vec());
        column
    };
    let rows = SystemTables {
        tables: vec![system_table("t", &[])],
        columns: vec![
            named("key", b"key", "partition_key", "blob"),
            named("column1", b"column1", "clustering", "int"),
            named("value", b"value", "regular", "blob"),
            named("-1", &[0xff; 4], "static", "text"),
            named("10", &[0, 0, 0, 10], "static", "int"),
            named("9", &[0, 0, 0, 9], "static", "int"),
        ],
        ..SystemTables::default()
    };
    let s = Schema::from_system_tables(&rows).unwrap();
    let t = s.table("ks", "t").unwrap();
    assert!(t.is_static_compact());
    // By bytes, of which the first is signed.
    assert_eq!(shown(t), ["key", "-1", "9", "10"]);
    let int = "org.apache.cassandra.db.marshal.Int32Type".to_owned();
    let text = "org.apache.cassandra.db.marshal.UTF8Type".to_owned();
    let header = HeaderTypes::parse(
        "org.apache.cassandra.db.marshal.BytesType",
        std::slice::from_ref(&int),
        &[(vec![0xff; 4], text), (vec![0, 0, 0, 10], int.clone())],
        &[],
    )
    .unwrap();
    let read = written_and_read(
        t,
        &[
            "INSERT INTO t (key, \"-1\", \"9\", \"10\") VALUES (0x01, 'minus', 90, 100)",
            "UPDATE t SET \"10\" = 101 WHERE key = 0x01",
        ],
        "SELECT JSON * FROM t",
    );
    assert_eq!(
        read,
        ["{\"key\": \"0x01\", \"-1\": \"minus\", \"9\": 90, \"10\": 101}"]
    );
    let mapping = t.map_header(&header).unwrap();
    let columns: Vec<_> = mapping.statics.iter().map(|c| c.column).collect();
    assert_eq!(columns, [Some(0), Some(2)]);
    let stream = crate::model::StreamHeader::of_table(t);
    assert_eq!(
        names(&stream.statics),
        ["0xffffffff", "\0\0\0\t", "\0\0\0\n"]
    );
    let stored = crate::sstable::component::statistics::SerializationHeader::of_stream(
        &stream,
        crate::sstable::component::statistics::EncodingStats::NONE,
    );
    let stored: Vec<&[u8]> = stored.statics.iter().map(|(name, _)| &**name).collect();
    assert_eq!(stored, [&[0xff; 4], &[0, 0, 0, 9], &[0, 0, 0, 10]]);
    let text_name = HeaderTypes::parse(
        "org.apache.cassandra.db.marshal.BytesType",
        std::slice::from_ref(&int),
        &[(b"9".to_vec(), int.clone())],
        &[],
    );
    assert!(t.map_header(&text_name.unwrap()).is_err());
}

#[test]
fn broken_values_of_system_tables_are_corrupt() {
    let mut cases = vec![row(&[("keyspace_name", "ks")])];
    for bytes in [
        vec![],
        vec![0, 0, 0],
        vec![0xff; 4],
        vec![0x7f, 0xff, 0xff, 0xff],
        texts(2, &["a"]),
    ] {
        let mut bad = system_table("t", &[]);
        bad.insert("flags", bytes);
        cases.push(bad);
    }
    for case in cases {
        let rows = SystemTables {
            columns: vec![system_column("t", "k", "partition_key", 0, "int")],
            tables: vec![case],
            ..SystemTables::default()
        };
        match Schema::from_system_tables(&rows) {
            Err(e) => assert_eq!(e.kind(), ErrorKind::Corrupt),
            Ok(s) => assert_eq!(s.broken[0].2.kind(), ErrorKind::Corrupt),
        }
    }
}

#[test]
fn key_names_of_the_system_tables() {
    for table in SYSTEM_TABLES {
        let names = system_key_names(table).unwrap();
        assert_eq!(names.partition_key, ["keyspace_name"]);
    }
    assert_eq!(
        system_key_names("columns").unwrap().clustering,
        ["table_name", "column_name"]
    );
    assert_eq!(system_key_names("peers"), None);
}

#[test]
fn garbage_takes_linear_time() {
    let create = "CREATE TABLE t (k int PRIMARY KEY);";
    for text in [
        "CREATE TABLE ".repeat(50_000),
        format!(
            "{create}{}",
            "ALTER TABLE t ADD a int; ALTER TABLE t DROP a;".repeat(5_000)
        ),
        "/* Warning: Table CREATE TABLE t (k int PRIMARY KEY, ".repeat(20_000),
        "/* Warning: Table CREATE TABLE t ( */".repeat(20_000),
        ";".repeat(200_000),
        "x ".repeat(100_000),
        format!("CREATE TABLE t ({}", "a int, ".repeat(50_000)),
        format!("CREATE TABLE t (k {}", "list<".repeat(50_000)),
        format!(
            "CREATE TABLE t (k int PRIMARY KEY) WITH a = {}",
            "{1:".repeat(50_000)
        ),
    ] {
        _ = parse_schema(&text, None);
    }
}

proptest! {
    #[test]
    fn any_text_is_a_schema_or_refused(text in "\\PC*") {
        _ = parse_schema(&text, None);
        _ = parse_schema(&format!("CREATE TABLE t ({text}"), None);
    }

    #[test]
    fn any_tokens_are_a_schema_or_refused(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "create", "table", "t", "type", "u", "(", ")", "k", "v", "int", "text", "primary", "key", ",", ";", "with", "and", "=",
            "compact", "storage", "clustering", "order", "by", "desc", "alter", "drop", "add", "static", "frozen", "<", ">", "list",
            "using", "timestamp", "5", "materialized", "view", "as", "select", "*", "from", "where", "is", "not", "null", "index", "on",
            "create table t (k int primary key", "create table t (k int, c int, v int, primary key (k, c))",
        ]), 0..40)
    ) {
        if let Ok(schema) = parse_schema(&tokens.join(" "), None) {
            for table in &schema.tables {
                prop_assert!(parse_schema(&describe(table, &schema.types), None).is_ok());
            }
        }
    }
}
