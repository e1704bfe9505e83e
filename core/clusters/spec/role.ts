import type { ClusterRole, ClusterSpec, EksaClusterSpec, SpecObject } from '../../../contracts/cluster-spec.ts';
import type { Finder } from './findings.ts';

/** What the rules look at: a cluster without its infrastructure. */
export type DescribedCluster = Pick<ClusterSpec, 'name' | 'role' | 'cluster' | 'gitOps'>;

export interface RoleOfCluster {
  role: ClusterRole;
  managementCluster?: string;
}

/**
 * Which kind of cluster a Cluster document describes. `spec.management` says it outright; `spec.managementCluster.name` names the
 * manager, which is the cluster itself for a management cluster. A document that says neither describes a management cluster,
 * as it always has upstream. Where both are said and contradict each other, that is a problem.
 */
export function roleOf(cluster: SpecObject<EksaClusterSpec>, at: Finder): RoleOfCluster {
  const { name } = cluster.metadata;
  const { management } = cluster.spec;
  const manager = cluster.spec.managementCluster?.name || undefined;
  const own = manager === undefined || manager === name;
  if (management ?? own) {
    if (!own) {
      const message = `management is true, yet ${manager} is named as the cluster that manages this one`;
      const remedy =
        'take managementCluster out for a management cluster, set management to false for a workload cluster';
      at.problem('role', ['spec', 'managementCluster', 'name'], message, remedy);
    }
    return { role: 'management', managementCluster: name };
  }
  if (manager === name) {
    const message = 'management is false, yet the cluster is named as its own manager';
    at.problem(
      'role',
      ['spec', 'managementCluster', 'name'],
      message,
      'name the management cluster, or set management to true',
    );
    return { role: 'workload' };
  }
  return { role: 'workload', ...(manager === undefined ? {} : { managementCluster: manager }) };
}
