import { stat } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { recoveriesOf } from '../helpers/histories.ts';
import { generateImage } from '../helpers/images.ts';
import { createProvingGround, expectDone, sha256Of, type ProvingGround } from '../helpers/proving-ground.ts';
import { wholeTags } from '../helpers/visible-tags.ts';

const MIB = 1024 * 1024;
const shared = { seed: 'restart base', size: 8_000_000 };
const temporalServer = /temporal.* server start-dev/;

let ground: ProvingGround;
let list: string;
/** made by exports that nothing happened to */
let first: { path: string; sha256: string; size: number };
/** another bundle that shares a layer with the first */
let second: string;

beforeAll(async () => {
  ground = await createProvingGround();
  return () => ground[Symbol.asyncDispose]();
});

beforeAll(async () => {
  const one = await ground.offer('team/one', 'v1', generateImage({ seed: 'r1', layers: [shared, 9_000_000, 300] }));
  const two = await ground.offer('team/two', 'v1', generateImage({ seed: 'r2', layers: [shared, 5_000_000] }));
  list = await ground.list('first.txt', [one]);
  const path = ground.path('first.tar');
  expectDone(await ground.run(ground.exportArgs(path, list)));
  first = { path, sha256: await sha256Of(path), size: (await stat(path)).size };
  second = ground.path('second.tar');
  expectDone(await ground.run(ground.exportArgs(second, await ground.list('second.txt', [two]))));
  const slow = { name: 'slow', path: /\/blobs\//, times: Infinity, optional: true };
  ground.source.add({ ...slow, fault: { kind: 'slow', direction: 'down', bytesPerSecond: 4 * MIB } });
  ground.destination.add({ ...slow, fault: { kind: 'slow', direction: 'up', bytesPerSecond: 4 * MIB } });
});

/** Bytes of blobs that went up below a namespace. */
function sentTo(namespace: string): number {
  return ground.destination.traffic({ path: new RegExp(`^/v2/${namespace}/.*/blobs/uploads/`) }).up;
}

async function untilMoved(read: () => number, bytes: number): Promise<void> {
  const start = read();
  await expect.poll(() => read() - start, { timeout: 60_000, interval: 5 }).toBeGreaterThan(bytes);
}

async function expectImported(input: string, namespace: string): Promise<void> {
  expectDone(await ground.run(ground.verifyArgs(input, namespace)), 'verify');
}

describe('the Temporal server, killed -9', () => {
  /** Kills it, starts it again, and runs the command again where the first one could not go on. */
  async function endsAfterKill(args: string[], moved: () => number): Promise<void> {
    const running = ground.start(args);
    await untilMoved(moved, 3 * MIB);
    expect(await ground.home.kill(temporalServer)).toBe(1);
    expectDone(await ground.run(['server', 'start']), 'server start');
    const { code, stderr } = await running.done;
    // it holds on to its operation, or says that Temporal is not there; it never claims an end that was none
    expect([0, 6], `the interrupted command ended with ${code}:\n${stderr}`).toContain(code);
    expectDone(await ground.run(args), 'the same command again');
  }

  it('in mid-export: the tar is the same', async () => {
    const output = ground.path('server-killed.tar');
    await endsAfterKill(ground.exportArgs(output, list), () => ground.source.downloaded());
    expect(await sha256Of(output)).toBe(first.sha256);
  });

  it('in mid-import: every digest is right, and bytes are not sent twice', async () => {
    const namespace = 'server-killed';
    await endsAfterKill(ground.importArgs(first.path, namespace), () => ground.destination.uploaded());
    await expectImported(first.path, namespace);
    expect(sentTo(namespace)).toBeLessThan(first.size + 2 * MIB);
  });
});

describe('the registry, killed -9 in mid-upload', () => {
  it('and started again gets what it lacks, and nothing twice', async () => {
    const namespace = 'registry-killed';
    const running = ground.start(ground.importArgs(first.path, namespace));
    await untilMoved(() => ground.destination.uploaded(), 3 * MIB);
    await ground.registry.restart({ signal: 'SIGKILL' });
    expectDone(await running.done, 'the import');
    await expectImported(first.path, namespace);
    // what its own buffers held when it died was lost
    expect(sentTo(namespace)).toBeLessThan(first.size + 8 * MIB);
  });

  it('and started again empty gets everything', async () => {
    const namespace = 'registry-emptied';
    const running = ground.start(ground.importArgs(first.path, namespace));
    await untilMoved(() => ground.destination.uploaded(), 3 * MIB);
    await ground.registry.restart({ signal: 'SIGKILL', empty: true });
    expectDone(await running.done, 'the import');
    await expectImported(first.path, namespace);
  });
});

describe('two imports at once', () => {
  it('of one bundle are one run: both commands end well, and every byte is sent once', async () => {
    const namespace = 'twice';
    const both = [1, 2].map(() => ground.start(ground.importArgs(first.path, namespace)));
    for (const { done } of both) expectDone(await done);
    await expectImported(first.path, namespace);
    expect(sentTo(namespace)).toBeLessThan(first.size);
    const { host } = ground.destination;
    const { runs } = await recoveriesOf(ground, 'import/', (id) => id.endsWith(`${host}/${namespace}`));
    expect(runs).toBe(1);
  });

  it('of two bundles that share a layer into one namespace: both are whole', async () => {
    const namespace = 'shared';
    const both = [first.path, second].map((path) => ground.start(ground.importArgs(path, namespace)));
    for (const { done } of both) expectDone(await done);
    await Promise.all([first.path, second].map((path) => expectImported(path, namespace)));
    const tags = await wholeTags(ground.registry.url, namespace);
    expect(tags.filter((tag) => tag.includes('/team/'))).toEqual([
      `${namespace}/team/one:v1`,
      `${namespace}/team/two:v1`,
    ]);
  });
});
