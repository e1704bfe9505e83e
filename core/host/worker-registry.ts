import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostPaths, TemporalTarget, WorkerInfo } from '../../contracts/host.ts';
import { readFileIfPresent, writeFileAtomically } from './atomic-file.ts';
import { hostId } from './host-id.ts';
import { isSameProcess } from './process-start-time.ts';
import { isDeadWorker, parseWorkerIdentity } from './worker-identity.ts';

/** The `sealift worker` processes of one state folder: a file each, `<state>/workers/<pid>.json`. */
export interface WorkerRegistry {
  /** Makes a worker findable by other commands. */
  register(worker: WorkerInfo): Promise<void>;
  /** Forgets the worker with this pid; does nothing when there is none. */
  unregister(pid: number): Promise<void>;
  /** Workers whose process lives, for one Temporal or for all; files of dead ones are removed on the way. */
  list(target?: Pick<TemporalTarget, 'address' | 'namespace'>): Promise<WorkerInfo[]>;
  /** See {@link isDeadWorker}, for this machine. */
  isDead(identity: string): Promise<boolean>;
}

/** The registry of the state folder in `paths`. Its methods throw SealiftError PathUnwritable when the folder cannot be written. */
export function workerRegistry(paths: HostPaths): WorkerRegistry {
  const folder = join(paths.state, 'workers');
  const fileOf = (pid: number): string => join(folder, `${pid}.json`);
  return {
    async register(worker) {
      await writeFileAtomically(fileOf(worker.pid), JSON.stringify(worker));
    },
    async unregister(pid) {
      await rm(fileOf(pid), { force: true });
    },
    async list(target) {
      const names = await readdir(folder).catch(() => []);
      const found = await Promise.all(
        names.filter((name) => /^\d+\.json$/.test(name)).map((name) => load(join(folder, name))),
      );
      return found.filter(
        (worker): worker is WorkerInfo =>
          worker !== undefined &&
          (target === undefined ||
            (worker.target.address === target.address && worker.target.namespace === target.namespace)),
      );
    },
    async isDead(identity) {
      return isDeadWorker(identity, await hostId(paths));
    },
  };
}

async function load(path: string): Promise<WorkerInfo | undefined> {
  const worker = parse(await readFileIfPresent(path));
  const identity = worker === undefined ? undefined : parseWorkerIdentity(worker.identity);
  if (worker !== undefined && identity !== undefined && (await isSameProcess(identity.pid, identity.startTime))) {
    return worker;
  }
  await rm(path, { force: true });
  return undefined;
}

function parse(content: string | undefined): WorkerInfo | undefined {
  if (content === undefined) return undefined;
  try {
    const worker = JSON.parse(content) as Partial<WorkerInfo>;
    const whole = typeof worker.identity === 'string' && typeof worker.pid === 'number' && worker.target !== undefined;
    return whole ? (worker as WorkerInfo) : undefined;
  } catch {
    return undefined;
  }
}
