import { printable } from '../format.ts';

/** Something that was looked at, as `doctor` and `check node` tell it. */
export interface Finding {
  subject: string;
  /** one short word */
  status: string;
  detail: string;
  remedy: string;
}

const STATUS_WIDTH = 10;

/** One line a finding, and one with its remedy below where something is not as it should be. */
export function findingsText(findings: readonly Finding[]): string {
  return findings.map(findingText).join('');
}

function findingText({ subject, status, detail, remedy }: Finding): string {
  const advice = status === 'ok' || remedy === '' ? '' : `${' '.repeat(STATUS_WIDTH)}remedy: ${printable(remedy)}\n`;
  const line = `${status.padEnd(STATUS_WIDTH)}${subject}${detail === '' ? '' : `: ${detail}`}`;
  return `${printable(line)}\n${advice}`;
}
