//! Tests of the lexer, the parser and their errors.

use super::ast::*;
use super::*;
use crate::error::ErrorKind;
use crate::types::Literal;
use proptest::prelude::*;

fn select(text: &str) -> Select {
    parse_select(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn error(text: &str) -> String {
    parse_statement(text).expect_err(text).to_string()
}

fn selectors(text: &str) -> Vec<Selector> {
    match select(&format!("SELECT {text} FROM t")).selection {
        Selection::Selectors(selectors) => selectors,
        Selection::All => panic!("{text} selects all"),
    }
}

fn selected(text: &str) -> Expr {
    let mut selectors = selectors(text);
    assert_eq!(selectors.len(), 1, "{text}");
    selectors.remove(0).expr
}

fn relation(text: &str) -> Relation {
    let mut relations = select(&format!("SELECT * FROM t WHERE {text}")).relations;
    assert_eq!(relations.len(), 1, "{text}");
    relations.remove(0)
}

/// The term of `c = term`.
fn term(text: &str) -> Expr {
    match relation(&format!("c = {text}")) {
        Relation::Column { value, .. } => value,
        other => panic!("{text}: {other:?}"),
    }
}

fn literal(text: &str) -> Literal {
    term(text)
        .to_literal()
        .unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn int(digits: &str) -> Expr {
    Expr::Literal(Literal::Integer(digits.into()))
}

fn column(name: &str) -> Expr {
    Expr::Column(name.into())
}

fn name(name: &str) -> QualifiedName {
    QualifiedName {
        keyspace: None,
        name: name.into(),
    }
}

#[test]
fn select_takes_every_clause_in_order() {
    let got = select(
        "select json distinct a, B AS \"C d\" from Ks.\"T\" where a = 1 and b > 2 group by a, b \
         order by b desc, c asc, d per partition limit 3 limit 2147483647 allow filtering ;",
    );
    let ordering = |column: &str, descending| Ordering {
        column: column.into(),
        ann_of: None,
        descending,
    };
    let expected = Select {
        json: true,
        distinct: true,
        selection: Selection::Selectors(vec![
            Selector {
                expr: column("a"),
                alias: None,
            },
            Selector {
                expr: column("b"),
                alias: Some("C d".into()),
            },
        ]),
        from: QualifiedName {
            keyspace: Some("ks".into()),
            name: "T".into(),
        },
        relations: vec![
            Relation::Column {
                column: "a".into(),
                operator: Operator::Eq,
                value: int("1"),
            },
            Relation::Column {
                column: "b".into(),
                operator: Operator::Gt,
                value: int("2"),
            },
        ],
        group_by: vec![column("a"), column("b")],
        order_by: vec![
            ordering("b", true),
            ordering("c", false),
            ordering("d", false),
        ],
        per_partition_limit: Some(Limit::Rows(3)),
        limit: Some(Limit::Rows(2_147_483_647)),
        allow_filtering: true,
    };
    assert_eq!(got, expected);
    let bound = select("SELECT * FROM t PER PARTITION LIMIT ? LIMIT :n");
    assert_eq!(bound.selection, Selection::All);
    assert_eq!(
        bound.per_partition_limit,
        Some(Limit::Bind(BindMarker(None)))
    );
    assert_eq!(bound.limit, Some(Limit::Bind(BindMarker(Some("n".into())))));
    let ann = select("SELECT * FROM t ORDER BY v ANN OF [1.5, 2] LIMIT 2");
    assert_eq!(ann.order_by[0].ann_of, Some(term("[1.5, 2]")));
}

#[test]
fn modifiers_are_columns_where_a_selection_cannot_begin() {
    let case = |text: &str| {
        let s = select(text);
        (s.json, s.distinct, s.selection)
    };
    let one = |name: &str, alias: Option<&str>| {
        Selection::Selectors(vec![Selector {
            expr: column(name),
            alias: alias.map(Into::into),
        }])
    };
    assert_eq!(
        case("SELECT json FROM t"),
        (false, false, one("json", None))
    );
    assert_eq!(
        case("SELECT JSON json FROM t"),
        (true, false, one("json", None))
    );
    assert_eq!(case("SELECT JSON * FROM t"), (true, false, Selection::All));
    assert_eq!(
        case("SELECT json AS j FROM t"),
        (false, false, one("json", Some("j")))
    );
    assert_eq!(
        case("SELECT json as FROM t"),
        (true, false, one("as", None))
    );
    assert_eq!(
        case("SELECT distinct FROM t"),
        (false, false, one("distinct", None))
    );
    assert_eq!(
        case("SELECT DISTINCT distinct FROM t"),
        (false, true, one("distinct", None))
    );
    assert_eq!(
        case("SELECT JSON DISTINCT k FROM t"),
        (true, true, one("k", None))
    );
    assert_eq!(selectors("json, distinct").len(), 2);
    for slice in [
        "distinct[1..2]",
        "json[..(1, [2])]",
        "distinct[{'..': 1}..]",
    ] {
        let select = parse_select(&format!("SELECT {slice} FROM t")).unwrap();
        assert_eq!((select.json, select.distinct), (false, false), "{slice}");
    }
    let list = parse_select("SELECT DISTINCT [[a[1..2]]] FROM t").unwrap();
    assert!(list.distinct);
    assert_eq!(
        selected("json.f"),
        Expr::Field {
            of: Box::new(column("json")),
            field: "f".into()
        }
    );
}

#[test]
fn selectors_of_every_form() {
    assert_eq!(selected("\"Odd \"\"name\""), column("Odd \"name"));
    assert_eq!(selected("TTL"), column("ttl"));
    assert_eq!(
        selected("writetime(C)"),
        Expr::WriteTime(Box::new(column("c")))
    );
    assert_eq!(
        selected("maxwritetime(c)"),
        Expr::MaxWriteTime(Box::new(column("c")))
    );
    assert_eq!(
        selected("ttl(m['k'])"),
        Expr::Ttl(Box::new(Expr::Element {
            of: Box::new(column("m")),
            key: Box::new(Expr::Literal(Literal::Text("k".into()))),
        }))
    );
    for rows in ["count(*)", "COUNT(1)", "count('x')", "system.count(1)"] {
        assert_eq!(selected(rows), Expr::CountRows, "{rows}");
    }
    let call = |function: &str, args| Expr::Call {
        name: name(function),
        args,
    };
    assert_eq!(selected("count(c)"), call("count", vec![column("c")]));
    assert_eq!(selected("count"), column("count"));
    assert_eq!(
        selected("token(a, b)"),
        call("token", vec![column("a"), column("b")])
    );
    assert_eq!(selected("toDate(c)"), call("todate", vec![column("c")]));
    assert_eq!(selected("\"myF\"()"), call("myF", vec![]));
    assert_eq!(
        selected("max(writetime(c))"),
        call("max", vec![Expr::WriteTime(Box::new(column("c")))])
    );
    assert_eq!(
        selected("ks.f(c, 1)"),
        Expr::Call {
            name: QualifiedName {
                keyspace: Some("ks".into()),
                name: "f".into()
            },
            args: vec![column("c"), int("1")]
        }
    );
    assert_eq!(
        selected("cast(c AS Text)"),
        Expr::Cast {
            expr: Box::new(column("c")),
            ty: TypeText("Text".into())
        }
    );
    let slice = |from: Option<&str>, to: Option<&str>| Expr::Slice {
        of: Box::new(column("m")),
        from: from.map(|d| Box::new(int(d))),
        to: to.map(|d| Box::new(int(d))),
    };
    assert_eq!(selected("m[1..2]"), slice(Some("1"), Some("2")));
    assert_eq!(selected("m[1 ..]"), slice(Some("1"), None));
    assert_eq!(selected("m[..2]"), slice(None, Some("2")));
    assert_eq!(
        selected("u.\"F\".g"),
        Expr::Field {
            of: Box::new(Expr::Field {
                of: Box::new(column("u")),
                field: "F".into()
            }),
            field: "g".into()
        }
    );
    assert_eq!(
        selected("(map<int, frozen<set<text>>>) {}"),
        Expr::TypeHint {
            ty: TypeText("map<int, frozen<set<text>>>".into()),
            expr: Box::new(Expr::Set(vec![]))
        }
    );
    assert_eq!(
        selected("(a, b)"),
        Expr::Tuple(vec![column("a"), column("b")])
    );
    assert_eq!(
        selectors("(a) AS b")[0].expr,
        Expr::Tuple(vec![column("a")])
    );
    let arithmetic = |operator, left, right| Expr::Arithmetic {
        operator,
        left: Box::new(left),
        right: Box::new(right),
    };
    assert_eq!(
        selected("a + b * 2 - -c"),
        arithmetic(
            Arithmetic::Subtract,
            arithmetic(
                Arithmetic::Add,
                column("a"),
                arithmetic(Arithmetic::Multiply, column("b"), int("2"))
            ),
            Expr::Negate(Box::new(column("c")))
        )
    );
}

#[test]
fn selectors_are_shown_as_cassandra_names_their_columns() {
    for (text, shown) in [
        ("count(*)", "count"),
        ("WriteTime(\"A b\")", "writetime(A b)"),
        ("cast(v AS INT)", "cast(v as int)"),
        ("m['it''s']", "m['it's']"),
        ("m[1..]", "m[1..]"),
        ("u.f", "u.f"),
        ("ks.f(a, 0xCAFE)", "ks.f(a, 0xcafe)"),
        ("(int)1", "(int)1"),
        ("a % 2", "a % 2"),
        ("{1: null, 2: true}", "{1: NULL, 2: true}"),
        ("[-Infinity, NaN]", "[-Infinity, NaN]"),
    ] {
        assert_eq!(selected(text).to_string(), shown);
    }
}

#[test]
fn relations_of_every_form() {
    use Operator::*;
    for (symbol, operator) in [
        ("=", Eq),
        ("!=", NotEq),
        ("<", Lt),
        ("<=", Lte),
        (">", Gt),
        (">=", Gte),
    ] {
        assert_eq!(
            relation(&format!("c{symbol}1")),
            Relation::Column {
                column: "c".into(),
                operator,
                value: int("1")
            }
        );
    }
    assert_eq!(
        relation("\"C\" IN (1, 2)"),
        Relation::In {
            column: "C".into(),
            values: InValues::List(vec![int("1"), int("2")])
        }
    );
    assert_eq!(
        relation("c IN ()"),
        Relation::In {
            column: "c".into(),
            values: InValues::List(vec![])
        }
    );
    assert_eq!(
        relation("c in :values"),
        Relation::In {
            column: "c".into(),
            values: InValues::Bind(BindMarker(Some("values".into())))
        }
    );
    let columns = || vec!["a".to_owned(), "b".to_owned()];
    let pair = |a, b| Expr::Tuple(vec![int(a), int(b)]);
    assert_eq!(
        relation("(a, b) >= (1, 2)"),
        Relation::Tuple {
            columns: columns(),
            operator: Gte,
            value: pair("1", "2")
        }
    );
    assert_eq!(
        relation("(a, b) IN ((1, 2), (3, 4), ?)"),
        Relation::TupleIn {
            columns: columns(),
            values: InValues::List(vec![
                pair("1", "2"),
                pair("3", "4"),
                Expr::Bind(BindMarker(None))
            ])
        }
    );
    assert_eq!(
        relation("token(a, b) > token(1, 2)"),
        Relation::Token {
            columns: columns(),
            operator: Gt,
            value: Expr::Call {
                name: name("token"),
                args: vec![int("1"), int("2")]
            }
        }
    );
    assert_eq!(
        relation("TOKEN(a, b) <= -9223372036854775808"),
        Relation::Token {
            columns: columns(),
            operator: Lte,
            value: int("-9223372036854775808")
        }
    );
    assert_eq!(
        relation("c CONTAINS 1"),
        Relation::Contains {
            column: "c".into(),
            key: false,
            value: int("1")
        }
    );
    assert_eq!(
        relation("c CONTAINS KEY 1"),
        Relation::Contains {
            column: "c".into(),
            key: true,
            value: int("1")
        }
    );
    assert_eq!(
        relation("c[1] = 2"),
        Relation::Element {
            column: "c".into(),
            key: int("1"),
            operator: Eq,
            value: int("2")
        }
    );
    assert_eq!(
        relation("c IS NOT NULL"),
        Relation::IsNotNull { column: "c".into() }
    );
    assert_eq!(
        relation("c LIKE 'a%'"),
        Relation::Like {
            column: "c".into(),
            value: Expr::Literal(Literal::Text("a%".into()))
        }
    );
    assert_eq!(
        relation("expr(idx, 'q')"),
        Relation::Index {
            index: name("idx"),
            value: Expr::Literal(Literal::Text("q".into()))
        }
    );
    assert_eq!(relation("((c = 1))"), relation("c = 1"));
    assert_eq!(relation("((a, b) = (1, 2))"), relation("(a, b) = (1, 2)"));
}

#[test]
fn constants_of_every_form() {
    use Literal::*;
    let text = |s: &str| Text(s.into());
    for (written, expected) in [
        ("NULL", Null),
        ("true", Boolean(true)),
        ("False", Boolean(false)),
        ("0", Integer("0".into())),
        ("-12", Integer("-12".into())),
        ("- 12", Integer("-12".into())),
        (
            "123456789012345678901234567890",
            Integer("123456789012345678901234567890".into()),
        ),
        ("1e3", Float("1e3".into())),
        ("-0.5", Float("-0.5".into())),
        ("1.", Float("1.".into())),
        ("1.5E-10", Float("1.5E-10".into())),
        ("NaN", Nan),
        ("-nan", Nan),
        ("Infinity", Infinity { negative: false }),
        ("-infinity", Infinity { negative: true }),
        ("''", text("")),
        ("'it''s'", text("it's")),
        ("'-- no comment /* */'", text("-- no comment /* */")),
        ("$$it's $5$$", text("it's $5")),
        ("'é\n😀'", text("é\n😀")),
        ("0x", Blob(vec![])),
        ("0XcaFE", Blob(vec![0xca, 0xfe])),
        (
            "550e8400-e29b-41d4-a716-446655440000",
            Uuid([
                0x55, 0x0e, 0x84, 0, 0xe2, 0x9b, 0x41, 0xd4, 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0,
                0,
            ]),
        ),
        (
            "ABCDEF00-0000-0000-0000-000000000001",
            Uuid([0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ),
        ("[]", List(vec![])),
        ("['a', 1]", List(vec![text("a"), Integer("1".into())])),
        ("{}", Set(vec![])),
        ("{'a'}", Set(vec![text("a")])),
        (
            "{'a': 1, 'b': null}",
            Map(vec![(text("a"), Integer("1".into())), (text("b"), Null)]),
        ),
        ("{true: 1}", Map(vec![(Boolean(true), Integer("1".into()))])),
        (
            "{a: 1, \"B\": [2]}",
            Udt(vec![
                ("a".into(), Integer("1".into())),
                ("B".into(), List(vec![Integer("2".into())])),
            ]),
        ),
        ("(1, 'a')", Tuple(vec![Integer("1".into()), text("a")])),
        ("(int) 1", Integer("1".into())),
        ("(frozen<list<text>>) ['a']", List(vec![text("a")])),
        (
            "now()",
            FunctionCall {
                name: "now".into(),
                args: vec![],
            },
        ),
        (
            "minTimeuuid('2020-01-01')",
            FunctionCall {
                name: "mintimeuuid".into(),
                args: vec![text("2020-01-01")],
            },
        ),
        (
            "ks.f(blob_as_int(0x00000001))",
            FunctionCall {
                name: "ks.f".into(),
                args: vec![FunctionCall {
                    name: "blob_as_int".into(),
                    args: vec![Blob(vec![0, 0, 0, 1])],
                }],
            },
        ),
    ] {
        assert_eq!(literal(written), expected, "{written}");
    }
    for duration in [
        "1y2mo3d4h5m6s7ms8us9ns",
        "-1d",
        "3w",
        "12H",
        "5µs",
        "P1Y2M3DT4H5M6S",
        "-P1D",
        "PT1H",
        "P3W",
        "P1YT5S",
        "P0001-02-03T04:05:06",
    ] {
        assert_eq!(literal(duration), Duration(duration.into()));
    }
}

#[test]
fn keys_of_maps_that_are_tuples_are_no_type_hints() {
    let one = || Literal::Integer("1".into());
    for (text, key) in [
        ("{(null): 1}", Literal::Null),
        ("{('x'): 1}", Literal::Text("x".into())),
        ("{(true): 1}", Literal::Boolean(true)),
    ] {
        let map = Literal::Map(vec![(Literal::Tuple(vec![key]), one())]);
        assert_eq!(literal(text), map, "{text}");
    }
    let called = literal("{('x'): now()}");
    assert!(matches!(called, Literal::Map(_)), "{called:?}");
    assert!(matches!(term("('x') :bound"), Expr::TypeHint { .. }));
    assert!(matches!(term("(int) :bound"), Expr::TypeHint { .. }));
    assert!(matches!(term("('x') f(1)"), Expr::TypeHint { .. }));
    let grouped = select("SELECT * FROM t WHERE a = ('x') GROUP BY a");
    assert_eq!(grouped.group_by.len(), 1);
    let ordered = select("SELECT * FROM t WHERE a = ('x') ORDER BY a LIMIT 1");
    assert_eq!(ordered.order_by.len(), 1);
    let limited = select("SELECT * FROM t WHERE a > (1) PER PARTITION LIMIT 1");
    assert_eq!(limited.relations.len(), 1);
}

#[test]
fn words_that_look_like_durations_are_names() {
    for word in ["p1d", "P1", "P1DX", "pt", "P", "PT"] {
        assert_eq!(selected(word), column(&word.to_lowercase()));
    }
}

#[test]
fn comments_are_blanks() {
    let expected = select("SELECT a FROM t WHERE b = 1");
    assert_eq!(
        select(
            "\u{feff}/* x */SELECT a -- one\n//two\r FROM/**/t\t/* multi\nline */ WHERE b = 1 -- end"
        ),
        expected
    );
}

#[test]
fn errors_name_line_column_found_and_expected() {
    assert_eq!(
        error("SELEC a"),
        "1:1: found `SELEC`, expected `SELECT`, `USE`, `INSERT`, `UPDATE`, `DELETE` or `BEGIN`"
    );
    assert_eq!(
        error("SELECT a\n  FRM t"),
        "2:3: found `FRM`, expected `AS`, `,` or `FROM`"
    );
    assert_eq!(
        error("SELECT a FROM t WHERE k = bob"),
        "1:27: found `bob`, expected a value (text takes single quotes: 'text')"
    );
    assert_eq!(
        error("SELECT a FROM t WHERE k = \"bob\""),
        "1:27: found `\"bob\"`, expected a value (text takes single quotes; double quotes are for names)"
    );
    assert_eq!(
        error("SELECT a FROM order"),
        "1:15: found `order`, expected a table (ORDER is a reserved word: as a name it needs double quotes)"
    );
    assert_eq!(
        error("SELECT a FROM t WHERE"),
        "1:22: found the end of the text, expected a column"
    );
    assert_eq!(
        error("SELECT 'é', 'it FROM t"),
        "1:13: found a string without its closing quote, expected a column or value"
    );
    assert_eq!(
        error("SELECT a FROM t /* x"),
        "1:17: found a comment without its `*/`, expected `.`, `WHERE`, `GROUP`, `ORDER`, `PER`, `LIMIT`, `ALLOW`, `;` or the end of the text"
    );
    assert_eq!(
        error("SELECT a FROM t WHERE b = 0xabc"),
        "1:27: a blob has an even number of hexadecimal digits"
    );
    assert_eq!(
        error("SELECT * FROM t LIMIT 0"),
        "1:23: a limit is a number from 1 to 2147483647"
    );
    assert_eq!(
        error("SELECT * FROM t LIMIT 'a'"),
        "1:23: found `'a'`, expected a number of rows"
    );
    assert_eq!(
        error("SELECT * FROM t LIMIT 1 PER PARTITION LIMIT 1"),
        "1:25: found `PER`, expected `ALLOW`, `;` or the end of the text"
    );
    assert_eq!(
        error("SELECT * FROM t; SELECT * FROM u"),
        "1:18: found `SELECT`, expected the end of the text"
    );
    assert_eq!(
        error("SELECT * FROM t WHERE a € 1"),
        "1:25: found `€`, expected `IN`, `CONTAINS`, `LIKE`, `IS`, `[` or an operator"
    );
    assert_eq!(
        error(""),
        "1:1: found the end of the text, expected `SELECT`, `USE`, `INSERT`, `UPDATE`, `DELETE` or `BEGIN`"
    );
}

#[test]
fn a_column_is_set_as_a_whole_or_in_parts() {
    let update = |set: &str| parse_statement(&format!("UPDATE t SET {set} WHERE p = 1"));
    for set in [
        "a = 1, a = 2",
        "a = 1, b = 2, a = a + 2",
        "a[1] = 2, a = {}",
        "a.x = 1, b = 1, a.x = 2",
        "\"a\" = 1, A = 2",
    ] {
        let e = update(set).unwrap_err().to_string();
        assert!(e.contains("the column `a` is set twice"), "{set}: {e}");
    }
    for set in [
        "a = 1, \"A\" = 1",
        "a[1] = 2, a[1] = 3, a = a + {}",
        "a.x = 1, a.y = 2",
    ] {
        update(set).unwrap();
    }
}

#[test]
fn what_cassandra_5_0_lacks_is_refused_by_name() {
    for (text, expected) in [
        (
            "SELECT * FROM t WHERE a BETWEEN 1 AND 2",
            "1:25: BETWEEN is not a relation of Cassandra 5.0 (write c >= a AND c <= b)",
        ),
        (
            "SELECT * FROM t WHERE a NOT IN (1)",
            "1:25: NOT is not a relation of Cassandra 5.0 (leave out the rows afterwards)",
        ),
        (
            "SELECT * FROM t WHERE a = 1 OR b = 2",
            "1:29: OR is not a relation of Cassandra 5.0 (run one statement for each side, or use IN)",
        ),
        ("TRUNCATE t", "1:1: TRUNCATE statements are not executed"),
    ] {
        let e = parse_statement(text).expect_err(text);
        assert_eq!(
            (e.kind(), e.to_string()),
            (ErrorKind::Unsupported, expected.to_owned())
        );
    }
}

#[test]
fn terms_without_a_constant_say_why() {
    let why = |text: &str| term(text).to_literal().expect_err(text).to_string();
    assert_eq!(
        why("?"),
        "the bind marker `?` has no value (write the value itself into the statement)"
    );
    assert_eq!(
        why("[1, :x]"),
        "the bind marker `:x` has no value (write the value itself into the statement)"
    );
    assert_eq!(
        why("1 + 2"),
        "`1 + 2`: a value must be a constant or a call of a function"
    );
    assert_eq!(why("-'a'"), "`-'a'`: only numbers have a negative");
}

#[test]
fn nesting_and_chains_are_bounded() {
    let deep = |open: &str, middle: &str, close: &str, n: usize| {
        format!(
            "SELECT * FROM t WHERE c = {}{middle}{}",
            open.repeat(n),
            close.repeat(n)
        )
    };
    assert!(parse_select(&deep("[", "1", "]", 60)).is_ok());
    for text in [
        deep("[", "1", "]", 100_000),
        deep("(", "1", ")", 100_000),
        deep("{", "1", "}", 100_000),
        deep("f(", "1", ")", 100_000),
        deep("- ", "1", "", 100_000),
        deep("(int)", "1", "", 100_000),
        deep("1 + ", "1", "", 100_000),
        deep("1 * ", "1", "", 100_000),
        format!(
            "SELECT {}a{} FROM t",
            "cast(".repeat(100_000),
            " AS int)".repeat(100_000)
        ),
        format!("SELECT a{} FROM t", ".a".repeat(100_000)),
        format!("SELECT a{} FROM t", "[1]".repeat(100_000)),
        format!(
            "SELECT * FROM t WHERE {}a = 1{}",
            "(".repeat(100_000),
            ")".repeat(100_000)
        ),
        format!(
            "SELECT cast(a AS {}int{}) FROM t",
            "list<".repeat(100_000),
            ">".repeat(100_000)
        ),
    ] {
        let e = parse_select(&text).expect_err(&text[..60]);
        assert!(
            e.message().contains("nested deeper than 64 levels"),
            "{}: {e}",
            &text[..60]
        );
    }
    let unhinted = deep("(", "list<".repeat(100_000).as_str(), "", 1);
    assert!(parse_select(&unhinted).is_err());
}

#[test]
fn long_statements_take_linear_time() {
    // Each of these takes minutes if anything in the parser is quadratic.
    let values = vec!["('a', 1)"; 40_000].join(", ");
    let list = select(&format!("SELECT * FROM t WHERE c = [{values}]"));
    assert_eq!(list.relations.len(), 1);
    let select_in = select(&format!("SELECT * FROM t WHERE (a, b) IN ({values})"));
    assert_eq!(select_in.relations.len(), 1);
    for garbage in [
        "(", "'", "\"", "$$ ", "/*", "-", "1y", "P1", "a<", "(a<", "{a:", "0x", "\\", "é",
    ] {
        assert!(parse_statement(&garbage.repeat(60_000)).is_err());
        assert!(parse_statement(&format!("SELECT {}", garbage.repeat(60_000))).is_err());
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC*") {
        _ = parse_statement(&text);
        _ = parse_statement(&format!("SELECT {text}"));
        _ = parse_statement(&format!("SELECT * FROM t WHERE {text}"));
    }

    #[test]
    fn any_tokens_are_parsed_or_refused(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "select", "json", "distinct", "from", "where", "a", "\"b\"", "1", "-1", "1.5", "'s'", "0xca", "1d", "(", ")",
            "[", "]", "{", "}", "<", ">", "=", ",", ".", "..", ":", "?", "*", "-", "+", "and", "in", "token", "cast", "as",
            "ttl", "count", "null", "limit", "order", "by", "contains", "key", "is", "not", "list", "int", ";",
        ]), 0..30)
    ) {
        let text = tokens.join(" ");
        if let Ok(Statement::Select(select)) = parse_statement(&text)
            && let Selection::Selectors(selectors) = select.selection
        {
            for selector in selectors {
                _ = selector.expr.to_literal();
                prop_assert!(!selector.expr.to_string().is_empty() || selector.expr == Expr::Column(String::new()));
            }
        }
    }

    #[test]
    fn quoted_names_come_back(name in "\\PC+") {
        prop_assert_eq!(selected(&quote_name(&name)), column(&name));
    }
}
