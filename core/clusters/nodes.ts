import type { KubernetesObject } from '../../contracts/cluster-spec.ts';
import type { ClusterOperationResult } from '../../contracts/clusters.ts';
import type { ClusterAccess } from '../../contracts/provider-plugin.ts';

const CONTROL_PLANE_LABEL = 'node-role.kubernetes.io/control-plane';

/** The nodes of a cluster, control plane first, then by name. @throws SealiftError those of ClusterAccess.list */
export async function nodesOf(cluster: ClusterAccess): Promise<ClusterOperationResult['nodes']> {
  const nodes = await cluster.list({ apiVersion: 'v1', kind: 'Node' });
  return nodes
    .map((node) => ({
      name: node.metadata.name,
      role: CONTROL_PLANE_LABEL in (node.metadata.labels ?? {}) ? ('control-plane' as const) : ('worker' as const),
      version: versionOf(node),
    }))
    .sort((a, b) => compare(a.role, b.role) || compare(a.name, b.name));
}

function versionOf(node: KubernetesObject): string {
  return (
    (node as { status?: { nodeInfo?: { kubeletVersion?: string } } }).status?.nodeInfo?.kubeletVersion ?? 'unknown'
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
