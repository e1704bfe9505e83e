import { copyBlob } from '../bundle/copy-blob.ts';
import type { ReadableBundle } from '../bundle/reader.ts';
import { SealiftError } from '../errors.ts';
import { wrappedBlob } from './write-tree.ts';

/** As `read` of a SourceContext. */
const MAX_DOCUMENT = 32 * 1024 * 1024;

/**
 * The bytes of a file or document of a bundle, by its reference in the bill of materials.
 *
 * @returns undefined when the bundle has no such file
 * @throws SealiftError BundleCorrupt, InvalidInput when it is too large to be a document
 */
export async function readFromBundle(
  bundle: ReadableBundle | undefined,
  reference: string,
): Promise<Uint8Array | undefined> {
  const item = bundle?.billOfMaterials.items.find((one) => one.reference === reference);
  if (bundle === undefined || item === undefined || item.kind === 'image' || item.kind === 'chart') return undefined;
  const digest = await wrappedBlob(bundle, item);
  const size = bundle.locate(digest)?.size ?? 0;
  if (size > MAX_DOCUMENT) {
    throw new SealiftError('InvalidInput', {
      side: 'source',
      operation: 'read',
      subject: reference,
      message: `it has ${size} bytes, more than the ${MAX_DOCUMENT} of a document`,
      remedy: 'give a bundle that was exported from the right inputs',
    });
  }
  const parts: Uint8Array[] = [];
  await copyBlob(bundle, digest, (bytes) => Promise.resolve(parts.push(bytes)));
  return new Uint8Array(Buffer.concat(parts));
}
