"""Several SSTables of one table, and every rule by which they become one."""

import random

from golden import WRITE_NOW, register, table
from .types import VALUES

T = WRITE_NOW * 1_000_000
TEN_YEARS = 315_360_000


def merging(covers, **options):
    return table("merge: " + covers, dumps=options.pop("dumps", "lines"), **options)


@merging("rows without any live cell in a table without clustering columns")
def merge_no_cells(t):
    t.create("k int PRIMARY KEY, v int, w int")
    t.insert("k", "1", "2", "3")
    t.insert("k, v", "4, 4", "5, null", "6, 6")
    t.flush()
    t.cql("UPDATE $t SET v = 2 WHERE k = 2")
    t.cql("DELETE v FROM $t WHERE k = 4")
    t.cql("DELETE FROM $t WHERE k = 3")
    t.cql("UPDATE $t SET w = null WHERE k = 7")
    t.cql("UPDATE $t SET w = 8 WHERE k = 8")
    t.flush()
    t.cql("DELETE v FROM $t WHERE k = 2")
    t.cql("DELETE w FROM $t WHERE k = 8")
    t.insert("k", "3", "9")
    t.flush()
    t.ask(*[f"SELECT JSON * FROM $t WHERE k = {k}" for k in range(1, 10)], "SELECT JSON v FROM $t", "SELECT JSON k FROM $t WHERE w = 8 ALLOW FILTERING")


@merging("a static column in one SSTable, the rows in another, the deletion in a third")
def merge_statics(t):
    t.create("k int, c int, s text static, n int static, v int, PRIMARY KEY (k, c)")
    t.insert("k, s", "1, 's1'", "2, 's2'", "3, 's3'", "4, 's4'")
    t.flush()
    t.insert("k, c, v", "1, 1, 11", "1, 2, 12", "2, 1, 21", "5, 1, 51")
    t.insert("k, n", "3, 33")
    t.flush()
    t.cql("DELETE s FROM $t WHERE k = 2")
    t.cql("DELETE FROM $t WHERE k = 4")
    t.insert("k, n", "1, 100")
    t.cql("DELETE FROM $t WHERE k = 1 AND c = 2")
    t.flush()
    t.ask(*[f"SELECT JSON * FROM $t WHERE k = {k}" for k in range(1, 6)], "SELECT JSON DISTINCT k, s, n FROM $t", "SELECT JSON s, v FROM $t WHERE k = 1 AND c = 1", "SELECT JSON s, v FROM $t WHERE k = 1 AND c = 7",
          "SELECT JSON k, c FROM $t WHERE s = 's1' ALLOW FILTERING", "SELECT JSON * FROM $t WHERE k = 3 AND c = 1", "SELECT JSON k, c, s FROM $t WHERE n = 100 AND v = 11 ALLOW FILTERING")


@merging("columns dropped between two SSTables: regular, static, collection, frozen UDT")
def merge_dropped(t):
    t.type("dropped_udt", "a int, b text")
    t.create("k int, c int, s int static, v int, w text, l list<int>, u dropped_udt, fu frozen<dropped_udt>, PRIMARY KEY (k, c)")
    t.insert("k, c, s, v, w, l, u, fu", "1, 1, 1, 1, 'w', [1], {a: 1, b: 'x'}, {a: 2}", "1, 2, 1, 2, 'w', [2], {a: 1}, null")
    t.cql("UPDATE $t SET w = 'only' WHERE k = 2 AND c = 1")
    t.insert("k, s", "3, 3")
    t.cql("DELETE w FROM $t WHERE k = 4 AND c = 1")
    t.flush()
    for c in ("s", "w", "l", "fu"):
        t.cql(f"ALTER TABLE $t DROP {c} USING TIMESTAMP {T + 900_000}")
    t.insert("k, c, v", "1, 1, 10", "5, 1, 5")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1", "SELECT JSON * FROM $t WHERE k = 2", "SELECT JSON w FROM $t", "SELECT JSON DISTINCT k FROM $t")


@merging("columns dropped and added again, old cells gone and new ones there, cells at the drop's own timestamp")
def merge_readded(t):
    t.create("k int, c int, s text static, w text, m map<text, int>, v int, PRIMARY KEY (k, c)")
    t.insert("k, c, s, w, m, v", "1, 1, 'old', 'old', {'old': 1}, 1", "1, 2, 'old', 'old', {'old': 2}, 2", ts=T + 10)
    t.cql("UPDATE $t SET w = 'kept' WHERE k = 1 AND c = 3", ts=T + 101)
    t.cql("UPDATE $t SET w = 'at the drop' WHERE k = 1 AND c = 4", ts=T + 100)
    t.cql("UPDATE $t SET m = m + {'kept': 5} WHERE k = 1 AND c = 5", ts=T + 101)
    t.cql("DELETE FROM $t WHERE k = 1 AND c = 9", ts=T + 10)
    t.flush()
    for c in ("s", "w", "m"):
        t.cql(f"ALTER TABLE $t DROP {c} USING TIMESTAMP {T + 100}")
    t.flush()
    t.cql("ALTER TABLE $t ADD s text static")
    t.cql("ALTER TABLE $t ADD w text")
    t.cql("ALTER TABLE $t ADD m map<text, int>")
    t.insert("k, c, s, w, m", "1, 1, 'new', 'new', {'new': 1}", ts=T + 200)
    t.insert("k, c, w", "2, 1, 'new'", ts=T + 200)
    t.flush()
    t.ask("SELECT JSON w FROM $t WHERE k = 1", "SELECT JSON c, m FROM $t WHERE m CONTAINS KEY 'old' ALLOW FILTERING")


@merging("columns added between two SSTables, in the middle of the sorted columns and at its ends, static ones too")
def merge_added(t):
    t.create("k int, c int, m int, PRIMARY KEY (k, c)")
    t.insert("k, c, m", "1, 1, 1", "1, 2, 2")
    t.flush()
    t.cql("ALTER TABLE $t ADD (a int, z set<int>, s int static, mm text)")
    t.insert("k, c, a, z, mm", "1, 1, 10, {1}, 'x'", "2, 1, 20, {}, null")
    t.insert("k, s", "1, 7")
    t.flush()
    t.cql("ALTER TABLE $t ADD b frozen<list<int>>")
    t.insert("k, c, b", "1, 3, [1]", "1, 2, []")
    t.flush()
    t.ask("SELECT JSON a, b, m FROM $t WHERE k = 1 AND c = 1", "SELECT JSON c FROM $t WHERE a = 10 ALLOW FILTERING")


@merging("a clustering and a key column renamed between two SSTables")
def merge_renamed(t):
    t.create("k int, c int, v int, PRIMARY KEY (k, c)")
    t.insert("k, c, v", "1, 1, 1")
    t.flush()
    t.cql("ALTER TABLE $t RENAME c TO clustering_new AND k TO key_new")
    t.insert("key_new, clustering_new, v", "1, 1, 2", "1, 2, 3")
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE key_new = 1 AND clustering_new > 1", "SELECT JSON v FROM $t WHERE k = 1")


def clustering_merge(cql_type, order):
    def make(t):
        t.create(f"k int, c {cql_type}, s int static, v int, w text, PRIMARY KEY (k, c)", f"CLUSTERING ORDER BY (c {order})")
        values = VALUES[cql_type]
        t.insert("k, c, v, w", *[f"1, {c}, {i}, 'first'" for i, c in enumerate(values[::2])])
        t.insert("k, c, v", *[f"2, {c}, {i}" for i, c in enumerate(values[:3])])
        t.flush()
        t.insert("k, c, v", *[f"1, {c}, {100 + i}" for i, c in enumerate(values)])
        t.cql(f"DELETE FROM $t WHERE k = 2 AND c = {values[0]}")
        t.insert("k, s", "2, 2")
        t.flush()
        t.cql(f"DELETE FROM $t WHERE k = 1 AND c > {values[0]}", ts=T + 1)
        t.cql(f"UPDATE $t SET w = 'third' WHERE k = 1 AND c = {values[-1]}")
        t.flush()
        other = "DESC" if order == "ASC" else "ASC"
        t.ask(f"SELECT JSON c, v FROM $t WHERE k = 1 ORDER BY c {other}", f"SELECT JSON c, w FROM $t WHERE k = 1 AND c >= {values[0]}", f"SELECT JSON c, w FROM $t WHERE k = 1 AND c < {values[0]}",
              *[f"SELECT JSON v, w FROM $t WHERE k = 1 AND c = {c}" for c in values[:3]], f"SELECT JSON v FROM $t WHERE k = 1 AND c IN ({values[-1]}, {values[0]})")
    return make


for _i, _type in enumerate(("ascii", "smallint", "tinyint", "time", "varint", "decimal", "inet", "boolean", "float", "double")):
    register(f"merge_by_{_type}", f"merge: clustering of `{_type}`, {('ascending', 'descending')[_i % 2]}", clustering_merge(_type, ("ASC", "DESC")[_i % 2]), dumps="none")


@merging("clustering decimals that are equal but written differently")
def merge_equal_decimals(t):
    t.create("k int, c decimal, v int, w int, PRIMARY KEY (k, c)")
    t.insert("k, c, v", "1, 1.0, 1", "1, 0, 2", "1, 1E+2, 3")
    t.flush()
    t.insert("k, c, w", "1, 1.000, 10", "1, 0.00, 20", "1, 100, 30")
    t.cql("DELETE FROM $t WHERE k = 1 AND c = 0E-5")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1 AND c = 1", "SELECT JSON * FROM $t WHERE k = 1 AND c > 0.999 AND c < 100.0")


@merging("repeated empty clustering values of several types")
def merge_empty_clustering(t):
    t.create("k int, a text, b blob, c int, v int, w int, PRIMARY KEY (k, a, b, c)")
    t.insert("k, a, b, c, v", "1, '', 0x, blobAsInt(0x), 1", "1, '', 0x, 0, 2", "1, 'a', 0x, blobAsInt(0x), 3", "2, '', 0x, 5, 4")
    t.flush()
    t.insert("k, a, b, c, w", "1, '', 0x, blobAsInt(0x), 10", "1, '', 0x00, 0, 20", "1, 'a', 0x, 1, 30", "2, '', 0x, 5, 40")
    t.cql("DELETE FROM $t WHERE k = 1 AND a = '' AND b = 0x AND c = 0")
    t.flush()
    t.insert("k, a, b, c, v", "1, '', 0x, blobAsInt(0x), 100")
    t.cql("DELETE FROM $t WHERE k = 2 AND a = ''")
    t.flush()
    t.ask("SELECT JSON v, w FROM $t WHERE k = 1 AND a = ''", "SELECT JSON v, w FROM $t WHERE k = 1 AND a = '' AND b = 0x AND c = blobAsInt(0x)", "SELECT JSON v FROM $t WHERE k = 1 AND a > ''",
          "SELECT JSON v FROM $t WHERE k = 1 AND (a, b) >= ('', 0x00)")


@merging("70 columns, other subsets in each SSTable", dumps="none")
def merge_columns_70(t):
    names = [f"c{i:02}" for i in range(70)]
    t.create("k int, c int, " + ", ".join(f"{c} int" for c in names) + ", PRIMARY KEY (k, c)")
    rng = random.Random(70)
    for sstable in range(3):
        for row in range(4):
            chosen = sorted(rng.sample(names, rng.choice((1, 20, 34, 35, 36, 60, 70))))
            t.insert(f"k, c, {', '.join(chosen)}", f"1, {row}, " + ", ".join(str(sstable * 1000 + i) for i in range(len(chosen))))
        t.cql(f"DELETE {', '.join(rng.sample(names, 5))} FROM $t WHERE k = 1 AND c = {sstable}")
        t.flush()
    t.ask("SELECT JSON c00, c35, c63, c64, c69 FROM $t WHERE k = 1 AND c = 1")


def live(column, ts, value, ttl=0, expires=0):
    cell = {"column": column, "timestamp": T + ts, "value": value}
    if ttl:
        cell.update(ttl=ttl, ldt=WRITE_NOW + expires)
    return cell


def dead(column, ts, ldt=0):
    return {"column": column, "timestamp": T + ts, "ldt": WRITE_NOW + ldt, "value": ""}


@merging("cells of one timestamp: values, tombstone against value, expiring against not, TTLs, expiries, empty value; both orders")
def merge_ties(t):
    t.create("k int, c int, v blob, PRIMARY KEY (k, c)")
    far, past = TEN_YEARS, 100
    pairs = [
        (live("v", 1, "01"), live("v", 1, "02")), (live("v", 1, "ff"), live("v", 1, "7f")), (live("v", 1, "01"), live("v", 1, "0100")), (live("v", 1, ""), live("v", 1, "00")),
        (live("v", 1, "ff"), dead("v", 1)), (live("v", 1, "ff"), live("v", 1, "00", far, far)), (live("v", 1, "ff"), live("v", 1, "00", past, past)),
        (live("v", 1, "ff", far, far), dead("v", 1)), (live("v", 1, "01", far, far), live("v", 1, "00", far, far + 1)), (live("v", 1, "00", 50, far), live("v", 1, "01", 60, far)),
        (live("v", 1, "01", 50, far), live("v", 1, "00", 60, far)), (live("v", 1, "01", 50, far), live("v", 1, "02", 50, far)), (dead("v", 1, 1), dead("v", 1, 2)),
        (live("v", 1, "01", past, past), live("v", 1, "00", far, far)), (live("v", 2, "00"), live("v", 1, "ff")), (live("v", 2, "00", past, past), live("v", 1, "ff")), (dead("v", 2), live("v", 1, "ff")),
        (live("v", 1, "aa"), live("v", 1, "aa")),
    ]
    for first in (0, 1):
        for side in (0, 1):
            t.craft(key=f"{first + 1:08x}", rows=[{"clustering": [f"{c:08x}"], "cells": [pair[side if first == 0 else 1 - side]]} for c, pair in enumerate(pairs)])
            t.flush()
    t.ask("SELECT JSON c, v, ttl(v), writetime(v) FROM $t WHERE k = 1", "SELECT JSON c, v, ttl(v) FROM $t WHERE k = 2", "SELECT JSON v FROM $t WHERE k = 1 AND c = 3")


@merging("row markers of one timestamp: expiring against not, expiries, TTLs; and against deletions of the same timestamp")
def merge_liveness_ties(t):
    t.create("k int, c int, v int, PRIMARY KEY (k, c)")
    none = 2**63 - 1
    far = WRITE_NOW + TEN_YEARS

    def row(c, **parts):
        return {"clustering": [f"{c:08x}"], **parts}
    pairs = [
        ({"liveness": [T + 1, 0, none]}, {"liveness": [T + 1, 100, WRITE_NOW + 100]}), ({"liveness": [T + 1, 0, none]}, {"liveness": [T + 1, TEN_YEARS, far]}),
        ({"liveness": [T + 1, 100, WRITE_NOW + 100]}, {"liveness": [T + 1, TEN_YEARS, far]}), ({"liveness": [T + 1, 50, far]}, {"liveness": [T + 1, 60, far]}),
        ({"liveness": [T + 2, 100, WRITE_NOW + 100]}, {"liveness": [T + 1, 0, none]}), ({"liveness": [T + 1, 0, none]}, {"deletion": [T + 1, WRITE_NOW]}),
        ({"liveness": [T + 2, 0, none]}, {"deletion": [T + 1, WRITE_NOW]}), ({"liveness": [T + 1, 0, none]}, {"liveness": [T + 1, 2147483647, WRITE_NOW]}),
        ({"deletion": [T + 1, WRITE_NOW]}, {"deletion": [T + 1, WRITE_NOW + 5], "cells": [{"column": "v", "timestamp": T + 2, "value": "00000007"}]}),
        ({"deletion": [T + 1, WRITE_NOW], "shadowable": True}, {"deletion": [T + 1, WRITE_NOW], "liveness": [T + 2, 0, none]}),
        ({"deletion": [T + 1, WRITE_NOW], "shadowable": True}, {"liveness": [T + 1, 0, none], "cells": [{"column": "v", "timestamp": T + 1, "value": "00000008"}]}),
        ({"deletion": [T + 1, WRITE_NOW], "shadowable": True}, {"liveness": [T + 2, 0, none], "cells": [{"column": "v", "timestamp": T + 1, "value": "00000009"}]}),
    ]
    for first in (0, 1):
        for side in (0, 1):
            t.craft(key=f"{first + 1:08x}", rows=[row(c, **pair[side if first == 0 else 1 - side]) for c, pair in enumerate(pairs)])
            t.flush()


@merging("partition, row, range and complex deletions against data of the same, an older and a newer timestamp")
def merge_deletions(t):
    t.create("k int, c int, s int static, v int, m map<int, int>, PRIMARY KEY (k, c)")
    for k in (1, 2, 3, 4):
        for c in (1, 2, 3):
            t.insert("k, c, v", f"{k}, {c}, {c}", ts=T + 9 + c - 1)
            t.cql(f"UPDATE $t SET m = m + {{{c}: {c}}} WHERE k = {k} AND c = 1", ts=T + 9 + c - 1)
        t.insert("k, s", f"{k}, {k}", ts=T + 10)
    t.insert("k, s", "5, 5", ts=T + 11)
    t.flush()
    t.cql("DELETE FROM $t WHERE k = 1", ts=T + 10)
    t.cql("DELETE FROM $t WHERE k = 2 AND c >= 1 AND c <= 3", ts=T + 10)
    for c in (1, 2, 3):
        t.cql(f"DELETE FROM $t WHERE k = 3 AND c = {c}", ts=T + 10)
    t.cql("DELETE m FROM $t WHERE k = 4 AND c = 1", ts=T + 10)
    t.cql("DELETE v FROM $t WHERE k = 4 AND c = 2", ts=T + 10)
    t.cql("DELETE FROM $t WHERE k = 5", ts=T + 10)
    t.flush()
    t.ask(*[f"SELECT JSON * FROM $t WHERE k = {k}" for k in range(1, 6)], "SELECT JSON v FROM $t WHERE k = 2 AND c = 2", "SELECT JSON DISTINCT k, s FROM $t")


@merging("range tombstones across SSTables: nested, crossing, touching, equal, with rows between, on mixed directions")
def merge_ranges(t):
    t.create("k int, a int, b int, v int, PRIMARY KEY (k, a, b)", "CLUSTERING ORDER BY (a ASC, b DESC)")
    t.insert("k, a, b, v", *[f"{k}, {a}, {b}, {a * 10 + b}" for k in (1, 2) for a in range(8) for b in (1, 2, 3)], ts=T + 10)
    t.cql("DELETE FROM $t WHERE k = 1 AND a > 1 AND a < 6", ts=T + 5)
    t.cql("DELETE FROM $t WHERE k = 2", ts=T + 7)
    t.flush()
    t.cql("DELETE FROM $t WHERE k = 1 AND a >= 2 AND a <= 4", ts=T + 20)
    t.cql("DELETE FROM $t WHERE k = 2 AND a >= 2 AND a < 4", ts=T + 20)
    t.cql("DELETE FROM $t WHERE k = 2 AND a = 6 AND b <= 2", ts=T + 20)
    t.insert("k, a, b, v", "1, 3, 2, 320", ts=T + 25)
    t.flush()
    t.cql("DELETE FROM $t WHERE k = 1 AND a > 3 AND a <= 5", ts=T + 30)
    t.cql("DELETE FROM $t WHERE k = 1 AND a = 3 AND b > 1", ts=T + 24)
    t.cql("DELETE FROM $t WHERE k = 2 AND a >= 4 AND a < 6", ts=T + 20)
    t.cql("DELETE FROM $t WHERE k = 2 AND a >= 2 AND a < 4", ts=T + 20)
    t.insert("k, a, b, v", "1, 5, 1, 510", ts=T + 30)
    t.insert("k, a, b, v", "1, 4, 1, 410", ts=T + 31)
    t.flush()
    for k in (1, 2):
        t.ask(f"SELECT JSON a, b, v FROM $t WHERE k = {k}", f"SELECT JSON a, b FROM $t WHERE k = {k} ORDER BY a DESC, b ASC", f"SELECT JSON a, b FROM $t WHERE k = {k} AND a = 3",
              f"SELECT JSON a, b FROM $t WHERE k = {k} AND (a, b) > (3, 1)", f"SELECT JSON a, b FROM $t WHERE k = {k} AND a >= 4 LIMIT 2", f"SELECT JSON a, b FROM $t WHERE k = {k} AND a = 6 AND b = 2")


@merging("collections and UDTs overwritten, appended to, shrunk and deleted across SSTables")
def merge_collections(t):
    t.type("merged_udt", "a int, b text")
    t.create("k int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, u merged_udt, f frozen<set<int>>")
    t.insert("k, l, s, m, u, f", *[f"{k}, [1, 2, 3], {{'a', 'b'}}, {{'x': 1, 'y': 2}}, {{a: 1, b: 'b'}}, {{1}}" for k in range(1, 6)])
    t.flush()
    t.cql("UPDATE $t SET l = l + [4], s = s + {'c'}, m = m + {'z': 3, 'x': 10}, u.a = 2, f = {2} WHERE k = 1")
    t.cql("UPDATE $t SET l = [9], s = {'z'}, m = {'n': 9}, u = {b: 'new'} WHERE k = 2")
    t.cql("UPDATE $t SET l = l - [2], s = s - {'a'}, m = m - {'x'}, u.b = null WHERE k = 3")
    t.cql("DELETE l, s, m, u FROM $t WHERE k = 4")
    t.cql("UPDATE $t SET l[0] = 100, m['y'] = null WHERE k = 5")
    t.flush()
    t.cql("UPDATE $t SET l = [0] + l, s = {}, m['late'] = 5 WHERE k = 1")
    t.cql("UPDATE $t SET l = l + [10], s = s + {'y'}, m = m + {'o': 1}, u.a = 5 WHERE k = 2")
    t.cql("UPDATE $t SET l = l + [7], s = s + {'again'} WHERE k = 4")
    t.cql(f"UPDATE $t USING TTL 60 SET m['x'] = 0, s = s + {{'short'}} WHERE k = 5")
    t.flush()
    t.ask("SELECT JSON k FROM $t WHERE s CONTAINS 'b' ALLOW FILTERING", "SELECT JSON m FROM $t WHERE k = 1", "SELECT JSON k FROM $t WHERE l CONTAINS 100 ALLOW FILTERING",
          "SELECT JSON k, m FROM $t WHERE m['y'] = 2 ALLOW FILTERING", "SELECT JSON m['x'], u.a FROM $t")


@merging("counters across SSTables, deleted and written again")
def merge_counters(t):
    t.create("k int, c int, s counter static, v counter, PRIMARY KEY (k, c)")
    for round_ in range(3):
        for q in ("UPDATE $t SET v = v + 5 WHERE k = 1 AND c = 1", "UPDATE $t SET v = v - 2, s = s + 1 WHERE k = 1 AND c = 2", f"UPDATE $t SET v = v + 1 WHERE k = 2 AND c = {round_}"):
            t.node.do("cql", q=t.text(q))
        if round_ == 1:
            t.node.do("cql", q=t.text("DELETE FROM $t WHERE k = 2 AND c = 0"))
            t.node.do("cql", q=t.text("DELETE v FROM $t WHERE k = 1 AND c = 2"))
        t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1", "SELECT JSON v FROM $t WHERE k = 1 AND c = 1", "SELECT JSON c FROM $t WHERE v = 15 ALLOW FILTERING")


@merging("SSTables of disjoint and overlapping key and time ranges, one compacted of two")
def merge_ranges_of_keys(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)")
    for part in range(2):
        t.insert("k, c, v", *[f"{k}, {part}, 'compacted'" for k in range(0, 20, 2)])
        t.flush()
    t.compact()
    t.insert("k, c, v", *[f"{k}, 0, 'odd'" for k in range(1, 20, 2)])
    t.flush()
    t.insert("k, c, v", "4, 0, 'newest'", "5, 5, 'newest'")
    t.cql("DELETE FROM $t WHERE k = 6")
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE k = 4", "SELECT JSON v FROM $t WHERE k = 6", "SELECT JSON k, v FROM $t WHERE token(k) > 0 AND token(k) < 4000000000000000000", "SELECT JSON v FROM $t WHERE k = 4 AND c = 0",
          "SELECT JSON k FROM $t LIMIT 5", "SELECT JSON k FROM $t PER PARTITION LIMIT 1 LIMIT 4", "SELECT JSON count(*) FROM $t WHERE k IN (1, 4, 6, 100)")


@merging("wide partitions with a row index across SSTables, range tombstone of one over rows of another", dumps="none")
def merge_wide(t):
    t.create("k int, c int, s int static, v int, PRIMARY KEY (k, c)")
    t.index_block_kib(0)
    t.cql_many([f"INSERT INTO $t (k, c, v) VALUES (1, {c}, 0)" for c in range(0, 120, 2)])
    t.flush()
    t.cql_many([f"INSERT INTO $t (k, c, v) VALUES (1, {c}, 1)" for c in range(0, 120, 3)])
    t.cql("DELETE FROM $t WHERE k = 1 AND c > 30 AND c < 60", ts=T + 2_000_000)
    t.insert("k, s", "1, 9")
    t.flush()
    t.cql_many([f"INSERT INTO $t (k, c, v) VALUES (1, {c}, 2) USING TIMESTAMP {T + 1_999_990 + c // 3}" for c in range(20, 70, 5)])
    t.cql("DELETE FROM $t WHERE k = 1 AND c >= 90", ts=T + 1)
    t.flush()
    t.ask("SELECT JSON c, v FROM $t WHERE k = 1 AND c > 25 AND c < 65", "SELECT JSON c, v FROM $t WHERE k = 1 AND c <= 66 ORDER BY c DESC LIMIT 12", "SELECT JSON c, s FROM $t WHERE k = 1 AND c IN (30, 40, 60, 96)",
          "SELECT JSON c FROM $t WHERE k = 1 AND c > 100", "SELECT JSON c FROM $t WHERE k = 1 ORDER BY c DESC LIMIT 3")


def scramble(seed, columns, cluster, options=""):
    """Random statements over few keys, few clusterings and few timestamps, so that they meet; five SSTables, two of them compacted."""
    def make(t):
        rng = random.Random(seed)
        names = ["a", "b"][:cluster]
        static = cluster > 0
        t.create("k int, " + "".join(f"{c} int, " for c in names) + columns + (", s int static" if static else "") + ", PRIMARY KEY (k" + "".join(f", {c}" for c in names) + ")", options)

        def key():
            return f"k = {rng.randrange(4)}"

        def whole():
            return " AND ".join([key()] + [f"{c} = {rng.randrange(5)}" for c in names])

        def reach():
            if not names:
                return key()
            low, high = sorted((rng.randrange(6), rng.randrange(6)))
            if len(names) == 2 and rng.random() < 0.5:
                return f"{key()} AND a = {rng.randrange(5)} AND b {rng.choice(('>', '>='))} {low} AND b {rng.choice(('<', '<='))} {high}"
            return f"{key()} AND a {rng.choice(('>', '>='))} {low} AND a {rng.choice(('<', '<='))} {high}"

        def sets():
            v = rng.randrange(6)
            choices = [f"v = {v}", "v = null", f"w = '{'xyz'[v % 3]}'", "w = null"]
            if "map" in columns:
                choices += [f"m = {{{v}: {v}}}", f"m[{v}] = {v * 7}", f"m = m + {{{v}: 1, 9: 9}}", f"m[{v}] = null", "m = {}", f"q = q + {{{v}}}", f"q = {{{v}}}", "q = null"]
            if static:
                choices += [f"s = {v}", "s = null"]
            return ", ".join({c.split()[0].split("[")[0]: c for c in rng.sample(choices, rng.choice((1, 1, 2)))}.values())
        for sstable in range(6):
            for _ in range(22):
                using = f"USING TIMESTAMP {T + rng.randrange(12)}"
                if rng.random() < 0.25:
                    using_ttl = using + f" AND TTL {rng.choice((60, TEN_YEARS, TEN_YEARS + 1))}"
                else:
                    using_ttl = using
                what = rng.random()
                if what < 0.45:
                    picked = sets()
                    where = whole()
                    if static and all(p.startswith("s ") for p in picked.split(", ")):
                        where = key()
                    t.cql(f"UPDATE $t {using_ttl} SET {picked} WHERE {where}")
                elif what < 0.7:
                    at = [rng.randrange(4)] + [rng.randrange(5) for _ in names]
                    t.insert(", ".join(["k", *names, "v"]), ", ".join(map(str, [*at, rng.choice((1, 2, "null"))])), using=using_ttl)
                elif what < 0.8:
                    t.cql(f"DELETE FROM $t {using} WHERE {whole()}")
                elif what < 0.86:
                    t.cql(f"DELETE v FROM $t {using} WHERE {whole()}")
                elif what < 0.97 or not names:
                    t.cql(f"DELETE FROM $t {using} WHERE {reach()}") if names or what < 0.9 else t.cql(f"DELETE w FROM $t {using} WHERE {whole()}")
                else:
                    t.cql(f"DELETE FROM $t {using} WHERE {key()}")
            t.flush()
            if sstable == 1:
                t.compact()
        t.ask(*[f"SELECT JSON * FROM $t WHERE k = {k}" for k in range(4)], "SELECT JSON k, v FROM $t WHERE v = 2 ALLOW FILTERING", "SELECT JSON k FROM $t WHERE w = 'x' ALLOW FILTERING")
        if names:
            t.ask("SELECT JSON DISTINCT k, s FROM $t", *[f"SELECT JSON * FROM $t WHERE k = {k} AND a >= 2" for k in range(4)], *[f"SELECT JSON v FROM $t WHERE k = 0 AND a = {a}" for a in range(5)])
    return make


for _name, _covers, _seed, _columns, _cluster, _options in (
    ("rows", "one clustering", 11, "v int, w text", 1, ""), ("reversed", "two clusterings, one descending", 12, "v int, w text", 2, "CLUSTERING ORDER BY (a DESC, b ASC)"),
    ("collections", "map and set columns", 13, "v int, w text, m map<int, int>, q set<int>", 1, ""), ("flat", "no clustering", 14, "v int, w text, m map<int, int>, q set<int>", 0, ""),
):
    register(f"merge_random_{_name}", f"merge: random statements that meet in few keys and timestamps, {_covers}", scramble(_seed, _columns, _cluster, _options), dumps="none")


@table("rows of which only a column that is not asked for is alive, older than the expired row marker; nulls that are sorted; what descending columns hide", dumps="short")
def asked_for(t):
    t.type("asked_pair", "a int, \"from\" int, count int")
    t.create("k text, c text, d frozen<set<int>>, s int static, a int, b int, f vector<float, 2>, m map<frozen<golden.asked_pair>, int>, \"\u00e9\" int, \"\U0001f600\" list<int>, z list<int>, "
             "PRIMARY KEY (k, c, d)", "CLUSTERING ORDER BY (c DESC, d DESC)")
    for k, old, new in (("same", 1, 2), ("tie", 2, 2), ("later", 3, 2)):
        t.cql(f"UPDATE $t USING TIMESTAMP {old} SET a = 1 WHERE k = '{k}' AND c = 'x' AND d = {{1}}")
        t.cql(f"INSERT INTO $t (k, c, d, b) VALUES ('{k}', 'x', {{1}}, 2) USING TIMESTAMP {new} AND TTL 1")
    t.cql("UPDATE $t USING TIMESTAMP 1 SET a = 1 WHERE k = 'two' AND c = 'x' AND d = {1}")
    t.cql("UPDATE $t USING TIMESTAMP 1 SET z = [1] WHERE k = 'complex' AND c = 'x' AND d = {1}")
    t.cql("INSERT INTO $t (k, c, d, b) VALUES ('complex', 'x', {1}, 2) USING TIMESTAMP 2 AND TTL 1")
    t.insert("k, s", "'static', 1")
    t.insert("k, c, d, b, f, m, \"\U0001f600\"", "'live', 'p', {1, 2}, 3, [1, 2], {{a: 1, \"from\": 2, count: 3}: 4}, [5]", "'live', 'q', {}, 3, null, null, null")
    t.flush()
    t.cql("INSERT INTO $t (k, c, d, b) VALUES ('two', 'x', {1}, 2) USING TIMESTAMP 2 AND TTL 1")
    t.flush()
    for what in ("a", "b", "z", "count(*)", "c, writetime(b)", "DISTINCT k", "s"):
        t.ask(f"SELECT JSON {what} FROM $t")
    for k in ("same", "tie", "later", "two", "complex", "live"):
        t.ask(*[f"SELECT JSON {what} FROM $t WHERE k = '{k}' AND c = 'x' AND d = {{1}}" for what in ("a", "b", "count(*)")], f"SELECT JSON b FROM $t WHERE k = '{k}'",
              f"SELECT JSON b FROM $t WHERE k = '{k}' AND a = 1 ALLOW FILTERING")
    for order in ("ASC", "DESC"):
        t.ask(f"SELECT JSON k, c FROM $t WHERE k IN ('static', 'live') ORDER BY c {order}")
    t.ask("SELECT JSON k FROM $t WHERE d CONTAINS 1 ALLOW FILTERING", "SELECT JSON k FROM $t WHERE z CONTAINS 1 ALLOW FILTERING",
          "SELECT JSON k FROM $t WHERE f = [1, blob_as_float(0x)] ALLOW FILTERING", "SELECT JSON k FROM $t WHERE k = '' AND c > 'a' AND c < 'a'", "SELECT JSON k FROM $t WHERE k = '' AND c > 'a'",
          "SELECT JSON m[{\"from\": 2, a: 1, count: 3}] FROM $t WHERE k = 'live'", "SELECT JSON m[{count: 3}] FROM $t WHERE k = 'live'", "SELECT JSON k FROM $t WHERE token(k) = token(blob_as_text(0x6c697665))")


@table("rows of which only elements that are not asked for are alive, older than the expired row marker; read from both ends", dumps="none")
def asked_for_elements(t):
    t.create("k text, c int, st set<int> static, s set<int>, m map<text, int>, l list<int>, b int, PRIMARY KEY (k, c)")
    both = "s = s + {-3, 1, 5}, m = m + {'a': 1, 'b': 2}"
    for k, old, what, new in (("both", 1, both, 2), ("tie", 2, both, 2), ("later", 3, both, 2), ("set", 1, "s = s + {-3, 1, 5}", 2), ("map", 1, "m = m + {'a': 1, 'b': 2}", 2), ("list", 1, "l = l + [1]", 2)):
        t.cql(f"UPDATE $t USING TIMESTAMP {old} SET {what} WHERE k = '{k}' AND c = 1")
        t.cql(f"INSERT INTO $t (k, c, b) VALUES ('{k}', 1, 2) USING TIMESTAMP {new} AND TTL 1")
    for old, element in ((1, 1), (3, 5)):
        t.cql(f"UPDATE $t USING TIMESTAMP {old} SET s = s + {{{element}}} WHERE k = 'mixed' AND c = 1")
    t.cql("INSERT INTO $t (k, c, b) VALUES ('mixed', 1, 2) USING TIMESTAMP 2 AND TTL 1")
    t.cql("UPDATE $t USING TIMESTAMP 1 SET s = s + {1} WHERE k = 'two' AND c = 1")
    t.insert("k, st", "'static', {1, 5}")
    t.cql("UPDATE $t USING TIMESTAMP 1 SET s = s + {1, 5}, m = m + {'a': 1, 'b': 2} WHERE k = 'live' AND c = 1")
    t.insert("k, c", "'live', 1")
    t.flush()
    t.cql("INSERT INTO $t (k, c, b) VALUES ('two', 1, 2) USING TIMESTAMP 2 AND TTL 1")
    t.flush()
    for what in ("s", "b", "s[5]", "s[7]", "s[-3]", "s[-9..-3]", "s[-2..0]", "s[5..-3]", "s[1..]", "s[..0]", "s[6..]", "s[-9..-4], s[5..9]", "s[7], s[1..2]", "s[1..5], s[2..3]", "s, s[7]",
                 "s[-3..1][7]", "s[7..9][1]", "writetime(s[7])", "maxwritetime(s[1..9])", "token(k), s[7]", "m['a']", "m['c']", "m['aa'..'bb']", "m['c'..'z']", "m['c'], m",
                 "m['c'], s[7]", "m['c'], s", "m['b'], s[7]", "st[1]", "st[1], s[7]", "st[7..9], m['c'..]"):
        t.ask(f"SELECT JSON k, {what} FROM $t")
    t.ask("SELECT JSON count(s[7]) FROM $t", "SELECT JSON k FROM $t WHERE s CONTAINS 1 ALLOW FILTERING")
    for what in ("b", "s[7]", "s[1]", "m['b'], s[7]", "s, m['c']"):
        t.ask(f"SELECT JSON k, {what} FROM $t WHERE k IN ('both', 'set', 'map', 'two', 'mixed') AND c = 1", f"SELECT JSON k, {what} FROM $t WHERE s CONTAINS 1 ALLOW FILTERING",
              f"SELECT JSON k, {what} FROM $t WHERE m['b'] = 2 ALLOW FILTERING", f"SELECT JSON k, {what} FROM $t WHERE k IN ('both', 'set', 'map', 'two', 'mixed') AND c IN (1, 2) ORDER BY c DESC")
        for k in ("both", "set", "map", "list", "two", "mixed", "live", "static"):
            t.ask(f"SELECT JSON k, {what} FROM $t WHERE k = '{k}' ORDER BY c DESC")
