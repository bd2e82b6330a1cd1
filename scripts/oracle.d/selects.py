"""Random SELECTs of a table."""

from values import literal


class Selects:
    def __init__(self, rng, schema, mutations):
        self.rng, self.s, self.m = rng, schema, mutations

    def all(self, n):
        yield "SELECT JSON * FROM $t"
        yield "SELECT JSON count(*) FROM $t"
        yield f"SELECT JSON DISTINCT {self.keys()} FROM $t"
        for _ in range(n):
            yield self.one()

    def keys(self):
        return ", ".join(c.quoted for c in self.s.partition)

    def everything(self):
        s = self.s
        return s.partition + s.clustering + s.static + s.regular

    def selection(self):
        rng, s = self.rng, self.s
        r = rng.random()
        if r < 0.4:
            return "*"
        chosen = rng.sample(self.everything(), min(len(self.everything()), rng.randint(1, 4)))
        if r < 0.7:
            return ", ".join(c.quoted for c in chosen)
        if r < 0.75:
            return f"token({self.keys()}), " + chosen[0].quoted
        parts = []
        for c in chosen:
            options = [c.quoted]
            if c.kind in ("static", "regular"):
                options += [f"writetime({c.quoted})", f"maxwritetime({c.quoted})"]
                if not c.type.multicell and not self.s.counter or rng.random() < 0.1:
                    options += [f"ttl({c.quoted})"]
            options += [f"{c.quoted} AS {rng.choice(['x', 'y', chr(34) + 'Z' + chr(34)])}{rng.randint(1, 99) if rng.random() < 0 else ''}"]
            t = c.type
            if t.name == "udt":
                options += [f"{c.quoted}.{rng.choice(t.fields)}"] * 2
            if t.name in ("set", "map"):
                options += [f"{c.quoted}[{literal(rng, t.args[0], True)}]"] * 2
                options += [f"{c.quoted}[{literal(rng, t.args[0], True)}..{literal(rng, t.args[0], True)}]"]
                if t.multicell:
                    options += [f"writetime({c.quoted}[{literal(rng, t.args[0], True)}])"]
            if rng.random() < 0.1:
                options += [f"min({c.quoted})", f"max({c.quoted})", f"count({c.quoted})"]
            parts.append(rng.choice(options))
        return ", ".join(parts)

    def limits(self, reversable=False):
        rng, text = self.rng, ""
        if rng.random() < 0.15 and self.s.clustering:
            text += f" PER PARTITION LIMIT {rng.randint(1, 3)}"
        if rng.random() < 0.25:
            text += f" LIMIT {rng.choice([1, 1, 2, 3, 5, 50])}"
        return text

    def key(self):
        rng, s = self.rng, self.s
        parts = []
        for c in s.partition:
            if rng.random() < 0.2:
                parts.append(f"{c.quoted} IN ({', '.join(c.value(rng, 0.1) for _ in range(rng.randint(1, 4)))})")
            else:
                parts.append(f"{c.quoted} = {c.value(rng, 0.05)}")
        return parts

    def order(self):
        rng, s = self.rng, self.s
        if not s.clustering or rng.random() < 0.6:
            return ""
        n = rng.randint(1, len(s.clustering))
        back = rng.random() < 0.7
        return " ORDER BY " + ", ".join(f"{c.quoted} {'DESC' if r != back else 'ASC'}" for c, r in zip(s.clustering[:n], s.reversed))

    def clusterings(self):
        rng, s = self.rng, self.s
        r = rng.random()
        if not s.clustering or r < 0.15:
            return []
        if r < 0.35:
            n = rng.randint(1, len(s.clustering))
            parts = []
            for c in s.clustering[:n]:
                if rng.random() < 0.35:
                    parts.append(f"{c.quoted} IN ({', '.join(c.value(rng, 0.1) for _ in range(rng.randint(0, 4)))})")
                else:
                    parts.append(f"{c.quoted} = {c.value(rng, 0.1)}")
            return parts
        if r < 0.45:
            columns = s.clustering[:rng.randint(1, len(s.clustering))]
            tuples = ["(" + ", ".join(c.value(rng, 0.1) for c in columns) + ")" for _ in range(rng.randint(1, 4))]
            return ["(" + ", ".join(c.quoted for c in columns) + f") IN ({', '.join(tuples)})"]
        return self.m.some_range()

    def filter(self):
        rng, s = self.rng, self.s
        c = rng.choice(self.everything())
        t, q = c.type, c.quoted
        options = [f"{q} {rng.choice(['=', '=', '<', '<=', '>', '>=', '!='])} {c.value(rng, 0.2)}"]
        if t.name in ("list", "set"):
            options += [f"{q} CONTAINS {literal(rng, t.args[0], True)}"] * 2
        if t.name == "map":
            options += [f"{q} CONTAINS {literal(rng, t.args[1], True)}", f"{q} CONTAINS KEY {literal(rng, t.args[0], True)}",
                        f"{q}[{literal(rng, t.args[0], True)}] = {literal(rng, t.args[1], True)}"]
        if rng.random() < 0.05:
            options = [f"{q} IN ({c.value(rng, 0.2)}, {c.value(rng, 0.2)})"]
        if rng.random() < 0.02:
            options = [f"{q} = null"]
        return rng.choice(options)

    def one(self):
        rng, s = self.rng, self.s
        r = rng.random()
        head = f"SELECT JSON {self.selection()} FROM $t"
        if r < 0.1:
            return head + self.limits()
        if r < 0.5:
            key, order = self.key(), self.order()
            if order and any(" IN (" in part for part in key):
                # Cassandra would sort the rows of SELECT JSON * by their JSON, taken for the bytes of the columns.
                head = head.replace("JSON *", "JSON " + self.keys())
            return head + " WHERE " + " AND ".join(key + self.clusterings()) + order + self.limits()
        if r < 0.62:
            token = f"token({self.keys()})"
            values = f"token({', '.join(c.value(rng, 0) for c in s.partition)})"
            bound = values if rng.random() < 0.7 else str(rng.randint(-2**63, 2**63 - 1))
            parts = [f"{token} {rng.choice(['>', '>=', '<', '<=', '='])} {bound}"]
            if rng.random() < 0.3:
                parts = [f"{token} > {rng.randint(-2**63, 0)}", f"{token} <= {rng.randint(0, 2**63 - 1)}"]
            if s.clustering and rng.random() < 0.2:
                c = rng.choice(s.clustering)
                parts.append(f"{c.quoted} {rng.choice(['=', '>'])} {c.value(rng, 0.1)}")
                return head + " WHERE " + " AND ".join(parts) + self.limits() + " ALLOW FILTERING"
            return head + " WHERE " + " AND ".join(parts) + self.limits()
        if r < 0.68:
            also = f", {rng.choice(s.static).quoted}" if s.static and rng.random() < 0.5 else ""
            head = f"SELECT JSON DISTINCT {self.keys()}{also} FROM $t"
            if rng.random() < 0.4:
                head += " WHERE " + " AND ".join(self.key())
            return head + (f" LIMIT {rng.randint(1, 3)}" if rng.random() < 0.4 else "")
        if r < 0.75:
            what = rng.choice(["count(*)", "count(*) AS n", f"count({rng.choice(self.everything()).quoted})"])
            return f"SELECT JSON {what} FROM $t" + (" WHERE " + " AND ".join(self.key() + self.clusterings()) if rng.random() < 0.6 else "")
        if r < 0.8:
            return head + " WHERE " + " AND ".join(self.key()) + f" GROUP BY {', '.join(c.quoted for c in s.partition + s.clustering[:rng.randint(0, len(s.clustering))])}"
        parts = [self.filter() for _ in range(rng.choice([1, 1, 1, 2]))]
        if rng.random() < 0.3:
            parts = self.key() + (self.clusterings() if rng.random() < 0.4 else []) + parts
        allow = " ALLOW FILTERING" if rng.random() < 0.95 else ""
        return head + " WHERE " + " AND ".join(parts) + self.limits() + allow
