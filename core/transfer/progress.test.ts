import { describe, expect, it } from 'vitest';
import type { ActivityProgress } from '../../contracts/operations.ts';
import { ProgressMeter } from './progress.ts';

describe('ProgressMeter', () => {
  it('adds up what is done and what is under way', () => {
    let last: ActivityProgress | undefined;
    const hooks = {
      signal: new AbortController().signal,
      report: (progress: ActivityProgress) => void (last = progress),
    };
    const meter = new ProgressMeter(hooks, { bytes: 1_000, items: 12 });
    for (let item = 0; item < 10; item += 1) meter.update(`id-${item}`, `blob ${item}`, 10, 100);
    expect(last).toMatchObject({ bytesDone: 100, bytesTotal: 1_000, itemsDone: 0, itemsTotal: 12 });
    expect(last?.current).toHaveLength(8);
    meter.update('id-0', 'blob 0', 50, 100);
    meter.finish('id-0', 100);
    meter.drop('id-1');
    meter.drop('id-1');
    expect(last).toMatchObject({ bytesDone: 180, itemsDone: 1 });
    expect(last?.current[0]).toEqual({ subject: 'blob 2', done: 10, total: 100 });
  });
});
