#!/usr/bin/env bash
# Builds pgherd, brings up the example development database and shows it working. Nothing else on this machine is touched;
# the last lines say how to go on and how to take everything away again.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:$HOME/.cargo/bin"
scripts/setup.sh build

echo "building pgherd (a few minutes the first time)" >&2
cargo build --release --locked --quiet -p pgherd
pgherd=target/release/pgherd
example=examples/dev.hcl
say() { echo; echo "\$ pgherd $*"; "$pgherd" "$@"; }

say up -f "$example" --yes
say status -f "$example"
say connect -f "$example" -- -c "select current_user, current_database(), ssl as tls, version as tls_version from pg_stat_ssl where pid = pg_backend_pid()"
cat <<EOF

The database is yours:
  $pgherd connect -f $example                  psql on it
  eval "\$($pgherd env -f $example)"            what applications and libpq read
  edit $example, then $pgherd plan -f $example and apply
  $pgherd destroy -f $example                  takes it away again
EOF
