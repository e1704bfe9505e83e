#!/usr/bin/env bash
# Leaves Tinkerbell's kinds, as its release has them (chart tinkerbell-crds), in <cache>/tinkerbell/<version>/definitions.yaml.
# Reads the Go module cache, changes nothing there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${SEALIFT_TOOLS_CACHE:-$here/../../.cache}

stamp=$(cat "$0" "$here/go.mod" | sha256sum | cut -c1-64)
[ "$(cat "$cache/tinkerbell/.stamp" 2>/dev/null)" != "$stamp" ] || exit 0

module=github.com/tinkerbell/tinkerbell
source=$(cd "$here" && go mod download "$module" && go list -m -f '{{.Dir}}' "$module")
rm -rf "${cache:?}/tinkerbell"
out=$cache/tinkerbell/${source##*@}
mkdir -p "$out"
# each begins a document
cat "$source"/crd/bases/v1alpha1/*.yaml >"$out/definitions.yaml"
echo "$stamp" >"$cache/tinkerbell/.stamp"
