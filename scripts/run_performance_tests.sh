#!/usr/bin/env bash
# Measures cqlite and Cassandra in turn, on the same files, and shows the ratios.
#   scripts/run_performance_tests.sh [--quick] [--rounds N] [--reps N] [--no-peer] [--lsm] [--only scan|point|slice|long|write|commands|engine|mixed]
# Needs Rust; for the peer also a JDK 17, and Maven unless CASSANDRA_LIB names a folder with the jars of Cassandra 5.0.
# With --lsm RocksDB and fjall compact, write and read the same rows, too: they take minutes to compile, and need libclang
# (ROCKSDB_LIB_DIR names the folder of a RocksDB that is installed).
# With --only mixed 10 M reads and writes show that the memory of a database stays below 128 MiB; nothing else does that.
# The tables (2 GB) are made in target/bench-data or in $CQLITE_BENCH_DATA. What reads runs on one thread, with the files in
# the page cache; what writes compresses in a second one. All figures end up in target/performance.jsonl.
set -euo pipefail
cd "$(dirname "$0")/.."

rows=2000000 partitions=2000 long=100000 rounds=3 reps=5 peer=1 lsm= only= failed=0
while [ $# -gt 0 ]; do
  case $1 in
    --quick) rows=200000 partitions=200 rounds=1 reps=3 ;;
    --rounds) rounds=$2; shift ;;
    --reps) reps=$2; shift ;;
    --no-peer) peer= ;;
    --lsm) lsm=1 ;;
    --only) only=$2; shift ;;
    *) sed -n '2,9p' "$0" | sed 's/^# //' >&2; exit 2 ;;
  esac
  shift
done
wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }

cargo build --release -q -p cqlite-benches -p cqlite-cli
target=${CARGO_TARGET_DIR:-target}
bench=$target/release/cqlite-bench
cqlite=$target/release/cqlite
cassandra=benches/peers/cassandra/run.sh
out=target/performance.jsonl
mkdir -p target
: > "$out"
export REPS=$reps

if [ -n "$lsm" ]; then
  cargo build --release -q --manifest-path benches/peers/lsm/Cargo.toml
  lsm_bench=benches/peers/lsm/target/release/cqlite-peers-lsm
  lsm_dir=${CQLITE_BENCH_DATA:-target/bench-data}/lsm
fi

# Figures of one format: ours, then the peer's, on the same directory.
figures() {
  local format=$1 round=$2 size kv wide one
  size=(--format "$format" --rows "$rows" --partitions "$partitions")
  kv=$($bench make kv "${size[@]}")
  wide=$($bench make wide "${size[@]}")
  one=$($bench make wide --format "$format" --partitions 1 --rows-per-partition "$long")
  cat "$kv"/* "$wide"/* "$one"/* > /dev/null
  ours() { $bench "$@" "${size[@]}" --reps "$reps" --round "$round" | tee -a "$out"; }
  theirs() { if [ -n "$peer" ]; then ROUND=$round $cassandra "$format" "$@" | tee -a "$out"; fi; }

  if wanted scan; then
    ours scan kv; ours table-scan kv
    theirs kv "$kv" "$rows" scan
    ours scan wide; ours table-scan wide
    theirs wide "$wide" "$partitions" 1000 scan
  fi
  if wanted point; then
    ours hit; ours miss; ours hit --cache 32
    theirs kv "$kv" "$rows" hit miss
  fi
  if wanted slice; then
    ours slice; ours slice --cache 32; ours slice --reversed; ours slice --reversed --cache 32; ours row
    theirs wide "$wide" "$partitions" 1000 slice reversed-slice row
  fi
  if wanted write; then
    local values=$(dirname "$kv")/values overlapping
    ours write kv; ours write wide
    for build in "kv sorted" "kv unsorted" "wide sorted"; do
      read -r table order <<< "$build"
      unsorted=(); if [ "$order" = unsorted ]; then unsorted=(--unsorted); fi
      ours build "$table" "${unsorted[@]}"
      if [ -n "$peer" ]; then
        $bench values "$table" "${unsorted[@]}" "${size[@]}" "$values"
        theirs build "$table" "$order" "$values" "$values-written"
      fi
    done
    rm -f "$values"
    overlapping=$($bench make-overlapping "${size[@]}")
    ours compact
    # shellcheck disable=SC2086 # One argument a directory.
    theirs compact "$values-written" $overlapping
  fi
  if wanted long; then
    size=(--format "$format" --partitions 1 --rows-per-partition "$long")
    for at in start middle end; do
      ours slice --at $at; ours slice --at $at --cache 32; ours slice --at $at --reversed
    done
    theirs wide "$one" 1 "$long" slice-start slice-middle slice-end reversed-slice-start reversed-slice-middle reversed-slice-end
  fi
}

# Figures of a database and of the stores that are like it, in turn: through log and memtable, with a sync each, and reads.
engine() {
  local round=$1 synced=$((rows / 100))
  pair() {
    local rows=$1
    shift
    $bench engine --rows "$rows" --reps "$reps" --round "$round" "$@" | tee -a "$out"
    if [ -n "$lsm" ]; then
      # What the stores call their cache.
      $lsm_bench "${@/--chunks/--cache}" --rows "$rows" --reps "$reps" --round "$round" --dir "$lsm_dir" --fmt big-oa | tee -a "$out"
      rm -rf "$lsm_dir"
    fi
  }
  pair "$rows" write
  pair "$synced" write-synced
  pair "$((synced * 10))" write-synced --writers 32
  pair "$rows" read
  pair "$rows" read --block 4
  pair "$rows" read --chunks 512 --hot "$rows"
  for more in "--readers 2" "--busy"; do
    # shellcheck disable=SC2086 # Options.
    $bench engine --rows "$rows" --reps "$reps" --round "$round" read $more | tee -a "$out"
  done
}

# Commands from their start to their end, without their output.
commands() {
  local format=$1 round=$2 kv fmt small
  case $format in oa) fmt=big-oa ;; da) fmt=bti-da ;; esac
  kv=$($bench make kv --format "$format" --rows "$rows")
  small=$($bench make kv --format "$format" --rows 100)
  cat "$kv"/* > /dev/null
  run() {
    local by=$1 name=$2 reps=$3 rows=$4
    shift 4
    $bench command --by "$by" --bench "$name" --table kv --fmt "$fmt" --rows "$rows" --reps "$reps" --round "$round" -- "$@" |
      tee -a "$out" || failed=1
  }
  run cqlite dump 3 "$rows" $cqlite dump "$kv"/*-Data.db
  if [ -n "$peer" ]; then run cassandra dump 1 "$rows" $cassandra "$format" sstabledump "$kv"/*-Data.db; fi
  run cqlite verify 3 "$rows" $cqlite verify "$kv"/*-Data.db
  if [ -n "$peer" ]; then run cassandra verify 1 "$rows" $cassandra "$format" sstableverify "$kv"; fi
  local old=$(dirname "$kv")/nb/$(basename "$kv")
  if [ ! -e "$old" ]; then $cqlite rewrite "$kv" --version nb --out "$old" > /dev/null; fi
  run cqlite rewrite 3 "$rows" bash -c "rm -rf '$old-new' && $cqlite rewrite '$old' --version $format --out '$old-new'"
  rm -rf "$old-new"
  if [ -n "$peer" ]; then run cassandra rewrite 1 "$rows" $cassandra "$format" sstableupgrade "$old"; fi
  run cqlite "small table" 21 100 $cqlite dump "$small"/*-Data.db
}

# Time and memory of a scan as the data grows, by its partitions and within one.
growth() {
  local format n
  for format in oa da; do
    for n in 1 2 4; do
      $bench scan kv --format $format --rows $((rows / 4 * n)) --reps "$reps"
      $bench scan wide --format $format --partitions $((partitions / 4 * n)) --reps "$reps"
      $bench scan wide --format $format --partitions 1 --rows-per-partition $((rows / 8 * n)) --reps "$reps"
    done
  done | tee target/growth.jsonl
}

if [ -n "$peer" ] && wanted commands; then
  for format in oa da; do $cassandra $format prepare; done
fi
for round in $(seq "$rounds"); do
  if [ -n "$lsm" ] && wanted write; then
    $lsm_bench compact --rows "$rows" --reps "$reps" --round "$round" --dir "$lsm_dir" | tee -a "$out"
    rm -rf "$lsm_dir"
  fi
  if wanted engine; then engine "$round"; fi
  if [ "$only" = mixed ]; then $bench engine --rows "$rows" --ops $((rows * 5)) --round "$round" mixed | tee -a "$out"; fi
  for format in oa da; do
    figures $format "$round"
    if wanted commands; then commands $format "$round"; fi
  done
done
if wanted scan; then growth; fi

echo
$bench compare "$out"
if wanted scan; then
  echo
  echo "growth of scans:"
  $bench compare target/growth.jsonl
fi
exit $failed
