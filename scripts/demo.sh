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
# psql shows what it finds and waits for no key, however small the window is.
export PAGER=cat PSQL_PAGER=cat
# Shows a command so that it can be copied, and runs it.
say() {
    local word line="\$ pgherd"
    for word in "$@"; do [[ $word == *" "* ]] && line+=" \"$word\"" || line+=" $word"; done
    echo; echo "$line"
    "$pgherd" "$@"
}

say up -f "$example" --yes
say status -f "$example"
say connect -f "$example" -- -c "select current_user, current_database(), ssl as tls, version as tls_version from pg_stat_ssl where pid = pg_backend_pid()"
cat <<EOF

The database is yours:
  export PATH="\$PATH:$PWD/target/release"
  pgherd connect -f $example          psql on it
  eval "\$(pgherd env -f $example)"    what applications and libpq read
  pgherd plan -f $example             after you edited the file; apply makes it so
  pgherd destroy -f $example          takes it away again, data and all

Its agent stays, idle; pgherd doctor names the process. What runs goes on when it is ended.
EOF
