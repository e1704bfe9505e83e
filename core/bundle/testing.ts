import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BillOfMaterials } from '../../contracts/bill-of-materials.ts';
import type { Descriptor, Digest } from '../../contracts/descriptor.ts';
import type { ErrorType } from '../../contracts/errors.ts';
import { MediaType } from '../../contracts/media-types.ts';
import { SealiftError } from '../errors.ts';
import { billOfMaterialsArtifact, fileArtifact, type Content } from './artifacts.ts';
import { buildIndex } from './index-json.ts';
import { planLayout, type BundleLayout } from './layout.ts';

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** A function that makes folders which are gone after the test that asked for them (vitest's `afterEach` sees to it). */
export function temporaryFolders(afterEach: (cleanUp: () => Promise<void>) => void): () => Promise<string> {
  const made: string[] = [];
  afterEach(async () => {
    await Promise.all(made.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
  });
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sealift-bundle-'));
    made.push(folder);
    return folder;
  };
}

/** The type and text of the SealiftError that a promise rejects with. */
export async function failureOf(attempt: Promise<unknown>): Promise<{ type: ErrorType; text: string }> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof SealiftError) return { type: error.type, text: error.message };
    throw error;
  }
  throw new Error('it did not fail');
}

export function content(mediaType: string, value: Uint8Array | object | string): Content {
  const bytes =
    value instanceof Uint8Array ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

export interface SampleBundle {
  layout: BundleLayout;
  index: Uint8Array;
  metadata: Map<Digest, Content>;
  blobs: Map<Digest, Content>;
  /** an index of two platforms, whose images share a layer */
  image: { reference: string; index: Descriptor; manifests: Descriptor[]; layers: Descriptor[] };
  file: { url: string; manifest: Descriptor; blob: Descriptor };
}

/** A whole small bundle: a multi-platform image under a full reference with a port, a file, a bill of materials. */
export function sampleBundle(reference = 'registry.example:5000/team/app:v1.2'): SampleBundle {
  const layers = ['amd64 layer', 'arm64 layer', 'shared layer'].map((text) => content(LAYER, text.repeat(100)));
  const images = ['amd64', 'arm64'].map((architecture, number) =>
    sampleImage(architecture, [layers[number]!.descriptor, layers[2]!.descriptor]),
  );
  const manifests = images.map(({ manifest }) => manifest.descriptor);
  const index = content(MediaType.ociIndex, { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests });
  const url = 'https://files.example/releases/components.yaml';
  const yaml = content('application/yaml', 'kind: Namespace\n');
  const file = fileArtifact({ ...yaml.descriptor, title: 'components.yaml' });
  const bill = billOfMaterialsArtifact(sampleBill(index.descriptor.digest, reference));
  const items = [
    { descriptor: index.descriptor, refName: reference, imageName: reference },
    { descriptor: file.manifest.descriptor, refName: url },
  ];
  const metadata = [index, ...images.map(({ manifest }) => manifest), file.manifest, bill.manifest, bill.layer];
  const blobs = [...images.map(({ config }) => config), ...layers, yaml, file.config];
  return {
    ...assemble(buildIndex(items, [], bill.manifest.descriptor), metadata, blobs),
    image: { reference, index: index.descriptor, manifests, layers: layers.map(({ descriptor }) => descriptor) },
    file: { url, manifest: file.manifest.descriptor, blob: yaml.descriptor },
  };
}

/** Contents with their layout. */
export function assemble(index: Uint8Array, metadata: Content[], blobs: Content[]) {
  return {
    index,
    layout: planLayout({
      index,
      metadata: metadata.map(({ descriptor }) => descriptor),
      blobs: blobs.map(({ descriptor }) => descriptor),
    }),
    metadata: new Map(metadata.map((item) => [item.descriptor.digest, item])),
    blobs: new Map(blobs.map((item) => [item.descriptor.digest, item])),
  };
}

function sampleImage(architecture: string, layers: Descriptor[]): { config: Content; manifest: Content } {
  const config = content(MediaType.ociConfig, { architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });
  const { ociManifest: mediaType } = MediaType;
  const manifest = content(mediaType, { schemaVersion: 2, mediaType, config: config.descriptor, layers });
  const platform = { os: 'linux', architecture };
  return { config, manifest: { ...manifest, descriptor: { ...manifest.descriptor, platform } } };
}

export function sampleBill(digest: Digest, reference: string): BillOfMaterials {
  const item = {
    kind: 'image' as const,
    name: 'app',
    reference,
    digest,
    destination: 'team/app:v1.2',
    origin: 'registry.example:5000',
  };
  return {
    schemaVersion: 1,
    sources: [{ name: 'images', selection: {} }],
    platforms: [],
    items: [{ ...item, size: 3300, source: 'images' }],
    skipped: [],
  };
}

export interface TarEntry {
  name: string;
  content?: Uint8Array;
  /** typeflag; `0` is a regular file */
  type?: string;
  link?: string;
  /** the size the header states, when it is not the content's */
  size?: number;
}

/** The entries of a bundle as they must stand in its tar, by the plainest reading of the format. */
export function expectedEntries(sample: Pick<SampleBundle, 'index' | 'metadata' | 'blobs'>): TarEntry[] {
  const parts = (contents: Map<Digest, Content>): TarEntry[] =>
    [...contents.values()]
      .map(({ descriptor, bytes }) => ({ name: `blobs/sha256/${descriptor.digest.slice(7)}`, content: bytes }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    { name: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { name: 'index.json', content: sample.index },
    ...parts(sample.metadata),
    ...parts(sample.blobs),
  ];
}

/** Writes a ustar archive byte by byte, independently of the code under test; hostile ones too. */
export function plainTar(entries: TarEntry[]): Buffer {
  const parts = entries.flatMap(
    ({ name, content: bytes = Buffer.alloc(0), type = '0', link = '', size = bytes.length }) => {
      const block = Buffer.alloc(512);
      block.write(name, 0);
      block.write('000644 \x00000000 \x00000000 \x00', 100, 'latin1');
      block.write(sizeField(size), 124, 'latin1');
      block.write('0000000000 \0', 136, 'latin1');
      block.write(type, 156);
      block.write(link, 157);
      block.write('ustar\x0000', 257, 'latin1');
      block.write('000000 \x00000000 \x00', 329, 'latin1');
      block.fill(' ', 148, 156);
      const sum = block.reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8).padStart(6, '0')} \0`, 148, 'latin1');
      return [block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
    },
  );
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function sizeField(size: number): string {
  if (size <= 0o7777777777) return `${size.toString(8).padStart(10, '0')} \0`;
  if (size <= 0o77777777777) return `${size.toString(8)}\0`;
  const base256 = Buffer.alloc(12);
  base256.writeBigUInt64BE(BigInt(size), 4);
  base256[0] = 0x80;
  return base256.toString('latin1');
}

/** Writes a sample bundle to `folder/bundle.tar` in one go. */
export async function writeSample(folder: string, sample: SampleBundle): Promise<string> {
  const path = join(folder, 'bundle.tar');
  await writeFile(path, plainTar(expectedEntries(sample)));
  return path;
}
