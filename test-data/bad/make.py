#!/usr/bin/env python3
"""Makes the files of the bad cases out of the golden tables; what is expected of them stands in `expected`, see README.md.

make.py [CASE...]    makes these cases, or all of them, anew; `expected` files are left as they are
"""

import os
import shutil
import struct
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")
CASES = {}

# Tables that the cases are made of: few and small partitions; wide ones; without compression; the oldest version.
SMALL, OTHER, WIDE, WIDE_BTI = "oa/key_composite", "oa/only_keys", "oa/some_partitions", "da/some_partitions"
PLAIN, OLD = "oa/uncompressed_small", "ma/compact_static"


def case(name, table=SMALL):
    """A case that is a golden table's first SSTable, with a change."""

    def add(change):
        CASES[name] = (table, change)
        return change

    return add


class Files(dict):
    """Components of an SSTable by their names, as `Data.db`."""

    def __init__(self, table):
        super().__init__()
        directory = os.path.join(GOLDEN, table)
        names = sorted(n for n in os.listdir(directory) if n.endswith("-Data.db"))
        self.base = names[0][: -len("Data.db")]
        for name in os.listdir(directory):
            if name.startswith(self.base):
                with open(os.path.join(directory, name), "rb") as f:
                    self[name[len(self.base) :]] = bytearray(f.read())
        # What else the directory is to hold, by path.
        self.extra = {}
        if table in (WIDE, WIDE_BTI):
            self.extra["schema.cql"] = b"CREATE TABLE ks.t (k text, c int, v text, PRIMARY KEY (k, c));\n"

    def write(self, directory):
        for name, data in self.items():
            self.extra[self.base + name] = data
        for path, data in self.extra.items():
            path = os.path.join(directory, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)


def plain_changes():
    """Every component cut, flipped, emptied, taken away, and put in from another SSTable."""
    for table, components in [
        (SMALL, ["Data.db", "CompressionInfo.db", "Statistics.db", "Digest.crc32", "TOC.txt"]),
        (WIDE, ["Index.db", "Summary.db", "Filter.db"]),
        (WIDE_BTI, ["Partitions.db", "Rows.db"]),
        (PLAIN, ["CRC.db"]),
    ]:
        for component in components:
            short = component.split(".")[0].lower()

            def cut(f, c=component):
                del f[c][len(f[c]) * 2 // 3 :]

            def flip(f, c=component):
                f[c][len(f[c]) // 2] ^= 0x10

            def empty(f, c=component):
                del f[c][:]

            def missing(f, c=component):
                del f[c]

            def swapped(f, c=component, t=table):
                other = {WIDE: SMALL, WIDE_BTI: "da/wide_two", PLAIN: "oa/uncompressed"}.get(t, OTHER)
                f[c] = Files(other)[c]

            changes = {"cut": cut, "flipped": flip, "empty": empty, "missing": missing, "swapped": swapped}
            for how, change in changes.items():
                case(f"{short}_{how}", table)(change)


plain_changes()


@case("data_of_another_table")
def _(f):
    other = Files(OTHER)
    f["Data.db"], f["CompressionInfo.db"] = other["Data.db"], other["CompressionInfo.db"]


@case("data_longer")
def _(f):
    f["Data.db"] += b"what is this"


@case("data_is_a_directory")
def _(f):
    del f["Data.db"]
    f.extra[f.base + "Data.db/file"] = b"x"


@case("plain_data_cut", PLAIN)
def _(f):
    del f["Data.db"][20:]


@case("plain_data_cut_without_crc", PLAIN)
def _(f):
    del f["Data.db"][20:], f["CRC.db"]


@case("plain_data_flipped", PLAIN)
def _(f):
    f["Data.db"][25] ^= 1


@case("plain_data_flipped_without_crc", PLAIN)
def _(f):
    f["Data.db"][15] ^= 0x40
    del f["CRC.db"]


def compression_info(f):
    """Offset of the chunk length in CompressionInfo.db."""
    data, at = f["CompressionInfo.db"], 0
    (n,) = struct.unpack_from(">H", data, at)
    at += 2 + n
    (count,) = struct.unpack_from(">i", data, at)
    at += 4
    for _ in range(2 * count):
        at += 2 + struct.unpack_from(">H", data, at)[0]
    return at


@case("compressioninfo_chunk_length_0")
def _(f):
    struct.pack_into(">i", f["CompressionInfo.db"], compression_info(f), 0)


@case("compressioninfo_chunk_length_huge")
def _(f):
    struct.pack_into(">i", f["CompressionInfo.db"], compression_info(f), 1 << 30)


@case("compressioninfo_data_length_huge")
def _(f):
    struct.pack_into(">q", f["CompressionInfo.db"], compression_info(f) + 8, 1 << 50)


@case("compressioninfo_data_length_beyond_chunk")
def _(f):
    # One chunk of 256 MiB, so says the file, out of 200 bytes.
    at = compression_info(f)
    struct.pack_into(">iiq", f["CompressionInfo.db"], at, 1 << 28, (1 << 31) - 1, 1 << 28)


@case("compressioninfo_chunk_count_huge")
def _(f):
    struct.pack_into(">i", f["CompressionInfo.db"], compression_info(f) + 16, (1 << 31) - 1)


@case("compressioninfo_offset_beyond_file")
def _(f):
    struct.pack_into(">q", f["CompressionInfo.db"], compression_info(f) + 20, 1 << 40)


@case("compressioninfo_unknown_compressor")
def _(f):
    f["CompressionInfo.db"] = f["CompressionInfo.db"].replace(b"LZ4Compressor", b"LZ5Compressor")


def seal(data):
    """Makes the checksums of Statistics.db right."""
    (count,) = struct.unpack_from(">i", data, 0)
    struct.pack_into(">I", data, 4, zlib.crc32(data[0:4]))
    end = 8 + 8 * count
    struct.pack_into(">I", data, end, zlib.crc32(data[0:4] + data[8:end]))
    starts = [struct.unpack_from(">i", data, 12 + 8 * i)[0] for i in range(count)] + [len(data)]
    for start, end in zip(starts, starts[1:]):
        struct.pack_into(">I", data, end - 4, zlib.crc32(data[start : end - 4]))


@case("statistics_count_huge")
def _(f):
    struct.pack_into(">i", f["Statistics.db"], 0, 1 << 30)
    struct.pack_into(">I", f["Statistics.db"], 4, zlib.crc32(f["Statistics.db"][0:4]))


@case("statistics_unknown_type")
def _(f):
    data = f["Statistics.db"]
    at = data.rindex(b"org.apache.cassandra.db.marshal.UTF8Type")
    data[at + 32 : at + 40] = b"UTF8(((("
    seal(data)


@case("statistics_type_too_deep", OLD)
def _(f):
    # Thousands of nested lists in the place of the last type.
    data = f["Statistics.db"]
    at = data.rindex(b"org.apache.cassandra.db.marshal.")
    del data[at - 1 :]
    name = b"ListType(" * 3000
    data += bytes([0xC0, len(name) >> 8, len(name) & 0xFF]) + name + b"\0"


@case("statistics_histogram_huge", OLD)
def _(f):
    data = f["Statistics.db"]
    at = struct.unpack_from(">i", data, 4 + 8 * 2 + 4)[0]
    struct.pack_into(">i", data, at, (1 << 31) - 1)


@case("statistics_without_header", OLD)
def _(f):
    data = f["Statistics.db"]
    struct.pack_into(">i", data, 0, 3)


@case("statistics_unknown_partitioner")
def _(f):
    data = f["Statistics.db"]
    at = data.index(b"Murmur3Partitioner")
    data[at : at + 18] = b"Murmur4Partitioner"
    seal(data)


@case("index_leads_into_partition", WIDE)
def _(f):
    # The first entry's position: into the middle of the first partition.
    data = f["Index.db"]
    (n,) = struct.unpack_from(">H", data, 0)
    data[2 + n] = 40


@case("index_leads_beyond_data", WIDE)
def _(f):
    data = f["Index.db"]
    (n,) = struct.unpack_from(">H", data, 0)
    data[2 + n : 3 + n] = b"\xfe" + bytes(6) + b"\xff"


@case("index_and_summary_swapped", WIDE)
def _(f):
    # They fit together, and not to the data.
    other = Files(SMALL)
    f["Index.db"], f["Summary.db"] = other["Index.db"], other["Summary.db"]


@case("summary_leads_beyond_index", WIDE)
def _(f):
    data = f["Summary.db"]
    (count,) = struct.unpack_from(">i", data, 4)
    (size,) = struct.unpack_from(">q", data, 8)
    # The last entry ends with its position.
    struct.pack_into("<q", data, 24 + size - 8, 1 << 40)
    struct.pack_into("<q", data, 24 + struct.unpack_from("<i", data, 24 + 4 * min(1, count - 1))[0] - 8, 1 << 40)


@case("summary_count_huge", WIDE)
def _(f):
    struct.pack_into(">i", f["Summary.db"], 4, (1 << 31) - 1)


@case("filter_count_huge", WIDE)
def _(f):
    struct.pack_into(">i", f["Filter.db"], 4, (1 << 31) - 1)


@case("filter_hashes_0", WIDE)
def _(f):
    struct.pack_into(">i", f["Filter.db"], 0, 0)


@case("partitions_root_beyond_file", WIDE_BTI)
def _(f):
    struct.pack_into(">q", f["Partitions.db"], len(f["Partitions.db"]) - 8, 1 << 40)


@case("partitions_count_huge", WIDE_BTI)
def _(f):
    struct.pack_into(">q", f["Partitions.db"], len(f["Partitions.db"]) - 16, 1 << 62)


@case("toc_not_text")
def _(f):
    f["TOC.txt"] = bytearray(b"\xff\xfe\x00Data.db\n")


@case("toc_lists_more")
def _(f):
    f["TOC.txt"] += b"Nothing.db\n"


@case("transaction_log_damaged")
def _(f):
    f.extra["oa_txn_compaction_c1a2f0d0-0000-11ee-8000-000000000000.log"] = (
        b"ADD:[/d/oa-1-big-,0,8][1234567]\nCOMMIT:[,0,0][1]\n"
    )


@case("key_of_wrong_type", "oa/single")
def _(f):
    f.extra["schema.cql"] = b"CREATE TABLE ks.t (k int PRIMARY KEY, v int);\n"


@case("schema_of_another_key", "oa/single")
def _(f):
    f.extra["schema.cql"] = b"CREATE TABLE ks.t (k text, c int, v text, PRIMARY KEY (k, c));\n"


@case("schema_of_another_column_type")
def _(f):
    f.extra["schema.cql"] = (
        b"CREATE TABLE ks.t (a text, b blob, c int, r int, v text, PRIMARY KEY ((a, b, c), r));\n"
    )


@case("schema_that_is_none", "oa/single")
def _(f):
    f.extra["schema.cql"] = b"CREATE TABLE ks.t (k int PRIMARY KEY, v nothing);\n"


@case("schema_that_is_no_text", "oa/single")
def _(f):
    f.extra["schema.cql"] = b"\xff\xfe\x00CREATE"


for letters, name in [
    ("jb", "ks-t-jb-1-Data.db"),
    ("ka", "ks-t-ka-1-Data.db"),
    ("la", "la-1-big-Data.db"),
    ("nc", "nc-1-big-Data.db"),
    ("pa", "pa-1-big-Data.db"),
    ("ea", "ea-1-bti-Data.db"),
    ("ms", "ms-1-big-Data.db"),
]:

    def version(f, name=name):
        f.clear()
        f.extra[name] = b"the bytes of another version"

    case(f"version_{letters}")(version)


@case("no_sstable")
def _(f):
    f.clear()
    f.extra["notes.txt"] = b"this is no SSTable\n"


@case("sstable_of_another_version")
def _(f):
    # An oa in the name of an nb.
    f.base = "nb-1-big-"


@case("newer_in_name_of_older", "da/wide_two")
def _(f):
    f.base = "oa-1-big-"


def main():
    wanted = sys.argv[1:] or CASES
    for name in wanted:
        table, change = CASES[name]
        directory = os.path.join(HERE, name)
        os.makedirs(directory, exist_ok=True)
        for old in os.listdir(directory):
            path = os.path.join(directory, old)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif old != "expected":
                os.remove(path)
        files = Files(table)
        change(files)
        files.write(directory)
    if wanted is CASES:
        unknown = [d for d in os.listdir(HERE) if os.path.isdir(os.path.join(HERE, d)) and d not in CASES]
        if unknown:
            sys.exit(f"no case makes {', '.join(sorted(unknown))}")


main()
