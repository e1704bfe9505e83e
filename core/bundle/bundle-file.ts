import { writeSync } from 'node:fs';
import { open, statfs, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import { errorCode } from '../host/atomic-file.ts';
import { digestOf } from '../oci/digest.ts';
import { ociLayoutContent, type BundleLayout, type PlannedEntry } from './layout.ts';
import { encodeHeader } from './tar-header.ts';

/** Free room asked for beyond the bytes still to be allocated, as a share of them. */
const MARGIN = 0.05;

/**
 * Opens the file of a partial bundle at its full size, after checking that its disk has room for what is not allocated
 * yet plus 5 %. All bytes are zero unless `keep`.
 *
 * @throws SealiftError DiskFull naming needed and free bytes; the file system's own errors otherwise
 */
export async function allocateBundle(path: string, size: number, keep: boolean): Promise<FileHandle> {
  const file = await open(path, keep ? 'r+' : 'w+', 0o644);
  try {
    const { blocks } = await file.stat();
    // st_blocks counts 512-byte units, whatever the file system's block size (stat(2))
    const missing = Math.max(0, size - blocks * 512);
    const { bavail, bsize } = await statfs(dirname(path));
    if (missing * (1 + MARGIN) > bavail * bsize) throw diskFull(path, missing, bavail * bsize);
    await file.truncate(size);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function diskFull(path: string, missing: number, free: number): SealiftError {
  const needed = Math.ceil(missing * (1 + MARGIN));
  return new SealiftError('DiskFull', {
    side: 'local',
    operation: 'allocate bundle',
    subject: path,
    message: `${needed} bytes are needed (${missing} and a margin of 5 %), ${free} are free`,
    remedy: `free ${needed - free} bytes in ${dirname(path)}, or choose an output on another disk`,
  });
}

export interface PlannedContent {
  layout: BundleLayout;
  index: Uint8Array;
  metadata(digest: Digest): Promise<Uint8Array>;
}

/**
 * Writes every header, `oci-layout`, `index.json` and all metadata to their places. Doing it again changes nothing.
 *
 * @throws SealiftError InternalError when content is not what the layout was planned with
 */
export async function writeMetadata(file: FileHandle, content: PlannedContent): Promise<void> {
  for (const entry of content.layout.entries) {
    writeFully(file.fd, encodeHeader(entry.name, entry.size), entry.headerOffset);
    if (entry.role !== 'blob') writeFully(file.fd, await contentOf(entry, content), entry.dataOffset);
  }
}

/**
 * Whether a file is a finished bundle with this layout: the same size and this index.json at its place. Also for a caller
 * that was killed after sealing, before it could say so.
 */
export async function isSealed(path: string, layout: BundleLayout, index: Uint8Array): Promise<boolean> {
  const place = layout.entries.find(({ name }) => name === 'index.json');
  if (place?.size !== index.length) return false;
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  try {
    if ((await file.stat()).size !== layout.size) return false;
    const { buffer } = await file.read(Buffer.alloc(index.length), 0, index.length, place.dataOffset);
    return buffer.equals(index);
  } finally {
    await file.close();
  }
}

async function contentOf(entry: PlannedEntry, { index, metadata }: PlannedContent): Promise<Uint8Array> {
  if (entry.name === 'oci-layout') return ociLayoutContent;
  const bytes = entry.digest === undefined ? index : await metadata(entry.digest);
  if (bytes.length === entry.size && (entry.digest === undefined || digestOf(bytes) === entry.digest)) return bytes;
  throw new SealiftError('InternalError', {
    side: 'local',
    operation: 'write bundle',
    subject: entry.name,
    message: 'the content is not what the bundle was planned with',
    remedy: 'start the export again; if it comes back, report it',
  });
}

function writeFully(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(file, bytes, done, bytes.length - done, position + done);
  }
}
