import { describe, expect, it } from 'vitest';
import { namesTag, parseRange } from './range.ts';

describe('parseRange', () => {
  it.each([
    ['bytes=0-9', { first: 0, last: 9 }],
    ['bytes=90-', { first: 90, last: 99 }],
    ['bytes=90-1000', { first: 90, last: 99 }],
    ['bytes=-10', { first: 90, last: 99 }],
    ['bytes=-1000', { first: 0, last: 99 }],
    ['Bytes = 5 - 5', { first: 5, last: 5 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=9-0', undefined],
    ['bytes=-', undefined],
    ['bytes=0-1,5-6', undefined],
    ['lines=0-1', undefined],
    ['bytes=1 2-30', undefined],
    [`bytes=${Array.from({ length: 1000 }, (_, first) => `${first}-`).join(',')}`, undefined],
    [`bytes=${' '.repeat(100_000)}x`, undefined],
    [`bytes=0-${'9'.repeat(1000)}`, { first: 0, last: 99 }],
    [`bytes=${'9'.repeat(1000)}-`, 'unsatisfiable'],
    [undefined, undefined],
  ] as const)('reads %s of 100 bytes', (header, expected) => {
    expect(parseRange(header, 100)).toEqual(expected);
  });

  it('finds nothing in an empty body', () => {
    expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
    expect(parseRange('bytes=-5', 0)).toBe('unsatisfiable');
  });
});

it('finds an entity tag in a list, weak or not', () => {
  for (const header of ['"a"', 'W/"a"', '"b", "a"', '*']) expect(namesTag(header, '"a"'), header).toBe(true);
  for (const header of ['"b"', 'a', '', undefined]) expect(namesTag(header, '"a"'), header).toBe(false);
});
