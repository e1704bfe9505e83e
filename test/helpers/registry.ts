import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { Certificates } from './certificates.ts';
import { findTool, requireTool, temporaryFolder } from './paths.ts';
import { onFreePorts, runOk, startProcess, type RunningProcess } from './processes.ts';

/** distribution: the pinned v3; distribution-v2: Debian's docker-registry; olareg: one with the referrers API. */
export type RegistryKind = 'distribution' | 'distribution-v2' | 'olareg';

export interface RegistryCredentials {
  user: string;
  password: string;
}

export interface RegistryOptions {
  kind: RegistryKind;
  port?: number;
  /** storage folder, kept on stop; a temporary one, removed on stop, when absent */
  dir?: string;
  /** basic authentication (distribution only) */
  htpasswd?: RegistryCredentials;
  tls?: Certificates;
  readOnly?: boolean;
  /** a line for each request in `log` (distribution only) */
  accessLog?: boolean;
  /** distribution signs upload URLs with it; random at every start when absent, as upstream does */
  httpSecret?: string;
}

export interface TestRegistry extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` or https */
  url: string;
  /** `127.0.0.1:PORT` */
  host: string;
  port: number;
  /** storage folder */
  dir: string;
  pid(): number;
  stop(): Promise<void>;
  /** SIGKILL; the storage stays for restart */
  kill(): Promise<void>;
  /** Ends it and starts it again on the same port; `empty` wipes the storage in between. */
  restart(options?: { empty?: boolean; signal?: 'SIGTERM' | 'SIGKILL' }): Promise<void>;
  log(): string;
}

/** @returns why this kind cannot be started on this machine, or undefined when it can */
export async function registryUnavailable(kind: RegistryKind): Promise<string | undefined> {
  if ((await findTool(executables[kind])) !== undefined) return undefined;
  return kind === 'distribution-v2'
    ? 'docker-registry is not on PATH: apt-get install docker-registry'
    : `${executables[kind]} is not in .cache/bin: run \`make setup\``;
}

/** Tests look at the whole of it. */
const ACCESS_LOG_LIMIT = 64 * 1024 * 1024;

const executables: Record<RegistryKind, string> = {
  distribution: 'registry',
  'distribution-v2': 'docker-registry',
  olareg: 'olareg',
};

/**
 * Starts a real registry on loopback and waits until it answers.
 * @throws Error with the registry's log when it does not start
 */
export async function startRegistry(options: RegistryOptions): Promise<TestRegistry> {
  if (options.port !== undefined) return startOn(options, options.port);
  return onFreePorts(1, ([port = 0]) => startOn(options, port));
}

async function startOn(options: RegistryOptions, port: number): Promise<TestRegistry> {
  const command = await requireTool(executables[options.kind]);
  const scratch = await temporaryFolder('registry');
  const dir = options.dir ?? join(scratch.path, 'storage');
  const scheme = options.tls === undefined ? 'http' : 'https';
  const url = `${scheme}://127.0.0.1:${port}`;
  const launch = async (): Promise<RunningProcess> => {
    await mkdir(dir, { recursive: true });
    const args = await commandLine(options, { dir, port, scratch: scratch.path });
    const kept = options.accessLog === true ? { logLimit: ACCESS_LOG_LIMIT } : {};
    const ready = (): Promise<boolean> => answers(url, options.tls);
    return startProcess({ command, args, env: registryEnvironment(), ready, ...kept });
  };
  let current = await launch().catch(async (error: unknown) => {
    await scratch.remove();
    throw error;
  });
  let earlierLog = '';
  const stop = async (): Promise<void> => {
    await current.stop();
    await scratch.remove();
  };
  return {
    url,
    host: `127.0.0.1:${port}`,
    port,
    dir,
    pid: () => current.pid,
    stop,
    kill: () => current.kill(),
    restart: async ({ empty = false, signal = 'SIGTERM' } = {}) => {
      await (signal === 'SIGKILL' ? current.kill() : current.stop());
      if (empty) await rm(dir, { recursive: true, force: true });
      earlierLog += current.log();
      current = await launch();
    },
    log: () => earlierLog + current.log(),
    [Symbol.asyncDispose]: stop,
  };
}

interface Place {
  dir: string;
  port: number;
  scratch: string;
}

async function commandLine(options: RegistryOptions, place: Place): Promise<string[]> {
  if (options.kind === 'olareg') return olaregArguments(options, place);
  const config = join(place.scratch, 'config.json');
  const access = options.htpasswd === undefined ? {} : { auth: await htpasswdAuth(place.scratch, options.htpasswd) };
  // YAML 1.2 contains JSON, and distribution does not look at the file's name
  await writeFile(config, JSON.stringify({ ...distributionConfig(options, place), ...access }, null, 2));
  return ['serve', config];
}

function olaregArguments(options: RegistryOptions, { dir, port }: Place): string[] {
  if (options.htpasswd !== undefined) throw new Error('htpasswd is for the distribution registries');
  const tls = options.tls === undefined ? [] : ['--tls-cert', options.tls.certificate, '--tls-key', options.tls.key];
  const readOnly = options.readOnly === true ? ['--store-ro'] : [];
  // no garbage collection: a blob that waits for its manifest must stay
  const content = ['--dir', dir, '--api-delete', '--api-blob-delete', '--gc-frequency', '-1s'];
  return ['serve', '--addr', '127.0.0.1', '--port', String(port), ...content, ...tls, ...readOnly];
}

/** https://distribution.github.io/distribution/about/configuration/ */
function distributionConfig(options: RegistryOptions, { dir, port }: Place): object {
  return {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: options.accessLog !== true } },
    storage: {
      filesystem: { rootdirectory: dir },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false }, readonly: { enabled: options.readOnly === true } },
    },
    http: {
      addr: `127.0.0.1:${port}`,
      ...(options.httpSecret === undefined ? {} : { secret: options.httpSecret }),
      ...(options.tls === undefined ? {} : { tls: { certificate: options.tls.certificate, key: options.tls.key } }),
    },
  };
}

/** `auth` of distribution's configuration for one user. @param folder for the password file */
export async function htpasswdAuth(folder: string, credentials: RegistryCredentials): Promise<object> {
  const path = join(folder, 'htpasswd');
  await writeFile(path, await htpasswdLine(credentials));
  return { htpasswd: { realm: 'sealift-test', path } };
}

/** Distribution takes bcrypt only. libxcrypt has it, and perl, which every Debian has, reaches libxcrypt. */
async function htpasswdLine({ user, password }: RegistryCredentials): Promise<string> {
  const script = 'chomp(my $p = <STDIN>); print crypt($p, q($2b$04$SealiftTestRegistrySeu));';
  const hash = await runOk(await requireTool('perl'), ['-e', script], { input: `${password}\n` });
  if (!hash.startsWith('$2b$')) throw new Error('the C library of this machine has no bcrypt');
  return `${user}:${hash}\n`;
}

function registryEnvironment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', OTEL_TRACES_EXPORTER: 'none' };
}

async function answers(url: string, tls: Certificates | undefined): Promise<boolean> {
  const agent = new Agent(tls === undefined ? {} : { connect: { ca: await readFile(tls.ca, 'utf8') } });
  try {
    const { statusCode, body } = await request(`${url}/v2/`, { dispatcher: agent });
    await body.dump();
    return statusCode === 200 || statusCode === 401;
  } finally {
    await agent.close();
  }
}
