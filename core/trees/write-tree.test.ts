import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import type { ActivityProgress } from '../../contracts/operations.ts';
import { temporaryFolders } from '../bundle/testing.ts';
import { openBundle } from '../bundle/reader.ts';
import { Limiter } from '../transfer/concurrency.ts';
import { ItemsFailed } from '../transfer/failures.ts';
import { MoverPool } from '../transfer/pool.ts';
import { ProgressMeter } from '../transfer/progress.ts';
import { pathSegments } from './bundle-files.ts';
import { filesTree } from './files-tree.ts';
import { writeFileBundle } from './testing.ts';
import { isTreePath } from './tree-builder.ts';
import type { FileTree, TreeFile } from './tree.ts';
import { discardTree, writeTree, type TreeOutcome } from './write-tree.ts';

const folder = temporaryFolders(afterEach);
const pool = new MoverPool(1);
afterAll(() => pool.close());

interface Attempt {
  outcome?: TreeOutcome;
  errors: string[];
  progress?: ActivityProgress;
}

/** Writes a tree made from a bundle of two files into `to`. @param spoil what becomes of the bundle after it was opened */
async function attempt(
  to: string,
  options: { tree?: FileTree; spoil?: (bundle: string) => Promise<void>; signal?: AbortSignal } = {},
): Promise<Attempt> {
  const path = await writeFileBundle(join(await folder(), 'bundle.tar'), [
    { reference: 'https://a.example/x/one', bytes: Buffer.from('one') },
    { reference: 'https://a.example/two', bytes: Buffer.alloc(100_000, 'two') },
  ]);
  const bundle = await openBundle(path);
  const result: Attempt = { errors: [] };
  const hooks = {
    signal: options.signal ?? new AbortController().signal,
    report: (progress: ActivityProgress): unknown => (result.progress = progress),
  };
  try {
    const tree = options.tree ?? (await filesTree(bundle));
    await options.spoil?.(path);
    const meter = new ProgressMeter(hooks, { items: tree.files.size, bytes: 100_003 });
    result.outcome = await writeTree(tree, to, { bundle, pool, limiter: new Limiter(2) }, meter, hooks);
  } catch (error) {
    if (!(error instanceof ItemsFailed)) throw error;
    result.errors = error.errors.map(({ message }) => message);
  } finally {
    await bundle.close();
  }
  return result;
}

const bytesTree = (...paths: string[]): FileTree => ({
  files: new Map(paths.map((path): [string, TreeFile] => [path, { kind: 'bytes', bytes: Buffer.from(path) }])),
  warnings: [],
});

describe('writing a tree', () => {
  it('writes all of it, says how far it is, and leaves nothing else', async () => {
    const to = join(await folder(), 'made', 'deep');
    const { outcome, progress } = await attempt(to);
    expect(outcome).toEqual({ written: 2, unchanged: 0, bytesWritten: 100_003 });
    expect(progress).toMatchObject({ itemsDone: 2, bytesDone: 100_003, current: [] });
    expect(await readdir(to)).toEqual(['a.example']);
    expect(await readFile(join(to, 'a.example/x/one'), 'utf8')).toBe('one');
  });

  it('leaves alone what is right and what is not its own', async () => {
    const to = await folder();
    await attempt(to);
    await writeFile(join(to, 'a.example/mine'), 'mine');
    const before = await stat(join(to, 'a.example/two'));
    expect((await attempt(to)).outcome).toEqual({ written: 0, unchanged: 2, bytesWritten: 0 });
    expect((await stat(join(to, 'a.example/two'))).ino).toBe(before.ino);
    expect(await readFile(join(to, 'a.example/mine'), 'utf8')).toBe('mine');
  });

  it('replaces a symbolic link in the place of a file, and does not write through it', async () => {
    const to = await folder();
    const elsewhere = join(await folder(), 'elsewhere');
    await writeFile(elsewhere, 'elsewhere');
    await mkdir(join(to, 'a.example'));
    await symlink(elsewhere, join(to, 'a.example/two'));
    expect((await attempt(to)).outcome?.written).toBe(2);
    expect((await lstat(join(to, 'a.example/two'))).isFile()).toBe(true);
    expect(await readFile(elsewhere, 'utf8')).toBe('elsewhere');
  });

  it.each([
    [
      'a folder in the place of a file',
      async (to: string) => void (await mkdir(join(to, 'a.example/two'), { recursive: true })),
    ],
    ['a file in the place of a folder', (to: string) => writeFile(join(to, 'a.example'), '')],
  ])('is held up by %s, and says so', async (_name, prepare) => {
    const to = await folder();
    await prepare(to);
    const { errors } = await attempt(to);
    expect(errors[0]).toMatch(/something else is there.*\n.*move it away/);
  });

  it('shows nothing of a blob that was altered', async () => {
    const to = await folder();
    const spoil = async (bundle: string): Promise<void> => {
      const bytes = await readFile(bundle);
      bytes[bytes.indexOf('twotwotwo') + 5000] = 0x21;
      await writeFile(bundle, bytes);
    };
    const { errors } = await attempt(to, { spoil });
    expect(errors).toEqual([expect.stringContaining('it was altered')]);
    expect(await readdir(join(to, 'a.example'))).not.toContain('two');
  });

  it('stops when it is told to, and what is half-written can be removed', async () => {
    const to = await folder();
    const stop = new AbortController();
    stop.abort(new Error('told to stop'));
    await expect(attempt(to, { signal: stop.signal })).rejects.toThrow('told to stop');
    const [staging] = await readdir(to);
    expect(staging).toMatch(/^\.sealift-/);
    await discardTree(to, `sha256:${staging!.slice('.sealift-'.length).padEnd(64, '0')}`);
    expect(await readdir(to)).toEqual([]);
  });

  it('refuses paths that leave the folder', async () => {
    const to = await folder();
    for (const path of ['../x', '/x', 'a/../../x', 'a//b', '.']) {
      await expect(attempt(to, { tree: bytesTree(path) }), path).rejects.toThrow('would leave the folder');
    }
  });
});

describe('paths', () => {
  it('made from any URL stay below their folder', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), fc.array(fc.string()), (url, more) => {
        const segments = pathSegments([url, ...more.map(encodeURI)].join('/'));
        const path = ['host', ...segments].join('/');
        // what isTreePath takes, resolves to itself
        if (isTreePath(path)) expect(join('/root', path)).toBe(`/root/${path}`);
        else expect(segments.some((segment) => !isTreePath(segment))).toBe(true);
      }),
    );
  });
});
