import { describe, expect, it } from 'vitest';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { planLayout } from './layout.ts';

function blob(letter: string, size: number): Descriptor {
  const digest: Digest = `sha256:${letter.repeat(64)}`;
  return { mediaType: 'application/octet-stream', digest, size };
}

const index = Buffer.alloc(600);

describe('planLayout', () => {
  it('places layout, index, metadata and blobs, each sorted by digest, on block boundaries', () => {
    const layout = planLayout({
      index,
      metadata: [blob('f', 513), blob('b', 1)],
      blobs: [blob('e', 0), blob('a', 512)],
    });
    expect(layout.entries.map(({ name, role }) => [role, name.slice(0, 14)])).toEqual([
      ['layout', 'oci-layout'],
      ['layout', 'index.json'],
      ['metadata', 'blobs/sha256/b'],
      ['metadata', 'blobs/sha256/f'],
      ['blob', 'blobs/sha256/a'],
      ['blob', 'blobs/sha256/e'],
    ]);
    expect(layout.entries.map(({ headerOffset, dataOffset }) => [headerOffset, dataOffset])).toEqual([
      [0, 512],
      [1024, 1536],
      [2560, 3072],
      [3584, 4096],
      [5120, 5632],
      [6144, 6656],
    ]);
    expect(layout.size).toBe(6656 + 1024);
  });

  it('takes each digest once, metadata first, in any order of the input', () => {
    const [a, b, c] = [blob('a', 5), blob('b', 6), blob('c', 7)] as const;
    const layout = planLayout({ index, metadata: [b, a, b], blobs: [c, b, c, a] });
    expect(
      layout.entries.filter(({ digest }) => digest !== undefined).map(({ role, digest }) => [role, digest]),
    ).toEqual([
      ['metadata', a.digest],
      ['metadata', b.digest],
      ['blob', c.digest],
    ]);
    expect(planLayout({ index, metadata: [a, b], blobs: [c] })).toEqual(layout);
  });

  it('leaves room for the PAX header of a blob over 8 GiB', () => {
    const { entries } = planLayout({ index, metadata: [], blobs: [blob('a', 2 ** 33)] });
    expect(entries[2]).toMatchObject({ headerOffset: 2560, dataOffset: 2560 + 1536 });
  });

  it('refuses two sizes for one digest, and descriptors that are none', () => {
    expect(() => planLayout({ index, metadata: [], blobs: [blob('a', 1), blob('a', 2)] })).toThrow(/1 and 2 bytes/);
    expect(() => planLayout({ index, metadata: [blob('a', -1)], blobs: [] })).toThrow(/its size is -1/);
    expect(() => planLayout({ index, metadata: [blob('../', 1)], blobs: [] })).toThrow(/not a sha256 digest/);
  });
});
