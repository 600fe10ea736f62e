#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
#   tests/bench/arrivals.sh [--tasks N]     the memory that it takes to listen to the sources of N tasks (500)
#
# A sandbox with two real Dovecots and the supervisor. SANDBOX_IMAGEROOT is a module to measure instead of building a
# release.

set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/packages.sh

case ${1:-} in
    -h | --help)
        sed -n 's/^# \{0,1\}//; 3,6p' "$0"
        exit
        ;;
esac
need_sandbox_packages
. tests/bench/imageroot.sh
cargo run --quiet --locked --package sandbox --example bench-arrivals -- "$@"
