import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findTool } from './paths.ts';
import { run, startProcess, type Finished, type RunningProcess } from './processes.ts';

/** `debian`: the system's, 1.6; `pinned`: that of tools/containerd, 2.x. */
export type ContainerdBuild = 'debian' | 'pinned';

/** A containerd of our own, with CRI. */
export interface TestContainerd extends AsyncDisposable {
  /** for `ctr --address` */
  address: string;
  process: RunningProcess;
  /** Runs the ctr of the same version, in the same namespaces. */
  ctr(...args: string[]): Promise<Finished>;
  /** Pulls and unpacks as the kubelet does, over CRI. @returns with the image's id, tags and digests on stdout */
  criPull(reference: string): Promise<Finished>;
}

export interface ContainerdOptions {
  /** Debian's when absent */
  build?: ContainerdBuild;
  /** where CRI looks for hosts.toml; nowhere when absent */
  hostsDir?: string;
  /** puts a command into other namespaces, e.g. those of a node; this process's when absent */
  inside?: (command: string, ...args: string[]) => [string, string[]];
  /** more of the configuration: whole tables, in TOML */
  tables?: string[];
}

const builds = {
  debian: { daemon: 'containerd', client: 'ctr', remedy: 'apt-get install containerd', version: 2, cri: debianCri },
  pinned: { daemon: 'containerd2', client: 'ctr2', remedy: 'make setup', version: 3, cri: pinnedCri },
};

/** @param base a folder for its files @returns the daemon, or why there is none */
export async function startContainerd(base: string, options: ContainerdOptions = {}): Promise<TestContainerd | string> {
  const { build = 'debian', hostsDir = '', inside = (command, ...args) => [command, args], tables = [] } = options;
  const { daemon, client, remedy, version, cri } = builds[build];
  const [containerd, ctr, criPull] = await Promise.all([daemon, client, 'cri-pull'].map(findTool));
  if (containerd === undefined || ctr === undefined) return `${daemon} is missing: ${remedy}`;
  if (criPull === undefined) return 'cri-pull is missing: make setup';
  if (process.getuid?.() !== 0) return 'containerd runs as root only, and this is not root';
  const folder = join(base, 'containerd');
  await mkdir(folder, { recursive: true });
  const address = join(folder, 'containerd.sock');
  const config = join(folder, 'config.toml');
  await writeFile(
    config,
    [`version = ${version}`, ...common(folder, address), ...cri(folder, hostsDir), ...tables, ''].join('\n'),
  );
  const ready = async (): Promise<boolean> => (await run(criPull, [address])).code === 0;
  const [command, args] = inside(containerd, '--config', config, '--log-level', 'error');
  try {
    const running = await startProcess({ command, args, ready, readyTimeoutMs: 15_000 });
    return {
      ...{ address, process: running },
      ctr: (...asked) => run(...inside(ctr, '--address', address, ...asked)),
      criPull: (reference) => run(criPull, [address, reference]),
      [Symbol.asyncDispose]: () => running.stop(),
    };
  } catch (error) {
    return `containerd does not run on this machine: ${String(error)}`;
  }
}

// What every version has by default below /var/lib, /run and /opt is in the folder.

function common(folder: string, address: string): string[] {
  // the kernel may lack what these need
  const snapshotters = ['aufs', 'btrfs', 'devmapper', 'zfs', 'overlayfs', 'blockfile', 'erofs'];
  const disabled = snapshotters.map((name) => `io.containerd.snapshotter.v1.${name}`);
  return [
    `disabled_plugins = ${JSON.stringify(disabled)}`,
    setting('root', folder, 'root'),
    setting('state', folder, 'state'),
    '[grpc]',
    setting('address', address),
    '[ttrpc]',
    setting('address', folder, 'ttrpc.sock'),
    '[plugins."io.containerd.internal.v1.opt"]',
    setting('path', folder, 'opt'),
  ];
}

/** https://github.com/containerd/containerd/blob/v1.6.20/docs/cri/config.md */
function debianCri(folder: string, hostsDir: string): string[] {
  return [
    '[plugins."io.containerd.grpc.v1.cri".containerd]',
    'snapshotter = "native"',
    '[plugins."io.containerd.grpc.v1.cri".cni]',
    setting('conf_dir', folder, 'cni'),
    '[plugins."io.containerd.grpc.v1.cri".registry]',
    setting('config_path', hostsDir),
  ];
}

/** https://github.com/containerd/containerd/blob/v2.3.7/docs/cri/config.md */
function pinnedCri(folder: string, hostsDir: string): string[] {
  return [
    '[plugins."io.containerd.nri.v1.nri"]',
    'disable = true',
    '[[plugins."io.containerd.transfer.v1.local".unpack_config]]',
    'platform = "linux"',
    'snapshotter = "native"',
    '[plugins."io.containerd.cri.v1.images"]',
    'snapshotter = "native"',
    '[plugins."io.containerd.cri.v1.images".registry]',
    setting('config_path', hostsDir),
    '[plugins."io.containerd.cri.v1.runtime".cni]',
    setting('conf_dir', folder, 'cni'),
  ];
}

/** One line of TOML whose value is a path. */
function setting(name: string, ...path: string[]): string {
  return `${name} = ${JSON.stringify(path.join('/'))}`;
}
