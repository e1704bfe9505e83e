import { z } from 'zod';
import type { BillOfMaterials } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { Annotation, MediaType } from '../../contracts/media-types.ts';
import { canonicalJson } from '../canonical-json.ts';
import { SealiftError } from '../errors.ts';
import { digestOf, isDigest } from '../oci/digest.ts';
import { maxJsonSize, parseBoundedJson } from './bounded-json.ts';

/** A descriptor with the bytes it describes. */
export interface Content {
  descriptor: Descriptor;
  bytes: Uint8Array;
}

export interface FileArtifactInput {
  /** file name, kept in `org.opencontainers.image.title` */
  title: string;
  mediaType: string;
  digest: Digest;
  size: number;
  /** of the manifest */
  annotations?: Record<string, string>;
}

export interface FileArtifact {
  /** the artifact's manifest; its descriptor carries the artifactType */
  manifest: Content;
  /** the empty config `{}` */
  config: Content;
}

const emptyConfig: Content = describeContent(MediaType.ociEmpty, Buffer.from('{}'));

/**
 * The OCI artifact that wraps one file, as `oras push` makes it: artifactType, empty config, the file as the only layer
 * (image-spec v1.1, manifest.md "Guidelines for Artifact Usage"). The bytes depend on the input alone: no creation time.
 */
export function fileArtifact(input: FileArtifactInput): FileArtifact {
  return artifact(MediaType.file, input);
}

/**
 * The artifact that holds the bill of materials.
 *
 * @throws SealiftError InvalidInput when it is larger than readers take (4 MiB)
 */
export function billOfMaterialsArtifact(bill: BillOfMaterials): FileArtifact & { layer: Content } {
  const layer = describeContent(MediaType.billOfMaterials, Buffer.from(canonicalJson(bill)));
  if (layer.bytes.length > maxJsonSize) {
    throw new SealiftError('InvalidInput', {
      side: 'source',
      operation: 'write bill of materials',
      subject: `${bill.items.length} items`,
      message: `they need ${layer.bytes.length} bytes of at most ${maxJsonSize}`,
      remedy: 'export fewer things into one bundle',
    });
  }
  return {
    ...artifact(MediaType.billOfMaterials, { ...layer.descriptor, title: 'bill-of-materials.json' }),
    layer,
  };
}

/**
 * The layer that a bill of materials' manifest names.
 *
 * @throws SealiftError BundleCorrupt when it is not the manifest of a bill of materials
 */
export function billOfMaterialsLayer(manifestBytes: Uint8Array): Descriptor {
  const { layers } = validated(billManifestShape, manifestBytes, 'manifest of the bill of materials');
  return layers[0];
}

/**
 * Reads a bill of materials from the bytes of its manifest and its layer.
 *
 * @throws SealiftError BundleCorrupt when they do not belong together or are not what Sealift writes
 */
export function readBillOfMaterials(manifestBytes: Uint8Array, layerBytes: Uint8Array): BillOfMaterials {
  const layer = billOfMaterialsLayer(manifestBytes);
  if (layer.size !== layerBytes.length || layer.digest !== digestOf(layerBytes)) {
    throw corruptBill('bill of materials', `its bytes are not those of ${layer.digest}, which its manifest names`);
  }
  return validated(billShape, layerBytes, 'bill of materials');
}

function artifact(
  artifactType: string,
  { title, mediaType, digest, size, annotations }: FileArtifactInput,
): FileArtifact {
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    artifactType,
    config: emptyConfig.descriptor,
    layers: [{ mediaType, digest, size, annotations: { [Annotation.title]: title } }],
    ...(annotations === undefined ? {} : { annotations }),
  };
  const content = describeContent(MediaType.ociManifest, Buffer.from(canonicalJson(manifest)));
  return {
    manifest: { ...content, descriptor: { ...content.descriptor, artifactType } },
    config: emptyConfig,
  };
}

function describeContent(mediaType: string, bytes: Uint8Array): Content {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

const digestShape = z.custom<Digest>(isDigest, 'not a sha256 digest');
const sizeShape = z.number().int().nonnegative();
const stringsShape = z.array(z.string());

const billManifestShape = z.object({
  artifactType: z.literal(MediaType.billOfMaterials),
  layers: z.tuple([
    z.object({ mediaType: z.literal(MediaType.billOfMaterials), digest: digestShape, size: sizeShape }),
  ]),
});

const billItemShape = z.object({
  kind: z.enum(['image', 'chart', 'manifest', 'file', 'document', 'bill-of-materials']),
  name: z.string(),
  reference: z.string(),
  digest: digestShape,
  originDigest: digestShape.exactOptional(),
  destination: z.string(),
  origin: z.string(),
  size: sizeShape,
  source: z.string(),
  platforms: stringsShape.exactOptional(),
  checksums: z.object({ sha256: z.string().exactOptional(), sha512: z.string().exactOptional() }).exactOptional(),
  package: z.enum(['snap', 'charm', 'deb', 'python', 'helm']).exactOptional(),
  attached: z.array(z.object({ digest: digestShape, tag: z.string().exactOptional() })).exactOptional(),
});

const billShape = z.object({
  schemaVersion: z.literal(1),
  sources: z.array(z.object({ name: z.string(), selection: z.record(z.string(), stringsShape) })),
  platforms: stringsShape,
  items: z.array(billItemShape),
  skipped: z.array(z.object({ reference: z.string(), reason: z.string() })),
});

function validated<T>(shape: z.ZodType<T>, bytes: Uint8Array, subject: string): T {
  let value: unknown;
  try {
    value = parseBoundedJson(bytes);
  } catch (error) {
    throw corruptBill(subject, (error as Error).message);
  }
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw corruptBill(subject, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as expected'}`);
}

function corruptBill(subject: string, message: string): SealiftError {
  return new SealiftError('BundleCorrupt', {
    side: 'source',
    operation: 'read bundle',
    subject,
    message,
    remedy: 'export the bundle again; when it was written by a newer Sealift, read it with that one',
  });
}
