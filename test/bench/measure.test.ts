import { describe, expect, it } from 'vitest';
import { bytesWritten, inTurn, median, peakMemory, table, type Contender } from './measure.ts';

describe('median', () => {
  it.each([
    [[3], 3],
    [[5, 1, 3], 3],
    [[4, 1, 2, 3], 2.5],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

describe('inTurn', () => {
  it('alternates, prepares before each run, and scales what did a part of the job', async () => {
    const order: string[] = [];
    const contender = (name: string, scale: number): Contender => ({
      name,
      scale,
      prepare: () => Promise.resolve(void order.push(`prepare ${name}`)),
      run: () => Promise.resolve(void order.push(name)),
    });
    const measured = await inTurn([contender('a', 1), contender('b', 0)], 2, () => undefined);
    expect(order).toEqual(['prepare a', 'a', 'prepare b', 'b', 'prepare a', 'a', 'prepare b', 'b']);
    expect(measured[1]).toEqual({ name: 'b', ours: false, seconds: [0, 0] });
  });
});

describe('table', () => {
  it('shows the ratio of our median to each of theirs', () => {
    const text = table('Title', [
      { name: 'ours', ours: true, seconds: [1, 2, 3] },
      { name: 'theirs', ours: false, seconds: [8, 4, 2] },
    ]);
    expect(text.split('\n').map((line) => line.trim().split(/\s+/))).toEqual([
      ['Title'],
      ['min', 's', 'median', 's', 'max', 's', 'ours/theirs'],
      ['ours', '1.00', '2.00', '3.00'],
      ['theirs', '2.00', '4.00', '8.00', '0.50'],
    ]);
  });
});

describe('process figures', () => {
  it('are read from /proc', async () => {
    expect(await peakMemory(process.pid)).toBeGreaterThan(10_000_000);
    expect(await bytesWritten(process.pid)).toBeGreaterThanOrEqual(0);
  });
});
