"""Every type that a version knows: as column, clustering and partition key; collections, UDTs, tuples; counters."""

import struct
import uuid

from older import table

# Literals of each type, as the oldest parser takes them.
VALUES = {
    "ascii": ["'a'", "''", "'Z z'", "'it''s'", "'aa'"],
    "bigint": ["1", "0", "-1", "9223372036854775807", "-9223372036854775808"],
    "blob": ["0xca", "0x", "0x00", "0x00ff", "0xffff"],
    "boolean": ["true", "false"],
    "date": ["'2024-02-29'", "'1970-01-01'", "'1969-12-31'", "'0001-01-01'", "'9999-12-31'"],
    "decimal": ["1.5", "0", "1.50", "1E+30", "-123456789012345678901234567890.0123456789"],
    "double": ["1.5", "0", "-2.5e-5", "1.7976931348623157E308", "NaN"],
    "float": ["1.5", "0", "-2.5e-5", "3.4028235E38", "Infinity"],
    "inet": ["'127.0.0.1'", "'255.255.255.255'", "'::1'", "'2001:db8::ff00:42:8329'"],
    "int": ["1", "0", "-1", "2147483647", "-2147483648"],
    "smallint": ["1", "0", "-1", "32767", "-32768"],
    "text": ["'k'", "''", "'\u00e9\u00df\u4e2d'", "'\U0001f600\U00010348'", "'\"q\" \\\\ / it''s'"],
    "time": ["'08:30:00'", "'00:00:00'", "'23:59:59.999999999'", "'12:00:00.000000001'"],
    "timestamp": ["'2023-11-14T22:13:20+0000'", "0", "-1", "'0001-01-01T00:00:00+0000'", "253402300800000"],
    "timeuuid": ["50554d6e-29bb-11e5-b345-feff819cdc9f", "50554d6e-29bb-11e5-80ff-00ff819cdc9f", "00000000-0000-1000-8080-808080808080"],
    "tinyint": ["1", "0", "-1", "127", "-128"],
    "uuid": ["123e4567-e89b-42d3-a456-426614174000", "00000000-0000-0000-0000-000000000000", "50554d6e-29bb-11e5-b345-feff819cdc9f",
             "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "varint": ["1", "0", "-1", "128", "-129", "170141183460469231731687303715884105728"],
    "frozen<list<int>>": ["[1, 2]", "[]", "[-1]", "[1, 2, 3]"],
    "frozen<set<text>>": ["{'b', 'a'}", "{}", "{''}"],
    "frozen<map<text, int>>": ["{'a': 1}", "{'a': 1, 'b': -2}", "{'': 0}"],
    "frozen<tuple<int, text>>": ["(1, 'a')", "(1, null)", "(null, 'a')", "(-1, 'b')"],
    "frozen<pair>": ["{x: 1, y: 'a'}", "{x: 1}", "{y: 'a'}", "{x: -5, y: ''}"],
}
DURATIONS = ["1y2mo3w4d5h6m7s8ms9us10ns", "0s", "-1mo", "89h4m48s"]
# Types whose values may be empty though their bytes have a length; boolean too, but Cassandra's SELECT JSON fails on that.
EMPTIES = {"bigint": "Bigint", "decimal": "Decimal", "double": "Double", "float": "Float", "inet": "Inet",
           "int": "Int", "timestamp": "Timestamp", "timeuuid": "Timeuuid", "uuid": "Uuid", "varint": "Varint"}


def column(cql_type):
    return "c_" + "_".join(w for w in cql_type.replace("<", " ").replace(">", " ").replace(",", " ").split())


def known(version):
    """The types that a version's release has; duration came with 3.10. For UDTs in ma see `frozen_udt`."""
    if version in ("md", "me", "na"):
        return dict(VALUES, duration=DURATIONS)
    return {c: v for c, v in VALUES.items() if c != "frozen<pair>"}


@table("a regular and a static column of every type: values, empty values, nulls")
def types_regular(t):
    values = known(t.version)
    if "frozen<pair>" in values:
        t.type("pair", "x int, y text")
    columns = [(column(c), c) for c in values]
    t.create(", ".join(["k int", "c int"] + [f"{n} {c}" for n, c in columns] + [f"s_{n} {c} static" for n, c in columns])
             + ", PRIMARY KEY (k, c)", "compression = {'class': 'DeflateCompressor', 'chunk_length_in_kb': '1'}")
    for i in range(6):
        t.insert(", ".join(["k", "c"] + [n for n, _ in columns]), ", ".join(["1", str(i)] + [values[c][i % len(values[c])] for _, c in columns]),
                 using="USING TIMESTAMP 100")
    empty = [(column(c), f"blobAs{f}(0x)") for c, f in EMPTIES.items()]
    t.insert(", ".join(["k", "c"] + [n for n, _ in empty]), ", ".join(["1", "7"] + [v for _, v in empty]), using="USING TIMESTAMP 101")
    t.insert(", ".join(["k"] + ["s_" + n for n, _ in empty]), ", ".join(["2"] + [v for _, v in empty]), using="USING TIMESTAMP 101")
    t.insert(", ".join(["k"] + ["s_" + n for n, _ in columns]), ", ".join(["1"] + [values[c][-1] for _, c in columns]), using="USING TIMESTAMP 102")
    t.insert("k, c", "3, 1", using="USING TIMESTAMP 103")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1 AND c >= 3", "SELECT JSON k, c, c_timestamp, c_date, c_time FROM $t WHERE c_timestamp > '1970-01-01T00:00:00Z' ALLOW FILTERING",
          "SELECT JSON k, c, c_inet FROM $t WHERE c_inet = '127.0.0.1' ALLOW FILTERING", "SELECT JSON k, c, c_decimal FROM $t WHERE c_decimal = 1.500 ALLOW FILTERING",
          "SELECT JSON k, s_c_uuid, s_c_inet FROM $t WHERE k = 1 LIMIT 1", "SELECT JSON c_varint, c_double FROM $t WHERE k = 1 AND c IN (2, 4, 7)",
          "SELECT JSON k, c FROM $t WHERE c_date < '1970-01-01' ALLOW FILTERING")


@table("a clustering column of every type but duration: order, empty values, a range tombstone", versions=("ma", "na"))
def types_clustering(t):
    clustering_table(t, "ASC")


@table("the same with every clustering column reversed; no collections, in ma no empty values", versions=("ma", "me", "na"))
def types_reversed(t):
    clustering_table(t, "DESC")


def clustering_table(t, order):
    if order == "ASC":
        t.type("pair", "x int, y text")
    # 3.x takes no literal of a collection, tuple or UDT for a reversed column.
    columns = [(column(c), c) for c in VALUES if order == "ASC" or not c.startswith("frozen")]
    t.create(", ".join(["k text"] + [f"{n} {c}" for n, c in columns] + ["v int"]) + f", PRIMARY KEY (k, {', '.join(n for n, _ in columns)})",
             "CLUSTERING ORDER BY (" + ", ".join(f"{n} {order}" for n, _ in columns) + ") AND compression = {'enabled': 'false'}")
    names = ", ".join(["k"] + [n for n, _ in columns] + ["v"])
    first = [VALUES[c][0] for _, c in columns]
    v = 0
    for i, (n, c) in enumerate(columns):
        others = VALUES[c][1:] + ([f"blobAs{EMPTIES[c]}(0x)"] if c in EMPTIES else [])
        if order == "DESC" and t.version == "ma":
            # Before 3.0.9 and 3.8 an empty value stood first in a reversed column too: files that later releases misread.
            others = [v for v in others if v not in ("''", "0x") and "(0x)" not in v]
        for other in others:
            # A partition a type, in which only its column varies.
            v += 1
            t.insert(names, ", ".join([f"'{n}'"] + first[:i] + [other] + first[i + 1:] + [str(v)]), using="USING TIMESTAMP 5")
        t.insert(names, ", ".join([f"'{n}'"] + first + ["0"]), using="USING TIMESTAMP 5")
    t.cql(f"DELETE FROM $t USING TIMESTAMP 6 WHERE k = 'c_int' AND " + " AND ".join(f"{n} = {VALUES[c][0]}" for n, c in columns[:9])
          + " AND c_int > 0")
    t.flush()
    prefix = " AND ".join(f"{n} = {x}" for (n, _), x in zip(columns[:2], first))
    t.ask("SELECT JSON k, c_ascii, v FROM $t WHERE k = 'c_ascii' AND c_ascii >= 'aa'",
          f"SELECT JSON k, c_blob, v FROM $t WHERE k = 'c_blob' AND {prefix} AND c_blob < 0xca",
          f"SELECT JSON k, c_bigint, v FROM $t WHERE k = 'c_bigint' AND c_ascii = 'a' AND c_bigint > -5",
          "SELECT JSON k, c_int, v FROM $t WHERE k = 'c_int'",
          "SELECT JSON k, c_varint, v FROM $t WHERE k = 'c_varint' ORDER BY c_ascii " + ("DESC" if order == "ASC" else "ASC"),
          "SELECT JSON v FROM $t WHERE k = 'c_uuid' LIMIT 2", "SELECT JSON k, v FROM $t WHERE c_inet = '::1' ALLOW FILTERING")


@table("a composite partition key of every type but duration", versions=("ma", "me", "na"))
def types_key(t):
    t.type("pair", "x int, y text")
    columns = [(column(c), c) for c in VALUES]
    t.create(", ".join(f"{n} {c}" for n, c in columns) + f", v int, PRIMARY KEY (({', '.join(n for n, _ in columns)}))")
    names = ", ".join([n for n, _ in columns] + ["v"])
    for i in range(6):
        t.insert(names, ", ".join([VALUES[c][i % len(VALUES[c])] for _, c in columns] + [str(i)]), using="USING TIMESTAMP 7")
    empty = [f"blobAs{EMPTIES[c]}(0x)" if c in EMPTIES else VALUES[c][0] for _, c in columns]
    t.insert(names, ", ".join(empty + ["6"]), using="USING TIMESTAMP 7")
    t.flush()
    where = " AND ".join(f"{n} = {VALUES[c][1]}" for n, c in columns)
    t.ask(f"SELECT JSON v FROM $t WHERE {where}", "SELECT JSON c_text, v FROM $t WHERE v IN (2, 6) ALLOW FILTERING")


@table("lists, sets and maps, frozen and not, nested; overwritten, appended, prepended, with TTLs and tombstones of elements; tuples; UDTs")
def collections(t):
    multicell = t.version not in ("ma",)  # 3.6 was the first to have UDTs that are not frozen
    t.type("pair", "x int, y text")
    t.type("nested", "p frozen<pair>, l frozen<list<int>>, t frozen<tuple<int, text>>")
    columns = ["l list<int>", "s set<text>", "m map<text, int>", "sl list<frozen<list<int>>> static", "fl frozen<list<text>>",
               "ms map<int, frozen<set<text>>>", "fm frozen<map<text, frozen<map<int, text>>>>", "ls list<frozen<pair>>",
               "st set<frozen<tuple<int, text>>>", "t frozen<tuple<int, text, frozen<set<int>>>>", "md map<timeuuid, text>"]
    if multicell:
        columns += ["n frozen<nested>", "u pair", "un nested", "su pair static"]
    t.create("k int, c int, " + ", ".join(columns) + ", PRIMARY KEY (k, c)")
    t.insert("k, c, l, s, m, fl, ms, fm, ls, st, t",
             "1, 1, [3, 1, 2], {'z', 'a'}, {'one': 1, 'two': 2}, ['x', ''], {1: {'p', 'q'}, -1: {}}, {'a': {1: 'b'}, '': {}}, [{x: 1, y: 'a'}, {y: 'b'}], "
             "{(1, 'a'), (1, null), (null, 'b')}, (1, 'two', {3})",
             "1, 2, [], {}, {}, [], {}, {}, [], {}, (null, null, null)", using="USING TIMESTAMP 1000")
    t.cql("UPDATE $t USING TIMESTAMP 1001 SET l = l + [4, 5], s = s + {'m'}, m = m + {'three': 3}, ms[2] = {'r'} WHERE k = 1 AND c = 1")
    t.cql("UPDATE $t USING TIMESTAMP 1002 SET s = s - {'z'}, m = m - {'one'} WHERE k = 1 AND c = 1")
    t.cql("UPDATE $t USING TIMESTAMP 1003 SET l = [7, 8] + l WHERE k = 1 AND c = 3")
    t.cql("UPDATE $t USING TIMESTAMP 1004 AND TTL 300000000 SET m['expiring'] = 4, s = s + {'expiring'} WHERE k = 1 AND c = 1")
    t.cql("UPDATE $t USING TIMESTAMP 1005 AND TTL 10 SET m['expired'] = 5, s = s + {'expired'}, l = l + [6] WHERE k = 1 AND c = 1")
    t.cql("DELETE l, ls FROM $t USING TIMESTAMP 1006 WHERE k = 1 AND c = 4")
    t.cql("DELETE m['x'], s['y'] FROM $t USING TIMESTAMP 1007 WHERE k = 1 AND c = 5")
    t.insert("k, sl", "1, [[1], [], [2, 3]]", using="USING TIMESTAMP 1008")
    t.insert("k, c, md", "2, 1, {50554d6e-29bb-11e5-b345-feff819cdc9f: 'a', 00000000-0000-1000-8080-808080808080: 'b'}", using="USING TIMESTAMP 1009")
    if multicell:
        t.insert("k, c, n", "1, 1, {p: {x: 1, y: 'p'}, l: [1, 2], t: (9, 'n')}", "1, 2, {p: null, l: []}", using="USING TIMESTAMP 1000")
        t.insert("k, c, u, un", "3, 1, {x: 1, y: 'whole'}, {p: {x: 2}, l: [3]}", using="USING TIMESTAMP 1010")
        if t.version != "mb":
            t.cql("UPDATE $t USING TIMESTAMP 1011 SET u.x = 2 WHERE k = 3 AND c = 2")
            t.cql("UPDATE $t USING TIMESTAMP 1012 SET u.y = null WHERE k = 3 AND c = 1")
            t.cql("UPDATE $t USING TIMESTAMP 1013 AND TTL 300000000 SET su.y = 'static' WHERE k = 3")
    t.flush()
    t.now(1700001000)
    t.cql("UPDATE $t USING TIMESTAMP 2000 SET m = {'whole': 0}, l = l + [99] WHERE k = 1 AND c = 1")
    t.cql("UPDATE $t USING TIMESTAMP 2001 SET s = {'new'} WHERE k = 1 AND c = 2")
    t.cql("DELETE fl, t FROM $t USING TIMESTAMP 2002 WHERE k = 1 AND c = 1")
    t.flush()
    t.ask("SELECT JSON l, s, m FROM $t WHERE k = 1 AND c = 1", "SELECT JSON k, c, fl FROM $t WHERE fl = ['x', ''] ALLOW FILTERING",
          "SELECT JSON k, c FROM $t WHERE s CONTAINS 'm' ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE m CONTAINS KEY 'whole' ALLOW FILTERING",
          "SELECT JSON sl FROM $t WHERE k = 1 LIMIT 1", "SELECT JSON t, ls FROM $t WHERE k = 1 AND c <= 2", "SELECT JSON md FROM $t WHERE k = 2")


@table("frozen UDTs of 3.0: the header calls them UserType without FrozenType around it, which only the schema can put right: "
       "sstabledump takes them for complex columns and fails", versions=("ma",))
def frozen_udt(t):
    t.type("pair", "x int, y text")
    t.create("k int, c int, p frozen<pair>, v int, s frozen<pair> static, PRIMARY KEY (k, c)")
    t.insert("k, c, p, v", "1, 1, {x: 1, y: 'a'}, 10", "1, 2, {y: 'only'}, 20", "1, 3, null, 30", using="USING TIMESTAMP 1")
    t.insert("k, s", "1, {x: 7}", using="USING TIMESTAMP 2")
    t.flush()
    t.ask("SELECT JSON p, p.x FROM $t", "SELECT JSON v FROM $t WHERE p = {x: 1, y: 'a'} ALLOW FILTERING")


def context(*shards):
    """A counter context (Cassandra's CounterContext) of (kind, id, clock, count) in id order; kind is global, local or remote."""
    header, body = b"", b""
    for i, (kind, identity, clock, count) in enumerate(shards):
        if kind != "remote":
            header += struct.pack(">H", i | (0x8000 if kind == "global" else 0))
        body += uuid.UUID(identity).bytes + struct.pack(">qq", clock, count)
    return (struct.pack(">h", len(header) // 2) + header + body).hex()


@table("counters with global, local and remote shards, as 2.0 left them behind; merges of them, deletions; counter statics")
def counters(t):
    a, b, c = (f"{n}0000000-0000-1000-8000-000000000000" for n in "123")
    t.create("k int, c int, n counter, s counter static, PRIMARY KEY (k, c)")

    def shards(k, row, *list_of_shards, ts=1, name="n"):
        where = f"k = {k}" + (f" AND c = {row}" if row is not None else "")
        t.value(context(*list_of_shards), f"DELETE {name} FROM $t USING TIMESTAMP {ts} WHERE {where}")

    shards(1, 1, ("global", a, 5, 100))
    shards(1, 2, ("global", a, 5, 100), ("global", b, 2, -30))
    shards(1, 3, ("local", a, 5, 7))
    shards(1, 4, ("remote", a, 5, 7), ("local", b, 1, 3))
    shards(1, 5, ("remote", a, 5, 7), ("remote", b, 4, 4), ("global", c, 9, -9223372036854775807))
    shards(1, 6, ("local", a, 4, 10))
    shards(1, 7, ("remote", a, 4, 10))
    shards(1, 8, ("global", a, 4, 10))
    shards(1, 9, ("global", a, 4, 10))
    shards(1, None, ("global", a, 1, 42), name="s")
    shards(2, 1, ("global", a, 1, 1))
    shards(3, 1, ("global", a, 1, 1))
    t.flush()
    shards(1, 2, ("global", a, 4, 900), ("global", b, 3, -20), ("global", c, 1, 1), ts=2)
    shards(1, 6, ("local", a, 3, 5), ts=2)
    shards(1, 7, ("remote", a, 4, 11), ("global", b, 1, 2), ts=2)
    shards(1, 8, ("local", a, 9, 99), ts=2)
    shards(1, 9, ("global", a, 4, 12), ts=2)
    t.cql("DELETE n FROM $t USING TIMESTAMP 3 WHERE k = 1 AND c = 1")
    t.cql("DELETE FROM $t USING TIMESTAMP 3 WHERE k = 2")
    t.cql("DELETE FROM $t USING TIMESTAMP 1 WHERE k = 3 AND c = 1")
    t.flush()
    t.ask("SELECT JSON n FROM $t WHERE k = 1 AND c = 2", "SELECT JSON c, n FROM $t WHERE k = 1 AND c > 5 ORDER BY c DESC",
          "SELECT JSON k, c FROM $t WHERE n > 8 ALLOW FILTERING", "SELECT JSON DISTINCT k, s FROM $t", "SELECT JSON sum(n) FROM $t")
