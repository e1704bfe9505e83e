import { beforeAll, expect, it } from 'vitest';
import { generateImage } from '../helpers/images.ts';
import { createProvingGround, expectDone, sha256Of, type ProvingGround } from '../helpers/proving-ground.ts';

// Several workers of one machine: commands bring one each, and `sealift worker` may be started at any time.

const MIB = 1024 * 1024;

let ground: ProvingGround;
let list: string;
let sha256: string;

beforeAll(async () => {
  ground = await createProvingGround();
  return () => ground[Symbol.asyncDispose]();
});

beforeAll(async () => {
  const image = generateImage({ seed: 'workers', layers: [9_000_000, 5_000_000, 300] });
  list = await ground.list('images.txt', [await ground.offer('team/app', 'v1', image)]);
  const path = ground.path('whole.tar');
  expectDone(await ground.run(ground.exportArgs(path, list)));
  sha256 = await sha256Of(path);
  const slow = { name: 'slow', path: /\/blobs\//, times: Infinity, optional: true };
  ground.source.add({ ...slow, fault: { kind: 'slow', direction: 'down', bytesPerSecond: 4 * MIB } });
});

async function untilMoved(bytes: number): Promise<void> {
  const start = ground.source.downloaded();
  await expect.poll(() => ground.source.downloaded() - start, { timeout: 60_000, interval: 5 }).toBeGreaterThan(bytes);
}

async function workersAre(count: number): Promise<void> {
  const workers = async (): Promise<number> =>
    (await ground.home.processes()).filter(({ commandLine }) => commandLine.includes('bin/sealift worker')).length;
  await expect.poll(workers, { timeout: 20_000 }).toBe(count);
}

it('two exports at once, each with a worker in its command, both end well', async () => {
  const outputs = ['one.tar', 'two.tar'].map((name) => ground.path(name));
  const both = outputs.map((output) => ground.start(ground.exportArgs(output, list)));
  for (const { done } of both) expectDone(await done);
  for (const output of outputs) expect(await sha256Of(output)).toBe(sha256);
});

it('a worker that is started in mid-export leaves it to the one that has begun', async () => {
  const output = ground.path('joined.tar');
  const running = ground.start(ground.exportArgs(output, list));
  await untilMoved(1 * MIB);
  const worker = ground.start(['worker']);
  expectDone(await running.done);
  expect(await sha256Of(output)).toBe(sha256);
  worker.kill();
  await worker.done;
});

it('when the one that works is killed -9, another takes over', async () => {
  const output = ground.path('taken-over.tar');
  const first = ground.start(['worker']);
  await workersAre(1);
  // so that it has its turn before the other asks for it
  expectDone(await ground.run(ground.exportArgs(ground.path('turn.tar'), list)));
  const second = ground.start(['worker']);
  await workersAre(2);
  const running = ground.start(ground.exportArgs(output, list));
  await untilMoved(3 * MIB);
  first.kill();
  expectDone(await running.done);
  expect(await sha256Of(output)).toBe(sha256);
  second.kill();
  await Promise.all([first.done, second.done]);
});
