#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Tries the module on every mail server that can be had here: tests/servers/run.sh [PART OF A TEST'S NAME]
# Gets them first (Debian's packages in their own root, pymap from PyPI), which takes some minutes once. Needs root
# for what is not Dovecot 2.3; what could not be had is printed with the reason.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/packages.sh

need_sandbox_packages
if [ "$(id -u)" != 0 ]; then
    echo "Only Dovecot 2.3 and pymap: the other servers need root" >&2
elif ! need_packages debootstrap=debootstrap; then
    echo "Only Dovecot 2.3 and pymap: debootstrap cannot be installed" >&2
elif root=$(tests/servers/root.sh 2> target/servers.log); then
    export SERVERS_ROOT=$root
else
    echo "Only Dovecot 2.3 and pymap: Debian's packages cannot be had, see target/servers.log" >&2
fi
if ! [ -x target/servers/bin/pymap ]; then
    need_packages python3=python3
    python3 -c 'import ensurepip' 2> /dev/null || need_packages ensurepip=python3-venv
    python3 -m venv target/servers
    target/servers/bin/pip install --quiet --disable-pip-version-check pymap==0.36.7 || rm -rf target/servers
fi
echo "go-imap: not tried: it is a library in Go, and no package has a server made of it"
cargo build --quiet --locked --workspace
exec cargo test --locked --test servers -- --nocapture --test-threads=2 "$@"
