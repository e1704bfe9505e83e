import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostPaths, TemporalTarget, WorkerInfo } from '../../contracts/host.ts';
import { SealiftError } from '../errors.ts';
import { workerRegistry } from './worker-registry.ts';

export interface SpawnWorkerOptions {
  paths: HostPaths;
  /** the Temporal the worker must have registered for before this returns */
  target: TemporalTarget;
  /** the program and its arguments, e.g. `[process.execPath, '/opt/sealift/bin/sealift', 'worker', '--idle-exit', '60']` */
  command: [string, ...string[]];
  /** the whole environment of the worker; it finds its Temporal there or in the state folder, never in argv */
  env: Record<string, string | undefined>;
  /** how long the worker may take to register, milliseconds */
  timeoutMs?: number;
}

/**
 * Starts a worker in the background, in its own process group, with its output in `<state>/worker.log`, and waits until
 * a worker for the target has registered itself.
 *
 * @throws SealiftError InternalError when it ends or says nothing within the time
 */
export async function spawnWorker(options: SpawnWorkerOptions): Promise<WorkerInfo> {
  const { paths, target, command, env, timeoutMs = 30_000 } = options;
  await mkdir(paths.state, { recursive: true });
  const log = join(paths.state, 'worker.log');
  const output = await open(log, 'a', 0o600);
  const [program, ...args] = command;
  const child = spawn(program, args, { detached: true, stdio: ['ignore', output.fd, output.fd], env });
  let ended: string | undefined;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = `it ended with ${signal ?? `exit code ${code}`}`));
  await Promise.race([once(child, 'spawn'), once(child, 'error').catch(() => undefined)]).catch(() => undefined);
  await output.close();
  child.unref();

  const registry = workerRegistry(paths);
  const deadline = Date.now() + timeoutMs;
  while (ended === undefined && Date.now() < deadline) {
    const [worker] = await registry.list(target);
    if (worker !== undefined) return worker;
    await sleep(50);
  }
  throw new SealiftError('InternalError', {
    side: 'local',
    operation: 'start worker',
    subject: program,
    message: ended ?? `it did not register within ${timeoutMs / 1000} s`,
    remedy: `see ${log}, or run \`sealift worker\` to see what it says`,
  });
}
