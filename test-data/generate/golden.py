"""Boots Cassandra in a JVM of ours, gives it statements, and keeps what it wrote, answered and dumped.

Every time in the data is fixed: the node's clock starts at WRITE_NOW, statements carry their own timestamps, and all
answers and dumps are taken as of READ_NOW.
"""

import glob
import json
import os
import re
import shutil
import struct
import subprocess
import threading
import uuid
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = os.path.join(HERE, ".work")
GOLDEN = os.path.join(os.path.dirname(HERE), "golden")

WRITE_NOW = 1_700_000_000  # 2023-11-14T22:13:20Z
READ_NOW = 1_760_000_000   # 2025-10-09T08:53:20Z

# version letters -> sstable.selected_format, storage_compatibility_mode
VERSIONS = {"nb": ("big", "CASSANDRA_4"), "oa": ("big", "NONE"), "da": ("bti", "NONE")}

STORAGE_PORT = int(os.environ.get("GOLDEN_STORAGE_PORT", "19142"))

# Of a larger dump (by its JSON lines) the two indented forms are not kept; of one larger than the second, the keys alone.
ALL_DUMPS_MAX_BYTES = 6_000
LINE_DUMP_MAX_BYTES = 60_000

EXPORTS = """java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch java.sql/java.sql
java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server
java.base/java.lang.ref jdk.unsupported/sun.misc jdk.attach/sun.tools.attach""".split()
OPENS = """java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref java.base/jdk.internal.reflect
java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar java.base/sun.nio.ch java.base/java.io
java.base/java.nio java.base/java.lang java.base/java.util java.base/java.util.concurrent java.base/java.util.concurrent.atomic
jdk.management/com.sun.management.internal""".split()


class Jvm:
    """A Java process that answers one JSON line with one JSON line."""

    def __init__(self, version, main, clock, frozen=False, partitioner="Murmur3Partitioner", ulids=False, home=None, settings="", keep=False):
        fmt, compat = VERSIONS[version]
        self.home = home or os.path.join(WORK, "home")
        if not keep:
            shutil.rmtree(self.home, ignore_errors=True)
        for d in ("conf", "logs"):
            os.makedirs(os.path.join(self.home, d), exist_ok=keep)
        self._configure(fmt, compat, partitioner, ulids, settings)
        command = ["java"]
        command += [f"--add-exports={p}=ALL-UNNAMED" for p in EXPORTS]
        command += [f"--add-opens={p}=ALL-UNNAMED" for p in OPENS]
        command += [
            "-javaagent:" + glob.glob(os.path.join(WORK, "lib", "jamm-*.jar"))[0],
            "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-Duser.language=en", "-Duser.country=US",
            "-Djava.security.manager=allow", "-Djdk.attach.allowAttachSelf=true", "-Djava.awt.headless=true",
            "-Dio.netty.tryReflectionSetAccessible=true", "-Dcassandra-foreground=yes",
            f"-Dcassandra.config=file://{self.home}/conf/cassandra.yaml", f"-Dcassandra.storagedir={self.home}",
            f"-Dcassandra.logdir={self.home}/logs", f"-Dlogback.configurationFile={self.home}/conf/logback.xml",
            "-Dcassandra.ring_delay_ms=500", "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.superuser_setup_delay_ms=0", "-Dcassandra.unsafesystem=true", "-Dcassandra.clock=golden.ShiftedClock",
            f"-Dgolden.clock.start={clock}", f"-Dgolden.clock.frozen={'true' if frozen else 'false'}",
            "-cp", os.path.join(WORK, "classes") + os.pathsep + os.path.join(WORK, "lib", "*"), main,
        ]
        self.log = open(os.path.join(self.home, "logs", "stderr.log"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        env=dict(os.environ, TZ="UTC"), text=True, encoding="utf-8")

    def _configure(self, fmt, compat, partitioner, ulids, settings):
        h = self.home
        with open(f"{h}/conf/cassandra.yaml", "w") as f:
            f.write(f"""cluster_name: Golden
num_tokens: {4 if partitioner == 'Murmur3Partitioner' else 1}
partitioner: org.apache.cassandra.dht.{partitioner}
data_file_directories: [ {h}/data ]
commitlog_directory: {h}/commitlog
cdc_raw_directory: {h}/cdc
hints_directory: {h}/hints
saved_caches_directory: {h}/saved_caches
commitlog_sync: periodic
commitlog_sync_period: 10000ms
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: {STORAGE_PORT}
ssl_storage_port: {STORAGE_PORT + 1}
start_native_transport: false
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [ {{ seeds: "127.0.0.1:{STORAGE_PORT}" }} ]
endpoint_snitch: SimpleSnitch
storage_compatibility_mode: {compat}
sstable: {{ selected_format: {fmt} }}
uuid_sstable_identifiers_enabled: {'true' if ulids else 'false'}
# Without this a flush writes plain LZ4, whatever the table says.
flush_compression: table
materialized_views_enabled: true
auto_snapshot: false
drop_compact_storage_enabled: true
hinted_handoff_enabled: false
concurrent_compactors: 1
# A machine that has much to do is no fault.
read_request_timeout: 120s
range_request_timeout: 120s
write_request_timeout: 120s
counter_write_request_timeout: 120s
{settings}""")
        with open(f"{h}/conf/logback.xml", "w") as f:
            f.write(f"""<configuration><appender name="F" class="ch.qos.logback.core.FileAppender"><file>{h}/logs/system.log</file>
<encoder><pattern>%-5level %d %F:%L %msg%n</pattern></encoder></appender><root level="INFO"><appender-ref ref="F"/></root></configuration>
""")

    def ask(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.answer(order)

    def answer(self, order=None):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the JVM died at {order}: see {self.home}/logs")
        return json.loads(line)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


class Refused(Exception):
    """Cassandra refused what a table is made of."""


class Node(Jvm):
    """A node, with the one keyspace `golden` unless told otherwise."""

    def __init__(self, version, keyspace="golden", **options):
        super().__init__(version, "golden.Node", WRITE_NOW, **options)
        self.answer()
        self.version = version
        self.statements = 0
        if keyspace:
            self.cql(f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")

    def do(self, verb, **order):
        answer = self.ask(do=verb, **order)
        if "error" in answer or "failure" in answer:
            raise Refused(f"{verb} {order}: {answer}")
        return answer

    def cql(self, q, timestamp=None, now=WRITE_NOW):
        self.statements += 1
        if timestamp is None:
            timestamp = WRITE_NOW * 1_000_000 + self.statements
        return self.do("cql", q=q, timestamp=timestamp, now=now).get("rows", [])


TABLES = []  # (function, what it covers, options)


def table(covers, **options):
    """Registers a function that makes one golden table; the function's name is the table's."""
    def register(function):
        TABLES.append((function, covers, options))
        return function
    return register


def register(name, covers, function, **options):
    """Registers `function(t)` for a table whose name is no Python identifier, or is made in a loop."""
    def make(t):
        function(t)
    make.__name__ = name
    TABLES.append((make, covers, options))


class Table:
    """One golden table while it is being made. In statements `$t` stands for the qualified table name."""

    def __init__(self, node, name, big=False, auto=True, may_fail=False, dumps="all"):
        self.node, self.name, self.version = node, name, node.version
        self.auto = auto
        self.dumps = dumps  # "all", "short" (lines, debug, keys), "lines" (and keys), "metadata" alone or "none"
        self.types = []
        self.whole_directory, self.left = False, None
        self.after, self.views, self.base = [], [], None
        self.may_fail = may_fail
        self.tool_runs = []

    @property
    def qualified(self):
        return "golden." + quote(self.name)

    def text(self, q):
        return q.replace("$t", self.qualified)

    # -- making it

    def type(self, name, fields):
        """CREATE TYPE golden.<name>."""
        self.types.append(name)
        self.node.cql(f"CREATE TYPE golden.{name} ({fields})")

    def create(self, columns, options=""):
        """CREATE TABLE with a table id that depends on the name alone."""
        identity = uuid.uuid5(uuid.NAMESPACE_URL, "golden/" + self.name)
        options = f"WITH ID = {identity}" + (" AND " + options if options else "")
        self.node.cql(self.text(f"CREATE TABLE $t ({columns}) {options}"))

    def cql(self, q, ts=None, now=WRITE_NOW):
        return self.node.cql(self.text(q), timestamp=ts, now=now)

    def insert(self, columns, *rows, using="", ts=None, now=WRITE_NOW):
        """One INSERT a row; a row is the text between the parentheses of VALUES."""
        for row in rows:
            self.cql(f"INSERT INTO $t ({columns}) VALUES ({row}) {using}", ts=ts, now=now)

    def view(self, name, q):
        """A materialized view of this table, kept as a table of its own with this one's schema."""
        self.cql(f"CREATE MATERIALIZED VIEW golden.{name} AS {q}")
        view = Table(self.node, name)
        view.base = self
        self.views.append(view)
        return view

    def attempt(self, q):
        """A statement that Cassandra may refuse."""
        self.node.statements += 1
        self.node.ask(do="cql", q=self.text(q), timestamp=WRITE_NOW * 1_000_000 + self.node.statements, now=WRITE_NOW)

    def craft(self, **partition):
        self.node.do("craft", keyspace="golden", table=self.name, partition=partition)

    def cql_many(self, statements, now=WRITE_NOW):
        """Many statements at one go."""
        statements = [self.text(q) for q in statements]
        self.node.do("cql_many", statements=statements, timestamp=WRITE_NOW * 1_000_000 + self.node.statements + 1, now=now)
        self.node.statements += len(statements)

    def index_block_kib(self, kib):
        """column_index_size of this table's flushes from now on; 0 makes each row an index block, -1 is the default."""
        self.node.do("column_index_size_kib", value=kib)

    def ulids(self, value):
        self.node.do("ulids", value=value)

    def tool(self, name, *runs):
        """Further runs, a list of options each, of `dump` or `metadata` over the first SSTable."""
        self.tool_runs += [(name, list(r)) for r in runs]

    def flush(self):
        for t in [self, *self.views]:
            self.node.do("flush", keyspace="golden", table=t.name)

    def repaired(self, max_timestamp, at, **pending):
        self.node.do("repaired", keyspace="golden", table=self.name, max_timestamp=max_timestamp, at=at, **pending)

    def compact_halfway(self):
        """A compaction that has written its SSTable and stops before its commit; the directory is kept as it is then."""
        self.node.do("compact_halfway", keyspace="golden", table=self.name)
        self.whole_directory, self.left = True, {1, 2, 3}

    def compact_unfinished(self):
        """A compaction that has committed, and has not yet deleted what it compacted."""
        self.node.do("hold", keyspace="golden", table=self.name)
        self.compact()
        # Of the two old SSTables the second has been deleted, the first not yet.
        self.whole_directory, self.left = True, {1}

    def compact(self):
        self.node.do("compact", keyspace="golden", table=self.name)

    def level(self, level):
        self.node.do("level", keyspace="golden", table=self.name, level=level)

    # -- asking it

    def ask(self, *queries):
        """Queries whose answers (or errors) are kept; asked when the table is complete."""
        self.after.extend(queries)

    def _columns(self):
        rows = self.node.cql("SELECT column_name, kind, position, type FROM system_schema.columns "
                             f"WHERE keyspace_name = 'golden' AND table_name = '{self.name}'")
        keys = [r for r in rows if r[1] == "partition_key"]
        keys.sort(key=lambda r: int(r[2]))
        clustering = [r for r in rows if r[1] == "clustering"]
        clustering.sort(key=lambda r: int(r[2]))
        visible = self.node.do("cql", q=self.text("SELECT * FROM $t LIMIT 1"), hex=True)["columns"]
        rest = [r for r in rows if r[1] in ("static", "regular") and r[0] in visible]
        return keys, clustering, rest

    def _general_questions(self):
        keys, clustering, rest = self._columns()
        pk = ", ".join(quote(r[0]) for r in keys)
        everything = [quote(r[0]) for r in keys + clustering + rest]
        yield "SELECT JSON count(*) FROM $t"
        yield f"SELECT JSON DISTINCT {pk} FROM $t"
        yield f"SELECT JSON token({pk}), {', '.join(reversed(everything))} FROM $t LIMIT 3"
        if clustering:
            yield "SELECT JSON * FROM $t PER PARTITION LIMIT 1"
        # Cassandra cannot print the nulls in the list of TTLs of a collection, nor those of an absent UDT field, so less is asked of them.
        simple = [quote(r[0]) for r in rest if r[3] != "counter" and not is_multicell(r[3], self.node)]
        multi = [quote(r[0]) for r in rest if re.match(r"(list|set|map)<", r[3])]
        if simple and len(simple) < 30:
            yield f"SELECT JSON {pk}, " + ", ".join(f"writetime({c}), ttl({c})" for c in simple) + " FROM $t"
        if multi and len(multi) < 30:
            yield f"SELECT JSON {pk}, " + ", ".join(f"writetime({c})" for c in multi) + " FROM $t"

    def take_answers(self, out):
        queries = ["SELECT JSON * FROM $t"]
        if self.auto:
            queries += list(self._general_questions())
        queries = [self.text(q) for q in queries + self.after]
        with open(os.path.join(out, "now"), "w") as f:
            f.write(f"{READ_NOW}\n")
        return write_answers(self.node, queries, os.path.join(out, "answers.jsonl"), self.may_fail)

    # -- keeping it

    def schema(self):
        if self.base:
            return self.base.schema()
        parts = [self.node.cql(f"DESCRIBE TYPE golden.{quote(n)}")[0][3] for n in self.types]
        parts += [r[3] for r in self.node.cql(self.text("DESCRIBE TABLE $t WITH INTERNALS"))]
        return "\n\n".join(parts) + "\n"

    def spoil(self, out):
        """Of what an open transaction had written only the beginnings remain, if it was cut off."""
        for path in glob.glob(glob.escape(out) + "/*-3-*"):
            if path.endswith(("-Data.db", "-Index.db", "-Partitions.db")):
                os.truncate(path, os.path.getsize(path) // 2)
            else:
                os.remove(path)

    def keep(self, out):
        """Copies the live SSTables (those of indexes too) into `out`; gives the paths of their Data.db."""
        answer = self.node.do("directory", keyspace="golden", table=self.name)
        live = answer["live"]
        if self.whole_directory:
            everything = {re.sub(r"-[^-]*$", "", path) for path in glob.glob(glob.escape(answer["path"]) + "/*-*.db")}
            live = [base for base in everything if base in live or int(base.split("-")[-2]) in self.left]
            for log in glob.glob(glob.escape(answer["path"]) + "/*.log"):
                copy_log(log, os.path.join(out, os.path.basename(log)))
        data = copy_live(answer["path"], live, out)
        if self.left == {1, 2, 3}:
            self.spoil(out)
            data = [path for path in data if "-3-" not in os.path.basename(path)]
        return data


def copy_log(log, target):
    """A transaction log, with the directory of a usual installation in its paths, and the checksums made to fit."""
    with open(log) as f:
        lines = f.read().splitlines()
    here, there = os.path.join(WORK, "home", "data"), "/var/lib/cassandra/data"
    with open(target, "w") as f:
        for line in lines:
            kind, path, time, files, checksum = re.fullmatch(r"(\w+):\[(.*),(\d+),(\d+)\]\[(\d+)\]", line).groups()
            assert log_checksum(kind, path, int(time), int(files)) == int(checksum), line
            path = path.replace(here, there)
            f.write(f"{kind}:[{path},{time},{files}][{log_checksum(kind, path, int(time), int(files))}]\n")


def log_checksum(kind, path, time, files):
    numbers = struct.pack(">III", time & 0xFFFFFFFF, time >> 32, files)
    return zlib.crc32(path.encode() + kind.upper().encode() + numbers)


def write_answers(node, queries, path, may_fail=False):
    """Asks each query once, as of READ_NOW; writes the answers and gives their number."""
    queries = list(dict.fromkeys(queries))
    with open(path, "w", encoding="utf-8") as f:
        for q in queries:
            as_json = q.startswith("SELECT JSON")
            answer = node.ask(do="cql", q=q, now=READ_NOW, hex=not as_json)
            kept = {"cql": q}
            if "failure" in answer:
                if not may_fail:
                    print(f"  {q}: {answer['failure']}")
                kept["failure"] = answer["failure"]
            elif "error" in answer:
                kept["error"] = answer["error"]
            elif as_json:
                kept["rows"] = [r[0] for r in answer["rows"]]
            else:
                kept["columns"], kept["values"] = answer["columns"], answer["rows"]
            f.write(json.dumps(kept, ensure_ascii=False) + "\n")
    return len(queries)


def copy_live(directory, live, out):
    """Copies the components of the SSTables with these base names; gives the paths of their Data.db."""
    data = []
    for base in sorted(live):
        for path in glob.glob(glob.escape(base) + "-*"):
            target = os.path.join(out, os.path.relpath(path, directory))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(path, target)
            if target.endswith("-Data.db"):
                data.append(target)
    return data


def is_multicell(cql_type, node):
    """Whether the column's value is kept as several cells."""
    if re.match(r"(list|set|map)<", cql_type):
        return True
    if re.fullmatch(r"[a-z_]+", cql_type):
        return any(r[0] == cql_type for r in node.cql("SELECT type_name FROM system_schema.types WHERE keyspace_name = 'golden'"))
    return False


def quote(name):
    """A CQL identifier as a statement needs it."""
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


RESERVED = set("""add allow alter and apply asc authorize batch begin by columnfamily create default delete desc describe drop
entries execute from full grant if in index infinity insert into is keyspace keyspaces limit materialized mbean mbeans modify
nan norecursive not null of on or order primary rename replace revoke schema select set table to token truncate unset update
use using view where with""".split())


class Tools(Jvm):
    """sstabledump and sstablemetadata, as of READ_NOW."""

    # The tools are made to run once: they leave buffers behind, up to some hundred KiB a run.
    RUNS_OF_ONE_JVM = 2_000
    SECONDS = 60

    def __init__(self, version, home=None):
        self.version, self.home, self.runs = version, home or os.path.join(WORK, "toolhome"), 0
        self.start()

    def start(self):
        super().__init__(self.version, "golden.Tools", READ_NOW, frozen=True, home=self.home)

    def ask(self, **order):
        self.runs += 1
        if self.runs % self.RUNS_OF_ONE_JVM == 0:
            self.stop()
            self.start()
        # Some numbers have more digits than anyone waits for.
        timer = threading.Timer(self.SECONDS, self.process.kill)
        timer.start()
        try:
            return super().ask(**order)
        except (SystemExit, BrokenPipeError):
            if timer.is_alive():
                raise
            self.start()
            return {"failure": f"no answer within {self.SECONDS} s"}
        finally:
            timer.cancel()

    def answer(self, order=None):
        """Paths in what the tools print are cut to their part within the golden folder."""
        return {k: v.replace(GOLDEN + "/", "") for k, v in super().answer(order).items()}

    def run(self, data, runs):
        """Writes tools.jsonl beside one Data.db: what the tools print with other options."""
        with open(os.path.join(os.path.dirname(data), "tools.jsonl"), "w", encoding="utf-8") as f:
            for tool, options in runs:
                answer = self.ask(tool=tool, args=[data, *options])
                kept = {"tool": tool, "file": os.path.basename(data), "options": options}
                kept.update(answer)
                f.write(json.dumps(kept, ensure_ascii=False) + "\n")

    def dumps(self, data, wanted):
        """Writes dump/* and metadata/* beside one Data.db."""
        if wanted == "none":
            return
        folder, sstable = os.path.dirname(data), os.path.basename(data)[:-len("-Data.db")]
        dump = os.path.join(folder, "dump", sstable)
        for d in ("dump", "metadata"):
            os.makedirs(os.path.join(folder, d), exist_ok=True)
            with open(os.path.join(folder, d, "now"), "w") as f:
                f.write(f"{READ_NOW}\n")
        every = {".keys.json": ["-e"], ".lines.json": ["-l"], ".debug.txt": ["-d"], ".json": [], ".raw.json": ["-t"]}
        kinds = {k: every[k] for k in {"all": every, "short": (".keys.json", ".lines.json", ".debug.txt"),
                                       "lines": (".keys.json", ".lines.json"), "metadata": ()}[wanted]}
        size = 0
        for suffix, options in kinds.items():
            answer = self.ask(tool="dump", args=[data, *options])
            if "failure" in answer:
                print(f"  sstabledump {' '.join(options)} {data}: {answer['failure']}")
                with open(f"{dump}{suffix}.failure", "w", encoding="utf-8") as f:
                    f.write(answer["failure"] + "\n")
                continue
            out = answer["out"]
            if suffix == ".lines.json":
                size = len(out.encode())
                if size > LINE_DUMP_MAX_BYTES:
                    break
            with open(dump + suffix, "w", encoding="utf-8", newline="") as f:
                f.write(out)
            if suffix == ".debug.txt" and size > ALL_DUMPS_MAX_BYTES:
                break
        answer = self.ask(tool="metadata", args=[data])
        if "failure" in answer:
            print(f"  sstablemetadata {data}: {answer['failure']}")
        with open(os.path.join(folder, "metadata", sstable + ".txt"), "w", encoding="utf-8", newline="") as f:
            f.write(answer["out"])

README = """# Golden tables

Written by Cassandra 5.0.9 as `nb` (BIG, compatibility mode), `oa` (BIG) and `da` (BTI); `../generate/run.sh` makes them anew.
`<version>/<table>/` holds the SSTables, `schema.cql`, Cassandra's `answers.jsonl` as of the epoch second in `now`, and per SSTable
the output of sstabledump (`dump/`) and sstablemetadata (`metadata/`), as of the second in their `now`. Paths that
the tools print are cut to their part below this folder. Not every table keeps every form of dump; where the tool failed, `.failure` holds what it threw.

`tools.jsonl`, where it stands, holds runs of the two tools with other options. A line of `answers.jsonl` is `{"cql", "rows"}` for SELECT JSON (the row's text), `{"cql", "columns", "values"}` for a plain SELECT
(raw value bytes in hex, null), `{"cql", "error"}` for a refused statement and `{"cql", "failure"}` where Cassandra itself breaks.

| table | what it covers |
|---|---|
"""
