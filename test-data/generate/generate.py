"""Writes test-data/golden: generate.py [--only NAME,...] [VERSION...]"""

import os
import shutil
import sys
import time

import datadir
import golden
from golden import GOLDEN, TABLES, Node, Table, Tools
import tables  # noqa: F401  (registers the tables)


def make(version, only):
    start = time.time()
    data, runs, asked, refused = [], [], 0, []
    folder = os.path.join(GOLDEN, version)
    if not only:
        shutil.rmtree(folder, ignore_errors=True)
    for partitioner in ("Murmur3Partitioner", "RandomPartitioner", "ByteOrderedPartitioner"):
        chosen = [t for t in TABLES
                  if t[2].get("partitioner", "Murmur3Partitioner") == partitioner
                  and version in t[2].get("versions", (version,)) and (not only or t[0].__name__ in only)]
        if not chosen:
            continue
        node = Node(version, partitioner=partitioner)
        made = []
        for function, _, options in chosen:
            options = {k: v for k, v in options.items() if k not in ("partitioner", "versions")}
            t = Table(node, function.__name__, **options)
            t.index_block_kib(-1)
            try:
                function(t)
                made += [t, *t.views]
            except golden.Refused as e:
                print(f"  {t.name}: {e}")
                refused.append(t.name)
        for t in made:
            out = os.path.join(folder, t.name)
            shutil.rmtree(out, ignore_errors=True)
            os.makedirs(out)
            with open(os.path.join(out, "schema.cql"), "w", encoding="utf-8") as f:
                f.write(t.schema())
            asked += t.take_answers(out)
            kept = t.keep(out)
            data += [(path, t.dumps) for path in kept]
            if t.tool_runs:
                runs.append((kept[0], t.tool_runs))
        node.stop()
    if not only or "data" in only:
        asked += datadir.make(version)
    tools = Tools(version)
    for path, wanted in data:
        tools.dumps(path, wanted)
    for path, options in runs:
        tools.run(path, options)
    tools.stop()
    print(f"{version}: {len(data)} SSTables, {asked} answers, {time.time() - start:.0f} s", flush=True)
    return refused


def main(arguments):
    only = []
    if arguments[:1] == ["--only"]:
        only = arguments[1].split(",")
        arguments = arguments[2:]
    refused = []
    for version in arguments or list(golden.VERSIONS):
        refused += make(version, only)
    if not only:
        write_readme()
    if refused:
        sys.exit(f"not made: {' '.join(refused)}")


def write_readme():
    with open(os.path.join(GOLDEN, "README.md"), "w", encoding="utf-8") as f:
        f.write(golden.README)
        for function, covers, options in TABLES:
            versions = options.get("versions")
            where = f" ({', '.join(versions)} only)" if versions else ""
            f.write(f"| `{function.__name__}` | {covers}{where} |\n")
        f.write("| `data` | a whole data directory: system_schema, three keyspaces, ULID ids, snapshots, backups, a legacy index, a view; "
                "answers in `data.answers.jsonl`, as of `data.now` |\n")
        f.write("| `view_of_base` | the view of `view_base`: shadowable deletions and strict liveness as Cassandra writes them |\n")


if __name__ == "__main__":
    main(sys.argv[1:])
