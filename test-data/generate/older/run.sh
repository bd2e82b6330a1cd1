#!/usr/bin/env bash
# Makes the golden tables of Cassandra 3.0 to 4.0 anew: run.sh [--only TABLE,...] [ma|mb|mc|md|me|na...]
# Needs Maven, JDK 17 and Python 3. Everything it fetches and boots stays in .work and ../.work; GOLDEN_STORAGE_PORT (19142) must be free.
set -euo pipefail
cd "$(dirname "$0")"
fetch() { # POM RELEASE-PROPERTY FOLDER
  ls "$3"/cassandra-all-*.jar >/dev/null 2>&1 || mvn -q -B -f "$1" $2 dependency:copy-dependencies -DoutputDirectory="$PWD/$3"
}
fetch ../pom.xml "" ../.work/lib
mkdir -p ../.work/classes
javac -nowarn -Xlint:-deprecation -Xlint:-removal -d ../.work/classes -cp '../.work/lib/*' ../java/golden/*.java
for release in 3.0.0 3.7 3.9 3.11.4 3.11.19 4.0-rc1; do
  fetch pom.xml -Dcassandra=$release .work/$release
  mkdir -p .work/classes/$release
  case $release in 3.*) source=java3;; *) source=java4;; esac
  javac -nowarn -Xlint:-deprecation -proc:none -d .work/classes/$release -cp ".work/$release/*" $source/Write.java
done
PYTHONDONTWRITEBYTECODE=1 exec python3 older.py "$@"
