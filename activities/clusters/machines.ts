import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  ClusterOperationInput,
  ClusterOperationName,
  ClusterOperationResult,
  ClusterPlace,
} from '../../contracts/clusters.ts';
import { applyCluster } from '../../core/clusters/apply.ts';
import { awaitCluster, awaitControlPlane, type AwaitRequest } from '../../core/clusters/await.ts';
import { bringsNetwork, installNetwork } from '../../core/clusters/cni.ts';
import { kubeconfigOf } from '../../core/clusters/kubeconfig.ts';
import { nodesOf } from '../../core/clusters/nodes.ts';
import { machinesOf } from '../../core/clusters/spec/defaults.ts';
import { applyUpgrade } from '../../core/clusters/upgrade.ts';
import { writeFileAtomically } from '../../core/host/atomic-file.ts';
import { openCluster } from '../../core/kubernetes/cluster-access.ts';
import type { ClusterState } from '../../core/kubernetes/cluster-state.ts';
import type { Cluster } from '../../core/kubernetes/cluster.ts';
import type { WorkHooks } from '../../core/transfer/progress.ts';
import { runActivity } from '../lib/run.ts';
import { moveManagement, settleBootstrap } from './settle.ts';
import {
  machineProgress,
  type ClusterDependencies,
  type ClusterTools,
  type Setting,
  type Step,
  type StepOn,
} from './tools.ts';

/** Steps that make a cluster's machines, and say who owns them. */
export function machineActivities(deps: ClusterDependencies, tools: ClusterTools) {
  return {
    applyCluster: (step: StepOn) => applyBy(applyCluster, step, tools),
    applyUpgrade: (step: StepOn) => applyBy(applyUpgrade, step, tools),
    /**
     * Brings the network between pods as soon as the API server answers, since no node is ready without; waits for every machine,
     * and keeps the kubeconfig of the cluster that they make.
     */
    awaitCluster: ({ input, on }: StepOn) =>
      runActivity('wait for cluster', async (hooks) => {
        const { signal } = hooks;
        const making = await tools.making(input, hooks);
        const { spec, provider, context, workspace } = making;
        await using cluster = await tools.clusterAt(input, on);
        const awaited = awaitedOf(input, making, hooks);
        if (bringsNetwork(making)) {
          await awaitControlPlane(awaited, cluster);
          await withWorkload(making, cluster, (workload) => installNetwork(making, workload, signal));
        }
        await awaitCluster(awaited, cluster);
        await workspace.writeKubeconfig('self', await kubeconfigOf(spec.name, cluster));
        await using made = await tools.clusterAt(input, 'self');
        await provider.postWorkload(spec, made, context);
      }),
    /** Moves, and waits until the new owner's controllers find all machines of its own well: a move takes no status along. */
    moveCluster: ({ input, from, to }: Step & { from: ClusterPlace; to: ClusterPlace }) =>
      runActivity('move cluster', async (hooks) => {
        await moveManagement(input, { from, to }, tools, hooks);
        if (to !== 'self') return;
        const { spec, provider } = await tools.setting(input, hooks);
        await using cluster = await tools.clusterAt(input, to);
        await awaitCluster(awaitedOf(input, { spec, provider }, hooks), cluster);
      }),
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

function awaitedOf(
  { timeouts }: ClusterOperationInput,
  { spec, provider }: Pick<Setting, 'spec' | 'provider'>,
  { signal, report }: WorkHooks,
): AwaitRequest {
  const told = (state: ClusterState): void => report(machineProgress(state));
  return { spec, machines: machinesOf(spec), timeouts, stuck: provider.stuck, report: told, signal };
}

/** Brings a cluster's objects, as its specification says now, to whoever makes its machines. */
function applyBy(apply: typeof applyCluster, { input, on }: StepOn, tools: ClusterTools): Promise<void> {
  return runActivity('apply cluster', async (hooks) => {
    const making = await tools.making(input, hooks);
    await making.provider.prepareAssets(making.spec, making.context);
    await using cluster = await tools.clusterAt(input, on);
    await apply(making, cluster, hooks.signal);
  });
}

/** Talks to a cluster whose machines are still coming: its kubeconfig is kept only when they all are there. */
async function withWorkload(
  { spec, workspace }: Setting,
  on: Cluster,
  use: (workload: Cluster) => Promise<void>,
): Promise<void> {
  const file = join(workspace.scratch, 'coming.kubeconfig');
  await writeFileAtomically(file, await kubeconfigOf(spec.name, on));
  try {
    await using workload = await openCluster(file);
    await use(workload);
  } finally {
    await rm(file, { force: true });
  }
}
