import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import type { Worker } from '@temporalio/worker';
import type { HostPaths, TemporalTarget } from '../contracts/host.ts';
import { tryLock } from '../core/host/lock-file.ts';
import { digestOf, hexOf } from '../core/oci/digest.ts';

/** How soon a process that stands by takes over after the one that works has ended. */
const STAND_BY_MS = 500;

/**
 * Works on the machine's own task queue while no other process of this machine does; until then it stands by. Steps of one
 * operation share what a process holds open, a partial bundle above all, so they must not be spread over two.
 *
 * @param create makes the worker when it is this process's turn
 * @param letGo lets go of what the steps left open, before another process may have its turn
 * @returns when `stop` has fired and everything is put down. Rejects with what the worker fails with
 */
export async function serveHostQueue(
  paths: HostPaths,
  target: Pick<TemporalTarget, 'address' | 'namespace'>,
  work: { create(): Promise<Worker>; letGo(): Promise<void> },
  stop: AbortSignal,
): Promise<void> {
  // a folder of its own: replicas in containers share it, with the id that names the queue
  const lock = join(paths.state, 'host-queue', `${placeOf(target)}.lock`);
  while (!stop.aborted) {
    const release = await tryLock(lock);
    if (release === undefined) {
      await sleep(STAND_BY_MS, undefined, { signal: stop }).catch(() => undefined);
      continue;
    }
    try {
      await runUntil(await work.create(), stop);
    } finally {
      await work.letGo().finally(release);
    }
  }
}

/** Runs a worker until the signal fires. @throws what the worker fails with */
export async function runUntil(worker: Worker, stop: AbortSignal): Promise<void> {
  const end = (): void => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const run = worker.run();
  stop.addEventListener('abort', end, { once: true });
  if (stop.aborted) end();
  await run;
}

function placeOf({ address, namespace }: Pick<TemporalTarget, 'address' | 'namespace'>): string {
  return hexOf(digestOf(Buffer.from(`${address}/${namespace}`))).slice(0, 12);
}
