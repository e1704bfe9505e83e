#!/usr/bin/env bash
# Installs the pinned BMC emulators into .cache/bmc, a Python virtual environment; again only when a pin or Python changed.
# A machine where they cannot be had is told so: the tests that use them say that they did not run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../lib.sh"
venv=$here/../../.cache/bmc
stamp=$venv/.sealift-stamp

if ! python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo 'setup: no Python 3.11 with venv (Debian: python3-venv): tests that contact BMCs will be skipped' >&2
  exit 0
fi
wanted=$({ python3 --version; cat "$here/requirements.txt"; } | sha256sum | cut -c1-64)
[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || exit 0
echo 'setup: installing BMC emulators (some 20 seconds)'
rm -rf "$venv"
python3 -m venv "$venv"
retry 3 "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
echo "$wanted" >"$stamp"
