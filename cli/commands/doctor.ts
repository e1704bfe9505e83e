import { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { findingsText } from '../display/result/findings.ts';

// something is missing: the exit code of a wrong configuration
const MISSING_EXIT_CODE = 3;

/** `sealift doctor` */
export function doctorCommand(context: CommandContext): Command {
  return new Command('doctor')
    .description('Look for what is missing on this machine, and say how to get it.')
    .action(async () => {
      const findings = await (await context.host()).doctor();
      context.result({ text: findingsText(findings), json: { kind: 'doctor', findings } });
      if (findings.some(({ status }) => status === 'missing')) context.exitCode = MISSING_EXIT_CODE;
    });
}
