import { ApplicationFailure, Context } from '@temporalio/activity';
import type { ActivityProgress } from '../../contracts/operations.ts';
import { asSealiftError, type SealiftError } from '../../core/errors.ts';
import { ItemsFailed } from '../../core/transfer/failures.ts';
import type { WorkHooks } from '../../core/transfer/progress.ts';

const HEARTBEAT_EVERY_MS = 1000;
/** Problems travel in the failure's payload; the rest is counted in its message. */
const SHOWN_PROBLEMS = 50;

/**
 * Runs core code as an activity: its progress becomes heartbeats (by timer, so that a long hash is not taken for a dead
 * worker), cancellation its abort signal, and its errors failures that cross Temporal by type name.
 */
export async function runActivity<T>(operation: string, work: (hooks: WorkHooks) => Promise<T>): Promise<T> {
  const context = Context.current();
  let latest: ActivityProgress | undefined;
  const timer = setInterval(() => context.heartbeat(latest), HEARTBEAT_EVERY_MS);
  context.heartbeat();
  try {
    return await work({
      signal: context.cancellationSignal,
      report: (progress) => {
        latest = progress;
      },
    });
  } catch (error) {
    if (context.cancellationSignal.aborted) throw context.cancellationSignal.reason;
    throw toApplicationFailure(error, operation);
  } finally {
    clearInterval(timer);
    if (latest !== undefined) context.heartbeat(latest);
  }
}

/**
 * permanent: not retried, fails the operation; transient: retried by Temporal, not before Retry-After; mendable: not
 * retried, so that the operation parks at once. `details[0]` holds the problems as ParkedItem[].
 */
export function toApplicationFailure(thrown: unknown, operation: string): ApplicationFailure {
  const failed = thrown instanceof ItemsFailed ? thrown : undefined;
  const errors = failed?.errors ?? [asSealiftError(thrown, { side: 'local', operation, subject: 'this machine' })];
  const items = failed?.items ?? errors.map((error) => ({ item: error.problem.subject, ...error.problem }));
  const lead = errors.find(isOf('permanent')) ?? errors.find(isOf('transient')) ?? errors[0]!;
  const ordered = [...items].sort((a, b) => Number(b.type === lead.type) - Number(a.type === lead.type));
  return ApplicationFailure.create({
    type: lead.type,
    message: items.length === 1 ? lead.message : `${items.length} items failed, the first: ${lead.message}`,
    nonRetryable: lead.disposition !== 'transient',
    details: [ordered.slice(0, SHOWN_PROBLEMS)],
    ...(lead.retryAfterMs === undefined ? {} : { nextRetryDelay: lead.retryAfterMs }),
  });
}

function isOf(disposition: SealiftError['disposition']): (error: SealiftError) => boolean {
  return (error) => error.disposition === disposition;
}
