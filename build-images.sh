#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds what NethServer 8 installs.
#
#   ./build-images.sh imageroot DIR    assembles the complete image root into DIR: no container tool is needed
#
# The program in it is static: it runs on every node of the same architecture, whatever C library is there.

set -euo pipefail
cd "$(dirname "$0")"

usage() {
    sed -n 's/^# \{0,1\}//; 3,8p' "$0"
}

die() {
    echo "build-images.sh: $*" >&2
    exit 1
}

# Builds the static program and prints its path.
build_program() {
    command -v cargo > /dev/null || die "cargo is missing: install Rust from https://rustup.rs"
    local target
    target=$(rustc -vV | sed -n 's/^host: //p')
    # With an explicit target the flags do not reach build scripts and macros, which must stay dynamic.
    RUSTFLAGS='-C target-feature=+crt-static' \
        cargo build --quiet --locked --release --target "$target" --package ns8-imapsync-actions >&2
    echo "${CARGO_TARGET_DIR:-target}/$target/release/ns8-imapsync"
}

# A static program has no interpreter: the dynamic loader refuses to list what it would load.
prove_static() {
    if ldd "$1" 2>&1 | grep -q '=>\|ld-linux'; then
        ldd "$1" >&2
        die "$1 is not static"
    fi
    "$1" --version > /dev/null || die "$1 does not run"
}

assemble_imageroot() {
    local dir=$1 program
    [ ! -e "$dir" ] || [ -z "$(ls -A "$dir")" ] || [ -e "$dir/bin/ns8-imapsync" ] \
        || die "$dir is neither empty nor an image root made before: choose another folder"
    program=$(build_program)
    prove_static "$program"
    rm -rf "$dir"
    mkdir -p "$dir"
    cp -a imageroot/. "$dir/"
    mkdir -p "$dir/bin"
    install -m 0755 "$program" "$dir/bin/ns8-imapsync"
    local dangling
    dangling=$(find "$dir" -xtype l)
    [ -z "$dangling" ] || die "these links lead nowhere: $dangling"
    echo "Image root: $dir ($(du -h "$dir/bin/ns8-imapsync" | cut -f1) static program," \
        "$(find "$dir/actions" -mindepth 1 -maxdepth 1 -type d 2> /dev/null | wc -l) actions)"
}

case "${1:-}" in
    imageroot)
        [ $# -eq 2 ] || { usage >&2 && exit 2; }
        assemble_imageroot "$2"
        ;;
    -h | --help)
        usage
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac
