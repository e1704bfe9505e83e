import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../contracts/descriptor.ts';
import { EntryTable } from './entry-table.ts';

function digestNumber(number: number): Digest {
  return `sha256:${createHash('sha256').update(String(number)).digest('hex')}`;
}

describe('EntryTable', () => {
  it('finds each of many blobs, keeps their order, and takes none twice', () => {
    const table = new EntryTable();
    const blobs = Array.from({ length: 5000 }, (_none, number) => ({
      digest: digestNumber(number),
      offset: number * 512,
      size: number === 7 ? 2 ** 45 : number,
    }));
    for (const blob of blobs) expect(table.add(blob)).toBe(true);
    for (const blob of blobs) expect(table.add({ ...blob, size: 0 })).toBe(false);
    expect(table.count).toBe(5000);
    expect([...table.spans()]).toEqual(blobs);
    expect(table.get(digestNumber(7))).toEqual(blobs[7]);
    expect(table.get(digestNumber(5001))).toBeUndefined();
  });

  it.each([
    ['end', (tail: string) => '0'.repeat(56) + tail],
    ['start', (tail: string) => tail + '0'.repeat(56)],
    ['high bytes', (tail: string) => tail.replace(/../g, (byte) => `000000${byte}`) + '0'.repeat(32)],
  ])('tells digests apart that differ only in their %s', (_where, hexOf) => {
    const table = new EntryTable();
    for (let number = 0; number < 20_000; number++) {
      const hex = hexOf(number.toString(16).padStart(8, '0'));
      expect(table.add({ digest: `sha256:${hex}`, offset: 0, size: 0 })).toBe(true);
    }
    expect(table.count).toBe(20_000);
  });
});
