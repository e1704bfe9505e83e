import type { ClusterOperationInput } from '../../contracts/clusters.ts';
import { version } from '../../contracts/version.ts';
import { publishSpec } from '../../core/clusters/git-resources.ts';
import { keepSpec } from '../../core/clusters/keep-spec.ts';
import { runActivity } from '../lib/run.ts';
import type { ClusterDependencies, ClusterTools, Step, StepOn } from './tools.ts';

/** Steps that keep what a cluster is to be: on its management cluster, and in git. */
export function specificationActivities(deps: ClusterDependencies, tools: ClusterTools) {
  return {
    /** Keeps the specification on a management cluster, with the rules of what may change in it. */
    installComponents: ({ input, on }: StepOn) =>
      runActivity('install components', async ({ signal }) => {
        const { spec } = await deps.workspace(input).readValidated();
        await using cluster = await tools.clusterAt(input, on);
        await keepSpec(spec, cluster, { providers: deps.providers, version, signal });
      }),
    installAddOns: ({ input }: Step) => writeIntoGit('Create', input, deps),
    publishUpgrade: ({ input }: Step) => writeIntoGit('Upgrade', input, deps),
  };
}

/** Writes the specification into the git repository that it names, if any. */
function writeIntoGit(
  verb: 'Create' | 'Upgrade',
  input: ClusterOperationInput,
  deps: ClusterDependencies,
): Promise<void> {
  return runActivity('write into git', async ({ signal }) => {
    const workspace = deps.workspace(input);
    const { spec } = await workspace.readValidated();
    await publishSpec(spec, verb, { env: deps.environment, scratch: workspace.scratch, signal });
  });
}
