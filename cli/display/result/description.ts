import type { Problem } from '../../../contracts/errors.ts';
import type { OperationResult, OperationState } from '../../../contracts/operations.ts';
import type { ResultDocument } from '../../context.ts';
import type { ActivityView } from '../../operations/operation-view.ts';
import { diagnosticsLines, problemLines } from '../errors.ts';
import { printable } from '../format.ts';
import type { ProgressView } from '../status/progress-view.ts';
import { summaryLine } from '../status/render.ts';
import { decisionLines, operationResultDocument } from './operation-result.ts';

/** Everything `sealift describe` tells. */
export interface OperationDescription {
  operation: string;
  runId: string;
  status: string;
  title: string;
  /** ISO 8601 */
  started: string;
  ended: string | null;
  ui: string | null;
  state: OperationState | null;
  progress: ProgressView;
  activities: ActivityView[];
  /** why it failed */
  problems: Problem[];
  result: OperationResult | null;
}

/** The description in both forms. */
export function descriptionDocument(description: OperationDescription): ResultDocument {
  const { progress, ...json } = description;
  const { operation, title, status, started, ended, ui } = description;
  const facts = [
    ['Operation', operation],
    ['What', title],
    ['Status', status],
    ['Progress', ended === null ? summaryLine(progress, undefined) : ''],
    ['Started', started],
    ['Ended', ended ?? ''],
    ['Temporal UI', ui ?? ''],
  ];
  const text = facts
    .filter(([, value]) => value !== '')
    .map(([name = '', value = '']) => `${`${name}:`.padEnd(13)}${printable(value)}\n`)
    .join('');
  return { text: text + activitySection(description) + endSection(description), json: { kind: 'operation', ...json } };
}

function activitySection({ activities }: OperationDescription): string {
  if (activities.length === 0) return '';
  const lines = activities.map(({ name, attempt, started, worker, lastProblem }) => {
    const how = started ? `runs on ${worker}` : 'waits for a worker or its next try';
    const failed =
      lastProblem === undefined
        ? ''
        : `    last try: ${problemLines(lastProblem).trimEnd().replaceAll('\n', '\n    ')}\n`;
    return `  ${name}, attempt ${attempt}: ${printable(how)}\n${failed}`;
  });
  return `\nUnder way:\n${lines.join('')}`;
}

function endSection({ operation, state, status, problems, result }: OperationDescription): string {
  const parked = state?.parked ?? [];
  if (status === 'parked' || (status === 'running' && parked.length > 0)) {
    const items = parked.map(
      (item) => `  ${printable(item.item)}\n    ${problemLines(item).trimEnd().replaceAll('\n', '\n    ')}\n`,
    );
    const hidden = (state?.parkedCount ?? 0) - parked.length;
    const more = hidden > 0 ? `  and ${hidden} more\n` : '';
    return `\nParked, waiting for a decision:\n${items.join('')}${more}${diagnosticsLines(parked)}\nPut it right, then decide:\n${decisionLines(operation, parked)}`;
  }
  if (problems.length > 0) {
    const failed = problems.map((problem) => `  ${problemLines(problem)}`).join('');
    return `\nFailed:\n${failed}${diagnosticsLines(problems)}`;
  }
  return result === null ? '' : `\n${operationResultDocument({ id: operation, ui: undefined }, result).text}`;
}
