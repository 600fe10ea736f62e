#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds what an instance is made of. Without an argument: both images, with buildah.
#
#   ./build-images.sh                  the module image and the binary image
#   ./build-images.sh program          the static program; prints its path
#   ./build-images.sh imageroot DIR    what the module image unpacks on a node, put into DIR
#
# Variables, with their defaults:
#   REPOBASE        ghcr.io/nethserver   where the images belong
#   IMAGETAG        latest
#   ARCH            this machine's       x86_64 or aarch64; the program is built for it, the base fetched for it
#   BINARY_BASE     Alpine, pinned       the base of the binary image
#   BINARY_INSTALL  with apk             the command that installs imapsync, cronie and what they need in the base;
#                                        empty for a base that has them
#   PROGRAM         built                a static program to take instead of building one
set -euo pipefail
cd "$(dirname "$0")"

repobase=${REPOBASE:-ghcr.io/nethserver}
tag=${IMAGETAG:-latest}
arch=${ARCH:-$(uname -m)}
binary_base=${BINARY_BASE:-docker.io/library/alpine:3.22.1}
binary_install=${BINARY_INSTALL-apk add --no-cache imapsync cronie ca-certificates tzdata && rm -f /sbin/apk}

fail() {
    echo "build-images.sh: $1" >&2
    exit 1
}

case $arch in
    x86_64) platform=amd64 ;;
    aarch64 | arm64) arch=aarch64 platform=arm64 ;;
    *) fail "ARCH is $arch; it is x86_64 or aarch64" ;;
esac

# The program, linked with nothing but itself, so that it runs on the host and in any container.
program() {
    if [ -n "${PROGRAM:-}" ]; then
        echo "$PROGRAM"
        return
    fi
    local target=$arch-unknown-linux-gnu
    RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" \
        cargo build --locked --release --quiet --target "$target" --package ns8-imapsync-actions >&2
    echo "${CARGO_TARGET_DIR:-target}/$target/release/ns8-imapsync"
}

imageroot() {
    [ -n "${1:-}" ] || fail "imageroot needs a folder"
    mkdir -p "$1"
    cp -a imageroot/. "$1"
    install -D -m 755 "$(program)" "$1/bin/ns8-imapsync"
}

# The web page, built with the very packages that its lock file names.
page() {
    (cd ui && npm ci --no-audit --no-fund && npm run build) >&2
}

need_buildah() {
    command -v buildah > /dev/null || fail "buildah is not installed: apt-get install buildah"
}

# What crond runs in: the base, stock imapsync, cronie, our program. Prints the image's name.
binary_image() {
    local image=$repobase/imapsync-binary:$tag container
    # The health check is no part of an OCI image's format.
    local -x BUILDAH_FORMAT=docker
    container=$(buildah from --format docker --platform "linux/$platform" "$binary_base")
    if [ -n "$binary_install" ]; then
        buildah run "$container" -- sh -c "$binary_install" >&2
    fi
    buildah add --quiet --chmod 755 "$container" "$(program)" /usr/local/bin/syncctl >&2
    buildah config \
        --cmd '["crond","-f","-m","off"]' \
        --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        --workingdir / \
        --label org.opencontainers.image.source=https://github.com/NethServer/ns8-imapsync \
        --label org.opencontainers.image.licenses=GPL-3.0-or-later \
        --healthcheck 'CMD /usr/local/bin/syncctl engine' \
        --healthcheck-interval 5m \
        --healthcheck-timeout 30s \
        "$container" >&2
    buildah commit --quiet --format docker --rm "$container" "$image" >&2
    echo "$image"
}

# What add-module unpacks. Prints the image's name.
module_image() {
    local image=$repobase/imapsync:$tag container
    mkdir -p target
    work=$(mktemp -d target/image.XXXXXX)
    trap 'rm -rf -- "$work"' EXIT
    imageroot "$work/imageroot"
    page
    container=$(buildah from --platform "linux/$platform" scratch)
    buildah add --quiet "$container" "$work/imageroot" /imageroot >&2
    buildah add --quiet "$container" ui/dist /ui >&2
    buildah config \
        --entrypoint / \
        --label org.nethserver.authorizations=mail@any:mailadm \
        --label org.nethserver.rootfull=0 \
        --label org.nethserver.min-core=3.3.0 \
        --label "org.nethserver.images=$repobase/imapsync-binary:$tag" \
        --label org.opencontainers.image.source=https://github.com/NethServer/ns8-imapsync \
        --label org.opencontainers.image.licenses=GPL-3.0-or-later \
        "$container" >&2
    buildah commit --quiet --rm "$container" "$image" >&2
    echo "$image"
}

case ${1:-} in
    program) program ;;
    imageroot) imageroot "${2:-}" ;;
    binary)
        need_buildah
        binary_image
        ;;
    module)
        need_buildah
        module_image
        ;;
    '')
        need_buildah
        PROGRAM=$(program)
        images=("$(module_image)" "$(binary_image)")
        printf '%s\n' "${images[@]}"
        if [ -n "${GITHUB_OUTPUT:-}" ]; then
            printf 'images=%s\n' "${images[*]}" >> "$GITHUB_OUTPUT"
        fi
        ;;
    *) fail "unknown argument $1; read the first lines of this file" ;;
esac
