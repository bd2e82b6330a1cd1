"""Judges `cqlite import` by a node that has executed the same statements itself."""

import json
import os
import re
import subprocess

from golden import READ_NOW, WRITE_NOW, copy_live
from rewritten import CQLITE, TIMEOUT, Fault, Judging, comparable, data_files, first_difference, same

NOW = WRITE_NOW + 5
TIMESTAMP = NOW * 1_000_000 + 17

EMPTY_COLUMN = re.compile(r'\[\n *\]')
EMPTY_ROW = re.compile(r' *\{\n *"type" : "row"\n *"position" : 0\n(?: *"clustering" : [^\n]*\n)? *"cells" : \[ \]\n *\}\n')
COLUMN_DELETION = re.compile(r' *\{ "name" : "(?:[^"\\]|\\.)*", "deletion_info" : \{ "marked_deleted" .*\n')


class Imported(Judging):
    """Imports statements, lines of JSON and CSV."""

    def __init__(self, rewritten):
        super().__init__(rewritten, "imported", "import")

    def judge(self, label, t, schema, rng):
        """`t` is the random table, and `schema` the file that defines it."""
        s = t.mutations.s
        kind = "cql" if s.counter else rng.choice(["cql", "cql", "jsonl", "csv"])
        # INSERT JSON says nothing of the column that compact storage hides, and so stores nothing.
        if "COMPACT STORAGE" in t.described and not s.static + s.regular:
            kind = "cql"
        label = f"{label} from {kind}"
        self.attempt(label, lambda work: self._judge(label, t, schema, rng, kind, work))

    def _judge(self, label, t, schema, rng, kind, work):
        lines = getattr(self, "_" + kind)(t, rng)
        self.node.do("empty", keyspace="golden", table=t.name)
        ttl = rng.choice([None, None, 500, 100_000_000]) if kind != "cql" else None
        using = f" USING TIMESTAMP {TIMESTAMP}" + (f" AND TTL {ttl}" if ttl else "")
        head = [lines.pop(0)] if kind == "csv" else []
        taken, refused = head[:], []
        for text, statement in lines:
            answer = self.node.ask(do="cql", q=statement if kind == "cql" else statement + using, timestamp=TIMESTAMP, now=NOW)
            # Where Cassandra refuses what nb cannot hold, it is cut, as with the other policy that Cassandra knows.
            if "CASSANDRA-14092" in answer.get("error", ""):
                continue
            if "error" in answer:
                refused.append((text, answer["error"]))
            elif "failure" not in answer:
                taken.append(text)
        options = ["--timestamp", str(TIMESTAMP), "--now", str(NOW)] + (["--ttl", str(ttl)] if ttl else [])
        if t.mutations.s.counter:
            refused = [(text, "counter") for text in taken]
        self._refuses(t, schema, kind, work, options, head, refused)
        if t.mutations.s.counter or len(taken) <= (kind == "csv"):
            return
        self.node.do("flush", keyspace="golden", table=t.name)
        expected = self._answers(t)
        directory = self.node.do("directory", keyspace="golden", table=t.name)
        theirs = os.path.join(work, "cassandra", t.name)
        os.makedirs(theirs)
        copy_live(directory["path"], directory["live"], theirs)

        ours = os.path.join(work, "cqlite", t.name)
        ran = self._import(t, schema, kind, work, options, taken, ours)
        # INSERT JSON takes an empty text for a duration, which Cassandra then calls no duration; an import does not.
        if kind == "jsonl" and re.search("no value of type .*duration.*: the bytes end in the middle", ran.stderr):
            self.counts["empty durations"] += 1
            return
        if ran.returncode != 0:
            raise Fault(f"exit {ran.returncode}: {ran.stderr.strip()}")
        self.counts["tables"] += 1
        self.counts[f"lines of {kind}"] += len(taken)
        self.node.do("empty", keyspace="golden", table=t.name)
        self.rewritten.place(t.name, ours)
        for a, b in zip(self._answers(t), expected):
            self.counts["answers"] += 1
            if not same(a, b):
                self._fault(label, f"{b['cql']}: {first_difference(str(a), str(b))}")
        faults = self.node.do("verify", keyspace="golden", table=t.name)["faults"]
        if faults:
            self._fault(label, "verify: " + "; ".join(faults))
        self._dumps(label, t, ours, theirs)

    def _dumps(self, label, t, ours, theirs):
        """Cell for cell the same as a flush. In lists the places of the elements tell when they were made."""
        if any(c.type.name == "list" and c.type.multicell for c in t.mutations.s.regular + t.mutations.s.static):
            return
        pair = [data_files(folder) for folder in (ours, theirs)]
        if not any(pair):
            return
        if [len(files) for files in pair] != [1, 1]:
            raise Fault(f"{len(pair[0])} SSTables where Cassandra has {len(pair[1])}")
        answers = [self.tools.ask(tool="dump", args=[data]) for (data,) in pair]
        if "failure" in answers[1]:
            return
        # Of deletions of one time a flush keeps both, a merge, which the import is, one; nor does it keep a column that has
        # neither cells nor a deletion, and a row that has nothing else.
        texts = [COLUMN_DELETION.sub("", comparable(answer.get("failure") or answer["out"])).replace(",\n", "\n") for answer in answers]
        texts = [EMPTY_ROW.sub("", EMPTY_COLUMN.sub("[ ]", text)) for text in texts]
        self.counts["dumps"] += 1
        if texts[0] != texts[1]:
            self._fault(label, f"dump: {first_difference(*texts)}")

    def _import(self, t, schema, kind, work, options, lines, out):
        path = os.path.join(work, "rows." + kind)
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.writelines(lines)
        command = [CQLITE, "import", path, "--table", t.qualified, "--schema", schema, "--out", out, "--version", self.node.version, *options]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, encoding="utf-8", errors="replace")

    def _refuses(self, t, schema, kind, work, options, head, lines):
        """What Cassandra refuses is refused, each line of it, and nothing is left."""
        out = os.path.join(work, "refused")
        for line, error in lines:
            # As a term of a statement Cassandra compares a decimal with its double, and fails if that is infinite.
            if kind != "cql" and "NumberFormatException Character I " in error:
                self.counts["decimals beyond doubles"] += 1
                continue
            ran = self._import(t, schema, kind, work, options, [*head, line], out)
            self.counts["refused"] += 1
            if ran.returncode not in (1, 2, 3) or data_files(out):
                raise Fault(f"exit {ran.returncode} for what Cassandra refuses with {error[:300]!r}: {line.strip()[:500]}")

    def _answers(self, t):
        s = t.mutations.s
        keys = ", ".join(c.quoted for c in s.partition)
        queries = ["SELECT JSON * FROM $t"]
        queries += [f"SELECT JSON {keys}, writetime({c.quoted}), ttl({c.quoted}) FROM $t" for c in (s.static + s.regular)[:20]]
        found = []
        for q in map(t.text, queries):
            for now in (NOW + 1, READ_NOW):
                answer = self.node.ask(do="cql", q=q, now=now)
                # What it cannot print of one it cannot print of the other; why differs.
                found.append({"cql": q, "failure": True} if "failure" in answer else {"cql": q, **answer})
        return found

    # -- pairs of what is imported and what Cassandra executes instead, without its USING

    def _cql(self, t, rng):
        m = t.mutations
        m.reads = False
        statements = [m.batch() if rng.random() < 0.1 else m.statement() for _ in range(rng.choice([5, 20, 60]))]
        m.reads = True
        return [(t.text(q) + ";\n", t.text(q)) for q in statements]

    def _jsonl(self, t, rng):
        rows = self.node.ask(do="cql", q=t.text("SELECT JSON * FROM $t LIMIT 100"), now=WRITE_NOW + 4).get("rows", [])
        clustering = {name for c in t.mutations.s.clustering for name in (c.name, f'"{c.name}"')}
        lines = []
        for (row,) in rows:
            members = json.loads(row, parse_float=Number, parse_int=Number, object_pairs_hook=Members)
            # Cassandra takes no static columns alone.
            if any(name in clustering and value is None for name, value in members):
                continue
            # Keys that are objects or lists of JSON themselves hold numbers as they are.
            if re.search(r'"[\[{](?:[^"\\]|\\.)*?\d[.eE](?:[^"\\]|\\.)*" *:', row):
                continue
            # null is unset.
            text = "{" + ", ".join(f"{json.dumps(name)}: {json_text(value)}" for name, value in members if value is not None) + "}"
            lines.append((text + "\n", t.text("INSERT INTO $t JSON '" + text.replace("'", "''") + "' DEFAULT UNSET")))
        return lines

    def _csv(self, t, rng):
        s = t.mutations.s
        keys, others = s.partition + s.clustering, s.static + s.regular
        columns = keys + rng.sample(others, rng.randint(0, min(len(others), 8)))
        # No function can stand for a value.
        empty, rng.empty = rng.empty, False
        lines = [csv_line([c.name for c in columns])]
        for _ in range(rng.choice([3, 30])):
            values = [(c, "" if c not in keys and rng.random() < 0.2 else c.value(rng, 0 if c in keys else 0.7)) for c in columns]
            if any("blob_as" in v for _, v in values):
                continue
            given = [(c, v) for c, v in values if v]
            statement = f"INSERT INTO $t ({', '.join(c.quoted for c, _ in given)}) VALUES ({', '.join(v for _, v in given)})"
            lines.append((csv_line([csv_value(v) for _, v in values]), t.text(statement)))
        rng.empty = empty
        return lines


class Number(str):
    """A number of JSON as it is written."""


class Members(list):
    """The members of an object of JSON, in their order."""


def json_text(value):
    if isinstance(value, Number):
        # Cassandra makes a double of what is no integer.
        return json.dumps(value) if set(".eE") & set(value) else str(value)
    if isinstance(value, Members):
        return "{" + ", ".join(f"{json.dumps(name)}: {json_text(v)}" for name, v in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return json.dumps(value)


def csv_value(literal):
    """A string without its quotes; all else, collections too, as it is. None is an empty field without quotes."""
    if not literal:
        return None
    return literal[1:-1].replace("''", "'") if literal[0] == "'" else literal


def csv_line(fields):
    def text(field):
        if field is None:
            return ""
        return '"' + field.replace('"', '""') + '"' if field == "" or any(c in field for c in ',"\r\n') else field
    return ",".join(map(text, fields)) + "\n"
