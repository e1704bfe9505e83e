import type { Bundle } from '../bundle/reader.ts';
import { filesOf } from './bundle-files.ts';
import { TreeBuilder } from './tree-builder.ts';
import type { FileTree } from './tree.ts';

/** The charms of the bundle, side by side under their file names. @throws SealiftError BundleCorrupt */
export async function charmsTree(bundle: Bundle): Promise<FileTree> {
  const tree = new TreeBuilder();
  for (const { item, name, blob } of await filesOf(bundle, (item) => item.package === 'charm')) {
    tree.addBlob(name, blob, item.reference);
  }
  return tree.build();
}
