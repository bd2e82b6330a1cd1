"""Random CQL types, and random literals of them."""

import uuid

SIMPLE = ("ascii bigint blob boolean date decimal double duration float inet int smallint text time timestamp timeuuid tinyint "
          "uuid varint").split()
# A few more often, for rows that meet.
USUAL = ["int", "text", "bigint", "blob", "uuid", "timestamp"]

# Types of which '0 bytes' is a value, besides the texts and blobs.
EMPTY = "bigint boolean decimal double float inet int timestamp timeuuid uuid varint".split()

WORDS = ["a", "b", "ab", "", "z", "A", "Zz", "it's", "x" * 20, "0", "-1", " ", "null", "a\tb", "a\nb", "a\\b", "\"q\"", "\x00", "\x01\x1f", "\x7f", "a:b", "@", "a,b", "true"]
UNICODE = WORDS + ["é", "ß", "Ω", "日本", "\U0001f600", "\ufffd", "\u2028", "e\u0301", "\uffff", "\U0010ffff", "\u0080", "ÿ", "\ud7ff", "\ue000"]

# Types each value of which has one literal here.
ONE_TEXT = "ascii bigint boolean int smallint text tinyint uuid varint".split()

DAY_MS = 86_400_000


class Type:
    """A CQL type: `name` is a simple type's, or list, set, map, tuple, vector or udt; `args` its elements' types."""

    def __init__(self, name, args=(), frozen=False, size=0, udt=None, fields=()):
        self.name, self.args, self.frozen, self.size, self.udt, self.fields = name, list(args), frozen, size, udt, list(fields)

    @property
    def multicell(self):
        return self.name in ("list", "set", "map", "udt") and not self.frozen

    def cql(self):
        if self.name in ("list", "set", "map"):
            text = f"{self.name}<{', '.join(a.cql() for a in self.args)}>"
        elif self.name == "tuple":
            return f"tuple<{', '.join(a.cql() for a in self.args)}>"
        elif self.name == "vector":
            return f"vector<{self.args[0].cql()}, {self.size}>"
        elif self.name == "udt":
            text = self.udt
        else:
            return self.name
        return f"frozen<{text}>" if self.frozen else text

    def has(self, name):
        return self.name == name or any(a.has(name) for a in self.args)


def random_type(rng, udts, depth=0, key=False, frozen=True):
    """A type; `key`: one that can be compared; `frozen`: collections must be."""
    if depth >= 3 or rng.random() < (0.55 if depth == 0 else 0.65):
        while True:
            name = rng.choice(USUAL) if rng.random() < 0.3 else rng.choice(SIMPLE)
            if not (key and name == "duration"):
                return Type(name)
    kind = rng.choice(["list", "set", "map", "tuple", "vector", "udt"])
    if kind == "udt":
        fitting = [u for u in udts if not (key and u.has("duration"))]
        if not fitting:
            kind = "tuple"
        else:
            u = rng.choice(fitting)
            return Type("udt", u.args, frozen or depth > 0 or rng.random() < 0.4, udt=u.udt, fields=u.fields)

    def inner(is_key=False):
        return random_type(rng, udts, depth + 1, key or is_key)
    frozen = frozen or rng.random() < 0.25
    if kind == "list":
        return Type("list", [inner()], frozen)
    if kind == "set":
        return Type("set", [inner(True)], frozen)
    if kind == "map":
        return Type("map", [inner(True), inner()], frozen)
    if kind == "tuple":
        return Type("tuple", [inner() for _ in range(rng.randint(1, 4))], True)
    return Type("vector", [inner() if rng.random() < 0.6 else Type("float")], True, size=rng.randint(1, 4))


def literal(rng, t, inside=False, wide=False):
    """A literal of the type; `wide`: of many different values. Empty values, which many a printer of Cassandra's fails at, if rng.empty."""
    n = t.name
    if n in ("list", "set", "vector"):
        size = t.size if n == "vector" else rng.choice([0, 1, 1, 2, 2, 3, 5]) if inside or t.frozen or rng.random() < 0.95 else rng.randint(5, 60)
        values = [literal(rng, t.args[0], True) for _ in range(size)]
        return "{" + ", ".join(values) + "}" if n == "set" else "[" + ", ".join(values) + "]"
    if n == "map":
        # Of two entries of one key any may win, so only keys that are equal as texts alone are many.
        size = rng.choice([0, 1, 1, 2, 3]) if t.args[0].name in ONE_TEXT else rng.randint(0, 1)
        entries = {literal(rng, t.args[0], True): literal(rng, t.args[1], True) for _ in range(size)}
        return "{" + ", ".join(f"{k}: {v}" for k, v in entries.items()) + "}"
    if n == "tuple":
        values = [literal(rng, a, True) if rng.random() < 0.85 else "null" for a in t.args]
        if rng.empty and rng.random() < 0.1:
            values = values[:rng.randint(1, len(values))]
        return "(" + ", ".join(values) + ")"
    if n == "udt":
        chosen = [(f, literal(rng, a, True) if rng.random() < 0.85 else "null") for f, a in zip(t.fields, t.args) if rng.random() < 0.85]
        if not chosen:
            chosen = [(t.fields[0], "null")]
        return "{" + ", ".join(f"{f}: {v}" for f, v in chosen) + "}"
    if n in EMPTY and not wide and rng.empty and rng.random() < 0.04:
        return f"blob_as_{n}(0x)"
    return simple_literal(rng, n, wide)


def text_literal(s):
    return "'" + s.replace("'", "''") + "'"


def integer(rng, bits, wide):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if wide:
        return rng.randint(low, high) if rng.random() < 0.2 else rng.randint(max(low, -3000), min(high, 3000))
    r = rng.random()
    if r < 0.6:
        return rng.randint(-3, 5)
    if r < 0.8:
        return rng.choice([low, high, low + 1, high - 1, 127, -128])
    v = rng.randint(low, high)
    return v >> rng.randint(0, bits - 1)


def simple_literal(rng, n, wide):
    if n in ("ascii", "text"):
        if wide:
            return text_literal(rng.choice(["", "k", "key", "a/long/shared/prefix/"]) + str(rng.randint(0, 3000)))
        r = rng.random()
        if r < 0.8:
            s = rng.choice(WORDS if n == "ascii" else UNICODE)
        elif r < 0.97:
            s = "".join(rng.choice(WORDS if n == "ascii" else UNICODE) for _ in range(rng.randint(2, 5)))
        else:
            s = rng.choice("abc") * rng.choice([127, 128, 300, 5000])
        return text_literal(s)
    if n == "blob":
        size = rng.randint(1, 4) if wide else rng.choice([0, 1, 1, 2, 3, 4, 8, 16, 40] + ([700, 20000] if rng.random() < 0.05 else []))
        if rng.random() < 0.3:
            return "0x" + rng.choice(["00", "ff", "7f", "80", "01"]) * size
        return "0x" + rng.randbytes(size).hex()
    if n == "boolean":
        return rng.choice(["true", "false"])
    if n == "counter":
        return str(rng.randint(-3, 5))
    if n in ("bigint", "int", "smallint", "tinyint"):
        return str(integer(rng, {"bigint": 64, "int": 32, "smallint": 16, "tinyint": 8}[n], wide))
    if n == "varint":
        r = rng.random()
        if r < 0.7:
            return str(integer(rng, 64, wide))
        return str(rng.choice([-1, 1]) * rng.getrandbits(rng.randint(1, 400)) + rng.choice([0, 1 << 64, -(1 << 63)]))
    if n == "decimal":
        # Hardly two that are equal but not the same: of such clusterings Cassandra shows the one that it happens on.
        r = rng.random()
        if r < 0.5 or wide:
            return rng.choice(["", "-"]) + rng.choice([str(rng.randint(2, 9)), f"{rng.randint(0, 3000)}.{rng.randint(1, 99):02}", "1.0", "0E+3", "1E+3"])
        return rng.choice(["", "-"]) + f"{rng.getrandbits(rng.randint(1, 120))}E{rng.randint(-40, 40)}" if r < 0.9 else rng.choice(["1E+2000", "-3E-2000", "123456789012345678901234567890.1234567890"])
    if n in ("double", "float"):
        r = rng.random()
        if r < 0.3:
            return rng.choice(["NaN", "Infinity", "-Infinity", "0.0", "-0.0", "0", "1", "-1", "1E7", "0.001", "9999999", "1E-3", "123456.7"])
        if r < 0.6:
            return repr(rng.uniform(-1000, 1000)) if wide else repr(round(rng.uniform(-9, 9), 1))
        top = 300 if n == "double" else 37
        return repr(rng.uniform(-9, 9) * 10.0 ** rng.randint(-top - 6, top))
    if n == "duration":
        r = rng.random()
        if r < 0.15:
            return rng.choice(["P1Y2M3DT4H5M6S", "P4W", "PT0S", "-P1M", "P0001-02-03T04:05:06"])
        sign = rng.choice(["", "", "-"])
        if r < 0.3:
            return sign + rng.choice(["2147483647mo", "2147483647d", "9223372036854775807ns", "178956970y7mo", "0s"])
        units = ["y", "mo", "w", "d", "h", "m", "s", "ms", "us", "ns"]
        chosen = sorted(rng.sample(range(10), rng.randint(1, 4)))
        return sign + "".join(f"{rng.randint(0, 99)}{units[i]}" for i in chosen)
    if n == "inet":
        if rng.random() < 0.5:
            return f"'{rng.choice([0, 10, 127, 128, 255])}.{rng.randint(0, 255)}.0.{rng.randint(0, 255)}'"
        return text_literal(rng.choice(["::", "::1", "fe80::1", "2001:db8::ff00:42:8329", "::ffff:10.0.0.1", "ff02::2", f"::{rng.randint(0, 0xffff):x}", "1:0:0:2::3", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]))
    if n == "date":
        r = rng.random()
        if r < 0.6 or wide:
            return f"'{rng.randint(1950, 2050)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}'" if rng.random() < 0.5 else str((1 << 31) + rng.randint(-2000, 2000))
        return str(rng.choice([0, (1 << 32) - 1, 1 << 31, (1 << 31) - 1, 719528, rng.getrandbits(32)])) if r < 0.9 else rng.choice(["'0001-01-01'", "'-0100-02-03'", "'9999-12-31'", "'1582-10-10'"])
    if n == "time":
        if rng.random() < 0.5:
            return f"'{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}" + rng.choice(["", ".5", ".123", ".000001", ".123456789"]) + "'"
        return str(rng.choice([0, 1, 999, 86_399_999_999_999, rng.randint(0, 86_399_999_999_999), rng.randint(0, 86_399) * 1_000_000_000]))
    if n == "timestamp":
        r = rng.random()
        if r < 0.7 or wide:
            return str(1_700_000_000_000 + rng.randint(-3, 3) * rng.choice([1, 1000, DAY_MS]) + (rng.randint(0, 3000) if wide else 0)) if rng.random() < 0.6 else f"'{rng.randint(1950, 2050)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} {rng.randint(0, 23):02}:00:00" + rng.choice(["", ".1", ".123", "+0000", "+0130", "Z"]) + "'"
        return str(rng.choice([0, -1, 1, 253_402_300_800_000, -62_135_596_800_001, (1 << 63) - 1, -(1 << 63), -12_219_292_800_001, rng.getrandbits(50)]))
    if n == "uuid":
        if rng.random() < 0.3:
            return str(uuid.UUID(int=rng.choice([0, (1 << 128) - 1, 1, 1 << 127])))
        v = uuid.UUID(int=rng.getrandbits(128) & ~(0xf << 76) | rng.choice([1, 2, 3, 4, 5, 7]) << 76)
        return str(v)
    if n == "timeuuid":
        time = rng.choice([0, (1 << 60) - 1, 0x1ee8000_00000000 + rng.randint(0, 3), rng.getrandbits(60)])
        clock = rng.choice([0x80, 0x81, 0xbf, 0x00, 0x7f, 0xff])
        node = rng.choice([0, 1, 0x7f7f7f7f7f7f, 0x808080808080, 0xffffffffffff])
        return str(uuid.UUID(fields=(time & 0xffffffff, (time >> 32) & 0xffff, (time >> 48) | 0x1000, clock, rng.choice([0, 0x7f, 0x80, 0xff]), node)))
    raise ValueError(n)
