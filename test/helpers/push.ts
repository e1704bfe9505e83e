import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';
import type { Digest } from '../../contracts/descriptor.ts';
import type { GeneratedBlob } from './content.ts';
import type { GeneratedImage, GeneratedManifest } from './images.ts';
import type { RegistryCredentials } from './registry.ts';

export interface RegistryAccess {
  /** `http://127.0.0.1:PORT` */
  url: string;
  credentials?: RegistryCredentials;
  /** PEM file */
  ca?: string;
}

export interface Pusher {
  /**
   * Puts everything of an image into a repository: blobs that are there are skipped, blobs that this pusher has put into
   * another repository are mounted, the rest goes up in one monolithic PUT each.
   * @param tag absent: the root is reachable by digest only
   * @throws Error with the registry's answer
   */
  push(repository: string, tag: string | undefined, image: GeneratedImage): Promise<void>;
  close(): Promise<void>;
}

/** Pushes with plain requests of its own, so that tests do not prove Sealift's client with itself. */
export async function createPusher(access: RegistryAccess): Promise<Pusher> {
  const agent = new Agent(access.ca === undefined ? {} : { connect: { ca: await readFile(access.ca, 'utf8') } });
  const authorization = authorizationOf(access.credentials);
  const homes = new Map<Digest, string>();
  const send: Send = (method, url, options = {}) =>
    request(new URL(url, access.url), {
      method,
      dispatcher: agent,
      headers: { ...authorization, ...options.headers },
      body: options.body ?? null,
    });
  return {
    push: async (repository, tag, image) => {
      for (const blob of image.blobs) await pushBlob(send, repository, blob, homes);
      for (const manifest of image.manifests) {
        await putManifest(
          send,
          repository,
          manifest === image.root && tag !== undefined ? tag : manifest.digest,
          manifest,
        );
      }
    },
    close: () => agent.close(),
  };
}

/** One image with a pusher of its own. */
export async function pushImage(
  access: RegistryAccess | string,
  repository: string,
  tag: string | undefined,
  image: GeneratedImage,
): Promise<void> {
  const pusher = await createPusher(typeof access === 'string' ? { url: access } : access);
  try {
    await pusher.push(repository, tag, image);
  } finally {
    await pusher.close();
  }
}

/** The header for basic authentication, or none. */
export function authorizationOf(credentials: RegistryCredentials | undefined): Record<string, string> {
  if (credentials === undefined) return {};
  const token = Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64');
  return { authorization: `Basic ${token}` };
}

type Send = (
  method: Dispatcher.HttpMethod,
  url: string,
  options?: { headers?: Record<string, string>; body?: Readable | Uint8Array },
) => Promise<Dispatcher.ResponseData>;

async function pushBlob(
  send: Send,
  repository: string,
  blob: GeneratedBlob,
  homes: Map<Digest, string>,
): Promise<void> {
  const head = await send('HEAD', `/v2/${repository}/blobs/${blob.digest}`);
  await head.body.dump();
  if (head.statusCode === 200) return;
  const home = homes.get(blob.digest);
  const mount = home === undefined ? '' : `?mount=${blob.digest}&from=${encodeURIComponent(home)}`;
  const session = await send('POST', `/v2/${repository}/blobs/uploads/${mount}`);
  homes.set(blob.digest, repository);
  if (session.statusCode === 201) {
    await session.body.dump();
    return;
  }
  await expectStatus(session, 202, `start an upload in ${repository}`);
  const location = new URL(String(session.headers['location']), 'http://relative');
  location.searchParams.set('digest', blob.digest);
  const target = location.host === 'relative' ? location.pathname + location.search : location.href;
  const put = await send('PUT', target, {
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) },
    body: Readable.from(blob.chunks()),
  });
  await expectStatus(put, 201, `upload ${blob.digest} to ${repository}`);
}

async function putManifest(
  send: Send,
  repository: string,
  reference: string,
  manifest: GeneratedManifest,
): Promise<void> {
  const put = await send('PUT', `/v2/${repository}/manifests/${reference}`, {
    headers: { 'content-type': manifest.mediaType },
    body: manifest.bytes,
  });
  await expectStatus(put, 201, `put manifest ${repository} ${reference}`);
}

async function expectStatus(response: Dispatcher.ResponseData, status: number, what: string): Promise<void> {
  const text = await response.body.text();
  if (response.statusCode !== status) throw new Error(`cannot ${what}: ${response.statusCode} ${text}`);
}
