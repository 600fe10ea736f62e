#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Starts the issuer of the tests: start.sh SETTINGS.json. Node 22 and what package.json names are installed into
# target/ when they are not there yet; with --install that is all.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. tests/lib/packages.sh

place=target/issuer
mkdir -p "$place"
exec 9> "$place/.lock"
flock 9
need_node 22 > "$place/install.log" 2>&1
if ! cmp -s tests/sandbox/issuer/package.json "$place/package.json" || [ ! -d "$place/node_modules/oidc-provider" ]; then
    cp tests/sandbox/issuer/package.json "$place/package.json"
    rm -rf "$place/node_modules"
    (cd "$place" && npm install --silent --no-fund --no-audit) >> "$place/install.log" 2>&1
fi
# Modules are looked up next to the program.
for module in tests/sandbox/issuer/*.mjs; do
    install -m 0644 "$module" "$place/.${module##*/}.new"
    mv "$place/.${module##*/}.new" "$place/${module##*/}"
done
flock -u 9
exec 9>&-
[ "$1" != --install ] || exit 0
exec node "$place/issuer.mjs" "$1"
