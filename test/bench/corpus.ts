import { link, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateImage, type GeneratedImage, type SharedLayer } from '../helpers/images.ts';
import { layoutIndex, writeLayout } from '../helpers/layout.ts';
import { projectRoot } from '../helpers/paths.ts';
import { createPusher } from '../helpers/push.ts';
import { startRegistry } from '../helpers/registry.ts';

export interface CorpusImage {
  repository: string;
  tag: string;
  image: GeneratedImage;
}

export interface Corpus {
  /** storage folder of a distribution registry that has everything */
  registry: string;
  /** one unpacked OCI layout with the large images */
  layout: string;
  /** one unpacked OCI layout for each large image, over the same files: what `crane push` reads */
  layouts: string[];
  /** 36 images over 80 blobs, 1.4 GB */
  images: CorpusImage[];
  /** 1,000 images of one small layer each */
  tiny: CorpusImage[];
  /** of the large images: distinct blobs without manifests */
  blobs: number;
  bytes: number;
}

/** Part of the folder's name: a changed corpus is made anew. */
const version = 'v1';

const megabyte = 1_000_000;

/** Bytes of the 44 layers: few large ones that carry the bytes, a long tail that costs round trips. */
const layerSizes = [
  ...[280, 190, 150, 120, 95, 80, 70, 60, 50, 42, 38, 36, 30, 26, 22, 18, 15, 13, 11, 9, 8, 7, 6, 5, 4, 3.5, 3, 2.5],
  ...[2, 1.6, 1.2, 0.9, 0.6, 0.4, 0.25, 0.15, 0.08, 0.04, 0.02, 0.01, 0.005, 0.002, 0.0002, 0.00001],
].map((size) => Math.round(size * megabyte));

/** Base layers of 9, 8 and 7 MB, one below each image. Larger ones would favour us: we mount what the peers send again. */
const bases = [19, 20, 21];

function layerAt(position: number): SharedLayer {
  return { seed: `bench layer ${position}`, size: layerSizes[position] ?? 0 };
}

function largeImages(): CorpusImage[] {
  return Array.from({ length: 36 }, (_, number) => {
    const base = bases[number % bases.length] ?? 0;
    const positions = [...new Set([base, number, 36 + (number % 8)])];
    const image = generateImage({ seed: `bench image ${number}`, layers: positions.map(layerAt) });
    return { repository: `bench/image-${String(number).padStart(2, '0')}`, tag: 'v1', image };
  });
}

function tinyImages(): CorpusImage[] {
  return Array.from({ length: 1_000 }, (_, number) => ({
    repository: `tiny/image-${String(number).padStart(4, '0')}`,
    tag: 'v1',
    image: generateImage({ seed: `tiny image ${number}`, layers: [1_000] }),
  }));
}

/**
 * Makes the corpus below `.cache/bench/`, or finds it there. The same on every machine; 1.4 GB as files and again in the
 * registry's storage.
 * @param say told what takes long
 */
export async function prepareCorpus(say: (line: string) => void): Promise<Corpus> {
  const folder = join(projectRoot, '.cache', 'bench', version);
  say('describing the corpus (hashes 1.4 GB)');
  const images = largeImages();
  const tiny = tinyImages();
  const paths = {
    registry: join(folder, 'registry'),
    layout: join(folder, 'layout'),
    layouts: join(folder, 'layouts'),
  };
  const complete = join(folder, 'complete');
  if (!(await exists(complete))) {
    await rm(folder, { recursive: true, force: true });
    say('writing layouts');
    await writeLayout(paths.layout, images.map(named));
    for (const one of images)
      await writeSingleLayout(paths.layout, join(paths.layouts, one.image.root.digest.slice(7)), one);
    say('filling the source registry');
    await fillRegistry(paths.registry, [...images, ...tiny]);
    await writeFile(complete, '');
  }
  const blobs = new Map(images.flatMap(({ image }) => image.blobs.map((blob) => [blob.digest, blob.size])));
  return {
    registry: paths.registry,
    layout: paths.layout,
    layouts: images.map(({ image }) => join(paths.layouts, image.root.digest.slice(7))),
    images,
    tiny,
    blobs: blobs.size,
    bytes: [...blobs.values()].reduce((sum, size) => sum + size, 0),
  };
}

function named({ repository, image }: CorpusImage): { name: string; image: GeneratedImage } {
  return { name: repository.replace('/', '-'), image };
}

async function writeSingleLayout(from: string, folder: string, one: CorpusImage): Promise<void> {
  const blobs = join('blobs', 'sha256');
  await mkdir(join(folder, blobs), { recursive: true });
  for (const { digest } of [...one.image.blobs, ...one.image.manifests]) {
    const path = join(blobs, digest.slice(7));
    await link(join(from, path), join(folder, path));
  }
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(folder, 'index.json'), layoutIndex([named(one)]));
}

async function fillRegistry(dir: string, images: CorpusImage[]): Promise<void> {
  await using registry = await startRegistry({ kind: 'distribution', dir });
  const pusher = await createPusher({ url: registry.url });
  for (const { repository, tag, image } of images) await pusher.push(repository, tag, image);
  await pusher.close();
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
