#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Shows a real synchronization on this machine: ./demo.sh [--messages N]
# Shows 20 mailboxes pulled by one sign-in:       ./demo.sh --oauth [--messages N]
# Shows the web page with tasks in every state:   ./demo.sh --ui [--port N]
#
# Installs what is missing (Debian 12 with Rust), builds the module, starts a node in a box, pulls a mailbox of
# 2,400 messages in 12 folders, and compares both sides message by message. Ends with 0 only if they agree.
# Everything it starts stops with it; nothing outside of target/ and the packages is left behind.

set -euo pipefail
cd "$(dirname "$0")"
. tests/lib/packages.sh

case "${1:-}" in
    -h | --help)
        sed -n 's/^# \{0,1\}//; 3,10p' "$0"
        exit 0
        ;;
esac

need_sandbox_packages
[ -x target/demo/bin/ns8-imapsync ] || echo "Building the module; the first time takes some minutes"
./build-images.sh imageroot target/demo
cargo build --quiet --locked --package sandbox

if [ "${1:-}" = --ui ]; then
    shift
    need_node
    (cd ui && npm install --no-save --silent --no-fund --no-audit && npm run --silent build > /dev/null)
    export SANDBOX_PROGRAM=$PWD/target/debug/sandbox SANDBOX_IMAGEROOT=$PWD/target/demo
    exec node ui/e2e/host/server.mjs --sandbox "$@"
fi
exec target/debug/sandbox demo --imageroot target/demo "$@"
