import { problemText } from '../../contracts/errors.ts';
import type { OperationState } from '../../contracts/operations.ts';

/** The operation as Markdown for the Temporal UI's current details. */
export function describeState(title: string, state: OperationState): string {
  const lines = [`### ${title}`, '', '| phase | items | bytes |', '| --- | --- | --- |'];
  const phase = state.paused ? `${state.phase} (paused)` : state.phase;
  lines.push(
    `| ${phase} | ${ratio(state.itemsDone, state.itemsTotal)} | ${ratio(state.bytesDone, state.bytesTotal)} |`,
  );
  if (state.parkedCount > 0) {
    lines.push('', `**Waiting for a decision on ${state.parkedCount}**: \`sealift retry\`, \`skip\` or \`abort\``, '');
    for (const item of state.parked) lines.push(`- \`${item.item}\`: ${problemText(item).replace('\n', ' ')}`);
  }
  return lines.join('\n');
}

function ratio(done: number, total: number): string {
  return total === 0 ? '' : `${done} of ${total}`;
}
