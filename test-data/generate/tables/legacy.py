"""COMPACT STORAGE, with and without DROP COMPACT STORAGE."""

from golden import register

COMPACT = "COMPACT STORAGE"


def static_compact(t):
    t.create("k text PRIMARY KEY, a int, b text", COMPACT)
    t.insert("k, a, b", "'x', 1, 'one'", "'y', 2, null", "'z', null, null")
    t.cql("DELETE b FROM $t WHERE k = 'x'")
    t.insert("k, a", "'ttl', 5", using="USING TTL 60")
    t.cql("DELETE FROM $t WHERE k = 'gone'")


def dense(t):
    t.create("k text, c int, v blob, PRIMARY KEY (k, c)", COMPACT)
    t.insert("k, c, v", "'x', 1, 0x01", "'x', 2, 0x")
    t.cql("DELETE FROM $t WHERE k = 'x' AND c = 3")
    t.attempt("INSERT INTO $t (k, c) VALUES ('z', 1)")
    # CQL refuses an empty clustering here, Thrift took it.
    t.craft(key="79", rows=[{"clustering": [""], "cells": [{"column": "v", "timestamp": 1_700_000_000_000_000, "value": "03"}]}])


def dense_reversed(t):
    t.create("k int, c timeuuid, v text, PRIMARY KEY (k, c)", COMPACT + " AND CLUSTERING ORDER BY (c DESC)")
    t.insert("k, c, v", "1, 50554d6e-29bb-11e5-b345-feff819cdc9f, 'a'", "1, 50554d6e-29bb-11e4-b345-feff819cdc9f, 'b'")


def dense_compound(t):
    t.create("k int, a text, b int, c text, v int, PRIMARY KEY (k, a, b, c)", COMPACT)
    t.insert("k, a, b, c, v", "1, 'a', 1, 'c', 1", "1, 'a', 2, '', 2", "1, '', 0, 'z', 3", "2, 'q', 1, 'w', 4")
    # Trailing clusterings that were never given are null.
    t.attempt("INSERT INTO $t (k, a, v) VALUES (1, 'a', 10)")
    t.attempt("INSERT INTO $t (k, a, b, v) VALUES (1, 'a', 2, 11)")
    t.attempt("INSERT INTO $t (k, a, v) VALUES (3, 'only', 12)")
    t.cql("DELETE FROM $t WHERE k = 1 AND a = 'a' AND b = 1")


def only_keys(t):
    t.create("k int, c text, PRIMARY KEY (k, c)", COMPACT)
    t.insert("k, c", "1, 'a'", "1, 'aa'", "2, 'b'")
    t.cql("DELETE FROM $t WHERE k = 1 AND c = 'zz'")


def counter(t):
    t.create("k int, c text, v counter, PRIMARY KEY (k, c)", COMPACT)
    t.node.do("cql", q=t.text("UPDATE $t SET v = v + 3 WHERE k = 1 AND c = 'a'"))
    t.node.do("cql", q=t.text("UPDATE $t SET v = v - 1 WHERE k = 1 AND c = 'b'"))


def static_counter(t):
    t.create("k int PRIMARY KEY, a counter, b counter", COMPACT)
    t.node.do("cql", q=t.text("UPDATE $t SET a = a + 3 WHERE k = 1"))


def compound_key(t):
    t.create("a int, b text, v text, w int, PRIMARY KEY ((a, b))", COMPACT)
    t.insert("a, b, v, w", "1, 'x', 'v', 1", "2, '', null, 2")


LAYOUTS = {
    "compact_static": ("rows as static columns", static_compact, ["SELECT JSON a FROM $t WHERE k = 'x'", "SELECT JSON k FROM $t WHERE a = 2 ALLOW FILTERING", "SELECT JSON column1, value FROM $t"]),
    "compact_dense": ("one clustering, one value", dense, ["SELECT JSON c, v FROM $t WHERE k = 'x' AND c > 1", "SELECT JSON c FROM $t WHERE k = 'y' AND c = blobAsInt(0x)"]),
    "compact_dense_reversed": ("one descending clustering", dense_reversed, ["SELECT JSON v FROM $t WHERE k = 1 ORDER BY c ASC"]),
    "compact_dense_compound": ("three clusterings, trailing ones null", dense_compound, ["SELECT JSON v FROM $t WHERE k = 1 AND a = 'a'", "SELECT JSON v FROM $t WHERE k = 1 AND a = 'a' AND b >= 2",
                                                                                "SELECT JSON * FROM $t WHERE k = 1 ORDER BY a DESC, b DESC, c DESC", "SELECT JSON v FROM $t WHERE k = 1 AND (a, b) >= ('a', 2)"]),
    "compact_only_keys": ("key columns alone", only_keys, ["SELECT JSON c FROM $t WHERE k = 1 AND c >= ''"]),
    "compact_counter": ("a counter", counter, ["SELECT JSON v FROM $t WHERE k = 1 AND c = 'a'"]),
    "compact_static_counter": ("counters as static columns", static_counter, ["SELECT JSON a FROM $t WHERE k = 1"]),
    "compact_compound_key": ("composite partition key", compound_key, ["SELECT JSON v FROM $t WHERE a = 1 AND b = 'x'"]),
}


def layout(make, questions, dropped):
    def whole(t):
        make(t)
        t.flush()
        if dropped:
            t.cql("ALTER TABLE $t DROP COMPACT STORAGE")
        t.ask(*questions)
    return whole


for _name, (_covers, _make, _questions) in LAYOUTS.items():
    register(_name, f"COMPACT STORAGE: {_covers}", layout(_make, _questions, False))
    register(_name + "_dropped", f"COMPACT STORAGE: {_covers}; dropped after the write", layout(_make, _questions, True), dumps="metadata")


def dropped_then_written(t):
    static_compact(t)
    t.flush()
    t.cql("ALTER TABLE $t DROP COMPACT STORAGE")
    t.insert("k, a, b", "'w', 9, 'plain'")
    t.insert("k, column1, value, a", "'w', 'col', 0xbeef, 10")
    t.cql("ALTER TABLE $t ADD late int")
    t.insert("k, column1, late", "'x', 'c1', 3")
    t.flush()
    t.ask("SELECT JSON k, column1, value FROM $t WHERE column1 = 'col' ALLOW FILTERING")


register("compact_static_written", "COMPACT STORAGE dropped, then column1, value and a new column written", dropped_then_written)
