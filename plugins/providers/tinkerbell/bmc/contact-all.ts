import type { ProviderContext } from '../../../../contracts/provider-plugin.ts';
import type { Hardware } from '../hardware-csv.ts';
import { whileAlive } from '../while-alive.ts';
import type { BmcAnswer } from './answer.ts';
import { contactBmc, type BmcSettings } from './contact.ts';

/** Management networks are slow, and each BMC may start a process. */
const AT_ONCE = 16;

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
  let ended = false;
  async function askOneByOne(): Promise<void> {
    for (const host of waiting) {
      if (ended) return;
      answers.set(host, await contactBmc(host.bmc, settings, context));
    }
  }
  const all = Promise.all(Array.from({ length: AT_ONCE }, askOneByOne));
  try {
    await whileAlive(all, context, () => `asking BMCs: ${answers.size} of ${hosts.length} have answered`);
  } finally {
    ended = true;
  }
  return hosts.map((host) => ({ host, answer: answers.get(host)! }));
}
