#!/bin/sh
# Make a virtual environment from a lock. Usage: setup-venv.sh PYTHON DIRECTORY LOCK
set -eu
python=$1 venv=$2 lock=$3
here=$(cd "$(dirname "$0")/.." && pwd)

if ! command -v "$python" >/dev/null 2>&1; then
  python=python3
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "shelfwatch needs Python 3.11 or newer. Install it: sudo apt-get install python3 python3-venv;" >&2
  echo "where those are older: sudo apt-get install python3.11 python3.11-venv" >&2
  exit 69
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  "$here/deploy/setup-system.sh" venv "$python"
fi

echo "setting up $venv ($(basename "$lock" .txt))"
rm -rf "$venv"
"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --editable "$here"
