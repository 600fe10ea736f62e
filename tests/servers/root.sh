#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes a Debian root with mail servers that exclude each other as packages, and prints where it is. Kept between runs
# in ${XDG_CACHE_HOME:-~/.cache}/ns8-imapsync. Needs root and debootstrap. What could not be had is in /absent there.
set -euo pipefail

release=trixie
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ns8-imapsync
root=$cache/servers-$release

if [ -e "$root/complete" ]; then
    echo "$root"
    exit 0
fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/servers.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
chmod 755 "$work"
inside() {
    DEBIAN_FRONTEND=noninteractive chroot "$work" "$@" >&2
}

debootstrap --variant=minbase --include=ca-certificates,python3 "$release" "$work" "$mirror" >&2
# The tests start the servers; a package must not.
printf '#!/bin/sh\nexit 101\n' > "$work/usr/sbin/policy-rc.d"
chmod 755 "$work/usr/sbin/policy-rc.d"
: > "$work/absent"
inside apt-get install -y -q --no-install-recommends \
    dovecot-imapd nginx libnginx-mod-mail python3-twisted sasl2-bin stunnel4
# Each of these is *the* IMAP server of a machine to its package, so they are only unpacked, with what they need. Nothing
# of theirs runs but what the tests start.
for package in cyrus-imapd courier-imap mailutils-imap4d perdition; do
    needed=$(chroot "$work" apt-get install -s -q --no-install-recommends "$package" 2> /dev/null \
        | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
    # shellcheck disable=SC2016,SC2086 # the shell inside expands it; names of packages are words
    inside sh -ec 'mkdir -p /packages; cd /packages; apt-get download -q "$@"
        for package in *.deb; do dpkg -x "$package" /; done' sh ${needed:-"$package"} \
        || echo "$package: cannot be had from $mirror" >> "$work/absent"
    rm -rf "$work/packages"
done
inside ldconfig
# Whom Cyrus runs as, and the accounts of the servers that know those of the machine.
inside useradd -r -g mail -d /var/lib/cyrus cyrus
for user in cora gnu; do
    inside useradd -m -d "/srv/$user" "$user"
    echo "$user:Pw-$user" | inside chpasswd
done
rm -rf "$work"/var/lib/apt/lists/*
touch "$work/complete"
mv "$work" "$root"
trap - EXIT
echo "$root"
