import type { Side } from '../../../contracts/errors.ts';
import { SealiftError } from '../../errors.ts';
import type { HttpClient } from '../../http/client.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { Credentials, CredentialStore } from './credentials.ts';
import { basicHeader, fetchToken, type Token } from './token.ts';

/** What is wanted of a repository; to push is to pull as well. */
export type RepositoryAccess = 'pull' | 'push';

export interface Scope {
  /** as in the URL, with the path prefix */
  repository: string;
  access: RepositoryAccess;
}

/** Keeps what one registry wants in the Authorization header. Tokens live in memory only. */
export interface Authenticator {
  /** The header's value for these scopes; undefined while the registry has asked for nothing. @throws SealiftError RegistryUnauthorized */
  header(scopes: Scope[]): Promise<string | undefined>;
  /** The value that `header` would give without asking anyone. */
  current(scopes: Scope[]): string | undefined;
  /** Remembers how the registry authenticates, from the challenge of a 401. */
  learn(challenge: string | undefined): void;
  /**
   * After a 401: makes the next `header` a new one. `rejected` is the value that was refused, so that of many callers
   * refused with the same one only the first renews it. @throws SealiftError RegistryUnauthorized when that cannot help
   */
  renew(scopes: Scope[], challenge: string | undefined, rejected: string | undefined): Promise<void>;
  /** what an operator can do about a 401 */
  remedy(): string;
}

export interface AuthenticatorOptions {
  /** the name that credentials are kept under, e.g. `docker.io` */
  host: string;
  registryUrl: URL;
  credentials: CredentialStore;
  http: HttpClient;
  side: Side;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  return new RegistryAuthenticator(options);
}

class RegistryAuthenticator implements Authenticator {
  readonly #options: AuthenticatorOptions;
  #challenge: Challenge | undefined;
  #basic: string | undefined;
  readonly #tokens = new Map<string, Token>();
  readonly #pending = new Map<string, Promise<Token>>();
  /** scopes that a challenge named beyond the ones asked for, by the key of those */
  readonly #extraScopes = new Map<string, string[]>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  async header(scopes: Scope[]): Promise<string | undefined> {
    if (this.#challenge === undefined) return undefined;
    const current = this.current(scopes);
    if (current !== undefined) return current;
    if (this.#challenge.scheme === 'basic') return this.#lookUpBasic();
    return `Bearer ${(await this.#token(scopes, this.#challenge)).value}`;
  }

  current(scopes: Scope[]): string | undefined {
    if (this.#challenge?.scheme !== 'bearer') return this.#basic;
    const wider = scopes.map(({ repository }) => ({ repository, access: 'push' as const }));
    const now = performance.now();
    const token = [scopes, wider]
      .map((candidate) => this.#tokens.get(scopeKey(candidate)))
      .find((candidate) => candidate !== undefined && candidate.staleAt > now);
    return token === undefined ? undefined : `Bearer ${token.value}`;
  }

  learn(challenge: string | undefined): void {
    const usable = parseChallenges(challenge ?? '').filter(isUsable);
    this.#challenge = usable.find(({ scheme }) => scheme === 'bearer') ?? usable[0] ?? this.#challenge;
  }

  async renew(scopes: Scope[], challenge: string | undefined, rejected: string | undefined): Promise<void> {
    this.learn(challenge);
    if (this.#challenge === undefined) throw this.#refused('it asks for no kind of authentication known here');
    const current = this.current(scopes);
    if (current !== undefined && current !== rejected) return;
    if (this.#challenge.scheme === 'basic') {
      this.#basic = undefined;
      const renewed = await this.#lookUpBasic();
      if (renewed === undefined) throw this.#refused('it wants credentials, and none were found');
      if (renewed === rejected) throw this.#refused('it does not accept the credentials');
      return;
    }
    const key = scopeKey(scopes);
    this.#noteExtraScopes(key, scopes, this.#challenge);
    for (const [kept, token] of this.#tokens) if (`Bearer ${token.value}` === rejected) this.#tokens.delete(kept);
    await this.#token(scopes, this.#challenge);
  }

  remedy(): string {
    const { host, credentials } = this.#options;
    return `log in with \`docker login ${host}\` or mend the credentials (looked for in ${credentials.places().join(', ')}), and retry`;
  }

  /** One request per scope, however many callers wait for it. */
  #token(scopes: Scope[], challenge: Challenge): Promise<Token> {
    const key = scopeKey(scopes);
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    const fetched = this.#fetch(scopes, challenge)
      .then((token) => {
        this.#tokens.set(key, token);
        return token;
      })
      .finally(() => this.#pending.delete(key));
    this.#pending.set(key, fetched);
    return fetched;
  }

  async #fetch(scopes: Scope[], challenge: Challenge): Promise<Token> {
    const { http, side, registryUrl } = this.#options;
    const wanted = [...scopes.map(scopeText), ...(this.#extraScopes.get(scopeKey(scopes)) ?? [])];
    const credentials = await this.#lookUp();
    return fetchToken(http, { challenge, scopes: wanted, credentials, side, registryUrl }, this.remedy());
  }

  async #lookUpBasic(): Promise<string | undefined> {
    const found = await this.#lookUp();
    this.#basic = found !== undefined && 'username' in found ? basicHeader(found) : undefined;
    return this.#basic;
  }

  #lookUp(): Promise<Credentials | undefined> {
    return this.#options.credentials.lookup(this.#options.host);
  }

  /** Registries behind a path-rewriting proxy name the repository as they know it: that is what the token must be for. */
  #noteExtraScopes(key: string, scopes: Scope[], challenge: Challenge): void {
    const named = (challenge.parameters['scope'] ?? '').split(' ').filter((scope) => scope !== '');
    const known = new Set(scopes.map(({ repository }) => `repository:${repository}`));
    const extra = named.filter((scope) => !known.has(scope.slice(0, scope.lastIndexOf(':'))));
    if (extra.length > 0) this.#extraScopes.set(key, extra);
  }

  #refused(message: string): SealiftError {
    return new SealiftError('RegistryUnauthorized', {
      side: this.#options.side,
      operation: 'authenticate',
      subject: this.#options.host,
      message,
      remedy: this.remedy(),
    });
  }
}

function isUsable(challenge: Challenge): boolean {
  return challenge.scheme === 'basic' || (challenge.scheme === 'bearer' && challenge.parameters['realm'] !== undefined);
}

function scopeText(scope: Scope): string {
  return `repository:${scope.repository}:${scope.access === 'push' ? 'pull,push' : 'pull'}`;
}

function scopeKey(scopes: Scope[]): string {
  return scopes.map(scopeText).sort().join(' ');
}
