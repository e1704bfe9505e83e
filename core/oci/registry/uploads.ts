import type { Digest } from '../../../contracts/descriptor.ts';
import { SealiftError } from '../../errors.ts';
import type { HttpResponse } from '../../http/client.ts';
import type { Scope } from './auth.ts';
import { missingRepositoryRemedy } from './remedies.ts';
import type { RegistrySession, SessionRequest } from './session.ts';
import { hasFault, registryError } from './status.ts';

/** Where an upload session stands. */
export interface UploadStatus {
  /** absolute URL for the next request: registries may sign it anew with each answer */
  location: string;
  /** bytes that the registry has; distribution says `0-0` both for none and for one byte, which is read as none */
  offset: number;
}

/**
 * Upload sessions (distribution-spec v1.1, "Pushing blobs"): begun and ended here, filled by movers. Locations are absolute.
 * `repository` is only needed for locations that do not name it (`/v2/<repository>/blobs/uploads/...`).
 */
export interface UploadCalls {
  /** Mounts the blob from another repository of the registry, or else opens a session. @throws SealiftError RepositoryMissing */
  mountOrBegin(
    repository: string,
    digest: Digest,
    fromRepository?: string,
  ): Promise<{ mounted: true } | { mounted: false; location: string }>;
  /** @throws SealiftError UploadSessionLost when the registry does not know the session, or cannot say */
  uploadStatus(location: string, repository?: string): Promise<UploadStatus>;
  /**
   * Seals a session whose bytes are all there.
   * @throws SealiftError UploadSessionLost also when the registry counted other bytes than were sent: start again from zero
   */
  finishUpload(location: string, repository: string, digest: Digest): Promise<void>;
  /** Gives a session up so that the registry can free its space; whether that worked does not matter. */
  abandonUpload(location: string, repository?: string): Promise<void>;
}

const LOST_CODES = ['BLOB_UPLOAD_INVALID', 'BLOB_UPLOAD_UNKNOWN', 'RANGE_INVALID', 'DIGEST_INVALID', 'SIZE_INVALID'];

export function uploadCalls(session: RegistrySession): UploadCalls {
  async function post(repository: string, digest: Digest, query: string, scopes: Scope[]): Promise<HttpResponse> {
    return session.send({
      method: 'POST',
      url: session.url(repository, `blobs/uploads/${query}`),
      scopes: [session.scope(repository, 'push'), ...scopes],
      operation: 'begin upload',
      subject: session.subject(repository, digest),
    });
  }

  async function mount(repository: string, digest: Digest, from: string): Promise<HttpResponse | undefined> {
    const query = new URLSearchParams({ mount: digest, from: session.path(from) });
    const scopes = from === repository ? [] : [session.scope(from, 'pull')];
    const response = await post(repository, digest, `?${query.toString()}`, scopes).catch(refusedAsUndefined);
    // Not every registry mounts, and not every account may read the other repository: the plain way is always open.
    return response !== undefined && response.status < 300 ? response : undefined;
  }

  return {
    async mountOrBegin(repository, digest, fromRepository) {
      const mounted = fromRepository === undefined ? undefined : await mount(repository, digest, fromRepository);
      const response = mounted ?? (await post(repository, digest, '', []));
      if (response.status === 201) return { mounted: true };
      const about = { side: session.side, operation: 'begin upload', subject: session.subject(repository, digest) };
      if (response.status === 404) {
        const remedy = missingRepositoryRemedy(session.path(repository));
        throw registryError(response, { ...about, as: 'RepositoryMissing', remedy });
      }
      const location = response.status < 300 ? session.location(response) : undefined;
      if (location !== undefined) return { mounted: false, location };
      throw response.status < 300 ? withoutLocation(about, response) : registryError(response, about);
    },

    async uploadStatus(location, repository) {
      const asked = sessionRequest(session, 'GET', location, repository, 'ask for upload status');
      const response = await session.send(asked);
      if (response.status >= 300) throw uploadError(session, response, asked);
      const end = /^(?:bytes=)?0-(\d+)$/.exec(response.headers['range'] ?? '')?.[1];
      const offset = end === undefined || end === '0' ? 0 : Number(end) + 1;
      return { location: session.location(response) ?? location, offset };
    },

    finishUpload: (location, repository, digest) => finish(session, location, repository, digest),

    async abandonUpload(location, repository) {
      try {
        await session.send(sessionRequest(session, 'DELETE', location, repository, 'abandon upload'));
      } catch (error) {
        if (!(error instanceof SealiftError)) throw error;
      }
    },
  };
}

async function finish(session: RegistrySession, location: string, repository: string, digest: Digest): Promise<void> {
  const asked = sessionRequest(session, 'PUT', finishUrl(location, digest), repository, 'finish upload');
  const headers = { 'content-type': 'application/octet-stream' };
  const subject = session.subject(repository, digest);
  const response = await session.send({ ...asked, subject, headers });
  if (response.status >= 300) throw uploadError(session, response, { ...asked, subject });
  const stored = response.headers['docker-content-digest'];
  if (stored === undefined || stored === digest || !stored.startsWith('sha256:')) return;
  throw new SealiftError('DigestMismatch', {
    side: session.side,
    operation: asked.operation,
    subject,
    message: `the registry stored it as ${stored}`,
    remedy: 'look for a proxy or filter that alters uploads on the way to the registry',
  });
}

/** The URL that seals a session when it is PUT. */
export function finishUrl(location: string, digest: Digest): string {
  const url = new URL(location);
  // Appended by hand: URLSearchParams would re-encode, and so break, the signed part of the location.
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url.href;
}

/** A request about a session, in the scope of the repository that it fills. */
function sessionRequest(
  session: RegistrySession,
  method: SessionRequest['method'],
  location: string,
  repository: string | undefined,
  operation: string,
): SessionRequest {
  const owner = repository ?? session.repositoryOf(location);
  const scopes = owner === undefined ? [] : [session.scope(owner, 'push')];
  return {
    method,
    url: location,
    scopes,
    operation,
    subject: owner === undefined ? location : session.subject(owner),
  };
}

/** What went wrong with a session; a registry that cannot continue it (404, 405, 416, ...) has as good as lost it. */
function uploadError(session: RegistrySession, response: HttpResponse, asked: SessionRequest): SealiftError {
  const { operation, subject } = asked;
  const about = { side: session.side, operation, subject };
  const isLost = [404, 405, 410, 416, 501].includes(response.status) || hasFault(response, ...LOST_CODES);
  return registryError(response, isLost ? { ...about, as: 'UploadSessionLost' } : about);
}

function withoutLocation(
  about: { side: RegistrySession['side']; operation: string; subject: string },
  response: HttpResponse,
): SealiftError {
  return new SealiftError('RequestRefused', {
    ...about,
    message: `the registry answered ${response.status} without saying where to upload to`,
    remedy: 'look for a proxy that removes the Location header',
  });
}

function refusedAsUndefined(error: unknown): undefined {
  if (error instanceof SealiftError && error.type === 'RegistryUnauthorized') return undefined;
  throw error;
}
