import { join } from 'node:path';
import type { SourceDocument, SourceItem } from '../../contracts/bill-of-materials.ts';
import type { SourceContext, SourcePlugin, SourceSelection } from '../../contracts/source-plugin.ts';
import { SealiftError } from '../errors.ts';
import { createSourceContext } from './context.ts';
import { itemsOfSources } from './item-collection.ts';

/** What several sources need together, each thing with the source that stated it first. */
export interface ListedSources {
  items: (SourceItem & { source: string })[];
  documents: (SourceDocument & { source: string })[];
}

export interface ListingTools {
  sourceNamed: (name: string) => SourcePlugin;
  read: SourceContext['read'];
  warn: SourceContext['warn'];
  /** a folder on this machine; what sources make there has to stay until all is fetched */
  scratch: string;
}

/**
 * Asks every selected source what it needs; what is the same for several is there once.
 * @throws SealiftError InvalidInput with file, line and field, or when two documents that differ want one place; those of reading
 */
export async function listSources(
  selections: readonly SourceSelection[],
  { sourceNamed, read, warn, scratch }: ListingTools,
): Promise<ListedSources> {
  const listed: { source: string; items: SourceItem[] }[] = [];
  const documents: ListedSources['documents'] = [];
  for (const selection of selections) {
    const { source } = selection;
    const context = createSourceContext({ read, warn, scratch: join(scratch, source) });
    const found = await sourceNamed(source).list(selection, context);
    listed.push({ source, items: found.items });
    for (const document of found.documents) addDocument(documents, { ...document, source });
  }
  return { items: itemsOfSources(listed), documents };
}

// Nothing on the far side can give one of two documents another place, so it would be too late to find out there.
function addDocument(documents: ListedSources['documents'], document: ListedSources['documents'][number]): void {
  const known = documents.find(({ destination }) => destination === document.destination);
  if (known === undefined) documents.push(document);
  else if (Buffer.compare(known.content, document.content) !== 0) {
    throw new SealiftError('InvalidInput', {
      side: 'source',
      operation: 'list what is needed by',
      subject: `source ${document.source}`,
      message: `its ${document.title} and the ${known.title} of source ${known.source} differ, and both go to ${document.destination}`,
      remedy: 'give only one of the two, or export them into two bundles',
    });
  }
}
