import type { Digest } from '../../contracts/descriptor.ts';
import { SealiftError } from '../errors.ts';
import { fallbackTag } from './registry/listings.ts';
import type { FetchedManifest } from './registry/manifests.ts';
import type { RegistryClient } from './registry/client.ts';

/** A signature, SBOM or attestation of a manifest. */
export interface AttachedManifest extends FetchedManifest {
  /** for what is attached by tag alone: the tag it must have on the far side as well */
  tag?: string;
  /** the manifest it speaks of */
  subject: Digest;
}

/** Suffixes that cosign gave to the tags of signatures, attestations and SBOMs before OCI 1.1. */
const COSIGN_SUFFIXES = ['.sig', '.att', '.sbom'];
/** Signatures of signatures exist; deeper chains are an attack, not a habit. */
const MAX_DEPTH = 4;
/** Repositories with more tags are asked tag by tag instead of being listed. */
const MAX_LISTED_TAGS = 3000;

/**
 * Everything attached to these manifests of one repository, each once: referrers and theirs (by the OCI 1.1 API, or by
 * fallback tag where the registry lacks it), and cosign's tags. A repository's tags are listed once, so that a registry
 * without the API costs one request for all of them.
 * @throws SealiftError as RegistryClient does
 */
export async function findAttached(
  client: RegistryClient,
  repository: string,
  digests: Digest[],
): Promise<AttachedManifest[]> {
  const tags = await knownTags(client, repository);
  const found: AttachedManifest[] = [];
  const seen = new Set<Digest>(digests);
  const add = (manifest: AttachedManifest | undefined): void => {
    if (manifest === undefined || seen.has(manifest.descriptor.digest)) return;
    seen.add(manifest.descriptor.digest);
    found.push(manifest);
  };
  let subjects = [...new Set(digests)];
  for (let depth = 0; depth < MAX_DEPTH && subjects.length > 0; depth += 1) {
    const before = found.length;
    for (const subject of subjects) {
      for (const { digest } of await client.referrers(repository, subject, tags)) {
        if (!seen.has(digest)) add(await fetchReferrer(client, repository, digest, subject));
      }
      for (const suffix of COSIGN_SUFFIXES) {
        add(await fetchTagged(client, repository, subject, `${fallbackTag(subject)}${suffix}`, tags));
      }
    }
    subjects = found.slice(before).map(({ descriptor }) => descriptor.digest);
  }
  return found;
}

/** @returns every tag of the repository; undefined when there are too many, or they may not be listed */
async function knownTags(client: RegistryClient, repository: string): Promise<ReadonlySet<string> | undefined> {
  try {
    const tags = await client.listTags(repository, MAX_LISTED_TAGS);
    return tags.length > MAX_LISTED_TAGS ? undefined : new Set(tags);
  } catch (error) {
    // Some accounts may pull and not list.
    if (error instanceof SealiftError && error.disposition === 'mendable') return undefined;
    throw error;
  }
}

async function fetchReferrer(
  client: RegistryClient,
  repository: string,
  digest: Digest,
  subject: Digest,
): Promise<AttachedManifest | undefined> {
  const fetched = await client.fetchManifest(repository, digest).catch(absentAsUndefined);
  return fetched === undefined ? undefined : { ...fetched, subject };
}

async function fetchTagged(
  client: RegistryClient,
  repository: string,
  subject: Digest,
  tag: string,
  tags: ReadonlySet<string> | undefined,
): Promise<AttachedManifest | undefined> {
  const isThere = tags === undefined ? (await client.headManifest(repository, tag)) !== undefined : tags.has(tag);
  if (!isThere) return undefined;
  const fetched = await client.fetchManifest(repository, tag).catch(absentAsUndefined);
  return fetched === undefined ? undefined : { ...fetched, tag, subject };
}

/** Lists outlive what they list (`cosign clean`, garbage collection): what is gone is not attached. */
function absentAsUndefined(error: unknown): undefined {
  if (error instanceof SealiftError && error.type === 'ManifestMissing') return undefined;
  throw error;
}
