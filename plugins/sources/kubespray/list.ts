import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourcePlugin, SourceSelection } from '../../../contracts/source-plugin.ts';
import { createItemCollection } from '../../../core/sources/item-collection.ts';
import { checkSelection } from '../../../core/sources/selection.ts';
import { decodeText } from '../../../core/sources/text.ts';
import { carriedDocuments } from './carried-documents.ts';
import { createChecksumTable } from './checksums.ts';
import { addList, downloadUrl, helmItem } from './lists.ts';
import { optionValues } from './options.ts';
import { inputKind, type InputKind } from './schema.ts';

/** An input file, read. */
export interface Input {
  file: string;
  bytes: Uint8Array;
  text: string;
  kind: InputKind;
}

/** Everything that Kubespray downloads, by its own lists. @throws SealiftError InvalidInput with file and line */
export async function listKubespray(
  plugin: SourcePlugin,
  selection: SourceSelection,
  context: SourceContext,
): Promise<SourceContents> {
  checkSelection(plugin, selection);
  const inputs = await readInputs(selection, context);
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
  return { items: collection.items(), documents: carriedDocuments(inputs) };
}

async function readInputs(selection: SourceSelection, context: SourceContext): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const file of new Set(selection.files)) {
    const bytes = await context.read(file);
    const text = decodeText(file, bytes);
    inputs.push({ file, bytes, text, kind: inputKind(text) });
  }
  return inputs;
}

function ofKind(inputs: readonly Input[], kind: InputKind): Input[] {
  return inputs.filter((input) => input.kind === kind);
}
