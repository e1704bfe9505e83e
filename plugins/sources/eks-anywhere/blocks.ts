import { pathToFileURL } from 'node:url';
import type { Digest } from '../../../contracts/descriptor.ts';
import type { Checksums, ItemKind, SourceItem } from '../../../contracts/bill-of-materials.ts';
import { DIGEST_PATTERN } from '../../../contracts/descriptor.ts';
import { inputError, type InputPosition } from '../../../core/sources/input-error.ts';
import { pinnedDigest } from '../../../core/sources/reference-at.ts';
import type { Block } from './schema.ts';

/** Where a block stands: its place for the bill of materials, and how to find a field of it in the file. */
export interface BlockPlace {
  /** e.g. `versionsBundles[1.30].cilium.operator` */
  foundAt: string;
  /** its own key, e.g. `helmChart` */
  key: string;
  /** name for people when the block has none */
  name: string;
  positionOf(field: string): InputPosition;
}

/** What upstream writes where a component has been retired. */
const PLACEHOLDER = '<placeholder>';

// Charts have the shape of images; upstream tells them apart by place, and writes this description.
const CHART_KEY = /chart$|^tinkerbellCrds$|^stack$/i;
const CHART_DESCRIPTION = /^helm chart/i;

/** Whether a value was left out upstream: retired components and optional fields are written in these ways. */
export function isAbsent(value: string | undefined): boolean {
  return value === undefined || value === '' || value === PLACEHOLDER;
}

/**
 * The item that a block describes; nothing for an empty or placeholder `uri`.
 * @throws SealiftError InvalidInput for a malformed reference, URL, digest or checksum
 */
export function blockItem(block: Block, place: BlockPlace): SourceItem | undefined {
  if (isAbsent(block.uri)) return undefined;
  const platforms = platformsOf(block);
  const common = { name: block.name ?? place.name, foundAt: place.foundAt, ...(platforms && { platforms }) };
  if (!isLocation(block)) {
    const stated = digestOf(block.imageDigest, place.positionOf('imageDigest'));
    const digest = pinnedDigest(block.uri, stated, place.positionOf('uri'));
    const kind = CHART_KEY.test(place.key) || CHART_DESCRIPTION.test(block.description ?? '') ? 'chart' : 'image';
    return { kind, reference: block.uri, ...common, ...(digest && { digest }) };
  }
  const checksums = checksumsOf(block, place);
  const reference = fileUrl(block.uri, place.positionOf('uri'));
  return { kind: fileKind(block, reference), reference, ...common, ...(checksums && { checksums }) };
}

/**
 * A manifest that is named by a bare URL instead of a block.
 * @throws SealiftError InvalidInput when it is not an absolute http(s) or file URL
 */
export function manifestItem(url: string, foundAt: string, position: InputPosition): SourceItem {
  return { kind: 'manifest', name: basename(url), reference: fileUrl(url, position), foundAt };
}

// A block of nothing but a uri is a manifest (so a wrong one is reported as a wrong URL, not as a wrong image).
function isLocation(block: Block): boolean {
  return /^[a-z]+:\/\//i.test(block.uri) || block.uri.startsWith('/') || Object.keys(block).length === 1;
}

function fileKind(block: Block, url: string): ItemKind {
  return Object.keys(block).length === 1 || /\.ya?ml$/.test(new URL(url).pathname) ? 'manifest' : 'file';
}

function fileUrl(text: string, position: InputPosition): string {
  const reference = text.startsWith('/') ? pathToFileURL(text).href : text;
  const url = URL.canParse(reference) ? new URL(reference) : undefined;
  if (url === undefined || !['http:', 'https:', 'file:'].includes(url.protocol)) {
    throw inputError(position, `"${text}" is not an absolute http, https or file URL`);
  }
  if (url.username !== '' || url.password !== '') {
    throw inputError(position, 'the URL carries credentials, which would end up in the bundle', {
      remedy: 'write the URL without user and password',
    });
  }
  return reference;
}

function basename(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1);
}

function platformsOf(block: Block): string[] | undefined {
  return block.arch?.map((arch) => `${block.os ?? 'linux'}/${arch}`);
}

function digestOf(text: string | undefined, position: InputPosition): Digest | undefined {
  if (text === undefined || isAbsent(text)) return undefined;
  if (DIGEST_PATTERN.test(text)) return text as Digest;
  throw inputError(position, `"${text}" is not a digest of the form sha256:HEX`);
}

function checksumsOf(block: Block, place: BlockPlace): Checksums | undefined {
  const sha256 = hex(block.sha256, 64, place.positionOf('sha256'));
  const sha512 = hex(block.sha512, 128, place.positionOf('sha512'));
  if (sha256 === undefined && sha512 === undefined) return undefined;
  return { ...(sha256 && { sha256 }), ...(sha512 && { sha512 }) };
}

function hex(text: string | undefined, length: number, position: InputPosition): string | undefined {
  if (text === undefined || isAbsent(text)) return undefined;
  if (text.length === length && /^[0-9a-f]+$/i.test(text)) return text.toLowerCase();
  throw inputError(position, `"${text}" is not a checksum of ${length} hexadecimal digits`);
}
