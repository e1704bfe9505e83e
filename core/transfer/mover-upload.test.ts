import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomBuffer } from '../../test/helpers/content.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import { Mover } from './mover.ts';
import type { MoveOutcome, UploadMove } from './moves.ts';
import { blobFile, OFFSET, startRawServer, type RawRequest, type RawServer } from './testing.ts';

const SIZE = 300_000;
const LARGE = 24 * 1024 * 1024;
const content = randomBuffer('mover upload', SIZE);
const timeouts = { connectMs: 10_000, stallMs: 20_000, answerMs: 20_000 };
const impatient = { connectMs: 10_000, stallMs: 300, answerMs: 600 };
let folder: TemporaryFolder;
let large: Pick<UploadMove, 'from' | 'size' | 'end'>;

beforeAll(async () => {
  folder = await temporaryFolder('mover');
  const path = join(folder.path, 'large');
  await writeFile(path, Buffer.alloc(LARGE));
  large = { from: { path, offset: 0 }, size: LARGE, end: LARGE };
});

afterAll(() => folder.remove());

describe('an upload', () => {
  async function upload(
    server: { url: string },
    more: Partial<UploadMove> = {},
    mover = new Mover(timeouts),
  ): Promise<MoveOutcome> {
    const from = { path: await blobFile(folder.path, content, SIZE), offset: OFFSET };
    const to = { url: `${server.url}/upload`, headers: { authorization: 'Bearer x' } };
    return mover.run(1, { kind: 'upload', from, to, method: 'PATCH', size: SIZE, start: 0, end: SIZE, ...more });
  }
  const accept = '202 Accepted\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n';
  const afterBody =
    (server: () => RawServer, wanted: number, text: string) =>
    ({ socket }: RawRequest): void => {
      const timer = setInterval(() => {
        if (server().received() < wanted) return;
        clearInterval(timer);
        socket.write(`HTTP/1.1 ${text}`);
      }, 5);
    };

  it('sends its slice and nothing else', async () => {
    let server: RawServer | undefined = undefined as RawServer | undefined;
    server = await startRawServer(afterBody(() => server!, 100_000, accept));
    await using _server = server;
    const outcome = await upload(server, { start: 50_000, end: 150_000 });
    expect(outcome).toMatchObject({ kind: 'done', status: 202, moved: 100_000, headers: { location: '/next' } });
    expect(server.received()).toBe(100_000);
    expect(server.requests[0]).toMatchObject({
      line: 'PATCH /upload HTTP/1.1',
      headers: { 'content-length': '100000', 'content-range': '50000-149999', authorization: 'Bearer x' },
    });
  });

  it('of nothing is an empty PUT', async () => {
    await using server = await startRawServer(({ socket }) => socket.write(`HTTP/1.1 ${accept}`));
    expect(await upload(server, { method: 'PUT', size: 0, end: 0 })).toMatchObject({ kind: 'done', moved: 0 });
    expect(server.requests[0]?.headers).toMatchObject({ 'content-length': '0' });
  });

  it.each([
    ['and keeps the connection', false],
    ['and hangs up', true],
  ])('stops at an answer that comes early (%s)', async (_what, hangUp) => {
    await using server = await startRawServer(({ socket }) => {
      socket.pause();
      socket.write('HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno', () => {
        if (hangUp) socket.destroySoon();
      });
    });
    const outcome = await upload(server, large);
    expect(outcome).toMatchObject({
      kind: 'answer',
      status: 401,
      body: 'no',
      headers: { 'www-authenticate': 'Basic' },
    });
    expect(outcome.moved).toBeLessThan(LARGE);
  });

  it('does not use a connection again whose request was cut short', async () => {
    await using server = await startRawServer(({ socket, index }) => {
      if (index === 0) socket.pause();
      socket.write(`HTTP/1.1 ${index === 0 ? '403 No' : '201 Created'}\r\nContent-Length: 0\r\n\r\n`);
    });
    const mover = new Mover(timeouts);
    expect(await upload(server, large, mover)).toMatchObject({ kind: 'answer', status: 403 });
    expect(await upload(server, { method: 'PUT', size: 0, end: 0 }, mover)).toMatchObject({ kind: 'done' });
    expect(server.requests.map(({ connection }) => connection)).toEqual([0, 1]);
  });

  it('that is not read is stalled, and one that is not answered too', async () => {
    await using server = await startRawServer(({ socket, headers }) => {
      if (headers['content-length'] !== '10') socket.pause();
    });
    const stalled = { kind: 'failed', type: 'Stalled' };
    const mover = new Mover(impatient);
    const notRead = await upload(server, large, mover);
    expect(notRead).toMatchObject({ ...stalled, message: 'no byte moved for 0.3 s' });
    expect(await upload(server, { end: 10 }, mover)).toMatchObject({ ...stalled, message: 'no byte moved for 0.6 s' });
  });

  it('that is read slowly is not stalled', async () => {
    let server: RawServer | undefined = undefined as RawServer | undefined;
    server = await startRawServer((request) => {
      // A few hundred KiB in every turn, each turn shorter than the patience: one write of 1 MiB takes longer than it.
      const { socket } = request;
      const turns = setInterval(() => {
        if (server!.received() > 8 * 1024 * 1024) socket.resume();
        else socket.once('data', () => socket.pause()).resume();
      }, 30);
      socket.pause().once('close', () => clearInterval(turns));
      afterBody(() => server!, LARGE, accept)(request);
    });
    await using _server = server;
    const mover = new Mover({ ...impatient, stallMs: 500 });
    expect(await upload(server, large, mover)).toMatchObject({
      kind: 'done',
      moved: LARGE,
    });
  });

  it('from a bundle that is cut says so', async () => {
    const path = join(folder.path, 'cut');
    await writeFile(path, content.subarray(0, 1_000));
    await using server = await startRawServer(() => undefined);
    const outcome = await upload(server, { from: { path, offset: 0 } });
    expect(outcome).toMatchObject({ type: 'BundleCorrupt', message: `${path} ends at byte 1000` });
  });
});
