import { errorKinds, type ErrorKind, type Problem } from '../../contracts/errors.ts';
import { isProblem } from '../cli-error.ts';

/**
 * The problems inside a failure that Temporal reports: those the workflow or activity attached as its first detail, else
 * one made of what the failure says. Failures are told apart by name, since classes do not survive the wire.
 *
 * @param subject what failed, for a failure that does not say
 */
export function problemsOfFailure(failure: Error, subject: string): Problem[] {
  let last = failure;
  for (let error: unknown = failure; error instanceof Error; error = error.cause) {
    const attached = attachedProblems(error);
    if (attached.length > 0) return attached;
    last = error;
  }
  if (last.name === 'CancelledFailure') return [ended(subject, 'the operation was cancelled')];
  if (last.name === 'TerminatedFailure') return [ended(subject, 'the operation was terminated')];
  const type = 'type' in last && typeof last.type === 'string' ? last.type : last.name;
  return [
    {
      type: 'InternalError',
      side: 'temporal',
      operation: 'run',
      subject,
      message: type === 'WorkerDied' ? last.message : `${type}: ${last.message}`,
      remedy: '',
    },
  ];
}

/** The exit code of the first failure in the chain whose type is one of Sealift's; undefined when none is. */
export function exitCodeOfFailure(failure: Error): number | undefined {
  const kinds: Record<string, ErrorKind | undefined> = errorKinds;
  for (let error: unknown = failure; error instanceof Error; error = error.cause) {
    const kind = 'type' in error && typeof error.type === 'string' ? kinds[error.type] : undefined;
    if (kind !== undefined) return kind.exitCode;
  }
  return undefined;
}

function attachedProblems(error: Error): Problem[] {
  const details: unknown = 'details' in error && Array.isArray(error.details) ? error.details[0] : undefined;
  return (Array.isArray(details) ? (details as unknown[]) : [details]).filter(isProblem);
}

function ended(subject: string, message: string): Problem {
  return {
    type: 'OperationAborted',
    side: 'temporal',
    operation: 'run',
    subject,
    message,
    remedy: 'the same command again starts anew with what is already there',
  };
}
