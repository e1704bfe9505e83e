import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeTarGz, type ArchiveEntry } from './tar-gz.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-tar-gz-'));
});

afterEach(() => rm(folder, { recursive: true }));

function entry(name: string, content: string, size = content.length): ArchiveEntry {
  return { name, size, copy: (write) => write(Buffer.from(content)) };
}

async function packed(entries: ArchiveEntry[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  await writeTarGz(entries, (bytes) => Promise.resolve(void parts.push(bytes)));
  return Buffer.concat(parts);
}

describe('writeTarGz', () => {
  const long = `${'a'.repeat(150)}.tar`;
  const entries = [entry('one.charm', 'x'.repeat(3_000_000)), entry(long, 'y'), entry('empty', '')];

  it('writes what tar unpacks, names of any length too', async () => {
    await writeFile(join(folder, 'a.tar.gz'), await packed(entries));
    await promisify(execFile)('tar', ['--extract', '--file', 'a.tar.gz'], { cwd: folder });
    expect((await readdir(folder)).sort()).toEqual(['a.tar.gz', long, 'empty', 'one.charm'].sort());
    expect(await readFile(join(folder, 'one.charm'), 'utf8')).toBe('x'.repeat(3_000_000));
    expect(await readFile(join(folder, long), 'utf8')).toBe('y');
  });

  it('gives the same bytes twice', async () => {
    expect((await packed(entries)).equals(await packed(entries))).toBe(true);
  });

  it('fails with what a file or the disk says, and for a size that is not true', async () => {
    const broken = { name: 'b', size: 1, copy: () => Promise.reject(new Error('no such blob')) };
    await expect(packed([entries[0]!, broken])).rejects.toThrow('no such blob');
    const full = writeTarGz(entries, () => Promise.reject(new Error('disk full')));
    await expect(full).rejects.toThrow('disk full');
    await expect(packed([entry('c', 'four', 5)])).rejects.toThrow('4 bytes, not the 5');
  });
});
