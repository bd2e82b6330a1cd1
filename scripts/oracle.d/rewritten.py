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
COMPRESSORS = ("lz4", "zstd", "snappy", "deflate", "noop", "none")

STRINGS = r"'(?:[^']|'')*'" r'|"(?:[^"]|"")*"' r"|\$\$.*?\$\$"

# What comes out of a merge of decimals that are equal but for their scale, and of local with remote counter shards, depends on
# the order in which Cassandra happens to hold the SSTables.
ACCIDENTS = ("merge_by_decimal", "merge_equal_decimals", "counter_shards")

# A partition of which nothing is left: a flush may write it, a compaction does not.
EMPTY = re.compile(r' *\{\s*"table kind" : "REGULAR",\s*"partition" : \{\s*"key" : \[[^\n]*\],\s*"position" : 0\s*\},\s*"rows" : \[ \]\s*\},?\n?')

# What one of two versions cannot store is no fault of the writer.
UNSTORABLE = "cannot be stored since version `oa`"


class Fault(Exception):
    pass


class Judging:
    """Judges what cqlite made of tables of the node of `rewritten`. Counts what it did; `faults` are pairs of label and text."""

    def __init__(self, rewritten, what, verb):
        self.rewritten, self.node, self.tools = rewritten, rewritten.node, rewritten.tools
        self.counts = collections.Counter()
        self.faults = []
        self.verb = verb
        self.work = os.path.join(WORK, what, self.node.version)
        self.judged = 0
        shutil.rmtree(self.work, ignore_errors=True)

    def attempt(self, label, judge):
        """Runs `judge(folder)`, and keeps the folder if that finds a fault."""
        self.judged += 1
        work = os.path.join(self.work, str(self.judged))
        os.makedirs(work)
        found = len(self.faults)
        try:
            judge(work)
        except (Fault, golden.Refused) as e:
            self._fault(label, str(e))
        if len(self.faults) == found:
            shutil.rmtree(work)

    def _fault(self, label, text):
        self.faults.append((label, text))
        print(f"FAULT {self.verb} {label}: {text[:3000]}", flush=True)


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
    # What Cassandra describes and does not take.
    found = [q.replace("AND CLUSTERING ORDER BY (column1 ASC)", "") if "column1 ASC" in q and not re.search(r"^ +column1 ", q, re.M) else q for q in found]
    found = [re.sub(r"\bvalue empty\b", "value 'org.apache.cassandra.db.marshal.EmptyType'", q) for q in found]
    found = [re.sub(r"\bID = [0-9a-f-]{36}", lambda _: f"ID = {uuid.uuid4()}", q) for q in found if q]
    return [re.sub(r"^CREATE TYPE (?!IF NOT)", "CREATE TYPE IF NOT EXISTS ", q) for q in found]


def created(statements, what):
    """Names, as written, of what the statements create."""
    matches = (re.match(rf'CREATE {what} (?:IF NOT EXISTS )?((?:{STRINGS}|[\w.])+)', q) for q in statements)
    return [m[1] for m in matches if m]


def data_files(folder):
    return sorted(glob.glob(glob.escape(folder) + "/*-Data.db"))


def comparable(dump):
    """Where a row lies is for the writer to choose."""
    dump = EMPTY.sub("", re.sub(r'"position" : \d+', '"position" : 0', dump))
    # A key may hold newlines.
    return re.sub(r"\]@\d+ (?=Row\[|Marker |deletedAt=)", "]@0 ", dump)


def same(a, b):
    """Messages list functions and columns in an order that changes from one JVM to the next."""
    if "error" in a and "error" in b:
        return sorted(a["error"]) == sorted(b["error"])
    return a == b


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
        self.judged = self.placed = 0
        self.present = {}  # name of a table: its schema
        shutil.rmtree(self.work, ignore_errors=True)

    def judge(self, name, source, schema, answers, column=OWN):
        """`answers` are as in answers.jsonl; of what Cassandra failed at nothing is expected."""
        label = f"{os.path.basename(os.path.dirname(source))}/{name} as {self.version}, compressor {column}"
        # A folder of its own: the tools' JVM remembers what it has read of a path.
        self.judged += 1
        out = os.path.join(self.work, f"{self.judged}-{column}", name)
        before = len(self.faults)
        try:
            if self._write(source, out, schema, column):
                self._judge(label, name, source, out, schema, answers)
                self.counts["tables"] += 1
                self.counts["SSTables"] += len(data_files(out))
        except (Fault, golden.Refused) as e:
            self._fault(label, str(e))
        if len(self.faults) == before:
            shutil.rmtree(os.path.dirname(out), ignore_errors=True)

    def _fault(self, label, text):
        self.faults.append((label, text))
        print(f"FAULT {label}: {text[:3000]}", flush=True)

    def _write(self, source, out, schema, column):
        command = [CQLITE, "rewrite", source, "--out", out, "--version", self.version]
        if os.path.exists(os.path.join(source, "schema.cql")):
            command += ["--schema", os.path.join(source, "schema.cql")]
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
        if name in ACCIDENTS:
            answers = [a for a in answers if "count(" in a["cql"]]
        self._dumps(label, name, source, out)
        self._load(name, out, schema)
        self._answers(label, name, source, schema, answers, compacted=False)
        found = self.node.do("verify", keyspace="golden", table=name)["faults"]
        if found:
            self._fault(label, "verify: " + "; ".join(found))
        failure = self.node.ask(do="compact", keyspace="golden", table=name).get("failure")
        if failure is None:
            self._answers(label, name, source, schema, answers, compacted=True)
            return
        self._load(name, source, schema)
        if "failure" not in self.node.ask(do="compact", keyspace="golden", table=name):
            raise Fault(f"compact: {failure}")
        self.counts["tables Cassandra cannot compact"] += 1

    def _load(self, name, folder, schema):
        """The files of a folder, in the place of what there was."""
        self._create(name, schema)
        self.place(name, folder)

    def place(self, name, folder):
        """Puts the SSTables of a folder into the empty directory of a table; gives the new base paths, by the base names."""
        self.node.do("ulids", value=False)
        place = self.node.do("directory", keyspace="golden", table=name)["path"]
        bases = [path[:-len("-Data.db")] for path in data_files(folder)]
        files = {}
        for base in bases:
            # An id that no other SSTable of the node has.
            self.placed += 1
            version, rest = os.path.basename(base).split("-", 1)
            kind = rest.rsplit("-", 1)[1]
            new = os.path.join(place, f"{version}-{100_000 + self.placed}-{kind}")
            for path in glob.glob(glob.escape(base) + "-*"):
                component = path[len(base) + 1:]
                shutil.copyfile(path, f"{new}-{component}")
            files[os.stat(f"{new}-Data.db").st_ino] = os.path.basename(base)
        self.node.do("refresh", keyspace="golden", table=name)
        live = self.node.do("directory", keyspace="golden", table=name)["live"]
        live = [path for path in live if os.path.dirname(path) == place]
        if len(live) != len(bases):
            raise Fault(f"of {len(bases)} SSTables Cassandra opened {live}")
        # A refresh moves files to other ids.
        return {files[os.stat(path + "-Data.db").st_ino]: path for path in live}

    def _create(self, name, schema):
        if self.present.get(name) == schema:
            self.node.do("empty", keyspace="golden", table=name)
            return
        wanted = statements(schema)
        # A type of the same name may be another one.
        types = {created([q], "TYPE")[0]: q for q in wanted if created([q], "TYPE")}
        for other, its in list(self.present.items()):
            if other == name or any(q != types.get(*created([q], "TYPE"), q) for q in statements(its) if created([q], "TYPE")):
                self.drop(its)
        for q in wanted:
            self.node.cql(q)
        for created_too in created(wanted, "TABLE") + created(wanted, "MATERIALIZED VIEW"):
            self.present[created_too.split(".")[-1].strip('"')] = schema

    def drop(self, schema):
        """Drops what a schema creates."""
        self.present = {name: other for name, other in self.present.items() if other != schema}
        for what in ("MATERIALIZED VIEW", "TABLE", "TYPE"):
            for name in reversed(created(statements(schema), what)):
                # Others may use the type.
                self.node.ask(do="cql", q=f"DROP {what} IF EXISTS {name}", now=WRITE_NOW)

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
            if not same(answer, expected):
                wrong.append((expected, answer))
        if wrong and compacted:
            # What a compaction does to Cassandra's own files it may do to ours.
            self._load(name, source, schema)
            self.node.do("compact", keyspace="golden", table=name)
            of_source = [(expected, answer) for expected, answer in wrong if not same(self._ask(expected), answer)]
            self.counts["answers that Cassandra's compaction changes"] += len(wrong) - len(of_source)
            wrong = of_source
        when = " after a compaction" if compacted else ""
        for expected, answer in wrong:
            self._fault(label, f"{expected['cql']}{when}: {first_difference(str(answer), str(expected))}")

    def _dumps(self, label, name, source, out):
        """The dumps are the same, in whatever order the SSTables are."""
        copy = os.path.join(self.work, f"{self.judged}-source", name)
        # The tools delete summaries that they do not like.
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("dump", "metadata", "snapshots", "backups"))
        ours, theirs = [self._texts(folder) for folder in (out, copy)]
        self.counts["dumps"] += len(ours)
        if glob.glob(glob.escape(source) + "/*.log"):
            # The log of a transaction says which SSTables are to be read.
            theirs = [a if a in theirs else "(no SSTable of the source)" for a in ours]
        if len(ours) != len(theirs):
            raise Fault(f"{len(theirs)} SSTables became {len(ours)}")
        if collections.Counter(ours) != collections.Counter(theirs):
            for a, b in zip(ours, theirs):
                # Where Cassandra itself fails at the source, there is nothing to compare.
                if a != b and b is not None:
                    self._fault(label, f"dump: {first_difference(a or 'fails', b)}")
        shutil.rmtree(os.path.dirname(copy))

    def _texts(self, folder):
        def text(data, options):
            answer = self.tools.ask(tool="dump", args=[data, *options])
            return None if "failure" in answer else comparable(answer["out"])
        live = data_files(folder)
        return [next((t for t in (text(data, o) for o in ([], ["-d"])) if t is not None), None) for data in live]
