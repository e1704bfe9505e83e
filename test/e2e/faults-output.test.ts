import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { generateImage } from '../helpers/images.ts';
import {
  createProvingGround,
  expectDone,
  expectProblems,
  sha256Of,
  type ProvingGround,
} from '../helpers/proving-ground.ts';
import { smallDisk, smallDiskUnavailable, type SmallDisk } from '../helpers/small-disk.ts';

const MIB = 1024 * 1024;
let ground: ProvingGround;
let list: string;
let good: { path: string; sha256: string };
const noDisk = await smallDiskUnavailable();
if (noDisk !== undefined) console.warn(`the tests with a full disk are skipped: ${noDisk}`);

beforeAll(async () => {
  ground = await createProvingGround();
  return () => ground[Symbol.asyncDispose]();
});

beforeAll(async () => {
  const layers = [2 * MIB, 1 * MIB, 500_000, 250_000, 1000];
  list = await ground.list('images.txt', [await ground.offer('team/app', 'v1', generateImage({ seed: 'o', layers }))]);
  const path = ground.path('good.tar');
  expectDone(await ground.run(ground.exportArgs(path, list)));
  good = { path, sha256: await sha256Of(path) };
});

afterEach(() => ground.source.clear());

describe('an output', () => {
  it('that exists is refused, and replaced with --force', async () => {
    const output = ground.path('exists.tar');
    await writeFile(output, 'precious');
    const refused = await ground.run(ground.exportArgs(output, list));
    expectProblems(refused, 2, [{ type: 'OutputExists', side: 'local', subject: output, remedy: '--force' }]);
    expect((await stat(output)).size).toBe(8);
    expectDone(await ground.run(ground.exportArgs(output, list, '--force')));
    expect(await sha256Of(output)).toBe(good.sha256);
  });

  it('that the same export made is left alone, and said to be done', async () => {
    const before = ground.source.exchanges.length;
    const again = await ground.run(ground.exportArgs(good.path, list));
    expectDone(again);
    expect(again.stderr).toContain('is done already');
    expect(ground.source.exchanges).toHaveLength(before);
  });

  it('whose folder is absent parks; with the folder made, retry finishes', async () => {
    const output = ground.path('not/yet/there.tar');
    const parked = await ground.run(ground.exportArgs(output, list));
    expectProblems(parked, 5, [
      { type: 'PathUnwritable', side: 'local', subject: dirname(output), remedy: 'make the folder' },
    ]);
    await mkdir(dirname(output), { recursive: true });
    expectDone(await ground.run(['retry', parked.document!.operation!]), 'retry');
    expect(await sha256Of(output)).toBe(good.sha256);
  });

  it('whose folder is a file parks as unwritable', async () => {
    const output = join(list, 'a.tar');
    const parked = await ground.run(ground.exportArgs(output, list));
    expectProblems(parked, 5, [{ type: 'PathUnwritable', side: 'local', subject: list }]);
    expect((await ground.run(['abort', parked.document!.operation!])).code).toBe(0);
  });
});

describe.skipIf(noDisk !== undefined)('a small disk', () => {
  let disk: SmallDisk;
  afterEach(() => disk.unmount());

  it('that is read-only parks as unwritable', async () => {
    disk = await smallDisk(8 * MIB);
    await disk.readOnly(true);
    const output = join(disk.path, 'a.tar');
    const parked = await ground.run(ground.exportArgs(output, list));
    expectProblems(parked, 5, [{ type: 'PathUnwritable', side: 'local' }]);
    await disk.readOnly(false);
    expectDone(await ground.run(['retry', parked.document!.operation!]), 'retry');
    expect(await sha256Of(output)).toBe(good.sha256);
  });

  it('without the room is found out before anything is fetched, and retry finishes when there is room', async () => {
    disk = await smallDisk(8 * MIB);
    await writeFile(join(disk.path, 'other'), Buffer.alloc(6 * MIB));
    const output = join(disk.path, 'a.tar');
    const before = ground.source.traffic({ path: /\/blobs\// }).down;
    const parked = await ground.run(ground.exportArgs(output, list));
    expectProblems(parked, 5, [{ type: 'DiskFull', side: 'local', subject: 'a.tar', remedy: /free \d+ bytes/ }]);
    expect(ground.source.traffic({ path: /\/blobs\// }).down).toBe(before);
    await rm(join(disk.path, 'other'));
    expectDone(await ground.run(['retry', parked.document!.operation!]), 'retry');
    expect(await sha256Of(output)).toBe(good.sha256);
  });

  it('that others fill in mid-export parks, and retry keeps what is there', async () => {
    disk = await smallDisk(8 * MIB);
    const output = join(disk.path, 'a.tar');
    const slow = { kind: 'slow', direction: 'down', bytesPerSecond: 2 * MIB } as const;
    ground.source.add({ name: 'slow', path: /\/blobs\//, times: Infinity, fault: slow });
    const start = ground.source.downloaded();
    const running = ground.start(ground.exportArgs(output, list, '--concurrency', '1'));
    await expect.poll(() => ground.source.downloaded() - start, { timeout: 60_000, interval: 5 }).toBeGreaterThan(MIB);
    await disk.fill('other');
    const { code, stdout, stderr } = await running.done;
    const parked = {
      code,
      stdout,
      stderr,
      killed: false,
      document: JSON.parse(stdout) as { kind: string; operation: string },
    };
    expectProblems(parked, 5, [{ type: 'DiskFull', side: 'local', remedy: 'free some' }]);
    ground.source.clear();
    await rm(join(disk.path, 'other'));
    expectDone(await ground.run(['retry', parked.document.operation]), 'retry');
    expect(await sha256Of(output)).toBe(good.sha256);
  });
});
