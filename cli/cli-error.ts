import { errorKinds, type ErrorType, type Problem, type Side } from '../contracts/errors.ts';

/** A problem that the command line itself found. What comes from other parts carries its `problem` in the same shape. */
export class CliError extends Error {
  readonly problem: Problem;

  constructor(
    type: ErrorType,
    problem: { side?: Side; operation: string; subject: string; message: string; remedy?: string },
  ) {
    super(problem.message);
    this.name = type;
    this.problem = { type, ...problem, side: problem.side ?? 'local', remedy: problem.remedy ?? '' };
  }
}

/** An operation ended with these problems. */
export class OperationFailedError extends Error {
  readonly problems: Problem[];
  readonly exitCode: number;

  /** @param exitCode that of the first problem when not given */
  constructor(problems: Problem[], exitCode = exitCodeOf(problems)) {
    super(problems.map((problem) => problem.message).join('; '));
    this.name = 'OperationFailed';
    this.problems = problems;
    this.exitCode = exitCode;
  }
}

/** The problems inside anything that was thrown; never empty. */
export function problemsOf(thrown: unknown): Problem[] {
  if (thrown instanceof OperationFailedError) return thrown.problems;
  if (thrown instanceof Error && 'problem' in thrown && isProblem(thrown.problem)) return [thrown.problem];
  return [
    {
      type: 'InternalError',
      side: 'local',
      operation: 'run',
      subject: 'sealift',
      message: thrown instanceof Error ? thrown.message : String(thrown),
      remedy: 'this is a defect in Sealift; SEALIFT_DEBUG=1 shows where it happened',
    },
  ];
}

/** The process exit code for problems: that of the first one (contracts/errors.ts). */
export function exitCodeOf(problems: readonly Problem[]): number {
  const [first] = problems;
  return first === undefined ? 1 : errorKinds[first.type].exitCode;
}

/** Whether a decoded value (an error's field, the details of a failure) is a problem whose type Sealift knows. */
export function isProblem(value: unknown): value is Problem {
  if (typeof value !== 'object' || value === null) return false;
  const { type, message } = value as Partial<Record<keyof Problem, unknown>>;
  return typeof type === 'string' && type in errorKinds && typeof message === 'string';
}
