import { setTimeout as sleep } from 'node:timers/promises';
import type { ProviderContext } from '../../../contracts/provider-plugin.ts';

const EVERY_MS = 2_000;

/**
 * Waits for work, and tells meanwhile that something goes on.
 * @throws what the work throws, and what `alive` throws: then the work is not waited for
 */
export async function whileAlive<T>(
  work: Promise<T>,
  { alive }: Pick<ProviderContext, 'alive'>,
  detail: () => string,
): Promise<T> {
  const ending = new AbortController();
  async function tell(): Promise<never> {
    for (;;) {
      await sleep(EVERY_MS, undefined, { signal: ending.signal });
      alive(detail());
    }
  }
  try {
    return await Promise.race([work, tell()]);
  } finally {
    ending.abort();
  }
}
