import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../core/server/free-port.ts';

export interface ProcessOptions {
  command: string;
  args: string[];
  /** replaces the whole environment; the caller's when absent */
  env?: Record<string, string>;
  cwd?: string;
  /** asked every 25 ms until it says true; a rejection counts as "not yet". Absent: ready as soon as it runs */
  ready?: () => Promise<boolean>;
  /** milliseconds until a process that is not ready is given up; 30,000 when absent */
  readyTimeoutMs?: number;
  /** characters of its output that `log` keeps, the last ones; 256 Ki when absent */
  logLimit?: number;
}

export interface RunningProcess {
  pid: number;
  /** everything it wrote to stdout and stderr so far (the last `logLimit` of it) */
  log(): string;
  /** resolves with the exit code, or the signal's name */
  exited: Promise<number | NodeJS.Signals>;
  /** SIGTERM, and SIGKILL after five seconds. Idempotent. */
  stop(): Promise<void>;
  /** SIGKILL. Idempotent. */
  kill(): Promise<void>;
}

const defaultLogLimit = 256 * 1024;
const alive = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/**
 * Starts a child process and waits until it is ready. The child dies with this process even when that is killed -9
 * (Linux: PR_SET_PDEATHSIG through util-linux `setpriv`).
 * @throws Error with the child's output when it ends, or is not ready in time
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const [command, args] = dyingWithParent(options.command, options.args);
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const running = follow(child, options);
  try {
    await untilReady(running, options);
  } catch (error) {
    await running.kill();
    throw error;
  }
  return running;
}

/** The command line that makes a child die with its parent, where the system can. */
export function dyingWithParent(command: string, args: string[]): [string, string[]] {
  const setpriv = '/usr/bin/setpriv';
  return existsSync(setpriv) ? [setpriv, ['--pdeathsig', 'KILL', '--', command, ...args]] : [command, args];
}

function follow(child: ChildProcess, { command, logLimit = defaultLogLimit }: ProcessOptions): RunningProcess {
  alive.add(child);
  let log = '';
  const collect = (chunk: Buffer): void => {
    log = (log + chunk.toString('utf8')).slice(-logLimit);
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('error', (error) => {
      log += `${command}: ${error.message}\n`;
      alive.delete(child);
      resolve(127);
    });
    child.once('exit', (code, signal) => {
      alive.delete(child);
      resolve(code ?? signal ?? 1);
    });
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (alive.has(child)) child.kill(signal);
    await exited;
  };
  return {
    pid: child.pid ?? -1,
    log: () => log,
    exited,
    kill: () => end('SIGKILL'),
    stop: async () => {
      const insist = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await end('SIGTERM').finally(() => {
        clearTimeout(insist);
      });
    },
  };
}

async function untilReady(running: RunningProcess, options: ProcessOptions): Promise<void> {
  const { ready, readyTimeoutMs = 30_000 } = options;
  if (ready === undefined) return;
  let ended: number | string | undefined;
  void running.exited.then((code) => (ended = code));
  const deadline = Date.now() + readyTimeoutMs;
  while (!(await ready().catch(() => false))) {
    if (ended !== undefined) throw new Error(`${options.command} ended with ${ended}:\n${running.log()}`);
    if (Date.now() > deadline) throw new Error(`${options.command} was not ready in time:\n${running.log()}`);
    await sleep(25);
  }
}

/** Starts something on free ports, and again on others when somebody else took one in between. */
export async function onFreePorts<T>(count: number, start: (ports: number[]) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
    try {
      return await start(ports);
    } catch (error) {
      if (attempt === 3 || !/address already in use|EADDRINUSE/i.test(String(error))) throw error;
    }
  }
}

export interface Finished {
  code: number | NodeJS.Signals;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** written to the child's standard input */
  input?: string;
}

/** Runs a command to its end, whatever its exit code. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<Finished> {
  const [wrapped, wrappedArgs] = dyingWithParent(command, args);
  const child = spawn(wrapped, wrappedArgs, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // a command that never reads its input closes the pipe early
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => {
      resolve(status ?? signal ?? 1);
    });
  });
  return { code, stdout: Buffer.concat(stdout).toString('utf8'), stderr: Buffer.concat(stderr).toString('utf8') };
}

/** Runs a command that has to succeed. @returns its stdout @throws Error with what it wrote */
export async function runOk(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}
