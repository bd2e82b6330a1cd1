"""Writes test-data/golden/{ma,mb,mc,md,me,na}: older.py [--only TABLE,...] [VERSION...]

The classes of the release that introduced (or last wrote) a version make its SSTables from scripts of CQL (java3, java4);
a Cassandra 5.0.9 in compatibility mode then finds the files in place when it creates the table, and answers; its tools dump
them. Node, clock, questions and dumps are those of ../golden.py.
"""

import glob
import os
import shutil
import subprocess
import sys
import time
import types
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))

import golden  # noqa: E402
from golden import GOLDEN  # noqa: E402

WORK = os.path.join(HERE, ".work")

# version letters -> the release whose classes write it
RELEASES = {"ma": "3.0.0", "mb": "3.7", "mc": "3.9", "md": "3.11.4", "me": "3.11.19", "na": "4.0-rc1"}
# The versions of a table that says nothing else; mb and mc differ from their neighbours in a few fields of Statistics.db only.
USUAL = ("ma", "md", "me", "na")

OPENS = "java.nio java.io java.lang java.math java.util sun.nio.ch jdk.internal.ref".split()
EXPORTS = "jdk.internal.ref jdk.internal.misc sun.nio.ch".split()

TABLES = []  # (name, function, what it covers, options)


def table(covers, **options):
    """Registers a function that makes one golden table. Options: versions, name, answers (False: no node can read it),
    auto (False: no other questions than its own), also (versions that write SSTables into the same directory)."""
    def register(function):
        TABLES.append((options.get("name", function.__name__), function, covers, options))
        return function
    return register


class Table(golden.Table):
    """One table of one version: a script for its writer, then the table on a node. `$t` is its qualified name."""

    def __init__(self, name, version, auto=True):
        super().__init__(types.SimpleNamespace(version=version, home=None), name, auto=auto)
        self.hidden = ()  # columns that system_schema lists but statements do not know
        self.script, self.schemas = [], []

    # -- what the old release does

    def type(self, name, fields):
        self.types.append(name)
        self.script.append(f"CREATE TYPE golden.{name} ({fields})")
        self.schemas.append(f"CREATE TYPE IF NOT EXISTS golden.{name} ({fields})")

    def create(self, columns, options="", compact=False, node_options=None):
        """CREATE TABLE; called again, the columns as the next SSTable knows them (the node keeps the first)."""
        node_options = options if node_options is None else node_options
        create = f"CREATE TABLE $t ({columns})"
        parts = ["COMPACT STORAGE"] * compact
        self._script_with(create, parts + [options] * bool(options))
        if not any(s.startswith("CREATE TABLE") for s in self.schemas):
            parts = [f"ID = {self.identity}"] + parts + [node_options] * bool(node_options)
            self.schemas.append(self.text(create + " WITH " + " AND ".join(parts)))

    def _script_with(self, create, parts):
        self.script.append(self.text(create + (" WITH " + " AND ".join(parts) if parts else "")))

    def cql(self, q):
        self.script.append(self.text(q))

    def insert(self, columns, *rows, using=""):
        for row in rows:
            self.cql(f"INSERT INTO $t ({columns}) VALUES ({row}) {using}")

    def now(self, seconds):
        self.script.append(f"@now {seconds}")

    def set(self, name, value):
        self.script.append(f"@set {name} {value}")

    def shadowable(self, q):
        self.script.append(self.text("@shadowable " + q))

    def value(self, value, q):
        self.script.append(self.text(f"@value 0x{value} {q}"))

    def flush(self, **options):
        self.script.append(" ".join(["@flush"] + [f"{k}={v}" for k, v in options.items()]))

    # -- what the node does

    def alter(self, change):
        """ALTER TABLE, on the node only."""
        self.schemas.append(self.text(f"ALTER TABLE $t {change}"))

    def schema(self):
        """What DESCRIBE gives; of a compact table, which it only tells within a comment, and without a node, the statements."""
        if self.node.home is None or any("COMPACT STORAGE" in s for s in self.schemas):
            return ";\n\n".join(self.schemas) + ";\n"
        return super().schema()

    def _columns(self):
        return [[c for c in kind if c[0] not in self.hidden] for kind in super()._columns()]

    @property
    def identity(self):
        return uuid.uuid5(uuid.NAMESPACE_URL, "golden/" + self.name)

    def take_to(self, node, files):
        """Creates the table with `files` already in its directory."""
        self.node = node
        place = os.path.join(node.home, "data", "golden", f"{self.name}-{self.identity.hex}")
        os.makedirs(place)
        for path in files:
            shutil.copy(path, place)
        for statement in self.schemas:
            node.cql(statement)
        live = node.do("directory", keyspace="golden", table=self.name)["live"]
        written = {os.path.basename(f)[:-len("-Data.db")] for f in files if f.endswith("-Data.db")}
        if {os.path.basename(f) for f in live} != written:
            raise SystemExit(f"{self.name}: Cassandra opened {live} of {sorted(written)}")


def java(version, *arguments):
    release = RELEASES[version]
    command = ["java", "-Xmx1g", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8",
               "-Dlogback.configurationFile=" + os.path.join(HERE, "logback.xml")]
    command += [f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in OPENS]
    command += [f"--add-exports=java.base/{p}=ALL-UNNAMED" for p in EXPORTS]
    classes = os.path.join(WORK, "classes", release) + os.pathsep + os.path.join(WORK, release, "*")
    subprocess.run(command + ["-cp", classes, "Write", *arguments], check=True, env=dict(os.environ, TZ="UTC"))


def write(version, tables, folder):
    """Lets a version's release write tables, each given as (table, function), into `folder`."""
    scripts = os.path.join(WORK, "scripts", version)
    shutil.rmtree(scripts, ignore_errors=True)
    os.makedirs(scripts)
    os.makedirs(folder, exist_ok=True)
    for t, function in tables:
        function(t)
        with open(os.path.join(scripts, t.name + ".cql"), "w", encoding="utf-8") as f:
            f.write("\n".join(t.script) + "\n")
    java(version, scripts, folder)


def make(version, only):
    start = time.time()
    chosen = [(Table(name, version, options.get("auto", True)), function, options) for name, function, _, options in TABLES
              if version in options.get("versions", USUAL) and (not only or name in only)]
    if not chosen:
        return
    written = os.path.join(WORK, "written", version)
    shutil.rmtree(written, ignore_errors=True)
    write(version, [(t, function) for t, function, _ in chosen], written)
    for other in RELEASES:
        extra = [(Table(t.name, other), function) for t, function, options in chosen if other in options.get("also", ())]
        if extra:
            write(other, extra, written)

    if not only:
        shutil.rmtree(os.path.join(GOLDEN, version), ignore_errors=True)
    node = golden.Node("nb")
    data = asked = 0
    outs = []
    for t, _, options in chosen:
        out = os.path.join(GOLDEN, version, t.name)
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        outs.append(out)
        files = sorted(glob.glob(os.path.join(written, t.name, "*-big-*")))
        for path in files:
            shutil.copy(path, out)
        if options.get("answers", True):
            t.take_to(node, files)
            asked += t.take_answers(out)
        with open(os.path.join(out, "schema.cql"), "w", encoding="utf-8") as f:
            f.write(t.schema())
    node.stop()
    tools = golden.Tools("nb")
    for out in outs:
        for path in sorted(glob.glob(os.path.join(out, "*-Data.db"))):
            tools.dumps(path)
            data += 1
        # The tools delete a summary whose interval is not the default one.
        for path in glob.glob(os.path.join(written, os.path.basename(out), "*-big-*")):
            shutil.copy(path, out)
        for path in glob.glob(os.path.join(out, "dump", "*.failure")):
            with open(path, "r+", encoding="utf-8") as f:
                text = f.read().replace(GOLDEN + "/", "")
                f.seek(0)
                f.truncate()
                f.write(text)
    tools.stop()
    print(f"{version}: {len(chosen)} tables, {data} SSTables, {asked} answers, {time.time() - start:.0f} s", flush=True)


def main(arguments):
    import tables  # noqa: F401  (registers the tables)
    only = []
    if arguments[:1] == ["--only"]:
        only = arguments[1].split(",")
        arguments = arguments[2:]
    for version in arguments or list(RELEASES):
        make(version, only)
    write_readme()


README = """# Golden tables of older versions

Written by the classes of the release that a version belongs to: {releases}; `../generate/older/run.sh` makes them anew.
They lie as those of README.md do: `schema.cql`, `answers.jsonl` and `now` (Cassandra 5.0.9 in compatibility mode, over these
very files), `dump/` and `metadata/` (5.0.9's tools; where one failed, `.failure` holds what it threw: it prints no JSON of a null
clustering value, no debug text of a UDT that is not frozen).

| table | versions | what it covers |
|---|---|---|
"""


def write_readme():
    with open(os.path.join(GOLDEN, "README-older.md"), "w", encoding="utf-8") as f:
        f.write(README.format(releases=", ".join(f"`{v}` {r}" for v, r in RELEASES.items())))
        for name, _, covers, options in TABLES:
            f.write(f"| `{name}` | {' '.join(options.get('versions', USUAL))} | {covers} |\n")


if __name__ == "__main__":
    # The tables import this very module, not a second copy of it.
    sys.modules["older"] = sys.modules["__main__"]
    main(sys.argv[1:])
