import type { Descriptor, Digest } from '../../../contracts/descriptor.ts';
import { MediaType } from '../../../contracts/media-types.ts';
import { SealiftError } from '../../errors.ts';
import type { HttpResponse } from '../../http/client.ts';
import { hexOf } from '../digest.ts';
import { parseManifest } from '../manifest.ts';
import type { ManifestCalls } from './manifests.ts';
import type { RegistrySession } from './session.ts';
import { hasFault, registryError, type StatusContext } from './status.ts';

/** Lists (distribution-spec v1.1, "Listing Tags" and "Listing Referrers"), page after page. */
export interface ListingCalls {
  /** Every tag, in the registry's order; none when the repository is absent. Stops early once it has more than `atMost`. */
  listTags(repository: string, atMost?: number): Promise<string[]>;
  /**
   * What refers to a manifest. A registry without the referrers API is remembered, and from then on only the fallback tag
   * `sha256-<hex>` is read; and not even that when `tags`, all the repository's tags, is given and lacks it.
   * Sizes are the registry's claim (harbor#20187): go by the digests.
   */
  referrers(repository: string, digest: Digest, tags?: ReadonlySet<string>): Promise<Descriptor[]>;
}

const PAGE_SIZE = 1000;
const MAX_PAGES = 10_000;
const ACCEPTED_INDEX = `${MediaType.ociIndex}, application/json`;

export function listingCalls(session: RegistrySession, manifests: ManifestCalls): ListingCalls {
  let hasReferrersApi = true;

  async function ask(repository: string, url: string, operation: string, subject: string): Promise<HttpResponse> {
    const scopes = [session.scope(repository, 'pull')];
    return session.send({ method: 'GET', url, headers: { accept: ACCEPTED_INDEX }, scopes, operation, subject });
  }

  async function fromTag(repository: string, digest: Digest): Promise<Descriptor[]> {
    try {
      const { bytes, descriptor } = await manifests.fetchManifest(repository, fallbackTag(digest));
      return descriptor.mediaType === MediaType.ociIndex ? parseManifest(bytes).children : [];
    } catch (error) {
      if (error instanceof SealiftError && error.type === 'ManifestMissing') return [];
      throw error;
    }
  }

  return {
    async listTags(repository, atMost = Number.POSITIVE_INFINITY) {
      const about = { side: session.side, operation: 'list tags', subject: session.subject(repository) };
      const tags: string[] = [];
      let url: string | undefined = session.url(repository, `tags/list?n=${PAGE_SIZE}`);
      for (let page = 0; url !== undefined && page < MAX_PAGES && tags.length <= atMost; page += 1) {
        const response: HttpResponse = await ask(repository, url, about.operation, about.subject);
        if (response.status === 404) return tags;
        if (response.status !== 200) throw registryError(response, about);
        tags.push(...tagsOf(response, about));
        url = nextPage(response);
      }
      return tags;
    },

    async referrers(repository, digest, tags) {
      const about = { side: session.side, operation: 'list referrers', subject: session.subject(repository, digest) };
      const found: Descriptor[] = [];
      let url: string | undefined = hasReferrersApi ? session.url(repository, `referrers/${digest}`) : undefined;
      for (let page = 0; url !== undefined && page < MAX_PAGES; page += 1) {
        const response: HttpResponse = await ask(repository, url, about.operation, about.subject);
        if (response.status === 404 && hasFault(response, 'NAME_UNKNOWN', 'MANIFEST_UNKNOWN')) return found;
        if (lacksApi(response)) {
          hasReferrersApi = false;
          break;
        }
        if (response.status !== 200) throw registryError(response, about);
        found.push(...parseManifest(response.body, MediaType.ociIndex).children);
        url = nextPage(response);
      }
      if (hasReferrersApi) return found;
      return tags === undefined || tags.has(fallbackTag(digest)) ? fromTag(repository, digest) : [];
    },
  };
}

/** The tag that stands in for the referrers API (distribution-spec v1.1, "Referrers Tag Schema"). */
export function fallbackTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}`;
}

/** Absent API: 404 by the specification; others refuse the unknown path, or answer with something that is no index. */
function lacksApi(response: HttpResponse): boolean {
  if ([400, 404, 405, 406, 501].includes(response.status)) return true;
  return response.status === 200 && !(response.headers['content-type'] ?? '').startsWith(MediaType.ociIndex);
}

function tagsOf(response: HttpResponse, about: StatusContext): string[] {
  try {
    const { tags } = JSON.parse(new TextDecoder().decode(response.body)) as { tags?: unknown };
    if (tags === null || tags === undefined) return [];
    if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags;
  } catch {
    // What is not JSON is reported as what is not a list.
  }
  throw registryError(response, {
    ...about,
    as: 'RequestRefused',
    remedy: 'check that a registry answers at this address',
  });
}

/** The `next` URL of a Link header (RFC 8288), when it stays on the same server and leads on. */
function nextPage(response: HttpResponse): string | undefined {
  const link = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(response.headers['link'] ?? '')?.[1];
  if (link === undefined || !URL.canParse(link, response.url)) return undefined;
  const next = new URL(link, response.url);
  return next.origin === new URL(response.url).origin && next.href !== response.url ? next.href : undefined;
}
