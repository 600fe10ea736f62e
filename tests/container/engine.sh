#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes this machine run real containers, apart from whatever else podman does on it: installs what is missing,
# builds the binary image on a local base, tries it. Prints NAME=VALUE lines, the environment to call podman with;
# where no container can run, one line on stderr says why and the exit code is 3.
#
#   tests/container/engine.sh PROGRAM    PROGRAM is the static program to put into the image
#   tests/container/engine.sh --packages | --base
#                                        only the packages, or the base as well: it can be fetched during a build
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ns8-imapsync

cannot() {
    echo "no real container here: $1" >&2
    exit 3
}

[ $# -eq 1 ] || { sed -n '3,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
[ "$(id -u)" = 0 ] || cannot "building its base with debootstrap needs root"
. "$here/../lib/packages.sh"
need_packages podman=podman buildah=buildah runc=runc conmon=conmon jq=jq debootstrap=debootstrap > /dev/null 2>&1 \
    || cannot "podman, buildah, runc, conmon, jq or debootstrap is missing and cannot be installed"
[ "$1" != --packages ] || exit 0

mkdir -p "$cache/containers"
# One engine at a time; one that waits here finds the images ready.
exec 9> "$cache/containers/lock"
flock -w 1200 9 || cannot "another run keeps $cache/containers/lock"
cat > "$cache/containers/storage.conf" << END
[storage]
driver = "overlay"
graphroot = "$cache/containers/storage"
runroot = "$cache/containers/run"
END
cat > "$cache/containers/containers.conf" << END
[containers]
netns = "host"
default_ulimits = []
log_driver = "k8s-file"
[engine]
runtime = "limitless"
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
limitless = ["$here/runtime"]
END
export CONTAINERS_CONF=$cache/containers/containers.conf
export CONTAINERS_STORAGE_CONF=$cache/containers/storage.conf
export BUILDAH_ISOLATION=chroot

timeout -k 10 900 "$here/base.sh" 9>&- 2> "$cache/containers/base.log" \
    || cannot "its base cannot be built, see $cache/containers/base.log"
[ "$1" != --base ] || exit 0
program=$(readlink -f "$1")
image=$(cd "$here/../.." && REPOBASE=localhost IMAGETAG=test PROGRAM=$program BINARY_INSTALL='' \
    BINARY_BASE=localhost/debian-cronie:trixie ./build-images.sh binary 9>&-) \
    || cannot "buildah cannot build the binary image"
# What it was before has no name any more.
podman image prune --force > /dev/null 9>&-
podman run --rm --entrypoint '["/usr/local/bin/syncctl","--version"]' --no-healthcheck --cap-drop=all \
    --security-opt=no-new-privileges --read-only --tmpfs=/root:rw,mode=0700,size=64m "$image" \
    > "$cache/containers/try.log" 2>&1 9>&- || cannot "podman failed, see $cache/containers/try.log"
printf '%s\n' "CONTAINERS_CONF=$CONTAINERS_CONF" "CONTAINERS_STORAGE_CONF=$CONTAINERS_STORAGE_CONF" \
    "IMAPSYNC_BINARY_IMAGE=$image"
