import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findTool } from './paths.ts';
import { run, startProcess, type RunningProcess } from './processes.ts';

/** A containerd of our own, without CRI. */
export interface TestContainerd {
  /** for `ctr --address` */
  address: string;
  process: RunningProcess;
}

/** @param base a folder for its files @returns the daemon, or why there is none */
export async function startContainerd(base: string): Promise<TestContainerd | string> {
  const command = await findTool('containerd');
  const ctr = await findTool('ctr');
  if (command === undefined || ctr === undefined) return 'containerd is not installed: apt-get install containerd';
  if (process.getuid?.() !== 0) return 'containerd runs as root only, and this is not root';
  const at = (name: string): string => join(base, 'containerd', name);
  await mkdir(at('.'), { recursive: true });
  const address = at('containerd.sock');
  // only what importing needs: no CRI, no snapshots of a kernel that may lack them
  const disabled = ['aufs', 'btrfs', 'devmapper', 'zfs', 'overlayfs'];
  const plugins = ['io.containerd.grpc.v1.cri', ...disabled.map((name) => `io.containerd.snapshotter.v1.${name}`)];
  await writeFile(
    at('config.toml'),
    [
      'version = 2',
      `root = "${at('root')}"`,
      `state = "${at('state')}"`,
      `disabled_plugins = ${JSON.stringify(plugins)}`,
      '[grpc]',
      `  address = "${address}"`,
      '[ttrpc]',
      `  address = "${at('ttrpc.sock')}"`,
      '',
    ].join('\n'),
  );
  const ready = async (): Promise<boolean> => (await run(ctr, ['--address', address, 'version'])).code === 0;
  const args = ['--config', at('config.toml'), '--log-level', 'error'];
  try {
    return { address, process: await startProcess({ command, args, ready, readyTimeoutMs: 15_000 }) };
  } catch (error) {
    return `containerd does not run on this machine: ${String(error)}`;
  }
}
