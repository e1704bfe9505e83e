import { CommanderError } from 'commander';
import type { SealiftHost } from '../contracts/host.ts';
import type { Problem } from '../contracts/errors.ts';
import { exitCodeOf, OperationFailedError, problemsOf } from './cli-error.ts';
import type { CommandEntry } from './command-table.ts';
import { createContext, type CommandContext, type GlobalOptions } from './context.ts';
import { errorText } from './display/errors.ts';
import { buildProgram } from './program.ts';
import { processTerminal, type Terminal } from './terminal.ts';

const USAGE_EXIT_CODE = 2;

/**
 * Runs one command line.
 *
 * @param argv the words after the program's name
 * @param host makes the machine's port; called at most once, and only by commands that need it
 * @returns the process exit code: 0 done, 1 failed, 2 usage, 3 configuration or credentials, 4 integrity, 5 partial or
 *   parked, 6 Temporal unreachable, 130 detached by Ctrl-C. Never throws.
 */
export async function main(
  argv: string[],
  host: () => Promise<SealiftHost> | SealiftHost,
  terminal: Terminal = processTerminal(),
): Promise<number> {
  const globals = globalOptions(argv);
  const context = createContext(
    terminal,
    host,
    () => globals,
    (made) => buildProgram(made, () => true),
  );
  try {
    const program = await buildProgram(context, (entry) => isNeeded(entry, argv));
    await program.parseAsync(argv.length === 0 ? ['--help'] : argv, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    context.status().end();
    return error instanceof CommanderError ? usageExit(context, error, argv) : failureExit(context, error);
  }
}

/** Looked for before parsing, since errors of parsing must be written in the right form too. */
function globalOptions(argv: readonly string[]): GlobalOptions {
  const at = argv.lastIndexOf('--output-format');
  const json = argv[at + 1] === 'json' && at !== -1;
  return {
    outputFormat: json || argv.includes('--output-format=json') ? 'json' : 'text',
    color: !argv.includes('--no-color'),
  };
}

function isNeeded({ words }: CommandEntry, argv: readonly string[]): boolean {
  return words.every((word) => argv.includes(word));
}

function failureExit(context: CommandContext, error: unknown): number {
  const { terminal } = context;
  const problems = problemsOf(error);
  terminal.stderr.write(errorText(problems));
  if (terminal.env.SEALIFT_DEBUG !== undefined && error instanceof Error) terminal.stderr.write(`${error.stack}\n`);
  return reported(context, problems, error instanceof OperationFailedError ? error.exitCode : exitCodeOf(problems));
}

/** Help that was asked for ends with 0; anything else commander throws is a wrong command line. */
function usageExit(context: CommandContext, error: CommanderError, argv: readonly string[]): number {
  if (error.exitCode === 0) return 0;
  const problem: Problem = {
    type: 'InvalidInput',
    side: 'local',
    operation: 'read command line',
    subject: `sealift ${argv
      .slice(0, 2)
      .filter((word) => !word.startsWith('-'))
      .join(' ')}`.trim(),
    message: error.code === 'commander.help' ? 'a command is missing' : oneLine(error.message),
    remedy: 'add --help to see what the command takes',
  };
  context.terminal.stderr.write(errorText([problem]));
  return reported(context, [problem], USAGE_EXIT_CODE);
}

function oneLine(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(/\s+/g, ' ')
    .trim();
}

function reported(context: CommandContext, problems: Problem[], exitCode: number): number {
  if (context.outputFormat === 'json') {
    context.result({ text: '', json: { kind: 'failure', exitCode, problems } });
  }
  return exitCode;
}
