"""Random tables."""

from golden import quote
from values import Type, literal, random_type

NAMES = ["a", "b", "c", "id", "value", "key", "ttl", "select", "token", "json", "type", "Camel", "UPPER", "with space", "qu\"ote", "é", "日本", "\U0001f600", "1", "writetime",
         "distinct", "column1", "a.b", "per", "partition", "from", "x" * 60, "static", "count", "A", "B", "order", "system", "null", "nan", "position"]


class Column:
    def __init__(self, name, type_, kind):
        self.name, self.type, self.kind = name, type_, kind
        self.quoted = quote(name)
        self.pool = []

    def value(self, rng, fresh=0.5):
        """A literal; the fewer fresh ones, the more statements meet."""
        if self.pool and rng.random() >= fresh:
            return rng.choice(self.pool)
        return literal(rng, self.type)


class Schema:
    """A table's columns and options as they stand, changed by ALTER TABLE as it goes."""

    def __init__(self, rng, t):
        self.rng, self.t = rng, t
        self.udts, self.dropped = [], []
        for i in range(rng.choice([0, 0, 1, 2])):
            u = Type("udt", [random_type(rng, self.udts, 1) for _ in range(rng.randint(1, 5))], udt=quote(f"{t.name}_{rng.choice(['u', 'U'])}{i}"))
            u.fields = [quote(n) for n in rng.sample(NAMES, len(u.args))]
            t.types.append(u.udt.strip('"'))
            t.node.cql(f"CREATE TYPE golden.{u.udt} (" + ", ".join(f"{f} {a.cql()}" for f, a in zip(u.fields, u.args)) + ")")
            self.udts.append(u)
        self.counter = rng.random() < 0.08
        self.compact = not self.counter and rng.random() < 0.05
        names = NAMES[:]
        rng.shuffle(names)
        self.names = names + [f"c{i}" for i in range(100)]
        keys = rng.choice([1, 1, 1, 2, 3])
        self.partition = [self.column("partition", True) for _ in range(keys)]
        self.clustering = [self.column("clustering", True) for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 2, 3, 4, 6]))]
        many = rng.random()
        regulars = rng.randint(20, 90) if many < 0.08 else rng.choice([63, 64, 65]) if many < 0.11 else rng.randint(0, 8)
        statics = 0
        if self.clustering and not self.compact:
            statics = rng.choice([0, 0, 0, 1, 2, 3]) if many > 0.02 else rng.randint(10, 70)
        if self.counter:
            regulars, statics = rng.randint(1, 4), min(statics, 2)
        if self.compact and self.clustering:
            regulars = rng.randint(0, 1)
        elif self.compact:
            regulars = max(regulars, 1)
        self.regular = [self.column("regular", False) for _ in range(regulars)]
        self.static = [self.column("static", False) for _ in range(statics)]
        self.reversed = [rng.random() < 0.4 for _ in self.clustering]
        for c in self.partition + self.clustering:
            c.pool = [literal(rng, c.type) for _ in range(rng.choice([1, 2, 3, 5]))]
        for c in self.regular + self.static:
            c.pool = [self.fresh(c) for _ in range(2)]
        t.create(self.text(), self.options())

    def fresh(self, c):
        return literal(self.rng, c.type) if c.type.name != "counter" else "0"

    def column(self, kind, key):
        rng = self.rng
        if key and rng.random() < 0.3:
            type_ = Type(rng.choice(["int", "text"]))
        elif key:
            type_ = random_type(rng, self.udts, key=True)
        elif self.counter:
            type_ = Type("counter")
        else:
            type_ = random_type(rng, self.udts, frozen=self.compact)
        return Column(self.names.pop(0), type_, kind)

    def text(self):
        parts = []
        columns = self.partition + self.clustering + self.regular + self.static
        self.rng.shuffle(columns)
        for c in columns:
            parts.append(f"{c.quoted} {c.type.cql()}" + (" static" if c.kind == "static" else ""))
        keys = ", ".join(["(" + ", ".join(c.quoted for c in self.partition) + ")"] + [c.quoted for c in self.clustering])
        return ", ".join(parts) + f", PRIMARY KEY ({keys})"

    def options(self):
        rng = self.rng
        options = []
        if self.compact:
            options.append("COMPACT STORAGE")
        if self.clustering:
            options.append("CLUSTERING ORDER BY (" + ", ".join(f"{c.quoted} {'DESC' if r else 'ASC'}" for c, r in zip(self.clustering, self.reversed)) + ")")
        if rng.random() < 0.8:
            name = rng.choice(["LZ4", "LZ4", "Zstd", "Snappy", "Deflate", "Noop", None])
            if name is None:
                options.append("compression = {'enabled': 'false'}")
            else:
                more = {"class": f"{name}Compressor", "chunk_length_in_kb": rng.choice([1, 2, 4, 16, 64])}
                if rng.random() < 0.4:
                    more["min_compress_ratio"] = rng.choice([1.0, 1.1, 1.5, 2.0, 4.0])
                if name == "LZ4" and rng.random() < 0.3:
                    more["lz4_compressor_type"] = "high"
                if name == "Zstd" and rng.random() < 0.3:
                    more["compression_level"] = rng.choice([1, 6, -5])
                options.append("compression = {" + ", ".join(f"'{k}': '{v}'" for k, v in more.items()) + "}")
        if rng.random() < 0.4:
            options.append(f"bloom_filter_fp_chance = {rng.choice([1.0, 0.5, 0.1, 0.01, 0.0001])}")
        if rng.random() < 0.15 and not self.counter:
            options.append(f"default_time_to_live = {rng.choice([1, 3600, 59_999_999, 60_000_500, 400_000_000])}")
        if rng.random() < 0.3:
            options.append(f"gc_grace_seconds = {rng.choice([0, 1, 100, 864000])}")
        if rng.random() < 0.3:
            options.append("min_index_interval = 1 AND max_index_interval = 2")
        if rng.random() < 0.2:
            options.append("comment = 'it''s \u2028 a \"comment\"'")
        return " AND ".join(options)

    # -- changing it

    def alter(self):
        """One ALTER, as far as Cassandra takes it."""
        rng, t = self.rng, self.t
        choice = rng.random()
        if choice < 0.35 and not self.compact:
            kind = "static" if self.clustering and rng.random() < 0.25 else "regular"
            c = self.column(kind, False)
            if t.allowed(f"ALTER TABLE $t ADD {c.quoted} {c.type.cql()}" + (" static" if kind == "static" else "")):
                c.pool = [self.fresh(c) for _ in range(2)]
                (self.static if kind == "static" else self.regular).append(c)
        elif choice < 0.65 and not self.compact:
            columns = self.static if self.static and rng.random() < 0.3 else self.regular
            if columns:
                c = rng.choice(columns)
                using = f" USING TIMESTAMP {t.timestamp()}" if rng.random() < 0.2 else ""
                if t.allowed(f"ALTER TABLE $t DROP {c.quoted}{using}"):
                    columns.remove(c)
                    self.dropped.append(c)
        elif choice < 0.8 and self.dropped and not self.compact:
            c = self.dropped.pop(rng.randrange(len(self.dropped)))
            if t.allowed(f"ALTER TABLE $t ADD {c.quoted} {c.type.cql()}" + (" static" if c.kind == "static" else "")):
                (self.static if c.kind == "static" else self.regular).append(c)
        elif choice < 0.9:
            c = rng.choice(self.partition + self.clustering)
            name = self.names.pop(0)
            if t.allowed(f"ALTER TABLE $t RENAME {c.quoted} TO {quote(name)}"):
                c.name, c.quoted = name, quote(name)
        elif self.udts:
            u = rng.choice(self.udts)
            columns = self.partition + self.clustering + self.regular + self.static + self.dropped
            if any(in_vector(t, u.udt) for t in [c.type for c in columns] + self.udts):
                # Until it starts again, Cassandra does not see the new field there.
                return
            field = quote(f"added{len(u.fields)}")
            type_ = random_type(rng, [], 1, key=True)
            if t.allowed(f"ALTER TYPE golden.{u.udt} ADD {field} {type_.cql()}"):
                # Columns share no list with the type: they get the field too.
                for c in columns:
                    add_field(c.type, u.udt, field, type_)
                for other in self.udts:
                    add_field(other, u.udt, field, type_)


def in_vector(t, udt, inside=False):
    return inside and t.udt == udt or any(in_vector(a, udt, inside or t.name == "vector") for a in t.args)


def add_field(t, udt, field, type_):
    for a in t.args:
        add_field(a, udt, field, type_)
    if t.udt == udt and field not in t.fields:
        t.fields.append(field)
        t.args.append(type_)
