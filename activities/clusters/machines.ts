import type { ClusterOperationName, ClusterOperationResult, ClusterPlace } from '../../contracts/clusters.ts';
import { applyCluster } from '../../core/clusters/apply.ts';
import { awaitCluster } from '../../core/clusters/await.ts';
import { kubeconfigOf } from '../../core/clusters/kubeconfig.ts';
import { nodesOf } from '../../core/clusters/nodes.ts';
import { machinesOf } from '../../core/clusters/spec/defaults.ts';
import type { ClusterState } from '../../core/kubernetes/cluster-state.ts';
import { runActivity } from '../lib/run.ts';
import { moveManagement, settleBootstrap } from './settle.ts';
import { machineProgress, type ClusterDependencies, type ClusterTools, type Step, type StepOn } from './tools.ts';

/** Steps that make a cluster's machines, and say who owns them. */
export function machineActivities(deps: ClusterDependencies, tools: ClusterTools) {
  return {
    applyCluster: ({ input, on }: StepOn) =>
      runActivity('apply cluster', async (hooks) => {
        const making = await tools.making(input, hooks);
        await making.provider.prepareAssets(making.spec, making.context);
        await using cluster = await tools.clusterAt(input, on);
        await applyCluster(making, cluster, hooks.signal);
      }),
    /** Waits for every machine, and keeps the kubeconfig of the cluster that they make. */
    awaitCluster: ({ input, on }: StepOn) =>
      runActivity('wait for cluster', async (hooks) => {
        const { signal, report } = hooks;
        const { spec, provider, context, workspace } = await tools.setting(input, hooks);
        await using cluster = await tools.clusterAt(input, on);
        const told = (state: ClusterState): void => report(machineProgress(state));
        const { timeouts } = input;
        await awaitCluster({ spec, machines: machinesOf(spec), timeouts, report: told, signal }, cluster);
        await workspace.writeKubeconfig('self', await kubeconfigOf(spec.name, cluster));
        await using made = await tools.clusterAt(input, 'self');
        await provider.postWorkload(spec, made, context);
      }),
    moveCluster: ({ input, from, to }: Step & { from: ClusterPlace; to: ClusterPlace }) =>
      runActivity('move cluster', (hooks) => moveManagement(input, { from, to }, tools, hooks)),
    discardCreate: ({ input }: Step) =>
      runActivity('discard create', (hooks) => settleBootstrap(input, deps, tools, hooks)),
    /** Says what there is now. */
    describeCluster: ({ input, kind }: Step & { kind: ClusterOperationName }) =>
      runActivity('describe cluster', async (): Promise<ClusterOperationResult> => {
        const workspace = deps.workspace(input);
        const { spec, kubernetesVersion } = await workspace.readValidated();
        await using cluster = await tools.clusterAt(input, 'self');
        return {
          kind,
          name: spec.name,
          role: input.role,
          provider: spec.provider,
          kubernetesVersion,
          kubeconfig: workspace.kubeconfig('self'),
          nodes: await nodesOf(cluster),
          warnings: [],
        };
      }),
  };
}
