#!/usr/bin/env bash
# Everything that must hold before a change lands: format, lints, tests on real PostgreSQL, documents, licences.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin"
scripts/setup.sh test
# Every killed server leaves shared memory until it is started again: in namespaces of their own the tests neither depend on what
# others left (a machine has room for 4096 segments) nor leave any. Only root may make them.
if [ -z "${PGHERD_OWN_MEMORY:-}" ] && unshare --ipc --mount true 2>/dev/null; then
    exec env PGHERD_OWN_MEMORY=1 unshare --ipc --mount bash scripts/test.sh "$@"
fi
if [ -n "${PGHERD_OWN_MEMORY:-}" ]; then
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    # Each server is some thousand files, made and removed again: on ext4 looking for an inode that was not just in use takes a third of all
    # the time of the tests. In memory, where there is enough of it, unless something that is needed lies below /tmp itself.
    enough="$(awk '/^MemAvailable/ { print ($2 >= 8 * 1024 * 1024) }' /proc/meminfo)"
    case "$PWD/ ${CARGO_TARGET_DIR:-} ${TMPDIR:-} ${CARGO_HOME:-}" in
        /tmp/* | *" /tmp"*) ;;
        *) if [ "$enough" = 1 ]; then mount -t tmpfs -o mode=1777,size=6g tmpfs /tmp; fi ;;
    esac
fi
# Chance finds what is new where one looks for it; whether this lands depends on what was changed alone.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-20261123}"
# Most tests wait for servers, disks and clocks rather than compute: twice as many at a time as there are cores.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-$(($(nproc) * 2))}"
# What tests leave out stands in their own output, most of which cargo does not show for tests that pass.
command -v terraform >/dev/null || echo "SKIPPED: the tests with the real terraform, which is not installed"
[ -d ../shared ] || echo "SKIPPED: the tests that read requirements and API descriptions, since ../shared is absent"
step() { echo; echo "== $*"; "$@"; }

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
step cargo test --workspace --locked
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --locked
step target/tools/bin/mdbook build docs --dest-dir ../target/book
PATH="target/tools/bin:$PATH" step target/tools/bin/cargo-deny --locked check licenses bans sources
echo
echo "everything holds"
