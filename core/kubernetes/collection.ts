import { z } from 'zod';

/** Objects a page: what an API server does well, and well below the limit of one answer. */
const PAGE = 200;
/** How often a list is begun anew when it changed under way for longer than the API server remembers. */
const MAX_BEGINNINGS = 3;

const pageSchema = z.looseObject({
  metadata: z.looseObject({ continue: z.string().optional(), resourceVersion: z.string().optional() }).optional(),
  items: z.array(z.unknown()).nullable(),
});

export interface Collection {
  items: unknown[];
  /** where a watch of the collection goes on from */
  resourceVersion: string;
}

/** Why a collection cannot be read although the API server answers. */
export type CollectionTrouble = 'no list' | 'changing';

/**
 * Reads a collection page by page (kubernetes.io, "API Concepts", "Retrieving large results sets in chunks").
 * @param readPage asks with these query parameters; undefined when the API server no longer knows where the list was (410 Gone)
 * @param trouble makes the error that is thrown
 */
export async function readCollection(
  readPage: (query: Record<string, string>) => Promise<unknown>,
  trouble: (what: CollectionTrouble) => Error,
): Promise<Collection> {
  for (let beginning = 1; beginning <= MAX_BEGINNINGS; beginning += 1) {
    const collection = await readOnce(readPage, trouble);
    if (collection !== undefined) return collection;
  }
  throw trouble('changing');
}

async function readOnce(
  readPage: (query: Record<string, string>) => Promise<unknown>,
  trouble: (what: CollectionTrouble) => Error,
): Promise<Collection | undefined> {
  const items: unknown[] = [];
  for (let next = ''; ;) {
    const answer = await readPage({ limit: String(PAGE), ...(next === '' ? {} : { continue: next }) });
    if (answer === undefined) return undefined;
    const page = pageSchema.safeParse(answer);
    if (!page.success) throw trouble('no list');
    items.push(...(page.data.items ?? []));
    const { continue: token = '', resourceVersion = '' } = page.data.metadata ?? {};
    if (token === '') return { items, resourceVersion };
    next = token;
  }
}
