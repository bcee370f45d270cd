#!/usr/bin/env bash
# Everything that must hold before a change lands: format, lints, tests on real PostgreSQL, documents, licences.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin"
scripts/setup.sh test
step() { echo; echo "== $*"; "$@"; }

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
step cargo test --workspace --locked
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --locked
step target/tools/bin/mdbook build docs --dest-dir ../target/book
PATH="target/tools/bin:$PATH" step target/tools/bin/cargo-deny --locked check licenses bans sources
echo
echo "everything holds"
