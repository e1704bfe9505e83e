import type { Side } from '../../../contracts/errors.ts';
import type { HttpTarget } from '../../../contracts/transfer.ts';
import { SealiftError } from '../../errors.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../http/client.ts';
import type { HostSettings } from '../../http/host-settings.ts';
import { proxyFor } from '../../http/proxy.ts';
import { createAuthenticator, type Authenticator, type Scope } from './auth.ts';
import type { CredentialStore } from './credentials.ts';
import { registryError } from './status.ts';

export interface SessionOptions {
  /** `host[:port]` as in references */
  host: string;
  /** without slashes at the ends; may be empty */
  pathPrefix: string;
  settings: HostSettings;
  credentials: CredentialStore;
  side: Side;
  http: HttpClient;
}

export interface SessionRequest extends HttpRequest {
  scopes: Scope[];
  operation: string;
  subject: string;
}

const DOCKER_HUB_API = 'registry-1.docker.io';

/** Authenticated requests to one registry: URLs, scopes, and the one renewal that a 401 is worth. */
export class RegistrySession {
  readonly side: Side;
  readonly authenticator: Authenticator;
  readonly #options: SessionOptions;
  readonly #base: URL;
  #probe: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    const { host, settings } = options;
    const contacted = host === 'docker.io' || host === 'index.docker.io' ? DOCKER_HUB_API : host;
    this.#options = options;
    this.side = options.side;
    this.#base = new URL(`${settings.plainHttp ? 'http' : 'https'}://${contacted}/v2/`);
    this.authenticator = createAuthenticator({ ...options, registryUrl: this.#base });
  }

  /** Absolute URL of the API's root, or of a path below a repository, e.g. `manifests/latest`. */
  url(repository?: string, path = ''): string {
    return repository === undefined ? this.#base.href : `${this.#base.href}${this.path(repository)}/${path}`;
  }

  /** A repository's path in URLs and scopes. */
  path(repository: string): string {
    return this.#options.pathPrefix === '' ? repository : `${this.#options.pathPrefix}/${repository}`;
  }

  /** The repository (without the path prefix) that an upload URL of this registry belongs to. */
  repositoryOf(url: string): string | undefined {
    const pathname = new URL(url).pathname;
    const path = /^\/v2\/(.+)\/blobs\/uploads(?:\/|$)/.exec(pathname)?.[1];
    const prefix = this.path('');
    return this.#isOwn(url) && path?.startsWith(prefix) === true ? path.slice(prefix.length) : undefined;
  }

  /** What errors call a tag, digest or repository. */
  subject(repository: string, reference = ''): string {
    const separator = reference === '' ? '' : reference.includes(':') ? '@' : ':';
    return `${this.#options.host}/${this.path(repository)}${separator}${reference}`;
  }

  scope(repository: string, access: Scope['access']): Scope {
    return { repository: this.path(repository), access };
  }

  /**
   * Makes a request with credentials, if it goes to the registry itself. Any status but a second 401 is an answer.
   * @throws SealiftError RegistryUnauthorized, and what HttpClient.request throws
   */
  async send(request: SessionRequest): Promise<HttpResponse> {
    const { scopes } = request;
    if (!this.#isOwn(request.url)) return this.#options.http.request(request);
    const first = await this.authenticator.header(scopes);
    const response = await this.#sendWith(request, first);
    if (!this.#isChallenge(response)) return response;
    await this.authenticator.renew(scopes, response.headers['www-authenticate'], first).catch((error: unknown) => {
      throw this.#explained(error, request);
    });
    const again = await this.#sendWith(request, await this.authenticator.header(scopes));
    if (!this.#isChallenge(again)) return again;
    throw registryError(again, { side: this.side, ...request, remedy: this.authenticator.remedy() });
  }

  /** Everything a mover thread needs to speak to a URL by itself; credentials only when it is the registry's own. */
  async target(scopes: Scope[], url: string): Promise<HttpTarget> {
    if (this.#isOwn(url)) await this.#learnScheme();
    const authorization = this.#isOwn(url) ? await this.authenticator.header(scopes) : undefined;
    const { ca, insecureSkipTlsVerify } = this.#options.settings;
    const proxy = proxyFor(url);
    return {
      url,
      headers: { 'user-agent': 'sealift', ...(authorization === undefined ? {} : { authorization }) },
      ...(ca === undefined ? {} : { ca }),
      ...(insecureSkipTlsVerify ? { insecureSkipTlsVerify } : {}),
      ...(proxy === undefined ? {} : { proxy }),
    };
  }

  /** The absolute URL of a Location header. A TLS-terminating proxy makes registries answer `http://` for themselves: mended here. */
  location(response: HttpResponse): string | undefined {
    const text = response.headers['location'];
    if (text === undefined || !URL.canParse(text, response.url)) return undefined;
    const url = new URL(text, response.url);
    if (url.host === this.#base.host) url.protocol = this.#base.protocol;
    return url.href;
  }

  /** Asks once how the registry authenticates, so that the first request of a mover need not fail. */
  async #learnScheme(): Promise<void> {
    this.#probe ??= this.#options.http
      .request({ method: 'GET', url: this.url(), operation: 'reach registry', subject: this.#options.host })
      .then((response) => {
        if (response.status === 401) this.authenticator.learn(response.headers['www-authenticate']);
      });
    try {
      await this.#probe;
    } catch (error) {
      this.#probe = undefined;
      throw error;
    }
  }

  #sendWith(request: SessionRequest, authorization: string | undefined): Promise<HttpResponse> {
    const headers = { ...request.headers, ...(authorization === undefined ? {} : { authorization }) };
    return this.#options.http.request({ ...request, headers });
  }

  #isChallenge(response: HttpResponse): boolean {
    return response.status === 401 && this.#isOwn(response.url);
  }

  #isOwn(url: string): boolean {
    const { host, protocol } = new URL(url);
    return host === this.#base.host && protocol === this.#base.protocol;
  }

  /** The authenticator knows the registry only; the operator wants to know what was being done. */
  #explained(error: unknown, request: SessionRequest): unknown {
    if (!(error instanceof SealiftError) || error.problem.operation !== 'authenticate') return error;
    const { operation, subject } = request;
    return new SealiftError(error.type, { ...error.problem, operation, subject, cause: error });
  }
}
