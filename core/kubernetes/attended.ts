import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';

const EVERY_MS = 2_000;

/**
 * Opens a cluster that is looked after until it is closed.
 * @param attend mends what has ended of it, and costs next to nothing when nothing has; called before, and then every few
 * seconds
 * @param everyMs milliseconds between two looks
 * @throws what `open` throws, and what the first look throws; what a later one throws is told by the requests that fail
 */
export async function openAttended(
  open: () => Promise<Cluster>,
  attend: () => Promise<void>,
  everyMs = EVERY_MS,
): Promise<Cluster> {
  await attend();
  const cluster = await open();
  const ending = new AbortController();
  const attending = (async () => {
    for (;;) {
      await sleep(everyMs, undefined, { signal: ending.signal }).catch(() => undefined);
      if (ending.signal.aborted) return;
      await attend().catch(() => undefined);
    }
  })();
  return {
    ...cluster,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await attending;
      await cluster[Symbol.asyncDispose]();
    },
  };
}
