#!/usr/bin/env bash
# Installs pinned Python programs into .cache/NAME, a virtual environment; again only when a pin or Python changed.
# A machine where they cannot be had is told so: the tests that use them say that they did not run.
# usage: tools/python-venv.sh NAME WHAT      the pins are in tools/NAME/requirements.txt
set -euo pipefail
name=$1 what=$2
here=$(cd "$(dirname "$0")" && pwd)
source "$here/lib.sh"
venv=$here/../.cache/$name
requirements=$here/$name/requirements.txt
stamp=$venv/.sealift-stamp

if ! python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "setup: no Python 3.11 with venv (Debian: python3-venv): tests with $what will be skipped" >&2
  exit 0
fi
wanted=$({ python3 --version; cat "$requirements"; } | sha256sum | cut -c1-64)
[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || exit 0
echo "setup: installing $what (up to a minute)"
rm -rf "$venv"
python3 -m venv "$venv"
retry 3 "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
echo "$wanted" >"$stamp"
