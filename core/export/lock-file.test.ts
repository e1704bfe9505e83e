import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../contracts/descriptor.ts';
import { readLockFile, writeLockFile, type LockedItem } from './lock-file.ts';

const digest: Digest = `sha256:${'ab'.repeat(32)}`;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-file-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('lock file', () => {
  it('is absent until it is written, and reads back sorted', async () => {
    const path = join(folder, 'sealift.lock');
    expect(await readLockFile(path)).toBeUndefined();
    const attached = [{ digest, tag: `sha256-${'ab'.repeat(32)}.sig` }];
    const items = new Map<string, LockedItem>([
      ['registry.example/b:1', { digest, attached: [] }],
      ['registry.example/a:1', { digest, attached }],
    ]);
    await writeLockFile(path, items);
    const read = (await readLockFile(path))!;
    expect([...read.keys()]).toEqual(['registry.example/a:1', 'registry.example/b:1']);
    expect(read).toEqual(items);
    const before = await readFile(path, 'utf8');
    await writeLockFile(path, new Map([...items].reverse()));
    expect(await readFile(path, 'utf8')).toBe(before);
  });

  it.each([
    ['not YAML', '{', /sealift\.lock/],
    ['another version', 'schemaVersion: 2\nitems: {}\n', /schemaVersion/],
    ['a digest that is none', 'schemaVersion: 1\nitems: { "registry.example/a:1": { digest: latest } }\n', /sha256/],
    ['an unknown field', 'schemaVersion: 1\nitems: {}\nextra: 1\n', /extra/],
  ])('refuses %s', async (_what, text, message) => {
    const path = join(folder, 'sealift.lock');
    await writeFile(path, text);
    await expect(readLockFile(path)).rejects.toMatchObject({ type: 'InvalidInput' });
    await expect(readLockFile(path)).rejects.toThrow(message);
  });
});
