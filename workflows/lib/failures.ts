import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { errorKinds, type ErrorType } from '../../contracts/errors.ts';
import type { ParkedItem } from '../../contracts/operations.ts';

/**
 * What an operator can decide about, out of a failed activity.
 * @returns undefined when nothing can be decided: a permanent error, a cancellation, a defect
 */
export function problemsOf(error: unknown): ParkedItem[] | undefined {
  if (!(error instanceof ActivityFailure)) return undefined;
  const cause = error.cause;
  if (cause instanceof TimeoutFailure) return [unfinished(error, 'no worker finished it in time')];
  if (!(cause instanceof ApplicationFailure)) return undefined;
  // Said by a command that found the process gone: no fault of the step.
  if (cause.type === 'WorkerDied') return [unfinished(error, cause.message)];
  const problems = cause.details?.[0];
  if (!Array.isArray(problems) || problems.length === 0) return undefined;
  const items = problems as ParkedItem[];
  return items.some((item) => dispositionOf(item.type) === 'permanent') ? undefined : items;
}

function dispositionOf(type: ErrorType): string {
  return (errorKinds[type] as { disposition: string } | undefined)?.disposition ?? 'permanent';
}

function unfinished(error: ActivityFailure, message: string): ParkedItem {
  return {
    item: error.activityType,
    type: 'ConnectionFailed',
    side: 'temporal',
    operation: 'run activity',
    subject: error.activityType,
    message,
    remedy: 'start a worker with `sealift worker` on the machine that holds the files, then retry',
  };
}
