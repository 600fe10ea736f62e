# SPDX-License-Identifier: GPL-3.0-or-later
# The usual commands: just --list

# List the commands
default:
    @just --list

# Look for mistakes without running anything
check:
    cargo fmt --all --check
    cargo clippy --quiet --locked --workspace --all-targets -- -D warnings

# Run Rust tests, all or those of a name
test *NAME:
    cargo test --locked --workspace --no-fail-fast -- {{NAME}}

# Run everything that a change must pass
ci:
    .ci/run

# Run the acceptance suite on a node
node ADDRESS IMAGE="ghcr.io/nethserver/imapsync:latest":
    ./test-module.sh {{ADDRESS}} {{IMAGE}}

# Build and test the web page
page:
    cd ui && npm ci --no-audit --no-fund && npm test && npm run build

# Show a synchronization here; `just demo --ui` shows the page
demo *OPTIONS:
    ./demo.sh {{OPTIONS}}

# Write the files that follow from the code: schemas, reference, manual page
generate:
    cargo xtask generate

# Build both images
images:
    ./build-images.sh

# Fuzz what reads foreign input, for a minute
fuzz:
    tests/fuzz/run.sh

# Measure runs and actions
bench:
    tests/bench/sync.sh --quick
    tests/bench/many.sh --mailboxes 10
    tests/bench/actions.sh
    tests/bench/vanished.sh

# Look for known weaknesses and licences that do not fit
audit:
    cargo deny --locked check
    cd ui && npm audit --omit=dev
