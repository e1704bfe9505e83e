import type { RunningWorker, SealiftHost, TemporalTarget } from '../../contracts/host.ts';

/** The worker of one command: runs inside it as long as no `sealift worker` runs on this machine. */
export interface CommandWorker {
  /** Makes sure that some worker of this machine runs. @returns whether it is one in the background, which outlives this command */
  ensure(): Promise<boolean>;
  /** Ends the worker inside the command, if there is one; work in flight is kept. */
  stop(): Promise<void>;
}

/** Starts nothing yet. */
export function createCommandWorker(host: SealiftHost, target: TemporalTarget): CommandWorker {
  let own: Promise<RunningWorker> | undefined;
  return {
    async ensure() {
      if (own === undefined) {
        if ((await host.workers.running(target)).length > 0) return true;
        own ??= host.workers.start(target).then((worker) => {
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
