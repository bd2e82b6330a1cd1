"""Writes test-data/commitlog: commitlog.py [NAME...]

`<name>/` holds segments of a live node, its `schema.cql`, and Cassandra's `answers.jsonl` to `SELECT JSON *` of each table, which
come from the memtables that the same mutations made. Zeros behind the last sync marker are cut. In no segment a table was ever
flushed.
"""

import glob
import os
import shutil
import sys

from golden import READ_NOW, WRITE_NOW, Node, write_answers

OUT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "commitlog")

# name -> version of SSTables (and with it of the log), compressor
CASES = {
    "v7": ("nb", None), "v8": ("oa", None), "v7_lz4": ("nb", "LZ4Compressor"), "v8_lz4": ("oa", "LZ4Compressor"), "v8_snappy": ("oa", "SnappyCompressor"),
    "v8_deflate": ("oa", "DeflateCompressor"), "v8_zstd": ("oa", "ZstdCompressor"),
}

CREATE = """
CREATE TABLE log.simple (k int PRIMARY KEY, v text, n int) WITH ID = 10000000-0000-4000-8000-000000000001
CREATE TABLE log.wide (k text, c int, d timestamp, s text static, m map<text, int> static, l list<int>, t set<text>, u frozen<list<text>>, v blob, PRIMARY KEY ((k), c, d)) WITH CLUSTERING ORDER BY (c ASC, d DESC) AND ID = 10000000-0000-4000-8000-000000000002
CREATE TABLE log.pairs (a int, b text, c uuid, v decimal, w duration, PRIMARY KEY ((a, b), c)) WITH ID = 10000000-0000-4000-8000-000000000003
CREATE TABLE log.counts (k int PRIMARY KEY, n counter) WITH ID = 10000000-0000-4000-8000-000000000004
CREATE TABLE log.changed (k int PRIMARY KEY, a int, gone text, b int) WITH ID = 10000000-0000-4000-8000-000000000005
CREATE TABLE log.many (k int PRIMARY KEY, %s) WITH ID = 10000000-0000-4000-8000-000000000006
CREATE TABLE log.unknown (k int PRIMARY KEY, v int) WITH ID = 10000000-0000-4000-8000-000000000007
""" % ", ".join(f"c{i} int" for i in range(70))

CHANGE = """
INSERT INTO log.simple (k, v, n) VALUES (1, 'one', 11)
INSERT INTO log.simple (k, v) VALUES (2, 'two')
INSERT INTO log.simple (k) VALUES (3)
UPDATE log.simple SET n = 4 WHERE k = 4
INSERT INTO log.simple (k, v, n) VALUES (5, 'short', 5) USING TTL 600
INSERT INTO log.simple (k, v, n) VALUES (6, 'lasting', 6) USING TTL LASTING
UPDATE log.simple USING TTL LASTING SET v = 'lives' WHERE k = 1
DELETE n FROM log.simple WHERE k = 1
INSERT INTO log.simple (k, v, n) VALUES (7, '', null)
INSERT INTO log.simple (k, v, n) VALUES (8, 'gone', 8)
DELETE FROM log.simple WHERE k = 8
INSERT INTO log.wide (k, s, m) VALUES ('a', 'static', {'x': 1, 'y': 2})
INSERT INTO log.wide (k, c, d, l, t, u, v) VALUES ('a', 1, '2020-01-01', [1, 2, 3], {'p', 'q'}, ['f', ''], 0x00ff)
INSERT INTO log.wide (k, c, d, v) VALUES ('a', 2, '2020-01-02', 0x02)
INSERT INTO log.wide (k, c, d, v) VALUES ('a', 2, '2020-01-03', 0x03)
INSERT INTO log.wide (k, c, d, v) VALUES ('a', 3, '2020-01-04', 0x04)
INSERT INTO log.wide (k, c, d, v) VALUES ('a', 4, '2020-01-05', 0x05)
UPDATE log.wide SET l = l + [4], t = t - {'p'}, m = m + {'z': 3} WHERE k = 'a' AND c = 1 AND d = '2020-01-01'
UPDATE log.wide SET m = m + {'z': 3}, s = 'newer' WHERE k = 'a'
DELETE FROM log.wide WHERE k = 'a' AND c = 2
DELETE FROM log.wide WHERE k = 'a' AND c > 3 AND c <= 9
DELETE FROM log.wide WHERE k = 'a' AND c = 3 AND d = '2020-01-04'
DELETE m['x'] FROM log.wide WHERE k = 'a'
INSERT INTO log.wide (k, c, d, v) VALUES ('b', 1, '2021-01-01', 0x0b)
DELETE FROM log.wide WHERE k = 'b'
INSERT INTO log.wide (k, c, d, u) VALUES ('b', 2, '2021-01-01', ['after'])
BEGIN UNLOGGED BATCH INSERT INTO log.wide (k, c, d, v) VALUES ('c', 1, '2021-01-01', 0x01); INSERT INTO log.wide (k, c, d, l) VALUES ('c', 2, '2021-01-01', [7]); UPDATE log.wide SET s = 'of c' WHERE k = 'c'; DELETE FROM log.wide WHERE k = 'c' AND c >= 5; APPLY BATCH
BEGIN UNLOGGED BATCH INSERT INTO log.simple (k, v) VALUES (20, 'both'); INSERT INTO log.changed (k, a, gone) VALUES (20, 1, 'x'); APPLY BATCH
BEGIN BATCH INSERT INTO log.simple (k, v) VALUES (21, 'logged'); INSERT INTO log.changed (k, a, gone) VALUES (22, 1, 'x'); APPLY BATCH
INSERT INTO log.pairs (a, b, c, v, w) VALUES (1, 'b', 123e4567-e89b-42d3-a456-426614174000, -1.50, 1mo2d3ns)
INSERT INTO log.pairs (a, b, c, v) VALUES (1, '', 123e4567-e89b-42d3-a456-426614174001, 1e10)
UPDATE log.counts SET n = n + 5 WHERE k = 1
UPDATE log.counts SET n = n - 7 WHERE k = 1
UPDATE log.counts SET n = n + 1 WHERE k = 2
INSERT INTO log.changed (k, a, gone, b) VALUES (1, 1, 'before', 2)
INSERT INTO log.many (k, c0, c63, c69) VALUES (1, 0, 63, 69)
INSERT INTO log.many (k, %s) VALUES (2, %s)
INSERT INTO log.unknown (k, v) VALUES (1, 1)
""" % (", ".join(f"c{i}" for i in range(69)), ", ".join(str(i) for i in range(69)))


def make(name):
    version, compressor = CASES[name]
    settings = "commitlog_segment_size: 1MiB\n"
    if compressor:
        settings += f"commitlog_compression:\n  - class_name: {compressor}\n"
    node = Node(version, keyspace="log", settings=settings)
    for q in CREATE.strip().splitlines():
        node.cql(q)
    # Before Cassandra 5.0 nothing lasts beyond 2038.
    change = CHANGE.replace("LASTING", "400000000" if version == "nb" else "600000000")
    for i, q in enumerate(change.strip().splitlines()):
        # Counters take no timestamp of a client's.
        node.do("cql", q=q) if "log.counts" in q else node.cql(q)
        if i % 10 == 9:
            node.do("sync_log")
    node.cql(f"ALTER TABLE log.changed DROP gone USING TIMESTAMP {WRITE_NOW * 1_000_000 + 1_000_000}")
    node.cql("INSERT INTO log.changed (k, a, b) VALUES (2, 3, 4)")
    if compressor == "LZ4Compressor":
        # Several segments, each nearly nothing once it is compressed.
        for i in range(60):
            node.cql(f"INSERT INTO log.simple (k, v) VALUES ({100 + i}, '{chr(97 + i % 26) * 40_000}')")
    tables = [q.split()[2] for q in CREATE.strip().splitlines()]
    # A table that is dropped takes all segments with it: this one is only left out of the schema.
    tables.remove("log.unknown")
    node.do("sync_log")

    out = os.path.join(OUT, name)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    with open(os.path.join(out, "schema.cql"), "w", encoding="utf-8") as f:
        for t in tables:
            f.writelines(r[3] + "\n\n" for r in node.cql(f"DESCRIBE TABLE {t} WITH INTERNALS"))
    with open(os.path.join(out, "now"), "w") as f:
        f.write(f"{READ_NOW}\n")
    write_answers(node, [f"SELECT JSON * FROM {t}" for t in tables], os.path.join(out, "answers.jsonl"), False)
    for path in sorted(glob.glob(os.path.join(node.home, "commitlog", "*.log"))):
        with open(path, "rb") as f:
            data = f.read()
        kept = data.rstrip(b"\0")
        # A marker of zeros tells the end; the descriptor alone tells nothing.
        if len(kept) > 200:
            with open(os.path.join(out, os.path.basename(path)), "wb") as f:
                f.write(data[:len(kept) + 8])
    print(name, *sorted(os.path.basename(path) for path in glob.glob(os.path.join(out, "*.log"))), flush=True)
    node.stop()


for case in sys.argv[1:] or CASES:
    make(case)
