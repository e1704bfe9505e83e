import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Checksums } from '../../contracts/bill-of-materials.ts';
import { randomBuffer } from './content.ts';
import { eksDistroRelease } from './eks-distro.ts';
import { generateChart, generateImage, type GeneratedImage } from './images.ts';
import { createPusher, type Pusher, type RegistryAccess } from './push.ts';

export interface UpstreamTarget {
  /** images land at `<registry>/<path of the reference without its host>` */
  registry: RegistryAccess | string;
  /** files land at `<filesFolder>/<host>/<path>` */
  filesFolder: string;
  /** what these URLs hold; other files are made up */
  contents?: ReadonlyMap<string, Uint8Array>;
  /** templates of the charts of these references; others are made up */
  charts?: ReadonlyMap<string, Record<string, string>>;
  /** what an image is; others are made up */
  imageOf?: (uri: string) => GeneratedImage | undefined;
}

export interface FilledUpstream {
  /** the manifest with true imageDigest, sha256 and sha512 */
  bundlesYaml: string;
  /** root digest by reference, as the manifests write it: `host/path:tag` */
  images: Map<string, string>;
  charts: Map<string, string>;
  /** checksums by URL; EKS-D release manifests are in it too */
  files: Map<string, Required<Checksums>>;
  /** how many `imageDigest` fields the manifest had, before duplicates collapsed */
  references: number;
}

type Node = Record<string, unknown>;

/**
 * Generates, at exactly the references of a Bundles manifest, what it refers to: two-platform images over shared base
 * layers, real charts, files, and EKS-D release manifests with their own images and archives. `<placeholder>` and empty
 * URIs are left alone.
 * @param bundlesYaml an EKS Anywhere Bundles document (see /work/shared/facts, or upstream's release/api/v1alpha1)
 */
export async function fillFromBundles(bundlesYaml: string, target: UpstreamTarget): Promise<FilledUpstream> {
  const access = typeof target.registry === 'string' ? { url: target.registry } : target.registry;
  const pusher = await createPusher(access);
  try {
    const upstream = new Upstream(pusher, target);
    const document = parse(bundlesYaml) as Node;
    await upstream.fill(document);
    return {
      bundlesYaml: stringify(document, { lineWidth: 0 }),
      images: await settled(upstream.images),
      charts: await settled(upstream.charts),
      files: await settled(upstream.files),
      references: upstream.references,
    };
  } finally {
    await pusher.close();
  }
}

/** In the order of the keys, so that nothing depends on which upload was first. */
async function settled<T>(made: Map<string, Promise<T>>): Promise<Map<string, T>> {
  const entries = await Promise.all([...made].map(async ([key, value]) => [key, await value] as const));
  return new Map(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** Pushes under way at a time. */
const width = 6;

class Upstream {
  readonly images = new Map<string, Promise<string>>();
  readonly charts = new Map<string, Promise<string>>();
  readonly files = new Map<string, Promise<Required<Checksums>>>();
  references = 0;
  readonly #lanes = Array.from({ length: width }, () => Promise.resolve());
  #nextLane = 0;
  readonly #pusher: Pusher;
  readonly #folder: string;
  readonly #contents: ReadonlyMap<string, Uint8Array>;
  readonly #templates: ReadonlyMap<string, Record<string, string>>;
  readonly #imageOf: (uri: string) => GeneratedImage | undefined;

  constructor(pusher: Pusher, target: UpstreamTarget) {
    const { filesFolder, contents = new Map(), charts = new Map(), imageOf = () => undefined } = target;
    this.#pusher = pusher;
    this.#imageOf = imageOf;
    this.#folder = filesFolder;
    this.#contents = contents;
    this.#templates = charts;
  }

  /** Walks a manifest and makes everything it names; digests and checksums are put right in place. */
  async fill(value: unknown): Promise<void> {
    if (Array.isArray(value)) await Promise.all(value.map((item) => this.fill(item)));
    else if (typeof value === 'object' && value !== null) await this.#fillObject(value as Node);
  }

  async #fillObject(node: Node): Promise<void> {
    const made = Object.entries(node).map(async ([key, value]): Promise<unknown> => {
      if (typeof value !== 'string') return this.fill(value);
      if (key === 'manifestUrl' && isUrl(value)) return this.#file(value, () => this.#release(value, node));
      if (key === 'uri') return this.#uri(value, node);
      return isUrl(value) ? this.#file(value) : undefined;
    });
    await Promise.all(made);
  }

  async #uri(uri: string, node: Node): Promise<void> {
    if (uri === '' || uri.includes('<')) return;
    if (isUrl(uri)) {
      const checksums = await this.#file(uri);
      if ('sha256' in node) node['sha256'] = checksums.sha256;
      if ('sha512' in node) node['sha512'] = checksums.sha512;
      return;
    }
    const { description } = node;
    const isChart = typeof description === 'string' && description.startsWith('Helm chart');
    const digest = await (isChart
      ? this.#content(this.charts, uri, (name, tag) => chartFor(name, tag, this.#templates.get(uri)))
      : this.#content(this.images, uri, (name, tag) => this.#imageOf(uri) ?? imageFor(name, tag)));
    if ('imageDigest' in node) {
      node['imageDigest'] = digest;
      this.references += 1;
    }
  }

  #content(
    known: Map<string, Promise<string>>,
    uri: string,
    make: (name: string, tag: string) => GeneratedImage,
  ): Promise<string> {
    return once(known, uri, async () => {
      const [, repository = '', tag = ''] = /^[^/]+\/(.+):([^:/]+)$/.exec(uri) ?? [];
      const image = make(repository, tag);
      await this.#inLane(() => this.#pusher.push(repository, tag, image));
      return image.root.digest;
    });
  }

  async #inLane(push: () => Promise<void>): Promise<void> {
    const lane = this.#nextLane;
    this.#nextLane = (lane + 1) % width;
    const turn = (this.#lanes[lane] ?? Promise.resolve()).then(push);
    this.#lanes[lane] = turn.catch(() => undefined);
    await turn;
  }

  #file(
    url: string,
    make: () => Promise<Uint8Array> = () => Promise.resolve(this.#contents.get(url) ?? fileFor(url)),
  ): Promise<Required<Checksums>> {
    return once(this.files, url, async () => {
      const content = await make();
      const { host, pathname } = new URL(url);
      const path = join(this.#folder, host, decodeURIComponent(pathname));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
      return { sha256: hex('sha256', content), sha512: hex('sha512', content) };
    });
  }

  /** Makes a release with all that it names. */
  async #release(url: string, eksD: Node): Promise<Uint8Array> {
    const node = eksD['kindNode'] as { uri?: string } | undefined;
    const imageHost = node?.uri?.split('/')[0] ?? 'localhost';
    const release = eksDistroRelease({ url, imageHost, kubeVersion: String(eksD['kubeVersion']) });
    await this.fill(release);
    return Buffer.from(stringify(release, { lineWidth: 0 }));
  }
}

function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const made = known.get(key) ?? make();
  known.set(key, made);
  return made;
}

function isUrl(text: string): boolean {
  return /^https?:\/\//.test(text);
}

function hex(algorithm: 'sha256' | 'sha512', content: Uint8Array): string {
  return createHash(algorithm).update(content).digest('hex');
}

/** Two platforms; three base layers shared by all; 1 to 100 KiB of its own. */
function imageFor(repository: string, tag: string): GeneratedImage {
  const seed = `${repository}:${tag}`;
  const draw = randomBuffer(`sizes of ${seed}`, 4);
  const base = { seed: `base ${draw.readUInt8(0) % 3}`, size: 60_000 };
  const layers = [base, 1_000 + (draw.readUInt16LE(1) % 100_000), 20];
  return generateImage({ seed, layers, platforms: ['linux/amd64', 'linux/arm64'] });
}

function chartFor(repository: string, tag: string, templates?: Record<string, string>): GeneratedImage {
  const name = repository.split('/').at(-1) ?? repository;
  return generateChart({ name, version: tag, padding: 2_000, ...(templates === undefined ? {} : { templates }) });
}

/** Something of the kind that the name promises: YAML where YAML is read, noise elsewhere. */
function fileFor(url: string): Buffer {
  const noise = randomBuffer(url, 500 + (randomBuffer(`size of ${url}`, 2).readUInt16LE(0) % 40_000));
  if (!/\.ya?ml$/.test(url)) return noise;
  const document = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'generated' } };
  return Buffer.from(stringify({ ...document, data: { url, noise: noise.toString('base64') } }));
}
