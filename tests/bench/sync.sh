#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
#   tests/bench/sync.sh [--quick] [options]     how fast mail is pulled, compared with mbsync and imapsync
#
#   --messages N    the first mailbox, of realistic mail in twelve folders (10000, about 265 MB)
#   --small N       the second mailbox, of messages of 2 KB in ten folders (100000)
#   --far N         messages for all programs behind a slow line, where some take a second for each sixteen (1000)
#   --runs N        how often everything is measured (3); the table has the run with the median time
#   --quick         a tenth of the mailboxes, measured once
#   --alone         without the other programs
#   --memory        the servers' mail in /dev/shm, so that the programs are measured and not the disk
#
# Measures the first copy, a run without news, one with 50 new messages, one without its state, counting and logging
# in; with the source 0 to 200 ms of round-trip time away. The programs take turns. Everything runs in a sandbox on this
# machine: two real Dovecots, of which the destination is configured as NS8's mail module does it, and a proxy that
# delays. mbsync is installed from Debian's isync, doveadm backup is Dovecot's own; imapsync takes part where it is
# installed. The limit is a loop that fetches and appends, and nothing else. SANDBOX_IMAGEROOT is a module to measure
# instead of building a release. The servers' mail is on the disk, below TMPDIR.

set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/packages.sh

case ${1:-} in
    -h | --help)
        sed -n 's/^# \{0,1\}//; 3,20p' "$0"
        exit
        ;;
esac
need_sandbox_packages
need_packages mbsync=isync /usr/bin/time=time
. tests/bench/imageroot.sh
# Optimised like the module: the limit is to be no slower than it can be.
cargo build --quiet --locked --release --package sandbox --example bench-sync --example bench-floor
options=()
for option; do
    case $option in
        --memory) export TMPDIR=/dev/shm ;;
        *) options+=("$option") ;;
    esac
done
exec target/release/examples/bench-sync "${options[@]}"
