import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostPaths, WorkerInfo } from '../../contracts/host.ts';
import { temporaryFolder } from '../../test/helpers/paths.ts';
import { writeFileAtomically, writeFileOnce } from './atomic-file.ts';
import { hostId } from './host-id.ts';
import { tryLock } from './lock-file.ts';
import { hostPaths } from './paths.ts';
import { isSameProcess, processStartTime } from './process-start-time.ts';
import { spawnWorker } from './spawn-worker.ts';
import { isDeadWorker, parseWorkerIdentity, workerIdentity } from './worker-identity.ts';
import { workerRegistry } from './worker-registry.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let paths: HostPaths;
const target = { address: '127.0.0.1:1', namespace: 'default' };

beforeEach(async () => {
  folder = await temporaryFolder('host');
  paths = hostPaths({ HOME: folder.path });
});
afterEach(() => folder.remove());

/** Pid and start time of a process that has ended. */
async function endedProcess(): Promise<{ pid: number; startTime: string }> {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  const startTime = (await processStartTime(pid)) ?? '';
  child.kill('SIGKILL');
  await once(child, 'exit');
  return { pid, startTime };
}

describe('hostPaths', () => {
  it('follows the XDG variables', () => {
    const env = { HOME: '/home/a', XDG_CONFIG_HOME: '/c', XDG_CACHE_HOME: '/k', XDG_STATE_HOME: '/s' };
    expect(hostPaths(env)).toEqual({ config: '/c/sealift', cache: '/k/sealift', state: '/s/sealift' });
  });

  it('falls back on the home folder for absent, empty and relative values', () => {
    expect(hostPaths({ HOME: '/home/a', XDG_CONFIG_HOME: '', XDG_STATE_HOME: 'relative' })).toEqual({
      config: '/home/a/.config/sealift',
      cache: '/home/a/.cache/sealift',
      state: '/home/a/.local/state/sealift',
    });
  });
});

describe('hostId', () => {
  it('is made once, also by several at a time', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => hostId(paths)));
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{12}$/);
    expect(await readdir(paths.state)).toEqual(['host-id']);
  });

  it('refuses a file with something else in it', async () => {
    await writeFileAtomically(join(paths.state, 'host-id'), 'hello');
    await expect(hostId(paths)).rejects.toMatchObject({ type: 'InvalidInput' });
  });
});

describe('atomic files', () => {
  it('replaces, and writes once, for the owner only', async () => {
    const path = join(folder.path, 'deep', 'file');
    await writeFileAtomically(path, 'a');
    await writeFileAtomically(path, 'b');
    expect(await writeFileOnce(path, 'c')).toBe(false);
    expect(await readFile(path, 'utf8')).toBe('b');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder.path, 'deep'))).toEqual(['file']);
  });

  it('names the path that cannot be written', async () => {
    await writeFile(join(folder.path, 'file'), '');
    const below = join(folder.path, 'file', 'below');
    await expect(writeFileAtomically(below, '')).rejects.toMatchObject({
      type: 'PathUnwritable',
      problem: { subject: below },
    });
  });
});

describe('processStartTime', () => {
  it('tells a living process from one that is gone', async () => {
    const own = await processStartTime(process.pid);
    expect(own).toBeDefined();
    expect(await isSameProcess(process.pid, own ?? '')).toBe(true);
    expect(await isSameProcess(process.pid, 'another')).toBe(false);
    const { pid, startTime } = await endedProcess();
    expect(await isSameProcess(pid, startTime)).toBe(false);
  });
});

describe('tryLock', () => {
  it('is held once and can be given back', async () => {
    const path = join(paths.state, 'lock');
    const unlock = await tryLock(path);
    expect(unlock).toBeDefined();
    expect(await tryLock(path)).toBeUndefined();
    await unlock?.();
    expect(await tryLock(path)).toBeDefined();
  });

  it('takes over what a killed process left behind, and only one of several does', async () => {
    const path = join(paths.state, 'lock');
    const unlock = await tryLock(path);
    const own = JSON.parse(await readFile(path, 'utf8')) as object;
    await unlock?.();
    await writeFileAtomically(path, JSON.stringify({ ...own, ...(await endedProcess()) }));
    const taken = await Promise.all(Array.from({ length: 6 }, () => tryLock(path)));
    expect(taken.filter((unlock) => unlock !== undefined).length).toBeLessThanOrEqual(1);
    for (const unlock of taken) await unlock?.();
    expect(await tryLock(path)).toBeDefined();
  });

  it('believes a holder that it cannot see as long as the file is touched', async () => {
    const path = join(paths.state, 'foreign-lock');
    const elsewhere = { pid: process.pid, startTime: 'x', host: 'another-container', boot: 'b', pidSpace: '1' };
    await writeFileOnce(path, JSON.stringify(elsewhere));
    expect(await tryLock(path)).toBeUndefined();
    const aMinuteAgo = new Date(Date.now() - 60_000);
    await utimes(path, aMinuteAgo, aMinuteAgo);
    const unlock = await tryLock(path);
    expect(unlock).toBeDefined();
    await unlock?.();
  });

  it('takes over the lock of a process that a reboot of this machine ended', async () => {
    const path = join(paths.state, 'rebooted-lock');
    const before = { pid: process.pid, startTime: 'x', host: hostname(), boot: 'another', pidSpace: '1' };
    await writeFileOnce(path, JSON.stringify(before));
    const unlock = await tryLock(path);
    expect(unlock).toBeDefined();
    await unlock?.();
  });
});

/** The identity that a worker in a process which has ended would have had here. */
async function endedWorker(host: string): Promise<{ pid: number; identity: string }> {
  const { pid, startTime } = await endedProcess();
  const own = await workerIdentity(host);
  return { pid, identity: own.replace(/^\d+@([0-9a-f]+)#[^#]+/, `${pid}@$1#${startTime}`) };
}

describe('worker identity', () => {
  it('is read back', async () => {
    const identity = await workerIdentity('0123456789ab');
    expect(parseWorkerIdentity(identity)).toMatchObject({ pid: process.pid, hostId: '0123456789ab' });
    expect(parseWorkerIdentity('1234@some-host')).toBeUndefined();
  });

  it('calls dead only what ran here and is gone', async () => {
    const ended = await endedWorker('0123456789ab');
    expect(await isDeadWorker(ended.identity, '0123456789ab')).toBe(true);
    expect(await isDeadWorker((await endedWorker('ffffffffffff')).identity, '0123456789ab')).toBe(false);
    const otherContainer = ended.identity.replace(/#[^#]*$/, '#4026500000');
    expect(await isDeadWorker(otherContainer, '0123456789ab')).toBe(false);
    expect(await isDeadWorker('someone else', '0123456789ab')).toBe(false);
    expect(await isDeadWorker(await workerIdentity('0123456789ab'), '0123456789ab')).toBe(false);
  });
});

describe('workerRegistry', () => {
  it('lists living workers of one Temporal and forgets dead ones', async () => {
    const registry = workerRegistry(paths);
    const own: WorkerInfo = { pid: process.pid, identity: await workerIdentity(await hostId(paths)), target };
    const dead: WorkerInfo = { ...(await endedWorker(await hostId(paths))), target };
    await Promise.all([registry.register(own), registry.register(dead)]);
    await writeFile(join(paths.state, 'workers', '1.json'), '{ "half');
    expect(await registry.list(target)).toEqual([own]);
    expect(await registry.list()).toEqual([own]);
    expect(await registry.list({ ...target, namespace: 'other' })).toEqual([]);
    expect(await readdir(join(paths.state, 'workers'))).toEqual([`${process.pid}.json`]);
    expect(await registry.isDead(dead.identity)).toBe(true);
    await registry.unregister(own.pid);
    expect(await registry.list()).toEqual([]);
  });
});

describe('spawnWorker', () => {
  it('waits until the worker has registered', async () => {
    await mkdir(paths.state, { recursive: true });
    const registry = workerRegistry(paths);
    const info: WorkerInfo = { pid: process.pid, identity: await workerIdentity(await hostId(paths)), target };
    const file = join(paths.state, 'workers', `${process.pid}.json`);
    const script = `require('fs').mkdirSync('${paths.state}/workers',{recursive:true});require('fs').writeFileSync('${file}',process.env.INFO)`;
    const env = { ...process.env, INFO: JSON.stringify(info) };
    // what the script registers is this test's own process, which is sure to live
    await expect(
      spawnWorker({ paths, target, command: [process.execPath, '-e', `${script};setTimeout(()=>{},2000)`], env }),
    ).resolves.toEqual(info);
    await registry.unregister(process.pid);
  });

  it('says why a worker did not come up', async () => {
    const command: [string, ...string[]] = [process.execPath, '-e', 'process.exit(7)'];
    await expect(spawnWorker({ paths, target, command, env: process.env })).rejects.toMatchObject({
      type: 'InternalError',
      message: expect.stringContaining('exit code 7') as string,
    });
  });

  it('says when there is no such program', async () => {
    await expect(spawnWorker({ paths, target, command: ['/nonexistent/sealift'], env: {} })).rejects.toMatchObject({
      message: expect.stringContaining('ENOENT') as string,
    });
  });
});
