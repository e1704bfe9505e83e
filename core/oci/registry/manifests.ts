import type { Descriptor, Digest } from '../../../contracts/descriptor.ts';
import { SealiftError } from '../../errors.ts';
import type { HttpResponse } from '../../http/client.ts';
import { digestOf, isDigest } from '../digest.ts';
import { manifestMediaType } from '../manifest.ts';
import { MAX_MANIFEST_BYTES, manifestMediaTypes } from '../manifest-reader.ts';
import type { RegistrySession } from './session.ts';
import { missingRepositoryRemedy } from './remedies.ts';
import { hasFault, registryError, registryFaults } from './status.ts';

export interface FetchedManifest {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

/** Manifests and indexes (distribution-spec v1.1, "Pulling manifests" and "Pushing Manifests"). `reference` is a tag or a digest. */
export interface ManifestCalls {
  /** The exact bytes, proven. @throws SealiftError ManifestMissing, DigestMismatch, SizeMismatch (over 4 MiB) */
  fetchManifest(repository: string, reference: string): Promise<FetchedManifest>;
  /** What a tag or digest points to, undefined when it is absent. A registry that does not say so is asked for the bytes. */
  headManifest(repository: string, reference: string): Promise<Descriptor | undefined>;
  /**
   * Pushes exactly these bytes. `subjectAccepted`: the registry keeps the referrers list for its subject itself.
   * @throws SealiftError TagConflict (immutable tag), RepositoryMissing, BlobMissing, DigestMismatch
   */
  putManifest(
    repository: string,
    reference: string,
    mediaType: string,
    bytes: Uint8Array,
  ): Promise<{ subjectAccepted: boolean }>;
}

const ACCEPT = [...manifestMediaTypes, '*/*'].join(', ');

export function manifestCalls(session: RegistrySession): ManifestCalls {
  async function ask(method: 'GET' | 'HEAD', repository: string, reference: string): Promise<HttpResponse> {
    return session.send({
      method,
      url: session.url(repository, `manifests/${reference}`),
      headers: { accept: ACCEPT },
      maxBytes: MAX_MANIFEST_BYTES,
      scopes: [session.scope(repository, 'pull')],
      operation: 'fetch manifest',
      subject: session.subject(repository, reference),
    });
  }

  async function fetchManifest(repository: string, reference: string): Promise<FetchedManifest> {
    const response = await ask('GET', repository, reference);
    const subject = session.subject(repository, reference);
    const about = { side: session.side, operation: 'fetch manifest', subject };
    if (response.status !== 200) throw registryError(response, { ...about, missing: 'ManifestMissing' });
    const digest = digestOf(response.body);
    const claims = [isDigest(reference) ? reference : undefined, statedDigest(response)];
    const broken = claims.find((claim) => claim !== undefined && claim !== digest);
    if (broken !== undefined) {
      throw new SealiftError('DigestMismatch', {
        ...about,
        message: `the bytes have the digest ${digest}, not ${broken}`,
        remedy: 'the registry, or something in between, altered the manifest: read it from elsewhere',
      });
    }
    const mediaType = manifestMediaType(response.body, response.headers['content-type']);
    return { descriptor: { mediaType, digest, size: response.body.length }, bytes: response.body };
  }

  async function headManifest(repository: string, reference: string): Promise<Descriptor | undefined> {
    const response = await ask('HEAD', repository, reference);
    const about = {
      side: session.side,
      operation: 'look up manifest',
      subject: session.subject(repository, reference),
    };
    if (response.status === 404) return undefined;
    // Some servers have no HEAD for manifests.
    if (response.status !== 200 && response.status !== 405) throw registryError(response, about);
    const described = response.status === 200 ? describedBy(response, reference) : undefined;
    if (described !== undefined) return described;
    return (await fetchManifest(repository, reference).catch(absentAsUndefined))?.descriptor;
  }

  return {
    fetchManifest,
    headManifest,
    putManifest: (repository, reference, mediaType, bytes) => put(session, repository, reference, { mediaType, bytes }),
  };
}

async function put(
  session: RegistrySession,
  repository: string,
  reference: string,
  { mediaType, bytes }: { mediaType: string; bytes: Uint8Array },
): Promise<{ subjectAccepted: boolean }> {
  const digest = digestOf(bytes);
  const subject = session.subject(repository, reference);
  const about = { side: session.side, operation: 'push manifest', subject };
  const response = await session.send({
    method: 'PUT',
    url: session.url(repository, `manifests/${reference}`),
    headers: { 'content-type': mediaType },
    body: bytes,
    scopes: [session.scope(repository, 'push')],
    operation: about.operation,
    subject,
  });
  if (response.status >= 300) throw pushFailure(response, about, session, repository, isDigest(reference));
  const stored = statedDigest(response);
  if (stored !== undefined && stored !== digest) {
    throw new SealiftError('DigestMismatch', {
      ...about,
      message: `the registry stored it as ${stored}, not ${digest}`,
      remedy: 'the registry alters manifests: turn its conversion off, or use another registry',
    });
  }
  return { subjectAccepted: response.headers['oci-subject'] !== undefined };
}

function describedBy(response: HttpResponse, reference: string): Descriptor | undefined {
  const digest = statedDigest(response);
  const size = Number(response.headers['content-length'] ?? Number.NaN);
  const mediaType = response.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
  const usable = Number.isSafeInteger(size) && manifestMediaTypes.includes(mediaType);
  // A digest that is not the one asked for is for the GET to prove or disprove.
  if (digest === undefined || !usable || (isDigest(reference) && reference !== digest)) return undefined;
  return { mediaType, digest, size };
}

/** Docker-Content-Digest, when it is one that can be checked here. */
function statedDigest(response: HttpResponse): Digest | undefined {
  const digest = response.headers['docker-content-digest'];
  return isDigest(digest) ? digest : undefined;
}

function absentAsUndefined(error: unknown): undefined {
  if (error instanceof SealiftError && error.type === 'ManifestMissing') return undefined;
  throw error;
}

function pushFailure(
  response: HttpResponse,
  about: { side: RegistrySession['side']; operation: string; subject: string },
  session: RegistrySession,
  repository: string,
  byDigest: boolean,
): SealiftError {
  if (!byDigest && saysImmutable(response)) {
    const remedy = 'delete the tag, allow its overwriting in the registry, or skip it';
    return registryError(response, { ...about, as: 'TagConflict', remedy });
  }
  if (response.status === 404 && hasFault(response, 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN')) {
    return registryError(response, { ...about, as: 'BlobMissing' });
  }
  if (response.status !== 404) return registryError(response, about);
  const remedy = missingRepositoryRemedy(session.path(repository));
  return registryError(response, { ...about, as: 'RepositoryMissing', remedy });
}

/** Harbor answers 412, Quay and others 409, ECR 400 TAG_INVALID, Artifactory and Nexus 400 or 403 with words only. */
function saysImmutable(response: HttpResponse): boolean {
  const { status } = response;
  if (status === 409 || status === 412) return true;
  if (status !== 400 && status !== 403) return false;
  return registryFaults(response).some(
    ({ code, message }) => code === 'TAG_INVALID' || /immutab|cannot be overwritten/i.test(message),
  );
}
