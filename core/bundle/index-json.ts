import { Annotation, MediaType } from '../../contracts/media-types.ts';
import type { Descriptor } from '../../contracts/descriptor.ts';
import { canonicalJson } from '../canonical-json.ts';
import { SealiftError } from '../errors.ts';
import { maxJsonSize } from './bounded-json.ts';

/** Reference name of the bill of materials in index.json. */
export const billOfMaterialsRefName = 'sealift/bill-of-materials';

export interface IndexItem {
  descriptor: Descriptor;
  /** the full original reference or URL */
  refName: string;
  /** images: the name `ctr images import` gives it; the same reference */
  imageName?: string;
}

/**
 * The bytes of index.json (image-spec v1.1, image-layout.md): every item under its reference, sorted by reference, then the
 * attached manifests (signatures, SBOMs) by digest, without one. Annotations of the given descriptors are left out: a
 * reference name among them would make the manifest selectable by a second name.
 *
 * @throws SealiftError InvalidInput when one reference stands for two digests, or when the index outgrows what readers take (4 MiB)
 */
export function buildIndex(
  items: readonly IndexItem[],
  attached: readonly Descriptor[],
  billOfMaterials: Descriptor,
): Uint8Array {
  const named = new Map<string, IndexItem>();
  for (const item of [...items, { descriptor: billOfMaterials, refName: billOfMaterialsRefName }]) {
    const known = named.get(item.refName);
    if (known !== undefined && known.descriptor.digest !== item.descriptor.digest) {
      throw invalid(item.refName, `it stands for ${known.descriptor.digest} and ${item.descriptor.digest}`);
    }
    named.set(item.refName, { ...known, ...item });
  }
  const listed = new Set([...named.values()].map(({ descriptor }) => descriptor.digest));
  const unnamed = new Map(attached.map((descriptor) => [descriptor.digest, descriptor]));
  const manifests = [
    ...sortedBy(named).map(({ descriptor, refName, imageName }) => ({
      ...plainDescriptor(descriptor),
      annotations: {
        [Annotation.refName]: refName,
        ...(imageName === undefined ? {} : { [Annotation.containerdName]: imageName }),
      },
    })),
    ...sortedBy(unnamed)
      .filter(({ digest }) => !listed.has(digest))
      .map(plainDescriptor),
  ];
  const bytes = Buffer.from(canonicalJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }));
  if (bytes.length > maxJsonSize) {
    throw invalid('index.json', `${manifests.length} manifests need ${bytes.length} bytes of at most ${maxJsonSize}`);
  }
  return bytes;
}

function plainDescriptor({ mediaType, digest, size, artifactType, platform }: Descriptor): Descriptor {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function sortedBy<T>(byKey: Map<string, T>): T[] {
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

function invalid(subject: string, message: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'write index',
    subject,
    message,
    remedy: 'export fewer things into one bundle, or name each reference once',
  });
}
