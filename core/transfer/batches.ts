import type { Batch } from '../../contracts/operations.ts';

/** A batch is one activity: enough work to be worth its three history events, little enough to be tried again. */
const BATCH_BYTES = 1024 ** 3;
const BATCH_ITEMS = 100;

/** A batch with the positions of its items in the order they were cut in: `[start, end)`. */
export interface CutBatch extends Batch {
  start: number;
  end: number;
}

/** Cuts items, given in the order they should move, into batches. */
export function cutBatches(sizes: readonly number[], limits = { bytes: BATCH_BYTES, items: BATCH_ITEMS }): CutBatch[] {
  const batches: CutBatch[] = [];
  let start = 0;
  let bytes = 0;
  for (let at = 0; at <= sizes.length; at++) {
    const size = sizes[at];
    const full = at > start && (size === undefined || bytes + size > limits.bytes || at - start >= limits.items);
    if (full) {
      batches.push({ index: batches.length, items: at - start, bytes, start, end: at });
      start = at;
      bytes = 0;
    }
    bytes += size ?? 0;
  }
  return batches;
}

/** Largest first, so that no large blob is begun last and moves alone; ties by digest, so that the order is the same everywhere. */
export function bySizeDescending<T extends { size: number; digest: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => b.size - a.size || (a.digest < b.digest ? -1 : 1));
}
