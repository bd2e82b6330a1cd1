"""What an index must find: wide partitions of many blocks, many partitions, single ones."""

import random

from golden import WRITE_NOW, table

T = WRITE_NOW * 1_000_000


def slices(t, k, c, low, high, absent, more=""):
    """Questions that go through a row index, forward and reversed."""
    t.ask(f"SELECT JSON {c} FROM $t WHERE k = {k} AND {c} = {low}", f"SELECT JSON {c} FROM $t WHERE k = {k} AND {c} = {absent}",
          f"SELECT JSON {c} FROM $t WHERE k = {k} AND {c} >= {low} AND {c} < {high}", f"SELECT JSON {c} FROM $t WHERE k = {k} AND {c} > {high} LIMIT 5",
          f"SELECT JSON {c} FROM $t WHERE k = {k} AND {c} > {low} AND {c} <= {high} ORDER BY {c} DESC{more} LIMIT 7",
          f"SELECT JSON {c} FROM $t WHERE k = {k} AND {c} <= {low} ORDER BY {c} DESC{more} LIMIT 3", f"SELECT JSON {c} FROM $t WHERE k = {k} ORDER BY {c} DESC{more} LIMIT 2",
          f"SELECT JSON {c} FROM $t WHERE k = {k} AND {c} IN ({low}, {absent}, {high})", f"SELECT JSON count(*) FROM $t WHERE k = {k} AND {c} > {low}")


@table("three wide partitions of 1 KiB index blocks, with absent rows between", dumps="lines")
def wide(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)")
    t.index_block_kib(1)
    for k, n in ((1, 110), (2, 60), (3, 30)):
        t.cql_many([f"INSERT INTO $t (k, c, v) VALUES ({k}, {c * 10}, 'value {c} {'x' * (c % 40)}')" for c in range(n)])
    t.insert("k, c, v", "4, 1, 'narrow'")
    t.flush()
    slices(t, 1, "c", 500, 700, 505)
    slices(t, 2, "c", 0, 590, -5)
    slices(t, 3, "c", 290, 300, 1000)
    slices(t, 4, "c", 1, 2, 3)


@table("wide partition: statics, range tombstones open across index blocks, deleted rows, partition deletion below it all", dumps="lines")
def wide_tombstones(t):
    t.create("k int, c int, s text static, v text, PRIMARY KEY (k, c)")
    t.index_block_kib(1)
    for k in (1, 2):
        t.cql_many([f"INSERT INTO $t (k, c, v) VALUES ({k}, {c}, '{'y' * 40}{c}') USING TIMESTAMP {T + 10 + c % 5}" for c in range(0, 200, 3 - k)])
        t.insert("k, s", f"{k}, 'static of {k}'")
    t.cql("DELETE FROM $t WHERE k = 1", ts=T + 5)
    t.cql("DELETE FROM $t WHERE k = 1 AND c >= 20 AND c < 130", ts=T + 12)
    t.cql("DELETE FROM $t WHERE k = 1 AND c > 100 AND c <= 180", ts=T + 11)
    t.cql("DELETE FROM $t WHERE k = 1 AND c = 60", ts=T + 30)
    t.cql("DELETE FROM $t WHERE k = 1 AND c >= 190", ts=T + 12)
    t.cql("DELETE FROM $t WHERE k = 2 AND c < 150", ts=T + 13)
    t.flush()
    for k in (1, 2):
        slices(t, k, "c", 55, 165, 60)
    t.ask("SELECT JSON s, c FROM $t WHERE k = 1 AND c = 64", "SELECT JSON DISTINCT k, s FROM $t", "SELECT JSON s FROM $t WHERE k = 2 LIMIT 1")
    t.tool("dump", ["-k", "2", "-d"])


@table("wide partition with descending clustering", dumps="lines")
def wide_reversed(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)", "CLUSTERING ORDER BY (c DESC)")
    t.index_block_kib(1)
    t.cql_many([f"INSERT INTO $t (k, c, v) VALUES (1, {c}, '{'z' * 30}')" for c in range(-60, 60)])
    t.cql("DELETE FROM $t WHERE k = 1 AND c > -20 AND c < 20")
    t.flush()
    t.ask("SELECT JSON c FROM $t WHERE k = 1 AND c > 40", "SELECT JSON c FROM $t WHERE k = 1 AND c < -50 ORDER BY c ASC", "SELECT JSON c FROM $t WHERE k = 1 AND c = -20",
          "SELECT JSON c FROM $t WHERE k = 1 ORDER BY c ASC LIMIT 3", "SELECT JSON c FROM $t WHERE k = 1 AND c <= 20 AND c >= -21 ORDER BY c ASC", "SELECT JSON c FROM $t WHERE k = 1 AND c IN (0, 59, -60)")


@table("wide partition of two clusterings, ascending and descending, sliced by prefix and by tuple", dumps="lines")
def wide_two(t):
    t.create("k int, a text, b int, v int, PRIMARY KEY (k, a, b)", "CLUSTERING ORDER BY (a ASC, b DESC)")
    t.index_block_kib(0)
    t.cql_many([f"INSERT INTO $t (k, a, b, v) VALUES (1, '{a}', {b}, {b})" for a in ("", "a", "ab", "b", "ba", "c" * 20) for b in range(-6, 7)])
    t.cql("DELETE FROM $t WHERE k = 1 AND a = 'ab' AND b > 2")
    t.flush()
    t.ask(*[f"SELECT JSON a, b FROM $t WHERE k = 1 AND {w}" for w in (
        "a = 'ab'", "a = ''", "a = 'aa'", "a > 'ab'", "a >= 'b' AND a < 'c'", "a = 'b' AND b > 3", "a = 'b' AND b <= -4", "a IN ('', 'ba') AND b IN (6, -6)", "(a, b) > ('ba', 0)",
        "(a, b) <= ('', 4)", "(a, b) >= ('ab', 2) AND (a, b) < ('b', 5)", "(a, b) IN (('a', 1), ('b', 9), ('ab', 2))", "(a) > ('ba')", "a > 'b' ORDER BY a DESC, b ASC", "a = 'ab' ORDER BY a DESC, b ASC",
        "(a, b) < ('ab', 0) ORDER BY a DESC, b ASC LIMIT 4", "b = 3", "a = 'a' AND b = 3", "a > 'a' AND b = 3", "(b, a) > (1, 'a')")])
    t.ask("SELECT JSON a, b FROM $t WHERE b = 3 ALLOW FILTERING", "SELECT JSON a, b FROM $t WHERE k = 1 AND a > 'a' AND b = 3 ALLOW FILTERING", "SELECT JSON a, b FROM $t WHERE k = 1 ORDER BY a DESC")


@table("an index block for each of 1,300 rows: a row index of several pages", dumps="metadata")
def wide_blocks(t):
    t.create("k int, c int, PRIMARY KEY (k, c)")
    t.index_block_kib(0)
    rng = random.Random(7)
    t.cql_many([f"INSERT INTO $t (k, c) VALUES (1, {c})" for c in sorted(rng.sample(range(1_000_000), 1_300))])
    t.insert("k, c", "2, 1", "2, 2", "0, 5")
    t.flush()
    slices(t, 1, "c", 500000, 510000, 500001)
    slices(t, 2, "c", 1, 2, 3)


@table("clusterings with long shared prefixes, prefixes of each other, 0x00 and 0xff in them", dumps="lines")
def wide_prefixes(t):
    t.create("k int, c blob, PRIMARY KEY (k, c)")
    t.index_block_kib(0)
    long = "ab" * 100
    values = ["", "00", "0000", "00ff", "ff", "ffff", "ff00", long, long + "00", long + "01", long + "ff", long[:-2], long[:-2] + "ac", "ab", "fe", "feffff", "61" * 40, "61" * 41]
    t.insert("k, c", *[f"1, 0x{v}" for v in values])
    t.flush()
    slices(t, 1, "c", "0x" + long, "0xff", "0xac", )
    slices(t, 1, "c", "0x00", "0x00ff", "0x000000")


@table("row blocks whose byte-comparable forms do not ascend: missing and empty values in tuples", dumps="lines")
def wide_tuples(t):
    t.create("k int, c frozen<tuple<double, int>>, v int, PRIMARY KEY (k, c)")
    t.index_block_kib(0)
    empty = "blob_as_double(0x)"
    clusterings = ["(null, 1)", f"({empty}, null)", "(1, 1)"]
    t.insert("k, c, v", *[f"1, {c}, {i}" for i, c in enumerate(clusterings)])
    # Nothing but the first value tells these two apart, and that not in their forms.
    t.insert("k, c, v", *[f"2, {c}, {i}" for i, c in enumerate(["(null, 3)", f"({empty}, 3)", f"({empty}, 4)", "(0, null)"])])
    t.flush()
    for k in (1, 2):
        t.ask(f"SELECT JSON c, v FROM $t WHERE k = {k} ORDER BY c DESC")
        for c in [*clusterings, "(null, 3)", f"({empty}, 3)", f"({empty}, 4)"]:
            t.ask(f"SELECT JSON v FROM $t WHERE k = {k} AND c = {c}", f"SELECT JSON v FROM $t WHERE k = {k} AND c > {c}", f"SELECT JSON v FROM $t WHERE k = {k} AND c <= {c} ORDER BY c DESC")


@table("rows larger than an index block, between small ones", dumps="metadata")
def wide_big_rows(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)")
    t.index_block_kib(1)
    t.insert("k, c, v", *[f"1, {c}, '{'B' * (5000 if c % 4 == 1 else 20)}'" for c in range(12)])
    t.flush()
    t.ask("SELECT JSON c FROM $t WHERE k = 1 AND c > 4", "SELECT JSON c FROM $t WHERE k = 1 AND c < 9 ORDER BY c DESC", "SELECT JSON c FROM $t WHERE k = 1 AND c IN (4, 5, 6)")


@table("a wide partition of blocks of the default size (64 KiB in BIG, 16 KiB in BTI)", dumps="metadata")
def wide_default(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)")
    t.cql_many([f"INSERT INTO $t (k, c, v) VALUES (1, {c}, '{'d' * 1000}') USING TTL 60" for c in range(0, 200)])
    t.cql_many([f"INSERT INTO $t (k, c) VALUES (1, {c})" for c in range(0, 200, 2)])
    t.flush()
    t.ask("SELECT JSON c FROM $t WHERE k = 1 AND c > 190", "SELECT JSON c FROM $t WHERE k = 1 AND c < 10 ORDER BY c DESC", "SELECT JSON c FROM $t WHERE k = 1 AND c = 150")


@table("wide partition with clusterings of many types in one", dumps="lines")
def wide_types(t):
    t.create("k int, a decimal, b varint, c timeuuid, d inet, e double, PRIMARY KEY (k, a, b, c, d, e)", "CLUSTERING ORDER BY (a DESC, b ASC, c DESC, d ASC, e DESC)")
    t.index_block_kib(0)
    rng = random.Random(3)
    u = ["50554d6e-29bb-11e5-b345-feff819cdc9f", "50554d6e-29bb-11e4-80ff-00ff819cdc9f"]
    decimals, varints = ["0", "-1.50", "1E+5", "99999.99", "1E-9"], ["0", "-1", "255", "-256", "1" + "0" * 30]
    for _ in range(40):
        t.insert("k, a, b, c, d, e", f"1, {rng.choice(decimals)}, {rng.choice(varints)}, {rng.choice(u)}, '{rng.choice(['1.2.3.4', '::1', 'fe80::2'])}', {rng.choice(['0', '-0.0', 'NaN', '1.5', '-Infinity'])}")
    t.flush()
    t.ask(*[f"SELECT JSON a, b, c FROM $t WHERE k = 1 AND {w}" for w in (
        "a = -1.5", "a > 0", "a <= 100000 ORDER BY a ASC, b DESC, c ASC, d DESC, e ASC", "a = 0.0 AND b >= -1", "a = 1E-9 AND b = 255", "(a, b) < (0, 0)", "a IN (99999.990, 0)")])


@table("20,000 tiny partitions: an index trie of many pages, a summary of many entries", dumps="metadata", auto=False)
def many_partitions(t):
    t.create("k int PRIMARY KEY")
    # Three of four have expired: the index has them, the answers do not.
    t.cql_many([f"INSERT INTO $t (k) VALUES ({k})" + (" USING TTL 60" if k % 4 else "") for k in range(20_000)])
    t.flush()
    t.ask("SELECT JSON count(*) FROM $t", *[f"SELECT JSON k FROM $t WHERE k = {k}" for k in (0, 1, 9_999, 19_999, 20_000, -1)],
          "SELECT JSON k FROM $t WHERE token(k) > token(12345) LIMIT 3", "SELECT JSON k FROM $t WHERE token(k) >= token(12345) LIMIT 3", "SELECT JSON k, token(k) FROM $t LIMIT 2",
          "SELECT JSON k FROM $t WHERE token(k) > 9200000000000000000", "SELECT JSON k FROM $t WHERE k IN (5, 777, 30000, 4)")


@table("150 partitions, some wide, with a small summary interval and text keys", dumps="metadata")
def some_partitions(t):
    t.create("k text, c int, v text, PRIMARY KEY (k, c)", "min_index_interval = 16")
    t.index_block_kib(0)
    t.cql_many([f"INSERT INTO $t (k, c, v) VALUES ('user:{k:05}', {c}, '{k}')" for k in range(150) for c in range(5 if k % 50 == 0 else 1)])
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 'user:00000'", "SELECT JSON * FROM $t WHERE k = 'user:00149'", "SELECT JSON * FROM $t WHERE k = 'user:00150'", "SELECT JSON c FROM $t WHERE k = 'user:00100' AND c >= 3",
          "SELECT JSON c FROM $t WHERE k = 'user:00050' ORDER BY c DESC LIMIT 1", "SELECT JSON DISTINCT k FROM $t WHERE token(k) > 9000000000000000000")


@table("one partition, one row")
def single(t):
    t.create("k int PRIMARY KEY, v int")
    t.insert("k, v", "1, 1")
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE k = 1", "SELECT JSON v FROM $t WHERE k = 2", "SELECT JSON v FROM $t WHERE token(k) <= token(1)", "SELECT JSON v FROM $t WHERE token(k) > token(1)")
    t.tool("dump", ["-k", "1"], ["-k", "2"], ["-x", "1"], ["-e", "-t"], ["-l", "-t"], ["-d", "-t"])


@table("ten partitions, one of them a tombstone only, for the tools' options")
def ten(t):
    t.create("k int, c text, v int, PRIMARY KEY (k, c)")
    t.insert("k, c, v", *[f"{k}, 'r{c}', {k * c}" for k in range(10) for c in range(2)])
    t.cql("DELETE FROM $t WHERE k = 5")
    t.insert("k, c, v", "6, 'ttl', 1", using="USING TTL 100")
    t.flush()
    t.tool("dump", ["-k", "3"], ["-k", "3", "7", "1"], ["-x", "3"], ["-x", "3", "-x", "7"], ["-k", "3", "-k", "4", "-x", "4"], ["-l", "-k", "1"], ["-d", "-x", "0"], ["-e", "-k", "1"], ["-k", "99"], ["-t", "-k", "6"], ["-k", "x"],
           ["-l", "-t", "-x", "1"], ["-d", "-k", "5", "6"])
    t.tool("metadata", ["-u"], ["-c"], ["-g", "100000000"], ["-t", "SECONDS"], ["-t", "NANOSECONDS"], ["-s"], ["-s", "-u"], ["-t", "nope"])
