#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
#   tests/bench/vanished.sh     what QRESYNC (RFC 7162) would save in a mailbox of 100,000 messages
#
# Asks a real Dovecot in a sandbox what has changed, by QRESYNC and by the questions that the engine asks.

set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/packages.sh

need_sandbox_packages
need_packages python3=python3
. tests/bench/imageroot.sh
cargo build --quiet --locked --package sandbox
export SANDBOX_PROGRAM=$PWD/target/debug/sandbox
PYTHONPATH=tests/acceptance/resources exec python3 -B tests/bench/vanished.py
