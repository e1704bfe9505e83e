import { gzipSync } from 'node:zlib';
import type { Descriptor, Digest, Platform } from '../../contracts/descriptor.ts';
import { Annotation, MediaType } from '../../contracts/media-types.ts';
import { blobOf, generateLayer, randomBuffer, tarEntry, type GeneratedBlob, type GeneratedLayer } from './content.ts';

export interface GeneratedManifest extends Descriptor {
  bytes: Uint8Array;
}

/** Everything below one root manifest, ready to be pushed or written to a layout. */
export interface GeneratedImage {
  root: GeneratedManifest;
  /** children before parents; the root is last */
  manifests: GeneratedManifest[];
  /** without duplicates */
  blobs: GeneratedBlob[];
}

/** A layer that several images have: the same seed and size give the same blob. */
export interface SharedLayer {
  seed: string;
  size: number;
}

export interface ImageOptions {
  seed: string;
  /** bytes of content of each layer, or a shared layer, or one that is there already */
  layers: (number | SharedLayer | GeneratedLayer)[];
  /** what the image runs; `/content` when absent */
  entrypoint?: string;
  /** `os/arch[/variant]`: gives an index over one image each. Absent: one manifest for linux/amd64, no index */
  platforms?: string[];
  /** media types; OCI when absent */
  format?: 'oci' | 'docker';
  annotations?: Record<string, string>;
  /** makes the root a referrer of this (OCI 1.1) */
  subject?: Descriptor;
}

const mediaTypes = {
  oci: {
    index: MediaType.ociIndex,
    manifest: MediaType.ociManifest,
    config: MediaType.ociConfig,
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    index: MediaType.dockerManifestList,
    manifest: MediaType.dockerManifest,
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;

/** A runnable-looking image, or a multi-platform index of them. The same options always give the same digests. */
export function generateImage(options: ImageOptions): GeneratedImage {
  const types = mediaTypes[options.format ?? 'oci'];
  const extra = {
    ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
    ...(options.subject === undefined ? {} : { subject: plainDescriptor(options.subject) }),
  };
  if (options.platforms === undefined) return platformImage(options, parsePlatform('linux/amd64'), extra);
  const images = options.platforms.map((platform) => platformImage(options, parsePlatform(platform), {}));
  const index = manifestOf({
    schemaVersion: 2,
    mediaType: types.index,
    manifests: images.map((image) => plainDescriptor(image.root)),
    ...extra,
  });
  return {
    root: index,
    manifests: distinct([...images.map((image) => image.root), index]),
    blobs: distinct(images.flatMap((image) => image.blobs)),
  };
}

/** @param text `os/arch[/variant]` */
export function parsePlatform(text: string): Platform {
  const [os = 'linux', architecture = 'amd64', variant] = text.split('/');
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

function platformImage(options: ImageOptions, platform: Platform, extra: Record<string, unknown>): GeneratedImage {
  const types = mediaTypes[options.format ?? 'oci'];
  const architecture = [platform.os, platform.architecture, platform.variant ?? ''].join('/');
  const layers = options.layers.map((layer, position) => {
    if (typeof layer === 'number') {
      return generateLayer(types.layer, `${options.seed} ${architecture} ${position}`, layer);
    }
    return 'digest' in layer ? layer : generateLayer(types.layer, layer.seed, layer.size);
  });
  const config = blobOf(types.config, imageConfig(options, platform, layers));
  const manifest = manifestOf({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: plainDescriptor(config),
    layers: layers.map(plainDescriptor),
    ...extra,
  });
  const root = { ...manifest, platform };
  return { root, manifests: [root], blobs: distinct([config, ...layers]) };
}

function imageConfig(options: ImageOptions, platform: Platform, layers: GeneratedLayer[]): Uint8Array {
  return jsonBytes({
    created: '1970-01-01T00:00:00Z',
    author: `generated from ${options.seed}`,
    ...platform,
    config: { Entrypoint: [options.entrypoint ?? '/content'] },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map((_, position) => ({ created: '1970-01-01T00:00:00Z', created_by: `layer ${position}` })),
  });
}

export interface ArtifactOptions {
  artifactType: string;
  files: { title: string; mediaType: string; bytes: Uint8Array }[];
  /** what it refers to: an OCI 1.1 referrer */
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

/** An OCI artifact as ORAS makes them (image-spec v1.1, "Guidelines for Artifact Usage"). */
export function generateArtifact(options: ArtifactOptions): GeneratedImage {
  const empty = blobOf(MediaType.ociEmpty, jsonBytes({}));
  const files = options.files.map((file) => ({
    ...blobOf(file.mediaType, file.bytes),
    annotations: { [Annotation.title]: file.title },
  }));
  const root = manifestOf({
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    artifactType: options.artifactType,
    config: plainDescriptor(empty),
    layers: files.map(plainDescriptor),
    ...(options.subject === undefined ? {} : { subject: plainDescriptor(options.subject) }),
    ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
  });
  return { root, manifests: [root], blobs: distinct([empty, ...files]) };
}

/** What cosign attaches by tag: `sha256-<hex>.sig`, `.att` or `.sbom` (cosign's SIGNATURE_SPEC.md). */
export function generateTagAttachment(
  subject: Digest,
  kind: 'sig' | 'att' | 'sbom',
): { tag: string; image: GeneratedImage } {
  const payload = jsonBytes({ critical: { image: { 'docker-manifest-digest': subject }, type: `test ${kind}` } });
  const config = blobOf(MediaType.ociConfig, jsonBytes({ architecture: '', os: '', rootfs: { type: 'layers' } }));
  const layer = {
    ...blobOf('application/vnd.dev.cosign.simplesigning.v1+json', payload),
    annotations: { 'dev.cosignproject.cosign/signature': randomBuffer(`${subject} ${kind}`, 64).toString('base64') },
  };
  const root = manifestOf({
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: plainDescriptor(config),
    layers: [plainDescriptor(layer)],
  });
  return {
    tag: `${subject.replace(':', '-')}.${kind}`,
    image: { root, manifests: [root], blobs: [config, layer] },
  };
}

/**
 * The index that clients keep under the tag `sha256-<hex>` where a registry has no referrers API (distribution-spec v1.1,
 * "Referrers Tag Schema"). Its manifests have to be pushed before it.
 */
export function generateReferrersTag(
  subject: Digest,
  referrers: { image: GeneratedImage; artifactType: string }[],
): { tag: string; image: GeneratedImage } {
  const manifests = referrers.map(({ image, artifactType }) => ({ ...plainDescriptor(image.root), artifactType }));
  const root = manifestOf({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests });
  return { tag: subject.replace(':', '-'), image: { root, manifests: [root], blobs: [] } };
}

export interface ChartOptions {
  name: string;
  version: string;
  /** bytes of noise in the chart, so that charts differ in size */
  padding?: number;
  /** its templates by their file names; one ConfigMap when absent */
  templates?: Record<string, string>;
}

/** A real, installable Helm chart as a .tgz. */
export function generateChartArchive({ name, version, padding = 100, templates = configMap }: ChartOptions): Buffer {
  const files = {
    'Chart.yaml': `apiVersion: v2\nname: ${name}\nversion: ${version}\ndescription: generated\ntype: application\n`,
    'values.yaml': `noise: ${randomBuffer(`${name} ${version}`, padding).toString('hex')}\n`,
    ...Object.fromEntries(Object.entries(templates).map(([file, text]) => [`templates/${file}`, text])),
  };
  const entries = Object.entries(files).flatMap(([path, text]) => {
    const bytes = Buffer.from(text);
    return [...tarEntry(`${name}/${path}`, bytes.length, [bytes])];
  });
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
}

const configMap = {
  'configmap.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  noise: {{ .Values.noise }}\n',
};

/** The same chart as the OCI artifact that `helm push` makes (https://helm.sh/docs/topics/registries/). */
export function generateChart(options: ChartOptions): GeneratedImage {
  const archive = blobOf('application/vnd.cncf.helm.chart.content.v1.tar+gzip', generateChartArchive(options));
  const { name, version } = options;
  const metadata = { name, version, description: 'generated', apiVersion: 'v2', type: 'application' };
  const config = blobOf(MediaType.helmConfig, jsonBytes(metadata));
  const root = manifestOf({
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: plainDescriptor(config),
    layers: [plainDescriptor(archive)],
    annotations: { [Annotation.title]: name, 'org.opencontainers.image.version': version },
  });
  return { root, manifests: [root], blobs: [config, archive] };
}

function manifestOf(document: {
  mediaType: string;
  artifactType?: string;
  [field: string]: unknown;
}): GeneratedManifest {
  const bytes = jsonBytes(document);
  const { mediaType, digest, size } = blobOf(document.mediaType, bytes);
  return { mediaType, digest, size, bytes };
}

/** Only what belongs into a manifest. */
function plainDescriptor({ mediaType, digest, size, annotations, platform }: Descriptor): Descriptor {
  return {
    mediaType,
    digest,
    size,
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function distinct<T extends { digest: Digest }>(things: T[]): T[] {
  return [...new Map(things.map((thing) => [thing.digest, thing])).values()];
}
