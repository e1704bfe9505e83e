import type { Descriptor, Digest, Platform } from '../../contracts/descriptor.ts';
import { MediaType } from '../../contracts/media-types.ts';
import { canonicalJson } from '../canonical-json.ts';
import { digestOf } from './digest.ts';
import { manifestMediaTypes, ManifestReader } from './manifest-reader.ts';
import { parsePlatform, platformMatches } from './platform.ts';

export interface ParsedManifest {
  mediaType: string;
  kind: 'index' | 'manifest';
  /** the manifests of an index, in its order, each digest once */
  children: Descriptor[];
  /** config and layers (foreign ones too), in order, each digest once */
  blobs: Descriptor[];
  subject?: Descriptor;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/**
 * Reads an OCI or Docker schema 2 manifest or index (image-spec v1.1, manifest.md and image-index.md) and checks all that
 * a copy relies on. `mediaType` is what the registry or the parent said; layers and configs of unknown types are fine.
 * @throws SealiftError ManifestInvalid naming the document's digest and the field
 */
export function parseManifest(bytes: Uint8Array, mediaType?: string): ParsedManifest {
  const reader = new ManifestReader(bytes);
  const document = reader.document();
  const type = reader.mediaType(document, mediaType);
  const annotations = reader.annotations(document['annotations'], 'annotations');
  const artifactType = reader.text(document['artifactType'], 'artifactType');
  const subject = document['subject'] == null ? undefined : reader.descriptor(document['subject'], 'subject');
  const shape = reader.shape(document, type);
  const descriptors = reader.unique(
    shape === 'index'
      ? reader.list(document['manifests'], 'manifests')
      : shape === 'artifact'
        ? reader.list(document['blobs'], 'blobs')
        : [reader.descriptor(document['config'], 'config'), ...reader.list(document['layers'], 'layers')],
  );
  return {
    mediaType: type,
    kind: shape === 'index' ? 'index' : 'manifest',
    children: shape === 'index' ? descriptors : [],
    blobs: shape === 'index' ? [] : descriptors,
    ...(subject === undefined ? {} : { subject }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/**
 * The media type of a manifest: the Content-Type header's when it is one of the four known, else what the document says
 * of itself, else what it looks like (servers of static files answer application/octet-stream).
 */
export function manifestMediaType(bytes: Uint8Array, contentType: string | undefined): string {
  const named = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (manifestMediaTypes.includes(named)) return named;
  const document = new ManifestReader(bytes).document();
  const own = document['mediaType'];
  if (typeof own === 'string' && own !== '') return own;
  if (named.endsWith('+json') || named.endsWith('+prettyjws')) return named;
  return Array.isArray(document['manifests']) ? MediaType.ociIndex : MediaType.ociManifest;
}

export interface FilteredIndex {
  bytes: Uint8Array;
  digest: Digest;
  kept: Descriptor[];
}

/** Set by BuildKit on attestation manifests: the digest of the platform's manifest that they speak of. */
const REFERENCE_DIGEST = 'vnd.docker.reference.digest';

/**
 * The index with only the wanted platforms (`os/arch[/variant]`), as canonical JSON of the same media type. Attestations
 * of what is kept are kept, and so is what states no platform.
 * @returns undefined when the index loses nothing, so that its own bytes and digest stay; no `kept` when no platform fits
 * @throws SealiftError InvalidInput for a malformed platform, ManifestInvalid for a malformed index
 */
export function filterIndex(bytes: Uint8Array, platforms: string[]): FilteredIndex | undefined {
  const wanted = platforms.map(parsePlatform);
  const reader = new ManifestReader(bytes);
  const document = reader.document();
  // Not the deduplicated list: one manifest may be listed for several platforms.
  const entries = reader.list(document['manifests'], 'manifests');
  const keep = selectEntries(entries, wanted);
  if (keep.every(Boolean)) return undefined;
  const kept = reader.unique(entries.filter((_entry, index) => keep[index]));
  const manifests = (document['manifests'] as unknown[]).filter((_entry, index) => keep[index]);
  const filtered = new TextEncoder().encode(canonicalJson({ ...document, manifests }));
  return { bytes: filtered, digest: digestOf(filtered), kept };
}

function selectEntries(entries: Descriptor[], wanted: Platform[]): boolean[] {
  if (wanted.length === 0) return entries.map(() => true);
  const forPlatforms = entries.filter((entry) => entry.platform !== undefined && !isAttestation(entry));
  const matching = forPlatforms.filter((entry) =>
    wanted.some((platform) => platformMatches(platform, entry.platform!)),
  );
  if (forPlatforms.length > 0 && matching.length === 0) return entries.map(() => false);
  const digests = new Set<string | undefined>(matching.map((entry) => entry.digest));
  return entries.map((entry) => {
    if (isAttestation(entry)) return digests.has(entry.annotations?.[REFERENCE_DIGEST]);
    return entry.platform === undefined || matching.includes(entry);
  });
}

function isAttestation(child: Descriptor): boolean {
  return child.platform?.os === 'unknown' && child.platform.architecture === 'unknown';
}
