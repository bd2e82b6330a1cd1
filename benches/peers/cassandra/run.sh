#!/usr/bin/env bash
# Cassandra's side of the benchmarks: run.sh oa|da COMMAND
#   prepare                           boots a node once, so that there is a schema which sstableverify finds
#   kv DIR ROWS FIGURE...             see Peer.java
#   wide DIR PARTITIONS ROWS FIGURE...
#   build kv|wide sorted|unsorted VALUES DIR, and compact OUT DIR...: see WritePeer.java
#   sstabledump ARGUMENTS
#   sstableupgrade DIR                writes a copy of the table in DIR again, in the version of the format
#   sstableverify DIR                 extended verification of the table in DIR
# Needs a JDK 17, and Maven unless CASSANDRA_LIB names a folder with Cassandra's jars. PEER_STORAGE_PORT (17411) and the
# next one must be free while a node boots. All that it makes is in benches/peers/target.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=$here/../target
format=$1
command=$2
shift 2

lib=${CASSANDRA_LIB:-$target/lib}
if ! ls "$lib"/cassandra-all-*.jar >/dev/null 2>&1; then
  mvn -q -B -f "$here/../../../test-data/generate/pom.xml" dependency:copy-dependencies -DoutputDirectory="$lib" >&2
fi

classes=$target/classes
if [ ! "$classes/Peer.class" -nt "$here/Peer.java" ] || [ ! "$classes/WritePeer.class" -nt "$here/WritePeer.java" ]; then
  mkdir -p "$classes"
  javac -nowarn -Xlint:-options -cp "$lib/*" -d "$classes" "$here"/*.java 2>&1 | { grep -v '^Note:' || true; } >&2
fi

case $format in
  oa) selected=big ;;
  da) selected=bti ;;
  *) echo "no such format: $format" >&2; exit 2 ;;
esac
home=$target/home-$format
port=${PEER_STORAGE_PORT:-17411}
mkdir -p "$home/conf"
cat > "$home/conf/cassandra.yaml" <<YAML
cluster_name: bench
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
authenticator: AllowAllAuthenticator
endpoint_snitch: SimpleSnitch
seed_provider: [ { class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [ { seeds: "127.0.0.1:$port" } ] } ]
listen_address: 127.0.0.1
storage_port: $port
ssl_storage_port: $((port + 1))
start_native_transport: false
hinted_handoff_enabled: false
commitlog_sync: periodic
commitlog_sync_period: 10000ms
data_file_directories: [ $home/data ]
commitlog_directory: $home/commitlog
cdc_raw_directory: $home/cdc
hints_directory: $home/hints
saved_caches_directory: $home/caches
storage_compatibility_mode: NONE
sstable: { selected_format: $selected }
YAML
cat > "$home/conf/logback.xml" <<'XML'
<configuration><root level="OFF"/></configuration>
XML

# What Cassandra's own jvm17-server.options opens.
java=(java)
for package in jdk.internal.misc jdk.internal.ref sun.nio.ch java.lang.ref; do
  java+=(--add-exports "java.base/$package=ALL-UNNAMED")
done
for package in java.io java.lang java.lang.module java.nio java.util java.util.concurrent java.util.concurrent.atomic \
  jdk.internal.loader jdk.internal.math jdk.internal.module jdk.internal.ref jdk.internal.reflect sun.nio.ch; do
  java+=(--add-opens "java.base/$package=ALL-UNNAMED")
done
java+=(--add-exports java.management.rmi/com.sun.jmx.remote.internal.rmi=ALL-UNNAMED
  --add-exports java.rmi/sun.rmi.registry=ALL-UNNAMED --add-exports java.rmi/sun.rmi.server=ALL-UNNAMED
  --add-exports java.sql/java.sql=ALL-UNNAMED --add-exports jdk.unsupported/sun.misc=ALL-UNNAMED
  --add-exports jdk.attach/sun.tools.attach=ALL-UNNAMED --add-opens jdk.management/com.sun.management.internal=ALL-UNNAMED
  -javaagent:"$(ls "$lib"/jamm-*.jar)" -Dcassandra.config="file://$home/conf/cassandra.yaml" -Dcassandra.storagedir="$home"
  -Dlogback.configurationFile="$home/conf/logback.xml" -cp "$classes:$lib/*")

case $command in
  prepare)
    [ -e "$home/prepared" ] && exit
    rm -rf "$home"/{data,commitlog,hints,caches,cdc}
    "${java[@]}" -Xmx1g -Dcassandra.ring_delay_ms=100 -Dcassandra.skip_wait_for_gossip_to_settle=0 Peer prepare >&2
    touch "$home/prepared"
    ;;
  kv | wide)
    exec "${java[@]}" -Xmx2g -XX:+UseG1GC ${REPS:+-Dreps=$REPS} ${ROUND:+-Dround=$ROUND} Peer "$command" "$@"
    ;;
  build | compact)
    exec "${java[@]}" -Xmx2g -XX:+UseG1GC ${REPS:+-Dreps=$REPS} ${ROUND:+-Dround=$ROUND} WritePeer "$command" "$@"
    ;;
  sstableupgrade)
    table=$(basename "$1")
    rm -rf "$home/data/bench/$table"
    mkdir -p "$home/data/bench/$table"
    ln "$1"/*-*-* "$home/data/bench/$table/"
    "${java[@]}" -Xmx256m org.apache.cassandra.tools.StandaloneUpgrader -k bench "${table%%-*}"
    ls "$home/data/bench/$table/$format"-*-Data.db >/dev/null
    ;;
  sstabledump)
    exec "${java[@]}" -Xmx256m org.apache.cassandra.tools.SSTableExport "$@"
    ;;
  sstableverify)
    table=$(basename "$1")
    rm -rf "$home/data/bench/$table"
    mkdir -p "$home/data/bench/$table"
    ln "$1"/"$format"-* "$home/data/bench/$table/"
    exec "${java[@]}" -Xmx256m org.apache.cassandra.tools.StandaloneVerifier -f -e bench "${table%%-*}"
    ;;
  *)
    echo "no such command: $command" >&2
    exit 2
    ;;
esac
