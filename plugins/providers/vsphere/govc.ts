import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProviderContext } from '../../../contracts/provider-plugin.ts';
import { splitServer, type VCenter, type VCenterUser } from './vcenter.ts';

/** More than vCenter ever takes to list what it has. */
const TIMEOUT_MS = 120_000;

/** How often a cancel is looked for while a program runs for long. */
const ALIVE_MS = 1_000;

/** Letters of `govc find -type`. */
const findTypes = {
  computeCluster: 'c',
  datacenter: 'd',
  datastore: 's',
  folder: 'f',
  network: 'n',
  resourcePool: 'p',
  virtualMachine: 'm',
} as const;
export type FindType = keyof typeof findTypes;

export interface Govc {
  /** @throws SealiftError ToolMissing; ToolFailed with what vCenter said */
  run(...args: string[]): Promise<string>;
  /** Like run, for what takes its time: says meanwhile that it goes on, and is ended when the operation is cancelled. */
  runLong(how: { detail: string; timeoutMs: number }, ...args: string[]): Promise<string>;
  /** Like run, with `-json` after the first argument. */
  json(command: string, ...args: string[]): Promise<unknown>;
  /** Inventory paths of everything of a type below a path; what the user may not see is not among them. */
  find(type: FindType, below: string): Promise<string[]>;
}

/**
 * govc for a vCenter and a user. Secrets go through its environment; whatever the worker's own environment says to govc is
 * overruled, above all GOVC_INSECURE, and GOVC_DEBUG, which would write the password into files.
 */
export async function createGovc(vcenter: VCenter, user: VCenterUser, context: ProviderContext): Promise<Govc> {
  const home = join(context.scratch, 'govc');
  await mkdir(home, { recursive: true });
  const env = {
    GOVC_URL: `https://${vcenter.server}`,
    GOVC_USERNAME: user.name,
    GOVC_PASSWORD: user.password,
    GOVC_INSECURE: String(vcenter.insecure),
    GOVC_TLS_KNOWN_HOSTS: vcenter.thumbprint === '' ? '' : await writeKnownHosts(home, vcenter),
    // with a kept session a wrong password goes unnoticed
    GOVC_PERSIST_SESSION: 'false',
    GOVMOMI_HOME: home,
    GOVC_DEBUG: '',
    GOVC_DATACENTER: '',
    GOVC_CERTIFICATE: '',
    GOVC_PRIVATE_KEY: '',
  };
  const run: Govc['run'] = (...args) => {
    context.alive(`govc ${args[0]}`);
    return context.run('govc', args, { env, timeoutMs: TIMEOUT_MS });
  };
  const runLong: Govc['runLong'] = async ({ detail, timeoutMs }, ...args) => {
    const ending = new AbortController();
    const timer = setInterval(() => {
      try {
        context.alive(detail);
      } catch (error) {
        ending.abort(error);
      }
    }, ALIVE_MS);
    try {
      return await context.run('govc', args, { env, timeoutMs, signal: ending.signal });
    } finally {
      clearInterval(timer);
    }
  };
  const json: Govc['json'] = async (command, ...args) => JSON.parse(await run(command, '-json', ...args)) as unknown;
  return {
    run,
    runLong,
    json,
    // nothing found is `null`
    find: async (type, below) => ((await json('find', '-type', findTypes[type], below)) as string[] | null) ?? [],
  };
}

async function writeKnownHosts(folder: string, { server, thumbprint }: VCenter): Promise<string> {
  const file = join(folder, 'known-hosts');
  const { host, port } = splitServer(server);
  await writeFile(file, `${host.includes(':') ? `[${host}]` : host}:${port} ${thumbprint}\n`);
  return file;
}
