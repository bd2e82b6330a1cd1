"""Makes random tables in a real Cassandra and compares its answers and its tools' output with cqlite's."""

import argparse
import collections
import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

import golden
from golden import READ_NOW, WORK, WRITE_NOW, Node, Refused, Table, Tools
from imported import Imported
from lanes import side_by_side
from compacted import SECONDS, Compacted
from executed import Executed
from mutations import Mutations
from rewritten import COMPRESSORS, OWN, Rewritten
from schemas import Schema
from selects import Selects

OUT = os.path.join(WORK, "oracle")
CQLITE = os.environ["CQLITE"]
CHECKS = ("dump", "query", "metadata", "verify", "blockers", "compact", "rewrite", "import", "exec")
TIMEOUT = 60


class RandomTable(Table):
    """A table of which statements may be refused: most are good, and what Cassandra takes, it has written."""

    def __init__(self, node, name, rng):
        super().__init__(node, name)
        self.rng = rng
        self.taken, self.refused = [], 0
        self.mutations = None

    def allowed(self, q, now=WRITE_NOW):
        self.node.statements += 1
        answer = self.node.ask(do="cql", q=self.text(q), timestamp=WRITE_NOW * 1_000_000 + self.node.statements, now=now)
        good = "error" not in answer and "failure" not in answer
        if good:
            self.taken.append(q)
        else:
            self.refused += 1
            if os.environ.get("ORACLE_REFUSED"):
                print("   refused", answer, q[:300])
        return good

    def timestamp(self):
        return Mutations(self.rng, None).timestamp()

    def make(self):
        rng = self.rng
        schema = Schema(rng, self)
        m = self.mutations = Mutations(rng, schema)
        self.index_block_kib(rng.choice([-1, 0, 1, 1, 2]))
        self.ulids(rng.random() < 0.2)
        wide = schema.clustering and not schema.counter and rng.random() < 0.3
        for phase in range(rng.choice([1, 1, 2, 2, 3, 4])):
            if phase and rng.random() < 0.5:
                schema.alter()
            for _ in range(rng.choice([3, 10, 25, 60])):
                self.allowed(m.batch() if rng.random() < 0.06 else m.statement(), m.now())
            if wide and rng.random() < 0.7:
                for q in m.wide():
                    self.allowed(q, m.now())
            self.flush()
            if phase and rng.random() < 0.2:
                # Of some tables that it reads Cassandra cannot compact the SSTables.
                self.node.ask(do="compact", keyspace="golden", table=self.name)
        if rng.random() < 0.15:
            schema.alter()
        return Selects(rng, schema, m)


class Judge:
    def __init__(self, checks, keep, compression):
        self.checks, self.keep, self.compression = checks, keep, compression
        self.counts = collections.Counter()
        self.different = collections.Counter()
        self.wrong = []

    def run(self, *arguments):
        try:
            ran = subprocess.run([CQLITE, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, env=dict(os.environ, TZ="UTC"))
        except subprocess.TimeoutExpired:
            return "", "timed out", -1
        return ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace"), ran.returncode

    def differs(self, table, check, what, ours, theirs):
        self.different[check] += 1
        self.wrong.append(table)
        print(f"DIFFERS {table} {check}: {what}\n{difference(ours, theirs)}", flush=True)

    def others(self, table, check, judged_by, run):
        """Has one that keeps its own faults judge."""
        found = len(judged_by.faults)
        run()
        self.wrong += [table] * (len(judged_by.faults) - found)
        self.different[check] += len(judged_by.faults) - found

    def compare(self, table, check, what, ran, theirs):
        self.counts[check] += 1
        out, err, status = ran
        if out != theirs or status != 0:
            self.differs(table, check, what, out + (f"[exit {status}] {err}" if status or out != theirs and err else ""), theirs)

    def dumps(self, table, tools, data, schema):
        # Of a cell of a user type Cassandra prints as text what lies behind it in memory, too.
        has_cells = any(c.type.name == "udt" and c.type.multicell for c in schema.regular + schema.static)
        for options in [[]] if has_cells else ([], ["-d"]):
            answer = tools.ask(tool="dump", args=[data, *options])
            ran = self.run("dump", "--now", str(READ_NOW), *options, data)
            if "failure" in answer:
                self.counts["dump Cassandra fails at"] += 1
                if "panicked" in ran[1] or ran[2] in (-1, 101):
                    self.differs(table, "dump", f"{options} {data}", ran[1], answer["failure"])
                continue
            # The tools' JVM cuts the folder's name from what it prints.
            ours, theirs = ran[0].replace(golden.GOLDEN + "/", ""), answer["out"]
            without = re.sub(r"(?:, ){2,}", ", ", theirs)
            if options and ours != theirs and ours == without:
                # Of a multi-cell column that a row has with neither cells nor a deletion Cassandra prints the comma.
                self.counts["dump of empty columns"] += 1
                theirs = without
            self.compare(table, "dump", f"{' '.join(options)} {data}", (ours, *ran[1:]), theirs)

    def metadata(self, table, tools, data):
        answer = tools.ask(tool="metadata", args=[data])
        if "failure" in answer:
            self.counts["metadata Cassandra fails at"] += 1
            return
        self.compare(table, "metadata", data, self.run("metadata", "--now", str(READ_NOW), data), answer["out"])

    def verify(self, table, data):
        self.counts["verify"] += 1
        out, err, status = self.run("verify", data)
        if status != 0:
            self.differs(table, "verify", data, f"{out}[exit {status}] {err}", "")

    def blockers(self, table, node, name, out, described):
        """Around every second in which something of it may have expired whole."""
        directory = node.do("directory", keyspace="golden", table=name)["path"]
        grace = int(re.search(r"gc_grace_seconds = (\d+)", described)[1])
        for gc_before in SECONDS:
            lines = node.do("blockers", keyspace="golden", table=name, gc_before=gc_before)["lines"]
            text, err, status = self.run("expired-blockers", out, "--now", str(gc_before + grace))
            ours = sorted(blocked(line, out) for line in text.split("\n") if line)
            theirs = sorted(blocked(line, directory) for line in lines)
            self.counts["blockers"] += len(theirs)
            self.counts["seconds without blockers"] += not theirs
            if ours != theirs or status:
                self.differs(table, "blockers", f"gc_before {gc_before}", f"[exit {status}] {err}" + "\n".join(map(str, ours)), "\n".join(map(str, theirs)))

    def query(self, table, out, q, answer):
        if "\0" in q or len(q.encode()) >= 128 << 10:
            return  # No argument of a program can hold it.
        self.counts["query"] += 1
        text, err, status = self.run("query", out, q, "--now", str(READ_NOW))
        if "failure" in answer or answer.get("error", "").startswith("Operation failed"):
            self.counts["query Cassandra fails at"] += 1
            if status in (-1, 101) or status < 0:
                self.differs(table, "query", q, err, f"(fails in Cassandra) {answer}")
            return
        if "error" in answer:
            self.counts["query refused"] += 1
            if status == 0:
                self.differs(table, "query", q, "(answered) " + text, "(refused) " + answer["error"])
            elif status in (-1, 101):
                self.differs(table, "query", q, err, "(refused) " + answer["error"])
            return
        theirs = "".join(r[0] + "\n" for r in answer["rows"])
        if status != 0:
            self.differs(table, "query", q, f"[exit {status}] {err}", theirs)
        elif text != theirs:
            self.differs(table, "query", q, text, theirs)


def blocked(line, directory):
    """The parts of a line of sstableexpiredblockers; those that are blocked come in no order."""
    blocker, blocked = line.replace(directory.rstrip("/") + "/", "").split(": ", 1)
    return blocker, sorted(one for one in blocked.split("], ") if one)


def difference(ours, theirs):
    a, b = ours.split("\n"), theirs.split("\n")
    i = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))

    def show(lines):
        line = lines[i] if i < len(lines) else "(ends)"
        other = (b if lines is a else a)
        at = 0
        if i < len(other):
            at = next((j for j, (x, y) in enumerate(zip(line, other[i])) if x != y), min(len(line), len(other[i])))
        start = max(0, at - 150)
        return ("..." if start else "") + line[start:at + 250]
    return f"  line {i + 1} of {len(a)}, {len(b)}\n  cqlite    {show(a)}\n  Cassandra {show(b)}"


def expected(q, answer):
    """As a line of answers.jsonl."""
    return {"cql": q, "rows": [r[0] for r in answer["rows"]]} if "rows" in answer else {"cql": q, **answer}


def judge_tables(version, arguments, seed):
    """Makes and judges the tables of a format."""
    judge = Judge(arguments.check.split(","), arguments.keep, arguments.compression)
    # Each format has tables of its own.
    first = list(golden.VERSIONS).index(version) * 100_000
    numbers = [int(x) for x in arguments.only.split(",")] if arguments.only else range(first, first + arguments.tables)
    # A counter that was thrown away without its node's doing is in the cache still.
    node = Node(version, home=os.path.join(WORK, f"oracle-node-{version}"), settings="counter_cache_size: 0MiB")
    tools = Tools(version, home=os.path.join(WORK, f"oracle-tools-{version}"))
    rewritten = Rewritten(node, tools)
    compacted, imported, executed = Compacted(rewritten), Imported(rewritten), Executed(rewritten)
    for i in numbers:
        rng = random.Random(f"{seed}/{i}")
        rng.empty = rng.random() < 0.2
        name = f"t{i}" if i % 7 else f"Table_{i}"
        t = RandomTable(node, name, rng)
        before = len(judge.wrong)
        try:
            selects = t.make()
        except Refused as e:
            judge.counts["tables refused"] += 1
            print(f"  {version} {name}: {str(e)[:600]}")
            continue
        out = os.path.join(OUT, version, name)
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        data = t.keep(out)
        with open(os.path.join(out, "schema.cql"), "w", encoding="utf-8") as f:
            t.described = t.schema()
            f.write(t.described)
        with open(os.path.join(out, "statements.cql"), "w", encoding="utf-8") as f:
            f.writelines(q + ";\n" for q in t.taken)
        judge.counts["tables"] += 1
        judge.counts["SSTables"] += len(data)
        judge.counts["statements"] += len(t.taken)
        judge.counts["statements refused"] += t.refused
        label = f"{version}/{name}"
        answers = []
        # Of a table in which nothing was written there are no files to read.
        if {"query", "rewrite"} & set(judge.checks) and data:
            with open(os.path.join(out, "answers.jsonl"), "w", encoding="utf-8") as f:
                for q in map(t.text, selects.all(arguments.queries)):
                    answer = node.ask(do="cql", q=q, now=READ_NOW)
                    f.write(json.dumps({"cql": q, **answer}, ensure_ascii=False) + "\n")
                    answers.append(expected(q, answer))
                    if "query" in judge.checks:
                        judge.query(label, out, q, answer)
        if "blockers" in judge.checks and data:
            judge.blockers(label, node, name, out, t.described)
        if "compact" in judge.checks and data:
            judge.others(label, "compact", compacted, lambda: compacted.judge(label, name, out, rng))
        # The tools delete summaries that they do not like.
        for path in data:
            if "dump" in judge.checks:
                judge.dumps(label, tools, path, t.mutations.s)
            if "metadata" in judge.checks:
                judge.metadata(label, tools, path)
            if "verify" in judge.checks:
                judge.verify(label, path)
        if "rewrite" in judge.checks and data:
            column = judge.compression or rng.choice((OWN, *COMPRESSORS))
            # The table is there already. It stays, as dropping one takes longer than all else.
            rewritten.present[name] = t.described
            judge.others(label, "rewrite", rewritten, lambda: rewritten.judge(name, out, t.described, answers, column))
        if "import" in judge.checks:
            judge.others(label, "import", imported, lambda: imported.judge(label, t, os.path.join(out, "schema.cql"), rng))
        if "exec" in judge.checks and i % arguments.executed == 0:
            # Whatever else was checked before.
            rng.seed(f"{seed}/{i}/exec")
            judge.others(label, "exec", executed, lambda: executed.judge(label, t, selects.all(arguments.queries), rng))
        if len(judge.wrong) == before and not judge.keep:
            shutil.rmtree(out)
    for kind, other in ("compacted", compacted), ("rewritten", rewritten), ("imported", imported), ("executed", executed):
        judge.counts.update({f"{kind} {what}": n for what, n in other.counts.items()})
    node.stop()
    tools.stop()
    return judge


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--tables", type=int, default=30, help="of each format")
    parser.add_argument("--format", default="all", choices=["nb", "oa", "da", "all"])
    parser.add_argument("--only", help="numbers of tables, with commas")
    parser.add_argument("--queries", type=int, default=20, help="of each table, about")
    parser.add_argument("--keep", action="store_true", help="the tables that are right too")
    parser.add_argument("--check", default=",".join(CHECKS), help="of " + ", ".join(CHECKS))
    parser.add_argument("--compression", help="of tables written again, instead of any")
    parser.add_argument("--executed", type=int, default=1, metavar="N", help="each Nth table goes through exec")
    parser.add_argument("--ci", action="store_true")
    arguments = parser.parse_args()
    if arguments.ci:
        arguments.seed, arguments.tables, arguments.queries = 5, 110, 8
        # Each of these is several processes.
        arguments.executed = 4
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 30)
    versions = list(golden.VERSIONS) if arguments.format == "all" else [arguments.format]
    start = time.time()
    print(f"seed {seed}", flush=True)
    counts, different, wrong = collections.Counter(), collections.Counter(), []
    for judge in side_by_side(judge_tables, versions, arguments, seed):
        counts += judge.counts
        different += judge.different
        wrong += judge.wrong
    print(f"seed {seed}, {time.time() - start:.0f} s: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    if wrong:
        sys.exit(f"{len(wrong)} differences ({', '.join(f'{n} in {c}' for c, n in different.items())}) in " + " ".join(dict.fromkeys(wrong)) + f"; files in {OUT}")
    if not counts["tables"]:
        sys.exit("no tables")


if __name__ == "__main__":
    main()
