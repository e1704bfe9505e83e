import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, randomBuffer } from '../../test/helpers/content.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { Mover } from './mover.ts';
import { moveTimeouts, type DownloadMove, type MoveOutcome } from './moves.ts';
import { blobFile, blobIn, OFFSET, serveBytes, startRawServer, type RawRequest, type RawServer } from './testing.ts';

const SIZE = 300_000;
const content = randomBuffer('mover', SIZE);
const digest = digestOf(content);
const timeouts = { connectMs: 10_000, stallMs: 20_000, answerMs: 20_000 };
const impatient = { connectMs: 10_000, stallMs: 300, answerMs: 600 };
let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await temporaryFolder('mover');
});

afterAll(() => folder.remove());

async function target(prefix = 0): Promise<string> {
  return blobFile(folder.path, content, prefix);
}

interface Try extends Partial<DownloadMove> {
  mover?: Mover;
  path?: string;
}

async function download(server: RawServer, options: Try = {}): Promise<{ outcome: MoveOutcome; path: string }> {
  const { mover = new Mover(timeouts), path = await target(options.prefix), ...more } = options;
  const from = { url: `${server.url}/blob`, headers: { 'x-mine': 'yes' } };
  const to = { path, offset: OFFSET };
  const outcome = await mover.run(1, { kind: 'download', from, to, digest, size: SIZE, prefix: 0, ...more });
  return { outcome, path };
}

/** The first request gets this, every later one the content. */
function first(respond: (request: RawRequest) => void, then = serveBytes(content)): (request: RawRequest) => void {
  return (request) => (request.index === 0 ? respond(request) : then(request));
}

describe('a download', () => {
  it('goes to its offset and nowhere else', async () => {
    await using server = await startRawServer(serveBytes(content));
    const { outcome, path } = await download(server);
    expect(outcome).toMatchObject({ kind: 'done', moved: SIZE, resumed: 0, digest });
    expect((await blobIn(path)).equals(content)).toBe(true);
    expect(server.requests[0]).toMatchObject({
      line: 'GET /blob HTTP/1.1',
      headers: { host: server.host, 'x-mine': 'yes', 'accept-encoding': 'identity' },
    });
  });

  it('without a file is hashed only', async () => {
    await using server = await startRawServer(serveBytes(content));
    const move = { kind: 'download', from: { url: server.url, headers: {} }, size: SIZE, prefix: 0 } as const;
    expect(await new Mover(timeouts).run(1, move)).toMatchObject({ kind: 'done', digest });
  });

  it.each([1, 123_457, SIZE - 1])('asks only for what follows %d proven bytes', async (prefix) => {
    await using server = await startRawServer(serveBytes(content));
    const { outcome, path } = await download(server, { prefix });
    expect(outcome).toMatchObject({ kind: 'done', moved: SIZE - prefix, resumed: prefix });
    expect((await blobIn(path)).equals(content)).toBe(true);
    expect(server.requests.map(({ headers }) => headers['range'])).toEqual([`bytes=${prefix}-`]);
  });

  it.each([SIZE, SIZE + 7])('of which all is there (%d) asks for nothing', async (prefix) => {
    await using server = await startRawServer(serveBytes(content));
    expect((await download(server, { prefix })).outcome).toMatchObject({ kind: 'done', moved: 0, resumed: SIZE });
    expect(server.requests).toHaveLength(0);
  });

  it.each([5_000, SIZE])('starts over when the %d bytes that were there are wrong', async (prefix) => {
    await using server = await startRawServer(serveBytes(content));
    const path = await target();
    const { outcome } = await download(server, { prefix, path });
    expect(outcome).toMatchObject({ kind: 'done', resumed: 0 });
    expect((await blobIn(path)).equals(content)).toBe(true);
    expect(server.requests.at(-1)?.headers['range']).toBeUndefined();
  });

  const wrongRange = (range: string) => (request: RawRequest) => {
    request.socket.write(`HTTP/1.1 206 P\r\nContent-Range: ${range}\r\nContent-Length: 10\r\n\r\n${'x'.repeat(10)}`);
  };

  it.each([
    ['ignores Range', serveBytes(content, { ranges: false }), 1],
    [
      'refuses it with 416',
      ({ socket }: RawRequest) => socket.write('HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n'),
      2,
    ],
    ['answers with another range', wrongRange(`bytes 0-9/${SIZE}`), 2],
    ['does not say which range it is', wrongRange('pages 1-2'), 2],
  ] as const)('is read whole from a server that %s', async (_what, respond, requests) => {
    await using server = await startRawServer(first(respond));
    const { outcome, path } = await download(server, { prefix: 1_234 });
    expect(outcome).toMatchObject({ kind: 'done', resumed: 0 });
    expect((await blobIn(path)).equals(content)).toBe(true);
    expect(server.requests).toHaveLength(requests);
  });

  it('reports what is in the file, not what has moved, when Range was ignored', async () => {
    await using server = await startRawServer(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
      socket.write(content.subarray(0, 50_000));
    });
    const mover = new Mover(timeouts);
    const running = download(server, { mover, prefix: 200_000 });
    await expect.poll(() => mover.progress()).toEqual([{ id: 1, reached: 50_000 }]);
    mover.cancel(1);
    expect((await running).outcome).toEqual({ kind: 'cancelled', moved: 50_000, written: 50_000 });
  });

  it('does not join parts of two versions when there is no digest', async () => {
    const headers = (tag: string): string => `ETag: "${tag}"\r\n`;
    await using server = await startRawServer((request) => {
      if (request.index === 0) {
        request.socket.write(`HTTP/1.1 200 OK\r\n${headers('one')}Content-Length: ${SIZE}\r\n\r\n`);
        request.socket.end(Buffer.alloc(9_000));
      } else serveBytes(content, { headers: headers('two') })(request);
    });
    const path = await target();
    const from = { url: server.url, headers: {} };
    const move = { kind: 'download', from, to: { path, offset: OFFSET }, size: SIZE } as const;
    const mover = new Mover(timeouts);
    const cut = await mover.run(1, { ...move, prefix: 0 });
    expect(cut).toMatchObject({ type: 'BodyTruncated', written: 9_000, validator: '"one"' });
    expect(await mover.run(2, { ...move, prefix: 9_000, validator: '"one"' })).toMatchObject({ digest, resumed: 0 });
    expect(server.requests[1]?.headers).toMatchObject({ range: 'bytes=9000-', 'if-range': '"one"' });
    expect((await blobIn(path)).equals(content)).toBe(true);
  });

  it.each([
    ['announces too many', `Content-Length: ${SIZE + 1}\r\n`, content, 'SizeMismatch'],
    ['announces too few', 'Content-Length: 10\r\n', content.subarray(0, 10), 'SizeMismatch'],
    ['sends too many', 'Connection: close\r\n', Buffer.concat([content, Buffer.from('!')]), 'SizeMismatch'],
    ['sends too few', 'Connection: close\r\n', content.subarray(0, 77), 'BodyTruncated'],
    ['sends fewer than announced', `Content-Length: ${SIZE}\r\n`, content.subarray(0, 77), 'BodyTruncated'],
    [
      'sends other bytes under the right digest header',
      `Docker-Content-Digest: ${digest}\r\nContent-Length: ${SIZE}\r\n`,
      randomBuffer('other', SIZE),
      'DigestMismatch',
    ],
  ] as const)('from a server that %s bytes fails', async (_what, headers, body, type) => {
    await using server = await startRawServer(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\n${headers}\r\n`);
      socket.end(body);
    });
    const { outcome, path } = await download(server);
    expect(outcome).toMatchObject({ kind: 'failed', type });
    await blobIn(path);
  });

  it('takes chunks, and a body that ends with the connection', async () => {
    const half = SIZE / 2;
    await using server = await startRawServer(({ socket, index }) => {
      if (index === 1) return void socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), content]));
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (const part of [content.subarray(0, half), content.subarray(half)]) {
        socket.write(`${part.length.toString(16)}\r\n`);
        socket.write(part);
        socket.write('\r\n');
      }
      socket.write('0\r\nX-Trailer: 1\r\n\r\n');
    });
    const mover = new Mover(timeouts);
    for (const connection of [0, 0]) {
      const { outcome, path } = await download(server, { mover });
      expect(outcome).toMatchObject({ kind: 'done', moved: SIZE });
      expect((await blobIn(path)).equals(content)).toBe(true);
      expect(server.requests.at(-1)?.connection).toBe(connection);
    }
  });

  it('hands over what the server says instead', async () => {
    const says = (status: number, body: string): string =>
      `HTTP/1.1 ${status} No\r\nLocation: /x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    await using server = await startRawServer(({ socket, index }) =>
      socket.write(says(400 + index, 'because '.repeat(index + 1))),
    );
    const mover = new Mover(timeouts);
    expect((await download(server, { mover })).outcome).toMatchObject({
      kind: 'answer',
      status: 400,
      body: 'because ',
      moved: 0,
    });
    expect((await download(server, { mover })).outcome).toMatchObject({ status: 401, headers: { location: '/x' } });
    expect(server.requests.map(({ connection }) => connection)).toEqual([0, 0]);
  });

  it('does not keep an answer of any length in memory', async () => {
    await using server = await startRawServer(({ socket }) =>
      socket.end(`HTTP/1.1 500 No\r\n\r\n${'x'.repeat(200_000)}`),
    );
    const { outcome } = await download(server);
    expect(outcome.kind === 'answer' && outcome.body.length).toBe(16 * 1024);
  });

  it.each([
    ['says nothing', ''],
    ['stops in the middle', `HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n12345`],
  ])('from a server that %s is given up as stalled', async (_what, text) => {
    await using server = await startRawServer(({ socket }) => socket.write(text));
    const { outcome } = await download(server, { mover: new Mover(impatient) });
    expect(outcome).toMatchObject({ kind: 'failed', type: 'Stalled', written: text === '' ? 0 : 5 });
  });

  it('that is reset keeps what had come', async () => {
    await using server = await startRawServer(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
      socket.write(content.subarray(0, 40_000), () => socket.resetAndDestroy());
    });
    const { outcome, path } = await download(server);
    expect(outcome).toMatchObject({ kind: 'failed' });
    expect(['ConnectionFailed', 'BodyTruncated']).toContain(outcome.kind === 'failed' ? outcome.type : '');
    const there = outcome.kind === 'failed' ? outcome.written : -1;
    expect((await blobIn(path)).subarray(0, there).equals(content.subarray(0, there))).toBe(true);
    expect(outcome.moved).toBe(there);
  });

  it('is refused what is not HTTP, or not there', async () => {
    await using server = await startRawServer(({ socket }) => socket.write('220 smtp.example ESMTP\r\n\r\n'));
    expect((await download(server)).outcome).toMatchObject({
      type: 'ConnectionFailed',
      message: expect.stringContaining('220 smtp') as string,
    });
    const closed = await startRawServer(() => undefined);
    await closed[Symbol.asyncDispose]();
    const { outcome } = await download(closed, { prefix: 12 });
    expect(outcome).toMatchObject({
      type: 'ConnectionFailed',
      message: expect.stringContaining('ECONNREFUSED') as string,
      written: 12,
    });
  });

  it('needs its file, and keeps the prefix when it is gone', async () => {
    await using server = await startRawServer(serveBytes(content));
    const path = join(folder.path, 'absent');
    expect((await download(server, { path, prefix: 9 })).outcome).toMatchObject({ type: 'FileMissing', written: 9 });
    expect((await download(server, { path: folder.path })).outcome.kind).toBe('failed');
    expect(server.requests).toHaveLength(0);
  });

  it('can be cancelled, and what is there is said', async () => {
    await using server = await startRawServer(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`);
      socket.write(content.subarray(0, 65_536));
    });
    const mover = new Mover(timeouts);
    const running = download(server, { mover });
    await expect.poll(() => mover.progress()[0]?.reached).toBe(65_536);
    mover.cancel(1);
    expect((await running).outcome).toEqual({ kind: 'cancelled', moved: 65_536, written: 65_536 });
    expect(mover.progress()).toEqual([]);
    mover.cancel(1);
  });
});

describe('spans', () => {
  const move = { size: SIZE } as const;

  it('are hashed', async () => {
    const from = { path: await target(SIZE), offset: OFFSET };
    expect(await new Mover(timeouts).run(1, { kind: 'hash', from, ...move })).toMatchObject({
      kind: 'done',
      digest,
      moved: SIZE,
    });
    const beyond = await new Mover(timeouts).run(1, { kind: 'hash', from: { ...from, offset: OFFSET + 600 }, ...move });
    expect(beyond).toMatchObject({ type: 'BundleCorrupt' });
  });

  it('are copied, and proven on the way', async () => {
    const [from, path] = [{ path: await target(SIZE), offset: OFFSET }, await target()];
    const copy = { kind: 'copy', from, to: { path, offset: OFFSET }, digest, ...move } as const;
    expect(await new Mover(timeouts).run(1, copy)).toMatchObject({ kind: 'done', digest });
    expect((await blobIn(path)).equals(content)).toBe(true);
    const wrong = await new Mover(timeouts).run(1, { ...copy, from: { ...from, offset: 0 } });
    expect(wrong).toMatchObject({ type: 'DigestMismatch', written: 0 });
  });
});

describe('moveTimeouts', () => {
  it.each([
    [{}, 30_000],
    [{ SEALIFT_STALL_SECONDS: '2.5' }, 2_500],
    [{ SEALIFT_STALL_SECONDS: '0' }, 30_000],
    [{ SEALIFT_STALL_SECONDS: '-1' }, 30_000],
    [{ SEALIFT_STALL_SECONDS: 'soon' }, 30_000],
  ])('%j', (env, stallMs) => {
    expect(moveTimeouts(env)).toMatchObject({ stallMs });
  });
});
