import { createHmac, randomBytes } from 'node:crypto';
import { compare } from 'bcryptjs';
import { SealiftError } from '../errors.ts';

/** What became of a request's credentials. */
export type Verdict = { user: string } | 'refused' | 'busy';

/** Checks an Authorization header. */
export type Authenticate = (header: string | undefined) => Promise<Verdict>;

/** Pairs of user and password whose verdict is remembered; bcrypt takes a tenth of a second, a pull has hundreds of requests. */
const REMEMBERED = 1000;
/** Checks that wait; more guesses than that are turned away, so that they can't stop the downloads. */
const WAITING = 16;

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
 * Basic authentication (RFC 7617) against bcrypt hashes. An unknown user costs as much time as a wrong password, and one
 * check runs at a time.
 */
export function createAuthenticate(users: ReadonlyMap<string, string>): Authenticate {
  const key = randomBytes(32);
  const remembered = new Map<string, Promise<boolean>>();
  const [anyHash = ''] = users.values();
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  const check = (user: string, password: string): Promise<boolean> => {
    const hash = users.get(user);
    waiting += 1;
    const result = last.then(async () => {
      const fits = await compare(password, hash ?? anyHash);
      return fits && hash !== undefined;
    });
    last = result.finally(() => (waiting -= 1)).catch(() => undefined);
    return result;
  };
  return async (header) => {
    const credentials = credentialsOf(header);
    if (credentials === undefined) return 'refused';
    const { user, password } = credentials;
    const pair = createHmac('sha256', key).update(`${user}\0${password}`).digest('hex');
    let result = remembered.get(pair);
    if (result === undefined) {
      if (waiting >= WAITING) return 'busy';
      result = check(user, password);
      remembered.set(pair, result);
      const [oldest] = remembered.keys();
      if (remembered.size > REMEMBERED) remembered.delete(oldest!);
    }
    return (await result) ? { user } : 'refused';
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
