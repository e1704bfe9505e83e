import type { Digest } from '../../contracts/descriptor.ts';
import type { Side } from '../../contracts/errors.ts';
import type { RegistryOptions } from '../../contracts/run-options.ts';
import type { HttpTarget } from '../../contracts/transfer.ts';
import { SealiftError } from '../errors.ts';
import { createHttpClient, type HttpClient } from '../http/client.ts';
import { loadHostSettings, type HostSettings } from '../http/host-settings.ts';
import { createOrigins } from '../http/origins.ts';
import { proxyFor } from '../http/proxy.ts';
import { retryAfterMs } from '../http/retry.ts';
import { readLocal } from '../sources/read-local.ts';
import type { BlobOrigin } from '../transfer/download.ts';
import type { BlobDestination } from '../transfer/upload.ts';
import { createRegistryClient, redirectedTarget, type RegistryClient } from './registry/client.ts';
import { createCredentialStore } from './registry/credentials.ts';
import { registryError } from './registry/status.ts';
import { finishUrl } from './registry/uploads.ts';

export interface RemotesOptions {
  side: Side;
  registry: RegistryOptions;
  pullFrom: Record<string, string>;
  configDir: string;
  env: NodeJS.ProcessEnv;
}

/** The registries and file servers of one operation: each host is set up once, wherever --pull-from leads. */
export interface Remotes {
  readonly side: Side;
  registry(host: string): Promise<RegistryClient>;
  /** the URL that a file is really read from */
  file(url: string): string;
  /** @returns bytes, as the server or the file system states them. @throws SealiftError FileMissing, RequestRefused, ... */
  fileSize(url: string): Promise<number>;
  fileTarget(url: string): Promise<HttpTarget>;
  /** A small document by path or URL. @throws SealiftError FileMissing, ConnectionFailed, ... */
  read(location: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

const DOCUMENT_LIMIT = 32 * 1024 * 1024;

export function createRemotes(options: RemotesOptions): Remotes {
  const { side, env, configDir } = options;
  // who says how certificates are checked has one to check
  const tlsAsked = options.registry.caFile !== undefined || options.registry.insecureSkipTlsVerify;
  const origins = createOrigins(options.pullFrom, tlsAsked);
  const credentials = createCredentialStore({ env, useEnvironment: side === 'destination' });
  const clients = new Map<string, Promise<RegistryClient>>();
  const fileHosts = new Map<string, Promise<{ http: HttpClient; settings: HostSettings }>>();
  const open: HttpClient[] = [];

  async function openHost(host: string, plainHttp: boolean): Promise<{ http: HttpClient; settings: HostSettings }> {
    const settings = await loadHostSettings(host, { ...options.registry, plainHttp }, configDir);
    const http = createHttpClient(settings, side);
    open.push(http);
    return { http, settings };
  }

  async function openRegistry(name: string): Promise<RegistryClient> {
    const { host, pathPrefix, plainHttp } = origins.registry(name);
    const { http, settings } = await openHost(host, plainHttp || options.registry.plainHttp);
    return createRegistryClient({ host, pathPrefix, settings, credentials, side, http });
  }

  function fileHost(url: string): Promise<{ http: HttpClient; settings: HostSettings }> {
    const { host, protocol } = new URL(url);
    return remembered(fileHosts, host, () => openHost(host, protocol === 'http:'));
  }

  return {
    side,
    registry: (host) => remembered(clients, host, () => openRegistry(host)),
    file: (url) => origins.file(url),
    async fileSize(url) {
      const real = origins.file(url);
      const { http } = await fileHost(real);
      const response = await http.request({ method: 'HEAD', url: real, operation: 'find size of file', subject: url });
      if (response.status !== 200) throw fileRefused(side, url, response);
      return statedSize(response.headers, side, url);
    },
    async fileTarget(url) {
      const real = origins.file(url);
      const { settings } = await fileHost(real);
      return httpTarget(real, settings);
    },
    async read(location) {
      if (!/^https?:\/\//.test(location)) return readLocal(location, side);
      const real = origins.file(location);
      if (real.startsWith('file:')) return readLocal(real, side);
      const { http } = await fileHost(real);
      const request = {
        method: 'GET',
        url: real,
        maxBytes: DOCUMENT_LIMIT,
        operation: 'read document',
        subject: location,
      } as const;
      const response = await http.request(request);
      if (response.status !== 200) throw fileRefused(side, location, response);
      return response.body;
    },
    async close() {
      await Promise.all(open.map((http) => http.close()));
    },
  };
}

/** A blob of a repository, for the movers. `host` is the origin's own, before --pull-from. */
export async function registryOrigin(
  remotes: Remotes,
  host: string,
  repository: string,
  digest: Digest,
): Promise<BlobOrigin> {
  const client = await remotes.registry(host);
  const subject = `${host}/${repository}@${digest}`;
  const url = client.blobUrl(repository, digest);
  return {
    subject,
    host: new URL(url).host,
    target: () => client.target(repository, 'pull', url),
    reauthorize: (challenge, rejected) => client.reauthorize(repository, ['pull'], challenge, rejected),
    redirected: (target, location) => client.redirected(target, location),
    refused: (status, headers, body) =>
      registryError(answer(url, status, headers, body), {
        side: remotes.side,
        operation: 'fetch blob',
        subject,
        missing: 'BlobMissing',
      }),
  };
}

/** A repository that blobs are pushed to, for the movers. */
export function blobDestination(client: RegistryClient, repository: string, digest: Digest): BlobDestination {
  const { host, pathname } = new URL(client.blobUrl(repository, digest));
  return {
    subject: `${host}/${repository}@${digest}`,
    host,
    mountOrBegin: (blob, from) => client.mountOrBegin(repository, blob, from),
    uploadStatus: (location) => client.uploadStatus(location, repository),
    finishUpload: (location, blob) => client.finishUpload(location, repository, blob),
    finishUrl,
    has: async (blob, size) => (await client.headBlob(repository, blob)) === size,
    target: (url) => client.target(repository, 'push', url),
    reauthorize: (challenge, rejected) => client.reauthorize(repository, ['pull', 'push'], challenge, rejected),
    refused: (status, headers, body) =>
      registryError(answer(pathname, status, headers, body), {
        side: 'destination',
        operation: 'push blob',
        subject: `${host}/${repository}@${digest}`,
      }),
  };
}

/** A file by URL, for the movers. */
export async function fileOrigin(remotes: Remotes, url: string): Promise<BlobOrigin> {
  const first = await remotes.fileTarget(url);
  return {
    subject: url,
    host: new URL(first.url).host,
    target: () => remotes.fileTarget(url),
    reauthorize: () => Promise.reject(fileRefused(remotes.side, url, { status: 401 })),
    redirected: (target, location) => redirectedTarget(target, location, remotes.side),
    refused: (status, headers) => fileRefused(remotes.side, url, { status, headers }),
  };
}

function httpTarget(url: string, settings: HostSettings): HttpTarget {
  const proxy = proxyFor(url);
  return {
    url,
    headers: {},
    insecureSkipTlsVerify: settings.insecureSkipTlsVerify,
    ...(settings.ca === undefined ? {} : { ca: settings.ca }),
    ...(proxy === undefined ? {} : { proxy }),
  };
}

function answer(
  url: string,
  status: number,
  headers: Record<string, string>,
  body: string,
): { url: string; status: number; headers: Record<string, string>; body: Uint8Array } {
  return { url, status, headers, body: Buffer.from(body) };
}

function fileRefused(
  side: Side,
  url: string,
  { status, headers = {} }: { status: number; headers?: Record<string, string> },
): SealiftError {
  const wait = retryAfterMs(headers['retry-after']);
  const type =
    status === 404 || status === 410
      ? 'FileMissing'
      : status === 401
        ? 'RegistryUnauthorized'
        : status === 403
          ? 'RegistryForbidden'
          : 'RequestRefused';
  const transient = status === 429 ? 'RegistryThrottled' : status >= 500 ? 'RegistryUnavailable' : type;
  return new SealiftError(transient, {
    side,
    operation: 'fetch file',
    subject: url,
    message: `the server answered ${status}`,
    remedy: 'check the URL; --pull-from ORIGIN=URL reads it from elsewhere, and skip leaves it out',
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

function statedSize(headers: Record<string, string>, side: Side, url: string): number {
  const length = headers['content-length'];
  if (length !== undefined && /^\d+$/.test(length)) return Number(length);
  throw new SealiftError('RequestRefused', {
    side,
    operation: 'find size of file',
    subject: url,
    message: 'the server does not state a Content-Length',
    remedy: 'serve the file from a server that does, with --pull-from ORIGIN=URL',
  });
}

function remembered<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  known.set(key, made);
  made.catch(() => known.delete(key));
  return made;
}
