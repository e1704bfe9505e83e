#!/usr/bin/env bash
# Builds the pinned Go tools that tests and the embedded default run, once, into <cache>/bin.
# A tool is rebuilt only when its module's go.mod, go.sum or sources, or the Go toolchain, changed: each binary has a .stamp beside it.
# usage: tools/build.sh [tool ...]      with no names: every tool but the controllers of real infrastructures; `providers` are those
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${SEALIFT_TOOLS_CACHE:-$here/../.cache}
mkdir -p "$cache/bin"

# name        module      package     build tags
tools='
temporal      temporal    github.com/temporalio/cli/cmd/temporal
registry      registry    github.com/distribution/distribution/v3/cmd/registry
crane         clients     github.com/google/go-containerregistry/cmd/crane
regctl        clients     github.com/regclient/regclient/cmd/regctl
regsync       clients     github.com/regclient/regclient/cmd/regsync
oras          clients     oras.land/oras/cmd/oras
olareg        clients     github.com/olareg/olareg/cmd/olareg
toxiproxy     toxiproxy   github.com/Shopify/toxiproxy/v2/cmd/server
helm          helm        helm.sh/helm/v3/cmd/helm
compose-config compose    sealift.dev/tools/compose
kube-apiserver kubernetes k8s.io/kubernetes/cmd/kube-apiserver
kube-controller-manager kubernetes k8s.io/kubernetes/cmd/kube-controller-manager
etcd          kubernetes  go.etcd.io/etcd/server/v3
capi-core     cluster-api sigs.k8s.io/cluster-api/core
capi-kubeadm-bootstrap     cluster-api sigs.k8s.io/cluster-api/bootstrap/kubeadm
capi-kubeadm-control-plane cluster-api sigs.k8s.io/cluster-api/controlplane/kubeadm
clusterctl    cluster-api sigs.k8s.io/cluster-api/cmd/clusterctl
kustomize     cluster-api sigs.k8s.io/kustomize/kustomize/v5
in-memory-infrastructure   cluster-api sealift.dev/tools/cluster-api/in-memory-infrastructure
govc          vsphere     sealift.dev/tools/vsphere/govc
vcsim         vsphere     sealift.dev/tools/vsphere/vcsim
capv          vsphere/capv sigs.k8s.io/cluster-api-provider-vsphere
capt          tinkerbell/capt github.com/tinkerbell/cluster-api-provider-tinkerbell
tinkerbell-stack tinkerbell sealift.dev/tools/tinkerbell/stack
tinkerbell-agent tinkerbell sealift.dev/tools/tinkerbell/agent
containerd2   containerd  github.com/containerd/containerd/v2/cmd/containerd  no_btrfs,no_devmapper,no_zfs
ctr2          containerd  github.com/containerd/containerd/v2/cmd/ctr
cri-pull      containerd  sealift.dev/tools/containerd
'
# A quarter of an hour to build, and only `make chaos-cluster` runs them.
providers='capv capt tinkerbell-stack tinkerbell-agent'

# Kubernetes and Cluster API take their version from the linker alone, and clients look at it.
linker_flags() {
  local version major minor
  echo -n '-s -w'
  case $1 in
    kube-*) set -- k8s.io/kubernetes k8s.io/component-base/version ;;
    capi-* | clusterctl) set -- sigs.k8s.io/cluster-api sigs.k8s.io/cluster-api/version ;;
    capv) set -- sigs.k8s.io/cluster-api-provider-vsphere sigs.k8s.io/cluster-api-provider-vsphere/pkg/version ;;
    *) return 0 ;;
  esac
  version=$(go list -m -f '{{if .Replace}}{{.Replace.Version}}{{else}}{{.Version}}{{end}}' "$1")
  IFS=. read -r major minor _ <<<"${version#v}"
  printf " -X $2.%s" "gitVersion=$version" "gitMajor=$major" "gitMinor=$minor"
}

[ "$*" != providers ] || set -- $providers
wanted=" $* "
go_version=$(go env GOVERSION)
while read -r name module package tags; do
  [ -n "$name" ] || continue
  if [ $# -eq 0 ]; then [[ " $providers " != *" $name "* ]] || continue; else [[ $wanted == *" $name "* ]] || continue; fi
  sources=$here/${package#sealift.dev/tools/}
  stamp=$( { echo "$go_version"; cat "$here/$module"/go.mod "$here/$module"/go.sum "$sources"/*.go 2>/dev/null || true; } | sha256sum | cut -c1-64)
  out=$cache/bin/$name
  [ -x "$out" ] && [ "$(cat "$out.stamp" 2>/dev/null)" = "$stamp" ] && continue
  echo "building $name ($package); the first build takes a while" >&2
  started=$SECONDS
  (cd "$here/$module" && CGO_ENABLED=0 go build -trimpath -tags "$tags" -ldflags "$(linker_flags "$name")" -o "$out.new" "$package")
  mv "$out.new" "$out"
  echo "$stamp" >"$out.stamp"
  echo "built $name in $((SECONDS - started)) s" >&2
done <<<"$tools"
