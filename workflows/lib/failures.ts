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
  // Said by a command that found the process gone: no fault of the step.
  if (cause instanceof ApplicationFailure && cause.type === 'WorkerDied') return [unfinished(error, cause.message)];
  const items = attachedProblems(error);
  return items?.some(isPermanent) === true ? undefined : items;
}

/** Those of a failed activity that nobody can decide about; undefined of anything else. */
export function permanentProblemsOf(error: unknown): ParkedItem[] | undefined {
  const items = attachedProblems(error);
  return items?.some(isPermanent) === true ? items : undefined;
}

/** The same failure of an activity, with these problems attached. */
export function withProblems(error: unknown, problems: ParkedItem[]): unknown {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return error;
  const { type, message } = error.cause;
  return ApplicationFailure.create({
    ...(type == null ? {} : { type }),
    nonRetryable: true,
    message,
    details: [problems],
    cause: error,
  });
}

function attachedProblems(error: unknown): ParkedItem[] | undefined {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return undefined;
  const problems = error.cause.details?.[0];
  return Array.isArray(problems) && problems.length > 0 ? (problems as ParkedItem[]) : undefined;
}

function isPermanent({ type }: ParkedItem): boolean {
  return dispositionOf(type) === 'permanent';
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
