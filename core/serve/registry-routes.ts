import type { Digest } from '../../contracts/descriptor.ts';
import { MediaType } from '../../contracts/media-types.ts';
import { maxJsonSize } from '../bundle/bounded-json.ts';
import { SealiftError } from '../errors.ts';
import { isDigest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isRepository } from '../oci/reference.ts';
import { refuseMethod, sendContent, sendText, type Exchange } from './exchange.ts';
import type { Inputs } from './inputs.ts';
import type { Referrers } from './referrers.ts';
import { byCode, type Repositories, type Repository } from './repositories.ts';

/** What the registry is made of. */
export interface RegistryContent {
  inputs: Inputs;
  repositories: Repositories;
  referrers: Referrers;
}

/** Codes of the distribution specification v1.1, "Error Codes", and what registries say of their own failures. */
type ErrorCode =
  | 'BLOB_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'PAGINATION_NUMBER_INVALID'
  | 'TOOMANYREQUESTS'
  | 'UNAUTHORIZED'
  | 'UNKNOWN'
  | 'UNSUPPORTED';

const API_VERSION = { 'docker-distribution-api-version': 'registry/2.0' };

/** Answers in the error form of the distribution specification. */
export function sendRegistryError(
  exchange: Exchange,
  status: number,
  code: ErrorCode,
  message: string,
  headers: Record<string, string> = {},
): void {
  const body = JSON.stringify({ errors: [{ code, message }] });
  sendText(exchange, status, 'application/json', body, { ...API_VERSION, ...headers });
}

/** Answers below `/v2/` as the pull part of the distribution specification v1.1 says. */
export async function answerRegistry(exchange: Exchange, content: RegistryContent): Promise<void> {
  const { request, path, query } = exchange;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const errors = [{ code: 'UNSUPPORTED', message: 'this registry is read-only: it serves a bundle' }];
    refuseMethod(exchange, 'application/json', JSON.stringify({ errors }));
    return;
  }
  if (path === '/v2' || path === '/v2/') {
    exchange.route = 'ping';
    sendText(exchange, 200, 'application/json', '{}', API_VERSION);
    return;
  }
  if (path === '/v2/_catalog') {
    exchange.route = 'catalog';
    sendPage(exchange, content.repositories.names, (repositories) => ({ repositories }));
    return;
  }
  const match = /^\/v2\/(.+)\/(?:(manifests|blobs|referrers)\/([^/]+)|(tags)\/list)$/.exec(path);
  if (match === null) {
    sendRegistryError(exchange, 404, 'UNSUPPORTED', 'there is no such endpoint');
    return;
  }
  const [, name = '', kind = 'tags', encoded = ''] = match;
  exchange.route = kind;
  const repository = content.repositories.find(name, query.get('ns') ?? undefined);
  if (repository === undefined) {
    const [status, code] = isRepository(name) ? ([404, 'NAME_UNKNOWN'] as const) : ([400, 'NAME_INVALID'] as const);
    sendRegistryError(exchange, status, code, `no bundle has the repository ${name}`);
    return;
  }
  const wanted = decoded(encoded);
  if (kind === 'manifests') await sendManifest(exchange, content, repository, wanted);
  else if (kind === 'blobs') await sendBlob(exchange, content, wanted);
  else if (kind === 'referrers') sendReferrers(exchange, content, wanted);
  else sendPage(exchange, [...repository.keys()].sort(byCode), (tags) => ({ name, tags }));
}

async function sendManifest(
  exchange: Exchange,
  { inputs }: RegistryContent,
  repository: Repository,
  wanted: string,
): Promise<void> {
  const digest = isDigest(wanted) ? wanted : repository.get(wanted);
  if (digest === undefined && wanted.includes(':')) return refuseDigest(exchange, wanted);
  const found = digest === undefined ? undefined : inputs.find(digest);
  const bytes = found === undefined || found.size > maxJsonSize ? undefined : await found.bundle.read(digest!);
  const mediaType = bytes === undefined ? undefined : mediaTypeOf(bytes);
  if (bytes === undefined || mediaType === undefined) {
    sendRegistryError(exchange, 404, 'MANIFEST_UNKNOWN', `no bundle has the manifest ${wanted} here`);
    return;
  }
  await sendContent(exchange, { content: { bytes }, mediaType, ...described(digest!) });
}

/** @returns undefined for a blob that is no manifest */
function mediaTypeOf(bytes: Uint8Array): string | undefined {
  try {
    return parseManifest(bytes).mediaType;
  } catch (error) {
    if (error instanceof SealiftError && error.type === 'ManifestInvalid') return undefined;
    throw error;
  }
}

async function sendBlob(exchange: Exchange, { inputs }: RegistryContent, digest: string): Promise<void> {
  if (!isDigest(digest)) return refuseDigest(exchange, digest);
  const content = inputs.find(digest);
  if (content === undefined) {
    sendRegistryError(exchange, 404, 'BLOB_UNKNOWN', `no bundle has ${digest}`);
    return;
  }
  await sendContent(exchange, { content, mediaType: 'application/octet-stream', ...described(digest) });
}

function described(digest: Digest): { entityTag: string; headers: Record<string, string> } {
  return { entityTag: `"${digest}"`, headers: { ...API_VERSION, 'docker-content-digest': digest } };
}

/** A well-formed digest of another algorithm is one that no bundle has; anything else is nonsense. */
function refuseDigest(exchange: Exchange, digest: string): void {
  if (/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[A-Za-z0-9=_-]{32,}$/.test(digest) && !digest.startsWith('sha256:')) {
    const code = exchange.route === 'manifests' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN';
    sendRegistryError(exchange, 404, code, 'bundles hold sha256 content only');
  } else {
    sendRegistryError(exchange, 400, 'DIGEST_INVALID', 'it has not the form sha256:HEX');
  }
}

function sendReferrers(exchange: Exchange, { referrers }: RegistryContent, digest: string): void {
  if (!isDigest(digest)) {
    sendRegistryError(exchange, 400, 'DIGEST_INVALID', 'it has not the form sha256:HEX');
    return;
  }
  const type = exchange.query.get('artifactType');
  const all = referrers.get(digest) ?? [];
  const manifests = type === null ? all : all.filter(({ artifactType }) => artifactType === type);
  const body = JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests });
  const filtered = type === null ? {} : { 'oci-filters-applied': 'artifactType' };
  sendText(exchange, 200, MediaType.ociIndex, body, { ...API_VERSION, ...filtered });
}

/** Sends a part of a sorted list as `n` and `last` ask for it, with a Link to the next part. */
function sendPage(exchange: Exchange, sorted: readonly string[], body: (page: string[]) => object): void {
  const { query, path } = exchange;
  const given = query.get('n');
  if (given !== null && !/^\d{1,9}$/.test(given)) {
    sendRegistryError(exchange, 400, 'PAGINATION_NUMBER_INVALID', 'n is a whole number');
    return;
  }
  const size = given === null ? sorted.length : Number(given);
  const last = query.get('last');
  const rest = last === null ? sorted : sorted.filter((name) => byCode(name, last) > 0);
  const page = rest.slice(0, size);
  const headers: Record<string, string> = { ...API_VERSION };
  const end = page.at(-1);
  if (end !== undefined && rest.length > page.length) {
    const next = new URLSearchParams(query);
    next.set('n', String(size));
    next.set('last', end);
    headers['link'] = `<${path}?${next.toString()}>; rel="next"`;
  }
  sendText(exchange, 200, 'application/json', JSON.stringify(body(page)), headers);
}

/** Percent-encoding undone where it is well-formed. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
