"""RandomPartitioner and ByteOrderedPartitioner (LocalPartitioner: see `indexed`)."""

from golden import register


def simple(t):
    t.create("k int PRIMARY KEY, v text")
    t.insert("k, v", *[f"{k}, 'v{k}'" for k in (0, 1, -1, 2147483647, -2147483648, 255, 256)])
    t.cql("DELETE FROM $t WHERE k = 255")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1", "SELECT JSON k, token(k) FROM $t", "SELECT JSON k FROM $t WHERE token(k) > token(1)", "SELECT JSON k FROM $t WHERE k IN (256, -1, 7)")


def texts(t):
    t.create("k text, c int, s int static, v int, PRIMARY KEY (k, c)")
    t.insert("k, c, s, v", *[f"'{k}', {c}, 7, {c}" for k in ("a", "aa", "b", "\u00e9", " ", "ab" * 20) for c in range(2)])
    t.flush()
    t.insert("k, c, v", "'aa', 5, 5", "'c', 1, 1")
    t.cql("DELETE FROM $t WHERE k = 'b'")
    t.flush()
    t.ask("SELECT JSON c FROM $t WHERE k = 'aa' AND c > 0", "SELECT JSON DISTINCT k FROM $t WHERE token(k) >= token('aa')", "SELECT JSON token(k), k FROM $t PER PARTITION LIMIT 1", "SELECT JSON k FROM $t WHERE token(k) < token('b') LIMIT 3")


def composite(t):
    t.create("a int, b text, c int, v int, PRIMARY KEY ((a, b), c)")
    t.index_block_kib(0)
    t.insert("a, b, c, v", *[f"{a}, '{b}', {c}, {c}" for a in (1, -1, 256) for b in ("", "x", "yy") for c in range(3)])
    t.flush()
    t.ask("SELECT JSON c FROM $t WHERE a = 1 AND b = 'x' AND c >= 1", "SELECT JSON DISTINCT a, b FROM $t WHERE token(a, b) > token(1, 'x')")


def many(t):
    t.create("k blob PRIMARY KEY")
    t.cql_many([f"INSERT INTO $t (k) VALUES (0x{k:04x}{'00' * (k % 3)})" for k in range(0, 60_000, 194)])
    t.flush()
    t.ask("SELECT JSON k FROM $t WHERE k = 0x0000", "SELECT JSON k FROM $t WHERE k = 0x0001", "SELECT JSON k FROM $t WHERE token(k) > token(0x8000) LIMIT 3")


for _short, _partitioner in (("random", "RandomPartitioner"), ("ordered", "ByteOrderedPartitioner")):
    for _name, _covers, _make, _dumps in (("int", "int keys", simple, "all"), ("text", "text keys, statics, two SSTables", texts, "lines"),
                                   ("composite", "composite keys, each row an index block", composite, "lines"), ("many", "310 blob keys, prefixes of each other", many, "metadata")):
        register(f"{_short}_{_name}", f"{_partitioner}: {_covers}", _make, partitioner=_partitioner, dumps=_dumps)
