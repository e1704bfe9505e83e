import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { memoKeys, type OperationState } from '../../contracts/operations.ts';
import type { CommandContext } from '../context.ts';
import { allOperationsQuery } from './find-operation.ts';
import { leaveOnInterrupt } from './interruption.ts';
import { withSession, type Opening } from './opening.ts';

const MAX_POLL_SECONDS = 5;

/**
 * Runs a worker until Ctrl-C or, with `idleSeconds`, until for so long no operation could go on: those that are parked or
 * paused wait for a person, not for a worker.
 */
export async function runWorker(
  context: CommandContext,
  opening: Opening,
  idleSeconds: number | undefined,
): Promise<void> {
  const { host, place } = opening;
  const status = context.status();
  const { left, release } = leaveOnInterrupt(context.terminal);
  const over = new AbortController();
  left.addEventListener('abort', () => over.abort(), { once: true });
  const worker = await host.workers.start(place.target, 'service');
  const { address, namespace } = place.target;
  status.note(`Worker ${worker.identity} works for ${address}, namespace ${namespace}. Ctrl-C ends it.`);
  try {
    const broken = worker.done.finally(() => over.abort());
    const idle = idleSeconds === undefined ? untilAborted(over.signal) : untilIdle(opening, idleSeconds, over.signal);
    await Promise.race([idle, untilAborted(over.signal), broken]);
    status.note(left.aborted ? 'Ending; what is under way is kept.' : 'No work; ending.');
    await worker.stop();
    await broken;
  } finally {
    over.abort();
    release();
  }
}

async function untilIdle(opening: Opening, idleSeconds: number, over: AbortSignal): Promise<void> {
  await withSession(opening, async ({ client }) => {
    const step = Math.min(MAX_POLL_SECONDS, idleSeconds);
    for (let idle = 0; idle < idleSeconds && !over.aborted; idle += step) {
      await sleep(step * 1000, undefined, { signal: over }).catch(() => undefined);
      // a server that does not answer is no reason to end: the worker waits for it too
      if (await canGoOn(client).catch(() => true)) idle = -step;
    }
  });
}

async function canGoOn(client: Client): Promise<boolean> {
  for await (const run of client.workflow.list({ query: `${allOperationsQuery} AND ExecutionStatus = 'Running'` })) {
    const state = run.memo?.[memoKeys.state] as OperationState | undefined;
    if (state === undefined || (state.parked.length === 0 && !state.paused)) return true;
  }
  return false;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
