import type { RunningWorker, SealiftHost, TemporalTarget } from '../../contracts/host.ts';

/** The worker of one command: runs inside it as long as no `sealift worker` runs on this machine. */
export interface CommandWorker {
  /** Makes sure that some worker of this machine runs. @returns whether it is one in the background, which outlives this command */
  ensure(): Promise<boolean>;
  /** Ends the worker inside the command, if there is one; work in flight is kept. */
  stop(): Promise<void>;
}

/** Whether a worker of this machine, in another process than this one, works for that Temporal. */
export async function worksInBackground(host: SealiftHost, target: TemporalTarget): Promise<boolean> {
  return (await host.workers.running(target)).some(({ pid }) => pid !== process.pid);
}

/** Starts nothing yet. */
export function createCommandWorker(host: SealiftHost, target: TemporalTarget): CommandWorker {
  let own: Promise<RunningWorker> | undefined;
  return {
    async ensure() {
      if (own === undefined) {
        if (await worksInBackground(host, target)) return true;
        own ??= host.workers.start(target, 'command').then((worker) => {
          // a worker that breaks is started anew by the next call
          worker.done.catch(() => undefined).finally(() => (own = undefined));
          return worker;
        });
      }
      const worker = own;
      try {
        await worker;
      } catch (error) {
        own = undefined;
        throw error;
      }
      return false;
    },
    async stop() {
      const worker = await own?.catch(() => undefined);
      await worker?.stop();
    },
  };
}
