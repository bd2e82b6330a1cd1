"""Judges what cqlite saves of damaged tables: the node must take it, and find in it nothing but what the source holds."""

import glob
import json
import os
import random
import shutil
import subprocess

from golden import READ_NOW
from rewritten import CQLITE, TIMEOUT, Fault, data_files

# Of more than one chunk, so that something is left; without static columns, which are null in rows whose static row is lost.
TABLES = ("compressed_lz4", "compressed_zstd", "compressed_deflate", "many_partitions", "range_tombstones", "uncompressed_compacted")


def damage(folder, seed):
    """Flips a bit of the longest Data.db."""
    path = max(data_files(folder), key=os.path.getsize)
    chance = random.Random(seed)
    with open(path, "r+b") as f:
        data = bytearray(f.read())
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
        f.seek(0)
        f.write(data)
    return at


def scrub(source, out, version):
    command = [CQLITE, "scrub", source, "--out", out, "--version", version, "--skip-corrupted"]
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, encoding="utf-8", errors="replace")
    except subprocess.TimeoutExpired:
        raise Fault("scrub does not end") from None
    if ran.returncode not in (0, 1):
        raise Fault(f"scrub: exit {ran.returncode}: {ran.stderr.strip()}")


def judge(rewritten, source, seed):
    """`rewritten` is the judge of tables that were written again, whose node and counts are used."""
    name = os.path.basename(source)
    label = f"{os.path.basename(os.path.dirname(source))}/{name} scrubbed, seed {seed}"
    folder = os.path.join(rewritten.work, f"scrubbed-{seed}")
    damaged, out = os.path.join(folder, "damaged", name), os.path.join(folder, "out", name)
    with open(os.path.join(source, "schema.cql"), encoding="utf-8") as f:
        schema = f.read()

    def rows():
        answer = rewritten.node.ask(do="cql", q=f'SELECT JSON * FROM golden."{name}"', now=READ_NOW)
        if "rows" not in answer:
            raise Fault(f"no answer: {json.dumps(answer)[:500]}")
        return [r[0] for r in answer["rows"]]

    try:
        shutil.copytree(source, damaged, ignore=shutil.ignore_patterns("dump", "metadata", "snapshots", "backups"))
        at = damage(damaged, seed)
        label += f", byte {at}"
        scrub(damaged, out, rewritten.version)
        rewritten._load(name, source, schema)
        there_was = rows()
        rewritten.counts["scrubbed"] += 1
        if not glob.glob(glob.escape(out) + "/*-Data.db"):
            rewritten.counts["scrubbed, nothing left"] += 1
            return
        rewritten._load(name, out, schema)
        found = rewritten.node.do("verify", keyspace="golden", table=name)["faults"]
        if found:
            rewritten._fault(label, "verify: " + "; ".join(found))
        saved = rows()
        known = set(there_was)
        for row in saved:
            if row not in known:
                rewritten._fault(label, f"a row that was not: {row}")
                return
        rewritten.counts["rows scrubbed"] += len(saved)
        rewritten.node.do("compact", keyspace="golden", table=name)
        if rows() != saved:
            rewritten._fault(label, "a compaction changes the rows")
    except Fault as e:
        rewritten._fault(label, str(e))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
