import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { SealiftError } from '../errors.ts';
import { PasswordChecks } from './password-checks.ts';

/** What became of a request's credentials. */
export type Verdict = { user: string } | 'refused' | 'busy';

/** Checks an Authorization header. @param client its address: clients take turns */
export type Authenticate = (header: string | undefined, client: string) => Promise<Verdict>;

/** Wrong passwords that are remembered: a client that is set up wrongly sends one again and again. */
const REMEMBERED = 1000;

const BCRYPT = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;

/**
 * Reads an htpasswd file (`htpasswd -B`): `user:bcrypt-hash` lines.
 *
 * @throws SealiftError InvalidInput naming the line when a hash is not bcrypt, or there is no user
 */
export function parseHtpasswd(text: string, path: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const hash = line.slice(colon + 1).trim();
    if (colon < 1 || !BCRYPT.test(hash)) throw badLine(`${path}:${index + 1}`, 'it is not USER:BCRYPT-HASH');
    users.set(line.slice(0, colon), hash);
  }
  if (users.size === 0) throw badLine(path, 'it names no user');
  return users;
}

/**
 * Basic authentication (RFC 7617) against bcrypt hashes. An unknown user costs as much time as a wrong password. Who was let in
 * once is known from then on, however many others guess: a pull has hundreds of requests. What is remembered is a keyed hash.
 */
export function createAuthenticate(users: ReadonlyMap<string, string>): Authenticate {
  const key = randomBytes(32);
  const [anyHash = ''] = users.values();
  const checks = new PasswordChecks();
  const accepted = new Map<string, Buffer>();
  const refused = new Set<string>();
  /** a client's first requests come all at once, with one password */
  const underWay = new Map<string, Promise<boolean>>();

  const check = async (user: string, pair: Buffer, checked: Promise<boolean>): Promise<boolean> => {
    const id = pair.toString('hex');
    try {
      const fits = (await checked) && users.has(user);
      if (fits) accepted.set(user, pair);
      else {
        refused.add(id);
        const [oldest] = refused;
        if (refused.size > REMEMBERED) refused.delete(oldest!);
      }
      return fits;
    } finally {
      underWay.delete(id);
    }
  };

  return async (header, client) => {
    const credentials = credentialsOf(header);
    if (credentials === undefined) return 'refused';
    const { user, password } = credentials;
    const pair = createHmac('sha256', key)
      .update(JSON.stringify([user, password]))
      .digest();
    const known = accepted.get(user);
    if (known !== undefined && timingSafeEqual(known, pair)) return { user };
    const id = pair.toString('hex');
    if (refused.has(id)) return 'refused';
    let verdict = underWay.get(id);
    if (verdict === undefined) {
      const checked = checks.run(client, { password, hash: users.get(user) ?? anyHash });
      if (checked === undefined) return 'busy';
      verdict = check(user, pair, checked);
      underWay.set(id, verdict);
    }
    return (await verdict) ? { user } : 'refused';
  };
}

function credentialsOf(header: string | undefined): { user: string; password: string } | undefined {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function badLine(subject: string, message: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'read htpasswd',
    subject,
    message,
    remedy: 'make the file with `htpasswd -B -c FILE USER`; other hashes than bcrypt are not accepted',
  });
}
