#!/usr/bin/env bash
# Makes the component manifests of the pinned Cluster API and of its in-memory provider, as its release makes them (Makefile,
# release-manifests): <cache>/cluster-api/<version>/*-components.yaml and metadata.yaml. Reads the Go module cache, changes nothing there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${SEALIFT_TOOLS_CACHE:-$here/../../.cache}

folder_of() { (cd "$here" && go list -m -f '{{.Dir}}' "$1"); }

core=$(folder_of sigs.k8s.io/cluster-api)
infrastructure=$(folder_of sigs.k8s.io/cluster-api/test)/infrastructure/docker
version=${core##*@}
out=$cache/cluster-api/$version
stamp=$(cat "$0" "$here/go.mod" | sha256sum | cut -c1-64)
[ "$(cat "$out/.stamp" 2>/dev/null)" != "$stamp" ] || exit 0

# The sources name images of the last development build; a release names its own, and pulls each only once.
components() {
  "$cache/bin/kustomize" build --load-restrictor LoadRestrictionsNone "$2/config/default" |
    sed -E "s#gcr.io/k8s-staging-cluster-api/([a-z-]+):main#registry.k8s.io/cluster-api/\1:$version#
            s#imagePullPolicy: Always#imagePullPolicy: IfNotPresent#" >"$out/$1-components.yaml"
}

mkdir -p "$out"
components core "$core/core"
components bootstrap "$core/bootstrap/kubeadm"
components control-plane "$core/controlplane/kubeadm"
components infrastructure "$infrastructure"
install -m 644 "$core/metadata.yaml" "$out/metadata.yaml"
echo "$stamp" >"$out/.stamp"
