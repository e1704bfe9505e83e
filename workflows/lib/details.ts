import { count, formatBytes } from '../../contracts/format.ts';
import type { Batch, OperationState, ParkedItem } from '../../contracts/operations.ts';

/** Temporal takes at most 20 KB of details. */
const MAX_PARKED_CHARACTERS = 12_000;

/** The operation as Markdown for the Temporal UI's current details. */
export function describeState(title: string, state: OperationState): string {
  const lines = [`### ${title}`, '', '| phase | items | bytes |', '| --- | --- | --- |'];
  const phase = state.paused ? `${state.phase} (paused)` : state.phase;
  const items = state.itemsTotal === 0 ? '' : `${state.itemsDone} of ${state.itemsTotal}`;
  const bytes = state.bytesTotal === 0 ? '' : `${formatBytes(state.bytesDone)} of ${formatBytes(state.bytesTotal)}`;
  lines.push(`| ${phase} | ${items} | ${bytes} |`);
  if (state.parkedCount > 0) lines.push(...parkedLines(state));
  return lines.join('\n');
}

/** What one batch is, for its line in the Temporal UI. */
export function batchSummary({ index, items, bytes }: Batch, of: number): string {
  return `batch ${index + 1} of ${of}: ${count(items, 'blob')}, ${formatBytes(bytes)}`;
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function parkedLines(state: OperationState): string[] {
  const lines = [
    '',
    `**Waiting for a decision on ${state.parkedCount}**: \`sealift retry\`, \`skip\` or \`abort\``,
    '',
  ];
  let shown = 0;
  let characters = 0;
  for (const item of state.parked) {
    const line = parkedLine(item);
    characters += line.length;
    if (characters > MAX_PARKED_CHARACTERS) break;
    lines.push(line);
    shown += 1;
  }
  if (shown < state.parkedCount) lines.push(`- and ${state.parkedCount - shown} more`);
  const archives = new Set(state.parked.flatMap(({ diagnostics }) => diagnostics ?? []));
  for (const archive of archives) lines.push('', `Diagnostics, without secrets: \`${archive}\``);
  return lines;
}

/** What to do first: a person who looks here wants to know that. */
function parkedLine({ item, message, remedy, side, operation, subject }: ParkedItem): string {
  const name = item === subject ? '' : `\n  - item: \`${item}\``;
  return `- ${message}: **${remedy}**\n  - ${side}, ${operation}: \`${subject}\`${name}`;
}
