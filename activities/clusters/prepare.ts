import type { ClusterOperation } from '../../contracts/provider-plugin.ts';
import { installClusterApi } from '../../core/clusters/install-capi.ts';
import { validateCluster } from '../../core/clusters/validate.ts';
import { runActivity } from '../lib/run.ts';
import { settledOwner } from './settle.ts';
import { hasNodes, releaseOf, type ClusterDependencies, type ClusterTools, type Step, type StepOn } from './tools.ts';

/** Steps before there is a machine. */
export function preparationActivities(deps: ClusterDependencies, tools: ClusterTools) {
  return {
    /**
     * Finds all that would go wrong, and keeps the specification for the phases to come.
     * @returns owner: who has what an earlier run, that was given up, has made of a management cluster
     */
    validateCluster: ({ input, operation }: Step & { operation: ClusterOperation }) =>
      runActivity('validate', async (hooks) => {
        const context = tools.contextOf(input, hooks);
        const workspace = deps.workspace(input);
        const known = await workspace.findValidated();
        const place = input.role === 'workload' ? 'management' : 'self';
        const isThere = place === 'management' || (await workspace.findKubeconfig('self')) !== undefined;
        await using management = isThere ? await tools.clusterAt(input, place) : undefined;
        const { spec, release, warnings } = await validateCluster({
          operation,
          role: input.role,
          specFile: input.specFile,
          providers: deps.providers,
          skip: input.skipValidations,
          context,
          bootstrapHasNodes: hasNodes(input, deps),
          releaseOf: (spec, provider) => releaseOf(input, { spec }, { provider, context, deps }),
          ...(management === undefined ? {} : { management }),
          ...(known === undefined ? {} : { known: known.spec }),
        });
        const { kubernetesVersion, content } = release;
        await workspace.writeValidated({ spec, kubernetesVersion, content });
        const owner = input.role === 'management' ? await settledOwner(input, deps, tools, hooks) : 'management';
        return { warnings, owner };
      }),
    ensureBootstrap: ({ input }: Step) =>
      runActivity('create bootstrap cluster', async () => {
        const kubeconfig = await deps.bootstrap(input, undefined).ensure();
        await deps.workspace(input).writeKubeconfig('bootstrap', kubeconfig);
      }),
    /** Brings Cluster API's controllers onto a cluster, where it is said in place of older ones, and waits until they work. */
    installCapi: ({ input, on, replacesOlder = false }: StepOn & { replacesOlder?: boolean }) =>
      runActivity('install Cluster API', async (hooks) => {
        const making = await tools.making(input, hooks);
        const { provider, spec, context, workspace } = making;
        await using cluster = await tools.clusterAt(input, on);
        const driver = on === 'bootstrap' ? deps.bootstrap(input, provider.capi(spec, context)) : undefined;
        const installation = {
          ...making,
          clusterctl: await deps.findTool(input)('clusterctl'),
          folder: workspace.clusterctl(on),
          place: on === 'bootstrap' ? ('bootstrap' as const) : ('self' as const),
          replacesOlder,
          ...(driver === undefined ? {} : { driver }),
        };
        await installClusterApi(installation, cluster, hooks.signal);
      }),
    deleteBootstrap: ({ input }: Step) => runActivity('delete bootstrap cluster', () => tools.removeBootstrap(input)),
  };
}
