import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { digestOf, randomBuffer } from '../../test/helpers/content.ts';
import { startFaultProxy, type FaultProxy } from '../../test/helpers/fault-proxy.ts';
import { registryError, registryProfiles, type Fault, type FaultRule } from '../../test/helpers/fault-rules.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { startRegistry, type TestRegistry } from '../../test/helpers/registry.ts';
import { startTestServer, type Answer, type SeenRequest } from '../http/testing.ts';
import { blobDestination } from '../oci/remotes.ts';
import { clientFor } from '../oci/registry/testing.ts';
import { MoverPool } from './pool.ts';
import { blobFile, OFFSET } from './testing.ts';
import { uploadBlob, type UploadReport } from './upload.ts';

const MIB = 1024 * 1024;
const SIZE = 9 * MIB + 123;
const content = randomBuffer('upload', SIZE);
const small = randomBuffer('small upload', 50_000);
const patches = { method: 'PATCH', path: /blobs\/uploads/ } as const;
let registry: TestRegistry;
let folder: TemporaryFolder;
let pool: MoverPool;
let repositories = 0;

beforeAll(async () => {
  process.env['SEALIFT_STALL_SECONDS'] = '3';
  pool = new MoverPool(1);
  pool.warm();
  delete process.env['SEALIFT_STALL_SECONDS'];
  folder = await temporaryFolder('upload');
  registry = await startRegistry({ kind: 'distribution' });
});

afterAll(async () => {
  await pool.close();
  await registry.stop();
  await folder.remove();
});

function rule(fault: Fault, more: Partial<FaultRule> = {}): FaultRule {
  return { name: fault.kind, ...patches, fault, ...more };
}

async function through(rules: FaultRule[], target = registry): Promise<FaultProxy> {
  const proxy = await startFaultProxy(target.url, rules);
  onTestFinished(() => proxy.stop());
  return proxy;
}

interface Pushed extends UploadReport {
  /** every location noted, undefined when it was used up */
  sessions: (string | undefined)[];
  /** where the registry said that a session stands */
  /** where the session stood before each time something was sent after a doubt */
  offsets: number[];
}

interface Push {
  bytes?: Buffer;
  repository?: string;
  session?: string;
  fromRepository?: string;
  signal?: AbortSignal;
  onSent?: (sent: number) => void;
  sessions?: (string | undefined)[];
}

/** Pushes to a repository of its own and, when that succeeds, reads back what the registry has. */
async function push(host: string, options: Push = {}): Promise<Pushed> {
  const { bytes = content, repository = `push/${repositories++}`, signal = new AbortController().signal } = options;
  const { onSent = () => undefined, sessions = [], session, fromRepository } = options;
  const digest = digestOf(bytes);
  const offsets: number[] = [];
  let asked = false;
  const client = clientFor(host);
  try {
    const real = blobDestination(client, repository, digest);
    const destination = {
      ...real,
      uploadStatus: async (location: string) => {
        const status = await real.uploadStatus(location);
        // asked until it stands still: the last answer counts
        if (asked) offsets.pop();
        asked = true;
        offsets.push(status.offset);
        return status;
      },
      target: (url: string) => {
        asked = false;
        return real.target(url);
      },
    };
    const from = { path: await blobFile(folder.path, bytes, bytes.length), offset: OFFSET };
    const going = {
      ...(session === undefined ? {} : { session }),
      ...(fromRepository === undefined ? {} : { fromRepository }),
    };
    const onSession = (location: string | undefined): Promise<void> => {
      sessions.push(location);
      return Promise.resolve();
    };
    const report = await uploadBlob(
      pool,
      destination,
      { digest, size: bytes.length, from, ...going },
      { signal, onProgress: onSent, onSession },
    );
    expect(Buffer.from(await client.fetchBlob(repository, digest, bytes.length)).equals(bytes)).toBe(true);
    return { ...report, sessions, offsets };
  } finally {
    await client.close();
  }
}

function sent(proxy: FaultProxy): { patched: number; put: number; begun: number } {
  const uploads = /blobs\/uploads/;
  return {
    patched: proxy.traffic({ method: 'PATCH', path: uploads }).up,
    put: proxy.traffic({ method: 'PUT', path: uploads }).up,
    begun: proxy.traffic({ method: 'POST', path: uploads }).requests,
  };
}

describe('uploadBlob', () => {
  it('sends a small blob in one request', async () => {
    const proxy = await through([]);
    expect(await push(proxy.host, { bytes: small })).toMatchObject({ moved: small.length, mounted: false });
    expect(sent(proxy)).toEqual({ patched: 0, put: small.length, begun: 1 });
  });

  it('sends a large blob through a session, whose place is noted before the first byte', async () => {
    const proxy = await through([]);
    const { moved, sessions, offsets } = await push(proxy.host);
    expect(moved).toBe(SIZE);
    expect(sent(proxy)).toEqual({ patched: SIZE, put: 0, begun: 1 });
    expect([typeof sessions[0], sessions.at(-1), offsets]).toEqual(['string', undefined, []]);
  });

  it('sends nothing when the blob can be mounted, and everything when it cannot', async () => {
    const proxy = await through([]);
    await push(proxy.host, { repository: 'mount/from', bytes: small });
    const before = proxy.uploaded();
    const more = { bytes: small, repository: 'mount/to', fromRepository: 'mount/from' };
    expect(await push(proxy.host, more)).toMatchObject({ moved: 0, mounted: true });
    expect(proxy.uploaded()).toBe(before);
    const absent = { ...more, bytes: randomBuffer('nowhere', 100) };
    expect(await push(proxy.host, absent)).toMatchObject({ moved: 100, mounted: false });
  });

  it('gets through fifty resets at random places, and only what was lost is sent again', async () => {
    const draw = randomBuffer('upload resets', 200);
    const resets = Array.from({ length: 50 }, (_, index) =>
      rule(
        { kind: 'reset', direction: 'up', afterBytes: 1 + (draw.readUInt32LE(4 * index) % 300_000) },
        { name: `reset ${index}` },
      ),
    );
    const proxy = await through(resets);
    const { offsets } = await push(proxy.host);
    const pieces = proxy.exchanges.filter(({ method }) => method === 'PATCH').map(({ up }) => up);
    expect(pieces).toHaveLength(51);
    // Each piece began where the registry stood: what it did not keep of one is all that the next repeats.
    const lost = pieces.slice(0, -1).map((up, index) => (offsets[index - 1] ?? 0) + up - offsets[index]!);
    expect(lost.every((bytes) => bytes >= 0)).toBe(true);
    expect(sent(proxy)).toEqual({ patched: SIZE + lost.reduce((sum, bytes) => sum + bytes, 0), put: 0, begun: 1 });
    proxy.expectAllUsed();
  });

  it('goes on in another process with what the registry has', async () => {
    const proxy = await through([rule({ kind: 'stall', direction: 'up', afterBytes: 3 * MIB })]);
    const stop = new AbortController();
    const sessions: (string | undefined)[] = [];
    const repository = 'resumed/blob';
    const first = push(proxy.host, { repository, signal: stop.signal, sessions });
    const stopped = expect(first).rejects.toThrow('enough');
    await expect.poll(() => proxy.uploaded()).toBe(3 * MIB);
    stop.abort(new Error('enough'));
    await stopped;
    const { moved, offsets, sessions: noted } = await push(proxy.host, { repository, session: sessions.at(-1)! });
    expect(offsets).toHaveLength(1);
    expect(moved).toBe(SIZE - offsets[0]!);
    expect(offsets[0]).toBeGreaterThan(2 * MIB);
    expect(sent(proxy)).toEqual({ patched: 3 * MIB + moved, put: 0, begun: 1 });
    expect(noted.at(-1)).toBeUndefined();
  });

  it.each<[string, Fault]>([
    ['no answer', { kind: 'drop' }],
    ['a stall', { kind: 'stall', direction: 'up', afterBytes: MIB }],
    ['500', { kind: 'status', status: 500 }],
    ['429', { kind: 'status', status: 429, headers: { 'retry-after': '1' } }],
    [
      '429 with a date',
      { kind: 'status', status: 429, headers: { 'retry-after': new Date(Date.now() + 1_000).toUTCString() } },
    ],
  ])('gets over %s', async (_what, fault) => {
    const proxy = await through([rule(fault)]);
    await push(proxy.host);
    expect(sent(proxy)).toMatchObject({ begun: 1 });
    proxy.expectAllUsed();
  });

  it('does not begin again when only the answer was lost', async () => {
    const late = rule({ kind: 'restatus', status: 502 }, { method: 'PUT' });
    const proxy = await through([late]);
    await push(proxy.host);
    expect(sent(proxy)).toEqual({ patched: SIZE, put: 0, begun: 1 });
    const other = await through([late]);
    await push(other.host, { bytes: small });
    expect(sent(other)).toEqual({ patched: 0, put: small.length, begun: 1 });
  });

  it('gets new credentials when the old ones expire in the middle', async () => {
    await using tokens = await startTestServer(() => ({ status: 200, body: '{"token":"fresh"}' }));
    const headers = { 'www-authenticate': `Bearer realm="${tokens.url}/token",service="test"` };
    const proxy = await through([
      rule({ kind: 'reset', direction: 'up', afterBytes: 2 * MIB }),
      rule({ kind: 'status', status: 401, headers }, { occurrence: 2 }),
    ]);
    await push(proxy.host);
    const patched = proxy.exchanges.filter(({ method }) => method === 'PATCH');
    expect(patched.map(({ status, authorized }) => [status, authorized])).toEqual([
      [0, false],
      [401, false],
      [202, true],
    ]);
    expect([tokens.seen.length, sent(proxy).begun]).toEqual([1, 1]);
  });

  it.each([
    [403, 'RegistryForbidden'],
    [401, 'RegistryUnauthorized'],
    [409, 'RequestRefused'],
  ])('hands %d up at once', async (status, type) => {
    const proxy = await through([
      rule({ kind: 'status', status, body: registryError('DENIED', 'no') }, { times: Infinity }),
    ]);
    await expect(push(proxy.host)).rejects.toMatchObject({ type, problem: { side: 'destination' } });
    expect(proxy.traffic(patches).requests).toBe(1);
  });

  it('says that the bundle is what is cut', async () => {
    const path = join(folder.path, 'cut');
    await writeFile(path, content.subarray(0, 5 * MIB));
    const client = clientFor(registry.host);
    onTestFinished(() => client.close());
    const digest = digestOf(content);
    const hooks = {
      signal: new AbortController().signal,
      onProgress: () => undefined,
      onSession: () => Promise.resolve(),
    };
    const blob = { digest, size: SIZE, from: { path, offset: 0 } };
    const pushing = uploadBlob(pool, blobDestination(client, 'cut/blob', digest), blob, hooks);
    await expect(pushing).rejects.toMatchObject({ type: 'BundleCorrupt', problem: { side: 'local' } });
  });
});

describe('a registry that goes away in mid-upload', () => {
  async function interrupted(
    restart: (own: TestRegistry) => Promise<void>,
  ): Promise<{ proxy: FaultProxy; pushed: Pushed }> {
    const own = await startRegistry({ kind: 'distribution' });
    onTestFinished(() => own.stop());
    const proxy = await through([rule({ kind: 'stall', direction: 'up', afterBytes: 5 * MIB })], own);
    const pushing = push(proxy.host);
    pushing.catch(() => undefined);
    await expect.poll(() => proxy.uploaded()).toBe(5 * MIB);
    await restart(own);
    return { proxy, pushed: await pushing };
  }

  it('and comes back with another http.secret goes on where it stood', async () => {
    const { proxy, pushed } = await interrupted((own) => own.restart({ signal: 'SIGTERM' }));
    expect(pushed.offsets.at(-1)).toBeGreaterThan(0);
    expect(sent(proxy)).toEqual({ patched: 5 * MIB + SIZE - pushed.offsets.at(-1)!, put: 0, begun: 1 });
  });

  it('by kill -9 gets only what it lost', async () => {
    const { proxy, pushed } = await interrupted((own) => own.restart({ signal: 'SIGKILL' }));
    const { patched, begun } = sent(proxy);
    expect(begun).toBe(1);
    expect(patched).toBe(5 * MIB + SIZE - pushed.offsets.at(-1)!);
  });

  it('and comes back empty gets everything', async () => {
    const { proxy } = await interrupted((own) => own.restart({ signal: 'SIGKILL', empty: true }));
    expect(sent(proxy)).toEqual({ patched: 5 * MIB + SIZE, put: 0, begun: 2 });
  });
});

describe('registries with ways of their own', () => {
  const reset = rule({ kind: 'reset', direction: 'up', afterBytes: 2 * MIB });

  it('ECR: 201 for PATCH and a Range that stays behind', async () => {
    const proxy = await through([...registryProfiles.ecr, ...registryProfiles.ghcr]);
    await push(proxy.host);
    expect(sent(proxy)).toEqual({ patched: SIZE, put: 0, begun: 1 });
    expect(proxy.strikes(registryProfiles.ecr[0]!.name)).toBeGreaterThan(0);
  });

  it('GHCR: at most 4 MiB at a time, found out once', async () => {
    const proxy = await through(registryProfiles.ghcr);
    await push(proxy.host);
    await push(proxy.host);
    expect(sent(proxy)).toEqual({ patched: 2 * SIZE, put: 0, begun: 2 });
    expect(proxy.exchanges.filter(({ status }) => status === 416)).toHaveLength(1);
  });

  it('GHCR: a session that is gone on with keeps what is there', async () => {
    const repository = 'ghcr/resumed';
    const sessions: (string | undefined)[] = [];
    const stop = new AbortController();
    const stall = await through([rule({ kind: 'stall', direction: 'up', afterBytes: 2 * MIB })]);
    const first = expect(push(stall.host, { repository, sessions, signal: stop.signal })).rejects.toThrow('enough');
    await expect.poll(() => stall.uploaded()).toBe(2 * MIB);
    stop.abort(new Error('enough'));
    await first;
    const proxy = await through(registryProfiles.ghcr);
    const session = sessions.at(-1)!.replace(stall.host, proxy.host);
    const { moved, offsets } = await push(proxy.host, { repository, session });
    expect(offsets[0]).toBeGreaterThan(0);
    expect(sent(proxy)).toEqual({ patched: SIZE - offsets[0]!, put: 0, begun: 0 });
    expect(moved).toBeGreaterThanOrEqual(SIZE - offsets[0]!);
  });

  it('413 for what is too long', async () => {
    const cap = rule({ kind: 'body-cap', bytes: 4 * MIB, status: 413 }, { times: Infinity });
    const proxy = await through([cap]);
    await push(proxy.host);
    expect(sent(proxy)).toEqual({ patched: SIZE, put: 0, begun: 1 });
  });

  it('GAR: no PATCH, everything in one PUT, found out once', async () => {
    const proxy = await through(registryProfiles.gar);
    const { sessions } = await push(proxy.host);
    expect(sessions.at(-1)).toBeUndefined();
    await push(proxy.host);
    expect(sent(proxy)).toMatchObject({ patched: 0, put: 2 * SIZE });
    expect(proxy.traffic(patches).requests).toBe(1);
  });

  it('ACR: an interrupted session is begun anew', async () => {
    const proxy = await through([...registryProfiles.acr, reset]);
    const { sessions } = await push(proxy.host);
    expect(sent(proxy)).toEqual({ patched: 2 * MIB + SIZE, put: 0, begun: 2 });
    expect(sessions).toContain(undefined);
  });

  /** What no registry at hand does: locations of its own making. */
  async function scripted(location: (server: string) => string, bytes: Buffer): Promise<SeenRequest[]> {
    const blobs = new Map<string, string>();
    await using server = await startTestServer((request): Answer => {
      const headers = { location: location(server.host) };
      if (request.method === 'PUT') blobs.set(request.url, 'there');
      if (request.method === 'GET') return { status: 200, body: request.url === '/v2/' ? '' : bytes };
      return { status: request.method === 'PUT' ? 201 : 202, ...(request.method === 'PUT' ? {} : { headers }) };
    });
    await push(server.host, { bytes });
    expect(blobs.size).toBe(1);
    return server.seen;
  }

  it('a signed location is used as it is', async () => {
    const signed = '/v2/a/blobs/uploads/1?_state=a%20b~c*%2B&x=';
    for (const bytes of [small, content]) {
      const seen = await scripted(() => signed, bytes);
      const put = seen.find(({ method }) => method === 'PUT');
      expect(put?.url).toBe(`${signed}&digest=${encodeURIComponent(digestOf(bytes))}`);
    }
  });

  it('a location with the wrong scheme for the same host is put right', async () => {
    const seen = await scripted((host) => `https://${host}/v2/a/blobs/uploads/1`, content);
    expect(seen.map(({ method }) => method).filter((method) => method !== 'GET')).toEqual(['POST', 'PATCH', 'PUT']);
  });
});
