import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourcePlugin, SourceSelection } from '../../../contracts/source-plugin.ts';
import { createItemCollection } from '../../../core/sources/item-collection.ts';
import { checkSelection, selectionError } from '../../../core/sources/selection.ts';
import { reconciledItems } from './reconcile.ts';
import { imageUses, type ImageUse } from './uses.ts';

// At the top of the document only: a ConfigMap may hold a kubeconfig.
const KUBECONFIG = /(?:^|[{,]\s*)["']?kind["']?\s*:\s*["']?Config["']?\s*(?:$|[,}#])/m;

/** What a running cluster uses: the images of its pods and workloads, by the digests that really run. */
export const cluster: SourcePlugin = {
  name: 'cluster',
  summary: 'the images that a running Kubernetes cluster uses; its input is a kubeconfig',
  selections: [],
  options: [
    { name: 'kubeconfig', summary: 'a kubeconfig, as with -f; repeatable', path: true },
    { name: 'context', summary: "the kubeconfig's context to use; its current one when absent" },
    { name: 'namespace', summary: 'only this namespace; repeatable' },
  ],
  recognises: (content) => KUBECONFIG.test(content) && content.includes('clusters'),
  list,
};

async function list(selection: SourceSelection, context: SourceContext): Promise<SourceContents> {
  const { kubeconfig = [], context: contexts = [], namespace: namespaces = [] } = selection.options ?? {};
  const files = [...new Set([...selection.files, ...kubeconfig])].sort();
  checkSelection(cluster, { ...selection, files });
  if (contexts.length > 1) {
    throw selectionError(selection, 'several contexts are asked for', 'export each context by itself');
  }
  const uses: ImageUse[] = [];
  for (const file of files) {
    const api = await context.kubernetes(file, contexts[0]);
    const found = await imageUses(api, [...new Set(namespaces)].sort());
    if (found.length === 0) context.warn(`${api.server} runs nothing${inNamespaces(namespaces)}: nothing is carried`);
    uses.push(...(files.length === 1 ? found : found.map((use) => ({ ...use, place: `${api.server} ${use.place}` }))));
  }
  const collection = createItemCollection();
  for (const item of reconciledItems(uses, (message) => context.warn(message))) {
    collection.add(item, { file: item.foundAt });
  }
  return { items: collection.items(), documents: [] };
}

function inNamespaces(namespaces: readonly string[]): string {
  return namespaces.length === 0 ? '' : ` in ${namespaces.join(', ')} (is the name right?)`;
}
