import { createCipheriv, createHash } from 'node:crypto';
import { crc32, gzipSync } from 'node:zlib';
import { Header } from 'tar';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';

/** A blob that can be produced again and again, in pieces of at most 64 KiB, without ever being whole in memory. */
export interface GeneratedBlob extends Descriptor {
  chunks(): Iterable<Uint8Array>;
}

/** A layer: a gzip stream of a tar with one file, so that every tool that looks inside is content. */
export interface GeneratedLayer extends GeneratedBlob {
  /** digest of the uncompressed tar, for the image config's rootfs.diff_ids */
  diffId: Digest;
}

const chunkSize = 65_535;

/** Incompressible bytes that depend on the seed only: AES-128 in counter mode over zeros, keyed by the seed's hash. */
export function* randomBytesOf(seed: string, size: number): Generator<Uint8Array> {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16));
  const zeros = Buffer.alloc(Math.min(size, chunkSize));
  for (let left = size; left > 0; left -= chunkSize) {
    yield cipher.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
  }
}

/** The same as one buffer; for small sizes. */
export function randomBuffer(seed: string, size: number): Buffer {
  return Buffer.concat([...randomBytesOf(seed, size)]);
}

export function digestOf(bytes: Iterable<Uint8Array> | Uint8Array): Digest {
  const hash = createHash('sha256');
  if (bytes instanceof Uint8Array) hash.update(bytes);
  else for (const chunk of bytes) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

/** A blob with these exact bytes. */
export function blobOf(mediaType: string, bytes: Uint8Array): GeneratedBlob {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, chunks: () => [bytes] };
}

/** Sizes and digests of layers made before: many images share a base, and hashing 280 MB twice is slow. */
const knownLayers = new Map<string, { digest: Digest; size: number; diffId: Digest }>();

/**
 * @param contentSize bytes of the one file inside; the blob is about 2 KiB larger, or smaller than 400 bytes for contents
 *   up to 200 bytes, which are really compressed
 */
export function generateLayer(mediaType: string, seed: string, contentSize: number): GeneratedLayer {
  const key = `${seed} ${contentSize}`;
  const tar = (): Generator<Uint8Array> => tarOf(seed, contentSize);
  const chunks =
    contentSize <= 200 ? (): Iterable<Uint8Array> => [gzipSync(Buffer.concat([...tar()]))] : () => storedGzip(tar());
  let known = knownLayers.get(key);
  if (known === undefined) {
    const hash = createHash('sha256');
    let size = 0;
    for (const chunk of chunks()) {
      hash.update(chunk);
      size += chunk.length;
    }
    known = { digest: `sha256:${hash.digest('hex')}`, size, diffId: digestOf(tar()) };
    knownLayers.set(key, known);
  }
  return { mediaType, ...known, chunks };
}

function* tarOf(seed: string, contentSize: number): Generator<Uint8Array> {
  const name = `content/${digestOf(Buffer.from(seed)).slice(7, 23)}.bin`;
  yield* tarEntry(name, contentSize, randomBytesOf(seed, contentSize));
  yield Buffer.alloc(1024);
}

export interface LayerFile {
  path: string;
  bytes: Uint8Array;
  executable?: boolean;
}

/** A layer that holds real files, compressed for speed. */
export function fileLayer(mediaType: string, files: LayerFile[]): GeneratedLayer {
  const entries = files.flatMap(({ path, bytes, executable = false }) => [
    ...tarEntry(path, bytes.length, [bytes], executable ? 0o755 : 0o644),
  ]);
  const tar = Buffer.concat([...entries, Buffer.alloc(1024)]);
  return { ...blobOf(mediaType, gzipSync(tar, { level: 1 })), diffId: digestOf(tar) };
}

/** One file of a tar, in blocks of 512 bytes. */
export function* tarEntry(
  path: string,
  size: number,
  content: Iterable<Uint8Array>,
  mode = 0o644,
): Generator<Uint8Array> {
  const header = new Header({ path, mode, uid: 0, gid: 0, size, mtime: new Date(0), type: 'File' });
  const block = Buffer.alloc(512);
  header.encode(block, 0);
  yield block;
  yield* content;
  if (size % 512 !== 0) yield Buffer.alloc(512 - (size % 512));
}

/** RFC 1952 around RFC 1951 "stored" blocks: a valid gzip stream at the speed of a checksum. */
function* storedGzip(content: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  let checksum = 0;
  let length = 0;
  for (const chunk of content) {
    const block = Buffer.alloc(5);
    block.writeUInt16LE(chunk.length, 1);
    block.writeUInt16LE(~chunk.length & 0xffff, 3);
    yield block;
    yield chunk;
    checksum = crc32(chunk, checksum);
    length += chunk.length;
  }
  const end = Buffer.from([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
  end.writeUInt32LE(checksum, 5);
  end.writeUInt32LE(length >>> 0, 9);
  yield end;
}
