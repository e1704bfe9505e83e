import type { SourceContents, SourceItem } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourcePlugin, SourceSelection } from '../../../contracts/source-plugin.ts';
import { parseReference } from '../../../core/oci/reference.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import { createItemCollection } from '../../../core/sources/item-collection.ts';
import { parseReferenceAt, pinnedDigest } from '../../../core/sources/reference-at.ts';
import { checkSelection } from '../../../core/sources/selection.ts';
import { decodeText } from '../../../core/sources/text.ts';
import { listedReferences, type ListedReference } from './schema.ts';

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
    const references = listedReferences(decodeText(file, await context.read(file)));
    if (references.length === 0) {
      throw inputError({ file, line: 1 }, 'the file lists no image', { remedy: 'write one image reference a line' });
    }
    for (const listed of references) collection.add(imageItem(listed, file), { file, line: listed.line });
  }
  return { items: collection.items(), documents: [] };
}

function imageItem(listed: ListedReference, file: string): SourceItem {
  const position = { file, line: listed.line };
  const digest = pinnedDigest(listed.text, undefined, position);
  return {
    kind: 'image',
    name: lastPathSegment(parseReferenceAt(listed.text, position).repository),
    reference: listed.text,
    ...(digest === undefined ? {} : { digest }),
    foundAt: `${lastPathSegment(file)}:${listed.line}`,
  };
}

function lastPathSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
