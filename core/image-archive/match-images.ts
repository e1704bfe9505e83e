import type { ArchivedImage } from '../../contracts/bill-of-materials.ts';
import { parseReference } from '../oci/reference.ts';
import { destinationOf } from '../oci/rewrite.ts';
import { archiveError } from './archive-error.ts';
import { nameOf } from './image-documents.ts';

const noRules = { namespace: '', map: {} };

/**
 * Which of the archived images are those that references ask for: by name, or by the path below the registry that the archive's
 * images were renamed for, as {@link destinationOf} renames them.
 * @param registry `HOST[:PORT][/PREFIX]` that the names in the archive begin with; when absent, the one host that all of them
 * have, if it is the host of no reference
 * @returns images by reference; what the archives do not have is absent
 * @throws SealiftError InvalidInput when two references became one renamed image
 */
export function matchImages(
  references: readonly string[],
  images: readonly ArchivedImage[],
  registry?: string,
): Map<string, ArchivedImage> {
  const byName = new Map(images.map((image) => [image.name, image]));
  const renamedFor = registry ?? renamingHost(references, images);
  const matched = new Map<string, ArchivedImage>();
  const takenBy = new Map<string, string>();
  for (const reference of references) {
    const parsed = parseReference(reference);
    const renamed =
      renamedFor === undefined ? undefined : byName.get(`${renamedFor}/${destinationOf(parsed, noRules)}`);
    const image = byName.get(nameOf(parsed)) ?? renamed;
    if (image === undefined) continue;
    const other = takenBy.get(image.name);
    if (other !== undefined) {
      throw archiveError(image.shownAs, `${image.name} may be ${other} or ${reference}: renamed, they are one`, {
        remedy: 'save the images under their own names, or leave one of the two out',
      });
    }
    takenBy.set(image.name, reference);
    matched.set(reference, image);
  }
  return matched;
}

function renamingHost(references: readonly string[], images: readonly ArchivedImage[]): string | undefined {
  const hosts = new Set(images.map(({ name }) => parseReference(name).host));
  const [host] = hosts;
  return hosts.size === 1 && !references.some((one) => parseReference(one).host === host) ? host : undefined;
}
