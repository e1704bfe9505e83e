import { hash } from 'bcryptjs';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../test/helpers/content.ts';
import { createServing, served, type Serving } from '../../test/helpers/serving.ts';
import { createAuthenticate } from './basic-auth.ts';

const { app, kubectl } = served;
const FILE = '/dl.example/release/v1/kubectl';

let serving: Serving;

beforeAll(async () => {
  serving = await createServing();
});

afterEach(() => serving.stopAll());

afterAll(async () => {
  await serving?.[Symbol.asyncDispose]();
});

/** All that a server says until it closes the connection. */
function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  return once(socket, 'close').then(() => text);
}

function connectTo(url: string): Socket {
  return connect(Number(new URL(url).port), '127.0.0.1');
}

/** @param from the address of the loopback network that the client has */
function get(url: string, from: string, credentials: string): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, localAddress: from, auth: credentials }, (response) => {
      response.toArray().then((parts) => resolve({ status: response.statusCode!, body: Buffer.concat(parts) }), reject);
    });
    asked.on('error', reject).end();
  });
}

describe('a client that', () => {
  it('guesses passwords as fast as it can does not keep another from its first pull', async () => {
    const authenticate = createAuthenticate(new Map([['anna', await hash('far side', 10)]]));
    const { url } = await serving.start({ authenticate });
    const statuses = new Set<number>();
    const stop = new AbortController();
    const guessers = Array.from({ length: 24 }, async (_, guesser) => {
      for (let guess = 0; !stop.signal.aborted; guess += 1) {
        statuses.add((await get(`${url}/v2/`, '127.0.0.2', `anna:${guesser} ${guess}`)).status);
      }
    });
    while (!statuses.has(429)) await sleep(10);
    const digests = [...app.manifests, ...app.blobs].map(({ digest }) => digest);
    for (const digest of digests) {
      const kind = app.manifests.some((manifest) => manifest.digest === digest) ? 'manifests' : 'blobs';
      const { status, body } = await get(`${url}/v2/team/app/${kind}/${digest}`, '127.0.0.1', 'anna:far side');
      expect([status, digestOf(body)]).toEqual([200, digest]);
    }
    stop.abort();
    await Promise.all(guessers);
    expect([...statuses].sort()).toEqual([401, 429]);
  });

  it('sends its headers byte by byte is told 408', async () => {
    const { url } = await serving.start({ headersMs: 300 });
    const socket = connectTo(url);
    const answer = untilClosed(socket);
    const dripping = setInterval(() => socket.write('x'), 20);
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    expect(await answer).toMatch(/^HTTP\/1.1 408 /);
    clearInterval(dripping);
  });

  it.each([
    ['a header of 20 kB', `X-Long: ${'x'.repeat(20_000)}`],
    ['two thousand headers', Array.from({ length: 2000 }, (_, index) => `X-Header-${index}: x`).join('\r\n')],
  ])('sends %s is told 431', async (_what, header) => {
    const { url } = await serving.start();
    const socket = connectTo(url);
    const answer = untilClosed(socket);
    socket.write(`GET /healthz HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`);
    expect(await answer).toMatch(/^HTTP\/1.1 431 /);
  });

  it('reads a byte now and then is let go, and others are served meanwhile', async () => {
    const { url, log, warnings } = await serving.start({ idleMs: 1000 });
    const socket = connect({
      ...{ port: Number(new URL(url).port), host: '127.0.0.1' },
      onread: { buffer: Buffer.alloc(1), callback: () => false },
    });
    socket.on('error', () => undefined);
    socket.write(`GET ${FILE} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const sipping = setInterval(() => socket.resume(), 20);
    const other = Buffer.from(await (await fetch(url + FILE)).arrayBuffer());
    expect(other.equals(kubectl)).toBe(true);
    while (log.length < 2) await sleep(10);
    clearInterval(sipping);
    socket.destroy();
    expect(log.map(({ aborted }) => aborted)).toEqual([undefined, true]);
    expect(warnings).toEqual([]);
  });

  it('reads slowly, but reads, gets all of it', async () => {
    const { url, log } = await serving.start({ idleMs: 1000 });
    const socket = connectTo(url);
    let received = 0;
    let sinceRest = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
      sinceRest += chunk.length;
      if (sinceRest < 1_000_000) return;
      sinceRest = 0;
      socket.pause();
      setTimeout(() => socket.resume(), 100);
    });
    socket.write(`GET ${FILE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await once(socket, 'close');
    expect(received).toBeGreaterThan(kubectl.length);
    expect(log).toEqual([expect.objectContaining({ status: 200 })]);
    expect(log[0]).not.toHaveProperty('aborted');
  });

  it.each([
    ['many ranges', Array.from({ length: 1000 }, (_, first) => `${first}-${first}`)],
    ['ranges that overlap', Array.from({ length: 1000 }, (_, first) => `${first}-`)],
  ])('wants %s gets the whole once', async (_what, ranges) => {
    const { url } = await serving.start();
    const response = await fetch(url + FILE, { headers: { range: `bytes=${ranges.join(',')}` } });
    expect([response.status, response.headers.get('content-range')]).toEqual([200, null]);
    expect(response.headers.get('content-length')).toBe(String(kubectl.length));
    await response.body?.cancel();
  });
});
