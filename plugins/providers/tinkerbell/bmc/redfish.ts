import https from 'node:https';
import { isIP } from 'node:net';
import type { BmcAnswer, BmcLogin, PowerState } from './answer.ts';

const ROOT = '/redfish/v1/';
const TIMEOUT_MS = 15_000;
const MAX_BYTES = 1024 * 1024;

export interface RedfishOptions {
  /** PEM of the authority that has signed BMCs' certificates; without it any certificate will do */
  ca?: string;
  signal?: AbortSignal;
}

/**
 * Asks a BMC over Redfish (DMTF DSP0266) for the power and boot options of its first system, with basic authentication,
 * which every Redfish service has. The password is sent only to what has shown that it is Redfish. No proxy is used.
 * @throws the signal's reason
 */
export async function askRedfish(bmc: BmcLogin, options: RedfishOptions = {}): Promise<BmcAnswer> {
  const { signal } = options;
  try {
    const root = await get(bmc, ROOT, options);
    const systemsPath = linkOf(field(root.body, 'Systems'));
    if (root.status !== 200 || systemsPath === undefined) {
      return { kind: 'silent', detail: `Redfish: ${ROOT} answers ${root.status}, and is no Redfish service` };
    }
    const login = { authorization: `Basic ${Buffer.from(`${bmc.username}:${bmc.password}`).toString('base64')}` };
    const systems = await get(bmc, systemsPath, options, login);
    if (systems.status === 401 || systems.status === 403) {
      return { kind: 'refused', detail: `Redfish: it answers ${systems.status} to this user and password` };
    }
    const members = field(systems.body, 'Members');
    const systemPath = Array.isArray(members) ? linkOf(members[0]) : undefined;
    if (systemPath === undefined) return { kind: 'silent', detail: 'Redfish: the service names no system' };
    return describeSystem((await get(bmc, systemPath, options, login)).body);
  } catch (error) {
    signal?.throwIfAborted();
    return failed(error, bmc);
  }
}

function describeSystem(system: unknown): BmcAnswer {
  const states: Record<string, PowerState> = {
    On: 'on',
    Off: 'off',
    PoweringOn: 'on',
    PoweringOff: 'on',
    Paused: 'on',
  };
  const bootTargets = field(field(system, 'Boot'), 'BootSourceOverrideTarget@Redfish.AllowableValues');
  return {
    kind: 'answers',
    protocol: 'Redfish',
    power: states[String(field(system, 'PowerState'))] ?? 'unknown',
    ...(Array.isArray(bootTargets) ? { bootTargets: bootTargets.map(String) } : {}),
  };
}

interface JsonAnswer {
  status: number;
  /** undefined when it is no JSON */
  body: unknown;
}

function get(
  { host, port }: BmcLogin,
  path: string,
  { ca, signal }: RedfishOptions,
  headers: Record<string, string> = {},
): Promise<JsonAnswer> {
  const ends = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal === undefined ? [] : [signal])]);
  const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
  return new Promise((resolve, reject) => {
    const request = https.get(
      { host, port, path, headers: { accept: 'application/json', ...headers }, agent: false, signal: ends, ...trust },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_BYTES) request.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.once('error', reject);
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString('utf8')) });
        });
      },
    );
    request.once('error', reject);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The path that an object of Redfish leads to; links that lead anywhere else are not followed. */
function linkOf(object: unknown): string | undefined {
  const link = field(object, '@odata.id');
  return typeof link === 'string' && link.startsWith('/redfish/') ? link : undefined;
}

function field(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null ? (object as Record<string, unknown>)[name] : undefined;
}

function failed(error: unknown, { host, port }: BmcLogin): BmcAnswer {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (/CERT|SIGNED|SIGNATURE|ISSUER/.test(code)) return { kind: 'untrusted', detail: `its certificate: ${message}` };
  const reason = (error as Error).name === 'AbortError' ? `no answer in ${TIMEOUT_MS / 1000} s` : message || code;
  const address = isIP(host) === 6 ? `[${host}]` : host;
  return { kind: 'silent', detail: `Redfish (https://${address}:${port}): ${reason}` };
}
