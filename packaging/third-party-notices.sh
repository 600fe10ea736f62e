#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prints the licences of what is in the images in addition to our own work: the crates of the program, and the packages of the
# page where ui/node_modules is there. Equal texts are printed once.
#
#   packaging/third-party-notices.sh > THIRD-PARTY-NOTICES

set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# One part: its name, its licence, the folder with the texts.
part() {
    local name=$1 licence=$2 folder=$3 file digest found=
    for file in "$folder"/{LICEN[CS]E,COPYING,NOTICE,licen[cs]e,UNLICENSE}*; do
        [ -f "$file" ] || continue
        case $file in *.html | *.rs | *.toml) continue ;; esac
        digest=$(tr -s '[:space:]' ' ' < "$file" | sha256sum | cut -c 1-64)
        [ -e "$scratch/$digest.text" ] || cp "$file" "$scratch/$digest.text"
        echo "$name ($licence)" >> "$scratch/$digest.names"
        found=1
    done
    [ -n "$found" ] || echo "$name ($licence)" >> "$scratch/without"
}

crates() {
    local name version licence folder
    cargo tree --quiet --locked --package ns8-imapsync-actions --edges normal --prefix none --format '{p}|{l}' --target "${ARCH:-$(uname -m)}-unknown-linux-gnu" \
        | sed 's/ (\*)$//; s/ (proc-macro)|/|/' | sort -u > "$scratch/crates"
    while IFS='|' read -r name licence; do
        case $name in *"("*) continue ;; esac # ours
        read -r name version <<< "$name"
        version=${version#v}
        folder=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -mindepth 2 -maxdepth 2 -name "$name-$version" | head -n 1)
        [ -n "$folder" ] || {
            echo "third-party-notices.sh: the source of $name $version is not there: run cargo fetch --locked" >&2
            exit 1
        }
        part "$name $version" "$licence" "$folder"
    done < "$scratch/crates"
}

# OpenSSL is built into the program; the crate that brings its source is there for the build alone.
openssl() {
    local version folder
    version=$(sed -n '/^name = "openssl-src"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)
    folder=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -mindepth 3 -maxdepth 3 -path "*/openssl-src-$version/openssl" | head -n 1)
    [ -n "$folder" ] || {
        echo "third-party-notices.sh: the source of OpenSSL is not there: run cargo fetch --locked" >&2
        exit 1
    }
    part "OpenSSL ${version#*+}" Apache-2.0 "$folder"
}

packages() {
    local manifest
    [ -d ui/node_modules/vue ] || return 0
    # What the bundle takes from them: the libraries that the page runs on.
    for manifest in ui/node_modules/{vue,vue-i18n,@vue/{reactivity,runtime-core,runtime-dom,shared},@intlify/{core-base,shared}}/package.json; do
        field() { sed -n "s/^  \"$1\": \"\\(.*\\)\",\\{0,1\\}$/\\1/p" "$manifest" | head -n 1; }
        part "$(field name) $(field version)" "$(field license)" "$(dirname "$manifest")"
    done
}

# Those that are needed for a build with other features may be missing still.
cargo fetch --quiet --locked
crates
openssl
packages
echo "ns8-imapsync is free software: GPL-3.0-or-later, see LICENSE. The images hold the work of others as well:"
[ ! -e "$scratch/without" ] || {
    printf '\n%s\n' "Without their own text, under the terms named:"
    sort -u "$scratch/without"
}
for names in "$scratch"/*.names; do
    printf '\n%s\n\n' "------------------------------------------------------------------------------"
    sort -u "$names"
    echo
    cat "${names%.names}.text"
done
