import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { SealiftError } from '../../errors.ts';

/** What a registry account is proven with. An identity token is exchanged at the token endpoint by OAuth2. */
export type Credentials = { username: string; password: string } | { identityToken: string };

/** Credentials by host, read anew at every lookup so that what an operator mends is seen by the next try. */
export interface CredentialStore {
  /**
   * @param host `host[:port]`, `docker.io` for Docker Hub
   * @throws SealiftError RegistryUnauthorized when a configuration file is not JSON or a credential helper fails
   */
  lookup(host: string): Promise<Credentials | undefined>;
  /** where `lookup` looks, in order, for the remedy of an error */
  places(): string[];
}

export interface CredentialOptions {
  env: NodeJS.ProcessEnv;
  /** home folder; the user's own unless given */
  home?: string;
  /** whether REGISTRY_USERNAME and REGISTRY_PASSWORD count: they are meant for the destination only */
  useEnvironment?: boolean;
}

interface AuthEntry {
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
}

interface DockerConfig {
  auths?: Record<string, AuthEntry>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

const HELPER_TIMEOUT_MS = 30_000;
/** What helpers answer for a refresh token (docker-credential-helpers, "Development"). */
const TOKEN_USERNAME = '<token>';
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';
const dockerHubNames = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/**
 * Credentials as Docker keeps them: `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`, then `$REGISTRY_AUTH_FILE`
 * (each: credHelpers, credsStore, auths), then REGISTRY_USERNAME and REGISTRY_PASSWORD where those are wanted.
 */
export function createCredentialStore(options: CredentialOptions): CredentialStore {
  const { env } = options;
  const folder = env['DOCKER_CONFIG'] || path.join(options.home ?? os.homedir(), '.docker');
  const authFile = env['REGISTRY_AUTH_FILE'];
  const files = [path.join(folder, 'config.json'), ...(authFile ? [authFile] : [])];
  return {
    places: () => [...files, ...(options.useEnvironment === true ? ['REGISTRY_USERNAME and REGISTRY_PASSWORD'] : [])],
    async lookup(host) {
      for (const file of files) {
        const config = await readConfig(file);
        const found = config === undefined ? undefined : await fromConfig(config, host, file, env);
        if (found !== undefined) return found;
      }
      const username = env['REGISTRY_USERNAME'];
      const password = env['REGISTRY_PASSWORD'];
      if (options.useEnvironment === true && username && password) return { username, password };
      return undefined;
    },
  };
}

async function readConfig(file: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unusable(file, `the file cannot be read (${code ?? 'unknown'})`, `let this user read ${file}`);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // The parser's message quotes the file, which holds secrets, so it goes no further.
  }
  throw unusable(file, 'the file is not a JSON object', `mend ${file}, or remove it and log in again`);
}

async function fromConfig(
  config: DockerConfig,
  host: string,
  file: string,
  env: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const helper = entryFor(config.credHelpers, host);
  if (helper !== undefined) return askHelper(helper, host, file, env, false);
  const stored = config.credsStore ? await askHelper(config.credsStore, host, file, env, true) : undefined;
  if (stored !== undefined) return stored;
  const entry = entryFor(config.auths, host);
  return entry === undefined ? undefined : fromEntry(entry);
}

function fromEntry(entry: AuthEntry): Credentials | undefined {
  if (entry.identitytoken) return { identityToken: entry.identitytoken };
  if (entry.username && entry.password) return { username: entry.username, password: entry.password };
  const decoded = Buffer.from(entry.auth ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon <= 0) return undefined;
  // Docker pads with NUL characters on some platforms.
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') };
}

/** Keys may be bare hosts or URLs such as `https://HOST/v1/`. */
function entryFor<T>(entries: Record<string, T> | undefined, host: string): T | undefined {
  const wanted = new Set(dockerHubNames.has(host) ? dockerHubNames : [host]);
  const found = Object.entries(entries ?? {}).find(([key]) => {
    return wanted.has(key.replace(/^https?:\/\//, '').replace(/(?:\/v[12])?\/?$/, ''));
  });
  return found?.[1];
}

async function askHelper(
  name: string,
  host: string,
  file: string,
  env: NodeJS.ProcessEnv,
  optional: boolean,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[A-Za-z0-9._-]+$/.test(name)) {
    throw unusable(file, 'it names a credential helper that is not a plain program name', `mend ${file}`);
  }
  const answer = await runHelper(program, dockerHubNames.has(host) ? DOCKER_HUB_KEY : host, env);
  if (answer.outcome === 'absent' && optional) return undefined;
  if (answer.outcome === 'unknown host') return undefined;
  const parsed = answer.outcome === 'answered' ? parseHelperAnswer(answer.output) : undefined;
  if (parsed !== undefined) return parsed;
  const said = answer.outcome === 'absent' ? 'is not on PATH' : 'gave no credentials';
  throw unusable(
    file,
    `the credential helper ${program} ${said} for ${host}`,
    `run "echo ${host} | ${program} get" by hand to see why`,
  );
}

type HelperAnswer = { outcome: 'answered'; output: string } | { outcome: 'absent' | 'unknown host' | 'failed' };

async function runHelper(program: string, serverUrl: string, env: NodeJS.ProcessEnv): Promise<HelperAnswer> {
  return new Promise((resolve) => {
    const child = execFile(program, ['get'], { env, timeout: HELPER_TIMEOUT_MS }, (error, stdout) => {
      if (error === null) resolve({ outcome: 'answered', output: stdout });
      else if (error.code === 'ENOENT') resolve({ outcome: 'absent' });
      else resolve({ outcome: /credentials not found/i.test(stdout) ? 'unknown host' : 'failed' });
    });
    // A helper that ends without reading makes the pipe break; its exit code tells what happened.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(serverUrl);
  });
}

function parseHelperAnswer(output: string): Credentials | undefined {
  try {
    const { Username: username, Secret: secret } = JSON.parse(output) as { Username?: string; Secret?: string };
    if (!secret) return undefined;
    if (username === TOKEN_USERNAME) return { identityToken: secret };
    return username ? { username, password: secret } : undefined;
  } catch {
    return undefined;
  }
}

function unusable(file: string, message: string, remedy: string): SealiftError {
  return new SealiftError('RegistryUnauthorized', {
    side: 'local',
    operation: 'look up credentials',
    subject: file,
    message,
    remedy,
  });
}
