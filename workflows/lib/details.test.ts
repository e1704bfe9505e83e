import { describe, expect, it } from 'vitest';
import type { OperationState, ParkedItem } from '../../contracts/operations.ts';
import { batchSummary, describeState, fileName } from './details.ts';

const state: OperationState = {
  ...{ phase: 'transferring', paused: false, parked: [], parkedCount: 0 },
  ...{ bytesTotal: 3 * 1024 ** 3, bytesDone: 1024 ** 3, itemsTotal: 80, itemsDone: 12 },
};
const problem = (item: string, length = 10): ParkedItem => ({
  ...{ item, type: 'BlobMissing', side: 'source', operation: 'fetch', subject: item },
  ...{ message: 'x'.repeat(length), remedy: 'put it there' },
});

describe('current details', () => {
  it('are a table', () => {
    expect(describeState('Export to /a.tar', state)).toBe(
      '### Export to /a.tar\n\n| phase | items | bytes |\n| --- | --- | --- |\n| transferring | 12 of 80 | 1.0 GiB of 3.0 GiB |',
    );
    expect(describeState('', { ...state, paused: true, bytesTotal: 0, itemsTotal: 0 })).toContain(
      '| transferring (paused) |  |  |',
    );
  });

  it('say what waits and what to do, in what Temporal has room for', () => {
    const two = describeState('', { ...state, parked: [problem('a'), problem('b')], parkedCount: 2 });
    expect(two).toContain('**Waiting for a decision on 2**');
    expect(two).toContain('\n- xxxxxxxxxx: **put it there**\n  - source, fetch: `a`\n- xxx');
    const named = describeState('', { ...state, parked: [{ ...problem('a'), item: 'sha256:a' }], parkedCount: 1 });
    expect(named).toMatch(/`a`\n  - item: `sha256:a`$/);
    const parked = Array.from({ length: 40 }, (_, index) => problem(`item ${index}`, 1000));
    const many = describeState('', { ...state, parked, parkedCount: 70 });
    expect(many.length).toBeLessThan(20_000);
    expect(many).toMatch(/`item 0`[^]*\n- and \d+ more$/);
  });
});

it('summaries are short and countable', () => {
  expect(batchSummary({ index: 0, items: 1, bytes: 150 }, 12)).toBe('batch 1 of 12: 1 blob, 150 B');
  expect(fileName('/a/b/artifacts.tar')).toBe('artifacts.tar');
});
