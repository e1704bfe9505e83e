import type { Problem } from '../../contracts/errors.ts';
import { printable } from './format.ts';

/** Problems as they are written on stderr: what went wrong, what it was done to, what to do now. */
export function errorText(problems: readonly Problem[]): string {
  return problems.map((problem) => `Error: ${problemLines(problem)}`).join('') + diagnosticsLines(problems);
}

/** Where more is to be read about problems, a line for each archive. */
export function diagnosticsLines(problems: readonly Problem[]): string {
  const archives = new Set(problems.flatMap(({ diagnostics }) => diagnostics ?? []));
  return [...archives].map((archive) => `Diagnostics, without secrets: ${printable(archive)}\n`).join('');
}

/** One problem without the word in front; ends with a newline. */
export function problemLines(problem: Problem): string {
  const where = problem.side === 'local' ? '' : ` (${problem.side})`;
  const remedy = problem.remedy === '' ? '' : `  remedy: ${printable(problem.remedy)}\n`;
  const what = `${problem.operation} ${problem.subject}${where}: ${problem.message}`;
  return `${printable(what)}\n  type: ${problem.type}\n${remedy}`;
}
