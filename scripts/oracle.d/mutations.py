"""Random statements that change a table."""

from golden import READ_NOW, WRITE_NOW
from values import literal

BASE = WRITE_NOW * 1_000_000
EDGE = READ_NOW - WRITE_NOW


class Mutations:
    def __init__(self, rng, schema):
        self.rng, self.s = rng, schema
        # Whether statements may need what is there already (places of a list), which `import` does not take.
        self.reads = True
        # The share of statements that say when they write.
        self.timed = 0.95

    def timestamp(self):
        r = self.rng.random()
        if r < 0.85:
            return BASE + self.rng.randint(0, 6)
        if r < 0.95:
            return BASE + self.rng.randint(-10**9, 10**9)
        return self.rng.choice([0, 1, -1, -BASE, 2**62, -(2**62), 2**63 - 1, -(2**63) + 1, 1 << 48])

    def using(self, ttl=True):
        parts = []
        if self.rng.random() < self.timed:
            parts.append(f"TIMESTAMP {self.timestamp()}")
        if ttl and self.rng.random() < 0.25:
            parts.append(f"TTL {self.rng.choice([0, 1, 60, EDGE, EDGE - 1, EDGE + 1, 400_000_000, 399_999_999, 630_720_000, 300_000_000])}")
        self.rng.shuffle(parts)
        return " USING " + " AND ".join(parts) if parts else ""

    def now(self):
        return WRITE_NOW + (self.rng.randint(0, 3) if self.rng.random() < 0.5 else 0)

    # -- where

    def key(self):
        s, rng = self.s, self.rng
        if rng.random() < 0.04 and len(s.partition) == 1:
            c = s.partition[0]
            return [f"{c.quoted} IN ({c.value(rng, 0)}, {c.value(rng, 0.1)})"]
        return [f"{c.quoted} = {c.value(rng, 0.08)}" for c in s.partition]

    def clusterings(self):
        rng, s = self.rng, self.s
        parts = []
        if s.clustering and rng.random() < 0.04:
            return self.tuples(s.clustering)
        for c in s.clustering:
            if rng.random() < 0.03:
                parts.append(f"{c.quoted} IN ({c.value(rng, 0.1)}, {c.value(rng, 0.1)})")
            else:
                parts.append(f"{c.quoted} = {c.value(rng, 0.15)}")
        return parts

    def tuples(self, columns):
        """One or more values of all of these columns."""
        rows = ["(" + ", ".join(c.value(self.rng, 0.1) for c in columns) + ")" for _ in range(self.rng.choice([1, 2, 2, 3]))]
        return [f"({', '.join(c.quoted for c in columns)}) IN ({', '.join(rows)})"]

    def some_range(self, fresh=0.2):
        """A restriction of some clusterings that selects a range; shared with SELECT."""
        rng, s = self.rng, self.s
        n = rng.randint(1, len(s.clustering))
        parts = [f"{c.quoted} = {c.value(rng, 0.05)}" for c in s.clustering[:n - 1]]
        c = s.clustering[n - 1]
        r = rng.random()
        if r < 0.12:
            parts.append(f"{c.quoted} = {c.value(rng, fresh)}")
        elif r < 0.15:
            parts = self.tuples(s.clustering[:n])
        elif r < 0.35:
            m = rng.randint(n, len(s.clustering))
            columns = s.clustering[n - 1:m]

            def bound():
                k = rng.randint(1, len(columns))
                return "(" + ", ".join(x.quoted for x in columns[:k]) + ")", "(" + ", ".join(x.value(rng, 0.1) for x in columns[:k]) + ")"
            left, value = bound()
            parts.append(f"{left} {rng.choice(['>', '>='])} {value}")
            if rng.random() < 0.5:
                left, value = bound()
                parts.append(f"{left} {rng.choice(['<', '<='])} {value}")
        else:
            if r < 0.8:
                parts.append(f"{c.quoted} {rng.choice(['>', '>='])} {c.value(rng, fresh)}")
            if r > 0.5:
                parts.append(f"{c.quoted} {rng.choice(['<', '<='])} {c.value(rng, fresh)}")
        return parts

    # -- statements

    def statement(self):
        """One statement without its timestamp clause's being fixed elsewhere; $t is the table."""
        rng, s = self.rng, self.s
        if s.counter:
            return self.counter()
        r = rng.random()
        if r < 0.42:
            return self.insert()
        if r < 0.70:
            return self.update()
        return self.delete()

    def batch(self):
        rng = self.rng
        parts = [self.statement() for _ in range(rng.randint(2, 5))]
        kind = "COUNTER " if self.s.counter else "UNLOGGED "
        return f"BEGIN {kind}BATCH " + "; ".join(parts) + "; APPLY BATCH"

    def insert(self):
        rng, s = self.rng, self.s
        columns = list(s.partition)
        only_static = s.static and rng.random() < 0.25
        if not only_static:
            columns += s.clustering
        share = rng.choice([0, 0.5, 0.5, 0.9, 1])
        columns += [c for c in s.static if rng.random() < (0.7 if only_static else share / 3)]
        if not only_static:
            columns += [c for c in s.regular if rng.random() < share]
        values = []
        for c in columns:
            if c.kind in ("partition", "clustering"):
                values.append(c.value(rng, 0.1))
            else:
                values.append("null" if rng.random() < 0.12 else c.value(rng, 0.6))
        return f"INSERT INTO $t ({', '.join(c.quoted for c in columns)}) VALUES ({', '.join(values)}){self.using()}"

    def update(self):
        rng, s = self.rng, self.s
        static = bool(s.static) and rng.random() < 0.2
        pool = s.static if static else s.regular
        if not pool:
            return self.insert()
        chosen = rng.sample(pool, min(len(pool), rng.choice([1, 1, 2, 3])))
        where = self.key() + ([] if static else self.clusterings())
        return f"UPDATE $t{self.using()} SET {', '.join(self.assignment(c) for c in chosen)} WHERE {' AND '.join(where)}"

    def assignment(self, c):
        rng, q, t = self.rng, c.quoted, c.type
        if t.multicell and rng.random() < 0.75:
            if t.name == "list":
                r = rng.random()
                if r < 0.4:
                    return f"{q} = {q} + {literal(rng, t)}"
                if r < 0.7 or not self.reads:
                    return f"{q} = {literal(rng, t)} + {q}"
                if r < 0.85:
                    return f"{q} = {q} - {literal(rng, t)}"
                return f"{q}[{rng.choice([0, 0, 1, 2])}] = {literal(rng, t.args[0], True)}"
            if t.name == "set":
                return f"{q} = {q} {rng.choice('++-')} {literal(rng, t)}"
            if t.name == "map":
                r = rng.random()
                if r < 0.45:
                    return f"{q} = {q} + {literal(rng, t)}"
                if r < 0.6:
                    return f"{q} = {q} - {{{literal(rng, t.args[0], True)}}}"
                return f"{q}[{literal(rng, t.args[0], True)}] = {'null' if rng.random() < 0.2 else literal(rng, t.args[1], True)}"
            i = rng.randrange(len(t.fields))
            return f"{q}.{t.fields[i]} = {'null' if rng.random() < 0.2 else literal(rng, t.args[i], True)}"
        return f"{q} = {'null' if rng.random() < 0.15 else c.value(rng, 0.6)}"

    def delete(self):
        rng, s = self.rng, self.s
        r = rng.random()
        using = self.using(ttl=False)
        if r < 0.5 or not s.clustering and r < 0.7:
            # What oa and da write for a negative timestamp of a partition deletion, or of a range tombstone that is open
            # between two row index blocks, nobody reads.
            using = using.replace("TIMESTAMP -", "TIMESTAMP ")
        if r < 0.12 or not s.clustering and r < 0.7:
            return f"DELETE FROM $t{using} WHERE {' AND '.join(self.key())}"
        if r < 0.5 and s.clustering:
            return f"DELETE FROM $t{using} WHERE {' AND '.join(self.key() + self.some_range())}"
        if r < 0.7:
            return f"DELETE FROM $t{using} WHERE {' AND '.join(self.key() + self.clusterings())}"
        static = bool(s.static) and rng.random() < 0.3
        pool = s.static if static else s.regular
        if not pool:
            return f"DELETE FROM $t{using} WHERE {' AND '.join(self.key() + self.clusterings())}"
        chosen = []
        for c in rng.sample(pool, min(len(pool), rng.choice([1, 1, 2]))):
            what = c.quoted
            if c.type.multicell and rng.random() < 0.6:
                if c.type.name == "list" and self.reads:
                    what += f"[{rng.choice([0, 0, 1])}]"
                elif c.type.name in ("set", "map"):
                    what += f"[{literal(rng, c.type.args[0], True)}]"
                elif c.type.name == "udt":
                    what += "." + rng.choice(c.type.fields)
            chosen.append(what)
        where = self.key() + ([] if static else self.clusterings())
        return f"DELETE {', '.join(chosen)} FROM $t{using} WHERE {' AND '.join(where)}"

    def counter(self):
        rng, s = self.rng, self.s
        if rng.random() < 0.2:
            return self.delete().replace(" USING", "  USING") if rng.random() < 0.2 else self.delete_without_time()
        static = bool(s.static) and rng.random() < 0.3
        c = rng.choice(s.static if static else s.regular) if (s.static if static else s.regular) else None
        if c is None:
            return self.delete_without_time()
        where = self.key() + ([] if static else self.clusterings())
        by = rng.choice([0, 1, 2, 5, 1000, 2**63 - 1, 2**40])
        return f"UPDATE $t SET {c.quoted} = {c.quoted} {rng.choice('+-')} {by} WHERE {' AND '.join(where)}"

    def delete_without_time(self):
        using, self.using = self.using, lambda ttl=True: ""
        try:
            return self.delete()
        finally:
            self.using = using

    def wide(self):
        """Many rows of one partition."""
        rng, s = self.rng, self.s
        key = [c.value(rng, 0) for c in s.partition]
        which = rng.randrange(len(s.clustering))
        rest = [c.value(rng, 0) for c in s.clustering]
        filler = rng.choice([0, 0, 30, 400])
        for i in range(rng.choice([30, 100, 300, 900])):
            values = rest[:]
            values[which] = literal(rng, s.clustering[which].type, wide=True)
            if i % 50 == 0:
                s.clustering[which].pool.append(values[which])
                s.clustering[which].pool = s.clustering[which].pool[-8:]
            for j in range(which + 1, len(values)):
                values[j] = s.clustering[j].value(rng, 0.2)
            columns = s.partition + s.clustering
            values = key + values
            for c in s.regular[:6]:
                if rng.random() < 0.5:
                    columns = columns + [c]
                    values.append("'" + "".join(rng.choice("abcdefgh") for _ in range(filler)) + "'" if filler and c.type.name in ("text", "ascii") else c.value(rng, 0.5))
            yield f"INSERT INTO $t ({', '.join(c.quoted for c in columns)}) VALUES ({', '.join(values)}){self.using() if rng.random() < 0.2 else f' USING TIMESTAMP {BASE + 3}'}"
            if rng.random() < 0.03:
                columns = s.clustering[:which + 1]
                where = [f"{c.quoted} = {v}" for c, v in zip(s.partition, key)] + [f"{c.quoted} = {v}" for c, v in zip(columns[:-1], rest)]
                c = columns[-1]
                where.append(f"{c.quoted} {rng.choice(['>', '>='])} {literal(rng, c.type, wide=True)}")
                where.append(f"{c.quoted} {rng.choice(['<', '<='])} {literal(rng, c.type, wide=True)}")
                yield f"DELETE FROM $t USING TIMESTAMP {BASE + rng.randint(1, 5)} WHERE {' AND '.join(where)}"
