import type { Bundle } from '../bundle/reader.ts';
import { filesOf, pathSegments } from './bundle-files.ts';
import { TreeBuilder } from './tree-builder.ts';
import type { FileTree } from './tree.ts';

/**
 * Every file and manifest of the bundle under the host and path of its URL, e.g. `dl.k8s.io/release/v1.30.0/kubectl`; what
 * came from a local file lies in `local/`.
 *
 * @throws SealiftError BundleCorrupt
 */
export async function filesTree(bundle: Bundle): Promise<FileTree> {
  const tree = new TreeBuilder();
  for (const { item, name, blob } of await filesOf(bundle, () => true)) {
    const { protocol, host } = new URL(item.reference);
    const segments = pathSegments(item.reference);
    const path = protocol === 'file:' ? `local/${name}` : [host, ...segments].join('/');
    if (segments.length === 0) tree.warnings.push(`${item.reference}: left out, the URL has no path`);
    else tree.addBlob(path, blob, item.reference);
  }
  return tree.build();
}
