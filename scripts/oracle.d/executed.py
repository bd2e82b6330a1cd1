"""Judges `cqlite exec` by a node that has executed the same statements itself."""

import os
import subprocess

from golden import READ_NOW, WRITE_NOW
from rewritten import CQLITE, TIMEOUT, Fault, Judging, first_difference, statements

NOW = WRITE_NOW + 5

# Statements that Cassandra refuses, of those of one run: each is a process.
REFUSED_MAX = 2

# Columns whose write times and TTLs are asked for.
COLUMNS_MAX = 6

KEYSPACE = "CREATE KEYSPACE golden WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"


class Executed(Judging):
    """Has a database execute what a node executes."""

    def __init__(self, rewritten):
        super().__init__(rewritten, "executed", "exec")
        self.made = 0

    def judge(self, label, t, selects, rng):
        """`t` is the random table, and `selects` are random SELECTs of it."""
        self.attempt(label, lambda work: self._judge(label, t, selects, rng, os.path.join(work, "data")))

    def _judge(self, label, t, selects, rng, data):
        self.node.do("empty", keyspace="golden", table=t.name)
        self._run(data, NOW, [KEYSPACE, *statements(t.described)])
        m = t.mutations
        # Clocks differ.
        m.timed = 1
        made = [t.text(m.batch() if rng.random() < 0.1 else m.statement()) for _ in range(rng.choice([5, 20, 60]))]
        # Of counters the clock tells which change is the last one, and that is fixed: it goes on within a run alone.
        cuts = [] if m.s.counter else sorted(rng.randint(0, len(made)) for _ in range(rng.choice([0, 1, 2])))
        # It also tells the places of elements in a list, to which runs of one second may add.
        if any(c.type.name == "list" and c.type.multicell for c in m.s.static + m.s.regular):
            cuts = []
        *before, last = pieces(made, cuts)
        # What Cassandra answers may depend on which rows share an SSTable: both flush at the same places.
        for piece in before:
            self._run(data, NOW, self._taken(data, piece))
            self.node.do("flush", keyspace="golden", table=t.name)
        taken = self._taken(data, last)
        # When a counter was changed the clock tells.
        queries = [t.text(q) for q in (*of_all(m.s), *selects) if not (m.s.counter and "writetime(" in q)]
        for now, first in (NOW, taken), (READ_NOW, []):
            answers = [(q, self.node.ask(do="cql", q=q, now=now)) for q in queries]
            answers = [(q, answer["rows"]) for q, answer in answers if "rows" in answer]
            ours = self._run(data, now, first + [q for q, _ in answers])
            theirs = "".join(row[0] + "\n" for _, rows in answers for row in rows)
            self.counts["answers"] += len(answers)
            if ours != theirs:
                self._fault(label, f"answers at {now}: {first_difference(ours, theirs)}")
            self.node.do("flush", keyspace="golden", table=t.name)
        self.counts["tables"] += 1

    def _taken(self, data, made):
        """What the node takes of statements. What it refuses must be refused."""
        taken, refused = [], []
        for q in made:
            self.made += 1
            answer = self.node.ask(do="cql", q=q, timestamp=NOW * 1_000_000 + self.made, now=NOW)
            error = answer.get("error")
            # Where Cassandra refuses what nb cannot hold, it is cut; and how long a batch may be its configuration says.
            if error and "CASSANDRA-14092" not in error and error != "Batch too large":
                refused.append((q, error))
            elif not error and "failure" not in answer:
                taken.append(q)
        for q, error in refused[:REFUSED_MAX]:
            self.counts["refused"] += 1
            ran = self._exec(data, NOW, [q])
            if ran.returncode not in (1, 2, 3):
                raise Fault(f"exit {ran.returncode} for what Cassandra refuses with {error[:300]!r}: {q[:500]}")
        self.counts["statements"] += len(taken)
        return taken

    def _run(self, data, now, texts):
        ran = self._exec(data, now, texts)
        if ran.returncode:
            raise Fault(f"exit {ran.returncode}: {ran.stderr.strip()}")
        return ran.stdout

    def _exec(self, data, now, texts):
        command = [CQLITE, "exec", data, "--version", self.node.version, "--now", str(now), "--sync", "none"]
        text = "".join(q + ";\n" for q in texts)
        # For whoever looks for the fault.
        with open(f"{data}-statements.cql", "a", encoding="utf-8") as f:
            f.write(f"-- as of {now}\n{text}")
        try:
            return subprocess.run(command, input=text, capture_output=True, timeout=TIMEOUT, encoding="utf-8", errors="replace")
        except subprocess.TimeoutExpired:
            raise Fault("exec does not end") from None


def pieces(all_, cuts):
    return [all_[start:end] for start, end in zip([0, *cuts], [*cuts, len(all_)])]


def of_all(s):
    """What there is, and when it was written."""
    yield "SELECT JSON * FROM $t"
    keys = ", ".join(c.quoted for c in s.partition)
    for c in (s.static + s.regular)[:COLUMNS_MAX]:
        yield f"SELECT JSON {keys}, writetime({c.quoted}), ttl({c.quoted}) FROM $t"
