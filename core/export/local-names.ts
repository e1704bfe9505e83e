import type { Digest } from '../../contracts/descriptor.ts';
import { hexOf } from '../oci/digest.ts';

/**
 * What the files of this machine are called in a bundle. Where they lie is nobody's business on the far side, and would make
 * another bundle of the same files in another folder: `file:///k8s.snap`, or `file:///1f0c3d9a77e2/k8s.snap` where several of one name differ.
 *
 * @returns reference of an item to its name in the bundle; those that are no `file:` URL keep theirs
 */
export function bundleReferences(items: readonly { reference: string; digest: Digest }[]): Map<string, string> {
  const digestsOf = new Map<string, Set<Digest>>();
  for (const { reference, digest } of items.filter(isLocal)) {
    const name = baseName(reference);
    digestsOf.set(name, (digestsOf.get(name) ?? new Set()).add(digest));
  }
  return new Map(
    items.map((item) => {
      if (!isLocal(item)) return [item.reference, item.reference];
      const name = baseName(item.reference);
      const folder = digestsOf.get(name)!.size > 1 ? `${hexOf(item.digest).slice(0, 12)}/` : '';
      return [item.reference, `file:///${folder}${name}`];
    }),
  );
}

function isLocal({ reference }: { reference: string }): boolean {
  return reference.startsWith('file:');
}

/** A reference without the folder of a file of this machine. */
export function publicName(reference: string): string {
  return isLocal({ reference }) ? `file:///${baseName(reference)}` : reference;
}

function baseName(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1);
}
