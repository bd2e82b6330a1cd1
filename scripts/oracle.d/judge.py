"""Every golden table, written again by cqlite, judged by the Cassandra that is to take it."""

import argparse
import collections
import json
import os
import sys
import time

import golden
import scrubbed
import tables  # noqa: F401  (registers the golden tables)
from golden import GOLDEN, Node, Tools
from lanes import side_by_side
from rewritten import COMPRESSORS, OWN, Rewritten

OLDER = ("ma", "mb", "mc", "md", "me", "na")
PARTITIONERS = {function.__name__: options["partitioner"] for function, _, options in golden.TABLES if "partitioner" in options}
MURMUR = "Murmur3Partitioner"


def sources(version, rotation, everything):
    """Folders of golden tables that are to become SSTables of `version`: those of that very version, and older ones, a
    third each time unless everything is asked for."""
    found = []
    for other in (version, *OLDER):
        folder = os.path.join(GOLDEN, other)
        for i, name in enumerate(sorted(os.listdir(folder))):
            mine = other == version or everything or (i + rotation) % 3 == list(golden.VERSIONS).index(version)
            # The data directory has answers of its own; two tables no node with usual keys can read.
            if mine and os.path.exists(os.path.join(folder, name, "answers.jsonl")):
                found.append(os.path.join(folder, name))
    return found


def columns(source, i, rotation, arguments):
    """The compressors that a table is written with. In other nodes than the usual, and from older versions, one will do."""
    if os.path.basename(source) in PARTITIONERS or os.path.basename(os.path.dirname(source)) in OLDER and not arguments.matrix:
        return (OWN,)
    if arguments.matrix:
        return (OWN, *COMPRESSORS)
    if arguments.ci:
        return (OWN, COMPRESSORS[(i + rotation) % len(COMPRESSORS)])
    return (OWN,)


def judge_version(version, arguments, rotation):
    """Judges the golden tables that become SSTables of a version: counts of what was done, and the faults."""
    at = time.time()
    counts, faults = collections.Counter(), []
    only = arguments.only and arguments.only.split(",")
    # A node has one partitioner: the unusual ones are booted for one format a day.
    unusual = not arguments.ci or rotation % 3 == list(golden.VERSIONS).index(version)
    chosen = [s for s in sources(version, rotation, arguments.matrix or only) if (not only or os.path.basename(s) in only)
              and (unusual or os.path.basename(s) not in PARTITIONERS)]
    by_partitioner = collections.defaultdict(list)
    for i, source in enumerate(chosen):
        by_partitioner[PARTITIONERS.get(os.path.basename(source), MURMUR)].append((i, source))
    tools = Tools(version, home=os.path.join(golden.WORK, f"judge-tools-{version}")) if chosen else None
    for partitioner, tables_of_it in by_partitioner.items():
        node = Node(version, partitioner=partitioner, home=os.path.join(golden.WORK, f"judge-node-{version}"))
        rewritten = Rewritten(node, tools)
        for i, source in tables_of_it:
            with open(os.path.join(source, "schema.cql"), encoding="utf-8") as f:
                schema = f.read()
            with open(os.path.join(source, "answers.jsonl"), encoding="utf-8") as f:
                answers = [json.loads(line) for line in f]
            for column in columns(source, i, rotation, arguments):
                # A compressor knows nothing of rows: all of them are asked for, once.
                asked = answers if column == OWN else answers[:1]
                rewritten.judge(os.path.basename(source), source, schema, asked, column)
        for i, source in tables_of_it:
            if os.path.basename(source) in scrubbed.TABLES:
                scrubbed.judge(rewritten, source, rotation * 1000 + i)
        node.stop()
        counts.update(rewritten.counts)
        faults += rewritten.faults
    if tools:
        tools.stop()
    print(f"{version}: {len(chosen)} golden tables, {time.time() - at:.0f} s", flush=True)
    return counts, faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", default="all", choices=["nb", "oa", "da", "all"])
    parser.add_argument("--only", help="names of golden tables, with commas")
    parser.add_argument("--rotation", type=int, help="which compressors, which older tables")
    parser.add_argument("--ci", action="store_true")
    parser.add_argument("--matrix", action="store_true")
    arguments = parser.parse_args()
    start = time.time()
    rotation = arguments.rotation if arguments.rotation is not None else int(start // 86_400)
    counts, faults = collections.Counter(), []
    versions = list(golden.VERSIONS) if arguments.format == "all" else [arguments.format]
    for counted, found in side_by_side(judge_version, versions, arguments, rotation):
        counts += counted
        faults += found
    print(f"rotation {rotation}, {time.time() - start:.0f} s: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    if faults:
        by_table = collections.Counter(label for label, _ in faults)
        sys.exit(f"{len(faults)} faults in {len(by_table)} tables:\n" + "\n".join(f"  {label}: {n}" for label, n in by_table.items()))
    if not counts["tables"]:
        sys.exit("no tables")


if __name__ == "__main__":
    main()
