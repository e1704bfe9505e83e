import { describe, expect, it } from 'vitest';
import { startTestServer, type Answer, type Responder, type SeenRequest, type TestServer } from '../../http/testing.ts';
import { digestOf } from '../digest.ts';
import { parseChallenges } from './challenge.ts';
import { clientFor } from './testing.ts';

const bytes = Buffer.from('{"schemaVersion":2,"manifests":[]}');
const found: Answer = {
  status: 200,
  headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
  body: bytes,
};

/** A registry whose tokens are `t1`, `t2`, ...; `accepts` decides about each request with its token. */
async function tokenRegistry(
  accepts: (token: string, request: SeenRequest) => boolean,
  token: (request: SeenRequest, count: number) => Answer = (_request, count) => tokenAnswer(`t${count}`),
): Promise<TestServer & { tokens: SeenRequest[] }> {
  const tokens: SeenRequest[] = [];
  const respond: Responder = (request) => {
    if (request.url.startsWith('/token')) {
      tokens.push(request);
      return token(request, tokens.length);
    }
    const sent = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    if (sent !== undefined && accepts(sent, request)) return found;
    const challenge = `Bearer realm="${server.url}/token",service="test",scope="repository:a:pull"`;
    return {
      status: 401,
      headers: { 'www-authenticate': challenge },
      body: '{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}',
    };
  };
  const server = await startTestServer(respond);
  return Object.assign(server, { tokens });
}

function tokenAnswer(token: string, expires = 300): Answer {
  return { status: 200, body: JSON.stringify({ token, expires_in: expires }) };
}

describe('bearer tokens', () => {
  it('are asked for with basic credentials, once for many callers, and used again', async () => {
    await using server = await tokenRegistry(() => true);
    const client = clientFor(server.host, { lookup: () => ({ username: 'u', password: 'p' }) });
    await Promise.all(Array.from({ length: 8 }, () => client.fetchManifest('a', 'v1')));
    await client.fetchManifest('a', 'v2');
    expect(server.tokens).toHaveLength(1);
    expect(server.tokens[0]).toMatchObject({ method: 'GET', headers: { authorization: `Basic ${btoa('u:p')}` } });
    expect(new URL(server.tokens[0]!.url, server.url).searchParams.getAll('scope')).toEqual(['repository:a:pull']);
    expect(new URL(server.tokens[0]!.url, server.url).searchParams.get('service')).toBe('test');
    await client.close();
  });

  it('are exchanged by OAuth2 for an identity token', async () => {
    await using server = await tokenRegistry(
      (token) => token === 'access',
      () => ({ status: 200, body: '{"access_token":"access"}' }),
    );
    const client = clientFor(server.host, { lookup: () => ({ identityToken: 'refresh me' }) });
    await client.fetchManifest('a', 'v1');
    expect(server.tokens[0]).toMatchObject({ method: 'POST', url: '/token' });
    expect(Object.fromEntries(new URLSearchParams(server.tokens[0]!.body))).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'refresh me',
      scope: 'repository:a:pull',
    });
    await client.close();
  });

  it('are renewed when refused, once', async () => {
    let good = 't1';
    await using server = await tokenRegistry((token) => token === good);
    const client = clientFor(server.host);
    await client.fetchManifest('a', 'v1');
    good = 't2';
    await Promise.all(['v1', 'v2', 'v3'].map((tag) => client.fetchManifest('a', tag)));
    expect(server.tokens).toHaveLength(2);
    good = 'never';
    const error = await client.fetchManifest('a', 'v1').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'RegistryUnauthorized', problem: { operation: 'fetch manifest' } });
    expect(String(error)).toMatch(/UNAUTHORIZED: no[\s\S]*\/home\/test\/\.docker\/config\.json/);
    expect(server.tokens).toHaveLength(3);
    await client.close();
  });

  it('are not used when stale', async () => {
    await using server = await tokenRegistry(
      () => true,
      (_request, count) => tokenAnswer(`t${count}`, 0.0001),
    );
    const client = clientFor(server.host);
    await client.fetchManifest('a', 'v1');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await client.fetchManifest('a', 'v1');
    expect(server.tokens.length).toBeGreaterThan(1);
    await client.close();
  });

  it('cover the repository that is mounted from, and names that a proxy hides', async () => {
    await using server = await tokenRegistry(() => true);
    const client = clientFor(server.host);
    await client.mountOrBegin('b', digestOf(bytes), 'c').catch(() => undefined);
    const scopes = new URL(server.tokens[0]!.url, server.url).searchParams.getAll('scope');
    expect(scopes).toEqual(['repository:b:pull,push', 'repository:c:pull', 'repository:a:pull']);
    await client.close();
  });

  it.each([401, 403, 400])('say that credentials are wrong when the endpoint answers %s', async (status) => {
    await using server = await tokenRegistry(
      () => false,
      () => ({ status, body: '{"errors":[]}' }),
    );
    const client = clientFor(server.host, { lookup: () => ({ username: 'u', password: 'canary' }) });
    const error = await client.fetchManifest('a', 'v1').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'RegistryUnauthorized', problem: { operation: 'get token' } });
    expect(JSON.stringify(error) + String(error)).not.toMatch(new RegExp(`canary|${btoa('u:canary')}`));
    await client.close();
  });

  it('are not asked for at a link-local address', async () => {
    const challenge = 'Bearer realm="http://169.254.169.254/token",service="x"';
    await using server = await startTestServer(() => ({ status: 401, headers: { 'www-authenticate': challenge } }));
    const client = clientFor(server.host, { lookup: () => ({ username: 'u', password: 'p' }) });
    await expect(client.fetchManifest('a', 'v1')).rejects.toMatchObject({ type: 'RegistryUnauthorized' });
    await client.close();
  });
});

describe('movers', () => {
  it('get the token of the moment, and a new one after a 401', async () => {
    await using server = await tokenRegistry(() => true);
    const client = clientFor(server.host);
    const url = client.blobUrl('a', digestOf(bytes));
    const target = await client.target('a', 'pull', url);
    expect(target).toEqual({ url, headers: { 'user-agent': 'sealift', authorization: 'Bearer t1' } });
    const rejected = target.headers['authorization'];
    await Promise.all([1, 2, 3].map(() => client.reauthorize('a', ['pull'], undefined, rejected)));
    await client.reauthorize('a', ['pull'], undefined, rejected);
    expect((await client.target('a', 'pull', url)).headers['authorization']).toBe('Bearer t2');
    await client.reauthorize('a', ['pull'], undefined);
    expect((await client.target('a', 'pull', url)).headers['authorization']).toBe('Bearer t3');
    await client.close();
  });

  it('get no credentials for another host', async () => {
    await using server = await tokenRegistry(() => true);
    const client = clientFor(server.host);
    const elsewhere = await client.target('a', 'push', 'https://uploads.example/x?signature=y');
    expect(elsewhere.headers['authorization']).toBeUndefined();
    const target = await client.target('a', 'pull', client.blobUrl('a', digestOf(bytes)));
    expect(client.redirected(target, '/x').headers['authorization']).toBe('Bearer t1');
    expect(client.redirected(target, 'http://cdn.example/x')).toEqual({
      url: 'http://cdn.example/x',
      headers: { 'user-agent': 'sealift' },
    });
    expect(() => client.redirected(target, 'http://169.254.169.254/')).toThrow(/link-local/);
    await client.close();
  });

  it('learn that nothing can help', async () => {
    await using server = await startTestServer(() => ({ status: 200 }));
    const client = clientFor(server.host);
    const target = await client.target('a', 'pull', client.blobUrl('a', digestOf(bytes)));
    expect(target.headers).not.toHaveProperty('authorization');
    await expect(client.reauthorize('a', ['pull'], 'Negotiate')).rejects.toMatchObject({
      type: 'RegistryUnauthorized',
    });
    await client.close();
  });
});

describe('parseChallenges', () => {
  it('reads several challenges, quoted commas and escapes', () => {
    const header = 'Bearer realm="https://a/t",scope="repository:a/b:pull,push", Basic realm="say \\"x\\"", Negotiate';
    expect(parseChallenges(header)).toEqual([
      { scheme: 'bearer', parameters: { realm: 'https://a/t', scope: 'repository:a/b:pull,push' } },
      { scheme: 'basic', parameters: { realm: 'say "x"' } },
      { scheme: 'negotiate', parameters: {} },
    ]);
  });

  it('forgives missing quotes and stops at nonsense', () => {
    expect(parseChallenges('bearer Realm=https://a:1/t,service=x')).toEqual([
      { scheme: 'bearer', parameters: { realm: 'https://a:1/t', service: 'x' } },
    ]);
    expect(parseChallenges('')).toEqual([]);
    expect(parseChallenges('"a"=b')).toEqual([]);
    expect(parseChallenges('Basic realm="unclosed')).toMatchObject([{ scheme: 'basic' }]);
  });
});
