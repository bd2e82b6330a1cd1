# Sourced by scripts that boot Cassandra: fetches its jars once, compiles what runs in its JVM, builds cqlite unless CQLITE
# names a binary. ORACLE_STORAGE_PORT (19542) and the five after it must be free.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
generate=$root/test-data/generate
mkdir -p "$generate/.work/classes"
if ! ls "$generate"/.work/lib/cassandra-all-*.jar >/dev/null 2>&1; then
  mvn -q -B -f "$generate/pom.xml" dependency:copy-dependencies -DoutputDirectory="$generate/.work/lib"
fi
javac -nowarn -Xlint:-options -d "$generate/.work/classes" -cp "$generate/.work/lib/*" "$generate"/java/golden/*.java 2>&1 |
  { grep -v "^Note:" || true; }
if [ -z "${CQLITE:-}" ]; then
  cargo build -q --manifest-path "$root/Cargo.toml" -p cqlite-cli
  CQLITE=${CARGO_TARGET_DIR:-$root/target}/debug/cqlite
fi
export CQLITE GOLDEN_STORAGE_PORT=${ORACLE_STORAGE_PORT:-19542} PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$generate
