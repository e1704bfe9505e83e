import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openBundle } from './reader.ts';
import { openRandomAccess } from './open-random-access.ts';
import { failureOf, sampleBundle, temporaryFolders, writeSample } from './testing.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const folder = temporaryFolders(afterEach);
const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(
    servers.splice(0).map((server) => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }),
  );
});

async function serve(handler: Handler): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/bundle.tar`;
}

/** A server of static files as far as ranges go. */
function ranges(bytes: Buffer, etag = (): string => '"1"'): Handler {
  return (request, response) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first);
    const end = Math.min(Number(last), bytes.length - 1);
    response.writeHead(206, { 'content-range': `bytes ${start}-${end}/${bytes.length}`, etag: etag() });
    response.end(bytes.subarray(start, end + 1));
  };
}

describe('a bundle behind a URL', () => {
  it('is read by ranges, through a redirect', async () => {
    const sample = sampleBundle();
    const path = await writeSample(await folder(), sample);
    const target = await serve(ranges(await readFile(path)));
    const url = await serve((_request, response) => response.writeHead(307, { location: target }).end());
    const [local, remote] = [await openBundle(path), await openBundle(url)];
    expect([remote.path, remote.size, remote.identity]).toEqual([url, local.size, local.identity]);
    const root = sample.image.index.digest;
    expect(await remote.closure(root)).toEqual(await local.closure(root));
    await Promise.all([local.close(), remote.close()]);
  });

  it('is refused when it changes meanwhile', async () => {
    let state = 0;
    const url = await serve(ranges(Buffer.alloc(100), () => `"${state++}"`));
    const file = await openRandomAccess(url);
    expect((await failureOf(file.read(0, 10))).text).toContain('changed while it was read');
  });

  it.each([
    [200, 'RequestRefused', /does not answer ranges/],
    [404, 'FileMissing', /answered 404/],
    [401, 'RegistryUnauthorized', /answered 401/],
    [403, 'RegistryForbidden', /answered 403/],
    [416, 'BundleCorrupt', /empty/],
    [429, 'RegistryThrottled', /answered 429/],
    [503, 'RegistryUnavailable', /answered 503/],
  ])('and status %d is %s', async (status, type, message) => {
    const url = await serve((_request, response) => response.writeHead(status).end('x'));
    expect(await failureOf(openRandomAccess(url))).toEqual({ type, text: expect.stringMatching(message) as string });
  });

  it('and a redirect without end is refused', async () => {
    const url = await serve((_request, response) => response.writeHead(302, { location: '/bundle.tar' }).end());
    expect((await failureOf(openRandomAccess(url))).type).toBe('RequestRefused');
  });

  it('and a server that sends too much, or another range, is refused', async () => {
    const more = await serve((_request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-0/100' });
      response.write('x'.repeat(10));
      response.end();
    });
    expect((await failureOf(openRandomAccess(more))).type).toBe('RequestRefused');
    const other = await serve((_request, response) =>
      response.writeHead(206, { 'content-range': 'bytes 5-5/100' }).end('x'),
    );
    expect((await failureOf(openRandomAccess(other))).type).toBe('RequestRefused');
  });

  it('and a server that is not there, or hangs up, is a failed connection', async () => {
    const url = await serve((request) => request.socket.destroy());
    expect((await failureOf(openRandomAccess(url))).type).toBe('ConnectionFailed');
    expect((await failureOf(openRandomAccess('http://127.0.0.1:1/bundle.tar'))).type).toBe('ConnectionFailed');
  });
});
