import type { HttpTarget } from '../../../contracts/transfer.ts';
import type { Side } from '../../../contracts/errors.ts';
import { createHttpClient, type HttpClient } from '../../http/client.ts';
import type { HostSettings } from '../../http/host-settings.ts';
import { proxyFor } from '../../http/proxy.ts';
import { headersFor, redirectTarget } from '../../http/redirect.ts';
import type { RepositoryAccess } from './auth.ts';
import { blobCalls, type BlobCalls } from './blobs.ts';
import type { CredentialStore } from './credentials.ts';
import { listingCalls, type ListingCalls } from './listings.ts';
import { manifestCalls, type ManifestCalls } from './manifests.ts';
import { RegistrySession } from './session.ts';
import { registryError } from './status.ts';
import { uploadCalls, type UploadCalls } from './uploads.ts';

export interface RegistryClientOptions {
  /** `host[:port]`; `docker.io` is contacted where Docker Hub's API is */
  host: string;
  /** path put before every repository, without slashes at the ends */
  pathPrefix?: string;
  settings: HostSettings;
  credentials: CredentialStore;
  side: Side;
  /** shared with others when given, and then not closed by `close` */
  http?: HttpClient;
}

/**
 * One registry, as an OCI distribution-spec v1.1 client. Repositories are given without the path prefix. Every call may
 * throw SealiftError RegistryUnauthorized, RegistryForbidden, RegistryThrottled, RegistryUnavailable, RequestRefused, and
 * what HttpClient.request throws.
 */
export interface RegistryClient extends ManifestCalls, BlobCalls, ListingCalls, UploadCalls {
  /** `host[:port]` as in references and errors */
  readonly host: string;
  /** Whether there is a registry that lets us in. @throws SealiftError when not */
  ping(): Promise<void>;
  /** What a mover thread needs to send requests to `url` by itself, with the credentials of this moment. */
  target(repository: string, access: RepositoryAccess, url: string): Promise<HttpTarget>;
  /**
   * After a mover's 401: the next `target` has fresh credentials. `challenge` is its WWW-Authenticate header, `rejected`
   * the Authorization value it had sent; with it, of many movers refused at once only the first asks for a new token.
   * @throws SealiftError RegistryUnauthorized when new credentials cannot be had
   */
  reauthorize(
    repository: string,
    actions: readonly RepositoryAccess[],
    challenge: string | undefined,
    rejected?: string,
  ): Promise<void>;
  /** The target that a redirect of a mover's GET leads to; credentials stay behind. @throws SealiftError RequestRefused */
  redirected(target: HttpTarget, location: string): HttpTarget;
  close(): Promise<void>;
}

/** Makes a client for one registry; nothing is sent before the first call. */
export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const { host, pathPrefix = '', settings, credentials, side } = options;
  const http = options.http ?? createHttpClient(settings, side);
  const session = new RegistrySession({ host, pathPrefix, settings, credentials, side, http });
  const manifests = manifestCalls(session);
  return {
    host,
    ...manifests,
    ...blobCalls(session),
    ...listingCalls(session, manifests),
    ...uploadCalls(session),
    async ping() {
      const about = { operation: 'reach registry', subject: host };
      const response = await session.send({ method: 'GET', url: session.url(), scopes: [], ...about });
      if (response.status !== 200) throw registryError(response, { side, ...about });
    },
    target: (repository, access, url) => session.target([session.scope(repository, access)], url),
    async reauthorize(repository, actions, challenge, rejected) {
      const scopes = [session.scope(repository, actions.includes('push') ? 'push' : 'pull')];
      await session.authenticator.renew(scopes, challenge, rejected ?? session.authenticator.current(scopes));
    },
    redirected: (target, location) => redirectedTarget(target, location, side),
    async close() {
      if (options.http === undefined) await http.close();
    },
  };
}

/**
 * The target that a redirect leads to, with the same rules as HttpClient: no credentials for another host, never
 * link-local. The trust settings go along. @throws SealiftError RequestRefused
 */
export function redirectedTarget(target: HttpTarget, location: string, side: Side): HttpTarget {
  const from = new URL(target.url);
  const to = redirectTarget(from, location, side);
  const { proxy: _proxy, ...rest } = target;
  const proxy = proxyFor(to);
  return {
    ...rest,
    url: to.href,
    headers: headersFor(target.headers, from, to),
    ...(proxy === undefined ? {} : { proxy }),
  };
}
