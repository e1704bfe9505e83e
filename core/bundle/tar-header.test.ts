import { execFileSync } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SealiftError } from '../errors.ts';
import { applyPax, decodeHeader, encodeHeader, headerLength, type TarHeader } from './tar-header.ts';
import { plainTar, temporaryFolders, type TarEntry } from './testing.ts';

const at = { path: 'b.tar', offset: 1024 };
const name = `blobs/sha256/${'a'.repeat(64)}`;
const GIB = 1024 ** 3;

function block(entry: Partial<TarEntry>): Buffer {
  return plainTar([{ name, ...entry }]).subarray(0, 512);
}

function typeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof SealiftError) return error.type;
    throw error;
  }
  return 'none';
}

describe('encodeHeader', () => {
  it.each([0, 1, 511, 512, 8 * GIB - 1])('writes the bytes of a plain ustar header for %d bytes', (size) => {
    expect(encodeHeader(name, size).equals(block({ size }))).toBe(true);
    expect(headerLength(size)).toBe(512);
  });

  it('puts a PAX record before the header of 8 GiB and more, and the size in both', () => {
    const header = encodeHeader(name, 9 * GIB);
    expect(header.length).toBe(headerLength(9 * GIB));
    const pax = decodeHeader(header.subarray(0, 512), at);
    const main = decodeHeader(header.subarray(1024), at);
    expect(pax.type).toBe('pax');
    expect(applyPax(header.subarray(512, 512 + pax.size), main, at)).toEqual({ name, size: 9 * GIB, type: 'file' });
    expect(main.size).toBe(9 * GIB);
  });

  const folder = temporaryFolders(afterEach);
  it.each([
    ['GNU tar', 'tar', ['-tvf']],
    ['Python', 'python3', ['-m', 'tarfile', '-l']],
  ])('is read by %s beyond 8 GiB', async (_who, command, flags) => {
    const path = join(await folder(), 'large.tar');
    const header = encodeHeader(name, 9 * GIB);
    await writeFile(path, header);
    const file = await open(path, 'r+');
    await file.truncate(header.length + 9 * GIB);
    await file.write(encodeHeader('oci-layout', 0), 0, 512, header.length + 9 * GIB);
    await file.truncate(header.length + 9 * GIB + 512 + 1024);
    await file.close();
    const listing = execFileSync(command, [...flags, path], { encoding: 'utf8' });
    expect(listing).toContain(name);
    expect(listing).toContain('oci-layout');
  });
});

describe('decodeHeader', () => {
  it('reads files and folders', () => {
    expect(decodeHeader(block({ size: 77 }), at)).toEqual({ name, size: 77, type: 'file' });
    expect(decodeHeader(block({ name: 'blobs/', type: '5' }), at)).toEqual({
      name: 'blobs/',
      size: 0,
      type: 'directory',
    });
  });

  it.each(['1', '2', '3', '4', '6', '7', 'g', 'L', 'K', 'S', 'X', 'Z'])('refuses type %s', (type) => {
    expect(typeOf(() => decodeHeader(block({ type, link: '/etc/passwd' }), at))).toBe('BundleUnsafe');
  });

  it('refuses a folder with content, which readers disagree about', () => {
    expect(typeOf(() => decodeHeader(block({ name: 'blobs/', type: '5', size: 512 }), at))).toBe('BundleUnsafe');
    expect(typeOf(() => decodeHeader(block({ name: 'blobs/', size: 512 }), at))).toBe('BundleUnsafe');
  });

  it('refuses a wrong checksum, naming entry and offset', () => {
    const bytes = block({});
    bytes[5]! ^= 1;
    expect(() => decodeHeader(bytes, at)).toThrow(/entry "blobs.sha256.*byte offset 1024.*checksum/);
  });

  it('refuses what is no header, and sizes that are no number, negative or absurd', () => {
    expect(typeOf(() => decodeHeader(Buffer.alloc(512, 'x'), at))).toBe('BundleCorrupt');
    const letters = block({});
    letters.write('12x', 124);
    expect(typeOf(() => decodeHeader(letters, at))).toBe('BundleCorrupt');
    for (const first of [0x80, 0xff]) {
      const absurd = block({});
      absurd.fill(0xff, 124, 136);
      absurd[124] = first;
      expect(typeOf(() => decodeHeader(absurd, at))).toBe('BundleUnsafe');
    }
  });
});

describe('applyPax', () => {
  const header: TarHeader = { name, size: 10, type: 'file' };
  const apply = (text: string, to = header): unknown => applyPax(Buffer.from(text), to, at);

  it('accepts a repetition', () => {
    expect(apply(`11 size=10\n${'83'} path=${name}\n`.replace('83', String(name.length + 9)))).toEqual(header);
  });

  it('accepts the real size where the header could not hold it', () => {
    const size = 20 * GIB;
    for (const stated of [0, 0o77777777777]) {
      expect(apply(`20 size=${size}\n`, { ...header, size: stated })).toEqual({ ...header, size });
    }
  });

  it.each([
    ['another size', '11 size=11\n'],
    ['a negative size', '11 size=-5\n'],
    ['a size beyond 2^53', '26 size=99999999999999999\n'],
    ['another name', '16 path=oci-lay\n'],
    ['another key', '18 linkpath=/etc/\n'],
    ['a key twice', '11 size=10\n11 size=10\n'],
  ])('refuses %s', (_what, text) => {
    expect(typeOf(() => apply(text))).toBe('BundleUnsafe');
  });

  it.each(['size=10\n', '99 size=10\n', '11 size=10', '5 size=10\n', '0 \n'])(
    'refuses the malformed record %j',
    (text) => {
      expect(typeOf(() => apply(text))).toBe('BundleCorrupt');
    },
  );
});
