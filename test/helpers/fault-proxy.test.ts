import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { request } from 'undici';
import { randomBuffer, digestOf } from './content.ts';
import { registryProfiles, type Fault, type FaultRule } from './fault-rules.ts';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';
import { generateImage } from './images.ts';
import { authorizationOf, pushImage } from './push.ts';
import { startRegistry, type TestRegistry } from './registry.ts';

const image = generateImage({ seed: 'faults', layers: [100_000] });
const [, layer] = image.blobs;
const path = `/v2/a/blobs/${layer?.digest ?? ''}`;
const size = layer?.size ?? 0;
const bytes = randomBuffer('upload', 200_000);
let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({ kind: 'distribution' });
  await pushImage(registry.url, 'a', 'v1', image);
});

afterAll(() => registry.stop());

function rule(fault: Fault, more: Partial<FaultRule> = {}): FaultRule {
  return { name: fault.kind, path: /blobs\/sha256/, fault, ...more };
}

async function download(proxy: FaultProxy): Promise<Buffer> {
  const { body } = await request(proxy.url + path);
  return Buffer.from(await body.arrayBuffer());
}

async function startUpload(proxy: FaultProxy): Promise<string> {
  const { headers, body } = await request(`${proxy.url}/v2/b/blobs/uploads/`, { method: 'POST' });
  await body.dump();
  return String(headers['location']);
}

async function patch(location: string, content: Buffer): Promise<{ status: number; range: unknown; location: string }> {
  const { statusCode, headers, body } = await request(location, { method: 'PATCH', body: content });
  await body.dump();
  return { status: statusCode, range: headers['range'], location: String(headers['location']) };
}

describe('startFaultProxy', () => {
  it('lets everything through and counts it', async () => {
    await using proxy = await startFaultProxy(registry.url);
    expect(digestOf(await download(proxy))).toBe(layer?.digest);
    await pushImage(proxy.url, 'through', 'v1', image);
    const content = image.blobs.reduce((sum, blob) => sum + blob.size, 0);
    expect(proxy.traffic({ method: 'PUT', path: /uploads/ })).toMatchObject({ requests: 2, up: content });
    expect(proxy.uploaded()).toBe(content + image.root.size);
    expect(proxy.traffic({ method: 'GET' })).toEqual({ requests: 1, up: 0, down: size });
    expect(proxy.exchanges.every((exchange) => !exchange.authorized)).toBe(true);
  });

  it('resets a download once, after exactly so many bytes', async () => {
    await using proxy = await startFaultProxy(registry.url, [
      rule({ kind: 'reset', direction: 'down', afterBytes: 5_000 }),
    ]);
    await expect(download(proxy)).rejects.toThrow();
    expect(proxy.downloaded()).toBe(5_000);
    expect((await download(proxy)).length).toBe(size);
    proxy.expectAllUsed();
  });

  it('resets an upload, and what went through is with the registry', async () => {
    const reset = rule({ kind: 'reset', direction: 'up', afterBytes: 65_536 }, { method: 'PATCH', path: /uploads/ });
    await using proxy = await startFaultProxy(registry.url, [reset]);
    const location = await startUpload(proxy);
    await expect(patch(location, bytes)).rejects.toThrow();
    expect(proxy.uploaded()).toBe(65_536);
    const session = async (): Promise<unknown> => {
      const { headers, body } = await request(location);
      await body.dump();
      return headers['range'];
    };
    await expect.poll(session).toBe('0-65535');
  });

  it.each<[Fault, number | 'broken']>([
    [{ kind: 'missing', bytes: 10, announced: false }, 'broken'],
    [{ kind: 'missing', bytes: 10, announced: true }, size - 10],
    [{ kind: 'extra', bytes: 10 }, size + 10],
    [{ kind: 'corrupt', at: 70_000 }, size],
    [{ kind: 'drop' }, 'broken'],
  ])('changes a body: %j', async (fault, length) => {
    await using proxy = await startFaultProxy(registry.url, [rule(fault)]);
    const got = await download(proxy).catch(() => 'broken' as const);
    expect(got === 'broken' ? got : got.length).toBe(length);
    if (got !== 'broken') expect(digestOf(got)).not.toBe(layer?.digest);
    expect(digestOf(await download(proxy))).toBe(layer?.digest);
    proxy.expectAllUsed();
  });

  it('answers by itself for the k-th match, with headers', async () => {
    const throttled = rule(
      { kind: 'status', status: 429, headers: { 'retry-after': '7' } },
      { occurrence: 2, method: 'GET' },
    );
    await using proxy = await startFaultProxy(registry.url, [throttled]);
    const statuses: (number | string)[] = [];
    for (let round = 0; round < 3; round += 1) {
      const { statusCode, headers, body } = await request(proxy.url + path);
      await body.dump();
      statuses.push(statusCode, String(headers['retry-after'] ?? ''));
    }
    expect(statuses).toEqual([200, '', 429, '7', 200, '']);
  });

  it('redirects to another host, where one sees whether credentials follow', async () => {
    await using elsewhere = await startFaultProxy(registry.url);
    await using proxy = await startFaultProxy(registry.url, [rule({ kind: 'redirect', to: elsewhere.url })]);
    const headers = authorizationOf({ user: 'u', password: 'p' });
    const { statusCode, headers: answer, body } = await request(proxy.url + path, { headers });
    await body.dump();
    expect([statusCode, answer['location']]).toEqual([307, elsewhere.url + path]);
    await (await request(String(answer['location']))).body.dump();
    expect([proxy.exchanges[0]?.authorized, elsewhere.exchanges[0]?.authorized]).toEqual([true, false]);
  });

  it('stalls and stays silent until it is stopped', async () => {
    const proxy = await startFaultProxy(registry.url, [
      rule({ kind: 'stall', direction: 'down', afterBytes: 100 }),
      rule({ kind: 'silence' }, { path: /manifests/ }),
    ]);
    const { body } = await request(proxy.url + path);
    const [first] = (await once(body, 'data')) as [Buffer];
    const silent = request(`${proxy.url}/v2/a/manifests/v1`).catch(() => 'ended');
    await expect.poll(() => proxy.strikes('silence')).toBe(1);
    const ended = once(body, 'error');
    await proxy.stop();
    expect([first.length, await silent]).toEqual([100, 'ended']);
    await ended;
  });

  it('slows a body down without changing it', async () => {
    await using proxy = await startFaultProxy(registry.url, [
      rule({ kind: 'slow', direction: 'down', bytesPerSecond: 1_000_000 }, { times: Infinity }),
    ]);
    expect(digestOf(await download(proxy))).toBe(layer?.digest);
    expect(proxy.strikes('slow')).toBeGreaterThan(1);
  });

  it('names the rules that were never needed', async () => {
    await using proxy = await startFaultProxy(registry.url, [rule({ kind: 'drop' })]);
    expect(() => {
      proxy.expectAllUsed();
    }).toThrow('never struck: drop');
  });
});

describe('registryProfiles', () => {
  it('ecr: PATCH is 201 and Range stays behind', async () => {
    await using proxy = await startFaultProxy(registry.url, registryProfiles.ecr);
    const first = await patch(await startUpload(proxy), bytes.subarray(0, 1_000));
    const second = await patch(first.location, bytes.subarray(1_000, 3_000));
    expect([first.status, first.range, second.status, second.range]).toEqual([201, '0-999', 201, '0-999']);
  });

  it('ghcr: over 4 MiB in one PATCH is 416', async () => {
    await using proxy = await startFaultProxy(registry.url, registryProfiles.ghcr);
    const location = await startUpload(proxy);
    const refused = await patch(location, randomBuffer('ghcr', 4 * 1024 * 1024 + 1));
    expect(refused.status).toBe(416);
    expect((await patch(location, bytes)).status).toBe(202);
  });

  it('gar: no PATCH at all', async () => {
    await using proxy = await startFaultProxy(registry.url, registryProfiles.gar);
    expect((await patch(await startUpload(proxy), bytes)).status).toBe(405);
  });

  it('acr: an interrupted session is unknown', async () => {
    const reset = rule({ kind: 'reset', direction: 'up', afterBytes: 10 }, { method: 'PATCH', path: /uploads/ });
    await using proxy = await startFaultProxy(registry.url, [...registryProfiles.acr, reset]);
    const location = await startUpload(proxy);
    await expect(patch(location, bytes)).rejects.toThrow();
    expect((await patch(location, bytes)).status).toBe(404);
    expect((await patch(await startUpload(proxy), bytes)).status).toBe(202);
  });
});
