import type { ClusterRole } from '../../contracts/cluster-spec.ts';
import type { ClusterPlace } from '../../contracts/clusters.ts';
import type { ClusterWorkspace } from '../clusters/workspace.ts';

/**
 * The clusters that have to do with one, as far as this machine knows how they are reached.
 * @param given kubeconfig of the management cluster of a workload cluster, of a management cluster its own
 */
export async function clustersAround(
  workspace: ClusterWorkspace,
  { role, kubeconfig: given }: { role: ClusterRole; kubeconfig?: string },
): Promise<{ place: ClusterPlace; kubeconfig: string }[]> {
  const [bootstrap, self] = await Promise.all([
    workspace.findKubeconfig('bootstrap'),
    workspace.findKubeconfig('self'),
  ]);
  const reached: Record<ClusterPlace, string | undefined> = {
    bootstrap,
    management: role === 'workload' ? given : undefined,
    self: self ?? (role === 'management' ? given : undefined),
  };
  return Object.entries(reached).flatMap(([place, kubeconfig]) =>
    kubeconfig === undefined ? [] : [{ place: place as ClusterPlace, kubeconfig }],
  );
}
