import { once } from 'node:events';
import { createGzip } from 'node:zlib';
import { Pax } from 'tar';
import { paddedSize } from '../bundle/layout.ts';
import { encodeHeader, tarBlockSize } from '../bundle/tar-header.ts';

/** A file of an archive. */
export interface ArchiveEntry {
  name: string;
  size: number;
  /** Hands its bytes on, `size` of them. */
  copy(write: (bytes: Uint8Array) => Promise<void>): Promise<unknown>;
}

/** What the name field of a ustar header holds. */
const MAX_NAME = 99;
/** Images are compressed already: more work gains nothing. */
const LEVEL = 1;

/**
 * Writes files into a tar (POSIX.1-2017 pax) through gzip (RFC 1952): no times, no owners, so the same files give the same
 * bytes with the same zlib.
 *
 * @throws what `copy` and `sink` throw
 */
export async function writeTarGz(
  entries: readonly ArchiveEntry[],
  sink: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const gzip = createGzip({ level: LEVEL });
  const drained = drain(gzip, sink);
  // It may fail while a copy is still waiting for its own bytes; what it says is awaited below.
  drained.catch(() => undefined);
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (!gzip.write(bytes)) await Promise.race([once(gzip, 'drain'), drained]);
  };
  try {
    for (const entry of entries) await writeEntry(entry, write);
    await write(Buffer.alloc(2 * tarBlockSize));
    gzip.end();
  } catch (error) {
    gzip.destroy();
    await drained.catch(() => undefined);
    throw error;
  }
  await drained;
}

async function drain(gzip: AsyncIterable<unknown>, sink: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  for await (const bytes of gzip) await sink(bytes as Uint8Array);
}

async function writeEntry(
  { name, size, copy }: ArchiveEntry,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  let written = 0;
  await write(headerOf(name, size));
  await copy((bytes) => {
    written += bytes.length;
    return write(bytes);
  });
  if (written !== size) throw new Error(`${name} has ${written} bytes, not the ${size} that its header says`);
  await write(Buffer.alloc(paddedSize(size) - size));
}

function headerOf(name: string, size: number): Uint8Array {
  const header = encodeHeader(name.slice(0, MAX_NAME), size);
  if (name.length <= MAX_NAME) return header;
  return Buffer.concat([new Pax({ path: name, size }).encode(), header.subarray(-tarBlockSize)]);
}
