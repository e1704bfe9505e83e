import type { ImportArtifactsInput, TreeName, WrittenTree } from '../../contracts/operations.ts';
import type { Bundle } from '../bundle/reader.ts';
import { charmsTree } from '../trees/charms-tree.ts';
import { signRelease } from '../trees/debian-signature.ts';
import { debianTree } from '../trees/debian-tree.ts';
import { checkRoom } from '../trees/free-space.ts';
import { filesTree } from '../trees/files-tree.ts';
import { helmTree } from '../trees/helm-tree.ts';
import { pythonTree } from '../trees/python-tree.ts';
import type { FileTree } from '../trees/tree.ts';
import { fileSize, writeTree, type TreeTools } from '../trees/write-tree.ts';
import { ProgressMeter, type WorkHooks } from '../transfer/progress.ts';

const builders: Record<TreeName, (bundle: Bundle) => Promise<FileTree>> = {
  files: filesTree,
  charms: charmsTree,
  deb: debianTree,
  pypi: pythonTree,
  helm: helmTree,
};

/** What writing the file trees of an import came to. */
export interface WrittenTrees {
  trees: WrittenTree[];
  warnings: string[];
}

/**
 * Lays the bundle out as the file trees that were asked for, once there is room for all of them.
 *
 * @throws SealiftError and ItemsFailed as {@link checkRoom}, {@link writeTree} and {@link signRelease} do
 */
export async function writeTrees(
  { trees = {}, debSigningKey }: Pick<ImportArtifactsInput, 'trees' | 'debSigningKey'>,
  tools: TreeTools,
  hooks: WorkHooks,
): Promise<WrittenTrees> {
  const result: WrittenTrees = { trees: [], warnings: [] };
  const built: { tree: TreeName; folder: string; content: FileTree }[] = [];
  for (const tree of Object.keys(builders) as TreeName[]) {
    const folder = trees[tree];
    if (folder !== undefined) built.push({ tree, folder, content: await builders[tree](tools.bundle) });
  }
  await checkRoom(built, tools, hooks);
  const files = built.flatMap(({ content }) => [...content.files.values()]);
  const bytes = files.reduce((sum, file) => sum + fileSize(file), 0);
  const meter = new ProgressMeter(hooks, { items: files.length, bytes });
  for (const { tree, folder, content } of built) {
    const outcome = await writeTree(content, folder, tools, meter, hooks);
    result.trees.push({ tree, folder, ...outcome });
    result.warnings.push(...content.warnings);
    if (tree === 'deb') result.warnings.push(...(await signRelease(folder, debSigningKey)));
  }
  return result;
}
