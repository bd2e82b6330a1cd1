"""A node replays what cqlite wrote into its commit log: relogged.py [CASE...], run by scripts/judge_log."""

import json
import os
import re
import subprocess
import sys

from golden import READ_NOW, Node

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

LOGS = os.path.join(ROOT, "test-data", "commitlog")


def judge(case):
    golden = os.path.join(LOGS, case)
    with open(os.path.join(golden, "schema.cql"), encoding="utf-8") as f:
        # The log holds what precedes the drop of a column, too.
        statements = [q.strip() for q in f.read().split(";\n") if q.strip() and not q.strip().startswith("/*")]
    node = Node("oa", keyspace="log")
    for q in statements:
        node.cql(re.sub(r"\bIF NOT EXISTS ", "", q))
    for table in ("keyspaces", "tables", "columns", "types", "indexes", "views", "dropped_columns"):
        node.do("flush", keyspace="system_schema", table=table)
    home = node.home
    node.stop()
    subprocess.run([os.environ["RELOG"], os.path.join(golden, "schema.cql"), golden,
                    os.path.join(home, "commitlog")], check=True)
    node = Node("oa", keyspace=None, keep=True)
    faults = 0
    with open(os.path.join(golden, "answers.jsonl"), encoding="utf-8") as f:
        for line in f:
            answer = json.loads(line)
            rows = [r[0] for r in node.cql(answer["cql"], now=READ_NOW)]
            if rows != answer["rows"]:
                faults += 1
                print(f"{case}: {answer['cql']}\n  {rows}\n  instead of {answer['rows']}")
    node.stop()
    print(f"{case}: {'good' if not faults else f'{faults} answers differ'}", flush=True)
    return faults


sys.exit(min(sum(judge(case) for case in sys.argv[1:] or sorted(os.listdir(LOGS))), 1))
