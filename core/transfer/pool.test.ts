import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, randomBuffer } from '../../test/helpers/content.ts';
import { temporaryFolder, type TemporaryFolder } from '../../test/helpers/paths.ts';
import type { Move } from './moves.ts';
import { MoverPool } from './pool.ts';
import { blobFile, blobIn, OFFSET, serveBytes, startRawServer } from './testing.ts';

const content = randomBuffer('pool', 200_000);
const digest = digestOf(content);
let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await temporaryFolder('pool');
});

afterAll(() => folder.remove());

async function download(url: string, more: { prefix?: number } = {}): Promise<Extract<Move, { kind: 'download' }>> {
  const { prefix = 0 } = more;
  const to = { path: await blobFile(folder.path, content, prefix), offset: OFFSET };
  return { kind: 'download', from: { url, headers: {} }, to, digest, size: content.length, prefix };
}

describe('MoverPool', () => {
  it('makes many moves at once on few threads', async () => {
    await using server = await startRawServer(serveBytes(content));
    const pool = new MoverPool(2);
    const moves = await Promise.all(Array.from({ length: 12 }, () => download(server.url)));
    const outcomes = await Promise.all(moves.map((move) => pool.run(move)));
    expect(outcomes.map(({ kind }) => kind)).toEqual(moves.map(() => 'done'));
    for (const { to } of moves) expect((await blobIn(to!.path)).equals(content)).toBe(true);
    await pool.close();
  });

  it('hashes, and says when a file is not there', async () => {
    const pool = new MoverPool(1);
    const path = join(folder.path, 'span');
    await writeFile(path, content);
    const from = { path, offset: 0 };
    expect(await pool.run({ kind: 'hash', from, size: content.length })).toMatchObject({ kind: 'done', digest });
    const gone = await pool.run({ kind: 'hash', from: { path: join(folder.path, 'gone'), offset: 0 }, size: 1 });
    expect(gone).toMatchObject({ kind: 'failed', type: 'FileMissing' });
    await pool.close();
  });

  it('tells how far a move is, and stops it when it is told to', async () => {
    await using server = await startRawServer(({ socket }) => {
      socket.write(`HTTP/1.1 206 P\r\nContent-Range: bytes 1000-199999/200000\r\nContent-Length: 199000\r\n\r\n`);
      socket.write(content.subarray(1_000, 50_000));
    });
    const pool = new MoverPool(1);
    const stop = new AbortController();
    const seen: number[] = [];
    const onProgress = (reached: number): void => {
      seen.push(reached);
      if (reached === 50_000) stop.abort();
    };
    const outcome = await pool.run(await download(server.url, { prefix: 1_000 }), { signal: stop.signal, onProgress });
    expect(outcome).toEqual({ kind: 'cancelled', moved: 49_000, written: 50_000 });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    const later = await pool.run(await download(server.url, { prefix: 1_000 }), { signal: stop.signal });
    expect(later).toEqual({ kind: 'cancelled', moved: 0, written: 1_000 });
    expect(server.requests).toHaveLength(1);
    await pool.close();
  });

  it('fails the moves of a thread that dies, keeps their prefix, and goes on with a new thread', async () => {
    await using server = await startRawServer((request) => {
      if (request.index > 0) serveBytes(content)(request);
    });
    const pool = new MoverPool(1);
    const lost = pool.run(await download(server.url, { prefix: 77 }));
    await expect.poll(() => server.requests.length).toBe(1);
    await pool.close();
    expect(await lost).toMatchObject({ kind: 'failed', type: 'InternalError', moved: 0, written: 77 });
    expect(await pool.run(await download(server.url))).toMatchObject({ kind: 'done' });
    await pool.close();
  });

  it('turns what it does not understand into a failure', async () => {
    const pool = new MoverPool(1);
    const outcome = await pool.run(await download('no URL at all'));
    expect(outcome).toMatchObject({ kind: 'failed', type: 'InternalError', message: 'Invalid URL' });
    await pool.close();
  });
});
