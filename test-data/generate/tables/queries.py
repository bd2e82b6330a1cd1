"""What a SELECT can say: functions, aggregates, groups, orders, slices by tuples, filters, and what is refused."""

from golden import WRITE_NOW, table

NUMBERS = ("ti", "si", "i", "b", "f", "d", "de", "vi")


@table("functions of numbers, arithmetic, casts, aggregates", dumps="none", versions=("oa",))
def query_numbers(t):
    t.create("k int, c int, ti tinyint, si smallint, i int, b bigint, f float, d double, de decimal, vi varint, PRIMARY KEY (k, c)")
    t.insert("k, c, ti, si, i, b, f, d, de, vi",
             "1, 1, 1, 2, 3, 4, 1.5, 2.5, 3.25, 12345678901234567890",
             "1, 2, -1, -2, -3, -4, -1.5, -2.5, -3.250, -12345678901234567890",
             "1, 3, 127, 32767, 2147483647, 9223372036854775807, 3.4e38, 1.7e308, 1e30, 9223372036854775808",
             "1, 4, 100, 30000, 2000000000, 9000000000000000000, 1e38, 1e308, 1e-30, 0",
             "2, 1, -128, -32768, -2147483648, -9223372036854775808, 0.1, 0.1, 0.1, 1",
             "2, 2, 0, 0, 0, 0, 0, 0, 0, 0",
             "2, 3, 7, 7, 7, 7, 7, 7, 7, 7",
             "3, 1, null, null, null, null, null, null, null, null",
             "4, 1, 3, 3, 3, 3, NaN, Infinity, 1E+5, 3",
             "4, 2, 4, 4, 4, 4, 1, 1, 2.50, 4")
    t.insert("k, c, i", "5, 1, 5", "5, 2, 6")
    t.flush()
    for n in NUMBERS:
        t.ask(f"SELECT JSON count({n}), min({n}), max({n}), sum({n}), avg({n}) FROM $t WHERE k = 1",
              f"SELECT JSON k, count({n}), min({n}), max({n}), sum({n}), avg({n}) FROM $t GROUP BY k",
              f"SELECT JSON sum({n}), avg({n}), min({n}) FROM $t WHERE k = 3",
              f"SELECT JSON sum({n}), avg({n}), max({n}) FROM $t WHERE k = 99",
              f"SELECT JSON abs({n}), - {n}, {n} + {n}, {n} - 1, {n} * 2 FROM $t WHERE k = 2",
              f"SELECT JSON {n} / 3, {n} % 3 FROM $t WHERE k = 2",
              f"SELECT JSON round({n}) FROM $t WHERE k IN (1, 2, 4)",
              f"SELECT JSON to_json({n}), toJson({n}) AS old FROM $t",
              *[f"SELECT JSON {n} + {m}, {n} * {m}, {n} - {m} FROM $t WHERE k IN (1, 2)" for m in NUMBERS],
              *[f"SELECT JSON {n} / {m}, {n} % {m} FROM $t WHERE k = 1 AND c <= 2" for m in NUMBERS],
              f"SELECT JSON {n} / 0 FROM $t WHERE k = 2 AND c = 3")
        for to in ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "varint", "text", "ascii"):
            t.ask(f"SELECT JSON cast({n} AS {to}) FROM $t WHERE k IN (1, 2)")
        t.ask(f"SELECT JSON cast({n} AS blob) FROM $t", f"SELECT JSON cast({n} AS decimal) FROM $t WHERE k = 4")
    t.ask("SELECT JSON i + b + si FROM $t WHERE k = 1", "SELECT JSON (i + 1) * 2 FROM $t WHERE k = 2", "SELECT JSON i + 1 * 2 FROM $t WHERE k = 2", "SELECT JSON 1 + i FROM $t WHERE k = 2",
          "SELECT JSON i + 1.5 FROM $t WHERE k = 2", "SELECT JSON i + 3000000000 FROM $t WHERE k = 2", "SELECT JSON - i FROM $t WHERE k = 2", "SELECT JSON i AS x, sum(i) AS s FROM $t WHERE k = 2",
          "SELECT JSON k, c, sum(i) FROM $t", "SELECT JSON sum(i) + 1, max(i) - min(i) FROM $t WHERE k = 2", "SELECT JSON sum(i + 1) FROM $t WHERE k = 2", "SELECT JSON sum(sum(i)) FROM $t",
          "SELECT JSON count(1), count(*) FROM $t", "SELECT JSON countRows() FROM $t", "SELECT JSON count_rows() FROM $t", "SELECT JSON count(*) AS n FROM $t", "SELECT JSON \"count\"(i) FROM $t",
          "SELECT JSON count(*) FROM $t LIMIT 1", "SELECT JSON count(*) FROM $t PER PARTITION LIMIT 1", "SELECT JSON system.sum(i) FROM $t", "SELECT JSON nothing.sum(i) FROM $t", "SELECT JSON nosuch(i) FROM $t",
          "SELECT JSON sum(i, b) FROM $t", "SELECT JSON sum() FROM $t", "SELECT JSON (int)1, (text)'a', (bigint)-1 FROM $t LIMIT 1", "SELECT JSON 1 FROM $t", "SELECT JSON 'a' FROM $t", "SELECT JSON (i, b) FROM $t WHERE k = 2",
          "SELECT JSON (i) FROM $t WHERE k = 2", "SELECT JSON [i, c] FROM $t WHERE k = 2", "SELECT JSON {i, c} FROM $t WHERE k = 2", "SELECT JSON (map<int, int>){c: i} FROM $t WHERE k = 2",
          "SELECT JSON (set<int>){3, 1, 2, 1} FROM $t LIMIT 1", "SELECT JSON (list<text>)['b', 'a'] FROM $t LIMIT 1", "SELECT JSON (tuple<int, text>)(1, 'x') FROM $t LIMIT 1", "SELECT JSON (vector<float, 2>)[1, 2] FROM $t LIMIT 1",
          "SELECT JSON avg(i), avg(d), sum(f) FROM $t WHERE k = 4", "SELECT JSON writetime(i), maxwritetime(i) FROM $t WHERE k = 5", "SELECT JSON max(writetime(i)) FROM $t", "SELECT JSON count(ttl(i)) FROM $t",
          "SELECT JSON i FROM $t WHERE k = 1 AND c = 1 + 1", "SELECT JSON i FROM $t WHERE k = 1 AND c > 1 + 1", "SELECT JSON c FROM $t WHERE b = 3 + 4 ALLOW FILTERING", "SELECT JSON c FROM $t WHERE k = 1 AND c = (int)2",
          "SELECT JSON i FROM $t WHERE k = 1 AND c = 1.5", "SELECT JSON i FROM $t WHERE k = 1 AND c = 3000000000", "SELECT JSON cast(i AS text) AS t FROM $t WHERE k = 2", "SELECT JSON cast(cast(i AS text) AS ascii) FROM $t WHERE k = 2",
          "SELECT JSON cast(sum(i) AS double) FROM $t WHERE k = 2", "SELECT JSON cast_as_text(i) FROM $t WHERE k = 2", "SELECT JSON i, i, i AS j FROM $t WHERE k = 5", "SELECT JSON i AS \"I\", i AS \"a b\" FROM $t WHERE k = 5")


@table("functions of dates, times and UUIDs, of texts and blobs", dumps="none", versions=("oa",))
def query_times(t):
    t.create("k int PRIMARY KEY, ts timestamp, d date, t time, u timeuuid, id uuid, du duration, tx text, a ascii, bl blob, bo boolean, ip inet")
    t.insert("k, ts, d, t, u, id, du, tx, a, bl, bo, ip",
             "1, '2024-01-31T12:34:56.789Z', '2024-01-31', '12:34:56.789', 50554d6e-29bb-11e5-b345-feff819cdc9f, 123e4567-e89b-42d3-a456-426614174000, 1mo2d3h, 'été', 'abc', 0xcafe, true, '127.0.0.1'",
             "2, -1, '1969-12-31', '00:00:00', 50554d6e-29bb-11e4-b345-feff819cdc9f, 50554d6e-29bb-11e4-b345-feff819cdc9f, 90m, '', '', 0x, false, '::1'",
             "3, 0, '1970-01-01', '23:59:59.999999999', 00000000-0000-1000-8080-808080808080, 00000000-0000-0000-0000-000000000000, 1y, 'x', 'x', 0x00000001, true, '10.0.0.1'",
             "4, null, null, null, null, null, null, null, null, null, null, null")
    t.flush()
    for f in ("to_date", "to_timestamp", "to_unix_timestamp", "toDate", "toTimestamp", "toUnixTimestamp"):
        for c in ("ts", "d", "u", "t"):
            t.ask(f"SELECT JSON {f}({c}) FROM $t")
    for c in ("ts", "d", "t", "u", "id", "tx", "a", "bo", "ip"):
        t.ask(f"SELECT JSON cast({c} AS text), cast({c} AS ascii) FROM $t", f"SELECT JSON cast({c} AS text) FROM $t", f"SELECT JSON to_json({c}) FROM $t", f"SELECT JSON min({c}), max({c}), count({c}) FROM $t",
              f"SELECT JSON cast({c} AS timestamp) FROM $t", f"SELECT JSON cast({c} AS date) FROM $t")
    for c, ty in (("ts", "timestamp"), ("d", "date"), ("t", "time"), ("u", "timeuuid"), ("id", "uuid"), ("du", "duration"), ("tx", "text"), ("a", "ascii"), ("bo", "boolean"), ("ip", "inet"), ("k", "int")):
        t.ask(f"SELECT JSON {ty}_as_blob({c}), {ty}AsBlob({c}) FROM $t", f"SELECT JSON blob_as_{ty}({ty}_as_blob({c})) FROM $t")
    t.ask("SELECT JSON min_timeuuid(ts), max_timeuuid(ts), minTimeuuid(ts) FROM $t", "SELECT JSON min_timeuuid('2024-01-01') FROM $t LIMIT 1", "SELECT JSON blob_as_int(bl) FROM $t", "SELECT JSON blobAsInt(0x00000007) FROM $t LIMIT 1",
          "SELECT JSON blob_as_int(0x0007) FROM $t LIMIT 1", "SELECT JSON blob_as_text(bl) FROM $t WHERE k = 1", "SELECT JSON blob_as_text(bl) FROM $t WHERE k = 3", "SELECT JSON blob_as_boolean(bl) FROM $t WHERE k = 1",
          "SELECT JSON ts + 1d, ts - 1d, ts + 1mo, ts + 2h30m, d + 1d, d - 1mo FROM $t", "SELECT JSON d + 1h FROM $t", "SELECT JSON ts + du FROM $t", "SELECT JSON ts + 1y1mo1d1h FROM $t", "SELECT JSON ts * 2 FROM $t", "SELECT JSON ts + 1 FROM $t",
          "SELECT JSON tx + 'y', tx + a, a + a, a + tx FROM $t", "SELECT JSON tx - 'y' FROM $t", "SELECT JSON floor(ts, 1h), floor(ts, 1d), floor(ts, 1mo), floor(ts, 2d) FROM $t WHERE k = 1", "SELECT JSON floor(ts, 7d, '2024-01-01') FROM $t WHERE k = 1",
          "SELECT JSON floor(u, 1h) FROM $t WHERE k = 1", "SELECT JSON floor(d, 1mo), floor(d, 10d) FROM $t WHERE k = 1", "SELECT JSON floor(t, 1h), floor(t, 15m) FROM $t", "SELECT JSON floor(ts, 2h30m) FROM $t WHERE k = 1", "SELECT JSON floor(d, 1h) FROM $t WHERE k = 1",
          "SELECT JSON floor(t, 1d) FROM $t WHERE k = 1", "SELECT JSON floor(ts, 1ns) FROM $t WHERE k = 1", "SELECT JSON floor(ts, 3mo) FROM $t WHERE k IN (1, 3)", "SELECT JSON token(k), token(1), token(2) FROM $t", "SELECT JSON k FROM $t WHERE k = token(1)",
          "SELECT JSON k FROM $t WHERE ts > '1970-01-01' ALLOW FILTERING", "SELECT JSON k FROM $t WHERE u > min_timeuuid('2014-01-01') AND u < max_timeuuid('2014-12-31') ALLOW FILTERING", "SELECT JSON k FROM $t WHERE d = to_date('2024-01-31') ALLOW FILTERING",
          "SELECT JSON k FROM $t WHERE d = to_date(50554d6e-29bb-11e5-b345-feff819cdc9f) ALLOW FILTERING", "SELECT JSON k FROM $t WHERE ts = to_timestamp('x') ALLOW FILTERING", "SELECT JSON k FROM $t WHERE bl = int_as_blob(1) ALLOW FILTERING",
          "SELECT JSON k FROM $t WHERE ts < '1970-01-01' + 1d ALLOW FILTERING", "SELECT JSON k FROM $t WHERE du = 90m ALLOW FILTERING", "SELECT JSON k FROM $t WHERE du IN (90m, 1y) ALLOW FILTERING", "SELECT JSON k FROM $t WHERE bo = true ALLOW FILTERING",
          "SELECT JSON k FROM $t WHERE ip > '10.0.0.1' ALLOW FILTERING", "SELECT JSON k FROM $t WHERE tx LIKE 'x%'", "SELECT JSON k FROM $t WHERE tx IS NOT NULL ALLOW FILTERING", "SELECT JSON dateOf(u) FROM $t", "SELECT JSON unixTimestampOf(u) FROM $t")


@table("functions of collections, user types and vectors; their parts", dumps="none", versions=("oa",))
def query_collections(t):
    t.type("query_pair", "x int, y text")
    t.create("k int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, fl frozen<list<int>>, fs frozen<set<text>>, fm frozen<map<text, int>>, "
             "u query_pair, fu frozen<query_pair>, v vector<float, 3>, tu tuple<int, text>, ml map<int, frozen<list<decimal>>>, ls list<double>")
    t.insert("k, l, s, m, fl, fs, fm, u, fu, v, tu, ml, ls",
             "1, [3, 1, 2], {'a', 'b', 'c', 'd'}, {'a': 1, 'b': 2, 'c': 3}, [3, 1, 2], {'a', 'b', 'c'}, {'a': 1, 'b': 2, 'c': 3}, {x: 1, y: 'one'}, {x: 1, y: 'one'}, [1, 2, 3], (1, 'one'), {1: [1.0, 1.00]}, [1.5, 2.5]",
             "2, [], {}, {}, [], {}, {}, {x: 2}, {x: 2}, [0, 0, 1], (2, null), {}, []",
             "3, null, null, null, null, null, null, null, null, null, null, null, null",
             "4, [7], {'z'}, {'z': 26}, [7], {'z'}, {'z': 26}, {y: 'four'}, {y: 'four'}, [-1, 0.5, 2], (null, 'four'), {2: [2]}, [NaN]")
    t.cql("UPDATE $t USING TTL 300000000 SET m['ttl'] = 9 WHERE k = 1")
    t.cql("UPDATE $t SET s = s + {'late'}, u.y = 'later' WHERE k = 1")
    t.flush()
    for m in ("m", "fm"):
        t.ask(f"SELECT JSON {m}['a'], {m}['zz'] FROM $t", f"SELECT JSON {m}['a'..'b'] FROM $t", f"SELECT JSON {m}['b'..] FROM $t", f"SELECT JSON {m}[..'a'] FROM $t", f"SELECT JSON {m}['x'..'y'] FROM $t", f"SELECT JSON map_keys({m}), map_values({m}) FROM $t",
              f"SELECT JSON writetime({m}['a']), writetime({m}['zz']) FROM $t", f"SELECT JSON {m}[1] FROM $t", f"SELECT JSON {m}[null] FROM $t", f"SELECT JSON maxwritetime({m}) FROM $t", f"SELECT JSON k FROM $t WHERE {m}['a'] = 1 ALLOW FILTERING",
              f"SELECT JSON k FROM $t WHERE {m}['a'] > 0 ALLOW FILTERING", f"SELECT JSON k FROM $t WHERE {m} CONTAINS 26 ALLOW FILTERING", f"SELECT JSON k FROM $t WHERE {m} CONTAINS KEY 'b' ALLOW FILTERING",
              f"SELECT JSON k FROM $t WHERE {m} CONTAINS KEY 'b' AND {m} CONTAINS 3 ALLOW FILTERING", f"SELECT JSON k FROM $t WHERE {m} = {{'z': 26}} ALLOW FILTERING", f"SELECT JSON collection_count({m}) FROM $t", f"SELECT JSON {m}['a'] AS first FROM $t")
    t.ask("SELECT JSON writetime(m['a'..'b']), writetime(m['ttl']), ttl(m['ttl']), ttl(m['a']) FROM $t WHERE k = 1", "SELECT JSON writetime(fm['a'..'b']) FROM $t WHERE k = 1", "SELECT JSON writetime(s['a'..'b']), writetime(s['late']) FROM $t WHERE k = 1",
          "SELECT JSON writetime(u.x), writetime(u.y), maxwritetime(u) FROM $t WHERE k = 1", "SELECT JSON writetime(fu.x) FROM $t WHERE k = 1", "SELECT JSON maxwritetime(l), maxwritetime(s), maxwritetime(fl) FROM $t", "SELECT JSON maxwritetime(m['a'..'b']) FROM $t")
    for s in ("s", "fs"):
        t.ask(f"SELECT JSON {s}['a'], {s}['zz'] FROM $t", f"SELECT JSON {s}['a'..'b'] FROM $t", f"SELECT JSON {s}['c'..] FROM $t", f"SELECT JSON collection_count({s}), collection_min({s}), collection_max({s}) FROM $t",
              f"SELECT JSON k FROM $t WHERE {s} CONTAINS 'z' ALLOW FILTERING", f"SELECT JSON k FROM $t WHERE {s} CONTAINS KEY 'z' ALLOW FILTERING", f"SELECT JSON k FROM $t WHERE {s} CONTAINS null ALLOW FILTERING", f"SELECT JSON collection_sum({s}) FROM $t", f"SELECT JSON map_keys({s}) FROM $t")
    for c in ("l", "fl"):
        t.ask(f"SELECT JSON {c}[0] FROM $t", f"SELECT JSON {c}[0..1] FROM $t", f"SELECT JSON collection_count({c}), collection_min({c}), collection_max({c}), collection_sum({c}), collection_avg({c}) FROM $t", f"SELECT JSON k FROM $t WHERE {c} CONTAINS 7 ALLOW FILTERING",
              f"SELECT JSON k FROM $t WHERE {c} CONTAINS 1 AND {c} CONTAINS 2 ALLOW FILTERING", f"SELECT JSON k FROM $t WHERE {c} = [3, 1, 2] ALLOW FILTERING", f"SELECT JSON k FROM $t WHERE {c} IN ([7], []) ALLOW FILTERING", f"SELECT JSON k FROM $t WHERE {c} > [3] ALLOW FILTERING")
    t.ask("SELECT JSON u.x, u.y, fu.x, fu.y FROM $t", "SELECT JSON u.z FROM $t", "SELECT JSON l.x FROM $t", "SELECT JSON fu.x + 1 FROM $t", "SELECT JSON k FROM $t WHERE fu = {x: 1, y: 'one'} ALLOW FILTERING", "SELECT JSON k FROM $t WHERE fu > {x: 1} ALLOW FILTERING", "SELECT JSON k FROM $t WHERE u = {x: 1} ALLOW FILTERING",
          "SELECT JSON k FROM $t WHERE tu = (1, 'one') ALLOW FILTERING", "SELECT JSON k FROM $t WHERE tu < (2, 'a') ALLOW FILTERING", "SELECT JSON k FROM $t WHERE tu IN ((1, 'one'), (null, 'four')) ALLOW FILTERING", "SELECT JSON similarity_cosine(v, [1, 0, 0]), similarity_euclidean(v, v), similarity_dot_product(v, [1, 2, 3]) FROM $t",
          "SELECT JSON similarity_cosine(v, [0, 0, 0]) FROM $t", "SELECT JSON similarity_cosine(v, [1, 0]) FROM $t", "SELECT JSON k FROM $t WHERE v = [1, 2, 3] ALLOW FILTERING", "SELECT JSON k FROM $t WHERE ml CONTAINS [1.0, 1.00] ALLOW FILTERING", "SELECT JSON k FROM $t WHERE ml CONTAINS [1.00, 1.0] ALLOW FILTERING",
          "SELECT JSON ml[1] FROM $t", "SELECT JSON collection_sum(ls), collection_avg(ls), collection_min(ls) FROM $t", "SELECT JSON to_json(l), to_json(m), to_json(u), to_json(tu), to_json(v) FROM $t", "SELECT JSON count(l), count(m), count(u) FROM $t", "SELECT JSON min(fl), max(fl), min(fu), max(tu), max(v) FROM $t",
          "SELECT JSON min(l), max(s) FROM $t", "SELECT JSON cast(l AS text) FROM $t", "SELECT JSON token(k), l FROM $t WHERE k IN (1, 4)", "SELECT JSON fl[0] FROM $t", "SELECT JSON [k, 1] FROM $t", "SELECT JSON (k, tu) FROM $t", "SELECT JSON (query_pair){x: 1, y: 'a'} FROM $t LIMIT 1",
          "SELECT JSON (query_pair){x: k} FROM $t", "SELECT JSON (golden.query_pair){x: k, z: 1} FROM $t", "SELECT JSON {x: k} FROM $t", "SELECT JSON writetime(l[0]) FROM $t", "SELECT JSON ttl(k) FROM $t", "SELECT JSON writetime(v + v) FROM $t")


@table("groups, limits and orders over several partitions and clusterings", dumps="none", versions=("oa",))
def query_groups(t):
    t.create("a int, b text, c int, d int, e timestamp, s int static, v int, PRIMARY KEY ((a, b), c, d, e)", "CLUSTERING ORDER BY (c ASC, d DESC, e ASC)")
    for a, b in ((1, "x"), (1, "y"), (2, "x")):
        for c in (1, 2, 3):
            for d in (1, 2):
                for e in (0, 1):
                    if (a + c + d + e) % 5:
                        t.insert("a, b, c, d, e, v", f"{a}, '{b}', {c}, {d}, '2024-01-0{d} 0{c}:{e}0:00Z', {a * 100 + c * 10 + d}")
    t.insert("a, b, s", "1, 'x', 11", "3, 'alone', 33")
    t.insert("a, b, c, d, e", "4, 'n', 1, 1, 0")
    t.flush()
    for g in ("a", "a, b", "b, a", "a, b, c", "a, b, c, d", "a, b, d", "a, b, c, d, e", "c", "v", "s", "a, b, v", "a, a, b", "a, b, floor(e, 1d)", "a, b, c, d, floor(e, 1h)", "a, b, c, d, floor(e, 1d), e"):
        t.ask(f"SELECT JSON a, b, c, d, count(*), sum(v), max(d) FROM $t GROUP BY {g}", f"SELECT JSON a, b, c, d, count(v) FROM $t GROUP BY {g} LIMIT 2", f"SELECT JSON a, b, c, d, min(v) FROM $t GROUP BY {g} PER PARTITION LIMIT 1",
              f"SELECT JSON a, b, c, d, min(v) FROM $t GROUP BY {g} PER PARTITION LIMIT 2 LIMIT 3", f"SELECT JSON a, b, c, d, v FROM $t WHERE a = 1 AND b = 'x' GROUP BY {g} ORDER BY c DESC", f"SELECT JSON * FROM $t GROUP BY {g}")
    t.ask("SELECT JSON a, b, s, count(*) FROM $t GROUP BY a, b", "SELECT JSON DISTINCT a, b, s FROM $t GROUP BY a, b", "SELECT JSON DISTINCT a, b, count(s) FROM $t GROUP BY a, b", "SELECT JSON DISTINCT a, b, s FROM $t GROUP BY a, b, c", "SELECT JSON c, count(*) FROM $t WHERE a = 1 AND b = 'x' GROUP BY c",
          "SELECT JSON d, count(*) FROM $t WHERE a = 1 AND b = 'x' AND c = 2 GROUP BY d", "SELECT JSON d, count(*) FROM $t WHERE a = 1 AND b = 'x' AND c IN (1, 2) GROUP BY d", "SELECT JSON e, count(*) FROM $t WHERE a = 1 AND b = 'x' AND c = 2 AND d = 1 GROUP BY floor(e, 1d)",
          "SELECT JSON count(*), sum(v) FROM $t", "SELECT JSON count(*), count(s), count(v) FROM $t", "SELECT JSON count(*) FROM $t WHERE a = 3 AND b = 'alone'", "SELECT JSON a, count(*) FROM $t WHERE a = 77 AND b = ''", "SELECT JSON a, b, count(*) FROM $t WHERE a = 77 AND b = 'z' GROUP BY a, b")
    for where in ("a IN (1, 2) AND b = 'x'", "a IN (2, 1) AND b IN ('y', 'x')", "a = 1 AND b IN ('x', 'y')"):
        for order in ("c ASC", "c DESC", "c ASC, d DESC", "c DESC, d ASC", "c ASC, d ASC", "d DESC", "c DESC, d ASC, e DESC", "v", "a", "e"):
            t.ask(f"SELECT JSON a, b, c, d FROM $t WHERE {where} ORDER BY {order}", f"SELECT JSON v, c FROM $t WHERE {where} ORDER BY {order} LIMIT 4", f"SELECT JSON v FROM $t WHERE {where} ORDER BY {order} LIMIT 3")
        t.ask(f"SELECT JSON a, b, c FROM $t WHERE {where} PER PARTITION LIMIT 2", f"SELECT JSON a, b, c FROM $t WHERE {where} PER PARTITION LIMIT 2 LIMIT 3", f"SELECT JSON count(*) FROM $t WHERE {where}", f"SELECT JSON a, b, c, count(*) FROM $t WHERE {where} GROUP BY a, b, c ORDER BY c DESC",
              f"SELECT * FROM $t WHERE {where} ORDER BY c DESC LIMIT 5", f"SELECT JSON max(v) FROM $t WHERE {where} ORDER BY c DESC", f"SELECT JSON a, b, c, d FROM $t WHERE {where} AND c = 2 ORDER BY d DESC", f"SELECT JSON a, b, c, d FROM $t WHERE {where} AND c >= 2 ORDER BY c DESC PER PARTITION LIMIT 1")
    t.ask("SELECT JSON a, b FROM $t WHERE a IN () AND b = 'x'", "SELECT JSON a, b FROM $t WHERE a = 1 AND b = 'x' AND c IN ()", "SELECT JSON DISTINCT a, b FROM $t WHERE a IN (1, 3) AND b IN ('x', 'alone')", "SELECT JSON DISTINCT a FROM $t", "SELECT JSON DISTINCT a, b FROM $t LIMIT 2", "SELECT JSON DISTINCT a, b FROM $t PER PARTITION LIMIT 1",
          "SELECT JSON DISTINCT a, b, s FROM $t WHERE s = 33 ALLOW FILTERING", "SELECT JSON DISTINCT a, b FROM $t WHERE v = 3 ALLOW FILTERING", "SELECT JSON DISTINCT a, b FROM $t WHERE c = 3 ALLOW FILTERING", "SELECT JSON DISTINCT a, b FROM $t WHERE a = 1 ALLOW FILTERING", "SELECT JSON DISTINCT a, b FROM $t WHERE a = 1",
          "SELECT JSON a, b, s, c FROM $t WHERE token(a, b) > 0", "SELECT JSON a, b FROM $t WHERE token(a, b) > token(1, 'x') AND token(a, b) <= token(2, 'x') PER PARTITION LIMIT 1", "SELECT JSON a, b FROM $t WHERE token(a, b) = token(1, 'y') PER PARTITION LIMIT 1", "SELECT JSON DISTINCT a, b FROM $t WHERE token(a, b) >= -9223372036854775808",
          "SELECT JSON DISTINCT a, b FROM $t WHERE token(a, b) <= -9223372036854775808", "SELECT JSON DISTINCT a, b FROM $t WHERE token(a, b) < -9223372036854775808", "SELECT JSON DISTINCT a, b FROM $t WHERE token(a, b) > 5 AND token(a, b) < -5", "SELECT JSON DISTINCT a, b FROM $t WHERE token(a, b) = -9223372036854775808",
          "SELECT JSON a, b FROM $t WHERE a = 1 AND b IN ('x', 'y') AND token(a, b) > token(1, 'x') PER PARTITION LIMIT 1", "SELECT JSON a, b FROM $t WHERE a = 1 AND b IN ('x', 'y') AND token(a, b) = token(1, 'x') PER PARTITION LIMIT 1", "SELECT JSON a, b FROM $t WHERE a = 1 AND token(a, b) > 0 ALLOW FILTERING", "SELECT JSON a, b FROM $t WHERE a = 1 AND token(a, b) > 0",
          "SELECT JSON a, b FROM $t WHERE token(a, b) > 0 AND token(a, b) > 1", "SELECT JSON a, b FROM $t WHERE token(a, b) = 1 AND token(a, b) > 1", "SELECT JSON a, b FROM $t WHERE token(b, a) > 0", "SELECT JSON a, b FROM $t WHERE token(a, b) IN (1)", "SELECT JSON a, b FROM $t WHERE token(a, b) > 'x'")


@table("slices by tuples and columns over clusterings of mixed order", dumps="none", versions=("oa",))
def query_slices(t):
    t.create("k int, a int, b int, c int, v int, PRIMARY KEY (k, a, b, c)", "CLUSTERING ORDER BY (a ASC, b DESC, c ASC)")
    t.cql_many([f"INSERT INTO $t (k, a, b, c, v) VALUES ({k}, {a}, {b}, {c}, {a + b + c})" for k in (1, 2) for a in range(3) for b in range(3) for c in range(3)])
    t.flush()
    operators = ("<", "<=", ">", ">=")
    for i, o in enumerate(operators):
        for p in operators:
            t.ask(f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (a, b, c) {o} (1, 1, 1) AND (a, b) {p} (1, 1)", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (a, b) {o} (1, 1) AND (a) {p} (1)", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (a, b, c) {o} (0, 2, 1) AND (a, b, c) {p} (2, 0, 1)",
                  f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND a {o} 1 AND (a, b) {p} (0, 1)", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND a = 1 AND (b, c) {o} (1, 1) AND (b) {p} (0)", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND a = 1 AND b = 1 AND c {o} 1 AND c {p} 2")
        t.ask(f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (a, b, c) {o} (1, 1, 1)", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (a, b) {o} (1, 1)", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (a) {o} (1)", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND a {o} 1", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND a = 1 AND b {o} 1",
              f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND a IN (0, 2) AND b {o} 1", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND a IN (0, 2) AND (b, c) {o} (1, 1)", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (a, b) IN ((0, 1), (2, 2)) AND c {o} 1", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (a, b, c) {o} (1, 1, 1) ORDER BY a DESC, b ASC, c DESC",
              f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND a IN (0, 2) AND b {o} 1 ORDER BY a DESC", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (b, c) {o} (1, 1)", f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND (a, c) {o} (1, 1)", f"SELECT JSON k, a, b, c FROM $t WHERE (a, b) {o} (1, 1) ALLOW FILTERING", f"SELECT JSON k, a, b, c FROM $t WHERE a {o} 1 AND v = 3 ALLOW FILTERING",
              f"SELECT JSON k, a, b, c FROM $t WHERE a = 1 AND b {o} 1 ALLOW FILTERING", f"SELECT JSON k, a, b, c FROM $t WHERE b {o} 1 AND c = 0 ALLOW FILTERING", f"SELECT JSON k, a, b, c FROM $t WHERE b {o} 1", f"SELECT JSON k, a, b, c FROM $t WHERE a {o} 1", f"SELECT JSON k, a, b, c FROM $t WHERE k {o} 1 ALLOW FILTERING", f"SELECT JSON k, a, b, c FROM $t WHERE k {o} 1",
              f"SELECT JSON k, a, b, c FROM $t WHERE (b, c) {o} (1, 1) ALLOW FILTERING", f"SELECT JSON k, a, b, c FROM $t WHERE k = 1 AND a {o} 1 AND b = 1", f"SELECT JSON k, a, b, c FROM $t WHERE k = 1 AND a {o} 1 AND b = 1 ALLOW FILTERING", f"SELECT JSON k, a, b, c FROM $t WHERE k = 1 AND a {o} 1 AND c {o} 1 ALLOW FILTERING", f"SELECT JSON k FROM $t WHERE k = 1 AND a {o} null", f"SELECT JSON k FROM $t WHERE k = 1 AND (a, b) {o} (1, null)")
    t.ask(*[f"SELECT JSON k, a, b, c FROM $t WHERE {w}" for w in (
        "k = 1 AND (a, b, c) = (1, 1, 1)", "k = 1 AND (a, b) = (1, 1)", "k = 1 AND (a, b, c) IN ((1, 1, 1), (0, 0, 0), (1, 1, 1))", "k = 1 AND (a, b) IN ((1, 1), (0, 0))", "k = 1 AND (a, b, c) IN ((1, 1))", "k = 1 AND (a, b) = (1, 1, 1)", "k = 1 AND (a, a) = (1, 1)", "k = 1 AND (k, a) = (1, 1)", "(k) = (1)", "k = 1 AND a = 1 AND (a, b) = (1, 1)",
        "k = 1 AND a = 1 AND (b, c) = (1, 1)", "k = 1 AND a IN (2, 0, 2) AND b IN (1, 0) AND c IN (2, 1)", "k IN (2, 1, 2) AND a IN (2, 0) AND b = 1 AND c = 1", "k IN (2, 1) AND (a, b, c) IN ((2, 2, 2), (0, 0, 0))", "k = 1 AND a = 1 AND a = 2", "k = 1 AND a > 0 AND a > 1", "k = 1 AND a > 0 AND a = 1", "k = 1 AND a IN (1, 2) AND a > 0", "k = 1 AND a > 2 AND a < 1", "k = 1 AND a > 1 AND a < 1",
        "k = 1 AND a >= 1 AND a <= 1", "k = 1 AND (a, b) > (1, 1) AND (a, b) > (0, 0)", "k = 1 AND (a, b) > (1, 1) AND (b, c) < (2, 2)", "k = 1 AND (a, b) > (1, 1) AND b < 2", "k = 1 AND (a, b) > (1, 1) AND c < 2", "k = 1 AND (a, b) > (1, 1) AND c < 2 ALLOW FILTERING", "k = 1 AND c = 1", "k = 1 AND c = 1 ALLOW FILTERING", "k = 1 AND b = 1 AND c = 1", "k = 1 AND b IN (0, 1) ALLOW FILTERING",
        "k = 1 AND (b) IN ((0), (1)) ALLOW FILTERING", "k = 1 AND (b, c) IN ((0, 0), (1, 1)) ALLOW FILTERING", "k = 1 AND (b, c) = (0, 0) ALLOW FILTERING", "v = 3 ALLOW FILTERING", "v IN (0, 6) ALLOW FILTERING", "v > 4 AND v <= 6 AND a = 2 ALLOW FILTERING", "k = 1 AND v = 3", "k = 1 AND v = 3 ALLOW FILTERING", "k = 1 AND v = 3 ALLOW FILTERING LIMIT 1", "k = 1 AND a = 1 AND b = 1 AND c = 1 AND v = 3 ALLOW FILTERING", "v = null ALLOW FILTERING",
        "v IN (null) ALLOW FILTERING", "v IN (1, null) ALLOW FILTERING", "v IN () ALLOW FILTERING", "k IN (1, 2)", "k IN (1)", "k IN (1, null)", "k = ?", "k = 1 AND k = 2", "k = 1 AND k IN (1, 2)", "k > 1 AND k < 3 ALLOW FILTERING", "k IN (1, 2) AND v = 0 ALLOW FILTERING", "token(k) > token(1)", "token(k) > token(1) AND a = 1 ALLOW FILTERING", "token(k) > token(1) AND a = 1", "k != 1 ALLOW FILTERING", "v CONTAINS 1 ALLOW FILTERING", "k = 1 AND a CONTAINS 1",
        "nope = 1", "k = 1 AND (a, nope) = (1, 1)", "token(nope) > 1", "token(k, a) > 1", "k = 1 AND a = 1 ORDER BY a", "k = 1 AND a = 1 ORDER BY b", "k = 1 AND a = 1 ORDER BY b DESC", "k = 1 AND a = 1 ORDER BY b ASC LIMIT 2", "k = 1 ORDER BY b", "k = 1 ORDER BY a ASC, b ASC", "k = 1 ORDER BY a DESC, b ASC", "k = 1 ORDER BY a, c", "k = 1 AND b = 1 ORDER BY c ALLOW FILTERING", "a = 1 ORDER BY b ALLOW FILTERING", "k = 1 ORDER BY nope", "k = 1 ORDER BY a DESC PER PARTITION LIMIT 2")])
