#!/usr/bin/env bash
# Makes the component manifest of an infrastructure provider as its release makes it, from the Go module cache, which stays as it is:
# <cache>/cluster-api-providers/<name>/<version>/infrastructure-components.yaml and metadata.yaml.
# usage: tools/provider-components.sh NAME FOLDER MODULE STAGING RELEASE
#   FOLDER holds the go.mod that pins MODULE; image repositories: STAGING is what the sources name, RELEASE what a release does
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${SEALIFT_TOOLS_CACHE:-$here/../.cache}
name=$1 folder=$here/$2 module=$3 staging=$4 release=$5

stamp=$(cat "$0" "$folder/go.mod" | sha256sum | cut -c1-64)
providers=$cache/cluster-api-providers
[ "$(cat "$providers/$name.stamp" 2>/dev/null)" != "$stamp" ] || exit 0

source=$(cd "$folder" && go mod download "$module" && go list -m -f '{{.Dir}}' "$module")
version=${source##*@}
rm -rf "${providers:?}/$name"
out=$providers/$name/$version
mkdir -p "$out"
"$cache/bin/kustomize" build --load-restrictor LoadRestrictionsNone "$source/config/default" 2>"$out/kustomize.log" |
  sed -E "s#$staging:[a-zA-Z0-9._-]+#$release:$version#
          s#imagePullPolicy: Always#imagePullPolicy: IfNotPresent#" >"$out/infrastructure-components.yaml" || { cat "$out/kustomize.log" >&2; exit 1; }
install -m 644 "$source/metadata.yaml" "$out/metadata.yaml"
echo "$stamp" >"$providers/$name.stamp"
