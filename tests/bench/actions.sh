#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
#   tests/bench/actions.sh [--podman] [ROUNDS]     median time and peak memory of every action (9 rounds)
#
# Runs the release build in a sandbox, as the agent runs it: the step's program, its input on standard input.
# With --podman the service is in a real container, as on a node; without, the sandbox plays it.
# PROGRAM is a static program to measure instead of building one.

set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/packages.sh

need_sandbox_packages
need_packages python3=python3 /usr/bin/time=time
./build-images.sh imageroot target/bench-imageroot > /dev/null
cargo build --quiet --locked --package sandbox
if [ "${1:-}" = --podman ]; then
    shift
    variables=$(tests/container/engine.sh target/bench-imageroot/bin/ns8-imapsync)
    while IFS= read -r variable; do export "${variable?}"; done <<< "$variables"
    export MAKE_REAL=$PWD/tests/container/make-real.sh
fi
export SANDBOX_PROGRAM=$PWD/target/debug/sandbox SANDBOX_IMAGEROOT=$PWD/target/bench-imageroot
PYTHONPATH=tests/acceptance/resources exec python3 -B tests/bench/actions.py "$@"
