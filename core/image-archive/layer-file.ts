import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Decompress as ZstdDecompress } from 'fzstd';
import { diskError } from '../bundle/disk-error.ts';
import { archiveError } from './archive-error.ts';
import { tarEntries, type TarEntry } from './tar-index.ts';
import type { RandomAccess } from '../bundle/random-access.ts';

/** What a layer may unpack to: real ones stay far below, and a hostile one must not fill the disk. */
const MAX_LAYER = 8 * 1024 ** 3;

/**
 * Unpacks a layer (image-spec v1.1, layer.md: a tar, plain or compressed by gzip or zstd) into a tar; what it is its first
 * bytes tell, since media types are often wrong.
 * @throws SealiftError InvalidInput when it is damaged or unpacks to more than 8 GiB; DiskFull, PathUnwritable
 */
export async function unpackLayer(layer: string, tar: string): Promise<void> {
  const start = await firstBytes(layer);
  const unpack = start === '1f8b' ? [createGunzip()] : start === '28b5' ? [unzstd()] : [];
  try {
    await pipeline([createReadStream(layer), ...unpack, limited(layer), createWriteStream(tar, { mode: 0o600 })]);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (unpack.length > 0 && (code === '' || code.startsWith('Z_'))) throw damaged(layer, error);
    throw diskError(error, 'unpack layer', tar);
  }
}

/**
 * The file in a tar that is asked for, with links followed inside it.
 * @param wanted says of a path without a slash in front whether it is the one
 * @returns the entry; or where a link leads to that this tar does not have; undefined when there is nothing of the kind
 * @throws SealiftError InvalidInput as tarEntries
 */
export async function findFile(
  file: RandomAccess,
  shownAs: string,
  wanted: (path: string) => boolean,
): Promise<{ entry: TarEntry } | { elsewhere: string } | undefined> {
  const entries = new Map<string, TarEntry>();
  for await (const entry of tarEntries(file, { offset: 0, size: file.size, shownAs })) {
    if (entry.type !== 'folder') entries.set(entry.name, entry);
  }
  let found = [...entries.values()].find(({ name }) => wanted(name));
  for (let hops = 0; found?.type === 'link' && hops < 8; hops += 1) {
    const target = found.target!.replace(/^\/+/, '');
    found = entries.get(target);
    if (found === undefined) return { elsewhere: target };
  }
  return found?.type === 'file' ? { entry: found } : undefined;
}

async function firstBytes(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return buffer.subarray(0, bytesRead).toString('hex');
  } finally {
    await file.close();
  }
}

function limited(layer: string): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > MAX_LAYER) done(archiveError(layer, `it unpacks to more than ${MAX_LAYER} bytes`));
      else done(null, chunk);
    },
  });
}

// the standard library of Node 20 has no zstd
function unzstd(): Transform {
  const transform = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      feed(chunk, false, done);
    },
    flush(done) {
      feed(Buffer.alloc(0), true, done);
    },
  });
  const stream = new ZstdDecompress((part) => void transform.push(part));
  const feed = (chunk: Buffer, isLast: boolean, done: (error?: Error) => void): void => {
    try {
      stream.push(chunk, isLast);
      done();
    } catch (error) {
      done(error as Error);
    }
  };
  return transform;
}

function damaged(layer: string, cause: unknown): Error {
  return archiveError(layer, `the layer is damaged (${(cause as Error).message})`, { cause });
}
