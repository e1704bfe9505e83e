import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourcePlugin, SourceSelection } from '../../../contracts/source-plugin.ts';
import { parseReference } from '../../../core/oci/reference.ts';
import { listedImages } from '../../../core/sources/image-list.ts';
import { createItemCollection } from '../../../core/sources/item-collection.ts';
import { checkSelection } from '../../../core/sources/selection.ts';
import { listedReferences } from './schema.ts';

/** A plain list of images: one reference a line, `#` comments, several files in one go. */
export const images: SourcePlugin = {
  name: 'images',
  summary: 'a plain list of image references, one a line',
  generic: true,
  selections: [],
  recognises,
  list,
};

// One slip in a long list must still be reported with its line, so most of the references decide, not all of them.
function recognises(content: string): boolean {
  const lines = listedReferences(content);
  const references = lines.filter(({ text }) => isReference(text));
  return references.length * 2 > lines.length;
}

function isReference(text: string): boolean {
  // A bare word such as `hello` is a valid Docker Hub reference; a list that is meant as one has a path, tag or digest.
  if (!/[/:@]/.test(text)) return false;
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

async function list(selection: SourceSelection, context: SourceContext): Promise<SourceContents> {
  checkSelection(images, selection);
  const collection = createItemCollection();
  for (const file of selection.files) {
    for (const { item, position } of listedImages(file, await context.read(file))) collection.add(item, position);
  }
  return { items: collection.items(), documents: [] };
}
