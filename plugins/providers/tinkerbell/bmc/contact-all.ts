import { setTimeout as sleep } from 'node:timers/promises';
import type { ProviderContext } from '../../../../contracts/provider-plugin.ts';
import type { Hardware } from '../hardware-csv.ts';
import type { BmcAnswer } from './answer.ts';
import { contactBmc, type BmcSettings } from './contact.ts';

/** Management networks are slow, and each BMC may start a process. */
const AT_ONCE = 16;
const ALIVE_EVERY_MS = 2_000;

/** A machine by name, and how its BMC is logged in to. */
export interface BmcHost {
  hostname: string;
  bmc: NonNullable<Hardware['bmc']>;
}

/** Asks many BMCs, see contactBmc. @throws what `context.alive` throws: then the rest is not waited for */
export async function contactAll<Host extends BmcHost>(
  hosts: readonly Host[],
  settings: BmcSettings,
  context: Pick<ProviderContext, 'run' | 'alive'>,
): Promise<{ host: Host; answer: BmcAnswer }[]> {
  const answers = new Map<Host, BmcAnswer>();
  const waiting = hosts.values();
  const ending = new AbortController();
  async function askOneByOne(): Promise<void> {
    for (const host of waiting) {
      if (ending.signal.aborted) return;
      answers.set(host, await contactBmc(host.bmc, settings, context));
    }
  }
  async function tellThatAlive(): Promise<never> {
    for (;;) {
      await sleep(ALIVE_EVERY_MS, undefined, { signal: ending.signal });
      context.alive(`asking BMCs: ${answers.size} of ${hosts.length} have answered`);
    }
  }
  try {
    await Promise.race([Promise.all(Array.from({ length: AT_ONCE }, askOneByOne)), tellThatAlive()]);
  } finally {
    ending.abort();
  }
  return hosts.map((host) => ({ host, answer: answers.get(host)! }));
}
