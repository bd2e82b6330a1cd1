#!/usr/bin/env bash
# Makes test-data/golden anew with a real Cassandra: run.sh [--only TABLE,...] [nb|oa|da...]
# Needs Maven, JDK 17 and Python 3. Everything it fetches and boots stays in .work; GOLDEN_STORAGE_PORT (19142) must be free.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p .work/classes
if ! ls .work/lib/cassandra-all-*.jar >/dev/null 2>&1; then
  mvn -q -B -f pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/.work/lib"
fi
javac -nowarn -Xlint:-options -d .work/classes -cp '.work/lib/*' java/golden/*.java 2>&1 | { grep -v "^Note:" || true; }
PYTHONDONTWRITEBYTECODE=1 exec python3 generate.py "$@"
