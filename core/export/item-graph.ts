import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import { filterIndex, parseManifest } from '../oci/manifest.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';
import type { BlobFrom, ResolvedItem } from './plan-types.ts';

/** Where what lies below a root can be had. */
interface GraphOrigin {
  manifest(digest: Digest): Promise<{ descriptor: Descriptor; bytes: Uint8Array }>;
  blob(blob: Pick<Descriptor, 'digest' | 'size'>): BlobFrom;
}

/** The manifests and blobs below one root, each once. */
export class ItemGraph {
  readonly manifests: Descriptor[] = [];
  readonly blobs: ResolvedItem['blobs'] = [];
  readonly #seen = new Set<Digest>();
  readonly #folder: WorkFolder;
  readonly #reference: Reference;
  readonly #origin: GraphOrigin;

  constructor(folder: WorkFolder, reference: Reference, origin: GraphOrigin) {
    this.#folder = folder;
    this.#reference = reference;
    this.#origin = origin;
  }

  async addRoot(origin: { descriptor: Descriptor; bytes: Uint8Array }, platforms: string[]): Promise<Descriptor> {
    const { kind, artifactType } = parseManifest(origin.bytes, origin.descriptor.mediaType);
    const type = artifactType === undefined ? {} : { artifactType };
    const filtered = kind === 'index' && platforms.length > 0 ? filterIndex(origin.bytes, platforms) : undefined;
    if (filtered?.kept.length === 0) throw this.#noPlatform(platforms);
    const bytes = filtered?.bytes ?? origin.bytes;
    const root: Descriptor = {
      mediaType: origin.descriptor.mediaType,
      digest: filtered?.digest ?? origin.descriptor.digest,
      size: bytes.length,
      ...type,
    };
    await this.add(root, bytes);
    return root;
  }

  async add(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    if (this.#seen.has(descriptor.digest)) return;
    this.#seen.add(descriptor.digest);
    const parsed = parseManifest(bytes, descriptor.mediaType);
    await this.#folder.writeBlob(bytes);
    this.manifests.push({ mediaType: descriptor.mediaType, digest: descriptor.digest, size: bytes.length });
    for (const { mediaType, digest, size } of parsed.blobs) {
      if (this.#seen.has(digest)) continue;
      this.#seen.add(digest);
      this.blobs.push({ mediaType, digest, size, from: [this.#origin.blob({ digest, size })] });
    }
    for (const child of parsed.children) {
      if (this.#seen.has(child.digest)) continue;
      const fetched = await this.#origin.manifest(child.digest);
      await this.add({ ...child, mediaType: fetched.descriptor.mediaType }, fetched.bytes);
    }
  }

  #noPlatform(platforms: string[]): SealiftError {
    return new SealiftError('ManifestMissing', {
      side: 'source',
      operation: 'select platforms of',
      subject: formatReference(this.#reference),
      message: `it has none of ${platforms.join(', ')}`,
      remedy: 'change --platform, or skip this image',
    });
  }
}
