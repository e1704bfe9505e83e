import type { SourceContents } from '../../../contracts/bill-of-materials.ts';
import type { SourceContext, SourcePlugin, SourceSelection } from '../../../contracts/source-plugin.ts';
import { createItemCollection } from '../../../core/sources/item-collection.ts';
import { checkSelection, selectionError } from '../../../core/sources/selection.ts';
import { walkBundles, type Findings } from './bundles.ts';
import { carriedDocuments } from './carried-documents.ts';
import { eksDistroReleases, walkEksDistro } from './eks-distro.ts';
import { readInputs } from './inputs.ts';
import { followReleases } from './release.ts';
import { wantedOf } from './selection.ts';

/** Everything that the Bundles in the selection, or behind its Releases, name. @throws SealiftError InvalidInput with file and line */
export async function listEksAnywhere(
  plugin: SourcePlugin,
  selection: SourceSelection,
  context: SourceContext,
): Promise<SourceContents> {
  checkSelection(plugin, selection);
  const inputs = await readInputs(selection.files, context);
  const releases = await followReleases(inputs, selection, context);
  if (inputs.bundles.length === 0) {
    throw selectionError(
      selection,
      'no input file is a Bundles manifest, or a Release that leads to one',
      'give one of them with -f; EKS-D manifests alone are not enough',
    );
  }
  const wanted = wantedOf(selection, inputs);
  const collection = createItemCollection();
  const findings: Findings = { add: collection.add, warn: (message) => context.warn(message) };
  const walked = inputs.bundles.map((bundles) => walkBundles(bundles, wanted, findings));
  for (const provider of wanted.providers ?? []) {
    if (walked.some(({ providers }) => providers.has(provider))) continue;
    context.warn(`provider ${provider}: these Bundles hold nothing that only it needs; upstream may have retired it`);
  }
  const links = walked.flatMap((bundles) => bundles.links);
  const eksDistro = await eksDistroReleases(links, inputs, context);
  for (const release of eksDistro) walkEksDistro(release, findings);
  return { items: collection.items(), documents: carriedDocuments(releases, inputs.bundles, eksDistro) };
}
