#!/bin/sh
# Healthy: a worker of this container has registered itself (it polls Temporal) and its process lives.
set -eu
for file in "${XDG_STATE_HOME:-$HOME/.local/state}"/sealift/workers/*.json; do
  [ -e "$file" ] || continue
  kill -0 "$(basename "$file" .json)" 2>/dev/null && exit 0
done
echo 'no live worker is registered' >&2
exit 1
