#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Puts the real podman, and the executor of the real unit, before a sandbox's stand-ins. What engine.sh printed is in the
# environment.
#
#   tests/container/make-real.sh SANDBOX MAIL_PORT    SANDBOX is its folder, MAIL_PORT that of its mail module
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 2 ] || { sed -n '3,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
home=$1/home
container=$1/container

# The mail server of the sandbox does not listen on port 143.
sed "s/^\[containers\]$/&\nenv = [\"MAIL_PORT=$2\"]/" "$CONTAINERS_CONF" > "$container/containers.conf"
for name in podman systemctl; do
    cat > "$1/shims/$name" << END
#!/bin/sh
export UNIT_FILE='$home/.config/systemd/user/imapsync.service'
export UNIT_HOME='$home'
export UNIT_RUNTIME='$container/runtime'
export CONTAINERS_CONF='$container/containers.conf'
export CONTAINERS_STORAGE_CONF='$CONTAINERS_STORAGE_CONF'
exec '$here/$name' "\$@"
END
    chmod 755 "$1/shims/$name"
done
sed -i "s|^IMAPSYNC_BINARY_IMAGE=.*|IMAPSYNC_BINARY_IMAGE=$IMAPSYNC_BINARY_IMAGE|" "$home/.config/state/environment"
