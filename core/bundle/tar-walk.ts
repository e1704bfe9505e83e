import type { Digest } from '../../contracts/descriptor.ts';
import { corruptBundle, unsafeBundle, type BundlePosition } from './bundle-error.ts';
import { EntryTable } from './entry-table.ts';
import { paddedSize } from './layout.ts';
import type { RandomAccess } from './random-access.ts';
import { applyPax, decodeHeader, isZeroBlock, tarBlockSize, type TarHeader } from './tar-header.ts';

export interface Span {
  offset: number;
  size: number;
}

/** What the headers of a bundle say; no content has been read. */
export interface BundleContents {
  blobs: EntryTable;
  ociLayout: Span;
  index: Span;
}

/** How much is read at once while hopping from header to header: neighbouring small entries share a read. */
const WINDOW = 64 * 1024;
const MAX_PAX_SIZE = 4096;
/** Zeros that may follow the two final blocks, as tar programs that write in records add them. */
const MAX_TRAILING_ZEROS = 1024 * 1024;
export const maxEntries = 1_000_000;

const compressions: [magic: string, name: string, command: string][] = [
  ['1f8b', 'gzip', 'gzip -d'],
  ['28b52ffd', 'zstd', 'zstd -d'],
  ['fd377a585a00', 'xz', 'xz -d'],
  ['425a68', 'bzip2', 'bzip2 -d'],
];

/**
 * Reads all headers of a bundle and nothing else. Accepted: regular files `oci-layout`, `index.json` and
 * `blobs/sha256/<64 hex digits>` in any order, the folders `blobs/` and `blobs/sha256/`, PAX headers that repeat size and
 * path, and up to 1 MiB of zeros after the two final blocks. Padding must be zero: no byte of a bundle may go unchecked.
 *
 * @throws SealiftError BundleCorrupt or BundleUnsafe naming entry and byte offset, or what reading throws
 */
export async function walkTar(file: RandomAccess, limit = maxEntries): Promise<BundleContents> {
  const window = new ReadWindow(file);
  await refuseCompressed(file, window);
  const contents = new ContentsCollector(file, limit);
  let pax: { bytes: Uint8Array; at: BundlePosition } | undefined;
  let offset = 0;
  for (;;) {
    const at: BundlePosition = { path: file.location, offset };
    const block = await window.read(offset, tarBlockSize, at);
    if (isZeroBlock(block)) {
      if (pax !== undefined) throw corruptBundle(pax.at, 'a PAX header has no entry after it');
      await checkEnd(file, window, offset);
      return contents.finish(offset);
    }
    let header = decodeHeader(block, at);
    const named: BundlePosition = { ...at, entry: header.name };
    const dataOffset = offset + tarBlockSize;
    if (header.type === 'pax') {
      if (pax !== undefined) throw unsafeBundle(named, 'two PAX headers follow each other');
      if (header.size > MAX_PAX_SIZE) throw unsafeBundle(named, `its PAX header has ${header.size} bytes`);
      pax = { bytes: await window.read(dataOffset, header.size, named), at: named };
    } else {
      if (pax !== undefined) header = applyPax(pax.bytes, header, named);
      pax = undefined;
      contents.add(header, named, dataOffset);
    }
    offset = await skipContent(window, named, dataOffset, header.size);
  }
}

async function skipContent(window: ReadWindow, at: BundlePosition, start: number, size: number): Promise<number> {
  const end = start + size;
  const next = start + paddedSize(size);
  if (next > window.size) {
    throw corruptBundle(at, `the file is truncated: the entry goes on to byte ${next}, the file has ${window.size}`);
  }
  if (next > end && !isZeroBlock(await window.read(end, next - end, at))) {
    throw corruptBundle(at, 'the padding after its content is not zero');
  }
  return next;
}

/** Reads small neighbouring pieces out of one larger read. */
class ReadWindow {
  readonly size: number;
  readonly #file: RandomAccess;
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;

  constructor(file: RandomAccess) {
    this.#file = file;
    this.size = file.size;
  }

  async read(offset: number, length: number, at: BundlePosition): Promise<Uint8Array> {
    if (offset + length > this.size) {
      throw corruptBundle(at, `the file is truncated: it has ${this.size} bytes and ends without the two final blocks`);
    }
    if (offset < this.#start || offset + length > this.#start + this.#bytes.length) {
      this.#bytes = await this.#file.read(offset, Math.min(Math.max(length, WINDOW), this.size - offset));
      this.#start = offset;
    }
    return this.#bytes.subarray(offset - this.#start, offset - this.#start + length);
  }
}

/** Takes headers in and refuses what no bundle may hold. */
class ContentsCollector {
  readonly #file: RandomAccess;
  readonly #limit: number;
  readonly #blobs = new EntryTable();
  readonly #named = new Map<string, Span>();
  readonly #folders = new Set<string>();

  constructor(file: RandomAccess, limit: number) {
    this.#file = file;
    this.#limit = limit;
  }

  add(header: TarHeader, at: BundlePosition, offset: number): void {
    const { name, size } = header;
    if (this.#blobs.count + this.#named.size >= this.#limit)
      throw unsafeBundle(at, `there are more than ${this.#limit} entries`);
    if (header.type === 'directory') return this.#addFolder(name, at);
    if (name === 'oci-layout' || name === 'index.json') {
      if (this.#named.has(name)) throw unsafeBundle(at, 'the name is there twice');
      this.#named.set(name, { offset, size });
      return;
    }
    const [, hex] = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name) ?? [];
    if (hex === undefined) throw unsafeBundle(at, nameProblem(name));
    const digest: Digest = `sha256:${hex}`;
    if (!this.#blobs.add({ digest, offset, size })) throw unsafeBundle(at, 'the name is there twice');
  }

  finish(offset: number): BundleContents {
    const ociLayout = this.#named.get('oci-layout');
    const index = this.#named.get('index.json');
    if (ociLayout === undefined || index === undefined) {
      const name = ociLayout === undefined ? 'oci-layout' : 'index.json';
      throw corruptBundle(
        { path: this.#file.location, offset },
        `there is no ${name}: this is not a Sealift bundle`,
        'give the tar that `sealift export artifacts` wrote',
      );
    }
    return { blobs: this.#blobs, ociLayout, index };
  }

  #addFolder(name: string, at: BundlePosition): void {
    if (name !== 'blobs/' && name !== 'blobs/sha256/') throw unsafeBundle(at, 'no bundle has this folder');
    if (this.#folders.has(name)) throw unsafeBundle(at, 'the name is there twice');
    this.#folders.add(name);
  }
}

function nameProblem(name: string): string {
  if (name.startsWith('/')) return 'the name is absolute';
  if (name.split('/').includes('..')) return 'the name leads out of its folder';
  return 'no bundle has a file of this name';
}

async function refuseCompressed(file: RandomAccess, window: ReadWindow): Promise<void> {
  const at = { path: file.location, offset: 0 };
  if (file.size < 8) throw corruptBundle(at, `the file has ${file.size} bytes`);
  const start = Buffer.from(await window.read(0, 8, at)).toString('hex');
  const found = compressions.find(([magic]) => start.startsWith(magic));
  if (found === undefined) return;
  const [, name, command] = found;
  throw corruptBundle(
    at,
    `this file is compressed with ${name}`,
    `decompress it first: ${command} < FILE > bundle.tar`,
  );
}

/** The two zero blocks at the end of every tar, and nothing but a few zeros after them. */
async function checkEnd(file: RandomAccess, window: ReadWindow, offset: number): Promise<void> {
  const at = { path: file.location, offset };
  const second = offset + tarBlockSize;
  if (!isZeroBlock(await window.read(second, tarBlockSize, at)))
    throw corruptBundle(at, 'a block of zeros stands between entries');
  const rest = second + tarBlockSize;
  const trailing = file.size - rest;
  const tooLong = trailing > MAX_TRAILING_ZEROS;
  if (tooLong || !isZeroBlock(await window.read(rest, trailing, { ...at, offset: rest }))) {
    throw corruptBundle({ ...at, offset: rest }, `${trailing} bytes follow the end of the tar`);
  }
}
