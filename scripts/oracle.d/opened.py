"""A node opens a database directory that cqlite made, and cqlite what the node left of it: opened.py [VERSION...], run by
scripts/judge_database. After each of them both must give the same answers."""

import json
import os
import shutil
import sys
import tempfile

from living import Live, cqlite

# Two tables with the same rows, one flushed by cqlite and the other by the node.
SHARDED = "CREATE TABLE shop.{} (k int PRIMARY KEY) WITH compaction = {{'class': 'UnifiedCompactionStrategy', 'min_sstable_size': '0B'}}"
SHARDED_ROWS = ["INSERT INTO shop.{} (k) VALUES (%d)" % k for k in range(50)]

MADE = """
CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
CREATE TYPE shop.address (street text, "No" int);
CREATE TABLE shop.plain (k int PRIMARY KEY, v text, n bigint, gone int) WITH gc_grace_seconds = 3600 AND comment = 'it''s';
CREATE TABLE shop.rich (k text, "C" int, d timestamp, s text static, home frozen<address>, away address, l list<int>, t set<text>,
    m map<text, double>, z frozen<map<int, frozen<list<text>>>>, u tuple<int, text>, w vector<float, 2>,
    PRIMARY KEY (k, "C", d)) WITH CLUSTERING ORDER BY ("C" DESC, d ASC)
    AND compression = {'class': 'ZstdCompressor', 'chunk_length_in_kb': 4} AND compaction = {'class': 'LeveledCompactionStrategy'};
CREATE TABLE shop.dropped (k int PRIMARY KEY, v int);
INSERT INTO shop.plain (k, v, n, gone) VALUES (1, 'one', 1, 7);
INSERT INTO shop.plain (k, v, n, gone) VALUES (2, 'two', 2, 7) USING TTL 864000;
INSERT INTO shop.plain (k, v, n) VALUES (3, 'three', 3);
DELETE n FROM shop.plain WHERE k = 2;
DELETE FROM shop.plain WHERE k = 3;
ALTER TABLE shop.plain DROP gone;
ALTER TABLE shop.plain ADD added set<int>;
UPDATE shop.plain SET added = {4, 5} WHERE k = 1;
INSERT INTO shop.rich (k, "C", d, s, home, away, l, t, m, z, u, w) VALUES ('a', 1, '2020-01-01', 'static', {street: 'x', "No": 1},
    {street: 'y'}, [1, 2], {'p', 'q'}, {'a': 1.5, 'b': -0.0}, {1: ['x', 'y']}, (5, null), [1, 2.5]);
INSERT INTO shop.rich (k, "C", d, l) VALUES ('a', 2, '2020-01-01', [9]);
INSERT INTO shop.rich (k, "C", d, l) VALUES ('a', 2, '2021-01-01', [8]);
UPDATE shop.rich SET l = l + [10], m['c'] = 3, away."No" = 4 WHERE k = 'a' AND "C" = 1 AND d = '2020-01-01';
DELETE FROM shop.rich WHERE k = 'a' AND "C" = 2 AND d > '2020-06-01';
BEGIN BATCH
    INSERT INTO shop.rich (k, s) VALUES ('b', 'alone');
    INSERT INTO shop.plain (k, v) VALUES (10, 'batch');
APPLY BATCH;
INSERT INTO shop.dropped (k, v) VALUES (1, 1);
DROP TABLE shop.dropped;
CREATE TABLE shop.dropped (k int PRIMARY KEY, v text);
INSERT INTO shop.dropped (k, v) VALUES (1, 'again');
CREATE TABLE shop.counts (k int, c int, n counter, s counter static, PRIMARY KEY (k, c));
UPDATE shop.counts SET n = n + 5, s = s - 1 WHERE k = 1 AND c = 1;
UPDATE shop.counts SET n = n + 5 WHERE k = 1 AND c = 1;
BEGIN COUNTER BATCH
    UPDATE shop.counts SET n = n - 3 WHERE k = 2 AND c = 1;
    UPDATE shop.counts SET n = n - 3 WHERE k = 2 AND c = 2;
APPLY BATCH;
DELETE FROM shop.counts WHERE k = 2 AND c = 1;
INSERT INTO shop.plain (k, v) VALUES (11, 'new') IF NOT EXISTS;
UPDATE shop.plain SET v = 'changed' WHERE k = 11 IF v = 'new';
"""

CHANGED = [
    "ALTER TABLE shop.plain ADD late text",
    "INSERT INTO shop.plain (k, v, late) VALUES (20, 'node', 'l')",
    "DELETE FROM shop.plain WHERE k = 10",
    "ALTER TYPE shop.address ADD zip text",
    "UPDATE shop.rich SET away.zip = 'z', t = t - {'p'} WHERE k = 'a' AND \"C\" = 1 AND d = '2020-01-01'",
    "UPDATE shop.counts SET n = n + 100, s = s + 100 WHERE k = 1 AND c = 1",
    "UPDATE shop.plain SET v = 'by the node' WHERE k = 11 IF v = 'changed'",
    "CREATE TABLE shop.nodes (k int, c int, v int, PRIMARY KEY (k, c))",
    "INSERT INTO shop.nodes (k, c, v) VALUES (1, 2, 3)",
]

AGAIN = """
INSERT INTO shop.nodes (k, c, v) VALUES (1, 1, 1);
DELETE FROM shop.nodes WHERE k = 1 AND c = 2;
UPDATE shop.plain SET late = 'later' WHERE k = 20;
ALTER TABLE shop.plain DROP late;
ALTER TABLE shop.nodes ADD s text static;
UPDATE shop.nodes SET s = 'st' WHERE k = 1;
UPDATE shop.counts SET n = n + 1000, s = s + 1000 WHERE k = 1 AND c = 1;
UPDATE shop.plain SET v = 'again' WHERE k = 11 IF v = 'by the node';
"""

QUERIES = [
    "SELECT JSON * FROM shop.plain",
    "SELECT JSON * FROM shop.rich",
    "SELECT JSON * FROM shop.rich WHERE k = 'a' ORDER BY \"C\" ASC",
    "SELECT JSON k, \"C\", d, l FROM shop.rich WHERE k = 'a' AND \"C\" = 2",
    "SELECT JSON * FROM shop.dropped",
    "SELECT JSON * FROM shop.counts",
]


def compare(node, data, queries, when):
    faults = 0
    for q in queries:
        ours = [line for line in cqlite("query", data, q).splitlines() if line]
        # What cqlite prints is compared as JSON: a node gives the text alone.
        ours, theirs = [json.loads(line) for line in ours], [json.loads(text) for text in node.run(q)]
        if ours != theirs or not theirs:
            faults += 1
            print(f"{node.version}, {when}: {q}\n  {ours}\n  the node: {theirs}", flush=True)
    return faults


def parts(data, table):
    """What there is to compare of the SSTables of a table: keys, first and last token, share of the ring."""
    directories = [name for name in os.listdir(os.path.join(data, "shop")) if name.startswith(table + "-")]
    directory = os.path.join(data, "shop", *directories)
    files = [os.path.join(directory, name) for name in os.listdir(directory) if name.endswith("-Data.db")]
    lines = [dict(line.split(": ", 1) for line in cqlite("metadata", file).splitlines() if ": " in line) for file in files]
    # The node adds the shares of its ranges, and so rounds otherwise.
    share = [round(float(of["Local token space coverage"]), 12) for of in lines]
    ends = [[of["First token"], of["Last token"]] for of in lines]
    return sorted([*ends[i], share[i], cqlite("dump", "-e", file)] for i, file in enumerate(files))


def judge(version, home):
    data = os.path.join(home, "data")
    os.makedirs(data)
    fmt = ["--version", version]
    sharded = [text.format("ours") for text in [SHARDED, *SHARDED_ROWS]]
    cqlite("exec", data, *fmt, text=MADE + ";".join(sharded) + ";")
    node = Live(version, home)
    faults = compare(node, data, QUERIES, "made by cqlite")
    for q in CHANGED + [text.format("theirs") for text in [SHARDED, *SHARDED_ROWS]]:
        node.run(q)
    for table in ("keyspaces", "tables", "columns", "types", "indexes", "views", "dropped_columns"):
        node.do("flush", keyspace="system_schema", table=table)
    for table in ("plain", "rich", "nodes", "counts", "theirs"):
        node.do("flush", keyspace="shop", table=table)
    ours, theirs = parts(data, "ours"), parts(data, "theirs")
    if ours != theirs or len(theirs) != 4:
        faults += 1
        print(f"{version}, flushed in shards:\n  {ours}\n  the node: {theirs}", flush=True)
    queries = QUERIES + ["SELECT JSON * FROM shop.nodes"]
    faults += compare(node, data, queries, "changed by the node")
    node.stop()
    cqlite("exec", data, *fmt, text=AGAIN)
    node = Live(version, home)
    faults += compare(node, data, queries, "changed by cqlite again")
    node.stop()
    print(f"{version}: {'good' if not faults else f'{faults} answers differ'}", flush=True)
    return faults


def main():
    faults = 0
    for version in sys.argv[1:] or ["oa", "da"]:
        home = tempfile.mkdtemp(prefix="judge-database-")
        faults += judge(version, home)
        shutil.rmtree(home)
    sys.exit(min(faults, 1))


main()
