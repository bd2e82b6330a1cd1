"""Names that a parser must quote, or must not."""

from golden import register, table


def keyword_table(t):
    t.create("key int, ttl int, writetime text, json text, distinct_ int, count int, \"select\" int, \"Mixed Case\" text, \"a\"\"b\" int, \"1\" int, \"\u00e9\" int, "
             "\"" + "long_" * 30 + "\" int static, PRIMARY KEY (key, ttl)")
    t.insert("key, ttl, writetime, json, count, \"select\", \"Mixed Case\", \"a\"\"b\", \"1\", \"\u00e9\", \"" + "long_" * 30 + "\"",
             "1, 10, 'w', 'j', 3, 4, 'mixed', 5, 6, 7, 8", "1, 11, null, '', 0, null, '', 1, 2, 3, 9")
    t.flush()
    t.insert("key, ttl, count, \"Mixed Case\"", "1, 10, 33, 'Later'", "2, 1, 1, 'x'")
    t.cql("DELETE writetime FROM $t WHERE key = 1 AND ttl = 10")
    t.flush()
    t.ask("SELECT JSON ttl, ttl(json), writetime(writetime) FROM $t", "SELECT JSON ttl FROM $t WHERE key = 1 AND ttl > 10",
          "SELECT JSON count FROM $t WHERE count = 33 ALLOW FILTERING", "SELECT JSON count(count) FROM $t", "SELECT JSON \"Mixed Case\", \"a\"\"b\" FROM $t WHERE key = 1",
          "SELECT JSON \"Mixed Case\" AS plain, key AS \"Key Of\", json AS json FROM $t", "SELECT JSON \"select\" FROM $t WHERE \"select\" = 4 ALLOW FILTERING",
          "SELECT JSON \"Mixed Case\" FROM $t WHERE \"Mixed Case\" = 'Later' ALLOW FILTERING", "SELECT JSON mixed FROM $t", "SELECT JSON select FROM $t",
          "SELECT JSON TTL FROM $t WHERE KEY = 1 ORDER BY TTL DESC", "select json key from $t limit 1", "SELECT JSON KEY FROM $t WHERE Key=1 AND ttl IN(10,11)")


register("ttl", "a table named like a keyword, with columns of keyword, mixed-case, quoted, non-ASCII and very long names, in two SSTables", keyword_table)


def quoted_table(t):
    t.create("\"K\" int PRIMARY KEY, \"V\" text, v text")
    t.insert("\"K\", \"V\", v", "1, 'upper', 'lower'")
    t.flush()
    t.ask("SELECT JSON \"V\", v FROM $t WHERE \"K\" = 1", "SELECT JSON V FROM $t", "SELECT JSON * FROM golden.mixedcase", "SELECT JSON * FROM golden.MixedCase")


register("MixedCase", "a table whose name must be quoted, with columns that differ in case only", quoted_table)
register("select", "a table named like a reserved word", quoted_table)


@table("literals of every form in WHERE, and functions and aliases in what is selected")
def literals(t):
    t.create("k int, ts timestamp, d date, t time, i inet, dec decimal, dur duration, b blob, u uuid, tu timeuuid, f float, db double, vi varint, bo boolean, tx text, "
             "PRIMARY KEY (k, ts)")
    t.insert("k, ts, d, t, i, dec, dur, b, u, tu, f, db, vi, bo, tx",
             "1, '2023-11-14 22:13:20.123+0000', '2023-11-14', '22:13:20.000000123', '10.0.0.1', 1.50, 1h30m, 0xCAFE, 123e4567-e89b-42d3-a456-426614174000, "
             "50554d6e-29bb-11e5-b345-feff819cdc9f, 1.5, 2.5, 42, true, 'it''s'",
             "1, '2023-11-15 00:00:00+0100', '1969-12-31', '00:00:00', '::1', -1E-3, -2d, 0x, 00000000-0000-0000-0000-000000000000, "
             "50554d6e-29bb-11e5-b345-feff819cdc9e, NaN, -Infinity, -42, false, ''",
             "1, 0, 2147483648, 0, '::ffff:10.0.0.1', 15e-1, 90m, 0xff, ffffffff-ffff-4fff-bfff-ffffffffffff, null, -0.0, 1e3, 0, null, '$x$'")
    t.flush()
    t.ask(*[f"SELECT JSON ts, {c} FROM $t WHERE {c} {v} ALLOW FILTERING" for c, v in (
        ("ts", "= '2023-11-14 22:13:20.123+0000'"), ("ts", "= '2023-11-14T22:13:20.123Z'"), ("ts", "= '2023-11-14 23:13:20.123+01:00'"), ("ts", "= 1700000000123"),
        ("ts", "> '2023-11-14'"), ("ts", "< '2023-11-14T22:13Z'"), ("ts", ">= '1970-01-01T00:00:00.000+00'"), ("ts", "IN (0, '2023-11-14 23:00:00Z')"),
        ("ts", "= 'yesterday'"), ("ts", "= 1.5"),
        ("d", "= '2023-11-14'"), ("d", "< '1970-01-01'"), ("d", "= 2147483648"), ("d", "> 2147483647"), ("d", "= '2023-13-14'"), ("d", "= -1"),
        ("t", "= '22:13:20.000000123'"), ("t", "< '22:13:20'"), ("t", "= 0"), ("t", "= '24:00:00'"), ("t", ">= '00:00:00.1'"),
        ("i", "= '10.0.0.1'"), ("i", "= '::1'"), ("i", "= '0:0:0:0:0:0:0:1'"), ("i", "= '::ffff:10.0.0.1'"), ("i", "> '10.0.0.0'"), ("i", "= '10.0.0'"), ("i", "= 'nowhere!'"),
        ("dec", "= 1.5"), ("dec", "= 1.50"), ("dec", "= 15E-1"), ("dec", "= -0.001"), ("dec", "> -1"), ("dec", "= 2"), ("dec", "IN (1.5, -1e-3)"),
        ("dur", "= 1h30m"), ("dur", "= 90m"), ("dur", "= PT1H30M"), ("dur", "= -2d"), ("dur", "= P0000-00-00T01:30:00"), ("dur", "= '1h30m'"), ("dur", "> 1h"),
        ("b", "= 0xcafe"), ("b", "= 0xCAFE"), ("b", "= 0x"), ("b", "> 0xca"), ("b", "= 0xabc"), ("b", "= 'cafe'"), ("b", "= textAsBlob('')"),
        ("u", "= 123e4567-e89b-42d3-a456-426614174000"), ("u", "= 123E4567-E89B-42D3-A456-426614174000"), ("u", "= '123e4567-e89b-42d3-a456-426614174000'"),
        ("tu", "= 50554d6e-29bb-11e5-b345-feff819cdc9f"), ("tu", "> 50554d6e-29bb-11e5-b345-feff819cdc9e"), ("tu", "= 123e4567-e89b-42d3-a456-426614174000"),
        ("tu", "> minTimeuuid('2015-07-13 00:00:00+0000')"), ("tu", "< maxTimeuuid('2015-07-13 00:00:00+0000')"),
        ("f", "= 1.5"), ("f", "= NaN"), ("f", "= -0.0"), ("f", "= 0"), ("f", "> 1"), ("db", "= -Infinity"), ("db", "= 1000"), ("db", "= 1E3"), ("db", "< 2.5"), ("db", "= Infinity"),
        ("vi", "= 42"), ("vi", "= -42"), ("vi", "< 99999999999999999999"), ("vi", "= 1.5"), ("bo", "= true"), ("bo", "= TRUE"), ("bo", "= 1"), ("bo", "= false"),
        ("tx", "= 'it''s'"), ("tx", "= $$it's$$"), ("tx", "= ''"), ("tx", "= 1"), ("tx", "> 'a'"), ("tx", "= null"), ("tx", "!= 'x'"), ("k", "= 1"), ("nope", "= 1"))])
    t.ask("SELECT JSON toDate(ts), toUnixTimestamp(ts), toTimestamp(d) FROM $t", "SELECT JSON k AS a, ts AS \"B\", tx AS c FROM $t LIMIT 1", "SELECT JSON min(dec), max(dec), count(1) FROM $t",
          "SELECT JSON sum(vi), avg(db) FROM $t", "SELECT JSON CAST(k AS text), CAST(ts AS date) FROM $t", "SELECT JSON toTimestamp(tu), blobAsText(textAsBlob(tx)) FROM $t",
          "SELECT JSON * FROM $t WHERE k = 1 LIMIT 0", "SELECT JSON * FROM $t LIMIT -1", "SELECT JSON k, k FROM $t LIMIT 1", "SELECT JSON * FROM $t WHERE k = 'x'", "SELECT JSON * FROM $t WHERE ts = 0",
          "SELECT JSON * FROM $t WHERE k = 1 AND k = 2", "SELECT JSON * FROM $t WHERE k > 1", "SELECT JSON * FROM $t ORDER BY ts DESC", "SELECT JSON * FROM $t WHERE k = 1 ORDER BY tx", "SELECT JSON FROM $t",
          "SELECT JSON * FROM golden.no_such_table", "SELECT JSON * FROM nowhere.at_all", "SELECT JSON k FROM $t WHERE k = 1;", "SELECT JSON k FROM $t -- comment", "SELECT /* x */ JSON k FROM $t // end",
          "SELECT JSON k FROM $t WHERE k = 1 AND", "SELECT JSON k FROM $t WHERE token(k) > -9223372036854775808 AND token(k) <= 9223372036854775807", "SELECT JSON k FROM $t WHERE token(k) > 0.5",
          "SELECT JSON k FROM $t WHERE token(ts) > 0", "SELECT JSON k FROM $t WHERE k IN ()", "SELECT JSON k FROM $t WHERE k IN (1, 1) PER PARTITION LIMIT 1", "SELECT JSON k FROM $t WHERE k = null",
          "SELECT JSON tx FROM $t WHERE k = 1 AND (ts) > (0)", "SELECT JSON tx FROM $t WHERE k = 1 AND (ts) IN ((0), (1700000000123))", "SELECT JSON tx FROM $t WHERE k = 1 AND ts > 0 AND ts > 5 AND ts < 1800000000000",
          "SELECT JSON count(*) AS n FROM $t WHERE k = 1", "SELECT JSON count(*), k FROM $t", "SELECT JSON ttl(k) FROM $t", "SELECT JSON writetime(nope) FROM $t", "SELECT JSON DISTINCT k FROM $t WHERE k = 1 LIMIT 5")
