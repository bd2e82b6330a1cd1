"""What Cassandra answers to statements with IF: writes ../conditions.jsonl, an object a statement in the order in which they were
carried out: "q" and, with the values in hexadecimal digits, "columns" and "rows"; or "error" where it refused the statement."""

import json
import os

from golden import HERE, WRITE_NOW, Node

SCHEMA = """
CREATE TYPE golden.address (street text, number int, tags frozen<list<int>>)
CREATE TABLE golden.c (p int, k int, s int static, z text static, v int, w text, l list<int>, t set<int>, m map<text, int>, a address, f frozen<list<int>>, PRIMARY KEY (p, k))
CREATE TABLE golden.n (p int PRIMARY KEY, v int, d duration, b boolean, fm frozen<map<int, text>>, fa frozen<address>)
CREATE TABLE golden.counts (p int PRIMARY KEY, n counter)
""".strip().splitlines()

STATEMENTS = """
INSERT INTO golden.n (p, v) VALUES (1, 1) IF NOT EXISTS
INSERT INTO golden.n (p, v) VALUES (1, 2) IF NOT EXISTS
INSERT INTO golden.n JSON '{"p": 1, "v": 3}' IF NOT EXISTS
INSERT INTO golden.n JSON '{"p": 2, "v": 3}' DEFAULT UNSET IF NOT EXISTS USING TTL 1000
UPDATE golden.n SET v = 4 WHERE p = 3 IF EXISTS
UPDATE golden.n SET v = 4 WHERE p = 1 IF EXISTS
UPDATE golden.n SET v = 5 WHERE p = 1 IF v = 3
UPDATE golden.n SET v = 5 WHERE p = 1 IF v = 4
UPDATE golden.n SET v = 6 WHERE p = 1 IF v != 5
UPDATE golden.n SET v = 6 WHERE p = 1 IF v < 5
UPDATE golden.n SET v = 6 WHERE p = 1 IF v <= 5
UPDATE golden.n SET v = 7 WHERE p = 1 IF v > 6
UPDATE golden.n SET v = 7 WHERE p = 1 IF v >= 6
UPDATE golden.n SET v = 8 WHERE p = 1 IF v IN (1, 2)
UPDATE golden.n SET v = 8 WHERE p = 1 IF v IN (1, 7, null)
UPDATE golden.n SET v = 8 WHERE p = 1 IF v IN ()
UPDATE golden.n SET v = 9 WHERE p = 1 IF v = 8 AND b = null
UPDATE golden.n SET v = 9 WHERE p = 1 IF b = null AND v = 8
UPDATE golden.n SET v = v + 1 WHERE p = 1 IF v = 9
UPDATE golden.n SET b = true WHERE p = 1 IF b = true
UPDATE golden.n SET b = true WHERE p = 1 IF b != true
UPDATE golden.n SET b = false WHERE p = 1 IF b != null
UPDATE golden.n SET b = false WHERE p = 9 IF b != null
UPDATE golden.n SET b = false WHERE p = 9 IF b = null
UPDATE golden.n SET b = false WHERE p = 1 IF b < null
UPDATE golden.n SET b = false WHERE p = 1 IF p = 1
UPDATE golden.n SET b = false WHERE p = 1 IF nothing = 1
UPDATE golden.n SET b = false WHERE p IN (1, 2) IF b = true
UPDATE golden.n USING TIMESTAMP 5 SET b = false WHERE p = 1 IF b = true
UPDATE golden.n USING TTL 500 SET b = false WHERE p = 1 IF b = false
UPDATE golden.n SET d = 1h WHERE p = 1 IF d = null
UPDATE golden.n SET d = 2h WHERE p = 1 IF d = 1h
UPDATE golden.n SET d = 2h WHERE p = 1 IF d < 1h
UPDATE golden.n SET fm = {1: 'a', 2: 'b'}, fa = {street: 'x', number: 5} WHERE p = 1 IF fm = null
UPDATE golden.n SET v = 20 WHERE p = 1 IF fm = {1: 'a', 2: 'b'}
UPDATE golden.n SET v = 21 WHERE p = 1 IF fm[2] = 'c'
UPDATE golden.n SET v = 21 WHERE p = 1 IF fm[2] = 'b'
UPDATE golden.n SET v = 22 WHERE p = 1 IF fm[3] = null
UPDATE golden.n SET v = 23 WHERE p = 1 IF fm CONTAINS 'a'
UPDATE golden.n SET v = 24 WHERE p = 1 IF fm CONTAINS KEY 9
UPDATE golden.n SET v = 24 WHERE p = 1 IF fm CONTAINS KEY 2
UPDATE golden.n SET v = 25 WHERE p = 1 IF fa.number = 5
UPDATE golden.n SET v = 26 WHERE p = 1 IF fa.street = 'y'
UPDATE golden.n SET v = 26 WHERE p = 1 IF fa.nothing = 'y'
UPDATE golden.n SET v = 27 WHERE p = 1 IF fa = {street: 'x', number: 5}
UPDATE golden.n SET v = 28 WHERE p = 1 IF fa.tags = null
DELETE FROM golden.n WHERE p = 1 IF v = 5
DELETE b FROM golden.n WHERE p = 1 IF v = 28
DELETE FROM golden.n WHERE p = 1 IF EXISTS
DELETE FROM golden.n WHERE p = 1 IF EXISTS
DELETE FROM golden.n WHERE p = 2 IF b = null
INSERT INTO golden.n (p, v) VALUES (1, 1) IF NOT EXISTS
INSERT INTO golden.n (p, v) VALUES (1, 1) IF EXISTS
INSERT INTO golden.c (p, k, v, w) VALUES (1, 1, 1, 'one') IF NOT EXISTS
INSERT INTO golden.c (p, k, v, w) VALUES (1, 1, 2, 'two') IF NOT EXISTS
INSERT INTO golden.c (p, s) VALUES (1, 5) IF NOT EXISTS
INSERT INTO golden.c (p, s) VALUES (1, 6) IF NOT EXISTS
INSERT INTO golden.c (p, k, s, v) VALUES (1, 1, 7, 7) IF NOT EXISTS
INSERT INTO golden.c (p, k, s, v) VALUES (1, 2, 7, 7) IF NOT EXISTS
INSERT INTO golden.c (p, k) VALUES (2, 1) IF NOT EXISTS
INSERT INTO golden.c (p, k) VALUES (2, 1) IF NOT EXISTS
UPDATE golden.c SET v = 3 WHERE p = 1 AND k = 9 IF EXISTS
UPDATE golden.c SET v = 3 WHERE p = 7 AND k = 9 IF EXISTS
UPDATE golden.c SET v = 3 WHERE p = 1 AND k = 1 IF EXISTS
UPDATE golden.c SET s = 8 WHERE p = 1 IF s = 5
UPDATE golden.c SET s = 8 WHERE p = 1 IF s = 7
UPDATE golden.c SET s = 9 WHERE p = 1 IF EXISTS
UPDATE golden.c SET s = 9 WHERE p = 5 IF EXISTS
UPDATE golden.c SET s = 9 WHERE p = 2 IF EXISTS
UPDATE golden.c SET s = 9 WHERE p = 2 IF s = 1
UPDATE golden.c SET s = 9 WHERE p = 5 IF s = 1
UPDATE golden.c SET s = 9 WHERE p = 6 IF s = null
UPDATE golden.c SET s = 10 WHERE p = 6 IF s = 1
UPDATE golden.c SET s = 10 WHERE p = 6 AND k = 1 IF s = 9
UPDATE golden.c SET v = 10 WHERE p = 1 AND k = 1 IF s = 1
UPDATE golden.c SET v = 10 WHERE p = 1 AND k = 1 IF s = 9
UPDATE golden.c SET v = 10 WHERE p = 1 AND k = 2 IF s = 1 AND v = 7
UPDATE golden.c SET v = 10 WHERE p = 1 AND k = 2 IF v = 1 AND s = 9
UPDATE golden.c SET v = 10 WHERE p = 1 AND k = 2 IF z = null AND v = 7 AND s = 9
UPDATE golden.c SET v = 10 WHERE p = 1 AND k = 99 IF v = 1 AND s = 9
UPDATE golden.c SET s = 11 WHERE p = 1 AND k = 2 IF v = 11
UPDATE golden.c SET s = 11 WHERE p = 1 AND k = 2 IF v = 10
UPDATE golden.c SET v = 1 WHERE p = 1 IF s = 9
UPDATE golden.c SET v = 1 WHERE p = 1 AND k IN (1, 2) IF v = 1
UPDATE golden.c SET l = [1, 2, 3], t = {1, 2}, m = {'a': 1, 'b': 2}, a = {street: 's', number: 1}, f = [4, 5] WHERE p = 1 AND k = 1 IF l = null
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l = [1, 2, 3]
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l = [1, 2]
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l != [1, 2]
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l > [1, 2]
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l < [1, 3]
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l >= [1, 2, 4]
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l <= [1, 2, 3]
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l IN ([1], [1, 2, 3])
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l[0] = 1
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l[1] = 1
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l[9] = null
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l[1] IN (1, 2)
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l[2] >= 3
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l[-1] = 3
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l[null] = 3
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l CONTAINS 3
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l CONTAINS 4
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l CONTAINS KEY 4
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l = []
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l != []
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 1 IF l > []
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 2 IF l = []
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 2 IF l < [1]
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 2 IF l > [1]
UPDATE golden.c SET w = 'l' WHERE p = 1 AND k = 2 IF l != [1]
UPDATE golden.c SET w = 't' WHERE p = 1 AND k = 1 IF t = {2, 1}
UPDATE golden.c SET w = 't' WHERE p = 1 AND k = 1 IF t = {2}
UPDATE golden.c SET w = 't' WHERE p = 1 AND k = 1 IF t > {1}
UPDATE golden.c SET w = 't' WHERE p = 1 AND k = 1 IF t CONTAINS 2
UPDATE golden.c SET w = 't' WHERE p = 1 AND k = 1 IF t[1] = 2
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m = {'b': 2, 'a': 1}
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m < {'a': 2}
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m != {'a': 1, 'b': 2}
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m['a'] = 1
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m['a'] > 1
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m['c'] = null
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m['a'] IN (3, 1)
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m[null] = 1
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m CONTAINS 2
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m CONTAINS KEY 'b'
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m CONTAINS KEY 'c'
UPDATE golden.c SET w = 'm' WHERE p = 1 AND k = 1 IF m CONTAINS null
UPDATE golden.c SET w = 'a' WHERE p = 1 AND k = 1 IF a.street = 's'
UPDATE golden.c SET w = 'a' WHERE p = 1 AND k = 1 IF a.number > 1
UPDATE golden.c SET w = 'a' WHERE p = 1 AND k = 1 IF a.tags = null
UPDATE golden.c SET w = 'a' WHERE p = 1 AND k = 1 IF a = {street: 's', number: 1}
UPDATE golden.c SET w = 'a' WHERE p = 1 AND k = 1 IF a = {street: 's'}
UPDATE golden.c SET w = 'a' WHERE p = 1 AND k = 1 IF a.number IN (1, 2)
UPDATE golden.c SET w = 'f' WHERE p = 1 AND k = 1 IF f = [4, 5]
UPDATE golden.c SET w = 'f' WHERE p = 1 AND k = 1 IF f[1] = 5
UPDATE golden.c SET w = 'f' WHERE p = 1 AND k = 1 IF f CONTAINS 6
UPDATE golden.c SET w = 'f' WHERE p = 1 AND k = 1 IF w CONTAINS 'f'
UPDATE golden.c SET l[1] = 20, l = l - [3], w = w + 'x' WHERE p = 1 AND k = 1 IF l[0] = 1
UPDATE golden.c SET l[1] = 20 WHERE p = 1 AND k = 9 IF l = null
DELETE l[0] FROM golden.c WHERE p = 1 AND k = 1 IF l CONTAINS 20
DELETE m['a'], a.number FROM golden.c WHERE p = 1 AND k = 1 IF m['a'] = 1
DELETE s FROM golden.c WHERE p = 1 IF s = 0
DELETE s FROM golden.c WHERE p = 1 IF s = 11
DELETE v FROM golden.c WHERE p = 1 IF s = null
DELETE FROM golden.c WHERE p = 1 IF EXISTS
DELETE FROM golden.c WHERE p = 1 IF s = 5
DELETE FROM golden.c WHERE p = 1 AND k > 1 IF s = null
DELETE FROM golden.c WHERE p = 1 AND k = 2 IF v = 3
DELETE FROM golden.c WHERE p = 1 AND k = 2 IF EXISTS
BEGIN BATCH INSERT INTO golden.c (p, k, v) VALUES (3, 1, 1) IF NOT EXISTS; INSERT INTO golden.c (p, k, v) VALUES (3, 2, 2); APPLY BATCH
BEGIN BATCH INSERT INTO golden.c (p, k, v) VALUES (3, 1, 5) IF NOT EXISTS; INSERT INTO golden.c (p, k, v) VALUES (3, 9, 2); APPLY BATCH
BEGIN BATCH UPDATE golden.c SET v = 3 WHERE p = 3 AND k = 2 IF v = 3; UPDATE golden.c SET v = 3 WHERE p = 3 AND k = 1 IF v = 1; APPLY BATCH
BEGIN BATCH UPDATE golden.c SET v = 3 WHERE p = 3 AND k = 2 IF v = 2; UPDATE golden.c SET v = 3 WHERE p = 3 AND k = 1 IF v = 1; DELETE FROM golden.c WHERE p = 3 AND k > 5; APPLY BATCH
BEGIN BATCH UPDATE golden.c SET s = 3 WHERE p = 3 IF s = 2; UPDATE golden.c SET v = 4 WHERE p = 3 AND k = 1; APPLY BATCH
BEGIN BATCH UPDATE golden.c SET s = 3 WHERE p = 3 IF s = null; UPDATE golden.c SET v = 4 WHERE p = 3 AND k = 1; APPLY BATCH
BEGIN BATCH UPDATE golden.c SET s = 4 WHERE p = 3 IF s = 1; UPDATE golden.c SET v = 5 WHERE p = 3 AND k = 1 IF v = 4 AND w = null; APPLY BATCH
BEGIN BATCH UPDATE golden.c SET v = 5 WHERE p = 3 AND k = 1 IF v = 4; UPDATE golden.c SET v = 5 WHERE p = 3 AND k = 7 IF v = 4; APPLY BATCH
BEGIN BATCH UPDATE golden.c SET v = 5 WHERE p = 3 AND k = 1 IF EXISTS; UPDATE golden.c SET v = 5 WHERE p = 3 AND k = 7 IF EXISTS; APPLY BATCH
BEGIN BATCH UPDATE golden.c SET v = 5 WHERE p = 3 AND k = 1 IF EXISTS; UPDATE golden.c SET v = 5 WHERE p = 3 AND k = 1 IF v = 4; APPLY BATCH
BEGIN BATCH INSERT INTO golden.c (p, k) VALUES (3, 1) IF NOT EXISTS; UPDATE golden.c SET v = 5 WHERE p = 3 AND k = 1 IF EXISTS; APPLY BATCH
BEGIN BATCH INSERT INTO golden.c (p, k) VALUES (3, 1) IF NOT EXISTS; INSERT INTO golden.c (p, k) VALUES (4, 1); APPLY BATCH
BEGIN BATCH INSERT INTO golden.c (p, k) VALUES (3, 1) IF NOT EXISTS; INSERT INTO golden.n (p) VALUES (3); APPLY BATCH
BEGIN BATCH USING TIMESTAMP 1 INSERT INTO golden.c (p, k) VALUES (3, 1) IF NOT EXISTS; APPLY BATCH
BEGIN BATCH UPDATE golden.c SET v = 6 WHERE p = 3 AND k = 1 IF v = 4; UPDATE golden.c SET w = 'x' WHERE p = 3 AND k = 1 IF w = null; APPLY BATCH
BEGIN BATCH DELETE FROM golden.c WHERE p = 3 AND k = 2 IF v = 3; DELETE FROM golden.c WHERE p = 3 AND k = 1; APPLY BATCH
BEGIN COUNTER BATCH UPDATE golden.counts SET n = n + 1 WHERE p = 1; UPDATE golden.counts SET n = n + 1 WHERE p = 1; UPDATE golden.counts SET n = n - 5 WHERE p = 2; APPLY BATCH
BEGIN UNLOGGED BATCH UPDATE golden.counts SET n += 10 WHERE p = 1; APPLY BATCH
BEGIN BATCH UPDATE golden.counts SET n = n + 1 WHERE p = 1; APPLY BATCH
BEGIN COUNTER BATCH UPDATE golden.counts SET n = n + 1 WHERE p = 1; INSERT INTO golden.n (p) VALUES (1); APPLY BATCH
BEGIN UNLOGGED BATCH UPDATE golden.counts SET n = n + 1 WHERE p = 1; INSERT INTO golden.n (p) VALUES (1); APPLY BATCH
UPDATE golden.counts SET n = n + 1, n = n + 2 WHERE p IN (2, 3)
UPDATE golden.counts SET n = n + 1 WHERE p = 1 IF n = 1
UPDATE golden.counts SET n = n + 1 WHERE p = 1 IF EXISTS
UPDATE golden.counts USING TIMESTAMP 1 SET n = n + 1 WHERE p = 1
UPDATE golden.counts USING TTL 1 SET n = n + 1 WHERE p = 1
UPDATE golden.counts SET n = 5 WHERE p = 1
UPDATE golden.counts SET n = n + null WHERE p = 1
INSERT INTO golden.counts (p, n) VALUES (1, 1)
UPDATE golden.n SET v = v + 1 WHERE p = 1
DELETE FROM golden.counts WHERE p = 3
SELECT * FROM golden.counts
SELECT * FROM golden.n
SELECT * FROM golden.c
""".strip().splitlines()


def main():
    node = Node("oa")
    now = WRITE_NOW
    for q in SCHEMA:
        node.ask(do="cql", q=q, timestamp=now * 1_000_000, now=now)
    lines = [{"q": q} for q in SCHEMA]
    for i, q in enumerate(STATEMENTS):
        answer = node.ask(do="cql", q=q, timestamp=now * 1_000_000 + i, now=now, hex=True)
        line = {"q": q}
        if "error" in answer or "failure" in answer:
            line["error"] = True
        elif "columns" in answer:
            line["columns"], line["rows"] = answer["columns"], answer["rows"]
        lines.append(line)
    node.stop()
    with open(os.path.join(os.path.dirname(HERE), "conditions.jsonl"), "w") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)


if __name__ == "__main__":
    main()
