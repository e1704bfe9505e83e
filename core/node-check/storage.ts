import { readFile, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatBytes } from '../../contracts/format.ts';
import type { NodeFinding } from '../../contracts/node-check.ts';
import { ok, problem, warning } from './finding.ts';

/** Where images, etcd and snaps go. */
const FOLDERS = ['/var/lib', '/var/snap'];
/** The kubelet begins to remove images there (imageGCHighThresholdPercent). */
const IMAGE_REMOVAL = 0.85;
const MIN_FREE_INODES = 0.05;

/** Room for images and state: one finding a file system. */
export async function checkStorage(minBytes: number): Promise<NodeFinding[]> {
  const folders = [...new Set(await Promise.all(FOLDERS.map(existing)))];
  const byDevice = new Map<number, string[]>();
  for (const folder of folders) {
    const { dev } = await stat(folder);
    byDevice.set(dev, [...(byDevice.get(dev) ?? []), folder]);
  }
  return (await Promise.all([...byDevice.values()].map((together) => checkFileSystem(together, minBytes)))).flat();
}

/** The folder itself, or the nearest one above it that is there. */
async function existing(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => undefined);
  return found === undefined ? existing(dirname(folder)) : folder;
}

async function checkFileSystem(folders: string[], minBytes: number): Promise<NodeFinding[]> {
  const { bavail, blocks, bfree, bsize, files, ffree } = await statfs(folders[0]!);
  const place = folders.join(', ');
  const subject = `disk space of ${place}`;
  const free = bavail * bsize;
  const used = blocks === 0 ? 0 : (blocks - bfree) / blocks;
  const space =
    free < minBytes
      ? problem(
          subject,
          `${formatBytes(free)} free, ${formatBytes(minBytes)} are wanted`,
          `free some, or mount a larger disk at ${place}; --min-disk changes what is wanted`,
        )
      : used > IMAGE_REMOVAL
        ? warning(
            subject,
            `${formatBytes(free)} free, but ${Math.round(used * 100)} % used: the kubelet removes images at 85 %`,
            'free some, or raise imageGCHighThresholdPercent: what it removes cannot be pulled again from outside',
          )
        : ok(subject, `${formatBytes(free)} free`);
  const inodes = `inodes of ${place}`;
  // file systems that make inodes as they go say they have none
  if (files === 0) return [space];
  if (ffree / files >= MIN_FREE_INODES) return [space, ok(inodes, `${ffree} free`)];
  const remedy = 'remove small files, or make the file system anew with more inodes (mkfs.ext4 -N, or XFS)';
  return [space, problem(inodes, `${ffree} of ${files} free: images hold many small files`, remedy)];
}

/** What the kubelet asks of the kernel's set-up. */
export async function checkKernel(): Promise<NodeFinding[]> {
  const swaps = (await readFile('/proc/swaps', 'utf8').catch(() => '')).trim().split('\n').slice(1);
  const swap =
    swaps.length === 0
      ? ok('swap', 'off')
      : warning(
          'swap',
          `on: ${swaps.map((line) => line.split(/\s+/)[0]).join(', ')}; the kubelet refuses to start unless told otherwise (failSwapOn)`,
          '`swapoff -a`, and take it out of /etc/fstab',
        );
  return [swap, await checkControlGroups()];
}

async function checkControlGroups(): Promise<NodeFinding> {
  const listed = await readFile('/sys/fs/cgroup/cgroup.controllers', 'utf8').catch(() => undefined);
  if (listed === undefined) {
    return warning(
      'control groups',
      'version 1, which kubelet and containerd are giving up',
      'start the kernel with systemd.unified_cgroup_hierarchy=1',
    );
  }
  const missing = ['cpu', 'memory', 'pids'].filter((name) => !listed.trim().split(/\s+/).includes(name));
  if (missing.length === 0) return ok('control groups', 'version 2');
  return problem(
    'control groups',
    `${missing.join(', ')} missing`,
    'enable them on the kernel command line, and reboot',
  );
}
