import type { Digest } from '../../contracts/descriptor.ts';
import type { Bundle } from '../bundle/reader.ts';
import { placedTargets } from '../import/targets.ts';
import type { Target } from '../import/plan-types.ts';
import { parseReference, type Reference } from '../oci/reference.ts';
import { splitDestination, destinationOf, type DestinationRules } from '../oci/rewrite.ts';

/** Tags of one repository. */
export type Repository = ReadonlyMap<string, Digest>;

/** The repositories of some bundles, under both names that clients use. */
export interface Repositories {
  /**
   * @param origin what containerd says in `?ns=`: the host that the client's reference names; the name is then the
   *   original path, or the one import would give it. Without it only the latter.
   */
  find(name: string, origin?: string): Repository | undefined;
  /** names as import would give them, sorted */
  names: readonly string[];
  /** roots and what is attached to them, each once */
  manifests: ReadonlySet<Digest>;
  /** tags that two bundles, or two items, give different content */
  warnings: string[];
}

const NO_RULES: DestinationRules = { namespace: '', map: {} };

/**
 * Names everything in the bundles as `sealift import` with these rules would. Where two want the same tag, the first
 * one has it.
 *
 * @throws SealiftError InvalidInput when a rule makes a name that is no repository
 */
export function repositoriesOf(bundles: readonly Bundle[], rules: DestinationRules): Repositories {
  const placed = new TagTable();
  const original = new TagTable();
  const manifests = new Set<Digest>();
  for (const bundle of bundles) {
    for (const target of placedTargets(bundle, rules)) {
      for (const root of [target.root, ...target.attached.map(({ digest }) => digest)]) manifests.add(root);
      placed.add(target.repository, target.tag, target, bundle.path);
      if (target.kind === 'image' || target.kind === 'chart') {
        const { host, repository, tag } = originOf(target);
        original.add(`${host}/${repository}`, tag, target, bundle.path);
        if (repository !== target.repository) {
          original.add(`${host}/${target.repository}`, target.tag, target, bundle.path);
        }
      }
    }
  }
  return {
    find: (name, origin) => (origin === undefined ? placed.get(name) : original.get(`${origin}/${name}`)),
    names: placed.names(),
    manifests,
    warnings: placed.conflicts,
  };
}

/** A reference without a tag gets the one that import gives it. */
function originOf(target: Target): { host: string; repository: string; tag: string } {
  const reference: Reference = parseReference(target.reference);
  const { tag } = splitDestination(destinationOf(reference, NO_RULES));
  return { host: reference.host, repository: reference.repository, tag };
}

class TagTable {
  readonly conflicts: string[] = [];
  readonly #repositories = new Map<string, Map<string, Digest>>();

  add(repository: string, tag: string, target: Target, path: string): void {
    const tags = this.#repositories.get(repository) ?? new Map<string, Digest>();
    this.#repositories.set(repository, tags);
    this.#addTag(tags, repository, tag, target.root, `${target.reference} of ${path}`);
    for (const { digest, tag: attachedTag } of target.attached) {
      if (attachedTag === undefined) continue;
      this.#addTag(tags, repository, attachedTag, digest, `what is attached to ${target.reference} in ${path}`);
    }
  }

  get(repository: string): Repository | undefined {
    return this.#repositories.get(repository);
  }

  names(): string[] {
    return [...this.#repositories.keys()].sort(byCode);
  }

  #addTag(tags: Map<string, Digest>, repository: string, tag: string, digest: Digest, from: string): void {
    const known = tags.get(tag);
    if (known === undefined) tags.set(tag, digest);
    else if (known !== digest) {
      this.conflicts.push(`${repository}:${tag} stays ${known}; ${from} has ${digest}: pull that by digest`);
    }
  }
}

/** The order of the distribution specification: by code, not by language. */
export function byCode(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
