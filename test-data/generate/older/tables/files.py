"""What depends on the file rather than on its rows: compressors, checksums, Statistics, partitioners, mixed versions."""

import hashlib

from older import table

EVERY = ("ma", "mb", "mc", "md", "me", "na")


def noise(n, length):
    """Text that does not compress."""
    out, i = "", 0
    while len(out) < length:
        out += hashlib.sha256(f"{n} {i}".encode()).hexdigest()
        i += 1
    return out[:length]


def rows(t, count, length):
    for n in range(count):
        t.insert("k, v", f"{n}, {'0x' + noise(n, length) if n % 2 else '0x' + 'ab' * (length // 2)}", using="USING TIMESTAMP 1")
    t.flush()
    t.ask("SELECT JSON k FROM $t WHERE k = 1", f"SELECT JSON k, v FROM $t WHERE k = {count - 1}", "SELECT JSON k FROM $t WHERE k = -1")


def compressed(name, covers, versions, options):
    @table(f"chunks of 1 KiB: {covers}", name=name, versions=versions)
    def make(t):
        t.create("k int PRIMARY KEY, v blob", f"compression = {options}")
        rows(t, 6, 1200)


compressed("chunks_lz4", "LZ4", ("ma",), "{'class': 'LZ4Compressor', 'chunk_length_in_kb': '1'}")
compressed("chunks_snappy", "Snappy", ("ma",), "{'class': 'SnappyCompressor', 'chunk_length_in_kb': '1'}")
compressed("chunks_deflate", "Deflate", ("me",), "{'class': 'DeflateCompressor', 'chunk_length_in_kb': '1'}")
compressed("chunks_lz4_high", "LZ4's high compressor", ("me",),
           "{'class': 'LZ4Compressor', 'chunk_length_in_kb': '1', 'lz4_compressor_type': 'high', 'lz4_high_compressor_level': '12'}")
compressed("chunks_zstd", "Zstd", ("na",), "{'class': 'ZstdCompressor', 'chunk_length_in_kb': '1', 'compression_level': '5'}")
compressed("chunks_noop", "the compressor that does nothing", ("na",), "{'class': 'NoopCompressor', 'chunk_length_in_kb': '1'}")
compressed("chunks_raw", "kept raw where they do not shrink to two thirds", ("na",),
           "{'class': 'LZ4Compressor', 'chunk_length_in_kb': '1', 'min_compress_ratio': '1.5'}")


@table("uncompressed, more than 64 KiB: two checksums in CRC.db", versions=("me",), auto=False)
def uncompressed(t):
    t.create("k int PRIMARY KEY, v blob", "compression = {'enabled': 'false'}")
    for n in range(2):
        t.insert("k, v", f"{n}, 0x{noise(n, 66_000)}", using="USING TIMESTAMP 1")
    t.flush()


@table("Statistics.db: level, time of repair, commit log bounds or intervals; host id (me), pending repair and transience (na)", versions=EVERY)
def statistics(t):
    t.create("k int, c int, v text, PRIMARY KEY (k, c)")
    extra = {"me": {"host": "d9a5e5b0-0000-4000-8000-00000000beef"}}.get(t.version, {})
    for i in range(3):
        t.insert("k, c, v", f"{i}, {i * i}, 'v'", using=f"USING TIMESTAMP {1700000000000000 + i}")
    t.flush(level=2, repaired=1690000000000, intervals="1700000000000:100:2000,1700000000001:5:70,1700000000009:1:33", **extra)
    t.cql("DELETE FROM $t USING TIMESTAMP 1700000000000007 WHERE k = 1 AND c > 5")
    t.flush(stats=0, **({"pending": "6b1a3c20-0000-11ee-8000-000000000001", "transient": 1} if t.version == "na" else {}))


@table("130 tombstones at times far apart: the histogram of drop times is full and merged", versions=("ma", "na"))
def drop_times(t):
    t.create("k int, c int, v int, PRIMARY KEY (k, c)", "gc_grace_seconds = 0")
    for i in range(130):
        t.now(1600000000 + i * i * 1000)
        t.cql(f"DELETE FROM $t USING TIMESTAMP {i} WHERE k = {i % 5} AND c = {i}")
    t.flush()


@table("one directory with SSTables of ma, md, me and na: a row that each of them changed", versions=("na",), also=("ma", "md", "me"))
def mixed(t):
    turn = ("ma", "md", "me", "na").index(t.version)
    t.now(1700000000 + turn)
    using = f"USING TIMESTAMP {100 + turn}"
    t.create("k int, c int, v text, m map<text, int>, n int, PRIMARY KEY (k, c)")
    t.insert("k, c, v", f"1, 1, '{t.version}'", f"2, {turn}, '{t.version}'", f"{10 + turn}, 0, 'alone'", using=using)
    t.cql(f"UPDATE $t {using} SET m['{t.version}'] = {turn} WHERE k = 1 AND c = 2")
    t.cql(("UPDATE $t {} SET n = 5 WHERE k = 1 AND c = 3", "DELETE n FROM $t {} WHERE k = 1 AND c = 3",
           "DELETE FROM $t {} WHERE k = 2 AND c < 2", "UPDATE $t {} SET v = 'still here' WHERE k = 2 AND c = 1")[turn].format(using))
    t.flush(generation=turn + 1)
    t.ask("SELECT JSON * FROM $t WHERE k = 1", "SELECT JSON * FROM $t WHERE k = 2", "SELECT JSON v, writetime(v) FROM $t WHERE k = 12")


@table("RandomPartitioner; no answers, for the node has another partitioner", versions=("ma", "me"), answers=False)
def random_partitioner(t):
    partitioned(t, "RandomPartitioner")


@table("ByteOrderedPartitioner; no answers, for the node has another partitioner", versions=("ma", "me"), answers=False)
def byte_ordered(t):
    partitioned(t, "ByteOrderedPartitioner")


def partitioned(t, name):
    t.set("partitioner", name)
    t.create("k text, c int, v text, PRIMARY KEY (k, c)")
    for n in range(20):
        t.insert("k, c, v", f"'key {n}', {n}, 'v'", using="USING TIMESTAMP 1")
    t.flush()
