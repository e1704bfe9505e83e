import type { ProviderContext, ProviderPlugin } from '../../contracts/provider-plugin.ts';
import type { ClusterSpec } from '../../contracts/cluster-spec.ts';
import { SealiftError } from '../errors.ts';
import { pausedBy, resumeAll } from '../gitops/pause.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { ItemsFailed } from '../transfer/failures.ts';
import { findClusterObject, isPaused, pausedByOthers } from './find-owner.ts';
import { keptClusters } from './read-kept-spec.ts';
import { CLUSTER_NAMESPACE, capiVersions } from './render/names.ts';
import { refuseProblems } from './validate.ts';
import { noneIfUnknown } from '../kubernetes/unknown-kind.ts';

/**
 * Refuses the end of a management cluster that others need.
 * @throws ItemsFailed with a ValidationFailed for each workload cluster; SealiftError those of a Cluster
 */
export async function refuseNeeded(name: string, on: Cluster): Promise<void> {
  const listed = on.list({ apiVersion: capiVersions.cluster, kind: 'Cluster' }, { namespace: CLUSTER_NAMESPACE });
  const made = await listed.catch(noneIfUnknown);
  const all = [...made, ...(await keptClusters(on))].map(({ metadata }) => metadata.name);
  const others = [...new Set(all)].filter((other) => other !== name).sort();
  if (others.length === 0) return;
  throw new ItemsFailed(
    others.map((other) => ({
      item: `Cluster ${other}`,
      error: new SealiftError('ValidationFailed', {
        side: 'cluster',
        operation: 'validate',
        subject: `Cluster ${other} at ${on.server}`,
        message: `the management cluster ${name} looks after it, and would leave it without anybody who does`,
        remedy: `delete it first: sealift delete cluster ${other} --kubeconfig ${on.kubeconfig}; then retry`,
      }),
    })),
  );
}

/**
 * Refuses to take a workload cluster for deleted that only belongs to another management cluster than the one that was asked.
 * @param self by the kubeconfig that this machine keeps
 * @throws SealiftError ValidationFailed when it answers
 */
export async function refuseAlive(name: string, self: Cluster, management: Cluster): Promise<void> {
  const system = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } };
  // whatever does not let us in is not the cluster that the kubeconfig was made for
  if ((await self.get(system).catch(() => undefined)) === undefined) return;
  throw new SealiftError('ValidationFailed', {
    side: 'cluster',
    operation: 'validate',
    subject: `Cluster ${name} at ${self.server}`,
    message: `it answers, and the management cluster at ${management.server} does not know it`,
    remedy: 'give the kubeconfig of its own management cluster with --kubeconfig',
  });
}

/**
 * Asks the infrastructure whether anything is left.
 * @param management where the cluster was deleted; its infrastructure may be known there too (bare metal: hardware)
 * @throws ItemsFailed with a ClusterNotReady for each; what the provider throws
 */
export async function refuseLeftovers(
  provider: ProviderPlugin,
  spec: ClusterSpec,
  context: ProviderContext,
  management?: Cluster,
): Promise<void> {
  const left = await provider.postDelete(spec, context, management);
  refuseProblems(left, { type: 'ClusterNotReady', operation: 'look for what is left' });
}

/**
 * Lets Cluster API work on a cluster that an earlier operation of Sealift paused: what is paused is never deleted.
 * @throws SealiftError ClusterNotReady when somebody else paused it; those of a Cluster
 */
export async function resumeForDeletion(name: string, on: Cluster): Promise<void> {
  const found = await findClusterObject(name, on);
  if (found === undefined || !isPaused(found)) return;
  const operation = pausedBy(found, 'cluster-api');
  if (operation !== undefined) return resumeAll(on, [{ object: found, means: 'cluster-api' }], operation);
  throw new SealiftError('ClusterNotReady', {
    side: 'cluster',
    operation: 'delete cluster',
    ...pausedByOthers(name, on),
  });
}
