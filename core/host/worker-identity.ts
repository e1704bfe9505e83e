import { isSameProcess, pidSpace, processStartTime } from './process-start-time.ts';

/** What a worker's identity says. Written `<pid>@<hostId>#<startTime>#<pidSpace>`; Temporal shows it beside every attempt. */
export interface WorkerIdentity {
  pid: number;
  hostId: string;
  startTime: string;
  /** where the pid means something: containers that share a state folder, and so a host id, don't share pids */
  pidSpace: string;
}

/** The identity of a worker in this process, on the machine with this id. */
export async function workerIdentity(hostId: string): Promise<string> {
  const startTime = (await processStartTime(process.pid)) ?? 'unknown';
  return `${process.pid}@${hostId}#${startTime}#${await pidSpace()}`;
}

/** @returns undefined when the text is not an identity that {@link workerIdentity} wrote */
export function parseWorkerIdentity(identity: string): WorkerIdentity | undefined {
  const match = /^(\d+)@([0-9a-f]+)#([^#]+)#([^#]*)$/.exec(identity);
  if (match === null) return undefined;
  const [, pid, hostId = '', startTime = '', space = ''] = match;
  return { pid: Number(pid), hostId, startTime, pidSpace: space };
}

/**
 * Whether the worker with this identity ran on the machine with this id and its process is gone. A worker of another
 * machine or container, or one whose identity says nothing, is not known to be dead.
 */
export async function isDeadWorker(identity: string, hostId: string): Promise<boolean> {
  const worker = parseWorkerIdentity(identity);
  if (worker?.hostId !== hostId || worker.startTime === 'unknown') return false;
  if (worker.pidSpace !== (await pidSpace())) return false;
  return !(await isSameProcess(worker.pid, worker.startTime));
}
