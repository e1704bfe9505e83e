import { z } from 'zod';
import type { BillOfMaterials } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { Annotation } from '../../contracts/media-types.ts';
import { digestOf, isDigest } from '../oci/digest.ts';
import { billOfMaterialsLayer, readBillOfMaterials } from './artifacts.ts';
import { maxJsonSize, parseBoundedJson } from './bounded-json.ts';
import { BundleContent } from './bundle-content.ts';
import { corruptBundle } from './bundle-error.ts';
import { readClosure, type Closure } from './closure.ts';
import type { BlobSpan } from './entry-table.ts';
import { billOfMaterialsRefName } from './index-json.ts';
import { openRandomAccess } from './open-random-access.ts';
import type { RandomAccess } from './random-access.ts';
import { walkTar, type Span } from './tar-walk.ts';

/** index.json of a bundle (image-spec v1.1, image-layout.md), as far as Sealift reads it. */
export interface BundleIndex {
  schemaVersion: 2;
  manifests: Descriptor[];
}

/** The content of a bundle by its digests: of its tar, or of the registry that it was imported into. */
export interface ReadableBundle {
  /** path or URL; `host/namespace` of a registry */
  readonly path: string;
  /** digest of index.json; in a registry, of the bill of materials' manifest */
  readonly identity: Digest;
  readonly billOfMaterials: BillOfMaterials;
  /** Where a blob is; in a registry only its size means something, and only once what names it was read. */
  locate(digest: Digest): Span | undefined;
  /**
   * The verified bytes of a small blob.
   *
   * @param max bytes that it may have at most; 4 MiB unless given
   * @throws SealiftError BundleCorrupt naming entry and offset when it is absent, larger than `max`, or altered
   */
  read(digest: Digest, max?: number): Promise<Uint8Array>;
  /**
   * Up to `length` bytes of a blob from `start`, unverified: for the head of a large file, whose digest is proven when it is
   * copied.
   *
   * @throws SealiftError BundleCorrupt when the blob is absent
   */
  readPart(digest: Digest, start: number, length: number): Promise<Uint8Array>;
  /**
   * Everything that the manifest or index `root` needs, each digest once: manifests with children before parents, `root`
   * last, and the blobs they name. All of it is in the bundle with the size that is stated.
   *
   * @throws SealiftError BundleCorrupt naming what is absent or of another size, ManifestInvalid
   */
  closure(root: Digest): Promise<Closure>;
  close(): Promise<void>;
}

/** A finished bundle, read in place. */
export interface Bundle extends ReadableBundle {
  /** bytes of the tar */
  readonly size: number;
  readonly index: BundleIndex;
  /** Every blob in the order of the file. */
  allBlobs(): Iterable<BlobSpan>;
}

/**
 * Opens a bundle by path or http(s) URL: walks its headers, reads index.json and the bill of materials, extracts nothing.
 *
 * @throws SealiftError BundleCorrupt, BundleUnsafe, FileMissing, and for URLs the errors of {@link openRandomAccess}
 */
export async function openBundle(location: string): Promise<Bundle> {
  const file = await openRandomAccess(location);
  try {
    const contents = await walkTar(file);
    await readJson(file, 'oci-layout', contents.ociLayout, ociLayoutShape);
    const { value: index, bytes } = await readJson(file, 'index.json', contents.index, indexShape);
    const content = new BundleContent(file, contents);
    index.manifests.forEach((descriptor) => content.require(descriptor, 'index.json'));
    return {
      path: file.location,
      size: file.size,
      identity: digestOf(bytes),
      index,
      billOfMaterials: await readBill(content, index),
      locate: (digest) => contents.blobs.get(digest),
      read: (digest, max) => content.read(digest, max),
      readPart: (digest, start, length) => content.readPart(digest, start, length),
      closure: (root) => readClosure(content, root),
      allBlobs: () => contents.blobs.spans(),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

const ociLayoutShape = z.object({ imageLayoutVersion: z.literal('1.0.0') });

const indexShape: z.ZodType<BundleIndex> = z.object({
  schemaVersion: z.literal(2),
  manifests: z.array(
    z.object({
      mediaType: z.string(),
      digest: z.custom<Digest>(isDigest, 'not a sha256 digest'),
      size: z.number().int().nonnegative(),
      annotations: z.record(z.string(), z.string()).exactOptional(),
      artifactType: z.string().exactOptional(),
      platform: z
        .object({
          os: z.string(),
          architecture: z.string(),
          variant: z.string().exactOptional(),
          'os.version': z.string().exactOptional(),
        })
        .exactOptional(),
    }),
  ),
});

async function readJson<T>(
  file: RandomAccess,
  entry: string,
  { offset, size }: Span,
  shape: z.ZodType<T>,
): Promise<{ value: T; bytes: Uint8Array }> {
  const at = { path: file.location, entry, offset };
  if (size > maxJsonSize) throw corruptBundle(at, `it has ${size} bytes, more than the ${maxJsonSize} allowed`);
  const bytes = await file.read(offset, size);
  let parsed: unknown;
  try {
    parsed = parseBoundedJson(bytes);
  } catch (error) {
    throw corruptBundle(at, (error as Error).message);
  }
  const result = shape.safeParse(parsed);
  if (result.success) return { value: result.data, bytes };
  const [issue] = result.error.issues;
  throw corruptBundle(at, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as expected'}`);
}

async function readBill(content: BundleContent, index: BundleIndex): Promise<BillOfMaterials> {
  const named = index.manifests.filter(
    ({ annotations }) => annotations?.[Annotation.refName] === billOfMaterialsRefName,
  );
  const [descriptor] = named;
  if (descriptor === undefined || named.length > 1) {
    throw corruptBundle(
      { path: content.path, entry: 'index.json', offset: content.indexOffset },
      `it names ${named.length} bills of materials: this is an OCI image layout, but not a Sealift bundle`,
      'give the tar that `sealift export artifacts` wrote',
    );
  }
  const manifest = await content.read(descriptor.digest);
  const layer = billOfMaterialsLayer(manifest);
  content.require(layer, descriptor.digest);
  return readBillOfMaterials(manifest, await content.read(layer.digest));
}
