import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import yauzl from 'yauzl';
import type { ReadPart } from './debian-control.ts';
import { readTarEntry } from './tar-entries.ts';

/** Metadata with the longest descriptions there are have some hundred kilobytes. */
const MAX_METADATA = 4 * 1024 * 1024;
/** Some build tools put an sdist's metadata last: this far an archive is unpacked to find it. */
const MAX_UNPACKED = 256 * 1024 * 1024;
const PIECE = 256 * 1024;

/** Version specifiers (PEP 440) are made of these. */
const SPECIFIERS = /^[0-9A-Za-z.,*+!<>=~ -]{1,200}$/;

/**
 * What a wheel's METADATA or an sdist's PKG-INFO says of the Pythons it is for (core metadata, "Requires-Python"), e.g.
 * `>=3.9`. No more of the archive is unpacked than it takes.
 *
 * @param file its name, and its size in bytes
 * @returns undefined when it says nothing, and for archives by bzip2, which nothing here reads
 * @throws Error saying what is wrong with the archive, as the end of a sentence about it
 */
export async function readRequiresPython(
  file: { name: string; size: number },
  read: ReadPart,
): Promise<string | undefined> {
  const metadata = await readMetadata(file, read);
  if (metadata === undefined) return undefined;
  const [headers = ''] = new TextDecoder().decode(metadata).split(/\r?\n\r?\n/, 1);
  const value = /^Requires-Python:(.*)$/im.exec(headers)?.[1]?.trim() ?? '';
  // what old setuptools wrote for a field that nobody had filled in
  if (value === '' || value === 'UNKNOWN') return undefined;
  if (!SPECIFIERS.test(value)) throw new Error(`its metadata has ${JSON.stringify(value.slice(0, 80))}`);
  return value;
}

async function readMetadata(
  { name, size }: { name: string; size: number },
  read: ReadPart,
): Promise<Uint8Array | undefined> {
  const isWheel = name.endsWith('.whl');
  const wanted = isWheel ? /^[^/]+\.dist-info\/METADATA$/ : /^(?:\.\/)?[^/]+\/PKG-INFO$/;
  if (/\.(?:tar\.gz|tgz)$/.test(name)) {
    return readTarEntry(gunzipped(size, read), (path) => wanted.test(path), MAX_METADATA);
  }
  if (!isWheel && !name.endsWith('.zip')) return undefined;
  const metadata = await readZipEntry(size, read, (path) => wanted.test(path));
  if (isWheel && metadata === undefined) throw new Error('it is a wheel without METADATA');
  return metadata;
}

async function* gunzipped(size: number, read: ReadPart): AsyncGenerator<Uint8Array> {
  const packed = Readable.from(pieces(read, 0, size));
  const unpacked = createGunzip();
  packed.on('error', (error) => unpacked.destroy(error));
  packed.pipe(unpacked);
  let made = 0;
  try {
    for await (const piece of unpacked as AsyncIterable<Buffer>) {
      made += piece.length;
      if (made > MAX_UNPACKED) throw new Error(`its metadata is not within its first ${MAX_UNPACKED} bytes`);
      yield piece;
    }
  } finally {
    packed.destroy();
  }
}

async function* pieces(read: ReadPart, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += PIECE) yield read(at, Math.min(PIECE, end - at));
}

/** The first entry of a zip (APPNOTE 6.3) whose path a filter picks, at most {@link MAX_METADATA} long. */
async function readZipEntry(
  size: number,
  read: ReadPart,
  wanted: (path: string) => boolean,
): Promise<Uint8Array | undefined> {
  const zip = await yauzl.fromRandomAccessReaderPromise(new PartReader(read), size);
  for await (const entry of zip.eachEntry()) {
    const { fileName, uncompressedSize } = entry;
    if (!wanted(fileName)) continue;
    if (uncompressedSize > MAX_METADATA) throw new Error(`${fileName} in it has more than ${MAX_METADATA} bytes`);
    const stream = await zip.openReadStreamPromise(entry);
    return Buffer.concat((await stream.toArray()) as Buffer[]);
  }
  return undefined;
}

/** A zip that lies in parts. */
class PartReader extends yauzl.RandomAccessReader {
  readonly #read: ReadPart;

  constructor(read: ReadPart) {
    super();
    this.#read = read;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(pieces(this.#read, start, end), { objectMode: false });
  }

  /** Without a stream each time: there are three for every entry of a wheel's directory. */
  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#read(position, length).then((bytes) => {
      buffer.set(bytes, offset);
      callback(bytes.length < length ? new Error('it ends too early') : null);
    }, callback);
  }
}
