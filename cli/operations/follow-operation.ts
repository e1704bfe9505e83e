import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { Problem } from '../../contracts/errors.ts';
import type { LocalWorkers } from '../../contracts/host.ts';
import type { OperationResult, ParkedItem } from '../../contracts/operations.ts';
import { exitCodeOf } from '../cli-error.ts';
import type { StatusDisplay } from '../display/status/progress-view.ts';
import type { CommandWorker } from './command-worker.ts';
import { endDeadAttempts } from './dead-attempts.ts';
import { isParked, operationView, progressView } from './operation-view.ts';
import type { Session } from './session.ts';
import { exitCodeOfFailure, problemsOfFailure } from './workflow-failure.ts';

/** How watching an operation ended. */
export type Outcome =
  | { kind: 'completed'; result: OperationResult }
  | {
      kind: 'failed';
      problems: Problem[];
      exitCode: number;
      /** as the operator wanted */ ended?: 'aborted' | 'cancelled';
    }
  | { kind: 'parked'; parked: ParkedItem[]; parkedCount: number }
  | { kind: 'detached' };

export interface FollowOptions {
  session: Session;
  id: string;
  workers: LocalWorkers;
  worker: CommandWorker;
  status: StatusDisplay;
  /** fires when the operator wants to leave */
  left: AbortSignal;
}

const POLL_MS = 500;
// a background worker may be stopped while we watch: then the command must work itself
const POLLS_PER_WORKER_CHECK = 6;

/** Shows an operation's progress until it ends, parks, or the operator leaves. */
export async function followOperation(options: FollowOptions): Promise<Outcome> {
  const { session, id, left } = options;
  const handle = session.client.workflow.getHandle(id);
  const stop = new AbortController();
  const whenLeft = new Promise<Outcome>((resolve) => {
    if (left.aborted) resolve({ kind: 'detached' });
    left.addEventListener('abort', () => resolve({ kind: 'detached' }), { once: true });
  });
  try {
    return await Promise.race([operationEnd(handle, id), untilParked(options, handle, stop.signal), whenLeft]);
  } finally {
    stop.abort();
  }
}

/** Waits for the end of the last run. */
export async function operationEnd(handle: WorkflowHandle, id: string): Promise<Outcome> {
  try {
    return { kind: 'completed', result: (await handle.result()) as OperationResult };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const problems = problemsOfFailure(error.cause ?? error, id);
    const ended = endOf(error);
    const exitCode = exitCodeOfFailure(error) ?? exitCodeOf(problems);
    return { kind: 'failed', problems, exitCode, ...(ended === undefined ? {} : { ended }) };
  }
}

/** Whether it ended by the operator's word, and nothing else went wrong on the way. */
function endOf({ cause }: WorkflowFailedError): 'aborted' | 'cancelled' | undefined {
  if (cause instanceof CancelledFailure) return 'cancelled';
  return cause instanceof ApplicationFailure && cause.type === 'OperationAborted' ? 'aborted' : undefined;
}

async function untilParked(options: FollowOptions, handle: WorkflowHandle, stop: AbortSignal): Promise<Outcome> {
  const { session, workers, worker, status } = options;
  for (let poll = 0; ; poll += 1) {
    const view = await operationView(session.client, await handle.describe());
    // the end is told by its result; another run of the same id is no concern of ours
    if (stop.aborted || view.status !== 'RUNNING') return new Promise(() => undefined);
    status.progress(progressView(view));
    if (isParked(view)) {
      return { kind: 'parked', parked: view.state?.parked ?? [], parkedCount: view.state?.parkedCount ?? 0 };
    }
    await endDeadAttempts(session.client, workers, view);
    if (poll % POLLS_PER_WORKER_CHECK === 0) await worker.ensure();
    await sleep(POLL_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}
