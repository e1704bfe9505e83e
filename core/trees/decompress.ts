import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Decompress as ZstdDecompress } from 'fzstd';
import xz from 'xz-decompress';

export type Compression = 'none' | 'gzip' | 'xz' | 'zstd';

/**
 * Decompresses small content that may be hostile: never makes more than about `max` bytes.
 *
 * @throws Error saying what is wrong with it, as the end of a sentence about the content
 */
export async function decompress(bytes: Uint8Array, compression: Compression, max: number): Promise<Uint8Array> {
  if (compression === 'none') return bytes;
  try {
    if (compression === 'gzip') return await promisify(gunzip)(bytes, { maxOutputLength: max });
    return compression === 'xz' ? await unxz(bytes, max) : unzstd(bytes, max);
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(max);
    throw error instanceof TooLarge
      ? error
      : new Error(`it is damaged (${(error as Error).message})`, { cause: error });
  }
}

class TooLarge extends Error {}

function tooLarge(max: number): TooLarge {
  return new TooLarge(`it unpacks to more than ${max} bytes`);
}

// The standard library of Node 20 has neither xz nor zstd.
async function unxz(bytes: Uint8Array, max: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const stream = new xz.XzReadableStream(Readable.toWeb(Readable.from([bytes])) as ReadableStream<Uint8Array>);
  for await (const part of stream) {
    size += part.length;
    if (size > max) throw tooLarge(max);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** How much compressed zstd is fed at a time: what one feed can make is bounded by the block size (RFC 8878, 128 KiB a block). */
const FEED = 4096;

function unzstd(bytes: Uint8Array, max: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  const stream = new ZstdDecompress((part) => {
    size += part.length;
    if (size > max) throw tooLarge(max);
    parts.push(part);
  });
  for (let at = 0; at < bytes.length; at += FEED) stream.push(bytes.subarray(at, at + FEED), at + FEED >= bytes.length);
  return Buffer.concat(parts);
}
