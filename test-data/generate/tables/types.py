"""Every CQL type: as partition key, clustering (both directions), static and regular column, nested, and custom classes."""

from golden import register, table

# Literals of each type; the first is the partition that gets all others as rows.
VALUES = {
    "ascii": ["'a'", "''", "'Z z'", "'it''s'", "'\\\"\\\\'", "'\u0001\u0009\u000a\u007f'", "'aa'"],
    "bigint": ["1", "0", "-1", "9223372036854775807", "-9223372036854775808", "255", "-256", "4294967296"],
    "blob": ["0xca", "0x", "0x00", "0x0000", "0x00ff", "0xff", "0xdeadbeef" * 1, "0x7f80"],
    "boolean": ["true", "false"],
    "date": ["'2024-02-29'", "'1970-01-01'", "'1969-12-31'", "'0001-01-01'", "'-0044-03-15'", "'9999-12-31'",
             "'+10000-01-01'", "0", "4294967295", "2147483647"],
    "decimal": ["1.5", "0", "-0.00", "1.50", "1E+30", "1E-50", "-123456789012345678901234567890.0123456789", "100",
                "1e2", "-1E-7", "0.000001", "0.0000001", "12345e-3"],
    "double": ["1.5", "0", "-0.0", "NaN", "Infinity", "-Infinity", "1.7976931348623157E308", "4.9E-324", "1e10", "-2.5e-5",
               "123456789", "0.001", "10000000"],
    "float": ["1.5", "0", "-0.0", "NaN", "Infinity", "-Infinity", "3.4028235E38", "1.4E-45", "1e10", "-2.5e-5", "16777217"],
    "inet": ["'127.0.0.1'", "'0.0.0.0'", "'255.255.255.255'", "'::1'", "'::'", "'2001:db8::ff00:42:8329'",
             "'::ffff:1.2.3.4'", "'fe80::1'"],
    "int": ["1", "0", "-1", "2147483647", "-2147483648", "128", "-129", "65536"],
    "smallint": ["1", "0", "-1", "32767", "-32768", "255"],
    "text": ["'k'", "''", "'\u00e9\u00df\u4e2d'", "'\U0001f600\U00010348'", "'\"q\" \\\\ / it''s'", "'\u0000\u001f\u007f\u0080\u2028'",
             "'line\none\ttab'", "'" + "long " * 60 + "'", "' '"],
    "time": ["'08:30:00'", "'00:00:00'", "'23:59:59.999999999'", "'12:00:00.000000001'", "'01:02:03.4'", "1000"],
    "timestamp": ["'2023-11-14T22:13:20.123Z'", "0", "-1", "'1969-12-31 23:59:59.999+0000'", "'0001-01-01T00:00:00Z'",
                  "253402300800000", "-62198755200001", "9223372036854775807", "-9223372036854775808", "'2024-02-29'"],
    "timeuuid": ["50554d6e-29bb-11e5-b345-feff819cdc9f", "50554d6e-29bb-11e5-80ff-00ff819cdc9f",
                 "00000000-0000-1000-8080-808080808080", "ffffffff-ffff-1fff-bfff-ffffffffffff",
                 "50554d6e-29bb-11e5-8001-7fff819cdc9f"],
    "tinyint": ["1", "0", "-1", "127", "-128"],
    "uuid": ["123e4567-e89b-42d3-a456-426614174000", "00000000-0000-0000-0000-000000000000",
             "ffffffff-ffff-ffff-ffff-ffffffffffff", "50554d6e-29bb-11e5-b345-feff819cdc9f",
             "f0000000-0000-4000-8000-000000000000", "50554d6e-29bb-11e4-b345-feff819cdc9f",
             "0f000000-0000-7000-8000-000000000000"],
    "varint": ["1", "0", "-1", "127", "128", "-128", "-129", "170141183460469231731687303715884105728",
               "-170141183460469231731687303715884105729", "1" + "0" * 90, "-1" + "0" * 90, "72057594037927936"],
    "vector<float, 3>": ["[1, 2, 3]", "[0, -0.0, 1e10]", "[-1.5, 0.1, 3.4e38]"],
    "vector<text, 2>": ["['a', 'b']", "['', 'x']", "['\u00e9', '" + "y" * 130 + "']", "['a', '']"],
    "frozen<list<int>>": ["[1, 2]", "[]", "[-1]", "[1, 2, 3]", "[1]"],
    "frozen<set<text>>": ["{'b', 'a'}", "{}", "{''}", "{'a'}"],
    "frozen<map<text, int>>": ["{'a': 1}", "{}", "{'a': 1, 'b': -2}", "{'': 0}"],
    "tuple<int, text>": ["(1, 'a')", "(1, null)", "(null, 'a')", "(1, '')", "(-1, 'b')"],
    "frozen<golden.pair>": ["{x: 1, y: 'a'}", "{x: 1}", "{y: 'a'}", "{x: null, y: null}", "{x: -5, y: ''}"],
}
UNORDERED = {"duration": ["1y2mo3w4d5h6m7s8ms9us10ns", "0s", "-1mo", "-1d2h", "P1Y2M3DT4H5M6S", "P3W", "89h4m48s",
                          "2147483647mo", "-9223372036854775807ns", "1mo1d1ns"]}
# Types whose values may be empty though their bytes have a length.
EMPTIES = {"bigint": "blobAsBigint(0x)", "decimal": "blobAsDecimal(0x)",
           "double": "blobAsDouble(0x)", "float": "blobAsFloat(0x)", "inet": "blobAsInet(0x)", "int": "blobAsInt(0x)",
           "timestamp": "blobAsTimestamp(0x)", "timeuuid": "blobAsTimeuuid(0x)", "uuid": "blobAsUuid(0x)",
           "varint": "blobAsVarint(0x)"}
ESCAPED_NAMES = {"vector<float, 3>": "vector_float", "vector<text, 2>": "vector_text", "frozen<list<int>>": "frozen_list",
                 "frozen<set<text>>": "frozen_set", "frozen<map<text, int>>": "frozen_map", "tuple<int, text>": "tuple",
                 "frozen<golden.pair>": "frozen_udt"}


def one_type(cql_type, values):
    empty = EMPTIES.get(cql_type)

    def make(t):
        if cql_type == "frozen<golden.pair>":
            t.type("pair", "x int, y text")
        t.create(f"k {cql_type}, a {cql_type}, d {cql_type}, s {cql_type} static, v {cql_type}, PRIMARY KEY (k, a, d)",
                 "CLUSTERING ORDER BY (a ASC, d DESC)")
        n = len(values)
        clustered = values + ([empty] if empty else [])
        keys = [v for v in values if v not in ("''", "0x")]
        if empty:
            keys.append(empty)
        # Cassandra takes {} for a set where a reversed map is meant.
        descending = [v for v in values if not (cql_type.startswith("frozen<map") and v == "{}")]
        for i, a in enumerate(clustered):
            t.insert("k, a, d, v", f"{values[0]}, {a}, {descending[-1 - i % len(descending)]}, {clustered[(i + 1) % len(clustered)]}")
        for d in descending[1:5]:
            t.insert("k, a, d, v", f"{values[0]}, {values[1]}, {d}, null")
        for i, k in enumerate(keys):
            t.attempt(f"INSERT INTO $t (k, s) VALUES ({k}, {clustered[i % len(clustered)]})")
            if i % 2:
                t.attempt(f"INSERT INTO $t (k, a, d, v) VALUES ({k}, {values[0]}, {values[-1]}, {k})")
        t.index_block_kib(0)
        t.flush()
        k, low, high = values[0], values[1], values[-1]
        t.ask("SELECT JSON count(*) FROM $t", "SELECT JSON DISTINCT k FROM $t", "SELECT JSON d, k FROM $t PER PARTITION LIMIT 1",
              f"SELECT JSON v, s FROM $t WHERE k = {k}",
              f"SELECT JSON a, d FROM $t WHERE k = {k} ORDER BY a DESC, d ASC",
              f"SELECT JSON a, d, v FROM $t WHERE k = {k} AND a = {low}",
              f"SELECT JSON a, d, v FROM $t WHERE k = {k} AND a = {low} AND d = {high}",
              f"SELECT JSON a, d FROM $t WHERE k = {k} AND a > {k}",
              f"SELECT JSON a, d FROM $t WHERE k = {k} AND a <= {k} ORDER BY a DESC, d ASC",
              f"SELECT JSON a, d FROM $t WHERE k = {k} AND a = {low} AND d >= {k}",
              f"SELECT JSON a, d FROM $t WHERE k = {k} AND (a, d) > ({low}, {k})",
              f"SELECT JSON a, d FROM $t WHERE k = {k} AND a IN ({high}, {k})",
              f"SELECT JSON k, a, d, s FROM $t WHERE k IN ({keys[1 % len(keys)]}, {k}) AND a IN ({k})",
              f"SELECT JSON k, token(k), s FROM $t WHERE token(k) >= token({k}) PER PARTITION LIMIT 1",
              f"SELECT JSON k, a, d FROM $t WHERE v = {values[2 % n]} ALLOW FILTERING",
              f"SELECT JSON DISTINCT k, s FROM $t WHERE s = {values[0]} ALLOW FILTERING",
              f"SELECT JSON k, v AS \"The Value\" FROM $t WHERE d = {high} ALLOW FILTERING")
        if empty:
            t.ask(f"SELECT JSON a, d FROM $t WHERE k = {k} AND a = {empty}",
                  f"SELECT JSON k, a FROM $t WHERE k = {empty}")
    return make


for _type, _values in VALUES.items():
    _name = ESCAPED_NAMES.get(_type, _type)
    register("type_" + _name, f"`{_type}` as partition key, ascending and descending clustering (each row an index block), static and regular column",
             one_type(_type, _values), auto=_type in ("int", "text"), dumps="all" if _type in ("int", "text") else "short")


@table("`duration` as static and regular column, negative and extreme values, in collections")
def type_duration(t):
    t.create("k int, c int, s duration static, v duration, l list<duration>, m map<int, frozen<list<duration>>>, PRIMARY KEY (k, c)")
    for i, v in enumerate(UNORDERED["duration"]):
        t.insert("k, c, s, v, l", f"{i % 2}, {i}, {v}, {v}, [{v}, 1d]")
    t.insert("k, c, m", "2, 0, {1: [1ns, 2h]}")
    t.flush()
    t.ask("SELECT JSON c, v FROM $t WHERE v = 1mo1d1ns ALLOW FILTERING",
          "SELECT JSON c, v FROM $t WHERE v = P3W ALLOW FILTERING",
          "SELECT JSON c FROM $t WHERE v > 1d ALLOW FILTERING",
          "SELECT JSON c, v FROM $t WHERE l CONTAINS -1mo ALLOW FILTERING",
          "SELECT JSON DISTINCT k, s FROM $t WHERE k = 0")


SIMPLE = [c for c in VALUES if "<" not in c] + ["duration"]


@table("one regular column of every simple type, a row a value; nulls where a type has no more")
def all_types(t):
    t.create("k int PRIMARY KEY, " + ", ".join(f"c_{c} {c}" for c in SIMPLE))
    every = {**VALUES, **UNORDERED}
    for i in range(13):
        present = [c for c in SIMPLE if i < len(every[c])]
        t.insert("k, " + ", ".join("c_" + c for c in present), f"{i}, " + ", ".join(every[c][i] for c in present))
    t.insert("k, " + ", ".join("c_" + c for c in EMPTIES), "100, " + ", ".join(EMPTIES.values()))
    t.insert("k", "101")
    t.flush()
    for c in SIMPLE:
        t.ask(f"SELECT JSON k, c_{c} FROM $t WHERE c_{c} = {every[c][0]} ALLOW FILTERING")


@table("one static column of every simple type")
def all_types_static(t):
    t.create("k int, c int, " + ", ".join(f"s_{c} {c} static" for c in SIMPLE) + ", v int, PRIMARY KEY (k, c)")
    every = {**VALUES, **UNORDERED}
    for i in range(5):
        present = [c for c in SIMPLE if i < len(every[c])]
        t.insert("k, " + ", ".join("s_" + c for c in present), f"{i}, " + ", ".join(every[c][i] for c in present))
    t.insert("k, c, v", "1, 1, 1", "1, 2, 2", "7, 1, 1")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1", "SELECT JSON * FROM $t WHERE k = 1 AND c = 2", "SELECT JSON c, s_int FROM $t WHERE k = 3")


@table("all simple types together as one clustering, ascending and descending in turn")
def all_types_clustering(t):
    types = [c for c in SIMPLE if c != "duration"]
    t.create("k int, " + ", ".join(f"c_{c} {c}" for c in types) + ", v int, PRIMARY KEY (k, " + ", ".join(f"c_{c}" for c in types) + ")",
             "CLUSTERING ORDER BY (" + ", ".join(f"c_{c} {'DESC' if i % 2 else 'ASC'}" for i, c in enumerate(types)) + ")")
    for i in range(6):
        t.insert("k, v, " + ", ".join("c_" + c for c in types), f"{i % 2}, {i}, " + ", ".join(VALUES[c][i % len(VALUES[c])] for c in types))
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE k = 0", "SELECT JSON v FROM $t WHERE k = 0 AND c_ascii >= 'a' AND c_ascii < 'b'",
          "SELECT JSON v FROM $t WHERE k = 0 AND (c_ascii, c_bigint) = ('a', 1)")


@table("all simple types together as one composite partition key")
def all_types_key(t):
    types = [c for c in SIMPLE if c != "duration"]
    t.create(", ".join(f"k_{c} {c}" for c in types) + ", v int, PRIMARY KEY ((" + ", ".join(f"k_{c}" for c in types) + "))")
    for i in range(5):
        t.insert("v, " + ", ".join("k_" + c for c in types), f"{i}, " + ", ".join(VALUES[c][i % len(VALUES[c])] for c in types))
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE " + " AND ".join(f"k_{c} = {VALUES[c][0]}" for c in types))


@table("non-frozen and frozen list, set and map of simple elements: empty, overwritten, null")
def collections(t):
    t.create("k int, c int, l list<int>, s set<text>, m map<text, int>, fl frozen<list<int>>, fs frozen<set<text>>, "
             "fm frozen<map<text, int>>, sl list<text> static, PRIMARY KEY (k, c)")
    t.insert("k, c, l, s, m, fl, fs, fm, sl", "1, 1, [3, 1, 3], {'b', 'a'}, {'x': 1, 'a': 2}, [3, 1, 3], {'b', 'a'}, {'x': 1, 'a': 2}, ['s']",
             "1, 2, [], {}, {}, [], {}, {}, ['t', 'u']", "1, 3, null, null, null, null, null, null, null",
             "2, 1, [1], {''}, {'': 0}, [1], {''}, {'': 0}, []")
    t.cql("UPDATE $t SET l = l + [4], s = s + {'c'}, m = m + {'y': 9} WHERE k = 1 AND c = 1")
    t.cql("UPDATE $t SET l = l + [5], s = {'only'}, m['z'] = 1 WHERE k = 3 AND c = 1")
    t.cql("UPDATE $t SET l[0] = 33, m['a'] = null, s = s - {'b'} WHERE k = 1 AND c = 1")
    t.cql("UPDATE $t SET l = [9] + l WHERE k = 1 AND c = 1")
    t.cql("DELETE l[1], m['x'] FROM $t WHERE k = 1 AND c = 1")
    t.flush()
    t.ask("SELECT JSON k, c FROM $t WHERE l CONTAINS 4 ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE s CONTAINS 'only' ALLOW FILTERING",
          "SELECT JSON k, c FROM $t WHERE m CONTAINS KEY 'y' ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE m CONTAINS 9 ALLOW FILTERING",
          "SELECT JSON k, c FROM $t WHERE m['y'] = 9 ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE fl = [3, 1, 3] ALLOW FILTERING",
          "SELECT JSON k, c FROM $t WHERE fm CONTAINS KEY 'x' ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE fs CONTAINS 'a' ALLOW FILTERING",
          "SELECT JSON k, c FROM $t WHERE fs = {'a', 'b'} ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE fm = {'a': 2, 'x': 1} ALLOW FILTERING",
          "SELECT JSON k, c FROM $t WHERE l CONTAINS 4 AND s CONTAINS 'a' ALLOW FILTERING",
          "SELECT JSON sl, l FROM $t WHERE sl CONTAINS 't' ALLOW FILTERING", "SELECT JSON k FROM $t WHERE l = [1] ALLOW FILTERING")


@table("collections of every simple type as element and as map key", auto=False)
def collections_of_all(t):
    t.create("k int PRIMARY KEY, " + ", ".join(f"l_{c} list<{c}>, m_{c} map<{c if c != 'duration' else 'int'}, {c}>" for c in SIMPLE))
    every = {**VALUES, **UNORDERED}
    names = ", ".join(f"l_{c}, m_{c}" for c in SIMPLE)
    for i in range(2):
        def pick(c, j):
            return every[c][(i * 2 + j) % len(every[c])]
        t.insert("k, " + names, f"{i}, " + ", ".join(
            f"[{pick(c, 0)}, {pick(c, 1)}], {{{pick(c, 0) if c != 'duration' else 1}: {pick(c, 1)}}}" for c in SIMPLE))
    t.flush()


@table("nested collections, collections of UDTs and tuples, vectors of collections")
def nested(t):
    t.type("leaf", "a int, b set<text>")
    t.type("branch", "l frozen<leaf>, m map<text, frozen<leaf>>, v vector<int, 2>")
    t.create("k int PRIMARY KEY, ll list<frozen<list<int>>>, ms map<text, frozen<set<int>>>, lu list<frozen<leaf>>, "
             "fb frozen<branch>, st set<frozen<tuple<int, text>>>, mm frozen<map<int, map<int, text>>>, "
             "lv list<frozen<vector<float, 2>>>, vl vector<frozen<list<int>>, 2>, vu vector<frozen<leaf>, 2>, vv vector<vector<text, 2>, 2>, tt tuple<int, tuple<text, list<int>>>, "
             "mu map<frozen<leaf>, frozen<branch>>")
    leaf = "{a: 1, b: {'x', 'y'}}"
    branch = "{l: %s, m: {'k': {a: null, b: {}}}, v: [1, -2]}" % leaf
    t.insert("k, ll, ms, lu, fb, st, mm, lv, vl, vu, vv, tt, mu",
             f"1, [[1, 2], []], {{'a': {{2, 1}}, 'b': {{}}}}, [{leaf}, {{a: 2}}], {branch}, {{(1, 'a'), (1, null), (null, 'z')}}, "
             f"{{1: {{2: 'x'}}, 0: {{}}}}, [[1, 2.5], [0, -0.0]], [[1], []], [{leaf}, {{a: 3}}], [['a', ''], ['', 'b']], (1, ('t', [1, 2])), {{{leaf}: {branch}}}",
             "2, [[]], {}, [], {l: null}, {}, {}, [], [[], []], [{a: null}, {b: null}], [['', ''], ['', '']], (null, null), {}")
    t.insert("k, tt, fb", "3, (5, (null, null)), {m: {}}")
    t.insert("k", "4")
    t.flush()
    t.ask("SELECT JSON fb.l.a, fb.m FROM $t", "SELECT JSON k FROM $t WHERE ll CONTAINS [1, 2] ALLOW FILTERING",
          "SELECT JSON k FROM $t WHERE lu CONTAINS {a: 2} ALLOW FILTERING", "SELECT JSON k FROM $t WHERE tt = (1, ('t', [1, 2])) ALLOW FILTERING",
          "SELECT JSON k FROM $t WHERE st CONTAINS (1, 'a') ALLOW FILTERING")


@table("UDTs frozen and not, null fields, field updates and deletes, ALTER TYPE ADD and RENAME afterwards")
def udts(t):
    t.type("person", "name text, \"Age\" int, tags set<text>, born date")
    t.type("flat", "name text, age int")
    t.create("k int PRIMARY KEY, f frozen<person>, u flat, m map<text, frozen<flat>>, tu tuple<frozen<flat>, int>")
    t.insert("k, f, u, m, tu", "1, {name: 'ann', \"Age\": 30, tags: {'x'}, born: '1990-01-02'}, {name: 'bob', age: 5}, {'a': {name: 'c', age: 1}}, ({name: 'q', age: 2}, 7)",
             "2, {name: null, \"Age\": null, tags: null}, {name: null}, {'a': {name: null, age: null}}, (null, null)",
             "3, {name: ''}, {name: '', age: null}, {}, ({name: ''}, null)", "4, null, null, null, null")
    t.cql("UPDATE $t SET u.age = 6 WHERE k = 1")
    t.cql("UPDATE $t SET u.age = 7 WHERE k = 5")
    t.cql("DELETE u.name FROM $t WHERE k = 1")
    t.flush()
    t.node.cql("ALTER TYPE golden.person ADD extra int")
    t.node.cql("ALTER TYPE golden.flat ADD \"More\" text")
    t.node.cql("ALTER TYPE golden.flat RENAME age TO years")
    t.insert("k, f, u, m", "6, {name: 'new', extra: 1}, {name: 'dan', \"More\": 'more'}, {'n': {\"More\": ''}}")
    t.cql("UPDATE $t SET u.\"More\" = 'late' WHERE k = 1")
    t.flush()
    t.ask("SELECT JSON u.name, u.years, u.\"More\" FROM $t", "SELECT JSON f.\"Age\", f.extra FROM $t",
          "SELECT JSON k FROM $t WHERE u.name = 'dan' ALLOW FILTERING", "SELECT JSON k FROM $t WHERE f = {name: ''} ALLOW FILTERING",
          "SELECT JSON k FROM $t WHERE u = {name: 'bob'} ALLOW FILTERING")


@table("counters: increments, decrements, extremes, deletes, static counters, reads of unset ones")
def counters(t):
    t.create("k int, c text, s counter static, v counter, w counter, PRIMARY KEY (k, c)")
    for q in ("UPDATE $t SET v = v + 5 WHERE k = 1 AND c = 'a'", "UPDATE $t SET v = v - 7, w = w + 1 WHERE k = 1 AND c = 'a'",
              "UPDATE $t SET s = s + 3 WHERE k = 1", "UPDATE $t SET s = s - 3 WHERE k = 2",
              "UPDATE $t SET v = v + 9223372036854775807 WHERE k = 1 AND c = 'max'",
              "UPDATE $t SET v = v - 9223372036854775807 WHERE k = 1 AND c = 'min'",
              "UPDATE $t SET v = v + 0 WHERE k = 1 AND c = 'zero'", "UPDATE $t SET v = v + 1, w = w + 1 WHERE k = 1 AND c = 'dead'",
              "UPDATE $t SET v = v + 1, w = w + 1 WHERE k = 1 AND c = 'half'", "UPDATE $t SET v = v + 1 WHERE k = 3 AND c = 'gone'"):
        t.node.do("cql", q=t.text(q))
    for q in ("DELETE FROM $t WHERE k = 1 AND c = 'dead'", "DELETE w FROM $t WHERE k = 1 AND c = 'half'", "DELETE FROM $t WHERE k = 3"):
        t.node.do("cql", q=t.text(q))
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE k = 1 AND c = 'a'", "SELECT JSON s FROM $t WHERE k = 2", "SELECT JSON k, c FROM $t WHERE v = -2 ALLOW FILTERING",
          "SELECT JSON writetime(v) FROM $t", "SELECT JSON c, v FROM $t WHERE k = 1 AND c > 'b' ORDER BY c DESC")


@table("empty boolean, which Cassandra reads but cannot print", may_fail=True, auto=False)
def empty_boolean(t):
    t.create("k int, c boolean, v boolean, PRIMARY KEY (k, c)")
    t.insert("k, c, v", "1, blobAsBoolean(0x), true", "1, true, blobAsBoolean(0x)", "1, false, null")
    t.flush()
    t.ask("SELECT * FROM $t", "SELECT c FROM $t WHERE k = 1 AND c > blobAsBoolean(0x)", "SELECT JSON k FROM $t WHERE v = true ALLOW FILTERING")


MARSHAL = "org.apache.cassandra.db.marshal."
COMPOSITE = f"'{MARSHAL}CompositeType({MARSHAL}Int32Type,{MARSHAL}UTF8Type)'"
DYNAMIC = f"'{MARSHAL}DynamicCompositeType(b=>{MARSHAL}BytesType,i=>{MARSHAL}Int32Type,t=>{MARSHAL}TimeUUIDType)'"
COMPOSITE_1A = "0x" + "0004" + "00000001" + "00" + "0001" + "61" + "00"
COMPOSITE_2 = "0x" + "0004" + "00000002" + "00" + "0000" + "00"
DYNAMIC_7 = "0x" + "8069" + "0004" + "00000007" + "00" + "8062" + "0002" + "00ff" + "00"
DYNAMIC_8 = "0x" + "8069" + "0004" + "00000008" + "00"


@table("columns of custom marshal classes, written as quoted types")
def custom_types(t):
    m = MARSHAL
    t.create(f"k '{m}BytesType', c '{m}LexicalUUIDType', d '{m}ReversedType({m}IntegerType)', bt '{m}BytesType', it '{m}IntegerType', lx '{m}LexicalUUIDType', "
             f"dt '{m}DateType', ls '{m}ListType({m}Int32Type)', fr '{m}FrozenType({m}SetType({m}UTF8Type))', lt '{m}LongType', u8 '{m}UTF8Type', PRIMARY KEY (k, c, d)")
    u = "123e4567-e89b-42d3-a456-426614174000"
    t.insert("k, c, d, bt, it, lx, dt, ls, fr, lt, u8",
             f"0x00, {u}, 12345678901234567890, 0xcafe, -5, {u}, 1000, [1, 2], {{'x'}}, 7, 'text'")
    t.insert("k, c, d", f"0x00, {u}, 1", "0x00, f0000000-0000-0000-0000-000000000001, -1")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 0x00", f"SELECT JSON d FROM $t WHERE k = 0x00 AND c = {u} AND d < 5")


@table("CompositeType and DynamicCompositeType as regular, clustering and partition key columns", may_fail=True)
def custom_composites(t):
    t.create(f"k {COMPOSITE}, c {DYNAMIC}, v int, cv {COMPOSITE}, dv {DYNAMIC}, PRIMARY KEY (k, c)")
    t.insert("k, c, v, cv, dv", f"{COMPOSITE_1A}, {DYNAMIC_7}, 1, {COMPOSITE_2}, {DYNAMIC_8}", f"{COMPOSITE_1A}, {DYNAMIC_8}, 2, {COMPOSITE_1A}, 0x",
             f"{COMPOSITE_2}, {DYNAMIC_7}, 3, 0x, {DYNAMIC_7}")
    t.flush()
    t.ask("SELECT * FROM $t", f"SELECT JSON v FROM $t WHERE k = {COMPOSITE_1A}", f"SELECT JSON v FROM $t WHERE k = {COMPOSITE_1A} AND c > {DYNAMIC_7}",
          f"SELECT JSON v FROM $t WHERE k = {COMPOSITE_1A} ORDER BY c DESC")
