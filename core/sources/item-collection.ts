import type { Checksums, SourceItem } from '../../contracts/bill-of-materials.ts';
import { inputError, positionText, type InputPosition } from './input-error.ts';
import { parseReferenceAt } from './reference-at.ts';

/** What a source plugin has found so far: duplicates collapse, contradictions are refused. */
export interface ItemCollection<T extends SourceItem = SourceItem> {
  /**
   * Takes an item found at `position`. One that is there already only adds what was not known: a digest, an archive, checksums, platforms, a fuller spelling.
   * @throws SealiftError InvalidInput when a tag is stated with two digests or lies in two archives, or a URL has two checksums
   */
  add(item: T, position: InputPosition): void;
  /** Everything once, sorted by kind and then reference, by code unit so that no locale has a say. */
  items(): T[];
}

interface Found<T extends SourceItem> {
  item: T;
  position: InputPosition;
}

export function createItemCollection<T extends SourceItem = SourceItem>(): ItemCollection<T> {
  const found = new Map<string, Found<T>>();

  function add(item: T, position: InputPosition): void {
    const key = identityOf(item, position);
    const earlier = found.get(key);
    if (earlier === undefined) found.set(key, { item, position });
    else found.set(key, { item: merged(earlier, item, position), position: earlier.position });
  }

  function items(): T[] {
    return [...found.values()].map(({ item }) => item).sort(byKindAndReference);
  }

  return { add, items };
}

function byKindAndReference(a: SourceItem, b: SourceItem): number {
  if (a.kind !== b.kind) return a.kind < b.kind ? -1 : 1;
  if (a.reference === b.reference) return 0;
  return a.reference < b.reference ? -1 : 1;
}

// A tag may be written with and without its digest: the tag is what must not be ambiguous on the far side.
function identityOf(item: SourceItem, position: InputPosition): string {
  if (item.kind === 'manifest' || item.kind === 'file') return item.reference;
  const { host, repository, tag, digest } = parseReferenceAt(item.reference, position);
  return `${host}/${repository}${tag === undefined ? `@${digest}` : `:${tag}`}`;
}

function merged<T extends SourceItem>(earlier: Found<T>, item: T, position: InputPosition): T {
  const first = earlier.item;
  refuseContradiction('digest', first.digest, item.digest, earlier, position);
  refuseContradiction('sha256', first.checksums?.sha256, item.checksums?.sha256, earlier, position);
  refuseContradiction('sha512', first.checksums?.sha512, item.checksums?.sha512, earlier, position);
  refuseContradiction('archive', first.archive?.shownAs, item.archive?.shownAs, earlier, position);
  const digest = first.digest ?? item.digest;
  const archive = first.archive ?? item.archive;
  const checksums: Checksums = { ...item.checksums, ...first.checksums };
  const platforms = [...new Set([...(first.platforms ?? []), ...(item.platforms ?? [])])].sort();
  return {
    ...first,
    reference: fuller(first.reference, item.reference),
    ...(digest === undefined ? {} : { digest }),
    ...(archive === undefined ? {} : { archive }),
    ...(Object.keys(checksums).length === 0 ? {} : { checksums }),
    ...(platforms.length === 0 ? {} : { platforms }),
  };
}

// Of two spellings the longer one says more (host, digest), and the choice does not hang on the order of the files.
function fuller(a: string, b: string): string {
  if (a.length !== b.length) return a.length > b.length ? a : b;
  return a < b ? a : b;
}

function refuseContradiction(
  what: 'digest' | 'archive' | 'sha256' | 'sha512',
  stated: string | undefined,
  found: string | undefined,
  earlier: Found<SourceItem>,
  position: InputPosition,
): void {
  if (stated === undefined || found === undefined || stated === found) return;
  const message = `${earlier.item.reference} has the ${what} ${found} here and ${stated} at ${positionText(earlier.position)}`;
  throw inputError(position, message, { remedy: 'find out which of the two is right and correct the other' });
}

/** What several sources list, together: what they share is there once, under the first that lists it. @throws SealiftError InvalidInput as `add` */
export function itemsOfSources(
  listed: readonly { source: string; items: readonly SourceItem[] }[],
): (SourceItem & { source: string })[] {
  const collection = createItemCollection<SourceItem & { source: string }>();
  for (const { source, items } of listed) {
    for (const item of items) collection.add({ ...item, source }, { file: `source ${source}`, field: item.foundAt });
  }
  return collection.items();
}
