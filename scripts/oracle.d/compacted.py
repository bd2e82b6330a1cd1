"""Judges `cqlite compact` by Cassandra's own compaction of the same SSTables in the same second."""

import os
import re
import subprocess

import golden
from golden import READ_NOW, WRITE_NOW, copy_live
from rewritten import CQLITE, TIMEOUT, Fault, Judging, comparable, data_files, first_difference

# Seconds around which what the mutations write expires, or its tombstones become old.
SECONDS = [WRITE_NOW, WRITE_NOW + 2, WRITE_NOW + 60, WRITE_NOW + 102, WRITE_NOW + 3_603, WRITE_NOW + 900_000, READ_NOW - 1, READ_NOW, READ_NOW + 1, WRITE_NOW + 400_000_001]

# Where bytes may differ: ids and moments, what follows from the chunk of no bytes, and sums of a file of another name.
EXEMPT = ("Statistics.db", "CRC.db", "Digest.crc32")


# A deletion of a column, which Cassandra loses if the names of all columns so deleted in the row begin beyond ASCII.
LOST = re.compile(r' *\{ "name" : "(?:\\")?[^\x00-\x7f](?:[^"\\]|\\.)*", "deletion_info" : \{ "marked_deleted" .*\n')


class Compacted(Judging):
    """Compacts tables as Cassandra does it, and as cqlite does."""

    def __init__(self, rewritten):
        super().__init__(rewritten, "compacted", "compact")

    def judge(self, label, table, source, rng):
        """`source` has SSTables of the table and their schema."""
        with open(os.path.join(source, "schema.cql"), encoding="utf-8") as f:
            if has_only_dropped_statics(f.read()):
                self.counts["tables of an accident"] += 1
                return
        bases = {os.path.basename(path)[:-len("-Data.db")] for path in data_files(source)}
        bases = sorted(bases, key=lambda base: (len(base), base))
        chosen = bases if rng.random() < 0.5 else rng.sample(bases, rng.randint(1, len(bases)))
        now = rng.choice(SECONDS)
        gc_before = rng.choice([None, None, now, now + 1, rng.choice(SECONDS), 0])
        label = f"{label}, {len(chosen)} of {len(bases)} SSTables, now {now}, gc_before {gc_before}"
        self.attempt(label, lambda work: self._judge(label, table, source, chosen, now, gc_before, os.path.join(work, "cassandra", table), os.path.join(work, "cqlite", table)))

    def _judge(self, label, table, source, chosen, now, gc_before, theirs, ours):
        # Bytes are compared where no compressor has been at them.
        self.node.cql(f"ALTER TABLE golden.{golden.quote(table)} WITH compression = {{'enabled': 'false'}}")
        self.node.do("column_index_size_kib", value=-1)
        # As a node that has just started opens them: with the types that the schema has by now.
        self.node.do("empty", keyspace="golden", table=table)
        placed = self.rewritten.place(table, source)
        directory = self.node.do("directory", keyspace="golden", table=table)["path"]
        times = {"now": now} if gc_before is None else {"now": now, "gc_before": gc_before}
        files = [placed[base] for base in chosen]
        answer = self.node.ask(do="compact_some", keyspace="golden", table=table, files=files, **times)
        command = [CQLITE, "compact", *(os.path.join(source, base + "-Data.db") for base in chosen), "--out", ours, "--version", self.node.version,
                   "--schema", os.path.join(source, "schema.cql"), "--compression", "none", "--now", str(now)]
        if gc_before is not None:
            command += ["--gc-before", str(gc_before)]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, encoding="utf-8", errors="replace")
        if "failure" in answer:
            # Of some tables that it reads Cassandra cannot compact the SSTables.
            self.counts["Cassandra fails at"] += 1
            print(f"  {label}: Cassandra fails: {answer['failure'][:300]}", flush=True)
            if ran.returncode not in (0, 1, 2):
                raise Fault(f"exit {ran.returncode}: {ran.stderr.strip()}")
            return
        if ran.returncode != 0:
            raise Fault(f"exit {ran.returncode}: {ran.stderr.strip()}")
        self.counts["tables"] += 1
        self.counts["SSTables"] += len(chosen)
        os.makedirs(theirs)
        copy_live(directory, answer["made"], theirs)
        self._compare(label, ours, theirs)

    def _compare(self, label, ours, theirs):
        pair = data_files(ours), data_files(theirs)
        if len(pair[0]) != len(pair[1]):
            raise Fault(f"{len(pair[0])} SSTables where Cassandra has {len(pair[1])}")
        if not pair[0]:
            self.counts["nothing left"] += 1
            return
        # The tools delete summaries that they do not like.
        components = [components_of(data) for (data,) in pair]
        for options in ([], ["-d"]):
            dumps = [self.tools.ask(tool="dump", args=[data, *options]) for (data,) in pair]
            if "failure" in dumps[1]:
                continue
            texts = [comparable(answer.get("failure") or answer["out"]) for answer in dumps]
            self.counts["dumps"] += 1
            if not options and texts[0] != texts[1] and len(set(map(without_lost, texts))) == 1:
                self.counts["lost deletions"] += 1
                return
            if texts[0] != texts[1]:
                self._fault(label, f"dump: {first_difference(*texts)}")
                return
        if components[0].keys() != components[1].keys():
            raise Fault(f"the components are {sorted(components[0])}, not {sorted(components[1])}")
        for name, bytes_ in components[0].items():
            if name in EXEMPT:
                continue
            self.counts["components"] += 1
            if bytes_ != components[1][name]:
                self._fault(label, f"{name}: {len(bytes_)} and {len(components[1][name])} bytes, {first_difference(bytes_, components[1][name])}")
        metadata = [lasting(self.tools.ask(tool="metadata", args=[data])["out"]) for (data,) in pair]
        if metadata[0] != metadata[1]:
            self._fault(label, f"metadata: {first_difference(*metadata)}")


def without_lost(dump):
    return LOST.sub("", dump).replace(",\n", "\n")


def has_only_dropped_statics(schema):
    """What was written to static columns after they were dropped Cassandra's merge loses, if there are no others."""
    statics = set(re.findall(r'(?m)^ {4}("(?:[^"]|"")*"|\w+) .* static,?$', schema))
    dropped = set(re.findall(r'(?m)^ALTER TABLE .* DROP ("(?:[^"]|"")*"|\w+) USING', schema))
    added = set(re.findall(r'(?m)^ALTER TABLE .* ADD ("(?:[^"]|"")*"|\w+) ', schema))
    return bool(statics) and statics <= dropped - added


def components_of(data):
    base = data[:-len("Data.db")]
    folder = os.path.dirname(data)
    found = {}
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if path.startswith(base):
            with open(path, "rb") as f:
                found[path[len(base):]] = f.read()
    return found


def lasting(metadata):
    """What sstablemetadata prints, without names of files and what differs for a reason."""
    return re.sub(r"(?m)^(SSTable|Compression ratio|Originating host id): .*\n", "", metadata)
