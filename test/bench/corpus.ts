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

/** 36 images over 80 blobs, 1.4 GB: 44 layers, three of which lie below twelve images each. */
export interface ImageSet {
  /** what lies below the images, as the bench prints it */
  name: string;
  images: CorpusImage[];
  /** one unpacked OCI layout for each image, over the same files: what `crane push` reads */
  layouts: string[];
  /** distinct blobs without manifests, and their bytes */
  blobs: number;
  bytes: number;
  /** bytes of all images, each for itself: what is sent by a tool that knows of one image at a time */
  bytesOneByOne: number;
}

export interface Corpus {
  /** storage folder of a distribution registry that has everything */
  registry: string;
  /** one unpacked OCI layout with all large images */
  layout: string;
  /** with small base layers, and with base layers as large as those of Debian and Ubuntu */
  sets: [small: ImageSet, usual: ImageSet];
  /** 1,000 images of one small layer each */
  tiny: CorpusImage[];
}

/** Part of the folder's name: a changed corpus is made anew. */
const version = 'v2';

const megabyte = 1_000_000;

/** Bytes of the 44 layers: few large ones that carry the bytes, a long tail that costs round trips. */
const layerSizes = [
  ...[280, 190, 150, 120, 95, 80, 70, 60, 50, 42, 38, 36, 30, 26, 22, 18, 15, 13, 11, 9, 8, 7, 6, 5, 4, 3.5, 3, 2.5],
  ...[2, 1.6, 1.2, 0.9, 0.6, 0.4, 0.25, 0.15, 0.08, 0.04, 0.02, 0.01, 0.005, 0.002, 0.0002, 0.00001],
].map((size) => Math.round(size * megabyte));

/** Positions of the three base layers. How much images share is what tells tools that mount from tools that send again. */
const bases = {
  small: { name: 'base layers of 9, 8 and 7 MB', positions: [19, 20, 21] },
  usual: { name: 'base layers of 36, 30 and 26 MB', positions: [11, 12, 13] },
};

function layerAt(position: number): SharedLayer {
  return { seed: `bench layer ${position}`, size: layerSizes[position] ?? 0 };
}

function imageSet(kind: keyof typeof bases, layouts: string): ImageSet {
  const { name, positions } = bases[kind];
  const images = Array.from({ length: 36 }, (_, number): CorpusImage => {
    const base = positions[number % positions.length] ?? 0;
    const layers = [...new Set([base, number, 36 + (number % 8)])].map(layerAt);
    const image = generateImage({ seed: `bench ${kind} ${number}`, layers });
    return { repository: `bench/${kind}-${String(number).padStart(2, '0')}`, tag: 'v1', image };
  });
  const all = images.flatMap(({ image }) => image.blobs);
  const distinct = new Map(all.map(({ digest, size }) => [digest, size]));
  return {
    name,
    images,
    layouts: images.map(({ image }) => join(layouts, image.root.digest.slice(7))),
    blobs: distinct.size,
    bytes: sum(distinct.values()),
    bytesOneByOne: sum(all.map(({ size }) => size)),
  };
}

function sum(sizes: Iterable<number>): number {
  return [...sizes].reduce((total, size) => total + size, 0);
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
  const paths = {
    registry: join(folder, 'registry'),
    layout: join(folder, 'layout'),
    layouts: join(folder, 'layouts'),
  };
  const sets: Corpus['sets'] = [imageSet('small', paths.layouts), imageSet('usual', paths.layouts)];
  const tiny = tinyImages();
  const complete = join(folder, 'complete');
  if (!(await exists(complete))) {
    await rm(folder, { recursive: true, force: true });
    const images = sets.flatMap((set) => set.images);
    say('writing layouts');
    await writeLayout(paths.layout, images.map(named));
    for (const one of images)
      await writeSingleLayout(paths.layout, join(paths.layouts, one.image.root.digest.slice(7)), one);
    say('filling the source registry');
    await fillRegistry(paths.registry, [...images, ...tiny]);
    await writeFile(complete, '');
  }
  return { registry: paths.registry, layout: paths.layout, sets, tiny };
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
