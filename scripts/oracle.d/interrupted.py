"""Compactions that end halfway: interrupted.py [VERSION...], run by scripts/judge_compaction.

cqlite is killed while it compacts, and a node opens what it left; a node is killed in the middle of a compaction, and right after
one whose inputs somebody still read, and cqlite opens what that left.
"""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from golden import VERSIONS
from lanes import side_by_side
from living import CQLITE, Live, cqlite

ROUNDS = 2
TABLE = "CREATE TABLE lab.t (k int PRIMARY KEY, v text) WITH gc_grace_seconds = 0 AND compression = {'enabled': false} " \
        "AND compaction = {'class': 'SizeTieredCompactionStrategy', 'min_threshold': '2'}"
KEYSPACE = "CREATE KEYSPACE lab WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
QUERY = "SELECT JSON k, v FROM lab.t"


def rows(lines):
    return sorted((json.loads(line) for line in lines if line), key=lambda row: row["k"])


def logs(data):
    return glob.glob(os.path.join(data, "lab", "t-*", "*_txn_compaction_*.log"))


def halted(process, has_come):
    """Whether it has come. The process is halted then, before that can pass."""
    if not has_come():
        return False
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    if has_come():
        return True
    process.send_signal(signal.SIGCONT)
    return False


def killed(data, version, first):
    """Writes until a compaction has begun, and kills that; what was said to be written is there then."""
    command = [CQLITE, "exec", data, "--version", version, "--memory", "1", "--sync", "none", "--ack"]
    before = logs(data)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    acknowledged = []

    def read():
        for line in process.stdout:
            acknowledged.append(line)

    reader = threading.Thread(target=read)
    reader.start()
    count = 0
    try:
        while not halted(process, lambda: set(logs(data)) - set(before)) and count < 20_000:
            process.stdin.write(f"INSERT INTO lab.t (k, v) VALUES ({first + count}, '{'x' * 4000}');\n")
            count += 1
    finally:
        process.kill()
        process.wait()
        reader.join()
    return len(acknowledged), count


def left_over(data, live):
    """Files of the table that are of no live SSTable."""
    directory = glob.glob(os.path.join(data, "lab", "t-*"))[0]
    names = [name for name in os.listdir(directory) if os.path.isfile(os.path.join(directory, name))]
    return [name for name in names if not any(name.startswith(base + "-") for base in live)]


def judge_ours(version, home):
    data = os.path.join(home, "data")
    os.makedirs(data)
    cqlite("exec", data, "--version", version, text=f"{KEYSPACE};\n{TABLE};\n")
    faults = interrupted = first = 0
    for _ in range(ROUNDS):
        acknowledged, sent = killed(data, version, first)
        was_interrupted = bool(logs(data))
        interrupted += was_interrupted
        # The node knows nothing of the log of cqlite: what is in SSTables is compared. Transaction logs tell paths, so that the node
        # opens the directory itself, and cqlite goes on with a copy that is put in its place.
        copy, plain = os.path.join(home, "copy"), os.path.join(home, "plain")
        shutil.copytree(data, copy)
        shutil.copytree(data, plain, ignore=shutil.ignore_patterns(".cqlite"))
        expected = rows(cqlite("query", plain, QUERY).splitlines())
        node = Live(version, home)
        found = rows(node.run(QUERY))
        live = [os.path.basename(path) for path in node.do("directory", keyspace="lab", table="t")["live"]]
        # It deletes files beside its other work.
        for _ in range(600):
            dead = left_over(data, live)
            if not dead:
                break
            time.sleep(0.1)
        node.stop()
        for directory in (data, plain):
            shutil.rmtree(directory)
        os.rename(copy, data)
        if found != expected or dead:
            faults += 1
            print(f"{version}: the node has {len(found)} rows of {len(expected)}, and leaves {dead}", flush=True)
        ours = rows(cqlite("query", data, QUERY).splitlines())
        if not first + acknowledged <= len(ours) <= first + sent:
            faults += 1
            print(f"{version}: {len(ours)} rows of {first} and {acknowledged} to {sent}", flush=True)
        first = len(ours)
        print(f"{version}: killed {'while' if was_interrupted else 'before'} it compacted, {len(found)} rows in SSTables", flush=True)
    if not interrupted:
        faults += 1
        print(f"{version}: no compaction was interrupted")
    return faults


def judge_theirs(version, home):
    faults = 0
    for held in (False, True):
        place = os.path.join(home, f"node-{held}")
        data = os.path.join(place, "data")
        os.makedirs(data)
        node = Live(version, place)
        node.run(KEYSPACE)
        node.run(TABLE.replace("'min_threshold': '2'", "'enabled': 'false'"))
        for flush in range(4):
            for k in range(50):
                node.run(f"INSERT INTO lab.t (k, v) VALUES ({k * (flush + 1)}, '{flush} {'y' * 500}')")
            node.do("flush", keyspace="lab", table="t")
        expected = rows(node.run(QUERY))
        for table in ("keyspaces", "tables", "columns", "types", "indexes", "views", "dropped_columns"):
            node.do("flush", keyspace="system_schema", table=table)
        if held:
            node.do("hold", keyspace="lab", table="t")
            node.do("compact", keyspace="lab", table="t")
        else:
            node.do("compact_halfway", keyspace="lab", table="t")
        node.kill()
        if not logs(data):
            faults += 1
            print(f"{version}: the node left no log of its compaction")
        before = rows(cqlite("query", data, QUERY).splitlines())
        cqlite("exec", data, "--version", version, text="INSERT INTO lab.t (k, v) VALUES (100000, 'after');\n")
        after = rows(cqlite("query", data, QUERY).splitlines())
        if before != expected or after[:-1] != expected or logs(data):
            faults += 1
            print(f"{version}: {len(before)} and {len(after)} rows of {len(expected)}, logs {logs(data)}", flush=True)
        print(f"{version}: a node killed {'after' if held else 'amid'} its compaction, {len(expected)} rows", flush=True)
    return faults


def judge(version):
    home = tempfile.mkdtemp(prefix="judge-compaction-")
    try:
        return judge_ours(version, os.path.join(home, "ours")) + judge_theirs(version, home)
    finally:
        shutil.rmtree(home)


def main():
    faults = sum(side_by_side(judge, sys.argv[1:] or list(VERSIONS)))
    print("good" if not faults else f"{faults} faults")
    sys.exit(min(faults, 1))


if __name__ == "__main__":
    main()
