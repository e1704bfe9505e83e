#!/usr/bin/env bash
# Brings a machine to where everything here can be built and tested, and starts nothing. Run again at any time: what is up to
# date is left alone. `tools/setup.sh providers` adds what clusters on real infrastructures are tested with. On an empty machine with 2 cores expect about half an hour, most of it Go tools (kube-apiserver alone takes 7); later runs take a second.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/lib.sh

# command -> Debian package that brings it
system_tools='
skopeo           skopeo
umoci            umoci
docker-registry  docker-registry
ctr              containerd
apt-ftparchive   apt-utils
mksquashfs       squashfs-tools
curl             curl
gpg              gnupg
pip3             python3-pip
ip               iproute2
iptables         iptables
ipmitool         ipmitool
'

install_system_tools() {
  local missing=() command package
  while read -r command package; do
    [ -z "$command" ] || command -v "$command" >/dev/null || missing+=("$package")
  done <<<"$system_tools"
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "setup: not a Debian machine: install by hand what the interoperability tests use: ${missing[*]}" >&2
    return 0
  fi
  echo "setup: installing ${missing[*]} (about a minute)"
  retry 3 as_root apt-get -qq -o Acquire::Retries=3 update
  without_services retry 3 as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "${missing[@]}" >/dev/null
  # nor at the next boot: the tests start their own
  as_root systemctl --quiet disable "${missing[@]}" 2>/dev/null || true
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian starts a service when its package is installed, unless policy-rc.d says no (invoke-rc.d(8)).
without_services() {
  local policy=/usr/sbin/policy-rc.d status=0
  [ ! -e "$policy" ] || { "$@"; return; }
  printf '#!/bin/sh\nexit 101\n' | as_root install --mode=755 /dev/stdin "$policy"
  trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
  "$@" || status=$?
  as_root rm -f "$policy"
  trap - EXIT
  return "$status"
}

install_packages() {
  local stamp=node_modules/.sealift-stamp wanted
  wanted=$({ node --version; uname -m; cat package-lock.json .npmrc; } | sha256sum | cut -c1-64)
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  echo 'setup: installing npm packages (about a minute)'
  retry 3 npm ci --no-progress
  echo "$wanted" >"$stamp"
}

build_tools() {
  retry 2 tools/build.sh "$@"
}

make_providers() {
  build_tools providers
  tools/provider-components.sh vsphere vsphere/capv sigs.k8s.io/cluster-api-provider-vsphere \
    gcr.io/k8s-staging-capi-vsphere/cluster-api-vsphere-controller registry.k8s.io/cluster-api-vsphere/cluster-api-vsphere-controller
  tools/provider-components.sh tinkerbell tinkerbell/capt github.com/tinkerbell/cluster-api-provider-tinkerbell \
    ghcr.io/tinkerbell/cluster-api-provider-tinkerbell ghcr.io/tinkerbell/cluster-api-provider-tinkerbell
}

build_dist() {
  local stamp=dist/.sealift-stamp wanted
  wanted=$({
    cat package-lock.json package.json tsconfig.json tsconfig.build.json tools/build-dist.mjs
    find contracts core workflows activities plugins workers cli -name '*.ts' ! -name '*.test.ts' -print0 | sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c1-64)
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  echo 'setup: compiling and bundling the workflows (some 20 seconds)'
  npm run --silent build
  echo "$wanted" >"$stamp"
}

require() {
  command -v "$1" >/dev/null || { echo "setup: $1 is missing: $2" >&2; exit 1; }
}

require node 'install Node.js 20.3 or newer'
require npm 'it comes with Node.js'
require go 'install Go 1.26 or newer; the pinned tools are built with it'
part 'system packages' install_system_tools
part 'npm packages' install_packages
part 'Go tools' build_tools
part 'Cluster API' tools/cluster-api/components.sh
part 'Tinkerbell' tools/tinkerbell/definitions.sh
[ "${1:-}" != providers ] || part 'providers' make_providers
part 'Ansible' tools/python-venv.sh ansible Ansible
part 'BMC emulators' tools/python-venv.sh bmc 'BMC emulators'
part 'dist' build_dist
echo 'setup: everything is there'
