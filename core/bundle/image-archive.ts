import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { Annotation, MediaType } from '../../contracts/media-types.ts';
import { canonicalJson } from '../canonical-json.ts';
import { SealiftError } from '../errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { parsePlatform, platformMatches } from '../oci/platform.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { copyBlob } from './copy-blob.ts';
import { blobName, ociLayoutContent, paddedSize } from './layout.ts';
import type { Bundle } from './reader.ts';
import { encodeHeader, headerLength, tarBlockSize } from './tar-header.ts';

export interface ArchivedImage {
  /** what the tar names it */
  reference: string;
  /** digest of its root in the bundle */
  digest: Digest;
  /** `os/arch[/variant]`: only this one of an index */
  platform?: string;
}

/** A file of the tar: bytes that are made here, or a blob. */
type Entry = { name: string; size: number } & ({ bytes: Uint8Array } | { digest: Digest });

/**
 * Writes one image of a bundle as a tar that `ctr images import` and the kubelet's containerd take: an OCI image layout
 * (image-spec v1.1, image-layout.md) whose index names the image as containerd asks for it, and for a single image
 * Docker's manifest.json too. The same image gives the same bytes.
 *
 * @throws SealiftError BundleCorrupt, ManifestMissing when the index has no such platform, InvalidInput for a malformed one
 */
export async function writeImageArchive(
  bundle: Bundle,
  image: ArchivedImage,
  write: (bytes: Uint8Array) => Promise<unknown>,
): Promise<void> {
  for (const entry of await entriesOf(bundle, image)) {
    const { name, size } = entry;
    await write(encodeHeader(name, size));
    if ('bytes' in entry) await write(entry.bytes);
    else await copyBlob(bundle, entry.digest, write);
    await write(Buffer.alloc(paddedSize(size) - size));
  }
  await write(Buffer.alloc(2 * tarBlockSize));
}

/** How many bytes `writeImageArchive` of the same image writes. @throws the same */
export async function imageArchiveSize(bundle: Bundle, image: ArchivedImage): Promise<number> {
  const entries = await entriesOf(bundle, image);
  return entries.reduce((sum, { size }) => sum + headerLength(size) + paddedSize(size), 2 * tarBlockSize);
}

async function entriesOf(bundle: Bundle, image: ArchivedImage): Promise<Entry[]> {
  const root = await rootOf(bundle, image);
  const { manifests, blobs } = await bundle.closure(root);
  const descriptor = manifests.at(-1)!;
  const made = (name: string, bytes: Uint8Array): Entry => ({ name, size: bytes.length, bytes });
  const manifest = parseManifest(await bundle.read(root), descriptor.mediaType);
  const all = new Map([...manifests, ...blobs].map(({ digest, size }) => [digest, size]));
  return [
    made('oci-layout', ociLayoutContent),
    made('index.json', Buffer.from(layoutIndex(descriptor, image.reference))),
    ...(manifest.kind === 'manifest'
      ? [made('manifest.json', Buffer.from(dockerManifest(manifest.blobs, image.reference)))]
      : []),
    ...[...all]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([digest, size]): Entry => ({ name: blobName(digest), size, digest })),
  ];
}

async function rootOf(bundle: Bundle, { reference, digest, platform }: ArchivedImage): Promise<Digest> {
  if (platform === undefined) return digest;
  const wanted = parsePlatform(platform);
  const { kind, children } = parseManifest(await bundle.read(digest));
  if (kind === 'manifest') return digest;
  const found = children.find((child) => child.platform !== undefined && platformMatches(wanted, child.platform));
  if (found !== undefined) return found.digest;
  throw new SealiftError('ManifestMissing', {
    side: 'source',
    operation: 'select platform of',
    subject: reference,
    message: `the bundle does not have it for ${platform}`,
    remedy: `export it with --platform ${platform}, or choose another platform`,
  });
}

function layoutIndex({ mediaType, digest, size }: Descriptor, reference: string): string {
  const manifests = imageNames(reference).map(({ name, tag }) => ({
    ...{ mediaType, digest, size },
    annotations: { [Annotation.containerdName]: name, [Annotation.refName]: tag },
  }));
  return canonicalJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests });
}

/** Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset Format". */
function dockerManifest([config, ...layers]: Descriptor[], reference: string): string {
  const names = imageNames(reference).filter(({ name }) => !name.includes('@'));
  return canonicalJson([
    {
      Config: blobName(config!.digest),
      RepoTags: names.map(({ name }) => name),
      Layers: layers.map(({ digest }) => blobName(digest)),
    },
  ]);
}

/** The names that the container runtime looks for: by tag, and for a reference with a digest by that. */
function imageNames(reference: string): { name: string; tag: string }[] {
  const { host, repository, tag, digest } = parseReference(reference);
  return [
    ...(tag === undefined ? [] : [{ name: formatReference({ host, repository, tag }), tag }]),
    ...(digest === undefined ? [] : [{ name: formatReference({ host, repository, digest }), tag: digest }]),
  ];
}
