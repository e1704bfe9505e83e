import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findOnMachine } from './binaries.ts';
import { findControlPlane } from './control-plane.ts';
import { daemonPid } from './daemon.ts';
import type { BootstrapDriver } from './driver.ts';
import { processesDriver } from './processes-driver.ts';

const findBinary = findOnMachine([fileURLToPath(new URL('../../.cache/bin', import.meta.url))]);

let parent: string;
let folder: string;
let driver: BootstrapDriver;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'sealift-processes-'));
  folder = join(parent, 'bootstrap');
  driver = processesDriver({ folder, findBinary, programs: {} });
});

afterAll(async () => {
  await driver.remove();
  await rm(parent, { recursive: true, force: true });
});

const pidOf = (name: string) => daemonPid({ name, folder: join(folder, 'control-plane') });

describe('a bootstrap cluster of processes that is looked after', () => {
  it('is not made by that', async () => {
    expect(await driver.attend?.()).toBeUndefined();
    expect(await driver.exists()).toBe(false);
  });

  it('is left alone as long as it lives', async () => {
    await driver.ensure();
    const before = await pidOf('kube-apiserver');
    expect(await driver.attend?.()).toBeUndefined();
    expect(await pidOf('kube-apiserver')).toBe(before);
  });

  it('has again what was killed', async () => {
    const kubeconfig = await driver.ensure();
    const killed = (await pidOf('kube-apiserver'))!;
    process.kill(killed, 'SIGKILL');
    await expect.poll(() => pidOf('kube-apiserver'), { timeout: 10_000 }).toBeUndefined();
    const [mended] = await Promise.all([driver.attend?.(), driver.attend?.()]);
    expect(mended).toBe(kubeconfig);
    expect(await pidOf('kube-apiserver')).not.toBe(killed);
    expect(await findControlPlane(join(folder, 'control-plane'))).toBeDefined();
  });

  it('is not brought back once it is removed, and leaves no key or token', async () => {
    await mkdir(join(folder, 'providers'));
    await writeFile(join(folder, 'providers', 'one.token'), 'secret');
    await Promise.all([driver.remove(), driver.attend?.()]);
    expect(await driver.exists()).toBe(false);
    expect(await driver.attend?.()).toBeUndefined();
    expect(await pidOf('etcd')).toBeUndefined();
    expect(await readdir(folder)).toEqual([]);
  });
});
