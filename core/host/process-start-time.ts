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
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // the command name in parentheses may hold spaces and parentheses: fields are counted from the last one
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // killed, the first thread is a zombie while others may still hold ports and files: proc(5), field 20 counts them
    if ((fields[0] === 'Z' && Number(fields[17]) <= 1) || fields[0] === 'X') return undefined;
    return fields[19] === undefined ? undefined : `${bootId}.${fields[19]}`;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
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
