#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the image localhost/debian-cronie: a Debian root with cronie, for machines that cannot fetch the base of
# the published image. Kept between runs in ${XDG_CACHE_HOME:-~/.cache}/ns8-imapsync. Needs root and debootstrap.
set -euo pipefail

release=trixie
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ns8-imapsync
image=localhost/debian-cronie:$release
archive=$cache/debian-cronie-$release.tar

if podman image exists "$image"; then
    exit 0
fi
mkdir -p "$cache"
if [ ! -s "$archive" ]; then
    work=$(mktemp -d "$cache/base.XXXXXX")
    trap 'rm -rf -- "$work"' EXIT
    # cronie wants somebody who makes system users; systemd itself has no place in a container.
    debootstrap --variant=minbase --include=systemd-standalone-sysusers,ca-certificates,tzdata \
        "$release" "$work/root" "$mirror" >&2
    printf '#!/bin/sh\nexit 101\n' > "$work/root/usr/sbin/policy-rc.d"
    chmod 755 "$work/root/usr/sbin/policy-rc.d"
    DEBIAN_FRONTEND=noninteractive chroot "$work/root" \
        apt-get install -y -q --no-install-recommends cronie >&2
    chroot "$work/root" apt-get clean
    rm -f "$work/root/etc/cron.d"/* "$work/root/usr/sbin/policy-rc.d"
    tar -C "$work/root" --one-file-system -cf "$archive.new" .
    mv "$archive.new" "$archive"
fi
podman import --quiet --change 'CMD ["crond","-f","-m","off"]' "$archive" "$image" > /dev/null
