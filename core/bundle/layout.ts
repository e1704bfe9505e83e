import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import { hexOf, isDigest } from '../oci/digest.ts';
import { headerLength, tarBlockSize } from './tar-header.ts';

/** Content of `oci-layout` (image-spec v1.1, image-layout.md). */
export const ociLayoutContent: Uint8Array = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/**
 * - layout: `oci-layout` and `index.json`
 * - metadata: a small blob that is needed to understand the bundle; written when the partial bundle is opened
 * - blob: content that streams to its place
 */
export type EntryRole = 'layout' | 'metadata' | 'blob';

/** One file of the tar with its place; all offsets and sizes in bytes. */
export interface PlannedEntry {
  name: string;
  role: EntryRole;
  /** absent for `oci-layout` and `index.json` */
  digest?: Digest;
  mediaType?: string;
  size: number;
  headerOffset: number;
  dataOffset: number;
}

export interface BundleLayout {
  entries: PlannedEntry[];
  /** bytes of the whole tar, its two final zero blocks included */
  size: number;
}

export interface LayoutInput {
  /** the bytes of index.json */
  index: Uint8Array;
  metadata: readonly Descriptor[];
  blobs: readonly Descriptor[];
}

/**
 * Lays a bundle out: `oci-layout`, `index.json`, metadata, then all other blobs, both sorted by digest; each digest
 * once. Pure: the same input in any order gives the same layout.
 *
 * @throws SealiftError ManifestInvalid for a descriptor with a bad digest or size, SizeMismatch when two descriptors of one digest differ in size
 */
export function planLayout(input: LayoutInput): BundleLayout {
  const metadata = uniqueBlobs(input.metadata);
  const blobs = uniqueBlobs([...input.metadata, ...input.blobs]);
  for (const digest of metadata.keys()) blobs.delete(digest);

  const entries: PlannedEntry[] = [];
  let end = 0;
  function place(entry: Pick<PlannedEntry, 'name' | 'role' | 'size' | 'digest' | 'mediaType'>): void {
    const dataOffset = end + headerLength(entry.size);
    entries.push({ ...entry, headerOffset: end, dataOffset });
    end = dataOffset + paddedSize(entry.size);
  }
  place({ name: 'oci-layout', role: 'layout', size: ociLayoutContent.length });
  place({ name: 'index.json', role: 'layout', size: input.index.length });
  for (const { digest, mediaType, size } of byDigest(metadata)) {
    place({ name: blobName(digest), role: 'metadata', digest, mediaType, size });
  }
  for (const { digest, mediaType, size } of byDigest(blobs)) {
    place({ name: blobName(digest), role: 'blob', digest, mediaType, size });
  }
  return { entries, size: end + 2 * tarBlockSize };
}

/** @returns `size` rounded up to whole tar blocks */
export function paddedSize(size: number): number {
  return Math.ceil(size / tarBlockSize) * tarBlockSize;
}

export function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function uniqueBlobs(descriptors: readonly Descriptor[]): Map<Digest, Descriptor> {
  const unique = new Map<Digest, Descriptor>();
  for (const descriptor of descriptors) {
    const { digest, size } = descriptor;
    if (!isDigest(digest)) throw badDescriptor('ManifestInvalid', digest, 'it is not a sha256 digest');
    if (!Number.isSafeInteger(size) || size < 0) throw badDescriptor('ManifestInvalid', digest, `its size is ${size}`);
    const known = unique.get(digest);
    if (known !== undefined && known.size !== size) {
      throw badDescriptor('SizeMismatch', digest, `two manifests give it ${known.size} and ${size} bytes`);
    }
    if (known === undefined) unique.set(digest, descriptor);
  }
  return unique;
}

function byDigest(descriptors: Map<Digest, Descriptor>): Descriptor[] {
  return [...descriptors.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
}

function badDescriptor(type: 'ManifestInvalid' | 'SizeMismatch', subject: string, message: string): SealiftError {
  return new SealiftError(type, {
    side: 'source',
    operation: 'plan bundle',
    subject,
    message,
    remedy: 'the image that names this blob is broken at its origin; leave it out or have it published again',
  });
}
