"""Every state of a row: liveness, expiry, deletions of each reach, statics, range tombstones, crafted oddities."""

from golden import READ_NOW, WRITE_NOW, table

T = WRITE_NOW * 1_000_000
TEN_YEARS = 315_360_000   # expires in 2033, which every format can say
ONE_HOUR = 3600           # expired long before READ_NOW


@table("row marker only, INSERT with nulls, UPDATE-only rows, UPDATE of nulls (no row), rows whose cells went")
def row_liveness(t):
    t.create("k int, c int, v int, w text, PRIMARY KEY (k, c)")
    t.insert("k, c", "1, 1")
    t.insert("k, c, v, w", "1, 2, null, null", "1, 3, 3, 'x'", "1, 4, 4, null")
    t.cql("UPDATE $t SET v = 5 WHERE k = 1 AND c = 5")
    t.cql("UPDATE $t SET v = null, w = null WHERE k = 1 AND c = 6")
    t.cql("UPDATE $t SET v = 7 WHERE k = 1 AND c = 7")
    t.cql("DELETE v FROM $t WHERE k = 1 AND c = 7")
    t.cql("UPDATE $t SET v = 8 WHERE k = 2 AND c = 8")
    t.cql("DELETE v FROM $t WHERE k = 2 AND c = 8")
    t.insert("k, c, v", "3, 1, 1")
    t.cql("DELETE v FROM $t WHERE k = 3 AND c = 1")
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE k = 1 AND c = 1", "SELECT JSON c FROM $t WHERE k = 1 AND c = 6", "SELECT JSON w FROM $t WHERE k = 1 AND c = 5",
          "SELECT JSON * FROM $t WHERE k = 2", "SELECT JSON k, c FROM $t WHERE v > 3 ALLOW FILTERING", "SELECT JSON DISTINCT k FROM $t WHERE k = 2")


@table("a table with only a partition key")
def only_key(t):
    t.create("k text PRIMARY KEY")
    t.insert("k", "'a'", "'b'", "'c'")
    t.cql("DELETE FROM $t WHERE k = 'b'")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 'a'", "SELECT JSON k FROM $t WHERE k IN ('c', 'b', 'a')")


@table("a table with only key columns, composite partition key and two clusterings")
def only_keys(t):
    t.create("a int, b text, c int, d text, PRIMARY KEY ((a, b), c, d)")
    t.insert("a, b, c, d", "1, 'x', 1, 'p'", "1, 'x', 1, 'q'", "1, '', 2, ''", "-1, 'y', 0, 'z'")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE a = 1 AND b = 'x'", "SELECT JSON * FROM $t WHERE a IN (1, -1) AND b IN ('x', 'y')",
          "SELECT JSON a FROM $t WHERE token(a, b) > token(1, 'x')", "SELECT JSON d FROM $t WHERE a = 1 AND b = '' AND c = 2 AND d = ''",
          "SELECT JSON * FROM $t WHERE a = 1 AND b = 'x' AND (c, d) >= (1, 'q')", "SELECT JSON * FROM $t WHERE a = 1 ALLOW FILTERING",
          "SELECT JSON * FROM $t WHERE a = 1", "SELECT JSON * FROM $t WHERE d = 'p' ALLOW FILTERING")


@table("TTLs: live and expired rows and cells, cell TTL that differs from the row's, none over some, on statics and collections")
def expiring(t):
    t.create("k int, c int, s text static, v int, w int, l list<int>, m map<text, int>, PRIMARY KEY (k, c)")
    t.insert("k, c, v, w", "1, 1, 1, 1", using=f"USING TTL {TEN_YEARS}")
    t.insert("k, c, v, w", "1, 2, 2, 2", using=f"USING TTL {ONE_HOUR}")
    t.insert("k, c, v, w", "1, 3, 3, 3")
    t.cql(f"UPDATE $t USING TTL {TEN_YEARS} SET w = 30 WHERE k = 1 AND c = 3")
    t.insert("k, c, v, w", "1, 4, 4, 4")
    t.cql(f"UPDATE $t USING TTL {ONE_HOUR} SET w = 40 WHERE k = 1 AND c = 4")
    t.insert("k, c, v", "1, 5, 5", using=f"USING TTL {ONE_HOUR}")
    t.cql("UPDATE $t SET w = 50 WHERE k = 1 AND c = 5")
    t.insert("k, c, v, w", "1, 6, 6, 6", using=f"USING TTL {TEN_YEARS}")
    t.cql(f"UPDATE $t USING TTL {TEN_YEARS - 1000} SET w = 60 WHERE k = 1 AND c = 6")
    t.cql("DELETE v FROM $t WHERE k = 1 AND c = 6")
    t.cql(f"UPDATE $t USING TTL {TEN_YEARS} SET l = [1, 2], m = {{'a': 1}} WHERE k = 2 AND c = 1")
    t.cql(f"UPDATE $t USING TTL {ONE_HOUR} SET l = l + [3], m['b'] = 2 WHERE k = 2 AND c = 1")
    t.cql("UPDATE $t SET l = l + [4], m['c'] = 3 WHERE k = 2 AND c = 1")
    t.cql(f"UPDATE $t USING TTL {ONE_HOUR} SET s = 'gone' WHERE k = 3")
    t.cql(f"UPDATE $t USING TTL {TEN_YEARS} SET s = 'here' WHERE k = 4")
    t.cql(f"UPDATE $t USING TTL {ONE_HOUR} SET v = 1 WHERE k = 5 AND c = 1")
    t.insert("k, c, v", "6, 1, 1", using=f"USING TTL {READ_NOW - WRITE_NOW}")
    t.insert("k, c, v", "6, 2, 1", using=f"USING TTL {READ_NOW - WRITE_NOW + 1}")
    t.flush()
    t.ask("SELECT JSON ttl(v), ttl(w), writetime(w) FROM $t WHERE k = 1", "SELECT JSON ttl(s) FROM $t WHERE k = 4", "SELECT JSON c FROM $t WHERE k = 1 AND ttl(v) > 1",
          "SELECT JSON * FROM $t WHERE k = 6", "SELECT JSON DISTINCT k, s FROM $t", "SELECT JSON c FROM $t WHERE w = 4 ALLOW FILTERING")


@table("default_time_to_live with overriding TTLs, and TTL 0")
def default_ttl(t):
    t.create("k int PRIMARY KEY, v int", f"default_time_to_live = {TEN_YEARS}")
    t.insert("k, v", "1, 1")
    t.insert("k, v", "2, 2", using="USING TTL 0")
    t.insert("k, v", "3, 3", using=f"USING TTL {ONE_HOUR}")
    t.flush()


@table("the longest TTL, 20 years, and expiry beyond 2038", versions=("oa", "da"))
def ttl_20_years(t):
    t.create("k int, c int, v int, PRIMARY KEY (k, c)")
    t.insert("k, c, v", "1, 1, 1", using="USING TTL 630720000")
    t.insert("k, c, v", "1, 2, 2", using="USING TTL 630719999", now=3_000_000_000)
    t.insert("k, c, v", "1, 3, 3")
    t.insert("k, c, v", "2, 1, 1", using="USING TTL 1", now=4_294_967_200)
    t.cql("DELETE FROM $t WHERE k = 2 AND c = 9", now=4_294_967_293)
    t.flush()


@table("partition, row, range, collection and cell deletions, with newer and older data around them")
def deletions(t):
    t.create("k int, c int, v int, l list<int>, m map<text, int>, PRIMARY KEY (k, c)")
    t.insert("k, c, v, l, m", *[f"{k}, {c}, {c}, [{c}, 2], {{'a': {c}, 'b': 2}}" for k in range(1, 6) for c in range(1, 4)], ts=T + 10)
    t.cql("DELETE FROM $t WHERE k = 1", ts=T + 20)
    t.insert("k, c, v", "1, 2, 22", ts=T + 21)
    t.cql("DELETE FROM $t WHERE k = 2", ts=T + 20)
    t.cql("DELETE FROM $t WHERE k = 3 AND c = 1", ts=T + 20)
    t.cql("DELETE FROM $t WHERE k = 3 AND c = 2", ts=T + 5)
    t.cql("DELETE FROM $t WHERE k = 3 AND c = 3", ts=T + 20)
    t.insert("k, c, v", "3, 3, 33", ts=T + 30)
    t.cql("DELETE FROM $t WHERE k = 3 AND c = 9", ts=T + 20)
    t.cql("DELETE v, l FROM $t WHERE k = 4 AND c = 1", ts=T + 20)
    t.cql("DELETE m['a'] FROM $t WHERE k = 4 AND c = 2", ts=T + 20)
    t.cql("UPDATE $t SET l = [7], m = {'z': 7} WHERE k = 4 AND c = 3", ts=T + 20)
    t.cql("DELETE FROM $t WHERE k = 5 AND c >= 2 AND c < 4", ts=T + 20)
    t.cql("DELETE l FROM $t WHERE k = 5 AND c = 7", ts=T + 20)
    t.cql("DELETE FROM $t WHERE k = 6", ts=T + 20)
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1", "SELECT JSON * FROM $t WHERE k = 2", "SELECT JSON c FROM $t WHERE k = 3 AND c IN (1, 2, 3)",
          "SELECT JSON l, m FROM $t WHERE k = 4", "SELECT JSON c FROM $t WHERE k = 5 AND c > 1", "SELECT JSON DISTINCT k FROM $t WHERE token(k) > token(1)")


@table("statics: alone in a partition, with deleted rows, deleted themselves, overwritten, partition deletion around them")
def statics(t):
    t.create("k int, c int, s text static, s2 int static, l set<int> static, v int, PRIMARY KEY (k, c)")
    t.insert("k, s, s2, l", "1, 'alone', 1, {1, 2}")
    t.insert("k, s", "2, 's'")
    t.insert("k, c, v", "2, 1, 1", "2, 2, 2")
    t.cql("DELETE FROM $t WHERE k = 2 AND c = 1")
    t.cql("DELETE FROM $t WHERE k = 2 AND c = 2")
    t.insert("k, c, s, v", "3, 1, 's3', 3")
    t.cql("DELETE s FROM $t WHERE k = 3")
    t.insert("k, s", "4, 'dead'")
    t.cql("DELETE FROM $t WHERE k = 4")
    t.insert("k, s", "5, 'old'", ts=T + 5000)
    t.cql("DELETE FROM $t WHERE k = 5", ts=T + 5001)
    t.insert("k, s2", "5, 5", ts=T + 5002)
    t.insert("k, s", "6, null")
    t.insert("k, c, v", "7, 1, 1", "7, 2, 2")
    t.insert("k, s", "8, 's8'")
    t.cql("DELETE FROM $t WHERE k = 8 AND c > 1")
    t.insert("k, c, s", "9, 1, 'marker'")
    t.flush()
    t.ask("SELECT JSON s FROM $t WHERE k = 1", "SELECT JSON DISTINCT k, s, s2 FROM $t", "SELECT JSON k, s FROM $t WHERE k = 2", "SELECT JSON k, c FROM $t WHERE k = 2 AND c = 1",
          "SELECT JSON k, s FROM $t WHERE k = 2 AND c > 0", "SELECT JSON k, c, s FROM $t WHERE s = 's8' ALLOW FILTERING", "SELECT JSON k FROM $t WHERE l CONTAINS 2 ALLOW FILTERING",
          "SELECT JSON k FROM $t WHERE v = 1 ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE k IN (1, 7) LIMIT 2", "SELECT JSON s FROM $t WHERE k = 1 ORDER BY c DESC",
          "SELECT JSON DISTINCT k, s FROM $t WHERE k IN (1, 2, 3)", "SELECT JSON DISTINCT s FROM $t LIMIT 1", "SELECT JSON DISTINCT v FROM $t", "SELECT JSON count(s), count(v) FROM $t",
          "SELECT JSON k, c FROM $t WHERE c = 1 ALLOW FILTERING")


@table("range tombstones: every bound kind, prefix bounds, boundaries, overlaps of different age, whole-partition slices")
def range_tombstones(t):
    t.create("k int, a int, b int, v int, PRIMARY KEY (k, a, b)")
    t.insert("k, a, b, v", *[f"{k}, {a}, {b}, {a * 10 + b}" for k in range(1, 7) for a in range(1, 5) for b in (1, 2)], ts=T + 10)
    for q, ts in (("k = 1 AND a = 1", 20), ("k = 1 AND a = 2 AND b > 1", 20), ("k = 1 AND a = 3 AND b <= 1", 20), ("k = 1 AND a > 3", 20),
                  ("k = 2 AND a > 1 AND a < 4", 20), ("k = 2 AND a >= 3", 30), ("k = 2 AND a <= 1", 30),
                  ("k = 3 AND a >= 1 AND a <= 4", 20), ("k = 3 AND a >= 2 AND a <= 3", 30), ("k = 3 AND a = 3 AND b >= 2", 40),
                  ("k = 4 AND (a, b) > (1, 1) AND (a, b) <= (3, 1)", 20), ("k = 4 AND (a, b) >= (4, 2)", 20), ("k = 4 AND (a, b) < (1, 1)", 20),
                  ("k = 5 AND a < 3", 5), ("k = 5 AND a >= 3", 15), ("k = 7 AND a > 5", 20), ("k = 7 AND a < 5", 20)):
        t.cql(f"DELETE FROM $t WHERE {q}", ts=T + ts)
    t.insert("k, a, b, v", "1, 1, 1, 111", "3, 3, 1, 331", ts=T + 35)
    # the whole partition as a slice, and slices that touch: exclusive end on inclusive start and the reverse
    t.craft(key="00000006", ranges=[{"start": [], "end": [], "deletion": [T + 8, WRITE_NOW]},
                                    {"start": ["00000001"], "end": ["00000002"], "endInclusive": False, "deletion": [T + 20, WRITE_NOW]},
                                    {"start": ["00000002"], "end": ["00000002", "00000001"], "deletion": [T + 21, WRITE_NOW]},
                                    {"start": ["00000002", "00000001"], "startInclusive": False, "end": ["00000003"], "deletion": [T + 22, WRITE_NOW]}])
    t.flush()
    for k in range(1, 8):
        t.ask(f"SELECT JSON a, b, v FROM $t WHERE k = {k}")
    t.ask("SELECT JSON a, b FROM $t WHERE k = 3 AND a = 3", "SELECT JSON a, b FROM $t WHERE k = 4 AND (a, b) > (1, 1) ORDER BY a DESC, b DESC",
          "SELECT JSON a, b FROM $t WHERE k = 2 AND a IN (1, 4)", "SELECT JSON a, b FROM $t WHERE k = 3 AND a >= 3 ORDER BY a DESC LIMIT 1")


@table("range tombstones over reversed and mixed clusterings, with rows between")
def range_tombstones_reversed(t):
    t.create("k int, a int, b text, v int, PRIMARY KEY (k, a, b)", "CLUSTERING ORDER BY (a DESC, b ASC)")
    t.insert("k, a, b, v", *[f"{k}, {a}, '{b}', {a}" for k in range(1, 4) for a in range(1, 6) for b in "xy"], ts=T + 10)
    for q, ts in (("k = 1 AND a > 2 AND a <= 4", 20), ("k = 1 AND a = 5 AND b > 'x'", 20), ("k = 2 AND a < 3", 20), ("k = 2 AND a >= 3 AND a < 5", 30),
                  ("k = 3 AND a >= 2", 20), ("k = 3 AND a <= 3", 25), ("k = 3 AND a = 3 AND b <= 'x'", 30)):
        t.cql(f"DELETE FROM $t WHERE {q}", ts=T + ts)
    t.flush()
    for k in range(1, 4):
        t.ask(f"SELECT JSON a, b FROM $t WHERE k = {k}", f"SELECT JSON a, b FROM $t WHERE k = {k} ORDER BY a ASC, b DESC",
              f"SELECT JSON a, b FROM $t WHERE k = {k} AND a > 2", f"SELECT JSON a, b FROM $t WHERE k = {k} AND (a) <= (3)")


@table("timestamps negative, zero, far apart and at the ends")
def timestamps(t):
    t.create("k int, c int, v int, w int, PRIMARY KEY (k, c)")
    t.insert("k, c, v", "1, 1, 1", using="USING TIMESTAMP 0")
    t.insert("k, c, v", "1, 2, 2", using="USING TIMESTAMP -1")
    t.insert("k, c, v", "1, 3, 3", using="USING TIMESTAMP -9223372036854775807")
    t.insert("k, c, v", "1, 4, 4", using="USING TIMESTAMP 9223372036854775807")
    t.cql("UPDATE $t USING TIMESTAMP 1 SET w = 1 WHERE k = 1 AND c = 1")
    t.cql("UPDATE $t USING TIMESTAMP -62135596800000000 SET w = 2 WHERE k = 1 AND c = 2")
    t.cql("DELETE w FROM $t USING TIMESTAMP -5 WHERE k = 1 AND c = 4")
    t.cql("DELETE FROM $t USING TIMESTAMP 0 WHERE k = 2")
    t.cql("DELETE FROM $t USING TIMESTAMP -3 WHERE k = 3 AND c = 1")
    t.insert("k, c, v", "3, 1, 1", using="USING TIMESTAMP -3")
    t.insert("k, c, v", "3, 2, 2", using="USING TIMESTAMP -2")
    t.cql("DELETE FROM $t USING TIMESTAMP -4 WHERE k = 3 AND c > 1")
    t.insert("k, c, v", "2, 1, 1", using="USING TIMESTAMP 0")
    t.insert("k, c, v", "2, 2, 2", using="USING TIMESTAMP 1")
    t.flush()


@table("a partition deletion with a negative timestamp, which oa and da cannot say", versions=("nb",))
def negative_partition_deletion(t):
    t.create("k int, c int, v int, PRIMARY KEY (k, c)")
    t.insert("k, c, v", "1, 1, 1", using="USING TIMESTAMP -10")
    t.insert("k, c, v", "1, 2, 2", using="USING TIMESTAMP -2")
    t.cql("DELETE FROM $t USING TIMESTAMP -5 WHERE k = 1")
    t.flush()


@table("shadowable row deletions and expired liveness in an ordinary table (crafted)")
def shadowable(t):
    t.create("k int, c int, v int, w int, PRIMARY KEY (k, c)")

    def cell(column, value, ts):
        return {"column": column, "timestamp": T + ts, "value": f"{value:08x}"}
    dead = 2_147_483_647
    t.craft(key="00000001", rows=[
        {"clustering": ["00000001"], "deletion": [T + 10, WRITE_NOW], "shadowable": True},
        {"clustering": ["00000002"], "liveness": [T + 20, 0, 2**63 - 1], "deletion": [T + 10, WRITE_NOW], "shadowable": True, "cells": [cell("v", 2, 20)]},
        {"clustering": ["00000003"], "deletion": [T + 10, WRITE_NOW], "shadowable": True, "cells": [cell("v", 3, 11)]},
        {"clustering": ["00000004"], "liveness": [T + 10, dead, WRITE_NOW], "cells": [cell("v", 4, 11)]},
        {"clustering": ["00000005"], "liveness": [T + 10, dead, WRITE_NOW]},
        {"clustering": ["00000006"], "deletion": [T + 10, WRITE_NOW], "cells": [cell("v", 6, 11)]}])
    t.flush()
    t.craft(key="00000001", rows=[
        {"clustering": ["00000001"], "liveness": [T + 11, 0, 2**63 - 1], "cells": [cell("v", 1, 5), cell("w", 1, 11)]},
        {"clustering": ["00000003"], "cells": [cell("w", 3, 9)]},
        {"clustering": ["00000004"], "liveness": [T + 10, 0, 2**63 - 1]},
        {"clustering": ["00000005"], "liveness": [T + 11, 0, 2**63 - 1], "cells": [cell("v", 5, 11)]}])
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1 AND c = 1", "SELECT JSON c FROM $t WHERE k = 1")


@table("counters with global, local and remote shards, alone and merged (crafted)")
def counter_shards(t):
    t.create("k int, c int, v counter, PRIMARY KEY (k, c)")

    def row(c, ts, *shards):
        return {"clustering": [f"{c:08x}"], "cells": [{"column": "v", "timestamp": T + ts, "shards": shards}]}
    t.craft(key="00000001", rows=[
        row(1, 1, ["global", 1, 5, 10]), row(2, 1, ["local", 1, 5, 10]), row(3, 1, ["remote", 1, 5, 10]),
        row(4, 1, ["global", 1, 1, 100], ["local", 2, 1, 20], ["remote", 3, 1, 3]),
        row(5, 1, ["local", 1, 3, 7]), row(6, 1, ["remote", 1, 3, 7]), row(7, 1, ["global", 1, 3, 7]),
        row(8, 1, ["remote", 1, -3, 7], ["remote", 2, 5, 1]), row(9, 1, ["global", 7, 2, -9223372036854775808])])
    t.flush()
    t.craft(key="00000001", rows=[
        row(4, 2, ["remote", 1, 9, 1], ["global", 2, 1, 50], ["local", 3, 1, 4]),
        row(5, 2, ["local", 1, 4, 8]), row(6, 2, ["remote", 1, 4, 9]), row(7, 2, ["global", 1, 2, 70]),
        row(8, 2, ["remote", 1, -4, 8], ["remote", 2, 0, 5])])
    t.flush()
    t.craft(key="00000001", rows=[
        {"clustering": ["00000006"], "cells": [{"column": "v", "timestamp": T + 1, "ldt": WRITE_NOW, "value": ""}]}, row(7, 1, ["global", 1, 3, 9])])
    t.flush()


@table("the base table of a materialized view (`view_of_base`): shadowable deletions and strict liveness as Cassandra writes them")
def view_base(t):
    t.create("k int PRIMARY KEY, v int, w int")
    view = t.view("view_of_base", "SELECT k, v, w FROM $t WHERE k IS NOT NULL AND v IS NOT NULL PRIMARY KEY (v, k)")
    for k in range(1, 5):
        t.insert("k, v, w", f"{k}, {k * 10}, {k}", ts=T + 10)
    t.flush()
    t.cql("UPDATE $t SET v = 11 WHERE k = 1", ts=T + 20)
    t.cql("UPDATE $t SET v = 10 WHERE k = 1", ts=T + 30)
    t.cql("DELETE v FROM $t WHERE k = 2", ts=T + 20)
    t.cql("DELETE FROM $t WHERE k = 3", ts=T + 20)
    t.cql(f"UPDATE $t USING TTL {ONE_HOUR} SET v = 44 WHERE k = 4", ts=T + 20)
    t.flush()
    view.ask("SELECT JSON * FROM $t WHERE v = 10", "SELECT JSON * FROM $t WHERE v = 44")
