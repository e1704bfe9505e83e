import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealiftError } from '../errors.ts';
import { readFileIfPresent } from '../host/atomic-file.ts';
import { isEnding, isSameProcess } from '../host/process-start-time.ts';

const POLL_MS = 50;
const STOP_MS = 10_000;
const DEFAULT_READY_MS = 120_000;
/** On a machine that is short of time a program gives up what it waits for, and is well the next time. */
const MAX_RESTARTS = 2;
const RESTART_PAUSE_MS = 1_000;
const PORT_TAKEN = /address already in use/i;
const MAX_PORT_TRIES = 3;

/** A program in the background that outlives who started it. */
export interface Daemon {
  /** its name among those of the folder; `<folder>/<name>.pid` is its record and `<folder>/<name>.log` its output */
  name: string;
  folder: string;
}

/** How to see that it does its work. */
export interface RunningDaemon extends Daemon {
  /** asked until it says true; a rejection is "not yet" */
  ready(): Promise<boolean>;
  readyTimeoutMs?: number;
}

export interface DaemonStart extends RunningDaemon {
  command: string;
  args: readonly string[];
  /** the whole environment */
  env: Record<string, string>;
}

/**
 * Writes down boot, pid and start time before the program begins, and stays the same process: whoever started it may be
 * killed at any moment, and the program is never one that nobody knows of.
 */
const RECORDING = 'cat /proc/sys/kernel/random/boot_id /proc/$$/stat >"$0.new" && mv "$0.new" "$0" && exec "$@"';

/** The command line of a program that writes its own record, so that `stopDaemon` finds it whatever becomes of its starter. */
export function recordedCommand(daemon: Daemon, command: string, args: readonly string[]): [string, string[]] {
  return ['/bin/sh', ['-c', RECORDING, recordPath(daemon), command, ...args]];
}

/** Whether the process that was started last still lives; another one that has its pid since does not count. */
export async function daemonLives(daemon: Daemon): Promise<boolean> {
  const record = await readRecord(daemon);
  return record !== undefined && isSameProcess(record.pid, record.startTime);
}

/**
 * Starts a program and waits until it is ready.
 * @throws SealiftError ToolFailed with its last line when it ends or is not ready in time (it is stopped then); PathUnwritable
 */
export async function startDaemon(start: DaemonStart): Promise<void> {
  await launchDaemon(start);
  await untilDaemonReady(start);
}

/** Starts a program and does not wait. @throws SealiftError ToolFailed, PathUnwritable */
async function launchDaemon(start: DaemonStart): Promise<void> {
  const record = recordPath(start);
  const output = await openLog(start);
  // what an earlier process left would be taken for this one until the new record is there
  await rm(record, { force: true });
  const child = spawn(...recordedCommand(start, start.command, start.args), {
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
    env: start.env,
    cwd: start.folder,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        reject(daemonFailure(start, error.message));
      });
    });
    const deadline = Date.now() + STOP_MS;
    while ((await readRecord(start)) === undefined && child.exitCode === null && Date.now() < deadline) await sleep(5);
  } finally {
    child.unref();
    await output.close();
  }
}

/** Waits until a launched program is ready; one that ends before is started again a few times. @throws SealiftError as `startDaemon` */
async function untilDaemonReady(start: DaemonStart): Promise<void> {
  const { readyTimeoutMs = DEFAULT_READY_MS } = start;
  const deadline = Date.now() + readyTimeoutMs;
  for (let restarts = 0; ; restarts += 1) {
    const outcome = await settled(start, deadline);
    if (outcome === 'ready') return;
    const said = await lastLogLine(start);
    if (outcome === 'late') {
      await stopDaemon(start);
      throw daemonFailure(start, `it was not ready within ${readyTimeoutMs / 1000} s: ${said}`);
    }
    if (restarts === MAX_RESTARTS || PORT_TAKEN.test(said)) throw daemonFailure(start, `it ended at once: ${said}`);
    await sleep(RESTART_PAUSE_MS);
    await launchDaemon(start);
  }
}

/** What becomes of a program that was launched. @param deadline as Date.now() */
async function settled(running: RunningDaemon, deadline: number): Promise<'ready' | 'ended' | 'late'> {
  while (!(await running.ready().catch(() => false))) {
    if (!(await daemonLives(running))) return 'ended';
    if (Date.now() > deadline) return 'late';
    await sleep(POLL_MS);
  }
  return 'ready';
}

/**
 * Whether a program that was started before lives and is ready, or becomes it. One that was killed just now may be found still
 * ending, and may even accept connections: it does not serve.
 */
export async function daemonServes(running: RunningDaemon): Promise<boolean> {
  if (!(await daemonLives(running))) return false;
  const { readyTimeoutMs = DEFAULT_READY_MS } = running;
  if ((await settled(running, Date.now() + readyTimeoutMs)) !== 'ready') return false;
  const record = await readRecord(running);
  return record !== undefined && !(await isEnding(record.pid));
}

/** SIGTERM, then SIGKILL. @returns whether it lived @throws SealiftError ToolFailed when it does not end */
export async function stopDaemon(daemon: Daemon): Promise<boolean> {
  const record = await readRecord(daemon);
  if (record === undefined) return false;
  const lived = await isSameProcess(record.pid, record.startTime);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    // asked again before each signal, so that a process that took over the pid is never hit
    if (!(await isSameProcess(record.pid, record.startTime))) break;
    process.kill(record.pid, signal);
    await untilEnded(record);
  }
  if (await isSameProcess(record.pid, record.startTime)) throw daemonFailure(daemon, 'it does not end');
  await rm(recordPath(daemon), { force: true });
  return lived;
}

/** The pid of a daemon that lives. */
export async function daemonPid(daemon: Daemon): Promise<number | undefined> {
  return (await daemonLives(daemon)) ? (await readRecord(daemon))?.pid : undefined;
}

interface ProcessRecord {
  pid: number;
  /** as processStartTime makes it */
  startTime: string;
}

async function readRecord(daemon: Daemon): Promise<ProcessRecord | undefined> {
  const text = await readFileIfPresent(recordPath(daemon));
  const match = /^(\S{8})\S*\n(\d+) \(.*\) (.*)\n$/s.exec(text ?? '');
  if (match === null) return undefined;
  // proc(5): field 22 is the start time, and the third group begins at field 3
  return { pid: Number(match[2]), startTime: `${match[1]}.${match[3]?.split(' ')[19]}` };
}

async function untilEnded(record: ProcessRecord): Promise<void> {
  const deadline = Date.now() + STOP_MS;
  while ((await isSameProcess(record.pid, record.startTime)) && Date.now() < deadline) await sleep(POLL_MS);
}

async function openLog(daemon: Daemon): ReturnType<typeof open> {
  const path = logPath(daemon);
  try {
    await mkdir(dirname(path), { recursive: true });
    return await open(path, 'a', 0o600);
  } catch (error) {
    throw new SealiftError('PathUnwritable', {
      side: 'local',
      operation: 'open log',
      subject: path,
      message: error instanceof Error ? error.message : String(error),
      remedy: 'give write permission in the state folder, which XDG_STATE_HOME moves',
      cause: error,
    });
  }
}

/**
 * Does what starts a program on ports that were free a moment ago, and again when somebody else was quicker: the attempt is to
 * look for free ones anew.
 */
export async function onFreePorts<T>(daemon: Daemon, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === MAX_PORT_TRIES || !PORT_TAKEN.test(await lastLogLine(daemon))) throw error;
    }
  }
}

/** The last line a program wrote; what a Go program that panics says comes before its stack. */
export async function lastLogLine(daemon: Daemon): Promise<string> {
  const lines = (await readFile(logPath(daemon), 'utf8').catch(() => '')).trim().split('\n');
  const said = lines.slice(-200).findLast((line) => /^panic: |\b(error|fatal)\b|^[EF]\d{4} /i.test(line));
  return (said ?? lines.at(-1) ?? '').slice(0, 500);
}

/** Where a daemon writes to. */
export function logPath(daemon: Daemon): string {
  return join(daemon.folder, `${daemon.name}.log`);
}

function recordPath(daemon: Daemon): string {
  return join(daemon.folder, `${daemon.name}.pid`);
}

function daemonFailure(daemon: Daemon, message: string): SealiftError {
  return new SealiftError('ToolFailed', {
    side: 'local',
    operation: 'run program of bootstrap cluster',
    subject: daemon.name,
    message,
    remedy: `see ${logPath(daemon)}; then try again: what still runs is kept`,
  });
}
