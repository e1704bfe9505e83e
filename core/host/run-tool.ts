import { execFile } from 'node:child_process';
import { delimiter } from 'node:path';
import { promisify } from 'node:util';
import type { Side } from '../../contracts/errors.ts';
import type { ProviderContext } from '../../contracts/provider-plugin.ts';
import { SealiftError } from '../errors.ts';
import { errorCode } from './atomic-file.ts';

const MAX_OUTPUT = 64 * 1024 * 1024;
/** How much of a failed program's standard error is told. */
const TOLD = 2000;

export interface ToolOptions {
  /** what an error is about */
  side: Side;
  cwd?: string;
  /** added to the environment of this process */
  env?: Record<string, string>;
  /** when it is ended; never when absent */
  timeoutMs?: number;
  /** ends it */
  signal?: AbortSignal;
}

/**
 * Runs a program of this machine that asks nothing and ends by itself.
 * @returns its standard output; undefined when there is no such program
 * @throws SealiftError ToolFailed with the end of its standard error; the reason of the signal that ended it
 */
export async function runTool(
  command: string,
  args: readonly string[],
  { side, cwd, env, timeoutMs, signal }: ToolOptions,
): Promise<string | undefined> {
  const running = promisify(execFile)(command, args, {
    maxBuffer: MAX_OUTPUT,
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
  });
  running.child.stdin?.end();
  try {
    return (await running).stdout;
  } catch (error) {
    signal?.throwIfAborted();
    if (errorCode(error) === 'ENOENT') return undefined;
    const { stderr = '', killed = false } = error as { stderr?: string; killed?: boolean };
    const ended = killed && timeoutMs !== undefined ? `it was not done after ${timeoutMs / 1000} s` : undefined;
    throw new SealiftError('ToolFailed', {
      side,
      operation: 'run',
      subject: [command, ...args].join(' '),
      message: ended ?? (stderr.trim().slice(-TOLD) || (error instanceof Error ? error.message : String(error))),
      remedy: 'run the command by hand on the machine where the worker runs, and put right what it says',
      cause: error,
    });
  }
}

/**
 * How provider plugins run programs: those of the folders first, then those on PATH.
 * @param locate says where a program is otherwise; its name when it does not know better
 * @returns a function that throws SealiftError ToolMissing, and what `runTool` does
 */
export function toolRunner(
  folders: readonly string[],
  env: NodeJS.ProcessEnv,
  locate = (command: string) => Promise.resolve(command),
): ProviderContext['run'] {
  const path = [...folders, env['PATH'] ?? ''].join(delimiter);
  return async (command, args, options = {}) => {
    const output = await runTool(await locate(command), args, {
      ...options,
      side: 'local',
      env: { ...options.env, PATH: path },
    });
    if (output !== undefined) return output;
    throw new SealiftError('ToolMissing', {
      side: 'local',
      operation: 'run',
      subject: command,
      message: 'it is not on PATH of the machine where the worker runs',
      remedy: `install ${command} there, or put it on PATH`,
    });
  };
}
