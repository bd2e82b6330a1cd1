"""How the columns of a row are told: many, some, dropped, added, oddly named; shadowable deletions."""

from older import table


@table("70 regular and 66 static columns of which rows have none, few, most or all; a map among them", versions=("ma", "me", "na"))
def columns_70(t):
    regular = [f"r{i:02}" for i in range(69)]
    static = [f"s{i:02}" for i in range(66)]
    t.create("k int, c int, " + ", ".join(f"{n} int" for n in regular) + ", zmap map<int, int>, " + ", ".join(f"{n} int static" for n in static)
             + ", PRIMARY KEY (k, c)")

    def row(k, c, chosen, using):
        t.insert(", ".join(["k", "c"] + [regular[i] for i in chosen]), ", ".join(str(x) for x in [k, c] + list(chosen)), using=using)

    row(1, 0, [], "USING TIMESTAMP 1")
    row(1, 1, [0], "USING TIMESTAMP 2")
    row(1, 2, [68], "USING TIMESTAMP 3")
    row(1, 3, range(0, 69, 2), "USING TIMESTAMP 4")
    row(1, 4, range(34), "USING TIMESTAMP 5")
    row(1, 5, [i for i in range(69) if i not in (5, 64, 67)], "USING TIMESTAMP 6")
    row(1, 6, range(69), "USING TIMESTAMP 7")
    t.cql("UPDATE $t USING TIMESTAMP 8 SET zmap = {1: 2}, r63 = 9 WHERE k = 1 AND c = 6")
    t.cql("UPDATE $t USING TIMESTAMP 9 SET zmap[7] = 8 WHERE k = 1 AND c = 7")
    t.cql("DELETE r01, r62, zmap FROM $t USING TIMESTAMP 10 WHERE k = 1 AND c = 8")
    t.insert("k, s00, s63, s65", "1, 0, 63, 65", using="USING TIMESTAMP 11")
    t.insert(", ".join(["k"] + static), ", ".join(["2"] + [str(i) for i in range(66)]), using="USING TIMESTAMP 12")
    t.insert(", ".join(["k"] + static[1:]), ", ".join(["3"] + [str(i) for i in range(1, 66)]), using="USING TIMESTAMP 13")
    t.flush()
    t.ask("SELECT JSON r00, r63, r68, zmap FROM $t WHERE k = 1", "SELECT JSON s00, s63, s65 FROM $t WHERE k = 3", "SELECT JSON c FROM $t WHERE r68 = 68 ALLOW FILTERING")


@table("columns dropped, dropped and added again, and added between two SSTables; a dropped map and a dropped static")
def evolved(t):
    # The node's first table knows every column of both files.
    first = "k int, c int, kept text, dropped int, again text, m map<text, int>, s int static, PRIMARY KEY (k, c)"
    t.create(first)
    t.insert("k, c, kept, dropped, again, m, s", "1, 1, 'a', 1, 'old', {'x': 1}, 5", "1, 2, 'b', 2, null, {}, 6", using="USING TIMESTAMP 1000")
    t.insert("k, c, dropped", "1, 3, 3", using="USING TIMESTAMP 1001")
    t.cql("UPDATE $t USING TIMESTAMP 1002 SET dropped = 4, m['y'] = 2 WHERE k = 1 AND c = 4")
    t.cql("UPDATE $t USING TIMESTAMP 1003 SET s = 7 WHERE k = 2")
    t.cql("DELETE m FROM $t USING TIMESTAMP 1004 WHERE k = 1 AND c = 5")
    t.flush()
    t.create("k int, c int, kept text, again text, PRIMARY KEY (k, c)")
    t.insert("k, c, kept, again", "1, 1, 'a2', 'before the drop'", "1, 6, 'f', 'before the drop'", using="USING TIMESTAMP 1500")
    t.insert("k, c, kept, again", "3, 1, 'c', 'after the drop'", using="USING TIMESTAMP 2500")
    t.flush()
    t.alter("DROP dropped USING TIMESTAMP 2000")
    t.alter("DROP again USING TIMESTAMP 2000")
    t.alter("DROP m USING TIMESTAMP 2000")
    t.alter("DROP s USING TIMESTAMP 2000")
    t.alter("ADD again text")
    t.alter("ADD added int")
    t.ask("SELECT JSON * FROM $t WHERE k = 1", "SELECT JSON kept, again, writetime(again) FROM $t", "SELECT JSON k, c FROM $t WHERE again = 'old' ALLOW FILTERING",
          "SELECT JSON dropped FROM $t", "SELECT JSON * FROM $t WHERE k = 2")


@table("row deletions that are shadowable, as views of 3.0 have them, below and above the row's own timestamp; two SSTables", versions=("ma", "mc", "md", "me", "na"))
def shadowable(t):
    t.create("k int, c int, v text, w int, PRIMARY KEY (k, c)")
    t.shadowable("DELETE FROM $t USING TIMESTAMP 10 WHERE k = 1 AND c = 1")
    t.shadowable("DELETE FROM $t USING TIMESTAMP 10 WHERE k = 1 AND c = 2")
    t.insert("k, c, v, w", "1, 2, 'younger marker', 1", using="USING TIMESTAMP 11")
    t.shadowable("DELETE FROM $t USING TIMESTAMP 20 WHERE k = 1 AND c = 3")
    t.insert("k, c, v", "1, 3, 'shadowed'", using="USING TIMESTAMP 11")
    t.shadowable("DELETE FROM $t USING TIMESTAMP 20 WHERE k = 1 AND c = 4")
    t.cql("UPDATE $t USING TIMESTAMP 21 SET v = 'cell alone' WHERE k = 1 AND c = 4")
    t.insert("k, c, v, w", "1, 5, 'first file', 5", "1, 6, 'first file', 6", "1, 7, 'first file', 7", using="USING TIMESTAMP 30")
    t.cql("DELETE FROM $t USING TIMESTAMP 10 WHERE k = 1 AND c = 8")
    t.flush()
    t.shadowable("DELETE FROM $t USING TIMESTAMP 40 WHERE k = 1 AND c = 5")
    t.shadowable("DELETE FROM $t USING TIMESTAMP 40 WHERE k = 1 AND c = 6")
    t.insert("k, c, v", "1, 6, 'back again'", using="USING TIMESTAMP 41")
    t.shadowable("DELETE FROM $t USING TIMESTAMP 30 WHERE k = 1 AND c = 7")
    t.insert("k, c, w", "1, 1, 11", using="USING TIMESTAMP 12")
    t.shadowable("DELETE FROM $t USING TIMESTAMP 10 WHERE k = 1 AND c = 8")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1 AND c = 6", "SELECT JSON * FROM $t WHERE k = 1 ORDER BY c DESC", "SELECT JSON c, v FROM $t WHERE v = 'shadowed' ALLOW FILTERING")


@table("names that are keywords, quoted or long, of the table itself too", name="ttl", versions=("ma", "me"))
def ttl(t):
    long = "n" * 140
    t.create(f"key int, \"Token\" text, ttl int, \"select\" text, \"with \"\"quotes\"\"\" int, \"\u00fc\" int, {long} int, value text, writetime int static, PRIMARY KEY (key, \"Token\")")
    t.insert(f"key, \"Token\", ttl, \"select\", \"with \"\"quotes\"\"\", \"\u00fc\", {long}, value, writetime", "1, 'a', 2, 's', 3, 4, 5, 'v', 6", using="USING TIMESTAMP 1")
    t.flush()
    t.ask("SELECT JSON ttl, ttl(ttl), \"select\" FROM $t WHERE key = 1 AND \"Token\" = 'a'", "SELECT JSON \"with \"\"quotes\"\"\" AS q, \"\u00fc\" AS \"U\" FROM $t",
          "SELECT JSON writetime, writetime(value) FROM $t WHERE key = 1")


@table("rows and bounds of clustering columns that are empty, again and again, and 33 of them", versions=("ma", "me"))
def clusterings_33(t):
    names = [f"c{i:02}" for i in range(33)]
    t.create("k int, " + ", ".join(f"{n} {('text', 'int', 'blob')[i % 3]}" for i, n in enumerate(names)) + f", v int, PRIMARY KEY (k, {', '.join(names)})",
             f"CLUSTERING ORDER BY ({', '.join(n + (' DESC' if i % 4 == 3 and t.version != 'ma' else ' ASC') for i, n in enumerate(names))})")
    full, empty = ("'t'", "7", "0x01"), ("''", "blobAsInt(0x)", "0x")
    for row, is_empty in enumerate((lambda i: False, lambda i: True, lambda i: i % 2, lambda i: i >= 31, lambda i: i == 32)):
        t.insert(", ".join(["k"] + names + ["v"]), ", ".join(["1"] + [(empty if is_empty(i) else full)[i % 3] for i in range(33)] + [str(row)]), using="USING TIMESTAMP 5")
    t.cql("DELETE FROM $t USING TIMESTAMP 4 WHERE k = 1 AND c00 = ''")
    t.cql("DELETE FROM $t USING TIMESTAMP 6 WHERE k = 1 AND c00 = 't' AND c01 = blobAsInt(0x) AND c02 > 0x")
    t.flush()
    t.ask("SELECT JSON v FROM $t WHERE k = 1 AND c00 = ''", "SELECT JSON v FROM $t WHERE k = 1 AND c00 = 't' AND c01 = 7",
          "SELECT JSON v FROM $t WHERE k = 1 AND c00 > ''")
