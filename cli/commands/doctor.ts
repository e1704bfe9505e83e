import { Command } from 'commander';
import type { DoctorFinding } from '../../contracts/host.ts';
import type { CommandContext } from '../context.ts';

const marks: Record<DoctorFinding['status'], string> = { ok: 'ok      ', warning: 'warning ', missing: 'missing ' };

// something is missing: the exit code of a wrong configuration
const MISSING_EXIT_CODE = 3;

/** `sealift doctor` */
export function doctorCommand(context: CommandContext): Command {
  return new Command('doctor')
    .description('Look for what is missing on this machine, and say how to get it.')
    .action(async () => {
      const findings = await (await context.host()).doctor();
      const text = findings.map(findingText).join('');
      context.result({ text, json: { kind: 'doctor', findings } });
      if (findings.some(({ status }) => status === 'missing')) context.exitCode = MISSING_EXIT_CODE;
    });
}

function findingText({ subject, status, detail, remedy }: DoctorFinding): string {
  const advice = status === 'ok' || remedy === '' ? '' : `          remedy: ${remedy}\n`;
  return `${marks[status]}  ${subject}${detail === '' ? '' : `: ${detail}`}\n${advice}`;
}
