# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# A release to measure: SANDBOX_IMAGEROOT, built unless it is set.

if [ -z "${SANDBOX_IMAGEROOT:-}" ]; then
    ./build-images.sh imageroot target/bench-imageroot > /dev/null
    export SANDBOX_IMAGEROOT=$PWD/target/bench-imageroot
fi
