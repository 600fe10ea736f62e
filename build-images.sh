#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Builds what NethServer 8 installs.
#
#   ./build-images.sh                  builds both images with buildah: the module's and the container's
#   ./build-images.sh module|binary    builds one of them
#   ./build-images.sh imageroot DIR    assembles the complete image root into DIR: no container tool is needed
#   ./build-images.sh program          builds the static program and prints its path
#
# The program in it is static: it runs on every node of the same architecture, whatever C library is there.
#
# Variables and their defaults:
#   REPOBASE        ghcr.io/nethserver    where the images belong
#   IMAGETAG        latest
#   REVISION        git's                 the commit that is built
#   ARCH            this machine's        x86_64 or aarch64
#   PROGRAM         built                 a static program to take instead of building one
#   PAGE            built                 a folder with the web page to take instead of building it
#   BINARY_BASE     Alpine                the image that the container's image starts from
#   BINARY_INSTALL  with apk              installs imapsync and cronie there; empty for a base that has them

set -euo pipefail
cd "$(dirname "$0")"
. tests/lib/packages.sh

repobase=${REPOBASE:-ghcr.io/nethserver}
tag=${IMAGETAG:-latest}
binary_base=${BINARY_BASE:-docker.io/library/alpine:3.22.5@sha256:14358309a308569c32bdc37e2e0e9694be33a9d99e68afb0f5ff33cc1f695dce}
# apk has done its work then; what it knows about the packages stays, for those who look for known weaknesses.
binary_install=${BINARY_INSTALL-apk add --no-cache imapsync cronie ca-certificates tzdata && rm -f /sbin/apk}

usage() {
    sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
}

die() {
    echo "build-images.sh: $*" >&2
    exit 1
}

arch=${ARCH:-$(uname -m)}
case $arch in
    x86_64) platform=linux/amd64 ;;
    aarch64) platform=linux/arm64 ;;
    *) die "there are no images for $arch: set ARCH to x86_64 or aarch64" ;;
esac

# Builds the static program and prints its path.
build_program() {
    if [ -n "${PROGRAM:-}" ]; then
        [ -x "$PROGRAM" ] || die "PROGRAM=$PROGRAM is no program"
        echo "$PROGRAM"
        return
    fi
    command -v cargo > /dev/null || die "cargo is missing: install Rust from https://rustup.rs"
    local target=$arch-unknown-linux-gnu
    # With an explicit target the flags do not reach build scripts and macros, which must stay dynamic.
    RUSTFLAGS='-C target-feature=+crt-static' \
        cargo build --quiet --locked --release --target "$target" --package ns8-imapsync-actions \
        --features vendored-openssl >&2
    echo "${CARGO_TARGET_DIR:-target}/$target/release/ns8-imapsync"
}

# A static program has no interpreter: the dynamic loader refuses to list what it would load.
prove_static() {
    if ldd "$1" 2>&1 | grep -q '=>\|ld-linux'; then
        ldd "$1" >&2
        die "$1 is not static"
    fi
    [ "$arch" != "$(uname -m)" ] || "$1" --version > /dev/null || die "$1 does not run"
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

# Builds the web page, from the very packages that its lock file names, and prints its folder.
build_page() {
    if [ -n "${PAGE:-}" ]; then
        [ -e "$PAGE/index.html" ] || die "PAGE=$PAGE holds no index.html"
        echo "$PAGE"
        return
    fi
    need_node >&2
    (cd ui && npm ci --no-audit --no-fund && npm run build) >&2
    echo ui/dist
}

# One version for all, see tests/it/release.rs.
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)

# What both images say about themselves.
describe=(
    --label "org.opencontainers.image.version=$version"
    --label "org.opencontainers.image.revision=${REVISION:-$(git rev-parse HEAD 2> /dev/null || true)}"
    --label org.opencontainers.image.source=https://github.com/NethServer/ns8-imapsync
    --label org.opencontainers.image.licenses=GPL-3.0-or-later
)

# The licences of everything in an image, and the licence of ours, where people look for them.
add_licences() {
    local notices=target/image/THIRD-PARTY-NOTICES
    mkdir -p target/image
    packaging/third-party-notices.sh > "$notices"
    buildah add --quiet --chmod 644 "$1" LICENSE "$notices" /usr/share/licenses/imapsync/ > /dev/null
}

# What add-module unpacks on a node. Prints the image's name.
build_module_image() {
    local image=$repobase/imapsync:$tag container page
    assemble_imageroot target/image/imageroot >&2
    page=$(build_page)
    container=$(buildah from --platform "$platform" scratch)
    buildah add --quiet "$container" target/image/imageroot /imageroot > /dev/null
    buildah add --quiet "$container" "$page" /ui > /dev/null
    add_licences "$container"
    buildah config --entrypoint '["/"]' \
        --label org.nethserver.authorizations=mail@any:mailadm \
        --label org.nethserver.rootfull=0 \
        --label org.nethserver.min-core=3.20.1 \
        --label org.nethserver.tcp-ports-demand=1 \
        --label "org.nethserver.images=$repobase/imapsync-binary:$tag" \
        "${describe[@]}" "$container"
    buildah commit --quiet --rm "$container" "$image" > /dev/null
    echo "$image"
}

# What the runs live in: the base, stock imapsync, cronie, our program. Prints the image's name.
build_binary_image() {
    local image=$repobase/imapsync-binary:$tag container program
    program=$(build_program)
    prove_static "$program"
    # A health check is no part of the OCI format.
    container=$(buildah from --format docker --platform "$platform" "$binary_base")
    if [ -n "$binary_install" ]; then
        buildah run "$container" -- sh -c "$binary_install" >&2
    fi
    buildah add --quiet --chmod 755 "$container" "$program" /usr/local/bin/syncctl > /dev/null
    add_licences "$container"
    BUILDAH_FORMAT=docker buildah config \
        --cmd '["/usr/local/bin/syncctl","serve","--","crond","-f","-m","off"]' \
        --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        --workingdir / \
        --healthcheck 'CMD /usr/local/bin/syncctl health' \
        --healthcheck-interval 5m \
        --healthcheck-timeout 30s \
        "${describe[@]}" "$container"
    buildah commit --quiet --format docker --rm "$container" "$image" > /dev/null
    echo "$image"
}

# Builds the images named, the program once for all of them.
build_images() {
    need_packages buildah=buildah >&2
    PROGRAM=$(build_program)
    local images=() image
    for image; do
        images+=("$("build_${image}_image")")
    done
    printf '%s\n' "${images[@]}"
    if [ -n "${GITHUB_OUTPUT:-}" ]; then
        printf 'images=%s\n' "${images[*]}" >> "$GITHUB_OUTPUT"
    fi
}

case "${1:-}" in
    "") build_images module binary ;;
    module | binary)
        [ $# -eq 1 ] || { usage >&2 && exit 2; }
        build_images "$1"
        ;;
    imageroot)
        [ $# -eq 2 ] || { usage >&2 && exit 2; }
        assemble_imageroot "$2"
        ;;
    program)
        [ $# -eq 1 ] || { usage >&2 && exit 2; }
        build_program
        ;;
    -h | --help)
        usage
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac
