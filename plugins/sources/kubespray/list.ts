import type { SourceContents, SourceItem } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourcePlugin, SourceSelection } from '../../../contracts/source-plugin.ts';
import { createItemCollection } from '../../../core/sources/item-collection.ts';
import { checkSelection } from '../../../core/sources/selection.ts';
import { decodeText } from '../../../core/sources/text.ts';
import { carriedDocuments } from './carried-documents.ts';
import { readCheckout, type InputFile } from './checkout.ts';
import { createChecksumTable } from './checksums.ts';
import { debItems, namedPackages } from './debs.ts';
import { addList, downloadUrl, helmItem } from './lists.ts';
import { optionError, optionValues, pathOption } from './options.ts';
import { inputKind, type InputKind } from './schema.ts';
import { systemPackages } from './system-packages.ts';
import { wheelItems } from './wheels.ts';

/** An input file, read. */
interface Input extends InputFile {
  text: string;
  kind: InputKind;
}

/** Everything that Kubespray downloads, by its own lists. @throws SealiftError InvalidInput with file and line */
export async function listKubespray(
  plugin: SourcePlugin,
  selection: SourceSelection,
  context: SourceContext,
): Promise<SourceContents> {
  const inputs = await readInputs(plugin, selection, context);
  const checksums = createChecksumTable();
  for (const input of ofKind(inputs, 'checksums')) checksums.add(input.file, input.bytes);
  const collection = createItemCollection();
  const warn = (message: string): void => context.warn(message);
  for (const input of ofKind(inputs, 'lists')) addList(input.file, input.text, { collection, checksums, warn });
  for (const url of optionValues(selection, 'helm-charts')) {
    const position = { file: '--source-option helm-charts' };
    downloadUrl(url, position);
    collection.add(helmItem(url, 'helm-charts'), position);
  }
  for (const item of await packageItems(inputs, selection, context)) collection.add(item, { file: item.foundAt });
  return { items: collection.items(), documents: carriedDocuments(inputs) };
}

async function packageItems(
  inputs: readonly Input[],
  selection: SourceSelection,
  context: SourceContext,
): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  const named = namedPackages(selection);
  const asked = ofKind(inputs, 'system-packages').flatMap(({ file, bytes }) => systemPackages(file, bytes, selection));
  const perhaps = [...new Set(asked)].filter((name) => !named.includes(name));
  if (named.length + perhaps.length > 0) items.push(...(await debItems({ named, perhaps }, selection, context)));
  else refuseIdle('deb-sources', 'no package is named', 'name some with deb-packages, or give system_packages.yml');
  const requirements = ofKind(inputs, 'requirements');
  if (requirements.length === 0) refuseIdle('python-version', 'there are no requirements', 'give requirements.txt');
  for (const input of requirements) items.push(...(await wheelItems(input, selection, context)));
  return items;

  function refuseIdle(name: 'deb-sources' | 'python-version', message: string, remedy: string): void {
    if (optionValues(selection, name).length === 0) return;
    throw optionError(selection, name, `is given, and ${message}`, remedy);
  }
}

async function readInputs(plugin: SourcePlugin, selection: SourceSelection, context: SourceContext): Promise<Input[]> {
  const checkout = pathOption(selection, 'checkout');
  // A checkout is input enough.
  checkSelection(plugin, checkout === undefined ? selection : { ...selection, files: [...selection.files, checkout] });
  const files: InputFile[] = [];
  for (const file of new Set(selection.files)) files.push({ file, bytes: await context.read(file) });
  if (checkout !== undefined) files.push(...(await readCheckout(checkout, selection, context)));
  return files.map(({ file, bytes }) => {
    const text = decodeText(file, bytes);
    return { file, bytes, text, kind: inputKind(text) };
  });
}

function ofKind(inputs: readonly Input[], kind: InputKind): Input[] {
  return inputs.filter((input) => input.kind === kind);
}
