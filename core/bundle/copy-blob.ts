import { createHash } from 'node:crypto';
import type { Digest } from '../../contracts/descriptor.ts';
import { corruptBundle } from './bundle-error.ts';
import { blobName } from './layout.ts';
import type { ReadableBundle } from './reader.ts';

/** Bytes that are in memory at a time. */
const PART = 1024 * 1024;

/**
 * Hands the bytes of a blob on piece by piece and proves their digest at the end: what was made of them must not be
 * used before this returns.
 *
 * @throws SealiftError BundleCorrupt when the blob is absent or altered, and what `write` throws
 */
export async function copyBlob(
  bundle: ReadableBundle,
  digest: Digest,
  write: (bytes: Uint8Array) => Promise<unknown>,
): Promise<void> {
  const span = bundle.locate(digest);
  const at = { path: bundle.path, entry: blobName(digest), offset: span?.offset ?? 0 };
  if (span === undefined) throw corruptBundle(at, 'it is missing, though the bill of materials needs it');
  const hash = createHash('sha256');
  for (let done = 0; done < span.size; done += PART) {
    const bytes = await bundle.readPart(digest, done, PART);
    hash.update(bytes);
    await write(bytes);
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== digest) throw corruptBundle(at, `its bytes were altered: they have digest ${found}`);
}
