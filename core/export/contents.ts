import type { BillOfMaterials, SourceDocument, SourceItem } from '../../contracts/bill-of-materials.ts';
import type { Digest } from '../../contracts/descriptor.ts';
import type { ExportArtifactsInput } from '../../contracts/operations.ts';
import type { SourcePlugin, SourceSelection } from '../../contracts/source-plugin.ts';
import type { Remotes } from '../oci/remotes.ts';
import { listSources } from '../sources/list-sources.ts';
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
  const warnings: string[] = [];
  const { items, documents } = await listSources(input.selections, {
    sourceNamed: tools.sourceNamed,
    read: (location) => tools.remotes.read(location),
    warn: (warning) => warnings.push(warning),
    scratch: tools.folder.file('scratch'),
  });
  const contents: Contents = {
    items,
    documents: [],
    warnings,
    sources: input.selections.map((selection) => selected(tools.sourceNamed(selection.source), selection)),
  };
  for (const { content, ...document } of documents) {
    const digest = await tools.folder.writeBlob(content);
    contents.documents.push({ ...document, digest, size: content.length });
  }
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

/** What `listContents` of the same export found. @throws Error when it has not run */
export async function loadContents(folder: WorkFolder): Promise<Contents> {
  const contents = await folder.readJson<Contents>(CONTENTS);
  if (contents === undefined)
    throw new Error(`${folder.path} holds no contents: the work folder was removed while the export ran`);
  return contents;
}
