import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ClusterPlace } from '../../contracts/clusters.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { CLUSTER_NAMESPACE, capiVersions } from './render/names.ts';
import { undefinedIfUnknown } from '../kubernetes/unknown-kind.ts';

/**
 * Which of two clusters looks after a management cluster: the bootstrap cluster that made it, or itself. A move that was
 * undone leaves a copy behind, which is paused; the owner is the one that is not.
 * @param bootstrap undefined where there is none, as with `self`; that one is only asked when it matters
 * @throws SealiftError those of Cluster.get
 */
export async function findOwner(
  name: string,
  bootstrap: Cluster | undefined,
  self: Cluster | undefined,
): Promise<Extract<ClusterPlace, 'bootstrap' | 'self'> | 'nobody'> {
  const atBootstrap = await findClusterObject(name, bootstrap);
  if (atBootstrap !== undefined && !isPaused(atBootstrap)) return 'bootstrap';
  if ((await findClusterObject(name, self)) !== undefined) return 'self';
  return atBootstrap === undefined ? 'nobody' : 'bootstrap';
}

/** The Cluster object of Cluster API; undefined too where Cluster API is not. @throws SealiftError those of Cluster.get */
export async function findClusterObject(name: string, on: Cluster | undefined): Promise<KubernetesObject | undefined> {
  const metadata = { name, namespace: CLUSTER_NAMESPACE };
  return on?.get({ apiVersion: capiVersions.cluster, kind: 'Cluster', metadata }).catch(undefinedIfUnknown);
}

export function isPaused({ spec }: KubernetesObject): boolean {
  return (spec as { paused?: boolean } | undefined)?.paused === true;
}

/** What is said of a Cluster object that somebody else paused: whoever did that has a reason, and nobody resumes it for them. */
export function pausedByOthers(name: string, on: Cluster): Record<'subject' | 'message' | 'remedy', string> {
  return {
    subject: `Cluster ${CLUSTER_NAMESPACE}/${name}`,
    message: `it is paused at ${on.server}, and not by this operation`,
    remedy: 'find out who paused it; when that is over, set spec.paused to false, then retry',
  };
}
