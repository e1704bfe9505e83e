import { afterEach, describe, expect, it, vi } from 'vitest';
import { createHttpClient } from './client.ts';
import { proxyFor } from './proxy.ts';
import { startTestServer } from './testing.ts';

describe('proxyFor', () => {
  const env = { HTTPS_PROXY: 'http://s:3128', HTTP_PROXY: 'p:3128' };

  it('takes the variable of the scheme, lower case first', () => {
    expect(proxyFor('https://r.example/v2/', env)).toBe('http://s:3128');
    expect(proxyFor('http://r.example/v2/', env)).toBe('http://p:3128');
    expect(proxyFor('https://r.example/', { ...env, https_proxy: 'http://lower:1' })).toBe('http://lower:1');
    expect(proxyFor('https://r.example/', { HTTP_PROXY: 'http://p:3128' })).toBe('http://p:3128');
    expect(proxyFor('https://r.example/', {})).toBeUndefined();
  });

  it.each([
    'http://127.0.0.1:5000',
    'http://localhost',
    'https://[::1]:5000/',
    'http://r.localhost/',
    'http://127.9.9.9/',
  ])('never proxies loopback: %s', (url) => expect(proxyFor(url, env)).toBeUndefined());

  it.each([
    ['r.example', true],
    ['.example', true],
    ['*.example', true],
    ['example', true],
    ['r.example:443', true],
    ['r.example:80', false],
    ['other, R.EXAMPLE', true],
    ['*', true],
    ['ample', false],
    ['', false],
  ])('NO_PROXY=%s exempts r.example: %s', (noProxy, exempt) => {
    expect(proxyFor('https://r.example/', { ...env, NO_PROXY: noProxy }) === undefined).toBe(exempt);
  });

  it('understands address blocks', () => {
    const withBlock = { ...env, no_proxy: '10.0.0.0/8,fd00::/8' };
    expect(proxyFor('https://10.1.2.3/', withBlock)).toBeUndefined();
    expect(proxyFor('https://[fd12::1]:5000/', withBlock)).toBeUndefined();
    expect(proxyFor('https://11.1.2.3/', withBlock)).toBe('http://s:3128');
  });

  it('refuses what is no proxy without repeating it', () => {
    expect(() => proxyFor('https://r.example/', { HTTPS_PROXY: 'ftp://user:secret@p' })).toThrow(
      /^(?!.*secret).*not an http/s,
    );
  });
});

describe('the HTTP client behind a proxy', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('asks the proxy for plain HTTP in absolute form, with its credentials', async () => {
    await using proxy = await startTestServer(() => ({ status: 200, body: 'by proxy' }));
    vi.stubEnv('http_proxy', `http://user:word@${proxy.host}`);
    vi.stubEnv('no_proxy', '');
    const client = createHttpClient({ plainHttp: true, insecureSkipTlsVerify: false }, 'source');
    const response = await client.request({ method: 'GET', url: 'http://registry.invalid/v2/' });
    expect(Buffer.from(response.body).toString()).toBe('by proxy');
    expect(proxy.seen[0]).toMatchObject({ url: 'http://registry.invalid/v2/', headers: { host: 'registry.invalid' } });
    expect(proxy.seen[0]?.headers['proxy-authorization']).toBe(`Basic ${btoa('user:word')}`);
    await client.close();
  });
});
