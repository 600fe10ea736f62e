# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by the scripts of the project: Debian packages that they need.

# need_packages PROGRAM=PACKAGE… installs the package of every program that is not there. A program may also be
# given as the path of a file. Says nothing when nothing is missing.
need_packages() {
    local pair missing=()
    local PATH=$PATH:/usr/sbin:/sbin
    for pair; do
        case ${pair%%=*} in
            /*) [ -e "${pair%%=*}" ] ;;
            *) command -v "${pair%%=*}" > /dev/null ;;
        esac || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    local become=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo > /dev/null || ! sudo -n true 2> /dev/null && [ ! -t 0 ]; then
            echo "Missing Debian packages: ${missing[*]}" >&2
            echo "Install them as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        become=(sudo)
    fi
    command -v apt-get > /dev/null || {
        echo "Missing: ${missing[*]} (names of Debian's packages; there is no apt-get here)" >&2
        return 1
    }
    echo "Installing ${missing[*]}"
    local log ours
    log=$(mktemp)
    # The servers are started by the sandbox only: a package must not start its own. A policy that is there stays.
    ours=$("${become[@]}" sh -c '[ -e /usr/sbin/policy-rc.d ] || {
        printf "#!/bin/sh\nexit 101\n" > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d && echo ours; }')
    local done=0
    {
        "${become[@]}" apt-get update -q \
            && "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
    } > "$log" 2>&1 || done=1
    [ -z "$ours" ] || "${become[@]}" rm -f /usr/sbin/policy-rc.d
    if [ "$done" -ne 0 ]; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "Cannot install ${missing[*]}" >&2
        return 1
    fi
    rm -f "$log"
}

# What a build and the sandbox need on a fresh Debian 12 with Rust.
need_sandbox_packages() {
    command -v cargo > /dev/null || {
        echo "cargo is missing: install Rust from https://rustup.rs" >&2
        return 1
    }
    need_packages \
        cc=build-essential \
        c++=build-essential \
        pkg-config=pkg-config \
        /usr/include/openssl/ssl.h=libssl-dev \
        dovecot=dovecot-imapd \
        /usr/lib/dovecot/imap=dovecot-imapd \
        /usr/lib/dovecot/modules/lib95_imap_filter_sieve_plugin.so=dovecot-sieve \
        redis-server=redis-server \
        redis-cli=redis-tools \
        setpriv=util-linux
}

# What the web page is built and tested with: Node 20.19 or later, which Debian 12 does not have; the npm registry
# ships it as a package. Puts node and npm on PATH. need_node MAJOR asks for a later one.
need_node() {
    export IBM_TELEMETRY_DISABLED=true
    local major=${1:-20}
    recent_node "$major" && return 0
    PATH=$PWD/target/node/node_modules/.bin:$PATH
    recent_node "$major" && return 0
    need_packages npm=npm
    echo "Installing Node 22"
    npm install --silent --no-fund --no-audit --prefix target/node node@22 npm@10
    recent_node "$major" || {
        echo "Node 22 is needed: https://nodejs.org" >&2
        return 1
    }
}

recent_node() {
    command -v npm > /dev/null && WANTED=$1 node -e '
        const [major, minor] = process.versions.node.split(".").map(Number)
        const wanted = Number(process.env.WANTED)
        const recent = major > 20 || (major === 20 && minor >= 19)
        process.exit(recent && major >= wanted ? 0 : 1)' 2> /dev/null
}
