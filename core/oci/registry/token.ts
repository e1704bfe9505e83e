import type { Side } from '../../../contracts/errors.ts';
import { SealiftError } from '../../errors.ts';
import { isLinkLocalHost, isLoopbackHost } from '../../http/addresses.ts';
import type { HttpClient, HttpResponse } from '../../http/client.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { registryError } from './status.ts';

/** A bearer token and when it should be replaced, on the monotonic clock of `performance.now()`. */
export interface Token {
  value: string;
  /** milliseconds */
  staleAt: number;
}

export interface TokenRequest {
  challenge: Challenge;
  /** e.g. `repository:library/nginx:pull` */
  scopes: string[];
  credentials: Credentials | undefined;
  side: Side;
  /** the registry that asks for the token */
  registryUrl: URL;
}

const CLIENT_ID = 'sealift';
/** distribution-spec, "Token authentication": the lifetime when the answer states none. */
const DEFAULT_LIFETIME_S = 60;
const MAX_MARGIN_S = 30;

/**
 * Gets a token: by GET with basic credentials or none, or, for an identity token, by OAuth2 POST
 * (distribution "Token Authentication Specification" and "OAuth2 Token Authentication").
 * @throws SealiftError RegistryUnauthorized when the endpoint refuses or is not fit to be given credentials
 */
export async function fetchToken(http: HttpClient, request: TokenRequest, remedy: string): Promise<Token> {
  const realm = realmOf(request, remedy);
  const response = await askEndpoint(http, realm, request);
  const about = { side: request.side, operation: 'get token', subject: realm.origin + realm.pathname };
  if (response.status >= 400 && response.status < 500 && response.status !== 429) {
    throw registryError(response, { ...about, as: 'RegistryUnauthorized', remedy });
  }
  if (response.status !== 200) throw registryError(response, about);
  const answer = parseAnswer(response.body);
  if (answer !== undefined) return answer;
  throw new SealiftError('RegistryUnauthorized', { ...about, message: 'its answer holds no token', remedy });
}

async function askEndpoint(http: HttpClient, realm: URL, request: TokenRequest): Promise<HttpResponse> {
  const { credentials, scopes } = request;
  const service = request.challenge.parameters['service'];
  const about = { operation: 'get token', subject: realm.origin + realm.pathname };
  if (credentials !== undefined && 'identityToken' in credentials) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      service: service ?? '',
      client_id: CLIENT_ID,
      refresh_token: credentials.identityToken,
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return http.request({ method: 'POST', url: realm.href, headers, body: Buffer.from(form.toString()), ...about });
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials === undefined) return http.request({ method: 'GET', url: url.href, ...about });
  url.searchParams.set('account', credentials.username);
  return http.request({ method: 'GET', url: url.href, headers: { authorization: basicHeader(credentials) }, ...about });
}

/** The value of an Authorization header for a name and password (RFC 7617). */
export function basicHeader(credentials: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

/** The registry chooses where the credentials go, so the place must be no worse than the registry itself. */
function realmOf(request: TokenRequest, remedy: string): URL {
  const text = request.challenge.parameters['realm'] ?? '';
  const base = request.registryUrl;
  const realm = URL.canParse(text, base.href) ? new URL(text, base) : undefined;
  const isDowngrade = base.protocol === 'https:' && realm?.protocol === 'http:' && !isLoopbackHost(realm.host);
  const isWeb = realm?.protocol === 'https:' || realm?.protocol === 'http:';
  if (realm !== undefined && isWeb && !isDowngrade && !isLinkLocalHost(realm.host)) return realm;
  throw new SealiftError('RegistryUnauthorized', {
    side: request.side,
    operation: 'get token',
    subject: base.host,
    message: `it sends clients for tokens to "${text}", which credentials are not given to`,
    remedy,
  });
}

function parseAnswer(body: Uint8Array): Token | undefined {
  let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown } | null;
  try {
    answer = JSON.parse(new TextDecoder().decode(body)) as typeof answer;
  } catch {
    return undefined;
  }
  const value = answer?.token ?? answer?.access_token;
  if (typeof value !== 'string' || value === '') return undefined;
  const stated = Number(answer?.expires_in);
  const lifetime = stated > 0 ? stated : DEFAULT_LIFETIME_S;
  const margin = Math.min(MAX_MARGIN_S, lifetime / 4);
  return { value, staleAt: performance.now() + (lifetime - margin) * 1000 };
}
