import { mkdir, readdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TreeName } from '../../contracts/operations.ts';
import { smallDisk, smallDiskUnavailable, type SmallDisk } from '../../test/helpers/small-disk.ts';
import { temporaryFolders } from '../bundle/testing.ts';
import { openBundle } from '../bundle/reader.ts';
import { writeTrees, type WrittenTrees } from '../import/write-trees.ts';
import { hexOf } from '../oci/digest.ts';
import { Limiter } from '../transfer/concurrency.ts';
import { ItemsFailed } from '../transfer/failures.ts';
import { MoverPool } from '../transfer/pool.ts';
import { writeFileBundle } from './testing.ts';

const noDisk = await smallDiskUnavailable();
const folder = temporaryFolders(afterEach);
const pool = new MoverPool(1);
afterAll(() => pool.close());

const MB = 1024 * 1024;
/** a charm is in two trees: among the files and among the charms */
const charm = Buffer.alloc(MB, 'charm');
const kubectl = Buffer.alloc(MB, 'kubectl');

let disks: SmallDisk[];

beforeEach(async () => {
  disks = noDisk === undefined ? [await smallDisk(2.5 * MB), await smallDisk(2.5 * MB)] : [];
});

afterEach(async () => {
  for (const disk of disks.splice(0)) await disk.unmount();
});

async function lay(trees: Partial<Record<TreeName, string>>): Promise<WrittenTrees | ItemsFailed> {
  const path = await writeFileBundle(join(await folder(), 'bundle.tar'), [
    { reference: 'file:///far/a.charm', bytes: charm, package: 'charm' },
    { reference: 'https://dl.example/kubectl', bytes: kubectl },
  ]);
  const bundle = await openBundle(path);
  const hooks = { signal: new AbortController().signal, report: () => undefined };
  try {
    const staged = Object.values(trees).map((tree) => join(tree, `.sealift-${hexOf(bundle.identity).slice(0, 12)}`));
    for (const leftover of staged) {
      // as after a kill
      await mkdir(leftover, { recursive: true });
      await writeFile(join(leftover, 'part'), Buffer.alloc(100_000));
    }
    return await writeTrees({ trees }, { bundle, pool, limiter: new Limiter(2) }, hooks);
  } catch (error) {
    if (error instanceof ItemsFailed) return error;
    throw error;
  } finally {
    await bundle.close();
  }
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe.skipIf(noDisk !== undefined)('room for trees', () => {
  it('is added up over those on one disk, and asked for before anything is written', async () => {
    const [disk] = disks;
    const trees = { files: join(disk!.path, 'far', 'files'), charms: join(disk!.path, 'charms') };
    const failed = await lay(trees);
    const { bavail, bsize } = await statfs(disk!.path);
    expect(failed).toBeInstanceOf(ItemsFailed);
    expect((failed as ItemsFailed).items).toEqual([
      {
        item: trees.files,
        type: 'DiskFull',
        side: 'local',
        operation: 'write files',
        subject: `${trees.files} and ${trees.charms}`,
        message: `${3 * MB} bytes are needed beside what is there already, ${bavail * bsize} are free`,
        remedy: `free ${3 * MB - bavail * bsize} bytes on that disk, or give folders on different disks`,
      },
    ]);
    expect(await filesBelow(disk!.path)).toEqual([]);
  });

  it('is counted for each disk by itself', async () => {
    const [files, charms] = disks.map(({ path }) => join(path, 'tree'));
    expect(await lay({ files: files!, charms: charms! })).toMatchObject({ trees: [{ written: 2 }, { written: 1 }] });
    expect((await filesBelow(files!)).sort()).toEqual(['a.charm', 'kubectl']);
  });

  it('is not asked for what is there already with the right bytes', async () => {
    const disk = await smallDisk(3.5 * MB);
    disks.push(disk);
    const trees = { files: join(disk.path, 'files'), charms: join(disk.path, 'charms') };
    await mkdir(trees.charms);
    await writeFile(join(trees.charms, 'a.charm'), Buffer.alloc(MB, 'other'));
    expect(await lay(trees)).toBeInstanceOf(ItemsFailed);
    expect(await filesBelow(disk.path)).toEqual(['a.charm']);
    await writeFile(join(trees.charms, 'a.charm'), charm);
    expect(await lay(trees)).toMatchObject({ trees: [{ written: 2 }, { written: 0, unchanged: 1 }] });
    expect((await readFile(join(trees.files, 'dl.example', 'kubectl'))).equals(kubectl)).toBe(true);
  });
});
