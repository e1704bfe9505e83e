import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourcePlugin, SourceSelection } from '../../../contracts/source-plugin.ts';
import { SealiftError } from '../../../core/errors.ts';
import { listedImages } from '../../../core/sources/image-list.ts';
import { createItemCollection, type ItemCollection } from '../../../core/sources/item-collection.ts';
import { checkSelection, selectionError } from '../../../core/sources/selection.ts';
import { downloadSnaps } from './download.ts';
import { parseAssertions, looksLikeAssertions, looksLikeSnap } from './schema.ts';
import { addSnaps, type AssertionFile } from './snaps.ts';

/** What was given, told apart. */
interface Inputs {
  /** paths of .snap files */
  snaps: string[];
  assertions: AssertionFile[];
  lists: { file: string; bytes: Uint8Array }[];
}

/**
 * Everything that Canonical Kubernetes needs: the images of the lists and of the lists in the snaps, the snaps, and their
 * assertions.
 *
 * @throws SealiftError InvalidInput, also when a snap is not the one that its assertion speaks of; FileMissing, ToolMissing, ToolFailed
 */
export async function listCanonicalK8s(
  plugin: SourcePlugin,
  selection: SourceSelection,
  context: SourceContext,
): Promise<SourceContents> {
  checkSelection(plugin, selection);
  const inputs = await readInputs(await givenFiles(selection, context), context);
  inputs.snaps.push(...(await downloadSnaps(selection, context)));
  const collection = createItemCollection();
  for (const { file, bytes } of inputs.lists) addImages(file, bytes, collection);
  const found = await addSnaps(inputs.snaps, inputs.assertions, collection, context);
  for (const { file, bytes } of found) addImages(file, bytes, collection);
  const items = collection.items();
  if (!items.some(({ kind }) => kind === 'image')) {
    context.warn('no image is listed: give the output of `k8s list-images`, or the k8s snap');
  }
  return { items, documents: [] };
}

async function givenFiles(selection: SourceSelection, context: SourceContext): Promise<string[]> {
  const files = selection.files.map((file) => (file.startsWith('file:') ? fileURLToPath(file) : file));
  for (const folder of selection.options?.['folder'] ?? []) {
    const names = (await context.names(folder)) ?? [];
    const wanted = names.filter((name) => /\.(snap|assert|txt)$/.test(name));
    if (wanted.length === 0) {
      throw selectionError(
        selection,
        `${folder} holds no .snap, .assert or .txt file`,
        'give the folder that has them',
      );
    }
    files.push(...wanted.map((name) => join(folder, name)));
  }
  return [...new Set(files)];
}

async function readInputs(files: string[], context: SourceContext): Promise<Inputs> {
  const inputs: Inputs = { snaps: [], assertions: [], lists: [] };
  for (const file of files) {
    if (file.endsWith('.snap')) {
      inputs.snaps.push(localSnap(file));
      continue;
    }
    const bytes = await context.read(file);
    const start = Buffer.from(bytes.subarray(0, 4096)).toString('latin1');
    if (looksLikeSnap(start)) inputs.snaps.push(localSnap(file));
    else if (file.endsWith('.assert') || looksLikeAssertions(start)) {
      inputs.assertions.push({ file, assertions: parseAssertions(file, bytes) });
    } else inputs.lists.push({ file, bytes });
  }
  return inputs;
}

/** A snap is hashed, and looked into, where it lies. @throws SealiftError InvalidInput for a URL */
function localSnap(file: string): string {
  if (!/^https?:/.test(file)) return file;
  throw new SealiftError('InvalidInput', {
    side: 'source',
    operation: 'read snap',
    subject: file,
    message: 'a snap is read from a local file, this is a URL',
    remedy: 'fetch the snap and its .assert file first, then give their paths',
  });
}

function addImages(file: string, bytes: Uint8Array, collection: ItemCollection): void {
  const images = listedImages(file, bytes, 'give the output of `k8s list-images`');
  for (const { item, position } of images) collection.add(item, position);
}
