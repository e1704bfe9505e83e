import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCluster } from '../kubernetes/cluster-access.ts';
import { findOnMachine } from './binaries.ts';
import { ensureControlPlane, findControlPlane, stopControlPlane, type ControlPlane } from './control-plane.ts';
import { daemonPid } from './daemon.ts';

const tools = fileURLToPath(new URL('../../.cache/bin', import.meta.url));
const findBinary = findOnMachine([tools]);
const names = ['etcd', 'kube-apiserver', 'kube-controller-manager'];

let folder: string;

beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'sealift-control-plane-')), 'bootstrap');
});

afterAll(async () => {
  await stopControlPlane(folder);
  await rm(join(folder, '..'), { recursive: true, force: true });
});

const options = () => ({ folder, findBinary, durable: false });
const pids = () => Promise.all(names.map((name) => daemonPid({ name, folder })));

async function writeMarker(plane: ControlPlane, name: string): Promise<void> {
  await using cluster = await openCluster(plane.kubeconfig);
  await cluster.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });
}

async function hasMarker(plane: ControlPlane, name: string): Promise<boolean> {
  await using cluster = await openCluster(plane.kubeconfig);
  const found = await cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });
  return found !== undefined;
}

describe('a control plane of plain processes', () => {
  it('is made, and found again as it is by everyone who asks', async () => {
    const [one, two] = await Promise.all([ensureControlPlane(options()), ensureControlPlane(options())]);
    expect(two).toEqual(one);
    await writeMarker(one, 'kept');
    const before = await pids();
    expect(await ensureControlPlane(options())).toEqual(one);
    expect(await pids()).toEqual(before);
    expect(await findControlPlane(folder)).toEqual(one);
  });

  it('keeps keys and kubeconfigs for their owner', async () => {
    const files = await readdir(join(folder, 'pki'));
    expect(files).toContain('admin.kubeconfig');
    for (const file of files.filter((name) => /\.(key|kubeconfig)$/.test(name))) {
      const { mode } = await stat(join(folder, 'pki', file));
      expect(`${file} ${(mode & 0o077).toString(8)}`).toBe(`${file} 0`);
    }
  });

  it('lets nobody in without a certificate, neither at the API server nor at etcd', async () => {
    const plane = (await findControlPlane(folder))!;
    const ports = JSON.parse(await readFile(join(folder, 'control-plane.json'), 'utf8')) as { etcd: number };
    const curl = (url: string) => ended(spawn('curl', ['-sk', '-o', '/dev/null', '-w', '%{http_code}', url]));
    expect((await curl(`${plane.url}/api/v1/secrets`)).output).toBe('401');
    expect((await curl(`https://127.0.0.1:${ports.etcd}/health`)).output).toBe('000');
  });

  it('starts what has ended again, on the same ports and data', async () => {
    const plane = (await findControlPlane(folder))!;
    const before = await pids();
    process.kill(before[0]!, 'SIGKILL');
    process.kill(before[1]!, 'SIGKILL');
    await expect.poll(pids, { timeout: 10_000 }).toEqual([undefined, undefined, expect.any(Number)]);
    expect(await ensureControlPlane(options())).toEqual(plane);
    expect(await hasMarker(plane, 'kept')).toBe(true);
    const after = await pids();
    expect([after[0] === before[0], after[1] === before[1]]).toEqual([false, false]);
  });

  it('is not deceived by an etcd that was killed just now', async () => {
    const plane = (await findControlPlane(folder))!;
    const [etcd, apiServer] = await pids();
    process.kill(etcd!, 'SIGKILL');
    expect(await ensureControlPlane(options())).toEqual(plane);
    expect(await hasMarker(plane, 'kept')).toBe(true);
    expect((await pids())[1]).toBe(apiServer);
  });

  it('tells the others when etcd cannot have its port again', async () => {
    const plane = (await findControlPlane(folder))!;
    const [etcd] = await pids();
    process.kill(etcd!, 'SIGKILL');
    await expect.poll(async () => (await pids())[0], { timeout: 10_000 }).toBeUndefined();
    const { etcd: port } = JSON.parse(await readFile(join(folder, 'control-plane.json'), 'utf8')) as { etcd: number };
    const intruder = createServer().listen(port, '127.0.0.1');
    try {
      expect(await ensureControlPlane(options())).toEqual(plane);
      expect(await hasMarker(plane, 'kept')).toBe(true);
    } finally {
      intruder.close();
    }
  });

  it('says what a program said that ends at once', async () => {
    const stub = join(folder, '..', 'etcd');
    await writeFile(stub, '#!/bin/sh\necho "fatal: no such flag"\nexit 1\n', { mode: 0o755 });
    const other = join(folder, '..', 'other');
    const failing = ensureControlPlane({ folder: other, findBinary: () => Promise.resolve(stub) });
    await expect(failing).rejects.toThrow(/etcd: it ended at once: fatal: no such flag\n {2}remedy: see .*etcd\.log/);
    await stopControlPlane(other, { remove: true });
  });

  it('names a program that is missing', async () => {
    const other = join(folder, '..', 'other');
    const failing = ensureControlPlane({ folder: other, findBinary: findOnMachine([], { PATH: '' }) });
    await expect(failing).rejects.toMatchObject({ type: 'ToolMissing', problem: { subject: 'etcd' } });
  });

  it('leaves nothing behind when it is stopped', async () => {
    const before = await pids();
    await stopControlPlane(folder, { remove: true });
    for (const pid of before) expect(() => process.kill(pid!, 0)).toThrow('ESRCH');
    await expect(stat(folder)).rejects.toThrow('ENOENT');
    await stopControlPlane(folder);
  });
});

async function ended(child: ReturnType<typeof spawn>): Promise<{ output: string }> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return { output };
}
