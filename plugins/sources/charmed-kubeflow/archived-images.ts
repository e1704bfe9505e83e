import type { ArchivedImage, SourceItem } from '../../../contracts/bill-of-materials.ts';
import type { SourceSelection } from '../../../contracts/source-plugin.ts';
import { isHost } from '../../../core/http/addresses.ts';
import { matchImages } from '../../../core/image-archive/match-images.ts';
import { isRepository, parseReference } from '../../../core/oci/reference.ts';
import type { ItemCollection } from '../../../core/sources/item-collection.ts';
import { selectionError } from '../../../core/sources/selection.ts';

const OPTION = 'renamed-for';

/**
 * Says of the images that are collected which lie in the archives, and adds those that the archives alone have.
 * @throws SealiftError InvalidInput when renamed images can't be told apart, or an image lies in two archives
 */
export function addArchivedImages(
  collection: ItemCollection,
  images: readonly ArchivedImage[],
  selection: SourceSelection,
): void {
  const wanted = collection.items().filter(({ kind }) => kind === 'image');
  const references = wanted.map(({ reference }) => reference);
  const matched = matchImages(references, images, renamedFor(selection));
  for (const item of wanted) {
    const archive = matched.get(item.reference);
    if (archive !== undefined) collection.add({ ...item, archive }, { file: archive.shownAs });
  }
  const used = new Set(matched.values());
  for (const archive of images.filter((image) => !used.has(image))) {
    const { repository } = parseReference(archive.name);
    const item: SourceItem = {
      kind: 'image',
      name: repository.slice(repository.lastIndexOf('/') + 1),
      reference: archive.name,
      archive,
      foundAt: archive.shownAs,
    };
    collection.add(item, { file: archive.shownAs });
  }
}

function renamedFor(selection: SourceSelection): string | undefined {
  const registry = selection.options?.[OPTION]?.at(-1)?.replace(/\/$/, '');
  if (registry === undefined) return undefined;
  const [host = '', ...prefix] = registry.split('/');
  if (isHost(host) && (prefix.length === 0 || isRepository(prefix.join('/')))) return registry;
  throw selectionError(selection, `${OPTION} ${registry} is no registry`, 'write HOST[:PORT][/PREFIX]');
}
