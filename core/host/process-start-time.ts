import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { errorCode } from './atomic-file.ts';

const run = promisify(execFile);

/**
 * When a process began, as an opaque token: two processes that had the same pid one after the other have different ones.
 * On Linux field 22 of `/proc/<pid>/stat` (clock ticks since boot, proc(5)) joined with the boot id; elsewhere what
 * `ps -o lstart=` says.
 *
 * @returns undefined when no such process lives; a zombie does not, once all its threads have given back what they held
 */
export async function processStartTime(pid: number): Promise<string | undefined> {
  const boot = await bootId();
  return boot === undefined ? startTimeByPs(pid) : startTimeByProc(pid, boot);
}

/** Whether the process that had this pid and start time still lives. */
export async function isSameProcess(pid: number, startTime: string): Promise<boolean> {
  return (await processStartTime(pid)) === startTime;
}

const SIGKILL_PENDING = 1n << 8n;
/** PF_EXITING of the kernel's sched.h */
const EXITING = 0x4;

/**
 * Whether a process that was found alive is about to be gone: it was killed, or its first thread has ended. Until then its
 * sockets accept connections. False where there is no `/proc` to ask.
 */
export async function isEnding(pid: number): Promise<boolean> {
  // proc(5): a SIGKILL waits in each thread's own SigPnd until the thread is about to end; then `flags` (field 9) tell
  const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  const status = await read('status');
  const pending = /^SigPnd:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (pending !== undefined && (BigInt(`0x${pending}`) & SIGKILL_PENDING) !== 0n) return true;
  const [state, ...fields] = statFields(await read('stat'));
  return state === 'Z' || state === 'X' || (Number(fields[5] ?? 0) & EXITING) !== 0;
}

let boot: Promise<string | undefined> | undefined;

/** Tells one boot of a Linux machine from another; undefined elsewhere. */
export function bootId(): Promise<string | undefined> {
  boot ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.slice(0, 8),
    () => undefined,
  );
  return boot;
}

async function startTimeByProc(pid: number, bootId: string): Promise<string | undefined> {
  try {
    const fields = statFields(await readFile(`/proc/${pid}/stat`, 'utf8'));
    // killed, the first thread is a zombie while others may still hold ports and files: proc(5), field 20 counts them
    if ((fields[0] === 'Z' && Number(fields[17]) <= 1) || fields[0] === 'X') return undefined;
    return fields[19] === undefined ? undefined : `${bootId}.${fields[19]}`;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** Those of `/proc/<pid>/stat` from the third on: the name before them may hold spaces and parentheses. */
function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

async function startTimeByPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      env: { ...process.env, LC_ALL: 'C' },
    });
    const [status = '', ...started] = stdout.trim().split(/\s+/);
    return status === '' || status.startsWith('Z') ? undefined : started.join('-');
  } catch {
    return undefined;
  }
}

/** Linux' pid namespace (namespaces(7)), in which a pid means something; empty where there is none. */
export async function pidSpace(): Promise<string> {
  const link = await readlink('/proc/self/ns/pid').catch(() => '');
  return /\d+/.exec(link)?.[0] ?? '';
}
