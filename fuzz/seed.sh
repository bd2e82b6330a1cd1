#!/bin/sh
# Fills fuzz/corpus/<target>/ with seeds out of the golden SSTables and commit logs. Then, for a minute of one target:
#   cargo +nightly fuzz run statistics -- -max_total_time=60 -rss_limit_mb=512 -timeout=5
set -eu
cd "$(dirname "$0")"
cargo +nightly run --example seed -- ../test-data/golden ../test-data/commitlog corpus
