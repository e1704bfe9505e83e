import { gzipSync } from 'node:zlib';
import { Header } from 'tar';
import { Annotation, MediaType } from '../../contracts/media-types.ts';
import { digestOf, randomBuffer, tarEntry } from './content.ts';
import type { GeneratedImage } from './images.ts';

/** A file of a tar: its bytes, or the name that a symbolic link leads to. */
export type TarFile = Uint8Array | string;

/** An uncompressed tar, as plain as it gets. */
export function tarOf(files: readonly (readonly [name: string, content: TarFile])[]): Buffer {
  return Buffer.concat([
    ...files.flatMap(([name, content]) =>
      typeof content === 'string' ? [linkHeader(name, content)] : [...tarEntry(name, content.length, [content])],
    ),
    Buffer.alloc(1024),
  ]);
}

function linkHeader(path: string, linkpath: string): Buffer {
  const block = Buffer.alloc(512);
  new Header({ path, linkpath, type: 'SymbolicLink', mode: 0o777, size: 0, mtime: new Date(0) }).encode(block, 0);
  return block;
}

/** A layer as `docker save` writes it: a tar of one file. */
export function plainLayer(seed: string, size = 2000): Buffer {
  return tarOf([[`content/${seed}`, randomBuffer(seed, size)]]);
}

export interface SavedImage {
  tags?: readonly string[];
  layers: readonly Buffer[];
  /** layers are written through gzip, as `crane pull` does */
  gzip?: true;
  /** in place of the layers' real diff_ids */
  diffIds?: readonly string[];
}

/** The files of what Docker before version 25 saved: manifest.json, configs, a folder for each layer, links where layers are shared. */
export function dockerSaved(images: readonly SavedImage[]): [name: string, content: TarFile][] {
  const files = new Map<string, TarFile>();
  const placeOf = new Map<string, string>();
  const manifest = images.map(({ tags, layers, gzip, diffIds }, number) => {
    const ids = layers.map((layer) => digestOf(layer));
    const config = json({
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: { image: tags?.join(' ') ?? '' } },
      rootfs: { type: 'layers', diff_ids: diffIds ?? ids },
    });
    const names = layers.map((layer, position) => {
      const folder = digestOf(Buffer.from(`${number} ${position}`)).slice(7);
      const name = `${folder}/layer.tar`;
      const earlier = placeOf.get(ids[position]!);
      files.set(`${folder}/VERSION`, Buffer.from('1.0'));
      files.set(name, earlier === undefined ? (gzip === true ? gzipSync(layer) : layer) : `../${earlier}`);
      placeOf.set(ids[position]!, name);
      return name;
    });
    const Config = `${digestOf(config).slice(7)}.json`;
    files.set(Config, config);
    return { Config, RepoTags: tags ?? null, Layers: names };
  });
  return [...files, ['manifest.json', json(manifest)]];
}

/** The files of an OCI image layout (image-spec v1.1, image-layout.md) over these images. */
export function layoutSaved(
  images: readonly { names: readonly string[]; image: GeneratedImage }[],
): [string, TarFile][] {
  const files = new Map<string, TarFile>([['oci-layout', json({ imageLayoutVersion: '1.0.0' })]]);
  for (const { image } of images) {
    for (const { digest, bytes } of image.manifests) files.set(blobName(digest), bytes);
    for (const blob of image.blobs) files.set(blobName(blob.digest), Buffer.concat([...blob.chunks()]));
  }
  const manifests = images.flatMap(({ names, image: { root } }) =>
    names.map((name) => ({
      ...{ mediaType: root.mediaType, digest: root.digest, size: root.size },
      annotations: { [Annotation.containerdName]: name },
    })),
  );
  return [...files, ['index.json', json({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests })]];
}

export function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
