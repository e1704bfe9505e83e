import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { diskError } from '../bundle/disk-error.ts';
import type { SealiftError } from '../errors.ts';
import { readFailure } from '../sources/read-local.ts';
import { archiveError } from './archive-error.ts';

/** What an archive may always unpack to, and how many times its own size beyond that: a gzip bomb has a factor of 1000. */
const MAX_PLAIN = 256 * 1024 * 1024;
const MAX_FACTOR = 200;

/** A compressed file, or a part of one; `shownAs` for errors. */
export interface GzipSpan {
  path: string;
  offset: number;
  /** bytes, compressed */
  size: number;
  shownAs: string;
}

/** Whether bytes begin as gzip does (RFC 1952, 2.3.1). */
export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/**
 * What is inside, piece by piece.
 * @throws SealiftError InvalidInput when it is damaged, or unpacks to more than an archive of images can; FileMissing
 */
export async function* gunzipped({ path, offset, size, shownAs }: GzipSpan): AsyncGenerator<Buffer> {
  const limit = Math.max(MAX_PLAIN, size * MAX_FACTOR);
  const source = createReadStream(path, { start: offset, end: offset + size - 1 });
  const gunzip = createGunzip();
  let failure: SealiftError | undefined;
  source.on('error', (error) => {
    failure = readFailure(error, path, 'source');
    gunzip.destroy(error);
  });
  let written = 0;
  try {
    for await (const bytes of source.pipe(gunzip)) {
      written += (bytes as Buffer).length;
      if (written > limit) {
        failure = archiveError(shownAs, `its ${size} bytes unpack to more than ${limit}: that is no archive of images`);
        break;
      }
      yield bytes as Buffer;
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw failure ?? archiveError(shownAs, `it is damaged (${message})`, { cause: error });
  } finally {
    source.destroy();
  }
  if (failure !== undefined) throw failure;
}

/**
 * Unpacks a file to `target`, which is there only when it is whole; one that is there already is kept.
 * @throws SealiftError as {@link gunzipped}; DiskFull, PathUnwritable
 */
export async function gunzipTo(path: string, target: string): Promise<void> {
  if ((await stat(target).catch(() => undefined)) !== undefined) return;
  const partial = `${target}.part`;
  try {
    await mkdir(dirname(target), { recursive: true });
    const { size } = await stat(path);
    await pipeline(
      Readable.from(gunzipped({ path, offset: 0, size, shownAs: path })),
      createWriteStream(partial, { flush: true }),
    );
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true });
    throw diskError(error, 'unpack archive to', target);
  }
}
