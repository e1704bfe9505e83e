import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { manifestMediaTypes } from '../oci/manifest-reader.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { Inputs } from './inputs.ts';

/** Referrers by the digest of their subject (distribution-spec v1.1, "Listing Referrers"). */
export type Referrers = ReadonlyMap<Digest, Descriptor[]>;

/**
 * Reads these manifests and finds those that speak of another.
 *
 * @throws SealiftError BundleCorrupt, ManifestInvalid
 */
export async function referrersOf(inputs: Inputs, manifests: Iterable<Digest>): Promise<Referrers> {
  const bySubject = new Map<Digest, Descriptor[]>();
  for (const digest of manifests) {
    const found = inputs.find(digest);
    if (found === undefined) continue;
    const bytes = await found.bundle.read(digest);
    const { mediaType, subject, artifactType, annotations } = parseManifest(bytes);
    if (subject === undefined) continue;
    const type = artifactType ?? configTypeOf(bytes);
    const descriptor: Descriptor = {
      mediaType,
      digest,
      size: bytes.length,
      ...(type === undefined ? {} : { artifactType: type }),
      ...(annotations === undefined ? {} : { annotations }),
    };
    bySubject.set(subject.digest, [...(bySubject.get(subject.digest) ?? []), descriptor]);
  }
  return bySubject;
}

/** The media type that stands in for a missing artifactType: that of the config. */
function configTypeOf(bytes: Uint8Array): string | undefined {
  const { config } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { config?: { mediaType?: unknown } };
  const type = config?.mediaType;
  return typeof type === 'string' && !manifestMediaTypes.includes(type) ? type : undefined;
}
