#!/bin/sh
# Replicas share the disk that bundles lie on, so they share one host id and with it one host task queue: any of them may go
# on with another's file, also after all containers were made anew. They share the lock that says whose turn it is, too. The
# rest of the state folder stays the container's own.
set -eu
shared=${SEALIFT_SHARED_HOST_ID:-/bundles/.sealift-host-id}
state=${XDG_STATE_HOME:-$HOME/.local/state}/sealift

if [ ! -s "$shared" ]; then
  draft=$shared.$$.$(hostname)
  od -An -N6 -tx1 /dev/urandom | tr -d ' \n' >"$draft"
  echo >>"$draft"
  # ln refuses to replace: of two replicas that start together one wins, and both read the winner's id
  ln "$draft" "$shared" 2>/dev/null || [ -s "$shared" ]
  rm -f "$draft"
fi
mkdir -p "$state" "$shared-queue"
cp "$shared" "$state/host-id"
ln -sfn "$shared-queue" "$state/host-queue"
exec "${SEALIFT_BIN:-/opt/sealift/bin/sealift}" "$@"
