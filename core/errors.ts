import {
  errorKinds,
  problemText,
  type Disposition,
  type ErrorType,
  type Problem,
  type Side,
} from '../contracts/errors.ts';

export interface SealiftErrorOptions {
  side: Side;
  operation: string;
  subject: string;
  message: string;
  remedy?: string;
  cause?: unknown;
  /** the soonest another try makes sense, in milliseconds from now */
  retryAfterMs?: number;
}

/** The one error class of Sealift: a named problem with side, operation, subject and remedy. URLs are redacted here, once. */
export class SealiftError extends Error {
  readonly problem: Problem;
  readonly retryAfterMs: number | undefined;

  constructor(type: ErrorType, options: SealiftErrorOptions) {
    const problem: Problem = {
      type,
      side: options.side,
      operation: options.operation,
      subject: redact(options.subject),
      message: redact(options.message),
      remedy: redact(options.remedy ?? ''),
    };
    super(problemText(problem), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = type;
    this.problem = problem;
    this.retryAfterMs = options.retryAfterMs;
  }

  get type(): ErrorType {
    return this.problem.type;
  }

  get disposition(): Disposition {
    return errorKinds[this.problem.type].disposition;
  }
}

/** Removes what may be secret from text that holds URLs: user info, and every query value (upload and CDN URLs carry tokens). */
export function redact(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1***@')
    .replace(/([?&][A-Za-z0-9_.~%-]+=)[^&\s"'<>]+/g, '$1***');
}

export function isErrorType(thrown: unknown, type: ErrorType): thrown is SealiftError {
  return thrown instanceof SealiftError && thrown.type === type;
}

/** Any thrown value as a SealiftError: our own pass through, the rest becomes InternalError with the value as its cause. */
export function asSealiftError(
  thrown: unknown,
  context: { side: Side; operation: string; subject: string },
): SealiftError {
  if (thrown instanceof SealiftError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SealiftError('InternalError', {
    ...context,
    message,
    remedy: 'this is a defect in Sealift; please report it with the output of `sealift describe`',
    cause: thrown,
  });
}
