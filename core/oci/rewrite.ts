import { createHash } from 'node:crypto';
import { SealiftError } from '../errors.ts';
import { hexOf } from './digest.ts';
import { isRepository, isTag, type Reference } from './reference.ts';

/** Where things go on the far side; the same words as `registryMirrorConfiguration` of EKS Anywhere. */
export interface DestinationRules {
  /** path below the destination host, without slashes at the ends; may be empty */
  namespace: string;
  /** origin host -> namespace for what comes from there; wins over `namespace` */
  map: Record<string, string>;
}

/**
 * Origins that get a root project of their own when they are not mapped, as EKS Anywhere's package controller expects
 * (facts/sources-and-peers.md, "Rename and push rules").
 */
const rootProjects: Readonly<Record<string, string>> = {
  '783794618700.dkr.ecr.us-west-2.amazonaws.com': 'eks-anywhere',
  '067575901363.dkr.ecr.us-west-2.amazonaws.com': 'x3k6m8v0',
};

const FILE_ROOT = 'sealift/files';
const MAX_FILE_REPOSITORY = 180;
const MAX_TAG = 128;
const HASH_LENGTH = 12;

/**
 * The path below the destination host under which everything from one origin lands, and so the `namespace` of that
 * origin in `ociNamespaces`: containerd asks a mirror for `<namespace>/<original path>`. May be empty.
 */
export function namespaceOf(origin: string, rules: DestinationRules): string {
  const mapped = ownEntry(rules.map, origin);
  if (mapped !== undefined) return mapped;
  return joinPath(rules.namespace, ownEntry(rootProjects, origin) ?? '');
}

/**
 * `repository:tag` below the destination host for an image or chart: the origin's host is dropped and its path kept;
 * a reference by digest alone gets the digest's hex as its tag.
 */
export function destinationOf(reference: Reference, rules: DestinationRules): string {
  const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : hexOf(reference.digest));
  return `${joinPath(namespaceOf(reference.host, rules), reference.repository)}:${tag}`;
}

/**
 * Applies import's rules to a destination that a bill of materials holds, i.e. one made with no namespace and no map.
 * `origin` is the bill's origin host; empty for Sealift's own documents, which only `namespace` applies to.
 */
export function placeDestination(destination: string, origin: string, rules: DestinationRules): string {
  const root = ownEntry(rootProjects, origin);
  const path =
    root !== undefined && destination.startsWith(`${root}/`) ? destination.slice(root.length + 1) : destination;
  return joinPath(namespaceOf(origin, rules), path);
}

/** Takes `repository:tag` apart. @throws SealiftError InvalidInput when either part breaks the grammar */
export function splitDestination(destination: string): { repository: string; tag: string } {
  const colon = destination.lastIndexOf(':');
  const repository = destination.slice(0, Math.max(colon, 0));
  const tag = destination.slice(colon + 1);
  if (isRepository(repository) && isTag(tag)) return { repository, tag };
  throw new SealiftError('InvalidInput', {
    side: 'destination',
    operation: 'read destination',
    subject: destination,
    message: 'it is not REPOSITORY:TAG',
    remedy: 'use lower-case letters, digits, and single . _ - / between them in namespaces',
  });
}

/**
 * `sealift/files/<host>/<dirs>:<basename>` for a file known by its URL. What the repository and tag grammars do not
 * allow is replaced, and then a hash of the whole URL is added to the tag, so that two URLs never share a destination.
 * @throws SealiftError InvalidInput when it is not an absolute URL
 */
export function fileDestination(url: string): string {
  if (!URL.canParse(url)) {
    throw new SealiftError('InvalidInput', {
      side: 'source',
      operation: 'name file',
      subject: url,
      message: 'it is not an absolute URL',
      remedy: 'give the whole URL, with its scheme and host',
    });
  }
  const parsed = new URL(url);
  const segments = parsed.pathname.split('/').slice(1);
  const basename = segments.at(-1) ?? '';
  const folders = [parsed.host, ...segments.slice(0, -1)];
  const wanted = `${FILE_ROOT}/${folders.join('/')}`;
  const repository = [FILE_ROOT, ...folders.map(repositoryComponent)]
    .filter((part) => part !== '')
    .join('/')
    .slice(0, MAX_FILE_REPOSITORY)
    .replace(/[^a-z0-9]+$/, '');
  const tag = tagText(basename);
  const plain = parsed.href === `https://${parsed.host}${parsed.pathname}`;
  const exact = plain && repository === wanted && tag === basename;
  if (exact) return `${repository}:${tag}`;
  const hash = createHash('sha256').update(parsed.href).digest('hex').slice(0, HASH_LENGTH);
  return `${repository}:${tag.slice(0, MAX_TAG - 1 - HASH_LENGTH)}-${hash}`;
}

function repositoryComponent(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/[._-]*-[._-]*/g, '-')
    .replace(/[._]{2,}/g, '_')
    .replace(/^[._-]+|[._-]+$/g, '');
}

function tagText(basename: string): string {
  const text = basename.replace(/[^A-Za-z0-9_.-]+/g, '-').slice(0, MAX_TAG);
  return isTag(text) ? text : `file${text}`.slice(0, MAX_TAG);
}

function joinPath(...parts: string[]): string {
  return parts.filter((part) => part !== '').join('/');
}

function ownEntry(record: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
