import { createWriteStream } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Descriptor } from '../../contracts/descriptor.ts';
import { Annotation, MediaType } from '../../contracts/media-types.ts';
import type { GeneratedImage } from './images.ts';

/**
 * Writes images as an OCI image layout (image-spec v1.1, image-layout.md) with an independent hand: what other tools
 * read it with must be able to read Sealift's bundles too.
 * @param images each with the value of its ref.name annotation
 */
export async function writeLayout(folder: string, images: { name: string; image: GeneratedImage }[]): Promise<void> {
  const blobs = join(folder, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  for (const { image } of images) {
    for (const manifest of image.manifests) await writeFile(join(blobs, hexOf(manifest)), manifest.bytes);
    for (const blob of image.blobs) {
      const path = join(blobs, hexOf(blob));
      if ((await sizeOf(path)) !== blob.size) await pipeline(Readable.from(blob.chunks()), createWriteStream(path));
    }
  }
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(folder, 'index.json'), layoutIndex(images));
}

/** The index.json over these images. */
export function layoutIndex(images: { name: string; image: GeneratedImage }[]): string {
  const manifests = images.map(({ name, image: { root } }) => ({
    mediaType: root.mediaType,
    digest: root.digest,
    size: root.size,
    annotations: { [Annotation.refName]: name },
  }));
  return JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests });
}

function hexOf({ digest }: Descriptor): string {
  return digest.slice('sha256:'.length);
}

function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => found.size,
    () => undefined,
  );
}
