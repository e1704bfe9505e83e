import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { SourceItem } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext } from '../../../contracts/source-plugin.ts';
import { inputError } from '../../../core/sources/input-error.ts';
import type { ItemCollection } from '../../../core/sources/item-collection.ts';
import { parseYamlDocuments, readShape } from '../../../core/sources/yaml-documents.ts';
import { assertionError, parseAssertions, type Assertion } from './schema.ts';

const IMAGES = 'images.txt';
const DESCRIPTION = 'meta/snap.yaml';

const snapShape = z.object({ name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/), base: z.string().optional() });

export interface AssertionFile {
  file: string;
  assertions: Assertion[];
}

/**
 * Adds snaps and their assertions: those given, and those that lie beside a snap under its name.
 *
 * @returns the lists of images in the snaps
 * @throws SealiftError InvalidInput when a snap is not the one that its assertion speaks of, or is damaged
 */
export async function addSnaps(
  snaps: string[],
  given: AssertionFile[],
  collection: ItemCollection,
  context: SourceContext,
): Promise<{ file: string; bytes: Uint8Array }[]> {
  const lists: { file: string; bytes: Uint8Array }[] = [];
  const names = new Set<string>();
  const bases = new Map<string, string>();
  const used = new Set<string>();
  for (const snap of [...snaps].sort()) {
    const { name, base } = await describe(snap, context);
    names.add(name);
    if (base !== undefined) bases.set(base, name);
    const assertion = await assertionOf(snap, given, context);
    if (assertion === undefined) {
      context.warn(`${snap} has no .assert file beside it: a node can only install it with --dangerous`);
    } else {
      await checkSnap(snap, assertion, context);
      used.add(assertion.file);
      await addFile(assertion.file, `${name}.assert`, collection, context);
    }
    await addFile(snap, `${name}.snap`, collection, context);
    const list = await context.readEntry(snap, IMAGES);
    if (list !== undefined) lists.push({ file: `${snap}/${IMAGES}`, bytes: list });
  }
  for (const { file } of given) {
    if (used.has(file)) continue;
    context.warn(`${file} speaks of no snap that is given: it is carried unchecked`);
    await addFile(file, basename(file), collection, context);
  }
  for (const [base, name] of bases) {
    if (!names.has(base)) context.warn(`the snap ${name} runs on ${base}, which is not given: nodes need it too`);
  }
  return lists;
}

/** The snap that a snap runs on, e.g. core22; undefined when it needs none. @throws SealiftError InvalidInput */
export async function baseOf(snap: string, context: SourceContext): Promise<string | undefined> {
  return (await describe(snap, context)).base;
}

async function describe(snap: string, context: SourceContext): Promise<{ name: string; base?: string | undefined }> {
  const bytes = await context.readEntry(snap, DESCRIPTION);
  if (bytes === undefined) {
    throw inputError({ file: snap }, `it is no snap: it has no ${DESCRIPTION}`, {
      remedy: 'give the .snap file that `snap download` wrote',
    });
  }
  const [document] = parseYamlDocuments(`${snap}/${DESCRIPTION}`, bytes);
  return readShape(document!, snapShape);
}

/** The given file that speaks of the snap by name or place, or the one beside it. */
async function assertionOf(
  snap: string,
  given: AssertionFile[],
  context: SourceContext,
): Promise<AssertionFile | undefined> {
  const file = `${basename(snap).replace(/\.snap$/, '')}.assert`;
  const named = given.find((one) => basename(one.file) === file);
  if (named !== undefined) return named;
  const beside = join(dirname(snap), file);
  if ((await context.names(dirname(snap)))?.includes(file) !== true) return undefined;
  return { file: beside, assertions: parseAssertions(beside, await context.read(beside)) };
}

/** @throws SealiftError InvalidInput naming both files when hash or size differ */
async function checkSnap(snap: string, { file, assertions }: AssertionFile, context: SourceContext): Promise<void> {
  const revision = assertions.find(({ headers }) => headers.get('type') === 'snap-revision');
  if (revision === undefined) throw assertionError(file, 1, `it has no snap-revision assertion for ${snap}`);
  const { headers, line } = revision;
  const found = Buffer.from(await context.hash(snap, 'sha3-384'), 'hex').toString('base64url');
  const size = await context.size(snap);
  const differing = [
    ['snap-sha3-384', headers.get('snap-sha3-384'), found],
    ['snap-size', headers.get('snap-size'), String(size)],
  ].find(([, stated, actual]) => stated !== actual);
  if (differing === undefined) return;
  const [header, stated = 'missing', actual] = differing;
  throw inputError(
    { file, line },
    `the assertion is not that of ${snap}: its ${header} is ${stated}, the snap has ${actual}`,
    {
      remedy: 'download the snap again: the .snap and the .assert file must come from one `snap download`',
    },
  );
}

async function addFile(file: string, name: string, collection: ItemCollection, context: SourceContext): Promise<void> {
  const item: SourceItem = {
    kind: 'file',
    name,
    reference: pathToFileURL(file).href,
    checksums: { sha256: await context.hash(file, 'sha256') },
    package: 'snap',
    foundAt: basename(file),
  };
  collection.add(item, { file });
}
