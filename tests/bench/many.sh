#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
#   tests/bench/many.sh [options]     many mailboxes of one far source, all started together
#
#   --mailboxes N   how many (40)
#   --messages N    in each of them (1000)
#   --rtt N         round-trip time to the source in milliseconds (30)
#   --at-once N     how many runs work at once; without it the module finds that out
#
# A sandbox with two real Dovecots, the destination configured as NS8's mail module does it, a proxy that delays, and the
# supervisor. SANDBOX_IMAGEROOT is a module to measure instead of building a release. The servers' mail is below TMPDIR.

set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/packages.sh

case ${1:-} in
    -h | --help)
        sed -n 's/^# \{0,1\}//; 3,13p' "$0"
        exit
        ;;
esac
need_sandbox_packages
. tests/bench/imageroot.sh
cargo run --quiet --locked --package sandbox --example bench-many -- "$@"
