#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
#   ./test-module.sh                                    all tests, here: the module runs in a sandbox
#   ./test-module.sh NODE_ADDR IMAGE [robot options]    the acceptance suite on a real node, over SSH
#
# On a node it adds the module from IMAGE, and removes it at the end. SSH_KEYFILE is the key of root@NODE_ADDR
# (default ~/.ssh/id_ecdsa). Results of the acceptance suite are in tests/outputs/.

set -euo pipefail
cd "$(dirname "$0")"
. tests/lib/packages.sh

# Robot Framework in its own environment; python's is left alone.
robot() {
    local venv=target/robot
    # Made once for each list of requirements.
    if ! cmp -s tests/acceptance/requirements.txt "$venv/requirements.txt"; then
        need_packages python3=python3
        # No program has that name: what is asked for is a module of Python.
        python3 -c 'import ensurepip' 2> /dev/null || need_packages ensurepip=python3-venv
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement tests/acceptance/requirements.txt
        cp tests/acceptance/requirements.txt "$venv/requirements.txt"
    fi
    "$venv/bin/python" -m robot --outputdir tests/outputs "$@"
}

# The web page: its units, then the page itself in a browser, on a stand-in for the actions and on the real ones.
# What it looked like is in artifacts/ui/.
page() {
    need_node
    need_packages chromium=chromium
    (
        cd ui
        npm install --no-save --silent --no-fund --no-audit
        npm test
        npm run --silent build
        npm run --silent e2e:all
    )
}

# The acceptance suite, once with each engine that is there.
acceptance() {
    export SANDBOX_PROGRAM=$PWD/target/debug/sandbox
    local other="not installed on this machine, so no case ran through it"
    if command -v imapsync > /dev/null; then
        other="the same cases ran through it as well, see tests/outputs/imapsync/"
    fi
    echo "imapsync: $other"
    robot --variable SYNC_ENGINE:native --metadata "imapsync:$other" tests/acceptance/
    if command -v imapsync > /dev/null; then
        robot --variable SYNC_ENGINE:imapsync --name "Acceptance with imapsync" --outputdir tests/outputs/imapsync tests/acceptance/
    fi
}

here() {
    need_sandbox_packages
    # What some tests look with.
    need_packages promtool=prometheus strace=strace
    # The base of the container is fetched while the program is built; the tests of it wait for it and say more.
    tests/container/engine.sh --packages > /dev/null 2>&1 || true
    tests/container/engine.sh --base > /dev/null 2>&1 &
    # The sandbox installs the module from exactly what would go into the image.
    ./build-images.sh imageroot target/test-imageroot
    export SANDBOX_IMAGEROOT=$PWD/target/test-imageroot
    cargo test --quiet --locked --workspace --no-run
    cargo test --locked --workspace --no-fail-fast
    acceptance
    page
}

case "${1:-}" in
    "") here ;;
    -h | --help) sed -n 's/^# \{0,1\}//; 3,7p' "$0" ;;
    *)
        [ $# -ge 2 ] || {
            echo "usage: ./test-module.sh [NODE_ADDR IMAGE [robot options]]" >&2
            exit 2
        }
        node=$1
        image=$2
        shift 2
        robot --variable "NODE_ADDR:$node" --variable "IMAGE_URL:$image" \
            --variable "SSH_KEYFILE:${SSH_KEYFILE:-$HOME/.ssh/id_ecdsa}" "$@" tests/acceptance/
        ;;
esac
