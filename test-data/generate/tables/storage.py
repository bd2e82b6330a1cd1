"""Compression, checksums, bloom filters, levels and SSTable ids."""

import random

from golden import register, table


def filler(t, rows, size, alphabet=None, mixed=False, every=20):
    """Rows of `size` characters, most of which have expired: the files are full, the answers short.

    The text compresses well, or with an `alphabet` badly, or both in turn where `mixed`."""
    rng = random.Random(rows * size)

    def text(c):
        if alphabet and (not mixed or c // 60 % 2):
            return "".join(rng.choice(alphabet) for _ in range(size))
        return ("the quick brown fox %d " % rng.randrange(100)) * (size // 23)
    for shown in (False, True):
        t.cql_many([f"INSERT INTO $t (k, c, v) VALUES ({c % 3}, {c}, '{text(c)}')" + ("" if shown else " USING TTL 60")
                    for c in range(rows) if (c % every == 0) == shown])
    t.cql_many([f"INSERT INTO $t (k, c) VALUES ({c % 3}, {c})" for c in range(rows)])
    t.flush()
    t.ask("SELECT JSON c, v FROM $t WHERE k = 1 AND c > 40", f"SELECT JSON v FROM $t WHERE k = {(rows // every * every) % 3} AND c = {rows // every * every}",
          "SELECT JSON c FROM $t WHERE k = 2 ORDER BY c DESC LIMIT 3")


def compressed(options, rows=60, size=400, **more):
    def make(t):
        t.create("k int, c int, v text, PRIMARY KEY (k, c)", f"compression = {options}")
        filler(t, rows, size, **more)
    return make


# With the 16 bytes around it, the value ends so that the last chunk is a byte or two short of 4096/20.
PADDED_SIZE = 4096 + 187
HEX = "0123456789abcdef"
PRINTABLE = "".join(chr(c) for c in range(0x20, 0x7f) if chr(c) != "'")
for _name, _covers, _make in (
    ("compressed_lz4", "LZ4 fast, 4 KiB chunks", compressed("{'class': 'LZ4Compressor', 'chunk_length_in_kb': 4}")),
    ("compressed_lz4_high", "LZ4 high, 4 KiB chunks", compressed("{'class': 'LZ4Compressor', 'chunk_length_in_kb': 4, 'lz4_compressor_type': 'high', 'lz4_high_compressor_level': 12}")),
    ("compressed_zstd", "Zstd, 4 KiB chunks", compressed("{'class': 'ZstdCompressor', 'chunk_length_in_kb': 4, 'compression_level': 7}")),
    ("compressed_snappy", "Snappy, 4 KiB chunks", compressed("{'class': 'SnappyCompressor', 'chunk_length_in_kb': 4}")),
    ("compressed_deflate", "Deflate, 4 KiB chunks", compressed("{'class': 'DeflateCompressor', 'chunk_length_in_kb': 4}")),
    ("compressed_noop", "Noop, 4 KiB chunks", compressed("{'class': 'NoopCompressor', 'chunk_length_in_kb': 4}")),
    ("compressed_16k", "LZ4, 16 KiB chunks", compressed("{'class': 'LZ4Compressor', 'chunk_length_in_kb': 16}", rows=100)),
    ("compressed_64k", "Zstd, 64 KiB chunks", compressed("{'class': 'ZstdCompressor', 'chunk_length_in_kb': 64}", rows=60, size=1700, every=30)),
    ("compressed_ratio", "min_compress_ratio: hardly compressible chunks stored raw, others not", compressed(
        "{'class': 'LZ4Compressor', 'chunk_length_in_kb': 4, 'min_compress_ratio': 1.1}", rows=120, alphabet=PRINTABLE, mixed=True)),
    ("compressed_ratio_zstd", "min_compress_ratio with Zstd, each full chunk stored raw", compressed(
        "{'class': 'ZstdCompressor', 'chunk_length_in_kb': 4, 'min_compress_ratio': 2.2}", rows=40, alphabet=HEX)),
    ("compressed_growing", "chunks that LZ4 makes larger", compressed("{'class': 'LZ4Compressor', 'chunk_length_in_kb': 4}", rows=30, alphabet=PRINTABLE)),
    ("uncompressed", "no compression: CRC.db of more than one 64 KiB chunk", compressed("{'enabled': false}", rows=42, size=1800, every=20)),
):
    register(_name, _covers, _make, dumps="metadata")


@table("no compression, one chunk")
def uncompressed_small(t):
    t.create("k int PRIMARY KEY, v text", "compression = {'enabled': false}")
    t.insert("k, v", "1, 'a'", "2, 'b'")
    t.flush()


@table("no compression, made by compaction: a flush of an empty buffer adds a checksum to CRC.db")
def uncompressed_compacted(t):
    t.create("k int PRIMARY KEY, v text", "compression = {'enabled': false}")
    t.insert("k, v", "1, 'a'", "2, 'b'")
    t.flush()
    t.insert("k, v", "1, 'c'", "3, 'd'")
    t.flush()
    t.compact()


@table("min_compress_ratio: a last chunk stored raw and padded with zeros", dumps="metadata")
def compressed_padded(t):
    t.create("k int PRIMARY KEY, v blob", "compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 4, 'min_compress_ratio': 20}")
    value = random.Random(1).randbytes(PADDED_SIZE).hex()
    t.insert("k, v", f"1, 0x{value}")
    t.flush()


def bloom(chance):
    def make(t):
        t.create("k int PRIMARY KEY, v int", f"bloom_filter_fp_chance = {chance}")
        t.cql_many([f"INSERT INTO $t (k, v) VALUES ({k * 3}, {k})" for k in range(120)])
        t.flush()
        t.ask("SELECT JSON v FROM $t WHERE k = 33", "SELECT JSON v FROM $t WHERE k = 34", "SELECT JSON k, v FROM $t WHERE k IN (0, 1, 2, 3, 357, 358)")
    return make


register("bloom_off", "bloom_filter_fp_chance 1.0: no Filter.db", bloom("1.0"), dumps="metadata")
register("bloom_01", "bloom_filter_fp_chance 0.1", bloom("0.1"), dumps="metadata")
register("bloom_00001", "bloom_filter_fp_chance 0.0001", bloom("0.0001"), dumps="metadata")


@table("leveled compaction: SSTables of level 0 and above", dumps="lines")
def leveled(t):
    t.create("k int PRIMARY KEY, v text", "compaction = {'class': 'LeveledCompactionStrategy'}")
    t.insert("k, v", *[f"{k}, 'old'" for k in range(10)])
    t.flush()
    t.level(2)
    t.insert("k, v", "3, 'new'", "11, 'new'")
    t.flush()


@table("SSTable ids that are ULIDs, three SSTables")
def ulids(t):
    t.ulids(True)
    t.create("k int PRIMARY KEY, v text")
    t.ulids(False)
    for i in range(3):
        t.insert("k, v", f"1, 'v{i}'", f"{i + 2}, 'only {i}'")
        t.flush()


@table("an SSTable made by compaction, tombstones kept and purged", dumps="lines")
def compacted(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)")
    t.insert("k, c, v", *[f"{k}, {c}, 'x'" for k in range(4) for c in range(4)])
    t.insert("k, c, v", "0, 9, 'short'", using="USING TTL 10", now=1_600_000_000)
    t.flush()
    t.cql("DELETE FROM $t WHERE k = 1")
    t.cql("DELETE FROM $t WHERE k = 2 AND c > 1", now=1_600_000_000)
    t.cql("DELETE FROM $t WHERE k = 3 AND c = 1")
    t.flush()
    t.compact()


@table("SSTables repaired, pending a repair, and unrepaired")
def repaired(t):
    t.create("k int PRIMARY KEY, v text")
    for i in range(3):
        t.insert("k, v", f"{i}, 'v'", f"9, 'v{i}'", ts=1_700_000_000_000_000 + i)
        t.flush()
    t.repaired(1_700_000_000_000_000, 1_699_999_999_000)
    t.repaired(1_700_000_000_000_001, 0, pending="50554d6e-29bb-11e5-b345-feff819cdc9f")


def in_transaction(t, compact):
    t.create("k int PRIMARY KEY, v text", "gc_grace_seconds = 0")
    t.insert("k, v", "1, 'first'", "2, 'first'")
    t.flush()
    t.insert("k, v", "1, 'second'", "3, 'second'")
    t.cql("DELETE FROM $t WHERE k = 2")
    t.flush()
    compact()


@table("a compaction cut off before its commit: the log's new SSTable, half written, does not count", dumps="lines")
def transaction_open(t):
    in_transaction(t, t.compact_halfway)


@table("a compaction cut off after its commit: the log's old SSTable, not yet deleted, does not count, or a purged row comes back", dumps="lines")
def transaction_committed(t):
    in_transaction(t, t.compact_unfinished)


@table("an SSTable of tombstones alone")
def only_tombstones(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)")
    t.cql("DELETE FROM $t WHERE k = 1")
    t.cql("DELETE FROM $t WHERE k = 2 AND c > 1")
    t.cql("DELETE FROM $t WHERE k = 3 AND c = 1")
    t.cql("DELETE v FROM $t WHERE k = 4 AND c = 1")
    t.flush()


@table("many tombstone drop times and partition sizes: histograms of more than 100 bins", dumps="metadata")
def histograms(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)")
    for i in range(150):
        t.cql(f"DELETE FROM $t WHERE k = {i % 7} AND c = {i}", now=1_690_000_000 + i * i * 61)
    t.insert("k, c, v", *[f"{k}, 1000, '{'s' * (k * k)}'" for k in range(30)])
    t.insert("k, c, v", "1, 1001, 'l'", using="USING TTL 86400")
    t.flush()


@table("cell values and clusterings of lengths around the steps of a vint", dumps="metadata", auto=False)
def value_lengths(t):
    t.create("k int, c text, v text, b blob, PRIMARY KEY (k, c)")
    for n in (0, 1, 126, 127, 128, 129, 255, 256, 2000):
        t.insert("k, c, v, b", f"1, '{'c' * n}', '{'v' * n}', 0x{'0b' * (n % 300)}")
    t.insert("k, c, v", f"2, 'x', '{'w' * 16383}'", f"2, 'y', '{'w' * 16384}'")
    t.flush()
    t.ask("SELECT JSON k, c FROM $t", f"SELECT JSON c FROM $t WHERE k = 1 AND c > '{'c' * 128}'")


@table("legacy secondary indexes on regular, static, key-part and map columns (LocalPartitioner SSTables)", dumps="short")
def indexed(t):
    t.create("k int, p text, c int, s text static, v text, n decimal, l list<int>, m map<text, int>, PRIMARY KEY ((k, p), c)")
    for name, target in (("by_v", "v"), ("by_s", "s"), ("by_p", "p"), ("by_n", "n"), ("by_mk", "keys(m)"), ("by_me", "entries(m)")):
        t.cql(f"CREATE INDEX indexed_{name} ON $t ({target})")
    t.insert("k, p, c, s, v, n, l, m", "1, 'a', 1, 's1', 'red', 1.5, [1, 2], {'x': 1}", "1, 'b', 2, 's2', 'blue', 1.50, [2], {'y': 2}", "2, 'a', 1, 's1', 'red', -1, [3], {}", "2, 'a', 2, null, '', null, null, null")
    t.cql("UPDATE $t SET v = 'green' WHERE k = 1 AND p = 'b' AND c = 2")
    t.cql("DELETE FROM $t WHERE k = 2 AND p = 'a' AND c = 1")
    t.insert("k, p, c, v", "3, 'c', 1, 'ttl'", using="USING TTL 60")
    t.flush()
    t.ask("SELECT JSON k, c FROM $t WHERE v = 'red' ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE s = 's1' ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE l CONTAINS 2 ALLOW FILTERING",
          "SELECT JSON k, c FROM $t WHERE m CONTAINS KEY 'y' ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE m['x'] = 1 ALLOW FILTERING", "SELECT JSON k, c FROM $t WHERE n = 1.5 ALLOW FILTERING")


@table("a legacy secondary index of a table with one key column")
def indexed_plain(t):
    t.create("k int PRIMARY KEY, v text")
    t.cql("CREATE INDEX indexed_plain_by_v ON $t (v)")
    t.insert("k, v", "1, 'red'", "2, 'blue'", "3, 'red'", "4, null")
    t.cql("DELETE FROM $t WHERE k = 3")
    t.flush()
    t.ask("SELECT JSON k FROM $t WHERE v = 'red'")


@table("storage-attached indexes: components that TOC lists and a reader of rows passes over", versions=("oa", "da"), dumps="lines")
def indexed_sai(t):
    t.create("k int PRIMARY KEY, v text, n int, e vector<float, 3>")
    for c in ("v", "n", "e"):
        t.cql(f"CREATE INDEX sai_{c} ON $t ({c}) USING 'sai'")
    t.insert("k, v, n, e", "1, 'a', 5, [1, 2, 3]", "2, 'b', 6, [0, 0, 1]", "3, null, null, null")
    t.flush()
