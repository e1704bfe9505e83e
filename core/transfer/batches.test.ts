import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bySizeDescending, cutBatches } from './batches.ts';

const sizes = fc.array(fc.nat({ max: 500 }), { maxLength: 60 });
const limits = fc.record({ bytes: fc.integer({ min: 1, max: 1_000 }), items: fc.integer({ min: 1, max: 10 }) });

describe('cutBatches', () => {
  it('covers every item once, in order, in batches that add up', () => {
    fc.assert(
      fc.property(sizes, limits, (all, limit) => {
        const batches = cutBatches(all, limit);
        expect(batches.flatMap(({ start, end }) => all.slice(start, end))).toEqual(all);
        batches.forEach(({ index, items, bytes, start, end }, at) => {
          expect([index, items, start]).toEqual([at, end - start, at === 0 ? 0 : batches[at - 1]!.end]);
          expect(bytes).toBe(all.slice(start, end).reduce((sum, size) => sum + size, 0));
        });
      }),
    );
  });

  it('keeps to its limits but for one item that is larger, and is full before the next begins', () => {
    fc.assert(
      fc.property(sizes, limits, (all, limit) => {
        const batches = cutBatches(all, limit);
        batches.forEach(({ items, bytes, end }) => {
          expect(items).toBeGreaterThan(0);
          expect(items).toBeLessThanOrEqual(limit.items);
          expect(items === 1 || bytes <= limit.bytes).toBe(true);
          const next = all[end];
          expect(next === undefined || items === limit.items || bytes + next > limit.bytes).toBe(true);
        });
      }),
    );
  });

  it('makes nothing of nothing, and few events of many small blobs', () => {
    expect(cutBatches([])).toEqual([]);
    expect(cutBatches(Array.from({ length: 1_000 }, () => 2_000_000)).length).toBeLessThan(20);
  });
});

describe('bySizeDescending', () => {
  it('has one order, whatever order it is given', () => {
    const item = fc.record({ size: fc.nat({ max: 5 }), digest: fc.stringMatching(/^[0-9a-f]{4}$/) });
    fc.assert(
      fc.property(fc.uniqueArray(item, { selector: ({ digest }) => digest }), (items) => {
        const sorted = bySizeDescending(items);
        expect(bySizeDescending([...items].reverse())).toEqual(sorted);
        sorted.slice(1).forEach(({ size, digest }, index) => {
          const before = sorted[index]!;
          expect(before.size > size || (before.size === size && before.digest < digest)).toBe(true);
        });
      }),
    );
  });
});
