import type { DestinationRules } from '../oci/rewrite.ts';
import { debianTree } from '../trees/debian-tree.ts';
import { filesTree } from '../trees/files-tree.ts';
import { helmTree } from '../trees/helm-tree.ts';
import { pythonTree } from '../trees/python-tree.ts';
import { FILES_MOUNT, mountTree, PYTHON_MOUNT, type MountedTree, type Mounts } from './file-routes.ts';
import { openInputs, type Inputs } from './inputs.ts';
import { mergeBundles } from './merged-bundle.ts';
import { referrersOf } from './referrers.ts';
import type { RegistryContent } from './registry-routes.ts';
import { repositoriesOf } from './repositories.ts';
import { signDebianTree } from './sign-debian.ts';

/** Everything that is served, found once when the server starts. */
export interface ServedView extends RegistryContent {
  mounts: Mounts;
  /** what is not served as the bundles say, for the operator */
  warnings: string[];
}

/** Rules of `sealift import`, for the names of repositories. */
export interface ViewOptions extends DestinationRules {
  /** what gpg knows the key by that signs the Debian repository */
  debSigningKey?: string;
}

const builders = { [FILES_MOUNT]: filesTree, helm: helmTree, debian: debianTree, [PYTHON_MOUNT]: pythonTree };

/**
 * Opens bundles as one registry and one set of file trees. The caller closes the view's `inputs`.
 *
 * @param paths at least one; where two bundles have different content for one name, that of the first is served
 * @throws SealiftError BundleCorrupt, BundleUnsafe, FileMissing, ManifestInvalid, InvalidInput, ToolMissing, ToolFailed
 */
export async function openView(paths: readonly string[], options: ViewOptions): Promise<ServedView> {
  const inputs = await openInputs(paths);
  try {
    const repositories = repositoriesOf(inputs.bundles, options);
    const { mounts, warnings } = await mountsOf(inputs, options.debSigningKey);
    return {
      inputs,
      repositories,
      referrers: await referrersOf(inputs, repositories.manifests),
      mounts,
      warnings: [...repositories.warnings, ...warnings],
    };
  } catch (error) {
    await inputs.close();
    throw error;
  }
}

async function mountsOf(
  { bundles }: Inputs,
  debSigningKey: string | undefined,
): Promise<{ mounts: Mounts; warnings: string[] }> {
  const [first, ...others] = bundles;
  const mounts = new Map<string, MountedTree>();
  const warnings: string[] = [];
  if (first === undefined) return { mounts, warnings };
  const all = mergeBundles([first, ...others]);
  for (const [name, build] of Object.entries(builders)) {
    const made = await build(all);
    const tree = name === 'debian' && debSigningKey !== undefined ? await signDebianTree(made, debSigningKey) : made;
    mounts.set(name, mountTree(tree));
    warnings.push(...tree.warnings.map((warning) => `${name}: ${warning}`));
  }
  return { mounts, warnings };
}
