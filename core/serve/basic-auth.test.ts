import { hash } from 'bcryptjs';
import { describe, expect, it } from 'vitest';
import { failureOf } from '../bundle/testing.ts';
import { createAuthenticate, parseHtpasswd, type Authenticate } from './basic-auth.ts';

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

async function authenticator(): Promise<(header: string | undefined, client?: string) => ReturnType<Authenticate>> {
  const lines = [`anna:${await hash('pass:word', 4)}`, `bert:${(await hash('other', 4)).replace('$2b$', '$2y$')}`];
  const authenticate = createAuthenticate(parseHtpasswd(`# people\n\n${lines.join('\r\n')}\n`, 'users'));
  return (header, client = '10.0.0.1') => authenticate(header, client);
}

describe('basic authentication', () => {
  it('lets in who knows the password, again and again', async () => {
    const authenticate = await authenticator();
    for (const _time of [1, 2]) {
      expect(await authenticate(basic('anna:pass:word'))).toEqual({ user: 'anna' });
      expect(await authenticate(basic('bert:other'))).toEqual({ user: 'bert' });
    }
  });

  it.each([
    ['a wrong password', basic('anna:other')],
    ['an unknown user whose password is that of the first', basic('carl:pass:word')],
    ['no colon', basic('anna')],
    ['another scheme', 'Bearer abc'],
    ['no header', undefined],
    ['nonsense', 'Basic \u0000'],
  ])('refuses %s', async (_what, header) => {
    const authenticate = await authenticator();
    expect(await authenticate(header)).toBe('refused');
    expect(await authenticate(header)).toBe('refused');
  });

  it('turns guesses away when many wait, and still lets in who was let in before', async () => {
    const authenticate = await authenticator();
    expect(await authenticate(basic('anna:pass:word'))).toEqual({ user: 'anna' });
    const guesses = Array.from({ length: 100 }, (_, number) => authenticate(basic(`anna:${number}`)));
    expect(await authenticate(basic('anna:pass:word'))).toEqual({ user: 'anna' });
    const verdicts = await Promise.all(guesses);
    // one is being checked, 16 wait
    expect(verdicts.filter((verdict) => verdict === 'refused')).toHaveLength(17);
    expect(verdicts.filter((verdict) => verdict === 'busy')).toHaveLength(83);
  });

  it('takes who is new after one guess of another client, however many wait', async () => {
    const authenticate = await authenticator();
    const order: string[] = [];
    const ask = async (credentials: string, client: string): Promise<unknown> => {
      const verdict = await authenticate(basic(credentials), client);
      order.push(client);
      return verdict;
    };
    const guesses = Array.from({ length: 15 }, (_, number) => ask(`anna:${number}`, 'rude'));
    expect(await ask('anna:pass:word', 'good')).toEqual({ user: 'anna' });
    await Promise.all(guesses);
    expect(order.indexOf('good')).toBe(2);
  });

  it('checks a password once for all requests that come with it at a time', async () => {
    const authenticate = await authenticator();
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => authenticate(basic('bert:other'))));
    expect(new Set(verdicts.map((verdict) => JSON.stringify(verdict)))).toEqual(new Set(['{"user":"bert"}']));
  });

  it('lets no more clients than a few hundred wait', async () => {
    const authenticate = await authenticator();
    const guesses = Array.from({ length: 300 }, (_, number) =>
      authenticate(basic(`anna:${number}`), `client ${number}`),
    );
    const verdicts = await Promise.all(guesses);
    expect(verdicts.filter((verdict) => verdict === 'refused')).toHaveLength(257);
  });
});

it.each([
  ['an MD5 hash', 'anna:$apr1$abc$def', 'users:1'],
  ['a line without a colon', `\nanna`, 'users:2'],
  ['no user', '# nobody\n', 'users'],
])('an htpasswd file with %s is refused with its line', async (_what, text, subject) => {
  const failure = await failureOf(Promise.resolve().then(() => parseHtpasswd(text, 'users')));
  expect(failure.type).toBe('InvalidInput');
  expect(failure.text).toContain(`${subject}:`);
});
