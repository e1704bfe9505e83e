import type { BillOfMaterials, SourceContents, SourceDocument, SourceItem } from '../../contracts/bill-of-materials.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import type { ExportArtifactsInput } from '../../contracts/operations.ts';
import type { SourcePlugin, SourceSelection } from '../../contracts/source-plugin.ts';
import type { Remotes } from '../oci/remotes.ts';
import { createSourceContext } from '../sources/context.ts';
import { itemsOfSources } from '../sources/item-collection.ts';
import type { WorkFolder } from '../transfer/work-folder.ts';

/** What the sources said, kept in the work folder: documents as blobs, items as they are. */
export interface Contents {
  items: (SourceItem & { source: string })[];
  documents: (Omit<SourceDocument, 'content'> & { source: string; digest: Digest; size: number })[];
  warnings: string[];
  /** as the bill of materials names them */
  sources: BillOfMaterials['sources'];
}

const CONTENTS = 'contents.json';

/** Asks every selected source what it needs. @throws SealiftError InvalidInput with file, line and field; those of reading */
export async function listContents(
  input: ExportArtifactsInput,
  tools: { folder: WorkFolder; remotes: Remotes; sourceNamed: (name: string) => SourcePlugin },
): Promise<Contents> {
  const sources = input.selections.map((selection) => selected(tools.sourceNamed(selection.source), selection));
  const contents: Contents = { items: [], documents: [], warnings: [], sources };
  const found: { source: string; items: SourceItem[] }[] = [];
  for (const selection of input.selections) {
    const { source } = selection;
    const listed = await listSource(tools, selection, (warning) => contents.warnings.push(warning));
    found.push({ source, items: listed.items });
    for (const { content, ...document } of listed.documents) {
      const digest = await tools.folder.writeBlob(content);
      const known = contents.documents.some((one) => one.destination === document.destination && one.digest === digest);
      if (!known) contents.documents.push({ ...document, source, digest, size: content.length });
    }
  }
  contents.items = itemsOfSources(found);
  await tools.folder.writeJson(CONTENTS, contents);
  return contents;
}

/** What was selected. Where input files lie on this machine is nobody else's business, and would make equal bundles differ. */
function selected(
  plugin: SourcePlugin,
  { source, kubeVersions, providers, release, options }: SourceSelection,
): BillOfMaterials['sources'][number] {
  const paths = new Set((plugin.options ?? []).flatMap(({ name, path }) => (path === true ? [name] : [])));
  const told = Object.fromEntries(Object.entries(options ?? {}).filter(([name]) => !paths.has(name)));
  return {
    name: source,
    selection: { ...told, kubeVersions, providers, ...(release === undefined ? {} : { release: [release] }) },
  };
}

function listSource(
  tools: { folder: WorkFolder; remotes: Remotes; sourceNamed: (name: string) => SourcePlugin },
  selection: SourceSelection,
  warn: (message: string) => void,
): Promise<SourceContents> {
  const { source } = selection;
  const context = createSourceContext({
    read: (location) => tools.remotes.read(location),
    warn,
    scratch: tools.folder.file(`scratch/${source}`),
  });
  return tools.sourceNamed(source).list(selection, context);
}

/** What `listContents` of the same export found. @throws Error when it has not run */
export async function loadContents(folder: WorkFolder): Promise<Contents> {
  const contents = await folder.readJson<Contents>(CONTENTS);
  if (contents === undefined)
    throw new Error(`${folder.path} holds no contents: the work folder was removed while the export ran`);
  return contents;
}
