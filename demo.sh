#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Shows a real synchronization on this machine: ./demo.sh [--messages N]
#
# Installs what is missing (Debian 12 with Rust), builds the module, starts a node in a box, pulls a mailbox of
# 2,400 messages in 12 folders, and compares both sides message by message. Ends with 0 only if they agree.
# Everything it starts stops with it; nothing outside of target/ and the packages is left behind.

set -euo pipefail
cd "$(dirname "$0")"
. tests/lib/packages.sh

case "${1:-}" in
    -h | --help)
        sed -n 's/^# \{0,1\}//; 3,8p' "$0"
        exit 0
        ;;
esac

need_sandbox_packages
[ -x target/demo/bin/ns8-imapsync ] || echo "Building the module; the first time takes some minutes"
./build-images.sh imageroot target/demo
cargo build --quiet --locked --package sandbox
exec target/debug/sandbox demo --imageroot target/demo "$@"
