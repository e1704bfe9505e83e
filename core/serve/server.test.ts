import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, readdir, readFile, readlink, truncate, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { generateArtifact, generateChart, generateImage, generateTagAttachment } from '../../test/helpers/images.ts';
import { randomBuffer } from '../../test/helpers/content.ts';
import { writeBundle } from '../../test/helpers/write-bundle.ts';
import { startServer, type RunningServer, type ServerSettings } from './server.ts';
import { openView } from './view.ts';

const app = generateImage({ seed: 'app', layers: [1000, 700_000], platforms: ['linux/amd64', 'linux/arm64'] });
const web = generateImage({ seed: 'web', layers: [5000], format: 'docker' });
const otherWeb = generateImage({ seed: 'other web', layers: [10] });
const late = generateImage({ seed: 'late', layers: [10] });
const sbom = generateArtifact({
  artifactType: 'application/spdx+json',
  files: [{ title: 'sbom.json', mediaType: 'application/spdx+json', bytes: Buffer.from('{}') }],
  subject: app.root,
});
const signature = generateTagAttachment(app.root.digest, 'sig');
const chart = generateChart({ name: 'demo', version: '1.0.0' });
const kubectl = randomBuffer('kubectl', 16_000_000);
const layer = app.blobs.find(({ size }) => size > 700_000)!;

let folder: TemporaryFolder;
let first: string;
let second: string;
const running: RunningServer[] = [];

beforeAll(async () => {
  folder = await temporaryFolder('serve');
  first = join(folder.path, 'first.tar');
  second = join(folder.path, 'second.tar');
  const attached = [{ image: sbom }, { image: signature.image, tag: signature.tag }];
  await writeBundle(
    first,
    [
      { reference: 'registry.k8s.io/team/app:v1', image: app, attached },
      { reference: 'docker.io/library/web:1.25', image: web },
      { reference: 'quay.io/charts/demo:1.0.0', kind: 'chart', image: chart },
    ],
    [
      { url: 'https://dl.example/release/v1/kubectl', bytes: kubectl },
      { url: 'https://dl.example/release/v1/with%20space+plus', bytes: Buffer.from('spaced') },
      { url: 'https://dl.example/empty', bytes: Buffer.alloc(0) },
    ],
  );
  await writeBundle(second, [
    { reference: 'quay.io/library/web:1.25', image: otherWeb },
    { reference: 'quay.io/late/late:v2', image: late },
  ]);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => (server.breakOff(), server.stop())));
});

afterAll(async () => {
  await folder?.remove();
});

interface Started extends RunningServer {
  warnings: string[];
  log: Record<string, unknown>[];
}

async function start(settings: Partial<ServerSettings> & { inputs?: string[] } = {}): Promise<Started> {
  const view = await openView(settings.inputs ?? [first], { namespace: '', map: {} });
  const warnings = [...view.warnings];
  const log: Record<string, unknown>[] = [];
  const server = await startServer(view, {
    host: '127.0.0.1',
    port: 0,
    maxConnections: 100,
    warn: (message) => warnings.push(message),
    accessLog: (line) => log.push(JSON.parse(line) as Record<string, unknown>),
    ...settings,
  });
  running.push(server);
  return { ...server, warnings, log };
}

async function codeOf(response: Response): Promise<unknown> {
  const { errors } = (await response.json()) as { errors: { code: string }[] };
  return errors[0]!.code;
}

function sha256(bytes: ArrayBuffer | Uint8Array): string {
  return `sha256:${createHash('sha256')
    .update(new Uint8Array(bytes as ArrayBuffer))
    .digest('hex')}`;
}

describe('the registry', () => {
  it('has manifests by tag and by digest, with the media type they came with', async () => {
    const { url } = await start();
    for (const [name, reference, image] of [
      ['team/app', 'v1', app],
      ['team/app', app.root.digest, app],
      ['library/web', '1.25', web],
      ['team/app', signature.tag, signature.image],
    ] as const) {
      for (const method of ['GET', 'HEAD']) {
        const response = await fetch(`${url}/v2/${name}/manifests/${reference}`, { method });
        expect(response.status).toBe(200);
        expect(response.headers.get('content-type')).toBe(image.root.mediaType);
        expect(response.headers.get('docker-content-digest')).toBe(image.root.digest);
        expect(response.headers.get('content-length')).toBe(String(image.root.size));
        const bytes = await response.arrayBuffer();
        if (method === 'GET') expect(sha256(bytes)).toBe(image.root.digest);
        else expect(bytes.byteLength).toBe(0);
      }
    }
  });

  it('has blobs, whole and in part', async () => {
    const { url } = await start();
    const address = `${url}/v2/team/app/blobs/${layer.digest}`;
    const whole = await fetch(address);
    const bytes = Buffer.from(await whole.arrayBuffer());
    expect(sha256(bytes)).toBe(layer.digest);
    expect(whole.headers.get('accept-ranges')).toBe('bytes');
    const tag = whole.headers.get('etag')!;
    const part = await fetch(address, { headers: { range: 'bytes=300000-599999', 'if-range': tag } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 300000-599999/${layer.size}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(300_000, 600_000))).toBe(true);
    const changed = await fetch(address, { headers: { range: 'bytes=0-9', 'if-range': '"other"' } });
    expect([changed.status, (await changed.arrayBuffer()).byteLength]).toEqual([200, layer.size]);
    const beyond = await fetch(address, { headers: { range: `bytes=${layer.size}-` } });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${layer.size}`]);
    const known = await fetch(address, { headers: { 'if-none-match': tag } });
    expect([known.status, (await known.arrayBuffer()).byteLength]).toEqual([304, 0]);
    const head = await fetch(address, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(layer.size)]);
  });

  it('lists tags and repositories page by page', async () => {
    const { url } = await start();
    const pages: unknown[] = [];
    for (let next: string | undefined = '/v2/team/app/tags/list?n=1'; next !== undefined;) {
      const response = await fetch(url + next);
      pages.push(((await response.json()) as { tags: string[] }).tags);
      next = /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(pages).toEqual([[signature.tag], ['v1']]);
    const none = await fetch(`${url}/v2/team/app/tags/list?n=0`);
    expect([await none.json(), none.headers.get('link')]).toEqual([{ name: 'team/app', tags: [] }, null]);
    expect((await fetch(`${url}/v2/team/app/tags/list?n=x`)).status).toBe(400);
    const catalog = (await (await fetch(`${url}/v2/_catalog?last=library`)).json()) as { repositories: string[] };
    expect(catalog.repositories.slice(0, 1)).toEqual(['library/web']);
    expect(catalog.repositories).toContain('team/app');
  });

  it('has referrers, filtered where asked', async () => {
    const { url } = await start();
    const referrers = async (query: string): Promise<[unknown[], string | null]> => {
      const response = await fetch(`${url}/v2/team/app/referrers/${query}`);
      expect(response.headers.get('content-type')).toBe('application/vnd.oci.image.index.v1+json');
      const { manifests } = (await response.json()) as { manifests: unknown[] };
      return [manifests, response.headers.get('oci-filters-applied')];
    };
    const { mediaType, digest, size } = sbom.root;
    const wanted = { mediaType, digest, size, artifactType: 'application/spdx+json' };
    expect(await referrers(app.root.digest)).toEqual([[wanted], null]);
    const filter = (type: string): string => `${app.root.digest}?artifactType=${encodeURIComponent(type)}`;
    expect(await referrers(filter('application/spdx+json'))).toEqual([[wanted], 'artifactType']);
    expect(await referrers(filter('other/type'))).toEqual([[], 'artifactType']);
    expect(await referrers(web.root.digest)).toEqual([[], null]);
  });

  it('finds an original name by the host that containerd says, and nothing of another', async () => {
    const { url } = await start({ inputs: [first, second] });
    const digestAt = async (path: string): Promise<string | null> => {
      const response = await fetch(`${url}/v2/${path}`, { method: 'HEAD' });
      return response.headers.get('docker-content-digest');
    };
    expect(await digestAt('library/web/manifests/1.25?ns=docker.io')).toBe(web.root.digest);
    expect(await digestAt('library/web/manifests/1.25?ns=quay.io')).toBe(otherWeb.root.digest);
    expect(await digestAt('library/web/manifests/1.25?ns=ghcr.io')).toBe(null);
    expect(await digestAt('late/late/manifests/v2')).toBe(late.root.digest);
  });

  it('gives the first bundle a tag that two want, and says so', async () => {
    const { url, warnings } = await start({ inputs: [first, second] });
    const response = await fetch(`${url}/v2/library/web/manifests/1.25`);
    expect(response.headers.get('docker-content-digest')).toBe(web.root.digest);
    expect(warnings.join('\n')).toContain(`library/web:1.25 stays ${web.root.digest}`);
    expect((await fetch(`${url}/v2/library/web/manifests/${otherWeb.root.digest}`)).status).toBe(200);
  });

  it.each([
    ['no/such/manifests/v1', 404, 'NAME_UNKNOWN'],
    ['NOT-A-NAME/manifests/v1', 400, 'NAME_INVALID'],
    ['team/app/manifests/v9', 404, 'MANIFEST_UNKNOWN'],
    ['team/app/manifests/.bad', 404, 'MANIFEST_UNKNOWN'],
    [`team/app/manifests/${layer.digest}`, 404, 'MANIFEST_UNKNOWN'],
    ['team/app/manifests/sha256:xyz', 400, 'DIGEST_INVALID'],
    [`team/app/blobs/sha256:${'0'.repeat(64)}`, 404, 'BLOB_UNKNOWN'],
    [`team/app/blobs/sha512:${'0'.repeat(128)}`, 404, 'BLOB_UNKNOWN'],
    ['team/app/blobs/sha256:xyz', 400, 'DIGEST_INVALID'],
    ['team/app/referrers/xyz', 400, 'DIGEST_INVALID'],
    ['team/app/other/xyz', 404, 'UNSUPPORTED'],
  ])('answers %s with %i %s', async (path, status, code) => {
    const { url } = await start();
    const response = await fetch(`${url}/v2/${path}`);
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
  });

  it('takes nothing', async () => {
    const { url } = await start();
    for (const [method, path] of [
      ['POST', 'team/app/blobs/uploads/'],
      ['PUT', 'team/app/manifests/v1'],
      ['DELETE', `team/app/manifests/${app.root.digest}`],
    ] as const) {
      const response = await fetch(`${url}/v2/${path}`, { method, body: method === 'PUT' ? '{}' : null });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      expect(await codeOf(response)).toBe('UNSUPPORTED');
    }
  });
});

describe('the files', () => {
  it('lie at their original host and path', async () => {
    const { url } = await start();
    for (const prefix of ['', '/files']) {
      const response = await fetch(`${url}${prefix}/dl.example/release/v1/kubectl?token=1`);
      expect(Buffer.from(await response.arrayBuffer()).equals(kubectl)).toBe(true);
    }
    for (const path of ['with%20space+plus', 'with%20space%2bplus']) {
      expect(await (await fetch(`${url}/dl.example/release/v1/${path}`)).text()).toBe('spaced');
    }
    const empty = await fetch(`${url}/dl.example/empty`);
    expect([empty.status, empty.headers.get('content-length')]).toEqual([200, '0']);
  });

  it('are listed', async () => {
    const { url } = await start();
    const listing = await fetch(`${url}/dl.example/release/v1`);
    expect(listing.url).toBe(`${url}/dl.example/release/v1/`);
    expect(await listing.text()).toContain('<a href="./with%20space%2Bplus">with space+plus</a>');
    expect(await (await fetch(`${url}/`)).text()).toContain('href="./dl.example/"');
  });

  it('are what they are, and not what is asked for', async () => {
    const { url } = await start();
    for (const path of ['/dl.example/none', '/etc/passwd', '/files/../../etc/passwd', '/%2e%2e/etc/passwd', '/%zz']) {
      expect((await fetch(`${url}${path}`)).status, path).toBe(404);
    }
    expect((await fetch(`${url}/dl.example/empty`, { method: 'PUT', body: 'x' })).status).toBe(405);
  });

  it('of charts are a Helm repository over all bundles', async () => {
    const { url } = await start({ inputs: [second, first] });
    const index = await (await fetch(`${url}/helm/index.yaml`)).text();
    expect(index).toContain('name: demo');
    const [, path = ''] = /- (charts\/\S+)/.exec(index) ?? [];
    const archive = await (await fetch(`${url}/helm/${path}`)).arrayBuffer();
    expect(chart.blobs.map(({ digest }) => digest)).toContain(sha256(archive));
  });
});

describe('the server', () => {
  it('counts what it does', async () => {
    const { url, log } = await start();
    await (await fetch(`${url}/dl.example/release/v1/kubectl`)).arrayBuffer();
    await (await fetch(`${url}/v2/x/manifests/v1?ns=a`, { method: 'HEAD' })).arrayBuffer();
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('sealift_serve_requests_total{route="files",method="GET",status="200"} 1\n');
    expect(metrics).toContain('sealift_serve_requests_total{route="manifests",method="HEAD",status="404"} 1\n');
    expect(metrics).toMatch(/sealift_serve_sent_bytes_total\{route="files"\} 16000\d\d\d\n/);
    expect(metrics).toContain('sealift_serve_requests_in_flight 1\n');
    expect(log[1]).toMatchObject({ method: 'HEAD', path: '/v2/x/manifests/v1?ns=a', status: 404, remote: '127.0.0.1' });
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok\n');
  });

  it('asks for a password, but not for its health', async () => {
    const authenticate: ServerSettings['authenticate'] = (header) =>
      Promise.resolve(header === 'Basic good' ? { user: 'anna' } : 'refused');
    const { url, log } = await start({ authenticate });
    const refused = await fetch(`${url}/v2/`);
    expect([refused.status, await codeOf(refused)]).toEqual([401, 'UNAUTHORIZED']);
    expect(refused.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    for (const path of ['/', '/metrics', '/dl.example/empty']) expect((await fetch(url + path)).status).toBe(401);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/v2/`, { headers: { authorization: 'Basic good' } })).status).toBe(200);
    expect(log.at(-1)).toMatchObject({ user: 'anna', status: 200 });
    expect(JSON.stringify(log)).not.toContain('good');
  });

  it('finishes what is under way when it is stopped, and takes nothing new', async () => {
    const server = await start();
    const { socket, received } = await slowDownload(server.url);
    let stopped = false;
    const stopping = server.stop().then(() => (stopped = true));
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
    expect(stopped).toBe(false);
    socket.resume();
    await once(socket, 'close');
    await stopping;
    expect(received()).toBeGreaterThan(kubectl.length);
  });

  it('is not held up by connections that want nothing', async () => {
    const server = await start();
    const silent = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(silent, 'connect');
    await (await fetch(`${server.url}/healthz`)).text();
    const closed = once(silent.resume(), 'close');
    await server.stop();
    await closed;
  });

  it('breaks an answer off when the file ends early, and goes on', async () => {
    const input = join(folder.path, 'cut.tar');
    await copyFile(first, input);
    const server = await start({ inputs: [input] });
    await truncate(input, 20_000);
    const blob = await fetch(`${server.url}/v2/team/app/blobs/${layer.digest}`).catch(() => undefined);
    await expect(blob?.arrayBuffer() ?? Promise.reject(new Error('no answer'))).rejects.toThrow();
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(server.warnings.join('\n')).toContain('the file ends at byte');
  });

  it('does not serve a manifest whose bytes were altered', async () => {
    const input = join(folder.path, 'altered.tar');
    const bytes = await readFile(first);
    await writeFile(input, bytes);
    const server = await start({ inputs: [input] });
    bytes.fill(0x20, bytes.indexOf(web.root.bytes), bytes.indexOf(web.root.bytes) + 10);
    await writeFile(input, bytes, { flag: 'r+' });
    const response = await fetch(`${server.url}/v2/library/web/manifests/1.25`);
    expect([response.status, await codeOf(response)]).toEqual([500, 'UNKNOWN']);
    expect(server.warnings.join('\n')).toContain('its bytes were altered');
  });

  it('lets go of a connection on which nothing moves, and of one that broke off', async () => {
    const server = await start({ idleMs: 200 });
    const before = await openFiles();
    const { socket } = await slowDownload(server.url);
    const rude = await slowDownload(server.url);
    rude.socket.destroy();
    while (server.log.length < 2) await sleep(10);
    socket.destroy();
    expect(server.log.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(await openFiles()).toBe(before);
    expect(server.warnings).toEqual([]);
  });

  it('answers garbage with 400, and more connections than allowed not at all', async () => {
    const { url } = await start({ maxConnections: 1 });
    const { port } = new URL(url);
    const garbage = connect(Number(port), '127.0.0.1');
    garbage.write('GARBAGE\r\n\r\n');
    const [answer] = (await once(garbage, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 400 /);
    await once(garbage, 'close');
    const one = connect(Number(port), '127.0.0.1');
    one.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(one, 'data');
    const other = connect(Number(port), '127.0.0.1');
    await once(other.resume(), 'close');
    one.destroy();
  });
});

/** A download of kubectl whose reader stops after the first bytes. The kernel's buffers hold less than the file. */
async function slowDownload(url: string): Promise<{ socket: Socket; received: () => number }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let count = 0;
  socket.on('data', (chunk) => (count += chunk.length));
  socket.on('error', () => undefined);
  socket.write('GET /dl.example/release/v1/kubectl HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  socket.pause();
  return { socket, received: () => count };
}

/** How many files of the test's folder this process has open. */
async function openFiles(): Promise<number> {
  const names = await readdir('/proc/self/fd');
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(folder.path)).length;
}
