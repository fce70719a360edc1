#!/usr/bin/env bash
# What the rivals need, from Debian and PyPI: setup.sh VENV makes a virtual environment there; put
# VENV/bin first in PATH to run them. Root, for apt.
set -euo pipefail
[ $# = 1 ] || { echo "usage: setup.sh VENV" >&2; exit 2; }
apt-get update -q
apt-get install -qy --no-install-recommends nginx-light postgresql-15 curl python3-venv
python3 -m venv "$1"
"$1/bin/pip" install -q duckdb pyarrow polars datafusion 'psycopg[binary]'
