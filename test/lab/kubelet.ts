import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureProviders, type ProviderProcessesOptions } from '../../core/bootstrap/provider-processes.ts';

const EVERY_MS = 1_000;

/**
 * Runs the providers of a cluster whenever they are installed there, as its machines would: what `clusterctl init` and
 * upgrades change is followed, what ends is started again. Troubles are in `<folder>/kubelet.log`, and tried again.
 * @returns ends the watching; the providers go on
 */
export function playKubelet(options: ProviderProcessesOptions): () => Promise<void> {
  const ending = new AbortController();
  const playing = (async () => {
    await mkdir(options.folder, { recursive: true });
    while (!ending.signal.aborted) {
      await ensureProviders(options).catch((error: unknown) =>
        appendFile(join(options.folder, 'kubelet.log'), `${new Date().toISOString()} ${String(error)}\n`),
      );
      await sleep(EVERY_MS, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  })();
  return () => {
    ending.abort();
    return playing;
  };
}
