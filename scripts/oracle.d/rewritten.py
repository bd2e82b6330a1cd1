"""Judges tables that cqlite has written again: the node that reads them must find in them what their source holds."""

import collections
import glob
import os
import re
import shutil
import subprocess
import uuid

import golden
from golden import READ_NOW, WORK, WRITE_NOW

CQLITE = os.environ["CQLITE"]
TIMEOUT = 120

# Columns of the compressor matrix, as `rewrite --compression` names them; `own` is the compressor of the source.
OWN = "own"
COMPRESSORS = ("lz4", "lz4-high", "zstd", "snappy", "deflate", "noop", "none")

STRINGS = r"'(?:[^']|'')*'" r'|"(?:[^"]|"")*"' r"|\$\$.*?\$\$"

# What one of two versions cannot store is no fault of the writer.
UNSTORABLE = "cannot be stored since version `oa`"


class Fault(Exception):
    pass


def statements(schema):
    """The statements of a schema, with a new id for each table. Of a table with compact storage Cassandra describes the
    statement within a comment."""
    schema = re.sub(r"/\*\s*Warning: .*?\(this should not be used[^\n]*\n(.*?)\*/", r"\1", schema, flags=re.S)
    found, start = [], 0
    for m in re.finditer(STRINGS + "|;", schema, flags=re.S):
        if m[0] == ";":
            found.append(schema[start:m.start()].strip())
            start = m.end()
    found.append(schema[start:].strip())
    found = [re.sub(r"\bID = [0-9a-f-]{36}", lambda _: f"ID = {uuid.uuid4()}", q) for q in found if q]
    return [re.sub(r"^CREATE TYPE (?!IF NOT)", "CREATE TYPE IF NOT EXISTS ", q) for q in found]


def created(statements, what):
    """Names, as written, of what the statements create."""
    matches = (re.match(rf'CREATE {what} (?:IF NOT EXISTS )?((?:{STRINGS}|[\w.])+)', q) for q in statements)
    return [m[1] for m in matches if m]


def data_files(folder):
    return sorted(glob.glob(glob.escape(folder) + "/*-Data.db"))


def without_positions(dump):
    """Where a row lies is for the writer to choose."""
    return re.sub(r'"position" : \d+', '"position" : 0', dump)


def first_difference(ours, theirs):
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
    start = max(0, at - 100)
    return f"at {at}\n    written {ours[start:at + 200]!r}\n    source  {theirs[start:at + 200]!r}"


class Rewritten:
    """Writes tables again and has a node judge them. Counts what it did; `faults` are pairs of label and text."""

    def __init__(self, node, tools):
        self.node, self.tools = node, tools
        self.version = node.version
        self.counts = collections.Counter()
        self.faults = []
        self.work = os.path.join(WORK, "judge", node.version)
        self.placed = 0
        shutil.rmtree(self.work, ignore_errors=True)

    def judge(self, name, source, schema, answers, column=OWN):
        """`answers` are as in answers.jsonl; of what Cassandra failed at nothing is expected."""
        label = f"{os.path.basename(os.path.dirname(source))}/{name} as {self.version}, compressor {column}"
        out = os.path.join(self.work, column, name)
        shutil.rmtree(out, ignore_errors=True)
        before = len(self.faults)
        try:
            if self._write(source, out, schema, column):
                self._judge(label, name, source, out, schema, answers)
                self.counts["tables"] += 1
                self.counts["SSTables"] += len(data_files(out))
        except (Fault, golden.Refused) as e:
            self._fault(label, str(e))
        self._drop(schema)
        if len(self.faults) == before:
            shutil.rmtree(out, ignore_errors=True)

    def _fault(self, label, text):
        self.faults.append((label, text))
        print(f"FAULT {label}: {text[:3000]}", flush=True)

    def _write(self, source, out, schema, column):
        command = [CQLITE, "rewrite", source, "--out", out, "--version", self.version]
        if column != OWN:
            command += ["--compression", column]
        try:
            ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, encoding="utf-8", errors="replace")
        except subprocess.TimeoutExpired:
            raise Fault("rewrite does not end") from None
        if ran.returncode == 0:
            return True
        if UNSTORABLE in ran.stderr:
            self.counts["not storable"] += 1
            return False
        raise Fault(f"rewrite: exit {ran.returncode}: {ran.stderr.strip()}")

    def _judge(self, label, name, source, out, schema, answers):
        self._dumps(label, name, source, out)
        self._load(name, out, schema)
        self._answers(label, name, source, schema, answers, compacted=False)
        found = self.node.do("verify", keyspace="golden", table=name)["faults"]
        if found:
            self._fault(label, "verify: " + "; ".join(found))
        self.node.do("compact", keyspace="golden", table=name)
        self._answers(label, name, source, schema, answers, compacted=True)

    def _load(self, name, folder, schema):
        """The schema, in the place of what there was, and the files of a folder."""
        self._drop(schema)
        for q in statements(schema):
            self.node.cql(q)
        self.node.do("ulids", value=False)
        place = self.node.do("directory", keyspace="golden", table=name)["path"]
        bases = [path[:-len("-Data.db")] for path in data_files(folder)]
        for base in bases:
            # An id that no other SSTable of the node has.
            self.placed += 1
            version, rest = os.path.basename(base).split("-", 1)
            kind = rest.rsplit("-", 1)[1]
            for path in glob.glob(glob.escape(base) + "-*"):
                component = path[len(base) + 1:]
                shutil.copyfile(path, os.path.join(place, f"{version}-{100_000 + self.placed}-{kind}-{component}"))
        self.node.do("refresh", keyspace="golden", table=name)
        live = self.node.do("directory", keyspace="golden", table=name)["live"]
        live = [path for path in live if os.path.dirname(path) == place]
        if len(live) != len(bases):
            raise Fault(f"of {len(bases)} SSTables Cassandra opened {live}")

    def _drop(self, schema):
        created_by = statements(schema)
        for what in ("MATERIALIZED VIEW", "TABLE", "TYPE"):
            for name in reversed(created(created_by, what)):
                self.node.cql(f"DROP {what} IF EXISTS {name}")

    def _ask(self, expected):
        as_json = "rows" in expected
        answer = self.node.ask(do="cql", q=expected["cql"], now=READ_NOW, hex=not as_json)
        if "rows" not in answer:
            return {"cql": expected["cql"], **answer}
        if as_json:
            return {"cql": expected["cql"], "rows": [r[0] for r in answer["rows"]]}
        return {"cql": expected["cql"], "columns": answer["columns"], "values": answer["rows"]}

    def _answers(self, label, name, source, schema, answers, compacted):
        wrong = []
        for expected in answers:
            if "failure" in expected:
                self.counts["answers Cassandra fails at"] += 1
                continue
            self.counts["answers"] += 1
            answer = self._ask(expected)
            if answer != expected:
                wrong.append((expected, answer))
        if wrong and compacted:
            # What a compaction does to Cassandra's own files it may do to ours.
            self._load(name, source, schema)
            self.node.do("compact", keyspace="golden", table=name)
            of_source = [(expected, answer) for expected, answer in wrong if self._ask(expected) != answer]
            self.counts["answers that Cassandra's compaction changes"] += len(wrong) - len(of_source)
            wrong = of_source
        when = " after a compaction" if compacted else ""
        for expected, answer in wrong:
            self._fault(label, f"{expected['cql']}{when}: {first_difference(str(answer), str(expected))}")

    def _dumps(self, label, name, source, out):
        """The dumps are the same, in whatever order the SSTables are."""
        copy = os.path.join(self.work, "source", name)
        shutil.rmtree(copy, ignore_errors=True)
        # The tools delete summaries that they do not like.
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("dump", "metadata", "snapshots", "backups"))
        ours, theirs = [self._texts(folder) for folder in (out, copy)]
        if len(ours) != len(theirs):
            raise Fault(f"{len(theirs)} SSTables became {len(ours)}")
        self.counts["dumps"] += len(ours)
        if collections.Counter(ours) != collections.Counter(theirs):
            for a, b in zip(ours, theirs):
                # Where Cassandra itself fails at the source, there is nothing to compare.
                if a != b and b is not None:
                    self._fault(label, f"dump: {first_difference(a or 'fails', b)}")
        shutil.rmtree(copy)

    def _texts(self, folder):
        def text(data, options):
            answer = self.tools.ask(tool="dump", args=[data, *options])
            return None if "failure" in answer else without_positions(answer["out"])
        live = data_files(folder)
        return [next((t for t in (text(data, o) for o in ([], ["-d"])) if t is not None), None) for data in live]
