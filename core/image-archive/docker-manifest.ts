import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { MediaType } from '../../contracts/media-types.ts';
import { maxJsonSize, parseBoundedJson } from '../bundle/bounded-json.ts';
import { canonicalJson } from '../canonical-json.ts';
import { digestOf, isDigest } from '../oci/digest.ts';
import { archiveError, entryMismatch } from './archive-error.ts';
import { gunzipped, isGzip } from './gunzip.ts';
import type { TarEntry, TarIndex } from './tar-index.ts';

/** A manifest with its exact bytes. */
export interface ArchivedManifest {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

/** Hashes a part of a file. @returns its sha256 */
export type HashSpan = (span: { path: string; offset: number; size: number }) => Promise<Digest>;

/** An image config (image-spec v1.1, config.md), which is Docker's too, as far as it is used. */
const configShape = z.looseObject({
  rootfs: z.looseObject({ type: z.literal('layers'), diff_ids: z.array(z.string()).nullish() }),
});

const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const MAGIC_BYTES = 6;
/** What Node.js can't decompress, so nobody could check what is in it. */
const unread: [magic: string, name: string][] = [
  ['28b52ffd', 'zstd'],
  ['fd377a585a00', 'xz'],
  ['425a68', 'bzip2'],
];

/**
 * An OCI manifest (image-spec v1.1, manifest.md) for an image of which the archive has config and layers alone. The same image
 * gives the same bytes.
 * @throws SealiftError InvalidInput naming the entry; DigestMismatch when a layer is not the one that the config names
 */
export async function dockerManifest(
  tar: TarIndex,
  image: { config: string; layers: readonly string[] },
  hash: HashSpan,
): Promise<{ manifest: ArchivedManifest; blobs: Map<Digest, TarEntry> }> {
  const blobs = new Map<Digest, TarEntry>();
  const bytes = await tar.content(image.config, maxJsonSize);
  const config = { mediaType: MediaType.ociConfig, digest: digestOf(bytes), size: bytes.length };
  const [stated] = /[0-9a-f]{64}/.exec(image.config) ?? [];
  if (stated !== undefined && config.digest !== `sha256:${stated}`) {
    throw entryMismatch(tar.shownAs(image.config), `its bytes have the digest ${config.digest}`);
  }
  blobs.set(config.digest, tar.require(image.config));
  const diffIds = diffIdsOf(tar.shownAs(image.config), bytes);
  if (diffIds.length !== image.layers.length) {
    const counts = `the config has ${diffIds.length} layers, manifest.json ${image.layers.length}`;
    throw archiveError(tar.shownAs(image.config), counts);
  }
  const layers: Descriptor[] = [];
  for (const [index, name] of image.layers.entries()) {
    const entry = tar.require(name);
    const layer = await layerOf(tar, entry, diffIds[index]!, hash);
    blobs.set(layer.digest, entry);
    layers.push(layer);
  }
  const manifest = { schemaVersion: 2, mediaType: MediaType.ociManifest, config, layers };
  const written = Buffer.from(canonicalJson(manifest));
  const descriptor = { mediaType: MediaType.ociManifest, digest: digestOf(written), size: written.length };
  return { manifest: { descriptor, bytes: written }, blobs };
}

function diffIdsOf(shownAs: string, bytes: Uint8Array): Digest[] {
  let document: unknown;
  try {
    document = parseBoundedJson(bytes);
  } catch (cause) {
    throw archiveError(shownAs, (cause as Error).message, { cause });
  }
  const { data, error } = configShape.safeParse(document);
  if (data === undefined) throw archiveError(shownAs, `it is no image config: ${z.prettifyError(error)}`);
  const diffIds = data.rootfs.diff_ids ?? [];
  if (!diffIds.every(isDigest)) throw archiveError(shownAs, 'rootfs.diff_ids holds what is no sha256 digest');
  return diffIds;
}

/** `docker save` writes layers as they are, `crane pull` compressed. */
async function layerOf(tar: TarIndex, entry: TarEntry, diffId: Digest, hash: HashSpan): Promise<Descriptor> {
  const { name, offset, size } = entry;
  const shownAs = tar.shownAs(name);
  const span = { path: tar.file.location, offset, size };
  const start = await tar.file.read(offset, Math.min(size, MAGIC_BYTES));
  const found = unread.find(([magic]) => Buffer.from(start).toString('hex').startsWith(magic));
  if (found !== undefined) {
    throw archiveError(shownAs, `the layer is compressed with ${found[1]}, so it can't be checked against the config`, {
      remedy: 'save the image as an OCI archive (`skopeo copy ... oci-archive:FILE:NAME`)',
    });
  }
  const digest = await hash(span);
  const compressed = isGzip(start);
  const plain = compressed ? await plainDigest({ ...span, shownAs }) : digest;
  if (plain !== diffId)
    throw entryMismatch(shownAs, `the config says that this layer has the diff_id ${diffId}, it has ${plain}`);
  return { mediaType: compressed ? `${LAYER}+gzip` : LAYER, digest, size };
}

async function plainDigest(span: Parameters<typeof gunzipped>[0]): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const bytes of gunzipped(span)) hash.update(bytes);
  return `sha256:${hash.digest('hex')}`;
}
