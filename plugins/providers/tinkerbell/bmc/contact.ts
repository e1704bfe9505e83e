import { readFile } from 'node:fs/promises';
import type { ProviderContext } from '../../../../contracts/provider-plugin.ts';
import { isErrorType, SealiftError } from '../../../../core/errors.ts';
import type { Hardware } from '../hardware-csv.ts';
import type { BmcAnswer } from './answer.ts';
import { askIpmi } from './ipmi.ts';
import { askRedfish } from './redfish.ts';

/** How the BMCs of a site are reached. */
export interface BmcSettings {
  redfishPort: number;
  ipmiPort: number;
  /** PEM of the authority that has signed their certificates */
  ca?: string;
}

export const defaultPorts = { redfishPort: 443, ipmiPort: 623 } as const;

/**
 * Reads SEALIFT_BMC_REDFISH_PORT, SEALIFT_BMC_IPMI_PORT and SEALIFT_BMC_CA_FILE.
 * @throws SealiftError InvalidInput, FileMissing
 */
export async function bmcSettings(env: ProviderContext['env']): Promise<BmcSettings> {
  const file = env['SEALIFT_BMC_CA_FILE'] ?? '';
  return {
    redfishPort: portOf(env, 'SEALIFT_BMC_REDFISH_PORT', defaultPorts.redfishPort),
    ipmiPort: portOf(env, 'SEALIFT_BMC_IPMI_PORT', defaultPorts.ipmiPort),
    ...(file === '' ? {} : { ca: await readAuthority(file) }),
  };
}

function portOf(env: ProviderContext['env'], name: string, usual: number): number {
  const text = env[name] ?? '';
  if (text === '') return usual;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'read environment',
    subject: name,
    message: `${JSON.stringify(text)} is no port`,
    remedy: 'give a number from 1 to 65535, or unset it',
  });
}

async function readAuthority(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new SealiftError('FileMissing', {
      side: 'local',
      operation: 'read SEALIFT_BMC_CA_FILE',
      subject: file,
      message: cause instanceof Error ? cause.message : String(cause),
      remedy: 'give the path of a PEM file on the machine where the worker runs',
      cause,
    });
  }
}

/** Asks a BMC over Redfish, and over IPMI when nothing answers there, as Tinkerbell does. */
export async function contactBmc(
  { ip, username, password }: NonNullable<Hardware['bmc']>,
  { redfishPort, ipmiPort, ca }: BmcSettings,
  context: Pick<ProviderContext, 'run'>,
): Promise<BmcAnswer> {
  const login = { host: ip, username, password };
  const redfish = await askRedfish({ ...login, port: redfishPort }, ca === undefined ? {} : { ca });
  if (redfish.kind !== 'silent') return redfish;
  try {
    const ipmi = await askIpmi({ ...login, port: ipmiPort }, context);
    return ipmi.kind === 'silent' ? { kind: 'silent', detail: `${redfish.detail}; ${ipmi.detail}` } : ipmi;
  } catch (error) {
    if (!isErrorType(error, 'ToolMissing')) throw error;
    return { kind: 'silent', detail: `${redfish.detail}; IPMI: there is no ipmitool on this machine to ask with` };
  }
}
