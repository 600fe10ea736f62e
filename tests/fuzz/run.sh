#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Fuzzes the response reader, the task file and the CSV rows: run.sh [SECONDS], a minute in all when not told.
# Ends with 3 when something was found. It stays in target/fuzz/found; run it again with: target/fuzz/HOST/release/TARGET FILE

set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
case $seconds in
    '' | *[!0-9]*)
        echo "Usage: $0 [SECONDS]" >&2
        exit 2
        ;;
esac
export CARGO_TARGET_DIR=$PWD/target/fuzz
# What cargo-fuzz sets, without the sanitizers that only nightly compilers have.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
# With a target named, the flags are for the program alone and not for build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --quiet --locked --release --target "$host" --manifest-path tests/fuzz/Cargo.toml

each=$((seconds / 3 > 0 ? seconds / 3 : 1))
for target in responses env csv; do
    # New inputs go to a folder that is not in the repository.
    mkdir -p "target/fuzz/corpus/$target" target/fuzz/found
    echo "Fuzzing $target for $each seconds"
    log=target/fuzz/$target.log
    if ! "target/fuzz/$host/release/$target" -max_total_time="$each" -timeout=10 -rss_limit_mb=1024 -max_len=4096 \
        -print_final_stats=1 -artifact_prefix="target/fuzz/found/$target-" \
        "target/fuzz/corpus/$target" "tests/fuzz/seeds/$target" > "$log" 2>&1; then
        tail -n 40 "$log" >&2
        exit 3
    fi
    sed -n 's/^stat::number_of_executed_units: *\([0-9]*\).*/\1 inputs, nothing found/p' "$log"
done
