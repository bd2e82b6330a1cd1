"""COMPACT STORAGE: dense tables with one clustering column, two, and no value; tables of plain columns; compact counters."""

from older import table


@table("compact storage, one clustering column and one value (not compound)")
def dense(t):
    t.create("k text, c int, v text, PRIMARY KEY (k, c)", compact=True)
    for c in range(5):
        t.insert("k, c, v", f"'a', {c}, 'v{c}'", using="USING TIMESTAMP 100")
    t.cql("UPDATE $t USING TIMESTAMP 101 AND TTL 300000000 SET v = 'expiring' WHERE k = 'a' AND c = 5")
    t.cql("UPDATE $t USING TIMESTAMP 101 AND TTL 10 SET v = 'expired' WHERE k = 'a' AND c = 6")
    t.cql("DELETE FROM $t USING TIMESTAMP 102 WHERE k = 'a' AND c = 3")
    t.cql("DELETE v FROM $t USING TIMESTAMP 102 WHERE k = 'a' AND c = 7")
    t.insert("k, c, v", "'b', -1, ''", using="USING TIMESTAMP 100")
    t.insert("k, c, v", "'b', 1, 'shadowed'", using="USING TIMESTAMP 103")
    if t.version != "ma":
        t.cql("DELETE FROM $t USING TIMESTAMP 104 WHERE k = 'b' AND c >= 0 AND c < 9")
    t.cql("DELETE FROM $t USING TIMESTAMP 105 WHERE k = 'c'")
    t.flush()
    t.insert("k, c, v", "'a', 1, 'later'", using="USING TIMESTAMP 200")
    t.insert("k, c, v", "'c', 1, 'after the deletion'", using="USING TIMESTAMP 200")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 'a' AND c > 1", "SELECT JSON * FROM $t WHERE k = 'a' ORDER BY c DESC LIMIT 3", "SELECT JSON c, v, writetime(v), ttl(v) FROM $t WHERE k = 'a'")


@table("compact storage, two clustering columns, the last of them left out (null) in some rows")
def dense_two(t):
    t.create("k int, c text, d int, v blob, PRIMARY KEY (k, c, d)", "CLUSTERING ORDER BY (c DESC, d ASC)", compact=True)
    t.insert("k, c, d, v", "1, 'a', 1, 0x01", "1, 'a', 2, 0x", "1, 'b', 1, 0x03", using="USING TIMESTAMP 100")
    if t.version != "ma":  # 3.0.0 put empty values first in reversed columns too
        t.insert("k, c, d, v", "1, '', 1, 0x04", using="USING TIMESTAMP 100")
    t.insert("k, c, v", "1, 'a', 0xaa", "1, 'c', 0xcc", using="USING TIMESTAMP 101")
    t.cql("DELETE FROM $t USING TIMESTAMP 102 WHERE k = 1 AND c = 'b'")
    t.cql("DELETE FROM $t USING TIMESTAMP 102 WHERE k = 2 AND c = 'x' AND d = 1")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1 AND c = 'a'", "SELECT JSON * FROM $t WHERE k = 1 AND c = 'a' AND d >= 1", "SELECT JSON * FROM $t WHERE k = 1 ORDER BY c ASC, d DESC")


@table("compact storage without a value column")
def dense_no_value(t):
    t.create("k int, c text, PRIMARY KEY (k, c)", compact=True)
    t.insert("k, c", "1, 'a'", "1, 'b'", "2, 'a'", using="USING TIMESTAMP 100")
    t.insert("k, c", "2, 'expired'", using="USING TIMESTAMP 100 AND TTL 10")
    t.insert("k, c", "2, 'expiring'", using="USING TIMESTAMP 100 AND TTL 300000000")
    t.cql("DELETE FROM $t USING TIMESTAMP 101 WHERE k = 1 AND c = 'b'")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 2", "SELECT JSON c FROM $t WHERE k = 2 AND c > 'a'")


@table("compact storage without clustering columns: its columns are kept as static ones")
def compact_static(t):
    t.hidden = ("column1", "value")
    t.create("k text PRIMARY KEY, a int, b text, z blob", compact=True)
    t.insert("k, a, b, z", "'all', 1, 'b', 0xff", using="USING TIMESTAMP 100")
    t.insert("k, a", "'some', 2", using="USING TIMESTAMP 100")
    t.cql("UPDATE $t USING TIMESTAMP 101 AND TTL 10 SET b = 'expired' WHERE k = 'expired'")
    t.cql("UPDATE $t USING TIMESTAMP 101 AND TTL 300000000 SET b = '' WHERE k = 'some'")
    t.cql("DELETE a FROM $t USING TIMESTAMP 102 WHERE k = 'all'")
    t.cql("DELETE FROM $t USING TIMESTAMP 103 WHERE k = 'deleted'")
    t.flush()
    t.insert("k, a, b", "'all', 11, 'later'", "'deleted', 1, 'back'", using="USING TIMESTAMP 200")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 'all'", "SELECT JSON k, b, writetime(b), ttl(b) FROM $t", "SELECT JSON k FROM $t WHERE a = 2 ALLOW FILTERING")


@table("a compact table of counters")
def compact_counters(t):
    from .types import context
    t.create("k text, c text, n counter, PRIMARY KEY (k, c)", compact=True)
    shard = ("global", "10000000-0000-1000-8000-000000000000", 3, 12)
    t.value(context(shard), "DELETE n FROM $t USING TIMESTAMP 1 WHERE k = 'a' AND c = 'x'")
    t.value(context(("local", *shard[1:])), "DELETE n FROM $t USING TIMESTAMP 1 WHERE k = 'a' AND c = 'y'")
    t.flush()
    t.ask("SELECT JSON n FROM $t WHERE k = 'a' AND c = 'x'")
