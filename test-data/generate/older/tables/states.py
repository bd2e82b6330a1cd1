"""Every state of a row, and merges of them over two SSTables."""

from older import table

EVERY = ("ma", "mb", "mc", "md", "me", "na")


@table("every state of a row: live, marker only, updated only, expiring, expired, overwritten, nulls; partition, row, range, "
       "complex and cell deletions; boundaries; statics alone; two SSTables", versions=EVERY)
def states(t):
    t.create("k int, c text, d int, s text static, sl set<int> static, v text, w int, m map<text, int>, PRIMARY KEY (k, c, d)",
             "compression = {'class': 'LZ4Compressor'}")
    # k = 1: rows in every state of their own
    t.insert("k, c, d, v, w, m", "1, 'live', 1, 'v', 1, {'a': 1, 'b': 2}", "1, 'live', 2, '', null, {}", using="USING TIMESTAMP 1000")
    t.insert("k, c, d", "1, 'marker', 1", "1, 'marker', 2", using="USING TIMESTAMP 1001")
    t.cql("UPDATE $t USING TIMESTAMP 1002 SET v = 'updated', w = 7 WHERE k = 1 AND c = 'update' AND d = 1")
    t.cql("UPDATE $t USING TIMESTAMP 1003 SET m = m + {'x': 9} WHERE k = 1 AND c = 'update' AND d = 2")
    t.insert("k, c, d, v, w", "1, 'ttl', 1, 'expired', 1", using="USING TIMESTAMP 1004 AND TTL 100")
    t.insert("k, c, d, v, w", "1, 'ttl', 2, 'expiring', 1", using="USING TIMESTAMP 1005 AND TTL 300000000")
    t.cql("UPDATE $t USING TIMESTAMP 1006 AND TTL 100 SET v = 'expired cell' WHERE k = 1 AND c = 'ttl' AND d = 2")
    t.cql("UPDATE $t USING TIMESTAMP 1006 AND TTL 299999999 SET w = 3, m['t'] = 5 WHERE k = 1 AND c = 'ttl' AND d = 3")
    t.insert("k, c, d, v", "1, 'mixed', 1, 'a'", using="USING TIMESTAMP 1007")
    t.cql("UPDATE $t USING TIMESTAMP 1008 SET w = 2 WHERE k = 1 AND c = 'mixed' AND d = 1")
    t.cql("DELETE v FROM $t USING TIMESTAMP 1009 WHERE k = 1 AND c = 'mixed' AND d = 1")
    t.cql("DELETE m FROM $t USING TIMESTAMP 1010 WHERE k = 1 AND c = 'mixed' AND d = 2")
    t.cql("DELETE m['gone'] FROM $t USING TIMESTAMP 1011 WHERE k = 1 AND c = 'mixed' AND d = 3")
    t.cql("DELETE FROM $t USING TIMESTAMP 1012 WHERE k = 1 AND c = 'rowdel' AND d = 1")
    t.insert("k, c, d, v", "1, 'rowdel', 2, 'after'", using="USING TIMESTAMP 1014")
    t.cql("DELETE FROM $t USING TIMESTAMP 1013 WHERE k = 1 AND c = 'rowdel' AND d = 2")
    # k = 2: every kind of bound, of one and of two components
    for d in range(12):
        t.insert("k, c, d, v", f"2, 'r', {d}, 'v{d}'", using="USING TIMESTAMP 2000")
    for q in ("c = 'r' AND d > 0 AND d < 3", "c = 'r' AND d >= 5 AND d <= 6", "c = 'r' AND d > 7 AND d <= 9",
              "c = 'r' AND d >= 10", "c = 'q'", "c > 's'", "c >= 'a' AND c < 'b'"):
        t.cql(f"DELETE FROM $t USING TIMESTAMP 2001 WHERE k = 2 AND {q}")
    t.insert("k, c, d, v", "2, 'r', 2, 'after'", "2, 'z', 1, 'after'", using="USING TIMESTAMP 2002")
    # k = 3: overlapping ranges, that is boundaries; a partition deletion below them all
    t.cql("DELETE FROM $t USING TIMESTAMP 2999 WHERE k = 3")
    t.insert("k, c, d, v, s", "3, 'a', 1, 'x', 'st'", using="USING TIMESTAMP 3000")
    t.cql("DELETE FROM $t USING TIMESTAMP 3001 WHERE k = 3 AND c >= 'b' AND c <= 'f'")
    t.cql("DELETE FROM $t USING TIMESTAMP 3002 WHERE k = 3 AND c > 'd' AND c < 'h'")
    t.now(1700000500)
    t.cql("DELETE FROM $t USING TIMESTAMP 3003 WHERE k = 3 AND c = 'f' AND d >= 2 AND d < 5")
    t.insert("k, c, d, v", "3, 'f', 3, 'shadowed'", using="USING TIMESTAMP 3002")
    t.insert("k, c, d, v", "3, 'f', 4, 'alive'", using="USING TIMESTAMP 3004")
    # statics alone, deletions alone
    t.insert("k, s, sl", "4, 'alone', {3, 1, 2}", using="USING TIMESTAMP 4000")
    t.cql("DELETE FROM $t USING TIMESTAMP 5000 WHERE k = 5")
    t.cql("DELETE s FROM $t USING TIMESTAMP 6000 WHERE k = 6")
    t.cql("UPDATE $t USING TIMESTAMP 7000 AND TTL 50 SET s = 'expired' WHERE k = 7")
    t.cql("UPDATE $t USING TIMESTAMP 8000 AND TTL 300000000 SET s = 'expiring', sl = {1} WHERE k = 8")
    t.cql("DELETE FROM $t USING TIMESTAMP 9000 WHERE k = 9 AND c = 'only a range'")
    t.insert("k, c, d", "10, '', 0", using="USING TIMESTAMP 9001")
    t.flush(stats=0)

    t.now(1700001000)
    t.cql("DELETE FROM $t USING TIMESTAMP 1500 WHERE k = 1 AND c = 'live' AND d = 1")
    t.insert("k, c, d, w", "1, 'live', 1, 100", using="USING TIMESTAMP 1501")
    t.insert("k, c, d, v", "1, 'marker', 1, 'now with a value'", using="USING TIMESTAMP 1502")
    t.cql("UPDATE $t USING TIMESTAMP 1503 SET m = {'whole': 1} WHERE k = 1 AND c = 'update' AND d = 2")
    t.cql("DELETE FROM $t USING TIMESTAMP 2500 WHERE k = 2 AND c = 'r' AND d > 4 AND d <= 11")
    t.insert("k, c, d, v, s", "3, 'e', 1, 'younger', 'st2'", using="USING TIMESTAMP 3500")
    t.insert("k, c, d, v", "4, 'row', 1, 'row of another SSTable'", using="USING TIMESTAMP 4500")
    t.insert("k, c, d, v", "5, 'same', 1, 'deleted with the same timestamp'", using="USING TIMESTAMP 5000")
    t.insert("k, c, d, v", "5, 'same', 2, 'alive'", using="USING TIMESTAMP 5001")
    t.cql("DELETE FROM $t USING TIMESTAMP 8500 WHERE k = 8")
    t.insert("k, c, d, v, s", "-1, 'p', -1, 'new partition', 'st'", using="USING TIMESTAMP 1")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 1",
          "SELECT JSON * FROM $t WHERE k = 2 AND c = 'r' AND d > 1 AND d <= 10",
          "SELECT JSON * FROM $t WHERE k = 2 AND c = 'r' ORDER BY c DESC, d DESC",
          "SELECT JSON * FROM $t WHERE k = 3 AND c >= 'b'",
          "SELECT JSON * FROM $t WHERE k = 3 AND (c, d) > ('d', 1) AND (c, d) < ('f', 4)",
          "SELECT JSON * FROM $t WHERE k IN (4, 5, 10) LIMIT 3",
          "SELECT JSON * FROM $t WHERE k = 99",
          "SELECT JSON k, s, sl FROM $t WHERE k = 8",
          "SELECT JSON k, c, d FROM $t WHERE v = 'alive' ALLOW FILTERING",
          "SELECT JSON v, writetime(v), ttl(v), ttl(w) FROM $t WHERE k = 1 AND c = 'ttl'",
          "SELECT JSON k, c, d FROM $t WHERE token(k) > token(1) PER PARTITION LIMIT 2")


@table("rows without a live cell in a table without clustering columns; expired and deleted ones; two SSTables", versions=EVERY)
def no_clustering(t):
    t.create("k text PRIMARY KEY, v int, w text, s set<text>", "compression = {'class': 'SnappyCompressor', 'chunk_length_in_kb': '4'}")
    t.insert("k, v, w", "'row', 1, 'w'", "'second', 2, null", using="USING TIMESTAMP 10")
    t.insert("k", "'marker'", using="USING TIMESTAMP 11")
    t.cql("UPDATE $t USING TIMESTAMP 12 SET v = 3 WHERE k = 'updated'")
    t.cql("UPDATE $t USING TIMESTAMP 13 SET v = null WHERE k = 'null only'")
    t.cql("DELETE FROM $t USING TIMESTAMP 14 WHERE k = 'deleted'")
    t.cql("UPDATE $t USING TIMESTAMP 15 AND TTL 10 SET v = 4, w = 'gone' WHERE k = 'expired'")
    t.insert("k, v", "'expired row', 5", using="USING TIMESTAMP 16 AND TTL 10")
    t.insert("k, v, s", "'expired cells', 5, {'x'}", using="USING TIMESTAMP 17 AND TTL 10")
    t.insert("k", "'expired cells'", using="USING TIMESTAMP 18")
    t.flush()
    t.cql("UPDATE $t USING TIMESTAMP 20 SET v = null, w = null WHERE k = 'row'")
    t.cql("DELETE v FROM $t USING TIMESTAMP 21 WHERE k = 'updated'")
    t.cql("UPDATE $t USING TIMESTAMP 22 SET s = s + {'added'} WHERE k = 'second'")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 'row'", "SELECT JSON * FROM $t WHERE k = 'updated'", "SELECT JSON * FROM $t WHERE k = 'marker'",
          "SELECT JSON * FROM $t WHERE k IN ('second', 'deleted', 'expired cells')",
          "SELECT JSON k, v FROM $t WHERE v >= 1 ALLOW FILTERING", "SELECT JSON k FROM $t WHERE token(k) <= 0")
