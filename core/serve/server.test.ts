import { once } from 'node:events';
import { copyFile, readdir, readFile, readlink, truncate, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, createServing, served, type Serving } from '../../test/helpers/serving.ts';
import type { ServerSettings } from './server.ts';

const { web, layer, kubectl } = served;

let serving: Serving;

beforeAll(async () => {
  serving = await createServing();
});

afterEach(() => serving.stopAll());

afterAll(async () => {
  await serving?.[Symbol.asyncDispose]();
});

describe('the server', () => {
  it('counts what it does', async () => {
    const { url, log } = await serving.start();
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
    const { url, log } = await serving.start({ authenticate });
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
    const server = await serving.start();
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
    const server = await serving.start();
    const silent = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(silent, 'connect');
    await (await fetch(`${server.url}/healthz`)).text();
    const closed = once(silent.resume(), 'close');
    await server.stop();
    await closed;
  });

  it('breaks an answer off when the file ends early, and goes on', async () => {
    const input = join(serving.folder, 'cut.tar');
    await copyFile(serving.first, input);
    const server = await serving.start({ inputs: [input] });
    await truncate(input, 20_000);
    const blob = await fetch(`${server.url}/v2/team/app/blobs/${layer.digest}`).catch(() => undefined);
    await expect(blob?.arrayBuffer() ?? Promise.reject(new Error('no answer'))).rejects.toThrow();
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    expect(server.warnings.join('\n')).toContain('the file ends at byte');
  });

  it('does not serve a manifest whose bytes were altered', async () => {
    const input = join(serving.folder, 'altered.tar');
    const bytes = await readFile(serving.first);
    await writeFile(input, bytes);
    const server = await serving.start({ inputs: [input] });
    bytes.fill(0x20, bytes.indexOf(web.root.bytes), bytes.indexOf(web.root.bytes) + 10);
    await writeFile(input, bytes, { flag: 'r+' });
    const response = await fetch(`${server.url}/v2/library/web/manifests/1.25`);
    expect([response.status, await codeOf(response)]).toEqual([500, 'UNKNOWN']);
    expect(server.warnings.join('\n')).toContain('its bytes were altered');
  });

  it('lets go of a connection on which nothing moves, and of one that broke off', async () => {
    const server = await serving.start({ idleMs: 200 });
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
    const { url } = await serving.start({ maxConnections: 1 });
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
  return targets.filter((target) => target.startsWith(serving.folder)).length;
}
