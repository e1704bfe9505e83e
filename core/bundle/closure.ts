import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { parseManifest } from '../oci/manifest.ts';
import { checkJsonBounds } from './bounded-json.ts';
import type { BundleContent } from './bundle-content.ts';
import { corruptBundle, type BundlePosition } from './bundle-error.ts';
import { blobName } from './layout.ts';

/** All that one manifest or index needs, each digest once. */
export interface Closure {
  /** children before parents; the root is the last one */
  manifests: Descriptor[];
  blobs: Descriptor[];
}

/** Indexes in indexes, the root included. Real images have one or two. */
const MAX_INDEX_DEPTH = 3;

/**
 * Walks down from a root manifest. Every manifest is verified, every blob is there with the stated size. An index can't
 * contain itself: it would have to contain its own digest.
 *
 * @throws SealiftError BundleCorrupt naming what is absent, altered, of another size or too deep; ManifestInvalid
 */
export async function readClosure(content: BundleContent, root: Digest): Promise<Closure> {
  const walk = new ClosureWalk(content);
  const { size } = content.find(root, 'the bill of materials');
  await walk.visit({ mediaType: '', digest: root, size }, []);
  return { manifests: [...walk.manifests.values()], blobs: [...walk.blobs.values()] };
}

class ClosureWalk {
  readonly manifests = new Map<Digest, Descriptor>();
  readonly blobs = new Map<Digest, Descriptor>();
  readonly #content: BundleContent;

  constructor(content: BundleContent) {
    this.#content = content;
  }

  /** @param parents the indexes on the way down, outermost first */
  async visit(descriptor: Descriptor, parents: Digest[]): Promise<void> {
    const { digest } = descriptor;
    const { offset } = this.#content.require(descriptor, parents.at(-1) ?? 'the bill of materials');
    const at: BundlePosition = { path: this.#content.path, entry: blobName(digest), offset };
    if (this.manifests.has(digest)) return;
    const manifest = parseManifest(await this.#readJson(digest, at), descriptor.mediaType || undefined);
    if (manifest.kind === 'index' && parents.length >= MAX_INDEX_DEPTH) {
      throw corruptBundle(at, `indexes are nested more than ${MAX_INDEX_DEPTH} deep`);
    }
    for (const child of manifest.children) await this.visit(child, [...parents, digest]);
    for (const blob of manifest.blobs) {
      this.#content.require(blob, digest);
      if (!this.blobs.has(blob.digest)) this.blobs.set(blob.digest, blob);
    }
    this.manifests.set(digest, { ...descriptor, mediaType: manifest.mediaType });
  }

  async #readJson(digest: Digest, at: BundlePosition): Promise<Uint8Array> {
    const bytes = await this.#content.read(digest);
    try {
      checkJsonBounds(bytes);
    } catch (error) {
      throw corruptBundle(at, (error as Error).message);
    }
    return bytes;
  }
}
