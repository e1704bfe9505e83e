import type { Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import { isHost } from '../http/addresses.ts';
import { isDigest } from './digest.ts';

/** A named piece of OCI content. At least one of tag and digest is present. */
export interface Reference {
  /** `host[:port]`; Docker Hub is always `docker.io` */
  host: string;
  /** path below the host, e.g. `library/nginx` */
  repository: string;
  tag?: string;
  digest?: Digest;
}

const PATH_COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REPOSITORY_PATTERN = new RegExp(`^${PATH_COMPONENT}(?:/${PATH_COMPONENT})*$`);
const TAG_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const MAX_NAME_LENGTH = 255;

/** Whether text is a repository path in the distribution reference grammar. */
export function isRepository(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && REPOSITORY_PATTERN.test(text);
}

/** Whether text is a tag: at most 128 of `[A-Za-z0-9_.-]`, not starting with `.` or `-`. */
export function isTag(text: string): boolean {
  return TAG_PATTERN.test(text);
}

/**
 * Reads an image reference in the distribution reference grammar, with Docker Hub's short forms made whole:
 * `nginx` is `docker.io/library/nginx:latest`. A reference with a digest and no tag stays without a tag.
 * @throws SealiftError InvalidInput when it breaks the grammar or names another digest algorithm than sha256
 */
export function parseReference(text: string): Reference {
  if (text.includes('://')) throw invalid(text, 'it has a URL scheme');
  const [name, digest, ...rest] = text.split('@');
  if (name === undefined || name === '' || rest.length > 0) throw invalid(text, 'it has no name, or more than one "@"');
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `${digest} is not a sha256 digest`);
  const colon = name.lastIndexOf(':');
  const hasTag = colon > name.lastIndexOf('/');
  const tag = hasTag ? name.slice(colon + 1) : undefined;
  if (tag !== undefined && !isTag(tag)) throw invalid(text, `"${tag}" is not a tag`);
  const { host, repository } = splitName(hasTag ? name.slice(0, colon) : name);
  if (!isHost(host)) throw invalid(text, `"${host}" is not a host`);
  if (!REPOSITORY_PATTERN.test(repository)) throw invalid(text, `"${repository}" is not a repository path`);
  if (host.length + 1 + repository.length > MAX_NAME_LENGTH) {
    throw invalid(text, `its name is longer than ${MAX_NAME_LENGTH} characters`);
  }
  if (digest === undefined) return { host, repository, tag: tag ?? 'latest' };
  return { host, repository, ...(tag === undefined ? {} : { tag }), digest };
}

/** The full form `host/repository[:tag][@digest]`; `parseReference` of it gives the same reference back. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.host}/${reference.repository}${tag}${digest}`;
}

function splitName(name: string): { host: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  // The rule every client shares: only a dot, a colon, an upper-case letter or `localhost` makes a first component a host.
  const isHostPart = /[.:A-Z]/.test(first) || first === 'localhost';
  const host = isHostPart ? first : 'docker.io';
  const repository = isHostPart ? name.slice(slash + 1) : name;
  if (host !== 'docker.io' && host !== 'index.docker.io') return { host, repository };
  return { host: 'docker.io', repository: repository.includes('/') ? repository : `library/${repository}` };
}

function invalid(text: string, message: string): SealiftError {
  return new SealiftError('InvalidInput', {
    side: 'local',
    operation: 'read reference',
    subject: text,
    message,
    remedy: 'write it as HOST/PATH:TAG or HOST/PATH@sha256:HEX, in lower case, without a scheme',
  });
}
