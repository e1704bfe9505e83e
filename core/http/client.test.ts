import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateCertificates } from '../../test/helpers/certificates.ts';
import { freePort } from '../server/free-port.ts';
import { temporaryFolder } from '../../test/helpers/paths.ts';
import type { SealiftError } from '../errors.ts';
import { createHttpClient, type HttpRequest, type HttpResponse } from './client.ts';
import { loadHostSettings, type HostSettings } from './host-settings.ts';
import { startTestServer, type Answer } from './testing.ts';

const plain: HostSettings = { plainHttp: true, insecureSkipTlsVerify: false };

async function requestOnce(request: HttpRequest, settings = plain): Promise<HttpResponse> {
  const client = createHttpClient(settings, 'source');
  try {
    return await client.request(request);
  } finally {
    await client.close();
  }
}

async function failure(request: HttpRequest, settings = plain): Promise<SealiftError> {
  return requestOnce(request, settings).then(
    () => expect.unreachable('the request should fail'),
    (error: unknown) => error as SealiftError,
  );
}

describe('answers', () => {
  it('gives status, lower-case headers, body and URL', async () => {
    await using server = await startTestServer(() => ({ status: 201, headers: { 'X-Word': 'a' }, body: 'hello' }));
    const response = await requestOnce({ method: 'PUT', url: `${server.url}/x`, body: Buffer.from('sent') });
    expect(response.status).toBe(201);
    expect(response.headers['x-word']).toBe('a');
    expect(Buffer.from(response.body).toString()).toBe('hello');
    expect(response.url).toBe(`${server.url}/x`);
    expect(server.seen).toMatchObject([{ method: 'PUT', body: 'sent', headers: { 'content-length': '4' } }]);
  });

  it('refuses more bytes than it may have', async () => {
    await using server = await startTestServer(() => ({ status: 200, body: 'x'.repeat(100) }));
    const error = await failure({ method: 'GET', url: server.url, maxBytes: 99 });
    expect(error.type).toBe('SizeMismatch');
    expect(server.seen).toHaveLength(1);
    expect((await requestOnce({ method: 'GET', url: server.url, maxBytes: 100 })).body).toHaveLength(100);
    await using wordy = await startTestServer(() => ({ status: 404, body: 'x'.repeat(10_000_000) }));
    expect((await requestOnce({ method: 'GET', url: wordy.url, maxBytes: 1 })).status).toBe(404);
  });
});

describe('failures', () => {
  it('tries a GET three times, and says what cannot be reached', async () => {
    await using server = await startTestServer(() => undefined);
    const error = await failure({ method: 'GET', url: server.url, operation: 'fetch manifest', subject: 'a/b:1' });
    expect(error.problem).toMatchObject({ type: 'ConnectionFailed', operation: 'fetch manifest', subject: 'a/b:1' });
    expect(server.seen).toHaveLength(3);
    const refused = await failure({ method: 'GET', url: `http://127.0.0.1:${await freePort()}/` });
    expect(refused.problem.message).toContain('refused');
  });

  it('tries a POST once', async () => {
    await using server = await startTestServer(() => undefined);
    expect((await failure({ method: 'POST', url: server.url })).type).toBe('ConnectionFailed');
    expect(server.seen).toHaveLength(1);
  });

  it('recovers from a reset, a short body and a 500', async () => {
    const answers: (Answer | undefined)[] = [
      undefined,
      { status: 200, body: 'he', announced: 5 },
      { status: 200, body: 'hello' },
    ];
    await using server = await startTestServer(() => answers.shift());
    expect(Buffer.from((await requestOnce({ method: 'GET', url: server.url })).body).toString()).toBe('hello');
    await using failing = await startTestServer(() => ({ status: failing.seen.length < 3 ? 500 : 200 }));
    expect((await requestOnce({ method: 'GET', url: failing.url })).status).toBe(200);
  });

  it('names a body that always ends early, and a server that says nothing', async () => {
    await using short = await startTestServer(() => ({ status: 200, body: 'he', announced: 5 }));
    expect((await failure({ method: 'GET', url: short.url })).type).toBe('BodyTruncated');
    await using silent = await startTestServer(() => new Promise(() => undefined));
    expect((await failure({ method: 'POST', url: silent.url, timeoutMs: 50 })).type).toBe('Stalled');
  });

  it('hands on a 5xx that stays, for the caller to read', async () => {
    await using server = await startTestServer(() => ({ status: 503, body: 'why' }));
    expect(await requestOnce({ method: 'GET', url: server.url })).toMatchObject({ status: 503 });
    expect(server.seen).toHaveLength(3);
  });

  it('throws the reason of a cancelled request', async () => {
    await using server = await startTestServer(() => new Promise(() => undefined));
    const cancelled = new AbortController();
    const answer = requestOnce({ method: 'GET', url: server.url, signal: cancelled.signal });
    cancelled.abort(new Error('given up'));
    await expect(answer).rejects.toThrow('given up');
  });
});

describe('throttling', () => {
  it.each([
    ['seconds', () => '3600'],
    ['an HTTP-date', () => new Date(Date.now() + 3_600_000).toUTCString()],
  ])('throws when told to wait long, in %s, and leaves the host alone until then', async (_form, header) => {
    await using server = await startTestServer(() => ({ status: 429, headers: { 'retry-after': header() } }));
    const client = createHttpClient(plain, 'source');
    const first = await client
      .request({ method: 'GET', url: server.url })
      .catch((error: unknown) => error as SealiftError);
    expect(first).toMatchObject({ type: 'RegistryThrottled' });
    expect((first as SealiftError).retryAfterMs).toBeGreaterThan(3_500_000);
    await expect(client.request({ method: 'PUT', url: server.url })).rejects.toMatchObject({
      type: 'RegistryThrottled',
    });
    expect(server.seen).toHaveLength(1);
    await client.close();
  });

  it('waits a short time by itself, for any method', async () => {
    await using server = await startTestServer(() =>
      server.seen.length === 1 ? { status: 429, headers: { 'retry-after': '0' } } : { status: 201 },
    );
    expect((await requestOnce({ method: 'POST', url: server.url })).status).toBe(201);
  });
});

describe('redirects', () => {
  it('keeps credentials for their own host', async () => {
    await using other = await startTestServer(() => ({ status: 200, body: 'far' }));
    await using server = await startTestServer(({ url }) => {
      if (url === '/start') return { status: 302, headers: { location: '/near' } };
      return { status: 307, headers: { location: `${other.url}/far` } };
    });
    const headers = { authorization: 'Basic c2VjcmV0', cookie: 'a=b', accept: 'x/y' };
    const response = await requestOnce({ method: 'GET', url: `${server.url}/start`, headers });
    expect(response.url).toBe(`${other.url}/far`);
    expect(server.seen.map((request) => request.headers.authorization)).toEqual(['Basic c2VjcmV0', 'Basic c2VjcmV0']);
    expect(other.seen[0]?.headers).toMatchObject({ accept: 'x/y' });
    expect(other.seen[0]?.headers.authorization).toBeUndefined();
    expect(other.seen[0]?.headers.cookie).toBeUndefined();
  });

  it.each([
    'http://169.254.169.254/latest',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://2852039166/',
    'file:///etc/passwd',
  ])('refuses to be sent to %s', async (location) => {
    await using server = await startTestServer(() => ({ status: 302, headers: { location } }));
    expect((await failure({ method: 'GET', url: server.url })).problem).toMatchObject({ type: 'RequestRefused' });
    expect(server.seen).toHaveLength(1);
  });

  it('gives up on a circle, and does not redirect a PUT', async () => {
    await using server = await startTestServer(() => ({ status: 302, headers: { location: '/again' } }));
    expect((await failure({ method: 'HEAD', url: server.url })).problem.message).toContain('more than 5');
    expect(server.seen).toHaveLength(6);
    expect((await requestOnce({ method: 'PUT', url: server.url })).status).toBe(302);
  });
});

describe('TLS', () => {
  it('trusts the given authority only, and says how to give it', async () => {
    await using folder = await temporaryFolder('tls');
    const files = await generateCertificates(folder.path);
    const tls = { cert: await readFile(files.certificate, 'utf8'), key: await readFile(files.key, 'utf8') };
    await using server = await startTestServer(() => ({ status: 200 }), tls);
    const options = { plainHttp: false, insecureSkipTlsVerify: false };
    const error = await failure({ method: 'GET', url: server.url }, options);
    expect(error.type).toBe('CertificateUntrusted');
    expect(error.problem.remedy).toContain('--ca-file');
    expect(server.seen).toHaveLength(0);
    const trusting = await loadHostSettings(server.host, { ...options, caFile: files.ca }, folder.path);
    expect((await requestOnce({ method: 'GET', url: server.url }, trusting)).status).toBe(200);
    const careless = { ...options, insecureSkipTlsVerify: true };
    expect((await requestOnce({ method: 'GET', url: server.url }, careless)).status).toBe(200);
    await mkdir(path.join(folder.path, 'certs.d', server.host), { recursive: true });
    await writeFile(path.join(folder.path, 'certs.d', server.host, 'ca.crt'), await readFile(files.ca));
    const found = await loadHostSettings(server.host, options, folder.path);
    expect((await requestOnce({ method: 'GET', url: server.url }, found)).status).toBe(200);
  });

  it('names both clocks when a certificate has expired', async () => {
    await using folder = await temporaryFolder('tls');
    const files = await generateCertificates(folder.path, -1);
    const tls = { cert: await readFile(files.certificate, 'utf8'), key: await readFile(files.key, 'utf8') };
    await using server = await startTestServer(() => ({ status: 200 }), tls);
    const settings = { plainHttp: false, insecureSkipTlsVerify: false, ca: await readFile(files.ca, 'utf8') };
    const error = await failure({ method: 'GET', url: server.url }, settings);
    expect(error.problem.message).toMatch(
      /expired \(valid from \d{4}-.*to \d{4}-.*the clock of this machine says \d{4}-/,
    );
  });

  it('says when the server speaks plain HTTP', async () => {
    await using server = await startTestServer(() => ({ status: 200 }));
    const error = await failure({ method: 'GET', url: server.url.replace('http:', 'https:') });
    expect(error.problem).toMatchObject({
      type: 'ConnectionFailed',
      remedy: expect.stringContaining('--plain-http') as string,
    });
  });
});

describe('host settings', () => {
  it('refuses authority files that are absent or hold no certificate', async () => {
    await using folder = await temporaryFolder('settings');
    const options = { plainHttp: false, insecureSkipTlsVerify: false };
    const load = (caFile: string) => loadHostSettings('r.example', { ...options, caFile }, folder.path);
    await expect(load(path.join(folder.path, 'none.pem'))).rejects.toMatchObject({ type: 'FileMissing' });
    await writeFile(path.join(folder.path, 'bad.pem'), 'not PEM');
    await expect(load(path.join(folder.path, 'bad.pem'))).rejects.toMatchObject({ type: 'InvalidInput' });
    expect(await loadHostSettings('r.example', options, folder.path)).toEqual(options);
  });
});
