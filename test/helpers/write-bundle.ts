import { writeFile } from 'node:fs/promises';
import type { BillItem, BillOfMaterials, PackageFormat } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import { billOfMaterialsArtifact, fileArtifact, type Content } from '../../core/bundle/artifacts.ts';
import { buildIndex, type IndexItem } from '../../core/bundle/index-json.ts';
import { assemble, expectedEntries, plainTar } from '../../core/bundle/testing.ts';
import { parseReference } from '../../core/oci/reference.ts';
import { destinationOf, fileDestination } from '../../core/oci/rewrite.ts';
import { blobOf, type GeneratedBlob } from './content.ts';
import type { GeneratedImage } from './images.ts';

export interface BundledImage {
  reference: string;
  kind?: 'image' | 'chart';
  image: GeneratedImage;
  /** with the tag of those that are attached by tag alone */
  attached?: { image: GeneratedImage; tag?: string }[];
}

export interface BundledFile {
  url: string;
  bytes: Uint8Array;
  package?: PackageFormat;
}

/** Writes a bundle as an export of these things would, with no registry and no Temporal: for tests of what reads bundles. */
export async function writeBundle(path: string, images: BundledImage[], files: BundledFile[] = []): Promise<void> {
  const metadata = new Map<Digest, Content>();
  const blobs = new Map<Digest, Content>();
  const named: IndexItem[] = [];
  const attached: Descriptor[] = [];
  const bill: BillOfMaterials = { schemaVersion: 1, sources: [], platforms: [], items: [], skipped: [] };
  const note = (image: GeneratedImage): void => {
    for (const { bytes, ...descriptor } of image.manifests) metadata.set(descriptor.digest, { descriptor, bytes });
    for (const blob of image.blobs) blobs.set(blob.digest, contentOf(blob));
  };
  for (const one of images) {
    note(one.image);
    for (const { image } of one.attached ?? []) {
      note(image);
      attached.push(image.root);
    }
    named.push({ descriptor: one.image.root, refName: one.reference, imageName: one.reference });
    bill.items.push(imageItem(one));
  }
  for (const file of files) {
    const blob = contentOf(blobOf('application/octet-stream', file.bytes));
    const wrapped = fileArtifact({ title: file.url.split('/').at(-1)!, ...blob.descriptor });
    for (const { descriptor, bytes } of [wrapped.manifest, wrapped.config]) {
      metadata.set(descriptor.digest, { descriptor, bytes });
    }
    blobs.set(blob.descriptor.digest, blob);
    named.push({ descriptor: wrapped.manifest.descriptor, refName: file.url });
    bill.items.push(fileItem(file, wrapped.manifest.descriptor.digest));
  }
  const last = billOfMaterialsArtifact(bill);
  for (const part of [last.manifest, last.config, last.layer]) metadata.set(part.descriptor.digest, part);
  for (const digest of metadata.keys()) blobs.delete(digest);
  const index = buildIndex(named, attached, last.manifest.descriptor);
  await writeFile(path, plainTar(expectedEntries(assemble(index, [...metadata.values()], [...blobs.values()]))));
}

function contentOf({ mediaType, digest, size, chunks }: GeneratedBlob): Content {
  return { descriptor: { mediaType, digest, size }, bytes: Buffer.concat([...chunks()]) };
}

function imageItem({ reference, kind = 'image', image, attached = [] }: BundledImage): BillItem {
  const parsed = parseReference(reference);
  return {
    kind,
    name: parsed.repository,
    reference,
    digest: image.root.digest,
    destination: destinationOf(parsed, { namespace: '', map: {} }),
    origin: parsed.host,
    size: image.root.size,
    source: 'test',
    attached: attached.map(({ image: { root }, tag }) => ({
      digest: root.digest,
      ...(tag === undefined ? {} : { tag }),
    })),
  };
}

function fileItem(file: BundledFile, digest: Digest): BillItem {
  return {
    kind: 'file',
    name: file.url.split('/').at(-1)!,
    reference: file.url,
    digest,
    destination: fileDestination(file.url),
    origin: new URL(file.url).host,
    size: file.bytes.length,
    source: 'test',
    ...(file.package === undefined ? {} : { package: file.package }),
  };
}
