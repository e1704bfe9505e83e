import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { digestOf, randomBuffer } from '../../test/helpers/content.ts';
import { startFaultProxy, type FaultProxy } from '../../test/helpers/fault-proxy.ts';
import type { Fault, FaultRule } from '../../test/helpers/fault-rules.ts';
import { startFileServer } from '../../test/helpers/file-server.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { startRegistry, type TestRegistry } from '../../test/helpers/registry.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import { startTestServer } from '../http/testing.ts';
import { clientFor, pushBlob } from '../oci/registry/testing.ts';
import { createRemotes, fileOrigin, registryOrigin, type Remotes } from '../oci/remotes.ts';
import { downloadBlob, type BlobToFetch, type DownloadReport } from './download.ts';
import { MoverPool } from './pool.ts';
import { blobFile, blobIn, OFFSET } from './testing.ts';

const SIZE = 3_000_000;
const content = randomBuffer('download', SIZE);
const digest = digestOf(content);
let registry: TestRegistry;
let folder: TemporaryFolder;
let pool: MoverPool;

beforeAll(async () => {
  process.env['SEALIFT_STALL_SECONDS'] = '3';
  pool = new MoverPool(1);
  pool.warm();
  delete process.env['SEALIFT_STALL_SECONDS'];
  folder = await temporaryFolder('download');
  registry = await startRegistry({ kind: 'distribution' });
  const client = clientFor(registry.host);
  await pushBlob(client, 'a', content);
  await client.close();
});

afterAll(async () => {
  await pool.close();
  await registry.stop();
  await folder.remove();
});

function rule(fault: Fault, more: Partial<FaultRule> = {}): FaultRule {
  return { name: fault.kind, method: 'GET', path: /blobs\/sha256/, fault, ...more };
}

function remotes(pullFrom: Record<string, string> = {}): Remotes {
  const registryOptions = { plainHttp: true, insecureSkipTlsVerify: false };
  const env = { DOCKER_CONFIG: folder.path };
  const made = createRemotes({ side: 'source', registry: registryOptions, pullFrom, configDir: folder.path, env });
  onTestFinished(() => made.close());
  return made;
}

interface Fetched extends DownloadReport {
  bytes: Buffer;
  progress: number[];
}

async function fetchBlob(
  proxy: { host: string },
  options: Partial<BlobToFetch> & { of?: Digest; signal?: AbortSignal; watch?: (written: number) => void } = {},
): Promise<Fetched> {
  const { of = digest, signal = new AbortController().signal, watch, ...more } = options;
  const path = await blobFile(folder.path, content, more.prefix);
  const origin = await registryOrigin(remotes(), proxy.host, 'a', of);
  const progress: number[] = [];
  const onProgress = (written: number): void => {
    progress.push(written);
    watch?.(written);
  };
  const blob = { digest: of, size: SIZE, to: { path, offset: OFFSET }, prefix: 0, ...more };
  const report = await downloadBlob(pool, origin, blob, { signal, onProgress });
  return { ...report, progress, bytes: await blobIn(path) };
}

async function through(rules: FaultRule[]): Promise<FaultProxy> {
  const proxy = await startFaultProxy(registry.url, rules);
  onTestFinished(() => proxy.stop());
  return proxy;
}

async function tokenServer(): Promise<{ challenge: string; tokens: () => number }> {
  const server = await startTestServer(() => ({
    status: 200,
    body: JSON.stringify({ token: 'fresh', expires_in: 300 }),
  }));
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { challenge: `Bearer realm="${server.url}/token",service="test"`, tokens: () => server.seen.length };
}

describe('downloadBlob', () => {
  it('brings a blob to its place', async () => {
    const proxy = await through([]);
    const { bytes, ...report } = await fetchBlob(proxy);
    expect(bytes.equals(content)).toBe(true);
    expect(report).toMatchObject({ moved: SIZE, resumed: 0, digest });
  });

  it('goes on inside the blob from where an earlier try left it', async () => {
    const proxy = await through([]);
    const { bytes, ...report } = await fetchBlob(proxy, { prefix: 2_000_000 });
    expect(bytes.equals(content)).toBe(true);
    expect(report).toMatchObject({ moved: 1_000_000, resumed: 2_000_000 });
    expect(proxy.downloaded()).toBeLessThan(1_001_000);
  });

  it('gets through fifty resets at random places, and no byte is moved twice', async () => {
    const draw = randomBuffer('download resets', 200);
    const resets = Array.from({ length: 50 }, (_, index) =>
      rule(
        { kind: 'reset', direction: 'down', afterBytes: 1 + (draw.readUInt32LE(4 * index) % 100_000) },
        { name: `reset ${index}` },
      ),
    );
    const proxy = await through(resets);
    const { bytes, moved, progress } = await fetchBlob(proxy);
    expect(bytes.equals(content)).toBe(true);
    expect(moved).toBe(SIZE);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    proxy.expectAllUsed();
  });

  it.each<[string, Fault]>([
    ['no answer', { kind: 'drop' }],
    ['silence', { kind: 'silence' }],
    ['a stall', { kind: 'stall', direction: 'down', afterBytes: 1_000_000 }],
    ['a body that is cut', { kind: 'missing', bytes: 100_000, announced: false }],
    ['500', { kind: 'status', status: 500 }],
    ['503 and when to come back', { kind: 'status', status: 503, headers: { 'retry-after': '1' } }],
  ])('gets over %s', async (_what, fault) => {
    const proxy = await through([rule(fault)]);
    const { bytes, moved } = await fetchBlob(proxy);
    expect(bytes.equals(content)).toBe(true);
    expect(moved).toBe(SIZE);
    proxy.expectAllUsed();
  });

  it.each<[string, Fault, string]>([
    ['other bytes under the right digest', { kind: 'corrupt', at: 1_234_567 }, 'DigestMismatch'],
    ['too many bytes', { kind: 'extra', bytes: 1 }, 'SizeMismatch'],
    ['too few bytes', { kind: 'missing', bytes: 1, announced: true }, 'SizeMismatch'],
    ['403', { kind: 'status', status: 403 }, 'RegistryForbidden'],
    ['404', { kind: 'status', status: 404 }, 'BlobMissing'],
  ])('hands %s up at once', async (_what, fault, type) => {
    const proxy = await through([rule(fault, { times: Infinity })]);
    await expect(fetchBlob(proxy)).rejects.toMatchObject({
      type,
      problem: { side: 'source', operation: 'fetch blob', subject: `${proxy.host}/a@${digest}` },
    });
    expect(proxy.traffic({ path: /blobs/ }).requests).toBe(1);
  });

  it.each([
    ['seconds', () => '2'],
    ['a date', () => new Date(Date.now() + 3_000).toUTCString()],
  ])('waits as long as 429 says in %s', async (_what, retryAfter) => {
    const proxy = await through([rule({ kind: 'status', status: 429, headers: { 'retry-after': retryAfter() } })]);
    const start = performance.now();
    expect((await fetchBlob(proxy)).moved).toBe(SIZE);
    expect(performance.now() - start).toBeGreaterThan(1_500);
  });

  it('hands a long wait up with its length', async () => {
    const proxy = await through([rule({ kind: 'status', status: 429, headers: { 'retry-after': '3600' } })]);
    await expect(fetchBlob(proxy)).rejects.toMatchObject({ type: 'RegistryThrottled', retryAfterMs: 3_600_000 });
  });

  it('gets new credentials when the old ones expire in the middle', async () => {
    const { challenge, tokens } = await tokenServer();
    const refusal = { kind: 'status', status: 401, headers: { 'www-authenticate': challenge } } as const;
    const proxy = await through([
      rule({ kind: 'reset', direction: 'down', afterBytes: 1_000_000 }),
      rule(refusal, { occurrence: 2 }),
    ]);
    expect((await fetchBlob(proxy)).moved).toBe(SIZE);
    expect(tokens()).toBe(1);
    const blobs = proxy.exchanges.filter(({ path }) => path.includes('sha256'));
    expect(blobs.map(({ status, authorized }) => [status, authorized])).toEqual([
      [200, false],
      [401, false],
      [206, true],
    ]);
  });

  it('parks when credentials do not help', async () => {
    const { challenge } = await tokenServer();
    const refusal = { kind: 'status', status: 401, headers: { 'www-authenticate': challenge } } as const;
    const proxy = await through([rule(refusal, { times: Infinity })]);
    await expect(fetchBlob(proxy)).rejects.toMatchObject({ type: 'RegistryUnauthorized' });
    expect(proxy.traffic({ path: /blobs/ }).requests).toBe(2);
  });

  it('follows a redirect to another host without its credentials', async () => {
    const { challenge } = await tokenServer();
    const elsewhere = await through([]);
    const proxy = await through([
      rule({ kind: 'status', status: 401, headers: { 'www-authenticate': challenge } }),
      rule({ kind: 'redirect', to: elsewhere.url }, { occurrence: 2 }),
    ]);
    expect((await fetchBlob(proxy)).bytes.equals(content)).toBe(true);
    expect(proxy.exchanges.at(-1)?.authorized).toBe(true);
    expect(elsewhere.exchanges.map(({ authorized }) => authorized)).toEqual([false]);
  });

  it('asks for a new redirect when the old one has expired, and goes on', async () => {
    const elsewhere = await through([
      rule({ kind: 'reset', direction: 'down', afterBytes: 1_500_000 }),
      rule({ kind: 'status', status: 403 }, { occurrence: 2 }),
    ]);
    const proxy = await through([rule({ kind: 'redirect', to: elsewhere.url }, { times: Infinity })]);
    expect((await fetchBlob(proxy)).moved).toBe(SIZE);
    expect(elsewhere.exchanges.map(({ status }) => status)).toEqual([200, 403, 206]);
  });

  it('never shows credentials to whom a host behind a redirect names', async () => {
    const { challenge, tokens } = await tokenServer();
    const refusal = { kind: 'status', status: 401, headers: { 'www-authenticate': challenge } } as const;
    const elsewhere = await through([rule(refusal, { times: Infinity })]);
    const proxy = await through([rule({ kind: 'redirect', to: elsewhere.url }, { times: Infinity })]);
    await expect(fetchBlob(proxy)).rejects.toMatchObject({ type: 'RegistryUnauthorized' });
    expect(tokens()).toBe(0);
  });

  it('does not go round in circles', async () => {
    const proxy = await through([]);
    proxy.add(rule({ kind: 'redirect', to: proxy.url }, { times: Infinity }));
    await expect(fetchBlob(proxy)).rejects.toMatchObject({ type: 'RequestRefused' });
    expect(proxy.traffic({ path: /blobs/ }).requests).toBe(6);
  });

  it('says what is wrong behind a redirect after the last try', async () => {
    const elsewhere = await through([rule({ kind: 'status', status: 502 }, { times: Infinity })]);
    const proxy = await through([rule({ kind: 'redirect', to: elsewhere.url }, { times: Infinity })]);
    await expect(fetchBlob(proxy)).rejects.toMatchObject({ type: 'RegistryUnavailable' });
    expect(elsewhere.exchanges).toHaveLength(6);
  });

  it('stops when it is told to, and what is there stays known', async () => {
    const proxy = await through([
      rule({ kind: 'stall', direction: 'down', afterBytes: 1_000_000 }, { times: Infinity }),
    ]);
    const stop = new AbortController();
    const seen: number[] = [];
    const watch = (written: number): void => {
      seen.push(written);
      if (written >= 1_000_000) stop.abort(new Error('enough'));
    };
    await expect(fetchBlob(proxy, { signal: stop.signal, watch })).rejects.toThrow('enough');
    expect(seen.at(-1)).toBe(1_000_000);
    const before: number[] = [];
    const stopped = fetchBlob(proxy, { signal: stop.signal, prefix: 700, watch: (written) => before.push(written) });
    await expect(stopped).rejects.toThrow('enough');
    expect(before).not.toContain(0);
  });
});

describe('a file whose digest nobody knows', () => {
  async function fetchFile(url: string, prefix: number): Promise<DownloadReport & { bytes: Buffer }> {
    const path = await blobFile(folder.path, randomBuffer('left by somebody', SIZE), prefix);
    const origin = await fileOrigin(remotes(), url);
    const hooks = { signal: new AbortController().signal, onProgress: () => undefined };
    const report = await downloadBlob(pool, origin, { size: SIZE, to: { path, offset: OFFSET }, prefix }, hooks);
    return { ...report, bytes: await blobIn(path) };
  }

  it('is never joined with what an earlier process left', async () => {
    await writeFile(join(folder.path, 'file'), content);
    await using server = await startFileServer(folder.path);
    const { bytes, ...report } = await fetchFile(`${server.url}/file`, 1_000);
    expect(report).toMatchObject({ digest, moved: SIZE });
    expect(bytes.equals(content)).toBe(true);
  });

  it('goes on after a cut while it is the same file', async () => {
    await writeFile(join(folder.path, 'file'), content);
    await using server = await startFileServer(folder.path);
    const cut = rule({ kind: 'missing', bytes: 1_000_000, announced: false }, { path: /file/ });
    await using proxy = await startFaultProxy(server.url, [cut]);
    expect(await fetchFile(`${proxy.url}/file`, 0)).toMatchObject({ digest, moved: SIZE });
  });

  it('starts over when it has become another file', async () => {
    const path = join(folder.path, 'changing');
    await writeFile(path, Buffer.alloc(SIZE));
    await using server = await startFileServer(folder.path);
    const cut = rule({ kind: 'missing', bytes: 1_000_000, announced: false }, { path: /changing/ });
    await using proxy = await startFaultProxy(server.url, [cut]);
    const fetching = fetchFile(`${proxy.url}/changing`, 0);
    await expect.poll(() => proxy.strikes('missing')).toBe(1);
    await writeFile(path, content);
    const { bytes, digest: found } = await fetching;
    expect(found).toBe(digestOf(bytes));
    expect([digest, digestOf(Buffer.alloc(SIZE))]).toContain(found);
  });

  it('waits when the file server says so', async () => {
    await writeFile(join(folder.path, 'file'), content);
    await using server = await startFileServer(folder.path);
    const busy = rule({ kind: 'status', status: 429, headers: { 'retry-after': '7200' } }, { path: /file/ });
    await using proxy = await startFaultProxy(server.url, [busy]);
    await expect(fetchFile(`${proxy.url}/file`, 0)).rejects.toMatchObject({
      type: 'RegistryThrottled',
      retryAfterMs: 7_200_000,
    });
  });
});
