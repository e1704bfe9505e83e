import type { Digest } from '../../contracts/descriptor.ts';
import type { Bundle } from '../bundle/reader.ts';

/**
 * Several bundles as one, so that an index made of it (Helm's, Debian's, Python's) names the packages of all. What is not
 * about items and blobs is that of the first. Closing it closes nothing: the bundles belong to who opened them.
 */
export function mergeBundles(bundles: readonly [Bundle, ...Bundle[]]): Bundle {
  const [first] = bundles;
  const holderOf = (digest: Digest): Bundle => bundles.find((bundle) => bundle.locate(digest) !== undefined) ?? first;
  return {
    ...first,
    billOfMaterials: {
      ...first.billOfMaterials,
      items: bundles.flatMap(({ billOfMaterials }) => billOfMaterials.items),
    },
    locate: (digest) => holderOf(digest).locate(digest),
    read: (digest, max) => holderOf(digest).read(digest, max),
    readPart: (digest, start, length) => holderOf(digest).readPart(digest, start, length),
    closure: (root) => holderOf(root).closure(root),
    *allBlobs() {
      for (const bundle of bundles) yield* bundle.allBlobs();
    },
    close: () => Promise.resolve(),
  };
}
