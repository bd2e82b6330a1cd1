"""Tables of many columns, with any subset of them in a row, and wide keys."""

import random

from golden import register, table


def many_columns(n, static=False):
    def make(t):
        kind = " static" if static else ""
        t.create("k int, c int, " + ", ".join(f"c{i:02} int{kind}" for i in range(n)) + (", PRIMARY KEY (k, c)"))
        rng = random.Random(n)
        sizes = [n, 0, 1, 2, n // 2 - 1, n // 2, n // 2 + 1, n - 2, n - 1] + [rng.randrange(1, n) for _ in range(5)]
        for row, size in enumerate(sizes):
            chosen = sorted(rng.sample(range(n), size))
            values = ", ".join(str(row * 100 + i) for i in chosen)
            names = ", ".join(f"c{i:02}" for i in chosen)
            if static:
                t.insert(f"k{', ' if size else ', c'}{names}", f"{row}{', ' if size else ', 0'}{values}")
            else:
                t.insert(f"k, c{', ' if size else ''}{names}", f"{row % 2}, {row}{', ' if size else ''}{values}")
        t.flush()
        t.ask("SELECT JSON k, c00, c31, c32, c62 FROM $t", f"SELECT JSON c{n - 1:02} FROM $t WHERE k = 0", f"SELECT JSON k FROM $t WHERE c{n - 1:02} > 0 ALLOW FILTERING")
        if not static:
            t.ask("SELECT JSON c01, c61 FROM $t WHERE k = 0 AND c = 4")
    return make


for _n in (63, 64, 70):
    register(f"columns_{_n}", f"{_n} regular columns with all, none, few, half, most present", many_columns(_n), dumps="lines" if _n in (63, 70) else "metadata", auto=False)
register("columns_70_static", "70 static columns with all, none, few, half, most present", many_columns(70, static=True), dumps="metadata", auto=False)


@table("more than 64 columns of which some are collections, simple ones sorted first", dumps="lines")
def columns_mixed(t):
    t.create("k int PRIMARY KEY, " + ", ".join(f"c{i:02} {('int', 'set<int>', 'text')[i % 3]}" for i in range(66)))
    t.insert("k, c00, c01, c04, c63, c64, c65", "1, 0, {1}, {4}, 63, {64}, 'z'", "2, null, {}, null, 1, {64, 1}, ''")
    t.insert("k, c05", "3, 'x'")
    t.flush()
    t.ask("SELECT JSON k, c01, c64, c65 FROM $t")


@table("40 clustering columns, some values empty, with prefix deletions and slices", dumps="lines")
def clusterings_40(t):
    names = [f"c{i:02}" for i in range(40)]
    t.create("k int, " + ", ".join(f"{c} {'text' if i % 2 else 'int'}" for i, c in enumerate(names)) + ", v int, PRIMARY KEY (k, " + ", ".join(names) + ")")

    def values(row):
        return ", ".join((("''" if (i + row) % 3 else f"'t{i}'") if i % 2 else ("blobAsInt(0x)" if i == 38 and row % 2 else str((row >> (i // 10)) % 3))) for i in range(40))
    for row in range(12):
        t.insert("k, " + ", ".join(names) + ", v", f"1, {values(row)}, {row}")
    t.cql("DELETE FROM $t WHERE k = 1 AND c00 = 2 AND c01 > 'a'")
    t.cql("DELETE FROM $t WHERE k = 1 AND " + " AND ".join(f"{c} = {v}" for c, v in zip(names[:35], values(4).split(", "))))
    t.index_block_kib(0)
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE k = 1 AND c00 = 1", "SELECT JSON v FROM $t WHERE k = 1 AND c00 >= 1 ORDER BY c00 DESC" + "".join(f", {c} DESC" for c in names[1:]),
          "SELECT JSON v FROM $t WHERE k = 1 AND " + " AND ".join(f"{c} = {v}" for c, v in zip(names, values(3).split(", "))),
          "SELECT JSON v FROM $t WHERE k = 1 AND (c00, c01, c02) > (1, '', 0)", "SELECT JSON v FROM $t WHERE k = 1 AND c00 = 0 AND c01 IN ('', 't1')")


@table("partition keys of every length from 1 to 40 bytes, high bytes in them")
def key_lengths(t):
    t.create("k blob PRIMARY KEY, v int")
    for n in range(1, 41):
        t.insert("k, v", f"0x{bytes((0x80 + i * 37 + n) % 256 for i in range(n)).hex()}, {n}")
    t.flush()
    t.ask("SELECT JSON token(k), v FROM $t", "SELECT JSON v FROM $t WHERE token(k) > 0", f"SELECT JSON v FROM $t WHERE k = 0x{bytes((0x80 + i * 37 + 17) % 256 for i in range(17)).hex()}")


@table("partition keys that are prefixes of each other, of 0x00 and 0xff bytes")
def key_zeros(t):
    t.create("k blob PRIMARY KEY, v int")
    for i, k in enumerate(("00", "0000", "000000", "00ff", "00fe", "01", "ff", "ffff", "fe", "feff", "ff00", "61", "6100", "610000", "61ff")):
        t.insert("k, v", f"0x{k}, {i}")
    t.flush()
    t.ask(*[f"SELECT JSON v FROM $t WHERE k = 0x{k}" for k in ("00", "0000", "00ff", "ffff", "6100", "6101", "00000000")])


@table("composite partition keys with empty components, zero bytes and prefixes")
def key_composite(t):
    t.create("a text, b blob, c int, r int, v int, PRIMARY KEY ((a, b, c), r)")
    rows = ["'', 0x, 0", "'', 0x00, 0", "'a', 0x, 1", "'a', 0x00, 1", "'ab', 0x0000, -1", "'a', 0x62, 1", "'\u0000', 0x, 0", "'a', 0xff, blobAsInt(0x)", "'', 0x, blobAsInt(0x)"]
    t.insert("a, b, c, r, v", *[f"{k}, {i % 3}, {i}" for i, k in enumerate(rows)])
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE a = '' AND b = 0x AND c = 0", "SELECT JSON v FROM $t WHERE a = 'a' AND b = 0x62 AND c = 1 AND r = 2", "SELECT JSON a FROM $t WHERE token(a, b, c) > 0",
          "SELECT JSON v FROM $t WHERE a = 'a' AND b IN (0x, 0x00, 0x62) AND c = 1", "SELECT JSON v FROM $t WHERE a = 'a' AND b = 0x62", "SELECT JSON v FROM $t WHERE a = 'a' ALLOW FILTERING",
          "SELECT JSON token(a, b, c), v FROM $t", "SELECT JSON v FROM $t WHERE c = 1 ALLOW FILTERING", "SELECT JSON DISTINCT a, b, c FROM $t LIMIT 2",
          "SELECT JSON v FROM $t WHERE a = '' AND b = 0x AND c = blobAsInt(0x)")


@table("one partition key of the longest size, 65535 bytes", dumps="metadata", auto=False, versions=("oa", "da"))
def key_65535(t):
    t.create("k text PRIMARY KEY, v int")
    key = "k" * 65535
    # Its token lies between those of the short keys, so that the first and last keys in the metadata stay short.
    t.insert("k, v", f"'{key}', 1", "'short', 2", "'b', 3", "'c', 4", "'d', 5")
    t.flush()
    t.ask("SELECT JSON v FROM $t", "SELECT JSON v FROM $t WHERE k = 'short'", "SELECT JSON v FROM $t WHERE token(k) > token('short')")
