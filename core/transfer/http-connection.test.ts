import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateCertificates, type Certificates } from '../../test/helpers/certificates.ts';
import { digestOf, randomBuffer } from '../../test/helpers/content.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { Mover } from './mover.ts';
import type { DownloadMove, MoveOutcome } from './moves.ts';
import { blobFile, blobIn, OFFSET, serveBytes, startRawServer, type RawRequest, type RawServer } from './testing.ts';

const SIZE = 300_000;
const content = randomBuffer('connections', SIZE);
const timeouts = { connectMs: 10_000, stallMs: 20_000, answerMs: 20_000 };
let folder: TemporaryFolder;
let certificates: Certificates;

beforeAll(async () => {
  folder = await temporaryFolder('connection');
  certificates = await generateCertificates(folder.path);
});

afterAll(() => folder.remove());

async function download(
  server: RawServer,
  options: Partial<DownloadMove> & { mover?: Mover } = {},
): Promise<{ outcome: MoveOutcome; path: string }> {
  const { mover = new Mover(timeouts), ...more } = options;
  const path = await blobFile(folder.path, content);
  const from = { url: `${server.url}/blob`, headers: {} };
  const to = { path, offset: OFFSET };
  const digest = digestOf(content);
  const outcome = await mover.run(1, { kind: 'download', from, to, digest, size: SIZE, prefix: 0, ...more });
  return { outcome, path };
}

describe('connections', () => {
  it('are used again, one request at a time', async () => {
    await using server = await startRawServer(serveBytes(content));
    const mover = new Mover(timeouts);
    const path = await blobFile(folder.path, content);
    const move = {
      kind: 'download',
      from: { url: server.url, headers: {} },
      to: { path, offset: OFFSET },
      size: SIZE,
      prefix: 0,
    } as const;
    await Promise.all([mover.run(1, move), mover.run(2, move)]);
    await Promise.all([mover.run(3, move), mover.run(4, move)]);
    expect(new Set(server.requests.map(({ connection }) => connection)).size).toBe(2);
  });

  it('that died in the meantime are replaced', async () => {
    await using server = await startRawServer(serveBytes(content));
    const mover = new Mover(timeouts);
    await download(server, { mover });
    server.hangUp();
    expect((await download(server, { mover })).outcome).toMatchObject({ kind: 'done' });
    expect(server.requests.map(({ connection }) => connection)).toEqual([0, 1]);
  });

  it('that die when used again cost a GET nothing', async () => {
    await using server = await startRawServer((request) => {
      if (request.index === 1) request.socket.destroy();
      else serveBytes(content)(request);
    });
    const mover = new Mover(timeouts);
    await download(server, { mover });
    expect((await download(server, { mover })).outcome).toMatchObject({ kind: 'done', moved: SIZE });
    expect(server.requests.map(({ connection }) => connection)).toEqual([0, 0, 1]);
  });

  it('are not used again after bytes that nobody asked for', async () => {
    await using server = await startRawServer((request) => {
      serveBytes(content)(request);
      if (request.index === 0) setTimeout(() => request.socket.write('HTTP/1.1 408 Timeout\r\n\r\n'), 20);
    });
    const mover = new Mover(timeouts);
    await download(server, { mover });
    await expect.poll(() => server.requests[0]?.socket.destroyed).toBe(true);
    expect((await download(server, { mover })).outcome).toMatchObject({ kind: 'done' });
    expect(server.requests[1]?.connection).toBe(1);
  });
});

describe('TLS', () => {
  async function secureServer(respond: (request: RawRequest) => void): Promise<RawServer> {
    const [cert, key] = await Promise.all(
      [certificates.certificate, certificates.key].map((path) => readFile(path, 'utf8')),
    );
    return startRawServer(respond, { cert: cert!, key: key! });
  }

  it('trusts the authority that it is given, or nobody, or everybody', async () => {
    await using server = await secureServer(serveBytes(content));
    const ca = await readFile(certificates.ca, 'utf8');
    const from = { url: server.url, headers: {} };
    const trusted = await download(server, { from: { ...from, ca } });
    expect(trusted.outcome).toMatchObject({ kind: 'done', moved: SIZE });
    expect((await blobIn(trusted.path)).equals(content)).toBe(true);
    expect((await download(server, { from })).outcome).toMatchObject({ type: 'CertificateUntrusted' });
    expect((await download(server, { from: { ...from, insecureSkipTlsVerify: true } })).outcome.kind).toBe('done');
    const named = { ...from, ca, url: server.url.replace('127.0.0.1', 'localhost') };
    expect((await download(server, { from: named })).outcome.kind).toBe('done');
  });

  it('goes through a proxy by CONNECT, whatever pieces the answer comes in', async () => {
    await using server = await secureServer(serveBytes(content));
    await using proxy = await startRawServer(({ line, socket }) => {
      const [host, port] = line.split(' ')[1]!.split(':');
      const onward = net.connect(Number(port), host, () => {
        socket.removeAllListeners('data');
        const pieces = ['HTTP/1', '.1 200 Connection esta', 'blished\r\nVia: a\r', '\n\r\n'];
        const next = (): void => {
          const piece = pieces.shift();
          if (piece === undefined) socket.pipe(onward).pipe(socket);
          else socket.write(piece, () => setTimeout(next, 5));
        };
        next();
      });
      onward.on('error', () => socket.destroy());
    });
    const ca = await readFile(certificates.ca, 'utf8');
    const url = `http://user:p%40ss@${proxy.host}`;
    const { outcome } = await download(server, { from: { url: server.url, headers: {}, ca, proxy: url } });
    expect(outcome).toMatchObject({ kind: 'done', moved: SIZE });
    expect(proxy.requests).toHaveLength(1);
    const authorization = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
    expect(proxy.requests[0]).toMatchObject({
      line: `CONNECT ${server.host} HTTP/1.1`,
      headers: { 'proxy-authorization': authorization },
    });
    expect(server.requests[0]?.headers['proxy-authorization']).toBeUndefined();
  });

  it.each([
    ['refuses', 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n', 'CONNECT answered 407'],
    ['is something else', 'SSH-2.0-OpenSSH_9.2\r\n', 'not HTTP'],
    ['hangs up', '', 'closed the connection'],
  ])('says that the proxy %s', async (_what, text, message) => {
    await using proxy = await startRawServer(({ socket }) => socket.end(text));
    const from = { url: 'https://registry.invalid/', headers: {}, proxy: proxy.url };
    const { outcome } = await download(proxy, { from });
    expect(outcome).toMatchObject({ type: 'ConnectionFailed', message: expect.stringContaining(message) as string });
  });
});

describe('a proxy for plain HTTP', () => {
  it('is asked in absolute form', async () => {
    await using proxy = await startRawServer(serveBytes(content));
    const from = { url: 'http://registry.invalid:5000/v2/a?b=c', headers: {}, proxy: `http://u:p@${proxy.host}` };
    expect((await download(proxy, { from })).outcome).toMatchObject({ kind: 'done' });
    expect(proxy.requests[0]).toMatchObject({
      line: 'GET http://registry.invalid:5000/v2/a?b=c HTTP/1.1',
      headers: {
        host: 'registry.invalid:5000',
        'proxy-authorization': `Basic ${Buffer.from('u:p').toString('base64')}`,
      },
    });
  });
});
