import type { GeneratedFile } from '../../../contracts/source-plugin.ts';

/** Configuration of `k8s bootstrap` that only moves containerd: the features are those of a cluster without one. */
export function clusterConfig(baseDir: string): GeneratedFile {
  const features = ['network', 'dns', 'local-storage', 'gateway'].map((name) => `  ${name}:\n    enabled: true\n`);
  return {
    path: 'cluster-config.yaml',
    content: `containerd-base-dir: ${baseDir}\ncluster-config:\n${features.join('')}`,
  };
}

/** Configuration of `k8s join-cluster` that only moves containerd. */
export function joinConfig(baseDir: string): GeneratedFile {
  return { path: 'join-config.yaml', content: `containerd-base-dir: ${baseDir}\n` };
}

/**
 * The script that brings a node to where it is in the cluster. POSIX shell with what every Ubuntu has. What is in place is
 * left alone, so that it may be run again, after a failure or with a newer folder.
 *
 * @param paths what lies below `root/`
 */
export function installScript(
  paths: string[],
  places: { dropIn: string; images: string; configured: boolean },
): GeneratedFile {
  const calls = paths.map((path) => {
    if (path.startsWith(`${places.images}/`)) return `place_image ${quoted(path)}`;
    return `place ${quoted(path)}${path === places.dropIn ? ' restart' : ''}`;
  });
  const configs = places.configured
    ? 'bootstrap_config=$here/cluster-config.yaml join_config=$here/join-config.yaml'
    : '';
  const content = [HEAD, configs, FUNCTIONS, ...calls.sort(), TAIL].filter((part) => part !== '').join('\n');
  return { path: 'install.sh', executable: true, content };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const HEAD = `#!/bin/sh
# Makes this machine a node of Canonical Kubernetes. Written by \`sealift generate node-config\`.
set -eu

usage() {
  cat <<'END'
Usage: ./install.sh [--address IP] [--join FILE] [--config FILE] [--no-cluster] [--root DIR]

Installs the snaps, puts configuration and images in place, and bootstraps a cluster or joins one. Run it as root on
every node; it may be run again. Snaps that are older than those of this folder are refreshed.

  --address IP    the address of this node in the cluster
  --join FILE     join the cluster whose token (k8s get-join-token NAME) is in FILE; - reads standard input
  --config FILE   bootstrap or join configuration of Canonical Kubernetes
  --no-cluster    neither bootstrap nor join
  --root DIR      put files below DIR, not below /
END
}

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
PATH=$PATH:/snap/bin
address='' join='' config='' cluster=yes root='' bootstrap_config='' join_config=''
while [ $# -gt 0 ]; do
  case $1 in
    --address | --join | --config | --root)
      [ $# -gt 1 ] || fail "$1 needs a value"
      case $1 in
        --address) address=$2 ;;
        --join) join=$2 ;;
        --config) config=$2 ;;
        --root) root=\${2%/} ;;
      esac
      shift 2
      ;;
    --no-cluster)
      cluster=''
      shift
      ;;
    --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      fail "there is no option $1"
      ;;
  esac
done
[ "$(id -u)" = 0 ] || [ -n "$root" ] || fail 'run it as root'`;

const FUNCTIONS = `
# is_in_place NAME: whether the snap that is installed is the one of this folder, or a newer one
is_in_place() {
  installed=$(snap list "$1" 2>/dev/null | awk 'NR == 2 { print $3 }')
  [ -n "$installed" ] || return 1
  [ -e "$here/snaps/$1.snap" ] || return 0
  # snapd keeps the very file; it would take the same one again as a new revision, and restart what is in it
  if cmp -s "$here/snaps/$1.snap" "$root/var/lib/snapd/snaps/$1_$installed.snap"; then return 0; fi
  given=$(sed -n 's/^snap-revision: //p' "$here/snaps/$1.assert" 2>/dev/null)
  case $installed$given in *[!0-9]*) return 1 ;; esac
  [ -n "$given" ] && [ "$given" -le "$installed" ]
}

# install_snap NAME FLAG...: given the file of a snap that is installed, snapd refreshes it
install_snap() {
  name=$1
  shift
  if is_in_place "$name"; then
    echo "snap $name is installed, revision $installed"
    return
  fi
  [ -e "$here/snaps/$name.snap" ] || fail "snaps/$name.snap is missing: put it there, and $name.assert beside it"
  if [ -e "$here/snaps/$name.assert" ]; then
    snap ack "$here/snaps/$name.assert"
  else
    set -- "$@" --dangerous
  fi
  snap install "$here/snaps/$name.snap" "$@"
}

# kept on disk: a run that fails before the restart leaves it to the next
pending=$root/var/lib/sealift/restart-containerd
restart_later() {
  mkdir -p "$root/var/lib/sealift"
  : >"$pending"
}

# put SOURCE TARGET: never half of it under its name
put() {
  install -D -m "$(stat -c %a "$1")" "$1" "$2.sealift-new"
  mv "$2.sealift-new" "$2"
  echo "placed $2"
}

# place PATH [restart]: a file of root/, and whether containerd reads it only when it starts
place() {
  if cmp -s "$here/root/$1" "$root/$1"; then return; fi
  [ -z "\${2:-}" ] || restart_later
  put "$here/root/$1" "$root/$1"
}

# place_image PATH: containerd adds .loaded to the name of what it has read
place_image() {
  if cmp -s "$here/root/$1" "$root/$1" || cmp -s "$here/root/$1" "$root/$1.loaded"; then return; fi
  restart_later
  put "$here/root/$1" "$root/$1"
}

in_cluster() {
  k8s local-node-status >/dev/null 2>&1
}

# what k8s runs on comes first
for file in "$here"/snaps/*.snap; do
  name=$(basename "$file" .snap)
  case $name in k8s | '*') ;; *) install_snap "$name" ;; esac
done
install_snap k8s --classic
`;

const TAIL = `
if [ -e "$pending" ]; then
  systemctl daemon-reload
  if in_cluster; then snap restart k8s.containerd; fi
  rm "$pending"
fi

if [ -z "$cluster" ]; then
  echo 'ready to bootstrap or to join'
elif in_cluster; then
  echo 'this node is in a cluster'
elif [ -n "$join" ]; then
  [ "$join" != - ] || join=/dev/stdin
  token=$(cat "$join")
  config=\${config:-$join_config}
  k8s join-cluster \${address:+--address "$address"} \${config:+--file "$config"} "$token"
else
  config=\${config:-$bootstrap_config}
  k8s bootstrap \${address:+--address "$address"} \${config:+--file "$config"}
fi
`;
