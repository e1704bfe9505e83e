import type { ProviderContext } from '../../../../contracts/provider-plugin.ts';
import { SealiftError } from '../../../../core/errors.ts';
import type { BmcAnswer, BmcLogin, PowerState } from './answer.ts';

const TIMEOUT_MS = 30_000;
/** Seconds until a packet is sent again, and how often: packets get lost, and a BMC that is away is to be told soon. */
const PATIENCE = ['-N', '2', '-R', '2'];

/**
 * Asks a BMC over IPMI 2.0 (RMCP+) for the power of its machine, with ipmitool. What the machine can boot from IPMI does not say.
 * @throws SealiftError ToolMissing when there is no ipmitool
 */
export async function askIpmi(bmc: BmcLogin, { run }: Pick<ProviderContext, 'run'>): Promise<BmcAnswer> {
  const { host, port, username, password } = bmc;
  // -v: without it all failures read the same
  const connection = ['-v', '-I', 'lanplus', ...PATIENCE, '-H', host, '-p', String(port), '-U', username, '-E'];
  try {
    const output = await run('ipmitool', [...connection, 'chassis', 'power', 'status'], {
      env: { IPMI_PASSWORD: password },
      timeoutMs: TIMEOUT_MS,
    });
    const power = (/Chassis Power is (on|off)/.exec(output)?.[1] ?? 'unknown') as PowerState;
    return { kind: 'answers', protocol: 'IPMI', power };
  } catch (error) {
    if (!(error instanceof SealiftError) || error.type !== 'ToolFailed') throw error;
    // RAKP: the messages in which both sides prove that they know the password
    if (/RAKP|unauthorized name|insufficient privilege/i.test(error.problem.message)) {
      return { kind: 'refused', detail: 'IPMI: it does not accept this user and password' };
    }
    return { kind: 'silent', detail: `IPMI (UDP ${host}:${port}): no answer` };
  }
}
