import type { Descriptor, Digest, Platform } from '../../contracts/descriptor.ts';
import { MediaType } from '../../contracts/media-types.ts';
import { SealiftError } from '../errors.ts';
import { digestOf, isDigest } from './digest.ts';

/** distribution-spec v1.1, "Pushing Manifests": registries need not take more than 4 MiB. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** The media types asked for by name when a manifest is fetched. */
export const manifestMediaTypes: readonly string[] = [
  MediaType.ociIndex,
  MediaType.ociManifest,
  MediaType.dockerManifestList,
  MediaType.dockerManifest,
];

export type JsonObject = Record<string, unknown>;

export type ManifestShape = 'index' | 'image' | 'artifact';

/** Field-by-field reading of one document, so that every complaint names the document and the field. */
export class ManifestReader {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  document(): JsonObject {
    if (this.#bytes.length > MAX_MANIFEST_BYTES) throw this.#invalid(`it has ${this.#bytes.length} bytes, over 4 MiB`);
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(this.#bytes));
    } catch (error) {
      throw this.#invalid('it is not JSON in UTF-8', error);
    }
    if (!isObject(value)) throw this.#invalid('it is not a JSON object');
    return value;
  }

  /** A document and its context must agree on what it is, or two readers see two things (image-spec GHSA-77vh-xpmg-72qh). */
  mediaType(document: JsonObject, stated: string | undefined): string {
    const own = this.text(document['mediaType'], 'mediaType');
    const given = stated !== undefined && manifestMediaTypes.includes(stated) ? stated : undefined;
    if (own !== undefined && given !== undefined && own !== given) {
      throw this.#invalid(`mediaType is ${own}, but it was given as ${given}`);
    }
    return given ?? own ?? (Array.isArray(document['manifests']) ? MediaType.ociIndex : MediaType.ociManifest);
  }

  shape(document: JsonObject, mediaType: string): ManifestShape {
    const hasManifests = document['manifests'] !== undefined;
    const hasLayers = document['layers'] !== undefined || document['config'] !== undefined;
    if (hasManifests && hasLayers) throw this.#invalid('it has both manifests and layers or config');
    const isArtifact = !manifestMediaTypes.includes(mediaType) && Array.isArray(document['blobs']);
    if (isArtifact && !hasManifests && !hasLayers) return 'artifact';
    if (document['schemaVersion'] !== 2) {
      throw this.#invalid(`schemaVersion is ${JSON.stringify(document['schemaVersion'])}, not 2`);
    }
    const known = manifestMediaTypes.includes(mediaType);
    const isIndexType = mediaType === MediaType.ociIndex || mediaType === MediaType.dockerManifestList;
    if (known ? isIndexType : hasManifests) return 'index';
    return 'image';
  }

  list(value: unknown, field: string): Descriptor[] {
    if (!Array.isArray(value)) throw this.#invalid(`${field} is not a list`);
    return value.map((entry, index) => this.descriptor(entry, `${field}[${index}]`));
  }

  descriptor(value: unknown, field: string): Descriptor {
    if (!isObject(value)) throw this.#invalid(`${field} is not a descriptor`);
    const { mediaType, digest, size } = value;
    if (typeof mediaType !== 'string' || mediaType === '') throw this.#invalid(`${field}.mediaType is missing`);
    if (!isDigest(digest)) throw this.#invalid(`${field}.digest is not a sha256 digest`);
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw this.#invalid(`${field}.size is not a whole number of bytes`);
    }
    const annotations = this.annotations(value['annotations'], `${field}.annotations`);
    const artifactType = this.text(value['artifactType'], `${field}.artifactType`);
    const platform = this.#platform(value['platform'], `${field}.platform`);
    return {
      mediaType,
      digest,
      size,
      ...(annotations === undefined ? {} : { annotations }),
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(platform === undefined ? {} : { platform }),
    };
  }

  annotations(value: unknown, field: string): Record<string, string> | undefined {
    if (value == null) return undefined;
    if (!isObject(value)) throw this.#invalid(`${field} is not a map of text`);
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => {
        if (typeof entry !== 'string') throw this.#invalid(`${field}[${JSON.stringify(key)}] is not text`);
        return [key, entry];
      }),
    );
  }

  text(value: unknown, field: string): string | undefined {
    if (value == null || value === '') return undefined;
    if (typeof value !== 'string') throw this.#invalid(`${field} is not text`);
    return value;
  }

  unique(descriptors: Descriptor[]): Descriptor[] {
    const byDigest = new Map<Digest, Descriptor>();
    for (const descriptor of descriptors) {
      const known = byDigest.get(descriptor.digest);
      if (known === undefined) byDigest.set(descriptor.digest, descriptor);
      else if (known.size !== descriptor.size) {
        throw this.#invalid(`${descriptor.digest} has two sizes, ${known.size} and ${descriptor.size}`);
      }
    }
    return [...byDigest.values()];
  }

  #platform(value: unknown, field: string): Platform | undefined {
    if (value == null) return undefined;
    if (!isObject(value)) throw this.#invalid(`${field} is not a platform`);
    const variant = this.text(value['variant'], `${field}.variant`);
    const version = this.text(value['os.version'], `${field}["os.version"]`);
    return {
      os: this.text(value['os'], `${field}.os`) ?? '',
      architecture: this.text(value['architecture'], `${field}.architecture`) ?? '',
      ...(variant === undefined ? {} : { variant }),
      ...(version === undefined ? {} : { 'os.version': version }),
    };
  }

  #invalid(message: string, cause?: unknown): SealiftError {
    return new SealiftError('ManifestInvalid', {
      side: 'source',
      operation: 'read manifest',
      subject: digestOf(this.#bytes),
      message,
      remedy: 'push the image again with a current tool, or leave it out',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
