"""Lookup: filter, summary and Index.db over many partitions; promoted indexes of wide ones."""

from older import table

EVERY = ("ma", "mb", "mc", "md", "me", "na")


@table("260 partitions: a bloom filter, a summary of three entries", versions=EVERY, auto=False)
def many(t):
    t.create("k text PRIMARY KEY, n int", "bloom_filter_fp_chance = 0.01 AND compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': '4'}")
    for n in range(260):
        t.insert("k, n", f"'{'key' * (n % 13)}{n}', {n}", using="USING TIMESTAMP 1")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = '0'", "SELECT JSON * FROM $t WHERE k = 'key1'", "SELECT JSON * FROM $t WHERE k = 'absent'",
          "SELECT JSON * FROM $t WHERE k IN ('keykey2', 'nokey', '259', '13')", "SELECT JSON k FROM $t WHERE token(k) > 0 LIMIT 5",
          "SELECT JSON k FROM $t WHERE token(k) > token('0') AND token(k) <= 0 LIMIT 2", "SELECT JSON k FROM $t WHERE n = 250 ALLOW FILTERING")


@table("40 partitions without a filter (fp chance 1), every second key indexed by the summary", versions=("ma", "me", "na"))
def no_filter(t):
    t.create("k int PRIMARY KEY, n int", "bloom_filter_fp_chance = 1.0 AND min_index_interval = 2 AND max_index_interval = 4")
    for n in range(40):
        t.insert("k, n", f"{n * 7919}, {n}", using="USING TIMESTAMP 1")
    t.flush()
    t.ask("SELECT JSON * FROM $t WHERE k = 7919", "SELECT JSON * FROM $t WHERE k = 7920")


@table("wide partitions with blocks of 1 KiB, long clusterings, statics, range tombstones open across blocks", versions=EVERY)
def wide(t):
    wide_table(t, "ASC")


@table("the same with reversed clustering", versions=("ma", "me", "na"))
def wide_reversed(t):
    wide_table(t, "DESC")


def wide_table(t, order):
    t.set("column_index_size_in_kb", 1)
    t.create("k int, c text, d int, s text static, v text, PRIMARY KEY (k, c, d)",
             f"CLUSTERING ORDER BY (c {order}, d ASC) AND compression = {{'class': 'LZ4Compressor', 'chunk_length_in_kb': '1'}}")
    t.insert("k, s", "1, 'static of one'", using="USING TIMESTAMP 10")
    for i in range(48):
        t.insert("k, c, d, v", f"1, '{'prefix ' * 4}{i // 4:03}', {i}, '{chr(97 + i % 26) * 60}'", using="USING TIMESTAMP 10")
    t.cql(f"DELETE FROM $t USING TIMESTAMP 11 WHERE k = 1 AND c >= '{'prefix ' * 4}003' AND c <= '{'prefix ' * 4}006'")
    t.cql(f"DELETE FROM $t USING TIMESTAMP 9 WHERE k = 1 AND c > '{'prefix ' * 4}005' AND c < '{'prefix ' * 4}010'")
    t.cql(f"DELETE FROM $t USING TIMESTAMP 11 WHERE k = 1 AND c = '{'prefix ' * 4}011' AND d >= 46")
    # One block and a bit; a partition deletion; only range tombstones.
    t.cql("DELETE FROM $t USING TIMESTAMP 1 WHERE k = 2")
    for i in range(12):
        t.insert("k, c, d, v", f"2, 'c', {i}, '{'x' * 100}'", using="USING TIMESTAMP 10")
    for i in range(40):
        t.cql(f"DELETE FROM $t USING TIMESTAMP {10 + i} WHERE k = 3 AND c = 'a longer name of a clustering' AND d > {i * 2} AND d <= {i * 2 + 3}")
    t.insert("k, c, d, v", f"4, 'one row larger than a block', 1, '{'y' * 1500}'", "4, 'z', 1, 'small'", using="USING TIMESTAMP 10")
    t.flush()
    p = "prefix " * 4
    t.ask(f"SELECT JSON c, d FROM $t WHERE k = 1 AND c = '{p}002'", f"SELECT JSON c, d FROM $t WHERE k = 1 AND c >= '{p}002' AND c < '{p}008'",
          f"SELECT JSON c, d FROM $t WHERE k = 1 AND c > '{p}009' ORDER BY c {'DESC' if order == 'ASC' else 'ASC'}, d DESC",
          f"SELECT JSON c, d, v FROM $t WHERE k = 1 AND c = '{p}011' AND d = 45", f"SELECT JSON c, d FROM $t WHERE k = 1 AND c = '{p}011' AND d = 46",
          "SELECT JSON d FROM $t WHERE k = 2 AND c = 'c' AND d IN (0, 11, 12)", "SELECT JSON * FROM $t WHERE k = 3", "SELECT JSON c, d FROM $t WHERE k = 4 AND c >= 'p'",
          f"SELECT JSON c, d FROM $t WHERE k = 1 ORDER BY c {'DESC' if order == 'ASC' else 'ASC'}, d DESC LIMIT 4", "SELECT JSON DISTINCT k, s FROM $t")


@table("a partition with blocks of 64 KiB, the default; its last row closes the last block", versions=("ma", "me"), auto=False)
def wide_64(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)")
    for i in range(4):
        t.insert("k, c, v", f"1, {i}, '{'0123456789abcdef' * 2100}'", using="USING TIMESTAMP 10")
    t.flush()
    t.ask("SELECT JSON c FROM $t WHERE k = 1 AND c > 2", "SELECT JSON c FROM $t WHERE k = 1 ORDER BY c DESC LIMIT 2")
